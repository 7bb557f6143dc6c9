//! The base firmware of an Ethernet tile, as far as host software sees it (`EthernetTile/L1.md`; layouts in
//! [`tt_isa::eth::firmware`] and [`tt_isa::eth::routing`]).
//!
//! It writes to L1 what it knows about its chip and about the other end of the link, starts and stops customers' code, and
//! executes commands that access memory of chips which the host cannot reach directly. The route of such a command over several
//! chips is not simulated: it takes effect at its destination, between quanta, where time is kept when it would have come there
//! (`fabric::routing`).

use tt_isa::eth::firmware::{
    APP, APP_STACK, CONNECTED, CONNECTION_INFO, FUNCTION_TABLE, HEARTBEAT, HEARTBEAT_MARK, LAUNCH_APP,
    LINK_ERROR, LINK_ERROR_NOT_POPULATED, LOCAL_BOARD_ID, LOCAL_BOARD_TYPE, LOCAL_PLACE, REMOTE_BOARD_ID,
    REMOTE_BOARD_TYPE, REMOTE_CHANNEL, REMOTE_PLACE, REMOTE_PLACE_SHIFTS, REMOTE_TILE_SHIFTS, ROUTING_OFF,
    TRAIN_NOT_CONNECTED, TRAIN_STATUS, TRAIN_SUCCESS, UNCONNECTED, VERSION, VERSION_6_14_0,
};
use tt_isa::eth::routing::{
    ADDRESS, Address, BLOCK_ALIGN, BLOCK_SIZE, BLOCKS, COMMAND_COUNT, COMMAND_SIZE, COMMANDS, DATA, FLAGS,
    Flags, HOST_BLOCK, HOST_BLOCK_SIZE, POINTERS, RACK, READ_POINTER, REQUEST_QUEUE, RESPONSE_QUEUE,
    WRITE_POINTER, WRITES_ACKNOWLEDGED, WRITES_REQUESTED,
};
use tt_isa::noc::NocXy;

use super::{Activity, EthernetTile};
use crate::fault::Fault;

const PAGE: &str = "EthernetTile/L1.md";
/// Where the core goes after reset, and where it stays when it has nothing to do.
const IDLE: u32 = 0x440;
/// What customers' code calls to let the firmware go on.
const YIELD: u32 = IDLE + 4;
/// `jal x0, IDLE` at address 0.
const JUMP_TO_IDLE: u32 = 0x4400_006F;
/// `jal x0, 0`.
const STAY: u32 = 0x0000_006F;
/// `jalr x0, 0(ra)`.
const RETURN: u32 = 0x0000_8067;
const FUNCTIONS: u32 = 8;
const RA: usize = 1;
const SP: usize = 2;
const POINTER_MASK: u32 = POINTERS - 1;

/// Whom a tile belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Number of the chip.
    pub chip: u32,
    /// Its place in the mesh of chips.
    pub place: NocXy,
    /// Id of its board.
    pub board_id: u64,
    /// Channel of the tile.
    pub channel: u32,
    /// The firmware passes commands on.
    pub routing: bool,
}

/// What the firmware keeps outside L1.
pub struct State {
    /// Customers' code has not taken its place.
    present: bool,
    /// It has started customers' code.
    launched: bool,
    /// The tile's change count when it last looked round.
    looked: u64,
}

impl Default for State {
    fn default() -> Self {
        Self { present: true, launched: false, looked: 0 }
    }
}

/// What a command wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// To write a word.
    WriteWord(u32),
    /// To read a word.
    ReadWord,
    /// To write so many bytes.
    WriteBlock(u32),
    /// To read so many bytes.
    ReadBlock(u32),
}

impl What {
    /// Whether it writes.
    pub const fn is_write(self) -> bool {
        matches!(self, Self::WriteWord(_) | Self::WriteBlock(_))
    }

    /// Bytes that go to the other tile, or come back.
    pub const fn len(self) -> u32 {
        match self {
            Self::WriteWord(_) | Self::ReadWord => 4,
            Self::WriteBlock(len) | Self::ReadBlock(len) => len,
        }
    }
}

/// A command of the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Command {
    /// Place of the chip in the mesh, and its rack.
    pub place: NocXy,
    /// Not zero: another rack.
    pub rack: u16,
    /// NoC that it goes over there.
    pub noc: u8,
    /// Tile, as software counts.
    pub tile: NocXy,
    /// Address there.
    pub addr: u64,
    /// What is to be done.
    pub what: What,
    /// The block is in host memory, at this offset of what the PCIe tile shows.
    pub host_block: Option<u32>,
    /// Number in its queue.
    slot: u32,
}

/// What came of a command.
pub enum Outcome {
    /// No way leads to the chip.
    Unreachable,
    /// Written.
    Written,
    /// A word.
    Word(u32),
    /// A block, which is in host memory already if the command says so.
    Block(Vec<u8>),
}

impl EthernetTile {
    fn put(&mut self, addr: u32, value: u32) {
        if let Some(bytes) = self.l1.get_mut(addr, 4) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    }

    fn word(&self, addr: u32) -> u32 {
        let bytes = self.l1.get(addr, 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    }

    /// The firmware boots: its traces in L1.
    pub(super) fn boot(&mut self, own: &Identity) {
        let words = [
            (0, JUMP_TO_IDLE),
            (IDLE, STAY),
            (YIELD, RETURN),
            (HEARTBEAT, HEARTBEAT_MARK | 1),
            (VERSION, VERSION_6_14_0),
            (ROUTING_OFF, u32::from(!own.routing)),
            (TRAIN_STATUS, TRAIN_NOT_CONNECTED),
            (LINK_ERROR, LINK_ERROR_NOT_POPULATED),
            (CONNECTION_INFO + 4 * own.channel, UNCONNECTED),
            (LOCAL_PLACE, u32::from(own.place.x) << 16 | u32::from(own.place.y) << 24),
            (LOCAL_BOARD_ID, mangled(own.board_id)),
            (LOCAL_BOARD_ID + 4, own.chip),
            (LOCAL_BOARD_TYPE, mangled(own.board_id)),
        ];
        let functions = (0..FUNCTIONS).map(|n| (FUNCTION_TABLE + 4 * n, YIELD));
        for (addr, word) in words.into_iter().chain(functions) {
            self.put(addr, word);
        }
    }

    /// The link is trained: the other end is `remote`, whose tile is at `tile`.
    pub fn connect(&mut self, channel: usize, remote: &Identity, tile: NocXy) {
        let NocXy { x, y } = remote.place;
        let [at_x, at_y] = REMOTE_TILE_SHIFTS;
        let tile = u32::from(tile.x) << at_x | u32::from(tile.y) << at_y;
        let [chip_x, chip_y] = REMOTE_PLACE_SHIFTS;
        let words = [
            (TRAIN_STATUS, TRAIN_SUCCESS),
            (LINK_ERROR, 0),
            (CONNECTION_INFO + 4 * channel as u32, CONNECTED),
            (REMOTE_PLACE, tile | u32::from(x) << chip_x | u32::from(y) << chip_y),
            (REMOTE_BOARD_ID, mangled(remote.board_id)),
            (REMOTE_BOARD_ID + 4, remote.chip),
            (REMOTE_CHANNEL, remote.channel),
            (REMOTE_BOARD_TYPE, mangled(remote.board_id)),
        ];
        for (addr, word) in words {
            self.put(addr, word);
        }
    }

    /// The core comes out of reset: the firmware again, if its first instruction is still there.
    pub(super) fn leave_reset(&mut self) {
        let present = self.word(0) == JUMP_TO_IDLE;
        self.firmware = State { present, looked: u64::MAX, ..State::default() };
        if present {
            self.activity = Activity::Firmware;
        } else {
            self.start(0);
        }
    }

    /// Whether something has happened that the firmware would look at.
    pub fn wants_service(&self) -> bool {
        self.firmware.present && self.activity != Activity::Reset && self.firmware.looked != self.changes
    }

    /// The heartbeat is read: it has gone on since it was read last.
    pub(super) fn beat(&mut self) {
        if self.firmware.present && self.activity != Activity::Reset {
            self.put(HEARTBEAT, HEARTBEAT_MARK | self.word(HEARTBEAT).wrapping_add(1) & 0xFFFF);
        }
    }

    /// The firmware looks round: customers' code to start or stop.
    pub fn look(&mut self) {
        self.firmware.looked = self.changes;
        let launch = self.word(LAUNCH_APP) == 1;
        if launch && !self.firmware.launched {
            self.start(APP);
            (self.hart.x[RA], self.hart.x[SP]) = (IDLE, APP_STACK);
        } else if !launch && self.firmware.launched {
            self.activity = Activity::Firmware;
        }
        self.firmware.launched = launch;
    }

    /// The next command that can be answered; `answers` to earlier ones are still to come.
    ///
    /// # Errors
    /// It is not one that the firmware knows.
    pub fn next_command(&self, answers: u32) -> Result<Option<Command>, Fault> {
        let read = self.word(REQUEST_QUEUE + READ_POINTER) & POINTER_MASK;
        let waiting = (self.word(REQUEST_QUEUE + WRITE_POINTER).wrapping_sub(read)) & POINTER_MASK;
        let responses =
            self.word(RESPONSE_QUEUE + WRITE_POINTER).wrapping_sub(self.word(RESPONSE_QUEUE + READ_POINTER))
                & POINTER_MASK;
        if waiting == 0 || responses + answers >= COMMAND_COUNT {
            return Ok(None);
        }
        let slot = read % COMMAND_COUNT;
        self.decode(slot).map(Some).map_err(|fault| fault.in_tile(self.position))
    }

    fn decode(&self, slot: u32) -> Result<Command, Fault> {
        let base = REQUEST_QUEUE + COMMANDS + COMMAND_SIZE * slot;
        let at = |field: u32| self.word(base + field);
        let (data, flags) = (at(DATA), Flags::from_bits_retain(at(FLAGS)));
        let to = Address::decode(u64::from(at(ADDRESS + 4)) << 32 | u64::from(at(ADDRESS)));
        let in_host = flags.contains(Flags::BLOCK_IN_HOST);
        let block = flags.contains(Flags::BLOCK);
        let known = Flags::BLOCK_IN_HOST | Flags::BLOCK | Flags::NOC_1 | Flags::ORDERED;
        let what = match (flags.difference(known), block) {
            (Flags::WRITE, false) => What::WriteWord(data),
            (Flags::READ, false) => What::ReadWord,
            (Flags::WRITE, true) => What::WriteBlock(data),
            (Flags::READ, true) => What::ReadBlock(data),
            _ => {
                let what = format!("Ethernet routing command with flags {:#x}", flags.bits());
                return Err(Fault::not_implemented(what).page(PAGE));
            }
        };
        let command = Command {
            place: to.chip,
            rack: at(RACK) as u16,
            noc: u8::from(flags.contains(Flags::NOC_1)),
            tile: to.tile,
            addr: to.addr,
            what,
            host_block: in_host.then(|| at(HOST_BLOCK)),
            slot,
        };
        let most = if in_host { HOST_BLOCK_SIZE } else { BLOCK_SIZE };
        if block && (data == 0 || data > most || !command.addr.is_multiple_of(BLOCK_ALIGN)) {
            let what = format!("Ethernet routing command for a block of {data} bytes at {:#x}", command.addr);
            return Err(Fault::program(what).page(PAGE));
        }
        Ok(command)
    }

    /// Bytes of the block that a command carries in L1.
    pub fn block(&self, command: &Command, len: u32) -> Vec<u8> {
        let block = self.l1.get(BLOCKS + BLOCK_SIZE * command.slot, len as usize);
        block.map_or_else(Vec::new, <[u8]>::to_vec)
    }

    /// A command has been taken out of its queue, and the queue goes on. A write that will be done is one that the host can wait for.
    pub fn taken(&mut self, command: &Command, reachable: bool) {
        if reachable && command.what.is_write() {
            self.count(WRITES_REQUESTED);
        }
        let read = (self.word(REQUEST_QUEUE + READ_POINTER) + 1) & POINTER_MASK;
        self.put(REQUEST_QUEUE + READ_POINTER, read);
        self.changes += 1;
    }

    fn count(&mut self, counter: u32) {
        self.put(REQUEST_QUEUE + counter, self.word(REQUEST_QUEUE + counter).wrapping_add(1));
    }

    /// Answers a command.
    pub fn answer(&mut self, command: &Command, outcome: &Outcome) {
        let block = if matches!(command.what, What::ReadBlock(_)) { Flags::BLOCK } else { Flags::empty() };
        let host = if command.host_block.is_some() { Flags::BLOCK_IN_HOST } else { Flags::empty() };
        match outcome {
            Outcome::Written => self.count(WRITES_ACKNOWLEDGED),
            Outcome::Unreachable => self.respond(Flags::UNREACHABLE, 0, &[]),
            Outcome::Word(word) => self.respond(Flags::READ_DATA, *word, &[]),
            Outcome::Block(_) if !host.is_empty() => self.respond(Flags::READ_DATA | block | host, 0, &[]),
            Outcome::Block(bytes) => self.respond(Flags::READ_DATA | block, 0, bytes),
        }
        self.changes += 1;
    }

    fn respond(&mut self, flags: Flags, word: u32, block: &[u8]) {
        let pointer = self.word(RESPONSE_QUEUE + WRITE_POINTER) & POINTER_MASK;
        let slot = pointer % COMMAND_COUNT;
        let base = RESPONSE_QUEUE + COMMANDS + COMMAND_SIZE * slot;
        if let Some(bytes) = self.l1.get_mut(BLOCKS + BLOCK_SIZE * slot, block.len()) {
            bytes.copy_from_slice(block);
        }
        self.put(base + DATA, word);
        self.put(base + FLAGS, flags.bits());
        self.put(RESPONSE_QUEUE + WRITE_POINTER, (pointer + 1) & POINTER_MASK);
    }
}

/// The 32 bits of a board's id that the firmware keeps.
fn mangled(id: u64) -> u32 {
    (id >> 4) as u32 & 0xF000_0000 | id as u32 & 0x0FFF_FFFF
}
