//! The handle on all fencing devices: one thread each, told by a bell, telling through one bounded channel.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use crate::config::fencing::{FenceConfig, FencePaths};

use super::agent::Agent;
use super::bell::Bell;
use super::device::{DeviceThread, FenceEvent, Preview, PreviewReply, Shared, preview};

/// Events that may wait for the controller's loop; a device's thread waits for room.
const EVENTS: usize = 32;

/// One device: how one member is switched off.
#[derive(Debug, Clone)]
pub struct Device {
    /// The member that it switches.
    pub name: String,
    /// How.
    pub config: FenceConfig,
    /// What its paths mean here.
    pub paths: FencePaths,
    /// The tandem program, through which the agent is started so that it dies with the controller; none: it is started
    /// as it is.
    pub launcher: Option<PathBuf>,
}

struct Handle {
    name: String,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// All devices of a controller.
pub struct Fencer {
    devices: Vec<Handle>,
}

impl Fencer {
    /// Starts a thread for each device. With `monitor` configured, each asks its device at once.
    ///
    /// # Errors
    ///
    /// The system gives no thread, or too many files are open.
    pub fn start(devices: Vec<Device>) -> io::Result<(Fencer, mpsc::Receiver<FenceEvent>)> {
        let (events, received) = mpsc::channel(EVENTS);
        let mut fencer = Fencer { devices: Vec::new() };
        for device in devices {
            let shared = Arc::new(Shared::new()?);
            let agent = Agent::new(device.config, device.paths).launched_by(device.launcher);
            let worker = DeviceThread::new(device.name.clone(), agent, Arc::clone(&shared), events.clone());
            let thread = std::thread::Builder::new().name(format!("fence {}", device.name)).spawn(|| worker.work())?;
            fencer.devices.push(Handle { name: device.name, shared, thread });
        }
        Ok((fencer, received))
    }

    /// Begins to switch `name` off: [`FenceEvent::Off`] or [`FenceEvent::Failed`] follows. While one is under way, that is
    /// the one that was asked for. False: there is no such device.
    pub fn fence(&self, name: &str) -> bool {
        self.device(name).map(|device| device.shared.fence()).is_some()
    }

    /// What fencing `name` would do, and what the device says now. `reply` is dropped when there is no such device, or when
    /// too many ask.
    pub fn preview(&self, name: &str, reply: PreviewReply) {
        if let Some(device) = self.device(name) {
            device.shared.preview(reply);
        }
    }

    fn device(&self, name: &str) -> Option<&Handle> {
        self.devices.iter().find(|device| device.name == name)
    }

    /// Ends every thread; an agent that runs is killed. Blocks for a moment, and for longer only when the receiver of the
    /// events is still there and full: drop it first.
    pub fn shutdown(self) {
        for device in &self.devices {
            device.shared.stop();
        }
        for device in self.devices {
            if device.thread.join().is_err() {
                tracing::error!(device = device.name, "the fencing thread ended badly; its words are above");
            }
        }
    }
}

/// What fencing with `config` would do, and what the device says now; without a controller. Blocks for as long as the
/// agent takes, at most its timeout and that of its description.
///
/// # Errors
///
/// Too many files are open.
pub fn preview_alone(config: FenceConfig, paths: FencePaths) -> io::Result<Preview> {
    let bell = Bell::new()?;
    Ok(preview(&mut Agent::new(config, paths), &bell, &mut || false))
}
