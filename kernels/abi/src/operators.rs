//! The table of device operators.
//!
//! A row has everything that is said of an operator outside of its own files: number, name, parameters of its
//! descriptor, and which cores run which kernel. [`Op`] and [`kernel`] come from it here, the dispatch on each of the
//! five cores in the firmware (`ops/mod.rs`); the host takes the names for errors from it.
//!
//! What runs where is written as
//!
//! | | |
//! |---|---|
//! | `nothing()` | all cores complete at once |
//! | `lanes(module::function)` | BRISC and NCRISC, each a lane of its own ([`crate::launch::LANES`]) |
//! | `brisc(module::function)` | BRISC alone, as a lane |
//! | `tensix(module)` | all five cores together, `module::brisc` to `module::ncrisc` |
//! | `either(module::function, module)` | lanes, or all five where the descriptor has the flag [`crate::sfpu::ON_SFPU`] |
//!
//! with modules below the firmware's `ops`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Calls a macro with the rows of the table, `Variant = number, "NAME", parameters, cores(kernel);` each.
#[macro_export]
macro_rules! device_operators {
    ($with:ident) => {
        $with! {
            /// Does nothing but complete: measures a launch, proves that all cores are alive.
            Nop = 0, "NOP", $crate::operators::NoParams, nothing();
            /// ggml `MUL_MAT`; with I32 indices in `more[0]`, `[ne2, ne3]` of src1, also `MUL_MAT_ID`: they say which matrix of
            /// src0 each matrix of src1 is multiplied with.
            Matmul = 1, "MUL_MAT", $crate::matmul::MatmulParams, tensix(matmul);
            /// ggml `SET_ROWS` of F32 into F32 or F16; src0 = rows, src1 = indices.
            SetRows = 2, "SET_ROWS", $crate::rows::set_rows::SetRowsParams, lanes(set_rows::run);
            /// A function of each element of src0 ([`crate::elementwise::Unary`]).
            Unary = 3, "UNARY", $crate::elementwise::ElementwiseParams, either(elementwise::unary, sfpu);
            /// A function of elements of src0 and src1, src1 repeated as needed ([`crate::elementwise::Binary`]).
            Binary = 4, "BINARY", $crate::elementwise::ElementwiseParams, either(elementwise::binary, sfpu);
            /// Gated units ([`crate::elementwise::Glu`]).
            Glu = 5, "GLU", $crate::elementwise::ElementwiseParams, either(elementwise::glu, sfpu);
            /// Copies ([`crate::copy`]).
            Copy = 6, "COPY", $crate::copy::CopyParams, lanes(copy::run);
            /// Norms of rows ([`crate::rows::norm`]).
            Norm = 7, "NORM", $crate::rows::norm::NormParams, either(rows::norm::run, sfpu_rows);
            /// Windows that move over images ([`crate::windows`]).
            Windows = 8, "WINDOWS", $crate::windows::WindowParams, lanes(windows::run);
            /// Windows put back where they overlap ([`crate::fold`]).
            Fold = 9, "FOLD", $crate::fold::FoldParams, lanes(fold::run);
            /// Images made larger or smaller ([`crate::resample`]).
            Resample = 10, "RESAMPLE", $crate::resample::ResampleParams, lanes(resample::run);
            /// State that is carried from token to token ([`crate::recurrent`]).
            Recurrent = 11, "RECURRENT", $crate::recurrent::RecurrentParams, lanes(recurrent::run);
            /// A step of an optimiser: a function of elements of src0 and src1 ([`crate::elementwise::OptStep`]) whose parameters are in
            /// `more[0]`.
            OptStep = 12, "OPT_STEP", $crate::elementwise::ElementwiseParams, tensix(sfpu);
            /// Sums, running sums, largest elements ([`crate::rows::reduce`]).
            Reduce = 13, "REDUCE", $crate::rows::reduce::ReduceParams, lanes(rows::reduce::run);
            /// Matrices of which one side of the diagonal is replaced, and diagonal ones ([`crate::rows::triangle`]).
            Triangle = 14, "TRIANGLE", $crate::rows::triangle::TriangleParams, lanes(rows::triangle::run);
            /// Softmax of rows, with mask and sinks ([`crate::rows::soft_max`]).
            SoftMax = 15, "SOFT_MAX", $crate::rows::soft_max::SoftMaxParams, either(rows::soft_max::run, sfpu_rows);
            /// Indices of a row's elements in order ([`crate::rows::sort`]).
            Sort = 16, "SORT", $crate::rows::sort::SortParams, lanes(rows::sort::run);
            /// Rows that indices name ([`crate::rows::gather`]).
            Gather = 17, "GATHER", $crate::rows::gather::GatherParams, lanes(rows::gather::run);
            /// Rotary positions ([`crate::rows::rope`]).
            Rope = 18, "ROPE", $crate::rows::rope::RopeParams, either(rows::rope::run, sfpu_rows);
            /// Weighted sums of rows ([`crate::rows::weighted_sum`]).
            WeightedSum = 19, "WEIGHTED_SUM", $crate::rows::weighted_sum::WeightedSumParams, lanes(rows::weighted_sum::run);
            /// Small matrices made doubly stochastic ([`crate::rows::balance`]).
            Balance = 20, "BALANCE", $crate::rows::balance::BalanceParams, lanes(rows::balance::run);
            /// Gradients of functions of rows, and the loss ([`crate::rows::gradient`]).
            RowGradient = 21, "ROW_GRADIENT", $crate::rows::gradient::GradientParams, tensix(sfpu_rows);
            /// Bytes moved as they are, also to the host's memory ([`crate::transfer`]).
            Transfer = 22, "TRANSFER", $crate::transfer::TransferParams, brisc(transfer::run);
            /// Copies to the other chip of a card ([`crate::relay`]).
            Relay = 23, "RELAY", $crate::relay::RelayParams, brisc(relay::run);
            /// Attention of single tokens to parts of a cache ([`crate::attention`]).
            Attention = 24, "ATTENTION", $crate::attention::AttentionParams, tensix(attention);
            /// The parts put together.
            AttentionMerge = 25, "ATTENTION_MERGE", $crate::attention::MergeParams, tensix(attention_merge);
            /// ggml `MUL_MAT` of many rows with weights ([`crate::matmul_block`]); src1 is in SrcB's order.
            MatmulBlock = 26, "MUL_MAT_BLOCK", $crate::matmul_block::BlockParams, tensix(matmul_block);
            /// Attention of many tokens ([`crate::attention_rows`]).
            AttentionRows = 27, "ATTENTION_ROWS", $crate::attention_rows::AttentionRowsParams, tensix(attention_rows);
            /// Rows of activations to the order of `MUL_MAT_BLOCK` ([`crate::order`]).
            Order = 28, "ORDER", $crate::order::OrderParams, tensix(order);
            /// BF16 tiles of weights that are not rounded a second time ([`crate::exact_tiles`]).
            ExactTiles = 29, "EXACT_TILES", $crate::exact_tiles::ExactTilesParams, tensix(exact_tiles);
            /// Norms of rows in the order of `MUL_MAT_BLOCK` ([`crate::norm_order`]).
            NormOrder = 30, "NORM_ORDER", $crate::norm_order::NormOrderParams, tensix(norm_order);
            /// Sums of what a token's experts have made, each times its weight ([`crate::expert_sum`]).
            ExpertSum = 31, "EXPERT_SUM", $crate::expert_sum::ExpertSumParams, tensix(expert_sum);
        }
    };
}

/// No parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct NoParams;

/// An operator, as a type: it has the parameters that the table says.
pub trait Operator {
    /// What stands in [`OpDescriptor::params`](crate::OpDescriptor::params).
    type Params: FromBytes + IntoBytes + Immutable + KnownLayout;
    /// The operator.
    const OP: Op;
}

macro_rules! define {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $params:ty, $cores:ident($($kernel:tt)*);)*) => {
        /// Operators that the firmware knows.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u32)]
        pub enum Op { $($(#[$doc])* $variant = $number,)* }

        impl Op {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The operator with this number.
            #[inline]
            pub const fn from_code(code: u32) -> Option<Self> {
                $(if code == $number {
                    return Some(Self::$variant);
                })*
                None
            }

            /// Its name, for people.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        /// A type for each operator.
        pub mod kernel {
            $(
                $(#[$doc])*
                pub struct $variant;

                impl super::Operator for $variant {
                    type Params = $params;
                    const OP: super::Op = super::Op::$variant;
                }
            )*
        }
    };
}

device_operators!(define);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_one_operators() {
        for (i, &op) in Op::ALL.iter().enumerate() {
            assert_eq!(Op::from_code(op as u32), Some(op));
            let others = &Op::ALL[..i];
            assert!(others.iter().all(|other| other.name() != op.name()), "{}", op.name());
        }
        assert_eq!(Op::from_code(Op::ALL.len() as u32), None);
    }
}
