//! The master key is rotated while clients are at work: none of them notices (docs/keys.md).
//!
//! Refreshes, sign-ins and registrations run beside each other; each seal tells which key made it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::fake_server::dead;
use super::flow::{Browser, Client, REDIRECT, Tokens};
use super::installation::{Gate, Installation};
use super::{NAME, PASSWORD};

const ROTATIONS: usize = 3;
/// Refresh without a pause; every other one proves who it is with a secret of the first key.
const REFRESHING: usize = 4;
/// Sign in again and again, each with a client of the first key or one that is registered just then.
const SIGNING_IN: usize = 2;
/// So many more answers each of them gets before and after each rotation.
const ANSWERS: u32 = 20;
/// Longer than that takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// One network may register 120 at once.
const REGISTRATIONS: u32 = 50;

/// What the lanes and the operator share.
#[derive(Default)]
struct Work {
    answers: Mutex<BTreeMap<usize, u32>>,
    answered: Condvar,
    /// Rotations that have returned.
    rotations: AtomicUsize,
    stop: AtomicBool,
}

/// One thing that was sealed: how many rotations had returned before it was asked for, and its key.
type Sealed = (usize, String);

/// Ends the work when the test ends, in whatever way.
struct Ending<'a>(&'a Work);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::SeqCst);
    }
}

impl Work {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    /// Asks for something that is sealed, in this lane.
    fn seal(&self, lane: usize, sealed: &mut Vec<Sealed>, ask: impl FnOnce() -> String) -> String {
        let rotations = self.rotations.load(Ordering::SeqCst);
        let text = ask();
        sealed.push((rotations, key_of(&text)));
        let mut answers = self.answers.lock().expect("nobody panics with it");
        *answers.entry(lane).or_default() += 1;
        self.answered.notify_all();
        text
    }

    /// Waits until each lane has got so many answers more.
    fn wait_for_answers(&self) {
        let mut answers = self.answers.lock().expect("nobody panics with it");
        let wanted: Vec<u32> = (0..REFRESHING + SIGNING_IN)
            .map(|lane| answers.get(&lane).copied().unwrap_or_default() + ANSWERS)
            .collect();
        let some_is_behind = |answers: &mut BTreeMap<usize, u32>| {
            let so_far = |lane| answers.get(&lane).copied().unwrap_or_default();
            wanted
                .iter()
                .enumerate()
                .any(|(lane, wanted)| so_far(lane) < *wanted)
        };
        let waited = self
            .answered
            .wait_timeout_while(answers, PATIENCE, some_is_behind);
        let (so_far, waited) = waited.expect("nobody panics with it");
        answers = so_far;
        assert!(!waited.timed_out(), "a lane stands still: {answers:?}");
    }

    fn refreshing(&self, lane: usize, client: &Client, mut token: String) -> Vec<Sealed> {
        let mut sealed = Vec::new();
        while self.goes_on() {
            token = self.seal(lane, &mut sealed, || {
                Tokens::of(&client.refresh(&token)).refresh
            });
        }
        sealed
    }

    fn signing_in(&self, lane: usize, known: &Client, mut browser: Browser) -> Vec<Sealed> {
        let mut sealed = Vec::new();
        for round in 0.. {
            if !self.goes_on() {
                break;
            }
            let mut anew = None;
            if round < REGISTRATIONS {
                self.seal(lane, &mut sealed, || {
                    let method = ["none", "client_secret_basic"][round as usize % 2];
                    let client = Client::register(known.port, &known.resource, method);
                    let id = client.id.clone();
                    anew = Some(client);
                    id
                });
            }
            let client = anew.as_ref().filter(|_| round % 3 > 0).unwrap_or(known);
            self.seal(lane, &mut sealed, || connect(client, &mut browser).refresh);
        }
        sealed
    }
}

/// With a person who is signed in.
fn connect(client: &Client, browser: &mut Browser) -> Tokens {
    let page = browser.open(&client.authorize_with(&[]));
    client.redeem(&browser.allow(&page))
}

fn signed_in(client: &Client) -> Browser {
    let mut browser = Browser::new(client.port);
    let page = browser.open(&client.authorize_with(&[]));
    browser.sign_in(&page, NAME, PASSWORD);
    browser
}

/// The first two bytes of what is sealed name the key, as `key list` writes it.
fn key_of(text: &str) -> String {
    let (_, body) = text.split_once('_').expect("it has a prefix");
    let bytes = URL_SAFE_NO_PAD.decode(&body[..4]).expect("base64url");
    format!("{:02x}{:02x}", bytes[0], bytes[1])
}

fn gate(installation: &Installation) -> Gate {
    installation.add_user(NAME, PASSWORD);
    installation.serve(&["protect", "--name", "notes", &dead()])
}

#[test]
fn a_master_key_is_rotated_under_load_and_no_honest_request_fails() {
    let installation = Installation::new();
    let gate = gate(&installation);
    let resource = gate.text("mcp_url");
    let register = |method: &str| Client::register(gate.port, &resource, method);
    let clients = [register("none"), register("client_secret_basic")];
    let first = key_of(&clients[0].id);
    let mut browser = signed_in(&clients[0]);
    // What is not used until all is over, of a client whose id no key made.
    let words = ["client", "add", "--name", "Desk", "--client-id", "desk"];
    installation.answer(&[&words[..], &["--redirect-uri", REDIRECT]].concat());
    let desk = Client {
        port: gate.port,
        id: "desk".to_owned(),
        secret: None,
        resource: resource.clone(),
    };
    let idle = [0, 1].map(|_| connect(&desk, &mut browser).refresh);

    let work = Work::default();
    let mut keys = vec![first.clone()];
    let sealed: Vec<Sealed> = std::thread::scope(|scope| {
        let ending = Ending(&work);
        let (work, clients) = (&work, &clients);
        let lanes: Vec<_> = (0..REFRESHING + SIGNING_IN)
            .map(|lane| {
                let client = &clients[lane % 2];
                let mut browser = signed_in(client);
                scope.spawn(move || {
                    if lane >= REFRESHING {
                        return work.signing_in(lane, client, browser);
                    }
                    let token = connect(client, &mut browser).refresh;
                    work.refreshing(lane, client, token)
                })
            })
            .collect();
        for rotations in 1..=ROTATIONS {
            work.wait_for_answers();
            // A sign-in that is under way goes on with what the earlier key sealed.
            let page = browser.open(&clients[0].authorize_with(&[]));
            let rotated = installation.answer(&["key", "rotate-master"]);
            work.rotations.store(rotations, Ordering::SeqCst);
            keys.push(rotated["key_id"].as_str().expect("a key").to_owned());
            clients[0].redeem(&browser.allow(&page));
        }
        work.wait_for_answers();
        drop(ending);
        let sealed = lanes.into_iter().map(|lane| lane.join());
        sealed
            .flat_map(|lane| lane.expect("no honest request fails"))
            .collect()
    });

    // Each rotation brought another key, and nothing new came from an earlier one once it returned.
    let at = |key: &String| keys.iter().position(|known| known == key);
    assert_eq!((at(&first), keys.len()), (Some(0), ROTATIONS + 1));
    for (rotations, key) in &sealed {
        let sealed_by = at(key).expect("one of the keys");
        assert!(
            sealed_by >= *rotations,
            "key {sealed_by} after {rotations} rotations"
        );
    }
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(at(key), Some(number), "{keys:?}");
        assert!(
            sealed.iter().any(|(_, by)| by == key),
            "{number} made nothing"
        );
    }
    let listed = installation.answer(&["key", "list"])["master"].clone();
    let listed = listed.as_array().expect("a list").iter();
    let states = listed.map(|key| (key["key_id"].clone(), key["state"].clone()));
    let latest_first = keys.iter().rev().enumerate();
    let states_wanted = latest_first.map(|(back, key)| {
        let state = if back == 0 { "seals" } else { "opens" };
        (key.as_str().into(), state.into())
    });
    assert!(states.eq(states_wanted));

    // The first key opens what it made, until it is forgotten.
    let [token, other] = idle;
    assert_eq!([key_of(&token), key_of(&other)], [first.clone(), first]);
    Tokens::of(&desk.refresh(&token));
    let late = register("client_secret_basic");
    let lates = connect(&late, &mut browser).refresh;
    let forgot = installation.answer(&["key", "rotate-master", "--forget-old"]);
    assert_eq!(forgot["forgotten"], ROTATIONS);
    let refused = desk.refresh(&other);
    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(refused.value()["error"], "invalid_grant");
    let refused = clients[1].refresh(&lates);
    assert_eq!(refused.status, 401, "{refused:?}");
    assert_eq!(refused.value()["error"], "invalid_client");
    let page = browser.open(&clients[0].authorize_with(&[]));
    assert_eq!(page.status, 400, "{page:?}");
    Tokens::of(&late.refresh(&lates));
    gate.stop();
}
