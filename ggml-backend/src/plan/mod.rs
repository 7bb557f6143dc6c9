//! From a ggml node to descriptors: the one function that says what the device can compute.
//!
//! `supports_op` asks it with tensors that have no memory yet, `graph_compute` with those that have; both go through
//! [`steps`], so what is promised is what is done. A family of operators is a module.

mod attention;
mod convolution;
mod dry_run;
mod elementwise;
mod fused;
mod matrix;
mod movement;
mod recurrent;
mod rows;
mod streams;
mod training;

pub use dry_run::dry_run;
pub use fused::fused;

use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{ElementType, OpDescriptor, TensorView};

use crate::abi::TensorRef;
use crate::abi::host::{Host, Operator};

/// What a node writes: itself, and what belongs to an optimiser.
pub fn written(operator: Operator, node: TensorRef<'_>) -> impl Iterator<Item = TensorRef<'_>> {
    let momenta: &[usize] = if operator == Operator::OptStepAdamw { &[2, 3] } else { &[] };
    std::iter::once(node).chain(momenta.iter().filter_map(move |&index| node.source(index)))
}

/// The view of a tensor whose first byte is at `addr`.
pub fn view(host: &Host, tensor: TensorRef<'_>, addr: u64) -> Result<TensorView, Unsupported> {
    let Some(ty) = host.element_type(tensor) else {
        return Err(format!("{} has type {}", tensor.name(), tensor.type_number()).into());
    };
    let ne = tensor.extents().ok_or_else(|| format!("extents {:?}", tensor.ne()))?;
    Ok(TensorView::new(ty, addr, ne, tensor.nb()))
}

/// The view of a tensor that a product multiplies with as it is.
///
/// # Errors
/// The kernel does not read such rows: they have to be packed into tiles.
pub fn multiplied(host: &Host, tensor: TensorRef<'_>, addr: u64) -> Result<TensorView, Unsupported> {
    let view = view(host, tensor, addr)?;
    match view.element_type() {
        Some(ty) if ops::multiplies_with(ty) => Ok(view),
        _ => {
            let (name, ty) = (tensor.name(), tensor.type_number());
            Err(format!("{name} has type {ty}, which has to be packed").into())
        }
    }
}

/// Where tensors are, and memory for what a node needs only while it is computed.
pub trait Memory {
    /// The view of a tensor as ggml has it.
    ///
    /// # Errors
    /// It is not on the device.
    fn place(&mut self, tensor: TensorRef<'_>) -> Result<TensorView, Unsupported>;

    /// The view of what a product multiplies with: tiles, if it can have them. To be asked for after all other tensors of
    /// the node have been placed: a weight that one of them reads as bytes gets its tiles elsewhere.
    ///
    /// # Errors
    /// It is not on the device.
    fn place_weights(&mut self, tensor: TensorRef<'_>) -> Result<TensorView, Unsupported>;

    /// Address of `bytes` bytes that are the node's until it is computed.
    ///
    /// # Errors
    /// There is no memory left.
    fn scratch(&mut self, bytes: u64) -> Result<u64, Unsupported>;

    /// A copy of `source` in the form of `form` (whose address does not matter), for reading: where it is, and whether it is there
    /// already or the node has to make it.
    ///
    /// # Errors
    /// There is no memory left.
    fn materialise(&mut self, source: &TensorView, form: TensorView) -> Result<CopyPlace, Unsupported>;
}

/// A place for a copy of a view ([`Memory::materialise`]).
pub struct CopyPlace {
    /// The copy.
    pub view: TensorView,
    /// Nothing has to be copied.
    pub is_there: bool,
}

/// Bytes of a tensor without gaps but behind its rows, with what is behind the last one.
pub fn padded_span(form: &TensorView) -> u64 {
    form.span().max(u64::from(form.ne[3]) * form.nb[3])
}

/// A node with what its families need: operands as views, parameters.
struct Node<'a> {
    host: &'a Host,
    tensor: TensorRef<'a>,
    cores: u32,
    memory: &'a mut dyn Memory,
}

impl Node<'_> {
    /// A source that has to be there.
    fn src(&mut self, index: usize) -> Result<TensorView, Unsupported> {
        self.optional(index)?.ok_or_else(|| format!("source {index} is missing").into())
    }

    /// A source that may be missing.
    fn optional(&mut self, index: usize) -> Result<Option<TensorView>, Unsupported> {
        self.tensor.source(index).map(|tensor| self.memory.place(tensor)).transpose()
    }

    /// What a product multiplies with ([`Memory::place_weights`]).
    fn weights(&mut self) -> Result<TensorView, Unsupported> {
        let tensor = self.tensor.source(0).ok_or("source 0 is missing")?;
        self.memory.place_weights(tensor)
    }

    /// The result.
    fn dst(&mut self) -> Result<TensorView, Unsupported> {
        self.memory.place(self.tensor)
    }

    /// A copy of `view` in the form of `form`, for reading; `make` is the step that makes it.
    fn materialised(
        &mut self,
        view: &TensorView,
        form: TensorView,
        make: impl FnOnce(&TensorView, &TensorView, u32) -> Result<OpDescriptor, Unsupported>,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<TensorView, Unsupported> {
        let copy = self.memory.materialise(view, form)?;
        if !copy.is_there {
            steps.push(make(view, &copy.view, self.cores)?);
        }
        Ok(copy.view)
    }

    /// A tensor without gaps that lives while the node is computed.
    fn scratch(&mut self, ty: ElementType, ne: [u32; 4]) -> Result<TensorView, Unsupported> {
        let bytes = TensorView::contiguous(ty, 0, ne).span();
        Ok(TensorView::contiguous(ty, self.memory.scratch(bytes)?, ne))
    }

    /// The node's function by ggml's name, in one of our tables.
    fn function<T>(&self, from_name: fn(&str) -> Option<T>) -> Result<T, Unsupported> {
        let name = self.host.function_name(self.tensor);
        from_name(name).ok_or_else(|| format!("function {name}").into())
    }

    /// Word `index` of `op_params` as a float.
    fn f32(&self, index: usize) -> f32 {
        f32::from_bits(self.i32(index) as u32)
    }

    /// Word `index` of `op_params`.
    fn i32(&self, index: usize) -> i32 {
        self.tensor.param(index)
    }

    /// Word `index` of `op_params`, as a number of elements or bytes.
    fn u32(&self, index: usize) -> Result<u32, Unsupported> {
        let value = self.i32(index);
        u32::try_from(value).map_err(|_| format!("parameter {index} is {value}").into())
    }

    fn steps(mut self, operator: Operator) -> Steps {
        let cores = self.cores;
        let one = match operator {
            Operator::View => return Ok(Vec::new()),
            Operator::MulMat => return self.mul_mat(),
            Operator::MulMatId => return self.mul_mat_id(),
            Operator::OutProd => return self.out_prod(),
            Operator::FlashAttention => return self.flash_attention(),
            Operator::SetRows => return self.set_rows(),
            Operator::Unary => self.unary(),
            Operator::Fill => self.fill(),
            Operator::Binary => self.binary(),
            Operator::Add1 => self.add1(),
            Operator::Glu => self.glu(),
            Operator::Copy => ops::copy(&self.src(0)?, &self.dst()?, cores),
            Operator::Repeat => ops::repeat(&self.src(0)?, &self.dst()?, cores),
            Operator::Pad => self.pad(),
            Operator::PadReflect => self.pad_reflect(),
            Operator::Roll => self.roll(),
            Operator::Norm(function) => ops::norm(function, self.f32(0), &self.src(0)?, &self.dst()?, cores),
            Operator::GroupNorm => self.group_norm(),
            Operator::SumRows => ops::sum_rows(1.0, &self.src(0)?, &self.dst()?, cores),
            Operator::Mean => self.mean(),
            Operator::Sum => ops::sum(&self.src(0)?, &self.dst()?, cores),
            Operator::CumSum => ops::cumsum(&self.src(0)?, &self.dst()?, cores),
            Operator::ArgMax => ops::argmax(&self.src(0)?, &self.dst()?, cores),
            Operator::ArgSort => return self.sorted(self.i32(0) != 0),
            Operator::TopK => return self.sorted(true),
            Operator::SoftMax => return self.soft_max(),
            Operator::DiagMask(fill) => self.diag_mask(fill),
            Operator::Tri => self.tri(),
            Operator::Diag => ops::diag(&self.src(0)?, &self.dst()?, cores),
            Operator::GetRows => ops::get_rows(&self.src(0)?, &self.src(1)?, &self.dst()?, cores),
            Operator::Rope(backwards) => self.rope(backwards),
            Operator::AddId => ops::add_id(&self.src(0)?, &self.src(1)?, &self.src(2)?, &self.dst()?, cores),
            Operator::Im2col => return self.im2col(),
            Operator::Im2col3d => return self.im2col_3d(),
            Operator::Conv2d => return self.conv_2d(),
            Operator::Conv3d => return self.conv_3d(),
            Operator::Conv2dDw => return self.conv_2d_dw(),
            Operator::SsmConv => self.ssm_conv(),
            Operator::Pool1d => self.pool_1d(),
            Operator::Pool2d => self.pool_2d(),
            Operator::Col2im1d => self.col2im_1d(),
            Operator::ConvTranspose1d => {
                let stride = self.u32(0)?;
                ops::conv_transpose_1d(stride, &self.src(0)?, &self.src(1)?, &self.dst()?, cores)
            }
            Operator::ConvTranspose2d => return self.conv_transpose_2d(),
            Operator::Upscale => return self.upscale(),
            Operator::TimestepEmbedding => return self.timestep_embedding(),
            Operator::SsmScan => return self.ssm_scan(),
            Operator::GatedDeltaNet => return self.gated_delta_net(),
            Operator::GatedLinearAttention => return self.gated_linear_attention(),
            Operator::RwkvWkv6 => return self.rwkv_wkv6(),
            Operator::RwkvWkv7 => return self.rwkv_wkv7(),
            Operator::SolveTri => ops::solve_tri(&self.src(0)?, &self.src(1)?, &self.dst()?, cores),
            Operator::LightningIndexer => return self.lightning_indexer(),
            Operator::HcComb => self.hc_comb(),
            Operator::HcPre => return self.hc_pre(),
            Operator::HcPost => return self.hc_post(),
            Operator::Concat => return self.concat(),
            Operator::Set => return self.set(),
            Operator::Acc => return self.acc(),
            Operator::SiluBack => self.silu_back(),
            Operator::RmsNormBack => return self.rms_norm_back(),
            Operator::SoftMaxBack => return self.soft_max_back(),
            Operator::GetRowsBack => return self.get_rows_back(),
            Operator::RepeatBack => return self.repeat_back(),
            Operator::CrossEntropyLoss => return self.cross_entropy_loss(),
            Operator::CrossEntropyLossBack => return self.cross_entropy_loss_back(),
            Operator::CountEqual => self.count_equal(),
            Operator::OptStepAdamw => return self.opt_step_adamw(),
            Operator::OptStepSgd => return self.opt_step_sgd(),
        };
        one.map(|descriptor| vec![descriptor])
    }
}

/// What is to be executed for a node, in this order, or why the device cannot compute it.
pub type Steps = Result<Vec<OpDescriptor>, Unsupported>;

/// The descriptors of a node, given where its tensors are.
///
/// # Errors
/// Why the device cannot compute it.
pub fn steps(
    host: &Host,
    operator: Operator,
    node: TensorRef<'_>,
    cores: u32,
    memory: &mut dyn Memory,
) -> Steps {
    if node.is_empty() {
        return Ok(Vec::new());
    }
    Node { host, tensor: node, cores, memory }.steps(operator)
}
