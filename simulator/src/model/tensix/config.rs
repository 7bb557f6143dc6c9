//! Configuration registers of the coprocessor (`BackendConfiguration.md`).
//!
//! `Config` has two banks; a thread's `CFG_STATE_ID` says which one its instructions use. Registers from
//! [`Registers::global_start`] on exist once. `ThreadConfig` is a set of 16-bit registers for each thread, written
//! by `SETC16` only. How many there are, and which bits, is the chip's; instructions name fields of Wormhole's, whose
//! design the coprocessor is.

use tt_isa::cfg::{CfgField, Registers, Space};
use tt_isa::chip::wormhole::config;
use tt_isa::chip::wormhole::thread::CFG_STATE_ID_StateID;
use tt_isa::chip::{CHIPS, Chip};
use tt_isa::map;

use super::THREADS;
use crate::fault::Fault;
use crate::model::access::{ConfigLog, ConfigWord};

/// Registers of a bank and of a thread, of the chip with the most.
const MOST: (usize, usize) = {
    let (mut words, mut of_thread, mut i) = (0, 0, 0);
    while i < CHIPS.len() {
        let Registers { bank_words, thread_words, .. } = CHIPS[i].registers;
        if bank_words as usize > words {
            words = bank_words as usize;
        }
        if thread_words as usize > of_thread {
            of_thread = thread_words as usize;
        }
        i += 1;
    }
    (words, of_thread)
};
const WORDS: usize = MOST.0;
const THREAD_WORDS: usize = MOST.1;

/// Bits of each `Config` register of a chip that exist: those of its fields, and the whole of registers that have none, the
/// second words of tile descriptors and what cores look at.
fn existing(chip: &Chip) -> [u32; WORDS] {
    let registers = &chip.registers;
    let mut bits = [0; WORDS];
    for field in registers.config.iter().filter(|field| field.index < registers.bank_words) {
        bits[field.index as usize] |= field.mask();
    }
    let descriptors = [config::THCON_SEC0_REG0_TileDescriptor, config::THCON_SEC1_REG0_TileDescriptor];
    let descriptors = descriptors.map(|field| field.on(registers).index + 1);
    let reset_pcs = chip.tile.reset_pc.registers().into_iter().filter_map(map::config_register);
    for index in descriptors.into_iter().chain([chip.tile.icache_invalidate]).chain(reset_pcs) {
        bits[index as usize] = u32::MAX;
    }
    bits
}

/// Registers with an effect of their own, by index.
#[derive(Clone, Copy)]
struct Special {
    state_reset: u32,
    prng_seed: u32,
    icache_invalidate: u32,
}

impl Special {
    fn of(chip: &Chip) -> Self {
        let index = |field: CfgField| field.on(&chip.registers).index;
        Self {
            state_reset: index(config::STATE_RESET_EN),
            prng_seed: index(config::PRNG_SEED_Seed_Val),
            icache_invalidate: chip.tile.icache_invalidate,
        }
    }
}

/// All configuration registers of a coprocessor.
pub struct ConfigState {
    registers: &'static Registers,
    special: Special,
    /// Bits that exist.
    existing: [u32; WORDS],
    /// Registers that exist once are the same in both.
    banks: [[u32; WORDS]; 2],
    threads: [[u16; THREAD_WORDS]; THREADS],
    /// Bits written to `RISCV_IC_INVALIDATE` since the tile last looked.
    icache_invalidate: u32,
    /// Last write of `PRNG_SEED` that the vector unit has not taken.
    prng_seed: Option<u32>,
    /// Counts writes.
    generation: u64,
    /// Which words are accessed, if an observer asked for it.
    log: Option<Box<ConfigLog>>,
}

impl ConfigState {
    /// Those of a chip, all zero.
    pub fn new(chip: &'static Chip) -> Self {
        Self {
            registers: &chip.registers,
            special: Special::of(chip),
            existing: existing(chip),
            banks: [[0; WORDS]; 2],
            threads: [[0; THREAD_WORDS]; THREADS],
            icache_invalidate: 0,
            prng_seed: None,
            generation: 0,
            log: None,
        }
    }

    /// Which registers there are.
    pub fn registers(&self) -> &'static Registers {
        self.registers
    }

    /// Value of a `Config` field, in the bank that `thread` has selected.
    #[inline]
    pub fn get(&self, thread: usize, field: CfgField) -> u32 {
        debug_assert!(field.space == Space::Config);
        field.get(self.bits(self.bank(thread), field.index, field.mask()))
    }

    /// Value of a `ThreadConfig` field of `thread`.
    #[inline]
    pub fn thread(&self, thread: usize, field: CfgField) -> u32 {
        debug_assert!(field.space == Space::Thread);
        if let Some(log) = &self.log {
            log.note(ConfigWord::Thread(thread as u8, field.index as u16), field.mask(), false);
        }
        field.get(u32::from(self.threads[thread][field.index as usize]))
    }

    /// The bank that `thread` has selected.
    #[inline]
    pub fn bank(&self, thread: usize) -> usize {
        self.thread(thread, CFG_STATE_ID_StateID) as usize
    }

    /// A whole `Config` register; `index` counts words.
    #[inline]
    pub fn word(&self, bank: usize, index: u32) -> u32 {
        self.bits(bank, index, u32::MAX)
    }

    /// A `Config` register of which only the bits of `mask` matter.
    #[inline]
    fn bits(&self, bank: usize, index: u32, mask: u32) -> u32 {
        if let Some(log) = &self.log {
            log.note(ConfigWord::Config(self.bank_of(bank, index), index as u16), mask, false);
        }
        self.banks[bank][index as usize]
    }

    /// The bank that a register belongs to: registers that exist once to the first.
    fn bank_of(&self, bank: usize, index: u32) -> u8 {
        if index < self.registers.global_start { bank as u8 } else { 0 }
    }

    /// Changes whenever a register may have been written: for what is derived from them. `None` where every access is to be
    /// noted.
    #[inline]
    pub fn generation(&self) -> Option<u64> {
        self.log.is_none().then_some(self.generation)
    }

    /// From now on accesses can be noted.
    pub fn enable_log(&mut self) {
        self.log = Some(Box::default());
    }

    /// Where accesses are noted, if they are.
    pub fn log(&self) -> Option<&ConfigLog> {
        self.log.as_deref()
    }

    /// Reads a `Config` register for a RISC-V core or `RDCFG`.
    pub fn read(&self, bank: usize, index: u32) -> Result<u32, Fault> {
        self.check(index)?;
        Ok(self.word(bank, index))
    }

    /// Writes a `Config` register. Bits that no field covers do not exist. Whatever is written to
    /// `STATE_RESET_EN` clears the bank.
    pub fn write(&mut self, bank: usize, index: u32, value: u32) -> Result<(), Fault> {
        if index == self.special.state_reset {
            self.generation += 1;
            let banked = self.registers.global_start;
            if let Some(log) = &self.log {
                let words = self.banks[bank].iter().zip(0..banked as u16);
                words.for_each(|(&old, i)| log.note(ConfigWord::Config(bank as u8, i), old, true));
            }
            self.banks[bank][..banked as usize].fill(0);
            return Ok(());
        }
        self.modify(bank, index, u32::MAX, value)
    }

    /// Writes those bits of a `Config` register that `mask` has.
    pub fn modify(&mut self, bank: usize, index: u32, mask: u32, data: u32) -> Result<(), Fault> {
        self.check(index)?;
        let value = self.banks[bank][index as usize] & !mask | data & mask;
        if value != 0 && self.registers.absent.contains(&index) {
            return Err(absent("Config", index, value));
        }
        let new = value & self.existing[index as usize];
        self.generation += 1;
        let old = std::mem::replace(&mut self.banks[bank][index as usize], new);
        if index >= self.registers.global_start {
            self.banks[1 - bank][index as usize] = new;
        }
        if let Some(log) = &self.log {
            log.note(ConfigWord::Config(self.bank_of(bank, index), index as u16), old ^ new, true);
        }
        if index == self.special.icache_invalidate {
            self.icache_invalidate |= value;
        }
        if index == self.special.prng_seed {
            self.prng_seed = Some(value);
        }
        Ok(())
    }

    /// `SETC16`.
    pub fn set_thread(&mut self, thread: usize, index: u32, value: u16) -> Result<(), Fault> {
        let words = &mut self.threads[thread][..self.registers.thread_words as usize];
        let Some(word) = words.get_mut(index as usize) else {
            return Err(Fault::program(format!("ThreadConfig register {index} does not exist")).page(PAGE));
        };
        if value != 0 && self.registers.absent_of_threads.contains(&index) {
            return Err(absent("ThreadConfig", index, value.into()));
        }
        let old = std::mem::replace(word, value);
        self.generation += 1;
        if let Some(log) = &self.log {
            log.note(ConfigWord::Thread(thread as u8, index as u16), u32::from(old ^ value), true);
        }
        Ok(())
    }

    /// Reads what is mapped at the `word`-th word from `CFG_BASE` on: both banks of `Config`, then each thread's
    /// registers, in the low halves of words some way apart.
    pub fn read_mapped(&self, word: u32) -> Result<u32, Fault> {
        let Registers { bank_words, thread_words, thread_map, thread_stride, .. } = *self.registers;
        let Some(at) = word.checked_sub(thread_map) else {
            let bank = (word / bank_words) as usize;
            return if bank < 2 { self.read(bank, word % bank_words) } else { Err(unmapped(word)) };
        };
        let (index, rest) = (at / (thread_stride / 4), at % (thread_stride / 4));
        let thread = self.threads.get((index / thread_words) as usize).ok_or_else(|| unmapped(word))?;
        Ok(if rest == 0 { thread[(index % thread_words) as usize].into() } else { 0 })
    }

    /// Writes what is mapped there; `ThreadConfig` is read-only. Where there is a third range behind the banks, what is
    /// written there goes to both.
    pub fn write_mapped(&mut self, word: u32, value: u32) -> Result<(), Fault> {
        let Registers { bank_words, thread_map, .. } = *self.registers;
        let index = word % bank_words;
        match word / bank_words {
            bank @ (0 | 1) => self.write(bank as usize, index, value),
            2 if word < thread_map => (0..2).try_for_each(|bank| self.write(bank, index, value)),
            _ => Err(unmapped(word)),
        }
    }

    /// Takes the instruction caches that were invalidated since the last call, as
    /// [`tt_isa::map::RiscV::icache_bit`]s.
    pub fn take_icache_invalidate(&mut self) -> u32 {
        std::mem::take(&mut self.icache_invalidate)
    }

    /// Takes the seed that was written to `PRNG_SEED` since the last call.
    #[inline]
    pub fn take_prng_seed(&mut self) -> Option<u32> {
        self.prng_seed.take()
    }

    fn check(&self, index: u32) -> Result<(), Fault> {
        let existing = &self.existing[..self.registers.bank_words as usize];
        match existing.get(index as usize) {
            Some(0) if !self.registers.absent.contains(&index) => {
                Err(Fault::undocumented(format!("Config register {index} has no known field")).page(PAGE))
            }
            Some(_) => Ok(()),
            None => Err(Fault::program(format!("Config register {index} does not exist")).page(PAGE)),
        }
    }
}

fn absent(space: &str, index: u32, value: u32) -> Fault {
    let what = format!("{space} register {index} = {value:#x}: silicon does not have this register");
    Fault::program(what).page(PAGE)
}

fn unmapped(word: u32) -> Fault {
    let addr = map::CFG_BASE + 4 * word;
    Fault::program(format!("no configuration register at {addr:#010x}, or a read-only one")).page(PAGE)
}

const PAGE: &str = "TensixTile/TensixCoprocessor/BackendConfiguration.md";

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::chip::WORMHOLE;
    use tt_isa::chip::wormhole::config::{ALU_FORMAT_SPEC_REG0_SrcA, ALU_FORMAT_SPEC_REG1_SrcB};
    use tt_isa::chip::wormhole::thread::SRCB_SET_Base;

    #[test]
    fn threads_select_their_bank() {
        let mut cfg = ConfigState::new(&WORMHOLE);
        cfg.write(0, 1, ALU_FORMAT_SPEC_REG0_SrcA.value(5)).unwrap();
        cfg.write(1, 1, ALU_FORMAT_SPEC_REG0_SrcA.value(6) | ALU_FORMAT_SPEC_REG1_SrcB.value(4)).unwrap();
        cfg.set_thread(1, 0, 1).unwrap();
        assert_eq!(cfg.get(0, ALU_FORMAT_SPEC_REG0_SrcA), 5);
        assert_eq!(cfg.get(1, ALU_FORMAT_SPEC_REG0_SrcA), 6);
        assert_eq!(cfg.get(1, ALU_FORMAT_SPEC_REG1_SrcB), 4);
    }

    #[test]
    fn registers_above_152_are_shared_and_unknown_ones_are_faults() {
        let mut cfg = ConfigState::new(&WORMHOLE);
        cfg.write(1, 158, 0x6000).unwrap();
        assert_eq!(cfg.read(0, 158).unwrap(), 0x6000);
        assert!(cfg.write(0, 10_000, 1).is_err());
        assert!(cfg.set_thread(0, WORMHOLE.registers.thread_words, 1).is_err());
    }

    #[test]
    fn a_write_to_state_reset_en_clears_its_bank() {
        let mut cfg = ConfigState::new(&WORMHOLE);
        let (banked, shared) = (config::THCON_SEC0_REG3_Base_address.index, 158);
        for bank in 0..2 {
            cfg.write(bank, banked, 7).unwrap();
        }
        cfg.write(0, shared, 8).unwrap();
        cfg.modify(1, config::STATE_RESET_EN.index, 1, 1).unwrap();
        assert_eq!((cfg.word(1, banked), cfg.word(1, config::STATE_RESET_EN.index)), (7, 1));
        cfg.write(1, config::STATE_RESET_EN.index, 0).unwrap();
        assert_eq!([cfg.word(0, banked), cfg.word(1, banked), cfg.word(0, shared)], [7, 0, 8]);
        assert_eq!(cfg.word(1, config::STATE_RESET_EN.index), 0);
    }

    #[test]
    fn registers_that_silicon_lacks_are_zero() {
        let mut cfg = ConfigState::new(&WORMHOLE);
        for &index in WORMHOLE.registers.absent {
            cfg.write(0, index, 0).unwrap();
            assert!(cfg.write(0, index, 1).unwrap_err().to_string().contains("silicon"));
            assert_eq!(cfg.read(0, index).unwrap(), 0);
        }
        assert!(cfg.set_thread(0, SRCB_SET_Base.index, 1).is_err());
    }

    #[test]
    fn cores_see_both_banks_and_the_threads_registers() {
        let mut cfg = ConfigState::new(&WORMHOLE);
        cfg.write_mapped(1, 0x1_8000).unwrap();
        cfg.write_mapped(WORMHOLE.registers.bank_words + 1, 0x8000).unwrap();
        cfg.set_thread(2, 3, 0xABCD).unwrap();
        assert_eq!([cfg.word(0, 1), cfg.word(1, 1)], [0x1_8000, 0x8000]);
        assert_eq!(cfg.read_mapped(WORMHOLE.registers.bank_words + 1).unwrap(), 0x8000);
        let of_thread = 2 * WORMHOLE.registers.bank_words + 4 * (2 * WORMHOLE.registers.thread_words + 3);
        assert_eq!(cfg.read_mapped(of_thread).unwrap(), 0xABCD);
        assert_eq!(cfg.read_mapped(of_thread + 1).unwrap(), 0);
        assert!(cfg.write_mapped(of_thread, 1).is_err());
        assert!(
            cfg.read_mapped(2 * WORMHOLE.registers.bank_words + 4 * 3 * WORMHOLE.registers.thread_words)
                .is_err()
        );
    }

    #[test]
    fn icache_invalidation_is_taken_once() {
        let mut cfg = ConfigState::new(&WORMHOLE);
        cfg.write(0, WORMHOLE.tile.icache_invalidate, 0b1_1110).unwrap();
        assert_eq!(cfg.take_icache_invalidate(), 0b1_1110);
        assert_eq!(cfg.take_icache_invalidate(), 0);
    }
}
