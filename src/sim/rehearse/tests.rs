//! What the catalogue comes to at small sites.

use std::time::Duration;

use super::*;
use crate::negotiation::settings::Protection;
use crate::sim::World;

fn site(members: usize, protection: &[Protection]) -> Site {
    Site::new(World::group(members, protection))
}

fn outcome(site: &Site, name: &str) -> Outcome {
    let scenario = catalogue::named(name).expect("it is in the catalogue");
    match rehearse(site, scenario, &mut || Goes::On) {
        Some(Rehearsed::Done(outcome)) => *outcome,
        Some(Rehearsed::LeftOut { why }) => panic!("{name} was left out: {why}"),
        None => panic!("{name} was broken off"),
    }
}

/// What happened, for the message of a claim that fails.
fn story(outcome: &Outcome) -> String {
    let line = |line: &Line| format!("{:?} {:?} {}", line.at, line.who, line.text);
    outcome.lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn u6_an_unprotected_pair_has_two_that_act_until_the_link_is_mended() {
    let cut = outcome(&site(2, &[]), "link-cut");
    assert_eq!(cut.verdict, Verdict::Unsafe, "{}", story(&cut));
    let two = cut.two.as_ref().expect("unsafe means two");
    assert_eq!(two.until, Some("the link is mended"));
    assert!((Duration::from_secs(1)..Duration::from_secs(4)).contains(&two.since), "{two:?}");
    let settings: Vec<&str> = cut.remedies.iter().map(|remedy| remedy.setting.as_str()).collect();
    assert!(settings.contains(&"takeover.protection = [\"fence\"]"), "{settings:?}");
    assert!(settings.contains(&"a third member, and takeover.protection = [\"majority\"]"), "{settings:?}");
    assert!(!settings.iter().any(|setting| setting.contains("reachability")), "{settings:?}");
}

#[test]
fn u6_a_crash_and_a_stop_are_safe_and_short() {
    for name in ["primary-crashes", "stop", "take-over", "step-down"] {
        let one = outcome(&site(2, &[]), name);
        assert_eq!(one.verdict, Verdict::Safe, "{}", story(&one));
        assert!(one.outage < Duration::from_millis(100), "{name}: {:?}", one.outage);
    }
    let power = outcome(&site(2, &[]), "primary-power");
    assert!((Duration::from_secs(1)..Duration::from_secs(4)).contains(&power.outage), "{:?}", power.outage);
}

#[test]
fn s10_who_may_not_act_is_told_with_what_to_do() {
    let failed = outcome(&site(2, &[Protection::Fence]), "fence-fails");
    assert_eq!(failed.verdict, Verdict::Idle, "{}", story(&failed));
    let idle = failed.idle.expect("idle");
    assert!(idle.because.iter().any(|(_, why)| why.contains("failed")), "{idle:?}");
    assert!(idle.then.contains("--is-off"), "{idle:?}");
    assert!(idle.then.contains("when it lives"), "off is said only of who is off: {idle:?}");
}

#[test]
fn s10_what_nobody_lacks_is_not_asked_for() {
    // The disks are slower than the lease lasts. The arbiter answers.
    let mut slow = site(2, &[Protection::Arbiter]);
    slow.settings.lease = Duration::from_secs(1);
    let slow = outcome(&slow, "slow-disk");
    assert_eq!(slow.verdict, Verdict::Idle, "{}", story(&slow));
    assert!(story(&slow).contains("its lease was over before its term was on disk"), "{}", story(&slow));
    let idle = slow.idle.expect("idle");
    assert!(!idle.then.contains("arbiter"), "{idle:?}");
    // All are heard and reach the arbiter; they wait for each other's promises.
    let flaps = outcome(&site(5, &[Protection::Arbiter]), "link-flaps");
    let idle = flaps.idle.expect("idle");
    assert!(idle.because.iter().any(|(_, why)| why.contains("promised to")), "{idle:?}");
    assert!(idle.then.contains("ends by itself") && !idle.then.contains("--force"), "{idle:?}");
}

/// Of a link that fails one way one side learns a timeout and a query later, and was told before that it is not heard.
#[test]
fn s3_a_one_way_cut_leaves_one_that_acts_with_any_delay_that_covers_the_agent() {
    for protection in [&[Protection::Fence][..], &[Protection::Fence, Protection::Arbiter]] {
        for delay in [3, 5, 7] {
            let mut site = site(2, protection);
            site.settings.fence_delay = vec![Some(Duration::from_secs(delay)); 2];
            let cut = outcome(&site, "link-cut-one-way");
            assert_eq!(cut.verdict, Verdict::Safe, "{delay} s: {}", story(&cut));
        }
    }
}

#[test]
fn u6_longer_waits_at_boot_are_found_for_switches_that_come_late() {
    let late = outcome(&site(2, &[]), "boot-network-late");
    assert_eq!(late.verdict, Verdict::Unsafe, "{}", story(&late));
    assert!(late.remedies.iter().any(|remedy| remedy.setting.contains("boot_timeout")), "{:?}", late.remedies);
}

#[test]
fn s2_an_agent_that_lies_is_told_apart_from_what_protection_is_there_for() {
    let lies = outcome(&site(2, &[Protection::Fence]), "fence-lies");
    assert_eq!(lies.verdict, Verdict::Beyond, "{}", story(&lies));
}

#[test]
fn s9_a_machine_that_stood_still_whole_is_beyond_a_lease_and_not_beyond_fencing() {
    for name in ["primary-suspended", "primary-paused"] {
        let leased = outcome(&site(3, &[Protection::Majority]), name);
        assert_eq!(leased.verdict, Verdict::Beyond, "{}", story(&leased));
        let two = leased.two.as_ref().expect("two act");
        assert!(two.total < Duration::from_millis(50), "{two:?}");
        let fenced = outcome(&site(2, &[Protection::Fence]), name);
        assert_eq!(fenced.verdict, Verdict::Safe, "{}", story(&fenced));
    }
}

#[test]
fn u6_a_rehearsal_is_the_same_each_time() {
    let site = site(3, &[Protection::Majority]);
    for name in ["link-flaps", "minority", "one-cable"] {
        assert_eq!(outcome(&site, name), outcome(&site, name));
    }
}

#[test]
fn u6_a_rehearsal_that_is_broken_off_says_nothing_of_the_scenario() {
    let pair = site(2, &[]);
    let scenario = catalogue::named("link-cut").expect("it is in the catalogue");
    // Whenever it is: while the scenario itself is played, and while remedies are sought.
    for asked in [0_u32, 1, 5, 7, 20] {
        let mut left = asked;
        let mut watcher = || match left.checked_sub(1) {
            Some(fewer) => {
                left = fewer;
                Goes::On
            }
            None => Goes::NoFurther,
        };
        assert_eq!(rehearse(&pair, scenario, &mut watcher), None, "after {asked}");
    }
}
