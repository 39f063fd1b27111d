//! Who calls whom, what travels, and what several networks are good for (N2, N9, N13, N15, N19).

use super::reference::Reference;
use super::rig::*;
use crate::link::event::{PathRole, PathState, Shown};
use crate::link::{LinkEvent, LinkSettings};
use crate::negotiation::message::{Incarnation, Message};
use std::time::Duration;

async fn meets(mut group: Group) {
    let mut beta = group.start(BETA).await;
    let mut alpha = group.start(ALPHA).await;
    assert_eq!(alpha.up().await, Incarnation(101));
    assert_eq!(beta.up().await, Incarnation(100));
    alpha.links.send(BETA, &beacon(1));
    beta.links.send(ALPHA, &beacon(2));
    assert_eq!(beta.beacon().await, 1);
    assert_eq!(alpha.beacon().await, 2);
    let (of_alpha, of_beta) = (alpha.links.paths(), beta.links.paths());
    assert_eq!((of_alpha[0].role, of_alpha[0].state), (PathRole::Server, PathState::Up));
    assert_eq!((of_beta[0].role, of_beta[0].state), (PathRole::Client, PathState::Up));
    assert_eq!(of_alpha[0].address, group.addresses[1][0]);
    assert!(of_alpha[0].encrypted && of_beta[0].encrypted);
    beta.links.shutdown().await;
    alpha.links.shutdown().await;
}

#[tokio::test]
async fn n2_the_higher_address_calls_and_the_lower_listens() {
    meets(Group::pair()).await;
}

#[tokio::test]
async fn n2_on_one_address_the_lower_port_listens() {
    meets(Group::on(&[&["127.0.0.1"], &["127.0.0.1"]])).await;
}

#[tokio::test]
async fn n2_ipv6_works_alike() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("left out: this machine has no IPv6 loopback");
        return;
    }
    meets(Group::on(&[&["::1"], &["::1"]])).await;
}

#[tokio::test]
async fn n2_of_three_members_each_pair_shares_one_connection() {
    let mut group = Group::on(&[&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.3"]]);
    let mut members = Vec::new();
    for me in [GAMMA, ALPHA, BETA] {
        members.push(group.start(me).await);
    }
    for member in &mut members {
        member.up().await;
        member.up().await;
        let paths = member.links.paths();
        assert!(paths.len() == 2 && paths.iter().all(|path| path.state == PathState::Up && path.reconnects == 0));
        assert!(member.links.rejected().is_empty());
    }
    // Owners travel by name, so a term of alpha's is understood by gamma as beta tells it.
    members[2].links.send(GAMMA, &beacon(5));
    assert_eq!(members[0].beacon().await, 5);
}

#[tokio::test]
async fn n19_what_members_must_agree_on_and_the_version_come_with_the_connection() {
    let mut group = Group::pair();
    let mut settings = group.settings(BETA);
    settings.agreement.reply_timeout = Duration::from_secs(9);
    settings.program_version = "0.2.0".into();
    let wanted = settings.agreement.clone();
    let _beta = group.start_with(settings).await;
    let mut alpha = group.start(ALPHA).await;
    let said = alpha
        .until(|event| match event {
            LinkEvent::Up { hello, version, .. } => Some((hello.agreement.clone(), version.clone())),
            _ => None,
        })
        .await;
    assert_eq!(said, (wanted, "0.2.0".to_owned()));
}

#[tokio::test]
async fn what_the_screens_show_travels() {
    let mut group = Group::pair();
    let mut beta = group.start(BETA).await;
    let mut alpha = group.start(ALPHA).await;
    alpha.up().await;
    beta.up().await;
    let wanted = Shown {
        attached: vec!["maria".into()],
        plan: Some((3, "failover to beta".into())),
        processes: Vec::new(),
        dead_devices: vec!["alpha".into()],
    };
    beta.links.send_shown(ALPHA, &wanted);
    let shown = alpha
        .until(|event| match event {
            LinkEvent::Shown { shown, .. } => Some(shown.clone()),
            _ => None,
        })
        .await;
    assert_eq!(shown, wanted);
}

#[tokio::test]
async fn n9_pings_go_both_ways_and_tell_the_other_ways_round_trip() {
    let mut group = Group::pair();
    let mut beta = group.start(BETA).await;
    let mut alpha = group.start(ALPHA).await;
    assert!(!alpha.links.ping(BETA, 1), "there is no path yet");
    alpha.up().await;
    beta.up().await;
    let mut id = 10;
    // The other side measures on connecting; its first measurement may come after the first ping.
    loop {
        assert!(alpha.links.ping(BETA, id) && beta.links.ping(ALPHA, id));
        let pong = |event: &LinkEvent| match event {
            LinkEvent::Pong { id, rtt, reverse, .. } => Some((*id, *rtt, *reverse)),
            _ => None,
        };
        let (to_beta, to_alpha) = (alpha.until(pong).await, beta.until(pong).await);
        assert_eq!((to_beta.0, to_alpha.0), (id, id));
        assert!(to_beta.1 > Duration::ZERO && to_beta.1 < PATIENCE);
        if to_beta.2.is_some() && to_alpha.2.is_some() {
            break;
        }
        id += 1;
    }
    assert!(alpha.links.paths()[0].rtt.is_some());
}

#[tokio::test]
async fn n15_a_member_is_down_only_when_every_path_is_and_each_message_comes_once() {
    let mut group = Group::on(&[&["127.0.0.1", "127.0.0.3"], &["127.0.0.2", "127.0.0.4"]]);
    let cable = Cable::to(group.addresses[0][1]).await;
    let mut settings = group.settings(BETA);
    settings.members[0].addresses[1] = cable.address;
    let mut beta = group.start_with(settings).await;
    let mut alpha = group.start(ALPHA).await;
    alpha.up().await;
    let path_1 = |wanted: bool| {
        move |event: &LinkEvent| match event {
            LinkEvent::PathChanged { path: 1, up, .. } if *up == wanted => Some(()),
            LinkEvent::Down { .. } => panic!("the other path is up"),
            _ => None,
        }
    };
    alpha.until(path_1(true)).await;
    beta.until(path_1(true)).await;
    for number in 1..=50 {
        beta.links.send(ALPHA, &beacon(number));
        assert_eq!(alpha.beacon().await, number);
    }
    cable.state.send_replace(State::Cut);
    alpha.until(path_1(false)).await;
    beta.until(path_1(false)).await;
    beta.links.send(ALPHA, &beacon(51));
    assert_eq!(alpha.beacon().await, 51, "neither twice nor not at all");
    assert!(beta.links.paths()[1].why.is_some());
    cable.state.send_replace(State::Whole);
    alpha.until(path_1(true)).await;
    assert_eq!(alpha.links.paths()[1].reconnects, 1);
}

#[tokio::test]
async fn n15_a_slow_path_never_brings_back_what_was_overtaken() {
    let mut group = Group::on(&[&["127.0.0.1", "127.0.0.3"], &["127.0.0.2", "127.0.0.4"]]);
    let cable = Cable::to(group.addresses[0][1]).await;
    let mut settings = group.settings(BETA);
    settings.members[0].addresses[1] = cable.address;
    let mut beta = group.start_with(settings).await;
    let mut alpha = group.start(ALPHA).await;
    for member in [&mut alpha, &mut beta] {
        let path_1 =
            |event: &LinkEvent| matches!(event, LinkEvent::PathChanged { path: 1, up: true, .. }).then_some(());
        member.until(path_1).await;
    }
    cable.state.send_replace(State::Frozen);
    for number in 1..=3 {
        beta.links.send(ALPHA, &beacon(number));
        assert_eq!(alpha.beacon().await, number);
    }
    cable.state.send_replace(State::Whole);
    // What was held back arrives on path 1 now; a connection keeps order, so it has when a message sent later on path 1
    // alone has been heard.
    let session = beta.links.shared.peers().sessions(ALPHA).nth(1).cloned().unwrap();
    session.post(&crate::link::codec::encode_message(9, &beacon(9), &beta.links.shared.roster));
    assert_eq!(alpha.beacon().await, 9, "an overtaken message was brought back");
}

#[tokio::test]
async fn n18_what_is_sent_just_before_the_end_still_arrives() {
    let mut group = Group::pair();
    let mut beta = group.start(BETA).await;
    let mut alpha = group.start(ALPHA).await;
    alpha.up().await;
    beta.up().await;
    for number in 1..=200 {
        alpha.links.send(BETA, &beacon(number));
        // The other direction is full of unread messages when the socket is closed.
        beta.links.send(ALPHA, &beacon(number));
    }
    alpha.links.send(BETA, &Message::Bye);
    alpha.links.shutdown().await;
    for number in 1..=200 {
        assert_eq!(beta.beacon().await, number);
    }
    beta.until(|event| matches!(event, LinkEvent::Message { message: Message::Bye, .. }).then_some(())).await;
    beta.down().await;
}

#[tokio::test]
async fn n13_a_peer_that_does_not_read_costs_bounded_memory_and_its_session() {
    let mut group = Group::pair();
    let cable = Cable::to(group.addresses[0][0]).await;
    let mut settings = group.settings(BETA);
    settings.members[0].addresses[0] = cable.address;
    let mut beta = group.start_with(settings).await;
    let _alpha = group.start(ALPHA).await;
    beta.up().await;
    cable.state.send_replace(State::Frozen);
    let big = Shown { attached: vec!["w".repeat(60); 16], ..Shown::default() };
    let why = loop {
        for _ in 0..200 {
            beta.links.send_shown(ALPHA, &big);
        }
        tokio::task::yield_now().await;
        let down = beta.told().into_iter().find_map(|event| match event {
            LinkEvent::Down { why, .. } => Some(why),
            _ => None,
        });
        if let Some(why) = down {
            break why;
        }
    };
    assert!(why.contains("does not read") || why.contains("not acknowledged"), "{why}");
}

#[tokio::test]
async fn n13_the_link_is_back_within_a_second_of_the_network() {
    let mut group = Group::pair();
    let cable = Cable::to(group.addresses[0][0]).await;
    let mut settings: LinkSettings = group.settings(BETA);
    settings.members[0].addresses[0] = cable.address;
    let mut beta = group.start_with(settings).await;
    let mut alpha = group.start(ALPHA).await;
    beta.up().await;
    alpha.up().await;
    for _ in 0..2 {
        cable.state.send_replace(State::Cut);
        beta.down().await;
        let mut opened = cable.opened.clone();
        let before = *opened.borrow();
        opened.wait_for(|count| *count >= before + 10).await.expect("it goes on trying");
        let (back, reference) = (std::time::Instant::now(), Reference::start());
        cable.state.send_replace(State::Whole);
        beta.up().await;
        reference.within(back.elapsed(), Duration::from_secs(1), "the link is back");
    }
}
