//! Configuration registers of the coprocessor (`BackendConfiguration.md`).
//!
//! `Config` has two banks; a thread's `CFG_STATE_ID` says which one its instructions use. Registers from
//! [`CONFIG_GLOBAL_START`] on exist once. `ThreadConfig` is a set of 16-bit registers for each thread, written
//! by `SETC16` only.

use tt_isa::cfg::config::{self, FIELDS};
use tt_isa::cfg::thread::CFG_STATE_ID_StateID;
use tt_isa::cfg::{CONFIG_BANK_WORDS, CONFIG_GLOBAL_START, CfgField, Space, THREAD_CONFIG_WORDS};
use tt_isa::map;

use super::THREADS;
use crate::fault::Fault;

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

/// All configuration registers of a coprocessor.
pub struct ConfigState {
    banks: [[u32; WORDS]; 2],
    threads: [[u16; THREAD_WORDS]; THREADS],
    /// Bits written to `RISCV_IC_INVALIDATE` since the tile last looked.
    icache_invalidate: u32,
    /// Last write of `PRNG_SEED` that the vector unit has not taken.
    prng_seed: Option<u32>,
}

impl Default for ConfigState {
    fn default() -> Self {
        Self {
            banks: [[0; WORDS]; 2],
            threads: [[0; THREAD_WORDS]; THREADS],
            icache_invalidate: 0,
            prng_seed: None,
        }
    }
}

impl ConfigState {
    /// Value of a `Config` field, in the bank that `thread` has selected.
    #[inline]
    pub fn get(&self, thread: usize, field: CfgField) -> u32 {
        debug_assert!(field.space == Space::Config);
        field.get(self.word(self.bank(thread), field.index))
    }

    /// Value of a `ThreadConfig` field of `thread`.
    #[inline]
    pub fn thread(&self, thread: usize, field: CfgField) -> u32 {
        debug_assert!(field.space == Space::Thread);
        field.get(u32::from(self.threads[thread][field.index as usize]))
    }

    /// The bank that `thread` has selected.
    #[inline]
    pub fn bank(&self, thread: usize) -> usize {
        CFG_STATE_ID_StateID.get(u32::from(self.threads[thread][0])) as usize
    }

    /// A whole `Config` register; `index` counts words.
    #[inline]
    pub fn word(&self, bank: usize, index: u32) -> u32 {
        let bank = if index < CONFIG_GLOBAL_START { bank } else { 0 };
        self.banks[bank][index as usize]
    }

    /// Reads a `Config` register for a RISC-V core or `RDCFG`.
    pub fn read(&self, bank: usize, index: u32) -> Result<u32, Fault> {
        self.check(index)?;
        Ok(self.word(bank, index))
    }

    /// Writes a `Config` register. Bits that no field covers do not exist.
    pub fn write(&mut self, bank: usize, index: u32, value: u32) -> Result<(), Fault> {
        self.check(index)?;
        let bank = if index < CONFIG_GLOBAL_START { bank } else { 0 };
        self.banks[bank][index as usize] = value & DEFINED[index as usize];
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
        *word = value;
        Ok(())
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
            Some(0) => {
                Err(Fault::undocumented(format!("Config register {index} has no known field")).page(PAGE))
            }
            Some(_) => Ok(()),
            None => Err(Fault::program(format!("Config register {index} does not exist")).page(PAGE)),
        }
    }
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
    fn icache_invalidation_is_taken_once() {
        let mut cfg = ConfigState::default();
        cfg.write(0, map::RISCV_IC_INVALIDATE_CFG, 0b1_1110).unwrap();
        assert_eq!(cfg.take_icache_invalidate(), 0b1_1110);
        assert_eq!(cfg.take_icache_invalidate(), 0);
    }
}
