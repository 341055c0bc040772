//! kill -9 in the middle: what was acknowledged is there, what was spent stays spent.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the shared parts may fail like the tests, and the victim acknowledges on stdout"
)]

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use keystile_domain::ids::{GrantId, PersonId, TransactionId};
use keystile_domain::ports::{Grants, People, Rng};
use keystile_domain::records::{
    Approval, Approved, CodeProof, NewPerson, Presented, Rotated, Taken,
};
use keystile_domain::time::Timestamp;
use keystile_protocol::pkce::CodeChallenge;
use keystile_store::Store;
use tempfile::TempDir;

#[path = "shared/code.rs"]
mod code;

use code::code_of;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// After the crash, when no overlap is left.
const LATER: Timestamp = Timestamp(NOW.0 + 40_000);
const CLIENT: &str = "editor";

struct Counting(AtomicU64);

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let next = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (to, from) in bytes.iter_mut().rev().zip(next.iter().rev()) {
            *to = *from;
        }
    }
}

fn proof(code: &str) -> CodeProof {
    CodeProof {
        code: code_of(code),
        client_id: CLIENT.to_owned(),
        client_proved: false,
        redirect_uri: None,
        challenge: CodeChallenge::from_bytes([7; 32]),
        resource: None,
    }
}

fn shown(grant: GrantId, generation: u32) -> Presented {
    let expires_at = Timestamp(NOW.0 + 86_400_000);
    Presented {
        grant,
        generation,
        client_id: CLIENT.to_owned(),
        client_proved: false,
        resource: None,
        expires_at,
    }
}

fn approval(person: PersonId, code: &str, rng: &Counting) -> Approval {
    Approval {
        transaction: TransactionId::new(NOW, rng),
        grant: code_of(code).grant,
        person,
        client_id: CLIENT.to_owned(),
        client_name: "Editor".to_owned(),
        client_proves: false,
        resource: "http://localhost:7717/notes/mcp".to_owned(),
        scopes: "notes:call".parse().unwrap(),
        code: code_of(code).digest,
        redirect_uri: "http://127.0.0.1:40001/callback".to_owned(),
        challenge: CodeChallenge::from_bytes([7; 32]),
        created_at: NOW,
        code_expires_at: Timestamp(NOW.0 + 60_000),
        grant_expires_at: Timestamp(NOW.0 + 86_400_000),
    }
}

/// Sixteen clients at once: a code, its tokens, and some refreshes; each answer is acknowledged.
async fn use_it_until_killed(store: &Store) {
    let process = u64::from(std::process::id());
    let rng = Counting(AtomicU64::new(process << 32));
    let person = PersonId::new(NOW, &rng);
    let name = format!("person {process}");
    let new = NewPerson {
        id: person,
        name,
        password_hash: "none".to_owned(),
        created_at: NOW,
    };
    store.create(new).await.unwrap();
    let lane = async |lane: usize| {
        for turn in 0.. {
            let code = format!("{process}.{lane}.{turn}");
            let approval = approval(person, &code, &rng);
            let grant = approval.grant;
            assert_eq!(store.approve(approval).await.unwrap(), Approved::First);
            println!("\nack approved {code}");
            assert!(matches!(
                store.take(proof(&code), NOW).await.unwrap(),
                Taken::First(_)
            ));
            println!("\nack taken {code}");
            for generation in 1..8 {
                let rotated = store.rotate(shown(grant, generation), NOW).await.unwrap();
                assert!(matches!(rotated, Rotated::Successor(_)));
                println!("\nack rotated {grant} {generation}");
            }
        }
    };
    join_all((0..16).map(lane)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the child of nothing_acknowledged_is_lost_and_nothing_spent_works_twice"]
async fn child_that_serves_until_it_is_killed() {
    let mut folder = String::new();
    std::io::stdin().read_line(&mut folder).unwrap();
    if folder.trim().is_empty() {
        return; // Somebody runs it by hand.
    }
    let store = Store::open(&Path::new(folder.trim()).join("keystile.db"), NOW)
        .await
        .unwrap();
    use_it_until_killed(&store).await;
}

fn child(folder: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "child_that_serves_until_it_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    writeln!(child.stdin.as_mut().unwrap(), "{}", folder.display()).unwrap();
    child
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_spent_works_twice() {
    let folder = TempDir::new().unwrap();
    for round in 0..8 {
        let mut child = child(folder.path());
        let output = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let (mut approved, mut taken) = (HashSet::new(), HashSet::new());
        let mut rotated: HashMap<GrantId, u32> = HashMap::new();
        let wanted = 150 + 61 * round;
        let acks = output.filter_map(|line| Some(line.strip_prefix("ack ")?.to_owned()));
        for ack in acks.take(wanted) {
            match ack.split(' ').collect::<Vec<_>>().as_slice() {
                ["approved", code] => drop(approved.insert((*code).to_owned())),
                ["taken", code] => drop(taken.insert((*code).to_owned())),
                ["rotated", grant, generation] => {
                    let generation: u32 = generation.parse().unwrap();
                    let newest = rotated.entry(grant.parse().unwrap()).or_default();
                    *newest = generation.max(*newest);
                }
                other => panic!("{other:?}"),
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!rotated.is_empty(), "the child did nothing");

        let store = Store::open(&folder.path().join("keystile.db"), NOW)
            .await
            .unwrap();
        for (grant, generation) in rotated {
            // Its successor was given out and works; with that, the one before it is dead.
            let next = store
                .rotate(shown(grant, generation + 1), NOW)
                .await
                .unwrap();
            assert!(
                matches!(next, Rotated::Successor(_)),
                "{generation} was lost: {next:?}"
            );
            let spent = store.rotate(shown(grant, generation), LATER).await.unwrap();
            assert_eq!(spent, Rotated::Reused, "{generation}");
            let dead = store
                .rotate(shown(grant, generation + 1), LATER)
                .await
                .unwrap();
            assert!(matches!(dead, Rotated::Refused(_)));
        }
        for code in &taken {
            let again = store.take(proof(code), NOW).await.unwrap();
            assert!(matches!(again, Taken::Again(_)), "{code} works twice");
        }
        for code in approved.difference(&taken) {
            // Spent without an acknowledgement, or not spent: at most one redemption is left.
            let first = store.take(proof(code), NOW).await.unwrap();
            assert!(!matches!(first, Taken::NoMatch(_)), "{code} was lost");
            let second = store.take(proof(code), NOW).await.unwrap();
            assert!(matches!(second, Taken::Again(_)));
        }
        store.close().await;
    }
}
