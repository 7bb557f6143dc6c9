//! Instruction sequences of the vector unit, built at compile time.
//!
//! A program works on 32 elements: it gets the first operand in `LReg[0]` and the second, if there is one, in `LReg[1]`,
//! and leaves the result in `LReg[0]`; registers 0 to 7 are its own. Constants that it asks for most often stay in
//! the four programmable constant registers for a whole launch; others are loaded where they are used.
//!
//! Results of the MAD sub-unit are there one cycle late (`SFPMAD.md`, "Instruction scheduling"): where the next
//! instruction would read one, the builder puts an `SFPNOP` in between.

use tt_isa::sfpu::{lreg, sfp_stoch_rnd, sfpiadd, sfploadi, sfpmov, sfpsetcc, sfpshft2, sfpswap, simple};
use tt_kernel_abi::target::insn::*;

/// Calls a macro with the number of every word that a program can have, as literals: the firmware emits a program's words in line,
/// each from an expression of its own, and [`MAX_WORDS`] is how many there are.
#[macro_export]
macro_rules! with_word_numbers {
    ($($then:ident)::+, $($head:tt)*) => {
        $($then)::+!($($head)*
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
            33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61
            62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90
            91 92 93 94 95 96 97 98 99 100 101 102 103 104 105 106 107 108 109 110 111 112 113 114
            115 116 117 118 119 120 121 122 123 124 125 126 127 128 129 130 131 132 133 134 135 136
            137 138 139 140 141 142 143 144 145 146 147 148 149 150 151 152 153 154 155 156 157 158
            159)
    };
}

/// Most words of a program.
pub const MAX_WORDS: usize = {
    macro_rules! count {
        ($($number:literal)*) => { [$($number),*].len() };
    }
    with_word_numbers!(count,)
};
/// Programmable constant registers.
pub const CONSTANTS: usize = 4;

/// A register's number.
pub type Reg = u32;

/// A program for 32 elements, and the constants that it wants.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    words: [u32; MAX_WORDS],
    len: usize,
    constants: [u32; CONSTANTS],
    /// The first of the constants are the operator's own parameters.
    params: usize,
    pooled: usize,
    /// The register that the instruction before writes a cycle late, as a bit.
    late: u32,
}

/// Values of the programmable constant registers. The first of them are the operator's own parameters.
#[derive(Clone, Copy, Debug)]
pub struct Constants {
    values: [u32; CONSTANTS],
    params: usize,
}

impl Constants {
    /// The values, with the operator's parameters from `own`.
    pub fn with(&self, own: &[u32; CONSTANTS]) -> [u32; CONSTANTS] {
        core::array::from_fn(|i| if i < self.params { own[i] } else { self.values[i] })
    }
}

impl Program {
    /// An empty program whose first `params` constant registers hold the operator's parameters.
    pub const fn new(params: usize) -> Self {
        Self { words: [0; MAX_WORDS], len: 0, constants: [0; CONSTANTS], params, pooled: params, late: 0 }
    }

    /// The instruction words.
    pub const fn words(&self) -> &[u32] {
        self.words.split_at(self.len).0
    }

    /// What the programmable constant registers have to hold.
    pub const fn constants(&self) -> Constants {
        Constants { values: self.constants, params: self.params }
    }

    /// Register of the operator's parameter `i`.
    pub const fn param(&self, i: usize) -> Reg {
        assert!(i < self.params);
        lreg::PROGRAMMABLE_0 + i as u32
    }

    const fn push(&mut self, word: u32) {
        self.words[self.len] = word;
        self.len += 1;
    }

    /// Appends a word that reads `reads` (bits by register).
    const fn emit(&mut self, word: u32, reads: u32) {
        if self.late & reads != 0 {
            self.push(SFPNOP {}.word());
        }
        self.late = 0;
        self.push(word);
    }

    /// A register that holds the constant: a constant register if one has it or is left, else `temp`, loaded here.
    pub const fn constant(&mut self, value: f32, temp: Reg) -> Reg {
        self.bits(value.to_bits(), temp)
    }

    /// The same for any 32 bits.
    pub const fn bits(&mut self, bits: u32, temp: Reg) -> Reg {
        if bits == 0 {
            return lreg::ZERO;
        }
        if bits == lreg::BITS_ONE {
            return lreg::ONE;
        }
        let mut i = self.params;
        while i < self.pooled {
            if self.constants[i] == bits {
                return lreg::PROGRAMMABLE_0 + i as u32;
            }
            i += 1;
        }
        if self.pooled < CONSTANTS {
            self.constants[self.pooled] = bits;
            self.pooled += 1;
            return lreg::PROGRAMMABLE_0 + self.pooled as u32 - 1;
        }
        self.load(temp, bits);
        temp
    }

    /// `d = bits`, in one instruction if the lower half is zero.
    pub const fn load(&mut self, d: Reg, bits: u32) {
        self.emit(loadi(d, sfploadi::FLOATB, bits >> 16), 0);
        if bits & 0xFFFF != 0 {
            self.emit(loadi(d, sfploadi::LOWER, bits & 0xFFFF), 1 << d);
        }
    }

    /// `d = value`
    pub const fn set(&mut self, d: Reg, value: f32) {
        self.load(d, value.to_bits());
    }

    /// `d = a * b + c`
    pub const fn mad(&mut self, d: Reg, a: Reg, b: Reg, c: Reg) {
        let word = SFPMAD { lreg_src_a: a, lreg_src_b: b, lreg_src_c: c, lreg_dest: d, instr_mod1: 0 }.word();
        self.emit(word, 1 << a | 1 << b | 1 << c);
        self.late = 1 << d;
    }

    /// `d = a * b`
    pub const fn mul(&mut self, d: Reg, a: Reg, b: Reg) {
        self.mad(d, a, b, lreg::ZERO);
    }

    /// `d = a + b`
    pub const fn add(&mut self, d: Reg, a: Reg, b: Reg) {
        self.mad(d, a, lreg::ONE, b);
    }

    /// `d = a - b`; a constant register gets -1.
    pub const fn sub(&mut self, d: Reg, a: Reg, b: Reg, temp: Reg) {
        let minus_one = self.constant(-1.0, temp);
        self.mad(d, b, minus_one, a);
    }

    /// `d += value`, which has at most seven bits of mantissa.
    pub const fn add_short(&mut self, d: Reg, value: f32) {
        assert!(value.to_bits() & 0xFFFF == 0);
        let word = SFPADDI { imm16_math: value.to_bits() >> 16, lreg_dest: d, instr_mod1: 0 }.word();
        self.emit(word, 1 << d);
        self.late = 1 << d;
    }

    /// `d *= value`, which has at most seven bits of mantissa.
    pub const fn mul_short(&mut self, d: Reg, value: f32) {
        assert!(value.to_bits() & 0xFFFF == 0);
        let word = SFPMULI { imm16_math: value.to_bits() >> 16, lreg_dest: d, instr_mod1: 0 }.word();
        self.emit(word, 1 << d);
        self.late = 1 << d;
    }

    /// `d = ((c[0] * x + c[1]) * x + ..)`, highest power first; `temp` takes coefficients on their way.
    pub const fn polynomial(&mut self, d: Reg, x: Reg, c: &[f32], temp: Reg) {
        self.set(d, c[0]);
        self.horner(d, x, c.split_at(1).1, temp);
    }

    /// `d = (d * x + c[0]) * x + ..`
    pub const fn horner(&mut self, d: Reg, x: Reg, c: &[f32], temp: Reg) {
        let mut i = 0;
        while i < c.len() {
            let constant = self.fresh(c[i], temp);
            self.mad(d, d, x, constant);
            i += 1;
        }
    }

    /// A coefficient: not worth a constant register, since its loads stand where the MAD sub-unit would be waited for.
    const fn fresh(&mut self, value: f32, temp: Reg) -> Reg {
        match value.to_bits() {
            0 => lreg::ZERO,
            lreg::BITS_ONE => lreg::ONE,
            bits => {
                self.load(temp, bits);
                temp
            }
        }
    }

    /// `d = c`
    pub const fn mov(&mut self, d: Reg, c: Reg) {
        self.emit(SFPMOV { lreg_c: c, lreg_dest: d, instr_mod1: 0 }.word(), 1 << c);
    }

    /// `d = -c`
    pub const fn neg(&mut self, d: Reg, c: Reg) {
        self.emit(SFPMOV { lreg_c: c, lreg_dest: d, instr_mod1: sfpmov::NEGATE }.word(), 1 << c);
    }

    /// `d = c` with its sign bit cleared, of NaN too.
    pub const fn abs(&mut self, d: Reg, c: Reg) {
        self.set_sign(d, c, 0);
    }

    /// `d = c` with this sign bit.
    pub const fn set_sign(&mut self, d: Reg, c: Reg, sign: u32) {
        let word =
            SFPSETSGN { imm12_math: sign, lreg_c: c, lreg_dest: d, instr_mod1: simple::SET_ARG_IMM }.word();
        self.emit(word, 1 << c);
    }

    /// `d` = magnitude of `c` with the sign of `sign`, which is spoilt: the instruction keeps the sign of what it writes.
    pub const fn copy_sign_of(&mut self, d: Reg, c: Reg, sign: Reg) {
        self.take_magnitude(sign, c);
        self.mov(d, sign);
    }

    /// `d` = magnitude of `c` with `d`'s sign.
    pub const fn take_magnitude(&mut self, d: Reg, c: Reg) {
        let word = SFPSETSGN { imm12_math: 0, lreg_c: c, lreg_dest: d, instr_mod1: 0 }.word();
        self.emit(word, 1 << c | 1 << d);
    }

    /// `d = c` with this exponent field.
    pub const fn set_exponent(&mut self, d: Reg, c: Reg, field: u32) {
        let word =
            SFPSETEXP { imm12_math: field, lreg_c: c, lreg_dest: d, instr_mod1: simple::SET_ARG_IMM }.word();
        self.emit(word, 1 << c);
    }

    /// `d = c` with a mantissa of zero.
    pub const fn clear_mantissa(&mut self, d: Reg, c: Reg) {
        let word =
            SFPSETMAN { imm12_math: 0, lreg_c: c, lreg_dest: d, instr_mod1: simple::SET_ARG_IMM }.word();
        self.emit(word, 1 << c);
    }

    /// `d` = exponent field of `c`, an integer.
    pub const fn exponent_field(&mut self, d: Reg, c: Reg) {
        let word = SFPEXEXP { lreg_c: c, lreg_dest: d, instr_mod1: tt_isa::sfpu::sfpexexp::NODEBIAS }.word();
        self.emit(word, 1 << c);
    }

    /// `d` = mantissa bits of `c`, an integer.
    pub const fn mantissa_field(&mut self, d: Reg, c: Reg) {
        let word = SFPEXMAN { lreg_c: c, lreg_dest: d, instr_mod1: simple::SFPEXMAN_PAD9 }.word();
        self.emit(word, 1 << c);
    }

    /// `d = !c`, bit by bit.
    pub const fn not(&mut self, d: Reg, c: Reg) {
        self.emit(SFPNOT { lreg_c: c, lreg_dest: d }.word(), 1 << c);
    }

    /// `d <<= amount`, or `>>=` of an unsigned integer if that is negative.
    pub const fn shift(&mut self, d: Reg, amount: i32) {
        let imm12_math = amount as u32 & 0xFFF;
        let word =
            SFPSHFT { imm12_math, lreg_c: 0, lreg_dest: d, instr_mod1: simple::SFPSHFT_ARG_IMM }.word();
        self.emit(word, 1 << d);
    }

    /// `d = c + d`, integers.
    pub const fn iadd(&mut self, d: Reg, c: Reg) {
        let word = SFPIADD { imm12_math: 0, lreg_c: c, lreg_dest: d, instr_mod1: sfpiadd::CC_NONE }.word();
        self.emit(word, 1 << c | 1 << d);
    }

    /// `d += value`, an integer of at most eleven bits and a sign.
    pub const fn iadd_short(&mut self, d: Reg, value: i32) {
        let word = SFPIADD {
            imm12_math: value as u32 & 0xFFF,
            lreg_c: d,
            lreg_dest: d,
            instr_mod1: sfpiadd::CC_NONE | sfpiadd::ARG_IMM,
        }
        .word();
        self.emit(word, 1 << d);
    }

    /// `d &= c`, bit by bit.
    pub const fn and(&mut self, d: Reg, c: Reg) {
        self.emit(SFPAND { lreg_c: c, lreg_dest: d, ..SFPAND::ZERO }.word(), 1 << c | 1 << d);
    }

    /// `d ^= c`, bit by bit.
    pub const fn xor(&mut self, d: Reg, c: Reg) {
        self.emit(SFPXOR { lreg_c: c, lreg_dest: d }.word(), 1 << c | 1 << d);
    }

    /// `d = c - d`, integers.
    pub const fn isub(&mut self, d: Reg, c: Reg) {
        let instr_mod1 = sfpiadd::CC_NONE | sfpiadd::ARG_2SCOMP_LREG_DST;
        let word = SFPIADD { imm12_math: 0, lreg_c: c, lreg_dest: d, instr_mod1 }.word();
        self.emit(word, 1 << c | 1 << d);
    }

    /// `d` = `c`, a sign-magnitude integer, as a number.
    pub const fn to_float(&mut self, d: Reg, c: Reg) {
        self.emit(SFPCAST { lreg_src_c: c, lreg_dest: d, instr_mod1: 0 }.word(), 1 << c);
    }

    /// `d` = the integer nearest to `c`, sign-magnitude, at most 32767 in magnitude.
    pub const fn to_int16(&mut self, d: Reg, c: Reg) {
        let word = SFP_STOCH_RND {
            lreg_src_c: c,
            lreg_dest: d,
            instr_mod1: sfp_stoch_rnd::FP32_TO_INT16,
            ..SFP_STOCH_RND::ZERO
        }
        .word();
        self.emit(word, 1 << c);
    }

    /// `d = min(d, c)` and `c = max(d, c)`, in the order in which -NaN is below and +NaN above all. Constant registers keep what they have.
    pub const fn min_max(&mut self, d: Reg, c: Reg) {
        let word = SFPSWAP { lreg_src_c: c, lreg_dest: d, instr_mod1: sfpswap::VEC_MIN_MAX }.word();
        self.emit(word, 1 << c | 1 << d);
    }

    /// `d` = `c` with the eight elements of every row rotated right by one.
    pub const fn rotate(&mut self, d: Reg, c: Reg) {
        let instr_mod1 = sfpshft2::SUBVEC_SHFLROR1;
        self.emit(SFPSHFT2 { imm12_math: 0, lreg_src_c: c, lreg_dest: d, instr_mod1 }.word(), 1 << c);
        // Half of all instructions must not follow at once (`SFPSHFT2.md`, "Instruction scheduling").
        self.push(SFPNOP {}.word());
    }

    /// The rows of registers 0 to 3 as a matrix of four by four, transposed; those of registers 4 to 7 as well.
    pub const fn transpose_rows(&mut self) {
        self.emit(SFPTRANSP { lreg_dest: 0 }.word(), 0xFF);
    }

    const fn condition(&mut self, c: Reg, instr_mod1: u32) {
        self.emit(SFPSETCC { imm12_math: 0, lreg_c: c, lreg_dest: 0, instr_mod1 }.word(), 1 << c);
    }

    /// From here on only where `c`'s sign bit is set, among the elements so far.
    pub const fn where_negative(&mut self, c: Reg) {
        self.condition(c, sfpsetcc::LREG_LT0);
    }

    /// From here on only where `c`'s sign bit is clear.
    pub const fn where_not_negative(&mut self, c: Reg) {
        self.condition(c, sfpsetcc::LREG_GTE0);
    }

    /// From here on only where `c`'s bits are all clear.
    pub const fn where_zero(&mut self, c: Reg) {
        self.condition(c, sfpsetcc::LREG_EQ0);
    }

    /// From here on only where some bit of `c` is set.
    pub const fn where_not_zero(&mut self, c: Reg) {
        self.condition(c, sfpsetcc::LREG_NE0);
    }

    /// From here on the elements that were left out.
    pub const fn otherwise(&mut self) {
        self.emit(SFPCOMPC { lreg_dest: 0 }.word(), 0);
    }

    /// From here on all elements.
    pub const fn everywhere(&mut self) {
        self.emit(SFPENCC { imm12_math: 0, lreg_dest: 0, instr_mod1: 0 }.word(), 0);
    }

    /// The finished program: whatever comes next may read the result.
    pub const fn finish(mut self) -> Self {
        if self.late != 0 {
            self.late = 0;
            self.push(SFPNOP {}.word());
        }
        self
    }
}

const fn loadi(lreg_ind: Reg, instr_mod0: u32, imm16: u32) -> u32 {
    SFPLOADI { lreg_ind, instr_mod0, imm16 }.word()
}
