//! When a process is asked, and what its answers and its silence come to (H3, H6).
//!
//! Pure: the time comes in. A [`Rhythm`] is told of questions, answers and of the time that has come; it says when it
//! wants to be woken, whether to ask, and what to report. Three things are decided here for every kind of heartbeat:
//!
//! * **Spread.** Questions fall on a grid of the process's own, so that 200 processes of one period are not asked at once.
//! * **Silence** is counted from the first question that was not answered well, and reported once a period.
//! * **Our own lateness is not the process's.** Who wakes late shifts everything that is being counted by as much (S9).

use std::time::{Duration, Instant};

use super::Pulse;

/// A question lives for this many periods; then it is asked anew. Just as long a silence is "unresponsive" (H6).
const QUESTION_LIVES: u32 = 5;

/// A silence of so many periods, and of at least [`RESTART_FROM`], means that it is to be started again. Longer than what
/// makes it unresponsive: in between the others can see that it is, and take over.
const RESTART_PERIODS: u32 = 10;

/// See [`RESTART_PERIODS`].
const RESTART_FROM: Duration = Duration::from_secs(5);

/// The first pause before one that is starting is asked again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The longest pause while it is starting.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Waking later than this is lateness of our own.
const LATE_FROM: Duration = Duration::from_millis(2);

/// How the process comes to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It is asked, and answers.
    Asked,
    /// It speaks by itself; its response time is the time between two beats.
    Speaks,
}

/// What is to be done, and what is to be told.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Step {
    /// Ask, and forget the question before, if one is open.
    pub ask: bool,
    /// It is ready from now on.
    pub ready: bool,
    /// Its response, or how long it has been silent.
    pub pulse: Option<Pulse>,
    /// It has been silent for so long that it is to be started again.
    pub restart: Option<Duration>,
}

/// One process's rhythm, from its start to its end.
#[derive(Debug, Clone)]
pub(super) struct Rhythm {
    way: Way,
    period: Duration,
    /// The grid on which it is asked.
    grid: Instant,
    stage: Stage,
    /// The open question.
    asked: Option<Instant>,
    /// Since when it has owed an answer, or when it last spoke by itself.
    owes_since: Option<Instant>,
    /// The last response.
    took: Option<Duration>,
    next: Instant,
    pause: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Neutral until then (H3).
    Starting { until: Instant },
    /// Its time to become ready is over: from now on it is judged.
    Overdue,
    /// It has been ready.
    Ready,
}

impl Stage {
    fn is_judged(self) -> bool {
        match self {
            Stage::Starting { .. } => false,
            Stage::Overdue | Stage::Ready => true,
        }
    }
}

impl Rhythm {
    /// Of a process that has just been started. `share`, from 0 to 1, is its place in the period.
    pub fn new(way: Way, period: Duration, start_timeout: Duration, share: f64, now: Instant) -> Rhythm {
        let period = period.max(Duration::from_millis(1));
        Rhythm {
            way,
            period,
            grid: now + period.mul_f64(share.clamp(0.0, 1.0)),
            stage: Stage::Starting { until: now + start_timeout },
            asked: None,
            owes_since: None,
            took: None,
            next: now,
            pause: FIRST_PAUSE,
        }
    }

    /// When to wake.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// The program itself changed its period (`WATCHDOG_USEC=`).
    pub fn set_period(&mut self, period: Duration) {
        self.period = period.clamp(Duration::from_millis(1), Duration::from_secs(3600));
    }

    /// It woke at `now` instead of at [`Rhythm::next`]. What was late is taken from every time that is being counted.
    pub fn excuse(&mut self, now: Instant) {
        let late = now.saturating_duration_since(self.next);
        if late < LATE_FROM {
            return;
        }
        let shift = |at: &mut Instant| *at = (*at + late).min(now);
        self.asked.iter_mut().for_each(shift);
        self.owes_since.iter_mut().for_each(shift);
        if let Stage::Starting { until } = &mut self.stage {
            *until += late;
        }
    }

    /// The time has come, or something else woke it.
    pub fn tick(&mut self, now: Instant) -> Step {
        let mut step = Step::default();
        if let Stage::Starting { until } = self.stage
            && now >= until
        {
            self.stage = Stage::Overdue;
            // What it owed while it was starting does not count.
            self.owes_since = Some(now);
        }
        if now < self.next {
            return step;
        }
        if self.way == Way::Asked {
            let stale = self.asked.is_none_or(|asked| now >= asked + self.period * QUESTION_LIVES);
            step.ask = stale;
            if stale {
                self.asked = Some(now);
                self.owes_since.get_or_insert(now);
            }
        }
        step.pulse = self.silence(now);
        let since = self.owes_since.filter(|_| self.stage.is_judged());
        let silent_for = since.map(|since| now.saturating_duration_since(since));
        step.restart = silent_for.filter(|silent| *silent >= (self.period * RESTART_PERIODS).max(RESTART_FROM));
        self.plan(now);
        step
    }

    /// A good answer, or a beat of its own.
    pub fn answered(&mut self, now: Instant) -> Step {
        let took = match self.way {
            Way::Asked => self.asked.or(self.owes_since),
            Way::Speaks => self.owes_since,
        }
        .map(|since| now.saturating_duration_since(since));
        self.asked = None;
        self.owes_since = match self.way {
            Way::Asked => None,
            Way::Speaks => Some(now),
        };
        // Without anything to count from there is nothing to measure: the first beat of one that speaks by itself.
        self.took = took.or(self.took);
        let pulse = took.map(|took| Pulse::Answers { took, period: self.period });
        // One that speaks says itself when it is ready.
        let ready = self.way == Way::Asked && self.stage != Stage::Ready;
        if ready {
            self.stage = Stage::Ready;
        }
        self.plan(now);
        Step { ready, pulse: pulse.filter(|_| self.stage.is_judged()), ..Step::default() }
    }

    /// A good answer to an earlier question than the open one: it took as long as the first that it owes an answer to has
    /// stood. The open question stays open, and is counted from when it was asked.
    pub fn answered_earlier(&mut self, now: Instant) -> Step {
        let open = self.asked.take();
        let step = self.answered(now);
        self.asked = open;
        self.owes_since = open;
        self.plan(now);
        step
    }

    /// It says that it is ready (`READY=1`).
    pub fn says_ready(&mut self, now: Instant) -> Step {
        let ready = self.stage != Stage::Ready;
        self.stage = Stage::Ready;
        self.owes_since = Some(now);
        self.plan(now);
        Step { ready, ..Step::default() }
    }

    /// A bad answer: none at all, as far as its health goes.
    pub fn failed(&mut self, now: Instant) -> Step {
        self.asked = None;
        self.plan(now);
        Step::default()
    }

    /// It says itself that it is stuck (`WATCHDOG=trigger`).
    pub fn says_stuck(&mut self, now: Instant) -> Step {
        if !self.stage.is_judged() {
            self.stage = Stage::Overdue;
        }
        let silent = self.period * QUESTION_LIVES;
        self.owes_since = Some(now.checked_sub(silent).unwrap_or(now));
        self.plan(now);
        Step { pulse: Some(Pulse::Waiting { waited: silent, period: self.period }), ..Step::default() }
    }

    /// How long it has been silent, once that is more than its last response took: a process that always takes three
    /// periods does not look faster while it is being asked again.
    fn silence(&self, now: Instant) -> Option<Pulse> {
        let since = self.owes_since.filter(|_| self.stage.is_judged())?;
        let waited = now.saturating_duration_since(since);
        let longer = waited >= self.period && self.took.is_none_or(|took| waited > took);
        longer.then_some(Pulse::Waiting { waited, period: self.period })
    }

    fn plan(&mut self, now: Instant) {
        self.next = match (self.way, self.stage) {
            (Way::Asked, Stage::Overdue | Stage::Ready) if self.owes_since.is_none() => self.next_on_grid(now),
            (Way::Asked, Stage::Starting { until }) => {
                let pause = self.pause.min(self.period);
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                (now + pause).min(until)
            }
            (Way::Speaks, Stage::Starting { until }) => until,
            // Whole periods of silence are looked at when they are over, not at the next place on the grid, which is a
            // little less than one away from a question that was asked a little late.
            (Way::Asked | Way::Speaks, Stage::Overdue | Stage::Ready) => {
                let since = self.owes_since.unwrap_or(now);
                since + self.period * (whole_periods(now.saturating_duration_since(since), self.period) + 1)
            }
        };
    }

    fn next_on_grid(&self, now: Instant) -> Instant {
        if now < self.grid {
            return self.grid;
        }
        self.grid + self.period * (whole_periods(now - self.grid, self.period) + 1)
    }
}

fn whole_periods(time: Duration, period: Duration) -> u32 {
    // Saturates after 49 days of periods of 1 ms; then the next wake is in the past, and nothing worse than that.
    u32::try_from(time.as_nanos() / period.as_nanos().max(1)).unwrap_or(u32::MAX - 1).min(u32::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);
    const START: Duration = Duration::from_secs(30);

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// An asked process that became ready at once, and the time of its first question on the grid.
    fn ready(share: f64) -> (Rhythm, Instant, Instant) {
        let t0 = Instant::now();
        let mut rhythm = Rhythm::new(Way::Asked, PERIOD, START, share, t0);
        assert!(rhythm.tick(t0).ask);
        assert!(rhythm.answered(t0 + ms(1)).ready);
        let first = rhythm.next();
        (rhythm, t0, first)
    }

    fn waited(step: &Step) -> Option<Duration> {
        match step.pulse {
            Some(Pulse::Waiting { waited, .. }) => Some(waited),
            Some(Pulse::Answers { .. }) | None => None,
        }
    }

    fn took(step: &Step) -> Option<Duration> {
        match step.pulse {
            Some(Pulse::Answers { took, .. }) => Some(took),
            Some(Pulse::Waiting { .. }) | None => None,
        }
    }

    #[test]
    fn p3_questions_fall_on_the_process_s_own_place_in_the_period() {
        for share in [0.25, 0.5, 0.75] {
            let (mut rhythm, t0, first) = ready(share);
            assert_eq!(first - t0, PERIOD.mul_f64(share));
            // However late it wakes, the next question is on the grid again.
            assert!(rhythm.tick(first + ms(40)).ask);
            rhythm.answered(first + ms(41));
            assert_eq!(rhythm.next(), first + PERIOD);
        }
    }

    #[test]
    fn h3_the_response_time_is_that_from_the_question_to_the_answer() {
        let (mut rhythm, _, first) = ready(0.5);
        rhythm.tick(first);
        assert_eq!(took(&rhythm.answered(first + ms(30))), Some(ms(30)));
    }

    #[test]
    fn h3_nothing_is_reported_of_one_that_is_starting() {
        let t0 = Instant::now();
        let mut rhythm = Rhythm::new(Way::Asked, ms(100), START, 0.0, t0);
        let mut now = t0;
        let mut asked = 0;
        while now < t0 + START - ms(500) {
            let step = rhythm.tick(now);
            assert_eq!(step.pulse, None);
            asked += u32::from(step.ask);
            rhythm.failed(now);
            now = rhythm.next();
        }
        assert!(asked > 100, "it is asked again and again: {asked}");
    }

    #[test]
    fn h3_the_silence_of_one_that_was_never_ready_counts_from_the_end_of_its_start_timeout() {
        let t0 = Instant::now();
        let mut rhythm = Rhythm::new(Way::Asked, PERIOD, START, 0.5, t0);
        let mut silent = Vec::new();
        let mut now = t0;
        while now < t0 + START + ms(5600) {
            silent.extend(waited(&rhythm.tick(now)).map(|waited| (waited, now)));
            now = rhythm.next();
        }
        assert!(!silent.is_empty());
        for (waited, now) in silent {
            assert_eq!(waited, now - (t0 + START));
        }
        assert!(rhythm.answered(now).ready, "late is ready too");
    }

    #[test]
    fn h6_silence_is_reported_once_a_period_and_is_five_periods_after_five() {
        let (mut rhythm, _, first) = ready(0.5);
        let mut reported = Vec::new();
        for _ in 0..7 {
            reported.extend(waited(&rhythm.tick(rhythm.next())));
        }
        assert_eq!(reported, (1..=6).map(|n| PERIOD * n).collect::<Vec<_>>());
        assert_eq!(rhythm.next(), first + PERIOD * 7);
    }

    #[test]
    fn p1_one_silent_for_ten_periods_and_five_seconds_is_to_be_started_again() {
        for (period, after) in [(ms(100), ms(5000)), (PERIOD, ms(10_000))] {
            let t0 = Instant::now();
            let mut rhythm = Rhythm::new(Way::Asked, period, START, 0.0, t0);
            rhythm.tick(t0);
            rhythm.answered(t0);
            let first = rhythm.next();
            let restart = loop {
                let now = rhythm.next();
                if let Some(silent) = rhythm.tick(now).restart {
                    assert_eq!(silent, now - first);
                    break silent;
                }
            };
            assert_eq!(restart, after);
        }
    }

    #[test]
    fn h6_five_periods_are_five_periods_however_late_the_question_was_asked() {
        let (mut rhythm, _, first) = ready(0.5);
        let asked = first + Duration::from_micros(900);
        assert!(rhythm.tick(asked).ask);
        let silent: Vec<_> = (1..=5).filter_map(|_| waited(&rhythm.tick(rhythm.next()))).collect();
        assert_eq!(silent.last(), Some(&(PERIOD * 5)));
        // Once it answers, it is asked in its place again.
        rhythm.answered(rhythm.next() - ms(3));
        assert_eq!(rhythm.next(), first + PERIOD * 6);
    }

    #[test]
    fn h6_a_bad_answer_does_not_end_the_silence() {
        let (mut rhythm, _, _) = ready(0.5);
        let mut reported = Vec::new();
        for _ in 0..6 {
            let now = rhythm.next();
            let step = rhythm.tick(now);
            assert!(step.ask, "after a bad answer it is asked anew");
            reported.extend(waited(&step));
            rhythm.failed(now + ms(1));
        }
        assert_eq!(reported, (1..=5).map(|n| PERIOD * n).collect::<Vec<_>>());
    }

    #[test]
    fn h3_an_open_question_is_asked_anew_after_five_periods_and_not_before() {
        let (mut rhythm, _, first) = ready(0.5);
        let asked: Vec<bool> = (0..6).map(|_| rhythm.tick(rhythm.next()).ask).collect();
        assert_eq!(asked, [true, false, false, false, false, true]);
        let late = first + PERIOD * 5 + ms(10);
        assert_eq!(took(&rhythm.answered(late)), Some(ms(10)));
    }

    #[test]
    fn h3_an_answer_to_an_earlier_question_took_as_long_as_that_one_stood() {
        let (mut rhythm, _, first) = ready(0.5);
        for _ in 0..6 {
            rhythm.tick(rhythm.next());
        }
        // Asked anew after five periods; what answers after eight is the first question's.
        assert_eq!(took(&rhythm.answered_earlier(first + PERIOD * 8)), Some(PERIOD * 8));
        assert_eq!(rhythm.next(), first + PERIOD * 9, "the second still stands");
        assert_eq!(took(&rhythm.answered(first + PERIOD * 13)), Some(PERIOD * 8));
    }

    #[test]
    fn h3_one_that_is_always_slow_does_not_look_fast_while_it_is_asked_again() {
        let (mut rhythm, _, first) = ready(0.5);
        rhythm.tick(first);
        rhythm.tick(first + PERIOD);
        rhythm.tick(first + PERIOD * 2);
        assert_eq!(took(&rhythm.answered(first + ms(2500))), Some(ms(2500)));
        let again = rhythm.next();
        assert!(rhythm.tick(again).ask);
        assert_eq!(rhythm.tick(again + PERIOD).pulse, None);
        assert_eq!(rhythm.tick(again + PERIOD * 2).pulse, None);
        assert_eq!(waited(&rhythm.tick(again + PERIOD * 3)), Some(PERIOD * 3));
    }

    #[test]
    fn s9_what_we_were_late_ourselves_is_not_the_process_s() {
        let (mut rhythm, _, first) = ready(0.5);
        rhythm.tick(first);
        // Asked, then 20 s frozen; the answer had come after 10 ms, and lies there when we wake.
        let woke = first + Duration::from_secs(20);
        rhythm.excuse(woke);
        let response = took(&rhythm.answered(woke)).unwrap();
        assert!(response <= PERIOD, "{response:?}");
        // The same for one that speaks by itself, and for the time of starting.
        let t0 = Instant::now();
        let mut speaks = Rhythm::new(Way::Speaks, PERIOD, START, 0.0, t0);
        let frozen = t0 + Duration::from_secs(100);
        speaks.tick(t0);
        speaks.excuse(frozen);
        assert!(speaks.tick(frozen).pulse.is_none());
        assert!(speaks.says_ready(frozen + ms(1)).ready);
        let frozen = frozen + Duration::from_secs(100);
        speaks.excuse(frozen);
        assert!(took(&speaks.answered(frozen)).unwrap() <= PERIOD + ms(1));
    }

    #[test]
    fn p3_of_one_that_speaks_by_itself_the_time_between_two_beats_is_the_response() {
        let t0 = Instant::now();
        let mut rhythm = Rhythm::new(Way::Speaks, PERIOD, START, 0.0, t0);
        rhythm.tick(t0);
        // A beat before it is ready tells nothing of its health yet.
        assert_eq!(rhythm.answered(t0 + ms(10)), Step::default());
        assert!(rhythm.says_ready(t0 + ms(100)).ready);
        assert!(!rhythm.says_ready(t0 + ms(200)).ready, "ready is said once");
        assert_eq!(took(&rhythm.answered(t0 + ms(700))), Some(ms(500)));
        assert_eq!(rhythm.next(), t0 + ms(1700));
        assert_eq!(waited(&rhythm.tick(t0 + ms(1700))), Some(PERIOD));
        assert_eq!(waited(&rhythm.tick(t0 + ms(2700))), Some(PERIOD * 2));
        assert_eq!(took(&rhythm.answered(t0 + ms(2800))), Some(ms(2100)));
    }

    #[test]
    fn p3_one_that_says_it_is_stuck_is_silent_at_once_until_its_next_beat() {
        let t0 = Instant::now();
        let mut rhythm = Rhythm::new(Way::Speaks, PERIOD, START, 0.0, t0);
        rhythm.says_ready(t0);
        let now = t0 + Duration::from_secs(10);
        assert_eq!(waited(&rhythm.says_stuck(now)), Some(PERIOD * 5));
        assert!(took(&rhythm.answered(now + ms(500))).is_some());
        assert_eq!(took(&rhythm.answered(now + ms(1000))), Some(ms(500)));
    }
}
