//! The link: every path to every other member, whether it is up, its round trip and how often it came back.

use crate::control::status::{Link, LinkRole, LinkState, Status};

use super::super::keys::View;
use super::super::line::Line;
use super::super::words;
use super::{Panel, Sight, verdict};

/// The panel.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    let left = match status.peers.as_slice() {
        [only] => format!("Link to {}", only.name),
        _ => "Links".to_owned(),
    };
    let up = status.links.iter().filter(|link| link.state == LinkState::Up).count();
    let right = format!("{} of {} paths up", sight.value(up.to_string()), status.links.len());
    let whole = sight.state.view == View::Link;
    let widest = |text: fn(&Link) -> &str| status.links.iter().map(|link| text(link).len()).max().unwrap_or(0);
    let (names, addresses) = (widest(|link| &link.peer), widest(|link| &link.address));
    let mut lines = Vec::new();
    for link in &status.links {
        let mut line = verdict(sight, link.state == LinkState::Up);
        if status.peers.len() > 1 {
            let column = line.width() + names + 3;
            line = line.text(&link.peer).to_column(column);
        }
        let column = line.width() + addresses + 3;
        line = line.text(&link.address).to_column(column);
        lines.push(line.text(sight.value(said(sight, link))));
        if whole {
            lines.extend(more(sight, link));
        }
    }
    Panel::new(left, right, lines)
}

fn said(sight: &Sight<'_>, link: &Link) -> String {
    let lasts = words::coarse(sight.aged(link.since_ms));
    match link.state {
        LinkState::Up => {
            let sealed = if link.encrypted { "encrypted" } else { "NOT ENCRYPTED" };
            let rtt = link.rtt_us.map_or_else(|| "-".to_owned(), words::round_trip);
            format!("up {lasts}   {sealed}   {rtt}   reconnects {}", link.reconnects)
        }
        LinkState::Connecting | LinkState::Down => {
            let heard = match link.last_heard_ms {
                Some(age) => {
                    let at = words::before(sight.wall, sight.aged(age));
                    format!("last heard {}", words::moment(&at, sight.wall))
                }
                None => "never heard".to_owned(),
            };
            let why = match (&link.why, link.state) {
                (Some(why), _) => why.clone(),
                (None, LinkState::Connecting) => "connecting".to_owned(),
                (None, LinkState::Down | LinkState::Up) => format!("down for {lasts}"),
            };
            format!("{heard}   {why}")
        }
    }
}

/// What the view adds to a path.
fn more(sight: &Sight<'_>, link: &Link) -> Vec<Line> {
    let side = match link.role {
        LinkRole::Server => "this member listens, the other connects",
        LinkRole::Client => "this member connects, the other listens",
    };
    let heard = link
        .last_heard_ms
        .map_or("never heard".to_owned(), |age| format!("last heard {}", words::ago(sight.aged(age))));
    let why = link.why.as_deref().map_or(String::new(), |why| format!("; {why}"));
    vec![Line::of(format!("      {side}")), Line::of(format!("      {}{why}", sight.value(heard)))]
}
