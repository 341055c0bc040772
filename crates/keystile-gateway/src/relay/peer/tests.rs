use std::sync::Arc;

use async_trait::async_trait;
use keystile_domain::ports::Rng;
use tokio::sync::mpsc;

use super::{CallFacts, Inbound, Incoming, NotCalled, Peer};
use crate::{
    era::message::Message,
    relay::{Failure, Link, Outgoing, Received, Strange, Wire},
};

/// A pipe that broke.
struct Broken;

#[async_trait]
impl Link for Broken {
    async fn send(&self, _: Outgoing) -> Result<(), Failure> {
        Err(Failure::Closed)
    }

    fn try_send(&self, _: Outgoing) -> bool {
        false
    }

    async fn close(&self) {}
}

struct Deaf;

impl Inbound for Deaf {
    fn request(&self, _: &Peer, _: Incoming<'_>) {}
    fn notification(&self, _: &Peer, _: Incoming<'_>) {}
}

struct Zeros;

impl Rng for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

fn peer() -> (Peer, mpsc::Sender<Received>) {
    let (server, inbox) = mpsc::channel(1);
    let wire = Wire {
        link: Arc::new(Broken),
        inbox,
        strange: Arc::new(Strange::of("kb")),
    };
    (Peer::start(wire, Arc::new(Deaf), &Zeros), server)
}

async fn call(peer: &Peer) -> Failure {
    let request = Message::of(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    match peer.call(request, CallFacts::default()).await {
        Err(NotCalled::Failed(failure)) => failure,
        Err(NotCalled::Duplicate) | Ok(_) => panic!("nothing can be called"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_pipe_that_broke_waits_for_the_reason_of_its_end() {
    let (peer, server) = peer();
    let why = Failure::ExitedAtOnce("exit status: 3".into());
    let (told, ()) = tokio::join!(call(&peer), async {
        // The call has failed to be sent by now, and the child is still being waited for.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        server.send(Received::Ended(why.clone())).await.unwrap();
    });
    assert_eq!(told, why);
    assert_eq!(call(&peer).await, why);
}

#[tokio::test(start_paused = true)]
async fn a_pipe_that_broke_for_no_known_reason_is_closed() {
    let (peer, _server) = peer();
    assert_eq!(call(&peer).await, Failure::Closed);
}
