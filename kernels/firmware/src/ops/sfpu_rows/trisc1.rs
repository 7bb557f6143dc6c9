//! TRISC1: the vector unit's part: maxima, powers, sums, results, all in place in Dst.

use super::{SEM_COMPUTED, SEM_FILLED, SEM_TAKEN, Work, half, head, norms, rotations, segments};
use crate::ops::sfpu::trisc1::{
    RWC_DST, configure, load as sfpload, load_on, set_constants, set_register, step, store,
};
use crate::rt::chip::insn::{SEMGET, SEMINIT, SEMPOST, SETRWC, STALLWAIT};
use crate::rt::chip::thread;
use crate::rt::launch::TileLaunch;
use crate::rt::sync::BLOCKS_READY;
use crate::rt::tensix::{block, push, sem, sem_cond, setc16, sync, until};
use crate::{semwait, ttinsn, ttprogram};
use tt_kernel_abi::sfpu::rows::{PARTNER_ROW, Pass, RowFunction, Segment};
use tt_kernel_sfpu::Program;
use tt_kernel_sfpu::gradients::{self, EPS, FACTOR, ONE_OVER_N, SQUARES};
use tt_kernel_sfpu::rows::{self, SUM};
use tt_kernel_sfpu::soft_max::{self, LOGIT, MAX, SCALE, SLOPE};

const LOGITS: Program = soft_max::logits(false);
const MASKED_LOGITS: Program = soft_max::logits(true);
const MAXIMUM: Program = soft_max::max();
const TOTAL: Program = rows::sum();
const INVERT: Program = soft_max::invert();
const POWER: Program = soft_max::power();
const ACCUMULATE: Program = soft_max::accumulate();
const SCALED: Program = soft_max::scale();
const MINUS_LOG: Program = gradients::minus_log();
const LOG_LIKELIHOOD: Program = gradients::log_likelihood();
const DIFFERENCE: Program = gradients::difference();
const PRODUCTS: Program = gradients::products();
const NEGATE: Program = gradients::negate();
const SOFT_MAX_BACK: Program = gradients::soft_max_back();
const PRODUCTS_AND_SQUARES: Program = gradients::products_and_squares();
const TWO_TOTALS: Program = gradients::two_sums();
const NORM_FACTORS: Program = gradients::norm_factors();
const RMS_NORM_BACK: Program = gradients::rms_norm_back();

/// Elements of a vector register.
pub const LANES: u32 = tt_isa::sfpu::LANES as u32;

/// Once, at boot.
pub fn boot() {
    for semaphore in [SEM_TAKEN, SEM_FILLED, SEM_COMPUTED] {
        push(SEMINIT { max_value: 2, init_value: 0, sem_sel: sem(semaphore) }.word());
    }
    sync();
}

/// What holds for a row, and for all of them.
struct Rows<'a> {
    launch: &'a TileLaunch<'a>,
    function: RowFunction,
    work: Work<'a>,
    slope: u32,
    /// A sink, or a factor.
    value: Option<u32>,
}

/// Runs TRISC1's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, work: Work) {
    configure();
    let own = [0; 4];
    set_constants(&POWER.constants().with(&own));
    let mut rows = Rows { launch, function: work.function, work, slope: 0, value: None };
    for segment in segments(launch, &work) {
        launch.progress(segment.number);
        if segment.opens {
            rows.begin(segment.number);
        }
        begin(segment.number);
        match rows.function {
            RowFunction::SoftMaxBack => rows.soft_max_back(&segment),
            RowFunction::RmsNormBack => rows.rms_norm_back(&segment),
            function if function.is_norm() => norms::segment(launch, &rows.work, &segment),
            function if function.is_rotation() => rotations::segment(&rows.work, &segment),
            _ => rows.of_powers(&segment),
        }
        end();
    }
    // The next operator may configure the thread anew.
    sync();
}

/// Gives each vector register of a segment to `body`, which moves on to the next one itself.
#[inline(always)]
pub fn each(vectors: u32, body: impl Fn()) {
    for _ in 0..vectors {
        body();
    }
    rewind();
}

impl Rows<'_> {
    /// Reads a row's head and sets what its first segments add to.
    fn begin(&mut self, number: u32) {
        BLOCKS_READY.wait(number + 1);
        let head = head(self.launch, number);
        self.slope = head[0].load();
        self.value = (self.launch.op.more[0].ne[0] > 0).then(|| head[1].load());
        match self.function {
            function if function.is_norm() => norms::begin(),
            function if function.is_rotation() => {}
            RowFunction::SoftMaxBack | RowFunction::RmsNormBack => {
                set_register(SUM, 0);
                set_register(SQUARES, 0);
            }
            _ => {
                // Of a row in which everything is masked, the maximum is what decides between zeros and NaN.
                let zeros = self.work.soft_max.is_some_and(|params| params.masked_rows_are_zero != 0);
                let lowest = if zeros { f32::MIN } else { f32::NEG_INFINITY };
                set_register(MAX, self.sink().unwrap_or(lowest.to_bits()));
            }
        }
    }

    fn sink(&self) -> Option<u32> {
        self.value.filter(|_| self.function == RowFunction::SoftMax)
    }

    /// Functions with maxima and powers.
    fn of_powers(&self, segment: &Segment) {
        let vectors = segment.padded() / LANES;
        let keeps_powers = self.function != RowFunction::CrossEntropy;
        self.logits(vectors);
        match segment.pass {
            Pass::Whole => {
                maximum();
                set_register(SUM, 0);
                if keeps_powers {
                    powers(vectors)
                } else {
                    power_sums(vectors)
                }
                self.total();
                self.results(vectors, keeps_powers);
            }
            Pass::Shift => {
                if segment.ends {
                    maximum();
                    set_register(SUM, 0);
                }
            }
            Pass::Sum => {
                power_sums(vectors);
                if segment.ends {
                    self.total();
                }
            }
            Pass::Result => self.results(vectors, false),
        }
    }

    /// Exponents, in the row's place.
    #[inline(never)]
    fn logits(&self, vectors: u32) {
        set_register(SCALE, self.work.scale.to_bits());
        if self.function != RowFunction::SoftMax || self.launch.op.src1.ne[0] == 0 {
            each(vectors, || {
                ttinsn!(sfpload(0, 0));
                ttprogram!(LOGITS);
                ttinsn!(store(step::ON));
            });
        } else {
            set_register(SLOPE, self.slope);
            each(vectors, || {
                ttinsn!(sfpload(0, 0));
                ttinsn!(sfpload(2, PARTNER_ROW));
                ttprogram!(MASKED_LOGITS);
                ttinsn!(store(step::ON));
            });
        }
    }

    /// One over the sum of all powers and of the sink's, or minus its logarithm.
    #[inline(never)]
    fn total(&self) {
        ttprogram!(TOTAL);
        if let Some(sink) = self.sink() {
            set_register(LOGIT, sink);
            power();
            ttprogram!(ACCUMULATE);
        }
        match self.function {
            RowFunction::CrossEntropy => ttprogram!(MINUS_LOG),
            _ => ttprogram!(INVERT),
        }
    }

    /// Results from exponents, or from `powers`.
    #[inline(never)]
    fn results(&self, vectors: u32, powers: bool) {
        match (self.function, powers) {
            (RowFunction::CrossEntropy, _) => each(vectors, || {
                ttinsn!(sfpload(0, 0));
                ttinsn!(sfpload(2, PARTNER_ROW));
                ttprogram!(LOG_LIKELIHOOD);
                ttinsn!(store(step::ON));
            }),
            (RowFunction::CrossEntropyBack, _) => each(vectors, || {
                match powers {
                    true => ttinsn!(sfpload(0, 0)),
                    false => {
                        ttinsn!(sfpload(LOGIT, 0));
                        power();
                    }
                }
                // Powers leave nothing in these registers.
                set_register(SCALE, self.value.unwrap_or(0));
                set_register(FACTOR, self.work.factor.to_bits());
                ttinsn!(sfpload(2, PARTNER_ROW));
                ttprogram!(DIFFERENCE);
                ttinsn!(store(step::ON));
            }),
            (_, true) => each(vectors, || {
                ttinsn!(sfpload(0, 0));
                ttprogram!(SCALED);
                ttinsn!(store(step::ON));
            }),
            (_, false) => each(vectors, || {
                ttinsn!(sfpload(LOGIT, 0));
                power();
                ttprogram!(SCALED);
                ttinsn!(store(step::ON));
            }),
        }
    }

    #[inline(never)]
    fn soft_max_back(&self, segment: &Segment) {
        let vectors = segment.padded() / LANES;
        if matches!(segment.pass, Pass::Whole | Pass::Sum) {
            each(vectors, || {
                ttinsn!(sfpload(2, PARTNER_ROW));
                ttinsn!(load_on(0));
                ttprogram!(PRODUCTS);
            });
            if segment.ends {
                ttprogram!(TOTAL);
                ttprogram!(NEGATE);
            }
        }
        if segment.pass.has_result() {
            set_register(SCALE, self.work.scale.to_bits());
            each(vectors, || {
                ttinsn!(sfpload(0, 0));
                ttinsn!(sfpload(2, PARTNER_ROW));
                ttprogram!(SOFT_MAX_BACK);
                ttinsn!(store(step::ON));
            });
        }
    }

    #[inline(never)]
    fn rms_norm_back(&self, segment: &Segment) {
        let vectors = segment.padded() / LANES;
        if matches!(segment.pass, Pass::Whole | Pass::Sum) {
            each(vectors, || {
                ttinsn!(sfpload(2, PARTNER_ROW));
                ttinsn!(load_on(0));
                ttprogram!(PRODUCTS_AND_SQUARES);
            });
            if segment.ends {
                ttprogram!(TWO_TOTALS);
                set_register(ONE_OVER_N, self.work.factor.to_bits());
                set_register(EPS, self.work.scale.to_bits());
                ttprogram!(NORM_FACTORS);
            }
        }
        if segment.pass.has_result() {
            each(vectors, || {
                ttinsn!(sfpload(0, 0));
                ttinsn!(sfpload(2, PARTNER_ROW));
                ttprogram!(RMS_NORM_BACK);
                ttinsn!(store(step::ON));
            });
        }
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
    each(vectors, || {
        ttinsn!(sfpload(LOGIT, 0));
        power();
        ttprogram!(ACCUMULATE);
        ttinsn!(store(step::ON));
    });
}

/// Sums of powers.
fn power_sums(vectors: u32) {
    each(vectors, || {
        ttinsn!(load_on(LOGIT));
        power();
        ttprogram!(ACCUMULATE);
    });
}

/// Back to the first element of the half.
pub(super) fn rewind() {
    ttinsn!(SETRWC { bit_mask: RWC_DST, ..SETRWC::ZERO }.word());
}

/// Waits for a segment and points at it.
#[inline(never)]
pub fn begin(number: u32) {
    semwait!(block::SFPU | block::MATH | block::CFG, SEM_FILLED, sem_cond::WHILE_ZERO);
    push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, half(number)));
    rewind();
}

/// Hands a half on.
#[inline(never)]
pub fn end() {
    ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: until::SFPU }.word());
    ttinsn!(SEMGET { sem_sel: sem(SEM_FILLED) }.word());
    ttinsn!(SEMPOST { sem_sel: sem(SEM_COMPUTED) }.word());
}
