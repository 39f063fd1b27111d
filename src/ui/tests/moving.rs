//! Moving about: finding, holding still, choosing, and who is attached.

use super::*;

#[test]
fn u8_find_shows_only_the_events_that_hold_the_text() {
    let mut state = samples::state(samples::two_acted(), Theme::Default, Charset::Utf8);
    press(&mut state, Key::Char('/'), NOW);
    for (at, letter) in (1..).zip("PATHS".chars()) {
        press(&mut state, Key::Char(letter), NOW + SECOND / 10 * at);
    }
    let find = shown(&drawn(&state, NOW + SECOND, (80, 24)));
    assert!(find.contains("find: PATHS_") && find.contains("both paths to beta"), "{find}");
    assert!(!find.contains("are both Primary: terms"), "{find}");
    press(&mut state, Key::Enter, NOW + SECOND);
    assert_eq!((state.view, state.find.as_deref()), (View::Events, Some("PATHS")));
    assert!(text(&drawn(&state, NOW + SECOND, (80, 24))).contains("1 of 2, Esc shows all"));
    press(&mut state, Key::Esc, NOW + SECOND * 2);
    assert_eq!((state.view, state.find.as_deref()), (View::Overview, None));
}

#[test]
fn u8_pasted_text_can_be_found_and_commands_nothing() {
    for paste in [&b"\x1b[200~paths\r\x1b[201~"[..], b"paths", b"pat\rhs"] {
        let mut state = samples::state(samples::two_acted(), Theme::Default, Charset::Utf8);
        press(&mut state, Key::Char('/'), NOW);
        look(&mut state);
        for input in Decoder::default().feed(paste, NOW + SECOND) {
            assert_eq!(state.on_input(input, NOW + SECOND), Effects::default());
        }
        assert_eq!(state.dialog, Dialog::Find("paths".to_owned()), "{paste:?}");
    }
    // By hand or not, letter by letter: text is text here.
    let mut state = samples::state(samples::two_acted(), Theme::Default, Charset::Utf8);
    press(&mut state, Key::Char('/'), NOW);
    for letter in "paths".chars() {
        press(&mut state, Key::Char(letter), NOW + SECOND);
    }
    assert_eq!(state.dialog, Dialog::Find("paths".to_owned()));
}

#[test]
fn u8_events_are_held_still_while_somebody_reads_further_down() {
    for hold in [Key::Char(' '), Key::Down] {
        let mut state = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
        press(&mut state, Key::Char('4'), NOW);
        press(&mut state, hold, NOW + SECOND);
        let mut status = samples::healthy();
        let newer =
            crate::control::status::Event { seq: 9, text: "something new".to_owned(), ..status.events[0].clone() };
        status.events.insert(0, newer);
        state.on_reply(Reply::Status(std::sync::Arc::new(status)), NOW + SECOND);
        let held = text(&drawn(&state, NOW + SECOND, (80, 24)));
        assert!(held.contains("held still, 1 newer: Space goes on") && !held.contains("something new"), "{held}");
        press(&mut state, Key::Char(' '), NOW + SECOND * 2);
        assert!(text(&drawn(&state, NOW + SECOND, (80, 24))).contains("something new"));
    }
}

#[test]
fn u1_a_process_is_chosen_by_the_arrows_and_its_output_followed() {
    let mut state = samples::state(samples::unwell(), Theme::Default, Charset::Utf8);
    let chosen = |state: &State| state.process_in_hand().map(|process| process.name.clone());
    assert_eq!(chosen(&state).as_deref(), Some("gateway"), "the first that is not as it should be");
    press(&mut state, Key::Char('9'), NOW);
    press(&mut state, Key::Down, NOW + SECOND);
    press(&mut state, Key::Down, NOW + SECOND / 5 * 2);
    assert_eq!(chosen(&state).as_deref(), Some("historian"));
    press(&mut state, Key::Enter, NOW + SECOND / 5 * 3);
    let output = text(&drawn(&state, NOW, (80, 24)));
    assert!(output.contains("Output of historian on beta, newest first"), "{output}");
    assert!(output.contains("historian: line 40") && !output.contains("historian: line 7"), "{output}");
    press(&mut state, Key::Esc, NOW + SECOND / 5 * 4);
    assert_eq!(state.view, View::Processes);
    press(&mut state, Key::Char('k'), NOW + SECOND / 5 * 5);
    assert_eq!(chosen(&state).as_deref(), Some("gateway"));
    press(&mut state, Key::Char('a'), NOW + SECOND / 5 * 6);
    let effects = press(&mut state, Key::Char('p'), NOW + SECOND / 5 * 7);
    let action = crate::control::plan::Action::RestartProcess { name: "gateway".to_owned() };
    assert_eq!(effects.requests, [Request::Open { action }]);
}

#[test]
fn s2_an_action_about_a_member_asks_which_where_there_are_several() {
    let mut three = samples::three();
    three.fencing = samples::with_processes().fencing;
    let mut gamma = three.fencing[0].clone();
    gamma.peer = "gamma".to_owned();
    three.fencing.push(gamma);
    let mut state = samples::state(three, Theme::Default, Charset::Utf8);
    press(&mut state, Key::Char('a'), NOW);
    assert_eq!(press(&mut state, Key::Char('f'), NOW + SECOND).requests, []);
    let which = text(&drawn(&state, NOW, (80, 24)));
    assert!(which.contains("Which member?") && which.contains("2   gamma"), "{which}");
    let effects = press(&mut state, Key::Char('2'), NOW + SECOND * 2);
    let action = crate::control::plan::Action::Fence { peer: "gamma".to_owned() };
    assert_eq!(effects.requests, [Request::Open { action }]);
    // What is not configured is not offered, and says so when it is asked for.
    let mut plain = samples::state(samples::healthy(), Theme::Default, Charset::Utf8);
    press(&mut plain, Key::Char('a'), NOW);
    assert!(!text(&drawn(&plain, NOW, (80, 24))).contains("fence"));
    assert_eq!(press(&mut plain, Key::Char('p'), NOW + SECOND).requests, []);
    assert!(text(&drawn(&plain, NOW + SECOND, (80, 24))).contains("this member has no required processes"));
}

#[test]
fn u3_of_two_screens_of_one_user_each_finds_itself_among_the_attached() {
    let attached = |may_act| {
        let look = Look { theme: Theme::Default, charset: Charset::Utf8 };
        let mut state = State::new(look, may_act, None);
        let mut status = samples::healthy();
        status.attached = vec!["ops".to_owned(), "ops (read-only)".to_owned()];
        state.on_reply(Reply::Hello(samples::hello()), NOW);
        state.on_reply(Reply::Status(std::sync::Arc::new(status)), NOW);
        row(&drawn(&state, NOW, (80, 24)), 2).trim_end().to_owned()
    };
    assert!(attached(MayAct::AsAllowed).ends_with("attached: you, ops (read-only)"), "{}", attached(MayAct::AsAllowed));
    assert!(attached(MayAct::Never).ends_with("attached: you, ops"), "{}", attached(MayAct::Never));
}
