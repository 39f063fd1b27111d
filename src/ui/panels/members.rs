//! Every member of a group of three and more.

use crate::control::status::Status;
use crate::control::words as said;

use super::super::keys::View;
use super::super::line::{Line, Role};
use super::{Panel, Sight, mark};

/// So many rows of members are shown before the replies get any.
const LEAST: usize = 4;

/// The panel.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    let widest = status.peers.iter().map(|peer| peer.name.len()).chain([status.node.len()]).max().unwrap_or(0);
    let terms = status.peers.iter().map(|peer| peer.term).chain([status.term]);
    let terms = terms.map(|term| said::in_term(term).len()).max().unwrap_or(0);
    let row = |name: &str, shape: said::Mark, word: &str, term: u64, rest: String| {
        let shape = if sight.state.no_news(sight.now).is_some() { said::Mark::Unknown } else { shape };
        let head = Line::of("  ")
            .word(name, Role::Strong)
            .to_column(widest + 5)
            .then(mark(shape))
            .text(format!(" {:<12}", sight.value(word)))
            .text(format!("{:<terms$}   ", sight.value(said::in_term(term))));
        // Beside the other panels a member has one line, where there is no room for more.
        let room = sight.wide || sight.state.view == View::Members;
        let rest = sight.value(rest);
        if room { super::whole(head, &rest, sight.width) } else { vec![head.text(rest)] }
    };
    let own = (said::mark(status.mode), said::mode(status.mode));
    let mut lines = row(&status.node, own.0, own.1, status.term, "this member".to_owned());
    for peer in &status.peers {
        let (shape, word, _) = said::standing(peer);
        let heard = said::heard(peer, peer.last_heard_ms.map(|age| sight.aged(age)));
        let paths: Vec<_> = status.links.iter().filter(|link| link.peer == peer.name).collect();
        let up = said::paths_up(paths.iter().copied(), status.reply_timeout_ms);
        let mut rest = format!("{heard}   {up} of {} paths up", paths.len());
        // The health of one that is gone is history, and would read as if it were fit.
        if let (Some(score), None) = (peer.score, &peer.gone) {
            rest.push_str(&format!("   health {score:.2}"));
        }
        if !peer.differs.is_empty() {
            rest.push_str(&format!("   differs: {}", peer.differs.join(", ")));
        }
        lines.extend(row(&peer.name, shape, word, peer.term, rest));
    }
    let panel = Panel::new("Members", format!("{} in the group", status.peers.len() + 1), lines);
    // Rows 1 and 2 tell of two; without the others the panel would tell nothing.
    Panel { least: panel.lines.len().min(LEAST), ..panel }
}
