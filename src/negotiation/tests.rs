//! The clauses as tests. The first and simplest: a healthy pair, by hand.

use super::exchange::{Input, Output};
use super::member::MemberId;
use super::message::{Incarnation, Mode, PeerHello};
use super::settings::Settings;
use super::time::Instant;
use super::*;

fn pair() -> [Negotiator; 2] {
    [0, 1].map(|me| {
        let settings = Settings::new(MemberId(me), vec!["alpha".into(), "beta".into()]);
        Negotiator::new(settings, Instant(1), None).expect("usable settings")
    })
}

/// Carries every output to where it belongs, at once, until nothing is left.
fn run(pair: &mut [Negotiator; 2], at: Instant, mut inputs: Vec<(usize, Input)>) {
    while !inputs.is_empty() {
        let (who, input) = inputs.remove(0);
        let mut out = Vec::new();
        pair[who].handle(at, input, &mut out);
        for output in out {
            match output {
                Output::Send { to, message } => {
                    let peer = MemberId(who as u8);
                    inputs.push((to.index(), Input::Received { peer, message }));
                }
                Output::Write { version, .. } => inputs.push((who, Input::Written { version })),
                Output::ModeChanged(_)
                | Output::TakingOver(_)
                | Output::Event(_)
                | Output::CommandDone(_)
                | Output::Stopped => {}
            }
        }
    }
}

#[test]
fn n6_of_two_secondaries_the_lower_address_takes_over() {
    let mut pair = pair();
    let up = |who: usize, pair: &[Negotiator; 2]| {
        let agreement = pair[1 - who].settings.agreement();
        let hello = PeerHello { incarnation: Incarnation(7), agreement };
        (who, Input::LinkUp { peer: MemberId(1 - who as u8), hello })
    };
    let inputs = vec![up(1, &pair), up(0, &pair)];
    run(&mut pair, Instant(1_000), inputs);
    assert_eq!(pair[0].mode(), Mode::Primary);
    assert_eq!(pair[1].mode(), Mode::Secondary);
    assert_eq!(pair[0].mode_and_term().1.number, 1);
    assert_eq!(pair[1].mode_and_term().1.number, 1, "the beacon told it");
}
