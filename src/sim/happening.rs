//! What can happen next in a simulated group: what waits in the queue, each with its time.

use crate::negotiation::exchange::{ArbiterCall, ArbiterReply};
use crate::negotiation::member::MemberId;
use crate::negotiation::message::Message;
use crate::negotiation::time::Instant;

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Happening {
    Ticks {
        member: usize,
    },
    Arrives {
        link: usize,
        side: usize,
        epoch: u32,
        era: u32,
        number: u64,
        message: Message,
    },
    Closes {
        link: usize,
        side: usize,
        epoch: u32,
    },
    Opens {
        link: usize,
        side: usize,
        epoch: u32,
    },
    Flushes {
        link: usize,
        side: usize,
        epoch: u32,
    },
    TimesOut {
        link: usize,
        side: usize,
        epoch: u32,
        weather: u32,
    },
    Calls {
        link: usize,
    },
    Probes {
        link: usize,
    },
    DiskDone {
        member: usize,
        life: u32,
    },
    /// What runs only on the Primary has stopped.
    ServingStops {
        member: usize,
        era: u32,
    },
    /// The guardian of a controller that froze or died ends what runs.
    GuardianKills {
        member: usize,
        era: u32,
    },
    /// An agent has switched a member off.
    Strikes {
        member: usize,
        life: u32,
        peer: MemberId,
    },
    /// An agent says what it came to.
    Fenced {
        member: usize,
        life: u32,
        peer: MemberId,
        off: bool,
    },
    /// A sampler looks.
    Samples {
        member: usize,
        life: u32,
    },
    /// A request arrives at the arbiter.
    ArbiterHears {
        member: usize,
        life: u32,
        ticket: u32,
        call: ArbiterCall,
    },
    /// The arbiter's reply arrives.
    ArbiterReplies {
        member: usize,
        life: u32,
        ticket: u32,
        reply: ArbiterReply,
    },
    /// A call to the arbiter has had its time.
    CallEnds {
        member: usize,
        life: u32,
        ticket: u32,
    },
    /// The arbiter has restarted.
    ArbiterBack {
        era: u32,
        holder: Option<MemberId>,
    },
    /// What became of a question to the reference addresses.
    ReferenceReplies {
        member: usize,
        life: u32,
        asked_at: Instant,
        answered: bool,
    },
}
