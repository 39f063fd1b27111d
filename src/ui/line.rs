//! A line of text on its way to the screen: words with a role, and the few glyphs that tandem may print.
//!
//! Everything that is drawn goes through here, so foreign text (names, sentences of other members, output of helpers)
//! is escaped in one place, and no glyph beyond the allowed ones can reach a terminal (U8).

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthChar;

/// The glyphs beyond ASCII that the screen may print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyph {
    /// A rule between panels.
    Rule,
    /// Acts.
    Acts,
    /// Stands by.
    StandsBy,
    /// The row or panel in hand.
    Here,
    /// The plan's box: top left.
    TopLeft,
    /// The plan's box: top right.
    TopRight,
    /// The plan's box: bottom left.
    BottomLeft,
    /// The plan's box: bottom right.
    BottomRight,
    /// The plan's box: its sides.
    Side,
}

/// UTF-8 or ASCII, nothing between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// With the glyphs of [`Glyph`].
    Utf8,
    /// With their stand-ins.
    Ascii,
}

impl Charset {
    /// The other one (Ctrl-T).
    pub fn other(self) -> Charset {
        match self {
            Charset::Utf8 => Charset::Ascii,
            Charset::Ascii => Charset::Utf8,
        }
    }

    /// The charset of a terminal, from the environment: ASCII on a vt100 or ansi terminal and in a locale that is not
    /// UTF-8 (U8).
    pub fn of_environment(get: impl Fn(&str) -> Option<String>) -> Charset {
        if matches!(get("TERM").as_deref(), Some("vt100" | "ansi" | "vt220")) {
            return Charset::Ascii;
        }
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| get(name).filter(|value| !value.is_empty()));
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") { Charset::Utf8 } else { Charset::Ascii }
    }
}

impl Glyph {
    /// What is printed for it.
    pub fn in_charset(self, charset: Charset) -> char {
        match (charset, self) {
            (Charset::Utf8, Glyph::Rule) => '─',
            (Charset::Utf8, Glyph::Acts) => '■',
            (Charset::Utf8, Glyph::StandsBy) => '○',
            (Charset::Utf8, Glyph::Here) => '►',
            (Charset::Utf8, Glyph::TopLeft) => '┌',
            (Charset::Utf8, Glyph::TopRight) => '┐',
            (Charset::Utf8, Glyph::BottomLeft) => '└',
            (Charset::Utf8, Glyph::BottomRight) => '┘',
            (Charset::Utf8, Glyph::Side) => '│',
            (Charset::Ascii, Glyph::Rule) => '-',
            (Charset::Ascii, Glyph::Acts) => '#',
            (Charset::Ascii, Glyph::StandsBy) => 'o',
            (Charset::Ascii, Glyph::Here) => '>',
            (Charset::Ascii, Glyph::TopLeft | Glyph::TopRight | Glyph::BottomLeft | Glyph::BottomRight) => '+',
            (Charset::Ascii, Glyph::Side) => '|',
        }
    }
}

/// Which palette is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// The terminal's own 16 colours, red and yellow only on words that say it.
    #[default]
    Default,
    /// Bold and reverse only.
    Mono,
}

/// How a screen looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The palette.
    pub theme: Theme,
    /// The glyphs.
    pub charset: Charset,
}

/// What a word is, told by weight and, last, by colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Plain text.
    Plain,
    /// What must be found at a glance.
    Strong,
    /// `NO`, `!!`, `ALARM`: wrong.
    Wrong,
    /// `WARN`, `??`: not as it should be, or not known.
    Doubtful,
}

impl Role {
    fn style(self, theme: Theme) -> Style {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        match (self, theme) {
            (Role::Plain, _) => Style::new(),
            (Role::Strong, _) | (Role::Wrong | Role::Doubtful, Theme::Mono) => bold,
            (Role::Wrong, Theme::Default) => bold.fg(Color::Red),
            (Role::Doubtful, Theme::Default) => bold.fg(Color::Yellow),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String, Role),
    Typed(char),
    Glyph(Glyph, usize),
}

/// A line of words and glyphs. It is built by chaining and drawn once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    pieces: Vec<Piece>,
}

impl Line {
    /// An empty line.
    pub fn new() -> Line {
        Line::default()
    }

    /// A line of plain text.
    pub fn of(text: impl AsRef<str>) -> Line {
        Line::new().text(text)
    }

    /// Adds plain text, escaped.
    pub fn text(self, text: impl AsRef<str>) -> Line {
        self.word(text, Role::Plain)
    }

    /// Adds text in a role, escaped.
    pub fn word(mut self, text: impl AsRef<str>, role: Role) -> Line {
        self.pieces.push(Piece::Text(escape(text.as_ref()), role));
        self
    }

    /// Adds a glyph.
    pub fn glyph(self, glyph: Glyph) -> Line {
        self.glyphs(glyph, 1)
    }

    /// Adds a glyph so many times.
    pub fn glyphs(mut self, glyph: Glyph, count: usize) -> Line {
        self.pieces.push(Piece::Glyph(glyph, count));
        self
    }

    /// Adds a character as the user typed it, where the terminal can show it.
    pub fn typed(mut self, character: char) -> Line {
        self.pieces.push(Piece::Typed(character));
        self
    }

    /// Adds blanks up to a column.
    pub fn to_column(self, column: usize) -> Line {
        let missing = column.saturating_sub(self.width());
        self.text(" ".repeat(missing))
    }

    /// Adds another line.
    pub fn then(mut self, other: Line) -> Line {
        self.pieces.extend(other.pieces);
        self
    }

    /// This line with another at the right end of a width; at least one blank between them.
    pub fn with_right(self, right: Line, width: usize) -> Line {
        let column = width.saturating_sub(right.width()).max(self.width() + 1);
        self.to_column(column).then(right)
    }

    /// Its first so many cells.
    pub fn cut(self, width: usize) -> Line {
        let mut left = width;
        let mut pieces = Vec::new();
        for piece in self.pieces {
            let piece = match piece {
                // Escaped text is ASCII: every byte is a cell.
                Piece::Text(text, role) => Piece::Text(text.chars().take(left).collect(), role),
                Piece::Glyph(glyph, count) => Piece::Glyph(glyph, count.min(left)),
                Piece::Typed(character) => Piece::Typed(character),
            };
            let line = Line { pieces: vec![piece] };
            left = left.saturating_sub(line.width());
            pieces.extend(line.pieces);
            if left == 0 {
                break;
            }
        }
        Line { pieces }
    }

    /// Itself where it fits into a width; else its beginning, with dots that say that it goes on.
    pub fn fitted(self, width: usize) -> Line {
        const GOES_ON: &str = "...";
        /// A longer word is cut all the same.
        const HALF_WORD: usize = 12;
        if self.width() <= width {
            return self;
        }
        if width < 3 * GOES_ON.len() {
            return self.cut(width);
        }
        // Half a number would be read as a number: a word goes whole, unless that costs too much.
        let plain = self.plain(Charset::Utf8);
        let room = width - GOES_ON.len();
        let head: Vec<char> = plain.chars().take(room + 1).collect();
        let blank = head.iter().rposition(|letter| *letter == ' ').map(|at| at + 1);
        let kept = blank.filter(|kept| kept + HALF_WORD > room).unwrap_or(room).min(room);
        self.cut(kept).text(GOES_ON)
    }

    /// How many cells it takes.
    pub fn width(&self) -> usize {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text, _) => text.len(),
                Piece::Typed(character) => typed(*character, Charset::Utf8).chars().count(),
                Piece::Glyph(_, count) => *count,
            })
            .sum()
    }

    /// Draws it into a row of the buffer, from `x`, in at most `width` cells. `over` is laid over every cell.
    pub fn draw(&self, buffer: &mut Buffer, (x, y): (u16, u16), width: u16, look: Look, over: Style) {
        let area = buffer.area;
        if y >= area.bottom() {
            return;
        }
        let end = x.saturating_add(width).min(area.right());
        let mut x = x;
        let mut put = |character: char, style: Style| {
            if x < end {
                let cell = &mut buffer[(x, y)];
                cell.set_char(character);
                cell.set_style(style.patch(over));
                x += 1;
            }
        };
        for piece in &self.pieces {
            match piece {
                Piece::Text(text, role) => text.chars().for_each(|c| put(c, role.style(look.theme))),
                Piece::Typed(character) => typed(*character, look.charset).chars().for_each(|c| put(c, Style::new())),
                Piece::Glyph(glyph, count) => {
                    for _ in 0..*count {
                        put(glyph.in_charset(look.charset), Style::new());
                    }
                }
            }
        }
    }

    /// Its text, as a person would copy it.
    pub fn plain(&self, charset: Charset) -> String {
        let mut plain = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text, _) => plain.push_str(text),
                Piece::Typed(character) => plain.push_str(&typed(*character, charset)),
                Piece::Glyph(glyph, count) => plain.extend(std::iter::repeat_n(glyph.in_charset(charset), *count)),
            }
        }
        plain
    }
}

fn typed(character: char, charset: Charset) -> String {
    let shown = character.is_ascii_graphic()
        || (charset == Charset::Utf8 && character.is_alphabetic() && character.width() == Some(1));
    if shown { character.to_string() } else { escape(&character.to_string()) }
}

/// Foreign text made harmless: what is not printable ASCII is spelled out.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character == ' ' || character.is_ascii_graphic() {
            escaped.push(character);
        } else {
            escaped.extend(character.escape_default());
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u8_foreign_text_is_escaped() {
        assert_eq!(Line::of("a\x1b[31mb\u{202e}л").plain(Charset::Utf8), "a\\u{1b}[31mb\\u{202e}\\u{43b}");
    }

    #[test]
    fn u8_the_charset_comes_from_terminal_and_locale() {
        let with = |pairs: &'static [(&str, &str)]| {
            Charset::of_environment(move |name| pairs.iter().find(|p| p.0 == name).map(|p| p.1.to_owned()))
        };
        assert_eq!(with(&[("LANG", "en_GB.UTF-8"), ("TERM", "xterm")]), Charset::Utf8);
        assert_eq!(with(&[("LANG", "en_GB.UTF-8"), ("LC_ALL", "C"), ("TERM", "xterm")]), Charset::Ascii);
        assert_eq!(with(&[("LANG", "en_GB.UTF-8"), ("TERM", "vt100")]), Charset::Ascii);
        assert_eq!(with(&[("TERM", "xterm")]), Charset::Ascii);
        assert_eq!(with(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8")]), Charset::Utf8);
    }

    #[test]
    fn u8_a_line_that_is_cut_says_so_and_never_cuts_a_number() {
        let fitted = |text: &str, width| Line::of(text).fitted(width).plain(Charset::Utf8);
        assert_eq!(fitted("health 0.97", 11), "health 0.97");
        assert_eq!(fitted("up, health 0.97", 14), "up, health ...");
        assert_eq!(fitted("no answer", 9), "no answer");
        assert_eq!(fitted("an answer came", 12), "an answer...");
        assert_eq!(fitted("a-very-long-word-that-has-no-blanks", 20), "a-very-long-word-...");
        assert_eq!(fitted("SECONDARY", 5), "SECON");
    }

    #[test]
    fn u8_a_typed_letter_is_shown_where_the_terminal_can_show_it() {
        assert_eq!(Line::new().typed('л').plain(Charset::Utf8), "л");
        assert_eq!(Line::new().typed('л').plain(Charset::Ascii), "\\u{43b}");
        assert_eq!(Line::new().typed('漢').plain(Charset::Utf8), "\\u{6f22}");
    }
}
