//! Why the mode is what it is: the rule that fired, its sentence and what else bears on it (U4).

use crate::control::status::Status;
use crate::control::words as said;

use super::super::line::{Line, Role};
use super::super::words;
use super::{Panel, Sight, verdict, wrap};

/// The panel.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    let mut lines = Vec::new();
    let mut say = |head: &str, text: String| {
        for (at, text) in wrap(&text, sight.width.saturating_sub(15)).into_iter().enumerate() {
            let line = if at == 0 { Line::of("  ").word(head, Role::Strong) } else { Line::new() };
            lines.push(line.to_column(14).text(text));
        }
    };
    let since = words::moment(&words::before(sight.wall, sight.aged(status.since_ms)), sight.wall);
    let lasts = words::coarse(sight.aged(status.since_ms));
    let (mode, term) = (said::mode(status.mode), said::in_term(status.term));
    say("what", sight.value(format!("{mode} since {since}, for {lasts}, {term}")));
    say("because", status.reason.text.clone());
    say("rule", format!("{}, clause {}", status.reason.rule.replace('_', " "), status.reason.clause));
    for (at, fact) in status.reason.evidence.iter().enumerate() {
        say(if at == 0 { "known then" } else { "" }, fact.clone());
    }
    for (at, line) in status.reason.otherwise.iter().enumerate() {
        say(if at == 0 { "otherwise" } else { "" }, line.clone());
    }
    for (at, line) in said::split(status, |age| sight.aged(age)).iter().enumerate() {
        say(if at == 0 { "split" } else { "" }, sight.value(line.as_str()));
    }
    if let Some(change) = &status.transition {
        let waited = words::lasting(sight.aged(change.since_ms));
        say("under way", format!("to {}: waits {waited} for {}", said::mode(change.to), change.waiting_for));
    }
    say(
        "able",
        match (&status.able.why, status.able.level) {
            (None, _) => "yes, fit".to_owned(),
            (Some(why), 0) => format!("no: {why}"),
            (Some(why), _) => format!("sick: {why}"),
        },
    );
    if let Some(hold) = &status.hold {
        let left = words::coarse(sight.remaining(hold.expires_ms));
        say("hold", format!("by {}, ends in {left}: no automatic takeover until then", hold.by));
        if !hold.not_told.is_empty() {
            say("", format!("not told yet: {}", hold.not_told.join(", ")));
        }
    }
    say("silence", format!("counts after {}", words::tenths(status.reply_timeout_ms)));
    if let Some(availability) = &status.availability {
        say("available", sight.value(crate::control::words::availability(availability)));
        say("", availability.data_loss.clone());
    }
    let gaps = &status.loop_gaps;
    say(
        "own stalls",
        format!(
            "worst {} in the last minute, {} since start",
            words::round_trip(gaps.recent_worst_us),
            words::round_trip(gaps.worst_us)
        ),
    );
    for rejected in &status.rejected {
        say("refused", format!("{} {} since start", rejected.count, rejected.kind.replace('_', " ")));
    }
    if !status.takeover.lines.is_empty() {
        lines.push(Line::new());
        lines.push(Line::of("  What a takeover by itself rests on:"));
        lines.extend(status.takeover.lines.iter().map(|line| verdict(sight, line.ok).text(&line.text)));
    }
    Panel::new(format!("Why {} is {mode}", status.node), "", lines)
}
