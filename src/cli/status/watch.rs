//! `status --watch`: where there is no terminal worth drawing on. A line for each change, with the time, the mode, the
//! judgement and what changed; now and then one although nothing did, so that a dead line looks dead.
//!
//! For a person it goes on, and says so, while the controller is away or frozen. With `--json` it is one document a
//! line, every second, and ends when there are none.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Zoned;

use super::{clock, expect_status, for_this_terminal};
use crate::cli::args::StatusArgs;
use crate::cli::exit::Exit;
use crate::cli::interrupt::Interrupt;
use crate::control::client::{Client, ClientError};
use crate::control::request::Request;
use crate::control::status::{Link, Status};
use crate::control::words;

/// Without news for so long, a watched controller is taken for frozen: it sends a status every second.
const NEWS: Duration = Duration::from_secs(3);
/// As [`NEWS`], for scripts, which cannot be told that it came back.
const NEWS_FOR_SCRIPTS: Duration = Duration::from_secs(10);
/// How long nothing need change before a line says so.
const STILL: Duration = Duration::from_secs(60);
/// Between two tries to reach a controller that went away.
const RETRY: Duration = Duration::from_secs(1);

/// Prints until interrupted, or until the reader leaves.
pub(super) fn watch(client: Client, args: &StatusArgs, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let interrupt = Interrupt::catch()?;
    if args.json { documents(client, &interrupt, out) } else { lines(client, &interrupt, out) }
}

fn documents(mut client: Client, interrupt: &Interrupt, out: &mut dyn Write) -> anyhow::Result<Exit> {
    client.send(&Request::Watch { screen: None })?;
    while let Some(reply) = interrupt.next(&mut client, NEWS_FOR_SCRIPTS)? {
        serde_json::to_writer(&mut *out, &expect_status(reply)?)?;
        writeln!(out)?;
        out.flush()?;
    }
    Ok(Exit::Done)
}

fn lines(client: Client, interrupt: &Interrupt, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let path = client.path().to_owned();
    let mut teller = Teller::default();
    let mut connected = Some(client);
    loop {
        let heard = match &mut connected {
            Some(client) => tell(client, interrupt, &mut teller, out),
            None => Err(Ended::Lost("it is away".to_owned())),
        };
        match heard {
            Ok(()) => return Ok(Exit::Done),
            Err(Ended::Print(error)) => return Err(error),
            Err(Ended::Lost(why)) => teller.lost(&why, &path, out)?,
        }
        connected = None;
        if interrupt.within(RETRY)? {
            return Ok(Exit::Done);
        }
        if let Ok(client) = Client::open(&path) {
            connected = Some(client);
        }
    }
}

/// Why a connection gives no more lines.
enum Ended {
    /// The controller is away, or frozen.
    Lost(String),
    /// The lines cannot be printed, or the controller refuses.
    Print(anyhow::Error),
}

impl From<ClientError> for Ended {
    fn from(error: ClientError) -> Ended {
        Ended::Lost(error.to_string())
    }
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Ended {
        Ended::Print(error.into())
    }
}

/// One connection, until it is lost; or until Ctrl-C, which is the good end.
fn tell(client: &mut Client, interrupt: &Interrupt, teller: &mut Teller, out: &mut dyn Write) -> Result<(), Ended> {
    client.send(&Request::Watch { screen: None })?;
    while let Some(reply) = interrupt.next(client, NEWS)? {
        let status = expect_status(reply).map_err(Ended::Print)?;
        if let Some(line) = teller.line(status) {
            writeln!(out, "{}", for_this_terminal(&line))?;
            out.flush()?;
        }
    }
    Ok(())
}

/// What was told last.
#[derive(Debug, Default)]
struct Teller {
    last: Option<Status>,
    told_at: Option<Instant>,
    lost: bool,
}

impl Teller {
    /// The line for a status; none when nothing changed that a person cares about, and that was said not long ago.
    fn line(&mut self, status: Status) -> Option<String> {
        let mut changed = match &self.last {
            None => vec![now(&status)],
            Some(last) => changes(last, &status),
        };
        if std::mem::take(&mut self.lost) {
            changed.insert(0, "it answers again".to_owned());
        }
        if changed.is_empty() && self.told_at.is_some_and(|told| told.elapsed() >= STILL) {
            changed.push(format!("nothing changed for {}", words::lasting(STILL)));
        }
        let one = words::row_one(&status);
        let line = (!changed.is_empty()).then(|| {
            let judgement = words::row_three(&status).judgement;
            format!(
                "{}  {} {} {}  {judgement}  {}",
                clock(&status),
                one.name,
                one.mark.glyph(),
                one.word,
                changed.join("; ")
            )
        });
        if line.is_some() {
            self.told_at = Some(Instant::now());
        }
        self.last = Some(status);
        line
    }

    /// Says once that there is no news, and that it is being tried again.
    fn lost(&mut self, why: &str, path: &Path, out: &mut dyn Write) -> std::io::Result<()> {
        if std::mem::replace(&mut self.lost, true) {
            return Ok(());
        }
        self.told_at = Some(Instant::now());
        let name = self.last.as_ref().map_or_else(|| path.display().to_string(), |status| status.node.clone());
        let line = format!("{}  {name} ?? NO NEWS: {why}; trying again", Zoned::now().strftime("%H:%M:%S"));
        writeln!(out, "{}", for_this_terminal(&line))?;
        out.flush()
    }
}

/// Everything, for the first line.
fn now(status: &Status) -> String {
    let mut parts = vec![words::row_one(status).does];
    parts.extend(words::row_two(status).map(|two| format!("{} {} {}", two.name, two.word, two.does)));
    parts.push(words::protection(status));
    parts.push(hold(status));
    parts.extend(status.alarms.iter().map(|alarm| format!("{}: {}", words::class(alarm.class), alarm.text)));
    parts.join("; ")
}

/// Without its time left, which changes all the time.
fn hold(status: &Status) -> String {
    status.hold.as_ref().map_or_else(|| "no hold".to_owned(), |hold| format!("HELD by {}", hold.by))
}

/// What a person cares about and differs, the weightiest first.
fn changes(before: &Status, after: &Status) -> Vec<String> {
    let mut changes = Vec::new();
    let (was, is) = (words::row_one(before), words::row_one(after));
    if before.mode != after.mode {
        changes.push(format!("{}, because {}", is.does, after.reason.text));
    } else if was.does != is.does {
        changes.push(is.does);
    }
    for alarm in &after.alarms {
        if !before.alarms.iter().any(|old| old.id == alarm.id) {
            changes.push(format!("{}: {}", words::class(alarm.class), alarm.text));
        }
    }
    for alarm in &before.alarms {
        if !after.alarms.iter().any(|new| new.id == alarm.id) {
            changes.push(format!("over: {}", alarm.text));
        }
    }
    let other = |status: &Status| words::row_two(status).map(|two| format!("{} {} {}", two.name, two.word, two.does));
    if other(before) != other(after) {
        changes.extend(other(after));
    }
    // Without how long an alarm has stood, which changes all the time.
    let judged = |status: &Status| words::judgement(status);
    if changes.is_empty() && judged(before) != judged(after) {
        changes.push(format!("was {}", judged(before)));
    }
    for peer in &after.peers {
        let up = |status: &Status| {
            let own: Vec<&Link> = status.links.iter().filter(|link| link.peer == peer.name).collect();
            (words::paths_up(own.iter().copied(), status.reply_timeout_ms), own.len())
        };
        let (up_now, all) = up(after);
        if up(before) != (up_now, all) {
            changes.push(format!("{up_now} of {all} paths to {} up", peer.name));
        }
    }
    for (was, is) in [(hold(before), hold(after)), (words::protection(before), words::protection(after))] {
        if was != is {
            changes.push(is);
        }
    }
    if before.takeover.ready != after.takeover.ready {
        changes.push(if after.takeover.ready { "READY" } else { "NOT READY" }.to_owned());
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::super::tests::status;
    use super::*;
    use crate::control::examples::{primary, secondary, with_gone};
    use crate::negotiation::view::Gone;

    #[test]
    fn u7_a_line_comes_with_a_change_and_says_what_changed() {
        let mut teller = Teller::default();
        let mut view = secondary();
        let first = teller.line(status(&view)).expect("the first line");
        assert_eq!(
            first,
            "03:12:44  beta ○ SECONDARY  ONE ACTS  stands by, term 7; alpha PRIMARY acts, term 7; UNPROTECTED; no hold"
        );
        view.now = view.now + Duration::from_secs(5);
        assert_eq!(teller.line(status(&view)), None, "time alone is no change");
        let gone = teller.line(status(&with_gone(secondary(), Gone::Silent))).expect("a change");
        assert!(gone.contains("NOBODY IS KNOWN TO ACT") && gone.contains("alpha SILENT may still act"), "{gone}");
        let back = teller.line(status(&secondary())).expect("a change");
        assert!(back.contains("over: ") && back.contains("alpha PRIMARY acts, term 7"), "{back}");
        let acts = teller.line(status(&primary())).expect("a change");
        assert!(acts.contains("■ PRIMARY") && acts.contains("because"), "{acts}");
    }

    #[test]
    fn u7_a_lost_controller_is_told_once_and_its_return_too() {
        let mut teller = Teller::default();
        teller.line(status(&secondary()));
        let mut out = Vec::new();
        for _ in 0..3 {
            teller.lost("it is away", Path::new("beta.sock"), &mut out).expect("written");
        }
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("beta ?? NO NEWS: it is away"), "{text}");
        let back = teller.line(status(&secondary())).expect("it is told");
        assert!(back.ends_with("it answers again"), "{back}");
    }
}
