//! Two controllers as their users run them: who is Primary, who takes over, and when.

#[path = "support/group.rs"]
mod group;
#[path = "support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use group::{Group, PATIENCE};
use nix::sys::signal::Signal;
use support::reference::Reference;
use tandem::control::plan::Action;
use tandem::control::request::Outcome;
use tandem::control::status::{Judgement, Mode, ReplyKind};
use tandem::negotiation::decision::Rule;

/// Quick questions, and all other times as they are.
const QUICK: &str = "[negotiation]\nquery_interval = \"100ms\"\n";

/// Short waits at boot, for who boots alone.
const QUICK_BOOT: &str = "[negotiation]\nboot_timeout = \"2s\"\nconnect_grace = \"1s\"\n";

#[test]
fn n6_of_two_booted_together_the_lower_address_is_primary() {
    let mut pair = Group::new(2, "");
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let (beta, _) = pair.wait(1, "beta was told to stay Secondary", |status| {
        status.peers[0].replies.first().is_some_and(|reply| reply.reply == ReplyKind::StaySecondary)
    });
    assert_eq!((beta.mode, beta.term, beta.judgement), (Mode::Secondary, 1, Judgement::OneActs));
    assert_eq!(beta.takeover.if_fails.as_deref(), Some("alpha"));
    assert!(beta.takeover.ready, "{:?}", beta.takeover);
    assert!(beta.links.iter().all(|link| link.encrypted));
}

#[test]
fn n3_the_listening_side_alone_becomes_primary_after_the_boot_timeout() {
    let mut pair = Group::new(2, QUICK_BOOT);
    let started = Instant::now();
    pair.start(0);
    let (alpha, at) = pair.wait(0, "alpha is Primary", |status| status.mode == Mode::Primary);
    assert!(at - started >= Duration::from_secs(2), "{:?}", at - started);
    assert_eq!(alpha.reason.rule, "never_heard");
}

#[test]
fn n3_the_connecting_side_alone_becomes_primary_after_its_grace() {
    let mut pair = Group::new(2, QUICK_BOOT);
    let started = Instant::now();
    pair.start(1);
    let (beta, at) = pair.wait(1, "beta is Primary", |status| status.mode == Mode::Primary);
    assert!(at - started >= Duration::from_secs(1), "{:?}", at - started);
    assert_eq!(beta.reason.rule, "never_heard");
}

#[test]
fn n14_a_killed_primary_is_replaced_without_waiting_out_the_silence() {
    let mut pair = Group::new(2, "");
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let mut watch = pair.watch(1);
    let reference = Reference::start();
    let killed = Instant::now();
    pair.kill(0);
    let (beta, at) = watch.until(PATIENCE, "beta is Primary", |status| status.mode == Mode::Primary);
    reference.within(at - killed, Duration::from_secs(2), "the default silence is 3 s");
    assert_eq!((beta.reason.rule.as_str(), beta.term), ("peer_crashed", 2));

    // No failback (S6): the old Primary comes back as Secondary.
    pair.start(0);
    assert_eq!(pair.settle(), 1);
    assert_eq!(pair.status(0).mode, Mode::Secondary);
}

#[test]
fn n14_n18_a_stopped_primary_hands_over() {
    let mut pair = Group::new(2, "");
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let mut watch = pair.watch(1);
    assert!(pair.stop(0).success());
    let (beta, _) = watch.until(PATIENCE, "beta is Primary", |status| status.mode == Mode::Primary);
    assert_eq!((beta.reason.rule.as_str(), beta.term), ("released", 2));
}

#[test]
fn n4_s9_a_frozen_primary_is_replaced_at_the_timeout_and_wakes_up_as_secondary() {
    let mut pair = Group::new(2, QUICK);
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let mut watch = pair.watch(1);
    pair.signal(0, Signal::SIGSTOP);
    let (beta, _) = watch.until(PATIENCE, "beta is Primary", |status| status.mode == Mode::Primary);
    assert_eq!(beta.reason.rule, "peer_silent");
    let silent = pair.decisions(1).into_iter().find_map(|decision| match decision.rule {
        Rule::PeerSilent { silent_for, .. } => Some(silent_for),
        _ => None,
    });
    assert!(silent.is_some_and(|silent| silent >= Duration::from_secs(3)), "not before the timeout: {silent:?}");
    pair.signal(0, Signal::SIGCONT);
    let (alpha, _) = pair.wait(0, "alpha knows beta as Primary", |status| {
        status.peers[0].mode == Some(Mode::Primary) && status.mode == Mode::Secondary
    });
    assert_eq!(alpha.reason.rule, "stalled", "it stepped down by itself, before it heard of beta");
    assert_eq!(pair.status(1).mode, Mode::Primary);
}

/// It was shown as "no answer", to questions that a Primary never asks.
#[test]
fn n5_a_primary_does_not_take_silence_for_a_missing_answer() {
    let mut pair = Group::new(2, QUICK);
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    pair.wait(0, "beta has asked the Primary", |status| {
        status.peers[0].replies.first().is_some_and(|reply| reply.reply == ReplyKind::Query)
    });
    pair.signal(1, Signal::SIGSTOP);
    let silent = |status: &tandem::control::status::Status| status.peers[0].gone.as_deref() == Some("silent");
    let (alpha, _) = pair.wait(0, "beta is silent", silent);
    assert_eq!(alpha.mode, Mode::Primary);
    // The newest comes first. What it asked before it was Primary may well have found nobody.
    let replies: Vec<ReplyKind> = alpha.peers[0].replies.iter().map(|reply| reply.reply).collect();
    let since: Vec<&ReplyKind> = replies.iter().take_while(|reply| **reply != ReplyKind::BecomePrimary).collect();
    assert!(!since.is_empty() && !since.contains(&&ReplyKind::NoAnswer), "{replies:?}");
}

#[test]
fn u2_an_operator_moves_the_role_there_and_back() {
    let mut pair = Group::new(2, "");
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let outcome = pair.act(1, Action::TakeOver);
    assert!(matches!(&outcome, Outcome::Done { text } if text.starts_with("beta is Primary, term 2")), "{outcome:?}");
    assert_eq!(pair.settle(), 1);
    let outcome = pair.act(1, Action::StepDown);
    assert!(matches!(&outcome, Outcome::Done { .. }), "{outcome:?}");
    assert_eq!(pair.settle(), 0);
    assert_eq!(pair.status(0).term, 3);
}

#[test]
fn s7_a_hold_freezes_takeovers_of_the_whole_group_until_it_is_ended() {
    let mut pair = Group::new(2, QUICK);
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let outcome = pair.act(0, Action::Hold { for_ms: 600_000 });
    assert!(matches!(&outcome, Outcome::Done { .. }), "{outcome:?}");
    pair.wait(1, "beta is held too", |status| status.hold.is_some());
    pair.kill(0);
    let (beta, _) = pair.wait(1, "alpha counts as crashed", |status| status.peers[0].gone.is_some());
    assert_eq!(beta.mode, Mode::Secondary);
    assert!(!beta.takeover.ready);
    // It survives a restart.
    assert!(pair.stop(1).success());
    pair.start(1);
    let (beta, _) = pair.wait(1, "alpha counts as never heard", |status| status.peers[0].gone.is_some());
    assert_eq!((beta.mode, beta.hold.is_some()), (Mode::Secondary, true));
    let outcome = pair.act(1, Action::Resume);
    assert!(matches!(&outcome, Outcome::Done { .. }), "{outcome:?}");
    pair.wait(1, "beta is Primary", |status| status.mode == Mode::Primary);
}

#[test]
fn n11_terms_survive_restarts_of_both() {
    let mut pair = Group::new(2, QUICK);
    pair.start_all();
    pair.settle();
    pair.kill(0);
    pair.wait(1, "beta is Primary", |status| status.mode == Mode::Primary && status.term == 2);
    pair.kill(1);
    pair.start_all();
    pair.settle();
    assert!(pair.status(0).term >= 3, "{}", pair.status(0).term);
}

#[test]
fn n20_a_second_instance_and_an_unreadable_state_refuse_to_start() {
    let mut pair = Group::new(2, QUICK);
    pair.start(0);
    pair.client(0);
    let second = pair.command(0).stderr(std::process::Stdio::piped()).output().expect("the binary starts");
    assert_eq!(second.status.code(), Some(1));
    assert!(support::stderr(&second).contains("locked by another instance"), "{}", support::stderr(&second));
    assert!(pair.stop(0).success());
    let state = pair.folder().join("state-alpha/state");
    let length = std::fs::metadata(&state).map_or(64, |meta| meta.len());
    std::fs::write(&state, vec![0xA5; usize::try_from(length).expect("small")]).expect("writable");
    let refused = pair.command(0).stderr(std::process::Stdio::piped()).output().expect("the binary starts");
    assert_eq!(refused.status.code(), Some(1));
    assert!(support::stderr(&refused).contains("remove the file"), "{}", support::stderr(&refused));
}

#[test]
fn n2_ipv6_works_as_ipv4_does() {
    if !support::require(support::Part::Ipv6) {
        return;
    }
    let [low, high] = support::ipv6_addresses();
    let mut pair = Group::at(vec![vec![low], vec![high]], QUICK);
    pair.start_all();
    assert_eq!(pair.settle(), 0);
}

#[test]
fn n15_a_member_is_silent_only_when_silent_on_all_its_addresses() {
    let own = support::addresses(4);
    let mut pair = Group::at(vec![vec![own[0], own[1]], vec![own[2], own[3]]], QUICK);
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let (beta, _) = pair.wait(1, "both paths are up", |status| {
        status.links.len() == 2 && status.links.iter().all(|link| link.state == tandem::control::status::LinkState::Up)
    });
    assert_eq!(beta.links.len(), 2);
}
