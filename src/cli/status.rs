//! `status`: one screenful for a person, or the status JSON; its exit status is that of a monitoring plugin (U7).
//!
//! The truths and the words are the screen's ([`crate::control::words`]); here they are only put under each other.

mod watch;
mod what_runs;

use what_runs::what_runs;

use std::io::Write;
use std::time::Duration;

use crate::control::client::{ANSWER, Client};
use crate::control::compose::{ExitClass, exit_class};
use crate::control::request::{Reply, Request};
use crate::control::status::{AlarmClass, Link, Status};
use crate::control::words::{self, PathStands};

use super::args::{Global, StatusArgs};
use super::connect::connect;
use super::exit::Exit;
use super::plain::plain;

/// How many events a person is shown.
const EVENTS: usize = 5;

/// Prints the status; with `--watch` again on every change.
pub fn run(global: &Global, args: &StatusArgs) -> anyhow::Result<Exit> {
    let mut client = match connect(global) {
        Ok(client) => client,
        Err(error) => {
            // Wrong usage too is 3 here, because 2 would say "critical" to a monitoring system.
            crate::complain!("tandem: {error}");
            return Ok(Exit::NoController);
        }
    };
    let mut out = std::io::stdout().lock();
    let result = if args.watch { watch::watch(client, args, &mut out) } else { once(&mut client, args, &mut out) };
    match result {
        Ok(exit) => Ok(exit),
        Err(error) if is_broken_pipe(&error) => Ok(Exit::Done),
        Err(error) => {
            crate::complain!("tandem: {error:#}");
            Ok(Exit::NoController)
        }
    }
}

/// Whether the reader of standard output has left, which is no failure.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    let json = error.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
    io.map(std::io::Error::kind).or(json) == Some(std::io::ErrorKind::BrokenPipe)
}

fn once(client: &mut Client, args: &StatusArgs, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let status = expect_status(client.ask(&Request::Status, ANSWER)?)?;
    if args.json {
        serde_json::to_writer(&mut *out, &status)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", for_this_terminal(&human(&status)))?;
    }
    out.flush()?;
    Ok(match exit_class(&status) {
        ExitClass::Fine => Exit::Done,
        ExitClass::Degraded => Exit::Failed,
        ExitClass::Critical => Exit::Usage,
    })
}

fn expect_status(reply: Reply) -> anyhow::Result<Status> {
    match reply {
        Reply::Status(status) => Ok(std::sync::Arc::unwrap_or_clone(status)),
        Reply::Refused { why } => Err(anyhow::anyhow!(why)),
        other => Err(anyhow::anyhow!("the controller answered something else than was asked: {other:?}")),
    }
}

/// "03:12:44" of an RFC 3339 time; the whole text when it is not one.
fn clock(status: &Status) -> &str {
    status.time.get(11..19).unwrap_or(&status.time)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The status for a person: rows 1 to 3, then what the screen shows, in its order.
fn human(status: &Status) -> String {
    let mut text = String::new();
    let mut row = |row: words::MemberRow, tail: &str| {
        let glyph = row.mark.glyph();
        text += format!("{:<11} {:<8} {glyph} {:<10} {:<22} {tail}", row.lead, row.name, row.word, row.does).trim_end();
        text += "\n";
    };
    let one = words::row_one(status);
    let tail = format!("{}  {}", one.tail, clock(status));
    row(one, &tail);
    if let Some(two) = words::row_two(status) {
        let tail = two.tail.clone();
        row(two, &tail);
    }
    let three = words::row_three(status);
    text += &format!("{}   {}   {}   {}\n", three.judgement, three.protection, three.hold, three.attached);
    text += &format!("why: {} ({}), {}\n", status.reason.text, status.reason.clause, words::ago(ms(status.since_ms)));
    if let Some(change) = &status.transition {
        let since = words::lasting(ms(change.since_ms));
        text += &format!("waiting for: {}, since {since}\n", change.waiting_for);
    }
    alarms(status, &mut text);
    story(status, &mut text);
    plans(status, &mut text);
    takeover(status, &mut text);
    links(status, &mut text);
    replies(status, &mut text);
    what_runs(status, &mut text);
    if let Some(availability) = &status.availability {
        text += &format!("Available: {}\n", words::availability(availability));
    }
    if !status.events.is_empty() {
        text += "Events, newest first\n";
    }
    for event in status.events.iter().take(EVENTS) {
        let time = event.time.get(..19).unwrap_or(&event.time).replace('T', " ");
        text += &format!("  {time}  {:<7}  {}\n", event.kind, event.text);
    }
    text
}

fn alarms(status: &Status, text: &mut String) {
    for alarm in &status.alarms {
        let since = words::lasting(ms(alarm.since_ms));
        *text += &format!("{}: {}   for {since}\n", words::class(alarm.class), alarm.text);
        if alarm.class == AlarmClass::Note {
            continue;
        }
        *text += &format!("  first   {}\n", alarm.first);
        for line in &alarm.then {
            *text += &format!("  then    {}\n", line.replace('\n', "\n          "));
        }
        *text += &format!("  do not  {}\n", alarm.do_not);
        if let Some(seen) = &alarm.seen {
            *text += &format!("  seen by {} {}\n", seen.by, seen.time.get(11..19).unwrap_or(&seen.time));
        }
    }
}

/// How it came to two that acted, for as long as it is told.
fn story(status: &Status, text: &mut String) {
    let Some(two) = &status.two_acted else { return };
    let lasted = words::lasting(ms(two.at_most_ms));
    *text += &format!("How it came to this: {} and {} acted, at most {lasted}\n", two.stops.name, two.goes_on.name);
    for step in &two.steps {
        *text += &format!("  {}   {}\n", step.time.get(11..19).unwrap_or(&step.time), step.text);
    }
}

/// The open plan, wherever it is.
fn plans(status: &Status, text: &mut String) {
    if let Some(plan) = &status.plan {
        *text += &format!("Plan {}: {}, opened by {}\n", plan.number, plan.title, plan.by);
    }
    if let Some(plan) = &status.plan_elsewhere {
        *text += &format!("Plan {}: {}, on {}\n", plan.number, plan.title, plan.node);
    }
}

fn takeover(status: &Status, text: &mut String) {
    let takeover = &status.takeover;
    let ready = if takeover.ready { "READY" } else { "NOT READY" };
    *text += &format!("{}: {ready}\n", words::forecast(status));
    for line in &takeover.lines {
        let about = if takeover.ready { String::new() } else { format!("{:<10}", line.about) };
        *text += &format!("  {}  {about}{}\n", if line.ok { "ok" } else { "NO" }, line.text);
    }
}

fn links(status: &Status, text: &mut String) {
    for peer in &status.peers {
        let own: Vec<&Link> = status.links.iter().filter(|link| link.peer == peer.name).collect();
        let up = words::paths_up(own.iter().copied(), status.reply_timeout_ms);
        *text += &format!("Link to {}: {up} of {} paths up\n", peer.name, own.len());
        for link in own {
            let since = words::coarse(ms(link.since_ms));
            let stands = words::path(link, status.reply_timeout_ms);
            let tells = match stands {
                PathStands::Up => {
                    let sealed = if link.encrypted { "encrypted" } else { "NOT ENCRYPTED" };
                    let trip = link.rtt_us.map_or_else(|| "-".to_owned(), words::milliseconds);
                    format!("up {since}   {sealed}   {trip}   reconnects {}", link.reconnects)
                }
                PathStands::Silent => "silent, though connected".to_owned(),
                PathStands::Tried => "connecting".to_owned(),
                PathStands::Down => format!("down for {since}"),
            };
            let mut line = format!("  {}  {}   {tells}", words::path_mark(stands), link.address);
            if let Some(why) = &link.why {
                line += &format!("   {why}");
            }
            *text += &format!("{line}\n");
        }
    }
}

fn replies(status: &Status, text: &mut String) {
    for peer in status.peers.iter().filter(|peer| !peer.replies.is_empty()) {
        *text += &format!("{}\n", words::told_by(status, peer));
        for reply in peer.replies.iter().take(3) {
            let age = words::ago(ms(reply.age_ms));
            *text += &format!("  {age}   {}   {} alike\n", words::order(reply.reply), reply.count);
        }
    }
}

/// Foreign text cannot move the cursor, and a terminal without UTF-8 gets ASCII.
fn for_this_terminal(text: &str) -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let charset = variable("LC_ALL").or_else(|| variable("LC_CTYPE")).or_else(|| variable("LANG")).unwrap_or_default();
    let upper = charset.to_uppercase();
    shaped(text, if upper.contains("UTF-8") || upper.contains("UTF8") { Charset::Utf8 } else { Charset::Ascii })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    Utf8,
    Ascii,
}

fn shaped(text: &str, charset: Charset) -> String {
    let ascii = |letter: char| match letter {
        '■' => '#',
        '○' => 'o',
        letter if letter.is_ascii() => letter,
        _ => '?',
    };
    let line = |line: &str| match charset {
        Charset::Utf8 => plain(line).into_owned(),
        Charset::Ascii => plain(line).chars().map(ascii).collect(),
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::alarms::Around;
    use crate::control::compose::{Surroundings, compose};
    use crate::control::desk::Desk;
    use crate::control::examples::{around, primary, secondary, with_gone};
    use crate::control::fake_node;
    use crate::control::status::Hold;
    use crate::negotiation::view::{Gone, View};
    use crate::ui::Theme;
    use crate::ui::layout::first_rows;
    use crate::ui::line::Look;
    use crate::ui::state::{MayAct, State};

    pub(super) fn status(view: &View) -> Status {
        let alarms = Desk::new(view.name.as_str(), 0).alarms(view, Around::default());
        compose(view, &Surroundings { alarms, ..around() })
    }

    #[test]
    fn u7_a_path_is_told_in_the_words_of_the_screen() {
        use crate::control::status::{LinkRole, LinkState};
        let mut status = status(&secondary());
        let path = |address: &str, state, encrypted| Link {
            peer: "alpha".to_owned(),
            address: address.to_owned(),
            state,
            role: LinkRole::Client,
            rtt_us: Some(210),
            last_heard_ms: Some(100),
            since_ms: 61_000,
            reconnects: 2,
            encrypted,
            why: None,
        };
        let paths = [("10.0.0.1:7400", LinkState::Up, true), ("10.1.0.1:7400", LinkState::Up, false)];
        status.links = paths.map(|(address, state, encrypted)| path(address, state, encrypted)).into();
        status.links.push(Link { why: Some("refused".to_owned()), ..path("10.2.0.1:7400", LinkState::Down, false) });
        let text = human(&status);
        let told: Vec<&str> = text.lines().filter(|line| line.contains(":7400")).collect();
        assert_eq!(
            told,
            [
                "  ok  10.0.0.1:7400   up 1 min   encrypted   0.21 ms   reconnects 2",
                "  ok  10.1.0.1:7400   up 1 min   NOT ENCRYPTED   0.21 ms   reconnects 2",
                "  NO  10.2.0.1:7400   down for 1 min   refused",
            ]
        );
    }

    #[test]
    fn u7_a_healthy_secondary_for_a_person() {
        insta::assert_snapshot!(human(&status(&secondary())), @r#"
        you are on  beta     ○ SECONDARY  stands by, term 7      substation-7  03:12:44
        the other   alpha    ■ PRIMARY    acts, term 7           heard just now
        ONE ACTS   UNPROTECTED   no hold   attached: nobody
        why: a controller boots as Secondary (N1), 1:39 ago
        If alpha fails now: beta acts after about 3.0 s: READY
          ok  beta is fit, health 0.98
        Link to alpha: 0 of 0 paths up
        Health: beta 0.98   alpha 0.97   limit 0.75
        "#);
    }

    #[test]
    fn u7_rows_one_to_three_are_the_screens_in_its_words() {
        let mut two_act = primary();
        two_act.peers[0].mode = Some(crate::negotiation::message::Mode::Primary);
        let gone = |gone| with_gone(secondary(), gone);
        let views = [
            primary(),
            secondary(),
            two_act,
            gone(Gone::Silent),
            gone(Gone::Crashed),
            gone(Gone::Stopped),
            gone(Gone::NeverHeard),
        ];
        for view in views {
            let mut status = status(&view);
            for held in [false, true] {
                status.hold = held.then(|| Hold {
                    since_ms: 1000,
                    expires_ms: 29 * 60_000,
                    by: "ops".to_owned(),
                    not_told: Vec::new(),
                });
                let look = Look { theme: Theme::Mono, charset: crate::ui::line::Charset::Utf8 };
                let mut state = State::new(look, MayAct::AsAllowed, None);
                state.on_reply(Reply::Status(std::sync::Arc::new(status.clone())), Duration::ZERO);
                let screen = first_rows(&state, Duration::ZERO, &jiff::Zoned::now(), 120);
                for (screens, ours) in screen.lines().zip(human(&status).lines()) {
                    // Names and clocks stand at their own columns; and who is attached differs: the screen's user is.
                    let words = ours.split("  ").map(str::trim).filter(|word| !word.is_empty());
                    for word in words.filter(|word| !word.contains("attached:") && !word.contains(clock(&status))) {
                        assert!(screens.contains(word), "status says {word:?}, the screen {screens:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn u13_an_alarm_says_what_to_do_also_on_the_command_line() {
        insta::assert_snapshot!(human(&status(&with_gone(primary(), Gone::Silent))), @r"
        you are on  alpha    ■ PRIMARY    acts, term 7           substation-7  03:12:44
        the other   beta     ? SILENT     may act by now         silent for 2 min 14 s
        ONE ACTS, the other is unknown   UNPROTECTED   no hold   attached: nobody
        why: a controller boots as Secondary (N1), 1:39 ago
        WARNING: beta is silent: not redundant   for 0 s
          first   Find out whether beta is on: lamps, its console, call the site.
          then    It is on: look at the network between the two. Off: start it.
          then    Until beta is back there is no second member; it joins by itself.
          do not  take beta for off because it is silent: it may act.
        If alpha fails now: beta acts after about 3.0 s: NOT READY
          ok  health    alpha 0.98: fit
        Link to beta: 0 of 0 paths up
        Health: alpha 0.98   limit 0.75
        ");
    }

    #[test]
    fn foreign_text_cannot_move_the_cursor_and_ascii_stays_ascii() {
        assert_eq!(shaped("a\x1b[2Jb\nc\n", Charset::Utf8), "a\\u{1b}[2Jb\nc\n");
        assert_eq!(shaped("■ ○ é", Charset::Ascii), "# o ?");
        assert_eq!(shaped("■ ○ é", Charset::Utf8), "■ ○ é");
    }

    #[test]
    fn n12_u2_how_two_came_to_act_and_an_open_plan_are_told_without_a_screen() {
        use crate::control::status::{Acted, PlanElsewhere, Step, TwoActed};
        let one = |name: &str, term| Acted { name: name.to_owned(), term, since: None };
        let time = || "2026-11-21T02:41:07.000+01:00".to_owned();
        let mut status = status(&secondary());
        status.two_acted = Some(TwoActed {
            other: "alpha".to_owned(),
            stops: one("alpha", 7),
            goes_on: one("beta", 8),
            since: time(),
            at_most_ms: 1_896_000,
            over_for_ms: Some(9_000),
            steps: vec![Step { time: time(), text: "beta took over, term 8: alpha silent for 3.0 s".to_owned() }],
        });
        let title = "alpha hands over to beta, opened by ops".to_owned();
        status.plan_elsewhere = Some(PlanElsewhere { node: "alpha".to_owned(), number: 12, title });
        let text = human(&status);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.contains(&"How it came to this: alpha and beta acted, at most 31 min 36 s"), "{text}");
        assert!(lines.contains(&"  02:41:07   beta took over, term 8: alpha silent for 3.0 s"), "{text}");
        assert!(lines.contains(&"Plan 12: alpha hands over to beta, opened by ops, on alpha"), "{text}");
    }

    #[test]
    fn u7_health_processes_and_fencing_are_told_in_the_words_of_the_screen() {
        use crate::control::examples::{fencing, process, waiting};
        use crate::control::status::{RunWhen, SubHealth};
        let mut status = status(&secondary());
        status.processes = vec![waiting("plant-control"), process("link-probe", RunWhen::Always)];
        status.fencing = vec![fencing("alpha")];
        let (name, unit) = ("memory".to_owned(), "%".to_owned());
        status.health.sub =
            vec![SubHealth { name, status: 0.93, weight: 0.3, score: 0.279, measured: 2.56, unit, why: None }];
        let text = human(&status);
        let from = text.find("Health: ").expect("it is told");
        insta::assert_snapshot!(&text[from..], @r"
        Health: beta 0.98   alpha 0.97   limit 0.75
          memory 0.93 x 0.3   2.56 %
        Processes on beta: 2 needed, 2 as they should be
          plant-control   waits     runs only on the Primary
          link-probe      running   pid 4121   3d 04:12   restarts 0   12 ms   2.6 % mem   0.4 % cpu   notify, each 1 s
        Fencing
          ok  alpha   fence_ipmilan   answered 41 s ago, in 60 ms
        ");
    }

    #[test]
    fn u7_json_is_exactly_one_document() {
        let served = fake_node::serve(secondary());
        let mut client = Client::open(&served.path).expect("it is served");
        let mut out = Vec::new();
        let exit = once(&mut client, &StatusArgs { json: true, watch: false }, &mut out).expect("it answers");
        assert_eq!(exit, Exit::Done);
        let back: Status = serde_json::from_slice(&out).expect("one document");
        assert_eq!(back.node, "beta");
    }
}
