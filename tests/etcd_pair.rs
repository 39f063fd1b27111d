//! A pair that is protected by a lease in a real etcd, as its users run it: whole controllers, a network that is cut, servers
//! that die and freeze, and a process that records each millisecond in which it acts (S1, S4, P6).

#[path = "support/etcd.rs"]
mod etcd;
#[path = "support/group.rs"]
mod group;
#[path = "support/leased.rs"]
mod leased;
#[path = "support/namespaces.rs"]
mod namespaces;
#[path = "support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use leased::{FAULTS, Fault, Leased, PATIENCE};
use support::{Part, require};
use tandem::control::plan::Action;
use tandem::control::status::Mode;

/// Twice as long as etcd allows: half of it is what the machine may stand still.
const LEASE: Duration = Duration::from_secs(4);

fn possible() -> bool {
    require(Part::Etcd) && require(Part::NetworkNamespaces) && require(Part::Firewall)
}

#[test]
fn s1_s4_one_acts_and_etcds_own_accidents_change_nothing() {
    if !possible() {
        return;
    }
    let mut leased = Leased::start(LEASE);
    let primary = leased.pair.settle();
    let before = leased.pair.status(primary);
    assert!(before.term > 0);
    let same = |leased: &Leased, what: &str| {
        let now = leased.pair.status(primary);
        assert_eq!((now.mode, now.term), (Mode::Primary, before.term), "{what}: {:?}", now.reason);
    };
    let goes_on = |leased: &Leased, what: &str| {
        let from = Instant::now();
        while from.elapsed() < LEASE * 2 {
            same(leased, what);
            std::thread::sleep(LEASE / 20);
        }
    };
    let leader = leased.etcd.leader();
    leased.etcd.kill(leader);
    goes_on(&leased, "the leader was killed");
    leased.etcd.revive(leader);
    leased.etcd.ready();
    let leader = leased.etcd.leader();
    leased.etcd.freeze(leader);
    goes_on(&leased, "the leader was frozen");
    leased.etcd.thaw(leader);
    goes_on(&leased, "it woke");
    // An arbiter that nobody reaches stops no healthy pair (S4); back, it renews what it still may.
    for server in 0..etcd::SERVERS {
        leased.etcd.kill(server);
    }
    goes_on(&leased, "all of etcd is gone");
    for server in 0..etcd::SERVERS {
        leased.etcd.revive(server);
    }
    leased.etcd.ready();
    leased.pair.settle();
    leased.nobody_acted_beside_another();
}

/// What the alarm tells people to do is what helps.
#[test]
fn s4_u13_an_etcd_that_forgot_is_believed_again_after_what_the_alarm_says() {
    if !possible() {
        return;
    }
    let mut leased = Leased::start(LEASE);
    let primary = leased.pair.settle();
    let other = 1 - primary;
    let told = |leased: &Leased, member: usize| {
        leased
            .pair
            .wait(member, "it says that etcd was restored", |status| {
                status.alarms.iter().any(|alarm| alarm.id == "arbiter_restored")
            })
            .0
    };
    leased.etcd.age();
    let aged = Instant::now();
    for member in 0..2 {
        leased.pair.wait(member, "it has asked since", |status| {
            let answered = status.arbiter.as_ref().and_then(|arbiter| arbiter.answered_ms);
            aged.elapsed() > LEASE * 2 && answered.is_some_and(|ms| Duration::from_millis(ms) < LEASE)
        });
    }
    leased.etcd.begin_anew();
    let status = told(&leased, primary);
    let alarm = status.alarms.iter().find(|alarm| alarm.id == "arbiter_restored").expect("it was waited for");
    assert_eq!(alarm.first, format!("Restart tandem on {}, then there: tandem failover.", group::NAMES[other]));
    assert!(!told(&leased, other).takeover.ready, "who stands by does not say that it could take over");
    leased.pair.stop(other);
    leased.pair.start(other);
    leased.pair.wait(other, "it believes what it finds", |status| {
        status.arbiter.as_ref().is_some_and(|arbiter| arbiter.answers)
            && status.peers.iter().all(|peer| peer.mode == Some(Mode::Primary))
    });
    leased.pair.act(other, Action::TakeOver);
    leased.pair.wait(other, "it acts by a lease", |status| {
        let leased = status.arbiter.as_ref().is_some_and(|arbiter| arbiter.lease_left_ms.is_some());
        status.mode == Mode::Primary && leased
    });
    leased.pair.stop(primary);
    leased.pair.start(primary);
    leased.pair.wait(primary, "nothing is missing any more", |status| status.takeover.ready);
    leased.nobody_acted_beside_another();
}

#[test]
fn s4_p6_a_primary_that_cannot_renew_has_stopped_before_another_acts() {
    if !possible() {
        return;
    }
    let leased = Leased::start(LEASE);
    for fault in FAULTS {
        let (began, last, again) = leased.suffer(fault);
        assert!(again > last, "{fault:?}: two acted at once");
        let outage = Duration::from_nanos(again - last.max(began));
        if fault != Fault::LinkCutAndEtcdFrozen {
            assert!(outage < PATIENCE, "{fault:?}: nobody acted for {outage:?}");
        }
    }
    leased.nobody_acted_beside_another();
}
