//! The demo's relay: the cables between the members, which can be cut and slowed (U9).
//!
//! Every member calls the others through it ([`crate::link::detour`]). A cable belongs to a member, and what goes from
//! one member to another goes through both their cables. A cut cable is silent: what was sent waits, as in a TCP
//! connection of which every packet is lost, and no close and no refusal gets through; both ends lose a connection
//! that stays silent, as a system loses one whose packets nobody acknowledges. It runs on a thread of its own in the
//! janitor's process.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::link::detour::{self, LONGEST_LINE, REACHED, REFUSED};
use crate::ui::faults::Cable;

/// What a slow cable adds each way. Both ways together it stays below the time that opening a connection may take.
pub const SLOW: Duration = Duration::from_millis(150);
/// How long a connection outlives a cut: what members of the demo wait for an acknowledgement (`reply_timeout`).
const OUTLIVES: Duration = Duration::from_secs(3);
/// Pieces that may be under way in one direction; then the sender waits, as for a full pipe.
const UNDER_WAY: usize = 64;
/// How long the second direction of a connection may go on when the first has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The relay. Dropping it ends it and its connections.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    cables: watch::Sender<Vec<Cable>>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Starts it between the members on these addresses, every cable whole.
    ///
    /// # Errors
    ///
    /// There is no port or no thread to be had.
    pub fn start(members: Vec<SocketAddr>) -> anyhow::Result<Relay> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port for the relay")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the relay's runtime cannot be made")?;
        let (cables, seen) = watch::channel(vec![Cable::Whole; members.len()]);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("relay".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = stopped.cancelled() => {}
                        () = accept(listener, members.into(), seen) => {}
                    }
                });
            })
            .context("the relay's thread cannot be started")?;
        Ok(Relay { address, cables, stop, thread: Some(thread) })
    }

    /// Where members call it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes a member's cable, counted from the lowest address.
    pub fn set(&self, member: usize, cable: Cable) {
        self.cables.send_modify(|cables| cables[member] = cable);
    }

    /// A member's cable.
    pub fn cable(&self, member: usize) -> Cable {
        self.cables.borrow()[member]
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // It has no result; a panic in it was told on standard error.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, members: Arc<[SocketAddr]>, cables: watch::Receiver<Vec<Cable>>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((caller, _)) => {
                    connections.spawn(serve(caller, members.clone(), cables.clone()));
                }
                // Out of descriptors: wait for some to be freed instead of spinning.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The way from one member to another, through both their cables.
#[derive(Debug, Clone)]
struct Way {
    ends: [usize; 2],
    cables: watch::Receiver<Vec<Cable>>,
}

impl Way {
    fn is(&self) -> Cable {
        worse(self.ends, &self.cables.borrow())
    }

    /// Waits until neither cable is cut.
    async fn whole(&mut self) {
        let ends = self.ends;
        // An error says that the relay ends, and this with it.
        let _ = self.cables.wait_for(|cables| worse(ends, cables) != Cable::Cut).await;
    }

    /// Waits until a cable has been cut for so long that no connection has outlived it.
    async fn dead(mut self) {
        let ends = self.ends;
        loop {
            // An error says that the relay ends, and this with it.
            let _ = self.cables.wait_for(|cables| worse(ends, cables) == Cable::Cut).await;
            if timeout(OUTLIVES, self.whole()).await.is_err() {
                return;
            }
        }
    }
}

fn worse(ends: [usize; 2], cables: &[Cable]) -> Cable {
    cables[ends[0]].max(cables[ends[1]])
}

/// One call. An error is the end of one side; dropping the streams tells the other.
async fn serve(
    mut caller: TcpStream,
    members: Arc<[SocketAddr]>,
    cables: watch::Receiver<Vec<Cable>>,
) -> io::Result<()> {
    caller.set_nodelay(true)?;
    let mut line = String::new();
    while !line.ends_with('\n') && (line.len() as u64) < LONGEST_LINE {
        line.push(char::from(caller.read_u8().await?));
    }
    let strange = || io::Error::from(io::ErrorKind::InvalidData);
    let (from, target) = detour::asked(&line).ok_or_else(strange)?;
    let to = members.iter().position(|member| *member == target).ok_or_else(strange)?;
    if from.index() >= members.len() {
        return Err(strange());
    }
    let mut way = Way { ends: [from.index(), to], cables };
    // A caller that says more before it is answered has broken the rules; one that leaves has given up.
    tokio::select! {
        () = way.whole() => {}
        _ = caller.read_u8() => return Ok(()),
    }
    let mut called = match TcpStream::connect(target).await {
        Ok(called) => called,
        Err(_) => return caller.write_all(&[REFUSED]).await,
    };
    called.set_nodelay(true)?;
    caller.write_all(&[REACHED]).await?;
    if let Ended::ByTheCut = converse(&mut caller, &mut called, way).await {
        for stream in [&caller, &called] {
            SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
        }
    }
    Ok(())
}

/// How a connection ended.
enum Ended {
    /// One side closed it.
    ByItself,
    /// Its cable was cut for too long.
    ByTheCut,
}

async fn converse(caller: &mut TcpStream, called: &mut TcpStream, way: Way) -> Ended {
    let (caller_reads, caller_writes) = caller.split();
    let (called_reads, called_writes) = called.split();
    let mut there = std::pin::pin!(pass(caller_reads, called_writes, way.clone()));
    let mut back = std::pin::pin!(pass(called_reads, caller_writes, way.clone()));
    // When one direction has ended, what is under way in the other still arrives; then the connection is closed.
    tokio::select! {
        () = &mut there => drop(timeout(LAST_WORDS, back).await),
        () = &mut back => drop(timeout(LAST_WORDS, there).await),
        () = way.dead() => return Ended::ByTheCut,
    }
    Ended::ByItself
}

/// One direction, in order, each piece as late as the way was slow when it came; the end is passed on like a piece.
async fn pass(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut way: Way) {
    let (put, mut got) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let seen = way.clone();
    let reads = async move {
        let mut bytes = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            let late = match seen.is() {
                Cable::Slow => SLOW,
                Cable::Whole | Cable::Cut => Duration::ZERO,
            };
            if put.send((Instant::now() + late, bytes[..count].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let writes = async move {
        while let Some((due, bytes)) = got.recv().await {
            sleep_until(due).await;
            way.whole().await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        way.whole().await;
        // It has gone already, else: the end was wanted.
        let _ = to.shutdown().await;
    };
    let mut reads = std::pin::pin!(reads);
    let mut writes = std::pin::pin!(writes);
    tokio::select! {
        () = &mut reads => writes.await,
        () = &mut writes => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    use super::*;
    use crate::negotiation::member::MemberId;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Two listening members and a relay between them.
    fn rig() -> (Relay, Vec<TcpListener>) {
        let members: Vec<TcpListener> =
            (0..2).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port")).collect();
        let addresses = members.iter().map(|member| member.local_addr().expect("an address")).collect();
        (Relay::start(addresses).expect("a relay"), members)
    }

    fn call(relay: &Relay, target: SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(relay.address()).expect("the relay");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream.write_all(detour::ask(MemberId(1), target).as_bytes()).expect("asked");
        stream
    }

    fn byte(stream: &mut TcpStream) -> u8 {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a byte");
        byte[0]
    }

    #[test]
    fn u9_a_cut_cable_is_silent_and_a_mended_one_delivers_what_waited() {
        let (relay, members) = rig();
        let target = members[0].local_addr().expect("an address");
        let mut caller = call(&relay, target);
        let (mut called, _) = members[0].accept().expect("called");
        assert_eq!(byte(&mut caller), REACHED);
        relay.set(0, Cable::Cut);
        caller.write_all(b"x").expect("sent");
        called.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
        assert!(called.read(&mut [0]).is_err(), "nothing comes through a cut cable");
        let mut late = call(&relay, target);
        late.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
        assert!(late.read(&mut [0]).is_err(), "nobody answers through a cut cable");
        relay.set(0, Cable::Whole);
        called.set_read_timeout(Some(PATIENCE)).expect("set");
        assert_eq!(byte(&mut called), b'x');
    }

    #[test]
    fn u9_a_slow_cable_delivers_later_and_in_order() {
        let (relay, members) = rig();
        relay.set(1, Cable::Slow);
        let mut caller = call(&relay, members[0].local_addr().expect("an address"));
        let (mut called, _) = members[0].accept().expect("called");
        assert_eq!(byte(&mut caller), REACHED);
        let sent = Instant::now();
        caller.write_all(b"ab").expect("sent");
        called.set_read_timeout(Some(PATIENCE)).expect("set");
        assert_eq!([byte(&mut called), byte(&mut called)], *b"ab");
        assert!(sent.elapsed() >= SLOW, "{:?}", sent.elapsed());
    }

    #[test]
    fn u9_a_refusal_and_an_end_come_through() {
        let (relay, mut members) = rig();
        let mut caller = call(&relay, members[0].local_addr().expect("an address"));
        drop(members[0].accept().expect("called"));
        assert_eq!(byte(&mut caller), REACHED);
        assert_eq!(caller.read(&mut [0]).expect("an end"), 0);
        let gone = members.remove(0).local_addr().expect("an address");
        assert_eq!(byte(&mut call(&relay, gone)), REFUSED);
    }
}
