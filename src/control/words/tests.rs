//! The words that `status` and the screen share.

use super::super::compose::compose;
use super::super::examples::{around, primary, secondary, with_gone};
use super::*;
use crate::negotiation::view::Gone;

#[test]
fn ages_are_coarse() {
    let of = |seconds| ago(Duration::from_secs(seconds));
    assert_eq!(of(1), "just now");
    assert_eq!(of(41), "41 s ago");
    assert_eq!(of(106), "1:46 ago");
    assert_eq!(of(7_300), "2 h ago");
    assert_eq!(of(3 * 86_400 + 5), "3d ago");
}

fn rows(view: &crate::negotiation::view::View) -> (MemberRow, MemberRow, JudgementRow) {
    let status = compose(view, &around());
    (row_one(&status), row_two(&status).expect("there is a peer"), row_three(&status))
}

#[test]
fn rows_one_to_three_say_who_acts_and_what_is_known_of_the_other() {
    let (one, two, three) = rows(&secondary());
    assert_eq!((one.mark, one.word, one.does.as_str()), (Mark::StandsBy, "SECONDARY", "stands by, term 7"));
    assert_eq!((two.mark, two.word, two.does.as_str()), (Mark::Acts, "PRIMARY", "acts, term 7"));
    assert_eq!(two.tail, "heard just now");
    assert_eq!((three.judgement.as_str(), three.protection.as_str()), ("ONE ACTS", "UNPROTECTED"));
    assert_eq!((three.hold.as_str(), three.attached.as_str()), ("no hold", "attached: nobody"));
}

#[test]
fn row_two_says_what_a_member_that_is_gone_may_do() {
    for (gone, mark, word, does) in [
        (Gone::Silent, Mark::Unknown, "SILENT", "may still act"),
        (Gone::NeverHeard, Mark::Unknown, "NEVER HEARD", "may act"),
        (Gone::Crashed, Mark::StandsBy, "CRASHED", "its process is gone"),
        (Gone::Stopped, Mark::StandsBy, "STOPPED", "said that it stops"),
    ] {
        let (_, two, _) = rows(&with_gone(secondary(), gone));
        assert_eq!((two.mark, two.word, two.does.as_str()), (mark, word, does));
    }
    let (_, two, three) = rows(&with_gone(secondary(), Gone::Silent));
    assert_eq!(two.tail, "silent for 2 min 14 s");
    assert_eq!(three.judgement, "NOBODY IS KNOWN TO ACT");
    let (_, _, crashed) = rows(&with_gone(secondary(), Gone::Crashed));
    assert_eq!(crashed.judgement, "NOBODY ACTS", "its process is gone");
}

#[test]
fn a_member_without_a_term_has_none_and_is_in_none() {
    let mut view = secondary();
    view.term = crate::negotiation::term::Term::NONE;
    view.peers[0].mode = Some(crate::negotiation::message::Mode::Secondary);
    view.peers[0].term = crate::negotiation::term::Term::NONE;
    let (one, two, _) = rows(&view);
    assert_eq!((one.does.as_str(), two.does.as_str()), ("stands by, no term", "stands by, no term"));
}

#[test]
fn u12_while_nobody_acts_the_forecast_is_about_this_member() {
    let mut view = secondary();
    view.forecast.if_fails = None;
    view.forecast.acts = None;
    assert_eq!(forecast(&compose(&view, &around())), "If beta took over now");
    assert_eq!(forecast(&compose(&secondary(), &around())), "If alpha fails now: beta acts after about 3.0 s");
}

#[test]
fn u4_why_tells_of_a_cut_what_it_may_have_made() {
    assert_eq!(split(&compose(&primary(), &around()), |age| age), Vec::<String>::new());
    assert_eq!(
        split(&compose(&with_gone(primary(), Gone::Silent), &around()), |age| age),
        [
            "beta is silent for 2 min 14 s: it may act by now",
            "nothing keeps two from acting: takeover.protection is empty",
            "when they hear each other again, the lower term gives way (N12)",
        ]
    );
    assert_eq!(split(&compose(&with_gone(primary(), Gone::Crashed), &around()), |age| age), Vec::<String>::new());
}

#[test]
fn two_that_act_are_shouted() {
    let mut view = primary();
    view.peers[0].mode = Some(crate::negotiation::message::Mode::Primary);
    assert_eq!(rows(&view).2.judgement, "!! TWO ACT");
}

#[test]
fn lengths_are_coarse() {
    let of = |seconds| lasting(Duration::from_secs(seconds));
    assert_eq!(of(41), "41 s");
    assert_eq!(of(31 * 60 + 36), "31 min 36 s");
    assert_eq!(of(4 * 3_600 + 12 * 60), "4 h 12 min");
    assert_eq!(of(3 * 86_400 + 4 * 3_600 + 12 * 60), "3d 04:12");
}

#[test]
fn an_order_is_not_printed_as_a_state() {
    assert_eq!(order(ReplyKind::StaySecondary), "stay Secondary");
    assert_eq!(order(ReplyKind::BecomePrimary), "become Primary");
}

#[test]
fn round_trips_are_printed_with_two_decimals() {
    assert_eq!(milliseconds(210), "0.21 ms");
    assert_eq!(milliseconds(12_345), "12.34 ms");
}
