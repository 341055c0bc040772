//! What the checklist wants within a second, on a machine that may stand still for one.

use std::time::Duration;

/// Panics if it takes longer than a second of a machine that gives us our turns: of a hundred sleeps, a stall makes one longer.
pub(crate) async fn within_a_second<T>(what: impl Future<Output = T>) -> T {
    let second = async {
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        biased;
        done = what => done,
        () = second => panic!("it did not happen within a second"),
    }
}
