//! Sentences that `tandem status` and the screen share, so that both say the same truth in the same words (screen.md).
//!
//! Everything here reads a [`Status`] and returns text. Nothing is decided, and nothing knows how wide a line is.

mod availability;

use std::time::Duration;

use crate::negotiation::decision::{Decision, PeerEvidence, seconds};

use super::status::{
    Alarm, AlarmClass, Judgement, Link, LinkState, Mode, Peer, PeerProcess, ProcessState, ProtectionState, ReplyKind,
    RunWhen, Status,
};

pub use availability::availability;

mod what_runs;

pub use what_runs::{
    Clock, Detail, as_it_should_be, device_answers, device_tells, fencing_tells, health_matters, longest_stop,
    longest_stop_of, measured, process_tells, processes, scores, sub_health, sub_name, weight,
};

/// The shape that tells a state without colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It acts.
    Acts,
    /// It stands by, or is known not to act.
    StandsBy,
    /// Not known.
    Unknown,
}

impl Mark {
    /// The glyph; screens that are ASCII translate it.
    pub fn glyph(self) -> &'static str {
        match self {
            Mark::Acts => "■",
            Mark::StandsBy => "○",
            Mark::Unknown => "?",
        }
    }
}

/// Rows 1 and 2: a member in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// "you are on" or "the other".
    pub lead: &'static str,
    /// The member.
    pub name: String,
    /// Its shape.
    pub mark: Mark,
    /// "PRIMARY", "SECONDARY", "SILENT", …
    pub word: &'static str,
    /// "stands by, term 7".
    pub does: String,
    /// Row 1: the group. Row 2: when it was heard, and how many more there are.
    pub tail: String,
}

/// Row 3: one line of judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgementRow {
    /// "ONE ACTS", or with an alarm its words after "!!".
    pub judgement: String,
    /// "UNPROTECTED", "PROTECTED by majority".
    pub protection: String,
    /// "no hold", "HELD by ops, 29 min left".
    pub hold: String,
    /// "attached: ops, ops-2".
    pub attached: String,
}

/// A mode as it is shouted.
pub fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Primary => "PRIMARY",
        Mode::Secondary => "SECONDARY",
    }
}

/// What this member does, beside its mode.
pub fn does(status: &Status) -> &'static str {
    match (&status.transition, status.mode) {
        (Some(change), _) if change.to == Mode::Primary => "taking over",
        (Some(_), Mode::Primary) => "stopping",
        (_, Mode::Primary) if !status.serving => "not serving",
        (_, Mode::Primary) => "acts",
        (_, Mode::Secondary) if status.observe_only => "observes only",
        (_, Mode::Secondary) if status.able.level == 0 || takeover_blocked(status) => "held back",
        (_, Mode::Secondary) => "stands by",
    }
}

/// Whether this member leaves the role, and its processes still stop.
pub fn stopping(status: &Status) -> bool {
    status.mode == Mode::Primary && status.transition.as_ref().is_some_and(|change| change.to == Mode::Secondary)
}

/// Whether a takeover is held back by what protection asks for: a fencing that failed, an arbiter out of reach (screens/3).
pub fn takeover_blocked(status: &Status) -> bool {
    blocks(status).is_some()
}

/// The alarm that tells of it.
fn blocks(status: &Status) -> Option<&Alarm> {
    let kinds = [super::alarms::FENCING_FAILED, super::alarms::HELD_BACK];
    let blocks = |alarm: &&Alarm| {
        let kind = alarm.id.split(':').next().unwrap_or_default();
        kinds.contains(&kind) && alarm.class == AlarmClass::Alarm
    };
    status.alarms.iter().find(blocks).filter(|_| status.mode == Mode::Secondary)
}

/// The shape of a mode.
pub fn mark(mode: Mode) -> Mark {
    match mode {
        Mode::Primary => Mark::Acts,
        Mode::Secondary => Mark::StandsBy,
    }
}

/// How a process stands, in a word or two.
pub fn process_state(state: ProcessState) -> &'static str {
    match state {
        ProcessState::Waits => "waits",
        ProcessState::Starting => "starting",
        ProcessState::Running => "running",
        ProcessState::Stopping => "stopping",
        ProcessState::Restarting => "down",
        ProcessState::Stopped => "stopped",
        ProcessState::GivenUp => "given up",
    }
}

/// Row 1: this member.
pub fn row_one(status: &Status) -> MemberRow {
    MemberRow {
        lead: "you are on",
        name: status.node.clone(),
        mark: mark(status.mode),
        word: mode(status.mode),
        does: format!("{}, {}", does(status), in_term(status.term)),
        tail: status.group.clone(),
    }
}

/// The peer that row 2 is about: one that acts, else one that is gone or was not heard yet, else the first.
pub fn peer_that_matters(status: &Status) -> Option<&Peer> {
    let acts = status.peers.iter().find(|peer| peer.gone.is_none() && peer.mode == Some(Mode::Primary));
    let worrying = || status.peers.iter().find(|peer| peer.gone.is_some() || peer.mode.is_none());
    acts.or_else(worrying).or_else(|| status.peers.first())
}

/// A peer's shape, its word, and what it does or may do.
pub fn standing(peer: &Peer) -> (Mark, &'static str, String) {
    match (peer.gone.as_deref(), peer.mode) {
        (Some("silent"), Some(Mode::Primary)) => (Mark::Unknown, "SILENT", "may still act".to_owned()),
        (Some("silent"), _) => (Mark::Unknown, "SILENT", "may act by now".to_owned()),
        (Some("never_heard"), _) => (Mark::Unknown, "NEVER HEARD", "may act".to_owned()),
        (Some("crashed"), _) => (Mark::StandsBy, "CRASHED", "its process is gone".to_owned()),
        (Some("off"), _) => (Mark::StandsBy, "OFF", "confirmed off".to_owned()),
        (Some("stopped"), _) => (Mark::StandsBy, "STOPPED", "said that it stops".to_owned()),
        (Some(_), _) => (Mark::Unknown, "GONE", "may act".to_owned()),
        (None, None) => (Mark::Unknown, "NOT HEARD", "not heard since this start".to_owned()),
        (None, Some(Mode::Primary)) => {
            let stops = |one: &PeerProcess| one.run_when == RunWhen::Primary && one.state == ProcessState::Stopping;
            let does = match (serves(peer), peer.processes.iter().any(stops)) {
                (true, _) => "acts",
                (false, true) => "stopping",
                (false, false) => "not serving",
            };
            (Mark::Acts, "PRIMARY", format!("{does}, term {}", peer.term))
        }
        (None, Some(Mode::Secondary)) => (Mark::StandsBy, "SECONDARY", format!("stands by, {}", in_term(peer.term))),
    }
}

/// The same in the light of the whole status: who is not heard, but cannot act while another does, is not said to (S1).
pub fn standing_among(status: &Status, peer: &Peer) -> (Mark, &'static str, String) {
    match (standing(peer), status.judgement) {
        ((Mark::Unknown, word, _), Judgement::OneActs) if peer.gone.is_some() => {
            (Mark::Unknown, word, "does not act".to_owned())
        }
        (standing, _) => standing,
    }
}

/// Whether everything that a Primary is to run runs there, as it tells.
fn serves(peer: &Peer) -> bool {
    let needed = peer.processes.iter().filter(|process| process.run_when == RunWhen::Primary);
    needed.into_iter().all(|process| process.state == ProcessState::Running)
}

/// A member's term, as it is said everywhere; one that has not heard of any has none.
pub fn in_term(number: u64) -> String {
    if number == 0 { "no term".to_owned() } else { format!("term {number}") }
}

/// What the forecast answers: what follows when the one that acts fails; while nobody is known to act, what this member
/// itself waits for.
pub fn forecast(status: &Status) -> String {
    let takeover = &status.takeover;
    let Some(fails) = &takeover.if_fails else { return format!("If {} took over now", status.node) };
    match (&takeover.acts, takeover.expected_ms) {
        (Some(acts), Some(ms)) => {
            format!("If {fails} fails now: {acts} acts after about {}.{} s", ms / 1000, ms % 1000 / 100)
        }
        (Some(acts), None) => format!("If {fails} fails now: {acts} acts"),
        (None, _) => format!("If {fails} fails now: nobody acts"),
    }
}

/// When a peer was heard, `age_ms` ago by now.
pub fn heard(peer: &Peer, age_ms: Option<u64>) -> String {
    match (peer.gone.as_deref(), age_ms.map(Duration::from_millis)) {
        (Some("silent"), Some(age)) => format!("silent for {}", lasting(age)),
        (_, Some(age)) => format!("heard {}", ago(age)),
        (_, None) => "never heard".to_owned(),
    }
}

/// Row 2: the other member, or of several the one that matters most. None only in a status without peers.
pub fn row_two(status: &Status) -> Option<MemberRow> {
    let peer = peer_that_matters(status)?;
    let (mark, word, does) = standing_among(status, peer);
    let heard = heard(peer, peer.last_heard_ms);
    let more = status.peers.len() - 1;
    Some(MemberRow {
        lead: "the other",
        name: peer.name.clone(),
        mark,
        word,
        does,
        tail: if more == 0 { heard } else { format!("{heard}, {more} more") },
    })
}

/// The words of the judgement, without what an alarm adds. A member that is not heard may act all the same, so then
/// nobody is only not *known* to act.
pub fn judgement(status: &Status) -> &'static str {
    let unheard = |peer: &Peer| standing(peer).0 == Mark::Unknown;
    match status.judgement {
        Judgement::OneActs => "ONE ACTS",
        Judgement::NobodyActs if status.peers.iter().any(unheard) => "NOBODY IS KNOWN TO ACT",
        Judgement::NobodyActs => "NOBODY ACTS",
        Judgement::TwoAct => "TWO ACT",
        Judgement::OneActsOtherUnknown => "ONE ACTS, the other is unknown",
    }
}

/// What protects the group, in words.
pub fn protection(status: &Status) -> String {
    let policy = &status.protection.policy;
    match status.protection.state {
        ProtectionState::Unprotected => "UNPROTECTED".to_owned(),
        ProtectionState::Filter => format!("UNPROTECTED, filtered by {FILTER}"),
        ProtectionState::Ok => format!("PROTECTED by {}", proofs(status).join(" + ")),
        ProtectionState::Missing => format!("PROTECTION MISSING: {}", policy.join(" + ")),
    }
}

/// The protection that is a filter and no proof: it keeps one that is cut off from taking over, and says nothing of the
/// others (S1).
const FILTER: &str = "reachability";

/// What proves that no other acts: a filter proves nothing, and without a lease the others' grants stand in for it (S4).
fn proofs(status: &Status) -> Vec<String> {
    let by_grants = status.arbiter.as_ref().is_some_and(|arbiter| arbiter.by_grants);
    let granted = match status.peers.as_slice() {
        [one] => format!("{}'s grant", one.name),
        _ => "the others' grants".to_owned(),
    };
    let proof = |word: &String| if word == "arbiter" && by_grants { granted.clone() } else { word.clone() };
    status.protection.policy.iter().filter(|word| *word != FILTER).map(proof).collect()
}

/// Row 3.
pub fn row_three(status: &Status) -> JudgementRow {
    JudgementRow {
        judgement: judged(status, |age| age),
        protection: protection(status),
        hold: hold(status, |left| left),
        attached: match status.attached.as_slice() {
            [] => "attached: nobody".to_owned(),
            names => format!("attached: {}", names.join(", ")),
        },
    }
}

/// What row 3 says first: the judgement, or with an alarm the alarm. `aged` makes an age of the status one of now.
pub fn judged(status: &Status, aged: impl Fn(u64) -> u64) -> String {
    let words = judgement(status);
    if let (Judgement::NobodyActs, Some(alarm)) = (status.judgement, blocks(status)) {
        return format!("!! {}   nobody is known to act", alarm.text);
    }
    let lasts = |age: u64| lasting(Duration::from_millis(aged(age)));
    let alarm = status.alarms.iter().find(|alarm| alarm.class == AlarmClass::Alarm);
    match (alarm, status.judgement) {
        (None, Judgement::TwoAct) => format!("!! {words}"),
        (None, Judgement::OneActs | Judgement::OneActsOtherUnknown | Judgement::NobodyActs) => words.to_owned(),
        (Some(alarm), Judgement::TwoAct | Judgement::NobodyActs) => match &status.two_acted {
            Some(two) if two.over_for_ms.is_none() => {
                format!("!! {words}, at most {}", at_most(Duration::from_millis(aged(two.at_most_ms))))
            }
            Some(_) | None => format!("!! {words}, for {}", lasts(alarm.since_ms)),
        },
        (Some(alarm), Judgement::OneActs | Judgement::OneActsOtherUnknown) => format!("!! {}", alarm.text),
    }
}

/// What row 3 says of a hold. `remaining` makes what was left at the status what is left now.
pub fn hold(status: &Status, remaining: impl Fn(u64) -> u64) -> String {
    status.hold.as_ref().map_or_else(
        || "no hold".to_owned(),
        |hold| format!("HELD by {}, {} left", hold.by, coarse(Duration::from_millis(remaining(hold.expires_ms)))),
    )
}

/// An age, coarse, so that a line that says the same is not redrawn: "just now", "41 s ago", "1:46 ago", "3d ago".
pub fn ago(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..2 => "just now".to_owned(),
        2..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{}:{:02} ago", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        86_400.. => format!("{}d ago", seconds / 86_400),
    }
}

/// A length of time, coarse: "41 s", "31 min 36 s", "4 h 12 min", "3d 04:12".
pub fn lasting(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} min {} s", seconds % 60),
        3_600..86_400 => format!("{hours} h {minutes} min"),
        86_400.. => format!("{}d {:02}:{minutes:02}", hours / 24, hours % 24),
    }
}

/// The longest that something may have lasted: never less than it was.
pub fn at_most(time: Duration) -> String {
    let whole = Duration::from_secs(time.as_secs());
    lasting(if whole < time { whole + Duration::from_secs(1) } else { whole })
}

/// The same, so coarse that it is seldom drawn again: "7 s", "31 min", "4 h 12 min", "3d 04:12".
pub fn coarse(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        _ => lasting(time),
    }
}

/// A reply as what it told this member to be: an order is not printed as a state.
pub fn order(reply: ReplyKind) -> &'static str {
    match reply {
        ReplyKind::StaySecondary => "stay Secondary",
        ReplyKind::BecomePrimary => "become Primary",
        ReplyKind::NoAnswer => "no answer",
        ReplyKind::Query => "asks what to be",
    }
}

/// What a peer's replies are, or on a Primary its queries.
pub fn told_by(status: &Status, peer: &Peer) -> String {
    match (status.mode, peer.replies.first().map(|reply| reply.reply)) {
        (Mode::Primary, Some(ReplyKind::Query) | None) => format!("What {} asks of {}", peer.name, status.node),
        // Who has just become Primary asks nobody any more, and may not have been asked yet.
        (Mode::Primary, Some(ReplyKind::StaySecondary | ReplyKind::BecomePrimary | ReplyKind::NoAnswer)) => {
            format!("What {} last told {} to be", peer.name, status.node)
        }
        (Mode::Secondary, _) => format!("What {} tells {} to be", peer.name, status.node),
    }
}

/// How a path stands for a person: one whose connection is open and that has said nothing for longer than the reply
/// timeout is not up, whatever the connection says (N15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathStands {
    /// It carries the link.
    Up,
    /// Its connection is open, and nothing comes over it.
    Silent,
    /// It is being tried.
    Tried,
    /// It is down.
    Down,
}

/// How a path stands, when a silence counts after `reply_timeout_ms`.
pub fn path(link: &Link, reply_timeout_ms: u64) -> PathStands {
    match link.state {
        LinkState::Up if link.last_heard_ms.unwrap_or(link.since_ms) > reply_timeout_ms => PathStands::Silent,
        LinkState::Up => PathStands::Up,
        LinkState::Connecting => PathStands::Tried,
        LinkState::Down => PathStands::Down,
    }
}

/// How many paths of `links` carry the link.
pub fn paths_up<'a>(links: impl Iterator<Item = &'a Link>, reply_timeout_ms: u64) -> usize {
    links.filter(|link| path(link, reply_timeout_ms) == PathStands::Up).count()
}

/// A path's state as it is marked.
pub fn path_mark(stands: PathStands) -> &'static str {
    match stands {
        PathStands::Up => "ok",
        PathStands::Tried => "??",
        PathStands::Silent | PathStands::Down => "NO",
    }
}

/// An alarm's class, as it is shouted.
pub fn class(class: AlarmClass) -> &'static str {
    match class {
        AlarmClass::Alarm => "ALARM",
        AlarmClass::Warning => "WARNING",
        AlarmClass::Note => "note",
    }
}

/// A round trip in milliseconds: "0.21 ms".
pub fn milliseconds(us: u64) -> String {
    format!("{}.{:02} ms", us / 1_000, us % 1_000 / 10)
}

/// On a Primary, what follows from members that are not heard and may act: none while two cannot act for all that this
/// member knows. So that whoever asks why, in the middle of a cut, is told what the cut may have made (N12). `aged` makes
/// an age of the status one of now.
pub fn split(status: &Status, aged: impl Fn(u64) -> u64) -> Vec<String> {
    if status.mode == Mode::Secondary || status.judgement == Judgement::OneActs {
        return Vec::new();
    }
    let unheard = status.peers.iter().filter(|peer| matches!(peer.gone.as_deref(), Some("silent" | "never_heard")));
    let mut lines: Vec<String> = unheard
        .map(|peer| {
            let (_, _, may) = standing(peer);
            format!("{} is {}: it {may}", peer.name, heard(peer, peer.last_heard_ms.map(&aged)))
        })
        .collect();
    if lines.is_empty() {
        return lines;
    }
    match status.protection.state {
        ProtectionState::Unprotected => {
            lines.push("nothing keeps two from acting: takeover.protection is empty".to_owned());
        }
        ProtectionState::Filter => {
            lines.push("reachability is a filter and no proof: it does not keep two from acting".to_owned());
        }
        ProtectionState::Ok | ProtectionState::Missing => {}
    }
    lines.push("when they hear each other again, the lower term gives way (N12)".to_owned());
    lines
}

/// What was known of a peer when a decision was taken, a line each.
pub fn facts(peer: &PeerEvidence) -> Vec<String> {
    let mut facts = Vec::new();
    let link = if peer.link_up { "link up" } else { "no link" };
    facts.push(match (peer.heard, peer.mode) {
        (None, _) => format!("{link}, never heard since this member started"),
        (Some(ago), None) => format!("{link}, last heard {} before", seconds(ago)),
        (Some(ago), Some((mode, term))) => {
            format!("{link}, last heard {} before, as {}, {}", seconds(ago), mode.word(), in_term(term.number))
        }
    });
    if let Some(answer) = peer.answer {
        let said = if answer.be_primary { "be Primary" } else { "stay Secondary" };
        let asked = seconds(answer.asked);
        // An answer that is no consent may be for none.
        let term = if answer.proposed == 0 { String::new() } else { format!(", for term {}", answer.proposed) };
        facts.push(format!("its last answer: {said}, to the question of {asked} before{term}"));
    }
    match (peer.able, peer.score) {
        (None, None) => {}
        (None, Some(score)) => facts.push(format!("health {:.2}", f64::from(score))),
        (Some(able), score) => {
            let health = score.map_or(String::new(), |score| format!(", health {:.2}", f64::from(score)));
            facts.push(match (able.level(), able.why()) {
                (0, Some(why)) => format!("could not be Primary: {why}{health}"),
                (_, Some(why)) => format!("a lesser candidate: {why}{health}"),
                (_, None) => format!("fit{health}"),
            });
        }
    }
    facts
}

/// All that a decision rested on: of each peer, each line with the peer's name, and what protection went by.
pub fn evidence(decision: &Decision) -> Vec<String> {
    let peers = decision.evidence.iter();
    let peers = peers.flat_map(|peer| facts(peer).into_iter().map(|fact| format!("{}: {fact}", peer.name)));
    peers.chain(decision.protection.facts()).collect()
}

#[cfg(test)]
mod tests;
