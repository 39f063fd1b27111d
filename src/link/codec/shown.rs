//! What one member's screens show that the others should know of (type 32): who is attached, the open plan, what runs,
//! which fence devices do not answer.

use crate::link::event::{
    MAX_ATTACHED, MAX_DEAD_DEVICES, MAX_PLAN, MAX_PROCESSES, RunState, RunsOn, Shown, ShownProcess,
};
use crate::link::wire::{DecodeError, MAX_TEXT, Reader, Writer};

/// Writes it; what is over the bounds is left out.
pub(super) fn write(writer: &mut Writer, shown: &Shown) {
    let attached = &shown.attached[..shown.attached.len().min(MAX_ATTACHED)];
    // At most MAX_ATTACHED.
    writer.u8(attached.len() as u8);
    for who in attached {
        writer.text(who, MAX_TEXT);
    }
    match &shown.plan {
        Some((number, text)) => writer.u8(1).u32(*number).text(text, MAX_PLAN),
        None => writer.u8(0),
    };
    let processes = &shown.processes[..shown.processes.len().min(MAX_PROCESSES)];
    // At most MAX_PROCESSES.
    writer.u8(processes.len() as u8);
    for process in processes {
        writer.text(&process.name, MAX_TEXT).u8(state_number(process.state)).u8(runs_on_number(process.runs_on));
        writer.u32(process.pid.unwrap_or(0)).duration(process.stop);
        match process.start {
            Some(start) => writer.u8(1).duration(start),
            None => writer.u8(0),
        };
    }
    let dead = &shown.dead_devices[..shown.dead_devices.len().min(MAX_DEAD_DEVICES)];
    // At most MAX_DEAD_DEVICES.
    writer.u8(dead.len() as u8);
    for member in dead {
        writer.text(member, MAX_TEXT);
    }
}

/// Reads it. Everything behind the watchers may be missing: an older version does not send it (N17).
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Shown, DecodeError> {
    let count = bounded(reader.u8("the watchers")?, "the watchers", MAX_ATTACHED)?;
    let mut attached = Vec::with_capacity(count);
    for _ in 0..count {
        attached.push(reader.text("a watcher", MAX_TEXT)?.to_owned());
    }
    let plan = if !reader.at_end() && reader.flag("whether a plan is open")? {
        let number = reader.u32("the plan's number")?;
        Some((number, reader.text("the plan's words", MAX_PLAN)?.to_owned()))
    } else {
        None
    };
    let count = if reader.at_end() { 0 } else { reader.u8("the processes")? };
    let count = bounded(count, "the processes", MAX_PROCESSES)?;
    let mut processes = Vec::with_capacity(count);
    for _ in 0..count {
        let name = reader.text("a process", MAX_TEXT)?.to_owned();
        let state = state_of(reader.u8("its state")?);
        let runs_on = runs_on_of(reader.u8("when it runs")?);
        let pid = Some(reader.u32("its pid")?).filter(|pid| *pid != 0);
        let stop = reader.duration("its stop time")?;
        let start = match reader.flag("whether its start time is known")? {
            true => Some(reader.duration("its start time")?),
            false => None,
        };
        // A word of a newer version: nothing is known of this one.
        if let (Some(state), Some(runs_on)) = (state, runs_on) {
            processes.push(ShownProcess { name, state, runs_on, pid, stop, start });
        }
    }
    let count = if reader.at_end() { 0 } else { reader.u8("the dead fence devices")? };
    let count = bounded(count, "the dead fence devices", MAX_DEAD_DEVICES)?;
    let mut dead_devices = Vec::with_capacity(count);
    for _ in 0..count {
        dead_devices.push(reader.text("whose fence device", MAX_TEXT)?.to_owned());
    }
    Ok(Shown { attached, plan, processes, dead_devices })
}

fn bounded(count: u8, field: &'static str, limit: usize) -> Result<usize, DecodeError> {
    let length = usize::from(count);
    if length > limit { Err(DecodeError::TooLong { field, length, limit }) } else { Ok(length) }
}

fn state_number(state: RunState) -> u8 {
    match state {
        RunState::Waits => 0,
        RunState::Starting => 1,
        RunState::Running => 2,
        RunState::Stopping => 3,
        RunState::Restarting => 4,
        RunState::Stopped => 5,
        RunState::GivenUp => 6,
    }
}

fn state_of(number: u8) -> Option<RunState> {
    use RunState::{GivenUp, Restarting, Running, Starting, Stopped, Stopping, Waits};
    [Waits, Starting, Running, Stopping, Restarting, Stopped, GivenUp].get(usize::from(number)).copied()
}

fn runs_on_number(runs_on: RunsOn) -> u8 {
    match runs_on {
        RunsOn::Both => 0,
        RunsOn::Primary => 1,
        RunsOn::Secondary => 2,
    }
}

fn runs_on_of(number: u8) -> Option<RunsOn> {
    [RunsOn::Both, RunsOn::Primary, RunsOn::Secondary].get(usize::from(number)).copied()
}
