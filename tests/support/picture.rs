//! Frames of a terminal as SVG, and as text that is the same from run to run.

// Every file in tests/ is a crate of its own and uses its own share of this.
#![allow(dead_code)]

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

/// A cell's width and a row's height, in the picture's units.
const CELL: (f64, f64) = (8.4, 18.0);
/// The room around the frame.
const EDGE: f64 = 12.0;
/// The terminal's own colours.
const TEXT: &str = "#d4d4d4";
const GROUND: &str = "#1c1c1c";
/// The sixteen, as most terminals show them.
const PALETTE: [&str; 16] = [
    "#1c1c1c", "#e06c6c", "#8fbf7f", "#e5c76b", "#7aa6da", "#c397d8", "#70c0b1", "#d4d4d4", //
    "#767676", "#ff8080", "#a8d898", "#ffe08a", "#9cc4f0", "#d8b4e8", "#90d8cc", "#ffffff",
];

/// How a run of cells looks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    text: &'static str,
    ground: &'static str,
    bold: bool,
}

impl Look {
    fn of(cell: &Cell) -> Look {
        let colour = |colour: Color, own: &'static str| match colour {
            Color::Default => own,
            Color::Idx(number) => PALETTE[usize::from(number) % PALETTE.len()],
            Color::Rgb(..) => panic!("the screen uses the terminal's sixteen colours only"),
        };
        let (text, ground) = (colour(cell.fgcolor(), TEXT), colour(cell.bgcolor(), GROUND));
        let (text, ground) = if cell.inverse() { (ground, text) } else { (text, ground) };
        Look { text, ground, bold: cell.bold() }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The frame as SVG: text that can be selected and searched, in the colours and weights of the cells. `says` is for who
/// cannot see it.
pub fn svg(screen: &Screen, says: &str) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let (width, height) = (f64::from(columns) * CELL.0 + 2.0 * EDGE, f64::from(rows) * CELL.1 + 2.0 * EDGE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         role=\"img\" aria-label=\"{0}\">\n<title>{0}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{GROUND}\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\" \
         xml:space=\"preserve\">\n",
        escaped(says)
    );
    for row in 0..rows {
        for (column, look, text) in runs(screen, row, columns) {
            let (x, y) = (EDGE + f64::from(column) * CELL.0, EDGE + f64::from(row) * CELL.1);
            let wide = text.chars().count() as f64 * CELL.0;
            if look.ground != GROUND {
                let ground = look.ground;
                writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{}\" fill=\"{ground}\" shape-rendering=\"crispEdges\"/>",
                    CELL.1
                )
                .expect("a string grows");
            }
            if text.trim().is_empty() {
                continue;
            }
            let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
            writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{wide:.1}\" fill=\"{}\"{weight}>{}</text>",
                y + 13.5,
                look.text,
                escaped(&text)
            )
            .expect("a string grows");
        }
    }
    svg + "</g>\n</svg>\n"
}

/// The row's cells, together where they look alike and are not divided by a wide gap.
fn runs(screen: &Screen, row: u16, columns: u16) -> Vec<(u16, Look, String)> {
    let mut runs: Vec<(u16, Look, String)> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else { continue };
        let (look, text) = (Look::of(cell), if cell.has_contents() { cell.contents() } else { " " });
        match runs.last_mut() {
            Some((_, last, run))
                if *last == look && !(run.ends_with("   ") && text != " " && look.ground == GROUND) =>
            {
                run.push_str(text);
            }
            _ => runs.push((column, look, text.to_owned())),
        }
    }
    // Trailing blanks on the terminal's own ground show nothing.
    for (_, look, run) in &mut runs {
        if look.ground == GROUND {
            run.truncate(run.trim_end().len());
        }
    }
    runs.retain(|(_, _, run)| !run.is_empty());
    runs
}

/// What a picture says, read back from it: the text of each of its rows, blanks aside.
pub fn text_of(svg: &str) -> Vec<String> {
    let mut rows: Vec<(String, String)> = Vec::new();
    for line in svg.lines().filter(|line| line.starts_with("<text ")) {
        let y = line.split("y=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned();
        let text = line.split_once('>').and_then(|(_, rest)| rest.strip_suffix("</text>")).unwrap_or_default();
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        match rows.last_mut() {
            Some((last, row)) if *last == y => *row = format!("{row} {text}"),
            _ => rows.push((y, text)),
        }
    }
    rows.into_iter().map(|(_, text)| text).collect()
}

/// A row without what differs from run to run: numbers become `0`, lengths of time `0 s`, rules and blanks one.
pub fn masked(row: &str) -> String {
    let mut masked = String::new();
    for word in row.replace("just now", "0 s ago").split_whitespace() {
        let mut letters = String::new();
        for letter in word.chars() {
            let of_number = letter.is_ascii_digit() || (letters.ends_with('0') && matches!(letter, '.' | ':'));
            let letter = if of_number { '0' } else { letter };
            if !(letters.ends_with(letter) && matches!(letter, '0' | '─')) {
                letters.push(letter);
            }
        }
        masked.push_str(&letters);
        masked.push(' ');
    }
    masked.replace("0 min 0 s", "0 s").replace("0 ms", "0 s").trim_end().to_owned()
}
