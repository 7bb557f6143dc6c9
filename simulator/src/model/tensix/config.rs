//! Configuration registers of the coprocessor (`BackendConfiguration.md`).
//!
//! `Config` has two banks; a thread's `CFG_STATE_ID` says which one its instructions use. Registers from
//! [`CONFIG_GLOBAL_START`] on exist once. `ThreadConfig` is a set of 16-bit registers for each thread, written
//! by `SETC16` only.

use tt_isa::cfg::config::{self, FIELDS};
use tt_isa::cfg::thread::{CFG_STATE_ID_StateID, SRCB_SET_Base};
use tt_isa::cfg::{CONFIG_BANK_WORDS, CONFIG_GLOBAL_START, CfgField, Space, THREAD_CONFIG_WORDS};
use tt_isa::map;

use super::THREADS;
use crate::fault::Fault;
use crate::model::access::{ConfigLog, ConfigWord};

const WORDS: usize = CONFIG_BANK_WORDS as usize;
const THREAD_WORDS: usize = THREAD_CONFIG_WORDS as usize;

/// Bits of each `Config` register that the table names. The second words of tile descriptors and the reset
/// pcs are registers that the table has no fields for.
const DEFINED: [u32; WORDS] = {
    let mut bits = [0; WORDS];
    let mut i = 0;
    while i < FIELDS.len() {
        let field = FIELDS[i];
        if (field.index as usize) < WORDS {
            bits[field.index as usize] |= field.mask();
        }
        i += 1;
    }
    let whole = [
        config::THCON_SEC0_REG0_TileDescriptor.index + 1,
        config::THCON_SEC1_REG0_TileDescriptor.index + 1,
        map::RISCV_IC_INVALIDATE_CFG,
        map::TRISC_RESET_PC_CFG[0],
        map::TRISC_RESET_PC_CFG[1],
        map::TRISC_RESET_PC_CFG[2],
        map::TRISC_RESET_PC_OVERRIDE_CFG,
        map::NCRISC_RESET_PC_CFG,
        map::NCRISC_RESET_PC_OVERRIDE_CFG,
    ];
    let mut i = 0;
    while i < whole.len() {
        bits[whole[i] as usize] = u32::MAX;
        i += 1;
    }
    bits
};

/// Registers that the documents and headers have and silicon has not: they read as zero. The vendor's simulator
/// names them.
const ABSENT: [u32; 9] = [
    config::PCK0_ADDR_BASE_REG_0_Base.index,
    config::PCK0_ADDR_BASE_REG_1_Base.index,
    config::PCK_EDGE_TILE_FACE_SET_SELECT_enable.index,
    config::UNP0_ADDR_BASE_REG_1_Base.index,
    config::UNP1_ADDR_BASE_REG_1_Base.index,
    config::THCON_SEC0_REG0_TileDescriptor.index + 2,
    config::THCON_SEC0_REG0_TileDescriptor.index + 3,
    config::THCON_SEC1_REG0_TileDescriptor.index + 2,
    config::THCON_SEC1_REG0_TileDescriptor.index + 3,
];
/// The same of `ThreadConfig`.
const ABSENT_OF_THREADS: [u32; 1] = [SRCB_SET_Base.index];
/// Words between two `ThreadConfig` registers as RISC-V cores see them.
const THREAD_STRIDE: usize = 4;

/// All configuration registers of a coprocessor.
pub struct ConfigState {
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

impl Default for ConfigState {
    fn default() -> Self {
        Self {
            banks: [[0; WORDS]; 2],
            threads: [[0; THREAD_WORDS]; THREADS],
            icache_invalidate: 0,
            prng_seed: None,
            generation: 0,
            log: None,
        }
    }
}

impl ConfigState {
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
        let bank = if index < CONFIG_GLOBAL_START { bank } else { 0 };
        if let Some(log) = &self.log {
            log.note(ConfigWord::Config(bank as u8, index as u16), mask, false);
        }
        self.banks[bank][index as usize]
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
        if index == config::STATE_RESET_EN.index {
            self.generation += 1;
            if let Some(log) = &self.log {
                let words = self.banks[bank].iter().zip(0..CONFIG_GLOBAL_START as u16);
                words.for_each(|(&old, i)| log.note(ConfigWord::Config(bank as u8, i), old, true));
            }
            self.banks[bank][..CONFIG_GLOBAL_START as usize].fill(0);
            return Ok(());
        }
        self.modify(bank, index, u32::MAX, value)
    }

    /// Writes those bits of a `Config` register that `mask` has.
    pub fn modify(&mut self, bank: usize, index: u32, mask: u32, data: u32) -> Result<(), Fault> {
        self.check(index)?;
        let bank = if index < CONFIG_GLOBAL_START { bank } else { 0 };
        let value = self.banks[bank][index as usize] & !mask | data & mask;
        if value != 0 && ABSENT.contains(&index) {
            return Err(absent("Config", index, value));
        }
        let new = value & DEFINED[index as usize];
        self.generation += 1;
        let old = std::mem::replace(&mut self.banks[bank][index as usize], new);
        if let Some(log) = &self.log {
            log.note(ConfigWord::Config(bank as u8, index as u16), old ^ new, true);
        }
        if index == map::RISCV_IC_INVALIDATE_CFG {
            self.icache_invalidate |= value;
        }
        if index == config::PRNG_SEED_Seed_Val.index {
            self.prng_seed = Some(value);
        }
        Ok(())
    }

    /// `SETC16`.
    pub fn set_thread(&mut self, thread: usize, index: u32, value: u16) -> Result<(), Fault> {
        let Some(word) = self.threads[thread].get_mut(index as usize) else {
            return Err(Fault::program(format!("ThreadConfig register {index} does not exist")).page(PAGE));
        };
        if value != 0 && ABSENT_OF_THREADS.contains(&index) {
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
    /// registers in the low halves of every fourth word.
    pub fn read_mapped(&self, word: u32) -> Result<u32, Fault> {
        let at = word as usize;
        match at.checked_sub(2 * WORDS) {
            None => self.read(at / WORDS, (at % WORDS) as u32),
            Some(at) => {
                let (index, rest) = (at / THREAD_STRIDE, at % THREAD_STRIDE);
                let thread = self.threads.get(index / THREAD_WORDS);
                let thread = thread.ok_or_else(|| unmapped(word))?;
                Ok(if rest == 0 { thread[index % THREAD_WORDS].into() } else { 0 })
            }
        }
    }

    /// Writes what is mapped there; `ThreadConfig` is read-only.
    pub fn write_mapped(&mut self, word: u32, value: u32) -> Result<(), Fault> {
        match word as usize / WORDS {
            bank @ (0 | 1) => self.write(bank, word % CONFIG_BANK_WORDS, value),
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
        match DEFINED.get(index as usize) {
            Some(0) if !ABSENT.contains(&index) => {
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
    use tt_isa::cfg::config::{ALU_FORMAT_SPEC_REG0_SrcA, ALU_FORMAT_SPEC_REG1_SrcB};

    #[test]
    fn threads_select_their_bank() {
        let mut cfg = ConfigState::default();
        cfg.write(0, 1, ALU_FORMAT_SPEC_REG0_SrcA.value(5)).unwrap();
        cfg.write(1, 1, ALU_FORMAT_SPEC_REG0_SrcA.value(6) | ALU_FORMAT_SPEC_REG1_SrcB.value(4)).unwrap();
        cfg.set_thread(1, 0, 1).unwrap();
        assert_eq!(cfg.get(0, ALU_FORMAT_SPEC_REG0_SrcA), 5);
        assert_eq!(cfg.get(1, ALU_FORMAT_SPEC_REG0_SrcA), 6);
        assert_eq!(cfg.get(1, ALU_FORMAT_SPEC_REG1_SrcB), 4);
    }

    #[test]
    fn registers_above_152_are_shared_and_unknown_ones_are_faults() {
        let mut cfg = ConfigState::default();
        cfg.write(1, 158, 0x6000).unwrap();
        assert_eq!(cfg.read(0, 158).unwrap(), 0x6000);
        assert!(cfg.write(0, 10_000, 1).is_err());
        assert!(cfg.set_thread(0, THREAD_CONFIG_WORDS, 1).is_err());
    }

    #[test]
    fn a_write_to_state_reset_en_clears_its_bank() {
        let mut cfg = ConfigState::default();
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
        let mut cfg = ConfigState::default();
        for index in ABSENT {
            cfg.write(0, index, 0).unwrap();
            assert!(cfg.write(0, index, 1).unwrap_err().to_string().contains("silicon"));
            assert_eq!(cfg.read(0, index).unwrap(), 0);
        }
        assert!(cfg.set_thread(0, SRCB_SET_Base.index, 1).is_err());
    }

    #[test]
    fn cores_see_both_banks_and_the_threads_registers() {
        let mut cfg = ConfigState::default();
        cfg.write_mapped(1, 0x1_8000).unwrap();
        cfg.write_mapped(CONFIG_BANK_WORDS + 1, 0x8000).unwrap();
        cfg.set_thread(2, 3, 0xABCD).unwrap();
        assert_eq!([cfg.word(0, 1), cfg.word(1, 1)], [0x1_8000, 0x8000]);
        assert_eq!(cfg.read_mapped(CONFIG_BANK_WORDS + 1).unwrap(), 0x8000);
        let of_thread = 2 * CONFIG_BANK_WORDS + 4 * (2 * THREAD_CONFIG_WORDS + 3);
        assert_eq!(cfg.read_mapped(of_thread).unwrap(), 0xABCD);
        assert_eq!(cfg.read_mapped(of_thread + 1).unwrap(), 0);
        assert!(cfg.write_mapped(of_thread, 1).is_err());
        assert!(cfg.read_mapped(2 * CONFIG_BANK_WORDS + 4 * 3 * THREAD_CONFIG_WORDS).is_err());
    }

    #[test]
    fn icache_invalidation_is_taken_once() {
        let mut cfg = ConfigState::default();
        cfg.write(0, map::RISCV_IC_INVALIDATE_CFG, 0b1_1110).unwrap();
        assert_eq!(cfg.take_icache_invalidate(), 0b1_1110);
        assert_eq!(cfg.take_icache_invalidate(), 0);
    }
}
