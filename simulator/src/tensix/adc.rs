//! Address counters of the unpackers and packers (`ADCs.md`).
//!
//! Each thread has one set for unpacker 0, one for unpacker 1 and one for the packers. A set has two channels
//! (0: where data is read, 1: where it is written) of four counters, each with a "carriage return" copy that
//! `ADDRCR*` moves on and returns to.

use tt_isa::insn::{ADDRCRXY, ADDRCRZW, INCADCXY, INCADCZW, Opcode, SETADC, SETADCXX, SETADCXY, SETADCZW};

use super::{Exec, Step, THREADS};
use crate::fault::Fault;

/// Bits of the counters x, y, z, w.
pub const MASKS: [u32; 4] = [0x3_FFFF, 0x1FFF, 0xFF, 0xFF];

/// A counter and its carriage return copy.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counter {
    /// Present value.
    pub value: u32,
    /// Where `ADDRCR*` counts from.
    pub cr: u32,
}

impl Counter {
    /// Sets both.
    pub fn set(&mut self, value: u32) {
        *self = Self { value, cr: value };
    }

    /// Counts on, modulo `mask + 1`.
    pub fn add(&mut self, increment: u32, mask: u32) {
        self.value = (self.value + increment) & mask;
    }

    /// Counts the copy on and returns to it.
    pub fn carriage_return(&mut self, increment: u32, mask: u32) {
        self.set((self.cr + increment) & mask);
    }
}

/// One set of counters: `[channel][x, y, z, w]`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct AddressCounters(pub [[Counter; 4]; 2]);

/// Index of a counter within a channel.
pub mod dim {
    /// x
    pub const X: usize = 0;
    /// y
    pub const Y: usize = 1;
    /// z
    pub const Z: usize = 2;
    /// w
    pub const W: usize = 3;
}

impl AddressCounters {
    /// Present value.
    #[inline]
    pub fn value(&self, channel: usize, dim: usize) -> u32 {
        self.0[channel][dim].value
    }

    /// Counts one counter on.
    #[inline]
    pub fn add(&mut self, channel: usize, dim: usize, increment: u32) {
        self.0[channel][dim].add(increment, MASKS[dim]);
    }
}

/// The counters of all threads: `[thread][unpacker 0, unpacker 1, packers]`.
pub type AddressCounterState = [[AddressCounters; 3]; THREADS];

/// Executes an address counter instruction of `thread`.
pub fn execute(sets: &mut [AddressCounters; 3], opcode: Opcode, word: u32) -> Exec {
    match opcode {
        Opcode::SETADC => {
            let op = SETADC::decode(word);
            if op.value > 0xFFFF {
                return Err(
                    Fault::undocumented(format!("SETADC thread override, value {:#x}", op.value)).page(PAGE)
                );
            }
            each(sets, op.cnt_set_mask, |set| {
                let dim = op.dimension_index as usize;
                set.0[op.channel_index as usize][dim].set(op.value & MASKS[dim]);
            })
        }
        Opcode::SETADCXX => {
            let op = SETADCXX::decode(word);
            each(sets, op.cnt_set_mask, |set| {
                set.0[0][dim::X].set(op.x_start);
                set.0[1][dim::X].set(op.x_end2);
            })
        }
        Opcode::SETADCXY => {
            let op = SETADCXY::decode(word);
            pairs(
                sets,
                op.cnt_set_mask,
                op.bit_mask,
                [op.ch0_x, op.ch0_y, op.ch1_x, op.ch1_y],
                dim::X,
                |c, v, _| {
                    c.set(v);
                },
            )
        }
        Opcode::SETADCZW => {
            let op = SETADCZW::decode(word);
            pairs(
                sets,
                op.cnt_set_mask,
                op.bit_mask,
                [op.ch0_x, op.ch0_y, op.ch1_x, op.ch1_y],
                dim::Z,
                |c, v, _| {
                    c.set(v);
                },
            )
        }
        Opcode::INCADCXY => {
            let op = INCADCXY::decode(word);
            pairs(sets, op.cnt_set_mask, 15, [op.ch0_x, op.ch0_y, op.ch1_x, op.ch1_y], dim::X, Counter::add)
        }
        Opcode::INCADCZW => {
            let op = INCADCZW::decode(word);
            pairs(sets, op.cnt_set_mask, 15, [op.ch0_x, op.ch0_y, op.ch1_x, op.ch1_y], dim::Z, Counter::add)
        }
        Opcode::ADDRCRXY => {
            let op = ADDRCRXY::decode(word);
            let values = [op.ch0_x, op.ch0_y, op.ch1_x, op.ch1_y];
            pairs(sets, op.cnt_set_mask, op.bit_mask, values, dim::X, Counter::carriage_return)
        }
        Opcode::ADDRCRZW => {
            let op = ADDRCRZW::decode(word);
            let values = [op.ch0_x, op.ch0_y, op.ch1_x, op.ch1_y];
            pairs(sets, op.cnt_set_mask, op.bit_mask, values, dim::Z, Counter::carriage_return)
        }
        _ => Err(Fault::internal(format!("{opcode:?} is no address counter instruction"))),
    }
}

const PAGE: &str = "TensixTile/TensixCoprocessor/ADCs.md";

fn each(sets: &mut [AddressCounters; 3], mask: u32, mut f: impl FnMut(&mut AddressCounters)) -> Exec {
    if mask == 0 {
        return Err(Fault::program("the instruction selects no counter set").page(PAGE));
    }
    for (i, set) in sets.iter_mut().enumerate() {
        if mask >> i & 1 == 1 {
            f(set);
        }
    }
    Ok(Step::Done)
}

/// Applies `f(counter, value, mask)` to the counters `first` and `first + 1` of both channels that `bits` selects.
fn pairs(
    sets: &mut [AddressCounters; 3],
    mask: u32,
    bits: u32,
    values: [u32; 4],
    first: usize,
    f: impl Fn(&mut Counter, u32, u32),
) -> Exec {
    if bits == 0 {
        return Err(Fault::program("the instruction selects no counter").page(PAGE));
    }
    each(sets, mask, |set| {
        for (i, value) in values.into_iter().enumerate() {
            if bits >> i & 1 == 1 {
                let dim = first + i % 2;
                f(&mut set.0[i / 2][dim], value, MASKS[dim]);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_increment_and_carriage_return() {
        let mut sets = [AddressCounters::default(); 3];
        let set = SETADCXY { cnt_set_mask: 0b010, bit_mask: 0b0010, ch0_y: 5, ..SETADCXY::ZERO };
        execute(&mut sets, Opcode::SETADCXY, set.word()).unwrap();
        assert_eq!(sets[1].0[0][dim::Y], Counter { value: 5, cr: 5 });
        assert_eq!(sets[0], AddressCounters::default());
        let inc = INCADCXY { cnt_set_mask: 0b010, ch0_y: 3, ..INCADCXY::ZERO };
        execute(&mut sets, Opcode::INCADCXY, inc.word()).unwrap();
        assert_eq!(sets[1].0[0][dim::Y], Counter { value: 8, cr: 5 });
        let cr = ADDRCRXY { cnt_set_mask: 0b010, bit_mask: 0b0010, ch0_y: 1, ..ADDRCRXY::ZERO };
        execute(&mut sets, Opcode::ADDRCRXY, cr.word()).unwrap();
        assert_eq!(sets[1].0[0][dim::Y], Counter { value: 6, cr: 6 });
    }

    #[test]
    fn x_range_goes_to_both_channels() {
        let mut sets = [AddressCounters::default(); 3];
        let op = SETADCXX { cnt_set_mask: 0b100, x_end2: 255, x_start: 0 };
        execute(&mut sets, Opcode::SETADCXX, op.word()).unwrap();
        assert_eq!((sets[2].value(0, dim::X), sets[2].value(1, dim::X)), (0, 255));
        assert!(execute(&mut sets, Opcode::SETADCXX, SETADCXX::ZERO.word()).is_err());
    }
}
