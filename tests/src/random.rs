//! Reproducible random bytes and numbers for tests of conversions.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A generator of bits, with what tests draw from it.
pub struct Random(SplitMix64);

impl Random {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::seed_from_u64(seed))
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.bits()) * u64::from(n)) >> 32) as u32
    }

    /// Random bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Tiles whose blocks of sixteen are alike in magnitude, alike in anything but that, full of ties, or full of what is no
    /// ordinary number.
    pub fn tiles(&mut self, count: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(count * 1024);
        for _ in 0..count * 64 {
            let kind = self.below(5);
            let exponent = self.below(256);
            values.extend((0..16).map(|_| f32::from_bits(self.pattern(kind, exponent))));
        }
        values
    }

    fn pattern(&mut self, kind: u32, exponent: u32) -> u32 {
        const ODDITIES: [u32; 16] = [
            0,
            0x8000_0000,
            1,
            0x807F_FFFF,
            0x0080_0000,
            0x8080_0000,
            0x7F7F_FFFF,
            0xFF7F_FFFF,
            0x7F80_0000,
            0xFF80_0000,
            0x7FC0_0000,
            0xFFC0_0001,
            0x7F80_0001,
            0x7FFF_FFFF,
            0x3F80_0000,
            0xBF7F_FFFF,
        ];
        let bits = self.bits();
        match kind {
            // Anything at all.
            0 => bits,
            // Within eight binades.
            1 => bits & 0x807F_FFFF | exponent.saturating_sub(self.below(8)) << 23,
            // One binade: saturation.
            2 => bits & 0x807F_FFFF | exponent << 23,
            // Few bits: ties, exact or a little off.
            3 => {
                let mantissa = (bits & 0x7F) << 16 | bits >> 8 & 0x8001;
                bits & 0x8000_0000 | exponent.saturating_sub(self.below(10)) << 23 | mantissa
            }
            _ => ODDITIES[self.below(16) as usize],
        }
    }
}
