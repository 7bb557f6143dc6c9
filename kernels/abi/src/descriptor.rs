//! The operator descriptor: one for all cores, 512 bytes in L1.
//!
//! Host and device share the struct itself: the host sends its bytes (little-endian, as the cores are), the device reads
//! fields in place.

use core::mem::{align_of, size_of};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::l1;
use crate::operators::{Op, Operator};
use crate::view::TensorView;

/// Words of a descriptor that are the operator's own.
pub const PARAM_WORDS: usize = 28;

/// Parameters of some operator ([`Operator::Params`]), as bytes: what the type does not use is zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct Params([u32; PARAM_WORDS]);

impl Params {
    /// None.
    pub const NONE: Self = Self([0; PARAM_WORDS]);

    /// Those of an operator.
    pub fn of<O: Operator>(params: &O::Params) -> Self {
        const { assert!(fits::<O::Params>()) };
        let mut all = Self::NONE;
        all.as_mut_bytes()[..size_of::<O::Params>()].copy_from_slice(params.as_bytes());
        all
    }

    /// The same, as the operator's type. Which operator it is says the descriptor.
    #[inline(always)]
    pub fn get<O: Operator>(&self) -> &O::Params {
        const { assert!(fits::<O::Params>()) };
        match O::Params::ref_from_prefix(self.as_bytes()) {
            Ok((params, _)) => params,
            // The assertion above leaves nothing that could be wrong.
            Err(_) => unreachable!(),
        }
    }

    /// The same, as they lie in the descriptor.
    pub const fn words(&self) -> &[u32; PARAM_WORDS] {
        &self.0
    }
}

/// Whether a type has a place in [`Params`].
const fn fits<T>() -> bool {
    size_of::<T>() <= size_of::<Params>() && align_of::<T>() <= align_of::<Params>()
}

/// A launch: what to compute, on which tensors, over how many cores.
///
/// Every core gets the same descriptor and finds its share from its index ([`crate::BootConfig::index`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OpDescriptor {
    /// An [`Op`] as a number.
    pub op: u32,
    /// Operator-specific flags; and [`crate::ahead::BEGINS`] and [`crate::ahead::KEEPS`], which the runtime sets at launch.
    pub flags: u32,
    /// Set by the runtime at launch: the value that the go word will take. Builders leave 0.
    pub seq: u32,
    /// Cores with an index below this take part; the others complete at once.
    pub cores: u32,
    /// First operand (ggml `src[0]`).
    pub src0: TensorView,
    /// Second operand (ggml `src[1]`).
    pub src1: TensorView,
    /// Result.
    pub dst: TensorView,
    /// Third to fifth operand (ggml `src[2]` to `src[4]`), for operators that have them.
    pub more: [TensorView; 3],
    /// Operator-specific parameters.
    pub params: Params,
}

impl OpDescriptor {
    /// Bytes of a descriptor.
    pub const BYTES: usize = size_of::<Self>();

    /// The descriptor that only completes.
    pub const NOP: Self = Self {
        op: Op::Nop as u32,
        flags: 0,
        seq: 0,
        cores: 0,
        src0: TensorView::NONE,
        src1: TensorView::NONE,
        dst: TensorView::NONE,
        more: [TensorView::NONE; 3],
        params: Params::NONE,
    };

    /// An operator with these parameters on up to `cores` workers, without tensors.
    pub fn of<O: Operator>(params: &O::Params, cores: u32) -> Self {
        Self { op: O::OP as u32, cores, params: Params::of::<O>(params), ..Self::NOP }
    }

    /// The parameters, if it is this operator's descriptor.
    pub fn params_of<O: Operator>(&self) -> Option<&O::Params> {
        (self.op == O::OP as u32).then(|| self.params.get::<O>())
    }

    /// The operator's name, or its number if there is none.
    pub fn name(&self) -> impl core::fmt::Display + use<> {
        Name(self.op)
    }
}

struct Name(u32);

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match Op::from_code(self.0) {
            Some(op) => f.write_str(op.name()),
            None => write!(f, "operator {}", self.0),
        }
    }
}

const _: () = {
    assert!(OpDescriptor::BYTES == l1::DESCRIPTOR_BYTES as usize);
    assert!(size_of::<Params>() == 4 * PARAM_WORDS);
    assert!(cfg!(target_endian = "little"));
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::kernel;
    use crate::rows::norm::{NormFunction, NormParams};

    #[test]
    fn parameters_are_read_as_what_they_were_written() {
        let params = NormParams { function: NormFunction::Norm as u32, rows: 77, eps: 1e-6, factor: 0.5 };
        let op = OpDescriptor::of::<kernel::Norm>(&params, 5);
        assert_eq!((op.params_of::<kernel::Norm>(), op.cores), (Some(&params), 5));
        assert_eq!(op.params_of::<kernel::Sort>(), None);
        assert_eq!(op.as_bytes()[400..408], [1, 0, 0, 0, 77, 0, 0, 0]);
        assert_eq!(OpDescriptor::read_from_bytes(op.as_bytes()).unwrap(), op);
        assert_eq!(std::format!("{}", op.name()), "NORM");
    }
}
