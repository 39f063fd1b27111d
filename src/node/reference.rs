//! The reference addresses: whether any of them answers, asked whenever the negotiation wants to know (S1).
//!
//! A connection is an answer, and so is its refusal: either way the machine at that address has spoken, over the network
//! that this member would serve. What it says is of no interest, so nothing is sent. Nothing here decides anything.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use crate::negotiation::time::Instant;

/// The negotiation asks one question at a time; an answer that nobody has taken yet leaves room for the next.
const ANSWERS: usize = 2;

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceAnswer {
    /// The question's.
    pub asked_at: Instant,
    /// Whether any of the addresses answered.
    pub answered: bool,
}

/// The addresses, and the question that is under way.
pub struct Reference {
    targets: Vec<SocketAddr>,
    answers: mpsc::Sender<ReferenceAnswer>,
    asking: Option<JoinHandle<()>>,
}

impl Reference {
    /// The addresses of `targets`, each `tcp://address:port`, as the configuration has looked at them; and where the
    /// answers come out.
    pub fn new(targets: &[String]) -> (Reference, mpsc::Receiver<ReferenceAnswer>) {
        let (answers, received) = mpsc::channel(ANSWERS);
        let address = |target: &String| target.strip_prefix("tcp://")?.parse().ok();
        (Reference { targets: targets.iter().filter_map(address).collect(), answers, asking: None }, received)
    }

    /// Asks all of them at once; the answer comes at the latest when `within` is over. Must be called on a tokio runtime.
    pub fn ask(&mut self, asked_at: Instant, within: Duration) {
        if let Some(before) = self.asking.take() {
            // Answered by now, for the negotiation asks one question at a time.
            before.abort();
        }
        let (targets, answers) = (self.targets.clone(), self.answers.clone());
        self.asking = Some(tokio::spawn(async move {
            let answered = tokio::time::timeout(within, any_answers(targets)).await.unwrap_or(false);
            // Nobody listens once the controller ends.
            let _ = answers.send(ReferenceAnswer { asked_at, answered }).await;
        }));
    }

    /// Ends what is under way.
    pub async fn shutdown(self) {
        if let Some(asking) = self.asking {
            asking.abort();
            // It was ended, or had come to its end.
            let _ = asking.await;
        }
    }
}

async fn any_answers(targets: Vec<SocketAddr>) -> bool {
    // Whatever is left is ended with the set.
    let mut asked: JoinSet<bool> = targets.into_iter().map(answers).collect();
    while let Some(answered) = asked.join_next().await {
        if answered.unwrap_or(false) {
            return true;
        }
    }
    false
}

async fn answers(target: SocketAddr) -> bool {
    match TcpStream::connect(target).await {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use socket2::{Domain, Socket, Type};

    use super::*;

    /// A listener whose queue is full, so that the system leaves whoever calls without an answer, as a machine does that
    /// is not there; its target, and what keeps it so.
    fn silent() -> (String, Socket, Vec<std::net::TcpStream>) {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
        listener.listen(0).expect("a short queue");
        let address = listener.local_addr().expect("its address").as_socket().expect("an IP address");
        let call = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
        let waiting = std::iter::from_fn(call).take(16).collect();
        (format!("tcp://{address}"), listener, waiting)
    }

    fn ask(targets: &[String], within: Duration) -> ReferenceAnswer {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (mut reference, mut answers) = Reference::new(targets);
            reference.ask(Instant(7), within);
            let answer = answers.recv().await.expect("every question is answered");
            reference.shutdown().await;
            answer
        })
    }

    fn asked(answered: bool) -> ReferenceAnswer {
        ReferenceAnswer { asked_at: Instant(7), answered }
    }

    #[test]
    fn s1_a_connection_is_an_answer_and_a_refusal_too() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let open = format!("tcp://{}", listener.local_addr().expect("its address"));
        let soon = Duration::from_secs(20);
        let (nowhere, ..) = &silent();
        assert_eq!(ask(&[nowhere.clone(), open.clone()], soon), asked(true));
        drop(listener);
        assert_eq!(ask(&[nowhere.clone(), open], soon), asked(true), "refused");
    }

    #[test]
    fn s1_where_nobody_answers_it_is_said_when_the_time_is_over() {
        let (nowhere, ..) = &silent();
        assert_eq!(ask(std::slice::from_ref(nowhere), Duration::from_millis(50)), asked(false));
        assert_eq!(ask(&[], Duration::from_secs(20)), asked(false));
    }
}
