//! Rows 1 to 3: which controller this is, whether it acts, what the other does, and the one judgement. They never move
//! and are never left out; on a narrow terminal they say less, the most important last to go.

use crate::control::status::{AlarmClass, Judgement, Mode, Status};
use crate::control::words as said;

use super::super::line::{Line, Role};
use super::super::options::Connection;
use super::super::words;
use super::{Sight, mark};

/// The rows, and which of them stand out.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Rows 1 to 3.
    pub lines: [Line; 3],
    /// Row 1 in reverse video: this member acts.
    pub acts: bool,
    /// Row 3 in reverse video: an alarm stands.
    pub alarm: bool,
}

/// The three rows.
pub fn rows(sight: &Sight<'_>) -> Rows {
    let Some(status) = &sight.state.status else {
        let (clock, offset) = words::clock(sight.wall);
        let who = sight.state.hello.as_ref().map_or_else(|| "?".to_owned(), |hello| hello.node.clone());
        let waiting = match sight.state.no_news(sight.now) {
            Some(silent) => format!("?? NO NEWS for {} s", silent.as_secs()),
            None => "?? waiting for its first word".to_owned(),
        };
        let first = pick(
            sight.width,
            vec![
                (Line::of(format!(" you are on  {who}    {waiting}")), Line::of(format!("{clock} {offset} "))),
                (Line::of(format!(" {who} {waiting}")), Line::new()),
            ],
        );
        let unknown = Line::of(" ?? nothing is known yet");
        return Rows { lines: [first, Line::of(" the other   ?"), unknown], acts: false, alarm: false };
    };
    let stale = sight.state.no_news(sight.now).is_some();
    let alarm = status.alarms.iter().any(|alarm| alarm.class == AlarmClass::Alarm);
    Rows {
        lines: [first(sight, status), second(sight, status), third(sight, status)],
        acts: status.mode == Mode::Primary && !stale,
        alarm: alarm && !stale,
    }
}

/// The first pair that fits, else the last, cut.
fn pick(width: usize, variants: Vec<(Line, Line)>) -> Line {
    let mut chosen = Line::new();
    for (left, right) in variants {
        let gap = usize::from(right.width() > 0);
        let fits = left.width() + gap + right.width() <= width;
        chosen = if right.width() > 0 { left.with_right(right, width) } else { left };
        if fits {
            break;
        }
    }
    chosen
}

fn name_width(status: &Status) -> usize {
    let names = status.peers.iter().map(|peer| peer.name.len()).chain([status.node.len()]);
    names.max().unwrap_or(0).clamp(6, 16) + 2
}

fn first(sight: &Sight<'_>, status: &Status) -> Line {
    let (clock, offset) = words::clock(sight.wall);
    let lead = Line::of(" you are on  ").word(&status.node, Role::Strong).to_column(13 + name_width(status));
    let short = Line::of(" ").word(&status.node, Role::Strong).text(" ");
    let (mode, does) = match sight.state.no_news(sight.now) {
        Some(silent) => {
            let text = format!("?? NO NEWS for {} s", silent.as_secs());
            (Line::new().word(text, Role::Doubtful), String::new())
        }
        None => (
            mark(said::mark(status.mode)).text(" ").word(said::mode(status.mode), Role::Strong),
            said::row_one(status).does,
        ),
    };
    let does = does.as_str();
    let full = lead.clone().then(mode.clone());
    let lead = full.clone();
    let column = (13 + name_width(status) + 13).max(full.width() + 1);
    let full = full.to_column(column).text(does);
    let short = short.then(mode.clone());
    let brief = short.clone().text(" ").text(does);
    let group = &status.group;
    pick(
        sight.width,
        vec![
            (full.clone(), Line::of(format!(" {group}  {clock} {offset} "))),
            (full.clone(), Line::of(format!(" {clock} {offset} "))),
            (full, Line::of(format!(" {clock} "))),
            (brief.clone(), Line::of(format!("{clock} "))),
            (lead, Line::of(format!("{clock} "))),
            (brief, Line::new()),
            (short.clone(), Line::of(&clock)),
            (short, Line::new()),
            (mode, Line::new()),
        ],
    )
}

fn second(sight: &Sight<'_>, status: &Status) -> Line {
    let Some(peer) = said::peer_that_matters(status) else { return Line::of(" the other   none is configured") };
    let lead = Line::of(" the other   ").word(&peer.name, Role::Strong).to_column(13 + name_width(status));
    let short = Line::of(" ").word(&peer.name, Role::Strong).text(" ");
    if sight.state.no_news(sight.now).is_some() {
        let unknown = Line::new().word("?", Role::Doubtful);
        return pick(sight.width, vec![(lead.then(unknown.clone()), Line::new()), (short.then(unknown), Line::new())]);
    }
    let (shape, word, does) = said::standing_among(status, peer);
    let role = if shape == said::Mark::Unknown { Role::Doubtful } else { Role::Strong };
    let mode = mark(shape).text(" ").word(word, role);
    let heard = said::heard(peer, peer.last_heard_ms.map(|age| sight.aged(age)));
    let full = lead.then(mode.clone());
    let column = (13 + name_width(status) + 13).max(full.width() + 1);
    let full = full.to_column(column).text(&does);
    let brief = short.clone().then(mode.clone()).text(" ").text(&does);
    let more = match status.peers.len() {
        0 | 1 => String::new(),
        members => format!(", {} more", members - 1),
    };
    pick(
        sight.width,
        vec![
            (full.clone(), Line::of(format!(" {heard}{more} "))),
            (full, Line::of(format!(" {heard} "))),
            (brief.clone(), Line::of(format!(" {heard} "))),
            (brief, Line::new()),
            (short.then(mode), Line::new()),
        ],
    )
}

fn third(sight: &Sight<'_>, status: &Status) -> Line {
    if let Some(silent) = sight.state.no_news(sight.now) {
        let silent = words::lasting(millis(silent));
        let text = match sight.state.connection {
            Connection::Open => format!("?? the controller has said nothing for {silent}"),
            Connection::Closed => format!("?? its socket is closed: gone or restarting, no news for {silent}"),
        };
        return pick(
            sight.width,
            vec![
                (Line::of(" ").word(&text, Role::Doubtful).text(": values are unknown"), Line::new()),
                (Line::of(" ").word(text, Role::Doubtful), Line::new()),
                (Line::of(" ").word(short_news(sight.state.connection), Role::Doubtful), Line::new()),
                (Line::of(" ").word("?? nothing is known", Role::Doubtful), Line::new()),
            ],
        );
    }
    let judged = said::judged(status, |age| sight.aged(age));
    let calm = !judged.starts_with("!!") && status.judgement != Judgement::NobodyActs;
    let judgement = Line::of(" ").word(judged, if calm { Role::Strong } else { Role::Wrong });
    let protection = said::protection(status);
    let hold = said::hold(status, |left| sight.remaining(left));
    let observe = if status.observe_only { "   OBSERVE ONLY" } else { "" };
    let with_protection = judgement.clone().text("   ").word(&protection, Role::Strong).text(observe);
    let full = with_protection.clone().text("   ").text(&hold);
    let attached = Line::of(format!(" attached: {} ", attached(sight, status)));
    let people = Line::of(format!(" attached: {} ", status.attached.len().max(1)));
    let mut variants = if said::takeover_blocked(status) && status.hold.is_none() {
        // Row 3 says what keeps everybody from acting, and who is here to do something about it (screens/3).
        vec![(judgement.clone(), attached.clone()), (judgement.clone(), people.clone())]
    } else {
        Vec::new()
    };
    variants.extend([(full.clone(), attached), (full.clone(), people), (full, Line::new())]);
    if status.hold.is_some() {
        variants.push((judgement.clone().text("   ").text(&hold), Line::new()));
    }
    variants.extend([(with_protection, Line::new()), (judgement, Line::new())]);
    pick(sight.width, variants)
}

/// The same where there is no room for more.
fn short_news(connection: Connection) -> &'static str {
    match connection {
        Connection::Open => "?? it says nothing: all is unknown",
        Connection::Closed => "?? its socket is closed",
    }
}

fn attached(sight: &Sight<'_>, status: &Status) -> String {
    // One user may have two screens, one of them read-only: each finds itself by what it is, not only by whose it is.
    let me = sight.state.hello.as_ref().map(|hello| sight.state.kind().called(&hello.you_are));
    let mine = status.attached.iter().position(|who| Some(who) == me.as_ref());
    let others = status.attached.iter().enumerate().filter(|(at, _)| Some(*at) != mine).map(|(_, who)| who.as_str());
    std::iter::once("you").chain(others).collect::<Vec<_>>().join(", ")
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
