//! What comes and goes with connections (N13 to N15, N19). That they reconnect, and with which backoff, is the link's.

use super::super::event::Event;
use super::super::exchange::Input;
use super::super::member::MemberId;
use super::super::message::{Incarnation, Message, Mode, Order, PeerHello};
use super::super::settings::{AgreementKey, Protection};
use super::*;

#[test]
fn n13_a_new_incarnation_forgets_what_the_old_one_said() {
    let mut bench = Bench::secondary_of(two(1), 0);
    bench.wait(s(1)).down(0).up_as(0, 8);
    let view = bench.machine.view(bench.now);
    assert_eq!((view.peers[0].mode, view.peers[0].able), (None, None));

    // A consent of the old incarnation takes no role either.
    let mut bench = Bench::new(three(0));
    bench.all_up().until(s(3)).consents(1).down(1).up_as(1, 8).refuses(2);
    bench.until(s(4)).consents(2).assert_secondary();
}

#[test]
fn n13_what_arrives_from_an_older_connection_is_dropped() {
    let mut bench = Bench::new(two(0));
    bench.up(1).down(1);
    bench.consents(1).assert_secondary();
    assert_eq!(bench.machine.view(bench.now).peers[0].mode, None);
}

#[test]
fn n13_a_reconnect_of_the_same_incarnation_is_news_to_nobody() {
    let mut bench = Bench::primary(two(0));
    for _ in 0..3 {
        bench.wait(s(1)).down(1).wait(s(1)).up(1);
    }
    assert_eq!((bench.mode(), bench.term()), (Mode::Primary, 1));
}

#[test]
fn n14_a_closed_connection_and_a_refusal_on_every_address_shorten_the_wait() {
    let mut bench = Bench::secondary_of(two(1), 0);
    bench.wait(ms(400)).down(0).assert_secondary();
    bench.refused(0).assert_primary_by("peer_crashed");
}

#[test]
fn n14_a_closed_connection_alone_is_a_hint() {
    let mut bench = Bench::secondary_of(two(1), 0);
    bench.wait(ms(400)).down(0);
    bench.until(ms(2_999)).assert_secondary();
    bench.until(s(3)).assert_primary_by("peer_silent");
}

#[test]
fn n14_a_refusal_with_the_connection_still_up_is_no_evidence() {
    let mut bench = Bench::secondary_of(two(1), 0);
    bench.refused(0).assert_secondary();
}

#[test]
fn n14_a_peer_heard_again_after_the_refusal_is_alive() {
    let mut bench = Bench::secondary_of(three(1), 0);
    bench.until(s(2)).beacon(0, 1).refuses(2);
    bench.until(s(4)).refuses(2).beacon(0, 1).down(0).refused(0).up(0).beacon(0, 1);
    bench.wait(s(2)).refuses(2).down(0).assert_secondary();
}

#[test]
fn n14_without_crash_detection_the_silence_is_waited_out() {
    let mut settings = two(1);
    settings.crash_detection = false;
    let mut bench = Bench::secondary_of(settings, 0);
    bench.down(0).refused(0);
    bench.until(ms(2_999)).assert_secondary();
    bench.until(s(3)).assert_primary_by("peer_silent");
}

#[test]
fn n14_where_protection_asks_for_a_lease_a_refusal_does_not_replace_it() {
    let mut settings = three(1);
    settings.protection = vec![Protection::Majority];
    let mut bench = Bench::secondary_of(settings, 0);
    bench.until(s(4)).refuses(2).beacon(0, 1).down(0).refused(0).down(2).refused(2);
    bench.wait(s(60)).assert_secondary();
}

#[test]
fn n14_a_graceful_stop_hands_over_without_any_wait() {
    let mut group = Group::new(vec![two(0), two(1)]);
    group.wait(s(5));
    group.with(0, |alpha| {
        alpha.give(Input::Stop { cause: super::super::exchange::StopCause::Signal });
    });
    assert_eq!(group.primaries(), [1]);
    group.members[1].assert_primary_by("released");
    assert!(group.messages(0, 1).contains(&Message::Bye));
}

#[test]
fn n14_a_bye_of_a_peer_that_was_not_asked_for_anything_ends_its_role() {
    let mut bench = Bench::secondary_of(two(1), 0);
    bench.hear(0, Message::Bye).assert_primary_by("peer_stopped");
}

#[test]
fn n15_a_peer_is_silent_only_when_silent_on_all_its_addresses() {
    // The driver says LinkUp with the first path and LinkDown with the last; between them every word counts.
    let mut bench = Bench::secondary_of(two(1), 0);
    for second in 1..=10 {
        bench.until(s(second)).beacon(0, 1).assert_secondary();
    }
    bench.down(0).wait(ms(2_999)).assert_secondary();
    bench.wait(ms(1)).assert_primary_by("peer_silent");
}

#[test]
fn n19_a_difference_is_said_once_with_its_key_and_its_end_too() {
    let mut bench = Bench::new(two(0));
    let agreed = bench.machine.settings().agreement();
    let mut differs = agreed.clone();
    differs.members_hash = 99;
    for agreement in [differs.clone(), differs, agreed] {
        let hello = PeerHello { incarnation: Incarnation(7), agreement };
        bench.give(Input::LinkUp { peer: MemberId(1), hello }).down(1);
    }
    let said: Vec<_> = bench
        .events()
        .into_iter()
        .filter(|event| matches!(event, Event::SettingsDiffer { .. } | Event::SettingsAgree { .. }))
        .collect();
    let peer = super::super::member::Name::new("beta");
    let key = AgreementKey::Members;
    assert_eq!(said, [&Event::SettingsDiffer { peer: peer.clone(), key }, &Event::SettingsAgree { peer }]);
}

#[test]
fn n19_the_shorter_reply_timeout_binds() {
    let with_theirs = |theirs| {
        let mut bench = Bench::new(two(1));
        let mut agreement = bench.machine.settings().agreement();
        agreement.reply_timeout = theirs;
        let hello = PeerHello { incarnation: Incarnation(7), agreement };
        bench.give(Input::LinkUp { peer: MemberId(0), hello }).beacon(0, 1);
        bench
    };
    let mut shorter = with_theirs(s(2));
    shorter.until(ms(1_999)).assert_secondary();
    shorter.until(s(2)).assert_primary_by("peer_silent");
    let mut longer = with_theirs(s(30));
    longer.until(ms(2_999)).assert_secondary();
    longer.until(s(3)).assert_primary_by("peer_silent");
}

#[test]
fn n19_an_order_that_raises_a_floor_is_kept_although_settings_differ() {
    let mut bench = Bench::new(two(0));
    let mut agreement = bench.machine.settings().agreement();
    agreement.members_hash = 5;
    let hello = PeerHello { incarnation: Incarnation(7), agreement };
    bench.give(Input::LinkUp { peer: MemberId(1), hello });
    let answer = bench.answer(1, Order::StaySecondary { floor: Some(3) });
    bench.hear(1, Message::Answer(answer));
    assert_eq!(bench.term(), 3);
}

#[test]
fn n19_who_has_the_longer_times_speaks_often_enough_for_the_shorter_one() {
    // Gamma's 600 ms bind beta too, which heard alpha only every second: it took alpha for silent between two words.
    let mut hasty = three(2);
    hasty.query_interval = ms(200);
    hasty.reply_timeout = ms(600);
    let mut group = Group::new(vec![three(0), three(1), hasty]);
    group.wait(s(60));
    assert_eq!(group.primaries(), [0]);
    let gone = |event: &&Event| matches!(event, Event::PeerGone { .. });
    for member in &group.members {
        assert_eq!(member.events().into_iter().filter(gone).count(), 0);
    }
}
