//! Functions of FP32 rows on the vector unit: softmax, norms, rotary positions, gradients, loss. What every program computes is in
//! [`tt_kernel_sfpu::soft_max`], [`tt_kernel_sfpu::norm`], [`tt_kernel_sfpu::rotate`] and [`tt_kernel_sfpu::gradients`].
//!
//! ```text
//! BRISC --rows, partners, heads in L1--> TRISC0 --half of Dst--> TRISC1 --half of Dst--> TRISC2 --ring in L1--> NCRISC
//!   ^  <--segments free--               |  unpacks              |  computes             |  packs  --free--  |
//!  DRAM (NoC 0)                         +----------- the half comes back --------------+               DRAM (NoC 1)
//! ```
//!
//! A tile takes a contiguous range of rows, and every core walks the same segments ([`Segments`]). Of a row that is longer
//! than a segment only the last pass has results.
//!
//! Who waits for whom: halves of Dst pass from TRISC0 to TRISC1 by [`SEM_FILLED`] and on to TRISC2 by [`SEM_COMPUTED`]; [`SEM_TAKEN`]
//! counts those that TRISC0 has and TRISC2 has not given back, in their order: the semaphore says how many, not which. Each wait is for a segment of the same number or an earlier one.
//!
//! A segment of a row is read for the last time before the same segment of the result is written, and no two tiles have the
//! same row, so dst may be one of the sources.
//!
//! Rotated rows may go to rows of a cache that indices name (more[1]): NCRISC reads an index while the row is computed, and waits for
//! nobody but the NoC. TRISC2 makes F16 of a part of them before it publishes the row ([`halved_by_trisc2`]): it waits for nobody there, and NCRISC makes the rest of the row before meanwhile.

pub mod brisc;
pub mod ncrisc;
pub mod norms;
mod rotations;
pub mod trisc0;
pub mod trisc1;
pub mod trisc2;

use crate::rt::l1::{L1, Word};
use crate::rt::launch::{Launch, TileLaunch};
use tt_kernel_abi::elementwise::{Piece, split_row};
use tt_kernel_abi::matmul::share;
use tt_kernel_abi::rows::gradient::{GradientFunction, GradientParams};
use tt_kernel_abi::rows::norm::{NormFunction, NormParams};
use tt_kernel_abi::rows::rope::RopeParams;
use tt_kernel_abi::rows::soft_max::SoftMaxParams;
use tt_kernel_abi::sfpu::rows::{
    self, HALF_ROWS, Pass, RowFunction, SEGMENT, SLOTS, STEP, Segment, Segments,
};
use tt_kernel_abi::target::{CONGRUENCE, write_offset};
use tt_kernel_abi::{ElementType, TensorView};

/// Tensix semaphore: halves of Dst between TRISC0's unpack and their return.
pub const SEM_TAKEN: u32 = 5;
/// Tensix semaphore: halves of Dst that hold a segment.
pub const SEM_FILLED: u32 = 6;
/// Tensix semaphore: halves of Dst that TRISC1 has done with.
pub const SEM_COMPUTED: u32 = 7;

/// What a launch computes, whichever of the operators it is.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    function: RowFunction,
    rows: u32,
    /// Factor of exponents, what the gradient says, or a norm's eps.
    scale: f32,
    factor: f32,
    /// What a softmax says besides.
    soft_max: Option<&'a SoftMaxParams>,
    rotation: Rotation,
}

/// How a row's elements are pairs.
#[derive(Clone, Copy)]
struct Rotation {
    /// Heads that a row has. Each has the same partner.
    heads: u32,
    /// From the first element of a pair to the second.
    distance: u32,
}

impl Rotation {
    /// What other functions have.
    const NONE: Self = Self { heads: 1, distance: 0 };
}

impl<'a> From<&'a SoftMaxParams> for Work<'a> {
    fn from(params: &'a SoftMaxParams) -> Self {
        let SoftMaxParams { rows, scale, .. } = *params;
        Self {
            function: RowFunction::SoftMax,
            rows,
            scale,
            factor: 0.0,
            soft_max: Some(params),
            rotation: Rotation::NONE,
        }
    }
}

impl From<&GradientParams> for Work<'_> {
    fn from(params: &GradientParams) -> Self {
        let GradientParams { function, rows, scale, factor } = *params;
        // The host checks functions.
        let function = GradientFunction::from_code(function).unwrap_or(GradientFunction::SoftMaxBack);
        Self { function: function.into(), rows, scale, factor, soft_max: None, rotation: Rotation::NONE }
    }
}

impl From<&NormParams> for Work<'_> {
    fn from(params: &NormParams) -> Self {
        let NormParams { function, rows, eps, factor } = *params;
        // The host checks functions.
        let function = NormFunction::from_code(function).unwrap_or(NormFunction::RmsNorm);
        Self { function: function.into(), rows, scale: eps, factor, soft_max: None, rotation: Rotation::NONE }
    }
}

impl From<&RopeParams> for Work<'_> {
    fn from(params: &RopeParams) -> Self {
        let RopeParams { rows, heads, rope } = *params;
        let function = match rope.distance {
            1 => RowFunction::Rotate,
            distance if distance.is_multiple_of(STEP) => RowFunction::Rotate,
            _ => RowFunction::RotateHalves,
        };
        let rotation = Rotation { heads: heads.max(1), distance: rope.distance };
        Self { function, rows, scale: 0.0, factor: 0.0, soft_max: None, rotation }
    }
}

/// This tile's segments.
fn segments(launch: &Launch, work: &Work) -> Segments {
    let (first, count) = share(work.rows, launch.index, launch.op.cores);
    Segments::new(launch.op.dst.ne[0], first, count, Pass::first(work.function))
}

/// First row of the half of Dst of segment `number`.
pub fn half(number: u32) -> u32 {
    number % 2 * HALF_ROWS
}

/// Where segment `number` of an operand (0: the row, 1: its partner) is in L1, whose address in DRAM is `addr`.
fn operand<'a>(launch: &'a TileLaunch, operand: u32, number: u32, addr: u64) -> L1<'a> {
    launch.l1(rows::operand_slot(operand, number, addr), 4 * SEGMENT)
}

/// The slot of a segment's partner. Of a partner that all rows share, as weights of a norm, each segment has one slot, which is filled once: one page of DRAM would have to
/// send it for every row.
fn partner_slot(launch: &Launch, segment: &Segment) -> u32 {
    let partner = &launch.op.src1;
    let is_shared = partner.ne[1..] == [1; 3] && partner.ne[0] <= SLOTS * SEGMENT;
    if is_shared { segment.first / SEGMENT } else { segment.number }
}

/// Where segment `number` of the results is in L1.
fn result<'a>(launch: &'a TileLaunch, number: u32) -> L1<'a> {
    launch.l1(rows::result_slot(number), 4 * SEGMENT)
}

/// How many of a result's `len` elements TRISC2 makes F16, where they are: nine sixteenths of what goes to a cache, since a core takes 15 clocks an element. NCRISC makes the others, and sends both
/// parts. What TRISC2 has made is sent from there, so its place in DRAM must suit a result's in L1.
fn halved_by_trisc2(launch: &Launch, work: &Work, len: u32) -> u32 {
    let dst = &launch.op.dst;
    let is_sent_from_there = write_offset(dst.nb[1..].iter().fold(dst.addr, |all, nb| all | nb)) == 0;
    match work.function {
        RowFunction::Rotate if dst.element_type() == Some(ElementType::F16) && is_sent_from_there => {
            len * 9 / 16 / HALVED_TOGETHER * HALVED_TOGETHER
        }
        _ => 0,
    }
}

/// F16 between two places that suit each other.
const HALVED_TOGETHER: u32 = CONGRUENCE / 2;

/// The head of the row whose first segment is `number`: the mask's slope, and the row's value of more[0].
fn head<'a>(launch: &'a TileLaunch, number: u32) -> &'a [Word] {
    launch.l1(rows::head(number), 8).words()
}

/// Where a segment of a row of `view` is.
fn piece(view: &TensorView, segment: &Segment) -> Piece {
    Piece { row: split_row(view, segment.row), first: segment.first, len: segment.len }
}

/// Where the partner of a segment of src0 is, if there is a second operand and the pass needs it.
fn partner_piece(launch: &Launch, work: &Work, segment: &Segment) -> Option<Piece> {
    let (src0, partner) = (&launch.op.src0, &launch.op.src1);
    let [i1, i2, i3] = split_row(src0, segment.row);
    // A mask may have more rows than there are.
    let row = [i1 % partner.ne[1].max(1), i2 % partner.ne[2].max(1), i3 % partner.ne[3].max(1)];
    (partner.ne[0] > 0 && work.function.needs_partner(segment.pass)).then_some(Piece {
        row,
        first: segment.first,
        len: segment.len / work.rotation.heads,
    })
}
