//! Groups of nodes in one descriptor ([`crate::fusion`] finds them).
//!
//! A group that the kernels cannot compute as one is no error: its nodes are computed one by one.

use tt_runtime::ops::rows::RowFunction;
use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{ElementType, OpDescriptor};

use super::{Memory, Node, Steps, source};
use crate::abi::host::{Host, Operator};
use crate::abi::types::Tensor;
use crate::fusion::Kind;

/// The descriptors of a group, or why its nodes have to be computed one by one.
pub fn fused(host: &Host, kind: Kind, nodes: &[&Tensor], cores: u32, memory: &mut dyn Memory) -> Steps {
    let &[first, next] = nodes else { return Err("not two nodes".into()) };
    // The kernels keep what is between two nodes in FP32.
    if host.element_type(first.type_) != Some(ElementType::F32) {
        return Err("the first result is not F32".into());
    }
    let mut first = Node { host, tensor: first, cores, memory };
    let one = match (kind, host.operator(first.tensor.op)) {
        (Kind::NormMul, Some(Operator::Norm(function))) => first.norm_mul(function, next),
        (Kind::RopeSetRows, Some(Operator::Rope(backwards))) => first.rope_set_rows(backwards, next),
        _ => Err("no pattern".into()),
    };
    one.map(|descriptor| vec![descriptor])
}

impl Node<'_> {
    /// A source of the node that follows.
    fn of(&mut self, next: &Tensor, index: usize) -> Result<tt_runtime::TensorView, Unsupported> {
        let tensor = source(next, index).ok_or("a source is missing")?;
        self.memory.place(tensor)
    }

    fn norm_mul(&mut self, function: RowFunction, mul: &Tensor) -> Result<OpDescriptor, Unsupported> {
        let (src, factors) = (self.src(0)?, self.of(mul, 1)?);
        let dst = self.memory.place(mul)?;
        ops::norm_mul(function, self.f32(0), &src, &factors, &dst, self.cores)
    }

    fn rope_set_rows(&mut self, backwards: bool, set_rows: &Tensor) -> Result<OpDescriptor, Unsupported> {
        let rows = source(set_rows, 0).ok_or("a source is missing")?;
        let [ne0, heads, tokens, batches] = self.tensor.ne;
        let dense = |tensor: &Tensor| {
            let strides = tensor
                .ne
                .iter()
                .zip(&tensor.nb)
                .try_fold(4, |dense, (&ne, &nb)| (nb == dense || ne == 1).then_some(dense * ne as usize));
            strides.is_some()
        };
        if rows.ne != [ne0 * heads, tokens, batches, 1] || !dense(rows) || !dense(self.tensor) {
            return Err("rows are not the heads of tokens".into());
        }
        let (rope, src, positions, factors) = self.rope_operands(backwards)?;
        let (indices, cache) = (self.of(set_rows, 1)?, self.memory.place(set_rows)?);
        ops::rope_set_rows(rope, &src, &positions, factors.as_ref(), &indices, &cache, self.cores)
    }
}
