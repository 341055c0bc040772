//! Switches that weaken one check at a time, for the test-only build with the feature `mutations`.
//!
//! Each row of `docs/spec-coverage.md` names a switch; `cargo xtask mutants` turns it on and
//! expects the row's test to fail. Without the feature every switch is `false` at compile time, and
//! the release build does not contain the code.

/// Is the check of this row switched off in this run?
///
/// ```
/// assert!(!keystile_protocol::mutation::weakened("a_015"));
/// ```
#[cfg(not(feature = "mutations"))]
#[inline(always)]
#[must_use]
pub const fn weakened(_row: &str) -> bool {
    false
}

/// Is the check of this row switched off in this run?
#[cfg(feature = "mutations")]
#[must_use]
pub fn weakened(row: &str) -> bool {
    use std::sync::OnceLock;
    static ACTIVE: OnceLock<Option<String>> = OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "test-only build: the switch is an environment variable"
    )]
    let active = ACTIVE.get_or_init(|| std::env::var("KEYSTILE_MUTATION").ok());
    active.as_deref() == Some(row)
}
