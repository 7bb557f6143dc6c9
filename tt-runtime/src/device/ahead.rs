//! What steps of a stream have of each other, written into descriptors before they are brought to DRAM: which ones read their weights ahead ([`tt_kernel_abi::ahead`]), and which find the
//! activations of the step before in L1 ([`BlockParams::kept`]).

use std::ops::Range;

use tt_kernel_abi::ahead::{KEEPS, Link, experts, keeps_ring, set_ids_from, set_link, uses_ring};
use tt_kernel_abi::matmul::MORE_PARTS;
use tt_kernel_abi::matmul_block::{BlockParams, Plan};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::{ElementType, OpDescriptor, Params, TensorView};

use crate::ops::parts;

/// Links the products of a stream whose first step the host launches, and whose others lie in DRAM from [`STREAM`] on, on a grid of so many columns and rows of workers.
pub(super) fn link(steps: &mut [OpDescriptor], grid: (u32, u32)) {
    keep_activations(steps, grid.into());
    find_indices(steps);
    let mut later: Option<Later> = None;
    for (index, step) in steps.iter_mut().enumerate().rev() {
        let keeps = keeps_ring(step);
        if keeps {
            step.flags |= KEEPS;
        }
        if uses_ring(step) {
            let later_number =
                later.filter(|later| !later.is_written_by(step)).map_or(0, |later| later.number);
            set_link(step, Link { number: index as u32 + 1, later: later_number });
            later = Later::of(index, step);
        } else if !keeps || later.is_some_and(|later| later.is_written_by(step)) {
            later = None;
        }
    }
}

/// Says in products in blocks whether the step before leaves their activations in L1: it is one with the same ones, and does not write over them in DRAM.
fn keep_activations(steps: &mut [OpDescriptor], grid: [u32; 2]) {
    let mut before: Option<(TensorView, Plan)> = None;
    for step in steps {
        let Some(&params) = step.params_of::<kernel::MatmulBlock>() else {
            before = None;
            continue;
        };
        let plan = Plan::new(&params, [0, 0], grid, 0);
        let is_left = before.is_some_and(|(src1, before)| src1 == step.src1 && before.leaves(&plan));
        step.params = Params::of::<kernel::MatmulBlock>(&BlockParams { kept: is_left.into(), ..params });
        let is_written = overlap(&range(&step.src1), &range(&step.dst));
        before = (!is_written).then_some((step.src1, plan));
    }
}

/// Says in products whose weights are read when the indices of their matrices are there, which step writes these.
fn find_indices(steps: &mut [OpDescriptor]) {
    for index in 0..steps.len() {
        let (before, rest) = steps.split_at_mut(index);
        let [step, ..] = rest else { break };
        let Some(ids) = experts(step).map(range) else { continue };
        let writer = before.iter().rposition(|step| written(step).any(|written| overlap(&ids, &written)));
        set_ids_from(step, writer.map_or(0, |writer| writer as u32 + 1));
    }
}

/// Bytes that a step writes.
fn written(step: &OpDescriptor) -> impl Iterator<Item = Range<u64>> + use<> {
    parts(step).map(|[_, result]| result).chain([step.dst]).map(|view| range(&view))
}

/// Bytes of a view.
fn range(view: &TensorView) -> Range<u64> {
    view.addr..view.addr + view.span()
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

/// A product whose weights may be read before it begins.
#[derive(Clone, Copy)]
struct Later {
    /// Its number, counted from 1.
    number: u32,
    weights: [TensorView; 2 + MORE_PARTS],
}

impl Later {
    /// The step, if it lies in DRAM. What other steps make of activations, and then multiply with, has tiles of another type.
    fn of(index: usize, step: &OpDescriptor) -> Option<Self> {
        let is_weight = step.src0.element_type() != Some(ElementType::TilesF32);
        let mut weights = [step.src0, step.more[2], TensorView::NONE, TensorView::NONE];
        weights[2..].iter_mut().zip(parts(step)).for_each(|(to, [weights, _])| *to = weights);
        (is_weight && index > 0).then_some(Self { number: index as u32 + 1, weights })
    }

    fn is_written_by(&self, step: &OpDescriptor) -> bool {
        written(step).any(|written| {
            let mut weights = self.weights.iter().map(range);
            weights.any(|weights| overlap(&weights, &written))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{block_form, blocks, matmul};
    use tt_kernel_abi::ahead::link as link_of;
    use tt_kernel_abi::dram::STREAM;
    use tt_kernel_abi::{DramAddr, Op};

    const WEIGHTS: u64 = 0x100_0000;
    const ROW: u64 = 0x800_0000;

    fn product(weights: u64, ty: ElementType, to: u64) -> OpDescriptor {
        let row = |addr| TensorView::contiguous(ElementType::F32, addr, [64, 1, 1, 1]);
        matmul(&TensorView::tiles(ty, weights, [64, 64, 1, 1]), &row(ROW), &row(to), 8).unwrap()
    }

    fn step(op: Op, to: u64) -> OpDescriptor {
        let dst = TensorView::contiguous(ElementType::F32, to, [64, 1, 1, 1]);
        OpDescriptor { op: op as u32, cores: 8, dst, ..OpDescriptor::NOP }
    }

    /// Number, and index of the later step.
    fn linked(mut steps: Vec<OpDescriptor>) -> Vec<(u32, Option<u64>)> {
        link(&mut steps, (8, 1));
        let of = |step: &OpDescriptor| {
            let link = link_of(step)?;
            // Where the queue puts the step.
            let index = |at: DramAddr| (at.0 - STREAM.0) / OpDescriptor::BYTES as u64 + 1;
            Some((link.number, link.later().map(index)))
        };
        steps.iter().filter_map(of).collect()
    }

    #[test]
    fn products_know_the_next_one() {
        let weights = |n: u64| product(WEIGHTS + n * 0x10_0000, ElementType::TilesBfp8, ROW + n * 0x1000);
        let steps = vec![weights(1), step(Op::Rope, ROW), weights(2), weights(3)];
        assert_eq!(linked(steps), [(1, Some(2)), (3, Some(3)), (4, None)]);
    }

    /// A product of so many rows, in blocks.
    fn rows(count: u32, weights: u64) -> OpDescriptor {
        let rows = |addr| TensorView::contiguous(ElementType::F32, addr, [64, count, 1, 1]);
        let weights = TensorView::tiles(ElementType::TilesBfp8, weights, [64, 64, 1, 1]);
        let product = matmul(&weights, &rows(ROW), &rows(2 * ROW), 8).unwrap();
        blocks(&product, &TensorView { addr: 3 * ROW, ..block_form(&product.src1) }).unwrap()
    }

    #[test]
    fn products_of_a_tile_of_rows_are_like_those_of_one() {
        let steps = vec![rows(32, WEIGHTS), step(Op::Order, ROW), rows(9, 2 * WEIGHTS), step(Op::Rope, ROW)];
        assert_eq!(linked(steps), [(1, Some(2)), (3, None)]);
        // With more of them activations have the ring's room.
        let next = || product(2 * WEIGHTS, ElementType::TilesBfp8, ROW);
        assert_eq!(linked(vec![rows(32, WEIGHTS), rows(33, WEIGHTS), next()]), [(1, None), (3, None)]);
    }

    #[test]
    fn products_that_follow_one_another_have_their_activations_once() {
        let kept = |mut steps: Vec<OpDescriptor>| -> Vec<u32> {
            link(&mut steps, (8, 1));
            let params = steps.iter().filter_map(|step| step.params_of::<kernel::MatmulBlock>());
            params.map(|params| params.kept).collect()
        };
        let first = || rows(32, WEIGHTS);
        let other = || OpDescriptor { src1: TensorView { addr: 4 * ROW, ..first().src1 }, ..first() };
        assert_eq!(kept(vec![first(), first(), first(), other(), first()]), [0, 1, 1, 0, 0]);
        assert_eq!(kept(vec![first(), step(Op::Copy, ROW), first()]), [0, 0]);
        assert_eq!(kept(vec![rows(31, WEIGHTS), first()]), [0, 0]);
        // One that writes over them in DRAM.
        let mut over = first();
        over.dst.addr = over.src1.addr;
        assert_eq!(kept(vec![over, first(), first()]), [0, 0, 1]);
    }

    #[test]
    fn products_by_indices_know_who_writes_these() {
        let ids = TensorView::contiguous(ElementType::I32, ROW + 0x8000, [4, 1, 1, 1]);
        let by_ids = || {
            let weights = TensorView::tiles(ElementType::TilesBfp8, WEIGHTS, [64, 64, 8, 1]);
            let rows = |addr, used| TensorView::contiguous(ElementType::F32, addr, [64, used, 1, 1]);
            crate::ops::matmul_id(&weights, &rows(ROW, 1), &ids, &rows(2 * ROW, 4), 8).unwrap()
        };
        let from = |mut steps: Vec<OpDescriptor>| -> Vec<u32> {
            link(&mut steps, (8, 1));
            let params = steps.iter().filter_map(|step| step.params_of::<kernel::Matmul>());
            params.filter(|params| params.experts() > 0).map(|params| params.ids_from).collect()
        };
        let sort = || step(Op::Sort, ids.addr);
        let other = || step(Op::Rope, ROW);
        assert_eq!(from(vec![other(), by_ids()]), [0]);
        assert_eq!(from(vec![other(), sort(), other(), by_ids(), by_ids()]), [2, 2]);
        assert_eq!(from(vec![sort(), sort(), by_ids(), sort(), by_ids()]), [2, 4]);
        assert_eq!(linked(vec![sort(), by_ids(), other(), by_ids()]), [(2, Some(3)), (4, None)]);
    }

    #[test]
    fn nothing_is_read_ahead_of_who_writes_it_or_needs_the_room() {
        let first = || product(WEIGHTS, ElementType::TilesBfp8, ROW);
        let second = || product(2 * WEIGHTS, ElementType::TilesBfp8, ROW);
        let none = [(1, None), (3, None)];
        assert_eq!(linked(vec![first(), step(Op::Fold, ROW), second()]), none);
        assert_eq!(linked(vec![first(), step(Op::Copy, 2 * WEIGHTS + 64), second()]), none);
        assert_eq!(linked(vec![first(), step(Op::Copy, ROW), second()]), [(1, Some(2)), (3, None)]);
        let made = product(2 * WEIGHTS, ElementType::TilesF32, ROW);
        assert_eq!(linked(vec![first(), step(Op::Copy, ROW), made]), none);
        let writes_its_later = product(WEIGHTS, ElementType::TilesBfp8, 2 * WEIGHTS);
        assert_eq!(linked(vec![writes_its_later, second()]), [(1, None), (2, None)]);
    }
}
