//! Which metrics there are: a family for every number of the status, and for what is one of a few words.

mod availability;
mod group;
mod guards;
mod running;

use crate::control::status::{Judgement, Mode, ProtectionState, Status};

use super::page::{Page, flag};

/// Milliseconds as seconds.
fn ms(value: u64) -> f64 {
    value as f64 / 1e3
}

/// Microseconds as seconds.
fn us(value: u64) -> f64 {
    value as f64 / 1e6
}

/// A count. Beyond 2^53, which none of ours reaches, it would be rounded.
fn count(value: u64) -> f64 {
    value as f64
}

fn length<T>(list: &[T]) -> f64 {
    list.len() as f64
}

/// All families of `status`, in an order that stays.
pub(super) fn write(page: &mut Page, status: &Status) {
    member(page, status);
    people(page, status);
    group::write(page, status);
    running::write(page, status);
    guards::write(page, status);
    availability::write(page, status);
}

/// What the member is and does.
fn member(page: &mut Page, status: &Status) {
    page.gauge("tandem_info", "Who this is; always 1.", |samples| {
        let labels = [
            ("node", status.node.as_str()),
            ("group", &status.group),
            ("address", &status.address),
            ("version", &status.version),
            ("incarnation", &status.incarnation),
        ];
        samples.add(&labels, 1.0);
    });
    page.one("tandem_status_schema", "Version of the status JSON.", f64::from(status.schema));
    page.gauge("tandem_mode", "1 for the mode that this member is in.", |samples| {
        samples.one_of(&[], "mode", status.mode, &[(Mode::Primary, "primary"), (Mode::Secondary, "secondary")]);
    });
    page.one("tandem_mode_age_seconds", "How long it has had this mode.", ms(status.since_ms));
    page.one("tandem_serving", "1 while it acts: Primary, and what must run for that runs.", flag(status.serving));
    page.one("tandem_term", "Primary: its term; Secondary: the highest term seen.", count(status.term));
    page.one("tandem_token", "The fencing token of that term.", count(status.token));
    page.one("tandem_able_level", "How able it is: 0 cannot, 1 sick, 2 fit.", f64::from(status.able.level));
    page.one("tandem_observe_only", "1 while it only says what it would do.", flag(status.observe_only));
    let transition = status.transition.as_ref();
    page.one(
        "tandem_transition_age_seconds",
        "How long a change of mode has been waiting; absent without one.",
        transition.map(|transition| ms(transition.since_ms)),
    );
    page.gauge("tandem_protection_state", "1 for how it stands with what protection asks for.", |samples| {
        let states = [
            (ProtectionState::Unprotected, "unprotected"),
            (ProtectionState::Filter, "filter"),
            (ProtectionState::Ok, "ok"),
            (ProtectionState::Missing, "missing"),
        ];
        samples.one_of(&[], "state", status.protection.state, &states);
    });
    page.gauge("tandem_protection_configured", "1 for each protection that is configured.", |samples| {
        for policy in &status.protection.policy {
            samples.add(&[("protection", policy)], 1.0);
        }
    });
    page.gauge("tandem_judgement", "1 for what is known of who acts in the group.", |samples| {
        let judgements = [
            (Judgement::OneActs, "one_acts"),
            (Judgement::NobodyActs, "nobody_acts"),
            (Judgement::TwoAct, "two_act"),
            (Judgement::OneActsOtherUnknown, "one_acts_other_unknown"),
        ];
        samples.one_of(&[], "judgement", status.judgement, &judgements);
    });
    let query = ms(status.query_interval_ms);
    page.one("tandem_query_interval_seconds", "negotiation.query_interval.", query);
    let timeout = ms(status.reply_timeout_ms);
    page.one("tandem_reply_timeout_seconds", "negotiation.reply_timeout.", timeout);
    let gaps = &status.loop_gaps;
    page.one("tandem_loop_late_worst_seconds", "How late the loop woke at worst since start.", us(gaps.worst_us));
    page.one(
        "tandem_loop_late_recent_worst_seconds",
        "How late the loop woke at worst in the last minute.",
        us(gaps.recent_worst_us),
    );
    page.counter("tandem_loop_late_total", "How often the loop woke late, by how much at least.", |samples| {
        samples.add(&[("at_least_seconds", "0.02")], count(gaps.over_20ms));
        samples.add(&[("at_least_seconds", "0.025")], count(gaps.over_25ms));
    });
}

/// What people do, and what they should know.
fn people(page: &mut Page, status: &Status) {
    let hold = status.hold.as_ref();
    page.one("tandem_held", "1 while automatic takeovers are frozen.", flag(hold.is_some()));
    page.one("tandem_hold_age_seconds", "How long the hold has stood.", hold.map(|hold| ms(hold.since_ms)));
    page.one("tandem_hold_left_seconds", "How long the hold still stands.", hold.map(|hold| ms(hold.expires_ms)));
    page.one(
        "tandem_hold_members_not_told",
        "Members that could not be told of the hold.",
        hold.map(|hold| length(&hold.not_told)),
    );
    page.gauge("tandem_alarm_age_seconds", "How long each standing alarm has stood.", |samples| {
        for alarm in &status.alarms {
            let class = match alarm.class {
                crate::control::status::AlarmClass::Alarm => "alarm",
                crate::control::status::AlarmClass::Warning => "warning",
                crate::control::status::AlarmClass::Note => "note",
            };
            let seen = if alarm.seen.is_some() { "true" } else { "false" };
            samples.add(&[("alarm", &alarm.id), ("class", class), ("seen", seen)], ms(alarm.since_ms));
        }
    });
    page.one("tandem_attached_screens", "Screens on this member.", length(&status.attached));
    let event = status.events.first();
    page.one("tandem_journal_last_event", "Number of the journal's latest event.", event.map(|event| count(event.seq)));
    let plan = status.plan.as_ref();
    page.one("tandem_plan_number", "Number of the open plan.", plan.map(|plan| f64::from(plan.number)));
    page.one(
        "tandem_plan_checked_age_seconds",
        "How long ago the open plan was last checked.",
        plan.map(|plan| ms(plan.checked_ms)),
    );
    page.one("tandem_plan_left_seconds", "How long the open plan still stands.", plan.map(|plan| ms(plan.expires_ms)));
    let elsewhere = status.plan_elsewhere.as_ref();
    page.gauge("tandem_plan_elsewhere_number", "Number of the plan that another member holds.", |samples| {
        if let Some(plan) = elsewhere {
            samples.add(&[("node", &plan.node)], f64::from(plan.number));
        }
    });
    let takeover = &status.takeover;
    page.one("tandem_takeover_ready", "1 while a takeover would be done.", flag(takeover.ready));
    page.one(
        "tandem_takeover_expected_seconds",
        "After how long at most a takeover would be done.",
        takeover.expected_ms.map(ms),
    );
    page.gauge("tandem_takeover_conditions", "Conditions of a takeover, by whether they are met.", |samples| {
        let met = takeover.lines.iter().filter(|line| line.ok).count();
        samples.add(&[("met", "true")], met as f64);
        samples.add(&[("met", "false")], (takeover.lines.len() - met) as f64);
    });
}
