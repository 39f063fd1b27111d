//! A second C2C implementation, as small as can be, written from PROTOCOL.md alone: it knows no type of the link's codec,
//! only bytes and snow. If it cannot talk to the program, the page or the program is wrong.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use snow::{Builder, StatelessTransportState};
use tandem::link::{LinkEvent, LinkMember, LinkSecurity, LinkSettings, Links, start_on};
use tandem::negotiation::member::MemberId;
use tandem::negotiation::message::{Beacon, Incarnation, Message};
use tandem::negotiation::settings::Agreement;
use tandem::negotiation::term::Term;
use tandem::negotiation::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const KEY: [u8; 32] = [0x42; 32];
const GROUP: &str = "substation-7";
const PATIENCE: Duration = Duration::from_secs(60);
const ALPHA: MemberId = MemberId(0);
const BETA: MemberId = MemberId(1);

const HELLO: u8 = 1;
const REFUSED: u8 = 2;
const PING: u8 = 3;
const PONG: u8 = 4;
const QUERY: u8 = 16;
const BEACON: u8 = 18;

/// The program's side.
struct Real {
    links: Links,
    events: mpsc::Receiver<LinkEvent>,
}

async fn real(me: MemberId, addresses: [SocketAddr; 2], socket: StdListener) -> Real {
    let member = |name: &str, address| LinkMember { name: name.into(), addresses: vec![address] };
    let settings = LinkSettings {
        me,
        members: vec![member("alpha", addresses[0]), member("beta", addresses[1])],
        group: GROUP.into(),
        security: LinkSecurity::Noise { call: KEY, accept: Vec::new() },
        agreement: Agreement {
            members_hash: 1,
            protection: Vec::new(),
            reply_timeout: Duration::from_secs(3),
            lease: Duration::ZERO,
        },
        incarnation: Incarnation(11),
        program_version: "0.1.0".into(),
        query_interval: Duration::from_secs(1),
        reply_timeout: Duration::from_secs(3),
        boot_timeout: Duration::from_secs(10),
        detour: None,
    };
    let (links, events) = start_on(settings, vec![socket]).await.expect("it starts");
    Real { links, events }
}

impl Real {
    async fn until<T>(&mut self, wanted: impl Fn(LinkEvent) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the link runs");
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("the event comes")
    }

    async fn up(&mut self) -> (u64, String) {
        self.until(|event| match event {
            LinkEvent::Up { hello, version, .. } => Some((hello.incarnation.0, version)),
            _ => None,
        })
        .await
    }
}

fn fnv(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(text.len()).expect("short")];
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn opening() -> Vec<u8> {
    let mut bytes = b"TNDM\x01\x01\x00\x01\x00\x01".to_vec();
    bytes.extend_from_slice(&fnv(GROUP.as_bytes()).to_be_bytes());
    bytes
}

fn envelope(kind: u8, number: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 1];
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn hello(name: &str, wanted: &str, incarnation: u64) -> Vec<u8> {
    let mut body = [text(name), text(wanted), text(GROUP), vec![0, 1, 0, 1]].concat();
    for number in [incarnation, 1, 3_000_000_000, 0] {
        body.extend_from_slice(&number.to_be_bytes());
    }
    body.push(0);
    body.extend_from_slice(&text("another program 9"));
    envelope(HELLO, 0, &body)
}

fn beacon(number: u64, term: u64, sent_at: u64) -> Vec<u8> {
    let body = [&term.to_be_bytes()[..], &text("beta"), &sent_at.to_be_bytes()].concat();
    envelope(BEACON, number, &body)
}

/// This side: a stream, and after the handshake two counters and the cipher.
struct Raw {
    stream: TcpStream,
    cipher: Option<StatelessTransportState>,
    sent: u64,
    received: u64,
}

impl Raw {
    fn on(stream: TcpStream) -> Raw {
        Raw { stream, cipher: None, sent: 0, received: 0 }
    }

    async fn write_frame(&mut self, content: &[u8]) {
        let length = u32::try_from(content.len()).expect("short").to_be_bytes();
        self.stream.write_all(&[&length[..], content].concat()).await.expect("written");
    }

    /// `None`: the other side has closed.
    async fn read_frame(&mut self) -> Option<Vec<u8>> {
        let read = async {
            let mut length = [0; 4];
            self.stream.read_exact(&mut length).await.ok()?;
            let mut content = vec![0; u32::from_be_bytes(length) as usize];
            self.stream.read_exact(&mut content).await.ok()?;
            Some(content)
        };
        tokio::time::timeout(PATIENCE, read).await.expect("a frame or the end comes")
    }

    async fn send(&mut self, plain: &[u8]) {
        let mut sealed = vec![0; plain.len() + 16];
        let cipher = self.cipher.as_ref().expect("after the handshake");
        let length = cipher.write_message(self.sent, plain, &mut sealed).expect("sealed");
        self.sent += 1;
        sealed.truncate(length);
        self.write_frame(&sealed).await;
    }

    async fn receive(&mut self) -> Option<(u8, u64, Vec<u8>)> {
        let sealed = self.read_frame().await?;
        let mut plain = vec![0; sealed.len()];
        let cipher = self.cipher.as_ref().expect("after the handshake");
        let length = cipher.read_message(self.received, &sealed, &mut plain).expect("it opens");
        self.received += 1;
        plain.truncate(length);
        let number = u64::from_be_bytes(plain[2..10].try_into().expect("eight bytes"));
        Some((plain[0], number, plain[10..].to_vec()))
    }

    /// The next frame of this type.
    async fn receive_type(&mut self, wanted: u8) -> (u64, Vec<u8>) {
        loop {
            let (kind, number, body) = self.receive().await.expect("still open");
            if kind == wanted {
                return (number, body);
            }
        }
    }

    /// The caller's half of the handshake, up to the keys.
    async fn call(address: SocketAddr) -> Raw {
        let mut raw = Raw::on(TcpStream::connect(address).await.expect("it listens"));
        let prologue = opening();
        let builder = Builder::new("Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s".parse().expect("known"));
        let builder = builder.psk(0, &KEY).expect("a key").prologue(&prologue).expect("a prologue");
        let mut state = builder.build_initiator().expect("a handshake");
        let mut message = [0; 48];
        assert_eq!(state.write_message(&[], &mut message).expect("written"), 48);
        raw.write_frame(&[&prologue[..], &message].concat()).await;
        let answer = raw.read_frame().await.expect("an opening");
        assert_eq!(answer.len(), 18 + 48);
        assert_eq!(answer[..18], prologue[..], "both openings say the same");
        state.read_message(&answer[18..], &mut [0; 48]).expect("the key");
        raw.cipher = Some(state.into_stateless_transport_mode().expect("done"));
        raw
    }

    /// The listener's half.
    async fn answer(stream: TcpStream) -> Raw {
        let mut raw = Raw::on(stream);
        let first = raw.read_frame().await.expect("an opening");
        let builder = Builder::new("Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s".parse().expect("known"));
        let builder = builder.psk(0, &KEY).expect("a key").prologue(&first[..18]).expect("a prologue");
        let mut state = builder.build_responder().expect("a handshake");
        state.read_message(&first[18..], &mut [0; 48]).expect("the key");
        let mut message = [0; 48];
        assert_eq!(state.write_message(&[], &mut message).expect("written"), 48);
        raw.write_frame(&[&opening()[..], &message].concat()).await;
        raw.cipher = Some(state.into_stateless_transport_mode().expect("done"));
        raw
    }
}

/// Sockets on two addresses, the lower first.
fn sockets() -> ([SocketAddr; 2], StdListener, StdListener) {
    let (low, high) = (StdListener::bind("127.0.0.1:0").unwrap(), StdListener::bind("127.0.0.2:0").unwrap());
    ([low.local_addr().unwrap(), high.local_addr().unwrap()], low, high)
}

/// What a Hello says: name, wanted, group, and the numbers after them.
fn read_hello(body: &[u8]) -> (Vec<String>, &[u8]) {
    let mut rest = body;
    let texts = (0..3).map(|_| {
        let (length, tail) = rest.split_first().expect("a length");
        let (text, tail) = tail.split_at(usize::from(*length));
        rest = tail;
        String::from_utf8(text.to_vec()).expect("UTF-8")
    });
    (texts.collect(), rest)
}

#[tokio::test]
async fn a_caller_written_from_the_page_is_understood() {
    let (addresses, low, _high) = sockets();
    let mut alpha = real(ALPHA, addresses, low).await;
    let mut raw = Raw::call(addresses[0]).await;
    raw.send(&hello("beta", "alpha", 77)).await;
    let (number, said) = raw.receive_type(HELLO).await;
    assert_eq!(number, 0);
    let (names, rest) = read_hello(&said);
    assert_eq!(names, ["alpha", "beta", GROUP]);
    assert_eq!(rest[..4], [0, 1, 0, 1]);
    assert_eq!(rest[4..12], 11_u64.to_be_bytes(), "the incarnation");
    assert_eq!(alpha.up().await, (77, "another program 9".into()));

    // n9: a ping of either side is answered at once.
    let (_, id) = raw.receive_type(PING).await;
    raw.send(&envelope(PONG, 0, &id)).await;
    raw.send(&envelope(PING, 0, &99_u64.to_be_bytes())).await;
    let (_, pong) = raw.receive_type(PONG).await;
    assert_eq!(pong[..8], 99_u64.to_be_bytes());
    assert_eq!(pong.len(), 16);

    // n17: an unknown type, an appended field and a body from the future change nothing.
    raw.send(&envelope(60, 1, b"from a later version")).await;
    raw.send(&[beacon(2, 8, 5), b"appended".to_vec()].concat()).await;
    let message = |event| match event {
        LinkEvent::Message { message, .. } => Some(message),
        _ => None,
    };
    let term = Term { number: 8, owner: BETA };
    let beacon_at = |at| Message::Beacon(Beacon { term, sent_at: Instant(at) });
    assert_eq!(alpha.until(message).await, beacon_at(5));

    // n15: what was heard already, and what was overtaken, does not come again.
    for number in [2, 1, 3] {
        raw.send(&beacon(number, 8, number + 100)).await;
    }
    assert_eq!(alpha.until(message).await, beacon_at(103));

    // And the other way.
    alpha.links.send(BETA, &Message::Beacon(Beacon { term, sent_at: Instant(6) }));
    let (number, body) = raw.receive_type(BEACON).await;
    assert_eq!((number, body), (1, beacon(1, 8, 6)[10..].to_vec()));

    // A missing score is the best one.
    let mut query = [&9_u64.to_be_bytes()[..], &0_u64.to_be_bytes(), &text(""), &1_u64.to_be_bytes()].concat();
    query.extend_from_slice(&[2, 0, 1, 0]);
    raw.send(&envelope(QUERY, 4, &query)).await;
    match alpha.until(message).await {
        Message::Query(query) => assert_eq!((query.id.0, query.score.ten_thousandths()), (9, 10_000)),
        other => panic!("{other:?}"),
    }

    // s8: a frame sent twice does not open under its new number, and ends the connection.
    raw.send(&beacon(5, 8, 1)).await;
    raw.sent -= 1;
    raw.send(&beacon(5, 8, 1)).await;
    while raw.receive().await.is_some() {}
    alpha.until(|event| matches!(event, LinkEvent::Down { .. }).then_some(())).await;
}

#[tokio::test]
async fn a_listener_written_from_the_page_is_understood() {
    let (addresses, low, high) = sockets();
    low.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(low).unwrap();
    let mut beta = real(BETA, addresses, high).await;
    let (stream, from) = listener.accept().await.unwrap();
    assert_eq!(from.ip(), addresses[1].ip(), "it calls from its own address on that network");
    let mut raw = Raw::answer(stream).await;
    let (_, said) = raw.receive_type(HELLO).await;
    assert_eq!(read_hello(&said).0, ["beta", "alpha", GROUP]);
    raw.send(&hello("alpha", "beta", 5)).await;
    assert_eq!(beta.up().await.0, 5);
    raw.send(&beacon(1, 3, 9)).await;
    beta.until(|event| matches!(event, LinkEvent::Message { .. }).then_some(())).await;

    // The end: Bye, then the half-closed socket, then nothing.
    beta.links.send(ALPHA, &Message::Bye);
    let ending = tokio::spawn(beta.links.shutdown());
    raw.receive_type(25).await;
    assert!(raw.receive().await.is_none());
    drop(raw);
    ending.await.unwrap();
}

#[tokio::test]
async fn n13_a_second_instance_is_refused_with_the_documented_bytes() {
    let (addresses, low, _high) = sockets();
    let mut alpha = real(ALPHA, addresses, low).await;
    let mut first = Raw::call(addresses[0]).await;
    first.send(&hello("beta", "alpha", 77)).await;
    alpha.up().await;
    let mut second = Raw::call(addresses[0]).await;
    second.send(&hello("beta", "alpha", 78)).await;
    // The first is asked, and answers.
    first.receive_type(HELLO).await;
    let answering = tokio::spawn(async move {
        while let Some((kind, _, body)) = first.receive().await {
            if kind == PING {
                first.send(&envelope(PONG, 0, &body)).await;
            }
        }
    });
    let (number, refused) = second.receive_type(REFUSED).await;
    assert_eq!((number, refused[0]), (0, 5));
    assert_eq!(&refused[2..], b"two machines call themselves beta");
    assert!(second.receive().await.is_none(), "and it is closed");
    alpha.links.shutdown().await;
    answering.await.unwrap();
}
