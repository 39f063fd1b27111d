//! What the negotiation and its simulator cost: `cargo bench --bench simulation`.
//!
//! Prints the time and the allocations of one `handle` in the steady state of a pair, and the simulated events a second
//! on one core with every invariant checked after every event.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tandem::negotiation::Negotiator;
use tandem::negotiation::exchange::{Input, Output};
use tandem::negotiation::member::MemberId;
use tandem::negotiation::message::{Incarnation, Mode, PeerHello};
use tandem::negotiation::settings::{Protection, Settings};
use tandem::negotiation::time::Instant as Virtual;
use tandem::sim::{World, walk};

/// Counts allocations, and leaves them to the system.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes unchanged to the system's allocator, whose contract is the same; counting touches no memory
// that it hands out.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps to the contract of `alloc`, which is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, so from the system, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as for `dealloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    handle();
    for (name, members, protection) in [
        ("a pair", 2, &[][..]),
        ("three, majority", 3, &[Protection::Majority][..]),
        ("five, majority", 5, &[Protection::Majority][..]),
    ] {
        simulate(name, members, protection);
    }
}

/// A pair by hand: messages go from one to the other at once.
struct Pair {
    members: [Negotiator; 2],
    now: u64,
    out: Vec<Output>,
    waiting: VecDeque<(usize, Input)>,
    handled: u64,
}

impl Pair {
    fn connected() -> Pair {
        let members = [0, 1].map(|me| {
            let settings = Settings::new(MemberId(me), vec!["alpha".into(), "beta".into()]);
            Negotiator::new(settings, Virtual(1), None).expect("the defaults are usable")
        });
        let mut pair = Pair { members, now: 1_000, out: Vec::new(), waiting: VecDeque::new(), handled: 0 };
        for who in [1, 0] {
            let agreement = pair.members[1 - who].settings().agreement();
            let hello = PeerHello { incarnation: Incarnation(7), agreement };
            pair.waiting.push_back((who, Input::LinkUp { peer: MemberId(1 - who as u8), hello }));
        }
        pair.carry();
        assert_eq!(pair.members[0].mode_and_term().0, Mode::Primary, "a pair that works");
        pair
    }

    /// Everything that follows, until nothing does.
    fn carry(&mut self) {
        while let Some((who, input)) = self.waiting.pop_front() {
            self.members[who].handle(Virtual(self.now), input, &mut self.out);
            self.handled += 1;
            for output in self.out.drain(..) {
                match output {
                    Output::Send { to, message } => {
                        self.waiting.push_back((to.index(), Input::Received { peer: MemberId(who as u8), message }));
                    }
                    Output::Write { version, .. } => self.waiting.push_back((who, Input::Written { version })),
                    Output::StopServing { .. } => self.waiting.push_back((who, Input::ServingStopped)),
                    Output::Fence { .. }
                    | Output::AskArbiter { .. }
                    | Output::AskReference { .. }
                    | Output::ModeChanged(_)
                    | Output::TakingOver(_)
                    | Output::Event(_)
                    | Output::CommandDone(_)
                    | Output::Stopped => {}
                }
            }
        }
    }

    /// One interval: a beacon, a query, its answer.
    fn interval(&mut self) {
        self.now += 1_000_000_000;
        for who in [0, 1] {
            self.waiting.push_back((who, Input::Tick));
            self.carry();
        }
    }
}

fn handle() {
    let mut pair = Pair::connected();
    for _ in 0..1_000 {
        pair.interval();
    }
    let mut times = Vec::with_capacity(200);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let handled_before = pair.handled;
    for _ in 0..200 {
        let start = Instant::now();
        let handled = pair.handled;
        for _ in 0..500 {
            pair.interval();
        }
        times.push(start.elapsed().as_secs_f64() * 1e9 / (pair.handled - handled) as f64);
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    times.sort_by(f64::total_cmp);
    println!(
        "handle, steady state of a pair: median {:.0} ns, best {:.0} ns, worst {:.0} ns (batches of 500 intervals); \
         {allocations} allocations in {} calls",
        times[times.len() / 2],
        times[0],
        times[times.len() - 1],
        pair.handled - handled_before,
    );
}

fn simulate(name: &str, members: usize, protection: &[Protection]) {
    let group = World::group(members, protection);
    let mut rates = Vec::new();
    let begin = Instant::now();
    let mut seed = 0;
    while begin.elapsed() < Duration::from_secs(2) {
        let start = Instant::now();
        let mut events = 0;
        for _ in 0..200 {
            match walk::walk(&group, seed) {
                Ok(done) => events += done.events,
                Err(failure) => {
                    println!("{}\nseed {seed}: {}", failure.trace, failure.broken);
                    std::process::exit(1);
                }
            }
            seed += 1;
        }
        rates.push(events as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    println!(
        "simulated events a second, {name}: median {:.0}, least {:.0}, most {:.0} ({seed} walks)",
        rates[rates.len() / 2],
        rates[0],
        rates[rates.len() - 1],
    );
}
