//! Address map of a Tensix tile, as its RISC-V cores see it and, where noted, as the NoC sees it
//! (`TensixTile/BabyRISCV/README.md`, `NoC/MemoryMap.md`, `TensixTile/SoftReset.md`).
//!
//! ```text
//! 0x0000_0000  L1                                    RISC-V, NoC, host
//! 0xFFB0_0000  private data RAM                      its own core only
//! 0xFFB1_1000  TDMA-RISC, mover                      RISC-V, NoC
//! 0xFFB1_2000  debug, soft reset, wall clock         RISC-V, NoC
//! 0xFFB2_0000  NIU 0        0xFFB3_0000  NIU 1       RISC-V, NoC
//! 0xFFB4_0000  NoC overlay streams                   RISC-V, NoC
//! 0xFFB8_0000  MOP expander configuration            B, T0..T2
//! 0xFFC0_0000  instruction RAM                       NCRISC fetch only
//! 0xFFE0_0000  Tensix GPRs  0xFFE4_0000 instruction  B, T0..T2
//! 0xFFE8_0000  PCBuf: TTSync, semaphores             B, T0..T2
//! 0xFFEC_0000  mailboxes    0xFFEF_0000 Config       B, T0..T2
//! ```
//!
//! The map is the same on every chip; sizes and a few registers are not: [`TileMap`].

/// One of the five RISC-V cores of a Tensix tile, in the order of their hart ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum RiscV {
    /// "B": brings the tile up, reads over NoC 0 by convention.
    Brisc = 0,
    /// "T0": feeds the unpackers.
    Trisc0 = 1,
    /// "T1": feeds the matrix and vector units.
    Trisc1 = 2,
    /// "T2": feeds the packers.
    Trisc2 = 3,
    /// "NC": no access to the Tensix coprocessor.
    Ncrisc = 4,
}

impl RiscV {
    /// All five, by hart id.
    pub const ALL: [RiscV; 5] = [RiscV::Brisc, RiscV::Trisc0, RiscV::Trisc1, RiscV::Trisc2, RiscV::Ncrisc];

    /// Bit of this core in `SOFT_RESET_0` (1 = held in reset).
    pub const fn soft_reset_bit(self) -> u32 {
        match self {
            RiscV::Brisc => 0x0_0800,
            RiscV::Trisc0 => 0x0_1000,
            RiscV::Trisc1 => 0x0_2000,
            RiscV::Trisc2 => 0x0_4000,
            RiscV::Ncrisc => 0x4_0000,
        }
    }

    /// First pc after reset while no override is enabled.
    pub const fn default_reset_pc(self) -> u32 {
        match self {
            RiscV::Brisc => 0,
            RiscV::Trisc0 => 0x6000,
            RiscV::Trisc1 => 0xA000,
            RiscV::Trisc2 => 0xE000,
            RiscV::Ncrisc => 0x1_2000,
        }
    }

    /// Bit of this core in the `Config` register [`TileMap::icache_invalidate`].
    pub const fn icache_bit(self) -> u32 {
        match self {
            RiscV::Brisc => 1,
            RiscV::Trisc0 => 2,
            RiscV::Trisc1 => 4,
            RiscV::Trisc2 => 8,
            RiscV::Ncrisc => 16,
        }
    }

    /// Tensix thread that this core's instructions go to, if it has one of its own.
    pub const fn tensix_thread(self) -> Option<u32> {
        match self {
            RiscV::Trisc0 => Some(0),
            RiscV::Trisc1 => Some(1),
            RiscV::Trisc2 => Some(2),
            _ => None,
        }
    }

    /// Name used in messages.
    pub const fn name(self) -> &'static str {
        ["BRISC", "TRISC0", "TRISC1", "TRISC2", "NCRISC"][self as usize]
    }
}

/// RISC-V cores of a Tensix tile.
pub const CORES: usize = RiscV::ALL.len();
/// Threads of its coprocessor, one for each of TRISC0..2.
pub const THREADS: usize = 3;

/// What differs from chip to chip in a Tensix tile, but for its NIUs and its coprocessor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TileMap {
    /// Bytes of L1.
    pub l1_size: u32,
    /// First byte of L1 and number of bytes that firmware of the chip writes at any time, if it does.
    pub l1_firmware: Option<(u32, u32)>,
    /// Bytes of private data RAM of each core, by [`RiscV`] number.
    pub local_ram: [u32; 5],
    /// Bytes of NCRISC's instruction RAM at [`IRAM_BASE`]; 0 if there is none.
    pub iram_size: u32,
    /// Data cache between the cores and L1, if there is one.
    pub data_cache: Option<DataCache>,
    /// Where cores other than BRISC start.
    pub reset_pc: ResetPc,
    /// `Config` register whose bits invalidate instruction caches ([`RiscV::icache_bit`]).
    pub icache_invalidate: u32,
    /// Packers.
    pub packers: u32,
}

/// Addresses in a tile of the registers that say where cores start, in place of [`RiscV::default_reset_pc`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResetPc {
    /// Reset pcs of TRISC0..2.
    pub trisc: [u32; 3],
    /// Bit t: TRISC t starts at its reset pc.
    pub trisc_enable: u32,
    /// Reset pc of NCRISC.
    pub ncrisc: u32,
    /// Bit 0: NCRISC starts at its reset pc.
    pub ncrisc_enable: u32,
    /// The NoC, and so the host, reaches them too. Otherwise BRISC has to write them.
    pub on_noc: bool,
}

impl ResetPc {
    /// The register with a core's reset pc, the register that enables it, and its bit there; BRISC has none.
    pub const fn of(&self, core: RiscV) -> Option<(u32, u32, u32)> {
        match core {
            RiscV::Brisc => None,
            RiscV::Ncrisc => Some((self.ncrisc, self.ncrisc_enable, 0)),
            RiscV::Trisc0 | RiscV::Trisc1 | RiscV::Trisc2 => {
                let thread = core as u32 - RiscV::Trisc0 as u32;
                Some((self.trisc[thread as usize], self.trisc_enable, thread))
            }
        }
    }

    /// All of these registers.
    pub const fn registers(&self) -> [u32; 6] {
        let [a, b, c] = self.trisc;
        [a, b, c, self.trisc_enable, self.ncrisc, self.ncrisc_enable]
    }

    /// `Config` registers with the reset pcs of the three TRISCs, of their enable bits, and the same of NCRISC.
    pub const fn in_config(trisc: [u32; 3], trisc_enable: u32, ncrisc: u32, ncrisc_enable: u32) -> Self {
        Self {
            trisc: [CFG_BASE + 4 * trisc[0], CFG_BASE + 4 * trisc[1], CFG_BASE + 4 * trisc[2]],
            trisc_enable: CFG_BASE + 4 * trisc_enable,
            ncrisc: CFG_BASE + 4 * ncrisc,
            ncrisc_enable: CFG_BASE + 4 * ncrisc_enable,
            on_noc: false,
        }
    }
}

/// A core's data cache: it is not coherent with anything, and on at reset (`BlackholeA0/TensixTile/BabyRISCV/README.md`,
/// `CSRs.md`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DataCache {
    /// Bytes of a line.
    pub line: u32,
    /// Lines of each core.
    pub lines: u32,
    /// CSR that switches it.
    pub csr: u32,
    /// Bits of the CSR: the cache is off.
    pub off: u32,
    /// Bits of the CSR: in-line Tensix instructions are not fused.
    pub no_fusion: u32,
}

/// Private data RAM of each core (same address, different memory).
pub const LOCAL_RAM_BASE: u32 = 0xFFB0_0000;
/// TDMA-RISC registers.
pub const TDMA_REGS_BASE: u32 = 0xFFB1_1000;
/// Debug registers: soft reset, wall clock.
pub const DEBUG_REGS_BASE: u32 = 0xFFB1_2000;
/// NIU registers of NoC 0; those of NoC 1 follow at [`NIU_STRIDE`].
pub const NIU_BASE: u32 = 0xFFB2_0000;
/// Distance between the register blocks of NIU 0 and NIU 1.
pub const NIU_STRIDE: u32 = 0x1_0000;
/// NoC overlay: 64 streams of 4 KiB each.
pub const NOC_OVERLAY_BASE: u32 = 0xFFB4_0000;
/// Distance between the register blocks of two overlay streams.
pub const NOC_OVERLAY_STREAM_STRIDE: u32 = 0x1000;
/// MOP expander configuration: nine words, written by the thread's own T core.
pub const MOP_CFG_BASE: u32 = 0xFFB8_0000;
/// NCRISC instruction RAM (fetch only).
pub const IRAM_BASE: u32 = 0xFFC0_0000;
/// Tensix GPRs: 64 words a thread; a T core sees its own, BRISC all three (0x100 bytes each).
pub const REGFILE_BASE: u32 = 0xFFE0_0000;
/// A T core's stores here push into its thread's FIFO in front of the MOP expander; BRISC pushes to thread
/// `t` behind the expander at `INSTRN_BUF_BASE + t * INSTRN_BUF_STRIDE`.
pub const INSTRN_BUF_BASE: u32 = 0xFFE4_0000;
/// See [`INSTRN_BUF_BASE`].
pub const INSTRN_BUF_STRIDE: u32 = 0x1_0000;
/// PCBuf of the core's thread: TTSync and semaphores. BRISC has one per thread.
pub const PC_BUF_BASE: u32 = 0xFFE8_0000;
/// Distance between the three PCBufs that BRISC sees.
pub const PC_BUF_STRIDE: u32 = 0x1_0000;
/// `PC_BUF_BASE +`: a load returns once the thread's coprocessor work is done (TTSync).
pub const PC_BUF_TENSIX_SYNC: u32 = 0x4;
/// `PC_BUF_BASE +`: a load returns once the thread's MOP expander is idle.
pub const PC_BUF_MOP_SYNC: u32 = 0x8;
/// `PC_BUF_BASE +`: eight semaphores, a word each. Load: value. Store: even = post, odd = get
/// (`TensixCoprocessor/SyncUnit.md`, `BabyRISCV/PCBufs.md`).
pub const PC_BUF_SEMAPHORE: u32 = 0x20;
/// Mailboxes; `MAILBOX_STRIDE * other core` apart.
pub const MAILBOX_BASE: u32 = 0xFFEC_0000;
/// See [`MAILBOX_BASE`].
pub const MAILBOX_STRIDE: u32 = 0x1000;
/// Backend configuration, a word a register: bank 0, bank 1, then each thread's, 16 bytes a register and read-only
/// (`TensixCoprocessor/BackendConfiguration.md`).
pub const CFG_BASE: u32 = 0xFFEF_0000;
/// Bytes from [`CFG_BASE`] on that are configuration's.
pub const CFG_SIZE: u32 = 0x1_0000;

/// `DEBUG_REGS_BASE +`: switches parts of the coprocessor off; 0 after power-on. Bit 11 changes what 16-bit accesses to Dst mean
/// (`TensixCoprocessor/Dst.md`). Its place: `RISCV_DEBUG_REG_DBG_FEATURE_DISABLE` of the vendor's headers.
pub const DBG_FEATURE_DISABLE: u32 = 0x068;
/// `DEBUG_REGS_BASE +`: soft reset register ([`RiscV::soft_reset_bit`]).
pub const SOFT_RESET_0: u32 = 0x1B0;
/// Power-on value of `SOFT_RESET_0`: all five cores held.
pub const SOFT_RESET_ALL: u32 = 0x4_7800;
/// `DEBUG_REGS_BASE +`: low word of the cycle counter; reading it latches the high word.
pub const WALL_CLOCK_L: u32 = 0x1F0;
/// `DEBUG_REGS_BASE +`: latched high word of the cycle counter.
pub const WALL_CLOCK_H: u32 = 0x1F8;

/// `TDMA_REGS_BASE +`: mover source, in 16-byte units.
pub const XMOV_SRC_ADDR: u32 = 0x00;
/// `TDMA_REGS_BASE +`: mover destination.
pub const XMOV_DST_ADDR: u32 = 0x04;
/// `TDMA_REGS_BASE +`: mover length, in 16-byte units.
pub const XMOV_SIZE: u32 = 0x08;
/// `TDMA_REGS_BASE +`: mover direction.
pub const XMOV_DIRECTION: u32 = 0x0C;
/// `TDMA_REGS_BASE +`: command register.
pub const TDMA_COMMAND: u32 = 0x10;
/// `TDMA_REGS_BASE +`: status register.
pub const TDMA_STATUS: u32 = 0x14;
/// `TDMA_REGS_BASE +`: counted size of a packer's tiles; a write resets those of the packers that bits 19:16 name
/// and sets their address offset. One for each thread [`TDMA_THREAD_STRIDE`] apart, for each packer
/// [`TDMA_PACKER_STRIDE`] apart.
pub const TDMA_ACC_PACKED_SIZE: u32 = 0x1C;
/// See [`TDMA_ACC_PACKED_SIZE`].
pub const TDMA_THREAD_STRIDE: u32 = 0x40;
/// See [`TDMA_ACC_PACKED_SIZE`].
pub const TDMA_PACKER_STRIDE: u32 = 0x100;
/// `TDMA_REGS_BASE +`: clock gating enables, one bit a unit.
pub const TDMA_CLK_GATE_EN: u32 = 0x24;
/// `TDMA_REGS_BASE +`: clock gating hysteresis, and in bits 24:16 `PACR_SETREG`'s fourth factor.
pub const TDMA_CLK_GATE_HYST: u32 = 0x28;
/// `TDMA_REGS_BASE +`: source that compact mover commands count from, one for each core.
pub const XMOV_L1_BASE_ADDR: u32 = 0x2C;
/// `TDMA_REGS_BASE +`: a write sets `PACR_SETREG`'s two base addresses, a read tells of the packers' FIFOs.
pub const TDMA_FIFO_PACKED_TILE_STATUS: u32 = 0x38;
/// `TDMA_REGS_BASE +`: `PACR_SETREG`'s first three factors, nine bits each; and again [`TDMA_PACKER_STRIDE`] further.
pub const TDMA_PACK_SCALERS: u32 = 0x3C;

/// Commands of [`TDMA_COMMAND`], in its low byte (`TensixTile/TDMA-RISC.md`).
pub mod tdma_command {
    /// The command has no parameters but its own bits.
    pub const COMPACT: u32 = 1 << 31;
    /// Starts the mover.
    pub const MOVE: u32 = 0x40;
    /// Waits for it.
    pub const WAIT: u32 = 0x46;
    /// Writes 32 bits to L1, or 64 with [`WRITE_64`].
    pub const WRITE: u32 = 0x66;
    /// Has to be set in a [`WRITE`].
    pub const WRITE_FLAGS: u32 = 0x600;
    /// See [`WRITE`].
    pub const WRITE_64: u32 = 0x100;
    /// Nothing.
    pub const NOP: u32 = 0x89;
}

/// The mover's address space beside L1: bytes of [`CFG_BASE`] on are at 0, instruction RAM is here
/// (`TensixTile/Mover.md`).
pub const MOVER_IRAM_BASE: u32 = 0x4_0000;
/// Size of each of both.
pub const MOVER_REGION: u32 = 0x1_0000;

/// Index of the `Config` register of bank 0 at an address, if one could be there.
pub const fn config_register(address: u32) -> Option<u32> {
    match address.wrapping_sub(CFG_BASE) {
        offset if offset < CFG_SIZE => Some(offset / 4),
        _ => None,
    }
}
