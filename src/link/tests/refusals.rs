//! What does not belong here is refused, counted, told, and costs the group nothing (N13, N17, S8).

use super::rig::*;
use crate::link::hello::{MAGIC, Opening, Protected, group_hash};
use crate::link::{LinkEvent, LinkSecurity, LinkSettings, RejectionKind};
use crate::negotiation::message::Incarnation;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A pair that is up, to see that nothing below disturbs it.
async fn pair() -> (Group, Running, Running) {
    let mut group = Group::pair();
    let mut beta = group.start(BETA).await;
    let mut alpha = group.start(ALPHA).await;
    alpha.up().await;
    beta.up().await;
    (group, alpha, beta)
}

/// The pair still talks, and nothing but refusals was told.
async fn undisturbed(mut alpha: Running, mut beta: Running) {
    beta.links.send(ALPHA, &beacon(42));
    alpha.links.send(BETA, &beacon(43));
    let heard = alpha
        .until(|event| match event {
            LinkEvent::Message { .. } => Some(true),
            LinkEvent::Down { .. } | LinkEvent::Up { .. } | LinkEvent::Refused { .. } => Some(false),
            _ => None,
        })
        .await;
    assert!(heard, "the pair was disturbed");
    assert_eq!(beta.beacon().await, 43);
}

async fn send_raw(group: &Group, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(group.addresses[0][0]).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Reads until the other side closes, which it must.
async fn closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    // A reset closes as well as an end.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is closed");
    answer
}

fn framed(content: &[u8]) -> Vec<u8> {
    crate::link::frame::with_length(content)
}

async fn raw_is_refused(bytes: &[u8], kind: RejectionKind) -> (String, Vec<u8>) {
    let (group, mut alpha, beta) = pair().await;
    let mut stream = send_raw(&group, bytes).await;
    let answer = closed(&mut stream).await;
    let detail = alpha.rejection(kind).await;
    undisturbed(alpha, beta).await;
    (detail, answer)
}

#[tokio::test]
async fn s8_garbage_is_refused() {
    raw_is_refused(&framed(b"GET / HTTP/1.1\r\n\r\n"), RejectionKind::Garbage).await;
}

#[tokio::test]
async fn s8_a_frame_over_the_limit_is_refused_by_its_length_alone() {
    raw_is_refused(b"GET / HTTP/1.1\r\n\r\n", RejectionKind::TooLong).await;
}

#[tokio::test]
async fn n13_another_group_is_refused_and_told_so() {
    let opening = Opening { protected: Protected::Noise, version: 1, oldest: 1, group: group_hash("other") };
    let (_, answer) = raw_is_refused(&framed(&opening.encode()), RejectionKind::WrongGroup).await;
    assert_eq!(answer, framed(&[&MAGIC[..], &[2, 1, 0, 1, 0, 1]].concat()));
}

#[tokio::test]
async fn n17_a_version_too_far_away_is_refused_naming_both() {
    let opening = Opening { protected: Protected::Noise, version: 9, oldest: 7, group: group_hash("substation-7") };
    let (detail, _) = raw_is_refused(&framed(&opening.encode()), RejectionKind::Version).await;
    assert!(detail.contains("version 9 (down to 7)") && detail.contains("this member 1"), "{detail}");
}

#[tokio::test]
async fn s8_a_probe_that_says_nothing_is_not_counted() {
    let (group, alpha, beta) = pair().await;
    for _ in 0..20 {
        drop(TcpStream::connect(group.addresses[0][0]).await.unwrap());
    }
    let mut stream = send_raw(&group, &framed(b"later")).await;
    closed(&mut stream).await;
    assert_eq!(alpha.links.rejected(), vec![(RejectionKind::Garbage, 1)]);
    undisturbed(alpha, beta).await;
}

/// Starts a second caller with these settings beside a living pair: alpha refuses it with `there`, and it learns `here`.
async fn caller_is_refused(change: impl Fn(&mut LinkSettings), there: RejectionKind, here: RejectionKind) {
    let (group, mut alpha, beta) = pair().await;
    let mut settings = group.settings(BETA);
    settings.incarnation = Incarnation(999);
    change(&mut settings);
    let mut wrong = twin("127.0.0.9", settings).await;
    alpha.rejection(there).await;
    wrong.rejection(here).await;
    assert!(wrong.links.paths()[0].why.is_some());
    wrong.links.shutdown().await;
    undisturbed(alpha, beta).await;
}

#[tokio::test]
async fn s8_a_wrong_key_is_refused() {
    let kind = RejectionKind::WrongKey;
    caller_is_refused(|s| s.security = LinkSecurity::Noise { call: [8; 32], accept: vec![KEY] }, kind, kind).await;
}

#[tokio::test]
async fn s8_plain_text_is_refused_where_noise_is_asked_for() {
    let kind = RejectionKind::WrongSecurity;
    caller_is_refused(|s| s.security = LinkSecurity::None, kind, kind).await;
}

#[tokio::test]
async fn n13_a_wrong_group_with_the_right_key_is_refused() {
    let kind = RejectionKind::WrongGroup;
    caller_is_refused(|s| s.group = "substation-8".into(), kind, kind).await;
}

#[tokio::test]
async fn s8_a_stranger_with_the_right_key_is_refused() {
    let kind = RejectionKind::Stranger;
    caller_is_refused(|s| s.members[1].name = "mallory".into(), kind, kind).await;
}

#[tokio::test]
async fn s8_a_caller_that_wants_somebody_else_is_refused() {
    let kind = RejectionKind::Misdirected;
    caller_is_refused(|s| s.members[0].name = "omega".into(), kind, kind).await;
}

#[tokio::test]
async fn s8_a_key_is_changed_without_an_outage() {
    // One member calls with the new key already; the other still accepts both.
    let mut group = Group::pair();
    let new = [9; 32];
    let mut settings = group.settings(ALPHA);
    settings.security = LinkSecurity::Noise { call: KEY, accept: vec![new] };
    let mut alpha = group.start_with(settings).await;
    let mut settings = group.settings(BETA);
    settings.security = LinkSecurity::Noise { call: new, accept: vec![KEY] };
    let _beta = group.start_with(settings).await;
    alpha.up().await;
    assert!(alpha.links.rejected().is_empty());
}

#[tokio::test]
async fn s8_plain_text_works_when_both_say_so() {
    let mut group = Group::pair();
    let plain = |mut settings: LinkSettings| {
        settings.security = LinkSecurity::None;
        settings
    };
    let mut alpha = group.start_with(plain(group.settings(ALPHA))).await;
    let mut beta = group.start_with(plain(group.settings(BETA))).await;
    alpha.up().await;
    beta.up().await;
    beta.links.send(ALPHA, &beacon(1));
    alpha.beacon().await;
    assert!(!alpha.links.paths()[0].encrypted);
}

#[tokio::test]
async fn s8_a_replayed_connection_is_refused() {
    let mut group = Group::pair();
    let cable = Cable::to(group.addresses[0][0]).await;
    let mut settings = group.settings(BETA);
    settings.members[0].addresses[0] = cable.address;
    let mut beta = group.start_with(settings).await;
    let mut alpha = group.start(ALPHA).await;
    alpha.up().await;
    beta.up().await;
    beta.links.send(ALPHA, &beacon(1));
    alpha.beacon().await;
    let recorded = cable.sent.lock().unwrap().clone();
    let mut stream = send_raw(&group, &recorded).await;
    alpha.rejection(RejectionKind::Replay).await;
    closed(&mut stream).await;
    assert!(alpha.told().iter().all(|event| !matches!(event, LinkEvent::Message { .. })), "it was believed");
    undisturbed(alpha, beta).await;
}

#[tokio::test]
async fn s8_a_handshake_that_dawdles_is_ended() {
    let mut group = Group::pair();
    let mut settings = group.settings(ALPHA);
    settings.reply_timeout = Duration::from_millis(300);
    let mut alpha = group.start_with(settings).await;
    let mut beta = group.start(BETA).await;
    alpha.up().await;
    beta.up().await;
    let mut stream = send_raw(&group, &[0, 0, 0]).await;
    closed(&mut stream).await;
    alpha.rejection(RejectionKind::Slow).await;
    undisturbed(alpha, beta).await;
}

#[tokio::test]
async fn n13_a_flood_of_silent_connections_keeps_no_member_out() {
    let mut group = Group::pair();
    let mut alpha = group.start(ALPHA).await;
    let mut flood = Vec::new();
    for _ in 0..300 {
        // As many at once as one source can have, over and over, before beta comes and while it does.
        flood.push(TcpStream::connect(group.addresses[0][0]).await.unwrap());
    }
    alpha.rejection(RejectionKind::Flood).await;
    let mut beta = group.start(BETA).await;
    alpha.up().await;
    beta.up().await;
    for _ in 0..300 {
        flood.push(TcpStream::connect(group.addresses[0][0]).await.unwrap());
    }
    assert!(alpha.count(RejectionKind::Flood) >= 200);
    drop(flood);
    undisturbed(alpha, beta).await;
}
