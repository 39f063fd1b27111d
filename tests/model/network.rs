//! Connections, and what they carry.

use tandem::negotiation::exchange::Input;
use tandem::negotiation::message::{Incarnation, Message, PeerHello};

use super::bounds::Kept;
use super::states::{Run, Sent};
use super::steps::{Turn, id};

/// A connection carries at most so many messages a way.
const ROOM: usize = 4;

impl Turn<'_> {
    pub fn deliver(&mut self, link: usize, side: usize, place: usize) {
        let sent = self.group.links[link].queues[side].remove(place);
        let [from, to] = self.both(link, side);
        self.feed(to, Input::Received { peer: id(from), message: sent.message });
    }

    pub fn connect(&mut self, link: usize) {
        self.disconnect(link);
        self.group.links[link].up = [true; 2];
        for side in 0..2 {
            let [me, peer] = self.both(link, side);
            let incarnation = Incarnation(u64::from(self.group.members[peer].life) << 8 | peer as u64);
            let hello = PeerHello { incarnation, agreement: self.bounds.settings(peer).agreement() };
            self.feed(me, Input::LinkUp { peer: id(peer), hello });
        }
    }

    /// Both ways are empty, and who runs knows it; who is frozen learns it when it wakes.
    pub fn disconnect(&mut self, link: usize) {
        let this = &mut self.group.links[link];
        this.queues = [Vec::new(), Vec::new()];
        this.refused = [false; 2];
        for side in 0..2 {
            let [me, peer] = self.both(link, side);
            if self.group.links[link].up[side] && self.group.members[me].run == Run::Running {
                self.group.links[link].up[side] = false;
                self.feed(me, Input::LinkDown { peer: id(peer) });
            }
        }
    }

    pub fn send(&mut self, from: usize, to: usize, message: Message) {
        let (index, side) = self.group.link_of(from, to);
        let kept = self.bounds.kept;
        let nobody = !self.group.links[index].up[1 - side] || self.group.members[to].machine.is_none();
        let link = &mut self.group.links[index];
        let kind = std::mem::discriminant(&message);
        let queue = &mut link.queues[side];
        let another = queue.iter().position(|sent| std::mem::discriminant(&sent.message) == kind);
        if nobody {
            return;
        }
        match (another, kept) {
            (Some(_), Kept::Older) => {}
            (Some(another), Kept::Newer) => queue[another] = Sent { message, age: 0 },
            (None, _) if queue.len() >= ROOM => {}
            (None, _) => {
                // Any of them may come first: their places say nothing.
                let place = queue.iter().position(|sent| rank(&sent.message) > rank(&message)).unwrap_or(queue.len());
                queue.insert(place, Sent { message, age: 0 });
            }
        }
    }
}

/// A kind's place in a queue, so that queues with the same messages are the same.
fn rank(message: &Message) -> u8 {
    match message {
        Message::Query(_) => 0,
        Message::Answer(_) => 1,
        Message::Beacon(_) => 2,
        Message::Grant(_) => 3,
        Message::Relay(_) => 4,
        Message::HandOverRequest(_) => 5,
        Message::HandOverAnswer(_) => 6,
        Message::Released(_) => 7,
        Message::Hold(_) => 8,
        Message::Bye => 9,
    }
}
