//! Every member of a group of three and more.

use crate::control::status::{LinkState, Mode, Status};

use super::super::line::{Glyph, Line, Role};
use super::super::words;
use super::{Panel, Sight};

/// The panel.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    let widest = status.peers.iter().map(|peer| peer.name.len()).chain([status.node.len()]).max().unwrap_or(0);
    let mark = |mode: Option<Mode>| match mode {
        Some(Mode::Primary) => Line::new().glyph(Glyph::Acts),
        Some(Mode::Secondary) => Line::new().glyph(Glyph::StandsBy),
        None => Line::of("?"),
    };
    let row = |name: &str, mode: Option<Mode>, word: &str, term: u64, rest: String| {
        let mode = if sight.state.no_news(sight.now).is_some() { None } else { mode };
        Line::of("  ")
            .word(name, Role::Strong)
            .to_column(widest + 5)
            .then(mark(mode))
            .text(format!(" {:<12}", sight.value(word)))
            .text(format!("term {}   {}", sight.value(term.to_string()), sight.value(rest)))
    };
    let mut lines =
        vec![row(&status.node, Some(status.mode), words::mode(status.mode), status.term, "this member".to_owned())];
    for peer in &status.peers {
        let heard =
            peer.last_heard_ms.map_or("never heard".to_owned(), |age| format!("heard {}", words::ago(sight.aged(age))));
        let paths = status.links.iter().filter(|link| link.peer == peer.name);
        let up = paths.clone().filter(|link| link.state == LinkState::Up).count();
        let mut rest = format!("{heard}   {up} of {} paths up", paths.count());
        if let Some(score) = peer.score {
            rest.push_str(&format!("   health {score:.2}"));
        }
        if !peer.differs.is_empty() {
            rest.push_str(&format!("   differs: {}", peer.differs.join(", ")));
        }
        let (mode, word) = match (peer.gone.as_deref(), peer.mode) {
            (None, Some(mode)) => (Some(mode), words::mode(mode).to_owned()),
            (None, None) => (None, "NOT HEARD".to_owned()),
            (Some(gone), _) => (None, gone.replace('_', " ").to_uppercase()),
        };
        lines.push(row(&peer.name, mode, &word, peer.term, rest));
    }
    Panel::new("Members", format!("{} in the group", status.peers.len() + 1), lines)
}
