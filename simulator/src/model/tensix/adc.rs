//! Address counters of the unpackers and packers (`ADCs.md`).
//!
//! Each thread has one set for unpacker 0, one for unpacker 1 and one for the packers. A set has two channels
//! (0: where data is read, 1: where it is written) of four counters, each with a "carriage return" copy that
//! `ADDRCR*` moves on and returns to.

use tt_isa::insn::{ADDRCRZW, INCADCXY, Opcode, SETADC, SETADCXX, SETADCXY};

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

/// Executes an address counter instruction of `thread`. A mask that selects nothing is no error.
pub fn execute(state: &mut AddressCounterState, thread: usize, opcode: Opcode, word: u32) -> Exec {
    match opcode {
        Opcode::SETADC => {
            let op = SETADC::decode(word);
            let dim = op.dimension_index as usize;
            // The upper two of the eighteen bits also name a thread.
            for set in selected(state, thread, op.value >> 16, op.cnt_set_mask) {
                set.0[op.channel_index as usize][dim].set(op.value & MASKS[dim]);
            }
        }
        Opcode::SETADCXX => {
            let op = SETADCXX::decode(word);
            for set in selected(state, thread, 0, op.cnt_set_mask) {
                set.0[0][dim::X].set(op.x_start);
                set.0[1][dim::X].set(op.x_end2);
            }
        }
        Opcode::INCADCXY => pairs(state, thread, word, dim::X, INCREMENT_ALL, Counter::add),
        Opcode::INCADCZW => pairs(state, thread, word, dim::Z, INCREMENT_ALL, Counter::add),
        Opcode::SETADCXY => pairs(state, thread, word, dim::X, 0, |c, value, _| c.set(value)),
        Opcode::SETADCZW => pairs(state, thread, word, dim::Z, 0, |c, value, _| c.set(value)),
        Opcode::ADDRCRXY => pairs(state, thread, word, dim::X, 0, Counter::carriage_return),
        Opcode::ADDRCRZW => pairs(state, thread, word, dim::Z, 0, Counter::carriage_return),
        _ => return Err(Fault::internal(format!("{opcode:?} is no address counter instruction"))),
    }
    Ok(Step::Done)
}

/// `INCADC*` have no mask of counters: they increment all four, if only by zero.
const INCREMENT_ALL: u32 = 0b1111;

/// The counter sets that `mask` selects, of `thread` or of the one that `thread_override` names (from 1 on).
fn selected(
    state: &mut AddressCounterState,
    thread: usize,
    thread_override: u32,
    mask: u32,
) -> impl Iterator<Item = &mut AddressCounters> {
    let thread = if thread_override == 0 { thread } else { thread_override as usize - 1 };
    state[thread].iter_mut().enumerate().filter(move |(i, _)| mask >> i & 1 == 1).map(|(_, set)| set)
}

/// Applies `f(counter, value, mask)` to the counters `first` and `first + 1` of both channels that the word's
/// `bit_mask`, or `always`, selects.
fn pairs(
    state: &mut AddressCounterState,
    thread: usize,
    word: u32,
    first: usize,
    always: u32,
    f: impl Fn(&mut Counter, u32, u32),
) {
    // The operands are in the same bits of all six.
    let op = SETADCXY::decode(word);
    let values = [op.ch0_x, op.ch0_y, op.ch1_x, op.ch1_y];
    for set in selected(state, thread, op.thread_override, op.cnt_set_mask) {
        for (i, value) in values.into_iter().enumerate() {
            if (op.bit_mask | always) >> i & 1 == 1 {
                let dim = first + i % 2;
                f(&mut set.0[i / 2][dim], value, MASKS[dim]);
            }
        }
    }
}

// The shared decoding above is only right while these hold.
const _: () = {
    const OPERANDS: u32 = 0xFF_FFFF;
    let set =
        SETADCXY { cnt_set_mask: 5, thread_override: 2, ch1_y: 7, ch1_x: 1, ch0_y: 4, ch0_x: 3, bit_mask: 0 };
    let inc = INCADCXY { cnt_set_mask: 5, thread_override: 2, ch1_y: 7, ch1_x: 1, ch0_y: 4, ch0_x: 3 }.word();
    let addr =
        ADDRCRZW { cnt_set_mask: 5, thread_override: 2, ch1_y: 7, ch1_x: 1, ch0_y: 4, ch0_x: 3, bit_mask: 0 }
            .word();
    assert!(set.word() & OPERANDS == inc & OPERANDS && set.word() & OPERANDS == addr & OPERANDS);
};

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::insn::{ADDRCRXY, INCADCZW, SETADCZW};

    fn run(state: &mut AddressCounterState, thread: usize, word: u32) {
        execute(state, thread, Opcode::of(word).unwrap(), word).unwrap();
    }

    #[test]
    fn set_increment_and_carriage_return() {
        let mut state = AddressCounterState::default();
        let y0 = SETADCXY { cnt_set_mask: 0b010, bit_mask: 0b0010, ch0_y: 5, ..SETADCXY::ZERO };
        run(&mut state, 0, y0.word());
        assert_eq!(state[0][1].0[0][dim::Y], Counter { value: 5, cr: 5 });
        assert_eq!(state[0][0], AddressCounters::default());
        run(&mut state, 0, INCADCXY { cnt_set_mask: 0b010, ch0_y: 3, ..INCADCXY::ZERO }.word());
        assert_eq!(state[0][1].0[0][dim::Y], Counter { value: 8, cr: 5 });
        let cr = ADDRCRXY { cnt_set_mask: 0b010, bit_mask: 0b0010, ch0_y: 1, ..ADDRCRXY::ZERO };
        run(&mut state, 0, cr.word());
        assert_eq!(state[0][1].0[0][dim::Y], Counter { value: 6, cr: 6 });
    }

    #[test]
    fn x_range_goes_to_both_channels() {
        let mut state = AddressCounterState::default();
        run(&mut state, 2, SETADCXX { cnt_set_mask: 0b100, x_end2: 255, x_start: 0 }.word());
        assert_eq!((state[2][2].value(0, dim::X), state[2][2].value(1, dim::X)), (0, 255));
        run(&mut state, 0, SETADCXX::ZERO.word());
        assert_eq!(state[0], [AddressCounters::default(); 3]);
    }

    #[test]
    fn counters_wrap_at_their_width() {
        let mut state = AddressCounterState::default();
        for (dimension_index, value) in [(0, 0xFFFF), (1, 0xFFFF), (2, 0xFFFF), (3, 0x1FF)] {
            run(&mut state, 1, SETADC { cnt_set_mask: 1, channel_index: 1, dimension_index, value }.word());
        }
        assert_eq!([0, 1, 2, 3].map(|dim| state[1][0].value(1, dim)), [0xFFFF, 0x1FFF, 0xFF, 0xFF]);
        run(&mut state, 1, INCADCXY { cnt_set_mask: 1, ch1_x: 1, ch1_y: 2, ..INCADCXY::ZERO }.word());
        run(&mut state, 1, INCADCZW { cnt_set_mask: 1, ch1_x: 7, ch1_y: 1, ..INCADCZW::ZERO }.word());
        assert_eq!([0, 1, 2, 3].map(|dim| state[1][0].value(1, dim)), [0x1_0000, 1, 6, 0]);
    }

    /// By hand from `SETADC.md` and its like: the vendor's simulator has no overrides.
    #[test]
    fn other_threads_counters() {
        let mut state = AddressCounterState::default();
        run(&mut state, 0, SETADC { cnt_set_mask: 0b001, value: 0x3_0007, ..SETADC::ZERO }.word());
        // What names the thread is part of the number as well.
        assert_eq!(state[2][0].0[0][dim::X], Counter { value: 0x3_0007, cr: 0x3_0007 });
        let zw = SETADCZW {
            cnt_set_mask: 0b110,
            thread_override: 2,
            ch0_x: 4,
            ch1_y: 6,
            bit_mask: 0b1001,
            ..SETADCZW::ZERO
        };
        run(&mut state, 0, zw.word());
        for set in 1..3 {
            assert_eq!([state[1][set].value(0, dim::Z), state[1][set].value(1, dim::W)], [4, 6]);
        }
        run(
            &mut state,
            2,
            INCADCZW { cnt_set_mask: 0b100, thread_override: 2, ch0_x: 1, ..INCADCZW::ZERO }.word(),
        );
        assert_eq!(state[1][2].0[0][dim::Z], Counter { value: 5, cr: 4 });
        let cr =
            ADDRCRZW { cnt_set_mask: 0b100, thread_override: 2, ch0_x: 2, bit_mask: 1, ..ADDRCRZW::ZERO };
        run(&mut state, 0, cr.word());
        assert_eq!(state[1][2].0[0][dim::Z], Counter { value: 6, cr: 6 });
        assert_eq!(state[0], [AddressCounters::default(); 3]);
    }
}
