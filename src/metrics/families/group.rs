//! Links, peers, and how members are switched off.

use crate::control::status::{FenceResult, LinkRole, LinkState, Mode, ReplyKind, Status};

use super::super::page::{Page, flag};
use super::{count, length, ms, us};

pub(super) fn write(page: &mut Page, status: &Status) {
    links(page, status);
    peers(page, status);
    replies(page, status);
    two_acted(page, status);
    fencing(page, status);
}

fn links(page: &mut Page, status: &Status) {
    let labels = |link: &'_ crate::control::status::Link| {
        let role = match link.role {
            LinkRole::Server => "server",
            LinkRole::Client => "client",
        };
        (link.peer.clone(), link.address.clone(), role)
    };
    let mut each = |name, help, value: &dyn Fn(&crate::control::status::Link) -> Option<f64>| {
        page.gauge(name, help, |samples| {
            for link in &status.links {
                let (peer, address, role) = labels(link);
                samples.add(&[("peer", &peer), ("address", &address), ("role", role)], value(link));
            }
        });
    };
    each("tandem_link_up", "1 while the path is up.", &|link| Some(flag(link.state == LinkState::Up)));
    each("tandem_link_rtt_seconds", "Round trip on the path.", &|link| link.rtt_us.map(us));
    each("tandem_link_last_heard_age_seconds", "How long ago something was heard on it.", &|link| {
        link.last_heard_ms.map(ms)
    });
    each("tandem_link_state_age_seconds", "How long it has been in its state.", &|link| Some(ms(link.since_ms)));
    each("tandem_link_encrypted", "1 where the path is encrypted.", &|link| Some(flag(link.encrypted)));
    page.counter("tandem_link_reconnects_total", "How often the path came up again.", |samples| {
        for link in &status.links {
            let (peer, address, role) = labels(link);
            samples.add(&[("peer", &peer), ("address", &address), ("role", role)], count(link.reconnects));
        }
    });
    page.counter("tandem_link_rejected_total", "What the link refused, by kind.", |samples| {
        for rejected in &status.rejected {
            samples.add(&[("kind", &rejected.kind)], count(rejected.count));
        }
    });
}

fn peers(page: &mut Page, status: &Status) {
    let mut each = |name, help, value: &dyn Fn(&crate::control::status::Peer) -> Option<f64>| {
        page.gauge(name, help, |samples| {
            for peer in &status.peers {
                samples.add(&[("peer", &peer.name)], value(peer));
            }
        });
    };
    each("tandem_peer_primary", "1 while the peer is Primary, as last heard; absent before it was heard.", &|peer| {
        peer.mode.map(|mode| flag(mode == Mode::Primary))
    });
    each("tandem_peer_term", "The peer's term as last heard.", &|peer| Some(count(peer.term)));
    each("tandem_peer_able_level", "How able the peer said it was: 0 cannot, 1 sick, 2 fit.", &|peer| {
        peer.able.as_ref().map(|able| f64::from(able.level))
    });
    each("tandem_peer_health_score_ratio", "The peer's Total Health Score as last heard.", &|peer| peer.score);
    each("tandem_peer_last_heard_age_seconds", "How long ago the peer was heard.", &|peer| peer.last_heard_ms.map(ms));
    each("tandem_peer_settings_that_differ", "Settings in which the peer differs.", &|peer| {
        Some(length(&peer.differs))
    });
    each("tandem_peer_attached_screens", "Screens on the peer.", &|peer| Some(length(&peer.attached)));
    page.gauge("tandem_peer_gone", "1 while the peer counts as gone, by why.", |samples| {
        for peer in &status.peers {
            let why = peer.gone.as_deref().unwrap_or_default();
            samples.add(&[("peer", &peer.name), ("why", why)], flag(peer.gone.is_some()));
        }
    });
    let mut processes = |name, help, value: &dyn Fn(&crate::control::status::PeerProcess) -> Option<f64>| {
        page.gauge(name, help, |samples| {
            for peer in &status.peers {
                for process in &peer.processes {
                    samples.add(&[("peer", &peer.name), ("process", &process.name)], value(process));
                }
            }
        });
    };
    processes("tandem_peer_process_up", "1 while the peer's process runs, as last told.", &|process| {
        Some(flag(process.state == crate::control::status::ProcessState::Running))
    });
    processes("tandem_peer_process_pid", "The process id, while it runs.", &|process| process.pid.map(f64::from));
    processes("tandem_peer_process_state_age_seconds", "How long it has been in its state.", &|process| {
        Some(ms(process.since_ms))
    });
    processes(
        "tandem_peer_process_start_seconds",
        "How long it took from its last start until it was ready.",
        &|process| process.start_ms.map(ms),
    );
    processes("tandem_peer_process_stop_grace_seconds", "How long it may take to stop.", &|process| {
        Some(ms(process.stop_ms))
    });
}

/// The newest reply of each peer; the time series are the history.
fn replies(page: &mut Page, status: &Status) {
    let word = |kind| match kind {
        ReplyKind::StaySecondary => "stay_secondary",
        ReplyKind::BecomePrimary => "become_primary",
        ReplyKind::NoAnswer => "no_answer",
        ReplyKind::Query => "query",
    };
    let mut each = |name, help, value: &dyn Fn(&crate::control::status::Reply) -> Option<f64>| {
        page.gauge(name, help, |samples| {
            for peer in &status.peers {
                if let Some(reply) = peer.replies.first() {
                    samples.add(&[("peer", &peer.name), ("reply", word(reply.reply))], value(reply));
                }
            }
        });
    };
    each("tandem_peer_reply_age_seconds", "Age of the newest reply.", &|reply| Some(ms(reply.age_ms)));
    each("tandem_peer_reply_rtt_seconds", "Round trip of the newest reply.", &|reply| reply.rtt_us.map(us));
    each("tandem_peer_reply_score_ratio", "The peer's score in the newest reply.", &|reply| reply.score);
    each("tandem_peer_reply_query", "Number of the newest query.", &|reply| Some(count(reply.query)));
    each("tandem_peer_reply_alike", "How many replies in a row were like the newest.", &|reply| {
        Some(count(reply.count))
    });
    each("tandem_peer_reply_alike_age_seconds", "Age of the oldest reply that was like the newest.", &|reply| {
        Some(ms(reply.first_age_ms))
    });
}

fn two_acted(page: &mut Page, status: &Status) {
    let story = status.two_acted.as_ref();
    page.one(
        "tandem_two_acted_at_most_seconds",
        "For how long at most two members acted, while that is told; absent without.",
        story.map(|story| ms(story.at_most_ms)),
    );
    page.one(
        "tandem_two_acted_over_seconds",
        "For how long it has been over.",
        story.and_then(|story| story.over_for_ms).map(ms),
    );
    page.gauge("tandem_two_acted_term", "The terms of the two that acted.", |samples| {
        if let Some(story) = story {
            samples.add(&[("node", &story.stops.name), ("goes_on", "false")], count(story.stops.term));
            samples.add(&[("node", &story.goes_on.name), ("goes_on", "true")], count(story.goes_on.term));
        }
    });
}

fn fencing(page: &mut Page, status: &Status) {
    let mut each = |name, help, value: &dyn Fn(&crate::control::status::Fencing) -> Option<f64>| {
        page.gauge(name, help, |samples| {
            for fencing in &status.fencing {
                samples.add(&[("peer", &fencing.peer), ("agent", &fencing.agent)], value(fencing));
            }
        });
    };
    each("tandem_fence_device_up", "1 while the device that switches the peer off answers its checks.", &|fencing| {
        fencing.device.as_ref().map(|device| flag(device.answers))
    });
    each("tandem_fence_device_check_age_seconds", "How long ago the device was last checked.", &|fencing| {
        fencing.device.as_ref().map(|device| ms(device.age_ms))
    });
    each("tandem_fence_device_check_duration_seconds", "How long the last check of the device took.", &|fencing| {
        fencing.device.as_ref().map(|device| ms(device.took_ms))
    });
    each("tandem_fence_monitor_interval_seconds", "How often the device is checked.", &|fencing| {
        fencing.monitor_ms.map(ms)
    });
    each("tandem_fence_attempt", "Which attempt is under way, from 1; absent without.", &|fencing| {
        fencing.under_way.as_ref().map(|attempt| f64::from(attempt.attempt))
    });
    each("tandem_fence_attempt_age_seconds", "For how long the attempt has been under way.", &|fencing| {
        fencing.under_way.as_ref().map(|attempt| ms(attempt.since_ms))
    });
    each("tandem_fence_attempt_timeout_seconds", "After how long the attempt is given up.", &|fencing| {
        fencing.under_way.as_ref().map(|attempt| ms(attempt.timeout_ms))
    });
    each("tandem_fence_last_attempt", "Which attempt ended last, from 1.", &|fencing| {
        fencing.last.as_ref().map(|last| f64::from(last.attempt))
    });
    each("tandem_fence_last_age_seconds", "How long ago the last attempt ended.", &|fencing| {
        fencing.last.as_ref().map(|last| ms(last.age_ms))
    });
    each("tandem_fence_last_duration_seconds", "How long the last attempt took.", &|fencing| {
        fencing.last.as_ref().map(|last| ms(last.took_ms))
    });
    each("tandem_fence_next_try_seconds", "In how long it is tried again.", &|fencing| fencing.next_try_ms.map(ms));
    each("tandem_fence_lied", "1 when the peer was heard again after a confirmed off.", &|fencing| {
        Some(flag(fencing.lied))
    });
    page.gauge("tandem_fence_last_result", "1 for how the last attempt ended.", |samples| {
        let results =
            [(FenceResult::Off, "off"), (FenceResult::Failed, "failed"), (FenceResult::OffByWord, "off_by_word")];
        for fencing in &status.fencing {
            if let Some(last) = &fencing.last {
                let labels = [("peer", fencing.peer.as_str()), ("agent", &fencing.agent)];
                samples.one_of(&labels, "result", last.result, &results);
            }
        }
    });
}
