//! Chance that is the same in every run with the same seed.

use keystile_testkit::rng::SeededRng;

/// A generator of one's own.
pub struct Chance(SeededRng);

impl Chance {
    /// The same seed gives the same.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(SeededRng::new(seed))
    }

    /// Any number.
    pub fn any(&self) -> u64 {
        self.0.any()
    }

    /// Any number below `end`, which is not 0.
    pub fn below(&self, end: u64) -> u64 {
        self.any() % end
    }

    /// True in so many of a hundred cases.
    pub fn percent(&self, cases: u64) -> bool {
        self.below(100) < cases
    }
}
