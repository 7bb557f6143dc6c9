//! TRISC1: the function's program on every 32 elements of a block.
//!
//! A vector register takes the even columns of four rows of Dst, or the odd ones: 64 rows are 32 times the program.
//! Dst's counter moves on with the store of the result.

use super::{Blocks, SEM_COMPUTED, SEM_FILLED, SEM_TAKEN, dst_slot, parameters};
use crate::ops::order::trisc1::adjust;
use crate::rt::chip::insn::{SEMGET, SEMINIT, SEMPOST, SETRWC, STALLWAIT};
use crate::rt::chip::thread;
use crate::rt::launch::TileLaunch;
use crate::rt::sync::BLOCKS_READY;
use crate::rt::tensix::{block, push, sem, sem_cond, setc16, sync, until};
pub use crate::rt::vector::{RWC_DST, configure, load, load_on, set_constants, set_register, step, store};
use crate::{semwait, ttinsn, ttprogram};
use tt_kernel_abi::Op;
use tt_kernel_abi::elementwise::{Binary, ElementwiseParams, Glu, OWN_PARAMS, OptStep, Unary};
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::sfpu::{BLOCK, BLOCK_ROWS, DST_SLOTS};
use tt_kernel_sfpu::{self as sfpu, CONSTANTS, Constants, Program};

/// Once, at boot.
pub fn boot() {
    for semaphore in [SEM_TAKEN, SEM_FILLED, SEM_COMPUTED] {
        push(SEMINIT { max_value: DST_SLOTS, init_value: 0, sem_sel: sem(semaphore) }.word());
    }
    sync();
}

/// Runs TRISC1's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ElementwiseParams) {
    configure();
    let known = match Op::from_code(launch.op.op) {
        Some(Op::Unary) => unary(launch, params),
        Some(Op::Binary) => binary(launch, params),
        Some(Op::OptStep) => opt_step(launch, params),
        _ => glu(launch, params),
    };
    if !known {
        launch.fail(ErrorCode::BadDescriptor, 0, params.pieces.function);
        // The other cores wait for results, whatever they are.
        blocks(launch, params, Program::new(0).constants(), || {});
    }
    // The next operator may configure the thread anew.
    sync();
}

/// The program of a function that has one.
const fn program(program: Option<Program>) -> Program {
    match program {
        Some(program) => program,
        None => panic!("no program"),
    }
}

/// Runs the program of one of a family's functions over all blocks.
macro_rules! family {
    ($name:ident: $functions:ident { $($variant:ident)* } $load:expr) => {
        fn $name(launch: &TileLaunch, params: &ElementwiseParams) -> bool {
            let Some(function) = $functions::from_code(params.pieces.function) else { return false };
            match function {
                $($functions::$variant => {
                    const PROGRAM: Program = program(sfpu::$name($functions::$variant));
                    const POOL: Constants = PROGRAM.constants();
                    blocks(launch, params, POOL, || {
                        $load;
                        ttprogram!(PROGRAM);
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
family!(glu: Glu { Reglu Geglu Swiglu SwigluOai GegluErf GegluQuick SwigluClamp SiluBack } two_operands());
family!(opt_step: OptStep { Momentum SquaredMomentum Direction Descent } two_operands());

#[inline(always)]
fn one_operand() {
    ttinsn!(load(0, 0));
}

#[inline(always)]
fn two_operands() {
    ttinsn!(load(0, 0));
    ttinsn!(load(1, BLOCK_ROWS));
}

/// Runs `body` 32 times in each of this tile's blocks.
#[inline(always)]
fn blocks(launch: &TileLaunch, params: &ElementwiseParams, constants: Constants, body: impl Fn()) {
    let count = Blocks::new(launch, params).count;
    set_constants(&constants.with(&own(launch, params, count)));
    for number in 0..count {
        launch.progress(number);
        begin(number);
        for _ in 0..BLOCK / LANES {
            body();
        }
        round_and_end(launch);
    }
}

/// The function's own parameters: those of the descriptor, or those at the places that it names in more[0], which BRISC brings before
/// the first of `count` blocks.
#[inline(never)]
fn own(launch: &TileLaunch, params: &ElementwiseParams, count: u32) -> [u32; CONSTANTS] {
    const { assert!(CONSTANTS == OWN_PARAMS) };
    let words = params.own;
    let in_memory = &launch.op.more[0];
    if in_memory.ne[0] == 0 || count == 0 {
        return words;
    }
    BLOCKS_READY.wait(1);
    let values = parameters(launch, in_memory.addr, in_memory.ne[0]).words();
    words.map(|at| values[at as usize].load())
}

/// Elements of a vector register.
const LANES: u32 = tt_isa::sfpu::LANES as u32;

/// Waits for a block's operands and points at them.
#[inline(never)]
pub fn begin(number: u32) {
    semwait!(block::SFPU | block::MATH | block::CFG, SEM_FILLED, sem_cond::WHILE_ZERO);
    push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, dst_slot(number)));
    ttinsn!(SETRWC { bit_mask: RWC_DST, ..SETRWC::ZERO }.word());
}

/// Hands a block's results on, rounded if they are activations that shall be.
#[inline(never)]
fn round_and_end(launch: &TileLaunch) {
    adjust(launch.op, BLOCK_ROWS);
    end();
}

/// Hands a block's results on.
#[inline(never)]
pub fn end() {
    ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: until::SFPU }.word());
    ttinsn!(SEMGET { sem_sel: sem(SEM_FILLED) }.word());
    ttinsn!(SEMPOST { sem_sel: sem(SEM_COMPUTED) }.word());
}
