//! The conditions of a takeover as people read them (screens 1, 3 and 4): in the order of importance, what says nothing
//! left out, with the names and times that only the node knows. Whether each is met is the negotiation's word, and stays
//! as it was (U12).
//!
//! While a takeover would be done, it is told what it rests on. While it would not, each condition stands on a line of its
//! own with what it is about before it, so that the one that fails is seen at once.

use std::time::Duration;

use jiff::civil::DateTime;

use crate::negotiation::ability::Ability;
use crate::negotiation::message::Mode;
use crate::negotiation::time::Instant;
use crate::negotiation::view::{ForecastLine, Gone, Topic, View};

use super::guards::Guards;
use super::status;

/// What the lines name beside the view.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The arbiter and the reference addresses.
    pub guards: &'a Guards,
    /// How each other member is switched off.
    pub fencing: &'a [status::Fencing],
    /// The time on the wall at the view's `now`, RFC 3339.
    pub time: &'a str,
}

/// What a line is about, in the status' word.
pub fn word(topic: Topic) -> &'static str {
    match topic {
        Topic::Fence => "fence",
        Topic::Arbiter => "arbiter",
        Topic::Able => "health",
        Topic::Reference => "network",
        Topic::Majority => "majority",
        Topic::Member => "members",
        Topic::Successor => "hand-over",
        Topic::Start => "start",
        Topic::Hold => "hold",
        Topic::Promise => "promise",
    }
}

/// The lines of the forecast.
pub fn lines(view: &View, known: Known<'_>) -> Vec<status::Line> {
    let ready = view.forecast.ready;
    let mut conditions: Vec<&ForecastLine> = view.forecast.lines.iter().collect();
    conditions.sort_by_key(|line| line.about);
    let unpromised = conditions.iter().any(|line| line.ok && line.about == Topic::Promise);
    let held = conditions.iter().any(|line| !line.ok && line.about == Topic::Hold);
    let shown = conditions.iter().filter_map(|line| {
        let text = match (line.ok, line.about) {
            (false, Topic::Fence) => failed_fencing(&line.text, known.fencing),
            (false, _) => line.text.clone(),
            // What is met and was never in question is no help.
            (true, Topic::Successor | Topic::Start) => return None,
            // Row 2 tells of the only other; a Primary rests on it.
            (true, Topic::Member) if view.mode == Mode::Secondary && view.peers.len() == 1 => return None,
            (true, Topic::Hold | Topic::Promise) if !ready => return None,
            (true, Topic::Hold) if unpromised => "no hold, no promise to another".to_owned(),
            // Told with the hold.
            (true, Topic::Promise) if !held => return None,
            (true, Topic::Able) if !ready => able(view).unwrap_or_else(|| line.text.clone()),
            (true, Topic::Arbiter) => arbiter(view, known, ready).unwrap_or_else(|| line.text.clone()),
            (true, Topic::Reference) => reference(view, known.guards),
            (true, Topic::Fence | Topic::Able | Topic::Majority | Topic::Member | Topic::Hold | Topic::Promise) => {
                line.text.clone()
            }
        };
        Some(status::Line { ok: line.ok, about: word(line.about).to_owned(), text })
    });
    shown.collect()
}

/// The conditions of an operator's takeover, in the order of screen 4: the other member first, then what protects.
pub fn of_plan(view: &View, guards: &Guards) -> Vec<ForecastLine> {
    let place = |topic: Topic| match topic {
        Topic::Member => 0,
        Topic::Arbiter => 1,
        Topic::Able => 2,
        Topic::Fence => 3,
        Topic::Reference => 4,
        Topic::Majority => 5,
        Topic::Successor | Topic::Start | Topic::Hold | Topic::Promise => 6,
    };
    let said = |line: &ForecastLine| match line.about {
        Topic::Successor | Topic::Start | Topic::Hold | Topic::Promise => !line.ok,
        Topic::Fence | Topic::Arbiter | Topic::Able | Topic::Reference | Topic::Majority | Topic::Member => true,
    };
    let mut lines: Vec<ForecastLine> = view.take_over.iter().filter(|line| said(line)).cloned().collect();
    for line in lines.iter_mut().filter(|line| line.ok) {
        match line.about {
            Topic::Member => agrees(view, line),
            Topic::Arbiter => {
                if let Some(text) = answers(view) {
                    line.text = text;
                }
            }
            Topic::Reference => line.text = reference(view, guards),
            Topic::Fence
            | Topic::Able
            | Topic::Majority
            | Topic::Successor
            | Topic::Start
            | Topic::Hold
            | Topic::Promise => {}
        }
    }
    lines.sort_by_key(|line| place(line.about));
    lines
}

/// "alpha agrees" becomes "alpha answers, 0.4 s ago, and agrees".
fn agrees(view: &View, line: &mut ForecastLine) {
    let Some((name, "agrees")) = line.text.rsplit_once(' ') else { return };
    let heard = view.peers.iter().find(|peer| peer.name.as_str() == name && peer.link_up).and_then(|peer| peer.heard);
    if let Some(heard) = heard {
        line.text = format!("{name} answers, {:.1} s ago, and agrees", heard.as_secs_f64());
    }
}

/// "beta 0.98: fit".
fn able(view: &View) -> Option<String> {
    let score = f64::from(view.score);
    match view.able {
        Ability::Fit => Some(format!("{} {score:.2}: fit", view.name)),
        Ability::Sick(why) => Some(format!("{} {score:.2}: it can, though {}", view.name, why.text())),
        Ability::Cannot(_) => None,
    }
}

/// "arbiter answers, 6 ms".
fn answers(view: &View) -> Option<String> {
    let known = view.arbiter.as_ref().filter(|known| known.answers)?;
    let took = known.took.map_or(String::new(), |took| match took.as_millis() {
        0 => ", <1 ms".to_owned(),
        ms => format!(", {ms} ms"),
    });
    Some(format!("arbiter answers{took}"))
}

fn arbiter(view: &View, known: Known<'_>, ready: bool) -> Option<String> {
    if ready {
        return answers(view);
    }
    let lease = view.arbiter.as_ref()?;
    if lease.mine_until.is_some_and(|until| until > view.now) {
        return Some(format!("{} holds the lease", view.name));
    }
    let Some(free) = lease.free_since else { return answers(view) };
    let since = format!("lease free since {}", clock(known.time, view.now, free));
    let silent = view.peers.iter().filter(|peer| matches!(peer.gone, Some(Gone::Silent | Gone::NeverHeard)));
    Some(match silent.collect::<Vec<_>>().as_slice() {
        [one] => format!("{since}: {}, if sound, has stopped acting", one.name),
        [] => since,
        _ => format!("{since}: whoever is sound has stopped acting"),
    })
}

/// "10.0.0.254 answers beta: beta itself is not cut off".
fn reference(view: &View, guards: &Guards) -> String {
    let (name, me) = (guards.reference_name(), &view.name);
    match view.forecast.ready {
        true => format!("{name} answers {me}"),
        false => format!("{name} answers {me}: {me} itself is not cut off"),
    }
}

/// What the agent said, and how often it was tried: "fence_ipmilan: no answer within 20 s, 3 tries".
fn failed_fencing(text: &str, fencing: &[status::Fencing]) -> String {
    let failed = fencing.iter().find(|one| text.starts_with(&format!("fencing {} failed", one.peer)));
    let last = failed.and_then(|one| one.last.as_ref()).filter(|last| last.result == status::FenceResult::Failed);
    match last {
        Some(status::FenceLast { why: Some(why), attempt: 1, .. }) => format!("{}, 1 try", own_words(why)),
        Some(status::FenceLast { why: Some(why), attempt, .. }) => format!("{}, {attempt} tries", own_words(why)),
        Some(status::FenceLast { why: None, .. }) | None => text.to_owned(),
    }
}

/// Without the exit status, where the agent has said more: "fence_ipmilan: exit status 1: no answer" is one line too long.
fn own_words(why: &str) -> String {
    let Some((agent, rest)) = why.split_once(": exit status ") else { return why.to_owned() };
    match rest.split_once(": ") {
        Some((_, words)) => format!("{agent}: {words}"),
        None => why.to_owned(),
    }
}

/// The time on the wall at `at`, "03:12:53", when it is `time` at `now`; "?" when that is no time.
pub fn clock(time: &str, now: Instant, at: Instant) -> String {
    let ago = now.since(at);
    let ahead = at.since(now);
    let civil = time.get(..23).or(time.get(..19)).and_then(|text| text.parse::<DateTime>().ok());
    let shifted = civil.and_then(|civil| {
        let shift = |by: Duration| jiff::SignedDuration::try_from(by).ok();
        civil.checked_sub(shift(ago)?).ok()?.checked_add(shift(ahead)?).ok()
    });
    shifted.map_or_else(|| "?".to_owned(), |at| at.strftime("%H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::examples::{at, fencing, secondary, with_gone};
    use crate::negotiation::settings::Protection;
    use crate::negotiation::view::{ArbiterView, ReferenceView};

    fn guards() -> Guards {
        Guards { reference: vec!["tcp://10.0.0.254:22".to_owned()], ..Guards::default() }
    }

    fn line(ok: bool, about: Topic, text: &str) -> ForecastLine {
        ForecastLine { ok, about, text: text.to_owned() }
    }

    /// As rule 6 is walked.
    fn guarded() -> View {
        let mut view = secondary();
        view.protection = vec![Protection::Fence, Protection::Arbiter, Protection::Reachability];
        view.forecast.lines = vec![
            line(true, Topic::Member, "alpha was heard just now"),
            line(true, Topic::Able, "beta is fit, health 0.98"),
            line(true, Topic::Successor, "it waits for no successor"),
            line(true, Topic::Promise, "no promise to another"),
            line(true, Topic::Start, "nothing from before its start can still bind it"),
            line(true, Topic::Fence, "fence device answered 41 s ago"),
            line(true, Topic::Arbiter, "the lease is free"),
            line(true, Topic::Reference, "a reference address answers"),
            line(true, Topic::Hold, "no hold"),
        ];
        view.arbiter = Some(ArbiterView {
            answers: true,
            answered: Some(at(100)),
            took: Some(Duration::from_millis(6)),
            holder: Some("alpha".into()),
            ..ArbiterView::default()
        });
        view.reference = Some(ReferenceView { answers: true, answered: Some(at(100)) });
        view
    }

    fn told(view: &View, fencing: &[status::Fencing]) -> Vec<String> {
        let guards = guards();
        let known = Known { guards: &guards, fencing, time: "2026-11-21T03:14:58.200+01:00" };
        let tell =
            |line: &status::Line| format!("{} {} | {}", if line.ok { "ok" } else { "NO" }, line.about, line.text);
        lines(view, known).iter().map(tell).collect()
    }

    #[test]
    fn u12_a_ready_takeover_says_what_it_rests_on_as_drawn() {
        assert_eq!(
            told(&guarded(), &[]),
            [
                "ok fence | fence device answered 41 s ago",
                "ok arbiter | arbiter answers, 6 ms",
                "ok health | beta is fit, health 0.98",
                "ok network | 10.0.0.254 answers beta",
                "ok hold | no hold, no promise to another",
            ]
        );
    }

    #[test]
    fn u12_a_takeover_that_is_held_back_says_each_condition_with_what_it_is_about() {
        let mut view = with_gone(guarded(), Gone::Silent);
        view.forecast.ready = false;
        view.forecast.lines[5] = line(false, Topic::Fence, "fencing alpha failed: fence_ipmilan: no answer");
        let arbiter = view.arbiter.as_mut().expect("it was set");
        (arbiter.holder, arbiter.free_since, view.now) = (None, Some(at(100)), at(225));
        let mut device = fencing("alpha");
        device.last = Some(status::FenceLast {
            attempt: 3,
            result: status::FenceResult::Failed,
            age_ms: 6000,
            took_ms: 20_000,
            why: Some("fence_ipmilan: exit status 1: no answer from 10.0.9.1:623 within 20 s".to_owned()),
        });
        assert_eq!(
            told(&view, &[device]),
            [
                "NO fence | fence_ipmilan: no answer from 10.0.9.1:623 within 20 s, 3 tries",
                "ok arbiter | lease free since 03:12:53: alpha, if sound, has stopped acting",
                "ok health | beta 0.98: fit",
                "ok network | 10.0.0.254 answers beta: beta itself is not cut off",
            ]
        );
    }

    #[test]
    fn u12_what_fails_is_never_left_out() {
        let mut view = guarded();
        view.forecast.ready = false;
        for line in &mut view.forecast.lines {
            line.ok = false;
        }
        assert_eq!(told(&view, &[]).len(), view.forecast.lines.len());
        let mut view = guarded();
        view.forecast.lines[8] = line(false, Topic::Hold, "the group is held for another 9 min");
        view.forecast.ready = false;
        assert!(told(&view, &[]).contains(&"NO hold | the group is held for another 9 min".to_owned()));
    }

    #[test]
    fn a_time_is_counted_back_and_on_from_now() {
        let time = "2026-11-21T00:00:01.500+01:00";
        assert_eq!(clock(time, at(100), at(98)), "23:59:59");
        assert_eq!(clock(time, at(100), at(105)), "00:00:06");
        assert_eq!(clock("soon", at(100), at(98)), "?");
    }
}
