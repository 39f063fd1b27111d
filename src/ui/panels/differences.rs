//! Where the members differ: what each tells of itself, side by side, and what two did that both acted.
//!
//! It is this member's view of the others; what they think of it is on their own screens.

use crate::control::status::{Able, Peer, Status};
use crate::control::words as said;

use super::super::line::{Line, Role};
use super::super::words;
use super::{Panel, Sight, story, wrap};

/// What a row is about, the members' values, and whether they should be alike.
struct Row {
    head: &'static str,
    values: Vec<String>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is each member's own.
    Own,
    /// It should be the same everywhere.
    Alike,
}

/// The value of what is not known: of a member that is not heard, what it once told is history.
const UNKNOWN: &str = "?";

impl Row {
    fn differs(&self) -> bool {
        // What is not known neither differs nor is alike.
        let mut known = self.values.iter().filter(|value| *value != UNKNOWN);
        let first = known.next();
        self.kind == Kind::Alike && known.any(|value| Some(value) != first)
    }
}

/// The panel.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    let rows = rows(sight, status);
    let columns = (sight.width.saturating_sub(18) / (status.peers.len() + 1)).clamp(10, 29);
    let cell = |line: Line, text: &str, role: Role| {
        let column = line.width() + columns;
        line.word(text, role).cut(column - 1).to_column(column)
    };
    let names = std::iter::once(&status.node).chain(status.peers.iter().map(|peer| &peer.name));
    let mut lines = vec![names.fold(Line::new().to_column(18), |line, name| cell(line, name, Role::Strong))];
    for row in &rows {
        let head = if row.differs() { Line::of("  ").word("!!", Role::Doubtful) } else { Line::of("    ") };
        let head = head.text(format!("  {}", row.head)).to_column(18);
        lines.push(row.values.iter().fold(head, |line, value| cell(line, &sight.value(value), Role::Plain)));
    }
    for peer in status.peers.iter().filter(|peer| !peer.differs.is_empty()) {
        let text = format!("settings of {} that differ: {}", peer.name, peer.differs.join(", "));
        for (at, text) in wrap(&text, sight.width.saturating_sub(8)).into_iter().enumerate() {
            let head = if at == 0 { Line::of("  ").word("!!", Role::Doubtful).text("  ") } else { Line::of("      ") };
            lines.push(head.text(text));
        }
    }
    let differ = rows.iter().filter(|row| row.differs()).count()
        + status.peers.iter().map(|peer| peer.differs.len()).sum::<usize>();
    let unheard: Vec<&str> =
        status.peers.iter().filter(|peer| !is_heard(peer)).map(|peer| peer.name.as_str()).collect();
    let right = match (differ, unheard.as_slice()) {
        _ if sight.state.no_news(sight.now).is_some() => "not known without news".to_owned(),
        (0, []) => "none that matters".to_owned(),
        (0, names) => format!("not known: {} not heard", names.join(", ")),
        (1, []) => "1 thing differs".to_owned(),
        (many, []) => format!("{many} things differ"),
        (1, names) => format!("1 thing differs; {} not heard", names.join(", ")),
        (many, names) => format!("{many} things differ; {} not heard", names.join(", ")),
    };
    for part in [story::both(sight, status), story::steps(sight, status)].into_iter().flatten() {
        lines.push(Line::new());
        lines.push(Line::of(" ").then(part.left));
        lines.extend(part.lines);
    }
    Panel::new("Differences between the members", right, lines)
}

fn is_heard(peer: &Peer) -> bool {
    peer.gone.is_none() && peer.last_heard_ms.is_some()
}

fn rows(sight: &Sight<'_>, status: &Status) -> Vec<Row> {
    let row = |head, kind, own: String, of: &dyn Fn(&Peer) -> String| Row {
        head,
        kind,
        values: std::iter::once(own).chain(status.peers.iter().map(of)).collect(),
    };
    let unknown = || UNKNOWN.to_owned();
    let able = |able: Option<&Able>| match able {
        None => unknown(),
        Some(Able { why: Some(why), .. }) => why.clone(),
        Some(Able { why: None, .. }) => "fit".to_owned(),
    };
    let term = |number: u64| if number == 0 { "none yet".to_owned() } else { number.to_string() };
    let mut rows = vec![
        row("mode", Kind::Own, said::mode(status.mode).to_owned(), &|peer| said::standing(peer).1.to_owned()),
        row("term", Kind::Own, term(status.term), &|peer| if is_heard(peer) { term(peer.term) } else { unknown() }),
        row("health", Kind::Own, format!("{:.2}", status.health.total), &|peer| {
            // What one that is gone once told of itself would read as if it were fit.
            peer.score.filter(|_| peer.gone.is_none()).map_or_else(unknown, |score| format!("{score:.2}"))
        }),
        row("able", Kind::Own, able(Some(&status.able)), &|peer| {
            able(peer.able.as_ref().filter(|_| peer.gone.is_none()))
        }),
        row("version", Kind::Alike, status.version.clone(), &|peer| {
            peer.version.clone().filter(|_| is_heard(peer)).unwrap_or_else(unknown)
        }),
        row("settings", Kind::Own, "this member".to_owned(), &|peer| match (is_heard(peer), peer.differs.len()) {
            (false, _) => unknown(),
            (true, 0) => "alike".to_owned(),
            (true, many) => format!("{many} differ"),
        }),
        row("heard", Kind::Own, "this member".to_owned(), &|peer| {
            peer.last_heard_ms.map_or_else(|| "never".to_owned(), |age| words::ago(sight.aged(age)))
        }),
        row("paths up", Kind::Own, "-".to_owned(), &|peer| {
            let paths: Vec<_> = status.links.iter().filter(|link| link.peer == peer.name).collect();
            format!("{} of {}", said::paths_up(paths.iter().copied(), status.reply_timeout_ms), paths.len())
        }),
        row("screens", Kind::Own, screens(&status.attached), &|peer| {
            if peer.gone.is_some() { unknown() } else { screens(&peer.attached) }
        }),
    ];
    if let Some(hold) = &status.hold {
        rows.push(row("knows the hold", Kind::Alike, "yes".to_owned(), &|peer| {
            if hold.not_told.contains(&peer.name) { "NO".to_owned() } else { "yes".to_owned() }
        }));
    }
    rows
}

/// Who looks: by name while the names fit, else how many.
fn screens(attached: &[String]) -> String {
    let names = attached.join(", ");
    match attached {
        [] => "nobody".to_owned(),
        many if names.len() > 26 => format!("{} screens", many.len()),
        _ => names,
    }
}
