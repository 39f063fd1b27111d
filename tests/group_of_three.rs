//! Three controllers, unprotected and under majority: who is Primary, who follows, and never two where it is promised.

#[path = "support/group.rs"]
mod group;
#[path = "support/namespaces.rs"]
mod namespaces;
#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use group::{Group, NAMES, PATIENCE};
use namespaces::Network;
use support::{Part, require, wait_until};
use tandem::control::plan::Action;
use tandem::control::request::Outcome;
use tandem::control::status::{Mode, ProtectionState, ReplyKind, Status};
use tandem::journal::Entry;
use tandem::negotiation::message::Mode as Role;

/// A silence short enough for a test, long enough for a busy machine; nobody boots alone here.
const QUICK: &str = "[negotiation]\nquery_interval = \"100ms\"\nreply_timeout = \"2s\"\n";

/// The same under majority.
fn majority() -> String {
    format!("{QUICK}[takeover]\nprotection = [\"majority\"]\n")
}

/// Started together and settled, with everybody in touch with everybody.
fn booted(mut group: Group) -> Group {
    group.start_all();
    assert_eq!(group.settle(), 0, "the lowest address");
    for member in 0..3 {
        group.wait(member, "everybody is in touch", |status| status.peers.iter().all(|peer| peer.mode.is_some()));
    }
    group
}

/// From when to when a member was Primary, by its journal, in milliseconds of the machine's boot time; the last span
/// may have no end yet.
fn spans(group: &Group, member: usize) -> Vec<(u64, u64)> {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    let mut open = None;
    for record in group.journal(member) {
        let primary = match &record.entry {
            Entry::Decision(decision) => decision.mode == Role::Primary,
            Entry::Stopped { .. } => false,
            _ => continue,
        };
        match (primary, open) {
            (true, None) => open = Some(record.boot_ms),
            (false, Some(from)) => {
                spans.push((from, record.boot_ms));
                open = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    spans.extend(open.map(|from| (from, u64::MAX)));
    spans
}

/// By the journals no two were Primary at once, and these were, in this order.
fn in_turn(group: &Group, order: &[usize]) {
    let gather = || {
        let mut all: Vec<(u64, u64, usize)> = Vec::new();
        for member in 0..3 {
            all.extend(spans(group, member).into_iter().map(|(from, to)| (from, to, member)));
        }
        all.sort_unstable();
        all
    };
    // The journal is written beside the loop: what happened a moment ago comes a moment later.
    let mut all = gather();
    wait_until(PATIENCE, "the journals tell of every change", || {
        all = gather();
        // That one has ended before the next began is written by two who wait for nobody: either may come later.
        let (acts, ended) = all.split_last().map_or((false, &all[..]), |(last, before)| (last.1 == u64::MAX, before));
        all.len() >= order.len() && acts && ended.iter().all(|span| span.1 != u64::MAX)
    });
    let members: Vec<usize> = all.iter().map(|span| span.2).collect();
    assert_eq!(members, order, "{all:?}");
    for pair in all.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "two were Primary at once: {all:?}");
    }
}

fn done(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
}

/// The highest query that `peer` has answered or left unanswered: time as the member itself counts it.
fn queries(status: &Status) -> u64 {
    status.peers.iter().flat_map(|peer| &peer.replies).map(|reply| reply.query).max().unwrap_or(0)
}

#[test]
fn n6_of_three_booted_together_the_lowest_address_is_primary() {
    let group = booted(Group::new(3, QUICK));
    in_turn(&group, &[0]);
    for member in [1, 2] {
        let status = group.status(member);
        assert_eq!((status.mode, status.term), (Mode::Secondary, 1));
        assert_eq!(status.protection.state, ProtectionState::Unprotected);
    }
}

#[test]
fn s1_under_majority_the_lowest_address_is_primary_and_is_granted_it() {
    let group = booted(Group::new(3, &majority()));
    in_turn(&group, &[0]);
    let alpha = group.status(0);
    assert_eq!(alpha.protection.state, ProtectionState::Ok);
}

#[test]
fn n14_the_next_in_order_follows_a_killed_primary_and_the_third_after_that() {
    let mut group = booted(Group::new(3, QUICK));
    let mut beta = group.watch(1);
    group.kill(0);
    let (status, _) = beta.until(PATIENCE, "beta is Primary", |status| status.mode == Mode::Primary);
    assert_eq!(status.term, 2);
    assert_eq!(group.settle(), 1);
    group.kill(1);
    group.wait(2, "gamma is Primary, alone", |status| status.mode == Mode::Primary && status.term == 3);
    // Both come back as Secondaries: no failback (S6).
    group.start(0);
    group.start(1);
    assert_eq!(group.settle(), 2);
    assert_eq!(group.status(2).term, 3);
}

#[test]
fn s1_under_majority_a_killed_primary_is_followed_when_its_lease_has_ended() {
    let mut group = booted(Group::new(3, &majority()));
    let mut beta = group.watch(1);
    group.kill(0);
    let (status, _) = beta.until(PATIENCE, "beta is Primary", |status| status.mode == Mode::Primary);
    assert_eq!(status.term, 2);
    let took_over = group.decisions(1).into_iter().find(|decision| decision.mode == Role::Primary).expect("it did");
    let heard = took_over.evidence.iter().find(|one| one.name.as_str() == "alpha").and_then(|alpha| alpha.heard);
    // The last that was heard may be younger than the last beacon.
    let long = Duration::from_millis(1400);
    assert!(heard.is_some_and(|heard| heard >= long), "its last beacon promised it two seconds: {heard:?}");
    assert_eq!(group.settle(), 1);
    // One of three is no majority: nobody acts, and the status says so.
    group.kill(1);
    let (gamma, _) = group.wait(2, "gamma has missed both for three timeouts", |status| {
        status.peers.iter().all(|peer| peer.gone.is_some() && peer.last_heard_ms.is_some_and(|ms| ms >= 6000))
    });
    assert_eq!(gamma.mode, Mode::Secondary);
    assert_eq!(gamma.protection.state, ProtectionState::Missing);
    assert!(!gamma.takeover.ready);
    // With a second member there is one Primary again.
    group.start(0);
    group.settle();
}

#[test]
fn s1_a_minority_cut_off_steps_down_before_the_others_take_over() {
    if !require(Part::NetworkNamespaces) {
        return;
    }
    let network = Network::switched(3);
    let group = booted(network.group(&majority()));
    network.detach(0);
    let (alpha, _) = group.wait(0, "alpha has stepped down", |status| status.mode == Mode::Secondary);
    assert_eq!(alpha.reason.rule, "lost_majority", "{:?}", alpha.reason);
    group.wait(1, "beta is Primary", |status| status.mode == Mode::Primary && status.term == 2);
    network.attach(0);
    assert_eq!(group.settle(), 1);
    in_turn(&group, &[0, 1]);
}

#[test]
fn s10_under_majority_a_secondary_cut_off_changes_nothing() {
    if !require(Part::NetworkNamespaces) {
        return;
    }
    let network = Network::switched(3);
    let group = booted(network.group(&majority()));
    network.detach(2);
    let before = queries(&group.status(1));
    let (beta, _) = group.wait(1, "gamma is gone for long", |status| {
        queries(status) >= before + 20 && status.peers.iter().any(|peer| peer.name == "gamma" && peer.gone.is_some())
    });
    assert_eq!((beta.mode, beta.term), (Mode::Secondary, 1));
    let (gamma, _) = group.wait(2, "gamma misses both", |status| status.peers.iter().all(|peer| peer.gone.is_some()));
    assert_eq!(gamma.mode, Mode::Secondary);
    network.attach(2);
    assert_eq!(group.settle(), 0);
    assert_eq!(group.status(0).term, 1);
    in_turn(&group, &[0]);
}

/// The cable between alpha, the Primary, and gamma breaks; beta hears both.
fn one_broken_cable_of_three(more: &str) {
    if !(require(Part::NetworkNamespaces) && require(Part::Firewall)) {
        return;
    }
    let network = Network::switched(3);
    let group = booted(network.group(more));
    network.deafen(0, 2);
    network.deafen(2, 0);
    group.wait(2, "gamma misses alpha", |status| {
        status.peers.iter().any(|peer| peer.name == "alpha" && peer.gone.is_some())
    });
    let before = queries(&group.status(2));
    let (gamma, _) = group.wait(2, "gamma has asked 20 times more", |status| queries(status) >= before + 20);
    assert_eq!((gamma.mode, gamma.term), (Mode::Secondary, 1), "{:?}", gamma.reason);
    let beta = gamma.peers.iter().find(|peer| peer.name == "beta").expect("a peer");
    assert_eq!(beta.replies.first().map(|reply| reply.reply), Some(ReplyKind::StaySecondary), "{:?}", beta.replies);
    network.undeafen(0);
    network.undeafen(2);
    assert_eq!(group.settle(), 0);
    in_turn(&group, &[0]);
}

#[test]
fn n7_one_broken_cable_of_three_raises_no_second_primary() {
    one_broken_cable_of_three(QUICK);
}

#[test]
fn n7_nor_under_majority() {
    one_broken_cable_of_three(&majority());
}

/// An operator moves the role to the last of three, and from there on.
fn an_operator_in_three(more: &str) {
    let group = booted(Group::new(3, more));
    done(&group.act(2, Action::TakeOver));
    assert_eq!(group.settle(), 2);
    assert_eq!(group.status(2).term, 2);
    done(&group.act(2, Action::StepDown));
    assert_eq!(group.settle(), 0, "the first in the order");
    in_turn(&group, &[0, 2, 0]);
}

#[test]
fn u2_an_operator_moves_the_role_in_three() {
    an_operator_in_three(QUICK);
}

#[test]
fn u2_and_under_majority() {
    an_operator_in_three(&majority());
}

#[test]
fn s7_a_hold_freezes_all_three_and_any_of_them_ends_it() {
    let mut group = booted(Group::new(3, QUICK));
    done(&group.act(2, Action::Hold { for_ms: 600_000 }));
    for member in 0..3 {
        group.wait(member, "the hold is known", |status| status.hold.is_some());
    }
    group.kill(0);
    for member in [1, 2] {
        let before = queries(&group.status(member));
        let (status, _) = group.wait(member, "alpha is gone for long", |status| {
            queries(status) >= before + 15
                && status.peers.iter().any(|peer| peer.name == "alpha" && peer.gone.is_some())
        });
        assert_eq!(status.mode, Mode::Secondary, "{}: {:?}", NAMES[member], status.reason);
    }
    done(&group.act(1, Action::Resume));
    group.wait(2, "gamma's hold has ended too", |status| status.hold.is_none());
    assert_eq!(group.settle(), 1);
}

/// SIGTERM to one Primary after the other: each time the next follows by a release, without waiting out a silence.
fn stopped_in_turn(more: &str) {
    let mut group = booted(Group::new(3, more));
    let mut beta = group.watch(1);
    assert!(group.stop(0).success());
    let (status, _) = beta.until(PATIENCE, "beta is Primary", |status| status.mode == Mode::Primary);
    assert_eq!((status.reason.rule.as_str(), status.term), ("released", 2));
    assert_eq!(group.settle(), 1);
    group.start(0);
    group.wait(0, "alpha is back", |status| {
        status.peers.iter().any(|peer| peer.name == "beta" && peer.mode == Some(Mode::Primary))
    });
    assert_eq!(group.settle(), 1);
    in_turn(&group, &[0, 1]);
}

#[test]
fn n14_n18_a_stopped_primary_of_three_hands_over() {
    stopped_in_turn(QUICK);
}

#[test]
fn n14_n18_and_under_majority() {
    stopped_in_turn(&majority());
}
