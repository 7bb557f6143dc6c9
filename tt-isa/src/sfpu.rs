//! Operands of the vector unit's instructions: registers, modes, lane configuration
//! (`TensixTile/TensixCoprocessor/VectorUnit.md`, `LReg.md` and the page of each instruction).
//!
//! Instructions name registers by number: `VA`, `VB`, `VC` are read and `VD` is written, as the pages say;
//! [`crate::insn`] calls the bits `lreg_a`, `lreg_b`, `lreg_c` and `lreg_dest` or `lreg_ind`.

/// Lanes of a register: four rows of eight.
pub const LANES: usize = 32;
/// Lanes of a row: values that come from `LReg[0]` in `SFPCONFIG` are those of its first row.
pub const COLUMNS: usize = 8;

/// Registers (`LReg.md`).
pub mod lreg {
    /// Registers 0 to 7 can be written by every instruction.
    pub const WRITABLE: u32 = 8;
    /// 0.8373, read-only.
    pub const CONST_0P8373: u32 = 8;
    /// Zero, read-only.
    pub const ZERO: u32 = 9;
    /// 1.0, read-only.
    pub const ONE: u32 = 10;
    /// First of the four that `SFPCONFIG` writes (-1.0 by convention).
    pub const PROGRAMMABLE_0: u32 = 11;
    /// Twice the lane's number, read-only.
    pub const LANE_ID: u32 = 15;
    /// The register of instructions that `SFPLOADMACRO` schedules.
    pub const MACRO: u32 = 16;

    /// Bits of [`CONST_0P8373`].
    pub const BITS_0P8373: u32 = 0x3F56_594B;
    /// Bits of [`ONE`].
    pub const BITS_ONE: u32 = 0x3F80_0000;
    /// Values that `SFPCONFIG` writes to registers 11 to 14 when it takes them from no register: -1, 1/65536,
    /// -0.67487759, -0.34484843.
    pub const DEFAULTS: [u32; 4] = [0xBF80_0000, 0x3780_0000, 0xBF2C_C4C7, 0xBEB0_8FF9];
    /// Registers 11 to 14 after reset (the vendor's simulator; the pages are silent).
    pub const AFTER_RESET: [u32; 4] = [0xBF80_0000, 0x3B00_0000, 0xBF2C_C4C7, 0xBEB0_8FF9];
    /// Instructions with `VD` from here on are written to `LoadMacroConfig.InstructionTemplate[VD - 12]`
    /// instead of executed, unless [`super::lane_config::DISABLE_BACKDOOR_LOAD`].
    pub const TEMPLATES: u32 = 12;
}

/// `Mod0` of `SFPLOAD` and `SFPSTORE`: the datum's format in Dst.
pub mod mod0_fmt {
    /// [`FP32`] with `ALU_ACC_CTRL_SFPU_Fp32_enabled`; otherwise [`FP16`] or [`BF16`] by SrcB's format.
    pub const SRCB: u32 = 0;
    /// Half precision.
    pub const FP16: u32 = 1;
    /// bfloat16.
    pub const BF16: u32 = 2;
    /// Single precision.
    pub const FP32: u32 = 3;
    /// Sign-magnitude integer, or single precision with denormals.
    pub const INT32: u32 = 4;
    /// Integer "8" as sign-magnitude integer.
    pub const INT8: u32 = 5;
    /// 16 bits, zero-extended.
    pub const UINT16: u32 = 6;
    /// 16 bits to the upper half (load); all 32 bits as they are (store).
    pub const HI16: u32 = 7;
    /// Integer "16" as sign-magnitude integer.
    pub const INT16: u32 = 8;
    /// 16 bits, zero-extended (load); all 32 bits with halves exchanged (store).
    pub const LO16: u32 = 9;
    /// [`INT32`] of all lanes, enabled or not.
    pub const INT32_ALL: u32 = 10;
    /// Zero.
    pub const ZERO: u32 = 11;
    /// Sign-magnitude integer in Dst, two's complement in the register.
    pub const INT32_SM: u32 = 12;
    /// Integer "8" in Dst, two's complement in the register.
    pub const INT8_COMP: u32 = 13;
    /// 16 bits of the register's lower half; the upper half stays.
    pub const LO16_ONLY: u32 = 14;
    /// 16 bits of the register's upper half; the lower half stays.
    pub const HI16_ONLY: u32 = 15;
}

/// `Mod0` of `SFPLOADI`: what the immediate is.
pub mod sfploadi {
    /// bfloat16.
    pub const FLOATB: u32 = 0;
    /// Half precision without infinities, NaNs and denormals.
    pub const FLOATA: u32 = 1;
    /// Unsigned integer.
    pub const USHORT: u32 = 2;
    /// Two's complement integer.
    pub const SHORT: u32 = 4;
    /// The upper half; the lower half stays.
    pub const UPPER: u32 = 8;
    /// The lower half; the upper half stays.
    pub const LOWER: u32 = 10;
}

/// `Mod1` of `SFPMAD`, `SFPADD`, `SFPMUL`; of `SFPADDI` and `SFPMULI` too.
pub mod sfpmad {
    /// `VA` is the low four bits of `LReg[7]`. Not of `SFPADDI` and `SFPMULI`.
    pub const INDIRECT_VA: u32 = 4;
    /// `VD` is the low four bits of `LReg[7]`.
    pub const INDIRECT_VD: u32 = 8;
}

/// `Mod0` of `SFPLUT`.
pub mod sfplut {
    /// The result's sign is that of `LReg[3]`.
    pub const SGN_RETAIN: u32 = 4;
    /// `VD` is the low four bits of `LReg[7]`.
    pub const INDIRECT_VD: u32 = 8;
}

/// `Mod1` of `SFPLUTFP32`: a table, and [`sfplutfp32::SGN_RETAIN`].
pub mod sfplutfp32 {
    /// Three entries of single precision.
    pub const FP32_3ENTRY_TABLE: u32 = 0;
    /// Three entries of half precision. Writes to the register that `LReg[7]` names, not to `VD`.
    pub const FP16_3ENTRY_TABLE: u32 = 10;
    /// Six entries of half precision, the last from 3.0 on.
    pub const FP16_6ENTRY_TABLE1: u32 = 2;
    /// Six entries of half precision, the last from 4.0 on.
    pub const FP16_6ENTRY_TABLE2: u32 = 3;
    /// The result's sign is that of `LReg[3]`.
    pub const SGN_RETAIN: u32 = 4;
    /// `VD` is the low four bits of `LReg[7]`.
    pub const INDIRECT_VD: u32 = 8;
}

/// `Mod1` of `SFPEXEXP`.
pub mod sfpexexp {
    /// The exponent as it stands, not less 127.
    pub const NODEBIAS: u32 = 1;
    /// Lane flags: the result is negative.
    pub const SET_CC_SGN_EXP: u32 = 2;
    /// Lane flags are inverted (after that).
    pub const SET_CC_COMP_EXP: u32 = 8;
}

/// `Mod1` of `SFPIADD`.
pub mod sfpiadd {
    /// `VC` plus the immediate.
    pub const ARG_IMM: u32 = 1;
    /// `VC` minus `VD`.
    pub const ARG_2SCOMP_LREG_DST: u32 = 2;
    /// Lane flags stay; otherwise they become "the result is negative".
    pub const CC_NONE: u32 = 4;
    /// Lane flags are inverted (after that).
    pub const CC_GTE0: u32 = 8;
}

/// `Mod1` of `SFPLZ`.
pub mod sfplz {
    /// Lane flags: the operand is not zero.
    pub const CC_NE0: u32 = 2;
    /// Without the sign bit.
    pub const NOSGN_MASK: u32 = 4;
    /// Lane flags are inverted (after that).
    pub const CC_COMP: u32 = 8;
}

/// `Mod1` of `SFPSETCC`.
pub mod sfpsetcc {
    /// Negative.
    pub const LREG_LT0: u32 = 0;
    /// The immediate, not a comparison.
    pub const IMM_BIT0: u32 = 1;
    /// Not zero.
    pub const LREG_NE0: u32 = 2;
    /// Not negative.
    pub const LREG_GTE0: u32 = 4;
    /// Zero.
    pub const LREG_EQ0: u32 = 6;
    /// Cleared.
    pub const CLEAR: u32 = 8;
}

/// `Mod1` and immediate of `SFPENCC`.
pub mod sfpencc {
    /// Inverts `UseLaneFlagsForLaneEnable`.
    pub const EC: u32 = 1;
    /// Sets `UseLaneFlagsForLaneEnable` to [`IMM_E`].
    pub const EI: u32 = 2;
    /// Sets the lane flags to [`IMM_R`]; otherwise they become true.
    pub const RI: u32 = 8;
    /// Immediate: `UseLaneFlagsForLaneEnable`.
    pub const IMM_E: u32 = 1;
    /// Immediate: lane flags.
    pub const IMM_R: u32 = 2;
}

/// `Mod1` of `SFPMOV`.
pub mod sfpmov {
    /// Inverts the sign bit.
    pub const NEGATE: u32 = 1;
    /// All lanes, enabled or not.
    pub const ALL_LANES_ENABLED: u32 = 2;
    /// `VC` names a configuration register, or (9) the random number generator.
    pub const FROM_SPECIAL: u32 = 8;
    /// `VC` of the random number generator.
    pub const SPECIAL_PRNG: u32 = 9;
}

/// `Mod1` of the remaining instructions of the simple sub-unit.
pub mod simple {
    /// `SFPDIVP2`: add to the exponent.
    pub const SFPDIVP2_ADD: u32 = 1;
    /// `SFPEXMAN`: no hidden bit.
    pub const SFPEXMAN_PAD9: u32 = 1;
    /// `SFPSHFT`: by the immediate.
    pub const SFPSHFT_ARG_IMM: u32 = 1;
    /// `SFPABS`: of single precision, otherwise of two's complement.
    pub const SFPABS_FLOAT: u32 = 1;
    /// `SFPSETEXP`, `SFPSETMAN`, `SFPSETSGN`: from the immediate.
    pub const SET_ARG_IMM: u32 = 1;
    /// `SFPSETEXP`: from `VD`'s exponent, otherwise from its low bits.
    pub const SFPSETEXP_ARG_EXPONENT: u32 = 2;
    /// `SFPCAST`: stochastic rounding.
    pub const SFPCAST_RND_STOCH: u32 = 1;
}

/// `Mod1` of `SFP_STOCH_RND` (page `SFPSTOCHRND.md`).
pub mod sfp_stoch_rnd {
    /// Ten bits of mantissa.
    pub const FP32_TO_FP16A: u32 = 0;
    /// Seven bits of mantissa.
    pub const FP32_TO_FP16B: u32 = 1;
    /// Integer, 0 to 255.
    pub const FP32_TO_UINT8: u32 = 2;
    /// Integer, -127 to 127.
    pub const FP32_TO_INT8: u32 = 3;
    /// Integer shifted right, 0 to 255.
    pub const INT32_TO_UINT8: u32 = 4;
    /// Integer shifted right, -127 to 127.
    pub const INT32_TO_INT8: u32 = 5;
    /// Integer, 0 to 65535.
    pub const FP32_TO_UINT16: u32 = 6;
    /// Integer, -32767 to 32767.
    pub const FP32_TO_INT16: u32 = 7;
    /// The shift is the immediate, not `VB`.
    pub const USE_IMM5: u32 = 8;
}

/// `Mod1` of `SFPSWAP`: lanes in which `VD` gets the smaller value; rows are named.
pub mod sfpswap {
    /// Unconditional.
    pub const SWAP: u32 = 0;
    /// All lanes.
    pub const VEC_MIN_MAX: u32 = 1;
    /// By mode from [`VEC_MIN_MAX`] on: lanes in which `VD` gets the smaller value.
    pub const VD_GETS_MIN: [u32; 9] = [
        u32::MAX,
        u32::MAX,
        0x0000_FFFF,
        0x00FF_00FF,
        0xFF00_00FF,
        0x0000_00FF,
        0x0000_FF00,
        0x00FF_0000,
        0xFF00_0000,
    ];
    /// No lane (the vendor's simulator; the page ends with mode 8).
    pub const VEC_MAX_MIN: u32 = 9;
}

/// `Mod1` of `SFPSHFT2`.
pub mod sfpshft2 {
    /// Registers 0 to 3 move down by one.
    pub const COPY4: u32 = 0;
    /// The same, and register 3 gets register 0's next row.
    pub const SUBVEC_CHAINED_COPY4: u32 = 1;
    /// The same, and register 3 gets `VC` rotated.
    pub const SUBVEC_SHFLROR1_AND_COPY4: u32 = 2;
    /// Rows rotated right by a lane.
    pub const SUBVEC_SHFLROR1: u32 = 3;
    /// Rows shifted right by a lane.
    pub const SUBVEC_SHFLSHR1: u32 = 4;
    /// Bits of `VB` shifted by `VC`.
    pub const SHFT_LREG: u32 = 5;
    /// Bits of `VB` shifted by the immediate.
    pub const SHFT_IMM: u32 = 6;
}

/// `SFPCONFIG`: destinations and `Mod1`.
pub mod sfpconfig {
    /// First of four `LoadMacroConfig.Sequence`; instruction templates are 0 to 3.
    pub const SEQUENCE: u32 = 4;
    /// `LoadMacroConfig.Misc`.
    pub const MISC: u32 = 8;
    /// `LaneConfig`.
    pub const LANE_CONFIG: u32 = 15;
    /// `Mod1`: the value is the immediate.
    pub const IMM16_IS_VALUE: u32 = 1;
    /// `Mod1`: what is done to `Misc` or `LaneConfig`, see the next three; 0 replaces.
    pub const BITWISE: u32 = 6;
    /// `Mod1`: or.
    pub const BITWISE_OR: u32 = 2;
    /// `Mod1`: and.
    pub const BITWISE_AND: u32 = 4;
    /// `Mod1`: exclusive or.
    pub const BITWISE_XOR: u32 = 6;
    /// `Mod1`: bit `2 * column` of the immediate says which columns take part.
    pub const IMM16_IS_LANE_MASK: u32 = 8;
    /// Bits of `Misc`.
    pub const MISC_BITS: u32 = 0xFFF;
}

/// `SFPLOADMACRO` (its page): the instruction, and what its tables hold.
pub mod sfploadmacro {
    /// Macros, and instruction templates.
    pub const MACROS: usize = 4;
    /// Bits of `Sequence` for each sub-unit: simple, MAD, round, store, from the lowest.
    pub const UNIT_BITS: u32 = 8;

    /// A sub-unit's part of `Sequence`: what to schedule.
    pub const SELECT: u32 = 7;
    /// Nothing.
    pub const SELECT_NOTHING: u32 = 0;
    /// `SFPNOP`.
    pub const SELECT_NOP: u32 = 2;
    /// `SFPSTORE`.
    pub const SELECT_STORE: u32 = 3;
    /// The first of four templates.
    pub const SELECT_TEMPLATE: u32 = 4;
    /// Lowest of three bits: when, counted from the next cycle.
    pub const DELAY_SHIFT: u32 = 3;
    /// `VD` is the macros' register; for a store it is what is stored.
    pub const USE_MACRO_REGISTER: u32 = 1 << 6;
    /// The loaded register replaces `VB`, not `VC`; a store keeps its `VD`.
    pub const REPLACE_VB: u32 = 1 << 7;

    /// `Misc`: format of stores that do not take the load's.
    pub const STORE_MOD0: u32 = 0xF;
    /// `Misc`: lowest of a bit for each macro, whether its store takes the load's format.
    pub const USES_LOAD_MOD0_SHIFT: u32 = 4;
    /// `Misc`: lowest of a bit for each sub-unit, whether delays count instructions, not cycles.
    pub const UNIT_DELAY_KIND_SHIFT: u32 = 8;
}

/// Bits of `LaneConfig` (`SFPCONFIG.md`).
pub mod lane_config {
    /// The largest half precision number is infinity to `SFPLOAD`.
    pub const ENABLE_FP16A_INF: u32 = 1 << 0;
    /// Instructions with `VD` of 12 and more are executed, not written to templates.
    pub const DISABLE_BACKDOOR_LOAD: u32 = 1 << 1;
    /// `SFPSWAP` exchanges registers 4 to 7 along.
    pub const ENABLE_DEST_INDEX: u32 = 1 << 2;
    /// With [`ENABLE_DEST_INDEX`]: `SFPLOAD` writes the place in Dst to register `VD + 4`.
    pub const CAPTURE_DEFAULT_DEST_INDEX: u32 = 1 << 3;
    /// `SFPSTORE` writes nothing.
    pub const BLOCK_DEST_WR_FROM_SFPU: u32 = 1 << 4;
    /// `SFPLOAD` writes nothing.
    pub const BLOCK_SFPU_RD_FROM_DEST: u32 = 1 << 5;
    /// `SFPLOAD` reads odd columns.
    pub const DEST_RD_COL_EXCHANGE: u32 = 1 << 6;
    /// `SFPSTORE` writes odd columns.
    pub const DEST_WR_COL_EXCHANGE: u32 = 1 << 7;
    /// `SFPSWAP` inverts its comparison.
    pub const EXCHANGE_SRCB_SRCC: u32 = 1 << 8;
    /// Two bits: even and odd columns of Dst that the matrix unit's moves leave out.
    pub const BLOCK_DEST_MOV: u32 = 3 << 9;
    /// Lowest of four bits: rows of lanes that are switched off.
    pub const ROW_MASK_SHIFT: u32 = 12;
    /// Bits that exist.
    pub const BITS: u32 = 0x3_FFFF;
    /// Bits that mean something.
    pub const KNOWN: u32 = 0xF7FF;
}

/// The random number generator's next state (`VectorUnit.md`, `AdvancePRNG`).
pub const fn next_random(state: u32) -> u32 {
    let taps = (state & 0x8020_0003).count_ones();
    (!taps << 31) | (state >> 1)
}
