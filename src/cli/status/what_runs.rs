//! Health, processes and fencing of `tandem status`, in the words of the screen.

use crate::control::status::Status;
use crate::control::words::{self, Clock, Detail};

/// Adds them, each where there is something to tell.
pub(super) fn what_runs(status: &Status, text: &mut String) {
    *text += &format!("Health: {}\n", words::scores(status));
    if words::health_matters(status) {
        for sub in &status.health.sub {
            *text += &format!("  {}   {}\n", words::sub_health(sub), words::measured(sub));
        }
    }
    if !status.processes.is_empty() {
        *text += &format!("Processes on {}: {}\n", status.node, words::processes(status));
    }
    let widest = status.processes.iter().map(|process| process.name.len()).max().unwrap_or(0);
    for process in &status.processes {
        let state = words::process_state(process.state);
        let tells = words::process_tells(process, Clock::STANDS, Detail::Whole);
        *text += &format!("  {:<widest$}   {state:<9} {tells}\n", process.name);
    }
    if !status.fencing.is_empty() {
        *text += "Fencing\n";
    }
    for fencing in &status.fencing {
        let mark = match words::device_answers(fencing) {
            Some(true) => "ok",
            Some(false) => "NO",
            None => "??",
        };
        let tells = words::device_tells(fencing, Clock::STANDS);
        *text += &format!("  {mark}  {}   {}   {tells}\n", fencing.peer, fencing.agent);
        for line in words::fencing_tells(fencing, Clock::STANDS) {
            *text += &format!("      {line}\n");
        }
    }
}
