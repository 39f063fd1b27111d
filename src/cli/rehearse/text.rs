//! A rehearsal for people: a line for each scenario, then the story of what is unsafe or was asked for.

use std::io::{self, Write};
use std::time::Duration;

use crate::cli::plain::plain;
use crate::config::required::RunWhen;
use crate::negotiation::settings::Protection;
use crate::sim::rehearse::{LineKind, Outcome, Rehearsed, TIMINGS, Verdict, catalogue};

use super::Rehearsal;

/// Columns of a terminal that has not been widened.
const WIDTH: usize = 80;

/// Where the words of a story's line begin.
const STORY: usize = 22;

/// Names and titles of all scenarios.
pub(super) fn list(out: &mut impl Write) -> io::Result<()> {
    catalogue::ALL
        .iter()
        .try_for_each(|scenario| write_wrapped(out, &format!("{:<20}  ", scenario.name), scenario.title))
}

/// Prints everything.
pub(super) fn print(rehearsal: &Rehearsal<'_>, out: &mut impl Write) -> io::Result<()> {
    head(rehearsal, out)?;
    writeln!(out, "\n  {:<20} {:>11} {:>9}", "scenario", "nobody acts", "two act")?;
    for (scenario, rehearsed) in &rehearsal.played {
        if let Rehearsed::Done(outcome) = rehearsed {
            row(scenario.name, outcome, out)?;
        }
    }
    for (_, rehearsed) in &rehearsal.played {
        if let Rehearsed::Done(outcome) = rehearsed
            && (rehearsal.named || outcome.verdict >= Verdict::Beyond)
        {
            story(outcome, out)?;
        }
    }
    idle(rehearsal, out)?;
    left_out(rehearsal, out)?;
    verdict(rehearsal, out)
}

fn head(rehearsal: &Rehearsal<'_>, out: &mut impl Write) -> io::Result<()> {
    let config = rehearsal.config;
    let names: Vec<&str> = config.members.iter().map(|member| member.name.as_str()).collect();
    let protection = protection(rehearsal);
    let head = format!("{}: group {} of {}; {protection}", rehearsal.path.display(), config.group, names.join(", "));
    write_wrapped(out, "", &plain(&head))?;
    let how =
        format!("Simulated: each scenario in {TIMINGS} timings, of which the worst is told. Nothing real was touched.");
    write_wrapped(out, "", &how)?;
    let starts: Duration = config
        .processes
        .iter()
        .filter(|process| process.run_when == RunWhen::Primary)
        .map(|process| process.start_timeout)
        .sum();
    if starts.is_zero() {
        return Ok(());
    }
    let note = format!("What processes need to start is not counted: at most {} (start_timeout).", short(starts));
    write_wrapped(out, "", &note)
}

fn protection(rehearsal: &Rehearsal<'_>) -> String {
    let words: Vec<&str> = rehearsal.site.settings.protection.iter().map(|one| one.word()).collect();
    match words.as_slice() {
        [] => "UNPROTECTED".to_owned(),
        words => format!("protected by {}", words.join(" and ")),
    }
}

/// One scenario's line.
fn row(name: &str, outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    let two = outcome.two.as_ref().map_or_else(|| "no".to_owned(), |two| short(two.total));
    let says = match outcome.verdict {
        Verdict::Safe => String::new(),
        Verdict::Idle => {
            outcome.idle.as_ref().map_or_else(String::new, |idle| format!("NOBODY ACTS until {}", idle.until))
        }
        Verdict::Beyond => "two act: beyond what protection prevents".to_owned(),
        Verdict::Unsafe => match outcome.two.as_ref().and_then(|two| two.until) {
            Some(until) => format!("UNSAFE until {until}"),
            None => "UNSAFE".to_owned(),
        },
    };
    let line = format!("  {name:<20} {:>11} {two:>9}  {says}", short(outcome.outage));
    writeln!(out, "{}", line.trim_end())
}

/// Who did what when, and what was seen to prevent it.
fn story(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    writeln!(out)?;
    write_wrapped(out, "", &format!("{}: {}", outcome.scenario, outcome.title))?;
    for line in &outcome.lines {
        let who = line.who.as_ref().map_or("", |who| who.as_str());
        let clause = match line.kind {
            LineKind::Decision(clause) => format!(" ({clause})"),
            LineKind::Fault | LineKind::Event | LineKind::Acting => String::new(),
        };
        let lead = match line.kind {
            LineKind::Fault => "* ",
            LineKind::Acting => "! ",
            LineKind::Decision(_) | LineKind::Event => "",
        };
        let margin = format!("  {:>9} s  {who:<8} ", format!("{:.3}", line.at.as_secs_f64()));
        write_wrapped(out, &margin, &plain(&format!("{lead}{}{clause}", line.text)))?;
    }
    if !outcome.verdict.is_bad() {
        return Ok(());
    }
    if outcome.remedies.is_empty() {
        let text = "No other setting that was rehearsed prevents it.";
        return write_wrapped(out, "  ", text);
    }
    writeln!(out, "  Prevented, when rehearsed with:")?;
    for remedy in &outcome.remedies {
        let comes = match remedy.idle_until {
            Some(until) => format!("nobody acts until {until}"),
            None => format!("nobody acts for {}", short(remedy.outage)),
        };
        write_wrapped(out, "    ", &format!("{}: {comes}", remedy.setting))?;
    }
    Ok(())
}

/// Where nobody acts until people do something: why, and what.
fn idle(rehearsal: &Rehearsal<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut first = true;
    for (scenario, rehearsed) in &rehearsal.played {
        let Rehearsed::Done(outcome) = rehearsed else { continue };
        let Some(idle) = &outcome.idle else { continue };
        if std::mem::take(&mut first) {
            writeln!(out, "\nNobody acts until somebody does something, in:")?;
        }
        let because: Vec<String> = idle.because.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        let because = if because.is_empty() { "no controller runs".to_owned() } else { because.join("; ") };
        write_wrapped(out, &format!("  {:<20} ", scenario.name), &plain(&because))?;
        write_wrapped(out, &format!("  {:<20} ", ""), &format!("to do: {}", plain(&idle.then)))?;
        let helps: Vec<&str> = outcome.remedies.iter().map(|remedy| remedy.setting.as_str()).collect();
        if !helps.is_empty() {
            write_wrapped(out, &format!("  {:<20} ", ""), &format!("not so with {}", helps.join("; or ")))?;
        }
    }
    Ok(())
}

fn left_out(rehearsal: &Rehearsal<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (scenario, rehearsed) in &rehearsal.played {
        let Rehearsed::LeftOut { why } = rehearsed else { continue };
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, names)) => names.push(scenario.name),
            None => reasons.push((why, vec![scenario.name])),
        }
    }
    if !reasons.is_empty() {
        writeln!(out, "\nLeft out:")?;
    }
    reasons.iter().try_for_each(|(why, names)| write_wrapped(out, "  ", &format!("{}: {why}", names.join(", "))))
}

/// The last words: whether two could act, and by which rule.
fn verdict(rehearsal: &Rehearsal<'_>, out: &mut impl Write) -> io::Result<()> {
    let count = |wanted: Verdict| {
        let is = |rehearsed: &Rehearsed| match rehearsed {
            Rehearsed::Done(outcome) => outcome.verdict == wanted,
            Rehearsed::LeftOut { .. } => false,
        };
        rehearsal.played.iter().filter(|(_, rehearsed)| is(rehearsed)).count()
    };
    let done = rehearsal.played.iter().filter(|(_, one)| matches!(one, Rehearsed::Done(_))).count();
    let (bad, beyond) = (count(Verdict::Unsafe), count(Verdict::Beyond));
    let settings = &rehearsal.site.settings;
    writeln!(out)?;
    if !rehearsal.is_complete() {
        let (played, asked) = (rehearsal.played.len(), rehearsal.asked);
        let text = format!("INCOMPLETE: ended after {played} of {asked} scenarios; nothing is known of the others.");
        write_wrapped(out, "", &text)?;
    }
    if bad == 0 && !rehearsal.is_complete() {
        write_wrapped(out, "", &format!("In what was rehearsed two could not act at once{}.", but(beyond)))?;
    } else if bad == 0 {
        write_wrapped(out, "", &format!("Safe: in none of {done} scenarios could two act at once{}.", but(beyond)))?;
    } else {
        write_wrapped(out, "", &format!("UNSAFE: in {bad} of {done} scenarios two could act at once{}.", but(beyond)))?;
    }
    let timeout = short(settings.reply_timeout);
    if bad > 0 && settings.protection.is_empty() {
        let rule = format!(
            "Nothing protects this group: who hears nothing of the others for {timeout} takes the role, be they dead or \
             only out of reach (N4, the availability-first rule)."
        );
        write_wrapped(out, "", &rule)?;
    } else if bad > 0 && !rehearsal.site.is_proven() && settings.protected_by(Protection::Reachability) {
        let rule = format!(
            "reachability alone is a filter, not a proof: who hears nothing of the others for {timeout}, and reaches a \
             reference address, takes the role (S1)."
        );
        write_wrapped(out, "", &rule)?;
    }
    Ok(())
}

fn but(beyond: usize) -> String {
    match beyond {
        0 => String::new(),
        1 => ", beside one that is beyond what protection prevents".to_owned(),
        several => format!(", beside {several} that are beyond what protection prevents"),
    }
}

/// "12 ms", "3.0 s", "42 s".
fn short(time: Duration) -> String {
    match time.as_millis() {
        0..1_000 => format!("{} ms", time.as_millis()),
        1_000..20_000 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{:.0} s", time.as_secs_f64()),
    }
}

/// Writes `text` behind `margin`, and goes on below its beginning where the line is full.
fn write_wrapped(out: &mut impl Write, margin: &str, text: &str) -> io::Result<()> {
    let indent = margin.chars().count().min(STORY.max(margin.chars().count()));
    let mut line = margin.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{}", line.trim_end())?;
            line = " ".repeat(indent);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    writeln!(out, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u6_long_lines_go_on_below_their_beginning() {
        let mut out = Vec::new();
        write_wrapped(&mut out, "  name   ", &"word ".repeat(30)).expect("a vector takes everything");
        let text = String::from_utf8(out).expect("it was text");
        assert!(text.lines().count() == 3 && text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("         word")), "{text}");
    }

    #[test]
    fn times_are_short() {
        let told = |ms| short(Duration::from_millis(ms));
        assert_eq!((told(12), told(3_040), told(42_300)), ("12 ms".into(), "3.0 s".into(), "42 s".into()));
    }
}
