//! Packers' statistics of exponents (`Packers/ExponentHistogram.md`).
//!
//! Packers count a histogram while a thread has it enabled, and always track the largest exponent. To keep packing fast, the
//! latter is tracked only from the first `CLREXPHIST` on; before that it is not defined anyway.

use tt_isa::format::DataFormat::Int8;

use super::PACKERS;
use super::convert::Common;
use super::early::Class;
use crate::fault::Fault;

const PAGE: &str = "TensixTile/TensixCoprocessor/Packers/ExponentHistogram.md";

/// Of all packers.
#[derive(Default)]
pub struct Statistics {
    packers: [Exponents; PACKERS],
    /// `CLREXPHIST` was executed.
    cleared: bool,
    /// 8-bit integers were packed, whose exponents are not specified.
    unspecified: bool,
}

#[derive(Clone, Copy, Default)]
struct Exponents {
    histogram: [u8; 32],
    max: u8,
}

impl Statistics {
    /// As `CLREXPHIST` leaves them.
    pub fn cleared() -> Self {
        Self { cleared: true, ..Self::default() }
    }

    /// Counts intermediate values; in the histogram too if it is `enabled`.
    pub(super) fn count(&mut self, packer: usize, common: &Common, values: &[u32], enabled: bool) {
        self.unspecified |= common.format() == Int8;
        let of = &mut self.packers[packer];
        for &value in values {
            let exponent = match common.class() {
                Class::Single => value >> 23 & 255,
                Class::Brain => value >> 7 & 255,
                Class::Half => value >> 10 & 31,
                Class::Int16 | Class::Int8 => value & 255,
            };
            if enabled {
                let bin = &mut of.histogram[exponent as usize & 31];
                *bin = bin.saturating_add(1);
            }
            of.max = of.max.max(exponent as u8);
        }
    }

    /// One half of a packer's histogram, as four words.
    pub fn histogram(&self, packer: usize, half: usize) -> Result<[u32; 4], Fault> {
        self.check()?;
        let bins = &self.packers[packer].histogram[16 * half..][..16];
        Ok(std::array::from_fn(|i| u32::from_le_bytes(std::array::from_fn(|j| bins[4 * i + j]))))
    }

    /// Packer 0's largest exponent.
    pub fn max(&self) -> Result<u32, Fault> {
        self.check()?;
        if !self.cleared {
            return Err(Fault::undocumented("largest exponent without a CLREXPHIST before").page(PAGE));
        }
        Ok(self.packers[0].max.into())
    }

    fn check(&self) -> Result<(), Fault> {
        if self.unspecified {
            return Err(Fault::undocumented("exponent statistics of 8-bit integers").page(PAGE));
        }
        Ok(())
    }
}
