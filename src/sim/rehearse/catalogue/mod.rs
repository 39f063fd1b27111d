//! The catalogue of faults: every scenario with its name, what happens in it, and its script.

mod members;
mod network;
mod plant;
mod protection;

use super::script::{Cast, Script, Weight};

/// One scenario.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name, as `--scenario` takes it.
    pub name: &'static str,
    /// What happens in it, as a clause.
    pub title: &'static str,
    /// Whether it speaks against a protection when two act in it.
    pub weight: Weight,
    /// What happens at a site, or why it cannot happen there.
    pub(super) script: fn(&Cast<'_>) -> Result<Script, String>,
}

const fn fault(name: &'static str, title: &'static str, script: fn(&Cast<'_>) -> Result<Script, String>) -> Scenario {
    Scenario { name, title, weight: Weight::Fault, script }
}

const fn beyond(name: &'static str, title: &'static str, script: fn(&Cast<'_>) -> Result<Script, String>) -> Scenario {
    Scenario { name, title, weight: Weight::Beyond, script }
}

/// Every scenario, in the order in which they are told.
pub const ALL: [Scenario; 36] = [
    fault("boot", "all members are powered on together", network::boot),
    fault("boot-alone", "one member is powered on, the others stay off", network::boot_alone),
    fault("boot-network-late", "all are powered on, the network follows 30 s later", network::boot_network_late),
    fault("boot-link-cut", "all are powered on while the link is cut", network::boot_link_cut),
    fault("link-cut", "the Primary's link to all others breaks, all live", network::link_cut),
    fault("link-cut-one-way", "the link passes nothing one way", network::link_cut_one_way),
    fault("link-flaps", "a loose cable: the link breaks and comes back, again and again", network::link_flaps),
    fault("one-cable", "the cable between the Primary and one other breaks", network::one_cable),
    fault("minority", "one that is not Primary is cut off from all others", network::minority),
    fault("primary-crashes", "the Primary's controller crashes", members::primary_crashes),
    fault("primary-power", "the Primary's machine loses its power", members::primary_power),
    fault(
        "primary-frozen",
        "the Primary's controller is frozen (SIGSTOP), and wakes up later",
        members::primary_frozen,
    ),
    fault("primary-stalls", "the Primary's controller stalls for less than the reply timeout", members::primary_stalls),
    beyond("primary-suspended", "the Primary's machine is suspended, and resumed later", members::primary_suspended),
    beyond("primary-paused", "a hypervisor pauses the Primary's machine and hides it", members::primary_paused),
    fault("clock-jump", "the Primary's clock of the day jumps by an hour", members::clock_jump),
    fault("secondary-crashes", "another member's machine loses its power", members::secondary_crashes),
    fault("site-power", "the whole site loses its power, and gets it back", members::site_power),
    fault("site-power-link-cut", "the same, and the link stays cut", members::site_power_link_cut),
    fault("slow-disk", "every disk becomes slow, then the Primary crashes", members::slow_disk),
    fault("full-disk", "the disk of the next in line is full, then the Primary crashes", members::full_disk),
    fault("stop", "the Primary is stopped (SIGTERM)", members::stop),
    fault("take-over", "an operator lets another member take over", members::take_over),
    fault("step-down", "an operator lets the Primary step down", members::step_down),
    fault("slow-process", "a required process on the Primary answers ever later", plant::slow_process),
    fault("memory-leak", "a required process on the Primary leaks memory", plant::memory_leak),
    fault("process-dead", "a required process on the Primary is kept dead", plant::process_dead),
    fault("process-killed", "a required process on the Primary is killed again and again", plant::process_killed),
    fault("fence-fails", "the Primary's power fails, and its fencing device with it", protection::fence_fails),
    fault("fence-hangs", "the Primary's power fails, and its fence agent hangs", protection::fence_hangs),
    beyond("fence-lies", "the link breaks, and fencing devices say \"off\" and do nothing", protection::fence_lies),
    fault("arbiter-gone", "nobody reaches the arbiter", protection::arbiter_gone),
    fault("arbiter-gone-one", "the Primary alone does not reach the arbiter", protection::arbiter_gone_one),
    fault("arbiter-and-link", "arbiter and link break together", protection::arbiter_and_link),
    fault(
        "arbiter-and-primary",
        "the arbiter is gone, and the Primary's machine loses its power",
        protection::arbiter_and_primary,
    ),
    fault("reference-gone", "no reference address answers, then the Primary crashes", protection::reference_gone),
];

/// The scenario of that name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}
