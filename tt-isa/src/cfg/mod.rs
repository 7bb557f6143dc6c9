//! Configuration registers of the Tensix coprocessor (`TensixTile/TensixCoprocessor/BackendConfiguration.md`).
//!
//! There are two register files: the backend configuration (`Config`, 32-bit words, two banks) and the per-thread one
//! (`ThreadConfig`, 16-bit words). A [`CfgField`] is a position; [`CfgField::value`] builds register words from it.
//! Which fields there are, and where, is a chip's: its [`Registers`]. Constants with the fields' names are in
//! [`crate::chip::wormhole`] (`config`, `thread`); [`CfgField::on`] finds the field of the same name on another chip.

use core::fmt;

use crate::text::equal;

mod differences;

pub(crate) use differences::{Difference, apply, cfg_differences};

/// A chip's configuration registers.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// Registers in one bank of `Config` (`CFG_STATE_SIZE * 4`).
    pub bank_words: u32,
    /// First of the `Config` registers whose names start with `THCON_` (`THCON_CFGREG_BASE_ADDR32`); they end at
    /// [`Self::global_start`].
    pub thcon_start: u32,
    /// `Config` registers from this index on are not banked.
    pub global_start: u32,
    /// Number of `ThreadConfig` registers of a thread.
    pub thread_words: u32,
    /// Words from the start of the mapped configuration to those of thread 0.
    pub thread_map: u32,
    /// Bytes from one mapped `ThreadConfig` register to the next.
    pub thread_stride: u32,
    /// Fields of `Config`, by register index and bit.
    pub config: &'static [CfgField],
    /// Fields of `ThreadConfig`, by register index and bit.
    pub thread: &'static [CfgField],
    /// Registers of `Config` that documents and headers have and silicon has not: they read as zero.
    pub absent: &'static [u32],
    /// The same of `ThreadConfig`.
    pub absent_of_threads: &'static [u32],
}

impl Registers {
    /// The field called `name`, if the chip has it.
    pub const fn named(&self, space: Space, name: &str) -> Option<CfgField> {
        let fields = match space {
            Space::Config => self.config,
            Space::Thread => self.thread,
        };
        let mut i = 0;
        while i < fields.len() {
            if equal(fields[i].name, name) {
                return Some(fields[i]);
            }
            i += 1;
        }
        None
    }
}

/// Which register file a field belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Space {
    /// `Config`.
    Config,
    /// `ThreadConfig`.
    Thread,
}

/// A field of a configuration register.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CfgField {
    /// Register file.
    pub space: Space,
    /// Register index within its file (in words, not bytes).
    pub index: u32,
    /// Lowest bit.
    pub shift: u32,
    /// Number of bits.
    pub width: u32,
    /// Name in the vendor's headers.
    pub name: &'static str,
}

impl CfgField {
    /// Bits of the register that belong to this field.
    pub const fn mask(&self) -> u32 {
        (if self.width == 32 { u32::MAX } else { (1 << self.width) - 1 }) << self.shift
    }

    /// The field's value in a register word.
    pub const fn get(&self, word: u32) -> u32 {
        (word & self.mask()) >> self.shift
    }

    /// The field of this name among a chip's registers. Panics (fails to compile in `const`) if the chip has none.
    pub const fn on(&self, registers: &Registers) -> CfgField {
        match registers.named(self.space, self.name) {
            Some(field) => field,
            None => panic!("the chip has no configuration field of this name"),
        }
    }

    /// `value` at the field's place, other bits zero. Panics (fails to compile in `const`) if it does not fit.
    pub const fn value(&self, value: u32) -> u32 {
        assert!(self.width == 32 || value >> self.width == 0, "value does not fit the configuration field");
        value << self.shift
    }

    /// `word` with this field replaced.
    pub const fn with(&self, word: u32, value: u32) -> u32 {
        (word & !self.mask()) | self.value(value)
    }
}

impl fmt::Debug for CfgField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}] bits {}+{}", self.name, self.index, self.shift, self.width)
    }
}

macro_rules! cfg_fields {
    ($space:ident, $all:ident $( @$index:literal { $($name:ident[$shift:literal, $width:literal])* } )*) => {
        use $crate::cfg::{CfgField, Space};
        $( $(
            #[doc = concat!("Register ", stringify!($index), ", bit ", stringify!($shift), ", width ", stringify!($width), ".")]
            pub const $name: CfgField =
                CfgField { space: Space::$space, index: $index, shift: $shift, width: $width, name: stringify!($name) };
        )* )*

        /// Every field, by register index and bit.
        pub const $all: &[CfgField] = &[ $( $( $name, )* )* ];
    };
}
pub(crate) use cfg_fields;
