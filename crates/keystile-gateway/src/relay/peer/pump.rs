//! What the server says, brought to whoever waits for it.

use std::sync::Arc;

use keystile_protocol::{mcp::method, mutation::weakened};
use tokio::{sync::mpsc, time::Instant};

use super::{Event, Inbound, Incoming, Peer, Shared, Taken};
use crate::{
    era::{
        json::Node,
        message::{Kind, Message},
    },
    relay::{Failure, Received},
};

impl Shared {
    pub(super) fn fail(&self, failure: Failure) {
        let waiting = {
            let mut state = self.state.lock();
            state.failure.get_or_insert_with(|| failure.clone());
            std::mem::take(&mut state.waiting)
        };
        for (_, waiting) in waiting {
            if let Some(answer) = waiting.answer.filter(|_| !weakened("a_157")) {
                let _ = answer.send(Err(failure.clone()));
            }
        }
        self.ended.cancel();
    }

    fn answered(&self, id: &str, text: String) {
        let waiting = Node::root(id)
            .string()
            .and_then(|id| self.state.lock().waiting.remove(&*id));
        let Some(waiting) = waiting else {
            tracing::debug!("the server answered what nobody waits for");
            return;
        };
        self.state.lock().used = Instant::now();
        if let Some(answer) = waiting.answer {
            let _ = answer.send(Ok(text));
        }
    }

    fn failed(&self, id: &str, failure: Failure) {
        let waiting = self.state.lock().waiting.remove(id);
        if let Some(answer) = waiting.and_then(|waiting| waiting.answer) {
            let _ = answer.send(Err(failure));
        }
    }

    /// Progress goes to the call that asked for it, under the client's token.
    fn progress(&self, message: Message<'_>) {
        let token = message
            .params()
            .and_then(|params| params.member("progressToken"));
        let Some((node, id)) = token.and_then(|node| Some((node, node.string()?))) else {
            return;
        };
        let state = self.state.lock();
        let Some(waiting) = state.waiting.get(&*id) else {
            return;
        };
        if let Some(token) = &waiting.token {
            let event = Event::Message(message.with(node, token));
            if waiting.events.give(event) == Taken::Full {
                self.unread(message);
            }
        }
    }

    /// Its client does not read.
    fn unread(&self, message: Message<'_>) {
        let why = "its client does not read what comes";
        self.strange.tell(message.root.text().as_bytes(), &why);
    }

    /// Waits for the clients that are behind. One whose server waits for what it asked is not expected to read.
    async fn make_room(&self) {
        let behind = || {
            let state = self.state.lock();
            let mut waiting = state.waiting.values().filter(|waiting| !waiting.parked);
            waiting.find_map(|waiting| waiting.events.is_behind())
        };
        while let Some(behind) = behind() {
            behind.wait().await;
        }
    }
}

pub(super) async fn pump(
    shared: std::sync::Weak<Shared>,
    mut inbox: mpsc::Receiver<Received>,
    inbound: Arc<dyn Inbound>,
) {
    let mut failure = Failure::Closed;
    while let Some(received) = inbox.recv().await {
        let Some(shared) = shared.upgrade() else {
            break;
        };
        let (text, about) = match received {
            Received::Message { text, about } => (text, about),
            Received::Failed { id, failure } => {
                shared.failed(&id, failure);
                continue;
            }
            Received::Ended(why) => {
                failure = why;
                break;
            }
        };
        shared.make_room().await;
        let message = Message::of(&text);
        let peer = Peer { shared };
        match message.kind() {
            Some(Kind::Response { id }) => {
                let id = id.to_owned();
                peer.shared.answered(&id, text);
            }
            Some(Kind::Notification { method })
                if !method::is_notification_of_servers(&method) && !weakened("a_113e") =>
            {
                peer.tell_strange(&text, &"a notification that no server sends");
            }
            Some(Kind::Notification { method }) if method == "notifications/progress" => {
                peer.shared.progress(message);
            }
            Some(Kind::Notification { method }) => {
                inbound.notification(
                    &peer,
                    Incoming {
                        text: &text,
                        method: &method,
                        id: None,
                        about,
                    },
                );
            }
            Some(Kind::Request { id, method })
                if !method::is_request_of_servers(&method) && !weakened("a_113g") =>
            {
                peer.tell_strange(&text, &"a request that no server sends");
                peer.decline(id, "no client answers this");
            }
            Some(Kind::Request { id, method }) => {
                inbound.request(
                    &peer,
                    Incoming {
                        text: &text,
                        method: &method,
                        id: Some(id),
                        about,
                    },
                );
            }
            None => tracing::debug!("the server sent an error that answers nothing"),
        }
    }
    if let Some(shared) = shared.upgrade() {
        shared.fail(failure);
    }
    inbound.ended();
}
