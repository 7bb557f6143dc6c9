//! TRISC1: the vector unit's part: logits, maxima, powers, their sums, results, all in place in Dst.

use super::{SEM_COMPUTED, SEM_FILLED, SEM_TAKEN, half, segments};
use crate::ops::sfpu::trisc1::{
    RWC_DST, configure, load as sfpload, set_constants, set_register, step, store,
};
use crate::rt::launch::Launch;
use crate::rt::mmio::load;
use crate::rt::sync::BLOCKS_READY;
use crate::rt::tensix::{block, push, sem, sem_cond, setc16, sync, until};
use crate::{semwait, ttinsn, ttprogram};
use tt_isa::cfg::thread;
use tt_isa::insn::{SEMGET, SEMINIT, SEMPOST, SETRWC, STALLWAIT};
use tt_kernel_abi::rows::RowsParams;
use tt_kernel_abi::sfpu::Program;
use tt_kernel_abi::sfpu::soft_max::{self, LOGIT, MASK_ROW, MAX, Pass, SCALE, SLOPE, SUM, Segment, head};

const LOGITS: Program = soft_max::logits(false);
const MASKED_LOGITS: Program = soft_max::logits(true);
const MAXIMUM: Program = soft_max::max();
const TOTAL: Program = soft_max::sum();
const INVERT: Program = soft_max::invert();
const POWER: Program = soft_max::power();
const ACCUMULATE: Program = soft_max::accumulate();
const SCALED: Program = soft_max::scale();

/// Elements of a vector register.
const LANES: u32 = tt_isa::sfpu::LANES as u32;

/// Once, at boot.
pub fn boot() {
    for semaphore in [SEM_TAKEN, SEM_FILLED, SEM_COMPUTED] {
        push(SEMINIT { max_value: 2, init_value: 0, sem_sel: sem(semaphore) }.word());
    }
    sync();
}

/// What holds for a row, and for all of them.
struct Rows<'a> {
    launch: &'a Launch<'a>,
    params: RowsParams,
    slope: u32,
    sink: Option<u32>,
}

/// Runs TRISC1's part.
pub fn run(launch: &Launch) {
    configure();
    let own = [0; 4];
    set_constants(&POWER.constants().with(&own));
    let params = RowsParams::from_words(&launch.op.params);
    let mut rows = Rows { launch, params, slope: 0, sink: None };
    for segment in segments(launch) {
        launch.progress(segment.number);
        if segment.pass.is_first() && segment.begins {
            rows.begin(segment.number);
        }
        begin(segment.number);
        rows.compute(&segment);
        end();
    }
    // The next operator may configure the thread anew.
    sync();
}

impl Rows<'_> {
    /// Reads a row's head and sets its maxima.
    fn begin(&mut self, number: u32) {
        BLOCKS_READY.wait(number + 1);
        self.slope = load(head(number));
        self.sink = (self.launch.op.more[0].ne[0] > 0).then(|| load(head(number) + 4));
        // Of a row in which everything is masked, the maximum is what decides between zeros and NaN.
        let lowest = if self.params.u[2] != 0 { f32::MIN } else { f32::NEG_INFINITY };
        set_register(MAX, self.sink.unwrap_or(lowest.to_bits()));
    }

    fn compute(&self, segment: &Segment) {
        let vectors = segment.padded() / LANES;
        self.logits(vectors);
        match segment.pass {
            Pass::Whole => {
                maximum();
                set_register(SUM, 0);
                powers(vectors);
                self.total();
                scale(vectors);
            }
            Pass::Max => {
                if segment.ends {
                    maximum();
                    set_register(SUM, 0);
                }
            }
            Pass::Sum => {
                powers(vectors);
                if segment.ends {
                    self.total();
                }
            }
            Pass::Result => scaled_powers(vectors),
        }
    }

    /// Exponents, in the row's place.
    #[inline(never)]
    fn logits(&self, vectors: u32) {
        set_register(SCALE, self.params.f[0].to_bits());
        if self.launch.op.src1.ne[0] == 0 {
            for _ in 0..vectors {
                ttinsn!(sfpload(0, 0));
                ttprogram!(LOGITS);
                ttinsn!(store(step::ON));
            }
        } else {
            set_register(SLOPE, self.slope);
            for _ in 0..vectors {
                ttinsn!(sfpload(0, 0));
                ttinsn!(sfpload(2, MASK_ROW));
                ttprogram!(MASKED_LOGITS);
                ttinsn!(store(step::ON));
            }
        }
        rewind();
    }

    /// One over the sum of all powers and of the sink's.
    #[inline(never)]
    fn total(&self) {
        ttprogram!(TOTAL);
        if let Some(sink) = self.sink {
            set_register(LOGIT, sink);
            power();
            ttprogram!(ACCUMULATE);
        }
        ttprogram!(INVERT);
    }
}

#[inline(never)]
fn maximum() {
    ttprogram!(MAXIMUM);
}

#[inline(never)]
fn power() {
    ttprogram!(POWER);
}

/// Powers in the exponents' place, and their sums.
fn powers(vectors: u32) {
    for _ in 0..vectors {
        ttinsn!(sfpload(LOGIT, 0));
        power();
        ttprogram!(ACCUMULATE);
        ttinsn!(store(step::ON));
    }
    rewind();
}

/// Powers over their sum in the exponents' place.
fn scaled_powers(vectors: u32) {
    for _ in 0..vectors {
        ttinsn!(sfpload(LOGIT, 0));
        power();
        ttprogram!(SCALED);
        ttinsn!(store(step::ON));
    }
}

/// Divides powers by their sum.
fn scale(vectors: u32) {
    for _ in 0..vectors {
        ttinsn!(sfpload(0, 0));
        ttprogram!(SCALED);
        ttinsn!(store(step::ON));
    }
}

/// Back to the first element of the half.
fn rewind() {
    ttinsn!(SETRWC { bit_mask: RWC_DST, ..SETRWC::ZERO }.word());
}

/// Waits for a segment and points at it.
#[inline(never)]
fn begin(number: u32) {
    semwait!(block::SFPU | block::MATH | block::CFG, SEM_FILLED, sem_cond::WHILE_ZERO);
    push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, half(number)));
    rewind();
}

/// Hands a half on.
#[inline(never)]
fn end() {
    ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: until::SFPU }.word());
    ttinsn!(SEMGET { sem_sel: sem(SEM_FILLED) }.word());
    ttinsn!(SEMPOST { sem_sel: sem(SEM_COMPUTED) }.word());
}
