//! The plans as an operator reads them.

use super::*;
use crate::control::examples::{primary, process, secondary, site, told, waiting, with_gone};

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
fn u2_nobody_at_a_member_that_is_not_heard_is_said_to_see_the_plan() {
    let others = Others { attached_elsewhere: vec![("ops3".to_owned(), "alpha".to_owned())], ..Others::default() };
    let view = with_gone(secondary(), Gone::Silent);
    let draft = plan_for(&Action::TakeOver, &view, &others).expect("it makes sense");
    assert!(draft.rests_on.iter().all(|line| line.state != LineState::Notice), "{:?}", draft.rests_on);
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
    assert_eq!(left(&view), "1 of 3 members is left: no majority");
    view.protection = Vec::new();
    assert_eq!(left(&view), "there is no second member while beta is stopped");
}

#[test]
fn u2_the_end_of_a_member_whose_grant_stands_for_the_lease_is_refused_unless_forced() {
    let mut view = secondary();
    view.protection = vec![Protection::Arbiter];
    view.peers[0].able = Some(Ability::Cannot(Unable::ArbiterUnreachable));
    insta::assert_snapshot!(plan(Action::Shutdown, &view), @r"
    beta stops, and alpha with it
     1  beta's controller says goodbye and ends
     2  alpha stops acting, as soon as the grant of beta is over
    Nobody acts afterwards, until the arbiter gives a lease or beta is back.
    Two acting at once cannot happen.
    May be lost: nothing.
    If step 1 fails: beta goes on standing by.
    To go back: start beta again.
     No  alpha has no lease of the arbiter's: only the grant of beta lets it act
     Notice  there is no second member while beta is stopped
    ");
    let draft = |view: &View| plan_for(&Action::Shutdown, view, &Others::default()).expect("it makes sense");
    assert!(draft(&view).force.is_some_and(|force| force.risk.contains("nobody acts until")));
    let mut view = primary();
    view.protection = vec![Protection::Arbiter];
    view.peers[0].able = Some(Ability::Cannot(Unable::ArbiterUnreachable));
    let refused = draft(&view);
    assert_eq!(refused.title, "alpha stops, nobody takes over");
    let why: Vec<&str> = refused.rests_on.iter().map(|line| line.text.as_str()).collect();
    let only = "beta has no lease of the arbiter's: only the grant of alpha lets it act";
    assert_eq!(why, ["nobody can take over", only]);
    assert!(refused.force.is_some());
    // With a lease to be had, nothing stands in its way.
    view.peers[0].able = Some(Ability::Fit);
    assert!(plan(Action::Shutdown, &view).starts_with("alpha stops, beta takes over"));
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

/// The same with the roles changed: plant-control runs here.
fn site_of_primary(other: &str) -> Others {
    let mut others = site(other);
    others.processes[0] = process("plant-control", status::RunWhen::Primary);
    others.theirs[0].1[0] = told(&waiting("plant-control"));
    others
}

#[test]
fn p2_the_plan_of_a_takeover_counts_what_stops_there_and_what_starts_here() {
    let others = Others { attached_elsewhere: vec![("ops3".to_owned(), "alpha".to_owned())], ..site("alpha") };
    let draft = plan_for(&Action::TakeOver, &secondary(), &others).expect("it makes sense");
    insta::assert_snapshot!(print(&draft), @r"
    beta takes over from alpha
     1  alpha is asked to stop; its plant-control may need up to 5 s
     2  beta becomes Primary, term 8
     3  beta starts plant-control, about 1 s
    Nobody acts for about 6 s.
    Two acting at once cannot happen.
    May be lost: what plant-control on alpha keeps only in its memory.
    If step 1 fails: alpha goes on acting, beta stays Secondary.
    To go back: the same plan from alpha. Nothing goes back by itself.
     Ok  alpha answers, 0.4 s ago, and agrees
     Ok  beta is fit, health 0.98
     Ok  fence device, 41 s ago
     Notice  ops3 is attached to alpha and is shown this plan
    ");
    let mut never_ran = others;
    never_ran.processes[0].start_ms = None;
    let draft = plan_for(&Action::TakeOver, &secondary(), &never_ran).expect("it makes sense");
    assert_eq!(draft.nobody_acts, "Nobody acts for about 6 s.", "it takes as long as it took on alpha");
    never_ran.theirs[0].1[0].start_ms = None;
    let draft = plan_for(&Action::TakeOver, &secondary(), &never_ran).expect("it makes sense");
    assert_eq!(draft.nobody_acts, "Nobody acts for up to 5 s, then until plant-control is ready.");
}

#[test]
fn p2_the_plans_of_leaving_count_the_processes_too() {
    let others = site_of_primary("beta");
    let of = |action: Action, view: &View| print(&plan_for(&action, view, &others).expect("it makes sense"));
    insta::assert_snapshot!(of(Action::StepDown, &primary()), @r"
    alpha steps down, beta takes over
     1  alpha stops acting; its plant-control may need up to 5 s
     2  beta becomes Primary, term 8
     3  beta starts plant-control, about 1 s
    Nobody acts for about 6 s.
    Two acting at once cannot happen.
    May be lost: what plant-control on alpha keeps only in its memory.
    If step 2 fails: alpha is a candidate again, and acts again.
    To go back: take over on alpha. Nothing goes back by itself.
     Ok  beta answers, 0.4 s ago
     Ok  beta is fit, health 0.97
    ");
    insta::assert_snapshot!(of(Action::Shutdown, &with_gone(primary(), Gone::Crashed)), @r"
    alpha stops, nobody takes over
     1  alpha stops acting; its plant-control may need up to 5 s
     2  alpha's controller says goodbye and ends
    Nobody acts afterwards, until a member takes over.
    Two acting at once cannot happen.
    May be lost: what plant-control on alpha keeps only in its memory.
    If step 1 fails: alpha goes on acting.
    To go back: start alpha again.
     No  nobody can take over
     No  beta: its process is gone
    ");
    let others = site("alpha");
    insta::assert_snapshot!(print(&plan_for(&Action::Shutdown, &secondary(), &others).expect("sense")), @r"
    beta stops, alpha goes on acting
     1  beta stops link-probe, up to 5 s
     2  beta's controller says goodbye and ends
    Who acts does not change.
    Two acting at once cannot happen.
    May be lost: nothing.
    If step 1 fails: beta goes on standing by.
    To go back: start beta again.
     Notice  there is no second member while beta is stopped
    ");
}

#[test]
fn s2_the_plan_of_a_fencing_says_what_is_cut_off_and_who_acts_then() {
    let fence = |view: &View, others: &Others| plan_for(&Action::Fence { peer: "alpha".to_owned() }, view, others);
    let others = site("alpha");
    insta::assert_snapshot!(print(&fence(&secondary(), &others).expect("sense")), @r"
    alpha is fenced: switched off
     1  fence_ipmilan switches alpha off, and its status must say so
     2  beta takes over, term 8
     3  beta starts plant-control, about 1 s
    Nobody acts from the moment alpha is off until beta acts.
    Two acting at once cannot happen.
    May be lost: what alpha has not written to its disks: it is cut off without warning.
    If step 1 fails: alpha is not taken for off, and nothing is taken over by this.
    To go back: switch alpha on by hand; it joins as Secondary.
     Ok  fence device, 41 s ago
     Notice  alpha acts and answers: to have it stop first, take over instead
     Notice  there is no second member while alpha is off
    ");
    let mut dead = others.clone();
    dead.fencing[0].device = Some(status::FenceDevice {
        answers: false,
        age_ms: 9_000,
        took_ms: 20_000,
        why: Some("no answer from 10.0.9.1:623".to_owned()),
    });
    let draft = fence(&with_gone(secondary(), Gone::Silent), &dead).expect("sense");
    assert_eq!(draft.force.as_ref().map(|force| force.by_typing.as_str()), Some("beta"));
    insta::assert_snapshot!(print(&draft), @r"
    alpha is fenced: switched off
     1  fence_ipmilan switches alpha off, and its status must say so
     2  beta takes over, term 8
     3  beta starts plant-control, about 1 s
    Nobody is known to act now.
    Two acting at once cannot happen.
    May be lost: what alpha has not written to its disks: it is cut off without warning.
    If step 1 fails: alpha is not taken for off, and nothing is taken over by this.
    To go back: switch alpha on by hand; it joins as Secondary.
     No  fence device for alpha does not answer: no answer from 10.0.9.1:623
     Notice  there is no second member while alpha is off
    ");
    let why = fence(&secondary(), &Others::default()).expect_err("nothing to fence with");
    assert_eq!(why, "The configuration does not say how to switch alpha off: [fence.alpha] is missing.");
    let beta = plan_for(&Action::Fence { peer: "beta".to_owned() }, &secondary(), &others).expect_err("itself");
    assert_eq!(beta, "beta is this member: it does not switch itself off.");
    let gamma = plan_for(&Action::Fence { peer: "gamma".to_owned() }, &secondary(), &others).expect_err("nobody");
    assert_eq!(gamma, "There is no other member called \"gamma\"; there is alpha.");
}

#[test]
fn s2_the_word_that_a_member_is_off_is_only_taken_for_one_that_is_not_heard() {
    let is_off = |view: &View| plan_for(&Action::IsOff { peer: "alpha".to_owned() }, view, &site("alpha"));
    assert_eq!(
        is_off(&secondary()).expect_err("it is heard"),
        "alpha is heard, just now: it is not off. To switch it off: fence alpha."
    );
    let draft = is_off(&with_gone(secondary(), Gone::Silent)).expect("sense");
    assert_eq!(draft.force, None, "it keeps force rare");
    insta::assert_snapshot!(print(&draft), @r"
    alpha is off, I looked
     1  alpha counts as switched off, by your word; the journal keeps your name
     2  beta takes over, term 8
     3  beta starts plant-control, about 1 s
    Nobody is known to act now.
    Two could act at once if alpha is on after all: nothing checks your word.
    May be lost: what plant-control on alpha keeps only in its memory.
    If step 2 fails: beta stays Secondary, and nobody is known to act.
    To go back: step down on beta, once alpha is heard again.
     Ok  alpha has not been heard for 2 min 14 s
     Notice  only you say that alpha is off: its lamps, its console, the site
    ");
}

#[test]
fn u2_the_plans_for_a_process_say_what_the_health_makes_of_it() {
    let name = || "plant-control".to_owned();
    let others = site_of_primary("beta");
    let of = |action: Action| print(&plan_for(&action, &primary(), &others).expect("it makes sense"));
    insta::assert_snapshot!(of(Action::RestartProcess { name: name() }), @r"
    plant-control on alpha is restarted
     1  plant-control is told to stop, and killed after 5 s
     2  plant-control is started again, about 1 s
    alpha stays Primary; plant-control does not act for up to 6 s.
    Two acting at once cannot happen.
    May be lost: what plant-control on alpha keeps only in its memory.
    If step 2 fails: it is tried again, and the health falls.
    To go back: there is nothing to go back to.
     Ok  plant-control runs, pid 4121
     Notice  it counts for the health of alpha: it is neutral while it starts
    ");
    insta::assert_snapshot!(of(Action::StopProcess { name: name() }), @r"
    plant-control on alpha is stopped
     1  plant-control is told to stop, and killed after 5 s
     2  it stays stopped until it is started by hand, or alpha's controller starts anew
    alpha stays Primary, and plant-control does not act until it is started.
    Two acting at once cannot happen.
    May be lost: what plant-control on alpha keeps only in its memory.
    If step 1 fails: it is killed, with everything that it started.
    To go back: start plant-control.
     Ok  plant-control runs, pid 4121
     Notice  it counts for the health of alpha: the health may fall, and another member may take over
    ");
    let mut given_up = others.clone();
    given_up.processes[0].state = status::ProcessState::GivenUp;
    given_up.processes[0].pid = None;
    let start = plan_for(&Action::StartProcess { name: name() }, &primary(), &given_up).expect("it makes sense");
    insta::assert_snapshot!(print(&start), @r"
    plant-control on alpha is started
     1  plant-control is started, about 1 s
    Who acts does not change by this.
    Two acting at once cannot happen.
    May be lost: nothing.
    If step 1 fails: it is tried again, and the health falls.
    To go back: stop plant-control.
     Ok  plant-control is given up
    ");
    let refused = |action: Action, view: &View, others: &Others| plan_for(&action, view, others).expect_err("no");
    assert_eq!(
        refused(Action::StartProcess { name: name() }, &primary(), &others),
        "plant-control runs already. To start it anew: restart plant-control."
    );
    assert_eq!(
        refused(Action::RestartProcess { name: name() }, &secondary(), &site("alpha")),
        "plant-control runs only on the Primary: it is started when beta becomes Primary."
    );
    assert_eq!(
        refused(Action::StopProcess { name: "x".to_owned() }, &primary(), &others),
        "alpha has no required process called \"x\"; it has plant-control, link-probe."
    );
}
