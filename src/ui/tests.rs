//! The screen's claims: views at their sizes in both themes and charsets, the table of keys, and that nothing typed or
//! pasted by accident confirms a plan.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use crate::control::request::{Reply, Request};
use crate::control::status::Status;

use super::dialog::Dialog;
use super::faults::FaultState;
use super::input::{Decoder, Input, Key};
use super::keys::{ACTIONS, BINDINGS, FAULTS, View};
use super::layout;
use super::line::{Charset, Look, Theme};
use super::samples::{self, NOW};
use super::state::{DriverWish, Effects, MayAct, State};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (40, 10)];
const SECOND: Duration = Duration::from_secs(1);

fn drawn(state: &State, now: Duration, (columns, rows): (u16, u16)) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
    layout::draw(state, now, &samples::wall(), &mut buffer);
    buffer
}

fn row(buffer: &Buffer, y: u16) -> String {
    (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect()
}

/// The text, then where it is not plain.
fn shown(buffer: &Buffer) -> String {
    let mut text = String::new();
    let mut styles = String::new();
    for y in 0..buffer.area.height {
        text.push_str(&format!("|{}|\n", row(buffer, y)));
        let mut x = 0;
        while x < buffer.area.width {
            let look = |x: u16| (buffer[(x, y)].fg, buffer[(x, y)].modifier);
            let style = look(x);
            let from = x;
            while x < buffer.area.width && look(x) == style {
                x += 1;
            }
            if style != (Color::Reset, Modifier::empty()) {
                styles.push_str(&format!("{}:{from}-{} {:?} {:?}\n", y + 1, x - 1, style.0, style.1));
            }
        }
    }
    text + &styles
}

fn press(state: &mut State, key: Key, now: Duration) -> Effects {
    let serial = state.serial();
    state.frame_left(serial);
    state.on_key(key, now)
}

fn with_plan(plan: crate::control::plan::Plan) -> State {
    let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    press(&mut state, Key::Char('a'), NOW);
    press(&mut state, Key::Char('t'), NOW + SECOND);
    state.on_reply(Reply::Plan(Box::new(plan)), NOW + SECOND);
    state
}

fn confirms(effects: &Effects) -> bool {
    effects.requests.iter().any(|request| matches!(request, Request::Confirm { .. }))
}

type Sample = (&'static str, fn() -> Status, View);

const VIEWS: &[Sample] = &[
    ("healthy", samples::healthy, View::Overview),
    ("two_primaries", samples::two_primaries, View::Overview),
    ("silent", samples::silent, View::Overview),
    ("three", samples::three, View::Overview),
    ("link", samples::healthy, View::Link),
    ("replies", samples::healthy, View::Replies),
    ("events", samples::healthy, View::Events),
    ("why", samples::healthy, View::Why),
    ("members", samples::three, View::Members),
    ("help", samples::healthy, View::Help),
];

#[test]
fn u8_every_view_at_every_size_in_both_themes_and_charsets() {
    for (name, status, view) in VIEWS {
        for size in SIZES {
            for (theme, theme_name) in [(Theme::Default, "default"), (Theme::Mono, "mono")] {
                for (charset, charset_name) in [(Charset::Utf8, "utf8"), (Charset::Ascii, "ascii")] {
                    let mut state = samples::state(status(), theme, charset);
                    state.view = *view;
                    let text = shown(&drawn(&state, NOW, size));
                    // One picture a view and size; the others differ as their rule says, and are kept for the
                    // drawn screens.
                    let kept = matches!((theme, charset), (Theme::Default, Charset::Utf8)) || *view == View::Overview;
                    if kept {
                        let (columns, rows) = size;
                        insta::assert_snapshot!(format!("{name}_{columns}x{rows}_{theme_name}_{charset_name}"), text);
                    }
                }
            }
        }
    }
}

#[test]
fn u2_a_plan_as_it_is_drawn() {
    for size in SIZES {
        let (columns, rows) = size;
        let state = with_plan(samples::plan());
        insta::assert_snapshot!(format!("plan_{columns}x{rows}"), shown(&drawn(&state, NOW + SECOND, size)));
        let state = with_plan(samples::forced_plan());
        insta::assert_snapshot!(format!("forced_plan_{columns}x{rows}"), shown(&drawn(&state, NOW + SECOND, size)));
    }
    let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    press(&mut state, Key::Char('a'), NOW);
    insta::assert_snapshot!("actions_80x24", shown(&drawn(&state, NOW, (80, 24))));
}

#[test]
fn u3_without_news_nothing_is_claimed() {
    let state = samples::state(samples::two_primaries(), Theme::Default, Charset::Utf8);
    let buffer = drawn(&state, NOW + Duration::from_secs(7), (80, 24));
    assert!(row(&buffer, 0).contains("?? NO NEWS for 7 s"), "{}", row(&buffer, 0));
    assert!(!row(&buffer, 1).contains("PRIMARY"));
    insta::assert_snapshot!("no_news_80x24", shown(&buffer));
}

#[test]
fn u8_rows_one_to_three_never_move_and_nothing_panics_at_any_size() {
    for (_, status, view) in VIEWS {
        let node = status().node;
        for columns in [1, 2, 5, 10, 20, 33, 40, 59, 79, 80, 81, 120, 300] {
            for rows in [1, 2, 3, 4, 5, 6, 7, 10, 24, 100] {
                let mut state = samples::state(status(), Theme::Default, Charset::Utf8);
                state.view = *view;
                let buffer = drawn(&state, NOW, (columns, rows));
                if columns >= 20 {
                    assert!(row(&buffer, 0).contains(&node), "{columns}x{rows}: {}", row(&buffer, 0));
                    let mode = if node == "alpha" { "PRIMARY" } else { "SECONDARY" };
                    assert!(row(&buffer, 0).contains(mode), "{columns}x{rows}: {}", row(&buffer, 0));
                }
                if columns >= 20 && rows >= 5 {
                    assert!(row(&buffer, rows - 2).contains("q leave"), "{}", row(&buffer, rows - 2));
                }
                let state = with_plan(samples::forced_plan());
                let buffer = drawn(&state, NOW + SECOND, (columns, rows));
                if columns >= 40 && rows >= 10 {
                    assert!((0..rows).any(|y| row(&buffer, y).contains("type beta")), "{columns}x{rows}");
                }
            }
        }
    }
}

#[test]
fn u8_no_view_prints_a_glyph_outside_the_allowed_ones() {
    let mut allowed: BTreeSet<char> = (' '..='~').collect();
    for (charset, glyphs) in [(Charset::Utf8, "─■○►┌┐└┘│"), (Charset::Ascii, "")] {
        allowed.extend(glyphs.chars());
        for (name, status, view) in VIEWS {
            let mut status = status();
            status.events[0].text = "заголовок \x1b[2J ☃ ✓".to_owned();
            let mut state = samples::state(status, Theme::Default, charset);
            state.view = *view;
            state.focus = Some(View::Link);
            let buffer = drawn(&state, NOW, (120, 40));
            for cell in buffer.content() {
                assert!(cell.symbol().chars().all(|c| allowed.contains(&c)), "{name}: {:?}", cell.symbol());
            }
        }
        allowed = (' '..='~').collect();
    }
}

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
        let mut state = state.clone();
        press(&mut state, Key::Char('a'), NOW);
        let effects = press(&mut state, Key::Char(action.letter.to_ascii_uppercase()), NOW + SECOND);
        assert_eq!(effects.requests, [Request::Open { action: action.action.clone() }]);
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
        let serial = state.serial();
        state.frame_left(serial);
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
    state.on_reply(Reply::Status(Box::new(status)), NOW + SECOND * 2);
    assert!(matches!(state.dialog, Dialog::Plan(_)));
    state.on_reply(Reply::Status(Box::new(samples::healthy())), NOW + SECOND * 3);
    assert_eq!(state.dialog, Dialog::None);
}

#[test]
fn u2_a_plan_that_comes_after_its_dialog_was_left_does_not_stay_open() {
    let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    let effects = state.on_reply(Reply::Plan(Box::new(samples::plan())), NOW);
    assert_eq!(effects.requests, [Request::Abandon { plan: 47 }]);
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
    assert!(state.on_reply(Reply::Status(Box::new(samples::two_primaries())), NOW).bell);
    assert!(!state.on_reply(Reply::Status(Box::new(samples::two_primaries())), NOW).bell);
    assert!(!state.on_reply(Reply::Status(Box::new(samples::healthy())), NOW).bell);
    assert!(state.on_reply(Reply::Status(Box::new(samples::two_primaries())), NOW).bell);
    assert!(!state.on_reply(Reply::Status(Box::new(samples::silent())), NOW).bell, "a warning does not ring");
}

#[test]
fn u3_leaving_and_suspending_are_the_screens_own_affair() {
    let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    assert_eq!(press(&mut state, Key::Char('q'), NOW).driver, Some(DriverWish::Leave));
    let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    let effects = press(&mut state, Key::Ctrl('z'), NOW);
    assert_eq!((effects.driver, effects.requests.len()), (Some(DriverWish::Suspend), 0));
    assert_eq!(press(&mut state, Key::Ctrl('c'), NOW + SECOND).driver, None, "Ctrl-C only says how to leave");
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
            state.on_reply(Reply::Status(Box::new(samples::healthy())), now);
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
                        Request::Status | Request::Watch { .. } | Request::Abandon { .. } | Request::Seen
                        | Request::Ping { .. } => {}
                    }
                }
            }
            state.on_time(now);
            if frame {
                let buffer = drawn(&state, now, (80, 24));
                prop_assert!(buffer.area.width == 80);
                let serial = state.serial();
                state.frame_left(serial);
            }
        }
    }
}
