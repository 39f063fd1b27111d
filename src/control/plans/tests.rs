//! The plans as an operator reads them.

use super::*;
use crate::control::examples::{primary, secondary, with_gone};

fn print(draft: &Draft) -> String {
    let mut text = format!("{}\n", draft.title);
    for (number, step) in draft.steps.iter().enumerate() {
        text += &format!(" {}  {step}\n", number + 1);
    }
    for sentence in [&draft.nobody_acts, &draft.two_acting, &draft.may_be_lost, &draft.if_it_fails, &draft.to_go_back] {
        text += &format!("{sentence}\n");
    }
    for line in &draft.rests_on {
        text += &format!(" {:?}  {}\n", line.state, line.text);
    }
    text
}

fn plan(action: Action, view: &View) -> String {
    print(&plan_for(&action, view, &Others::default()).expect("it makes sense"))
}

#[test]
fn u2_the_plan_of_a_takeover_reads_as_the_screen_shows_it() {
    let others = Others { attached_elsewhere: vec![("ops3".to_owned(), "alpha".to_owned())], ..Others::default() };
    let draft = plan_for(&Action::TakeOver, &secondary(), &others).expect("it makes sense");
    assert_eq!(draft.force, None);
    insta::assert_snapshot!(print(&draft), @r"
    beta takes over from alpha
     1  alpha is asked to stop, and hands the role over
     2  beta becomes Primary, term 8
    Nobody acts for a moment, well below 1 s.
    Two acting at once cannot happen.
    May be lost: what programs on alpha keep only in their memory.
    If step 1 fails: alpha goes on acting, beta stays Secondary.
    To go back: the same plan from alpha. Nothing goes back by itself.
     Ok  alpha answers, 0.4 s ago, and agrees
     Ok  beta is fit, health 0.98
     Notice  ops3 is attached to alpha and is shown this plan
    ");
}

#[test]
fn u2_the_plan_of_a_takeover_from_a_silent_member_says_that_two_could_act() {
    insta::assert_snapshot!(plan(Action::TakeOver, &with_gone(secondary(), Gone::Silent)), @r"
    beta takes over
     1  beta becomes Primary, term 8
    Nobody is known to act now.
    Two could act at once: alpha is not heard and may act.
    May be lost: nothing more than is lost already.
    If step 1 fails: beta stays Secondary, and nobody is known to act.
    To go back: step down, or take over on another member.
     Ok  alpha answers, 0.4 s ago, and agrees
     Ok  beta is fit, health 0.98
    ");
}

#[test]
fn u2_the_plan_of_a_step_down_names_the_successor() {
    insta::assert_snapshot!(plan(Action::StepDown, &primary()), @r"
    alpha steps down, beta takes over
     1  alpha stops acting, and hands the role over to beta
     2  beta becomes Primary, term 8
    Nobody acts for a moment, well below 1 s.
    Two acting at once cannot happen.
    May be lost: what programs on alpha keep only in their memory.
    If step 2 fails: alpha is a candidate again, and acts again.
    To go back: take over on alpha. Nothing goes back by itself.
     Ok  beta answers, 0.4 s ago
     Ok  beta is fit, health 0.97
    ");
}

#[test]
fn u2_the_plan_of_a_step_down_that_leaves_nobody_says_so() {
    insta::assert_snapshot!(plan(Action::StepDown, &with_gone(primary(), Gone::Crashed)), @r"
    alpha steps down, nobody takes over
     1  alpha stops acting
     2  alpha takes nothing over until resume, until it hears a Primary, or for 30 min
    Nobody acts afterwards, until a member takes over.
    Two acting at once cannot happen.
    May be lost: what programs on alpha keep only in their memory.
    If step 1 fails: alpha goes on acting.
    To go back: resume on alpha, then take over.
     No  nobody can take over
     No  beta: its process is gone
    ");
}

#[test]
fn s7_the_plan_of_a_hold_says_who_is_told() {
    insta::assert_snapshot!(plan(Action::Hold { for_ms: 1_800_000 }, &primary()), @r"
    the group is held for 30 min
     1  every member is told to take nothing over by itself
     2  it ends by itself after 30 min, or with resume
    Who acts does not change. If it fails meanwhile, nobody takes over by itself.
    This does not make two act.
    May be lost: nothing.
    If step 1 fails: who could not be told is named, and is told when it is heard.
    To go back: resume.
     Ok  beta is heard and is told
    ");
}

#[test]
fn u2_the_plans_of_a_shutdown() {
    insta::assert_snapshot!(plan(Action::Shutdown, &primary()), @r"
    alpha stops, beta takes over
     1  alpha stops acting, and hands the role over to beta
     2  beta becomes Primary, term 8
     3  alpha's controller says goodbye and ends
    Nobody acts for a moment, well below 1 s.
    Two acting at once cannot happen.
    May be lost: what programs on alpha keep only in their memory.
    If step 2 fails: nobody acts until beta takes over by itself.
    To go back: start alpha again, then take over on it.
     Ok  beta answers, 0.4 s ago
     Ok  beta is fit, health 0.97
     Notice  there is no second member while alpha is stopped
    ");
    insta::assert_snapshot!(plan(Action::Shutdown, &secondary()), @r"
    beta stops, alpha goes on acting
     1  beta's controller says goodbye and ends
    Who acts does not change.
    Two acting at once cannot happen.
    May be lost: nothing.
    If step 1 fails: beta goes on standing by.
    To go back: start beta again.
     Notice  there is no second member while beta is stopped
    ");
}

#[test]
fn u2_a_shutdown_in_a_group_of_three_says_who_is_left() {
    let mut view = secondary();
    let mut gamma = view.peers[0].clone();
    gamma.name = "gamma".into();
    gamma.mode = Some(Mode::Secondary);
    view.peers.push(gamma);
    let left = |view: &View| {
        let draft = plan_for(&Action::Shutdown, view, &Others::default()).expect("it makes sense");
        draft.rests_on[0].text.clone()
    };
    assert_eq!(left(&view), "2 of 3 members are left while beta is stopped");
    view.protection = vec![Protection::Majority];
    assert_eq!(left(&view), "2 of 3 members are left while beta is stopped; with one more lost nobody acts");
    view.peers[1].gone = Some(Gone::Crashed);
    assert_eq!(left(&view), "there is no second member while beta is stopped");
}

#[test]
fn two_acting_cannot_happen_is_only_said_when_it_is_true() {
    let two = |view: &View| plan_for(&Action::TakeOver, view, &Others::default()).expect("sense").two_acting;
    assert_eq!(two(&secondary()), NEVER_TWO);
    assert_eq!(two(&with_gone(secondary(), Gone::Crashed)), NEVER_TWO);
    assert_ne!(two(&with_gone(secondary(), Gone::Silent)), NEVER_TWO);
    assert_ne!(two(&with_gone(secondary(), Gone::NeverHeard)), NEVER_TWO);
    let mut cut = secondary();
    cut.peers[0].link_up = false;
    cut.take_over[0].ok = false;
    assert_ne!(two(&cut), NEVER_TWO);
    let mut majority = with_gone(secondary(), Gone::Silent);
    majority.protection = vec![Protection::Majority];
    assert_eq!(two(&majority), NEVER_TWO);
    majority.take_over[0].ok = false;
    assert_ne!(two(&majority), NEVER_TWO, "forced past the majority, two can act");
    majority.peers[0].gone = Some(Gone::Crashed);
    assert_ne!(two(&majority), NEVER_TWO, "a firewall refuses too");
}
