//! One client with several connections, on a bad network and with a thief around.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::flow::{Browser, Client, Tokens};
use crate::http::{Reply, Request};

/// What the lanes share.
pub(crate) struct Scene {
    pub(crate) client: Client,
    /// Another client, which proves who it is.
    pub(crate) stranger: Client,
    /// Where the person is signed in.
    pub(crate) browser: Mutex<Browser>,
    /// Refreshes still to be made.
    pub(crate) left: AtomicU64,
}

/// What happened how often.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) refreshes: u64,
    /// Answers that nobody read.
    pub(crate) lost: u64,
    /// Requests that ended in the middle.
    pub(crate) cut: u64,
    /// Retries of a lost one after other connections had their turns.
    pub(crate) late: u64,
    pub(crate) parallel: u64,
    /// The token before the one shown last, from a neighbour that was slower.
    pub(crate) overlapping: u64,
    pub(crate) strangers: u64,
    pub(crate) thefts: u64,
    pub(crate) replays: u64,
    pub(crate) replays_answered: u64,
    pub(crate) revoked: u64,
    /// Refusals to an honest client whose connection nobody stole or ended.
    pub(crate) signed_out: u64,
}

impl Seen {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            refreshes: self.refreshes + other.refreshes,
            lost: self.lost + other.lost,
            cut: self.cut + other.cut,
            late: self.late + other.late,
            parallel: self.parallel + other.parallel,
            overlapping: self.overlapping + other.overlapping,
            strangers: self.strangers + other.strangers,
            thefts: self.thefts + other.thefts,
            replays: self.replays + other.replays,
            replays_answered: self.replays_answered + other.replays_answered,
            revoked: self.revoked + other.revoked,
            signed_out: self.signed_out + other.signed_out,
        }
    }
}

/// Tokens of an ended connection that are tried: who is refused too often is told to wait (RFC 6585 §4).
const MOST_SHOWN: usize = 4;

/// One grant as its client knows it: every token it was given, the newest last.
struct Connection {
    tokens: Vec<String>,
    /// The last answer was lost.
    lost: bool,
}

/// One client.
pub(crate) struct Lane<'a> {
    scene: &'a Scene,
    connections: Vec<Connection>,
    seen: Seen,
    chance: u64,
}

impl<'a> Lane<'a> {
    /// Of each lane, all the time.
    pub(crate) const CONNECTIONS: u64 = 4;

    pub(crate) fn new(scene: &'a Scene, number: u64) -> Self {
        let connections = (0..Self::CONNECTIONS).map(|_| connect(scene)).collect();
        Self {
            scene,
            connections,
            seen: Seen::default(),
            chance: 0x9e37_79b9_7f4a_7c15 ^ (number << 17),
        }
    }

    /// Goes from connection to connection until all refreshes were made.
    pub(crate) fn run(mut self) -> Seen {
        for turn in 0.. {
            let left = self.scene.left.load(Ordering::Relaxed);
            if left == 0 {
                break;
            }
            let before = self.seen.refreshes;
            self.step(turn % self.connections.len());
            let made = self.seen.refreshes - before;
            let _ = self
                .scene
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    Some(left.saturating_sub(made))
                });
        }
        self.seen
    }

    /// xorshift64.
    fn below(&mut self, end: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % end
    }

    fn step(&mut self, at: usize) {
        let known = self.connections[at].tokens.len();
        match self.below(96) {
            0..=15 => self.lose(at),
            16..=23 => self.cut(at),
            24..=39 => self.at_once(at),
            40..=47 => self.overlap(at),
            48 | 49 => self.stranger(at),
            50 if known > 3 => self.theft(at),
            51 if known > 1 => self.revocation(at),
            _ => drop(self.refresh(at)),
        }
    }

    fn newest(&self, at: usize) -> String {
        let newest = self.connections[at].tokens.last();
        newest.expect("it connected").clone()
    }

    /// What an honest client makes of an answer.
    fn take(&mut self, at: usize, reply: &Reply) -> Option<String> {
        self.seen.refreshes += 1;
        if reply.status != 200 {
            self.seen.signed_out += 1;
            tell(&format!("signed out: {reply:?}"));
            self.connections[at] = connect(self.scene);
            return None;
        }
        self.seen.late += u64::from(std::mem::take(&mut self.connections[at].lost));
        Some(Tokens::of(reply).refresh)
    }

    fn refresh(&mut self, at: usize) -> Option<String> {
        let reply = self.scene.client.refresh(&self.newest(at));
        let next = self.take(at, &reply)?;
        self.connections[at].tokens.push(next.clone());
        Some(next)
    }

    /// The request goes out whole, and nobody reads the answer.
    fn lose(&mut self, at: usize) {
        let bytes = bytes(&self.scene.client, &self.newest(at));
        let mut stream = dial(self.scene.client.port);
        stream.write_all(&bytes).expect("it reads");
        if self.below(2) == 0 {
            // The first byte of the answer: it was decided. The rest is lost.
            let _ = stream.read(&mut [0]);
        }
        let _ = stream.shutdown(Shutdown::Both);
        self.seen.refreshes += 1;
        self.seen.lost += 1;
        self.connections[at].lost = true;
    }

    /// The request itself breaks off.
    fn cut(&mut self, at: usize) {
        let bytes = bytes(&self.scene.client, &self.newest(at));
        let end = self.below(bytes.len() as u64) as usize;
        let mut stream = dial(self.scene.client.port);
        let _ = stream.write_all(&bytes[..end]);
        let _ = stream.shutdown(Shutdown::Both);
        self.seen.cut += 1;
        self.connections[at].lost = true;
    }

    /// Three windows of one client notice the same end of an access token.
    fn at_once(&mut self, at: usize) {
        let (client, token) = (&self.scene.client, self.newest(at));
        let replies: Vec<Reply> = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| client.refresh(&token)))
                .collect();
            let replies = asked.into_iter().map(|reply| reply.join());
            replies.map(|reply| reply.expect("an answer")).collect()
        });
        self.seen.parallel += 1;
        let successors: Vec<_> = replies
            .iter()
            .filter_map(|reply| self.take(at, reply))
            .collect();
        let Some(first) = successors.first() else {
            return;
        };
        assert!(
            successors.iter().all(|other| other == first),
            "two successors"
        );
        self.connections[at].tokens.push(first.clone());
    }

    /// A window has gone on while the request of another one was under way.
    fn overlap(&mut self, at: usize) {
        let slow = self.newest(at);
        let Some(successor) = self.refresh(at) else {
            return;
        };
        if self.refresh(at).is_none() {
            return;
        }
        let reply = self.scene.client.refresh(&slow);
        if let Some(again) = self.take(at, &reply) {
            assert_eq!(again, successor, "the same successor");
        }
        self.seen.overlapping += 1;
    }

    /// Another client has got hold of the newest token: it gets nothing, and nothing changes.
    fn stranger(&mut self, at: usize) {
        let reply = self.scene.stranger.refresh(&self.newest(at));
        assert_eq!(reply.status, 400, "{reply:?}");
        self.seen.strangers += 1;
        self.refresh(at);
    }

    /// A thief shows what was spent two generations ago or earlier, sometimes while the client refreshes.
    fn theft(&mut self, at: usize) {
        // From a certain state: the newest two generations are known to have been shown.
        if self.refresh(at).is_none() {
            return;
        }
        let tokens = self.connections[at].tokens.clone();
        let (spent, living) = tokens.split_at(tokens.len() - 2);
        let stolen = &spent[self.below(spent.len() as u64 - 1) as usize];
        let client = &self.scene.client;
        let first = if self.below(2) == 0 {
            client.refresh(stolen)
        } else {
            std::thread::scope(|scope| {
                let thief = scope.spawn(|| client.refresh(stolen));
                // Before or after the replay: it is over in any case.
                client.refresh(&living[1]);
                thief.join().expect("an answer")
            })
        };
        self.seen.thefts += 1;
        self.replayed(&first);
        for token in tokens.iter().rev().take(MOST_SHOWN) {
            let reply = self.scene.client.refresh(token);
            self.replayed(&reply);
        }
        self.connections[at] = connect(self.scene);
    }

    /// The client signs out while its other windows refresh: after that answer no token is good.
    fn revocation(&mut self, at: usize) {
        let (client, token) = (&self.scene.client, self.newest(at));
        let mut tokens = self.connections[at].tokens.clone();
        let raced: Vec<Reply> = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..2)
                .map(|_| scope.spawn(|| client.refresh(&token)))
                .collect();
            let fields = [("token", token.as_str()), ("client_id", &client.id)];
            let reply = Request::form("/oauth/revoke", &fields).send(client.port);
            assert_eq!(reply.status, 200, "{reply:?}");
            let after = client.refresh(&token);
            assert_eq!(after.status, 400, "after the revocation: {after:?}");
            let replies = asked.into_iter().map(|reply| reply.join());
            replies.map(|reply| reply.expect("an answer")).collect()
        });
        let given = raced.iter().filter(|reply| reply.status == 200);
        tokens.extend(given.map(|reply| Tokens::of(reply).refresh));
        for token in tokens.iter().rev().take(MOST_SHOWN) {
            let reply = self.scene.client.refresh(token);
            self.replayed(&reply);
        }
        self.seen.revoked += 1;
        self.connections[at] = connect(self.scene);
    }

    fn replayed(&mut self, reply: &Reply) {
        self.seen.replays += 1;
        if reply.status == 200 {
            self.seen.replays_answered += 1;
            tell(&format!("answered: {reply:?}"));
            return;
        }
        assert_eq!(reply.status, 400, "{reply:?}");
        assert_eq!(reply.value()["error"], "invalid_grant");
    }
}

/// A new connection of the person who is signed in.
fn connect(scene: &Scene) -> Connection {
    let mut browser = scene.browser.lock().expect("nobody panics with it");
    let page = browser.open(&scene.client.authorize_with(&[]));
    let redirect = browser.allow(&page);
    drop(browser);
    Connection {
        tokens: vec![scene.client.redeem(&redirect).refresh],
        lost: false,
    }
}

fn dial(port: u16) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens")
}

/// The request as it goes over the wire.
fn bytes(client: &Client, token: &str) -> Vec<u8> {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "refresh_token")
        .append_pair("refresh_token", token)
        .append_pair("client_id", &client.id)
        .finish();
    format!(
        "POST /oauth/token HTTP/1.1\r\nhost: localhost:{}\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        client.port,
        body.len()
    )
    .into_bytes()
}

/// For whoever reads why a count is not what it should be.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
