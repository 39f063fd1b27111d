//! Every alarm has its words, and every cause has its alarm.

use super::super::examples::{at, primary, secondary, term, with_gone};
use super::*;
use crate::control::status::{Link, LinkState};
use crate::negotiation::ability::{Ability, Unable};
use crate::negotiation::settings::{AgreementKey, Protection};
use crate::negotiation::time::Instant;
use crate::negotiation::trouble::ArbiterTrouble;
use crate::negotiation::view::{ArbiterView, HoldView, TransitionView, View};

fn around() -> Around {
    Around { boot_timeout: Duration::from_secs(10), reply_timeout: Duration::from_secs(3), ..Around::default() }
}

fn kinds(view: &View, around: &Around) -> Vec<&'static str> {
    alarms_from(view, around).iter().map(Alarm::kind).collect()
}

fn bent(bend: impl FnOnce(&mut View)) -> View {
    let mut view = secondary();
    bend(&mut view);
    view
}

/// One of each kind. The match makes the compiler ask for a new one here.
fn one_of_each() -> Vec<Alarm> {
    let name = || "alpha".to_owned();
    let gone = |gone| Alarm::PeerGone { peer: name(), gone, may_act: MayAct::Yes, left: Left::Nobody };
    let one_of_three = |gone| Alarm::PeerGone { peer: name(), gone, may_act: MayAct::No, left: Left::Others };
    let nobody = |unheard, could| Alarm::NobodyActs {
        node: name(),
        missing: vec!["x".to_owned()],
        unheard,
        could,
        holder: None,
    };
    let plant = || "plant-control".to_owned();
    let (fencing, process) = (Alarm::Fencing, Alarm::Process);
    let failed = |blocks, next, once_off| {
        let (node, device) = ("beta".to_owned(), "10.0.9.1 is mute".to_owned());
        fencing(FencingAlarm::Failed { node, peer: name(), blocks, device, next, once_off })
    };
    let dead = |mode| {
        let (node, agent) = ("beta".to_owned(), "fence_ipmilan".to_owned());
        fencing(FencingAlarm::DeviceDead { node, mode, peer: name(), agent })
    };
    let etcd = || "etcd at 10.0.8.1:2379 and 2 more".to_owned();
    let held_back = |lacks| {
        let (unheard, references) = (vec!["beta".to_owned()], "10.0.0.254".to_owned());
        Alarm::Guard(GuardAlarm::HeldBack { node: name(), unheard, lacks, arbiter: etcd(), references })
    };
    let by_grants_still = |holder| {
        let by = vec!["beta".to_owned()];
        Alarm::Guard(GuardAlarm::ByGrantsStill { node: name(), by, arbiter: etcd(), holder })
    };
    let away = |acts| {
        let why = "connection refused".to_owned();
        Alarm::Guard(GuardAlarm::ArbiterAway { node: name(), acts, arbiter: etcd(), why })
    };
    let full = |like| match like {
        Alarm::Guard(like) => Alarm::Guard(GuardAlarm::ArbiterFull { node: name(), like: Box::new(like) }),
        other => panic!("{other:?} tells of no arbiter"),
    };
    let forgot = |how, acts: Option<&str>, mode| {
        let (arbiter, others) = ("the files in /mnt/shared/tandem".to_owned(), vec!["beta".to_owned()]);
        let acts = acts.map(str::to_owned);
        let unheard = if acts.is_none() { vec!["beta".to_owned()] } else { Vec::new() };
        Alarm::Guard(GuardAlarm::ArbiterForgot { how, node: name(), mode, acts, others, unheard, arbiter })
    };
    let all = vec![
        Alarm::TwoPrimaries { node: name(), other: "beta".to_owned(), yields: Yields::This },
        Alarm::TwoPrimaries { node: name(), other: "beta".to_owned(), yields: Yields::Other },
        Alarm::TwoActed(TwoThatActed {
            stopped: name(),
            goes_on: "beta".to_owned(),
            at_most: Duration::from_secs(31 * 60 + 36),
        }),
        nobody(Vec::new(), CouldAct::WhenAsked),
        nobody(vec![name()], CouldAct::WhenAsked),
        nobody(Vec::new(), CouldAct::ObservesOnly),
        nobody(vec![name()], CouldAct::ObservesOnly),
        Alarm::NobodyActs {
            node: name(),
            missing: Vec::new(),
            unheard: vec![name()],
            could: CouldAct::WhenAsked,
            holder: Some(name()),
        },
        Alarm::StateNotDurable { mode: Mode::Primary },
        Alarm::StateNotDurable { mode: Mode::Secondary },
        Alarm::Forced { node: name() },
        Alarm::ProtectionMissing { policy: "majority".to_owned() },
        gone(Gone::Silent),
        gone(Gone::NeverHeard),
        gone(Gone::Crashed),
        gone(Gone::Stopped),
        one_of_three(Gone::Silent),
        one_of_three(Gone::Crashed),
        Alarm::LinkDown { peer: name() },
        Alarm::PathDown { peer: name(), address: "10.0.0.1:7400".to_owned(), why: None },
        Alarm::HistoryUnknown,
        Alarm::SettingsDiffer { peer: name(), keys: vec!["takeover.protection".to_owned()] },
        Alarm::HoldNotTold { peers: vec![name()] },
        Alarm::TakeoverNotReady { missing: Vec::new() },
        Alarm::SteppedDown { node: name() },
        Alarm::Unhealthy { member: name(), sick: Sick::BelowThreshold },
        Alarm::BothUnhealthy { node: name(), other: "beta".to_owned() },
        Alarm::TakeoversUsedUp { node: name(), taken: 4 },
        failed(Blocks::Takeover, Some(Duration::from_secs(54)), OnceOff::TakesOver),
        failed(Blocks::Takeover, None, OnceOff::LacksMore),
        failed(Blocks::Nothing, None, OnceOff::TakesOver),
        dead(Mode::Primary),
        dead(Mode::Secondary),
        fencing(FencingAlarm::HeardAfterOff { peer: name(), by: None }),
        fencing(FencingAlarm::HeardAfterOff { peer: name(), by: Some("ops".to_owned()) }),
        process(ProcessAlarm::GivenUp { process: plant(), why: Some("exit status 1".to_owned()) }),
        process(ProcessAlarm::DoesNotStart { process: plant(), why: None }),
        process(ProcessAlarm::DoesNotAnswer { process: plant() }),
        process(ProcessAlarm::StoppedByHand { process: plant(), by: None }),
        process(ProcessAlarm::StoppedByHand { process: plant(), by: Some("by ops".to_owned()) }),
        process(ProcessAlarm::KilledByGuardian { processes: vec![plant()] }),
        process(ProcessAlarm::HookFailed { hook: "on_primary".to_owned(), why: "exit status 1".to_owned() }),
        held_back(Lacks::Arbiter),
        held_back(Lacks::Reference),
        held_back(Lacks::Both),
        Alarm::Guard(GuardAlarm::LeaseEnds { node: name(), arbiter: etcd(), lease: Duration::from_secs(5) }),
        Alarm::Guard(GuardAlarm::ByGrants { node: name(), by: vec!["beta".to_owned()], arbiter: etcd() }),
        by_grants_still(Some("beta".to_owned())),
        by_grants_still(None),
        away(Acts::ByRule),
        away(Acts::ByForce),
        away(Acts::Not),
        full(held_back(Lacks::Arbiter)),
        full(Alarm::Guard(GuardAlarm::LeaseEnds { node: name(), arbiter: etcd(), lease: Duration::from_secs(5) })),
        full(Alarm::Guard(GuardAlarm::ByGrants { node: name(), by: vec!["beta".to_owned()], arbiter: etcd() })),
        full(away(Acts::ByRule)),
        full(away(Acts::ByForce)),
        full(away(Acts::Not)),
        forgot(Forgot::FilesGone, Some("alpha"), Mode::Primary),
        forgot(Forgot::FilesGone, Some("beta"), Mode::Secondary),
        forgot(Forgot::FilesGone, None, Mode::Secondary),
        forgot(Forgot::Restored, Some("alpha"), Mode::Primary),
        forgot(Forgot::Restored, Some("beta"), Mode::Secondary),
        forgot(Forgot::Restored, None, Mode::Secondary),
        forgot(Forgot::Exchanged, Some("alpha"), Mode::Primary),
        forgot(Forgot::Exchanged, Some("beta"), Mode::Secondary),
        forgot(Forgot::Exchanged, None, Mode::Secondary),
        Alarm::Guard(GuardAlarm::NoReference { node: name(), references: "10.0.0.254".to_owned() }),
        Alarm::Guard(GuardAlarm::WatchdogNotArmed { device: "/dev/watchdog".to_owned(), why: None }),
        Alarm::Flapping { changes: 9 },
        Alarm::JournalFailing,
        Alarm::JournalLosing { lost: 3 },
        Alarm::WrongKey { from: None },
        Alarm::SecondInstance { from: None },
        Alarm::Held { by: "ops".to_owned() },
        Alarm::ObserveOnly,
        Alarm::Refused { from: None },
    ];
    for alarm in &all {
        match alarm {
            Alarm::TwoPrimaries { .. }
            | Alarm::TwoActed(_)
            | Alarm::NobodyActs { .. }
            | Alarm::StateNotDurable { .. }
            | Alarm::Forced { .. }
            | Alarm::ProtectionMissing { .. }
            | Alarm::PeerGone { .. }
            | Alarm::LinkDown { .. }
            | Alarm::PathDown { .. }
            | Alarm::HistoryUnknown
            | Alarm::SettingsDiffer { .. }
            | Alarm::HoldNotTold { .. }
            | Alarm::TakeoverNotReady { .. }
            | Alarm::SteppedDown { .. }
            | Alarm::Unhealthy { .. }
            | Alarm::BothUnhealthy { .. }
            | Alarm::TakeoversUsedUp { .. }
            | Alarm::Fencing(
                FencingAlarm::Failed { .. } | FencingAlarm::DeviceDead { .. } | FencingAlarm::HeardAfterOff { .. },
            )
            | Alarm::Process(
                ProcessAlarm::GivenUp { .. }
                | ProcessAlarm::DoesNotStart { .. }
                | ProcessAlarm::DoesNotAnswer { .. }
                | ProcessAlarm::StoppedByHand { .. }
                | ProcessAlarm::KilledByGuardian { .. }
                | ProcessAlarm::HookFailed { .. },
            )
            | Alarm::Guard(
                GuardAlarm::HeldBack { .. }
                | GuardAlarm::LeaseEnds { .. }
                | GuardAlarm::ByGrants { .. }
                | GuardAlarm::ByGrantsStill { .. }
                | GuardAlarm::ArbiterAway { .. }
                | GuardAlarm::ArbiterForgot { .. }
                | GuardAlarm::ArbiterFull { .. }
                | GuardAlarm::NoReference { .. }
                | GuardAlarm::WatchdogNotArmed { .. },
            )
            | Alarm::Flapping { .. }
            | Alarm::JournalFailing
            | Alarm::JournalLosing { .. }
            | Alarm::WrongKey { .. }
            | Alarm::SecondInstance { .. }
            | Alarm::Held { .. }
            | Alarm::ObserveOnly
            | Alarm::Refused { .. } => {}
        }
    }
    all
}

#[test]
fn u13_every_alarm_says_what_to_do_first_then_and_what_not_to_do() {
    for alarm in one_of_each() {
        let words = alarm.words();
        assert!(!words.text.is_empty() && !words.first.is_empty() && !words.do_not.is_empty(), "{alarm:?}");
        assert!(!words.then.is_empty() && words.then.iter().all(|line| !line.is_empty()), "{alarm:?}");
        assert!(alarm.id().starts_with(alarm.kind()));
    }
}

/// On a terminal of 80 columns the words stand after "first   " and two margins. Names count as short ones here.
#[test]
fn u8_what_to_do_fits_a_line_of_80_columns() {
    let mut long = Vec::new();
    for words in one_of_each().iter().map(Alarm::words) {
        let lines = words.then.into_iter().chain([words.first, words.do_not, words.text]);
        long.extend(
            lines
                .flat_map(|line| line.lines().map(str::to_owned).collect::<Vec<_>>())
                .filter(|line| line.chars().count() > 70),
        );
    }
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn a_healthy_pair_has_no_alarm() {
    assert_eq!(alarms_from(&secondary(), &around()), []);
    assert_eq!(alarms_from(&primary(), &around()), []);
}

#[test]
fn n12_two_primaries_say_who_gives_way() {
    let mut view = primary();
    view.peers[0].mode = Some(Mode::Primary);
    view.peers[0].term = term(8, 1);
    let words = alarms_from(&view, &around())[0].words();
    assert_eq!(words.first, "Press nothing. alpha stops by itself: beta has the higher term.");
    assert!(words.do_not.contains("beta"));
    view.peers[0].term = term(7, 1);
    let words = alarms_from(&view, &around())[0].words();
    assert_eq!(words.first, "Press nothing. beta stops by itself: alpha has the higher term.", "equal numbers");
}

#[test]
fn s10_when_nobody_acts_it_says_who_must_do_what() {
    let mut view = with_gone(secondary(), Gone::Silent);
    view.take_over[0].ok = false;
    let mut around = around();
    around.nobody_acts_for = Some(Duration::from_secs(9));
    assert!(!kinds(&view, &around).contains(&"nobody_acts"), "not before the boot's time, but for a moment, is over");
    around.nobody_acts_for = Some(Duration::from_secs(11));
    let alarms = alarms_from(&view, &around);
    assert_eq!(alarms[0].kind(), "nobody_acts");
    let words = alarms[0].words();
    assert!(words.first.contains("Find out whether alpha acts"), "{words:?}");
    assert!(words.do_not.contains("force the takeover while alpha may be on"), "{words:?}");
}

#[test]
fn s1_a_silent_member_that_holds_the_lease_is_told_as_one_that_may_act() {
    let mut view = with_gone(secondary(), Gone::Silent);
    view.protection = vec![Protection::Arbiter];
    let around = Around { nobody_acts_for: Some(Duration::from_secs(11)), ..around() };
    let held = |holder: Option<&str>, until: u64| ArbiterView {
        answers: true,
        holder: holder.map(Into::into),
        holder_until: Some(Instant(until)),
        ..ArbiterView::default()
    };
    let later = view.now.0 + 1;
    let mut text = |arbiter| {
        view.arbiter = Some(arbiter);
        let alarms = alarms_from(&view, &around);
        alarms.iter().find(|alarm| alarm.kind() == "nobody_acts").expect("nobody is known to act").words().text
    };
    assert_eq!(text(held(Some("alpha"), later)), "alpha is not heard, but holds the lease: it may act");
    assert_eq!(text(held(Some("alpha"), 0)), "nobody is known to act", "it was long ago that the arbiter said so");
    assert_eq!(text(held(Some("beta"), later)), "nobody is known to act", "this member itself");
    assert_eq!(text(held(None, later)), "nobody is known to act");
}

#[test]
fn each_cause_has_its_alarm() {
    let hold = |not_told: &[&str]| {
        Some(HoldView {
            since: at(1),
            until: at(900),
            by: "ops".into(),
            not_told: not_told.iter().map(|name| (*name).into()).collect(),
        })
    };
    for (view, expected) in [
        (with_gone(primary(), Gone::Silent), vec!["peer_silent"]),
        (with_gone(primary(), Gone::Crashed), vec!["peer_crashed"]),
        (with_gone(primary(), Gone::Stopped), vec!["peer_stopped"]),
        (with_gone(primary(), Gone::NeverHeard), vec!["peer_never_heard"]),
        (bent(|view| view.peers[0].link_up = false), vec!["link_down"]),
        (bent(|view| view.durable = false), vec!["state_not_durable"]),
        (bent(|view| view.history_unknown = true), vec!["history_unknown"]),
        (bent(|view| view.peers[0].differs = vec![AgreementKey::Protection]), vec!["settings_differ"]),
        (bent(|view| view.hold = hold(&["alpha"])), vec!["hold_not_told", "held"]),
        (bent(|view| view.hold = hold(&[])), vec!["held"]),
        (bent(|view| view.forecast.ready = false), vec!["takeover_not_ready"]),
        (bent(|view| view.observe_only = true), vec!["observe_only"]),
        (bent(|view| view.forced = true), vec!["forced"]),
        (bent(|view| view.able = Ability::Cannot(Unable::SteppedDown)), vec!["stepped_down"]),
        (bent(|view| view.able = Ability::Sick(Sick::LostForHealth)), vec!["unhealthy"]),
        (
            bent(|view| {
                view.protection = vec![Protection::Majority];
                view.protected_now = false;
            }),
            vec!["protection_missing"],
        ),
    ] {
        assert_eq!(kinds(&view, &around()), expected);
    }
}

#[test]
fn what_happens_around_the_negotiation_has_its_alarm_too() {
    let refused = |kind| Around { refused_lately: vec![(kind, Some("10.0.0.9:99".to_owned()))], ..around() };
    for (around, expected) in [
        (Around { recent_changes: FLAPPING_CHANGES, ..around() }, "flapping"),
        (Around { journal: JournalState::Failing, ..around() }, "journal_failing"),
        (Around { journal_lost: 1, ..around() }, "journal_losing"),
        (refused(RefusedKind::WrongKey), "wrong_key"),
        (refused(RefusedKind::SecondInstance), "second_instance"),
        (refused(RefusedKind::Other), "refused"),
    ] {
        assert_eq!(kinds(&secondary(), &around), [expected]);
    }
}

#[test]
fn n15_a_lost_path_of_several_is_told_while_the_link_is_up() {
    let path = |address: &str, state| Link {
        peer: "alpha".to_owned(),
        address: address.to_owned(),
        state,
        role: super::super::status::LinkRole::Client,
        rtt_us: None,
        last_heard_ms: None,
        since_ms: 0,
        reconnects: 0,
        encrypted: true,
        why: Some("timed out".to_owned()),
    };
    let links = vec![path("10.0.0.1:7400", LinkState::Up), path("10.1.0.1:7400", LinkState::Down)];
    let around = Around { links, ..around() };
    let alarms = alarms_from(&secondary(), &around);
    assert_eq!(alarms.len(), 1);
    assert_eq!(alarms[0].id(), "path_down:alpha:10.1.0.1:7400");
    assert_eq!(alarms[0].words().text, "the path to alpha by 10.1.0.1:7400 is down: timed out");
}

#[test]
fn n15_a_connected_path_that_is_mute_is_told_while_another_carries_the_link() {
    let path = |address: &str, last_heard_ms| Link {
        peer: "alpha".to_owned(),
        address: address.to_owned(),
        state: LinkState::Up,
        role: super::super::status::LinkRole::Client,
        rtt_us: None,
        last_heard_ms: Some(last_heard_ms),
        since_ms: 60_000,
        reconnects: 0,
        encrypted: true,
        why: None,
    };
    let found = |ages: [u64; 2]| {
        let links = vec![path("10.0.0.1:7400", ages[0]), path("10.1.0.1:7400", ages[1])];
        alarms_from(&secondary(), &Around { links, ..around() }).iter().map(Alarm::id).collect::<Vec<_>>()
    };
    assert_eq!(found([300, 2_900]), Vec::<String>::new());
    assert_eq!(found([300, 3_100]), ["path_down:alpha:10.1.0.1:7400"]);
    assert_eq!(found([3_100, 3_100]), Vec::<String>::new(), "then the peer's own silence is the cause");
}

/// It once said of three that there was no second member, and not to stop the one that acts, "there is no other".
#[test]
fn u13_of_three_the_loss_of_one_leaves_a_second_member() {
    let mut view = with_gone(primary(), Gone::Crashed);
    let mut third = primary().peers[0].clone();
    third.name = "gamma".into();
    view.peers.push(third);
    let words = alarms_from(&view, &around())[0].words();
    assert_eq!(words.text, "beta's process is gone: one member less");
    assert!(!format!("{words:?}").contains("no other"), "{words:?}");
}

#[test]
fn s2_a_fencing_that_failed_is_the_one_alarm_of_a_takeover_that_waits_for_it() {
    use crate::negotiation::view::FenceState;
    let mut view = with_gone(secondary(), Gone::Silent);
    view.protection = vec![Protection::Fence];
    view.protected_now = false;
    let failed = FenceState::Failed { at: at(90), why: "no answer".to_owned(), rounds: 1, next: Some(at(150)) };
    view.peers[0].fence.state = failed.clone();
    let long = Around { nobody_acts_for: Some(Duration::from_secs(100)), ..around() };
    assert_eq!(kinds(&view, &long), ["fencing_failed", "peer_silent"]);
    assert_eq!(alarms_from(&view, &long)[0].class(), AlarmClass::Alarm);
    let then = |view: &View| alarms_from(view, &long)[0].words().then.join("\n");
    assert!(then(&view).contains("beta then takes over"), "{}", then(&view));
    let mut lacks = view.clone();
    lacks.forecast.lines[0].ok = false;
    lacks.forecast.lines[0].about = crate::negotiation::view::Topic::Arbiter;
    assert!(!then(&lacks).contains("takes over"), "the lease is missing too: {}", then(&lacks));
    // While it is tried again it still stands; the first round is no failure yet.
    view.peers[0].fence.state = FenceState::UnderWay { since: at(95), round: 2 };
    assert_eq!(kinds(&view, &long)[0], "fencing_failed");
    view.peers[0].fence.state = FenceState::UnderWay { since: at(95), round: 1 };
    assert_eq!(kinds(&view, &around()), ["peer_silent"]);
    let mut acts = with_gone(primary(), Gone::Silent);
    acts.protection = vec![Protection::Fence];
    acts.peers[0].fence.state = failed;
    assert_eq!(alarms_from(&acts, &around())[0].class(), AlarmClass::Warning, "a Primary goes on");
}

#[test]
fn s2_an_agent_that_lied_and_a_dead_device_are_told() {
    use crate::negotiation::view::{DeviceView, OffWord};
    let view = bent(|view| view.peers[0].fence.heard_after_off = Some(OffWord::Device));
    assert_eq!(kinds(&view, &around()), ["heard_after_off"]);
    let view = bent(|view| {
        view.protection = vec![Protection::Fence];
        view.protected_now = false;
        view.forecast.ready = false;
        view.peers[0].fence.device = Some(DeviceView { answers: false, at: at(99) });
    });
    assert_eq!(kinds(&view, &around()), ["fence_device_dead"], "one cause, one alarm");
}

#[test]
fn h5_two_that_are_sick_are_one_alarm() {
    let sick = Ability::Sick(Sick::BelowThreshold);
    let mut view = bent(|view| view.able = sick);
    view.peers[0].able = Some(sick);
    assert_eq!(kinds(&view, &around()), ["unhealthy", "unhealthy"]);
    view.health.both_sick = true;
    assert_eq!(kinds(&view, &around()), ["both_unhealthy"]);
    view.health.stopped = Some(at(99));
    assert_eq!(kinds(&view, &around()), ["both_unhealthy", "takeovers_used_up"]);
}

#[test]
fn p1_what_is_wrong_with_a_process_is_told_and_what_is_as_it_should_be_is_not() {
    use crate::control::examples::{process, waiting};
    use crate::control::status::{ProcessState, RunWhen};
    let mut plant = process("plant-control", RunWhen::Always);
    let with = |process: &crate::control::status::Process| Around {
        processes: vec![waiting("other"), process.clone()],
        ..around()
    };
    assert_eq!(kinds(&secondary(), &with(&plant)), Vec::<&str>::new());
    plant.why = Some("no answer for 5.2 s".to_owned());
    assert_eq!(kinds(&secondary(), &with(&plant)), ["process_does_not_answer"]);
    plant.state = ProcessState::Restarting;
    assert_eq!(kinds(&secondary(), &with(&plant)), Vec::<&str>::new(), "a first restart is no alarm");
    plant.restarts_30s = 2;
    assert_eq!(kinds(&secondary(), &with(&plant)), ["process_does_not_start"]);
    plant.state = ProcessState::GivenUp;
    assert_eq!(kinds(&secondary(), &with(&plant)), ["process_given_up"]);
}

#[test]
fn s4_who_acts_by_grants_says_so_until_it_has_the_lease_although_the_arbiter_answers() {
    let text = |bend: fn(&mut ArbiterView)| {
        let mut view = primary();
        view.protection = vec![Protection::Arbiter];
        let mut arbiter = ArbiterView { answers: true, by_grants: true, ..ArbiterView::default() };
        bend(&mut arbiter);
        view.arbiter = Some(arbiter);
        let found = alarms_from(&view, &around());
        found.iter().find(|alarm| alarm.kind() == "acts_by_grants").map(Alarm::words)
    };
    let still = text(|_| {}).expect("it is told");
    assert_eq!(still.text, "no lease: alpha acts by the grant of beta still, the arbiter answers");
    let held = text(|arbiter| arbiter.holder = Some("beta".into())).expect("it is told");
    assert_eq!(held.first, "Wait: alpha asks until beta's lease is over, then it is had.");
    assert_eq!(text(|arbiter| arbiter.by_grants = false), None);
}

#[test]
fn u2_who_acts_by_force_is_not_said_to_stop_for_want_of_a_lease() {
    let alarm = |forced| {
        let mut view = with_gone(primary(), Gone::Silent);
        view.protection = vec![Protection::Arbiter];
        view.forced = forced;
        view.arbiter = Some(ArbiterView { why: Some("no route".into()), ..ArbiterView::default() });
        let guard = |alarm: &Alarm| matches!(alarm, Alarm::Guard(_));
        alarms_from(&view, &around()).into_iter().find(guard).expect("the arbiter is away").words()
    };
    assert_eq!(alarm(false).text, "alpha stops soon: no lease");
    let forced = alarm(true);
    assert_eq!(forced.text, "no arbiter, alpha acts by force: no route");
    assert_eq!(forced.then, ["It goes on without; who reaches the arbiter may act beside it."]);
}

#[test]
fn n12_nobody_is_told_to_stop_the_one_that_goes_on() {
    // This member gives way, has heard of the higher term, and still stops.
    let mut view = primary();
    view.peers[0].mode = Some(Mode::Primary);
    view.term = view.peers[0].term;
    view.transition =
        Some(TransitionView { to: Mode::Secondary, waiting_for: "plant-control to stop".to_owned(), since: view.now });
    let words = alarms_from(&view, &around())[0].words();
    assert_eq!(words.first, "Press nothing. alpha stops by itself: beta has the higher term.");
    assert_eq!(words.then[0], "alpha must say SECONDARY in a moment. If it does not: a, stop alpha.");
    // On the one that goes on, the other has said that it gives way, and what it runs still stops.
    let mut view = primary();
    view.peers[0].mode = Some(Mode::Secondary);
    let still = Around { still_act_with: Some("beta".to_owned()), ..around() };
    let words = alarms_from(&view, &still)[0].words();
    assert_eq!(words.first, "Press nothing. beta stops by itself: alpha has the higher term.");
}

/// Who woke said for some milliseconds that two are Primary, although the guardian had stopped what ran there long before.
#[test]
fn n12_a_primary_that_woke_and_leaves_is_no_second_that_acts_once_nothing_of_it_runs() {
    use crate::control::examples::{process, waiting};
    use crate::control::status::RunWhen;
    use crate::negotiation::decision::Rule;
    use crate::negotiation::view::StoppingView;
    let mut view = primary();
    view.peers[0].mode = Some(Mode::Primary);
    let leaves = |rule, since| Some(StoppingView { rule, since, by: None, to: None });
    let stalled = Rule::Stalled { stalled_for: Duration::from_secs(12) };
    let with = |processes| Around { processes, ..around() };
    let runs = || with(vec![process("plant-control", RunWhen::Primary)]);
    view.stopping = leaves(stalled.clone(), view.now);
    assert_eq!(kinds(&view, &with(vec![waiting("plant-control")])), Vec::<&str>::new());
    assert_eq!(kinds(&view, &runs()), Vec::<&str>::new(), "the guardian's word is on its way");
    view.stopping = leaves(stalled, at(98));
    assert_eq!(kinds(&view, &runs()), ["two_primaries"], "it was to be ended, and is seen to run");
    let yields = Rule::YieldedTo { peer: "beta".into(), term: term(8, 1), mine: term(7, 0) };
    view.stopping = leaves(yields, view.now);
    assert_eq!(kinds(&view, &runs()), ["two_primaries"], "what gives way acts until it has stopped");
    view.stopping = None;
    assert_eq!(kinds(&view, &around()), ["two_primaries"]);
}

#[test]
fn s11_who_only_looks_on_is_not_told_to_take_over() {
    let mut view = bent(|view| view.observe_only = true);
    view.peers[0].mode = Some(Mode::Secondary);
    let long = Around { nobody_acts_for: Some(Duration::from_secs(100)), ..around() };
    let words = |view: &View| {
        let found = alarms_from(view, &long);
        found.iter().find(|alarm| alarm.kind() == NOBODY_ACTS).map(Alarm::words).expect("it is told")
    };
    let told = words(&view);
    assert_eq!(told.first, "beta only looks on: on it, set takeover.observe_only = false.");
    assert_eq!(told.then[0], "Then restart tandem on beta: no order makes it act before that.");
    view = with_gone(view, Gone::Crashed);
    let told = words(&view);
    assert!(!format!("{told:?}").contains("failover"), "{told:?}");
    view.observe_only = false;
    assert!(format!("{:?}", words(&view)).contains("tandem failover on beta"));
}

/// What is told of an arbiter in this kind of trouble.
fn forgotten(
    mut view: View,
    why: ArbiterTrouble,
    nobody_acts_for: Option<Duration>,
) -> (&'static str, AlarmClass, Words) {
    view.protection = vec![Protection::Arbiter];
    view.arbiter = Some(ArbiterView { answers: false, why: Some(why), by_grants: true, ..ArbiterView::default() });
    let found = alarms_from(&view, &Around { nobody_acts_for, ..around() });
    let alarm = found.iter().find(|alarm| matches!(alarm, Alarm::Guard(_))).expect("it is told");
    (alarm.kind(), alarm.class(), alarm.words())
}

/// Only the shared directory had such an alarm once, recognised by its words; of an etcd that was restored nobody was told
/// what helps.
#[test]
fn s4_an_etcd_that_was_restored_or_exchanged_says_what_helps() {
    let restored = || ArbiterTrouble::Restored("10.0.8.1:2379: etcd is older than it was".to_owned());
    let (kind, class, words) = forgotten(primary(), restored(), None);
    assert_eq!((kind, class), ("arbiter_restored", AlarmClass::Warning));
    assert_eq!(words.text, "etcd was restored to an older state: alpha cannot renew its lease");
    assert_eq!(words.first, "Restart tandem on beta, then there: tandem failover.");
    assert_eq!(words.then[0], "Then restart tandem on the other members too.");
    assert_eq!(words.do_not, "restart alpha first, or leave beta stopped: nobody would act.");
    let nobody = with_gone(secondary(), Gone::Silent);
    let (kind, class, words) = forgotten(nobody, restored(), Some(Duration::from_secs(9)));
    assert_eq!((kind, class), (HELD_BACK, AlarmClass::Alarm));
    assert_eq!(words.first, "Find out whether alpha acts: lamps, its console, call the site.");
    assert_eq!(words.then[0], "Restart tandem on beta: it then takes over by itself.");
    let exchanged = ArbiterTrouble::Exchanged("10.0.8.2:2379: it belongs to etcd cluster 7".to_owned());
    let (kind, class, words) = forgotten(secondary(), exchanged, None);
    assert_eq!((kind, class), ("arbiter_exchanged", AlarmClass::Warning));
    assert_eq!(words.first, "Look at arbiter.endpoints: do they name servers of one cluster?");
    assert_eq!(words.then[0], "Set up anew: restart tandem on beta, then there: tandem failover.");
    // Not by its words: what says the same and is no such trouble is none.
    let other = ArbiterTrouble::from("/mnt/x had generation 7 and has it no longer: it is not mounted, or was emptied");
    assert_ne!(forgotten(secondary(), other, None).0, "arbiter_emptied");
}

/// It was read, so nobody was told before a claim failed.
#[test]
fn s10_u13_an_etcd_without_space_says_how_to_make_room() {
    let full = || ArbiterTrouble::Full("10.0.8.1:2379: etcd has no space left".to_owned());
    let (kind, class, words) = forgotten(secondary(), full(), None);
    assert_eq!((kind, class), ("arbiter_full", AlarmClass::Warning));
    assert_eq!(words.text, "etcd has no space left: beta cannot take over");
    assert_eq!(words.first, "Make room in etcd: etcdctl compact REVISION, then etcdctl defrag.");
    assert_eq!(words.then[0], "Then let it be written again: etcdctl alarm disarm.");
    assert_eq!(words.do_not, "stop the member that acts: nobody would take over.");
    let (kind, _, words) = forgotten(primary(), full(), None);
    assert_eq!((kind, words.text.as_str()), ("arbiter_full", "etcd has no space left: alpha cannot renew its lease"));
    let nobody = with_gone(secondary(), Gone::Silent);
    let (kind, class, words) = forgotten(nobody, full(), Some(Duration::from_secs(9)));
    assert_eq!((kind, class), (HELD_BACK, AlarmClass::Alarm));
    assert_eq!(words.text, "NO TAKEOVER: etcd has no space left");
    assert!(words.then[1].contains("Find out whether alpha acts"), "{words:?}");
}

#[test]
fn s4_an_emptied_directory_of_the_arbiter_says_what_helps() {
    let told = |view, nobody_acts_for| {
        let emptied = "/mnt/shared/tandem had generation 7 and has it no longer: it is not mounted, or was emptied";
        forgotten(view, ArbiterTrouble::Emptied(emptied.to_owned()), nobody_acts_for)
    };
    let (kind, class, words) = told(primary(), None);
    assert_eq!((kind, class), ("arbiter_emptied", AlarmClass::Warning));
    assert_eq!(words.text, "the arbiter's files are gone: alpha cannot renew its lease");
    let restart = "It was emptied: restart tandem on beta, then there: tandem failover.";
    assert_eq!(words.then[0], restart);
    let (kind, class, words) = told(secondary(), None);
    assert_eq!((kind, class, words.then[0].as_str()), ("arbiter_emptied", AlarmClass::Warning, restart));
    let mut nobody = secondary();
    nobody.peers[0].mode = Some(Mode::Secondary);
    let (kind, class, words) = told(nobody, Some(Duration::from_secs(9)));
    assert_eq!((kind, class), (HELD_BACK, AlarmClass::Alarm));
    assert_eq!(words.text, "NO TAKEOVER: the arbiter's files are gone");
    assert_eq!(words.then[0], "It was emptied: restart tandem on beta: it then takes over by itself.");
    let (_, _, words) = told(with_gone(secondary(), Gone::Silent), Some(Duration::from_secs(9)));
    assert!(words.then[0].contains("Find out whether alpha acts"), "{words:?}");
    assert!(words.do_not.contains("while alpha may be on"), "{words:?}");
}
