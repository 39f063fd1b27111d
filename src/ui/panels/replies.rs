//! What the other tells this member to be, as the orders that the replies are: "stay Secondary", "become Primary". On a
//! Primary: the queries that the others sent.

use crate::control::status::{Peer, Reply, ReplyKind, Status};
use crate::control::words as said;

use super::super::keys::View;
use super::super::line::{Line, Role};
use super::super::words;
use super::{Panel, Sight};

/// Below so many columns a reply says less.
const NARROW: usize = 72;

/// The panel.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    let asked = format!("asked every {}", words::tenths(status.query_interval_ms));
    let Some(peer) = said::peer_that_matters(status) else { return Panel::new("Replies", asked, Vec::new()) };
    let left = said::told_by(status, peer);
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
        let one = newest.count == 2;
        let alike = match (newest.reply, sight.width < NARROW) {
            (ReplyKind::Query, _) if one => "query",
            (ReplyKind::Query, _) => "queries",
            (ReplyKind::StaySecondary | ReplyKind::BecomePrimary | ReplyKind::NoAnswer, true) => "alike",
            (ReplyKind::StaySecondary | ReplyKind::BecomePrimary | ReplyKind::NoAnswer, false) if one => "answer alike",
            (ReplyKind::StaySecondary | ReplyKind::BecomePrimary | ReplyKind::NoAnswer, false) => "answers alike",
        };
        let over = words::within(newest.first_age_ms.saturating_sub(newest.age_ms));
        let earlier = words::count(newest.count - 1);
        let missed = missed(newest, peer.replies.get(1));
        lines.push(Line::of(format!("  before it  {}", sight.value(format!("{earlier} {alike}, {over}{missed}")))));
    }
    let mut newer = newest;
    for different in replies {
        if different.reply == newest.reply {
            newer = different;
            continue;
        }
        let at = words::moment(&words::before(sight.wall, sight.aged(different.age_ms)), sight.wall);
        let text = format!("  different  {at}, {}", said::order(different.reply));
        if different.reply == ReplyKind::NoAnswer {
            // Until the next answer came.
            let lasted = different.first_age_ms.saturating_sub(newer.first_age_ms);
            let why = different.why.as_deref().map_or(String::new(), |why| format!(": {why}"));
            let lasted = if lasted < 60_000 { words::tenths(lasted) } else { words::coarse(lasted) };
            lines.push(Line::of(format!("{text} for {lasted}{why}")));
            break;
        }
        let times =
            if different.count > 1 { format!(", {} times", words::count(different.count)) } else { String::new() };
        lines.push(Line::of(text + &times));
        break;
    }
    Panel::new(left, asked, lines)
}

/// How many questions of a run had no answer, in words. The numbers tell: every question has the next.
fn missed(run: &Reply, before: Option<&Reply>) -> String {
    if run.reply == ReplyKind::Query {
        return String::new();
    }
    let asked = run.query.saturating_sub(before.map_or(0, |before| before.query));
    match asked.saturating_sub(run.count) {
        0 => "; none missed".to_owned(),
        missed => format!("; {} missed", words::count(missed)),
    }
}

fn entry(sight: &Sight<'_>, peer: &Peer, reply: &Reply) -> Line {
    let at = words::moment(&words::before(sight.wall, sight.aged(reply.age_ms)), sight.wall);
    let role = match reply.reply {
        ReplyKind::NoAnswer => Role::Wrong,
        ReplyKind::StaySecondary | ReplyKind::BecomePrimary | ReplyKind::Query => Role::Plain,
    };
    let narrow = sight.width < NARROW;
    let mut line = Line::of(format!("  {}   ", sight.value(at)));
    if !narrow {
        line = line.text(format!("#{}   ", sight.value(reply.query.to_string())));
    }
    line = line.word(sight.value(said::order(reply.reply)), role);
    if let Some(score) = reply.score {
        let whose = if narrow { String::new() } else { format!("{}'s ", peer.name) };
        line = line.text(format!("   {whose}health {}", sight.value(format!("{score:.2}"))));
    }
    match reply.rtt_us {
        Some(rtt) => line.text(format!("   {}", sight.value(words::round_trip_short(rtt)))),
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
        if reply.count < 2 {
            lines.push(line);
            continue;
        }
        let over = words::within(reply.first_age_ms.saturating_sub(reply.age_ms));
        let alike = format!("{} alike {over}", words::count(reply.count));
        if line.width() + 3 + alike.len() <= sight.width {
            lines.push(line.text("   ").text(alike));
        } else {
            lines.extend([line, Line::of(format!("             {alike}"))]);
        }
    }
    lines
}
