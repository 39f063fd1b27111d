//! Help: every key, from the table that dispatches (U8), and what the shapes mean.

use super::super::keys::{ACTIONS, BINDINGS};
use super::super::line::{Glyph, Line, Role};
use super::Panel;

/// The panel.
pub fn panel(width: usize) -> Panel {
    let row = |key: &str, text: &str| super::whole(Line::of("  ").word(key, Role::Strong).to_column(13), text, width);
    let said = |text: &str| super::whole(Line::of("  "), text, width);
    let mut lines: Vec<Line> = BINDINGS.iter().flat_map(|binding| row(binding.shown, binding.help)).collect();
    lines.push(Line::new());
    lines.extend(said("After a, one letter; each opens its plan, and nothing happens before its number is typed:"));
    lines.extend(ACTIONS.iter().flat_map(|action| row(&format!("a {}", action.letter), action.help)));
    lines.push(Line::new());
    lines.push(Line::of("  ").glyph(Glyph::Acts).to_column(13).text("acts: this member is Primary"));
    lines.push(Line::of("  ").glyph(Glyph::StandsBy).to_column(13).text("stands by: this member is Secondary"));
    lines.extend(row("? ??", "not known"));
    lines.extend(row("ok NO !!", "met; not met; worth knowing"));
    lines.extend(said("Row 1 is in reverse video while this member acts, row 3 while an alarm stands."));
    Panel::new("Help", "Esc goes back", lines)
}
