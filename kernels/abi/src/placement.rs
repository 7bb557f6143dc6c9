//! Which worker reads from which DRAM bank, and through which of the bank's ports.
//!
//! Work on a weight matrix is cut evenly: worker `i` of `n` takes part `i / n` to `(i + 1) / n` of the n-tiles
//! ([`crate::matmul::share`]), and the banks hold equal parts of the matrix in the same order ([`crate::shard`]). So what
//! worker `i` reads lies in the banks that this part overlaps. The runtime numbers the workers so that each is close to
//! its banks; everything here depends on the number only.

/// Overlap of worker `index`'s part with bank `bank`'s, of `workers` and `banks` equal parts of the same whole: in units in
/// which a worker's part is `banks` and a bank's is `workers`.
pub const fn overlap(index: u32, workers: u32, bank: u32, banks: u32) -> u32 {
    let (from, to) = (index * banks, (index + 1) * banks);
    let (bank_from, bank_to) = (bank * workers, (bank + 1) * workers);
    let from = if from > bank_from { from } else { bank_from };
    let to = if to < bank_to { to } else { bank_to };
    to.saturating_sub(from)
}

/// The port that worker `index` reads through, of `ports` that reach each bank: a bank's workers take them in turn, so
/// that each port serves equally many.
pub const fn port(index: u32, workers: u32, banks: u32, ports: u32) -> u32 {
    // The middle of the worker's part, in parts of a port.
    (2 * index + 1) * banks * ports / (2 * workers) % ports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_overlap_just_once() {
        for workers in [1, 8, 56, 64, 72, 80] {
            for index in 0..workers {
                assert_eq!((0..12).map(|bank| overlap(index, workers, bank, 12)).sum::<u32>(), 12);
            }
            for bank in 0..12 {
                let sum = (0..workers).map(|index| overlap(index, workers, bank, 12)).sum::<u32>();
                assert_eq!(sum, workers);
            }
        }
        assert_eq!([5, 6].map(|bank| overlap(32, 64, bank, 12)), [0, 12]);
        assert_eq!([4, 5].map(|bank| overlap(26, 64, bank, 12)), [8, 4]);
    }

    #[test]
    fn ports_serve_equally_many() {
        for workers in [64, 72, 80] {
            let mut count = [0; 3];
            (0..workers).for_each(|index| count[port(index, workers, 12, 3) as usize] += 1);
            let (least, most) = (count.iter().min().unwrap(), count.iter().max().unwrap());
            assert!(most - least <= 4, "{workers}: {count:?}");
        }
    }
}
