//! The measured program: arithmetic and one store to L1 a round, for ever.

use tt_isa::map::RiscV;

use super::rv32::{X, add, addi, jump_back, lui, or, slli, sub, sw, xor};

/// Instructions in one round of the loop.
pub const INSTRUCTIONS_PER_ROUND: u32 = 9;

/// Address of the counters: above all five programs, which start at the reset pcs.
pub const COUNTERS: u32 = 0x2_0000;

/// L1 address of a hart's count of rounds.
pub const fn counter(hart: RiscV) -> u32 {
    COUNTERS + 4 * hart as u32
}

/// The program of a hart, as bytes.
pub fn busy(hart: RiscV) -> Vec<u8> {
    const T0: X = X(5);
    const COUNT: X = X(6);
    const A: X = X(10);
    const B: X = X(11);
    const ZERO: X = X(0);
    let words = [
        lui(T0, COUNTERS),
        addi(COUNT, ZERO, 0),
        addi(A, ZERO, 1),
        addi(B, ZERO, 2),
        // The round.
        add(A, A, B),
        xor(B, B, A),
        slli(A, A, 1),
        add(B, B, A),
        sub(A, A, B),
        or(B, B, A),
        addi(COUNT, COUNT, 1),
        sw(COUNT, T0, counter(hart) - COUNTERS),
        jump_back(4 * (INSTRUCTIONS_PER_ROUND - 1)),
    ];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_counters_do_not_overlap() {
        let mut ranges: Vec<(u32, u32)> = RiscV::ALL
            .iter()
            .flat_map(|hart| {
                let pc = hart.default_reset_pc();
                [(pc, pc + busy(*hart).len() as u32), (counter(*hart), counter(*hart) + 4)]
            })
            .collect();
        ranges.sort_unstable();
        assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{ranges:x?}");
    }
}
