//! State-space models and linear attention.
//!
//! One kernel carries the state ([`ops::recurrent`]). What ggml's operators differ in comes before it: gates are computed
//! with the elementwise kernels, and the vectors of each token are put side by side in scratch memory.

use tt_runtime::ops::elementwise::{Binary, Unary};
use tt_runtime::ops::recurrent::{Kind, Plane, Recurrence};
use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{ElementType, OpDescriptor, TensorView};

use super::{Node, Steps};

/// Extents that all of these operators have.
#[derive(Clone, Copy)]
struct Shape {
    /// Elements of a line of state.
    size: u32,
    /// Lines, which are elements of a value.
    lines: u32,
    heads: u32,
    tokens: u32,
    sequences: u32,
}

impl Shape {
    /// Elements of the results, which come before the states in ggml's result.
    fn results(&self) -> [u32; 4] {
        [self.lines, self.heads, self.tokens, self.sequences]
    }

    fn state(&self) -> [u32; 4] {
        [self.size, self.lines, self.heads, self.sequences]
    }
}

/// The vectors of all tokens, side by side.
struct Vectors {
    view: TensorView,
    shape: Shape,
}

impl Vectors {
    /// One vector of every token.
    fn plane(&self, plane: Plane) -> TensorView {
        let Shape { size, heads, tokens, sequences, .. } = self.shape;
        let addr = self.view.addr + u64::from(plane as u32 * size) * self.view.nb[0];
        TensorView { addr, ne: [size, heads, tokens, sequences], ..self.view }
    }
}

/// `view`, which has no gaps, with other extents.
fn reshaped(view: &TensorView, ne: [u32; 4]) -> Result<TensorView, Unsupported> {
    let count = |ne: &[u32; 4]| ne.iter().map(|&n| u64::from(n)).product::<u64>();
    let flat = TensorView::contiguous(ElementType::F32, view.addr, ne);
    let dense = TensorView::contiguous(ElementType::F32, view.addr, view.ne);
    let gaps = (0..4).any(|dim| view.ne[dim] != 1 && view.nb[dim] != dense.nb[dim]);
    match view.element_type() == Some(ElementType::F32) && !gaps && count(&ne) == count(&view.ne) {
        true => Ok(flat),
        false => Err(format!("{:?} with gaps, or not F32, as {ne:?}", view.ne).into()),
    }
}

/// Lines and elements of a state exchanged.
fn turned(view: TensorView) -> TensorView {
    super::matrix::transposed(&view)
}

/// Heads that stand for those of a group of `view` (elements, groups, tokens, sequences): one sequence of it, each group
/// with `repeated` heads.
fn group(view: &TensorView, groups: u32, repeated: u32, sequence: u32) -> TensorView {
    let [ne0, heads, tokens, _] = view.ne;
    let [nb0, nb1, nb2, nb3] = view.nb;
    // Of a tensor with one head for each group, or of one with all heads.
    let (inner, outer) = if heads == groups { (1, nb1) } else { (repeated, nb1 * u64::from(repeated)) };
    TensorView {
        addr: view.addr + u64::from(sequence) * nb3,
        ne: [ne0, inner, groups, tokens],
        nb: [nb0, nb1, outer, nb2],
        ..*view
    }
}

impl Node<'_> {
    fn vectors(&mut self, kind: Kind, shape: Shape) -> Result<Vectors, Unsupported> {
        let Shape { size, heads, tokens, sequences, .. } = shape;
        let ne = [size.checked_mul(kind.planes()).ok_or("too long a state")?, heads, tokens, sequences];
        Ok(Vectors { view: self.scratch(ElementType::F32, ne)?, shape })
    }

    /// The kernel, with results and states where ggml has them in the result: one after the other. `turn` exchanges lines
    /// and elements of the states.
    fn carried(
        &mut self,
        (kind, scale, slots, turn): (Kind, f32, u32, bool),
        vectors: &Vectors,
        values: &TensorView,
        (before, ids): (TensorView, Option<&TensorView>),
    ) -> Result<OpDescriptor, Unsupported> {
        let (dst, shape) = (self.dst()?, vectors.shape);
        let results = TensorView::contiguous(ElementType::F32, dst.addr, shape.results());
        let after = TensorView::contiguous(ElementType::F32, dst.addr + results.span(), shape.state());
        let slot_stride = after.span();
        if reshaped(&dst, dst.ne).is_err() || results.span() + slot_stride * u64::from(slots) > dst.span() {
            return Err(format!("results {:?} and {slots} states in {:?}", results.ne, dst.ne).into());
        }
        let exchange = |view| if turn { turned(view) } else { view };
        let (before, after) = (exchange(before), exchange(after));
        let recurrence = Recurrence {
            kind,
            scale,
            before: &before,
            ids,
            values,
            vectors: &vectors.view,
            results: &results,
            after: &after,
            slots,
            slot_stride,
        };
        ops::recurrent(recurrence, self.cores)
    }

    /// Extents of operators whose heads have `size` elements, by any tensor of all tokens and the state.
    fn square(&self, tokens: &TensorView, state: &TensorView) -> Result<Shape, Unsupported> {
        let ([size, heads, all, _], sequences) = (tokens.ne, state.ne[1]);
        match sequences > 0 && all.is_multiple_of(sequences) {
            true => Ok(Shape { size, lines: size, heads, tokens: all / sequences, sequences }),
            false => Err(format!("{all} tokens in {sequences} sequences").into()),
        }
    }

    /// Copies sources of all tokens to their places.
    fn put(&mut self, vectors: &Vectors, sources: &[(usize, Plane)]) -> Steps {
        let Shape { size, heads, tokens, sequences, .. } = vectors.shape;
        let mut steps = Vec::new();
        for &(source, plane) in sources {
            let source = reshaped(&self.src(source)?, [size, heads, tokens, sequences])?;
            steps.push(ops::copy(&source, &vectors.plane(plane), self.cores)?);
        }
        Ok(steps)
    }

    /// Sources: k, v, r, the factor of a token's own key, decay, state.
    pub(super) fn rwkv_wkv6(&mut self) -> Steps {
        let (k, v, own, state) = (self.src(0)?, self.src(1)?, self.src(3)?, self.src(5)?);
        let shape = self.square(&v, &state)?;
        let vectors = self.vectors(Kind::Bonus, shape)?;
        let mut steps = self.put(&vectors, &[(4, Plane::Decay), (0, Plane::Key), (2, Plane::Query)])?;
        let (k, own) = (reshaped(&k, shape.results())?, reshaped(&own, [shape.size, shape.heads, 1, 1])?);
        steps.push(ops::binary(Binary::Mul, &k, &own, &vectors.plane(Plane::Compared), self.cores)?);
        let (values, before) = (reshaped(&v, shape.results())?, reshaped(&state, shape.state())?);
        steps.push(self.carried((Kind::Bonus, 1.0, 1, true), &vectors, &values, (before, None))?);
        Ok(steps)
    }

    /// Sources: r, w, k, v, a, b, state.
    pub(super) fn rwkv_wkv7(&mut self) -> Steps {
        let (v, state) = (self.src(3)?, self.src(6)?);
        let shape = self.square(&v, &state)?;
        let vectors = self.vectors(Kind::Correction, shape)?;
        let sources = [
            (0, Plane::Query),
            (1, Plane::Decay),
            (2, Plane::Key),
            (4, Plane::Compared),
            (5, Plane::Corrected),
        ];
        let mut steps = self.put(&vectors, &sources)?;
        let (values, before) = (reshaped(&v, shape.results())?, reshaped(&state, shape.state())?);
        steps.push(self.carried((Kind::Correction, 1.0, 1, false), &vectors, &values, (before, None))?);
        Ok(steps)
    }

    /// Sources: k, v, q, gate, state.
    pub(super) fn gated_linear_attention(&mut self) -> Steps {
        let (v, state, scale) = (self.src(1)?, self.src(4)?, self.f32(0));
        let shape = self.square(&v, &state)?;
        let vectors = self.vectors(Kind::Plain, shape)?;
        let mut steps = self.put(&vectors, &[(0, Plane::Key), (2, Plane::Query), (3, Plane::Decay)])?;
        let (values, before) = (reshaped(&v, shape.results())?, reshaped(&state, shape.state())?);
        steps.push(self.carried((Kind::Plain, scale, 1, true), &vectors, &values, (before, None))?);
        Ok(steps)
    }

    /// How many states are kept, of the last tokens. The parameter (`K`) is younger than the operators: before ggml 0.15 (`GATED_DELTA_NET`) and
    /// 0.20 (`SSM_SCAN`) it is 0, and one state is kept.
    fn states(&self) -> Result<u32, Unsupported> {
        Ok(self.u32(0)?.max(1))
    }

    /// Sources: q, k, v, logarithms of the gate (of a head or of each element), beta, state. A line is compared with its
    /// key after the gate: `a = -beta * gate * k`.
    pub(super) fn gated_delta_net(&mut self) -> Steps {
        let (q, k, v) = (self.src(0)?, self.src(1)?, self.src(2)?);
        let (gate, beta, state) = (self.src(3)?, self.src(4)?, self.src(5)?);
        let (slots, cores) = (self.states()?, self.cores);
        let [size, heads, tokens, sequences] = v.ne;
        let shape = Shape { size, lines: size, heads, tokens, sequences };
        if q.ne[3] != sequences || k.ne[3] != sequences {
            return Err(format!("keys of {} sequences for {sequences}", k.ne[3]).into());
        }
        let vectors = self.vectors(Kind::Delta, shape)?;
        let decay = self.scratch(ElementType::F32, gate.ne)?;
        let values = self.scratch(ElementType::F32, v.ne)?;
        let minus = self.scratch(ElementType::F32, beta.ne)?;
        let [w, key, compared] = [Plane::Decay, Plane::Key, Plane::Compared].map(|p| vectors.plane(p));
        let steps = vec![
            ops::unary(Unary::Exp, &[], &gate, &decay, cores)?,
            ops::repeat(&decay, &w, cores)?,
            ops::repeat(&k, &key, cores)?,
            ops::repeat(&q, &vectors.plane(Plane::Query), cores)?,
            ops::binary(Binary::Mul, &v, &beta, &values, cores)?,
            ops::unary(Unary::Neg, &[], &beta, &minus, cores)?,
            ops::binary(Binary::Mul, &key, &w, &compared, cores)?,
            ops::binary(Binary::Mul, &compared, &minus, &compared, cores)?,
        ];
        let before = reshaped(&state, shape.state())?;
        let scale = 1.0 / (size as f32).sqrt();
        let last = self.carried((Kind::Delta, scale, slots, false), &vectors, &values, (before, None))?;
        Ok(steps.into_iter().chain([last]).collect())
    }

    /// Sources: states, x, time steps, A, B, C, which state each sequence begins with.
    pub(super) fn ssm_scan(&mut self) -> Steps {
        let (states, x, dt, a) = (self.src(0)?, self.src(1)?, self.src(2)?, self.src(3)?);
        let (b, c, ids) = (self.src(4)?, self.src(5)?, self.src(6)?);
        let (slots, cores) = (self.states()?, self.cores);
        let ([size, ..], [lines, heads, tokens, sequences]) = (states.ne, x.ne);
        let groups = b.ne[1];
        if groups == 0 || !heads.is_multiple_of(groups) || c.ne != b.ne || dt.ne[0] != heads {
            return Err(format!("{heads} heads in {groups} groups").into());
        }
        let shape = Shape { size, lines, heads, tokens, sequences };
        let vectors = self.vectors(Kind::Plain, shape)?;
        let step = self.scratch(ElementType::F32, [1, heads, tokens, sequences])?;
        let values = self.scratch(ElementType::F32, x.ne)?;
        let dt = TensorView {
            ne: [1, heads, tokens, sequences],
            nb: [dt.nb[0], dt.nb[0], dt.nb[1], dt.nb[2]],
            ..dt
        };
        let w = vectors.plane(Plane::Decay);
        let mut steps = vec![
            ops::unary(Unary::Softplus, &[], &dt, &step, cores)?,
            ops::binary(Binary::Mul, &x, &step, &values, cores)?,
            ops::repeat(&step, &w, cores)?,
            ops::binary(Binary::Mul, &w, &a, &w, cores)?,
            ops::unary(Unary::Exp, &[], &w, &w, cores)?,
        ];
        for sequence in 0..sequences {
            for (source, plane) in [(&b, Plane::Key), (&c, Plane::Query)] {
                let from = group(source, groups, heads / groups, sequence);
                let to = group(&vectors.plane(plane), groups, heads / groups, sequence);
                steps.push(ops::repeat(&from, &to, cores)?);
            }
        }
        steps.push(self.carried(
            (Kind::Plain, 1.0, slots, false),
            &vectors,
            &values,
            (states, Some(&ids)),
        )?);
        Ok(steps)
    }
}
