//! The link: every path to every other member, whether it is up, its round trip and how often it came back.

use crate::control::status::{Link, LinkRole, Status};
use crate::control::words::{self as said, PathStands};

use super::super::keys::View;
use super::super::line::{Line, Role};
use super::super::words;
use super::{Panel, Sight};

/// Below so many columns a path says less: that it is encrypted is only said where it is not.
const NARROW: usize = 72;

/// The fewest values of a history that are worth a long explanation beside them.
const HISTORY_LEAST: usize = 12;

/// The panel.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    let left = match status.peers.as_slice() {
        [only] => format!("Link to {}", only.name),
        _ => "Links".to_owned(),
    };
    let up = said::paths_up(status.links.iter(), status.reply_timeout_ms);
    let right = format!("{} of {} paths up", sight.value(up.to_string()), status.links.len());
    let whole = sight.state.view == View::Link;
    let widest = |text: fn(&Link) -> &str| status.links.iter().map(|link| text(link).len()).max().unwrap_or(0);
    let (names, addresses) = (widest(|link| &link.peer), widest(|link| &link.address));
    let mut lines = Vec::new();
    let mut links: Vec<&Link> = status.links.iter().collect();
    if !whole {
        // Where there is not room for all, those that are not up are what the reader came for.
        links.sort_by_key(|link| said::path(link, status.reply_timeout_ms) == PathStands::Up);
    }
    for link in links {
        let stands = said::path(link, status.reply_timeout_ms);
        let mut line = mark(sight, stands);
        if status.peers.len() > 1 {
            let column = line.width() + names + 3;
            line = line.text(&link.peer).to_column(column);
        }
        let column = line.width() + addresses + 3;
        line = line.text(&link.address).to_column(column);
        let text = sight.value(tells(sight, link, stands));
        if !whole && !sight.wide {
            lines.push(line.text(text));
        } else {
            // Here there is room to tell it whole.
            lines.extend(super::whole(line, &text, sight.width));
        }
        if whole {
            lines.extend(more(sight, link));
        }
        if whole || sight.wide {
            lines.extend(history(sight, link));
        }
    }
    Panel::new(left, right, lines)
}

fn mark(sight: &Sight<'_>, stands: PathStands) -> Line {
    let (word, role) = match (sight.state.no_news(sight.now), stands) {
        (Some(_), _) => ("??", Role::Doubtful),
        (None, PathStands::Up) => (said::path_mark(stands), Role::Plain),
        (None, PathStands::Tried) => (said::path_mark(stands), Role::Doubtful),
        (None, PathStands::Silent | PathStands::Down) => (said::path_mark(stands), Role::Wrong),
    };
    Line::of("  ").word(word, role).text("  ")
}

fn tells(sight: &Sight<'_>, link: &Link, stands: PathStands) -> String {
    let lasts = words::coarse(sight.aged(link.since_ms));
    let heard = || match link.last_heard_ms {
        Some(age) => {
            let at = words::before(sight.wall, sight.aged(age));
            // Of a path that broke, when it did is wanted to the tenth.
            let at = match stands {
                PathStands::Down => words::moment_tenths(&at, sight.wall),
                PathStands::Up | PathStands::Silent | PathStands::Tried => words::moment(&at, sight.wall),
            };
            if sight.width < NARROW { format!("heard {at}") } else { format!("last heard {at}") }
        }
        None => "never heard".to_owned(),
    };
    match stands {
        PathStands::Up => {
            let sealed = match (link.encrypted, sight.width < NARROW) {
                (true, true) => "",
                (true, false) => "   encrypted",
                (false, _) => "   NOT ENCRYPTED",
            };
            let rtt = link.rtt_us.map_or_else(|| "-".to_owned(), words::round_trip);
            format!("up {lasts}{sealed}   {rtt}   reconnects {}", link.reconnects)
        }
        PathStands::Silent => format!("{}   silent, though connected", heard()),
        PathStands::Tried => format!("{}   {}", heard(), link.why.as_deref().unwrap_or("connecting")),
        PathStands::Down => match &link.why {
            Some(why) => format!("{}   {why}", heard()),
            None => format!("{}   down for {lasts}", heard()),
        },
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
    let told = [side.to_owned(), format!("{}{why}", sight.value(heard))];
    told.iter().flat_map(|text| super::whole(Line::of("      "), text, sight.width)).collect()
}

/// The round trips of late, in digits: they read alike in every charset.
fn history(sight: &Sight<'_>, link: &Link) -> Option<Line> {
    let history = &sight.state.history;
    let worst = words::round_trip(history.worst(&link.address)?);
    let long = format!("      round trips, the worst of each 10 s; 9 is {worst}, . is down: ");
    let short = format!("      worst of each 10 s, 9 is {worst}: ");
    let text = if long.len() + HISTORY_LEAST <= sight.width { long } else { short };
    let row = history.row(&link.address, sight.width.saturating_sub(text.len() + 2))?;
    Some(Line::of(text + &row))
}
