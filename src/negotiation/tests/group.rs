//! Several members in one thread. The network delivers at once, or, where it is cut, never.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::super::exchange::{Input, Output};
use super::super::member::MemberId;
use super::super::message::{Incarnation, Message, Mode, PeerHello};
use super::super::settings::Settings;
use super::bench::{Bench, Register};

pub struct Group {
    pub members: Vec<Bench>,
    dead: Vec<bool>,
    /// Pairs that cannot talk, lower number first.
    cut: Vec<(usize, usize)>,
    /// How much of each member's output was carried.
    carried: Vec<usize>,
}

impl Group {
    /// All boot at once and find each other at once.
    pub fn new(settings: Vec<Settings>) -> Group {
        Group::of(settings.into_iter().map(Bench::new).collect())
    }

    /// The same, with one arbiter for all.
    pub fn beside(settings: Vec<Settings>, arbiter: &Rc<RefCell<Register>>) -> Group {
        Group::of(settings.into_iter().map(|settings| Bench::beside(settings, arbiter)).collect())
    }

    fn of(members: Vec<Bench>) -> Group {
        let count = members.len();
        let mut group = Group { members, dead: vec![false; count], cut: Vec::new(), carried: vec![0; count] };
        for one in 0..count {
            for other in 0..one {
                group.connect(one, other);
            }
        }
        group
    }

    fn connect(&mut self, one: usize, other: usize) {
        for (who, peer) in [(one, other), (other, one)] {
            let agreement = self.members[peer].machine.settings().agreement();
            let hello = PeerHello { incarnation: Incarnation(peer as u64), agreement };
            self.members[who].give(Input::LinkUp { peer: MemberId(peer as u8), hello });
        }
        self.carry();
    }

    fn talk(&self, one: usize, other: usize) -> bool {
        !self.dead[one] && !self.dead[other] && !self.cut.contains(&(one.min(other), one.max(other)))
    }

    /// Carries what was sent until nothing is left.
    fn carry(&mut self) {
        while let Some(from) = (0..self.members.len()).find(|who| self.carried[*who] < self.members[*who].log.len()) {
            let output = self.members[from].log[self.carried[from]].clone();
            self.carried[from] += 1;
            if let Output::Send { to, message } = output
                && self.talk(from, to.index())
            {
                self.members[to.index()].hear(from as u8, message);
            }
        }
    }

    /// Lets time pass for everybody.
    pub fn wait(&mut self, time: Duration) {
        let end = self.members.iter().map(|member| member.now).max().expect("a group has members") + time;
        loop {
            let due = (0..self.members.len())
                .filter(|who| !self.dead[*who])
                .filter_map(|who| self.members[who].machine.next_deadline().map(|at| (at, who)))
                .min();
            let Some((at, who)) = due.filter(|(at, _)| *at <= end) else { break };
            for member in &mut self.members {
                member.now = member.now.max(at);
            }
            self.members[who].give(Input::Tick);
            self.carry();
        }
        for member in &mut self.members {
            member.now = end;
        }
    }

    /// Does something with one member, and carries what it says.
    pub fn with(&mut self, who: usize, act: impl FnOnce(&mut Bench)) {
        if !self.dead[who] {
            act(&mut self.members[who]);
            self.carry();
        }
    }

    /// The power of a member fails: nobody is told.
    pub fn kill(&mut self, who: usize) {
        self.dead[who] = true;
    }

    /// The network between two fails: nobody is told, as with a dead switch.
    pub fn cut(&mut self, one: usize, other: usize) {
        self.cut.push((one.min(other), one.max(other)));
    }

    pub fn heal(&mut self, one: usize, other: usize) {
        let pair = (one.min(other), one.max(other));
        if self.cut.contains(&pair) {
            self.cut.retain(|other| *other != pair);
            if self.talk(one, other) {
                self.connect(one, other);
            }
        }
    }

    /// Who is Primary and lives.
    pub fn primaries(&self) -> Vec<usize> {
        (0..self.members.len()).filter(|who| !self.dead[*who] && self.members[*who].mode() == Mode::Primary).collect()
    }

    pub fn messages(&self, from: usize, to: u8) -> Vec<Message> {
        self.members[from].sent_to(to).into_iter().cloned().collect()
    }
}
