//! From one buffer to the next in few bytes: cells that did not change are not sent, blanks at a row's end are erased,
//! short gaps are printed over. It knows nothing of time or terminals; the driver writes what comes out.
//!
//! Rows 1 to 3 come first and the key rows next, so that what a slow line carries first is what matters most.

use std::io::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// Rows at the top that are sent first.
const FIRST_ROWS: u16 = 3;
/// Rows at the bottom that are sent next: the remark and the keys.
const LAST_ROWS: u16 = 3;
/// Unchanged cells between two changes that are cheaper to print than to jump over.
const GAP: usize = 4;
/// Blanks at a row's end that are cheaper to print than to erase.
const FEW_BLANKS: usize = 3;

/// Whether all of a frame was encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The terminal will show it.
    Whole,
    /// Some rows are left for the next time.
    Part,
}

/// Appends what turns `before` into `next`, a row beyond `most` bytes at the most, and brings `before` to what the
/// terminal shows then. Both have the same area; every symbol is one cell wide.
pub fn encode(before: &mut Buffer, next: &Buffer, most: usize, out: &mut Vec<u8>) -> Extent {
    debug_assert_eq!(before.area, next.area);
    let from = out.len();
    let height = next.area.height;
    let top = FIRST_ROWS.min(height);
    let bottom = height.saturating_sub(LAST_ROWS).max(top);
    let mut pen = Pen { out, at: None, style: Style::default() };
    let mut extent = Extent::Whole;
    for y in (0..top).chain(bottom..height).chain(top..bottom) {
        if pen.out.len() - from >= most {
            if row(before, y) != row(next, y) {
                extent = Extent::Part;
            }
            continue;
        }
        pen.row(y, row(before, y), row(next, y));
        let width = usize::from(next.area.width);
        let start = usize::from(y) * width;
        before.content[start..start + width].clone_from_slice(row(next, y));
    }
    pen.set(Style::default());
    extent
}

fn row(buffer: &Buffer, y: u16) -> &[Cell] {
    let width = usize::from(buffer.area.width);
    let start = usize::from(y) * width;
    &buffer.content[start..start + width]
}

/// What a cell looks like beside its symbol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Style {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl Style {
    fn of(cell: &Cell) -> Style {
        Style { fg: cell.fg, bg: cell.bg, modifier: cell.modifier }
    }
}

fn is_blank(cell: &Cell) -> bool {
    cell.symbol() == " " && Style::of(cell) == Style::default()
}

/// Where the terminal's cursor is and how it would print.
struct Pen<'a> {
    out: &'a mut Vec<u8>,
    at: Option<(usize, u16)>,
    style: Style,
}

impl Pen<'_> {
    fn row(&mut self, y: u16, before: &[Cell], next: &[Cell]) {
        let width = next.len();
        let blank_from = width - next.iter().rev().take_while(|cell| is_blank(cell)).count();
        let changed = |x: usize| before[x] != next[x];
        let stale = (blank_from..width).filter(|x| changed(*x)).count();
        let erase = stale > FEW_BLANKS;
        let end = if erase { blank_from } else { width };
        let mut x = 0;
        while x < end {
            if !changed(x) {
                x += 1;
                continue;
            }
            // As far as the changes go, over gaps that cost less to print than to jump.
            let mut last = x;
            while let Some(further) = (last + 1..end.min(last + 2 + GAP)).rev().find(|one| changed(*one)) {
                last = further;
            }
            self.go(x, y);
            for cell in &next[x..=last] {
                self.set(Style::of(cell));
                self.out.extend_from_slice(cell.symbol().as_bytes());
            }
            // Past the last column terminals differ in where the cursor is.
            self.at = (last + 1 < width).then_some((last + 1, y));
            x = last + 1;
        }
        if erase {
            self.go(blank_from, y);
            self.set(Style::default());
            self.out.extend_from_slice(b"\x1b[K");
        }
    }

    fn go(&mut self, x: usize, y: u16) {
        // Writing to memory cannot fail.
        let _ = match self.at {
            Some((at, row)) if (at, row) == (x, y) => Ok(()),
            Some((at, row)) if row == y && at + 1 == x => write!(self.out, "\x1b[C"),
            Some((at, row)) if row == y && at < x => write!(self.out, "\x1b[{}C", x - at),
            Some((_, row)) if row + 1 == y && x == 0 => write!(self.out, "\r\n"),
            Some(_) | None if x == 0 => write!(self.out, "\x1b[{}H", y + 1),
            Some(_) | None => write!(self.out, "\x1b[{};{}H", y + 1, x + 1),
        };
        self.at = Some((x, y));
    }

    fn set(&mut self, style: Style) {
        if style == self.style {
            return;
        }
        self.style = style;
        let modifiers = [
            (Modifier::BOLD, 1),
            (Modifier::DIM, 2),
            (Modifier::ITALIC, 3),
            (Modifier::UNDERLINED, 4),
            (Modifier::REVERSED, 7),
        ];
        let modifiers = modifiers.iter().filter(|(one, _)| style.modifier.contains(*one)).map(|(_, code)| *code);
        let colours = [colour(style.fg), colour(style.bg).map(|code| code + 10)];
        self.out.extend_from_slice(b"\x1b[");
        for code in modifiers.chain(colours.into_iter().flatten()) {
            // Each sets all anew: the empty code before it resets.
            let _ = write!(self.out, ";{code}");
        }
        self.out.push(b'm');
    }
}

/// The code of one of the 16 colours in the foreground; none for the terminal's own.
fn colour(colour: Color) -> Option<u8> {
    match colour {
        Color::Black => Some(30),
        Color::Red => Some(31),
        Color::Green => Some(32),
        Color::Yellow => Some(33),
        Color::Blue => Some(34),
        Color::Magenta => Some(35),
        Color::Cyan => Some(36),
        Color::Gray => Some(37),
        Color::DarkGray => Some(90),
        Color::LightRed => Some(91),
        Color::LightGreen => Some(92),
        Color::LightYellow => Some(93),
        Color::LightBlue => Some(94),
        Color::LightMagenta => Some(95),
        Color::LightCyan => Some(96),
        Color::White => Some(97),
        // The screen keeps to the 16 (U8).
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::layout::Rect;

    use super::*;

    const WIDTH: u16 = 12;
    const HEIGHT: u16 = 9;

    fn blank() -> Buffer {
        Buffer::empty(Rect::new(0, 0, WIDTH, HEIGHT))
    }

    fn cells() -> impl Strategy<Value = Buffer> {
        let cell = (prop::sample::select(vec![" ", " ", " ", "a", "─", "■", "Z"]), 0..4u8);
        prop::collection::vec(cell, usize::from(WIDTH * HEIGHT)).prop_map(|cells| {
            let mut buffer = blank();
            for (to, (symbol, look)) in buffer.content.iter_mut().zip(cells) {
                to.set_symbol(symbol);
                match look {
                    1 => to.modifier = Modifier::REVERSED,
                    2 => (to.fg, to.modifier) = (Color::Red, Modifier::BOLD),
                    _ => {}
                }
            }
            buffer
        })
    }

    fn terminal() -> vt100::Parser {
        let cells = |number: u16| std::num::NonZero::new(number).expect("not zero");
        vt100::Parser::new(cells(HEIGHT), cells(WIDTH), 0)
    }

    fn shows(parser: &vt100::Parser, buffer: &Buffer) {
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let (cell, wanted) = (parser.screen().cell(y, x).expect("a cell"), &buffer[(x, y)]);
                let shown = if cell.contents().is_empty() { " " } else { cell.contents() };
                assert_eq!(shown, wanted.symbol(), "at {x},{y}");
                assert_eq!(cell.inverse(), wanted.modifier.contains(Modifier::REVERSED), "at {x},{y}");
                assert_eq!(cell.bold(), wanted.modifier.contains(Modifier::BOLD), "at {x},{y}");
                assert_eq!(cell.fgcolor() == vt100::Color::Idx(1), wanted.fg == Color::Red, "at {x},{y}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

        #[test]
        fn u8_a_terminal_shows_every_frame_whole(frames in prop::collection::vec(cells(), 1..5)) {
            let (mut parser, mut before) = (terminal(), blank());
            for next in frames {
                let mut bytes = Vec::new();
                prop_assert_eq!(encode(&mut before, &next, usize::MAX, &mut bytes), Extent::Whole);
                parser.process(&bytes);
                shows(&parser, &next);
                prop_assert_eq!(&before, &next);
                bytes.clear();
                encode(&mut before, &next, usize::MAX, &mut bytes);
                prop_assert!(bytes.is_empty(), "what did not change is not sent again");
            }
        }

        #[test]
        fn u8_pieces_of_a_frame_make_the_newest_frame_whole(first in cells(), last in cells(), most in 1..80usize) {
            let (mut parser, mut before) = (terminal(), blank());
            let mut bytes = Vec::new();
            // The first is overtaken: its rest is dropped, never queued.
            encode(&mut before, &first, most, &mut bytes);
            for _ in 0..HEIGHT {
                let extent = encode(&mut before, &last, most, &mut bytes);
                prop_assert_eq!(extent == Extent::Whole, before == last);
            }
            parser.process(&bytes);
            shows(&parser, &last);
        }
    }

    #[test]
    fn u8_a_changed_digit_costs_a_few_bytes() {
        let (mut before, mut next) = (blank(), blank());
        before.set_string(0, 1, "03:12:44", ratatui::style::Style::new());
        next.set_string(0, 1, "03:12:45", ratatui::style::Style::new());
        let mut bytes = Vec::new();
        encode(&mut before, &next, usize::MAX, &mut bytes);
        assert_eq!(bytes, b"\x1b[2;8H5");
    }
}
