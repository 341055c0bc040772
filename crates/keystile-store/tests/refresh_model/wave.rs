//! Many lives in one database, which crashes now and then.

use std::fs;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use keystile_domain::ids::{GrantId, PersonId, TransactionId};
use keystile_domain::ports::{Clients, Grants, People, Rng};
use keystile_domain::records::{CodeProof, Presented, Rotated, Taken};
use keystile_domain::secrets::code::AuthorizationCode;
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use keystile_protocol::pkce::CodeChallenge;
use keystile_store::Store;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::actors::{Actors, BIRTH, Cast, begins_with_tokens};
use crate::dice::Dice;
use crate::rule::{Act, CODE, IDLE, Seen};

/// Turns in each life. In each, up to four acts run beside each other.
const TURNS: usize = 7;
const RESOURCE: &str = "http://localhost:7717/notes/mcp";
const REDIRECT: &str = "http://127.0.0.1:40001/callback";

/// What was played.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) lives: u64,
    pub(crate) acts: u64,
    pub(crate) answered: u64,
    /// Families that died of a replay.
    pub(crate) died: u64,
    /// Families that were over in the end, for whatever reason.
    pub(crate) ended: u64,
    pub(crate) crashes: u64,
    /// Acts whose answer went down in a crash.
    pub(crate) unanswered: u64,
}

impl Tally {
    pub(crate) fn and(mut self, other: Self) -> Self {
        let add = |to: &mut u64, more: u64| to.add_assign(more);
        add(&mut self.lives, other.lives);
        add(&mut self.acts, other.acts);
        add(&mut self.answered, other.answered);
        add(&mut self.died, other.died);
        add(&mut self.ended, other.ended);
        add(&mut self.crashes, other.crashes);
        add(&mut self.unanswered, other.unanswered);
        self
    }
}

struct Counting(AtomicU64);

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let next = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (to, from) in bytes.iter_mut().rev().zip(next.iter().rev()) {
            *to = *from;
        }
    }
}

/// A database in which every grant is about to begin its life; each wave plays on a copy.
pub(crate) struct Template {
    folder: TempDir,
    grants: Vec<(GrantId, PersonId)>,
}

impl Template {
    pub(crate) fn new(lives: usize) -> Self {
        let folder = folder();
        let rng = Counting(AtomicU64::new(1));
        let born = Timestamp(BIRTH);
        let id = |_| (GrantId::new(born, &rng), PersonId::new(born, &rng));
        let grants: Vec<_> = (0..lives).map(id).collect();
        runtime().block_on(async {
            let path = database(folder.path());
            let store = Store::open(&path, born).await.expect("the real parts work");
            store.close().await;
            let mut connection = connect(&path).await;
            let mut all = connection.begin().await.expect("the real parts work");
            for (number, (grant, person)) in grants.iter().enumerate() {
                let person = person.to_string();
                sqlx::query("INSERT INTO people VALUES ($1, $1, $1, 'none', $2, NULL)")
                    .bind(&person)
                    .bind(BIRTH)
                    .execute(&mut *all)
                    .await
                    .expect("the real parts work");
                let redeemed = begins_with_tokens(number);
                sqlx::query(
                    "INSERT INTO grants (id, transaction_id, person_id, client_id, client_name,
                         resource, scopes, created_at, expires_at, activated_at, presented,
                         code, code_redirect_uri, code_challenge, code_expires_at)
                     VALUES ($1, $2, $3, $4, 'Editor', $5, 'notes:call', $6, $7, $8, 0,
                         $9, $10, $11, $12)",
                )
                .bind(grant.to_string())
                .bind(TransactionId::new(born, &rng).to_string())
                .bind(&person)
                .bind(client(number))
                .bind(RESOURCE)
                .bind(BIRTH)
                .bind(BIRTH + IDLE)
                .bind(redeemed.then_some(BIRTH))
                .bind(Digest::of(&client(number)).as_bytes().as_slice())
                .bind(REDIRECT)
                .bind([7_u8; 32].as_slice())
                .bind(BIRTH + CODE)
                .execute(&mut *all)
                .await
                .expect("the real parts work");
            }
            all.commit().await.expect("the real parts work");
            connection.close().await.expect("the real parts work");
        });
        Self { folder, grants }
    }
}

impl Template {
    /// A store on a copy of its own, and the folder that it lives in.
    pub(crate) async fn store(&self) -> (Store, TempDir) {
        let folder = folder();
        let path = database(folder.path());
        fs::copy(database(self.folder.path()), &path).expect("the real parts work");
        let store = Store::open(&path, Timestamp(BIRTH))
            .await
            .expect("the real parts work");
        (store, folder)
    }

    /// The redemption of the code of the grant of this number.
    pub(crate) fn proof(&self, number: usize) -> CodeProof {
        let (grant, _) = self.grants[number];
        let digest = Digest::of(&client(number));
        CodeProof {
            code: AuthorizationCode { grant, digest },
            client_id: client(number),
            client_proved: false,
            redirect_uri: Some(REDIRECT.to_owned()),
            challenge: CodeChallenge::from_bytes([7; 32]),
            resource: Some(RESOURCE.to_owned()),
        }
    }
}

/// In memory where there is such a place: what a crash of the machine leaves is not the subject.
fn folder() -> TempDir {
    TempDir::new_in("/dev/shm")
        .or_else(|_| TempDir::new())
        .expect("the real parts work")
}

fn database(folder: &Path) -> PathBuf {
    folder.join("keystile.db")
}

/// Its client, and the text of its code.
fn client(number: usize) -> String {
    format!("editor {number}")
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    options.connect().await.expect("the real parts work")
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the real parts work")
}

/// Plays one wave; panics with the story of the first life that leaves the rule.
pub(crate) fn play(template: &Template, cast: Cast, seed: u64) -> Tally {
    let folder = folder();
    let path = database(folder.path());
    fs::copy(database(template.folder.path()), &path).expect("the real parts work");
    let mut dice = Dice::new(seed.wrapping_add(1) << 32);
    let life = |number| Actors::new(cast, number, (seed << 20) + number as u64);
    let mut lives: Vec<Actors> = (0..template.grants.len()).map(life).collect();
    let mut tally = Tally {
        lives: lives.len() as u64,
        ..Tally::default()
    };
    let mut process = runtime();
    let mut store = open(&process, &path);
    for _ in 0..TURNS {
        let acts = acts(&mut lives);
        let crash = dice.one_in(3).then(|| dice.below(acts.len()));
        let asked = process.block_on(ask(&store, template, &lives, &acts, crash));
        if crash.is_some() {
            // No more than the operating system does for a process that was killed: what it had
            // handed to SQLite ends, the rest never was.
            drop(store);
            drop(process);
            until_nobody_has(&path);
            process = runtime();
            store = open(&process, &path);
            tally.crashes += 1;
        } else if dice.one_in(4) {
            process.block_on(store.close());
            store = open(&process, &path);
        }
        tell(&mut lives, &acts, &asked, &mut tally);
    }
    process.block_on(async {
        store.close().await;
        settle(template, &path, &lives, &mut tally).await;
    });
    tally
}

fn open(process: &Runtime, path: &Path) -> Store {
    process
        .block_on(Store::open(path, Timestamp(BIRTH)))
        .expect("the real parts work")
}

/// What everybody does in this turn: all of it is under way at once.
fn acts(lives: &mut [Actors]) -> Vec<(usize, Act)> {
    let mut acts = Vec::new();
    for (number, life) in lives.iter_mut().enumerate() {
        acts.extend(life.next().into_iter().map(|act| (number, act)));
    }
    acts
}

/// The answers, in the order of the acts. With `enough`, everything stops when so many are there.
async fn ask(
    store: &Store,
    template: &Template,
    lives: &[Actors],
    acts: &[(usize, Act)],
    enough: Option<usize>,
) -> Vec<Option<Seen>> {
    let mut seen = vec![None; acts.len()];
    let mut asking: FuturesUnordered<_> = acts
        .iter()
        .enumerate()
        .map(async |(place, (number, act))| {
            let now = Timestamp(lives[*number].now);
            (place, done(store, template, *number, *act, now).await)
        })
        .collect();
    let mut answers = 0;
    while enough.is_none_or(|enough| answers < enough) {
        let Some((place, answer)) = asking.next().await else {
            break;
        };
        seen[place] = Some(answer);
        answers += 1;
    }
    seen
}

async fn done(store: &Store, template: &Template, number: usize, act: Act, now: Timestamp) -> Seen {
    let (grant, person) = template.grants[number];
    let client_id = |own: bool| {
        if own {
            client(number)
        } else {
            "stranger".to_owned()
        }
    };
    match act {
        Act::Redeem { own } => {
            let proof = CodeProof {
                client_id: client_id(own),
                client_proved: false,
                ..template.proof(number)
            };
            match store.take(proof, now).await.expect("the real parts work") {
                Taken::First(_) => Seen::Redeemed,
                Taken::Again(_) => Seen::CodeReplayed,
                Taken::NoMatch(_) | Taken::AgainWrongly(..) => Seen::Refused,
            }
        }
        Act::Show { generation, own } => {
            let presented = Presented {
                grant,
                generation,
                client_id: client_id(own),
                client_proved: false,
                resource: None,
                expires_at: Timestamp(now.0 + IDLE),
            };
            match store
                .rotate(presented, now)
                .await
                .expect("the real parts work")
            {
                Rotated::Successor(_) => Seen::Answered,
                Rotated::Reused => Seen::Died,
                Rotated::Refused(_) => Seen::Refused,
            }
        }
        Act::Revoke => Seen::Did(
            store
                .revoke(grant, "by_person", now)
                .await
                .expect("the real parts work"),
        ),
        Act::DisablePerson => {
            let alive = People::disable(store, person, now)
                .await
                .expect("the real parts work");
            Seen::Did(alive.expect("there is this person") > 0)
        }
        Act::EnablePerson => Seen::Did(
            People::enable(store, person)
                .await
                .expect("the real parts work"),
        ),
        Act::DisableClient => Seen::Did(
            Clients::disable(store, &client(number), now)
                .await
                .expect("the real parts work"),
        ),
        Act::EnableClient => Seen::Did(
            Clients::enable(store, &client(number))
                .await
                .expect("the real parts work"),
        ),
    }
}

/// SQLite's threads end by themselves once their handles are gone; what they were doing is over when
/// the file is closed.
fn until_nobody_has(path: &Path) {
    let open =
        |entry: &fs::DirEntry| fs::read_link(entry.path()).is_ok_and(|target| target == path);
    while fs::read_dir("/proc/self/fd")
        .expect("the real parts work")
        .flatten()
        .any(|entry| open(&entry))
    {
        std::thread::yield_now();
    }
}

fn tell(lives: &mut [Actors], acts: &[(usize, Act)], asked: &[Option<Seen>], tally: &mut Tally) {
    let mut rest = acts.iter().zip(asked).peekable();
    while let Some(((number, _), _)) = rest.peek().copied() {
        let mut seen = Vec::new();
        while let Some(((_, act), answer)) = rest.next_if(|((other, _), _)| other == number) {
            seen.push((*act, *answer));
        }
        tally.acts += seen.len() as u64;
        for (_, answer) in &seen {
            match answer {
                Some(Seen::Answered) => tally.answered += 1,
                Some(Seen::Died) => tally.died += 1,
                Some(_) => {}
                None => tally.unanswered += 1,
            }
        }
        lives[*number].see(seen);
    }
}

async fn settle(template: &Template, path: &Path, lives: &[Actors], tally: &mut Tally) {
    type Row = (String, i64, bool, i64, Option<String>);
    let mut connection = connect(path).await;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, presented, activated_at IS NOT NULL, expires_at, revoked_why FROM grants
         ORDER BY id",
    )
    .fetch_all(&mut connection)
    .await
    .expect("the real parts work");
    assert_eq!(rows.len(), lives.len());
    for ((id, presented, redeemed, ends_at, ended), (grant, life)) in rows
        .into_iter()
        .zip(template.grants.iter().map(|(grant, _)| grant).zip(lives))
    {
        assert_eq!(id, grant.to_string());
        tally.ended += u64::from(ended.is_some());
        life.settle(&(presented, redeemed, ends_at, ended));
    }
    connection.close().await.expect("the real parts work");
}
