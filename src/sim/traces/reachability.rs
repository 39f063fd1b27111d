//! Reference addresses (`reachability`, S1): who may be the one that is cut off takes nothing over, neither while it is
//! cut off nor in the moment in which its network is back and its link is not yet.

use super::*;
use crate::sim::arbiter::Reference;

/// Alpha is Primary; both reach the reference address.
fn pair(seed: u64, reply_timeout: u64) -> Scene {
    let mut group = World::group(2, &[Protection::Reachability]);
    group.reply_timeout = Duration::from_millis(reply_timeout);
    let mut world = World::new(group, seed);
    world.keep_trace();
    let mut scene = Scene { world };
    scene.apply(Fault::Start(ALPHA)).run(seed * 97 % 1_000);
    scene.apply(Fault::Start(BETA));
    scene.run(8_000);
    scene.primary_is(&[ALPHA]);
    scene
}

impl Scene {
    /// Beta's own cable: neither alpha nor the reference address is reached any more.
    fn pull_beta(&mut self) -> &mut Scene {
        self.apply(Fault::Reference(BETA, Reference::Silent)).apply(Fault::Cut(ALPHA, BETA, Way::Both))
    }
}

/// S1: the machine that no reference address answers leaves the role to the other; a filter, not a proof.
#[test]
fn trace_an_isolated_machine_that_promoted_itself() {
    let mut scene = pair(3, 3_000);
    scene.pull_beta().never_two(20_000);
    scene.primary_is(&[ALPHA]);
    scene.apply(Fault::Reference(BETA, Reference::Answers));
    scene.run(5_000);
    scene.primary_is(&[ALPHA, BETA]);
    scene.apply(Fault::Heal(ALPHA, BETA));
    scene.run(5_000);
    scene.primary_is(&[BETA]);
}

/// What the address answered before the silence proves nothing about it: a timeout of hardly more than an interval ends
/// before the first question has failed.
#[test]
fn trace_an_isolated_machine_that_relied_on_an_answer_from_before_its_cable_broke() {
    for seed in 0..20 {
        for offset in [0, 350, 700] {
            let mut scene = pair(seed, 1_200);
            scene.run(offset);
            scene.pull_beta().never_two(10_000);
            scene.primary_is(&[ALPHA]);
        }
    }
}

/// The cable is mended: the address answers at once, the link is connected a moment later. In between beta hears nobody
/// and is not cut off any more; had it taken the role, the group would have changed its Primary for nothing.
#[test]
fn trace_a_machine_that_took_the_role_as_its_cable_was_mended() {
    for between in [100, 400, 700, 990] {
        for seed in 0..10 {
            let mut scene = pair(seed, 3_000);
            scene.pull_beta().never_two(20_000);
            scene.apply(Fault::Reference(BETA, Reference::Answers)).never_two(between);
            scene.apply(Fault::Heal(ALPHA, BETA)).never_two(10_000);
            scene.primary_is(&[ALPHA]);
        }
    }
}
