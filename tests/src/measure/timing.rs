//! Whether the time of what handles secrets depends on them: two classes of inputs, one fixed, one random, compared as in "dude, is my
//! code constant time?" (Reparaz, Balasch, Verbauwhede 2017).

use curve25519_dalek::RistrettoPoint;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::range;
use sudare_crypto::proof::tag::{self, SpendKey};
use sudare_crypto::{Encoded, Hash, Kernel, LedgerTranscript, Scalar, Secret, point};
use sudare_ledger::testing;

use super::clock::{float, thread_ns};
use super::{Failed, Report, Topic};

/// Of all times, so many percent count, from the shortest: what else goes on makes the longest.
const CROPS: [usize; 3] = [50, 90, 100];

/// What is done with a secret value and a secret scalar.
type Subject = fn(u64, &Scalar, &mut ChaCha20Rng) -> Result<(), Failed>;

/// Measures the topic.
pub(super) fn run(quick: bool) -> Result<Report, Failed> {
    let (often, seldom) = if quick { (200, 20) } else { (40_000, 4_000) };
    let subjects: [(&str, usize, Subject, &str); 6] = [
        ("t_commit", often, committed, "committing to a value"),
        ("t_encrypt", often, encrypted, "encrypting it to two keys"),
        ("t_spend", often, signed, "signing for a spend"),
        ("t_range", seldom, proved, "proving its range, by the fastest path of this processor"),
        ("t_range_portable", seldom, proved_portably, "proving its range without vectors of ours"),
        ("t_control", often, control, "a multiplication in variable time, which must show"),
    ];
    let title =
        "Welch's t between the times of a fixed secret and of random ones: above 4.5 they differ";
    let mut report = Report::new(Topic::Timing, title);
    for (key, samples, subject, what) in subjects {
        let t = largest_t(&times(samples, subject)?);
        report.value(key, t, "", format!("{what}, {samples} times"));
    }
    Ok(report)
}

fn committed(value: u64, secret: &Scalar, _: &mut ChaCha20Rng) -> Result<(), Failed> {
    std::hint::black_box(point::commit(value, secret));
    Ok(())
}

fn encrypted(value: u64, secret: &Scalar, _: &mut ChaCha20Rng) -> Result<(), Failed> {
    let keys = [3u64, 5].map(|key| Secret(Scalar::from(key)).public());
    Opening { value, blinding: *secret }.encrypt(&keys)?;
    Ok(())
}

fn signed(_: u64, secret: &Scalar, rng: &mut ChaCha20Rng) -> Result<(), Failed> {
    tag::sign(&SpendKey { account: *secret, tag: *secret }, Hash::default(), rng)?;
    Ok(())
}

fn proved(value: u64, secret: &Scalar, rng: &mut ChaCha20Rng) -> Result<(), Failed> {
    let transcript = &mut LedgerTranscript::new(b"sudare/measure/v1", b"");
    range::prove(&[Opening { value, blinding: *secret }], transcript, rng)?;
    Ok(())
}

fn proved_portably(value: u64, secret: &Scalar, rng: &mut ChaCha20Rng) -> Result<(), Failed> {
    let transcript = &mut LedgerTranscript::new(b"sudare/measure/v1", b"");
    range::prove_by(Kernel::PORTABLE, &[Opening { value, blinding: *secret }], transcript, rng)?;
    Ok(())
}

fn control(_: u64, secret: &Scalar, _: &mut ChaCha20Rng) -> Result<(), Failed> {
    let (zero, base) = (Scalar::ZERO, RistrettoPoint::mul_base(&Scalar::ONE));
    let point = RistrettoPoint::vartime_double_scalar_mul_basepoint(secret, &base, &zero);
    std::hint::black_box(Encoded::of(&point));
    Ok(())
}

/// Times in ns, of zero and one in the first list, of random secrets in the second; which comes next is drawn.
fn times(samples: usize, subject: Subject) -> Result<[Vec<f64>; 2], Failed> {
    let rng = &mut testing::rng(1);
    let (mut fixed, mut random) = (Vec::with_capacity(samples), Vec::with_capacity(samples));
    for _ in 0..samples {
        let (mut value, mut secret) = (rng.next_u64(), Scalar::random(rng));
        let into = if rng.next_u32() & 1 == 0 {
            (value, secret) = (0, Scalar::ONE);
            &mut fixed
        } else {
            &mut random
        };
        let before = thread_ns();
        subject(value, &secret, rng)?;
        into.push(float(thread_ns().saturating_sub(before)));
    }
    Ok([fixed, random])
}

/// The largest of Welch's t over all crops.
fn largest_t([fixed, random]: &[Vec<f64>; 2]) -> f64 {
    let mut all: Vec<f64> = fixed.iter().chain(random).copied().collect();
    all.sort_by(f64::total_cmp);
    let t = CROPS.into_iter().map(|percent| {
        let last = all.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
        let limit = all.get(last).copied().unwrap_or(f64::INFINITY);
        let [one, other] = [fixed, random].map(|times| Moments::of(times, limit));
        let error = (one.error() + other.error()).sqrt();
        if error > 0.0 { ((one.mean - other.mean) / error).abs() } else { 0.0 }
    });
    t.fold(0.0, f64::max)
}

struct Moments {
    mean: f64,
    variance: f64,
    count: f64,
}

impl Moments {
    /// Of all times up to the limit.
    fn of(times: &[f64], limit: f64) -> Self {
        let times = || times.iter().filter(|time| **time <= limit);
        let count = times().fold(0.0, |count, _| count + 1.0);
        let mean = times().sum::<f64>() / f64::max(count, 1.0);
        let squares: f64 = times().map(|time| (time - mean).powi(2)).sum();
        Self { mean, variance: squares / f64::max(count - 1.0, 1.0), count }
    }

    /// The variance of the mean.
    fn error(&self) -> f64 {
        self.variance / self.count.max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 101 times around `centre`, 25 ns apart at most.
    fn around(centre: f64) -> Vec<f64> {
        (0..101).map(|number| centre + f64::from(number * 37 % 101) / 4.0).collect()
    }

    #[test]
    fn equal_times_have_a_small_t_and_times_apart_a_large_one() {
        assert!(largest_t(&[around(100.0), around(100.0)]) < 1.0);
        assert!(largest_t(&[around(100.0), around(110.0)]) > 4.5);
        assert_eq!(largest_t(&[vec![], vec![]]), 0.0);
    }

    #[test]
    fn a_few_long_times_hide_no_difference() {
        let mut disturbed = around(110.0);
        disturbed.extend([1e6; 3]);
        assert!(largest_t(&[around(100.0), disturbed]) > 4.5);
    }

    #[test]
    fn t_is_welchs() {
        let (one, other) = (vec![1.0, 2.0, 3.0], vec![4.0, 6.0, 8.0, 10.0]);
        let moments = [&one, &other].map(|times| Moments::of(times, f64::INFINITY));
        let t = (7.0 - 2.0) / (1.0 / 3.0 + 20.0 / 3.0 / 4.0_f64).sqrt();
        let [a, b] = &moments;
        assert!(((b.mean - a.mean) / (a.error() + b.error()).sqrt() - t).abs() < 1e-12);
    }
}
