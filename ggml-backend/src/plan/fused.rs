//! Groups of nodes in one descriptor ([`crate::fusion`] finds them).
//!
//! A group that the kernels cannot compute as one is no error: its nodes are computed one by one.

use tt_runtime::ops::elementwise::Glu;
use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{ElementType, OpDescriptor, TensorView};

use super::matrix::part;
use super::{Memory, Node, Steps, padded_span};
use crate::abi::TensorRef;
use crate::abi::host::Host;
use crate::copy_cache::Origin;
use crate::fusion::{Group, Kind};

/// The descriptors of a group, or why its nodes have to be computed one by one.
pub fn fused(host: &Host, group: &Group<'_>, cores: u32, memory: &mut dyn Memory) -> Steps {
    let (kind, nodes) = (group.kind, &group.nodes[..]);
    let &[tensor, .., last] = nodes else { return Err("not several nodes".into()) };
    match kind {
        Kind::MulMats => return products(host, nodes, cores, memory),
        Kind::ArgsortView => {
            let dst = memory.place(last)?;
            let mut sort = Node { host, tensor, cores, memory };
            return sort.first_sorted(sort.i32(0) != 0, &dst);
        }
        _ => {}
    }
    // The kernels keep what is between nodes in FP32.
    let is_f32 = |node: &TensorRef<'_>| host.element_type(*node) == Some(ElementType::F32);
    if !nodes[..nodes.len() - 1].iter().all(is_f32) {
        return Err("a result between the nodes is not F32".into());
    }
    let mut first = Node { host, tensor, cores, memory };
    match kind {
        Kind::NormMul => first.norm_mul(last),
        Kind::NormMulMats => first.norm_mul_mats(last, &group.readers),
        Kind::RopeSetRows => first.rope_set_rows(last),
        Kind::MulMatAdd => first.mul_mat_add(last),
        Kind::MulAdds => first.expert_sum(nodes),
        Kind::MulMatGlu | Kind::MulMatIdGlu => first.mul_mat_glu(nodes[1], last),
        Kind::GluMulMat => first.glu_mul_mat(last),
        Kind::GluMulMatAdd => {
            let sum = first.sum(nodes[1], last)?;
            sum.of(first.glu_mul_mat(nodes[1])?)
        }
        Kind::MulMatGluMulMat => first.mul_mat_glu_mul_mat(nodes[1], nodes[2], last),
        Kind::MulMatGluMulMatAdd => {
            let sum = first.sum(nodes[3], last)?;
            sum.of(first.mul_mat_glu_mul_mat(nodes[1], nodes[2], nodes[3])?)
        }
        // Above.
        Kind::MulMats | Kind::ArgsortView => Err("not a result of the last node alone".into()),
    }
}

/// Products with the same row in one step, and the rotation of the first one's result, if it is the second node: what it rotates is in scratch memory.
fn products(host: &Host, nodes: &[TensorRef<'_>], cores: u32, memory: &mut dyn Memory) -> Steps {
    let (rotations, products): (Vec<_>, Vec<_>) =
        nodes.iter().partition(|node| host.operator_name(**node) == "ROPE");
    let mut steps = Vec::new();
    for &tensor in &products {
        steps.extend(Node { host, tensor, cores, memory: &mut *memory }.mul_mat()?);
    }
    if steps.len() != products.len() {
        return Err("operands have to be copied first".into());
    }
    let Some(&tensor) = rotations.first() else {
        return Ok(vec![ops::matmul_together(&steps)?]);
    };
    let mut rope = Node { host, tensor, cores, memory };
    let product = rope.scratch(ElementType::F32, steps[0].dst.ne)?;
    steps[0].dst = product;
    let mut steps = vec![ops::matmul_together(&steps)?];
    let src = TensorView { addr: product.addr, ..rope.src(0)? };
    let dst = rope.dst()?;
    let (how, rotations) = rope.rope_operands(&src, &dst, &mut steps)?;
    steps.push(ops::rope(how, &src, &rotations, None, &dst, cores)?);
    Ok(steps)
}

/// Whether a source of `node` has the elements of `tensor` in the same places: a view may transpose them.
fn reads(node: TensorRef<'_>, index: usize, tensor: TensorRef<'_>) -> bool {
    let layout = |tensor: TensorRef<'_>| (tensor.address(), tensor.ne(), tensor.nb());
    node.source(index).is_some_and(|source| layout(source) == layout(tensor))
}

/// Of the first two sources of `node`, the one that is `tensor`.
fn place_of(tensor: TensorRef<'_>, node: TensorRef<'_>) -> Result<usize, Unsupported> {
    [0, 1].into_iter().find(|&i| reads(node, i, tensor)).ok_or("a view is between the nodes".into())
}

/// A product in blocks with what a gated unit makes.
struct OfGlu {
    product: OpDescriptor,
    /// What becomes of its weights.
    weights: ElementType,
    /// Where the gated unit's result goes.
    ordered: TensorView,
}

/// What a product's result is added to.
struct Sum {
    /// The product's result, which nobody else reads.
    product: TensorView,
    /// See above.
    addend: TensorView,
    /// Where the sum goes.
    dst: TensorView,
}

impl Sum {
    /// The steps of the product with the sum in those that write its result: the last one, or one for each part of its columns.
    fn of(&self, mut steps: Vec<OpDescriptor>) -> Steps {
        let product = &self.product;
        let mut columns = 0;
        for step in &mut steps {
            let first = if ops::is_part_of_columns(step) { 0 } else { columns };
            let rest = part(product, 0, first, step.dst.ne[0]);
            if first >= product.ne[0] || step.dst != rest {
                continue;
            }
            let [addend, dst] = [&self.addend, &self.dst].map(|view| part(view, 0, first, rest.ne[0]));
            *step = ops::matmul_add(step, &addend, &dst)?;
            columns = first + rest.ne[0];
        }
        match columns == product.ne[0] {
            true => Ok(steps),
            false => Err("the product is computed in other parts".into()),
        }
    }
}

impl Node<'_> {
    /// A source of the node that follows.
    fn of(&mut self, next: TensorRef<'_>, index: usize) -> Result<TensorView, Unsupported> {
        let tensor = next.source(index).ok_or("a source is missing")?;
        self.memory.place(tensor)
    }

    fn norm_mul(&mut self, mul: TensorRef<'_>) -> Steps {
        let (src, factors) = (self.src(0)?, self.of(mul, 1 - place_of(self.tensor, mul)?)?);
        let dst = self.memory.place(mul)?;
        Ok(vec![ops::norm_mul(self.norm_function()?, self.f32(0), &src, &factors, &dst, self.cores)?])
    }

    /// The norm writes what all `readers`, products in blocks, multiply with: no rows.
    fn norm_mul_mats(&mut self, mul: TensorRef<'_>, readers: &[TensorRef<'_>]) -> Steps {
        if self.host.element_type(mul) != Some(ElementType::F32) {
            return Err("the result is not F32".into());
        }
        let rows = self.memory.place(mul)?;
        if !ops::worth_rms_norm_blocks(&rows) {
            return Err("few rows".into());
        }
        let (src, factors) = (self.src(0)?, self.of(mul, 1 - place_of(self.tensor, mul)?)?);
        let mut weights = None;
        for &tensor in readers {
            let mut reader = Node { host: self.host, tensor, cores: self.cores, memory: &mut *self.memory };
            let dst = reader.dst()?;
            let product = ops::matmul(&reader.weights()?, &rows, &dst, self.cores)?;
            if !reader.is_in_blocks(&product) || product.src1 != rows {
                return Err("a product is not computed in blocks".into());
            }
            let ty = reader.block_weights_type(&product)?;
            if weights.is_some_and(|other| ops::order_flags(other) != ops::order_flags(ty)) {
                return Err("products round these rows in different ways".into());
            }
            weights = Some(ty);
        }
        let weights = weights.ok_or("no product")?;
        let order_flags = ops::order_flags(weights);
        let origin = Origin { is_ordered: true, order_flags, ..Origin::from(&rows) };
        let ordered = self.memory.replace(origin, ops::block_form(&rows))?;
        Ok(vec![ops::rms_norm_blocks(self.f32(0), [&src, &factors], &ordered, weights, self.cores)?])
    }

    fn rope_set_rows(&mut self, set_rows: TensorRef<'_>) -> Steps {
        let rows = set_rows.source(0).ok_or("a source is missing")?;
        let [ne0, heads, tokens, batches] = self.tensor.ne();
        let dense = |tensor: TensorRef<'_>| {
            let mut dims = tensor.ne().into_iter().zip(tensor.nb());
            let stride =
                dims.try_fold(4, |dense, (ne, nb)| (nb == dense || ne == 1).then_some(dense * ne as u64));
            stride.is_some()
        };
        if rows.ne() != [ne0 * heads, tokens, batches, 1] || !dense(rows) || !dense(self.tensor) {
            return Err("rows are not the heads of tokens".into());
        }
        let mut steps = Vec::new();
        let (indices, cache) = (self.of(set_rows, 1)?, self.memory.place(set_rows)?);
        let src = self.src(0)?;
        let (rope, rotations) = self.rope_operands(&src, &cache, &mut steps)?;
        steps.push(ops::rope_set_rows(rope, &src, &rotations, None, &indices, &cache, self.cores)?);
        Ok(steps)
    }

    fn mul_mat_add(&mut self, add: TensorRef<'_>) -> Steps {
        let sum = self.sum(self.tensor, add)?;
        sum.of(self.mul_mat()?)
    }

    /// The product with experts' weights, all of whose sums are in `nodes`, and perhaps a sum with something else.
    fn expert_sum(&mut self, nodes: &[TensorRef<'_>]) -> Steps {
        let (experts, weights) = (self.src(0)?, self.src(1)?);
        let last = *nodes.last().ok_or("no sum")?;
        let addend = match nodes.len() as u64 > self.tensor.ne()[1] as u64 {
            true => Some(self.of(last, 1 - place_of(nodes[nodes.len() - 2], last)?)?),
            false => None,
        };
        let dst = self.memory.place(last)?;
        Ok(vec![ops::expert_sum(&experts, &weights, addend.as_ref(), &dst, self.cores)?])
    }

    /// The sum of a product. (Asked for before the weights are, like all that is not multiplied with.)
    fn sum(&mut self, product: TensorRef<'_>, add: TensorRef<'_>) -> Result<Sum, Unsupported> {
        // It is the same either way round.
        let addend = self.of(add, 1 - place_of(product, add)?)?;
        Ok(Sum { product: self.memory.place(product)?, addend, dst: self.memory.place(add)? })
    }

    /// The product in blocks with what `glu` makes, which goes to scratch memory in their order: the place, and the type of the weights.
    fn product_of_glu(&mut self, glu: TensorRef<'_>, product: TensorRef<'_>) -> Result<OfGlu, Unsupported> {
        if !reads(product, 1, glu) {
            return Err("a view is between the nodes".into());
        }
        let [Ok(k), Ok(rows), Ok(1), Ok(1)] = glu.ne().map(u32::try_from) else {
            return Err("several matrices of rows".into());
        };
        let mut next =
            Node { host: self.host, tensor: product, cores: self.cores, memory: &mut *self.memory };
        let (weights, dst) = (next.weights()?, next.dst()?);
        // Of these rows nothing is there but their shape.
        let rows = TensorView::contiguous(ElementType::F32, 0, [k, rows, 1, 1]);
        let product = ops::matmul(&weights, &rows, &dst, self.cores)?;
        if !self.is_in_blocks(&product) {
            return Err("the product is not computed in blocks".into());
        }
        let weights = self.block_weights_type(&product)?;
        let form = ops::block_form(&rows);
        let ordered = TensorView { addr: self.memory.scratch(padded_span(&form))?, ..form };
        Ok(OfGlu { product, weights, ordered })
    }

    /// The gated unit writes what blocks of the product multiply with: no rows, which would only be read once.
    fn glu_mul_mat(&mut self, product: TensorRef<'_>) -> Steps {
        let OfGlu { product, weights: of_weights, ordered } = self.product_of_glu(self.tensor, product)?;
        let (src0, src1) = (self.src(0)?, self.optional(1)?.unwrap_or(TensorView::NONE));
        let (function, params) = (self.function(Glu::from_name)?, [self.f32(2), self.f32(3)]);
        let swapped = self.i32(1) != 0;
        let glu =
            ops::glu_blocks(function, swapped, &params, [&src0, &src1], &ordered, of_weights, self.cores)?;
        let mut steps = vec![glu];
        let product = self.in_blocks(product, of_weights, &ordered, &mut steps)?;
        steps.push(product);
        Ok(steps)
    }

    /// So do both products whose gated unit that is: their results never leave Dst.
    fn mul_mat_glu_mul_mat(
        &mut self,
        second: TensorRef<'_>,
        glu: TensorRef<'_>,
        product: TensorRef<'_>,
    ) -> Steps {
        let (x, gate) = (place_of(self.tensor, glu)?, place_of(second, glu)?);
        if x == gate {
            return Err("both sources are one product".into());
        }
        let OfGlu { product, weights, ordered } = self.product_of_glu(glu, product)?;
        let (mut steps, mut products) = (Vec::new(), Vec::new());
        for tensor in [self.tensor, second] {
            let mut node = Node { host: self.host, tensor, cores: self.cores, memory: &mut *self.memory };
            let (src0, src1) = (node.weights()?, node.src(1)?);
            let src1 = node.activations(src1, &mut steps)?;
            // Nothing is written there.
            let [n, rows] = [src0.ne[1], src1.ne[1]];
            let dst = TensorView::contiguous(ElementType::F32, 0, [n, rows, 1, 1]);
            products.push(ops::matmul(&src0, &src1, &dst, self.cores)?);
        }
        let [first, second] = [products[0], products[1]];
        let (grid, of_tiles) = (self.memory.grid(), self.block_weights_type(&first)?);
        let makes_tiles = ops::worth_gated_tiles(&first, grid);
        if !makes_tiles && !ops::worth_blocks(&first) {
            return Err("the products are not computed in blocks, or each Tensix tile has all rows".into());
        }
        if self.block_weights_type(&second)? != of_tiles {
            return Err("the products' weights become tiles of two types".into());
        }
        let (activations, _) = self.ordered_for_blocks(&first, &mut steps)?;
        let node = Node { host: self.host, tensor: glu, cores: self.cores, memory: &mut *self.memory };
        let function = node.function(Glu::from_name)?;
        let (x, gate) = if x == 0 { (&first, &second) } else { (&second, &first) };
        match makes_tiles {
            true => {
                for part in ops::block_tiles(x, 2, grid) {
                    steps.extend(ops::blocks_gated_of_tiles(
                        function,
                        [x, gate],
                        part,
                        of_tiles,
                        &activations,
                        &ordered,
                        weights,
                        grid,
                    )?);
                }
            }
            false => steps.push(ops::blocks_gated(function, [x, gate], &activations, &ordered, weights)?),
        }
        let product = self.in_blocks(product, weights, &ordered, &mut steps)?;
        steps.push(product);
        Ok(steps)
    }

    /// A product, with matrices that indices name or without.
    fn product(&mut self) -> Steps {
        match self.host.operator_name(self.tensor) {
            "MUL_MAT_ID" => self.mul_mat_id(),
            _ => self.mul_mat(),
        }
    }

    fn mul_mat_glu(&mut self, second: TensorRef<'_>, glu: TensorRef<'_>) -> Steps {
        let (x, gate) = (place_of(self.tensor, glu)?, place_of(second, glu)?);
        if x == gate {
            return Err("both sources are one product".into());
        }
        let gate_is_second = x == 0;
        let dst = self.memory.place(glu)?;
        let mut first = self.product()?;
        // What the activations are made ready by, for both.
        let before = first.drain(..first.len().saturating_sub(1)).collect::<Vec<_>>();
        let (host, cores) = (self.host, self.cores);
        let second = Node { host, tensor: second, cores, memory: &mut *self.memory }.product()?;
        let ([first], [second]) = (&first[..], &second[..]) else {
            return Err("operands have to be copied first".into());
        };
        let (x, gate) = if gate_is_second { (first, second) } else { (second, first) };
        let glu = Node { host, tensor: glu, cores, memory: &mut *self.memory };
        let (function, params) = (glu.function(Glu::from_name)?, [glu.f32(2), glu.f32(3)]);
        let fused = ops::matmul_glu(function, params, x, gate, &dst)?;
        Ok(before.into_iter().chain([fused]).collect())
    }
}
