//! The drawn screens, rebuilt from a real pair: two controllers are brought into the state, the status that one of them
//! really serves is drawn by the program's own view code at 80×24, and the picture is compared.
//!
//! Only what differs from run to run is set alike first: times, ages, round trips, ports and counts. Every word, every
//! order of rows and every mark is what the engine said.

#[path = "support/group.rs"]
mod group;
#[path = "support/namespaces.rs"]
mod namespaces;
#[path = "support/mod.rs"]
mod support;

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use group::{Group, PATIENCE};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use namespaces::Network;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use support::{Part, require};
use tandem::control::plan::Action;
use tandem::control::request::{Hello, Reply, Request, Screen};
use tandem::control::status::{
    AlarmClass, Judgement, LinkState, Mode, PeerProcess, Process, ProcessState, ReplyKind, Status,
};
use tandem::ui::input::Key;
use tandem::ui::layout;
use tandem::ui::line::{Charset, Look, Theme};
use tandem::ui::state::{MayAct, State};

/// Short enough for a test, long enough for a busy machine: only one that stands still for two seconds asks again what to
/// be (S9), and that would be drawn.
const QUICK: &str = "[negotiation]\nquery_interval = \"100ms\"\nreply_timeout = \"4s\"\nboot_timeout = \"2s\"\n\
                     connect_grace = \"1s\"\n";

/// The screen's own clock when it looks.
const NOW: Duration = Duration::from_secs(1000);

/// 03:12:44 +01, as drawn.
fn wall() -> Zoned {
    let at: Timestamp = "2026-11-21T02:12:44Z".parse().expect("a moment");
    at.to_zoned(TimeZone::fixed(Offset::constant(1)))
}

/// A screen of a user "ops" on `node` that has just got this status.
fn screen(node: &str, status: Status) -> State {
    let look = Look { theme: Theme::Default, charset: Charset::Utf8 };
    let mut state = State::new(look, MayAct::AsAllowed, None);
    let hello = Hello {
        schema: status.schema,
        node: node.to_owned(),
        group: status.group.clone(),
        version: status.version.clone(),
        may_operate: true,
        you_are: "ops".to_owned(),
        state_directory: "state".to_owned(),
    };
    state.on_reply(Reply::Hello(hello), NOW);
    state.on_reply(Reply::Status(std::sync::Arc::new(status)), NOW);
    state
}

fn picture(state: &State) -> String {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
    layout::draw(state, NOW, &wall(), &mut buffer);
    let row = |y: u16| (0..80).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..24).map(|y| format!("{}\n", row(y).trim_end())).collect()
}

/// Sets alike what differs from run to run, and nothing else. A time becomes 03:12:40, or with its place in a row of
/// times, so that the order stays to be seen.
fn set_alike(mut status: Status) -> Status {
    let time = |place: usize| format!("2026-11-21T02:12:{:02}Z", 40_usize.saturating_sub(place));
    (status.since_ms, status.incarnation, status.group) = (3_000, String::new(), "substation-7".to_owned());
    status.attached = vec!["ops".to_owned()];
    for (place, link) in status.links.iter_mut().enumerate() {
        link.address = format!("10.{place}.0.1:7400");
        (link.rtt_us, link.since_ms) = (link.rtt_us.map(|_| 210), 3_000);
        link.last_heard_ms = link.last_heard_ms.map(|_| 100);
    }
    for peer in &mut status.peers {
        peer.last_heard_ms = peer.last_heard_ms.map(|_| 100);
        // A busy machine may miss an answer; that is not what is drawn here.
        peer.replies.truncate(1);
        let last = peer.replies.len();
        for (place, reply) in peer.replies.iter_mut().enumerate() {
            (reply.age_ms, reply.first_age_ms) = (100 + 9_000 * place as u64, 3_100 + 9_000 * place as u64);
            (reply.rtt_us, reply.query) = (reply.rtt_us.map(|_| 200), 10 * (last - place) as u64);
            reply.count = if reply.reply == ReplyKind::NoAnswer { 1 } else { 10 };
        }
    }
    for alarm in &mut status.alarms {
        alarm.since_ms = 4_000;
        alarm.text = settle(&alarm.text);
    }
    // A busy machine may stall a controller; that is not what is drawn here.
    status.events.retain(|event| !event.text.contains("stalled"));
    for (place, event) in status.events.iter_mut().enumerate() {
        event.time = time(place);
        event.text = settle(&event.text);
    }
    if let Some(two) = &mut status.two_acted {
        two.since = "2026-11-21T01:41:04Z".to_owned();
        two.at_most_ms = 1_896_000;
        two.over_for_ms = two.over_for_ms.map(|_| 4_000);
        for one in [&mut two.stops, &mut two.goes_on] {
            one.since = one.since.as_ref().map(|_| "2026-11-21T01:41:04Z".to_owned());
        }
        // Whether the silence counts before the connection breaks is a race of two timeouts.
        two.steps.sort_by_key(|step| !step.text.ends_with("broke"));
        let last = two.steps.len();
        for (place, step) in two.steps.iter_mut().enumerate() {
            (step.time, step.text) = (time(last - place), settle(&step.text));
        }
    }
    for line in &mut status.takeover.lines {
        line.text = settle(&line.text);
    }
    status.takeover.expected_ms = status.takeover.expected_ms.map(|_| 3_050);
    status
}

/// Lengths of time and addresses in a sentence: "silent for 1.1 s" becomes "silent for 3.0 s".
fn settle(text: &str) -> String {
    let text = text.replace(env!("CARGO_PKG_VERSION"), "1.0.0");
    let words: Vec<&str> = text.split(' ').collect();
    let settled = words.iter().enumerate().map(|(at, word)| {
        let next = words.get(at + 1).map(|next| next.trim_end_matches([',', ':', ';']));
        let number = word.starts_with(|first: char| first.is_ascii_digit());
        match (number, next) {
            (true, _) if at > 0 && words[at - 1] == "plan" => "47:".to_owned(),
            (true, Some("s" | "ms")) => "3.0".to_owned(),
            (true, _) if word.starts_with("127.") || word.starts_with("10.77.") => "10.0.0.1:7400".to_owned(),
            (true | false, _) if *word == "ms" || *word == "ms," => word.replace("ms", "s"),
            (true | false, _) => (*word).to_owned(),
        }
    });
    settled.collect::<Vec<_>>().join(" ")
}

/// Two controllers on this machine, alpha first, so that beta finds it.
fn pair() -> Group {
    let mut pair = Group::new(2, QUICK);
    pair.start(0);
    pair.client(0);
    pair.start(1);
    pair
}

/// A fence agent that keeps in a file what it has switched off, and that nothing answers while a file "mute" lies beside it.
const AGENT: &str = r#"#!/bin/sh
here=$(dirname "$0")
while IFS='=' read -r name value; do
    case $name in action | ip | plug) eval "$name=\$value" ;; esac
done
if [ "$action" = metadata ]; then
    cat <<'XML'
<?xml version="1.0" ?>
<resource-agent name="fence_ipmilan" shortdesc="Switches a file">
<parameters>
<parameter name="action" unique="0" required="1"><content type="string" default="off" /></parameter>
<parameter name="ip" unique="0" required="1"><content type="string" /></parameter>
<parameter name="plug" unique="0" required="1"><content type="string" /></parameter>
</parameters>
<actions><action name="off" /><action name="status" /><action name="monitor" /><action name="metadata" /></actions>
</resource-agent>
XML
    exit 0
fi
[ -e "$here/mute" ] && { echo "no answer from $ip:623" >&2; exit 1; }
[ "$action" = status ] && [ -e "$here/$plug.off" ] && exit 2
[ "$action" = off ] && : >"$here/$plug.off"
exit 0
"#;

/// How what runs only on the Primary takes being told to stop.
#[derive(Clone, Copy)]
enum Stops {
    /// It ends.
    AtOnce,
    /// It does not hear it, and is killed after its time.
    WhenKilled,
}

/// One process that runs on the Primary only, and takes a moment to be ready, and one that always runs.
fn processes(stops: Stops) -> String {
    let ends = match stops {
        Stops::AtOnce => "",
        Stops::WhenKilled => ", \"--ignore-term\"",
    };
    let one = |(name, when, start, ends)| {
        let program = support::binary();
        format!(
            "[[process]]\nname = \"{name}\"\nrun_when = \"{when}\"\n\
             command = [\"{program}\", \"sample-process\", \"--line\", \"--start\", \"{start}\"{ends}]\n\
             heartbeat = {{ kind = \"line\", period = \"1s\" }}\n"
        )
    };
    [("plant-control", "primary", "700ms", ends), ("link-probe", "always", "0s", "")].map(one).concat()
}

/// What the drawn screens have: two networks, the default times, each switched off through a fence agent, a lease in an
/// arbiter, one process that runs on the Primary only, and one always. Beta starts first, as drawn: its link was starting
/// then. It waits for alpha however long a busy machine takes to start it, so that alpha is the one that acts.
fn with_everything(network: &Network, protection: &str) -> Group {
    network.reference(REFERENCE);
    let mut text = format!(
        "[negotiation]\nboot_timeout = \"60s\"\nconnect_grace = \"60s\"\n\
         [takeover]\nprotection = [{protection}]\n[arbiter]\nkind = \"file\"\ndirectory = \"shared\"\n\
         [reachability]\ntargets = [\"tcp://{REFERENCE}:22\"]\n"
    );
    for (name, ip) in [("alpha", "10.0.9.1"), ("beta", "10.0.9.2")] {
        text += &format!(
            "[fence.{name}]\nagent = \"./fence_ipmilan\"\noptions = {{ ip = \"{ip}\", plug = \"{name}\" }}\nattempts = 3\n"
        );
    }
    text += &processes(Stops::AtOnce);
    let mut pair = network.group(&text);
    let agent = support::write(pair.folder(), "fence_ipmilan", AGENT);
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    std::fs::create_dir(pair.folder().join("shared")).expect("it is ours");
    for (member, name) in ["alpha", "beta"].into_iter().enumerate() {
        // Each has its own way to the folder, which one of them can lose.
        let own = format!("shared-{name}");
        std::os::unix::fs::symlink("shared", pair.folder().join(&own)).expect("it is ours");
        pair.change_config(member, |text| text.replace("directory = \"shared\"", &format!("directory = \"{own}\"")));
    }
    pair.start(1);
    pair.client(1);
    // The first question was due after the query interval; alpha is not there to be asked.
    std::thread::sleep(Duration::from_millis(1_200));
    pair.start(0);
    pair
}

/// The reference address of the drawn screens.
const REFERENCE: &str = "10.0.0.254";

/// Longer than a lease, a silence, a fence's delay and its tries.
const LONG: Duration = Duration::from_secs(60);

/// Alpha acts with all that it runs, beta stands by, and both devices have answered.
fn healthy_with_everything(pair: &Group) -> Status {
    let as_they_should_be = |status: &Status| {
        let running = |process: &Process| {
            process.state == ProcessState::Running && process.memory_pct.is_some() && process.response_ms.is_some()
        };
        status.processes.iter().all(|process| running(process) || process.state == ProcessState::Waits)
    };
    let answers = |status: &Status| status.fencing.iter().all(|one| one.device.as_ref().is_some_and(|it| it.answers));
    pair.watch(0).until(LONG, "alpha acts with what it runs", |status| {
        status.serving && as_they_should_be(status) && answers(status) && status.processes[0].pid.is_some()
    });
    let (beta, _) = pair.watch(1).until(LONG, "beta knows of it", |status| {
        let theirs = &status.peers[0].processes;
        let told = status.peers[0].replies.first();
        as_they_should_be(status)
            && answers(status)
            && status.takeover.ready
            && status.alarms.is_empty()
            && told.is_some_and(|reply| reply.reply == ReplyKind::StaySecondary && reply.count > 2)
            && status.links.iter().all(|link| link.state == LinkState::Up && link.rtt_us.is_some())
            && status.arbiter.as_ref().is_some_and(|arbiter| arbiter.holder.as_deref() == Some("alpha"))
            && theirs.iter().any(|process| process.name == "plant-control" && process.start_ms.is_some())
            && theirs.iter().all(|process| process.pid.is_some())
    });
    beta
}

/// The history of replies as drawn: days of answers, and before them the one question that the starting link could not
/// carry.
fn set_replies_alike(status: &mut Status) {
    const DAYS: u64 = 274_362_000;
    let peer = &mut status.peers[0];
    let starting = peer.replies.iter().find(|reply| reply.why.as_deref() == Some("the link was starting")).cloned();
    peer.replies.truncate(1);
    let newest = &mut peer.replies[0];
    (newest.age_ms, newest.first_age_ms, newest.count, newest.query) = (100, DAYS, 274_362, 274_362);
    newest.rtt_us = Some(200);
    let mut starting = starting.expect("the link was starting");
    (starting.age_ms, starting.first_age_ms, starting.query, starting.count) = (DAYS, DAYS + 1_000, 0, 1);
    peer.replies.push(starting);
}

/// Sets alike what differs from run to run in what belongs to processes, health and fencing.
fn set_what_runs_alike(mut status: Status) -> Status {
    for process in &mut status.processes {
        let runs = process.state == ProcessState::Running;
        (process.pid, process.uptime_ms) = (process.pid.map(|_| 4121), process.uptime_ms.map(|_| 3_000));
        (process.since_ms, process.memory_pct) = (3_000, runs.then_some(0.1));
        process.response_ms = process.response_ms.map(|_| 12.0);
        (process.cpu_pct, process.output) = (runs.then_some(0.0), Vec::new());
    }
    for process in status.peers.iter_mut().flat_map(|peer| &mut peer.processes) {
        (process.pid, process.since_ms) = (process.pid.map(|_| 988), 3_000);
    }
    for sub in &mut status.health.sub {
        sub.measured = 0.0;
    }
    for fencing in &mut status.fencing {
        if let Some(device) = &mut fencing.device {
            (device.age_ms, device.took_ms) = (3_000, 20);
        }
        if let Some(last) = &mut fencing.last {
            (last.age_ms, last.took_ms) = (3_000, 20);
        }
        fencing.next_try_ms = fencing.next_try_ms.map(|_| 54_000);
    }
    // What runs is started while the link comes up, and both paths break at once: the order of these is a race.
    let raced = ["link-probe", "the path to", "the link to", "a try to reach", "no longer so: the path"];
    status.events.retain(|event| !raced.iter().any(|race| event.text.starts_with(race)));
    let mut status = set_alike(status);
    for line in &mut status.takeover.lines {
        line.text = answered(&line.text);
    }
    status
}

/// A device answered "just now", or some seconds ago.
fn answered(text: &str) -> String {
    let said = [("fence device answered ", "41 s ago"), ("fence device, ", "41 s ago"), ("arbiter answers, ", "6 ms")];
    let mut told = said.iter().filter(|(said, _)| text.starts_with(said));
    let text = told.next().map_or_else(|| text.to_owned(), |(said, figure)| format!("{said}{figure}"));
    // "alpha answers, 0.4 s ago, and agrees", "lease free since 03:12:53: ..."
    let words = text.split(' ').collect::<Vec<_>>();
    let masked =
        words.iter().enumerate().map(|(at, word)| match (at.checked_sub(1).map(|at| words[at]), words.get(at + 1)) {
            (Some("answers,"), Some(&"s")) => "0.4",
            (Some("since"), _) => "03:12:53:",
            _ => word,
        });
    masked.collect::<Vec<_>>().join(" ")
}

/// Alpha acts, beta stands by and has been told so.
fn healthy(pair: &Group) -> Status {
    assert_eq!(pair.settle(), 0);
    let (status, _) = pair.wait(1, "beta was told to stay Secondary and is ready", |status| {
        let told = status.peers[0].replies.first();
        told.is_some_and(|reply| reply.reply == ReplyKind::StaySecondary && reply.first_age_ms > 300)
            && status.takeover.ready
            && status.alarms.is_empty()
    });
    status
}

#[test]
fn u1_drawn_screen_1_a_healthy_secondary() {
    let pair = pair();
    let status = set_alike(healthy(&pair));
    insta::assert_snapshot!(picture(&screen("beta", status)));
}

/// Screen 1 as drawn, under `fence` + `arbiter`. Where it departs: the times are those of a pair that has just started; the
/// events are the journal's own words, an entry for each path.
#[test]
fn u1_drawn_screen_1_under_fence_and_arbiter() {
    if !require(Part::NetworkNamespaces) {
        return;
    }
    let network = Network::direct(2);
    let pair = with_everything(&network, "\"fence\", \"arbiter\"");
    let mut status = healthy_with_everything(&pair);
    let starting = status.clone();
    status = set_what_runs_alike(status);
    status.peers[0].replies = starting.peers[0].replies.clone();
    set_replies_alike(&mut status);
    status.takeover.expected_ms = status.takeover.expected_ms.map(|_| 9_700);
    insta::assert_snapshot!(picture(&screen("beta", status)));
}

/// Screen 3 as drawn. `reachability` stands beside the two, because the drawing has its line. Where it departs: the agent's
/// words are its own, and the events are the journal's.
#[test]
fn s2_drawn_screen_3_a_takeover_held_back_because_fencing_failed() {
    if !require(Part::NetworkNamespaces) {
        return;
    }
    let network = Network::direct(2);
    let pair = with_everything(&network, "\"fence\", \"arbiter\", \"reachability\"");
    healthy_with_everything(&pair);
    // Alpha loses the arbiter too: sound as it is, it stops acting, and its lease is free after a while.
    support::write(pair.folder(), "mute", "");
    std::fs::remove_file(pair.folder().join("shared-alpha")).expect("it is there");
    network.pull(0);
    network.pull(1);
    let held_back = |status: &Status| {
        let alarm = status.alarms.first().is_some_and(|alarm| alarm.id.starts_with("fencing_failed"));
        let tried = status.fencing.iter().any(|one| one.next_try_ms.is_some());
        let free = status.arbiter.as_ref().is_some_and(|arbiter| arbiter.free_ms.is_some());
        let called = |link: &tandem::control::status::Link| {
            link.why.as_deref().is_some_and(|why| why.starts_with("no answer to ") && why.contains(" calls"))
        };
        alarm && tried && free && status.links.iter().all(|link| link.state == LinkState::Down && called(link))
    };
    pair.watch(1).until(LONG, "beta is held back", held_back);
    let mut other = pair.client(1);
    other.send(&Request::Watch { screen: Some(Screen::Operating) }).expect("attached");
    pair.client(1).ask(&Request::Seen, PATIENCE).expect("seen");
    let (beta, _) = pair.watch(1).until(LONG, "somebody has seen it", |status| {
        held_back(status) && status.alarms[0].seen.is_some() && !status.attached.is_empty()
    });
    assert_eq!((beta.mode, beta.takeover.ready), (Mode::Secondary, false));
    assert_eq!(beta.alarms[0].class, AlarmClass::Alarm);
    let by = beta.alarms[0].seen.as_ref().map(|seen| format!("{} has", seen.by)).expect("it was seen");
    let mut status = set_what_runs_alike(beta);
    for event in &mut status.events {
        event.text = event.text.replace(&by, "ops-2 has");
    }
    for link in &mut status.links {
        link.last_heard_ms = Some(134_000);
        // How often it was called, and how often that is.
        link.why = Some("no answer to 133 calls, 1 a second".to_owned());
    }
    for alarm in &mut status.alarms {
        if let Some(seen) = &mut alarm.seen {
            (seen.by, seen.time) = ("ops-2".to_owned(), "2026-11-21T02:12:31Z".to_owned());
        }
        for then in &mut alarm.then {
            if let Some((before, _)) = then.split_once("by itself in ") {
                *then = format!("{before}by itself in 54 s.");
            }
        }
    }
    status.attached.push("ops-2".to_owned());
    status.peers[0].last_heard_ms = Some(134_000);
    insta::assert_snapshot!(picture(&screen("beta", status)));
}

#[test]
fn u2_drawn_screen_4_a_plan_waits_for_its_number() {
    let pair = pair();
    healthy(&pair);
    let state = a_plan_waits(&pair);
    insta::assert_snapshot!(picture(&state));
}

/// Screen 4 as drawn, under `fence` + `arbiter`, but for the virtual address.
#[test]
fn u2_drawn_screen_4_under_fence_and_arbiter() {
    if !require(Part::NetworkNamespaces) {
        return;
    }
    let network = Network::direct(2);
    let pair = with_everything(&network, "\"fence\", \"arbiter\"");
    healthy_with_everything(&pair);
    let mut other = pair.client(0);
    other.send(&Request::Watch { screen: Some(Screen::Operating) }).expect("attached");
    pair.wait(1, "beta knows who looks at alpha", |status| !status.peers[0].attached.is_empty());
    let state = a_plan_waits(&pair);
    insta::assert_snapshot!(picture(&state));
}

/// The screen of beta, on which a takeover was asked for and its plan has come.
fn a_plan_waits(pair: &Group) -> State {
    let mut client = pair.client(1);
    let plan = match client.ask(&Request::Open { action: Action::TakeOver }, PATIENCE).expect("a plan") {
        Reply::Plan(plan) => plan,
        other => panic!("no plan: {other:?}"),
    };
    let mut status = pair.status(1);
    let by = format!("{}:", plan.by);
    for event in &mut status.events {
        event.text = event.text.replace(&by, "ops:");
    }
    // As it was when the screen asked for it.
    status.plan = None;
    let mut state = screen("beta", set_what_runs_alike(status));
    let press = |state: &mut State, letter, second| {
        state.frame_left(state.in_frame(None));
        state.on_key(Key::Char(letter), NOW + Duration::from_secs(second))
    };
    press(&mut state, 'a', 0);
    let asked = press(&mut state, 't', 1);
    assert_eq!(asked.requests, [Request::Open { action: Action::TakeOver }]);
    let (alpha, _) = pair.wait(0, "alpha is shown the plan", |status| status.plan_elsewhere.is_some());
    let elsewhere = alpha.plan_elsewhere.expect("it waited for it");
    assert_eq!((elsewhere.node.as_str(), elsewhere.number), ("beta", plan.number));
    assert_eq!(elsewhere.title, format!("{}, opened by {}", plan.title, plan.by));
    let mut plan = *plan;
    (plan.number, plan.checked_ms, plan.expires_ms) = (47, 1_000, 118_000);
    for line in &mut plan.rests_on {
        line.text = answered(&line.text);
        if let Some((_, rest)) = line.text.split_once(" is attached to ") {
            line.text = format!("ops3 is attached to {rest}");
        }
    }
    // How long plant-control takes to start is measured.
    let about = |text: &mut String, known: &str| {
        if let Some((before, _)) = text.split_once("about ").filter(|(_, rest)| rest.starts_with(char::is_numeric)) {
            *text = format!("{before}about {known}");
        }
    };
    plan.steps.iter_mut().for_each(|step| about(step, "1 s"));
    about(&mut plan.nobody_acts, "6 s.");
    state.on_reply(Reply::Plan(Box::new(plan)), NOW);
    state
}

/// Both act, and then the paths come back.
fn two_that_meet_again(stops: Stops) -> Option<(Network, Group)> {
    if !require(Part::NetworkNamespaces) {
        return None;
    }
    let network = Network::direct(1);
    let mut pair = network.group(&format!("{QUICK}{}", processes(stops)));
    pair.start_all();
    // Long enough that how they began is no part of how they parted.
    healthy(&pair);
    pair.wait(0, "alpha runs it", |status| status.serving && status.processes[0].pid.is_some());
    network.pull(0);
    let down = |status: &Status| status.links.iter().all(|link| link.state != LinkState::Up);
    pair.wait(1, "beta is Primary too, and runs it", |status| {
        status.serving && down(status) && status.processes[0].pid.is_some()
    });
    pair.wait(0, "alpha hears nothing", |status| status.peers[0].gone.is_some() && down(status));
    network.plug(0);
    Some((network, pair))
}

/// Both acted, and it is over: who gave way, and who goes on.
fn two_that_acted() -> Option<(Status, Status)> {
    let (_network, pair) = two_that_meet_again(Stops::AtOnce)?;
    let over = |status: &Status| {
        status.two_acted.as_ref().is_some_and(|two| two.over_for_ms.is_some())
            && status.links.iter().all(|link| link.state == LinkState::Up)
            && status.peers[0].gone.is_none()
            && status.takeover.ready
            && status.alarms.len() == 1
            && status.processes[1].pid.is_some()
            && status.peers[0].processes.iter().any(|process| process.name == "plant-control")
    };
    let stands = |status: &Status, here, there| {
        let own = status.processes.iter().map(|process| (process.name.as_str(), process.state));
        let theirs = status.peers[0].processes.iter().map(|process| (process.name.as_str(), process.state));
        let told: Vec<ProcessState> =
            own.chain(theirs).filter(|one| one.0 == "plant-control").map(|one| one.1).collect();
        told == [here, there]
    };
    let (alpha, _) = pair
        .wait(0, "alpha gave way", |status| over(status) && stands(status, ProcessState::Waits, ProcessState::Running));
    let (beta, _) = pair
        .wait(1, "beta goes on", |status| over(status) && stands(status, ProcessState::Running, ProcessState::Waits));
    Some((alpha, beta))
}

/// Screen 2 as drawn: the one with the lower term stops, and what it runs takes its time. Where it departs: each knows only
/// its own part, so the lengths are "at most", and the events and steps are the journal's own words.
#[test]
fn n12_drawn_screen_2_two_act_and_one_is_stopping() {
    let Some((_network, pair)) = two_that_meet_again(Stops::WhenKilled) else { return };
    let act = |status: &Status| {
        status.judgement == Judgement::TwoAct
            && status.two_acted.as_ref().is_some_and(|two| two.over_for_ms.is_none())
            && status.links.iter().all(|link| link.state == LinkState::Up)
            && status.alarms.iter().map(|alarm| alarm.class).eq([AlarmClass::Alarm])
    };
    let (mut alpha, mut beta) = (pair.watch(0), pair.watch(1));
    let (alpha, _) = alpha.until(PATIENCE, "alpha stops", |status| {
        let stops = status.processes.iter().any(|process| process.state == ProcessState::Stopping);
        let acts = |one: &PeerProcess| one.name == "plant-control" && one.state == ProcessState::Running;
        stops && act(status) && status.peers[0].processes.iter().any(acts)
    });
    let (beta, _) = beta.until(PATIENCE, "beta sees it stop", |status| {
        let theirs = &status.peers[0].processes;
        let stops = theirs.iter().any(|process| process.state == ProcessState::Stopping);
        stops && act(status)
    });
    for status in [&alpha, &beta] {
        assert_eq!((status.mode, status.peers[0].mode), (Mode::Primary, Some(Mode::Primary)));
    }
    insta::assert_snapshot!("two_act_on_the_one_that_stops", picture(&screen("alpha", set_what_runs_alike(alpha))));
    insta::assert_snapshot!("two_act_on_the_one_that_goes_on", picture(&screen("beta", set_what_runs_alike(beta))));
}

#[test]
fn n12_drawn_screen_2_two_primaries_seen_when_the_link_heals() {
    let Some((alpha, beta)) = two_that_acted() else { return };
    for status in [&alpha, &beta] {
        let two = status.two_acted.as_ref().expect("it is told");
        assert_eq!((two.stops.name.as_str(), two.goes_on.name.as_str()), ("alpha", "beta"));
        assert!(two.at_most_ms < 20_000, "no longer than the cable was out: {two:?}");
        let warned = status.alarms.iter().find(|alarm| alarm.id == "two_acted").expect("a warning stands");
        assert_eq!((warned.class, warned.seen.is_some()), (AlarmClass::Warning, false));
    }
    // Each knows its own beginning only.
    let since = |status: &Status| {
        let two = status.two_acted.clone().expect("it is told");
        (two.stops.since.is_some(), two.goes_on.since.is_some())
    };
    assert_eq!((since(&alpha), since(&beta)), ((true, false), (false, true)));
    insta::assert_snapshot!(
        "two_primaries_on_the_one_that_gave_way",
        picture(&screen("alpha", set_what_runs_alike(alpha)))
    );
    insta::assert_snapshot!(
        "two_primaries_on_the_one_that_goes_on",
        picture(&screen("beta", set_what_runs_alike(beta)))
    );
}
