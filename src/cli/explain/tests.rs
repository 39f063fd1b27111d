//! Every rule explains itself, whole (U4).

use std::collections::BTreeSet;

use super::*;
use crate::negotiation::ability::{Ability, Score};
use crate::negotiation::decision::{
    AnswerEvidence, ArbiterEvidence, PeerEvidence, ProtectionEvidence, ReferenceEvidence,
};
use crate::negotiation::member::{MemberId, Name};
use crate::negotiation::message::HandOverCause;

fn term(number: u64, owner: u8) -> Term {
    Term { number, owner: MemberId(owner) }
}

/// Every rule, in each of its forms.
fn every_rule() -> Vec<Rule> {
    let beta = || Name::new("beta");
    let anna = || Name::new("anna");
    let (theirs, mine) = (term(9, 1), term(8, 0));
    let hand_over = |cause, by| Rule::HandedOver { to: beta(), cause, by };
    vec![
        Rule::Booted,
        Rule::NeverHeard { peer: beta(), waited: Duration::from_secs(10) },
        Rule::ToldPrimary { by: vec![beta()] },
        Rule::PeerSilent { peer: beta(), silent_for: Duration::from_secs(3) },
        Rule::PeerCrashed { peer: beta() },
        Rule::PeerStopped { peer: beta() },
        Rule::PeerOff { peer: beta(), by: None },
        Rule::PeerOff { peer: beta(), by: Some(anna()) },
        Rule::TookOverForHealth { peer: beta(), score: Score::from(0.42), mine: Score::FULL },
        Rule::Released { by: beta(), term: theirs },
        Rule::OperatorTookOver { by: anna() },
        Rule::OperatorForced { by: anna() },
        Rule::YieldedTo { peer: beta(), term: theirs, mine },
        Rule::YieldedByRelay { via: "gamma".into(), peer: beta(), term: theirs, mine },
        hand_over(HandOverCause::Operator, Some(anna())),
        hand_over(HandOverCause::Operator, None),
        hand_over(HandOverCause::Health, None),
        Rule::SteppedDown { by: anna() },
        Rule::Stopping { to: Some(beta()) },
        Rule::Stopping { to: None },
        Rule::LostMajority { reachable: 1, needed: 2 },
        Rule::LeaseOver { why: "etcd at 10.0.8.1:2379: no answer within 1.0 s".to_owned() },
        Rule::Overtaken { peer: beta(), term: theirs, mine },
        Rule::Stalled { stalled_for: Duration::from_secs(2) },
        Rule::AbandonedForPrimary { peer: beta(), term: theirs },
        Rule::AbandonedForChange { missing: "beta consents".to_owned() },
        Rule::AbandonedForDisk,
    ]
}

/// A new rule belongs into [`every_rule`] too: this does not compile without it, and the test counts.
fn number(rule: &Rule) -> usize {
    match rule {
        Rule::Booted => 0,
        Rule::NeverHeard { .. } => 1,
        Rule::ToldPrimary { .. } => 2,
        Rule::PeerSilent { .. } => 3,
        Rule::PeerCrashed { .. } => 4,
        Rule::PeerStopped { .. } => 5,
        Rule::PeerOff { .. } => 6,
        Rule::TookOverForHealth { .. } => 7,
        Rule::Released { .. } => 8,
        Rule::OperatorTookOver { .. } => 9,
        Rule::OperatorForced { .. } => 10,
        Rule::YieldedTo { .. } => 11,
        Rule::YieldedByRelay { .. } => 12,
        Rule::HandedOver { .. } => 13,
        Rule::SteppedDown { .. } => 14,
        Rule::Stopping { .. } => 15,
        Rule::LostMajority { .. } => 16,
        Rule::LeaseOver { .. } => 17,
        Rule::Overtaken { .. } => 18,
        Rule::Stalled { .. } => 19,
        Rule::AbandonedForPrimary { .. } => 20,
        Rule::AbandonedForChange { .. } => 21,
        Rule::AbandonedForDisk => 22,
    }
}

fn change(rule: Rule) -> Change {
    let evidence = vec![PeerEvidence {
        name: "beta".into(),
        link_up: false,
        heard: Some(Duration::from_millis(3_004)),
        mode: Some((Mode::Primary, term(7, 0))),
        able: Some(Ability::Fit),
        score: Some(Score::from(0.97)),
        answer: Some(AnswerEvidence { be_primary: false, asked: Duration::from_secs(4), proposed: 8 }),
    }];
    Change {
        seq: 7,
        node: Some("alpha".to_owned()),
        at_unix_ms: 1_794_881_564_123,
        decision: Decision {
            at: Instant(9),
            rule,
            mode: Mode::Secondary,
            term: term(8, 0),
            evidence,
            protection: Default::default(),
        },
        decided_unix_ms: None,
        until_unix_ms: None,
        stopped_unix_ms: None,
    }
}

#[test]
fn u4_every_rule_gives_its_sentence_its_clause_its_evidence_and_what_would_have_changed_it() {
    let rules = every_rule();
    let numbers: BTreeSet<usize> = rules.iter().map(number).collect();
    assert_eq!(numbers, (0..numbers.len()).collect(), "each rule is in the list");
    let words: BTreeSet<&str> = rules.iter().map(Rule::word).collect();
    assert_eq!(words.len(), numbers.len(), "each has a word of its own");
    for rule in rules {
        let word = rule.word();
        let change = change(rule.clone());
        let mut out = Vec::new();
        print(&change, Standing::Holds, change.at_unix_ms + 2_000, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("alpha is Secondary") && lines[0].ends_with("(2.0 s ago)"), "{text}");
        assert_eq!(lines[1], format!("because {}", rule.text()), "{text}");
        assert!(!rule.text().ends_with('.') && !rule.text().is_empty(), "{text}");
        assert_eq!(lines[2], format!("rule    {word}, clause {}", rule.clause()), "{text}");
        assert!(text.contains("\nWhat was known then\n  beta  no link, last heard 3.0 s before"), "{text}");
        let (_, otherwise) = text.split_once("\nWhat would have changed it\n").expect("its last part");
        assert!(otherwise.lines().count() >= 1, "{text}");
        for line in otherwise.lines() {
            let said = line.strip_prefix("  ").expect("it is set in");
            assert!(!said.is_empty() && !said.ends_with('.') && !said.contains("{"), "{text}");
        }
        // The same in the document.
        let mut out = Vec::new();
        print_json(&change, Standing::Holds, &mut out).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&document["rule"], &document["text"]), (&word.into(), &rule.text().into()));
        assert_eq!(document["clause"], rule.clause());
        assert_eq!(document["otherwise"].as_array().unwrap().len(), otherwise.lines().count());
        assert_eq!(document["evidence"][0]["peer"], "beta");
        let decision: Decision = serde_json::from_value(document["decision"].clone()).unwrap();
        assert_eq!(decision, change.decision, "it comes back as it was");
    }
}

#[test]
fn u4_what_the_arbiter_and_the_reference_addresses_answered_is_evidence_too() {
    let mut change = change(Rule::PeerSilent { peer: "beta".into(), silent_for: Duration::from_secs(3) });
    change.decision.protection = ProtectionEvidence {
        arbiter: Some(ArbiterEvidence { mute: None, holder: None, lease: Some((8, Duration::from_millis(12))) }),
        reference: Some(ReferenceEvidence { answered: Some(Duration::from_millis(700)) }),
    };
    let mut out = Vec::new();
    print(&change, Standing::Holds, change.at_unix_ms, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    for line in [
        "  the arbiter answered: nobody else held the lease\n",
        "  this member's own lease had the number 8, asked for 12 ms before\n",
        "  a reference address answered 700 ms before\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let mut out = Vec::new();
    print_json(&change, Standing::Holds, &mut out).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(document["protection"].as_array().unwrap().len(), 3);
}
