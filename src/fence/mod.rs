//! STONITH: switching another member off through a fence agent, and being sure of it (S2, S3).
//!
//! An agent is any program that speaks the fence-agents convention (options as `key=value` lines on its standard input,
//! judged by its exit status alone), or a plain command line. [`Agent`] runs one: with a deadline after which its whole
//! process group is killed, with bounded output, and with its secrets on standard input only. [`Metadata`] is what an
//! agent says of itself; [`check`] holds the configuration against it. [`Fencer`] is what the controller uses: a thread for
//! each device, so that neither a hanging agent nor a slow disk ever delays the controller's loop, and a stalled loop never
//! delays a deadline.
//!
//! Nothing here decides *whether* a member is switched off; the negotiation does. Nothing here knows members: a device is
//! known by the name of the member that it switches.

mod agent;
mod bell;
pub mod check;
mod device;
mod fencer;
mod metadata;
mod run;
mod secret;
#[cfg(test)]
mod tests;
pub mod trampoline;

pub use agent::{Action, Agent, Power, Tried};
pub use device::{Attempt, DeviceReport, FenceEvent, Preview, PreviewReply, Verdict};
pub use fencer::{Device, Fencer, preview_alone};
pub use metadata::{Content, Metadata, MetadataError, Parameter};
