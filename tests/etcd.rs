//! The lease in a real etcd of three servers: who gets it, in which number, and what it is worth while servers die, freeze,
//! are cut off and come back (S1, S4).

#[path = "support/etcd.rs"]
mod etcd;
#[path = "support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use etcd::{Etcd, SERVERS, USER};
use support::reference::Reference;
use support::{Part, require, wait_until, write};
use tandem::arbiter::{Arbiter, Claimant, EtcdArbiter};
use tandem::config::arbiter::EtcdConfig;
use tandem::negotiation::exchange::{ArbiterCall, ArbiterReply};
use tandem::negotiation::member::MemberId;
use tandem::negotiation::trouble::ArbiterTrouble;

/// The lease of these tests, and for etcd, which counts in whole seconds and has none shorter.
const LEASE: Duration = Duration::from_secs(2);
/// Enough for a call to servers that are well, on a busy machine too.
const CALL: Duration = Duration::from_secs(10);
/// Longer than whatever is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

const ALPHA: MemberId = MemberId(0);
const BETA: MemberId = MemberId(1);

fn config(etcd: &Etcd) -> EtcdConfig {
    EtcdConfig { endpoints: etcd.endpoints(), ..EtcdConfig::default() }
}

fn client_with(config: &EtcdConfig, etcd: &Etcd, me: MemberId) -> EtcdArbiter {
    let claimant = Claimant { group: "plant".to_owned(), me, members: vec!["alpha".into(), "beta".into()] };
    EtcdArbiter::new(config, claimant, LEASE, |path| etcd.file(path)).expect("a client")
}

fn client(etcd: &Etcd, me: MemberId) -> EtcdArbiter {
    client_with(&config(etcd), etcd, me)
}

fn acquire(client: &mut EtcdArbiter, above: u64) -> u64 {
    match client.ask(ArbiterCall::Acquire { above }, CALL) {
        ArbiterReply::Granted { number } => number,
        other => panic!("not granted: {other:?}"),
    }
}

fn stands(client: &mut EtcdArbiter) -> (Option<MemberId>, u64) {
    match client.ask(ArbiterCall::Look, CALL) {
        ArbiterReply::Stands { holder, number } => (holder, number),
        other => panic!("not seen: {other:?}"),
    }
}

/// Asks for the lease until it is had; returns the number and when.
fn wait_for_it(client: &mut EtcdArbiter) -> (u64, Instant) {
    let mut got = None;
    wait_until(PATIENCE, "the lease is to be had", || {
        if let ArbiterReply::Granted { number } = client.ask(ArbiterCall::Acquire { above: 0 }, CALL) {
            got = Some((number, Instant::now()));
        }
        got.is_some()
    });
    got.expect("wait_until saw it")
}

/// Renews until it succeeds: etcd may be choosing a leader.
fn renew_at_last(client: &mut EtcdArbiter, number: u64) -> Instant {
    let mut asked = Instant::now();
    wait_until(PATIENCE, "the lease is renewed", || {
        asked = Instant::now();
        match client.ask(ArbiterCall::Renew { number }, Duration::from_millis(400)) {
            ArbiterReply::Renewed => true,
            ArbiterReply::Unreachable { .. } => false,
            other => panic!("the lease was lost: {other:?}"),
        }
    });
    asked
}

fn unreachable(client: &mut EtcdArbiter, within: Duration) -> String {
    match client.ask(ArbiterCall::Look, within) {
        ArbiterReply::Unreachable { why } => why.to_string(),
        other => panic!("it was reached: {other:?}"),
    }
}

#[test]
fn s1_one_holds_the_lease_renews_it_and_gives_it_back() {
    if !require(Part::Etcd) {
        return;
    }
    let etcd = Etcd::start();
    let (mut alpha, mut beta) = (client(&etcd, ALPHA), client(&etcd, BETA));
    assert_eq!(stands(&mut alpha), (None, 0));
    // Above what the member has heard of.
    assert_eq!(acquire(&mut alpha, 41), 42);
    assert_eq!(stands(&mut beta), (Some(ALPHA), 42));
    let refused = ArbiterReply::Refused { holder: Some(ALPHA), number: 42 };
    assert_eq!(beta.ask(ArbiterCall::Acquire { above: 99 }, CALL), refused);
    assert_eq!(beta.ask(ArbiterCall::Renew { number: 42 }, CALL), refused);
    // Renewed, it outlives its length by far.
    let started = Instant::now();
    while started.elapsed() < LEASE * 3 {
        assert_eq!(alpha.ask(ArbiterCall::Renew { number: 42 }, CALL), ArbiterReply::Renewed);
        assert_eq!(stands(&mut beta), (Some(ALPHA), 42));
        std::thread::sleep(LEASE / 4);
    }
    assert_eq!(alpha.ask(ArbiterCall::Renew { number: 41 }, CALL), refused);
    // The same member again gets a number of its own; one that was never its is not given back.
    assert_eq!(acquire(&mut alpha, 0), 43);
    assert_eq!(alpha.ask(ArbiterCall::Release { number: 42 }, CALL), ArbiterReply::Released);
    assert_eq!(beta.ask(ArbiterCall::Release { number: 43 }, CALL), ArbiterReply::Released);
    assert_eq!(stands(&mut beta), (Some(ALPHA), 43));
    assert_eq!(alpha.ask(ArbiterCall::Release { number: 43 }, CALL), ArbiterReply::Released);
    assert_eq!(stands(&mut beta), (None, 43));
    assert_eq!(acquire(&mut beta, 7), 44);
    assert_eq!(
        alpha.ask(ArbiterCall::Renew { number: 43 }, CALL),
        ArbiterReply::Refused { holder: Some(BETA), number: 44 }
    );
    // What is left behind ends by itself, the number never.
    wait_until(PATIENCE, "no lease is left behind", || etcd.ctl(&["lease", "list"]).contains("found 0 leases"));
    assert_eq!(stands(&mut alpha), (None, 44));
}

#[test]
fn s1_of_two_that_ask_at_once_one_gets_the_lease_and_no_number_twice() {
    if !require(Part::Etcd) {
        return;
    }
    let etcd = Etcd::start();
    let (mut alpha, mut beta) = (client(&etcd, ALPHA), client(&etcd, BETA));
    let mut last = 0;
    for _ in 0..25 {
        let ask = |client: &mut EtcdArbiter| client.ask(ArbiterCall::Acquire { above: 0 }, CALL);
        let replies = std::thread::scope(|scope| {
            let other = scope.spawn(|| ask(&mut beta));
            [ask(&mut alpha), other.join().expect("no panic")]
        });
        let granted: Vec<(usize, u64)> = (0..)
            .zip(&replies)
            .filter_map(|(member, reply)| match reply {
                ArbiterReply::Granted { number } => Some((member, *number)),
                _ => None,
            })
            .collect();
        let [(member, number)] = granted[..] else { panic!("not one: {replies:?}") };
        assert!(number > last, "{number} after {last}");
        last = number;
        let holder = if member == 0 { &mut alpha } else { &mut beta };
        assert_eq!(holder.ask(ArbiterCall::Release { number }, CALL), ArbiterReply::Released);
    }
}

#[test]
fn s4_a_lease_that_is_not_renewed_is_anothers_after_its_end_and_never_before() {
    if !require(Part::Etcd) {
        return;
    }
    let etcd = Etcd::start();
    let (mut alpha, mut beta) = (client(&etcd, ALPHA), client(&etcd, BETA));
    for round in 0..4 {
        let (holder, other) = if round % 2 == 0 { (&mut alpha, &mut beta) } else { (&mut beta, &mut alpha) };
        let (number, _) = wait_for_it(holder);
        let (mut asked, reference) = (Instant::now(), Reference::start());
        for _ in 0..3 {
            asked = Instant::now();
            assert_eq!(holder.ask(ArbiterCall::Renew { number }, CALL), ArbiterReply::Renewed);
            std::thread::sleep(LEASE / 3);
        }
        let (next, at) = wait_for_it(other);
        assert!(next > number);
        assert!(at - asked >= LEASE, "taken {:?} after it was renewed", at - asked);
        reference.within(at - asked, LEASE + Duration::from_secs(1), "free");
        assert!(matches!(holder.ask(ArbiterCall::Renew { number }, CALL), ArbiterReply::Refused { .. }));
        assert_eq!(other.ask(ArbiterCall::Release { number: next }, CALL), ArbiterReply::Released);
    }
}

#[test]
fn s4_a_leader_of_etcd_that_is_killed_costs_nobody_the_lease_and_delays_no_other_for_long() {
    if !require(Part::Etcd) {
        return;
    }
    let mut etcd = Etcd::start();
    let (mut alpha, mut beta) = (client(&etcd, ALPHA), client(&etcd, BETA));
    // Asked before the lease runs: that takes its time.
    let leader = etcd.leader();
    let number = acquire(&mut alpha, 0);
    etcd.kill(leader);
    let (asked, reference) = (renew_at_last(&mut alpha, number), Reference::start());
    assert_eq!(stands(&mut beta).0, Some(ALPHA));
    // The new leader counts every lease from its own election; beta counts by its own clock and need not wait for that.
    let (_, at) = wait_for_it(&mut beta);
    assert!(at - asked >= LEASE, "taken {:?} after it was renewed", at - asked);
    reference.within(at - asked, LEASE + Duration::from_secs(1), "free");
    etcd.revive(leader);
}

#[test]
fn s4_a_frozen_server_does_not_eat_the_time_of_a_call() {
    if !require(Part::Etcd) {
        return;
    }
    let etcd = Etcd::start();
    let follower = (0..SERVERS).find(|server| *server != etcd.leader()).expect("two do not lead");
    // It is the one that is asked first.
    let mut endpoints = etcd.endpoints();
    endpoints.rotate_left(follower);
    let mut alpha = client_with(&EtcdConfig { endpoints, ..EtcdConfig::default() }, &etcd, ALPHA);
    let number = acquire(&mut alpha, 0);
    etcd.freeze(follower);
    // Half of it is spent on the frozen one, and the lease must outlast that.
    let within = Duration::from_secs(2);
    let started = Instant::now();
    assert_eq!(alpha.ask(ArbiterCall::Renew { number }, within), ArbiterReply::Renewed);
    assert!(started.elapsed() >= within / 2, "it was asked first");
    // The one that answered is remembered.
    let (started, reference) = (Instant::now(), Reference::start());
    assert_eq!(alpha.ask(ArbiterCall::Renew { number }, within), ArbiterReply::Renewed);
    reference.within(started.elapsed(), within / 2, "asked again");
    etcd.thaw(follower);
}

#[test]
fn s4_a_leader_that_was_frozen_and_wakes_takes_no_lease_away() {
    if !require(Part::Etcd) {
        return;
    }
    let etcd = Etcd::start();
    let (mut alpha, mut beta) = (client(&etcd, ALPHA), client(&etcd, BETA));
    // Asked before the lease runs: that takes its time.
    let leader = etcd.leader();
    let number = acquire(&mut alpha, 0);
    etcd.freeze(leader);
    // Long enough for whatever lease it knows of to be over in its eyes.
    let frozen = Instant::now();
    while frozen.elapsed() < LEASE * 3 {
        renew_at_last(&mut alpha, number);
        std::thread::sleep(LEASE / 8);
    }
    etcd.thaw(leader);
    let woken = Instant::now();
    while woken.elapsed() < LEASE * 3 {
        let asked = renew_at_last(&mut alpha, number);
        let refused = beta.ask(ArbiterCall::Acquire { above: 0 }, CALL);
        if asked.elapsed() < LEASE {
            assert_eq!(refused, ArbiterReply::Refused { holder: Some(ALPHA), number });
        }
    }
}

#[test]
fn s4_a_minority_of_etcd_serves_nobody_and_all_of_it_back_knows_what_it_knew() {
    if !require(Part::Etcd) {
        return;
    }
    let mut etcd = Etcd::start();
    let (mut alpha, mut beta) = (client(&etcd, ALPHA), client(&etcd, BETA));
    let number = acquire(&mut alpha, 9);
    etcd.freeze(0);
    etcd.freeze(1);
    let within = Duration::from_millis(600);
    for call in [ArbiterCall::Renew { number }, ArbiterCall::Acquire { above: 0 }, ArbiterCall::Look] {
        let (started, reference) = (Instant::now(), Reference::start());
        let reply = alpha.ask(call, within);
        assert!(matches!(reply, ArbiterReply::Unreachable { .. }), "{reply:?}");
        reference.within(started.elapsed(), within * 2, "given up");
    }
    etcd.thaw(0);
    etcd.thaw(1);
    etcd.ready();
    let (after, _) = wait_for_it(&mut beta);
    assert!(after > number);
    assert_eq!(beta.ask(ArbiterCall::Release { number: after }, CALL), ArbiterReply::Released);
    // All of it gone.
    for server in 0..SERVERS {
        etcd.kill(server);
    }
    let why = unreachable(&mut alpha, CALL);
    assert_eq!(why.matches("refused").count(), SERVERS, "{why}");
    for server in 0..SERVERS {
        etcd.revive(server);
    }
    etcd.ready();
    let (last, _) = wait_for_it(&mut alpha);
    assert!(last > after, "{last} after {after}");
}

#[test]
fn s1_an_etcd_that_lost_what_it_knew_gives_nobody_the_lease() {
    if !require(Part::Etcd) {
        return;
    }
    let mut etcd = Etcd::start();
    etcd.age();
    let (mut alpha, mut beta) = (client(&etcd, ALPHA), client(&etcd, BETA));
    let number = acquire(&mut alpha, 0);
    // So often that a new etcd has not been written to as often before it is asked.
    for _ in 0..20 {
        assert_eq!(alpha.ask(ArbiterCall::Renew { number }, CALL), ArbiterReply::Renewed);
    }
    assert_eq!(stands(&mut beta), (Some(ALPHA), number));
    // Within the lease it is set up anew: it holds nothing, as one restored from a backup does not hold what came later.
    etcd.begin_anew();
    for client in [&mut beta, &mut alpha] {
        let reply = client.ask(ArbiterCall::Look, CALL);
        let ArbiterReply::Unreachable { why: ArbiterTrouble::Restored(why) } = reply else { panic!("{reply:?}") };
        assert!(why.contains("restored from a backup") && why.contains("restart tandem"), "{why}");
    }
    // Who starts anew believes it: rule 1 lets every older lease end before it takes anything over.
    assert_eq!(acquire(&mut client(&etcd, BETA), number), number + 1);
    unreachable(&mut alpha, CALL);
}

/// Who reads is answered as if all was well: a Secondary said "ready", and its claim would have failed.
#[test]
fn s10_u12_an_etcd_without_space_is_told_before_a_claim_fails_by_it() {
    if !require(Part::Etcd) {
        return;
    }
    let etcd = Etcd::with_quota(1 << 20);
    let (mut alpha, mut beta) = (client(&etcd, ALPHA), client(&etcd, BETA));
    let number = acquire(&mut alpha, 0);
    assert_eq!(stands(&mut beta), (Some(ALPHA), number));
    etcd.fill();
    let full = |client: &mut EtcdArbiter, call| {
        let reply = client.ask(call, CALL);
        let ArbiterReply::Unreachable { why: ArbiterTrouble::Full(why) } = reply else { panic!("{call:?}: {reply:?}") };
        assert!(why.contains("etcdctl defrag") && why.contains("etcdctl alarm disarm"), "{why}");
    };
    full(&mut beta, ArbiterCall::Look);
    full(&mut alpha, ArbiterCall::Renew { number });
    wait_until(PATIENCE, "the lease is over", || etcd.ctl(&["get", "--prefix", "tandem/plant/lease"]).is_empty());
    full(&mut beta, ArbiterCall::Acquire { above: 0 });
    etcd.make_room();
    assert_eq!(stands(&mut beta), (None, number));
    assert_eq!(acquire(&mut beta, 0), number + 1);
}

#[test]
fn s1_tls_is_spoken_with_a_certificate_that_etcd_takes_and_to_one_that_is_believed() {
    if !require(Part::Etcd) {
        return;
    }
    let etcd = Etcd::with_tls();
    let file = str::to_owned;
    let good = EtcdConfig {
        ca_file: file("ca.crt"),
        cert_file: file("client.crt"),
        key_file: file("client.key"),
        ..config(&etcd)
    };
    let mut alpha = client_with(&good, &etcd, ALPHA);
    let number = acquire(&mut alpha, 0);
    assert_eq!(alpha.ask(ArbiterCall::Renew { number }, CALL), ArbiterReply::Renewed);
    let nobody = EtcdConfig { cert_file: String::new(), key_file: String::new(), ..good.clone() };
    unreachable(&mut client_with(&nobody, &etcd, BETA), CALL);
    // Signed by itself and by nobody else.
    let stranger = EtcdConfig { ca_file: file("client.crt"), ..good.clone() };
    let why = unreachable(&mut client_with(&stranger, &etcd, BETA), CALL);
    assert!(why.contains("certificate"), "{why}");
    let claimant = Claimant { group: "plant".to_owned(), me: BETA, members: vec!["alpha".into(), "beta".into()] };
    for (key_file, said) in [("ca.crt", "private key"), ("server.key", "is not the key of")] {
        let wrong = EtcdConfig { key_file: file(key_file), ..good.clone() };
        let made = EtcdArbiter::new(&wrong, claimant.clone(), LEASE, |path| etcd.file(path));
        let error = made.err().expect("not its key").to_string();
        assert!(error.contains("arbiter.key_file") && error.contains(said), "{error}");
    }
}

#[test]
fn s4_certificates_that_are_exchanged_while_it_runs_are_used() {
    if !require(Part::Etcd) {
        return;
    }
    let etcd = Etcd::with_tls();
    let copy = |from: &str, to: &str| std::fs::copy(etcd.file(from), etcd.file(to)).expect("a copy");
    // As when the old one has expired: etcd's own is not believed any more, and then the new authority is there.
    copy("client.crt", "authority.crt");
    let (ca_file, cert_file) = ("authority.crt".to_owned(), "client.crt".to_owned());
    let files = EtcdConfig { ca_file, cert_file, key_file: "client.key".to_owned(), ..config(&etcd) };
    let mut alpha = client_with(&files, &etcd, ALPHA);
    let why = unreachable(&mut alpha, CALL);
    assert!(why.contains("certificate"), "{why}");
    // One that is half written changes nothing and ends nothing.
    write(&etcd.file(""), "authority.crt", "-----BEGIN CERT");
    unreachable(&mut alpha, CALL);
    copy("ca.crt", "authority.crt");
    wait_until(PATIENCE, "the new certificates are used", || {
        !matches!(alpha.ask(ArbiterCall::Look, CALL), ArbiterReply::Unreachable { .. })
    });
    acquire(&mut alpha, 0);
}

#[test]
fn s1_a_user_gets_a_new_token_when_the_old_one_is_not_taken() {
    if !require(Part::Etcd) {
        return;
    }
    let mut etcd = Etcd::with_user();
    let stranger = unreachable(&mut client(&etcd, BETA), CALL);
    assert!(stranger.contains("user name is empty") || stranger.contains("denied"), "{stranger}");
    let good = EtcdConfig { user: USER.0.to_owned(), password_file: "etcd.pass".to_owned(), ..config(&etcd) };
    let mut alpha = client_with(&good, &etcd, ALPHA);
    let number = acquire(&mut alpha, 0);
    assert_eq!(alpha.ask(ArbiterCall::Renew { number }, CALL), ArbiterReply::Renewed);
    // Every server forgets its tokens.
    for server in 0..SERVERS {
        etcd.kill(server);
        etcd.revive(server);
    }
    wait_until(PATIENCE, "a new token is had", || {
        !matches!(alpha.ask(ArbiterCall::Look, CALL), ArbiterReply::Unreachable { .. })
    });
    assert!(acquire(&mut alpha, number) > number);
    support::write(&etcd.file(""), "wrong.pass", "wr0ng\n");
    let wrong = EtcdConfig { password_file: "wrong.pass".to_owned(), ..good };
    let why = unreachable(&mut client_with(&wrong, &etcd, BETA), CALL);
    assert!(why.contains("the user is not taken") && !why.contains("wr0ng"), "{why}");
}
