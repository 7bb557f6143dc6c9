//! What a worker is told before its BRISC leaves reset.

use crate::view::put_u64;

/// Most DRAM banks of any chip.
pub const MAX_BANKS: usize = 24;

/// A DRAM bank as the cores reach it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct BankEntry {
    /// The port that this worker uses, by NoC, as the NIU's registers name it ([`tt_isa::noc::NiuMap::node`]).
    /// NoC 1 counts tiles from the opposite corner: for a port given as a NoC 0 position its entry is
    /// [`tt_isa::noc::NocXy::mirrored`].
    pub node: [u32; 2],
    /// NoC address of the bank's first byte at that port.
    pub base: u64,
}

/// Boot configuration, at [`crate::l1::BOOT_CONFIG`].
///
/// It differs from worker to worker in the worker's number and place, and in the ports that it reads through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct BootConfig {
    /// [`BootConfig::MAGIC`]: the firmware does not start without it.
    pub magic: u32,
    /// This worker's number: it says which part of the work it takes, and so which banks it is close to
    /// ([`crate::placement`]).
    pub index: u32,
    /// Logical column of this worker, from 0.
    pub logical_x: u32,
    /// Logical row of this worker, from 0.
    pub logical_y: u32,
    /// Columns of the worker grid.
    pub grid_width: u32,
    /// Rows of the worker grid.
    pub grid_height: u32,
    /// Worker that holds the completion word, as the NIU's registers name it, NoC 0 (translated
    /// coordinates will do).
    pub completion_node: u32,
    /// DRAM banks.
    pub banks: u32,
    /// The banks; those from `banks` on are zero.
    pub bank: [BankEntry; MAX_BANKS],
}

impl BootConfig {
    /// Value of [`BootConfig::magic`]; changes with every incompatible change of this crate.
    pub const MAGIC: u32 = 0x5454_0001;
    /// Words of a boot configuration.
    pub const WORDS: usize = 8 + 4 * MAX_BANKS;
    /// Bytes of a boot configuration.
    pub const BYTES: usize = 4 * Self::WORDS;

    /// The configuration as little-endian words, as it stands in L1.
    pub fn to_words(&self) -> [u32; Self::WORDS] {
        let mut words = [0; Self::WORDS];
        words[..8].copy_from_slice(&[
            self.magic,
            self.index,
            self.logical_x,
            self.logical_y,
            self.grid_width,
            self.grid_height,
            self.completion_node,
            self.banks,
        ]);
        for (i, bank) in self.bank.iter().enumerate() {
            words[8 + 4 * i] = bank.node[0];
            words[9 + 4 * i] = bank.node[1];
            put_u64(&mut words, 10 + 4 * i, bank.base);
        }
        words
    }
}

const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(size_of::<BootConfig>() == BootConfig::BYTES);
    assert!(size_of::<BankEntry>() == 16);
    assert!(offset_of!(BootConfig, bank) == 32);
};
