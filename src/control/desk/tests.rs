//! The desk's rules about plans and alarms, as claims.

use super::super::examples::{at, guest, ops, primary, secondary, with_gone};
use super::super::plans::PlanElsewhere;
use super::*;
use crate::negotiation::message::Mode;
use crate::negotiation::view::Gone;

fn desk() -> Desk {
    Desk::new("beta", 37)
}

fn open(desk: &mut Desk) -> Plan {
    desk.open(Action::TakeOver, &ops(), &secondary(), &Others::default(), at(100)).expect("a healthy plan opens")
}

#[test]
fn u2_a_plan_is_confirmed_by_its_number_and_only_once() {
    let mut desk = desk();
    let plan = open(&mut desk);
    assert_eq!(plan.number, 47);
    assert!(plan.can_be_confirmed());
    assert_eq!(plan.expires_ms, 120_000);
    let confirm =
        |desk: &mut Desk, number| desk.confirm(number, None, &ops(), &secondary(), &Others::default(), at(101));
    let why = confirm(&mut desk, 46).unwrap_err();
    assert!(why.contains("46 is not the number"), "{why}");
    assert!(desk.plan(at(101)).is_some(), "a wrong number closes nothing");
    assert_eq!(confirm(&mut desk, 47), Ok(Confirmed { action: Action::TakeOver, forced: Forced::No }));
    assert!(confirm(&mut desk, 47).is_err());
    assert_eq!(open(&mut desk).number, 48, "a number is not used again");
}

#[test]
fn u2_who_may_only_watch_neither_opens_nor_confirms() {
    let mut desk = desk();
    let others = Others::default();
    assert!(desk.open(Action::TakeOver, &guest(), &secondary(), &others, at(100)).is_err());
    let number = open(&mut desk).number;
    assert!(desk.confirm(number, None, &guest(), &secondary(), &others, at(101)).is_err());
    assert!(desk.abandon(number, &guest()).is_err());
}

#[test]
fn one_plan_at_a_time_in_the_group() {
    let mut desk = desk();
    open(&mut desk);
    let why = desk.open(Action::Shutdown, &ops(), &secondary(), &Others::default(), at(110)).unwrap_err();
    assert!(why.contains("plan 47 (beta takes over from alpha) of ops is open"), "{why}");
    assert!(why.contains("in 110 s"), "{why}");
    desk.abandon(47, &ops()).expect("it is open");
    let elsewhere = PlanElsewhere { node: "alpha".to_owned(), number: 12, title: "alpha steps down".to_owned() };
    let others = Others { plan_elsewhere: Some(elsewhere), ..Others::default() };
    let why = desk.open(Action::Shutdown, &ops(), &secondary(), &others, at(110)).unwrap_err();
    assert!(why.contains("plan 12 (alpha steps down) is open on alpha"), "{why}");
}

#[test]
fn of_two_plans_opened_in_the_same_moment_one_stays() {
    let other = |node: &str| Others {
        plan_elsewhere: Some(PlanElsewhere { node: node.to_owned(), number: 12, title: String::new() }),
        ..Others::default()
    };
    let mut beta = desk();
    open(&mut beta);
    assert!(beta.refresh(&secondary(), &other("alpha"), at(101)).is_some());
    open(&mut beta);
    assert_eq!(beta.refresh(&secondary(), &other("gamma"), at(101)), None);
}

#[test]
fn a_plan_ends_after_two_minutes() {
    let mut desk = desk();
    open(&mut desk);
    assert_eq!(desk.next_deadline(Duration::from_secs(10)), Some(at(220)));
    assert_eq!(desk.refresh(&secondary(), &Others::default(), at(219)), None);
    assert_eq!(desk.plan(at(219)).map(|plan| plan.checked_ms), Some(0));
    let PlanEnded { why, .. } = desk.refresh(&secondary(), &Others::default(), at(220)).expect("it ends");
    assert!(why.contains("open for 120 s"), "{why}");
    assert!(desk.plan(at(220)).is_none());
}

#[test]
fn a_plan_that_worsened_ends_when_it_is_confirmed() {
    let mut desk = desk();
    let number = open(&mut desk).number;
    let mut view = secondary();
    view.take_over[0].ok = false;
    view.take_over[0].text = "alpha does not answer".to_owned();
    let why = desk.confirm(number, None, &ops(), &view, &Others::default(), at(101)).unwrap_err();
    assert!(why.contains("alpha does not answer") && why.contains("nothing has been done"), "{why}");
    assert!(desk.plan(at(101)).is_none());
}

#[test]
fn numbers_that_move_in_a_line_do_not_end_a_plan() {
    let mut desk = desk();
    let number = open(&mut desk).number;
    let mut view = secondary();
    view.take_over[0].text = "alpha answers, 0.9 s ago, and agrees".to_owned();
    assert!(desk.confirm(number, None, &ops(), &view, &Others::default(), at(101)).is_ok());
}

#[test]
fn a_plan_that_would_now_do_something_else_ends() {
    let mut desk = desk();
    open(&mut desk);
    let mut view = secondary();
    view.peers[0].mode = Some(Mode::Secondary);
    let PlanEnded { why, .. } = desk.refresh(&view, &Others::default(), at(101)).expect("nobody is Primary now");
    assert!(why.contains("now it would be \"beta takes over\""), "{why}");
    open(&mut desk);
    let PlanEnded { why, .. } = desk.refresh(&primary(), &Others::default(), at(101)).expect("it is Primary already");
    assert!(why.contains("Primary already"), "{why}");
}

#[test]
fn u2_a_failing_line_is_forced_by_the_name_of_who_will_act() {
    let mut desk = desk();
    let mut view = with_gone(secondary(), Gone::Silent);
    view.take_over[0].ok = false;
    let others = Others::default();
    let plan = desk.open(Action::TakeOver, &ops(), &view, &others, at(100)).expect("it opens");
    assert_eq!(plan.force_by_typing.as_deref(), Some("beta"));
    assert!(plan.risk.expect("it is named").contains("Two could act at once: alpha is not heard and may act."));
    for typed in [None, Some("alpha"), Some("")] {
        let why = desk.confirm(plan.number, typed, &ops(), &view, &others, at(101)).unwrap_err();
        assert!(why.contains("by typing beta"), "{why}");
    }
    let confirmed = desk.confirm(plan.number, Some("beta"), &ops(), &view, &others, at(101));
    assert_eq!(confirmed, Ok(Confirmed { action: Action::TakeOver, forced: Forced::Yes }));
}

#[test]
fn u2_a_step_down_with_nobody_to_follow_is_forced_by_the_name_of_who_stops() {
    let mut desk = Desk::new("alpha", 0);
    let view = with_gone(primary(), Gone::Crashed);
    let plan = desk.open(Action::StepDown, &ops(), &view, &Others::default(), at(100)).expect("it opens");
    assert_eq!(plan.force_by_typing.as_deref(), Some("alpha"));
    assert_eq!(plan.title, "alpha steps down, nobody takes over");
}

#[test]
fn plans_that_make_no_sense_are_refused() {
    let mut desk = desk();
    let mut refused = |action, view: &View| {
        desk.open(action, &ops(), view, &Others::default(), at(100)).expect_err("it makes no sense")
    };
    assert!(refused(Action::TakeOver, &primary()).contains("Primary already"));
    assert!(refused(Action::StepDown, &secondary()).contains("Secondary already"));
    assert!(refused(Action::Resume, &secondary()).contains("not held"));
    assert!(refused(Action::Hold { for_ms: 0 }, &secondary()).contains("longer than zero"));
}

#[test]
fn u13_the_first_cause_stays_on_top_and_what_is_over_goes_by_itself() {
    let mut desk = desk();
    let mut view = with_gone(secondary(), Gone::Silent);
    let ids = |alarms: &[status::Alarm]| -> Vec<String> { alarms.iter().map(|alarm| alarm.id.clone()).collect() };
    let around = || Around { boot_timeout: Duration::from_secs(10), ..Around::default() };
    assert_eq!(ids(&desk.alarms(&view, around())), ["peer_silent:alpha"]);
    view.now = at(105);
    view.durable = false;
    view.history_unknown = true;
    let alarms = desk.alarms(&view, around());
    assert_eq!(ids(&alarms), ["state_not_durable", "peer_silent:alpha"]);
    assert_eq!(alarms[1].since_ms, 5_000);
    let waits = desk.next_deadline(Duration::from_secs(10)).expect("nobody acts since 100 s");
    assert!(waits > at(109) && waits < at(110));
    view.durable = true;
    view.now = waits;
    assert_eq!(ids(&desk.alarms(&view, around())), ["peer_silent:alpha"], "a takeover that is under way ends it");
    let waits = desk.next_deadline(Duration::from_secs(10)).expect("found, and to be told");
    assert!(waits > at(110) && waits < at(111));
    view.now = at(111);
    let alarms = desk.alarms(&view, around());
    assert_eq!(ids(&alarms), ["nobody_acts", "peer_silent:alpha"]);
    let waits = desk.next_deadline(Duration::from_secs(10)).expect("history unknown since 105 s");
    assert!(waits > at(115), "a deadline does not stay in the past");
    view.now = at(116);
    assert_eq!(ids(&desk.alarms(&view, around())), ["nobody_acts", "peer_silent:alpha", "history_unknown"]);
    assert_eq!(desk.next_deadline(Duration::from_secs(10)), None);
    assert_eq!(desk.alarms(&secondary(), around()), []);
}

#[test]
fn u12_a_promise_after_a_hand_over_is_no_alarm_but_a_takeover_that_stays_impossible_is() {
    let mut desk = desk();
    let around = || Around { boot_timeout: Duration::from_secs(10), ..Around::default() };
    let mut view = secondary();
    view.forecast.ready = false;
    assert_eq!(desk.alarms(&view, around()), []);
    assert_eq!(desk.seen(&ops(), "2026-11-21T03:14:31+01:00"), 0, "what nobody was shown nobody has seen");
    view.now = at(111);
    let alarms = desk.alarms(&view, around());
    assert_eq!((alarms[0].id.as_str(), alarms[0].since_ms), ("takeover_not_ready", 11_000));
    view.forecast.ready = true;
    assert_eq!(desk.alarms(&view, around()), []);
}

#[test]
fn u13_seen_is_kept_with_who_and_when_while_the_alarm_stands() {
    let mut desk = desk();
    let view = with_gone(primary(), Gone::Silent);
    desk.alarms(&view, Around::default());
    assert_eq!(desk.seen(&ops(), "2026-11-21T03:14:31+01:00"), 1);
    assert_eq!(desk.seen(&guest(), "2026-11-21T03:15:00+01:00"), 0, "the first one stays");
    let alarms = desk.alarms(&view, Around::default());
    assert_eq!(alarms[0].seen.as_ref().map(|seen| seen.by.as_str()), Some("ops"));
    desk.alarms(&primary(), Around::default());
    assert_eq!(desk.alarms(&view, Around::default())[0].seen, None, "a new alarm is a new alarm");
}

#[test]
fn attached_screens_are_listed_until_they_leave() {
    let mut desk = desk();
    let first = desk.attach(&ops(), Screen::Operating);
    desk.attach(&guest(), Screen::ReadOnly);
    assert_eq!(desk.attached(), ["ops", "guest (read-only)"]);
    desk.detach(first);
    assert_eq!(desk.attached(), ["guest (read-only)"]);
}

#[test]
fn u13_what_is_over_stands_below_a_new_cause_of_its_class() {
    use crate::control::alarms::TwoThatActed;
    let two =
        TwoThatActed { stopped: "alpha".to_owned(), goes_on: "beta".to_owned(), at_most: Duration::from_secs(90) };
    let around = || Around { two_acted: Some(two.clone()), boot_timeout: Duration::from_secs(10), ..Around::default() };
    let mut desk = desk();
    let kinds = |alarms: &[status::Alarm]| alarms.iter().map(|alarm| alarm.id.clone()).collect::<Vec<_>>();
    assert_eq!(kinds(&desk.alarms(&primary(), around())), ["two_acted"]);
    let mut later = with_gone(primary(), Gone::Silent);
    later.now = at(500);
    assert_eq!(kinds(&desk.alarms(&later, around())), ["peer_silent:beta", "two_acted"]);
}

#[test]
fn u2_refusals_have_one_form_a_clause_without_a_capital_and_a_full_stop() {
    let others = Others::default();
    let elsewhere = PlanElsewhere { node: "alpha".to_owned(), number: 12, title: "alpha steps down".to_owned() };
    let held_elsewhere = Others { plan_elsewhere: Some(elsewhere), ..Others::default() };
    let mut desk = desk();
    let mut refusals = Vec::new();
    let mut refused = |what: Result<(), String>| refusals.push(what.expect_err("it is refused"));
    refused(desk.open(Action::TakeOver, &guest(), &secondary(), &others, at(100)).map(drop));
    refused(desk.open(Action::TakeOver, &ops(), &primary(), &others, at(100)).map(drop));
    refused(desk.open(Action::StepDown, &ops(), &secondary(), &others, at(100)).map(drop));
    refused(desk.open(Action::Resume, &ops(), &secondary(), &others, at(100)).map(drop));
    refused(desk.open(Action::Hold { for_ms: 0 }, &ops(), &secondary(), &others, at(100)).map(drop));
    refused(desk.open(Action::Resume, &ops(), &secondary(), &held_elsewhere, at(100)).map(drop));
    refused(desk.abandon(11, &ops()));
    refused(desk.confirm(11, None, &ops(), &secondary(), &others, at(100)).map(drop));
    open(&mut desk);
    refused(desk.open(Action::Shutdown, &ops(), &secondary(), &others, at(100)).map(drop));
    refused(desk.confirm(11, None, &ops(), &secondary(), &others, at(100)).map(drop));
    refused(desk.confirm(47, None, &ops(), &secondary(), &others, at(300)).map(drop));
    open(&mut desk);
    refused(desk.confirm(48, None, &ops(), &primary(), &others, at(101)).map(drop));
    for why in refusals {
        assert!(!why.starts_with(|letter: char| letter.is_uppercase()) && !why.ends_with('.'), "{why}");
        assert!(!why.contains(". "), "one clause after another, not sentences: {why}");
    }
}
