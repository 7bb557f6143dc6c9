//! Operands of the waiting instructions: block masks and conditions
//! (`TensixTile/TensixCoprocessor/STALLWAIT.md`, `SEMWAIT.md`).

/// `STALLWAIT` and `SEMWAIT` block mask: which instructions of the thread must not start.
pub mod block {
    /// Miscellaneous unit, mover, scalar unit, packers and unpackers.
    pub const MISC: u32 = 1 << 0;
    /// Sync unit: semaphores.
    pub const SYNC: u32 = 1 << 1;
    /// Packers.
    pub const PACK: u32 = 1 << 2;
    /// Unpackers.
    pub const UNPACK: u32 = 1 << 3;
    /// Mover.
    pub const XMOV: u32 = 1 << 4;
    /// Scalar unit.
    pub const THCON: u32 = 1 << 5;
    /// Matrix unit.
    pub const MATH: u32 = 1 << 6;
    /// Configuration unit.
    pub const CFG: u32 = 1 << 7;
    /// Vector unit.
    pub const SFPU: u32 = 1 << 8;
}

/// `STALLWAIT` conditions: what must have come to pass.
pub mod until {
    /// The thread's memory requests in the scalar unit are done.
    pub const THCON: u32 = 1 << 0;
    /// Unpacker 0 has nothing of the thread's.
    pub const UNPACK0: u32 = 1 << 1;
    /// Neither unpacker has.
    pub const UNPACK: u32 = 3 << 1;
    /// No packer has.
    pub const PACK: u32 = 0xF << 3;
    /// The matrix unit has nothing of the thread's.
    pub const MATH: u32 = 1 << 7;
    /// The bank of SrcA that unpacker 0 fills next is its own.
    pub const SRCA_CLEAR: u32 = 1 << 8;
    /// The bank of SrcB that unpacker 1 fills next is its own.
    pub const SRCB_CLEAR: u32 = 1 << 9;
    /// The matrix unit's bank of SrcA is its own.
    pub const SRCA_VALID: u32 = 1 << 10;
    /// The matrix unit's bank of SrcB is its own.
    pub const SRCB_VALID: u32 = 1 << 11;
    /// The mover has no requests outstanding.
    pub const XMOV: u32 = 1 << 12;
    /// The T core's accesses to GPRs, configuration and TDMA-RISC have arrived.
    pub const RISCV: u32 = 1 << 13;
    /// The vector unit has nothing of the thread's.
    pub const SFPU: u32 = 1 << 14;
}

/// `SEMWAIT` conditions.
pub mod semaphore {
    /// Blocked while the semaphore is 0.
    pub const WHILE_ZERO: u32 = 1;
    /// Blocked while the semaphore is at its maximum.
    pub const WHILE_MAX: u32 = 2;
}

/// A chip's `STALLWAIT` conditions: [`until`] are Wormhole's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conditions {
    /// The thread's memory requests in the scalar unit are done.
    pub thcon: u32,
    /// Unpacker 0 has nothing of the thread's.
    pub unpack0: u32,
    /// Neither unpacker has.
    pub unpack: u32,
    /// No packer has.
    pub pack: u32,
    /// The matrix unit has nothing of the thread's.
    pub math: u32,
    /// The bank of SrcA that unpacker 0 fills next is its own.
    pub srca_clear: u32,
    /// The bank of SrcB that unpacker 1 fills next is its own.
    pub srcb_clear: u32,
    /// The matrix unit's bank of SrcA is its own.
    pub srca_valid: u32,
    /// The matrix unit's bank of SrcB is its own.
    pub srcb_valid: u32,
    /// The mover has no requests outstanding.
    pub xmov: u32,
    /// The T core's accesses to GPRs, configuration and TDMA-RISC have arrived.
    pub riscv: u32,
    /// The vector unit has nothing of the thread's.
    pub sfpu: u32,
    /// The configuration unit has nothing of the thread's, where that can be waited for.
    pub config: Option<u32>,
}
