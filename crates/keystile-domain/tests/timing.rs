//! Whether time tells something of a secret (CHECKLIST A-090): Student's t between a right and a wrong secret, in the manner of
//! dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", 2017).
#![expect(clippy::disallowed_methods, reason = "time is what is measured here")]

use std::hint::black_box;
use std::time::Instant;

use keystile_domain::records::ClientSecrets;
use keystile_domain::secrets::digest::Digest;

/// Batches of one verdict, each with secrets in other places of memory.
const BATCHES: usize = 40;
/// Comparisons that are measured in a batch.
const MEASURED: usize = 25_000;
/// Secrets of a batch.
const SHOWN: usize = 256;
/// From here on the two are told apart.
const TOLD_APART: f64 = 4.5;
const SECRET: &str = "ksx_AMHDTbsfedjbOE2Vu89D72mfHNWALhXkudixi_Wo2_s6fxe";

/// A small generator (xorshift64*), the same in each run.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// The secret or, as often, one as long that almost surely differs in its first byte.
    fn shown(&mut self) -> (bool, String) {
        if self.next() & 1 == 1 {
            return (true, SECRET.to_owned());
        }
        let letters = SECRET
            .bytes()
            .map(|_| char::from(b'!' + (self.next() % 90) as u8));
        (false, letters.collect())
    }
}

/// How much longer right secrets take than wrong ones, in nanoseconds, over the means of batches: where a secret lies in memory
/// costs time too, and that is another one in each batch.
fn difference(compare: impl Fn(&str) -> bool) -> Sample {
    let mut draws = Draws(0x9E37_79B9_7F4A_7C15);
    let batches: Vec<(f64, f64)> = (0..BATCHES).map(|_| batch(&mut draws, &compare)).collect();
    Sample::of(batches.iter().map(|(right, wrong)| right - wrong).collect())
}

/// The mean times of right and of wrong secrets, in nanoseconds. The slowest tenth was interrupted and is left out.
fn batch(draws: &mut Draws, compare: impl Fn(&str) -> bool) -> (f64, f64) {
    let secrets: Vec<(bool, String)> = (0..SHOWN).map(|_| draws.shown()).collect();
    // Both kinds are compared in the same place.
    let mut shown = String::with_capacity(64);
    let measured: Vec<(bool, f64)> = (0..MEASURED)
        .map(|_| {
            let (is_right, secret) = &secrets[(draws.next() >> 8) as usize % SHOWN];
            shown.clear();
            shown.push_str(secret);
            let start = Instant::now();
            let found = compare(black_box(&shown));
            let took = start.elapsed().as_nanos() as f64;
            assert_eq!(black_box(found), *is_right);
            (*is_right, took)
        })
        .collect();
    let mut times: Vec<f64> = measured.iter().map(|(_, took)| *took).collect();
    times.sort_unstable_by(f64::total_cmp);
    let usual = times[MEASURED * 9 / 10];
    let mean = |wanted: bool| {
        let of_it = measured
            .iter()
            .filter(|(is_right, took)| *is_right == wanted && *took <= usual);
        Sample::of(of_it.map(|(_, took)| *took).collect()).mean
    };
    (mean(true), mean(false))
}

/// A sample's mean, and the variance of that mean.
struct Sample {
    mean: f64,
    of_mean: f64,
}

impl Sample {
    fn of(values: Vec<f64>) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>();
        Self {
            mean,
            of_mean: squares / (count - 1.0) / count,
        }
    }

    /// Student's t against no difference.
    fn t(&self) -> f64 {
        self.mean / self.of_mean.sqrt()
    }
}

#[test]
fn a_090_time_tells_nothing_of_a_clients_secret() {
    let kept = ClientSecrets(vec![Digest::of("an earlier one"), Digest::of(SECRET)]);
    let apart = difference(|shown| kept.has(shown));
    let t = apart.t();
    println!("{:.2} ns apart, t = {t:.2}", apart.mean);
    assert!(
        t.abs() < TOLD_APART,
        "t = {t:.1} of {BATCHES} × {MEASURED} comparisons"
    );
}

#[test]
fn a_comparison_that_ends_at_the_first_difference_would_be_noticed() {
    let apart = difference(|shown| {
        let mut pairs = shown.bytes().zip(SECRET.bytes());
        shown.len() == SECRET.len() && pairs.all(|(shown, kept)| black_box(shown) == kept)
    });
    let t = apart.t();
    println!("{:.2} ns apart, t = {t:.2}", apart.mean);
    assert!(
        t.abs() > TOLD_APART,
        "t = {t:.1} of {BATCHES} × {MEASURED} comparisons"
    );
}
