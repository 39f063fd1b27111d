//! The commands that act, against a real socket with a node behind it that is only a desk.

use super::*;
use crate::control::examples::{primary, secondary, with_gone};
use crate::control::fake_node::{self, Served};
use crate::negotiation::view::{Gone, View};

/// Nobody types anything; an empty text is Ctrl-D.
const NOTHING: &str = "(nothing)";

/// What came of a command.
struct Ran {
    exit: Exit,
    out: String,
    errors: String,
    done: Vec<String>,
}

fn run_on(view: View, action: Action, consent: Consent, console: Console, typed: &str) -> Ran {
    let mut served: Served = fake_node::serve(view);
    let mut client = Client::open(&served.path).expect("it is served");
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let typed_within = |_: Duration| typed != NOTHING;
    let streams = Streams {
        console,
        typed_within: &typed_within,
        input: &mut typed.as_bytes(),
        out: &mut out,
        errors: &mut errors,
    };
    let exit = act(&mut client, action, consent, streams).expect("it can ask");
    drop(client);
    let mut done = Vec::new();
    while let Ok(line) = served.done.try_recv() {
        done.push(line);
    }
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran { exit, out: text(out), errors: text(errors), done }
}

fn failing() -> View {
    let mut view = with_gone(secondary(), Gone::Silent);
    view.take_over[0].ok = false;
    view.take_over[0].text = "alpha does not answer".to_owned();
    view
}

#[test]
fn u2_on_a_terminal_the_plan_is_printed_and_its_number_asked_for() {
    let ran = run_on(secondary(), Action::TakeOver, Consent::Ask, Console::Terminal, "47\n");
    assert_eq!(ran.exit, Exit::Done);
    insta::assert_snapshot!(ran.out, @r#"
        Plan 47: beta takes over from alpha
        What happens
         1  alpha is asked to stop, and hands the role over
         2  beta becomes Primary, term 8
        Nobody acts for a moment, well below 1 s.  Two acting at once cannot happen.
        May be lost: what programs on alpha keep only in their memory.
        If step 1 fails: alpha goes on acting, beta stays Secondary.
        To go back: the same plan from alpha. Nothing goes back by itself.
        What it rests on
         ok  alpha answers, 0.4 s ago, and agrees
         ok  beta is fit, health 0.98
        Nothing has happened yet. It ends in 120 s, or when a line here worsens.
        To do it, type the plan's number and Enter: beta is Primary, term 8, after 12 ms
        "#);
    assert_eq!(ran.done, ["confirmed Ok(Confirmed { action: TakeOver, forced: No })"]);
}

#[test]
fn u2_enter_alone_a_wrong_number_or_the_end_of_input_do_nothing() {
    for typed in ["\n", "46\n", "yes\n", ""] {
        let ran = run_on(secondary(), Action::TakeOver, Consent::Ask, Console::Terminal, typed);
        assert_eq!(ran.exit, Exit::Failed);
        assert!(ran.errors.contains("nothing has been done"), "{}", ran.errors);
        assert_eq!(ran.done, ["abandoned 47"]);
    }
}

#[test]
fn u7_without_a_terminal_it_needs_yes() {
    for consent in [Consent::Ask, Consent::Force] {
        let ran = run_on(secondary(), Action::TakeOver, consent, Console::Script, "47\n");
        assert_eq!((ran.exit, ran.done.len()), (Exit::Failed, 0));
        assert!(ran.errors.contains("add --yes"), "{}", ran.errors);
    }
    let ran = run_on(secondary(), Action::TakeOver, Consent::Yes, Console::Script, "");
    assert_eq!(ran.exit, Exit::Done);
    assert_eq!(ran.out, "beta is Primary, term 8, after 12 ms\n");
}

#[test]
fn u2_a_failing_line_refuses_yes_too() {
    for (consent, console) in [(Consent::Yes, Console::Script), (Consent::Ask, Console::Terminal)] {
        let ran = run_on(failing(), Action::TakeOver, consent, console, "47\n");
        assert_eq!(ran.exit, Exit::Failed);
        assert!(ran.errors.contains(" NO  alpha does not answer"), "{}", ran.errors);
        assert_eq!(ran.done, ["abandoned 47"]);
    }
}

#[test]
fn u2_force_needs_the_name_on_a_terminal_and_yes_without_one() {
    let forced = ["confirmed Ok(Confirmed { action: TakeOver, forced: Yes })"];
    let ran = run_on(failing(), Action::TakeOver, Consent::YesForce, Console::Script, "");
    assert_eq!((ran.exit, ran.done), (Exit::Done, forced.map(str::to_owned).to_vec()));
    assert!(ran.errors.contains("Two could act at once: alpha is not heard and may act."), "{}", ran.errors);
    let ran = run_on(failing(), Action::TakeOver, Consent::Force, Console::Terminal, "beta\n");
    assert_eq!((ran.exit, ran.done), (Exit::Done, forced.map(str::to_owned).to_vec()));
    assert!(ran.errors.contains("At risk:"), "{}", ran.errors);
    for typed in ["47\n", "alpha\n", "\n"] {
        let ran = run_on(failing(), Action::TakeOver, Consent::YesForce, Console::Terminal, typed);
        assert_eq!((ran.exit, ran.done), (Exit::Failed, vec!["abandoned 47".to_owned()]));
    }
}

#[test]
fn s7_hold_and_resume_never_ask() {
    let ran = run_on(primary(), Action::Hold { for_ms: 60_000 }, Consent::NeverAsks, Console::Script, "");
    assert_eq!(ran.exit, Exit::Done);
    let ran = run_on(primary(), Action::Resume, Consent::NeverAsks, Console::Terminal, "");
    assert_eq!(ran.exit, Exit::Failed);
    assert!(ran.errors.contains("not held"), "{}", ran.errors);
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let ran = run_on(primary(), Action::TakeOver, Consent::Yes, Console::Script, "");
    assert_eq!(ran.exit, Exit::Failed);
    assert_eq!(ran.errors, "tandem: alpha is Primary already, term 7\n");
}

#[test]
fn p1_restart_stop_and_start_do_not_ask_and_need_no_terminal() {
    let name = || "link-probe".to_owned();
    for action in [Action::RestartProcess { name: name() }, Action::StopProcess { name: name() }] {
        for console in [Console::Terminal, Console::Script] {
            let ran = run_on(secondary(), action.clone(), Consent::NeverAsks, console, "");
            assert_eq!((ran.exit, ran.done.len()), (Exit::Done, 1), "{action:?}: {}", ran.errors);
        }
    }
    let ran = run_on(secondary(), Action::StartProcess { name: name() }, Consent::NeverAsks, Console::Script, "");
    assert_eq!(ran.exit, Exit::Failed);
    assert!(ran.errors.contains("link-probe runs already"), "{}", ran.errors);
}

#[test]
fn s2_fence_asks_for_the_plans_number_and_is_off_is_a_plan_of_its_own() {
    let fence = || Action::Fence { peer: "alpha".to_owned() };
    let ran = run_on(secondary(), fence(), Consent::Ask, Console::Terminal, "47\n");
    assert_eq!(ran.exit, Exit::Done, "{}", ran.errors);
    assert!(ran.out.contains("fence_ipmilan switches alpha off"), "{}", ran.out);
    let ran = run_on(secondary(), fence(), Consent::Ask, Console::Script, "");
    assert_eq!((ran.exit, ran.done.len()), (Exit::Failed, 0), "nobody was asked, so nothing is done");
    let is_off = || Action::IsOff { peer: "alpha".to_owned() };
    let ran = run_on(with_gone(secondary(), Gone::Silent), is_off(), Consent::Yes, Console::Script, "");
    assert_eq!(ran.exit, Exit::Done, "{}", ran.errors);
    let ran = run_on(secondary(), is_off(), Consent::Yes, Console::Script, "");
    assert_eq!(ran.exit, Exit::Failed);
    assert!(ran.errors.contains("alpha is heard, just now: it is not off"), "{}", ran.errors);
}

/// The question once stood for ever, although the plan had long ended.
#[test]
fn u2_a_question_ends_with_its_plan() {
    let ran = run_on(secondary(), Action::TakeOver, Consent::Ask, Console::Terminal, NOTHING);
    assert_eq!(ran.exit, Exit::Failed);
    assert!(ran.errors.contains("plan 47 has ended: its time ran out; nothing has been done"), "{}", ran.errors);
    assert!(!ran.done.iter().any(|line| line.contains("confirmed Ok")), "{:?}", ran.done);
}
