//! The lease in a real etcd of three servers: who gets it, in which number, and what it is worth while servers die, freeze,
//! are cut off and come back (S1, S4).

#[path = "support/etcd.rs"]
mod etcd;
#[path = "support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use etcd::Etcd;
use support::{Part, require, wait_until};
use tandem::arbiter::etcd::Etcd as Client;
use tandem::arbiter::{Arbiter, Claimant};
use tandem::config::arbiter::EtcdConfig;
use tandem::negotiation::exchange::{ArbiterCall, ArbiterReply};
use tandem::negotiation::member::MemberId;

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

fn client_with(config: &EtcdConfig, etcd: &Etcd, me: MemberId) -> Client {
    let claimant = Claimant { group: "plant".to_owned(), me, members: vec!["alpha".into(), "beta".into()] };
    Client::new(config, claimant, LEASE, |path| etcd.file(path)).expect("a client")
}

fn client(etcd: &Etcd, me: MemberId) -> Client {
    client_with(&config(etcd), etcd, me)
}

fn acquire(client: &mut Client, above: u64) -> u64 {
    match client.ask(ArbiterCall::Acquire { above }, CALL) {
        ArbiterReply::Granted { number } => number,
        other => panic!("not granted: {other:?}"),
    }
}

fn stands(client: &mut Client) -> (Option<MemberId>, u64) {
    match client.ask(ArbiterCall::Look, CALL) {
        ArbiterReply::Stands { holder, number } => (holder, number),
        other => panic!("not seen: {other:?}"),
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
