//! What `SFPCONFIG` writes: constant registers, lane configuration, and the tables of `SFPLOADMACRO`
//! (`SFPCONFIG.md`).
//!
//! Values come from the first row of `LReg[0]`: one value for each of eight columns, which applies to the four
//! lanes of the column.

use tt_isa::insn::Opcode;
use tt_isa::sfpu::{COLUMNS, lane_config, lreg, sfpconfig};

use super::SfpuState;
use super::lanes::{ALL, LaneMask, broadcast_mask};
use super::operands::Operands;
use crate::fault::Fault;

/// A value for each column of lanes.
pub type Columns = [u32; COLUMNS];

/// `LaneConfig`, with the masks of lanes that follow from it.
#[derive(Clone, Default, Debug)]
pub struct LaneConfig {
    columns: Columns,
    rows_off: LaneMask,
    no_backdoor: LaneMask,
    dest_index: LaneMask,
    any: u32,
}

impl LaneConfig {
    fn set(&mut self, columns: Columns) {
        self.columns = columns;
        self.rows_off = 0;
        for (column, config) in columns.iter().enumerate() {
            for row in 0..4 {
                let off = config >> (lane_config::ROW_MASK_SHIFT + row) & 1;
                self.rows_off |= off << (COLUMNS as u32 * row + column as u32);
            }
        }
        self.any = columns.iter().fold(0, |any, config| any | config);
        self.no_backdoor = self.lanes(lane_config::DISABLE_BACKDOOR_LOAD);
        self.dest_index = self.lanes(lane_config::ENABLE_DEST_INDEX);
    }

    /// Value of each column.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The same, as `SFPMOV` reads it from `VC` 15; other numbers that nothing else has read zero.
    pub fn register(&self, vc: u32) -> Columns {
        if vc == sfpconfig::LANE_CONFIG { self.columns } else { Columns::default() }
    }

    /// Lanes whose configuration has a bit.
    pub fn lanes(&self, bit: u32) -> LaneMask {
        if self.any & bit == 0 {
            return 0;
        }
        let has = |(i, config): (usize, &u32)| LaneMask::from(config & bit != 0) << i;
        broadcast_mask(self.columns.iter().enumerate().map(has).sum())
    }

    /// Columns of Dst that `BLOCK_DEST_MOV` takes out of the matrix unit's moves: bit i is column i.
    #[inline]
    pub fn blocked_columns(&self) -> u16 {
        if self.any & lane_config::BLOCK_DEST_MOV == 0 {
            return 0;
        }
        let of = |(i, config): (usize, &u32)| {
            ((config & lane_config::BLOCK_DEST_MOV) >> lane_config::BLOCK_DEST_MOV.trailing_zeros())
                << (2 * i)
        };
        self.columns.iter().enumerate().map(of).sum::<u32>() as u16
    }

    /// Lanes that `ROW_MASK` switches off.
    #[inline]
    pub fn rows_off(&self) -> LaneMask {
        self.rows_off
    }

    /// Lanes with `DISABLE_BACKDOOR_LOAD`.
    #[inline]
    pub fn no_backdoor(&self) -> LaneMask {
        self.no_backdoor
    }

    /// Lanes with `ENABLE_DEST_INDEX`.
    #[inline]
    pub fn dest_index(&self) -> LaneMask {
        self.dest_index
    }

    /// Refuses results that hardware spoils: with `ENABLE_DEST_INDEX` most instructions cannot write to
    /// registers 4 to 7 (erratum TEN-2932, known from the vendor's simulator).
    #[inline]
    pub fn check_result(&self, op: &Operands) -> Result<(), Fault> {
        use Opcode::*;
        if self.dest_index == 0 || !(4..8).contains(&op.vd) {
            return Ok(());
        }
        match op.opcode {
            SFPLOAD | SFPLOADI | SFPSTORE | SFPNOP | SFPCONFIG | SFPSWAP | SFPTRANSP | SFPLOADMACRO => Ok(()),
            SFPSETCC | SFPENCC | SFPPUSHC | SFPPOPC | SFPCOMPC => Ok(()),
            _ => {
                let what = format!(
                    "{:?} to LReg[{}] with ENABLE_DEST_INDEX: hardware writes something else (TEN-2932)",
                    op.opcode, op.vd
                );
                Err(Fault::undocumented(what).page("TensixTile/TensixCoprocessor/SFPCONFIG.md"))
            }
        }
    }
}

/// `LoadMacroConfig`: kept, and read back by `SFPMOV`.
#[derive(Clone, Default, Debug)]
pub struct LoadMacroConfig {
    /// `InstructionTemplate`.
    pub templates: [Columns; 4],
    /// `Sequence`.
    pub sequences: [Columns; 4],
    /// `Misc`.
    pub misc: Columns,
}

impl LoadMacroConfig {
    /// A register by `SFPCONFIG`'s number.
    pub fn register(&self, number: u32) -> Option<Columns> {
        Some(match number {
            0..sfpconfig::SEQUENCE => self.templates[number as usize],
            sfpconfig::SEQUENCE..sfpconfig::MISC => self.sequences[(number - sfpconfig::SEQUENCE) as usize],
            sfpconfig::MISC => self.misc,
            _ => return None,
        })
    }
}

impl SfpuState {
    /// An instruction with `VD` of 12 or more: lanes that execute it. For the others it is a write of its
    /// own word to an instruction template.
    pub(super) fn backdoor(&mut self, op: &Operands) -> Result<LaneMask, Fault> {
        let executing = self.config.no_backdoor();
        if executing == ALL {
            return Ok(ALL);
        }
        let disabled = !self.enabled();
        if matches!(op.opcode, Opcode::SFPLOAD | Opcode::SFPLOADI) || disabled != 0 {
            let what = format!(
                "{:?} with VD {} (a write to an instruction template) with lanes {disabled:#010x} off",
                op.opcode, op.vd
            );
            return Err(Fault::undocumented(what).page("TensixTile/TensixCoprocessor/SFPCONFIG.md"));
        }
        let template = &mut self.load_macro.templates[op.vd - lreg::TEMPLATES as usize];
        for (column, word) in template.iter_mut().enumerate() {
            if executing >> column & 1 == 0 {
                *word = op.word;
            }
        }
        Ok(executing)
    }
}

/// `SFPCONFIG`.
pub fn sfpconfig(sfpu: &mut SfpuState, op: &Operands) -> Result<(), Fault> {
    let mut taking_part = sfpu.flags | !sfpu.use_flags;
    if op.has(sfpconfig::IMM16_IS_LANE_MASK) {
        let of_column = |column: u32| (op.immediate >> (2 * column) & 1) << column;
        taking_part &= (0..COLUMNS as u32).map(of_column).sum::<u32>();
    }
    let immediate = op.has(sfpconfig::IMM16_IS_VALUE);
    let from_register: Columns = std::array::from_fn(|i| sfpu.lreg[0][i]);
    let value = if immediate { [op.immediate; COLUMNS] } else { from_register };
    let write = |old: &Columns, new: &Columns| -> Columns {
        std::array::from_fn(|i| if taking_part >> i & 1 != 0 { new[i] } else { old[i] })
    };
    let number = op.vd as u32;
    match number {
        0..sfpconfig::SEQUENCE => {
            let template = &mut sfpu.load_macro.templates[op.vd];
            *template = write(template, &from_register);
        }
        sfpconfig::SEQUENCE..sfpconfig::MISC => {
            let sequence = &mut sfpu.load_macro.sequences[(number - sfpconfig::SEQUENCE) as usize];
            *sequence = write(sequence, &value);
        }
        sfpconfig::MISC => {
            let old = sfpu.load_macro.misc;
            sfpu.load_macro.misc = write(&old, &bitwise(op, &old, &value).map(|x| x & sfpconfig::MISC_BITS));
        }
        lreg::PROGRAMMABLE_0..sfpconfig::LANE_CONFIG => {
            let default = lreg::DEFAULTS[(number - lreg::PROGRAMMABLE_0) as usize];
            let value = if immediate { [default; COLUMNS] } else { from_register };
            let value = super::lanes::broadcast(&value);
            super::lanes::blend(&mut sfpu.lreg[op.vd], &value, broadcast_mask(taking_part & 0xFF));
        }
        sfpconfig::LANE_CONFIG => {
            let old = *sfpu.config.columns();
            let mut new = bitwise(op, &old, &value);
            if immediate {
                // Bits that the immediate does not reach.
                new.iter_mut().zip(&old).for_each(|(new, old)| *new = *new & 0xFFFF | old & !0xFFFF);
            }
            let new = write(&old, &new.map(|x| x & lane_config::BITS));
            let strange = new.iter().fold(0, |any, x| any | x) & !lane_config::KNOWN;
            if strange != 0 {
                let what = format!("reserved bits {strange:#x} of LaneConfig");
                return Err(Fault::undocumented(what).page(op.page()));
            }
            sfpu.config.set(new);
        }
        // 9 and 10: nothing.
        _ => {}
    }
    Ok(())
}

/// What is done with a value and what a register has.
fn bitwise(op: &Operands, old: &Columns, value: &Columns) -> Columns {
    std::array::from_fn(|i| match op.modifier & sfpconfig::BITWISE {
        sfpconfig::BITWISE_OR => old[i] | value[i],
        sfpconfig::BITWISE_AND => old[i] & value[i],
        sfpconfig::BITWISE_XOR => old[i] ^ value[i],
        _ => value[i],
    })
}
