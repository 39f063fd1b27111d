//! Protection "reachability": who reaches no reference address takes nothing over, and says so (S1).

#[path = "support/group.rs"]
mod group;
#[path = "support/namespaces.rs"]
mod namespaces;
mod support;

use group::Group;
use namespaces::Network;
use support::{Part, require};
use tandem::control::status::{Mode, Status};

/// Three machines on a switch: two members, and the third as the reference address. It refuses, which is an answer.
fn pair(network: &Network) -> Group {
    let target = std::net::SocketAddr::new(network.machine(2).1, 22);
    network.group_of(
        2,
        &format!(
            "[negotiation]\nquery_interval = \"200ms\"\nreply_timeout = \"2s\"\n[takeover]\nprotection = \
             [\"reachability\"]\n[reachability]\ntargets = [\"tcp://{target}\"]\n"
        ),
    )
}

fn missing(status: &Status) -> bool {
    status.able.level == 0 && status.able.why.as_deref().is_some_and(|why| why.contains("reference"))
}

#[test]
fn s1_an_isolated_machine_does_not_promote_itself_and_says_what_is_missing() {
    if !require(Part::NetworkNamespaces) {
        return;
    }
    let network = Network::switched(3);
    let mut pair = pair(&network);
    pair.start_all();
    let primary = pair.settle();
    let other = 1 - primary;
    network.detach(other);
    let (status, _) = pair.wait(other, "it says what is missing", missing);
    assert_eq!(status.mode, Mode::Secondary);
    let held_back = |status: &Status| status.alarms.iter().any(|alarm| alarm.id == "takeover_held_back");
    let (status, _) = pair.wait(other, "it would take over, if an address answered", held_back);
    assert_eq!(status.mode, Mode::Secondary);
    assert_eq!(pair.status(primary).mode, Mode::Primary);
    network.attach(other);
    assert_eq!(pair.settle(), primary);
    // The Primary falls silent, and the other still has its network.
    network.detach(primary);
    pair.wait(other, "it has taken over", |status| status.mode == Mode::Primary);
}

#[test]
fn s1_where_the_reference_address_does_not_answer_nobody_takes_over() {
    if !require(Part::NetworkNamespaces) {
        return;
    }
    let network = Network::switched(3);
    let mut pair = pair(&network);
    network.detach(2);
    pair.start_all();
    for member in 0..2 {
        let (status, _) = pair.wait(member, "it says what is missing", missing);
        assert_eq!(status.mode, Mode::Secondary);
    }
    network.attach(2);
    pair.settle();
}
