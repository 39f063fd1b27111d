//! Answers `GET /metrics`, on a thread with a runtime of its own.
//!
//! Nothing that a client does reaches the controller's loop but the question for a status, and that at most four times
//! a second: one task asks, and all who come meanwhile get the same answer. Connections are few, short and bounded in
//! time; who comes beyond that waits in the system's queue.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::control::status::Status;
use crate::control::to_node::ToNode;

use super::{Format, text};

/// Connections at a time: a few servers and a person.
const CONNECTIONS: usize = 8;
/// A connection is over after this, however slow its client reads.
const CONNECTION_TIME: Duration = Duration::from_secs(10);
/// The header of a request must be there within this.
const HEADER_TIME: Duration = Duration::from_secs(5);
/// The most bytes of a request that are kept; hyper takes no less.
const REQUEST_BYTES: usize = 8 << 10;
/// The node is not asked more often than this.
const FRESH_FOR: Duration = Duration::from_millis(250);
/// After this long without an answer, the node is said not to answer.
const NODE_TIME: Duration = Duration::from_secs(2);

/// Why metrics cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be had.
    #[error(
        "metrics cannot be served on {listen}: {source}; write another address in metrics.listen, or \"\" for none"
    )]
    Listen {
        /// `metrics.listen`.
        listen: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The thread or its runtime cannot be made.
    #[error("the thread that serves metrics cannot be started: {source}")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

/// The server of one controller's metrics.
#[derive(Debug)]
pub struct Server {
    stop: CancellationToken,
    ended: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

type Asks = mpsc::Sender<oneshot::Sender<Arc<Status>>>;

impl Server {
    /// Listens on `listen` from now on, and asks the node over `to_node`.
    ///
    /// # Errors
    ///
    /// The address cannot be had, or no thread.
    pub fn start(listen: SocketAddr, to_node: mpsc::Sender<ToNode>) -> Result<Server, ServerError> {
        let listener = std::net::TcpListener::bind(listen)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|source| ServerError::Listen { listen, source })?;
        let thread_error = |source| ServerError::Thread { source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(thread_error)?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let (ending, ended) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    match TcpListener::from_std(listener) {
                        Ok(listener) => {
                            // Tasks of connections end with the set that this drops.
                            let serving = serve(listener, to_node);
                            tokio::select! { () = stopped.cancelled() => {}, () = serving => {} }
                        }
                        Err(error) => tracing::error!(%error, "metrics are not served"),
                    }
                });
                // Nobody may wait any more.
                let _ = ending.send(());
            })
            .map_err(thread_error)?;
        Ok(Server { stop, ended, thread })
    }

    /// Ends, with all connections, and frees the address.
    pub async fn shutdown(self) {
        self.stop.cancel();
        // A thread that panicked has dropped its end; either way it is over now, and the join does not block.
        let _ = self.ended.await;
        if self.thread.join().is_err() {
            tracing::error!("the thread that served metrics ended badly");
        }
    }
}

async fn serve(listener: TcpListener, to_node: mpsc::Sender<ToNode>) {
    let (asks, asked) = mpsc::channel(CONNECTIONS);
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let mut tasks = JoinSet::new();
    tasks.spawn(ask_the_node(asked, to_node));
    loop {
        while tasks.try_join_next().is_some() {}
        // Closed never: this holds it.
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let asks = asks.clone();
                tasks.spawn(async move {
                    // Too slow, or gone: nothing to do about either.
                    let _ = timeout(CONNECTION_TIME, connection(stream, asks)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: the next try would fail at once too.
                tracing::warn!(%error, "a connection for metrics could not be taken");
                tokio::time::sleep(FRESH_FOR).await;
            }
        }
    }
}

/// Asks the node for its status, at most every [`FRESH_FOR`], for all who want to know.
async fn ask_the_node(mut asked: mpsc::Receiver<oneshot::Sender<Arc<Status>>>, to_node: mpsc::Sender<ToNode>) {
    let mut last: Option<(Instant, Arc<Status>)> = None;
    while let Some(who) = asked.recv().await {
        if last.as_ref().is_none_or(|(since, _)| since.elapsed() >= FRESH_FOR) {
            let (reply, answer) = oneshot::channel();
            let question = async {
                to_node.send(ToNode::Status(reply)).await.ok()?;
                answer.await.ok()
            };
            last = timeout(NODE_TIME, question).await.ok().flatten().map(|status| (Instant::now(), status));
        }
        // Without a status the place for the answer is dropped, which says so.
        if let Some((_, status)) = &last {
            let _ = who.send(Arc::clone(status));
        }
    }
}

async fn connection(stream: TcpStream, asks: Asks) -> Result<(), hyper::Error> {
    let service = service_fn(move |request: Request<Incoming>| {
        let asks = asks.clone();
        async move { Ok::<_, Infallible>(answer(&request, asks).await) }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(REQUEST_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn answer(request: &Request<Incoming>, asks: Asks) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return plain(StatusCode::NOT_FOUND, "tandem's metrics are at /metrics\n");
    }
    // HEAD is a GET whose body hyper leaves out.
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let (reply, status) = oneshot::channel();
    let asked = asks.send(reply).await.is_ok();
    let status = if asked { status.await.ok() } else { None };
    let Some(status) = status else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "the controller does not answer\n");
    };
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::for_client(accept);
    response(StatusCode::OK, format.content_type(), text(&status, format))
}

fn plain(code: StatusCode, said: &str) -> Response<Full<Bytes>> {
    response(code, "text/plain; charset=utf-8", said.to_owned())
}

fn response(code: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
