//! What the gateway is given of the world outside.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use keystile_domain::ids::GrantId;
use keystile_domain::ports::{Clock, Revocations, Rng, Standing, TokenFacts};
use keystile_domain::secrets::Secrets;
use keystile_domain::secrets::master::MasterKey;
use keystile_domain::time::Timestamp;
use keystile_gateway::Ending;
use keystile_gateway::relay::Ports;
use parking_lot::Mutex;
use tokio::sync::watch;

/// In milliseconds.
pub(crate) const NOW: i64 = 1_800_000_000_000;

/// The world outside.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) revoked: Arc<FakeRevocations>,
}

pub(crate) struct FakeClock(pub(crate) AtomicI64);

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Different bytes each time, the same in each run.
struct Counting(AtomicU64);

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let count = self.0.fetch_add(1, Ordering::SeqCst);
            *byte = count.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0];
        }
    }
}

pub(crate) struct FakeRevocations {
    grants: Mutex<HashSet<GrantId>>,
    epoch: watch::Sender<u64>,
    /// Nothing is known.
    pub(crate) stale: AtomicBool,
}

impl FakeRevocations {
    pub(crate) fn revoke(&self, grant: GrantId) {
        self.grants.lock().insert(grant);
        self.epoch.send_modify(|epoch| *epoch += 1);
    }
}

impl Revocations for FakeRevocations {
    fn standing(&self, facts: &TokenFacts<'_>) -> Standing {
        match self.grants.lock().contains(&facts.grant) {
            _ if self.stale.load(Ordering::SeqCst) => Standing::Unknown,
            true => Standing::Revoked,
            false => Standing::Good,
        }
    }

    fn epoch(&self) -> u64 {
        *self.epoch.borrow()
    }

    fn changed_since(&self, seen: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        let mut epoch = self.epoch.subscribe();
        Box::pin(async move {
            *epoch
                .wait_for(|now| *now != seen)
                .await
                .expect("the sender lives")
        })
    }
}

pub(crate) fn world() -> (World, Ports) {
    let clock = Arc::new(FakeClock(AtomicI64::new(NOW)));
    let revoked = Arc::new(FakeRevocations {
        grants: Mutex::default(),
        epoch: watch::Sender::new(0),
        stale: AtomicBool::new(false),
    });
    let ports = Ports {
        clock: Arc::clone(&clock) as _,
        rng: Arc::new(Counting(AtomicU64::new(0))),
        secrets: secrets(),
        flows: Arc::default(),
        revocations: Arc::clone(&revoked) as _,
        ending: Ending::never(),
    };
    let world = World { clock, revoked };
    (world, ports)
}

/// Those of one installation, whenever they are read.
fn secrets() -> Arc<Secrets> {
    let bytes: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 7).expect("below 256"));
    let master = MasterKey::from_bytes(&bytes).expect("works in a test");
    Arc::new(Secrets::new(&master))
}
