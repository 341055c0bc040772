//! Codes that are redeemed by many at once (CHECKLIST A-020).

use std::sync::Arc;

use futures_util::future::join_all;
use keystile_domain::ports::Grants as _;
use keystile_domain::records::Taken;
use keystile_domain::time::Timestamp;

use crate::actors::{BIRTH, begins_with_tokens};
use crate::wave::Template;

const ROUNDS: usize = 200;
const AT_ONCE: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_020_of_a_hundred_who_redeem_a_code_at_once_exactly_one_wins() {
    // One in eight begins with a code; made beside this runtime, not in it.
    let template = tokio::task::spawn_blocking(|| Template::new(8 * ROUNDS));
    let template = template.await.expect("the real parts work");
    let (store, _folder) = template.store().await;
    let store = Arc::new(store);
    for number in (0..8 * ROUNDS).filter(|number| !begins_with_tokens(*number)) {
        let all = (0..AT_ONCE).map(|_| {
            let store = Arc::clone(&store);
            let proof = template.proof(number);
            tokio::spawn(async move { store.take(proof, Timestamp(BIRTH)).await })
        });
        let all = join_all(all).await;
        let all: Vec<Taken> = all
            .into_iter()
            .map(|taken| {
                taken
                    .expect("the real parts work")
                    .expect("the real parts work")
            })
            .collect();
        let first = all.iter().filter(|taken| matches!(taken, Taken::First(_)));
        let again = all.iter().filter(|taken| matches!(taken, Taken::Again(_)));
        assert_eq!((first.count(), again.count()), (1, AT_ONCE - 1), "{number}");
    }
    store.close().await;
}
