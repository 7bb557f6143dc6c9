//! Comparing numbers: logits and perplexities.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Raw little-endian 32-bit floats of a file.
pub fn read_floats(path: &Path) -> Result<Vec<f32>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (words, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        bail!("{}: {} bytes are no whole number of floats", path.display(), bytes.len());
    }
    Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}

/// Normalised mean squared error of `found` against `expected`: sum of squared differences over sum of squares.
///
/// Errors: lengths differ, nothing to compare, or a value is not finite.
pub fn nmse(expected: &[f32], found: &[f32]) -> Result<f64> {
    if expected.len() != found.len() || expected.is_empty() {
        bail!("{} values expected, {} found", expected.len(), found.len());
    }
    if let Some(index) = found.iter().chain(expected).position(|value| !value.is_finite()) {
        bail!("value {} is not finite", index % expected.len());
    }
    let square = |value: f64| value * value;
    let pairs = expected.iter().zip(found);
    let error: f64 = pairs.map(|(a, b)| square(f64::from(*a) - f64::from(*b))).sum();
    let power: f64 = expected.iter().map(|a| square(f64::from(*a))).sum();
    if power == 0.0 {
        bail!("all expected values are zero");
    }
    Ok(error / power)
}

/// The final estimate that llama-perplexity prints.
pub fn perplexity(log: &str) -> Result<f64> {
    let (_, rest) = log.split_once("Final estimate: PPL = ").context("no final estimate in the log")?;
    let number = rest.split_whitespace().next().context("no number after PPL")?;
    number.parse().with_context(|| format!("PPL is not a number: {number}"))
}

/// What llama-perplexity prints at the end of a comparison with saved logits, in nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Divergence {
    /// Mean Kullback-Leibler divergence of the positions.
    pub mean: f64,
    /// The largest one.
    pub max: f64,
    /// Share of the positions at which both like the same token best.
    pub same_top: f64,
}

/// Reads that from what the program printed.
///
/// # Errors
/// It is not there.
pub fn divergence(log: &str) -> Result<Divergence> {
    let number = |label: &str| -> Result<f64> {
        let (_, rest) = log.split_once(label).with_context(|| format!("no `{label}` in the log"))?;
        let number = rest.split_whitespace().next().with_context(|| format!("no number after {label}"))?;
        number.parse().with_context(|| format!("{label} is not a number: {number}"))
    };
    Ok(Divergence {
        mean: number("Mean    KLD:")?,
        max: number("Maximum KLD:")?,
        same_top: number("Same top p:")? / 100.0,
    })
}

/// Cosine of the angle between two vectors.
///
/// # Errors
/// Lengths differ, a value is not finite, or a vector is zero.
pub fn cosine(a: &[f32], b: &[f32]) -> Result<f64> {
    if a.len() != b.len() {
        bail!("vectors of {} and {} values", a.len(), b.len());
    }
    let dot =
        |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    if !cosine.is_finite() {
        bail!("a vector is zero or not finite");
    }
    Ok(cosine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nmse_by_hand() {
        assert_eq!(nmse(&[3.0, 4.0], &[3.0, 4.0]).unwrap(), 0.0);
        assert_eq!(nmse(&[3.0, 4.0], &[3.0, 5.0]).unwrap(), 1.0 / 25.0);
        assert!(nmse(&[1.0], &[f32::NAN]).is_err());
        assert!(nmse(&[1.0], &[1.0, 2.0]).is_err());
        assert!(nmse(&[0.0], &[0.0]).is_err());
    }

    #[test]
    fn perplexity_is_parsed() {
        assert_eq!(perplexity("x\n0.00 I Final estimate: PPL = 50.5588 +/- 4.8\n").unwrap(), 50.5588);
        assert!(perplexity("nothing").is_err());
    }

    #[test]
    fn divergence_is_parsed() {
        let log = "====== KL divergence statistics ======\nMean    KLD:   0.004400 ±   0.000400\nMaximum KLD:   0.032000\n\
                   99.9%   KLD:   0.030000\nSame top p: 93.750 ± 3.432 %\n";
        assert_eq!(divergence(log).unwrap(), Divergence { mean: 0.0044, max: 0.032, same_top: 0.9375 });
        assert!(divergence("Mean    KLD: x").is_err());
    }

    #[test]
    fn cosine_by_hand() {
        assert_eq!(cosine(&[3.0, 4.0], &[6.0, 8.0]).unwrap(), 1.0);
        assert_eq!(cosine(&[3.0, 4.0], &[4.0, -3.0]).unwrap(), 0.0);
        assert!(cosine(&[0.0], &[1.0]).is_err());
        assert!(cosine(&[1.0], &[1.0, 2.0]).is_err());
    }
}
