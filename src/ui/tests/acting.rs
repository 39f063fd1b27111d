//! Keys and plans: every key is in the table, and nothing typed or pasted by accident confirms a plan (U2, U8).

use proptest::prelude::*;

use super::*;
use crate::control::plan::Plan;
use crate::ui::keys::About;

#[test]
fn u8_every_key_is_in_help_and_does_something() {
    let state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    let mut help = state.clone();
    help.view = View::Help;
    let text = layout::plain(&help, NOW, &samples::wall(), 120);
    for binding in BINDINGS {
        assert!(text.contains(binding.help), "{} is not in help", binding.shown);
        for key in binding.keys {
            // From each of these at least one must move.
            let mut starts = Vec::new();
            for view in [View::Overview, View::Help, View::Link] {
                let mut start = samples::state(samples::two_primaries(), Theme::Default, Charset::Utf8);
                start.view = view;
                start.focus = Some(View::Link);
                start.scroll = 3;
                starts.push(start);
            }
            let moved = starts.into_iter().any(|start| {
                let mut after = start.clone();
                let effects = press(&mut after, *key, NOW);
                let differs = format!("{start:?}") != format!("{after:?}");
                // The pace of typing is always remembered; it is not what the key is for.
                let only_pace = {
                    let mut same = start.clone();
                    press(&mut same, Key::Unknown, NOW);
                    same.remark.is_some() && after.remark == same.remark
                };
                effects != Effects::default() || (differs && !only_pace)
            });
            assert!(moved, "{key:?} does nothing");
        }
    }
    for action in ACTIONS {
        assert!(text.contains(action.help));
        let mut state = samples::state(samples::with_processes(), Theme::Default, Charset::Utf8);
        press(&mut state, Key::Char('a'), NOW);
        let effects = press(&mut state, Key::Char(action.letter.to_ascii_uppercase()), NOW + SECOND);
        let about = match action.wish.about() {
            About::Process => "plant-control",
            About::Member | About::ThisMember => "alpha",
        };
        assert_eq!(effects.requests, [Request::Open { action: action.wish.action(about.to_owned()) }]);
    }
    for fault in FAULTS {
        let faults = FaultState::of(vec!["beta".to_owned()]);
        let look = Look { theme: Theme::Default, charset: Charset::Utf8 };
        let mut state = State::new(look, MayAct::AsAllowed, Some(faults));
        press(&mut state, Key::Char('f'), NOW);
        let effects = press(&mut state, Key::Char(fault.letter), NOW + SECOND);
        assert_eq!(effects.fault, Some((fault.fault, 0)));
    }
}

#[test]
fn u2_a_plan_is_confirmed_by_its_number_and_enter_only() {
    let at = |tenth: u32| NOW + SECOND * 2 + SECOND / 10 * tenth;
    let mut state = with_plan(samples::plan());
    assert!(!confirms(&press(&mut state, Key::Enter, at(0))), "Enter alone");
    assert!(matches!(state.dialog, Dialog::Plan(_)));
    press(&mut state, Key::Char('4'), at(1));
    press(&mut state, Key::Char('8'), at(2));
    assert!(!confirms(&press(&mut state, Key::Enter, at(3))), "a wrong number");
    press(&mut state, Key::Char('4'), at(4));
    press(&mut state, Key::Char('7'), at(5));
    let effects = press(&mut state, Key::Enter, at(6));
    assert_eq!(effects.requests, [Request::Confirm { plan: 47, force: None }]);
    assert_eq!(state.dialog, Dialog::None);
}

#[test]
fn u2_a_failing_plan_is_forced_by_the_typed_name_only() {
    let mut state = with_plan(samples::forced_plan());
    let type_in = |state: &mut State, text: &str, from: Duration| {
        for (at, letter) in (0..).zip(text.chars()) {
            press(state, Key::Char(letter), from + SECOND / 10 * at);
        }
        press(state, Key::Enter, from + SECOND)
    };
    assert!(!confirms(&type_in(&mut state, "47", NOW + SECOND * 2)));
    let effects = type_in(&mut state, "beta", NOW + SECOND * 4);
    assert_eq!(effects.requests, [Request::Confirm { plan: 47, force: Some("beta".to_owned()) }]);
}

#[test]
fn u8_pasted_text_and_any_other_key_close_a_plan_and_do_nothing() {
    for input in [Input::Paste, Input::Key(Key::Char('q')), Input::Key(Key::Esc), Input::Key(Key::Ctrl('c'))] {
        let mut state = with_plan(samples::plan());
        look(&mut state);
        let effects = state.on_input(input, NOW + SECOND * 2);
        assert_eq!(effects.requests, [Request::Abandon { plan: 47 }], "{input:?}");
        assert_eq!(effects.driver, None);
    }
    let mut state = with_plan(samples::plan());
    press(&mut state, Key::Char('4'), NOW + SECOND * 2);
    let effects = press(&mut state, Key::Char('7'), NOW + SECOND * 2 + Duration::from_millis(2));
    assert_eq!(effects.requests, [Request::Abandon { plan: 47 }], "no hand types that fast");
}

#[test]
fn u8_type_ahead_does_not_reach_a_dialog() {
    let mut state = with_plan(samples::plan());
    for (at, key) in (0..).zip([Key::Char('4'), Key::Char('7'), Key::Enter]) {
        assert_eq!(state.on_key(key, NOW + SECOND * 2 + SECOND * at), Effects::default());
    }
    let Dialog::Plan(open) = &state.dialog else { panic!("the plan is closed") };
    assert!(open.typed.is_empty());
}

#[test]
fn u2_a_plan_ends_with_its_time_with_the_news_and_when_the_engine_ends_it() {
    let mut state = with_plan(samples::plan());
    let effects = state.on_time(NOW + SECOND * 5);
    assert!(effects.requests.contains(&Request::Abandon { plan: 47 }), "no news");
    assert_eq!(state.dialog, Dialog::None);

    let mut state = with_plan(samples::plan());
    let mut status = samples::healthy();
    status.plan = Some(samples::plan());
    state.on_reply(Reply::Status(std::sync::Arc::new(status)), NOW + SECOND * 2);
    assert!(matches!(state.dialog, Dialog::Plan(_)));
    state.on_reply(Reply::Status(std::sync::Arc::new(samples::healthy())), NOW + SECOND * 3);
    assert_eq!(state.dialog, Dialog::None);
}

#[test]
fn u2_a_plan_that_comes_after_its_dialog_was_left_does_not_stay_open() {
    let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    let effects = state.on_reply(Reply::Plan(Box::new(samples::plan())), NOW);
    assert_eq!(effects.requests, [Request::Abandon { plan: 47 }]);
}

#[test]
fn u2_a_plan_that_is_open_elsewhere_is_shown_with_who_holds_it_and_nothing_else_is_offered() {
    let bar = |status: Status| {
        let state = samples::state(status, Theme::Default, Charset::Utf8);
        let buffer = drawn(&state, NOW, (80, 24));
        (row(&buffer, 3), row(&buffer, 23).trim_end().to_owned())
    };
    let (panel, keys) = bar(samples::silent_path());
    assert!(panel.contains("Plan 12: alpha hands over to beta") && panel.contains("open on alpha"), "{panel}");
    assert_eq!(keys, " a act: plan 12 on alpha is open, wait for it");
    let mut here = samples::healthy();
    here.plan = Some(Plan { by: "ops-2".to_owned(), ..samples::plan() });
    let (panel, keys) = bar(here);
    assert!(panel.contains("Plan 47: beta takes over from alpha") && panel.contains("opened by ops-2"), "{panel}");
    assert_eq!(keys, " a act: plan 47 of ops-2 is open, to confirm or to leave");
}

/// A screen that looks at a plan which another has opened.
fn looking_at_anothers() -> State {
    let mut status = samples::healthy();
    status.plan = Some(Plan { by: "ops-2".to_owned(), ..samples::plan() });
    let mut state = samples::state(status, Theme::Default, Charset::Utf8);
    assert_eq!(press(&mut state, Key::Char('a'), NOW), Effects::default());
    assert!(matches!(state.dialog, Dialog::Plan(_)), "the plan, and no menu");
    state
}

#[test]
fn u2_any_operating_screen_confirms_the_plan_of_another() {
    let mut state = looking_at_anothers();
    let shown = text(&drawn(&state, NOW, (80, 24)));
    assert!(shown.contains("Opened by ops-2") && shown.contains("Ctrl-C closes it for everybody"), "{shown}");
    press(&mut state, Key::Char('4'), NOW + SECOND);
    press(&mut state, Key::Char('7'), NOW + SECOND * 2);
    let effects = press(&mut state, Key::Enter, NOW + SECOND * 3);
    assert_eq!(effects.requests, [Request::Confirm { plan: 47, force: None }]);
}

#[test]
fn u2_looking_away_from_the_plan_of_another_leaves_it_open() {
    for input in [Input::Paste, Input::Key(Key::Char('q')), Input::Key(Key::Esc)] {
        let mut state = looking_at_anothers();
        look(&mut state);
        assert_eq!(state.on_input(input, NOW + SECOND), Effects::default(), "{input:?}");
        assert_eq!(state.dialog, Dialog::None);
    }
    let mut state = looking_at_anothers();
    assert_eq!(
        state.on_time(NOW + SECOND * 5).requests,
        [Request::Status],
        "without news nothing is closed for others"
    );
    let mut state = looking_at_anothers();
    assert_eq!(press(&mut state, Key::Ctrl('c'), NOW + SECOND).requests, [Request::Abandon { plan: 47 }]);
}

#[test]
fn u2_who_has_a_plan_open_is_told_what_another_did_with_it() {
    let mut state = with_plan(samples::plan());
    let mut status = samples::healthy();
    status.plan = Some(samples::plan());
    state.on_reply(Reply::Status(std::sync::Arc::new(status)), NOW + SECOND * 2);
    let mut status = samples::healthy();
    status.events[0].text = "ops-2: plan 47: take over: confirmed by hand".to_owned();
    state.on_reply(Reply::Status(std::sync::Arc::new(status)), NOW + SECOND * 3);
    assert_eq!(state.dialog, Dialog::None);
    let shown = text(&drawn(&state, NOW + SECOND * 3, (80, 24)));
    assert!(shown.contains("plan 47 is over. ops-2: plan 47: take over: confirmed by hand"), "{shown}");
    let mut state = with_plan(samples::plan());
    let mut status = samples::healthy();
    status.plan = Some(samples::plan());
    state.on_reply(Reply::Status(std::sync::Arc::new(status.clone())), NOW + SECOND * 2);
    status.plan = None;
    status.events[0].text = "beta: plan 47 has ended: a line changed for the worse: alpha is silent".to_owned();
    state.on_reply(Reply::Status(std::sync::Arc::new(status)), NOW + SECOND * 3);
    let shown = text(&drawn(&state, NOW + SECOND * 3, (80, 24)));
    assert!(shown.contains(" plan 47 has ended: a line changed for the worse: alpha is silent"), "{shown}");
}

#[test]
fn u2_a_read_only_screen_does_not_act() {
    let look = Look { theme: Theme::Default, charset: Charset::Utf8 };
    let mut state = State::new(look, MayAct::Never, None);
    state.on_reply(Reply::Hello(samples::hello()), NOW);
    press(&mut state, Key::Char('a'), NOW);
    assert_eq!(state.dialog, Dialog::None);
    let text = shown(&drawn(&state, NOW, (80, 24)));
    assert!(text.contains("read-only"), "{text}");
}

#[test]
fn u8_a_key_without_a_meaning_says_so() {
    let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    press(&mut state, Key::Char('л'), NOW);
    let buffer = drawn(&state, NOW, (80, 24));
    assert!(row(&buffer, 21).contains("л does nothing here: keyboard layout?"), "{}", row(&buffer, 21));
}

#[test]
fn u13_one_bell_at_a_new_alarm() {
    let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    assert!(state.on_reply(Reply::Status(std::sync::Arc::new(samples::two_primaries())), NOW).bell);
    assert!(!state.on_reply(Reply::Status(std::sync::Arc::new(samples::two_primaries())), NOW).bell);
    assert!(!state.on_reply(Reply::Status(std::sync::Arc::new(samples::healthy())), NOW).bell);
    assert!(state.on_reply(Reply::Status(std::sync::Arc::new(samples::two_primaries())), NOW).bell);
    assert!(
        !state.on_reply(Reply::Status(std::sync::Arc::new(samples::silent())), NOW).bell,
        "a warning does not ring"
    );
}

#[test]
fn u3_leaving_and_suspending_are_the_screens_own_affair() {
    let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    assert_eq!(press(&mut state, Key::Char('q'), NOW).driver, Some(DriverWish::Leave));
    let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    let effects = press(&mut state, Key::Ctrl('z'), NOW);
    assert_eq!((effects.driver, effects.requests.len()), (Some(DriverWish::Suspend), 0));
    assert_eq!(press(&mut state, Key::Ctrl('c'), NOW + SECOND).driver, None, "Ctrl-C only says how to leave");
    let faults = FaultState::of(vec!["beta".to_owned()]);
    let mut demo = State::new(state.look, MayAct::AsAllowed, Some(faults));
    assert_eq!(
        press(&mut demo, Key::Ctrl('z'), NOW).driver,
        Some(DriverWish::Suspend),
        "the demo too: it has a stand-in"
    );
}

#[test]
fn u2_a_sent_plan_is_spoken_of_until_its_outcome_is_known_and_never_guessed() {
    let mut state = with_plan(samples::plan());
    for (tenth, key) in (20..).zip([Key::Char('4'), Key::Char('7'), Key::Enter]) {
        press(&mut state, key, NOW + SECOND / 10 * tenth);
    }
    let later = NOW + SECOND * 6;
    let said = |state: &State| row(&drawn(state, later, (80, 24)), 21).trim_end().to_owned();
    state.on_reply(Reply::Status(std::sync::Arc::new(samples::healthy())), later);
    assert_eq!(said(&state), " plan 47 sent 03:12:40; not known yet what comes of it, 3 s");
    let mut taking = samples::healthy();
    taking.transition = Some(crate::control::status::Transition {
        to: crate::control::status::Mode::Primary,
        waiting_for: "alpha to stop".to_owned(),
        since_ms: 3000,
    });
    state.on_reply(Reply::Status(std::sync::Arc::new(taking)), later);
    assert_eq!(said(&state), " plan 47 sent 03:12:40; beta still waits for alpha to stop, 3 s");
    let outcome = |outcome| Reply::Outcome(outcome);
    state.on_reply(outcome(Outcome::NotKnownYet { text: "alpha has not answered".to_owned() }), later);
    assert_eq!(said(&state), " plan 47 sent 03:12:40; alpha has not answered, 3 s");
    state.on_reply(outcome(Outcome::Done { text: "beta is Primary, term 8".to_owned() }), later);
    assert_eq!(said(&state), " done: beta is Primary, term 8");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Random bytes, in random chunks with random gaps: nothing panics, and a plan is confirmed only by a run of keys
    /// "4", "7", Enter that came after its frame had left, each by hand.
    #[test]
    fn u8_nothing_typed_by_accident_confirms_a_plan(
        chunks in prop::collection::vec((prop::collection::vec(prop_oneof![
            3 => prop::sample::select(b"47\rat\x1b[O~200q".to_vec()), 1 => any::<u8>()
        ], 1..6), 0u64..400, any::<bool>()), 0..60)
    ) {
        let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
        let mut decoder = Decoder::default();
        let mut now = NOW;
        let mut typed = Vec::new();
        for (bytes, gap, frame) in chunks {
            now += Duration::from_millis(gap);
            state.on_reply(Reply::Status(std::sync::Arc::new(samples::healthy())), now);
            let mut inputs = decoder.expire(now);
            inputs.extend(decoder.feed(&bytes, now));
            for input in inputs {
                let heard = matches!(state.dialog, Dialog::Plan(_));
                let effects = state.on_input(input, now);
                if heard && frame { typed.push(input) } else { typed.clear() }
                for request in effects.requests {
                    match request {
                        Request::Open { .. } => {
                            state.on_reply(Reply::Plan(Box::new(samples::plan())), now);
                            typed.clear();
                        }
                        Request::Confirm { plan, .. } => {
                            prop_assert_eq!(plan, 47);
                            let tail: Vec<Input> = typed.iter().rev().take(3).rev().copied().collect();
                            prop_assert_eq!(
                                tail,
                                vec![Input::Key(Key::Char('4')), Input::Key(Key::Char('7')), Input::Key(Key::Enter)]
                            );
                        }
                        Request::Status | Request::Watch { .. } | Request::Abandon { .. } | Request::Seen | Request::Reload
                        | Request::FencePreview { .. }
                        | Request::Ping { .. } => {}
                    }
                }
            }
            state.on_time(now);
            if frame {
                let buffer = look_at(&mut state, now, (80, 24));
                prop_assert!(buffer.area.width == 80);
            }
        }
    }
}

fn type_in(state: &mut State, text: &str, from: Duration, size: (u16, u16)) -> Effects {
    for (at, letter) in (0..).zip(text.chars()) {
        look_at(state, from, size);
        state.on_key(Key::Char(letter), from + SECOND / 10 * at);
    }
    look_at(state, from, size);
    state.on_key(Key::Enter, from + SECOND)
}

#[test]
fn u2_a_plan_that_no_line_of_has_room_is_not_confirmed() {
    let size = (20, 5);
    let mut state = with_plan(samples::plan());
    assert!(!confirms(&type_in(&mut state, "47", NOW + SECOND * 2, size)), "nothing of it was shown");
    let shown = text(&drawn(&state, NOW, size));
    assert!(shown.contains("larger: 40x"), "{shown}");
    let mut state = with_plan(samples::plan());
    assert!(!confirms(&type_in(&mut state, "47", NOW + SECOND * 2, (40, 5))));
    let shown = text(&drawn(&state, NOW, (40, 5)));
    assert!(shown.contains("make the window larger: 40x"), "{shown}");
    // What was typed stays; on a screen that shows all of it, Enter is enough.
    look(&mut state);
    assert!(confirms(&state.on_key(Key::Enter, NOW + SECOND * 4)));
}

#[test]
fn u2_a_plan_is_read_line_by_line_on_a_small_screen_before_it_is_confirmed() {
    for (plan, typed) in [(samples::plan(), "47"), (samples::forced_plan(), "beta")] {
        for size in [(20, 6), (40, 6), (40, 10)] {
            let mut state = with_plan(plan.clone());
            assert!(!confirms(&type_in(&mut state, typed, NOW + SECOND * 2, size)), "{size:?}");
            let shown = text(&drawn(&state, NOW, size));
            assert!(shown.contains("read it to its end"), "{shown}");
            let mut seen = String::new();
            for step in 0..200 {
                let buffer = look_at(&mut state, NOW + SECOND * 3, size);
                seen += &text(&buffer);
                if let Dialog::Plan(open) = &state.dialog
                    && open.reading.whole()
                {
                    break;
                }
                assert_eq!(state.on_key(Key::Down, NOW + SECOND * 3), Effects::default(), "line {step}");
            }
            let words = seen.replace(['|', '\n'], " ");
            let words: Vec<&str> = words.split_whitespace().collect();
            let said = plan.steps.iter().chain([&plan.two_acting]).chain(&plan.risk);
            for word in said.flat_map(|text| text.split_whitespace()) {
                assert!(words.contains(&word), "{word:?} was not shown on {size:?}");
            }
            assert!(confirms(&state.on_key(Key::Enter, NOW + SECOND * 4)), "{size:?}");
        }
    }
}

#[test]
fn u2_a_plan_whose_risk_changes_while_it_is_read_is_read_anew() {
    let mut state = with_plan(samples::plan());
    look(&mut state);
    let mut status = samples::healthy();
    let mut plan = samples::plan();
    plan.two_acting = "Two could act at once: gamma is not heard and may act.".to_owned();
    status.plan = Some(plan);
    state.on_reply(Reply::Status(std::sync::Arc::new(status)), NOW + SECOND * 2);
    let Dialog::Plan(open) = &state.dialog else { panic!("the plan is closed") };
    assert!(!open.reading.whole());
    assert!(confirms(&type_in(&mut state, "47", NOW + SECOND * 3, (80, 24))), "shown, it can be confirmed");
}

#[test]
fn u2_an_outcome_begins_with_its_beginning_where_one_row_is_left() {
    let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    let text_of_it = "beta is Primary, term 8, after 1234 ms".to_owned();
    state.on_reply(Reply::Outcome(Outcome::Done { text: text_of_it }), NOW);
    let shown = text(&drawn(&state, NOW, (40, 6)));
    assert!(shown.contains("done: beta is Primary"), "{shown}");
}
