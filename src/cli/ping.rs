//! `ping`: across the C2C link, both ways, printed as `ping` does (N9).

use std::io::Write;
use std::time::Duration;

use serde::Serialize;

use crate::control::client::{ANSWER, Client, ClientError};
use crate::control::request::{Pong, Reply, Request};
use crate::control::words::milliseconds;

use super::args::{Global, PingArgs};
use super::connect::connect_or_say;
use super::exit::Exit;
use super::interrupt::Interrupt;

/// Beyond the interval: the engine waits for an answer at most its reply timeout, which is seldom more than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends the pings and prints what came back; exit 1 when nothing did.
pub fn run(global: &Global, args: &PingArgs) -> anyhow::Result<Exit> {
    let mut client = match connect_or_say(global) {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    let interrupt = Interrupt::catch()?;
    match ping(&mut client, args, &interrupt, &mut std::io::stdout().lock()) {
        Ok(exit) => Ok(exit),
        Err(error) if super::status::is_broken_pipe(&error) => Ok(Exit::Done),
        Err(error) => match error.downcast_ref::<ClientError>() {
            Some(lost) => {
                crate::complain!("tandem: {lost}");
                Ok(Exit::NoController)
            }
            None => Err(error),
        },
    }
}

fn ping(client: &mut Client, args: &PingArgs, interrupt: &Interrupt, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let interval_ms = u64::try_from(args.interval.as_millis()).unwrap_or(u64::MAX);
    client.send(&Request::Ping { peer: args.peer.clone(), count: args.count, interval_ms })?;
    let mut pongs: Vec<Pong> = Vec::new();
    let mut patience = ANSWER;
    // Ctrl-C ends it as `ping` does: with the sum of what was sent until then.
    while let Some(reply) = interrupt.next(client, patience + args.interval)? {
        match reply {
            Reply::Pong(pong) => {
                if !args.json {
                    writeln!(out, "{}", line(&pong))?;
                    out.flush()?;
                }
                pongs.push(pong);
                patience = PATIENCE;
            }
            Reply::PingDone => break,
            Reply::Refused { why } => {
                crate::complain!("tandem: {why}");
                return Ok(Exit::Failed);
            }
            other => anyhow::bail!("the controller answered something else than was asked: {other:?}"),
        }
    }
    let reports = reports(&pongs);
    if args.json {
        serde_json::to_writer(&mut *out, &Document { from: &client.hello.node, peers: &reports })?;
        writeln!(out)?;
    } else {
        for report in &reports {
            write!(out, "{}", report.text())?;
        }
    }
    let lost_all = pongs.is_empty() || reports.iter().any(|report| report.answered == 0);
    Ok(if lost_all { Exit::Failed } else { Exit::Done })
}

fn line(pong: &Pong) -> String {
    let back = pong.reverse_rtt_us.map_or_else(String::new, |us| format!("  the other way {}", milliseconds(us)));
    match (pong.rtt_us, &pong.why) {
        (Some(us), _) => format!("from {}: seq={} time={}{back}", pong.peer, pong.seq, milliseconds(us)),
        (None, Some(why)) => format!("from {}: seq={} no answer: {why}", pong.peer, pong.seq),
        (None, None) => format!("from {}: seq={} no answer", pong.peer, pong.seq),
    }
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    from: &'a str,
    peers: &'a [Report],
}

/// One peer's pings, summed up. Times are microseconds.
#[derive(Debug, PartialEq, Serialize)]
struct Report {
    peer: String,
    sent: usize,
    answered: usize,
    loss_pct: f64,
    rtt_us: Option<Spread>,
    reverse_rtt_us: Option<Spread>,
    pongs: Vec<Pong>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Spread {
    min: u64,
    median: u64,
    max: u64,
}

impl Spread {
    fn of(times: impl Iterator<Item = u64>) -> Option<Spread> {
        let mut times: Vec<u64> = times.collect();
        times.sort_unstable();
        let (min, max) = (*times.first()?, *times.last()?);
        // The middle one; of two in the middle, their mean.
        let (low, high) = (times[(times.len() - 1) / 2], times[times.len() / 2]);
        Some(Spread { min, median: low + (high - low) / 2, max })
    }

    fn text(&self) -> String {
        format!("{} / {} / {}", milliseconds(self.min), milliseconds(self.median), milliseconds(self.max))
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text = format!(
            "--- {} ---\n{} sent, {} answered, {:.0} % loss\n",
            self.peer, self.sent, self.answered, self.loss_pct
        );
        if let Some(spread) = &self.rtt_us {
            text += &format!("there and back  min / median / max = {}\n", spread.text());
        }
        if let Some(spread) = &self.reverse_rtt_us {
            text += &format!("the other way   min / median / max = {}\n", spread.text());
        }
        text
    }
}

/// Sums up, peer by peer, in the order in which they first came.
fn reports(pongs: &[Pong]) -> Vec<Report> {
    let mut names: Vec<&str> = Vec::new();
    for pong in pongs {
        if !names.contains(&pong.peer.as_str()) {
            names.push(&pong.peer);
        }
    }
    let sum = |name: &str| {
        let own: Vec<Pong> = pongs.iter().filter(|pong| pong.peer == name).cloned().collect();
        let answered = own.iter().filter(|pong| pong.rtt_us.is_some()).count();
        Report {
            peer: name.to_owned(),
            sent: own.len(),
            answered,
            loss_pct: 100.0 * (own.len() - answered) as f64 / own.len() as f64,
            rtt_us: Spread::of(own.iter().filter_map(|pong| pong.rtt_us)),
            reverse_rtt_us: Spread::of(own.iter().filter_map(|pong| pong.reverse_rtt_us)),
            pongs: own,
        }
    };
    names.into_iter().map(sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pong(seq: u32, rtt_us: Option<u64>) -> Pong {
        let why = rtt_us.is_none().then(|| "no answer within 3 s".to_owned());
        Pong { peer: "beta".to_owned(), seq, rtt_us, reverse_rtt_us: rtt_us.map(|us| us + 40), why }
    }

    #[test]
    fn n9_pings_are_summed_up_with_loss_and_spread() {
        let pongs = [pong(1, Some(210)), pong(2, None), pong(3, Some(250)), pong(4, Some(1_200))];
        assert_eq!(line(&pongs[0]), "from beta: seq=1 time=0.21 ms  the other way 0.25 ms");
        assert_eq!(line(&pongs[1]), "from beta: seq=2 no answer: no answer within 3 s");
        insta::assert_snapshot!(reports(&pongs)[0].text(), @r"
        --- beta ---
        4 sent, 3 answered, 25 % loss
        there and back  min / median / max = 0.21 ms / 0.25 ms / 1.20 ms
        the other way   min / median / max = 0.25 ms / 0.29 ms / 1.24 ms
        ");
    }

    #[test]
    fn n9_ping_asks_the_controller_and_ends_with_the_sum() {
        let served = crate::control::fake_node::serve(crate::control::examples::secondary());
        let mut client = Client::open(&served.path).expect("it is served");
        let args = PingArgs { peer: None, count: 3, interval: Duration::from_millis(1), json: true };
        let interrupt = Interrupt::catch().expect("caught");
        let mut out = Vec::new();
        assert_eq!(ping(&mut client, &args, &interrupt, &mut out).expect("it answers"), Exit::Done);
        let document: serde_json::Value = serde_json::from_slice(&out).expect("one document");
        assert_eq!(document["peers"][0]["answered"], 3);
        let nobody = PingArgs { peer: Some("nobody".to_owned()), ..args };
        assert_eq!(ping(&mut client, &nobody, &interrupt, &mut Vec::new()).expect("it answers"), Exit::Failed);
    }

    #[test]
    fn the_median_of_two_is_their_mean() {
        assert_eq!(Spread::of([10, 20].into_iter()), Some(Spread { min: 10, median: 15, max: 20 }));
        assert_eq!(Spread::of([].into_iter()), None);
    }
}
