//! A crash is told from silence by refusals (N3, N14, rule 2).

use super::reference::Reference;
use super::rig::*;
use crate::link::{LinkEvent, start};
use crate::negotiation::message::Incarnation;
use std::net::TcpListener as StdListener;
use std::time::{Duration, Instant};

fn refused(event: &LinkEvent) -> Option<()> {
    matches!(event, LinkEvent::Refused { .. }).then_some(())
}

#[tokio::test]
async fn n14_a_crashed_caller_is_refused_at_once() {
    let mut group = Group::on(&[&["127.0.0.1", "127.0.0.3"], &["127.0.0.2", "127.0.0.4"]]);
    let beta = Crashable::start(group.settings(BETA), group.sockets(BETA));
    let mut alpha = group.start(ALPHA).await;
    alpha.up().await;
    let crash = tokio::task::spawn_blocking(|| beta.crash());
    alpha.down().await;
    let down = Instant::now();
    alpha.until(refused).await;
    eprintln!("refused {:?} after the connection was gone", down.elapsed());
    crash.await.unwrap();
}

#[tokio::test]
async fn n14_a_crashed_listener_is_refused_at_once_and_found_again_when_it_is_back() {
    let mut group = Group::on(&[&["127.0.0.1", "127.0.0.3"], &["127.0.0.2", "127.0.0.4"]]);
    let alpha = Crashable::start(group.settings(ALPHA), group.sockets(ALPHA));
    let mut beta = group.start(BETA).await;
    beta.up().await;
    let crash = tokio::task::spawn_blocking(|| alpha.crash());
    beta.down().await;
    let down = Instant::now();
    beta.until(refused).await;
    eprintln!("refused {:?} after the connection was gone", down.elapsed());
    crash.await.unwrap();
    let mut settings = group.settings(ALPHA);
    settings.incarnation = Incarnation(777);
    let (_links, _events) = start(settings).await.unwrap();
    let (back, reference) = (Instant::now(), Reference::start());
    assert_eq!(beta.up().await, Incarnation(777));
    reference.within(back.elapsed(), Duration::from_secs(1), "it is found again");
}

#[tokio::test]
async fn n14_one_address_that_does_not_refuse_is_silence() {
    let mut group = Group::on(&[&["127.0.0.1", "127.0.0.3"], &["127.0.0.2", "127.0.0.4"]]);
    // Path 1 goes through a cable: when alpha is gone, it accepts and closes, as a guardian or a proxy would.
    let cable = Cable::to(group.addresses[0][1]).await;
    let alpha = Crashable::start(group.settings(ALPHA), group.sockets(ALPHA));
    let mut settings = group.settings(BETA);
    settings.members[0].addresses[1] = cable.address;
    let mut beta = group.start_with(settings).await;
    beta.up().await;
    let mut opened = cable.opened.clone();
    opened.wait_for(|count| *count >= 1).await.unwrap();
    alpha.crash();
    beta.down().await;
    let before = *opened.borrow();
    opened.wait_for(|count| *count >= before + 12).await.unwrap();
    assert!(beta.told().iter().all(|event| refused(event).is_none()));
}

#[tokio::test]
async fn n3_before_the_first_connection_each_failed_round_is_told() {
    let mut group = Group::pair();
    drop(group.sockets(ALPHA));
    let mut beta = group.start(BETA).await;
    for _ in 0..3 {
        beta.until(|event| match event {
            LinkEvent::ConnectFailed { peer } => (*peer == ALPHA).then_some(()),
            LinkEvent::Refused { .. } => panic!("nothing was ever connected, so nothing crashed"),
            _ => None,
        })
        .await;
    }
    assert_eq!(beta.links.paths()[0].why.as_deref(), Some("connection refused"));
}

#[tokio::test]
async fn listening_sockets_are_closed_last_and_then_refuse() {
    let mut group = Group::pair();
    let alpha = group.start(ALPHA).await;
    let address = group.addresses[0][0];
    alpha.links.shutdown().await;
    let error = std::net::TcpStream::connect(address).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    StdListener::bind(address).expect("the port is free again");
}

#[tokio::test]
async fn n15_a_network_that_is_not_there_at_boot_does_not_keep_the_other_from_serving() {
    let mut group = Group::pair();
    let mut settings = group.settings(ALPHA);
    drop(group.sockets(ALPHA));
    // An address for documentation, which no machine has.
    settings.members[0].addresses.push("192.0.2.1:7400".parse().unwrap());
    let (links, mut events) = start(settings.clone()).await.unwrap();
    let _beta = group.start(BETA).await;
    while !matches!(events.recv().await, Some(LinkEvent::Up { .. })) {}
    links.shutdown().await;
    settings.members[0].addresses.remove(0);
    settings.members[1].addresses = vec!["192.0.2.2:7400".parse().unwrap()];
    let error = start(settings).await.err().map(|error| error.to_string()).unwrap();
    assert!(error.contains("192.0.2.1:7400") && error.contains("wrong member name?"), "{error}");
}

#[tokio::test]
async fn p6_an_address_that_the_guardian_of_the_run_before_still_holds_is_waited_for() {
    let mut group = Group::pair();
    let held = group.sockets(ALPHA);
    let mut starting = std::pin::pin!(start(group.settings(ALPHA)));
    tokio::select! {
        biased;
        _ = &mut starting => panic!("another listens on its address"),
        () = std::future::ready(()) => {}
    }
    drop(held);
    let (links, _events) = starting.await.expect("it is free");
    links.shutdown().await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let mut group = Group::pair();
    let _alpha = group.start(ALPHA).await;
    let error = start(group.settings(ALPHA)).await.err().map(|error| error.to_string()).unwrap();
    assert!(error.contains(&group.addresses[0][0].to_string()) && error.contains("another tandem"), "{error}");
}
