//! The stage: a group on virtual time plays a scenario, and is watched.

use std::time::Duration;

use super::catalogue::Scenario;
use super::illness::Illness;
use super::outcome::{Idle, Line, LineKind, Outcome, Two, Watch, verdict};
use super::script::{Beat, Begins, Cast, Deed, Script};
use super::site::Site;
use crate::negotiation::ability::{Ability, Score, Unable};
use crate::negotiation::event::{Event, Severity};
use crate::negotiation::exchange::CommandOutcome;
use crate::negotiation::member::MemberId;
use crate::negotiation::message::Mode;
use crate::negotiation::settings::Protection;
use crate::negotiation::view::{ForecastLine, Topic, View};
use crate::sim::fault::{Fault, Order};
use crate::sim::process::{Health, Run};
use crate::sim::rng::{Rng, nanos};
use crate::sim::told::Saying;
use crate::sim::world::World;

/// How long after a machine goes on its guardian and its controller have looked at the time.
const WAKING: Duration = Duration::from_millis(5);

/// More lines than this of one story help nobody.
const MAX_LINES: usize = 400;

/// Plays one timing of a scenario.
///
/// # Errors
///
/// Why it cannot happen at this site.
pub(super) fn play(site: &Site, scenario: &Scenario, timing: u64) -> Result<Outcome, String> {
    let mut stage = Stage::new(site, timing);
    let wanted = MemberId(u8::from(timing % 2 == 1));
    let (mut cast, mut script) = (stage.cast(wanted), (scenario.script)(&stage.cast(wanted))?);
    if script.begins == Begins::Running {
        let primary = stage.boot(wanted);
        if primary != wanted {
            cast = stage.cast(primary);
            script = (scenario.script)(&cast)?;
        }
    }
    stage.play(&script);
    Ok(stage.outcome(scenario, &script, &cast))
}

struct Stage<'a> {
    site: &'a Site,
    world: World,
    watch: Watch,
    /// When the fault comes, virtual nanoseconds.
    zero: u64,
    timing: u64,
    ill: Option<(MemberId, Illness, u64)>,
    /// Whose machine stands still, and whether it acted until then.
    paused: Option<(MemberId, bool)>,
    lines: Vec<Line>,
    /// Where the world's own words are read on from.
    read: usize,
    /// What every running member said just before it was mended, or at the end.
    before_mending: Option<(u64, Vec<View>)>,
}

impl<'a> Stage<'a> {
    fn new(site: &'a Site, timing: u64) -> Stage<'a> {
        // Any numbers will do, as long as they are always the same.
        let mut world = World::new(site.settings.clone(), 7_001 + timing * 97);
        world.checks.let_two_act();
        world.agents_given_up_after.clone_from(&site.agent_given_up_after);
        for member in site.members() {
            world.apply(Fault::StopTime(member, site.stop_time));
        }
        Stage {
            site,
            world,
            watch: Watch::default(),
            zero: 0,
            timing,
            ill: None,
            paused: None,
            lines: Vec::new(),
            read: 0,
            before_mending: None,
        }
    }

    fn cast(&self, primary: MemberId) -> Cast<'a> {
        let others = self.site.members().filter(|member| *member != primary).collect();
        Cast { site: self.site, primary, others, timing: self.timing }
    }

    /// Everybody starts, one becomes Primary, and it is the wanted one where that can be. Says who it is.
    fn boot(&mut self, wanted: MemberId) -> MemberId {
        for member in self.site.members() {
            self.world.apply(Fault::Start(member));
        }
        let bound = self.site.recovery();
        self.until(bound, |world| world.primaries().next().is_some());
        self.run(2 * self.site.promise() + self.site.settings.query_interval);
        if self.world.primaries().next().is_some_and(|primary| primary != wanted) {
            self.world.apply(Fault::Order(wanted, Order::TakeOver));
            self.until(bound, |world| world.primaries().eq([wanted]));
            // Long enough for every promise of before to be over.
            self.run(2 * self.site.promise() + self.site.stop_time);
        }
        let mut rng = Rng::new(self.timing);
        self.run(rng.between(Duration::ZERO, 2 * self.site.settings.query_interval));
        self.world.primaries().next().unwrap_or(wanted)
    }

    fn until(&mut self, most: Duration, wanted: impl Fn(&World) -> bool) {
        let end = self.world.now + nanos(most);
        while !wanted(&self.world) && self.step(end) {}
    }

    fn run(&mut self, time: Duration) {
        let end = self.world.now + nanos(time);
        while self.step(end) {}
    }

    fn step(&mut self, until: u64) -> bool {
        let happened = self.world.step(until);
        self.note();
        happened
    }

    /// Looks who acts now.
    fn note(&mut self) {
        let serves = |member: MemberId| if self.world.serves(member) { 1_u16 << member.0 } else { 0 };
        let serving: u16 = self.site.members().map(serves).sum();
        self.watch.note(self.world.now, serving);
    }

    fn play(&mut self, script: &Script) {
        self.zero = self.world.now;
        self.world.listen();
        let end = self.zero + nanos(script.lasts);
        for beat in &script.beats {
            self.perform_until(self.zero + nanos(beat.at));
            if script.mended_at == Some(beat.at) {
                self.look();
            }
            self.beat(beat);
        }
        self.perform_until(end);
        if self.before_mending.is_none() {
            self.look();
        }
    }

    /// Lets time pass, in which who is ill is sampled.
    fn perform_until(&mut self, end: u64) {
        let sample = nanos(self.site.plant.sample).max(1_000_000);
        while let Some((member, illness, since)) = self.ill {
            let next = self.world.now + sample;
            if next > end {
                break;
            }
            while self.step(next) {}
            let ill_for = Duration::from_nanos(self.world.now - since);
            let score = self.site.plant.score(illness, ill_for, self.world.serves(member));
            self.set_score(member, score);
        }
        while self.step(end) {}
        self.tell();
    }

    fn set_score(&mut self, member: MemberId, score: Score) {
        self.world.processes[member.index()].health = Health::Scored(score);
        self.world.sample(member.index());
        self.note();
    }

    fn beat(&mut self, beat: &Beat) {
        let at = Duration::from_nanos(self.world.now - self.zero);
        self.lines.push(Line { at, who: None, text: beat.says.clone(), kind: LineKind::Fault });
        for deed in &beat.deeds {
            match *deed {
                Deed::Fault(fault) => self.world.apply(fault),
                Deed::Pause(member) => self.paused = Some((member, self.world.pause(member))),
                Deed::Unpause(gap) => {
                    if let Some((member, served)) = self.paused.take() {
                        // Its processes run on before anything on it can look what time it is.
                        let process = &mut self.world.processes[member.index()];
                        process.serves = served && matches!(process.run, Run::Frozen { .. });
                        self.note();
                        self.run(WAKING);
                        self.world.unpause(member, gap);
                    }
                }
                Deed::FallIll(member, illness) => self.ill = Some((member, illness, self.world.now)),
                Deed::GetWell(member) => {
                    self.ill = None;
                    self.set_score(member, Score::FULL);
                }
            }
            self.note();
        }
    }

    /// Keeps how the members see it now.
    fn look(&mut self) {
        let running: Vec<MemberId> = self.world.running().collect();
        let view = |member: &MemberId| {
            let negotiator = self.world.member(*member)?;
            Some(negotiator.view(self.world.clock_of(*member)))
        };
        self.before_mending = Some((self.world.now, running.iter().filter_map(view).collect()));
    }

    /// Takes what members said since the last time into the story.
    fn tell(&mut self) {
        let told = self.world.told.as_deref().unwrap_or_default();
        for one in told.iter().skip(self.read) {
            let at = Duration::from_nanos(one.at.saturating_sub(self.zero));
            let (text, kind) = match &one.what {
                Saying::Changed(decision) => {
                    let mode = match decision.mode {
                        Mode::Primary => format!("is Primary, term {}", decision.term),
                        Mode::Secondary => "is Secondary".to_owned(),
                    };
                    (format!("{mode}: {}", decision.rule.text()), LineKind::Decision(decision.rule.clause()))
                }
                Saying::Event(event) if belongs(event) => (event.text(), LineKind::Event),
                Saying::Event(_) => continue,
                Saying::Command(outcome) => (outcome_text(outcome), LineKind::Event),
                Saying::Ended => ("its controller has ended".to_owned(), LineKind::Event),
            };
            if self.lines.len() < MAX_LINES {
                self.lines.push(Line { at, who: Some(self.site.settings.name(one.member)), text, kind });
            }
        }
        self.read = told.len();
    }

    fn outcome(mut self, scenario: &Scenario, script: &Script, cast: &Cast<'_>) -> Outcome {
        let (zero, end) = (self.zero, self.world.now);
        let looked = self.before_mending.take();
        let since_zero = |at: u64| Duration::from_nanos(at.saturating_sub(zero));
        let length = |since: u64, until: u64| Duration::from_nanos(until - since);
        let mended = script.mended_at.map(|at| zero + nanos(at));
        let mut two: Option<Two> = None;
        let (mut outage, mut idle) = (Duration::ZERO, None);
        let mut many_before = self.watch.stretches(0, zero + 1).last().map_or(1, |(_, _, acting)| acting.count_ones());
        for (since, until, acting) in self.watch.stretches(zero, end) {
            let many = acting.count_ones();
            let says = match many {
                0 => {
                    outage = outage.max(length(since, until));
                    let lasting = mended.map_or(until >= end, |mended| since < mended && until > mended);
                    if lasting {
                        idle = Some(since);
                    }
                    (many_before > 0).then(|| format!("nobody acts, for {}", words(length(since, until))))
                }
                1 => None,
                _ => {
                    let who: Vec<MemberId> = self.site.members().filter(|id| acting >> id.0 & 1 == 1).collect();
                    let two = two.get_or_insert_with(|| Two {
                        since: since_zero(since),
                        total: Duration::ZERO,
                        who: who.iter().map(|id| cast.name(*id)).collect(),
                        until: None,
                    });
                    two.total += length(since, until);
                    if mended.is_some_and(|mended| since < mended && until >= mended) || until >= end {
                        two.until = Some(script.until);
                    }
                    Some(format!("{} act at once, for {}", cast.names(who), words(length(since, until))))
                }
            };
            if let Some(text) = says {
                self.lines.push(Line { at: since_zero(since), who: None, text, kind: LineKind::Acting });
            }
            many_before = many;
        }
        self.lines.sort_by_key(|line| line.at);
        let idle = idle.map(|since| {
            let views = looked.map(|(_, views)| views).unwrap_or_default();
            idleness(self.site, &views, since_zero(since), script.until)
        });
        if let Some(broken) = &self.world.broken {
            let text = format!("the simulation ends here: {broken}");
            self.lines.push(Line { at: since_zero(end), who: None, text, kind: LineKind::Acting });
        }
        let promised = self.world.broken.is_some() || two.is_some();
        Outcome {
            scenario: scenario.name,
            title: scenario.title,
            verdict: verdict(promised, idle.is_some(), scenario.weight),
            timing: self.timing,
            outage,
            two,
            idle,
            lines: self.lines,
            remedies: Vec::new(),
        }
    }
}

/// Seconds as sentences write them.
fn words(time: Duration) -> String {
    crate::negotiation::decision::seconds(time)
}

/// Whether an event is worth a line here: what matters, and what explains who does what.
fn belongs(event: &Event) -> bool {
    let explains = matches!(
        event,
        Event::SteppingDown { .. } | Event::WouldTakeOver { .. } | Event::HandOverAsked { .. } | Event::StateDurable
    );
    // Every controller of a site that is new knows no history.
    let always = matches!(event, Event::HistoryUnknown);
    explains || (event.severity() >= Severity::Warning && !always)
}

fn outcome_text(outcome: &CommandOutcome) -> String {
    match outcome {
        CommandOutcome::Done => "the operator's command is done".to_owned(),
        CommandOutcome::AlreadySo => "the operator's command: it is so already".to_owned(),
        CommandOutcome::Refused { peer, refusal } => {
            format!("the operator's command: {peer} refused: {}", refusal.text())
        }
        CommandOutcome::TimedOut { missing } => format!("the operator's command was not done in time: {missing}"),
        CommandOutcome::Impossible { why } => format!("the operator's command cannot be done: {why}"),
    }
}

/// Why nobody acts, and who must do what (S10).
fn idleness(site: &Site, views: &[View], since: Duration, until: &'static str) -> Idle {
    let because = |view: &View| {
        // Who does not agree waits for the same as this member: of many, only what else is missing tells anything.
        let (others, own): (Vec<&ForecastLine>, Vec<&ForecastLine>) =
            lacking(view).partition(|line| line.about == Topic::Member);
        let told = if own.is_empty() { others } else { own };
        let missing: Vec<&str> = told.iter().map(|line| line.text.as_str()).collect();
        let why = match (view.able.why(), missing.as_slice()) {
            (Some(why), []) => why.to_owned(),
            (None, []) => "it could at any moment".to_owned(),
            (_, missing) => missing.join("; "),
        };
        (view.name.clone(), why)
    };
    Idle { since, until, because: views.iter().map(because).collect(), then: advice(site, views) }
}

/// What a member waits for, by rule 6; where it hears a Primary, what an operator's word would lack.
fn lacking(view: &View) -> impl Iterator<Item = &ForecastLine> {
    let lines = if view.forecast.if_fails.is_none() { &view.forecast.lines } else { &view.take_over };
    lines.iter().filter(|line| !line.ok)
}

fn advice(site: &Site, views: &[View]) -> String {
    let Some(view) = views.first() else {
        return "switch the machines on again, and mend what is broken".to_owned();
    };
    if views.iter().any(|view| view.hold.is_some()) {
        return "end the hold: tandem resume".to_owned();
    }
    let forced = "or, when you know that no other member acts: tandem failover --force";
    match view.able {
        Ability::Cannot(Unable::ObserveOnly) => {
            return "set takeover.observe_only = false, and restart tandem".to_owned();
        }
        Ability::Cannot(Unable::SteppedDown | Unable::Held) => return "tandem resume".to_owned(),
        Ability::Cannot(Unable::StateNotDurable) => return "make room on the disk of its state directory".to_owned(),
        Ability::Cannot(Unable::ArbiterUnreachable) => return format!("bring the arbiter back, {forced}"),
        Ability::Cannot(Unable::NoReference) => return format!("mend this member's network, {forced}"),
        Ability::Cannot(Unable::Stopping | Unable::Other) | Ability::Sick(_) | Ability::Fit => {}
    }
    let gone: Vec<String> =
        view.peers.iter().filter(|peer| peer.gone.is_some()).map(|peer| peer.name.to_string()).collect();
    if site.protected_by(Protection::Fence) && !gone.is_empty() {
        let words: Vec<String> = gone.iter().map(|name| format!("tandem fence {name} --is-off")).collect();
        return format!(
            "look whether {} is off; when it is: {}; when it lives, mend what is between",
            gone.join(" and "),
            words.join("; ")
        );
    }
    let lacks = |topic: Topic| views.iter().any(|view| lacking(view).any(|line| line.about == topic));
    if lacks(Topic::Promise) {
        return "mend what is broken; what was promised to another ends by itself".to_owned();
    }
    if lacks(Topic::Majority) {
        return format!("bring another member back, {forced}");
    }
    if lacks(Topic::Arbiter) {
        return format!("bring the arbiter back, {forced}");
    }
    format!("mend what is broken, {forced}")
}
