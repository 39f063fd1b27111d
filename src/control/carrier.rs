//! How a screen talks to an engine: requests one way, replies the other, over bounded channels.
//!
//! In `run` the other end is the engine in the same process; in `attach` it is a task that reads and writes the socket.
//! The screen cannot tell which, and that is the point.

use tokio::sync::mpsc;

use super::request::{Reply, Request};

/// The screen's end.
#[derive(Debug)]
pub struct Carrier {
    /// To the engine.
    pub requests: mpsc::Sender<Request>,
    /// From the engine; the first is always [`Reply::Hello`]. Closed when the engine is gone.
    pub replies: mpsc::Receiver<Reply>,
}
