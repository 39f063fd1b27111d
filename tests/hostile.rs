//! A running pair under attack: garbage, wrong keys, strangers, floods, replays, and members that are set up
//! differently. Each is refused, counted and journalled, and costs the pair neither a role, nor a term, nor memory, nor
//! its failover.

#[path = "support/group.rs"]
mod group;
#[path = "support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use group::{Group, PATIENCE};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use support::reference::Reference;
use support::wait_until;
use tandem::control::status::{Mode, Status};
use tandem::journal::Entry;

/// Quick questions. The silence that counts is the usual one: no test here waits for it often, and a busy machine is
/// silent for a second.
const QUICK: &str = "[negotiation]\nquery_interval = \"100ms\"\nreply_timeout = \"3s\"\n";

/// What an attack may cost in memory.
const GROWTH: u64 = 4 * 1024;

/// A settled pair and what it was like before the attack.
struct Victim {
    pair: Group,
    /// Memory of both, in KiB.
    memory: [u64; 2],
}

impl Victim {
    fn new() -> Victim {
        Victim::of(Group::new(2, QUICK))
    }

    fn of(mut pair: Group) -> Victim {
        pair.start_all();
        assert_eq!(pair.settle(), 0);
        let beta_knows = |status: &Status| !status.peers[0].replies.is_empty();
        pair.wait(1, "beta has asked", beta_knows);
        let memory = [0, 1].map(|member| resident(&mut pair, member));
        Victim { pair, memory }
    }

    fn address(&self, member: usize) -> SocketAddr {
        self.pair.addresses[member]
    }

    /// Waits until `member` has counted and journalled a refusal of `kind`.
    fn refused(&self, member: usize, kind: &str) {
        self.pair.wait(member, &format!("{kind} was counted"), |status| count(status, kind) > 0);
        wait_until(PATIENCE, &format!("{kind} was journalled"), || {
            let is_it = |entry: &Entry| matches!(entry, Entry::Rejected { what, .. } if what == kind);
            self.pair.journal(member).iter().any(|record| is_it(&record.entry))
        });
    }

    /// Roles and terms are what they were, and memory nearly so.
    fn unharmed(&mut self) {
        // One more exchange after the attack: what it did to the negotiation would show.
        let asked = |status: &Status| status.peers[0].replies.first().map_or(0, |reply| reply.query);
        let before = asked(&self.pair.status(1));
        let (beta, _) = self.pair.wait(1, "three further queries", |status| asked(status) >= before + 3);
        let alpha = self.pair.status(0);
        assert_eq!((alpha.mode, alpha.term), (Mode::Primary, 1), "{:?}", alpha.reason);
        assert_eq!((beta.mode, beta.term), (Mode::Secondary, 1), "{:?}", beta.reason);
        for member in 0..2 {
            let (was, is) = (self.memory[member], resident(&mut self.pair, member));
            assert!(is < was + GROWTH, "member {member} grew from {was} to {is} KiB");
        }
    }

    /// Unharmed, and beta replaces a killed alpha as quickly as ever.
    fn goes_on(mut self) {
        self.unharmed();
        let mut beta = self.pair.watch(1);
        let reference = Reference::start();
        let killed = Instant::now();
        self.pair.kill(0);
        let (status, at) = beta.until(PATIENCE, "beta is Primary", |status| status.mode == Mode::Primary);
        reference.within(at - killed, Duration::from_secs(3), "the takeover");
        assert_eq!(status.term, 2);
    }
}

fn count(status: &Status, kind: &str) -> u64 {
    status.rejected.iter().filter(|rejected| rejected.kind == kind).map(|rejected| rejected.count).sum()
}

/// What a member holds in memory of its own, in KiB. Pages of its program come and go as the machine likes.
fn resident(pair: &mut Group, member: usize) -> u64 {
    let pid = pair.running(member).pid();
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux says it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&to, PATIENCE).expect("it accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    stream
}

/// Sends `bytes` and waits until the other side closes. What it says before is of no matter here.
fn shout(to: SocketAddr, bytes: &[u8]) {
    let mut stream = connect(to);
    // It may close before everything is sent; that too is an end.
    if stream.write_all(bytes).is_ok() && stream.shutdown(Shutdown::Write).is_ok() {
        drop(stream.read_to_end(&mut Vec::new()));
    }
}

/// A second machine with the same key that believes to be of the group: `member` of these addresses, started with its
/// configuration changed by `change`.
fn impostor(victim: &Victim, member: usize, addresses: &[SocketAddr], change: impl FnOnce(String) -> String) -> Group {
    let mut other = Group::at(addresses.iter().map(|address| vec![*address]).collect(), QUICK);
    let key = |group: &Group| group.folder().join("group.key");
    std::fs::copy(key(&victim.pair), key(&other)).expect("the key can be copied");
    other.change_config(member, change);
    other.start(member);
    other
}

#[test]
fn s8_garbage_is_refused_and_costs_nothing() {
    let victim = Victim::new();
    for member in 0..2 {
        let to = victim.address(member);
        // A frame that says nothing of this protocol, one cut short, an empty one, and none at all.
        shout(to, b"\x00\x00\x00\x10sixteen bytes of");
        shout(to, b"\x00\x00\x00\x10short");
        shout(to, b"\x00\x00\x00\x00");
        shout(to, b"");
        victim.refused(member, "garbage");
    }
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..200 {
        let mut bytes = [0; 256];
        for byte in &mut bytes {
            // xorshift: the same noise every time.
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            *byte = seed.to_be_bytes()[3];
        }
        // Half of them as the one frame that fits.
        let head = if bytes[9].is_multiple_of(2) { [0, 0, 0, 252] } else { *b"GET " };
        bytes[..4].copy_from_slice(&head);
        shout(victim.address(0), &bytes);
    }
    victim.goes_on();
}

#[test]
fn n13_a_frame_over_the_limit_is_refused_before_its_content() {
    let victim = Victim::new();
    for length in [4113_u32, 1 << 24, u32::MAX] {
        for _ in 0..20 {
            let mut stream = connect(victim.address(0));
            stream.write_all(&length.to_be_bytes()).expect("it listens");
            // Closed although nothing of the content was sent.
            drop(stream.read_to_end(&mut Vec::new()));
        }
    }
    victim.refused(0, "too_long");
    victim.goes_on();
}

#[test]
fn s8_a_member_with_another_key_is_refused_and_named_in_an_alarm() {
    let victim = Victim::new();
    let own = support::addresses(1)[0];
    // With the key that its own configuration made.
    let mut other = Group::at(vec![vec![victim.address(0)], vec![own]], QUICK);
    other.start(1);
    victim.refused(0, "wrong_key");
    victim.pair.wait(0, "the alarm", |status| status.alarms.iter().any(|alarm| alarm.id == "wrong_key"));
    victim.goes_on();
}

#[test]
fn n13_a_member_of_another_group_is_refused() {
    let victim = Victim::new();
    let own = support::addresses(1)[0];
    let _other =
        impostor(&victim, 1, &[victim.address(0), own], |text| text.replace("group = \"test\"", "group = \"another\""));
    victim.refused(0, "wrong_group");
    victim.goes_on();
}

#[test]
fn s8_a_stranger_with_the_key_is_refused() {
    let victim = Victim::new();
    let own = support::addresses(1)[0];
    // It calls itself gamma, which neither alpha nor beta has in its list.
    let _other = impostor(&victim, 2, &[victim.address(0), victim.address(1), own], |text| text);
    victim.refused(0, "stranger");
    victim.refused(1, "stranger");
    victim.goes_on();
}

#[test]
fn s8_a_member_that_speaks_plain_text_is_refused() {
    let victim = Victim::new();
    let own = support::addresses(1)[0];
    let _other = impostor(&victim, 1, &[victim.address(0), own], |text| {
        text.replace("key_file = \"group.key\"", "mode = \"none\"")
    });
    victim.refused(0, "wrong_security");
    victim.goes_on();
}

#[test]
fn n13_a_second_machine_of_one_name_is_refused_while_the_first_answers() {
    let victim = Victim::new();
    let own = support::addresses(1)[0];
    let second = impostor(&victim, 1, &[victim.address(0), own], |text| text);
    victim.refused(0, "second_instance");
    let told = |text: &str| text.contains("two machines call themselves beta");
    victim.pair.wait(0, "the event", |status| status.events.iter().any(|event| told(&event.text)));
    victim.pair.wait(0, "the alarm", |status| status.alarms.iter().any(|alarm| alarm.id == "second_instance"));
    drop(second);
    victim.goes_on();
}

#[test]
fn n13_when_the_first_of_one_name_is_frozen_the_second_replaces_it() {
    let mut victim = Victim::new();
    victim.pair.signal(1, nix::sys::signal::Signal::SIGSTOP);
    let own = support::addresses(1)[0];
    let second = impostor(&victim, 1, &[victim.address(0), own], |text| text);
    let (beta, _) = second.wait(1, "the second is heard", |status| status.peers[0].mode == Some(Mode::Primary));
    assert_eq!(beta.mode, Mode::Secondary);
    drop(second);
    victim.pair.signal(1, nix::sys::signal::Signal::SIGCONT);
    victim.pair.wait(0, "the first is back", |status| status.peers[0].mode == Some(Mode::Secondary));
    assert_eq!(victim.pair.settle(), 0);
    victim.unharmed();
}

/// Passes one connection on to `to` and keeps what the caller sends.
fn recorder(at: SocketAddr, to: SocketAddr) -> (Arc<Mutex<Vec<u8>>>, JoinHandle<()>) {
    let listener = TcpListener::bind(at).expect("an address of its own");
    let record = Arc::new(Mutex::new(Vec::new()));
    let kept = record.clone();
    let thread = std::thread::spawn(move || {
        let (mut caller, _) = listener.accept().expect("a caller");
        drop(listener);
        let mut callee = TcpStream::connect(to).expect("it accepts");
        let (mut back_from, mut back_to) = (callee.try_clone().expect("a copy"), caller.try_clone().expect("a copy"));
        let back = std::thread::spawn(move || {
            // Either side may end it.
            drop(std::io::copy(&mut back_from, &mut back_to));
            drop(back_to.shutdown(Shutdown::Both));
        });
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = caller.read(&mut bytes) {
            kept.lock().expect("no panic").extend_from_slice(&bytes[..count]);
            if callee.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        drop(callee.shutdown(Shutdown::Both));
        back.join().expect("no panic");
    });
    (record, thread)
}

#[test]
fn s8_a_recorded_handshake_opens_nothing_when_it_is_played_again() {
    let victim = Victim::new();
    let own = support::addresses(2);
    let (record, thread) = recorder(own[0], victim.address(0));
    // A second beta, which is refused at the very end, after a whole and right handshake through the recorder.
    let second = impostor(&victim, 1, &own, |text| text);
    victim.refused(0, "second_instance");
    drop(second);
    thread.join().expect("no panic");
    let record = record.lock().expect("no panic").clone();
    assert!(record.len() > 100, "opening, Noise message and hello: {} bytes", record.len());
    let before = count(&victim.pair.status(0), "second_instance");
    for _ in 0..20 {
        shout(victim.address(0), &record);
    }
    victim.refused(0, "replay");
    assert_eq!(count(&victim.pair.status(0), "second_instance"), before, "no replay got as far as the hello");
    victim.goes_on();
}

#[test]
fn n13_slow_handshakes_are_given_up_and_do_not_keep_a_member_out() {
    let mut victim = Victim::new();
    let mut streams: Vec<TcpStream> = (0..6).map(|_| connect(victim.address(0))).collect();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let to = victim.address(0);
    let thread = std::thread::spawn(move || {
        let frame = b"\x00\x00\x00\x52TNDM\x01\x01";
        let mut at = 0;
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            for stream in &mut streams {
                // A byte now and then; who was thrown out comes back.
                if stream.write_all(&frame[at % frame.len()..][..1]).is_err() {
                    *stream = connect(to);
                }
            }
            at += 1;
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    victim.refused(0, "slow");
    victim.unharmed();
    // A member that comes back gets through.
    assert!(victim.pair.stop(1).success());
    victim.pair.start(1);
    assert_eq!(victim.pair.settle(), 0);
    victim.memory[1] = resident(&mut victim.pair, 1);
    victim.unharmed();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    thread.join().expect("no panic");
    victim.goes_on();
}

#[test]
fn n13_a_flood_of_connections_pushes_out_its_own_and_no_member() {
    let mut victim = Victim::new();
    // The flood's own end of so many connections: some shells allow a program few files unless it asks.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("Linux says it");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("up to this anybody may");
    let flood: Vec<TcpStream> = (0..500).map(|_| connect(victim.address(0))).collect();
    victim.refused(0, "flood");
    victim.unharmed();
    // A member that comes back meanwhile gets through.
    assert!(victim.pair.stop(1).success());
    victim.pair.start(1);
    assert_eq!(victim.pair.settle(), 0);
    drop(flood);
    victim.memory[1] = resident(&mut victim.pair, 1);
    victim.goes_on();
}

#[test]
fn n19_settings_that_differ_are_named_and_the_pair_still_works() {
    let mut pair = Group::new(2, QUICK);
    let third = support::addresses(1)[0];
    pair.change_config(1, |text| {
        text.replace("reply_timeout = \"3s\"", "reply_timeout = \"3500ms\"")
            .replace("[security]", &format!("[[member]]\nname = \"gamma\"\naddresses = [\"{third}\"]\n[security]"))
    });
    let victim = Victim::of(pair);
    for member in 0..2 {
        let (status, _) =
            victim.pair.wait(member, "the differences are known", |status| !status.peers[0].differs.is_empty());
        let differs = &status.peers[0].differs;
        assert!(differs.iter().any(|key| key.contains("member")), "{differs:?}");
        assert!(differs.iter().any(|key| key.contains("reply_timeout")), "{differs:?}");
        let alarm = status.alarms.iter().find(|alarm| alarm.id.starts_with("settings_differ"));
        assert!(alarm.is_some_and(|alarm| alarm.text.contains("reply_timeout")), "{:?}", status.alarms);
    }
    victim.goes_on();
}

#[test]
fn s8_the_key_changes_one_member_at_a_time_and_somebody_always_acts() {
    let mut pair = Group::new(2, QUICK);
    let new = pair.folder().join("new.key").display().to_string();
    assert!(support::output(&["keygen", &new]).status.success());
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let steps = [
        "key_file = \"group.key\"\nalso_accept = [\"new.key\"]",
        "key_file = \"new.key\"\nalso_accept = [\"group.key\"]",
        "key_file = \"new.key\"",
    ];
    for step in steps {
        for member in [1, 0] {
            let other = 1 - member;
            pair.change_config(member, |text| text.replace("key_file = \"group.key\"", step));
            assert!(pair.stop(member).success());
            pair.wait(other, "the other acts", |status| status.mode == Mode::Primary);
            pair.start(member);
            assert_eq!(pair.settle(), other, "it came back as Secondary, over an encrypted link");
            let refused = count(&pair.status(other), "wrong_key") + count(&pair.status(member), "wrong_key");
            assert_eq!(refused, 0, "nobody was shut out at {step:?}");
        }
    }
    assert!(pair.status(0).links.iter().all(|link| link.encrypted));
}
