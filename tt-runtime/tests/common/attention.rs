//! What attention should be, in FP64 on the host.

use std::fmt::Debug;

/// Sizes: positions, heads and elements of a cache, for sequences; heads of queries for each of its heads, and tokens of each sequence.
#[derive(Clone, Copy)]
pub struct Shape {
    pub positions: u32,
    pub heads: u32,
    pub shared: u32,
    pub key: u32,
    pub value: u32,
    pub tokens: u32,
    pub batches: u32,
}

/// Results, heads side by side for each token, from queries (alike), keys and values (heads side by side for each position) and what is added to the score of a token,
/// counted over all sequences, and a position. Scores are scaled with 1/8.
pub fn expected(shape: &Shape, [q, k, v]: [&[f32]; 3], addend: impl Fn(u32, u32) -> f32) -> Vec<f64> {
    let Shape { positions, heads, shared, key, value, tokens, batches } = *shape;
    let of_q = shared * heads;
    let row = |row: u32| -> Vec<f64> {
        let (token, head) = (row / of_q, row % of_q / shared);
        let at =
            |n: u32, position: u32| ((((token / tokens) * positions + position) * heads + head) * n) as usize;
        let q = &q[(row * key) as usize..][..key as usize];
        let scores = (0..positions).map(|i| {
            let k = &k[at(key, i)..][..key as usize];
            let dot: f64 = q.iter().zip(k).map(|(&q, &k)| f64::from(q) * f64::from(k)).sum();
            (dot * 0.125 + f64::from(addend(token, i))).exp()
        });
        let powers: Vec<f64> = scores.collect();
        let total: f64 = powers.iter().sum();
        let mean = |i: usize| -> f64 {
            let weighted = |p: u32| powers[p as usize] * f64::from(v[at(value, p) + i]);
            (0..positions).map(weighted).sum::<f64>() / total
        };
        // Where everything is masked there is nothing.
        (0..value as usize).map(|i| if total > 0.0 { mean(i) } else { 0.0 }).collect()
    };
    (0..of_q * tokens * batches).flat_map(row).collect()
}

/// Results are near enough: queries and powers are rounded to eleven bits.
pub fn assert_close(case: impl Debug, (bytes, expected): &(Vec<u8>, Vec<f64>)) {
    let ours: Vec<f64> = bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect();
    assert_eq!(ours.len(), expected.len());
    let error: f64 = ours.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum();
    let size: f64 = expected.iter().map(|b| b.powi(2)).sum();
    assert!(error <= 5e-6 * size, "{case:?}: {}", error / size);
}
