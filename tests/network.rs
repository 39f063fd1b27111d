//! Two controllers on machines of their own, joined by real cables that break: pulled, silent, deaf one way, doubled.

#[path = "support/group.rs"]
mod group;
#[path = "support/namespaces.rs"]
mod namespaces;
#[path = "support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use group::{Group, PATIENCE};
use namespaces::Network;
use support::reference::Reference;
use support::{Part, require};
use tandem::control::status::{LinkState, Mode, Status};
use tandem::negotiation::decision::Rule;

/// A silence short enough for a test, long enough for a busy machine; nobody boots alone here.
const QUICK: &str = "[negotiation]\nquery_interval = \"100ms\"\nreply_timeout = \"2s\"\n";

/// A Primary on this machine, in whatever term.
fn primary(status: &Status) -> bool {
    status.mode == Mode::Primary
}

/// The link to the only peer works, on every path.
fn linked(status: &Status) -> bool {
    status.links.iter().all(|link| link.state == LinkState::Up)
}

/// After a split in which beta took over (term 2), beta alone is Primary and alpha has yielded to its higher term.
fn one_is_left(pair: &Group) {
    let (alpha, _) = pair.wait(0, "alpha has yielded", |status| status.mode == Mode::Secondary);
    assert_eq!(alpha.reason.rule, "yielded_to", "{:?}", alpha.reason);
    assert_eq!(pair.settle(), 1);
    assert_eq!(pair.status(1).term, 2);
}

#[test]
fn s10_pulling_the_one_cable_leaves_nobody_idle_and_n12_ends_the_two_when_it_is_plugged_in() {
    if !require(Part::NetworkNamespaces) {
        return;
    }
    let network = Network::direct(1);
    let mut pair = network.group(QUICK);
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let mut beta = pair.watch(1);
    network.pull(0);
    let (status, _) = beta.until(PATIENCE, "beta is Primary", primary);
    assert_eq!((status.reason.rule.as_str(), status.term), ("peer_silent", 2));
    let alpha = pair.status(0);
    assert_eq!((alpha.mode, alpha.term), (Mode::Primary, 1), "alpha went on: {:?}", alpha.reason);
    pair.wait(0, "alpha knows that its link is down", |status| !linked(status));
    pair.wait(1, "beta knows that its link is down", |status| !linked(status));

    let reference = Reference::start();
    network.plug(0);
    let back = Instant::now();
    let (_, at) = beta.until(PATIENCE, "they are connected again", linked);
    reference.within(at - back, Duration::from_secs(3), "N13: within a second on an idle machine");
    one_is_left(&pair);
}

#[test]
fn n4_a_silent_partition_is_taken_over_at_the_default_timeout_and_never_later() {
    if !require(Part::NetworkNamespaces) {
        return;
    }
    let network = Network::switched(2);
    let mut pair = network.group("");
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let mut beta = pair.watch(1);
    let reference = Reference::start();
    network.detach(0);
    let cut = Instant::now();
    let (status, at) = beta.until(PATIENCE, "beta is Primary", primary);
    // The last reply was at most an interval old at the cut: 2 to 3 s, and some room.
    reference.within(at - cut, Duration::from_secs(5), "too late");
    assert_eq!(status.reason.rule, "peer_silent");
    // Too early it is when that was less than 3 s after the last reply, however old this was at the cut.
    let silent = pair.decisions(1).into_iter().find_map(|decision| match decision.rule {
        Rule::PeerSilent { silent_for, .. } => Some(silent_for),
        _ => None,
    });
    assert!(silent.is_some_and(|silent| silent >= Duration::from_secs(3)), "too early: {silent:?}");
}

#[test]
fn n12_a_partition_that_heals_after_the_connection_broke_ends_with_the_higher_term() {
    if !require(Part::NetworkNamespaces) {
        return;
    }
    let network = Network::switched(2);
    let mut pair = network.group(QUICK);
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let mut beta = pair.watch(1);
    network.detach(0);
    beta.until(PATIENCE, "beta is Primary", primary);
    pair.wait(0, "alpha's connection broke", |status| !linked(status));
    pair.wait(1, "beta's connection broke", |status| !linked(status));
    assert!(primary(&pair.status(0)) && primary(&pair.status(1)), "the seed's rule: both act");
    let reference = Reference::start();
    network.attach(0);
    let back = Instant::now();
    let (_, at) = beta.until(PATIENCE, "they are connected again", linked);
    reference.within(at - back, Duration::from_secs(3), "N13: within a second on an idle machine");
    one_is_left(&pair);
}

#[test]
fn n12_a_partition_that_heals_at_once_ends_with_the_higher_term_whether_or_not_the_connection_broke() {
    if !require(Part::NetworkNamespaces) {
        return;
    }
    let network = Network::switched(2);
    let mut pair = network.group(QUICK);
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let mut beta = pair.watch(1);
    network.detach(0);
    beta.until(PATIENCE, "beta is Primary", primary);
    network.attach(0);
    one_is_left(&pair);
}

/// Beta does not hear alpha, or alpha not beta: one of them may have to take over, nobody steps down for nothing, and
/// one is left when the network is whole.
fn one_way(deaf: usize, unheard: usize) {
    if !(require(Part::NetworkNamespaces) && require(Part::Firewall)) {
        return;
    }
    let network = Network::switched(2);
    let mut pair = network.group(QUICK);
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let mut beta = pair.watch(1);
    network.deafen(deaf, unheard);
    let (status, _) = beta.until(PATIENCE, "beta is Primary", primary);
    assert_eq!((status.reason.rule.as_str(), status.term), ("peer_silent", 2));
    network.undeafen(deaf);
    pair.wait(0, "alpha has yielded", |status| status.mode == Mode::Secondary);
    assert_eq!(pair.settle(), 1);
    assert!(primary(&pair.status(1)), "beta stayed Primary all the time");
    assert_eq!(pair.status(1).term, 2);
    let (_, _) = pair.wait(1, "they are connected again", linked);
}

#[test]
fn n4_n12_a_secondary_that_does_not_hear_takes_over_and_one_is_left_after() {
    one_way(1, 0);
}

#[test]
fn n4_n12_a_secondary_that_is_not_heard_takes_over_and_one_is_left_after() {
    one_way(0, 1);
}

#[test]
fn n15_of_two_networks_the_first_cut_changes_nothing_and_the_second_is_silence() {
    if !require(Part::NetworkNamespaces) {
        return;
    }
    let network = Network::direct(2);
    let mut pair = network.group(QUICK);
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let both = |status: &Status| status.links.len() == 2 && linked(status);
    pair.wait(1, "both paths are up", both);
    let mut beta = pair.watch(1);
    network.pull(0);
    beta.until(PATIENCE, "one of two paths is up", |status| {
        status.links.iter().filter(|link| link.state == LinkState::Up).count() == 1
    });
    // Longer than the timeout, counted in what is heard, so that a busy machine gets its time.
    let queries = |status: &Status| status.peers[0].replies.iter().map(|reply| reply.query).max().unwrap_or(0);
    let before = queries(&pair.status(1));
    let (status, _) = beta.until(PATIENCE, "20 further queries were answered", |status| queries(status) >= before + 20);
    assert_eq!((status.mode, status.term), (Mode::Secondary, 1), "{:?}", status.reason);
    assert!(status.takeover.ready, "{:?}", status.takeover);
    assert_eq!((pair.status(0).mode, pair.status(0).term), (Mode::Primary, 1));

    network.pull(1);
    let (status, _) = beta.until(PATIENCE, "beta is Primary", primary);
    assert_eq!((status.reason.rule.as_str(), status.term), ("peer_silent", 2));
    network.plug(1);
    one_is_left(&pair);
    network.plug(0);
    pair.wait(1, "both paths are up again", both);
}
