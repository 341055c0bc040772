//! Whether time tells something of a secret (CHECKLIST A-090): Welch's t between a right and a wrong secret, in the manner of
//! dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", 2017).
#![expect(clippy::disallowed_methods, reason = "time is what is measured here")]

use std::hint::black_box;
use std::time::Instant;

use keystile_domain::records::ClientSecrets;
use keystile_domain::secrets::digest::Digest;

/// Comparisons measured for one verdict.
const MEASURED: usize = 1_000_000;
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

    /// As long as the secret, and almost surely different in its first byte.
    fn wrong(&mut self) -> String {
        let letters = SECRET
            .bytes()
            .map(|_| char::from(b'!' + (self.next() % 90) as u8));
        letters.collect()
    }
}

/// Welch's t between the times that right and wrong secrets take, in random order. The slowest tenth was interrupted and
/// is left out.
fn difference(compare: impl Fn(&str) -> bool) -> f64 {
    let mut draws = Draws(0x9E37_79B9_7F4A_7C15);
    let wrong: Vec<String> = (0..256).map(|_| draws.wrong()).collect();
    let right = vec![SECRET.to_owned(); 256];
    // Both kinds are compared in the same place.
    let mut shown = String::with_capacity(64);
    let measured: Vec<(bool, f64)> = (0..MEASURED)
        .map(|_| {
            let draw = draws.next();
            let (is_right, at) = (draw & 1 == 1, (draw >> 8) as usize % 256);
            shown.clear();
            shown.push_str(if is_right { &right[at] } else { &wrong[at] });
            let start = Instant::now();
            let found = compare(black_box(&shown));
            let took = start.elapsed().as_nanos() as f64;
            assert_eq!(black_box(found), is_right);
            (is_right, took)
        })
        .collect();
    let mut times: Vec<f64> = measured.iter().map(|(_, took)| *took).collect();
    times.sort_unstable_by(f64::total_cmp);
    let usual = times[MEASURED * 9 / 10];
    let (right, wrong) = (kept(&measured, true, usual), kept(&measured, false, usual));
    (right.mean - wrong.mean) / (right.of_mean + wrong.of_mean).sqrt()
}

/// A sample's mean, and the variance of that mean.
struct Sample {
    mean: f64,
    of_mean: f64,
}

fn kept(measured: &[(bool, f64)], wanted: bool, usual: f64) -> Sample {
    let of_it = measured
        .iter()
        .filter(|(is_right, took)| *is_right == wanted && *took <= usual);
    let of_it: Vec<f64> = of_it.map(|(_, took)| *took).collect();
    let count = of_it.len() as f64;
    let mean = of_it.iter().sum::<f64>() / count;
    let squares = of_it.iter().map(|took| (took - mean).powi(2)).sum::<f64>();
    Sample {
        mean,
        of_mean: squares / (count - 1.0) / count,
    }
}

#[test]
fn a_090_time_tells_nothing_of_a_clients_secret() {
    let kept = ClientSecrets(vec![Digest::of("an earlier one"), Digest::of(SECRET)]);
    let t = difference(|shown| kept.has(shown));
    println!("t = {t:.2}");
    assert!(t.abs() < TOLD_APART, "t = {t:.1} of {MEASURED} comparisons");
}

#[test]
fn a_comparison_that_ends_at_the_first_difference_would_be_noticed() {
    let t = difference(|shown| {
        let mut pairs = shown.bytes().zip(SECRET.bytes());
        shown.len() == SECRET.len() && pairs.all(|(shown, kept)| black_box(shown) == kept)
    });
    println!("t = {t:.2}");
    assert!(t.abs() > TOLD_APART, "t = {t:.1} of {MEASURED} comparisons");
}
