//! Two controllers booted together, again and again, in either order and a little apart: always exactly one Primary,
//! and the lower address when both were Secondary.

#[path = "support/group.rs"]
mod group;
#[path = "support/mod.rs"]
mod support;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use group::{Group, NAMES, PATIENCE};
use support::wait_until;
use tandem::control::status::{Mode, Status};
use tandem::journal::{Entry, Record};
use tandem::negotiation::decision::{Decision, Rule};
use tandem::negotiation::message::Mode as Role;

/// Boots, and pairs that boot at the same time.
const BOOTS: u32 = 50;
const AT_ONCE: usize = 4;

/// Short waits at boot, so that some offsets lie within them and some beyond.
const QUICK: &str = "[negotiation]\nquery_interval = \"100ms\"\nreply_timeout = \"1s\"\nboot_timeout = \"1s\"\n\
                     connect_grace = \"600ms\"\n";

/// What a pair was booted with.
#[derive(Debug, Clone, Copy)]
struct Boot {
    first: usize,
    offset: Duration,
}

/// The number's boot of a run with `seed` (splitmix64): half of them within every wait, half up to twice beyond.
fn boot(seed: u64, number: u32) -> Boot {
    let mut mixed = seed.wrapping_add(u64::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let longest = if number.is_multiple_of(2) { 100 } else { 1300 };
    Boot { first: usize::from(mixed & 1 == 1), offset: Duration::from_millis((mixed >> 1) % longest) }
}

/// Whether a member of this pair was ever Primary because it had heard nobody, by its journal.
fn took_it_alone(pair: &Group) -> bool {
    let alone =
        |decision: &Decision| decision.mode == Role::Primary && matches!(decision.rule, Rule::NeverHeard { .. });
    (0..2).any(|member| pair.decisions(member).iter().any(alone))
}

/// How often a boot is tried again in which a member was itself stalled: who slept asks anew (S9), so it was another
/// story than the boot's.
const TRIES: usize = 5;

/// Boots a pair; says whether both were Secondary when they met.
fn boot_in_time(boot: Boot) -> bool {
    for _ in 1..TRIES {
        match boot_once(boot) {
            (Ok(met_as_secondaries), _) => return met_as_secondaries,
            (Err(why), true) => println!("again, because a member was stalled: {why}"),
            (Err(why), false) => panic!("{why}"),
        }
    }
    boot_once(boot).0.expect("the boot ends as it should")
}

/// Boots a pair once; says whether both were Secondary when they met, or what is wrong; and whether a member was stalled,
/// by its own journal.
fn boot_once(boot: Boot) -> (Result<bool, String>, bool) {
    let mut pair = Group::new(2, QUICK);
    let started = Instant::now();
    pair.start(boot.first);
    // The offset is what is tested; nothing relies on its being exact.
    std::thread::sleep(boot.offset.saturating_sub(started.elapsed()));
    pair.start(1 - boot.first);
    let primary = pair.settle();
    // Settled is more than a moment: the Secondary asks on and is told to stay so.
    let asked = |status: &Status| status.peers[0].replies.first().map_or(0, |reply| reply.query);
    let before = asked(&pair.status(1 - primary));
    pair.wait(1 - primary, "three more queries", |status| asked(status) >= before + 3);
    let modes = [0, 1].map(|member| pair.status(member).mode);
    let mut expected = [Mode::Secondary; 2];
    expected[primary] = Mode::Primary;
    let met_as_secondaries = !took_it_alone(&pair);
    let term = pair.status(0).term;
    let stalled = (0..2).any(|member| pair.journal(member).iter().any(|record| record.entry.kind() == "stalled"));
    let found = match modes == expected {
        false => Err(format!("{boot:?}: {modes:?} instead of {expected:?}")),
        true if met_as_secondaries && (primary, term) != (0, 1) => Err(format!(
            "{boot:?}: both were Secondary, the lower address is Primary in term 1, and not {primary} in {term}"
        )),
        true => Ok(met_as_secondaries),
    };
    (found, stalled)
}

#[test]
fn n3_n6_fifty_boots_in_any_order_and_offset_give_one_primary_each() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let seed = match std::env::var("TANDEM_SEED") {
        Ok(seed) => seed.parse().expect("TANDEM_SEED is a number"),
        Err(_) => clock.as_secs(),
    };
    println!("repeat with TANDEM_SEED={seed}");
    let (next, together) = (AtomicU32::new(0), AtomicU32::new(0));
    let ended = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= BOOTS {
                        return;
                    }
                    let boot = boot(seed, number);
                    println!("boot {number}: {} first, the other {:?} later", NAMES[boot.first], boot.offset);
                    if boot_in_time(boot) {
                        together.fetch_add(1, Ordering::Relaxed);
                    }
                    ended.lock().expect("no panic while it was held").push(number);
                }
            });
        }
    });
    assert_eq!(ended.into_inner().expect("no panic while it was held").len(), 50);
    let together = together.into_inner();
    println!("{together} of {BOOTS} met while both were Secondary");
    assert!(together > 0, "at least those within every wait");
}

#[test]
fn n6_two_booted_far_apart_within_the_default_waits_meet_as_secondaries() {
    let mut pair = Group::new(2, "");
    // The listening side first: it waits 10 s.
    pair.start(0);
    pair.client(0);
    std::thread::sleep(Duration::from_secs(1));
    pair.start(1);
    assert_eq!(pair.settle(), 0);
    assert!(!took_it_alone(&pair));
    let (beta, _) = pair.watch(1).until(PATIENCE, "beta knows", |status| status.peers[0].mode == Some(Mode::Primary));
    assert_eq!((beta.mode, beta.term), (Mode::Secondary, 1));
}

/// A fence agent that says nothing when it is first asked to describe itself, and notes for as long as it is waited for.
const MUTE_AGENT: &str = "#!/bin/sh\n[ -e \"$0.asked\" ] && exit 0\nwhile :; do : >\"$0.asked\"; sleep 0.02; done\n";

#[test]
fn n3_what_keeps_a_start_waiting_is_taken_off_no_wait_for_the_other() {
    // Nobody waits for an agent longer than two seconds, and that is longer than the grace.
    let mut pair = Group::new(2, &format!("{QUICK}[fence.alpha]\nagent = \"./mute\"\n"));
    let agent = support::write(pair.folder(), "mute", MUTE_AGENT);
    std::fs::set_permissions(&agent, Permissions::from_mode(0o755)).expect("it is ours");
    pair.start(1);
    pair.wait(1, "beta is Primary", |status| status.mode == Mode::Primary);
    let waited_for = std::fs::metadata(pair.folder().join("mute.asked")).and_then(|file| file.modified());
    let waited_for = waited_for.expect("it was asked").duration_since(UNIX_EPOCH).expect("after 1970");
    let alone = |decision: &Decision| matches!(decision.rule, Rule::NeverHeard { .. });
    let acts = |record: &Record| matches!(&record.entry, Entry::Decision(decision) if alone(decision));
    let mut primary = None;
    wait_until(PATIENCE, "the journal tells of it", || {
        primary = pair.journal(1).into_iter().find(acts);
        primary.is_some()
    });
    let at = Duration::from_millis(primary.expect("wait_until saw it").unix_ms);
    let grace = Duration::from_millis(600);
    assert!(at >= waited_for + grace, "{:?} after the start could go on", at.saturating_sub(waited_for));
}
