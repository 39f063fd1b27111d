//! A session without a socket, as the screen of `run` has it; the test plays the node.

use super::*;
use crate::control::examples::{ops, secondary};
use crate::control::fake_node::status;
use crate::control::request::Outcome;

struct House {
    requests: mpsc::Sender<Request>,
    replies: mpsc::Receiver<Reply>,
    node: mpsc::Receiver<ToNode>,
    stop: CancellationToken,
    session: tokio::task::JoinHandle<SessionEnd>,
}

fn house() -> House {
    house_of(ops())
}

/// With `who` before the screen.
fn house_of(who: Who) -> House {
    let (requests, to_session) = mpsc::channel(QUEUE);
    let (from_session, replies) = mpsc::channel(2);
    let (to_node, node) = mpsc::channel(2);
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let identity = Identity {
        node: "beta".to_owned(),
        group: "substation-7".to_owned(),
        version: "1.0.0".to_owned(),
        state_directory: "/var/lib/tandem/beta".to_owned(),
    };
    let session =
        tokio::spawn(async move { serve_session(to_session, from_session, who, &identity, to_node, stopped).await });
    House { requests, replies, node, stop, session }
}

fn test(body: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let limit = Duration::from_secs(20);
    runtime.block_on(async { tokio::time::timeout(limit, body).await.expect("it ends in time") });
}

async fn confirm(house: &mut House) -> oneshot::Sender<Result<Outcome, String>> {
    house.requests.send(Request::Confirm { plan: 47, force: None }).await.expect("open");
    match house.node.recv().await {
        Some(ToNode::Confirm { plan: 47, reply, .. }) => reply,
        other => panic!("{other:?}"),
    }
}

#[test]
fn statuses_go_on_while_an_outcome_is_waited_for() {
    test(async {
        let mut house = house();
        assert!(matches!(house.replies.recv().await, Some(Reply::Hello(_))));
        let (statuses, watched) = watch::channel(status(&secondary(), 0));
        house.requests.send(Request::Watch { screen: None }).await.expect("open");
        let Some(ToNode::Watch { reply, .. }) = house.node.recv().await else { panic!("a watch") };
        reply.send(Watching { statuses: watched, screen: None }).expect("waited for");
        assert!(matches!(house.replies.recv().await, Some(Reply::Status(_))));
        let outcome = confirm(&mut house).await;
        for since in 1..=3 {
            statuses.send_replace(status(&secondary(), since));
            assert!(matches!(house.replies.recv().await, Some(Reply::Status(status)) if status.since_ms == since));
        }
        outcome.send(Ok(Outcome::Done { text: "done".to_owned() })).expect("waited for");
        assert!(matches!(house.replies.recv().await, Some(Reply::Outcome(_))));
    });
}

#[test]
fn the_outcome_is_still_told_when_the_engine_ends() {
    test(async {
        let mut house = house();
        let outcome = confirm(&mut house).await;
        house.stop.cancel();
        outcome.send(Ok(Outcome::Done { text: "beta has stopped".to_owned() })).expect("waited for");
        assert!(matches!(house.replies.recv().await, Some(Reply::Hello(_))));
        assert!(matches!(house.replies.recv().await, Some(Reply::Outcome(_))));
        assert_eq!(house.session.await.expect("no panic"), SessionEnd::Stopped);
    });
}

#[test]
fn requests_are_answered_in_their_order() {
    test(async {
        let mut house = house();
        house.requests.send(Request::Seen).await.expect("open");
        house.requests.send(Request::Abandon { plan: 1 }).await.expect("open");
        let Some(ToNode::Seen { reply, .. }) = house.node.recv().await else { panic!("the first") };
        assert!(house.node.try_recv().is_err(), "the second waits for the first");
        reply.send(Ok(())).expect("waited for");
        let Some(ToNode::Abandon { reply, .. }) = house.node.recv().await else { panic!("the second") };
        reply.send(Err("it has ended".to_owned())).expect("waited for");
        assert!(matches!(house.replies.recv().await, Some(Reply::Hello(_))));
        assert_eq!(house.replies.recv().await, Some(Reply::Done));
        assert_eq!(house.replies.recv().await, Some(Reply::Refused { why: "it has ended".to_owned() }));
        drop(house.requests);
        assert_eq!(house.session.await.expect("no panic"), SessionEnd::ClientGone);
    });
}

#[test]
fn u10_who_may_only_watch_cannot_have_the_configuration_read_again() {
    test(async {
        let mut house = house_of(crate::control::examples::guest());
        house.requests.send(Request::Reload).await.expect("open");
        assert!(matches!(house.replies.recv().await, Some(Reply::Hello(_))));
        assert!(matches!(house.replies.recv().await, Some(Reply::Refused { .. })));
        assert!(house.node.try_recv().is_err(), "the node was asked");
    });
}

#[test]
fn a_node_that_ends_ends_the_session() {
    test(async {
        let House { requests, node, session, replies, .. } = house();
        drop(node);
        requests.send(Request::Status).await.expect("open");
        assert_eq!(session.await.expect("no panic"), SessionEnd::NodeGone);
        drop(replies);
    });
}
