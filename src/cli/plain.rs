//! Text from outside, made harmless for a terminal.
//!
//! Names of operators, a peer's version, reasons that the link read from the network: whatever they hold, it must not
//! move the cursor, change colours or turn the direction of the line that says who did what.

use std::borrow::Cow;

/// `text` with control characters, and those that reorder or hide what is around them, written as escapes.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for one in text.chars() {
        if is_plain(one) {
            safe.push(one);
        } else {
            safe.extend(one.escape_unicode());
        }
    }
    Cow::Owned(safe)
}

fn is_plain(one: char) -> bool {
    let reorders_or_hides = matches!(
        one,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}'
    );
    !one.is_control() && !reorders_or_hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_a_terminal_and_changes_of_direction_are_written_out() {
        assert_eq!(plain("anna\u{1b}[2J\n\u{202e}x"), "anna\\u{1b}[2J\\u{a}\\u{202e}x");
        assert_eq!(plain("\u{9b}31m"), "\\u{9b}31m");
    }

    #[test]
    fn ordinary_text_of_any_language_stays() {
        assert!(matches!(plain("Überlandwerk, 変電所 7: ok"), Cow::Borrowed(_)));
    }
}
