//! Random choices that are the same for the same seed, on any machine.

use keystile_testkit::rng::SeededRng;

pub(crate) struct Dice(SeededRng);

impl Dice {
    /// Those of one execution of a run.
    pub(crate) fn of(seed: u64, execution: u64) -> Self {
        let run = SeededRng::new(seed).any();
        Self(SeededRng::new(
            run ^ execution.wrapping_mul(0xd134_2543_de82_ef95),
        ))
    }

    /// From zero up to, and without, `end`, which is not zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("it fits");
        usize::try_from(self.0.any() % end).expect("it fits")
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.0.any().to_be_bytes()[0]
    }
}
