//! TRISC1: the function's program on every 32 elements of a block.
//!
//! A vector register takes the even columns of four rows of Dst, or the odd ones: 64 rows are 32 times the program.
//! Dst's counter moves on with the store of the result.

use super::{Blocks, SEM_COMPUTED, SEM_FILLED, SEM_TAKEN, dst_slot};
use crate::rt::launch::Launch;
use crate::rt::tensix::{block, push, sem, sem_cond, setc16, sync, until};
use crate::ttinsn;
use tt_isa::cfg::thread;
use tt_isa::insn::{
    SEMGET, SEMINIT, SEMPOST, SEMWAIT, SETRWC, SFPCONFIG, SFPLOAD, SFPLOADI, SFPNOP, SFPSTORE, STALLWAIT,
};
use tt_isa::sfpu::{lreg, mod0_fmt, sfploadi};
use tt_kernel_abi::Op;
use tt_kernel_abi::elementwise::{Binary, Glu, PARAMS, Unary};
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::sfpu::{self, BLOCK, BLOCK_ROWS, CONSTANTS, Constants, DST_SLOTS, Program};

/// Address modifiers (sections 0 and 1).
mod step {
    pub const STAY: u32 = 0;
    /// To the odd columns, or the even ones of the next four rows.
    pub const ON: u32 = 1;
}

/// Once, at boot.
pub fn boot() {
    for semaphore in [SEM_TAKEN, SEM_FILLED, SEM_COMPUTED] {
        push(SEMINIT { max_value: DST_SLOTS, init_value: 0, sem_sel: sem(semaphore) }.word());
    }
    sync();
}

/// Runs TRISC1's part.
pub fn run(launch: &Launch) {
    configure();
    let known = match Op::from_code(launch.op.op) {
        Some(Op::Unary) => unary(launch),
        Some(Op::Binary) => binary(launch),
        _ => glu(launch),
    };
    if !known {
        launch.fail(ErrorCode::BadDescriptor, 0, launch.op.params[0]);
        // The other cores wait for results, whatever they are.
        blocks(launch, Program::new(0).constants(), || {});
    }
    // The next operator may configure the thread anew.
    sync();
}

fn configure() {
    ttinsn!(setc16(thread::CFG_STATE_ID_StateID, 0));
    ttinsn!(setc16(thread::ADDR_MOD_SET_Base, 0));
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC0_SrcAIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC1_SrcAIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC0_DestIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC1_DestIncr, thread::ADDR_MOD_DST_SEC1_DestIncr.value(2)));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC0_BiasIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC1_BiasIncr, 0));
}

/// Emits a program's words in line.
macro_rules! emit {
    ($program:ident) => {
        emit!(@ $program
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37
            38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71
            72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99 100 101 102 103
            104 105 106 107 108 109 110 111 112 113 114 115 116 117 118 119 120 121 122 123 124 125 126 127 128 129
            130 131 132 133 134 135 136 137 138 139 140 141 142 143 144 145 146 147 148 149 150 151 152 153 154 155
            156 157 158 159)
    };
    (@ $program:ident $($i:literal)*) => {{
        const { assert!($program.words().len() <= 160) }
        $(
            if const { $i < $program.words().len() } {
                ttinsn!(if $i < $program.words().len() { $program.words()[$i] } else { 0 });
            }
        )*
    }};
}

/// Runs the program of one of a family's functions over all blocks.
macro_rules! family {
    ($name:ident: $functions:ident { $($variant:ident)* } $load:expr) => {
        fn $name(launch: &Launch) -> bool {
            let Some(function) = $functions::from_code(Blocks::new(launch).function()) else { return false };
            match function {
                $($functions::$variant => {
                    const PROGRAM: Program = match sfpu::$name($functions::$variant) {
                        Some(program) => program,
                        None => panic!("no program"),
                    };
                    const POOL: Constants = PROGRAM.constants();
                    blocks(launch, POOL, || {
                        $load;
                        emit!(PROGRAM);
                        ttinsn!(store(step::ON));
                    });
                })*
                #[allow(unreachable_patterns)]
                _ => return false,
            }
            true
        }
    };
}

family!(unary: Unary {
    Abs Sgn Neg Step Tanh Elu Relu Sigmoid Gelu GeluQuick Silu Hardswish Hardsigmoid Exp Expm1 Softplus GeluErf Xielu
    Floor Ceil Round Trunc Sqr Sqrt Log Scale Clamp LeakyRelu
} one_operand());
family!(binary: Binary { Add Sub Mul Div } two_operands());
family!(glu: Glu { Reglu Geglu Swiglu SwigluOai GegluErf GegluQuick SwigluClamp } two_operands());

#[inline(always)]
fn one_operand() {
    ttinsn!(load(0, 0));
}

#[inline(always)]
fn two_operands() {
    ttinsn!(load(0, 0));
    ttinsn!(load(1, BLOCK_ROWS));
}

/// All 32 bits as they are: denormals and payloads of NaN pass.
const fn load(lreg_ind: u32, dest_reg_addr: u32) -> u32 {
    SFPLOAD { lreg_ind, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode: step::STAY, dest_reg_addr }.word()
}

const fn store(sfpu_addr_mode: u32) -> u32 {
    SFPSTORE { lreg_ind: 0, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode, dest_reg_addr: 0 }.word()
}

/// Puts a program's constants where it expects them.
#[inline(never)]
fn set_constants(values: &[u32; CONSTANTS]) {
    for (i, value) in (0..).zip(values) {
        push(SFPLOADI { lreg_ind: 0, instr_mod0: sfploadi::UPPER, imm16: value >> 16 }.word());
        push(SFPLOADI { lreg_ind: 0, instr_mod0: sfploadi::LOWER, imm16: value & 0xFFFF }.word());
        push(SFPCONFIG { config_dest: lreg::PROGRAMMABLE_0 + i, ..SFPCONFIG::ZERO }.word());
        ttinsn!(SFPNOP {}.word());
    }
}

/// Runs `body` 32 times in each of this tile's blocks.
#[inline(always)]
fn blocks(launch: &Launch, constants: Constants, body: impl Fn()) {
    let own = core::array::from_fn(|i| launch.op.params[PARAMS + i]);
    set_constants(&constants.with(&own));
    for number in 0..Blocks::new(launch).count {
        launch.progress(number);
        begin(number);
        for _ in 0..BLOCK / LANES {
            body();
        }
        end();
    }
}

/// Elements of a vector register.
const LANES: u32 = tt_isa::sfpu::LANES as u32;

/// Waits for a block's operands and points at them.
#[inline(never)]
fn begin(number: u32) {
    ttinsn!(
        SEMWAIT {
            stall_res: block::SFPU | block::MATH | block::CFG,
            sem_sel: sem(SEM_FILLED),
            wait_sem_cond: sem_cond::WHILE_ZERO
        }
        .word()
    );
    push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, dst_slot(number)));
    ttinsn!(SETRWC { bit_mask: RWC_DST, ..SETRWC::ZERO }.word());
}

/// `SETRWC` mask: Dst's counter.
const RWC_DST: u32 = 1 << 2;

/// Hands a block's results on.
#[inline(never)]
fn end() {
    ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: until::SFPU }.word());
    ttinsn!(SEMGET { sem_sel: sem(SEM_FILLED) }.word());
    ttinsn!(SEMPOST { sem_sel: sem(SEM_COMPUTED) }.word());
}
