//! No foreign text gets through a view, and no glyph that a terminal may draw wider than it is.

use proptest::prelude::*;

use super::*;

/// Every text of a status that comes from elsewhere is replaced.
fn foreign(status: Status, text: &str) -> Status {
    fn replace(value: &mut serde_json::Value, text: &str, key: &str) {
        // Words that the contract fixes, and times, are not foreign text.
        const FIXED: &[&str] = &[
            "mode",
            "to",
            "state",
            "role",
            "reply",
            "class",
            "judgement",
            "action",
            "time",
            "since",
            "run_when",
            "result",
        ];
        match value {
            serde_json::Value::String(string) if !FIXED.contains(&key) => *string = text.to_owned(),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| replace(item, text, key)),
            serde_json::Value::Object(fields) => fields.iter_mut().for_each(|(key, field)| replace(field, text, key)),
            serde_json::Value::String(_)
            | serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_) => {}
        }
    }
    let mut value = serde_json::to_value(status).expect("a status is JSON");
    replace(&mut value, text, "");
    serde_json::from_value(value).expect("still a status")
}

fn assert_only_allowed_glyphs(name: &str, state: &State, size: (u16, u16)) {
    let allowed = match state.look.charset {
        Charset::Utf8 => "─■○►┌┐└┘│",
        Charset::Ascii => "",
    };
    let harmless = |letter: char| (' '..='~').contains(&letter) || allowed.contains(letter);
    for cell in drawn(state, NOW, size).content() {
        assert!(cell.symbol().chars().all(harmless), "{name}: {:?}", cell.symbol());
    }
    let plain = layout::plain(state, NOW, &samples::wall(), size.0);
    assert!(plain.chars().all(|letter| letter == '\n' || harmless(letter)), "{name}: {plain:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Names, sentences and outputs of others, whatever they hold: control characters, colours, letters that turn the
    /// line around, wide ones. None of them reaches a terminal, in no view and no charset.
    #[test]
    fn u8_no_view_prints_a_glyph_outside_the_allowed_ones(
        text in prop_oneof![
            "[\\x00-\\x1f\\x7f-\\x9f]{1,6}".prop_map(|text| format!("a{text}b")),
            Just("\u{202e}заголовок\u{200b} \x1b[2J漢字 ☃ ✓\u{301}".to_owned()),
            "\\PC{0,40}",
            ".{0,200}",
        ]
    ) {
        for (name, status, view) in VIEWS {
            for charset in [Charset::Utf8, Charset::Ascii] {
                for size in [(80, 24), (120, 40), (20, 5)] {
                    let mut state = samples::state(foreign(status(), &text), Theme::Default, charset);
                    state.view = *view;
                    state.focus = Some(View::Link);
                    assert_only_allowed_glyphs(name, &state, size);
                }
            }
        }
    }
}
