//! What the other tells this member to be, as the orders that the replies are: "stay Secondary", "become Primary". On a
//! Primary: the queries that the others sent.

use crate::control::status::{Mode, Peer, Reply, ReplyKind, Status};

use super::super::keys::View;
use super::super::line::{Line, Role};
use super::super::words;
use super::{Panel, Sight, other};

/// The panel.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    let asked = format!("asked every {}", words::tenths(status.query_interval_ms));
    let Some(peer) = other(status) else { return Panel::new("Replies", asked, Vec::new()) };
    let left = match status.mode {
        Mode::Primary => format!("What {} asks of {}", peer.name, status.node),
        Mode::Secondary => format!("What {} tells {} to be", peer.name, status.node),
    };
    if sight.state.view == View::Replies {
        let lines = status.peers.iter().flat_map(|peer| history(sight, status, peer)).collect();
        return Panel::new(left, asked, lines);
    }
    let mut replies = peer.replies.iter();
    let Some(newest) = replies.next() else {
        return Panel::new(left, asked, vec![Line::of("  nothing yet")]);
    };
    let mut lines = vec![entry(sight, peer, newest)];
    if newest.count > 1 {
        let alike = if newest.reply == ReplyKind::Query { "queries" } else { "answers alike" };
        let over = words::coarse(newest.first_age_ms.saturating_sub(newest.age_ms));
        let earlier = words::count(newest.count - 1);
        lines.push(Line::of(format!("  before it  {}", sight.value(format!("{earlier} {alike}, in {over}")))));
    }
    if let Some(different) = replies.find(|reply| reply.reply != newest.reply) {
        let at = words::moment(&words::before(sight.wall, sight.aged(different.age_ms)), sight.wall);
        let text = format!("  different  {at}, {}", words::reply(different.reply));
        let times =
            if different.count > 1 { format!(", {} times", words::count(different.count)) } else { String::new() };
        lines.push(Line::of(text + &times));
    }
    Panel::new(left, asked, lines)
}

fn entry(sight: &Sight<'_>, peer: &Peer, reply: &Reply) -> Line {
    let at = words::moment(&words::before(sight.wall, sight.aged(reply.age_ms)), sight.wall);
    let role = match reply.reply {
        ReplyKind::NoAnswer => Role::Wrong,
        ReplyKind::StaySecondary | ReplyKind::BecomePrimary | ReplyKind::Query => Role::Plain,
    };
    let mut line = Line::of(format!("  {}   #{}   ", sight.value(at), sight.value(reply.query.to_string())));
    line = line.word(sight.value(words::reply(reply.reply)), role);
    if let Some(score) = reply.score {
        line = line.text(format!("   {}'s health {}", peer.name, sight.value(format!("{score:.2}"))));
    }
    match reply.rtt_us {
        Some(rtt) => line.text(format!("   {}", sight.value(words::round_trip(rtt)))),
        None => line,
    }
}

fn history(sight: &Sight<'_>, status: &Status, peer: &Peer) -> Vec<Line> {
    let mut lines = Vec::new();
    if status.peers.len() > 1 {
        lines.push(Line::of(" ").word(&peer.name, Role::Strong));
    }
    if peer.replies.is_empty() {
        lines.push(Line::of("  nothing yet"));
    }
    for reply in &peer.replies {
        let line = entry(sight, peer, reply);
        lines.push(match reply.count {
            0 | 1 => line,
            count => {
                let over = words::coarse(reply.first_age_ms.saturating_sub(reply.age_ms));
                line.text(format!("   {} alike in {over}", words::count(count)))
            }
        });
    }
    lines
}
