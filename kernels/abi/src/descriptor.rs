//! The operator descriptor: one for all cores, 512 bytes in L1.

use crate::view::TensorView;

/// Operators that the firmware knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u32)]
pub enum Op {
    /// Does nothing but complete: measures a launch, proves that all cores are alive.
    Nop = 0,
    /// ggml `MUL_MAT`; with I32 indices in `more[0]`, `[ne2, ne3]` of src1, also `MUL_MAT_ID`: they say which matrix of
    /// src0 each matrix of src1 is multiplied with.
    Matmul = 1,
    /// ggml `SET_ROWS`; src0 = rows, src1 = indices.
    SetRows = 2,
    /// A function of each element of src0 ([`crate::elementwise::Unary`]).
    Unary = 3,
    /// A function of elements of src0 and src1, src1 repeated as needed ([`crate::elementwise::Binary`]).
    Binary = 4,
    /// Gated units ([`crate::elementwise::Glu`]).
    Glu = 5,
    /// Copies ([`crate::copy`]).
    Copy = 6,
    /// Work on rows ([`crate::rows`]).
    Rows = 7,
    /// Windows that move over images ([`crate::windows`]).
    Windows = 8,
    /// Windows put back where they overlap ([`crate::fold`]).
    Fold = 9,
    /// Images made larger or smaller ([`crate::resample`]).
    Resample = 10,
    /// State that is carried from token to token ([`crate::recurrent`]).
    Recurrent = 11,
    /// A step of an optimiser: a function of elements of src0 and src1 ([`crate::elementwise::OptStep`]) whose parameters are in more[0].
    OptStep = 12,
}

impl Op {
    /// The operator with this number.
    pub const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Op::Nop,
            1 => Op::Matmul,
            2 => Op::SetRows,
            3 => Op::Unary,
            4 => Op::Binary,
            5 => Op::Glu,
            6 => Op::Copy,
            7 => Op::Rows,
            8 => Op::Windows,
            9 => Op::Fold,
            10 => Op::Resample,
            11 => Op::Recurrent,
            12 => Op::OptStep,
            _ => return None,
        })
    }
}

/// Operator-specific words of a descriptor.
pub const PARAM_WORDS: usize = 28;

/// A launch: what to compute, on which tensors, over how many cores.
///
/// Every core gets the same descriptor and finds its share from its index ([`crate::BootConfig::index`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct OpDescriptor {
    /// An [`Op`] as a number.
    pub op: u32,
    /// Operator-specific flags.
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
    pub params: [u32; PARAM_WORDS],
}

impl OpDescriptor {
    /// Words of a descriptor.
    pub const WORDS: usize = 128;
    /// Bytes of a descriptor.
    pub const BYTES: usize = 4 * Self::WORDS;

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
        params: [0; PARAM_WORDS],
    };

    /// The descriptor as little-endian words, as it stands in L1.
    pub fn to_words(&self) -> [u32; Self::WORDS] {
        let mut words = [0; Self::WORDS];
        words[..4].copy_from_slice(&[self.op, self.flags, self.seq, self.cores]);
        words[4..20].copy_from_slice(&self.src0.to_words());
        words[20..36].copy_from_slice(&self.src1.to_words());
        words[36..52].copy_from_slice(&self.dst.to_words());
        for (n, view) in self.more.iter().enumerate() {
            words[52 + 16 * n..68 + 16 * n].copy_from_slice(&view.to_words());
        }
        words[100..].copy_from_slice(&self.params);
        words
    }

    /// The descriptor as bytes, as it stands in L1.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (chunk, word) in bytes.chunks_exact_mut(4).zip(self.to_words()) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(size_of::<OpDescriptor>() == OpDescriptor::BYTES);
    assert!(4 * (100 + PARAM_WORDS) == OpDescriptor::BYTES);
    assert!(offset_of!(OpDescriptor, src0) == 16);
    assert!(offset_of!(OpDescriptor, src1) == 80);
    assert!(offset_of!(OpDescriptor, dst) == 144);
    assert!(offset_of!(OpDescriptor, more) == 208);
    assert!(offset_of!(OpDescriptor, params) == 400);
};
