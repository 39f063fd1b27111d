//! The screen's claims: views at their sizes in both themes and charsets, what they say, and that no foreign text gets
//! through them.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use crate::control::request::{Outcome, Reply, Request};
use crate::control::status::Status;
use crate::control::words as said;

use super::dialog::Dialog;
use super::faults::FaultState;
use super::input::{Decoder, Input, Key};
use super::keys::{ACTIONS, BINDINGS, FAULTS, View};
use super::layout;
use super::line::{Charset, Look, Theme};
use super::options::Connection;
use super::samples::{self, NOW};
use super::state::{DriverWish, Effects, MayAct, State};

const SIZES: [(u16, u16); 4] = [(80, 24), (120, 40), (40, 10), (200, 60)];
const SECOND: Duration = Duration::from_secs(1);

fn drawn(state: &State, now: Duration, (columns, rows): (u16, u16)) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
    layout::draw(state, now, &samples::wall(), &mut buffer);
    buffer
}

fn row(buffer: &Buffer, y: u16) -> String {
    (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect()
}

/// Its rows, without the blanks at their ends.
fn text(buffer: &Buffer) -> String {
    (0..buffer.area.height).map(|y| format!("|{}\n", row(buffer, y).trim_end())).collect()
}

/// Where it is not plain: row, columns, colour and weight.
fn styles(buffer: &Buffer) -> String {
    let mut styles = String::new();
    for y in 0..buffer.area.height {
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
    styles
}

/// The text, then where it is not plain.
fn shown(buffer: &Buffer) -> String {
    text(buffer) + &styles(buffer)
}

/// A frame of this size leaves for the terminal.
fn look_at(state: &mut State, now: Duration, (columns, rows): (u16, u16)) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
    let drawn = layout::draw(state, now, &samples::wall(), &mut buffer);
    state.frame_left(state.in_frame(drawn.plan));
    buffer
}

fn look(state: &mut State) {
    look_at(state, NOW, (80, 24));
}

fn press(state: &mut State, key: Key, now: Duration) -> Effects {
    look(state);
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

mod acting;
mod foreign;
mod moving;

type Sample = (&'static str, fn() -> Status, View);

const VIEWS: &[Sample] = &[
    ("healthy", samples::healthy, View::Overview),
    ("two_primaries", samples::two_primaries, View::Overview),
    ("two_acted", samples::two_acted, View::Overview),
    ("two_acted_then_silent", samples::two_acted_then_silent, View::Overview),
    ("silent", samples::silent, View::Overview),
    ("silent_path", samples::silent_path, View::Overview),
    ("three", samples::three, View::Overview),
    ("with_processes", samples::with_processes, View::Overview),
    ("unwell", samples::unwell, View::Overview),
    ("fencing_failed", samples::fencing_failed, View::Overview),
    ("health", samples::unwell, View::Health),
    ("processes", samples::unwell, View::Processes),
    ("output", samples::unwell, View::Output),
    ("fencing", samples::fencing_failed, View::Fencing),
    ("to_do", samples::silent, View::ToDo),
    ("forecast", samples::healthy, View::Forecast),
    ("plan_elsewhere", samples::silent_path, View::Plan),
    ("story", samples::two_acted, View::Story),
    ("both", samples::two_acted, View::Both),
    ("link", samples::silent_path, View::Link),
    ("replies", samples::healthy, View::Replies),
    ("events", samples::two_acted, View::Events),
    ("why", samples::two_acted, View::Why),
    ("differences", samples::two_acted, View::Differences),
    ("members", samples::three, View::Members),
    ("help", samples::healthy, View::Help),
];

/// What ASCII shows in the place of a glyph.
fn in_ascii(text: &str) -> String {
    let stand_in = |glyph: char| match glyph {
        '─' => '-',
        '■' => '#',
        '○' => 'o',
        '►' => '>',
        '┌' | '┐' | '└' | '┘' => '+',
        '│' => '|',
        plain => plain,
    };
    text.chars().map(stand_in).collect()
}

/// One file a view: at each size the text once, and what each theme makes of it. ASCII differs by its glyphs only, so
/// it is compared and not kept.
#[test]
fn u8_every_view_at_every_size_in_both_themes_and_charsets() {
    for (name, status, view) in VIEWS {
        let mut kept = String::new();
        for size in SIZES {
            let drawn_in = |theme, charset| {
                let mut state = samples::state(status(), theme, charset);
                state.view = *view;
                drawn(&state, NOW, size)
            };
            let default = drawn_in(Theme::Default, Charset::Utf8);
            let mono = drawn_in(Theme::Mono, Charset::Utf8);
            assert_eq!(text(&default), text(&mono), "a theme is no other text");
            for (utf8, theme) in [(&default, Theme::Default), (&mono, Theme::Mono)] {
                let ascii = drawn_in(theme, Charset::Ascii);
                assert_eq!((in_ascii(&text(utf8)), styles(utf8)), (text(&ascii), styles(&ascii)), "{name} {size:?}");
            }
            let (columns, rows) = size;
            kept += &format!("{columns} x {rows}\n{}default\n{}", text(&default), styles(&default));
            kept += &format!("mono\n{}\n", styles(&mono));
        }
        insta::assert_snapshot!(*name, kept);
    }
}

#[test]
fn u8_only_red_and_yellow_are_used_and_no_background_so_that_a_light_terminal_reads_as_well() {
    for (name, status, view) in VIEWS {
        for size in SIZES {
            let mut state = samples::state(status(), Theme::Default, Charset::Utf8);
            state.view = *view;
            for cell in drawn(&state, NOW, size).content() {
                assert!(matches!(cell.fg, Color::Reset | Color::Red | Color::Yellow), "{name}: {:?}", cell.fg);
                assert_eq!(cell.bg, Color::Reset, "{name}");
                assert!(!cell.modifier.contains(Modifier::DIM | Modifier::SLOW_BLINK), "{name}");
                // Yellow on white cannot be read without its weight.
                assert!(cell.fg == Color::Reset || cell.modifier.contains(Modifier::BOLD), "{name}");
            }
        }
    }
}

#[test]
fn u8_a_line_that_does_not_fit_says_that_it_goes_on() {
    let mut status = samples::healthy();
    status.events[0].text =
        "a sentence that is longer than a line of eighty columns can hold by a few words".to_owned();
    let why = "no answer to 133 calls, 1 a second, and some more words that do not fit into a row of the link panel";
    for link in &mut status.links {
        link.state = crate::control::status::LinkState::Down;
        link.why = Some(why.to_owned());
    }
    for charset in [Charset::Utf8, Charset::Ascii] {
        let state = samples::state(status.clone(), Theme::Default, charset);
        let shown = text(&drawn(&state, NOW, (80, 24)));
        let cut: Vec<&str> = shown.lines().filter(|line| line.ends_with("...")).collect();
        assert_eq!(cut.len(), 3, "two paths and an event:\n{shown}");
        let wide = text(&drawn(&state, NOW, (200, 60)));
        assert!(wide.contains("of the link panel") && !wide.contains("..."), "{wide}");
    }
    let mut state = samples::state(status, Theme::Default, Charset::Utf8);
    state.view = View::Link;
    assert!(text(&drawn(&state, NOW, (80, 24))).contains("panel"), "selected, it is told whole");
}

#[test]
fn u8_a_long_remark_is_told_whole() {
    let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    let why = "plan 47 (beta takes over from alpha) of ops-2 is open: confirm it or leave it first; it ends by itself";
    state.on_reply(Reply::Refused { why: why.to_owned() }, NOW);
    let shown = text(&drawn(&state, NOW, (80, 24)));
    assert!(shown.contains("refused: plan 47") && shown.contains("by itself"), "{shown}");
}

#[test]
fn u9_the_lesson_is_told_whole_on_a_narrow_screen() {
    for size in [(40, 10), (40, 24), (80, 24)] {
        let look = Look { theme: Theme::Default, charset: Charset::Utf8 };
        let mut state = State::new(look, MayAct::AsAllowed, Some(FaultState::of(vec!["alpha".to_owned()])));
        state.on_reply(Reply::Hello(samples::hello()), NOW);
        state.on_reply(Reply::Status(std::sync::Arc::new(samples::healthy())), NOW);
        let buffer = drawn(&state, NOW, size);
        let shown: Vec<String> = (0..size.1).map(|y| row(&buffer, y).trim().to_owned()).collect();
        let lesson = "Next: f, c: alpha crashes; watch rows 1 to 3";
        assert!(shown.join(" ").contains(lesson), "{size:?}: {shown:?}");
    }
}

#[test]
fn u8_a_small_screen_shows_every_letter_of_a_menu() {
    let look = Look { theme: Theme::Default, charset: Charset::Utf8 };
    for (key, faults) in [('a', ""), ('f', "cztrlsmkdgeh")] {
        let mut state = State::new(look, MayAct::AsAllowed, Some(FaultState::of(vec!["alpha".to_owned()])));
        state.on_reply(Reply::Hello(samples::hello()), NOW);
        state.on_reply(Reply::Status(std::sync::Arc::new(samples::healthy())), NOW);
        press(&mut state, Key::Char(key), NOW);
        let shown = text(&drawn(&state, NOW, (40, 10)));
        let offered = ACTIONS.iter().filter(|action| faults.is_empty() && state.makes_sense(action.wish));
        let letters: Vec<char> = offered.map(|action| action.letter).chain(faults.chars()).collect();
        assert!(letters.len() >= 5, "{letters:?}");
        for letter in letters {
            assert!(shown.contains(&format!("  {letter} ")), "{letter}: {shown}");
        }
        assert!(shown.contains("any other key closes this\n"), "{shown}");
    }
}

#[test]
fn u1_the_history_of_round_trips_is_shown_where_there_is_room() {
    let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    for (second, rtt) in (1..).zip([100, 210, 105, 210]) {
        let mut status = samples::healthy();
        status.links[0].rtt_us = Some(rtt);
        state.on_reply(Reply::Status(std::sync::Arc::new(status)), NOW + SECOND * 10 * second);
    }
    let row = "worst of each 10 s, 9 is 0.21 ms: 94949";
    let explained = "round trips, the worst of each 10 s; 9 is 0.21 ms, . is down: 94949";
    assert!(text(&drawn(&state, NOW + SECOND * 40, (120, 40))).contains(row));
    assert!(!text(&drawn(&state, NOW + SECOND * 40, (80, 24))).contains(row));
    press(&mut state, Key::Char('2'), NOW + SECOND * 40);
    assert!(text(&drawn(&state, NOW + SECOND * 40, (80, 24))).contains(explained));
}

#[test]
fn h1_the_history_of_the_scores_is_shown_where_there_is_room_the_peers_below_ours() {
    let mut state = samples::state(samples::with_processes(), Theme::Default, Charset::Utf8);
    for (second, score) in (1..).zip([0.98, 0.5, 0.1]) {
        let mut status = samples::with_processes();
        status.health.total = score;
        state.on_reply(Reply::Status(std::sync::Arc::new(status)), NOW + SECOND * 10 * second);
    }
    press(&mut state, Key::Char('8'), NOW + SECOND * 30);
    let health = text(&drawn(&state, NOW + SECOND * 30, (80, 24)));
    assert!(health.contains("beta          each 10 s, 9 is 1.00: 8840"), "{health}");
    assert!(health.contains("alpha         each 10 s, 9 is 1.00: 8888"), "{health}");
}

#[test]
fn u8_a_copy_for_a_ticket_is_one_column_on_any_terminal() {
    let state = samples::state(samples::two_acted(), Theme::Default, Charset::Utf8);
    let plain = layout::plain(&state, NOW, &samples::wall(), 200);
    let titles: Vec<&str> = plain.lines().filter(|line| line.starts_with("\u{2500} ")).collect();
    assert!(titles.iter().all(|line| line.matches("\u{2500} ").count() <= 2), "{plain}");
    assert!(plain.contains("gave way") && plain.contains("Events, newest first"), "{plain}");
}

#[test]
fn u13_what_is_over_folds_below_a_new_cause() {
    let state = samples::state(samples::two_acted_then_silent(), Theme::Default, Charset::Utf8);
    let shown = text(&drawn(&state, NOW, (80, 24)));
    let place = |what: &str| shown.find(what).unwrap_or_else(|| panic!("{what:?} is missing:\n{shown}"));
    assert!(place("beta is silent") < place("both acted, for at most 31 min 36 s"), "{shown}");
    assert!(!shown.contains("How it came to this"), "its story leaves the room to the new cause:\n{shown}");
    place("Link to beta");
    let alone = samples::state(samples::two_acted(), Theme::Default, Charset::Utf8);
    assert!(text(&drawn(&alone, NOW, (80, 24))).contains("How it came to this"), "alone, it is told");
}

#[test]
fn u8_a_view_that_goes_on_below_says_so() {
    let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    press(&mut state, Key::Char('?'), NOW);
    let title = |state: &State| row(&drawn(state, NOW, (80, 24)), 3);
    assert!(title(&state).contains("1 to 18 of"), "{}", title(&state));
    press(&mut state, Key::PageDown, NOW);
    assert!(title(&state).contains("11 to 28 of"), "{}", title(&state));
}

#[test]
fn u1_the_health_of_one_that_is_gone_is_not_shown_as_if_it_were_fit() {
    let healths = |status: Status, key: char| {
        let mut state = samples::state(status, Theme::Default, Charset::Utf8);
        press(&mut state, Key::Char(key), NOW);
        text(&drawn(&state, NOW, (80, 24))).matches(" 0.9").count()
    };
    let heard = samples::three();
    let mut gone = heard.clone();
    gone.peers[0].gone = Some("crashed".to_owned());
    for key in ['5', 'd'] {
        assert_eq!(healths(heard.clone(), key), healths(gone.clone(), key) + 1, "{key}");
    }
}

#[test]
fn u1_of_one_that_is_not_heard_nothing_is_alike() {
    let differences = |status: Status| {
        let mut state = samples::state(status, Theme::Default, Charset::Utf8);
        press(&mut state, Key::Char('d'), NOW);
        text(&drawn(&state, NOW, (80, 24)))
    };
    let healthy = differences(samples::healthy());
    assert!(healthy.contains("none that matters") && healthy.contains("alike"), "{healthy}");
    let silent = differences(samples::silent());
    assert!(silent.contains("not known: alpha not heard") && !silent.contains("alike"), "{silent}");
}

#[test]
fn u8_one_answer_before_the_last_is_one_answer() {
    let mut status = samples::healthy();
    status.peers[0].replies[0].count = 2;
    let state = samples::state(status, Theme::Default, Charset::Utf8);
    let shown = text(&drawn(&state, NOW, (80, 24)));
    assert!(shown.contains("before it  1 answer alike, in"), "{shown}");
}

#[test]
fn u8_a_narrow_screen_keeps_the_name_of_what_to_do() {
    let state = samples::state(samples::silent(), Theme::Default, Charset::Utf8);
    let shown = text(&drawn(&state, NOW, (40, 10)));
    assert!(shown.contains(" What to do "), "{shown}");
}

#[test]
fn u8_every_view_is_copied_whole_as_plain_text() {
    for (name, status, view) in VIEWS {
        let mut state = samples::state(status(), Theme::Default, Charset::Utf8);
        state.view = *view;
        let plain = layout::plain(&state, NOW, &samples::wall(), 80);
        let screen = drawn(&state, NOW, (80, 200));
        let title = row(&screen, 3).trim_end().to_owned();
        assert!(plain.lines().any(|line| line == title), "{name}: {title:?} in\n{plain}");
        assert!(!plain.contains('\x1b'), "{name}");
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
fn u3_without_news_the_screen_says_what_it_can_know_and_promises_nothing() {
    let rows = |connection| {
        let mut state = samples::state(samples::two_primaries(), Theme::Default, Charset::Utf8);
        state.connection = connection;
        text(&drawn(&state, NOW + SECOND * 7, (80, 24)))
    };
    let frozen = rows(Connection::Open);
    assert!(frozen.contains("its socket is open: is it frozen?"), "{frozen}");
    let gone = rows(Connection::Closed);
    assert!(gone.contains("?? its socket is closed: gone or restarting, no news for 7 s"), "{gone}");
    for shown in [frozen, gone] {
        assert!(!shown.contains("runs on"), "whether it runs is not known:\n{shown}");
        assert!(!shown.contains("Press nothing"), "what to do is old:\n{shown}");
        assert!(shown.contains("nothing can be done from here now"), "{shown}");
    }
    let mut state = samples::state(samples::two_primaries(), Theme::Default, Charset::Utf8);
    state.view = View::Events;
    let events = text(&drawn(&state, NOW + SECOND * 7, (80, 24)));
    assert!(!events.contains("1 alarm") && events.contains("as the controller last told them"), "{events}");
}

#[test]
fn u8_rows_one_to_three_never_move_and_nothing_panics_at_any_size() {
    for (_, status, view) in VIEWS {
        let Status { node, mode, .. } = status();
        let mode = said::mode(mode);
        for columns in [1, 2, 5, 10, 20, 33, 40, 59, 79, 80, 81, 120, 300] {
            for rows in [1, 2, 3, 4, 5, 6, 7, 10, 24, 100] {
                let mut state = samples::state(status(), Theme::Default, Charset::Utf8);
                state.view = *view;
                let buffer = drawn(&state, NOW, (columns, rows));
                if columns >= 20 {
                    assert!(row(&buffer, 0).contains(&node), "{columns}x{rows}: {}", row(&buffer, 0));
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
