//! NoC overlay: registers of a stream, 4 bytes each (`NoC/Overlay/README.md`, `NoC/Overlay/AsGeneralUse.md`; numbers of the
//! registers as in the vendor's `noc_overlay_parameters.h`).
//!
//! Software uses an idle stream as a set of registers with atomic increments. (Active streams move messages by
//! themselves; they are not described here.)

/// Streams of a Tensix tile.
pub const TENSIX_STREAMS: u32 = 64;

/// Registers, by number.
pub mod reg {
    /// Where messages come from.
    pub const REMOTE_SRC: u32 = 0;
    /// Phase of the source.
    pub const REMOTE_SRC_PHASE: u32 = 1;
    /// Where messages go.
    pub const REMOTE_DEST: u32 = 2;
    /// Start of the buffer there.
    pub const REMOTE_DEST_BUF_START: u32 = 3;
    /// Size of the buffer there; sets all of [`REMOTE_DEST_BUF_SPACE_AVAILABLE`].
    pub const REMOTE_DEST_BUF_SIZE: u32 = 4;
    /// Write pointer there.
    pub const REMOTE_DEST_WR_PTR: u32 = 5;
    /// Start of the own buffer.
    pub const BUF_START: u32 = 6;
    /// Size of the own buffer.
    pub const BUF_SIZE: u32 = 7;
    /// Header array, read pointer.
    pub const MSG_INFO_PTR: u32 = 8;
    /// Header array there, write pointer.
    pub const REMOTE_DEST_MSG_INFO_WR_PTR: u32 = 9;
    /// Configuration.
    pub const MISC_CFG: u32 = 10;
    /// [`MISC_CFG`]: load the next phase's configuration from L1.
    pub const MISC_CFG_PHASE_AUTO_CONFIG: u32 = 1 << 9;
    /// Phase.
    pub const CURR_PHASE: u32 = 11;
    /// Configuration in L1.
    pub const PHASE_AUTO_CFG_PTR: u32 = 12;
    /// Multicast rectangle.
    pub const MCAST_DEST: u32 = 13;
    /// Multicast receivers.
    pub const MCAST_DEST_NUM: u32 = 14;
    /// Gather mode.
    pub const GATHER: u32 = 15;
    /// Where messages have their length; stream 0 only, for all.
    pub const MSG_HEADER_FORMAT: u32 = 17;
    /// Messages received.
    pub const NUM_MSGS_RECEIVED: u32 = 18;
    /// Address of the next message.
    pub const NEXT_RECEIVED_MSG_ADDR: u32 = 19;
    /// Size of the next message.
    pub const NEXT_RECEIVED_MSG_SIZE: u32 = 20;
    /// Own buffer, read pointer.
    pub const RD_PTR: u32 = 24;
    /// Own buffer, write pointer.
    pub const WR_PTR: u32 = 25;
    /// Header array, write pointer.
    pub const MSG_INFO_WR_PTR: u32 = 26;
    /// Starts a phase.
    pub const PHASE_ADVANCE: u32 = 27;
    /// Space in the own buffer.
    pub const BUF_SPACE_AVAILABLE: u32 = 28;
    /// Adds to [`REMOTE_DEST_BUF_SPACE_AVAILABLE`]: number in bits 5:0, what is added above.
    pub const REMOTE_DEST_BUF_SPACE_AVAILABLE_UPDATE: u32 = 34;
    /// State of the stream; bit 0: it waits to be started.
    pub const WAIT_STATUS: u32 = 35;
    /// Messages of a phase; the low 12 bits add to [`CURR_PHASE`].
    pub const PHASE_AUTO_CFG_HEADER: u32 = 36;
    /// When to tell the source of space.
    pub const MEM_BUF_SPACE_AVAILABLE_ACK_THRESHOLD: u32 = 40;
    /// A message can be pushed.
    pub const MSG_INFO_CAN_PUSH_NEW_MSG: u32 = 41;
    /// Gather mode.
    pub const GATHER_CLEAR: u32 = 43;
    /// Priority.
    pub const REMOTE_DEST_TRAFFIC_PRIORITY: u32 = 44;
    /// Streams that are gathered: three words.
    pub const LOCAL_SRC_MASK: u32 = 48;
    /// Space there, a word a receiver.
    pub const REMOTE_DEST_BUF_SPACE_AVAILABLE: u32 = 64;
    /// Internal state: word 2, bit 3: no [`REMOTE_DEST_BUF_SPACE_AVAILABLE`] is zero.
    pub const DEBUG_STATUS_2: u32 = 226;
    /// High bits of [`REMOTE_DEST_BUF_START`].
    pub const REMOTE_DEST_BUF_START_HI: u32 = 242;
    /// High bits of [`REMOTE_DEST_MSG_INFO_WR_PTR`].
    pub const REMOTE_DEST_MSG_INFO_WR_PTR_HI: u32 = 243;
    /// What phases count from.
    pub const CURR_PHASE_BASE: u32 = 244;
    /// What [`PHASE_AUTO_CFG_PTR`] counts from.
    pub const PHASE_AUTO_CFG_PTR_BASE: u32 = 245;
    /// Six words that mean nothing.
    pub const SCRATCH: u32 = 248;
}

/// Registers of a stream, used or not.
pub const REGISTERS: u32 = 256;
/// Receivers of a stream that can multicast.
pub const RECEIVERS: u32 = 32;

/// Streams that have a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Streams {
    /// Every one.
    All,
    /// Those that can gather.
    Gather,
    /// Those that can multicast.
    Multicast,
    /// Those that can write to DRAM buffers.
    DramBuffer,
    /// Stream 0.
    First,
}

impl Streams {
    /// Whether a stream of a tile is one of them.
    pub const fn has(self, ethernet: bool, stream: u32) -> bool {
        match self {
            Self::All => true,
            Self::Gather if ethernet => stream < 2,
            Self::Gather => stream < 6,
            Self::Multicast if ethernet => stream < 2,
            Self::Multicast => stream < 4,
            Self::DramBuffer => stream < 4 || (stream >= 8 && stream < 12),
            Self::First => stream == 0,
        }
    }
}

/// A register that keeps what is written to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Its number.
    pub index: u32,
    /// Bits of it that there are.
    pub bits: u32,
    /// Where it is; elsewhere writes do nothing and reads give zero.
    pub streams: Streams,
}

const fn kept(index: u32, bits: u32, streams: Streams) -> Kept {
    Kept { index, bits, streams }
}

/// All registers that keep what is written to them, some with effects on others.
pub const KEPT: &[Kept] = &[
    kept(reg::REMOTE_SRC, 24, Streams::All),
    kept(reg::REMOTE_SRC_PHASE, 20, Streams::All),
    kept(reg::REMOTE_DEST, 18, Streams::All),
    kept(reg::REMOTE_DEST_BUF_START, 17, Streams::All),
    kept(reg::REMOTE_DEST_BUF_SIZE, 17, Streams::All),
    kept(reg::REMOTE_DEST_WR_PTR, 17, Streams::All),
    kept(reg::BUF_START, 17, Streams::All),
    kept(reg::BUF_SIZE, 17, Streams::All),
    kept(reg::MSG_INFO_PTR, 17, Streams::All),
    kept(reg::REMOTE_DEST_MSG_INFO_WR_PTR, 17, Streams::All),
    kept(reg::MISC_CFG, 24, Streams::All),
    kept(reg::CURR_PHASE, 20, Streams::All),
    kept(reg::PHASE_AUTO_CFG_PTR, 17, Streams::All),
    kept(reg::MCAST_DEST, 19, Streams::Multicast),
    kept(reg::MCAST_DEST_NUM, 6, Streams::Multicast),
    kept(reg::GATHER, 4, Streams::Gather),
    kept(reg::MSG_HEADER_FORMAT, 14, Streams::First),
    kept(reg::RD_PTR, 17, Streams::All),
    kept(reg::WR_PTR, 17, Streams::All),
    kept(reg::MSG_INFO_WR_PTR, 17, Streams::All),
    kept(reg::MEM_BUF_SPACE_AVAILABLE_ACK_THRESHOLD, 4, Streams::All),
    kept(reg::GATHER_CLEAR, 17, Streams::Gather),
    kept(reg::REMOTE_DEST_TRAFFIC_PRIORITY, 4, Streams::All),
    kept(reg::LOCAL_SRC_MASK, 24, Streams::Gather),
    kept(reg::LOCAL_SRC_MASK + 1, 24, Streams::Gather),
    kept(reg::LOCAL_SRC_MASK + 2, 16, Streams::Gather),
    kept(reg::REMOTE_DEST_BUF_START_HI, 15, Streams::DramBuffer),
    kept(reg::REMOTE_DEST_MSG_INFO_WR_PTR_HI, 15, Streams::DramBuffer),
    kept(reg::CURR_PHASE_BASE, 20, Streams::All),
    kept(reg::PHASE_AUTO_CFG_PTR_BASE, 17, Streams::All),
    kept(reg::SCRATCH, 24, Streams::DramBuffer),
    kept(reg::SCRATCH + 1, 24, Streams::DramBuffer),
    kept(reg::SCRATCH + 2, 24, Streams::DramBuffer),
    kept(reg::SCRATCH + 3, 24, Streams::DramBuffer),
    kept(reg::SCRATCH + 4, 24, Streams::DramBuffer),
    kept(reg::SCRATCH + 5, 24, Streams::DramBuffer),
];

/// Bits of a [`reg::LOCAL_SRC_MASK`] word in an Ethernet tile.
pub const ETHERNET_SRC_MASK_BITS: [u32; 3] = [24, 8, 0];
/// Bits of [`reg::REMOTE_DEST_BUF_SPACE_AVAILABLE`].
pub const SPACE_BITS: u32 = 17;
