//! Ethernet tiles: address map, transmit and receive queues, and the base firmware's memory
//! (`EthernetTile/BabyRISCV/README.md`, `EthernetTile/EthernetTxRx.md`, `EthernetTile/CycleCounters.md`; what firmware
//! writes to L1 as the vendor's user-mode driver and luwen read it).
//!
//! A tile has one RISC-V core, 256 KiB of L1, two NIUs and one end of a link. NIUs, overlay, soft reset and wall
//! clock are where a Tensix tile has them ([`crate::map`]).

/// Bytes of L1.
pub const L1_SIZE: u32 = 256 << 10;
/// Bytes of the core's private data RAM, at [`crate::map::LOCAL_RAM_BASE`].
pub const LOCAL_RAM_SIZE: u32 = 4096;
/// Bytes of the core's instruction RAM, at [`crate::map::IRAM_BASE`].
pub const IRAM_SIZE: u32 = 16 << 10;
/// Bit of the core in `SOFT_RESET_0`.
pub const SOFT_RESET_BIT: u32 = 1 << 11;
/// Bytes of data in a packet: at least, and at most (tt-metal's tech report `EthernetMultichip/BasicEthernetGuide.md`, "Ethernet Link").
pub const PACKET_BYTES: [u32; 2] = [16, 1500];
/// Overlay streams.
pub const STREAMS: u32 = 32;

/// Transmit queues, a page each.
pub const TXQ_BASE: u32 = 0xFFB9_0000;
/// Receive queues, a page each.
pub const RXQ_BASE: u32 = 0xFFB9_2000;
/// Distance between the registers of two queues.
pub const QUEUE_STRIDE: u32 = 0x1000;
/// Queues of each kind.
pub const QUEUES: u32 = 2;
/// Tile control.
pub const CTRL_BASE: u32 = 0xFFB9_4000;
/// `CTRL_BASE +`: a counter that writes add to.
pub const TEST_SUM: u32 = 0x80;
/// `CTRL_BASE +`: a write of a multiple of 16 bytes copies L1 from there to instruction RAM; bit 0 is set meanwhile.
pub const IRAM_LOAD: u32 = 0x98;
/// Ethernet MAC.
pub const MAC_BASE: u32 = 0xFFBA_0000;
/// Two words of the MAC that switch it, by offset, and their values while it is on.
pub const MAC_ON: [(u32, u32); 2] = [(0, 0x3000_0001), (4, 7)];

/// Watchdog, [`crate::map::DEBUG_REGS_BASE`] `+`: counts down to zero while bit 0 of the next word is set.
pub const WATCHDOG: u32 = 0x1E0;
/// See [`WATCHDOG`].
pub const WATCHDOG_CNTL: u32 = 0x1E4;
/// [`crate::map::DEBUG_REGS_BASE`] `+`: whether [`WATCHDOG`] has come to zero.
pub const WATCHDOG_STATUS: u32 = 0x1E8;

/// Registers of a transmit queue.
pub mod txq {
    /// Configuration: bit 0 TT-link keep-alive, bit 2 Ethernet type, bit 3 no drops.
    pub const CTRL: u32 = 0x00;
    /// What firmware sets `CTRL` to: TT-link.
    pub const CTRL_TT_LINK: u32 = 0b1001;
    /// Command; not zero while a command waits.
    pub const CMD: u32 = 0x04;
    /// Commands.
    pub mod cmd {
        /// Send a raw packet.
        pub const RAW: u32 = 1;
        /// Write to the other tile's L1.
        pub const L1_WRITE: u32 = 2;
        /// Write to one of the other tile's registers (queue 0 only).
        pub const MMIO_WRITE: u32 = 4;
    }
    /// Bytes after which a packet is split; 0: the greatest number ([`super::PACKET_BYTES`]).
    pub const MAX_PKT_SIZE_BYTES: u32 = 0x0C;
    /// Where data comes from.
    pub const TRANSFER_START_ADDR: u32 = 0x14;
    /// Bytes.
    pub const TRANSFER_SIZE_BYTES: u32 = 0x18;
    /// Where data goes.
    pub const DEST_ADDR: u32 = 0x1C;
    /// Counter: commands done.
    pub const TRANSFER_CNT: u32 = 0x30;
    /// Counter: packets begun.
    pub const PKT_START_CNT: u32 = 0x34;
    /// Counter: packets sent.
    pub const PKT_END_CNT: u32 = 0x3C;
    /// Data of a register write.
    pub const REMOTE_REG_DATA: u32 = 0x44;
    /// Clocks until a packet is sent again.
    pub const REMOTE_SEQ_TIMEOUT: u32 = 0x48;
    /// Clocks between sequence number updates.
    pub const LOCAL_SEQ_UPDATE_TIMEOUT: u32 = 0x4C;
    /// MAC addresses, destination (high, low) and source (high, low), four words; then the Ethernet type.
    pub const DEST_MAC_ADDR_HI: u32 = 0x50;
    /// Low four bytes of the destination's MAC address.
    pub const DEST_MAC_ADDR_LO: u32 = 0x54;
    /// What firmware sets `DEST_MAC_ADDR_LO` to, by queue.
    pub const DEST_MAC_FIRMWARE: [u32; 2] = [0xAB, 0xAA];
    /// Ethernet type.
    pub const ETH_TYPE: u32 = 0x60;
    /// Packets accepted while others wait.
    pub const DATA_PACKET_ACCEPT_AHEAD: u32 = 0x6C;
}

/// Registers of a receive queue.
pub mod rxq {
    /// Configuration.
    pub const CTRL: u32 = 0x00;
    /// `CTRL`: TT-link packets; without it, raw packets.
    pub const CTRL_PACKET_MODE: u32 = 1 << 1;
    /// `CTRL`, raw: go on at the buffer's start when it is full.
    pub const CTRL_BUF_WRAP: u32 = 1 << 2;
    /// `CTRL`: receive nothing.
    pub const CTRL_FORCE_BPRESSURE: u32 = 1 << 3;
    /// Raw: offset where the next packet goes.
    pub const BUF_PTR: u32 = 0x08;
    /// Raw: buffer, in 16 bytes.
    pub const BUF_START_WORD_ADDR: u32 = 0x0C;
    /// Raw: bytes of the buffer, divided by 16.
    pub const BUF_SIZE_WORDS: u32 = 0x10;
    /// Counter: packets.
    pub const PKT_END_CNT: u32 = 0x28;
    /// TT-link: next sequence number.
    pub const LOCAL_RX_SEQ_NUM: u32 = 0x40;
    /// TT-link: last acknowledgement.
    pub const REMOTE_RX_SEQ_NUM: u32 = 0x44;
    /// Overlay message header.
    pub const TILE_HEADER_FORMAT: u32 = 0x48;
    /// Counter: packets thrown away.
    pub const PACKET_DROP_CNT: u32 = 0x4C;
    /// Data received and not yet in L1, in 32 bytes.
    pub const OUTSTANDING_WR_CNT: u32 = 0x50;
}

/// What the base firmware (6.14.0) leaves in L1, and looks for there.
pub mod firmware {
    /// Counts in its lower half while the firmware runs; the upper half is [`HEARTBEAT_MARK`].
    pub const HEARTBEAT: u32 = 0x1C;
    /// Says that this is the base firmware (the vendor's user-mode driver, `erisc_firmware.hpp`).
    pub const HEARTBEAT_MARK: u32 = 0xABCD << 16;
    /// Version word.
    pub const VERSION: u32 = 0x210;
    /// Version 6.14.0: major in bits 23:16, minor in 15:12.
    pub const VERSION_6_14_0: u32 = 6 << 16 | 14 << 12;
    /// 1: routing is switched off.
    pub const ROUTING_OFF: u32 = 0x104C;
    /// Where this chip and the other one are in the mesh of chips.
    pub const NODE_INFO: u32 = 0x1100;
    /// [`NODE_INFO`], word of the link's state: 1 trained, 3 not connected.
    pub const TRAIN_STATUS: u32 = NODE_INFO + 4;
    /// [`TRAIN_STATUS`] of a link that works.
    pub const TRAIN_SUCCESS: u32 = 1;
    /// [`TRAIN_STATUS`] of a link with nothing at its other end.
    pub const TRAIN_NOT_CONNECTED: u32 = 3;
    /// [`NODE_INFO`], word of this chip: rack 7:0, shelf 15:8, x 23:16, y 31:24.
    pub const LOCAL_PLACE: u32 = NODE_INFO + 4 * 2;
    /// [`LOCAL_PLACE`]: lowest bits of the chip's x and y, eight bits each.
    pub const LOCAL_PLACE_SHIFTS: [u32; 2] = [16, 24];
    /// [`NODE_INFO`], word of the other chip: its tile's x 9:4, y 15:10, the chip's x 21:16, y 27:22.
    pub const REMOTE_PLACE: u32 = NODE_INFO + 4 * 9;
    /// [`REMOTE_PLACE`]: lowest bits of the chip's x and y, six bits each.
    pub const REMOTE_PLACE_SHIFTS: [u32; 2] = [16, 22];
    /// [`REMOTE_PLACE`]: lowest bits of x and y of the tile at the other end, six bits each.
    pub const REMOTE_TILE_SHIFTS: [u32; 2] = [4, 10];
    /// [`NODE_INFO`], word of the other chip: rack 7:0, shelf 15:8.
    pub const REMOTE_RACK: u32 = NODE_INFO + 4 * 10;
    /// Sixteen words, one a channel: 1 not connected, above 2 connected.
    pub const CONNECTION_INFO: u32 = 0x1200;
    /// [`CONNECTION_INFO`] of a channel with nothing at its other end.
    pub const UNCONNECTED: u32 = 1;
    /// [`CONNECTION_INFO`] of a channel with a chip at its other end.
    pub const CONNECTED: u32 = 3;
    /// Why a link does not work: 13, the port is not there.
    pub const LINK_ERROR: u32 = 0x1440;
    /// See [`LINK_ERROR`].
    pub const LINK_ERROR_NOT_POPULATED: u32 = 13;
    /// Results of the link's training; words of boards and chips in it follow.
    pub const RESULTS: u32 = 0x1EC0;
    /// This chip: id of the board (32 bits of it) and, in the next word, number of the chip.
    pub const LOCAL_BOARD_ID: u32 = RESULTS + 4 * 64;
    /// This board's type.
    pub const LOCAL_BOARD_TYPE: u32 = RESULTS + 4 * 69;
    /// The other chip: id of the board and, in the next word, number of the chip.
    pub const REMOTE_BOARD_ID: u32 = RESULTS + 4 * 72;
    /// The other end's channel.
    pub const REMOTE_CHANNEL: u32 = RESULTS + 4 * 76;
    /// The other board's type.
    pub const REMOTE_BOARD_TYPE: u32 = RESULTS + 4 * 77;
    /// Set to 1 by the host: start the code at [`APP`]; back to 0: stop it.
    pub const LAUNCH_APP: u32 = 0x9004;
    /// Addresses of functions that an application calls to let the firmware go on.
    pub const FUNCTION_TABLE: u32 = 0x9020;
    /// Customers' code.
    pub const APP: u32 = 0x9040;
    /// Stack of customers' code: top of the private data RAM.
    pub const APP_STACK: u32 = crate::map::LOCAL_RAM_BASE + super::LOCAL_RAM_SIZE;
}

/// Queues of commands for memory of any chip that can be reached over links ("baseline data movement service"):
/// the host writes a command into the request queue of a chip that it can reach, and its firmware passes it on.
///
/// ```text
/// block -> BLOCKS[slot]   command -> request queue, COMMANDS[slot]   then WRITE_POINTER + 1   (the firmware moves READ_POINTER)
/// answers to reads: response queue, WRITE_POINTER moves, then FLAGS of the slot are set; the host moves READ_POINTER
/// ```
/// A slot is a pointer modulo `COMMAND_COUNT`. A queue is empty when its pointers are equal, and full when they differ by
/// `COMMAND_COUNT`. Writes are done when the queue is empty and both of its counts of writes are equal. Words and blocks are
/// multiples of 4 bytes (`EthernetTile/L1.md`; the vendor's user-mode driver, `remote_communication_legacy_firmware.cpp`,
/// `wormhole_eth.hpp`).
pub mod routing {
    use crate::noc::NocXy;

    /// Request queue: four counters of 8 bytes, write and read pointer of 16 bytes each, four commands.
    pub const REQUEST_QUEUE: u32 = 0x1_1080;
    /// Bytes of a queue.
    pub const QUEUE_SIZE: u32 = 0xC0;
    /// Response queue, built alike.
    pub const RESPONSE_QUEUE: u32 = REQUEST_QUEUE + 2 * QUEUE_SIZE;
    /// Queue `+`: writes asked for; acknowledged in the next word.
    pub const WRITES_REQUESTED: u32 = 0x00;
    /// Queue `+`: writes acknowledged.
    pub const WRITES_ACKNOWLEDGED: u32 = 0x04;
    /// Queue `+`: write pointer, counts modulo [`POINTERS`].
    pub const WRITE_POINTER: u32 = 0x20;
    /// Queue `+`: read pointer, counts modulo [`POINTERS`].
    pub const READ_POINTER: u32 = 0x30;
    /// Queue `+`: commands.
    pub const COMMANDS: u32 = 0x40;
    /// Commands in a queue.
    pub const COMMAND_COUNT: u32 = 4;
    /// Pointers count through the commands twice, to tell a full queue from an empty one.
    pub const POINTERS: u32 = 2 * COMMAND_COUNT;
    /// Bytes of a command.
    pub const COMMAND_SIZE: u32 = 32;
    /// Command `+`: an [`Address`], 8 bytes.
    pub const ADDRESS: u32 = 0;
    /// Command `+`: the word, or the number of bytes of a block.
    pub const DATA: u32 = 8;
    /// Command `+`: [`Flags`].
    pub const FLAGS: u32 = 12;
    /// Command `+`: the chip's rack, x in the low byte and y in the high one.
    pub const RACK: u32 = 16;
    /// Command `+`: a block in host memory, as the PCIe tile shows it to the NoC.
    pub const HOST_BLOCK: u32 = 28;
    /// Blocks of commands that carry them here: one for each command of a queue.
    pub const BLOCKS: u32 = 0x1_2000;
    /// Bytes of a block in L1.
    pub const BLOCK_SIZE: u32 = 1024;
    /// What the address of a block is a multiple of; words may be at every multiple of 4.
    pub const BLOCK_ALIGN: u64 = 32;
    /// Bytes of a block in host memory.
    pub const HOST_BLOCK_SIZE: u32 = 32 << 10;

    /// Where a command goes: NoC address 35:0, tile x 41:36, y 47:42, chip x 53:48, y 59:54.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Address {
        /// Place of the chip in the mesh of chips.
        pub chip: NocXy,
        /// Tile, as host software counts.
        pub tile: NocXy,
        /// Address on the NoC.
        pub addr: u64,
    }

    impl Address {
        const ADDR_BITS: u32 = 36;

        /// As the firmware reads it.
        pub const fn encode(self) -> u64 {
            let Self { chip, tile, addr } = self;
            let places = [tile.x, tile.y, chip.x, chip.y];
            let (mut word, mut n) = (addr & ((1 << Self::ADDR_BITS) - 1), 0);
            while n < places.len() {
                word |= (places[n] as u64 & 63) << (Self::ADDR_BITS + 6 * n as u32);
                n += 1;
            }
            word
        }

        /// From what the firmware reads.
        pub const fn decode(word: u64) -> Self {
            let [tile_x, tile_y, chip_x, chip_y] = [
                (word >> Self::ADDR_BITS & 63) as u8,
                (word >> (Self::ADDR_BITS + 6) & 63) as u8,
                (word >> (Self::ADDR_BITS + 12) & 63) as u8,
                (word >> (Self::ADDR_BITS + 18) & 63) as u8,
            ];
            Self {
                chip: NocXy::new(chip_x, chip_y),
                tile: NocXy::new(tile_x, tile_y),
                addr: word & ((1 << Self::ADDR_BITS) - 1),
            }
        }
    }

    bitflags::bitflags! {
        /// Flags of a command.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct Flags: u32 {
            /// Write.
            const WRITE = 1 << 0;
            /// Acknowledgement of a write.
            const WRITE_ACK = 1 << 1;
            /// Read.
            const READ = 1 << 2;
            /// What was read.
            const READ_DATA = 1 << 3;
            /// The block is in host memory.
            const BLOCK_IN_HOST = 1 << 4;
            /// A block instead of a word.
            const BLOCK = 1 << 6;
            /// To many chips.
            const BROADCAST = 1 << 7;
            /// Over NoC 1.
            const NOC_1 = 1 << 9;
            /// After all commands before it.
            const ORDERED = 1 << 12;
            /// Answer: no way leads to the chip.
            const UNREACHABLE = 1 << 31;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::routing::Address;
    use crate::noc::NocXy;

    #[test]
    fn addresses_of_commands_have_six_bits_for_each_place() {
        let to = Address { chip: NocXy::new(1, 2), tile: NocXy::new(25, 18), addr: 0xF_1234_5678 };
        let word = 2 << 54 | 1 << 48 | 18 << 42 | 25 << 36 | 0xF_1234_5678;
        assert_eq!((to.encode(), Address::decode(word)), (word, to));
    }
}
