//! Operands of an instruction, in the terms that the ISA pages share.

use tt_isa::insn::{Opcode, SFP_STOCH_RND, SFPIADD, SFPLOAD, SFPLOADI, SFPLUT, SFPMAD, SFPMULI, SFPSHFT2};

use crate::fault::Fault;

/// A decoded instruction. Operands that an instruction does not have are 0, except `vb`, which is `vd` where nothing else is
/// said.
#[derive(Clone, Copy, Debug)]
pub struct Operands {
    pub opcode: Opcode,
    pub word: u32,
    pub va: usize,
    pub vb: usize,
    pub vc: usize,
    pub vd: usize,
    /// `Mod0` or `Mod1`.
    pub modifier: u32,
    /// The immediate as in the word, not extended.
    pub immediate: u32,
}

impl Operands {
    /// Takes a word apart whose reserved bits are zero: layouts that differ in reserved bits alone are one
    /// here.
    #[inline]
    pub fn decode(opcode: Opcode, word: u32) -> Self {
        use Opcode::*;
        let with = |vc: u32, vd: u32, modifier, immediate| Self {
            opcode,
            word,
            va: 0,
            vb: vd as usize,
            vc: vc as usize,
            vd: vd as usize,
            modifier,
            immediate,
        };
        match opcode {
            SFPLOAD | SFPSTORE | SFPLOADMACRO => {
                let op = self::SFPLOAD::decode(word);
                with(0, op.lreg_ind, op.instr_mod0, op.dest_reg_addr)
            }
            SFPLOADI => {
                let op = self::SFPLOADI::decode(word);
                with(0, op.lreg_ind, op.instr_mod0, op.imm16)
            }
            SFPLUT => {
                let op = self::SFPLUT::decode(word);
                with(0, op.lreg_ind, op.instr_mod0, 0)
            }
            SFPMULI | SFPADDI | SFPCONFIG => {
                let op = self::SFPMULI::decode(word);
                with(op.lreg_dest, op.lreg_dest, op.instr_mod1, op.imm16_math)
            }
            SFPMAD | SFPADD | SFPMUL => {
                let op = self::SFPMAD::decode(word);
                let (va, vb) = (op.lreg_src_a as usize, op.lreg_src_b as usize);
                Self { va, vb, ..with(op.lreg_src_c, op.lreg_dest, op.instr_mod1, 0) }
            }
            SFP_STOCH_RND => {
                let op = self::SFP_STOCH_RND::decode(word);
                let vb = op.lreg_src_b as usize;
                Self { vb, ..with(op.lreg_src_c, op.lreg_dest, op.instr_mod1, op.imm8_math) }
            }
            SFPSHFT2 => {
                // The immediate's low bits are VB as well.
                let op = self::SFPSHFT2::decode(word);
                let vb = op.imm12_math as usize & 15;
                Self { vb, ..with(op.lreg_src_c, op.lreg_dest, op.instr_mod1, op.imm12_math) }
            }
            _ => {
                let op = self::SFPIADD::decode(word);
                with(op.lreg_c, op.lreg_dest, op.instr_mod1, op.imm12_math)
            }
        }
    }

    /// The immediate as a signed number of twelve bits.
    #[inline]
    pub fn signed_immediate(&self) -> i32 {
        ((self.immediate << 20) as i32) >> 20
    }

    /// Whether a bit of the modifier is set.
    #[inline]
    pub fn has(&self, bits: u32) -> bool {
        self.modifier & bits != 0
    }

    /// The fault of a modifier that the page gives no meaning.
    #[cold]
    pub fn undefined_modifier(&self) -> Fault {
        let what = format!("{:?} with modifier {}", self.opcode, self.modifier);
        Fault::undocumented(what).page(self.page())
    }

    /// Refuses modifiers with other bits than `known`.
    #[inline]
    pub fn allow(&self, known: u32) -> Result<(), Fault> {
        if self.modifier & !known == 0 { Ok(()) } else { Err(self.undefined_modifier()) }
    }

    /// The instruction's page.
    pub fn page(&self) -> &'static str {
        page(self.opcode)
    }
}

macro_rules! pages {
    ($($name:ident)*) => {
        /// The page of an instruction.
        pub fn page(opcode: Opcode) -> &'static str {
            match opcode {
                $( Opcode::$name => {
                    concat!("TensixTile/TensixCoprocessor/", stringify!($name), ".md")
                } )*
                Opcode::SFP_STOCH_RND => "TensixTile/TensixCoprocessor/SFPSTOCHRND.md",
                _ => "TensixTile/TensixCoprocessor/VectorUnit.md",
            }
        }
    };
}

pages! {
    SFPLOAD SFPLOADI SFPSTORE SFPLUT SFPMULI SFPADDI SFPDIVP2 SFPEXEXP SFPEXMAN SFPIADD SFPSHFT SFPSETCC
    SFPMOV SFPABS SFPAND SFPOR SFPNOT SFPLZ SFPSETEXP SFPSETMAN SFPMAD SFPADD SFPMUL SFPPUSHC SFPPOPC
    SFPSETSGN SFPENCC SFPCOMPC SFPTRANSP SFPXOR SFPNOP SFPCAST SFPCONFIG SFPSWAP SFPLOADMACRO SFPSHFT2 SFPLUTFP32
}
