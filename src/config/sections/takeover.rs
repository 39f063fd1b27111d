//! `[takeover]`: what a takeover needs, and when a low score leads to one (S1, S3, S6, H5).

use std::time::Duration;

use toml::de::{DeTable, DeValue};

use crate::negotiation::ability::Score;
use crate::negotiation::member::MemberId;
use crate::negotiation::settings::Protection;

use super::super::model::{MemberConfig, Takeover};
use super::super::read::{Fault, Reader, boolean, integer, number, string, time, wrong_type};
use super::super::schema::{self, nearest};
use super::table;

/// The most confirmations and takeovers an hour that make sense: one a second for an hour.
const MOST: u32 = 3600;

/// Reads `[takeover]`. `members` is empty when the members themselves are faulty.
pub(super) fn read(reader: &mut Reader<'_>, top: &DeTable<'_>, members: &[MemberConfig]) -> Takeover {
    let defaults = Takeover::default();
    let Some(keys) = table(top, &schema::TAKEOVER) else { return defaults };
    // As it is written: what is faulty in a [fence.NAME] is told there.
    let fences = top.get(schema::FENCE.name).and_then(|value| value.get_ref().as_table());
    let protection = |value: &DeValue<'_>| {
        let list = value.as_array().ok_or_else(|| wrong_type("a list: [] or [\"fence\"]", value))?;
        let mut protection = Vec::new();
        for entry in list {
            let found = one_protection(entry.get_ref(), members, fences)?;
            if protection.contains(&found) {
                return Err(Fault::new(format!("{:?} stands there twice", found.word()), "write it once"));
            }
            protection.push(found);
        }
        Ok(protection)
    };
    let score = |value: &DeValue<'_>| number(0.0..=1.0)(value).map(Score::from);
    Takeover {
        protection: reader.value(&keys, "protection", protection).unwrap_or_default(),
        threshold: reader.value(&keys, "threshold", score).unwrap_or(defaults.threshold),
        margin: reader.value(&keys, "margin", score).unwrap_or(defaults.margin),
        confirmations: reader.value(&keys, "confirmations", integer(1..=MOST)).unwrap_or(defaults.confirmations),
        max_per_hour: reader.value(&keys, "max_per_hour", integer(0..=MOST)).unwrap_or(defaults.max_per_hour),
        sick_for: reader.value(&keys, "sick_for", time(Duration::ZERO)).unwrap_or(defaults.sick_for),
        preferred: reader.value(&keys, "preferred", |value| preferred(value, members)).flatten(),
        observe_only: reader.value(&keys, "observe_only", boolean).unwrap_or(defaults.observe_only),
    }
}

/// One word of `takeover.protection`.
fn one_protection(
    value: &DeValue<'_>,
    members: &[MemberConfig],
    fences: Option<&DeTable<'_>>,
) -> Result<Protection, Fault> {
    match string(value)?.as_str() {
        "majority" if (1..3).contains(&members.len()) => Err(Fault::new(
            "\"majority\" needs three or more members: with two, both would have to agree that one is gone",
            "add a third member, or write protection = [\"fence\"]",
        )),
        "majority" => Ok(Protection::Majority),
        "fence" => match members
            .iter()
            .find(|member| fences.is_none_or(|fences| !fences.contains_key(member.name.as_str())))
        {
            Some(member) => Err(Fault::new(
                format!("\"fence\" needs to know how {0} is switched off, and there is no [fence.{0}]", member.name),
                format!("write [fence.{}] with agent and options, or with command", member.name),
            )),
            None => Ok(Protection::Fence),
        },
        "arbiter" => Ok(Protection::Arbiter),
        "reachability" => Ok(Protection::Reachability),
        other => {
            let known = ["majority", "fence", "arbiter", "reachability"];
            let suggestion = match nearest(other, known.into_iter()) {
                Some(known) => format!("did you mean {known:?}?"),
                None => "write one of \"fence\", \"arbiter\", \"majority\" and \"reachability\"".to_owned(),
            };
            Err(Fault::new(format!("{other:?} is no protection"), suggestion))
        }
    }
}

/// `preferred`; none where the members are faulty, so that a name cannot be judged.
fn preferred(value: &DeValue<'_>, members: &[MemberConfig]) -> Result<Option<MemberId>, Fault> {
    let name = string(value)?;
    if members.is_empty() {
        return Ok(None);
    }
    match members.iter().position(|member| member.name.as_str() == name) {
        // Reading bounds the members well below 256.
        Some(place) => Ok(Some(MemberId(place as u8))),
        None => Err(no_such_member(&name, members)),
    }
}

/// The fault of a name that no member has.
pub(super) fn no_such_member(name: &str, members: &[MemberConfig]) -> Fault {
    let names = || members.iter().map(|member| member.name.as_str());
    let suggestion = match nearest(name, names()) {
        Some(known) => format!("did you mean {known:?}?"),
        None => format!("the members are: {}", names().collect::<Vec<_>>().join(", ")),
    };
    Fault::new(format!("no member is called {name:?}"), suggestion)
}
