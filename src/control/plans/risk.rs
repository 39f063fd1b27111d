//! What forcing a takeover risks, and what makes it safe, by what is missing (S1, U2): each protection proves something
//! else, so each lacks something else when it is forced past.

use crate::control::guards::Guards;
use crate::negotiation::settings::Protection;
use crate::negotiation::view::{ForecastLine, Topic, View};

/// Who is concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whom<'a> {
    /// The Primary that is heard, if one is.
    pub(super) acting: Option<&'a str>,
    /// Those that are not known not to act.
    pub(super) unheard: &'a [&'a str],
}

/// The risk of forcing this member to become Primary although `failing` is not met.
pub(super) fn of_take_over(
    view: &View,
    guards: &Guards,
    failing: &[&ForecastLine],
    whom: Whom<'_>,
    two_acting: &str,
) -> String {
    let me = view.name.as_str();
    let texts: Vec<&str> = failing.iter().map(|line| line.text.as_str()).collect();
    let mut sentences =
        vec![format!("{me} becomes Primary although this is not met: {}.", texts.join("; ")), two_acting.to_owned()];
    let mut told: Vec<Topic> = Vec::new();
    for line in failing.iter().filter(|line| !line.ok) {
        if !told.contains(&line.about) {
            told.push(line.about);
            sentences.extend(lacks(line.about, view, guards, whom));
        }
    }
    sentences.push(safe(&told, view, whom));
    sentences.join(" ")
}

/// What is not proved without this condition.
fn lacks(about: Topic, view: &View, guards: &Guards, whom: Whom<'_>) -> Option<String> {
    let me = &view.name;
    match about {
        Topic::Fence => None,
        Topic::Arbiter if whom.unheard.is_empty() && whom.acting.is_none() => None,
        Topic::Arbiter => Some(format!("Without the lease of {} another may hold it and act.", guards.arbiter_place())),
        Topic::Majority if whom.unheard.is_empty() => None,
        Topic::Majority => Some("Those not heard may have a Primary of their own.".to_owned()),
        Topic::Reference => Some(format!("{me} may be the one that is cut off: nobody would reach it.")),
        Topic::Able => Some(format!("{me} may fail again at once.")),
        Topic::Member | Topic::Successor | Topic::Start | Topic::Hold | Topic::Promise => None,
    }
}

/// What to do first, so that nothing is risked.
fn safe(told: &[Topic], view: &View, whom: Whom<'_>) -> String {
    let names = whom.unheard.join(" and ");
    let is_off: Vec<String> = whom.unheard.iter().map(|name| format!("fence {name} --is-off")).collect();
    let is_off = is_off.join(", ");
    let me = &view.name;
    let by_word = view.protection.contains(&Protection::Fence);
    match (whom.acting, whom.unheard) {
        (Some(acting), _) => format!("Safe instead: have {acting} step down first, or switch it off."),
        (None, []) if told.iter().any(|about| matches!(about, Topic::Promise | Topic::Start)) => {
            format!("Safe instead: wait until {me} is free to, a few seconds.")
        }
        (None, []) => "No other member is out of sight.".to_owned(),
        (None, _) if told == [Topic::Fence] => {
            format!("Safe instead: switch {names} off first, then {is_off}: {me} takes over without force.")
        }
        (None, _) if by_word => {
            format!("Safe: switch {names} off first, then {is_off}; what still fails can be forced.")
        }
        (None, _) => format!("Safe: stop tandem on {names} first, or switch the power off there; then force it."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::examples::secondary;

    fn risk(protection: &[Protection], failing: &[(Topic, &str)], unheard: &[&str], two: &str) -> String {
        let mut view = secondary();
        view.protection = protection.to_vec();
        let lines: Vec<ForecastLine> = failing
            .iter()
            .map(|(about, text)| ForecastLine { ok: false, about: *about, text: (*text).to_owned() })
            .collect();
        let lines: Vec<&ForecastLine> = lines.iter().collect();
        of_take_over(&view, &Guards::default(), &lines, Whom { acting: None, unheard }, two)
    }

    const TWO: &str = "Two could act at once: alpha is not heard and may act.";
    const FENCE: (Topic, &str) = (Topic::Fence, "alpha is not off");
    const ARBITER: (Topic, &str) = (Topic::Arbiter, "arbiter does not answer");

    #[test]
    fn s1_forced_past_fence_the_operators_word_is_what_makes_it_safe() {
        assert_eq!(
            risk(&[Protection::Fence], &[FENCE], &["alpha"], TWO),
            "beta becomes Primary although this is not met: alpha is not off. Two could act at once: alpha is not heard and \
             may act. Safe instead: switch alpha off first, then fence alpha --is-off: beta takes over without force."
        );
    }

    #[test]
    fn s1_forced_past_fence_and_arbiter_the_word_does_not_bring_the_lease() {
        let told = risk(&[Protection::Fence, Protection::Arbiter], &[FENCE, ARBITER], &["alpha"], TWO);
        assert!(told.contains("Without the lease of [arbiter] of the configuration another may hold it"), "{told}");
        assert!(told.ends_with("then fence alpha --is-off; what still fails can be forced."), "{told}");
    }

    #[test]
    fn s1_without_a_fence_nobodys_word_counts_and_the_power_does() {
        let of = |protection, failing: (Topic, &'static str), unheard: &[&str]| {
            risk(&[protection], &[failing], unheard, TWO)
        };
        let told = of(Protection::Arbiter, ARBITER, &["alpha"]);
        assert!(
            told.ends_with("Safe: stop tandem on alpha first, or switch the power off there; then force it."),
            "{told}"
        );
        let told = of(Protection::Majority, (Topic::Majority, "1 of 3 agree"), &["alpha", "gamma"]);
        assert!(
            told.contains("Those not heard may have a Primary of their own. Safe: stop tandem on alpha and gamma"),
            "{told}"
        );
        let told = of(Protection::Reachability, (Topic::Reference, "no reference address answers"), &["alpha"]);
        assert!(told.contains("beta may be the one that is cut off"), "{told}");
        assert!(!told.contains("--is-off"), "nobody's word counts: {told}");
    }

    #[test]
    fn s1_with_everybody_in_sight_it_says_so() {
        let told = risk(&[Protection::Arbiter], &[ARBITER], &[], "Two acting at once cannot happen.");
        assert!(told.ends_with("Two acting at once cannot happen. No other member is out of sight."), "{told}");
        let mut view = secondary();
        view.protection = vec![Protection::Fence];
        let line = ForecastLine { ok: false, about: Topic::Member, text: "alpha refuses".to_owned() };
        let whom = Whom { acting: Some("alpha"), unheard: &[] };
        let told = of_take_over(&view, &Guards::default(), &[&line], whom, "Two could.");
        assert!(told.ends_with("Safe instead: have alpha step down first, or switch it off."), "{told}");
    }
}
