//! Two machines with one name, and one machine with an old connection (N13).

use super::reference::Reference;
use super::rig::*;
use crate::link::{LinkEvent, RejectionKind};
use crate::negotiation::message::Incarnation;
use std::time::Duration;

#[tokio::test]
async fn n13_a_second_instance_is_refused_while_the_first_answers() {
    let mut group = Group::pair();
    let mut beta = group.start(BETA).await;
    let mut alpha = group.start(ALPHA).await;
    alpha.up().await;
    beta.up().await;
    let mut settings = group.settings(BETA);
    settings.incarnation = Incarnation(999);
    let mut second = twin("127.0.0.9", settings).await;
    let told = second.rejection(RejectionKind::SecondInstance).await;
    assert!(told.contains("two machines call themselves beta"), "{told}");
    let detail = alpha.rejection(RejectionKind::SecondInstance).await;
    assert!(detail.contains("two machines call themselves beta"), "{detail}");
    beta.links.send(ALPHA, &beacon(1));
    assert_eq!(alpha.beacon().await, 1, "the first goes on as if nothing had happened");
    assert!(beta.told().iter().all(|event| !matches!(event, LinkEvent::Down { .. })));
}

#[tokio::test]
async fn n13_a_twin_of_the_called_member_itself_is_named() {
    let mut group = Group::pair();
    let mut alpha = group.start(ALPHA).await;
    // Configured as alpha's double, but higher, so that it calls: its list has itself under another address.
    let mut settings = group.settings(BETA);
    settings.members[0].name = "beta".into();
    settings.members[1].name = "alpha".into();
    let _double = group.start_with(settings).await;
    let detail = alpha.rejection(RejectionKind::SecondInstance).await;
    assert!(detail.contains("two machines call themselves alpha"), "{detail}");
}

#[tokio::test]
async fn n13_an_old_connection_that_does_not_answer_is_replaced() {
    let mut group = Group::pair();
    let cable = Cable::to(group.addresses[0][0]).await;
    let mut settings = group.settings(BETA);
    settings.members[0].addresses[0] = cable.address;
    let _old = twin("127.0.0.9", settings).await;
    let mut alpha = group.start(ALPHA).await;
    assert_eq!(alpha.up().await, Incarnation(101));
    cable.state.send_replace(State::Frozen);
    let mut settings = group.settings(BETA);
    settings.incarnation = Incarnation(999);
    let (began, reference) = (std::time::Instant::now(), Reference::start());
    let _new = twin("127.0.0.9", settings).await;
    alpha.down().await;
    assert_eq!(alpha.up().await, Incarnation(999));
    reference.within(began.elapsed(), Duration::from_secs(2), "the old one is replaced");
    assert_eq!(alpha.count(RejectionKind::SecondInstance), 0);
}

#[tokio::test]
async fn n13_the_same_process_replaces_its_own_connection_at_once() {
    let mut group = Group::pair();
    let cable = Cable::to(group.addresses[0][0]).await;
    let mut settings = group.settings(BETA);
    settings.members[0].addresses[0] = cable.address;
    let _first = twin("127.0.0.9", settings).await;
    let mut alpha = group.start(ALPHA).await;
    alpha.up().await;
    cable.state.send_replace(State::Frozen);
    // The same incarnation on a new connection, as after a network that forgot the old one.
    let _second = twin("127.0.0.9", group.settings(BETA)).await;
    alpha
        .until(|event| match event {
            LinkEvent::PathChanged { up: true, why, .. } if why == "reconnected" => Some(()),
            LinkEvent::Down { .. } => panic!("it was never down"),
            _ => None,
        })
        .await;
}

#[tokio::test]
async fn n13_two_listeners_with_one_name_on_two_networks_are_told_apart() {
    let mut group = Group::on(&[&["127.0.0.1", "127.0.0.3"], &["127.0.0.2", "127.0.0.4"]]);
    let mut alpha = group.start(ALPHA).await;
    let mut settings = group.settings(ALPHA);
    settings.incarnation = Incarnation(999);
    let other = twin("127.0.0.1", settings).await;
    let mut settings = group.settings(BETA);
    settings.members[0].addresses[1] = other.links.listening().unwrap()[0];
    let mut beta = group.start_with(settings).await;
    let detail = beta.rejection(RejectionKind::SecondInstance).await;
    assert!(detail.contains("two machines call themselves alpha"), "{detail}");
    // Whichever was met first stays.
    assert!(beta.told().iter().all(|event| !matches!(event, LinkEvent::Down { .. })));
    alpha.told();
}
