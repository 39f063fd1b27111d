//! Scenes with one machine, its peers, disk and arbiter played by hand: each holds, and breaks without its guard.

use std::collections::VecDeque;
use std::time::Duration;

use tandem::negotiation::Negotiator;
use tandem::negotiation::ability::{Ability, Score};
use tandem::negotiation::exchange::{ArbiterCall, ArbiterReply, Command, FenceResult, Input, Output};
use tandem::negotiation::member::MemberId;
use tandem::negotiation::message::{
    Answer, Beacon, Grant, HandOverCause, HandOverRequest, Hears, Incarnation, Message, Mode, Order, PeerHello, Query,
    QueryId, Refusal, Released,
};
use tandem::negotiation::settings::{Protection, Settings};
use tandem::negotiation::term::Term;
use tandem::negotiation::time::Instant;
use tandem::negotiation::view::Gone;

const ALPHA: MemberId = MemberId(0);
const BETA: MemberId = MemberId(1);
const GAMMA: MemberId = MemberId(2);
const BOOT: Instant = Instant(1_000_000_000_000);

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What the arbiter does with a call.
type Arbiter = fn(ArbiterCall) -> Option<ArbiterReply>;

/// A free arbiter.
fn free(call: ArbiterCall) -> Option<ArbiterReply> {
    Some(match call {
        ArbiterCall::Look => ArbiterReply::Stands { holder: None, number: 0 },
        ArbiterCall::Acquire { above } => ArbiterReply::Granted { number: above + 1 },
        ArbiterCall::Renew { .. } => ArbiterReply::Renewed,
        ArbiterCall::Release { .. } => ArbiterReply::Released,
    })
}

/// One that is slow to grant.
fn slow(call: ArbiterCall) -> Option<ArbiterReply> {
    match call {
        ArbiterCall::Acquire { .. } => None,
        other => free(other),
    }
}

fn gone(_: ArbiterCall) -> Option<ArbiterReply> {
    Some(ArbiterReply::Unreachable { why: "it does not answer".into() })
}

/// One machine and everything it said.
struct Scene {
    machine: Negotiator,
    now: Instant,
    log: Vec<(Instant, Output)>,
    arbiter: Arbiter,
    /// Whether the peers consent to whatever is proposed.
    consents: bool,
    /// Whether the reference addresses answer.
    references: bool,
    /// Whether the disk writes at once.
    disk: bool,
    turns: u32,
}

impl Scene {
    fn new(me: MemberId, members: usize, protection: &[Protection]) -> Scene {
        let names = ["alpha", "beta", "gamma"].into_iter().take(members).map(Into::into).collect();
        let delay = protection.contains(&Protection::Fence).then_some(s(5));
        let protection = protection.to_vec();
        Scene::of(Settings { protection, fence_delay: vec![delay; members], ..Settings::new(me, names) })
    }

    fn of(settings: Settings) -> Scene {
        let machine = Negotiator::new(settings, BOOT, None).expect("usable settings");
        let mut scene = Scene {
            machine,
            now: BOOT,
            log: Vec::new(),
            arbiter: free,
            consents: false,
            references: true,
            disk: true,
            turns: 0,
        };
        scene.give(Input::Tick);
        scene
    }

    fn give(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.turns += 1;
            assert!(self.turns < 10_000, "it runs in circles");
            let mut out = Vec::new();
            self.machine.handle(self.now, input, &mut out);
            for output in &out {
                match output {
                    Output::Write { version, .. } if self.disk => {
                        inputs.push_back(Input::Written { version: *version })
                    }
                    Output::StopServing { .. } => inputs.push_back(Input::ServingStopped),
                    Output::AskArbiter { asked_at, call, .. } => {
                        if let Some(reply) = (self.arbiter)(*call) {
                            inputs.push_back(Input::Arbiter { asked_at: *asked_at, reply });
                        }
                    }
                    Output::AskReference { asked_at, .. } => {
                        inputs.push_back(Input::Reference { asked_at: *asked_at, answered: self.references });
                    }
                    Output::Send { to, message: Message::Query(query) } if self.consents => {
                        let order = Order::BePrimary { proposed: query.proposed, written: true };
                        inputs.push_back(Input::Received { peer: *to, message: answer(query.id, order, Term::NONE) });
                    }
                    _ => {}
                }
            }
            self.log.extend(out.into_iter().map(|output| (self.now, output)));
        }
    }

    /// Lets time pass, with a turn at every deadline.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.machine.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.give(Input::Tick);
        }
        self.now = end;
        self.give(Input::Tick);
    }

    fn up(&mut self, peer: MemberId, incarnation: u64) {
        let agreement = self.machine.settings().agreement();
        self.give(Input::LinkUp { peer, hello: PeerHello { incarnation: Incarnation(incarnation), agreement } });
    }

    fn hear(&mut self, peer: MemberId, message: Message) {
        self.give(Input::Received { peer, message });
    }

    fn beacon(&mut self, owner: MemberId, number: u64) {
        self.hear(owner, Message::Beacon(Beacon { term: Term { number, owner }, sent_at: self.now }));
    }

    /// A query of a fit candidate, and what it is told.
    fn asked(&mut self, peer: MemberId, proposed: u64, seen: u64, claim: bool) -> Option<Order> {
        let begun = self.log.len();
        let seen = if seen == 0 { Term::NONE } else { Term { number: seen, owner: peer } };
        let query = Query {
            id: QueryId(self.now.0),
            seen,
            proposed,
            able: Ability::Fit,
            candidate: true,
            claim,
            score: Score::FULL,
            hears: Hears::You,
        };
        self.hear(peer, Message::Query(query));
        self.log[begun..].iter().find_map(|(_, output)| match output {
            Output::Send { to, message: Message::Answer(answer) } if *to == peer => Some(answer.order),
            _ => None,
        })
    }

    fn consented(&mut self, peer: MemberId, proposed: u64, seen: u64, claim: bool) -> bool {
        matches!(self.asked(peer, proposed, seen, claim), Some(Order::BePrimary { .. }))
    }

    /// The last query that it sent.
    fn query(&self) -> Query {
        let query = |(_, output): &(Instant, Output)| match output {
            Output::Send { message: Message::Query(query), .. } => Some(*query),
            _ => None,
        };
        self.log.iter().rev().find_map(query).expect("it asks")
    }

    /// The last beacon that it sent.
    fn sent_beacon(&self) -> Beacon {
        let beacon = |(_, output): &(Instant, Output)| match output {
            Output::Send { message: Message::Beacon(beacon), .. } => Some(*beacon),
            _ => None,
        };
        self.log.iter().rev().find_map(beacon).expect("it announces itself")
    }

    fn mode(&self) -> Mode {
        self.machine.mode_and_term().0
    }

    fn fenced(&self) -> Option<Instant> {
        self.log.iter().find(|(_, output)| matches!(output, Output::Fence { .. })).map(|(at, _)| *at)
    }

    fn takes_over(&self) -> bool {
        self.log.iter().any(|(_, output)| matches!(output, Output::TakingOver(_)))
    }

    /// Alone, and Primary once the boot's wait is over.
    fn alone() -> Scene {
        let mut scene = Scene::new(ALPHA, 2, &[]);
        scene.wait(s(11));
        assert_eq!(scene.mode(), Mode::Primary);
        scene
    }
}

fn answer(id: QueryId, order: Order, seen: Term) -> Message {
    Message::Answer(Answer {
        id,
        order,
        seen,
        mode: Mode::Secondary,
        term: Term::NONE,
        able: Ability::Fit,
        claim: false,
        score: Score::FULL,
    })
}

pub fn n6_the_lower_address_does_not_consent_to_the_higher() {
    let mut scene = Scene::new(ALPHA, 2, &[]);
    scene.up(BETA, 7);
    assert!(!scene.consented(BETA, 1, 0, false));
}

pub fn u2_what_a_force_broke_is_waited_out_before_a_third_gets_the_role() {
    let mut scene = Scene::new(GAMMA, 3, &[Protection::Majority]);
    scene.up(BETA, 7);
    scene.up(ALPHA, 7);
    scene.beacon(ALPHA, 1);
    scene.give(Input::LinkDown { peer: ALPHA });
    scene.give(Input::Command(Command::TakeOver { by: "mia".into(), force: true }));
    assert_eq!(scene.mode(), Mode::Primary);
    scene.asked(BETA, 2, 1, false);
    scene.give(Input::Command(Command::StepDown { by: "mia".into(), force: false }));
    let released =
        |(_, output): &(Instant, Output)| matches!(output, Output::Send { message: Message::Released(_), .. });
    assert!(!scene.log.iter().any(released), "alpha may still act by what gamma granted it");
}

pub fn n5_a_primary_consents_to_nobody() {
    let mut scene = Scene::alone();
    scene.up(BETA, 7);
    assert!(!scene.consented(BETA, 9, 1, true));
}

pub fn n12_the_primary_in_the_higher_term_stays() {
    let mut scene = Scene::alone();
    scene.up(BETA, 7);
    scene.beacon(BETA, 1);
    assert_eq!(scene.mode(), Mode::Primary);
}

pub fn n18_a_request_for_another_term_ends_nothing() {
    let mut scene = Scene::alone();
    scene.up(BETA, 7);
    let term = Term { number: 9, owner: ALPHA };
    scene.hear(BETA, Message::HandOverRequest(HandOverRequest { term, cause: HandOverCause::Operator }));
    assert_eq!(scene.mode(), Mode::Primary);
    let refused = |(_, output): &(Instant, Output)| match output {
        Output::Send { message: Message::HandOverAnswer(answer), .. } => answer.verdict == Err(Refusal::OtherTerm),
        _ => false,
    };
    assert!(scene.log.iter().any(refused));
}

pub fn n14_what_comes_from_a_dead_connection_is_no_sign_of_life() {
    let mut scene = Scene::new(BETA, 2, &[]);
    scene.up(ALPHA, 7);
    scene.beacon(ALPHA, 1);
    scene.give(Input::LinkDown { peer: ALPHA });
    for _ in 0..6 {
        scene.wait(s(1));
        scene.beacon(ALPHA, 1);
    }
    assert_eq!(scene.mode(), Mode::Primary);
}

pub fn s3_who_does_not_shoot_first_waits() {
    let mut scene = Scene::new(BETA, 2, &[Protection::Fence]);
    scene.up(ALPHA, 7);
    for _ in 0..6 {
        scene.beacon(ALPHA, 1);
        scene.wait(s(1));
    }
    let last = scene.now;
    scene.wait(s(20));
    let shot = scene.fenced().expect("a silent Primary is switched off");
    assert!(shot >= last + s(7), "{:?} after its last word", shot.since(last));
}

pub fn s3_who_was_missed_first_leaves_the_shot_to_the_other() {
    let mut scene = Scene::new(ALPHA, 2, &[Protection::Fence]);
    scene.consents = true;
    scene.up(BETA, 7);
    scene.wait(s(5));
    assert_eq!((scene.fenced(), scene.mode()), (None, Mode::Primary));
    let proposed = 9;
    let seen = Term { number: 1, owner: ALPHA };
    let (id, able, hears) = (QueryId(scene.now.0), Ability::Fit, Hears::NotYou);
    let query = Query { id, seen, proposed, able, candidate: true, claim: false, score: Score::FULL, hears };
    scene.hear(BETA, Message::Query(query));
    scene.wait(s(20));
    assert_eq!((scene.fenced(), scene.mode()), (None, Mode::Primary));
}

pub fn s3_who_never_heard_its_peer_shoots_nobody() {
    let mut scene = Scene::new(ALPHA, 2, &[Protection::Fence]);
    scene.wait(s(60));
    assert_eq!(scene.fenced(), None);
}

pub fn s2_a_peer_that_started_anew_is_not_off() {
    let mut scene = Scene::new(BETA, 2, &[Protection::Fence]);
    scene.up(ALPHA, 7);
    for _ in 0..6 {
        scene.beacon(ALPHA, 1);
        scene.wait(s(1));
    }
    scene.wait(s(20));
    assert!(scene.fenced().is_some());
    scene.up(ALPHA, 8);
    scene.give(Input::Fenced { peer: ALPHA, result: FenceResult::Off });
    assert_ne!(scene.machine.view(scene.now).peers[0].gone, Some(Gone::Off));
}

pub fn s1_a_reference_address_that_answered_long_ago_is_none() {
    let mut scene = Scene::new(BETA, 2, &[Protection::Reachability]);
    scene.wait(s(2));
    scene.references = false;
    scene.wait(s(20));
    // Nobody is silent any more, and the other consents.
    scene.consents = true;
    scene.up(ALPHA, 7);
    scene.wait(s(2));
    assert_eq!(scene.mode(), Mode::Secondary);
}

pub fn s1_a_reference_address_is_asked_anew_in_the_silence() {
    let ms = Duration::from_millis;
    let settings = Scene::new(BETA, 2, &[Protection::Reachability]).machine.settings().clone();
    let mut scene = Scene::of(Settings { reply_timeout: ms(1_200), ..settings });
    scene.up(ALPHA, 7);
    for _ in 0..4 {
        scene.wait(ms(600));
        scene.beacon(ALPHA, 1);
    }
    scene.wait(ms(700));
    // The timeout ends before the next question would have been asked.
    scene.references = false;
    scene.wait(s(10));
    assert_eq!(scene.mode(), Mode::Secondary);
}

pub fn s1_a_reference_address_that_is_back_leaves_the_others_time_to_be_heard() {
    let mut scene = Scene::new(BETA, 2, &[Protection::Reachability]);
    scene.up(ALPHA, 7);
    scene.beacon(ALPHA, 1);
    scene.references = false;
    scene.wait(s(20));
    scene.references = true;
    scene.wait(s(2));
    assert_eq!(scene.mode(), Mode::Secondary);
    scene.wait(s(3));
    assert_eq!(scene.mode(), Mode::Primary);
}

/// A Primary by a lease, whose peers consented, and are silent from now on.
fn leased(members: usize) -> Scene {
    primary(members, Protection::Arbiter)
}

fn primary(members: usize, protection: Protection) -> Scene {
    let mut scene = Scene::new(ALPHA, members, &[protection]);
    scene.consents = true;
    for peer in scene.machine.settings().others() {
        scene.up(peer, 7);
    }
    scene.wait(s(10));
    assert_eq!(scene.mode(), Mode::Primary);
    scene.consents = false;
    scene
}

pub fn p6_a_lease_is_left_a_tenth_early() {
    let mut scene = leased(2);
    scene.arbiter = gone;
    let renewed = |(_, output): &(Instant, Output)| match output {
        Output::AskArbiter { asked_at, call: ArbiterCall::Renew { .. }, .. } => Some(*asked_at),
        _ => None,
    };
    let last = scene.log.iter().filter_map(renewed).max().expect("it renews");
    scene.wait(s(20));
    let left = |(at, output): &(Instant, Output)| matches!(output, Output::StopServing { .. }).then_some(*at);
    let left = scene.log.iter().find_map(left).expect("it steps down");
    assert!(left.since(last) <= Duration::from_millis(4_500), "{:?}", left.since(last));
}

/// It has asked for the lease, and has no answer yet.
fn asking() -> (Scene, Instant) {
    let mut scene = Scene::new(ALPHA, 2, &[Protection::Arbiter]);
    scene.arbiter = slow;
    scene.consents = true;
    scene.up(BETA, 7);
    let acquired = |(_, output): &(Instant, Output)| match output {
        Output::AskArbiter { asked_at, call: ArbiterCall::Acquire { .. }, .. } => Some(*asked_at),
        _ => None,
    };
    loop {
        scene.wait(Duration::from_millis(100));
        if let Some(asked_at) = scene.log.iter().find_map(acquired) {
            return (scene, asked_at);
        }
        assert!(scene.now < BOOT + s(20), "it asks for the lease");
    }
}

pub fn n11_a_lease_below_the_floor_is_no_lease() {
    let (mut scene, asked_at) = asking();
    scene.asked(BETA, 0, 6, false);
    // Asked again, for a number above that, beta consents.
    scene.wait(s(1));
    scene.give(Input::Arbiter { asked_at, reply: ArbiterReply::Granted { number: 1 } });
    scene.wait(s(2));
    assert!(!scene.takes_over());
}

pub fn s9_a_lease_that_was_asked_for_before_a_stall_is_given_back() {
    let (mut scene, asked_at) = asking();
    scene.now = scene.now + s(2);
    scene.give(Input::Late { by: s(2) });
    scene.give(Input::Arbiter { asked_at, reply: ArbiterReply::Granted { number: 1 } });
    assert!(!scene.takes_over());
}

pub fn s4_without_the_arbiter_one_grant_of_two_is_too_few() {
    let mut scene = leased(3);
    scene.arbiter = gone;
    let begun = scene.log.len();
    for _ in 0..20 {
        // Beta grants every beacon, gamma is silent.
        let beacons: Vec<Beacon> = scene.log[begun..]
            .iter()
            .filter_map(|(_, output)| match output {
                Output::Send { to: BETA, message: Message::Beacon(beacon) } => Some(*beacon),
                _ => None,
            })
            .collect();
        if let Some(beacon) = beacons.last() {
            let grant = Grant { sent_at: beacon.sent_at, term: beacon.term };
            scene.hear(BETA, Message::Grant(grant));
        }
        scene.wait(Duration::from_millis(500));
    }
    assert_eq!(scene.mode(), Mode::Secondary);
}

/// Three under `majority`: alpha, which has just become Primary.
fn elected() -> Scene {
    let mut scene = Scene::new(ALPHA, 3, &[Protection::Majority]);
    scene.consents = true;
    scene.up(BETA, 7);
    scene.up(GAMMA, 7);
    while scene.mode() == Mode::Secondary {
        scene.wait(Duration::from_millis(100));
        assert!(scene.now < BOOT + s(20), "it is elected");
    }
    scene.consents = false;
    scene
}

/// Beta of three, settled, which knows both others.
fn third(protection: &[Protection]) -> Scene {
    let mut scene = Scene::new(BETA, 3, protection);
    scene.up(ALPHA, 7);
    scene.up(GAMMA, 7);
    for _ in 0..5 {
        // Asked for no number at all: nothing but who they are is learnt.
        scene.asked(GAMMA, 0, 0, false);
        scene.asked(ALPHA, 0, 0, false);
        scene.wait(s(1));
    }
    assert_eq!(scene.mode(), Mode::Secondary);
    scene
}

pub fn n11_what_it_rests_on_is_looked_at_again_after_the_disk() {
    let mut scene = Scene::new(ALPHA, 2, &[]);
    scene.disk = false;
    scene.wait(s(11));
    assert!(scene.takes_over());
    let version = |(_, output): &(Instant, Output)| match output {
        Output::Write { version, .. } => Some(*version),
        _ => None,
    };
    let version = scene.log.iter().find_map(version).expect("the term is written");
    scene.up(BETA, 7);
    scene.asked(BETA, 6, 5, false);
    scene.give(Input::Written { version });
    let acts = |(_, output): &(Instant, Output)| matches!(output, Output::ModeChanged(decision) if decision.mode == Mode::Primary);
    assert!(!scene.log.iter().any(acts));
}

pub fn n16_a_promise_blocks_the_road_of_a_crash() {
    let mut scene = Scene::new(BETA, 2, &[Protection::Reachability]);
    scene.up(ALPHA, 7);
    scene.wait(s(2));
    scene.asked(ALPHA, 0, 0, false);
    scene.wait(s(2));
    scene.asked(ALPHA, 0, 0, false);
    scene.wait(s(1));
    assert!(scene.consented(ALPHA, 1, 0, false));
    scene.give(Input::LinkDown { peer: ALPHA });
    scene.give(Input::LinkRefused { peer: ALPHA });
    scene.wait(s(1));
    assert_eq!(scene.mode(), Mode::Secondary);
}

pub fn n16_who_promised_to_one_promises_to_nobody_else() {
    let mut scene = third(&[]);
    assert!(scene.consented(ALPHA, 1, 0, false));
    assert!(!scene.consented(GAMMA, 2, 0, true));
}

pub fn n7_who_hears_a_primary_consents_to_nobody() {
    let mut scene = third(&[]);
    scene.beacon(GAMMA, 1);
    assert!(!scene.consented(ALPHA, 2, 1, false));
}

pub fn n11_no_consent_below_the_floor() {
    let mut scene = third(&[]);
    scene.asked(GAMMA, 0, 5, false);
    assert!(!scene.consented(ALPHA, 3, 0, false));
}

pub fn n16_of_three_who_has_not_settled_consents_to_nobody() {
    let mut scene = Scene::new(BETA, 3, &[]);
    scene.up(ALPHA, 7);
    scene.up(GAMMA, 7);
    scene.asked(GAMMA, 0, 0, false);
    assert!(!scene.consented(ALPHA, 1, 0, false));
}

pub fn n11_a_consent_for_another_number_is_none() {
    let mut scene = Scene::new(ALPHA, 2, &[]);
    scene.up(BETA, 7);
    let id = scene.query().id;
    scene.asked(BETA, 6, 5, false);
    scene.hear(BETA, answer(id, Order::BePrimary { proposed: 1, written: true }, Term::NONE));
    assert!(!scene.takes_over());
}

pub fn n16_a_consent_to_an_old_question_is_none() {
    let mut scene = Scene::new(ALPHA, 2, &[]);
    scene.up(BETA, 7);
    let id = scene.query().id;
    for _ in 0..4 {
        scene.wait(s(1));
        scene.asked(BETA, 0, 0, false);
    }
    scene.hear(BETA, answer(id, Order::BePrimary { proposed: 1, written: true }, Term::NONE));
    assert!(!scene.takes_over());
}

pub fn s1_a_grant_counts_from_its_beacon() {
    let mut scene = elected();
    let Beacon { term, sent_at } = scene.sent_beacon();
    scene.wait(s(2));
    for peer in [BETA, GAMMA] {
        scene.hear(peer, Message::Grant(Grant { sent_at, term }));
    }
    scene.wait(s(2));
    assert_eq!(scene.mode(), Mode::Secondary);
}

pub fn s1_a_grant_for_another_term_is_none() {
    let mut scene = elected();
    for _ in 0..8 {
        scene.wait(Duration::from_millis(500));
        let Beacon { term, sent_at } = scene.sent_beacon();
        let term = Term { number: term.number - 1, ..term };
        scene.hear(BETA, Message::Grant(Grant { sent_at, term }));
    }
    assert_eq!(scene.mode(), Mode::Secondary);
}

pub fn n16_who_promised_to_one_grants_to_nobody_else() {
    let mut scene = third(&[Protection::Majority]);
    assert!(scene.consented(ALPHA, 1, 0, false));
    scene.beacon(GAMMA, 1);
    let grants =
        |(_, output): &(Instant, Output)| matches!(output, Output::Send { to: GAMMA, message: Message::Grant(_) });
    assert!(!scene.log.iter().any(grants));
}

pub fn s1_a_primary_whose_lease_is_over_steps_down() {
    let mut scene = elected();
    scene.wait(s(5));
    assert_eq!(scene.mode(), Mode::Secondary);
}

pub fn s7_it_does_so_under_a_hold_too() {
    let mut scene = elected();
    let hold = Command::Hold { by: "mia".into(), lasts: s(60), unix_ms: 1 };
    scene.give(Input::Command(hold));
    scene.wait(s(5));
    assert_eq!(scene.mode(), Mode::Secondary);
}

pub fn n16_who_may_have_forgotten_a_promise_waits_it_out() {
    let mut scene = Scene::new(ALPHA, 2, &[Protection::Reachability]);
    scene.consents = true;
    scene.up(BETA, 7);
    scene.wait(s(2));
    assert_eq!(scene.mode(), Mode::Secondary);
}

pub fn s1_one_of_three_is_no_majority() {
    let mut scene = Scene::new(ALPHA, 3, &[Protection::Majority]);
    scene.wait(s(30));
    assert_eq!(scene.mode(), Mode::Secondary);
}

pub fn s9_who_slept_asks_again() {
    let mut scene = Scene::alone();
    scene.up(BETA, 7);
    scene.now = scene.now + s(4);
    scene.give(Input::Late { by: s(4) });
    assert_eq!(scene.mode(), Mode::Secondary);
}

pub fn s9_the_own_lateness_excuses_silence() {
    let mut scene = Scene::new(BETA, 2, &[]);
    scene.up(ALPHA, 7);
    scene.beacon(ALPHA, 1);
    let late = Duration::from_millis(1_400);
    scene.now = scene.now + late;
    scene.give(Input::Late { by: late });
    scene.wait(Duration::from_millis(1_800));
    assert_eq!(scene.mode(), Mode::Secondary);
}

pub fn n18_a_release_is_for_the_one_it_names() {
    let mut scene = third(&[]);
    scene.beacon(ALPHA, 1);
    let term = Term { number: 1, owner: ALPHA };
    scene.hear(ALPHA, Message::Released(Released { term, to: GAMMA }));
    scene.wait(s(2));
    assert!(!scene.query().claim);
}

/// Another has the lease.
fn held(call: ArbiterCall) -> Option<ArbiterReply> {
    Some(match call {
        ArbiterCall::Look => ArbiterReply::Stands { holder: Some(BETA), number: 1 },
        ArbiterCall::Acquire { .. } | ArbiterCall::Renew { .. } => {
            ArbiterReply::Refused { holder: Some(BETA), number: 1 }
        }
        ArbiterCall::Release { .. } => ArbiterReply::Released,
    })
}

pub fn s1_no_takeover_while_another_has_the_lease() {
    let mut scene = Scene::new(ALPHA, 2, &[Protection::Arbiter]);
    scene.arbiter = held;
    scene.wait(s(30));
    assert_eq!(scene.mode(), Mode::Secondary);
}
