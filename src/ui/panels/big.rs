//! The mode in large letters, for terminals with the room: to be read from across the room.
//!
//! Each large letter is made of itself, so that it reads alike in every charset and means nothing else.

use crate::control::status::Status;
use crate::control::words as said;

use super::super::line::{Line, Role};
use super::{Panel, Sight};

/// Rows of a large letter.
const ROWS: usize = 5;
/// Columns of a large letter, with the blank after it.
const COLUMNS: usize = 6;

/// This member.
pub fn own(sight: &Sight<'_>, status: &Status) -> Panel {
    let word = if sight.state.no_news(sight.now).is_some() { "?" } else { said::mode(status.mode) };
    Panel::new(format!("You are on {}", status.node), "", large(sight, word))
}

/// The other that matters.
pub fn other(sight: &Sight<'_>, status: &Status) -> Option<Panel> {
    let peer = said::peer_that_matters(status)?;
    let word = if sight.state.no_news(sight.now).is_some() { "?" } else { said::standing(peer).1 };
    Some(Panel::new(format!("The other, {}", peer.name), "", large(sight, word)))
}

fn large(sight: &Sight<'_>, word: &str) -> Vec<Line> {
    // A word that does not fit is said in row 1 and 2 all the same.
    let word = if 2 + word.len() * COLUMNS <= sight.width { word } else { "?" };
    (0..ROWS)
        .map(|row| {
            let text: String = word.chars().map(|letter| drawn(letter, row)).collect();
            Line::of("  ").word(text.trim_end(), Role::Strong)
        })
        .collect()
}

/// A row of a letter.
fn drawn(letter: char, row: usize) -> String {
    let shape = shape(letter)[row];
    (0..COLUMNS).map(|at| if at < 5 && shape >> (4 - at) & 1 == 1 { letter } else { ' ' }).collect()
}

/// The letters of the words that rows 1 and 2 can say.
fn shape(letter: char) -> [u8; ROWS] {
    match letter {
        'A' => [0b01110, 0b10001, 0b11111, 0b10001, 0b10001],
        'C' => [0b01111, 0b10000, 0b10000, 0b10000, 0b01111],
        'D' => [0b11110, 0b10001, 0b10001, 0b10001, 0b11110],
        'E' => [0b11111, 0b10000, 0b11110, 0b10000, 0b11111],
        'G' => [0b01111, 0b10000, 0b10011, 0b10001, 0b01111],
        'H' => [0b10001, 0b10001, 0b11111, 0b10001, 0b10001],
        'I' => [0b11111, 0b00100, 0b00100, 0b00100, 0b11111],
        'L' => [0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
        'M' => [0b10001, 0b11011, 0b10101, 0b10001, 0b10001],
        'N' => [0b10001, 0b11001, 0b10101, 0b10011, 0b10001],
        'O' => [0b01110, 0b10001, 0b10001, 0b10001, 0b01110],
        'P' => [0b11110, 0b10001, 0b11110, 0b10000, 0b10000],
        'R' => [0b11110, 0b10001, 0b11110, 0b10010, 0b10001],
        'S' => [0b01111, 0b10000, 0b01110, 0b00001, 0b11110],
        'T' => [0b11111, 0b00100, 0b00100, 0b00100, 0b00100],
        'V' => [0b10001, 0b10001, 0b01010, 0b01010, 0b00100],
        'Y' => [0b10001, 0b01010, 0b00100, 0b00100, 0b00100],
        '?' => [0b01110, 0b10001, 0b00110, 0b00000, 0b00100],
        _ => [0; ROWS],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u8_every_letter_of_the_words_for_a_state_has_a_large_shape() {
        for word in ["PRIMARY", "SECONDARY", "SILENT", "NEVER HEARD", "CRASHED", "STOPPED", "GONE", "NOT HEARD", "?"] {
            for letter in word.chars().filter(|letter| *letter != ' ') {
                assert_ne!(shape(letter), [0; ROWS], "{letter}");
            }
        }
    }
}
