//! A tile's network interfaces: registers and counters (`NoC/MemoryMap.md`, `NoC/Counters.md`).
//!
//! A store to `CMD_CTRL` translates the coordinates in the initiator's registers and makes a [`Request`],
//! which waits in the tile's outbox. The NIU accepts it at once, so `CMD_CTRL` always reads zero.

use tt_isa::noc::{CMD_BUF_STRIDE, CMD_BUFS, Ctrl, MAX_PACKET, NiuCfg, NocXy, TRANSACTION_IDS, reg, tag};

use super::request::Registers;
use super::{Action, MEMORY_MAP, Remote, Request};
use crate::fault::Fault;

const CONFIG_WORDS: usize = (reg::NOC_ID_LOGICAL - reg::NIU_CFG_0) as usize / 4 + 1;
const COUNTERS: usize = 64;
/// Counters of outstanding and outgoing requests are this wide.
const ID_COUNTER_MASK: u32 = 0xFF;
/// Entries of a translation table.
const TRANSLATED: u8 = 32;
/// Firmware leaves entries from here on unused, and zero.
const UNUSED_X: u8 = 26;
const UNUSED_Y: u8 = 28;

/// Both NIUs of a tile, and the requests that they have not delivered yet.
pub struct Port {
    /// By NoC.
    pub niu: [Niu; 2],
    /// In the order in which they were made.
    pub outbox: Vec<Request>,
}

impl Port {
    /// Two NIUs.
    pub fn new(niu: [Niu; 2]) -> Self {
        Self { niu, outbox: Vec::new() }
    }

    /// Writes a register of an NIU; requests go to the outbox.
    ///
    /// # Errors
    /// No such register, or a bad request.
    pub fn write(&mut self, noc: usize, offset: u32, value: u32) -> Result<(), Fault> {
        self.outbox.extend(self.niu[noc].write(offset, value)?);
        Ok(())
    }
}

/// What firmware has set an NIU up with.
#[derive(Clone)]
pub struct NiuSetup {
    /// NoC 0 or 1.
    pub noc: u8,
    /// Its tile, as its NoC counts.
    pub position: NocXy,
    /// Its tile in translated space.
    pub logical: NocXy,
    /// `NODE_ID` above the position.
    pub node_id: u32,
    /// `ENDPOINT_ID`.
    pub endpoint: u32,
    /// Translation tables of x and y.
    pub translation: [[u32; 4]; 2],
    /// Columns and rows that receive no broadcasts.
    pub broadcast_off: [u32; 2],
    /// The tile is fused off.
    pub off: bool,
}

/// Registers of one NIU.
pub struct Niu {
    noc: u8,
    position: NocXy,
    node_id: u32,
    endpoint: u32,
    sets: [Registers; CMD_BUFS as usize],
    config: [u32; CONFIG_WORDS],
    counters: [u32; COUNTERS],
    /// Where the packets of an unfinished multi-request transaction go.
    linked: Option<(Remote, bool)>,
}

impl Niu {
    /// An NIU as firmware leaves it.
    pub fn new(setup: &NiuSetup) -> Self {
        let mut config = [0; CONFIG_WORDS];
        let mut set = |register: u32, words: &[u32]| {
            config[(register - reg::NIU_CFG_0) as usize / 4..][..words.len()].copy_from_slice(words);
        };
        let off = if setup.off { NiuCfg::TILE_CLOCK_DISABLE } else { NiuCfg::empty() };
        set(reg::NIU_CFG_0, &[(NiuCfg::TRANSLATION_ENABLE | off).bits()]);
        set(reg::ROUTER_CFG_1, &[setup.broadcast_off[0]]);
        set(reg::ROUTER_CFG_3, &[setup.broadcast_off[1]]);
        set(reg::X_ID_TRANSLATE_TABLE_0, &setup.translation[0]);
        set(reg::Y_ID_TRANSLATE_TABLE_0, &setup.translation[1]);
        set(reg::NOC_ID_LOGICAL, &[id(setup.logical)]);
        Self {
            noc: setup.noc,
            position: setup.position,
            node_id: id(setup.position) | setup.node_id,
            endpoint: setup.endpoint,
            sets: Default::default(),
            config,
            counters: [0; COUNTERS],
            linked: None,
        }
    }

    fn config(&self, register: u32) -> u32 {
        self.config[(register - reg::NIU_CFG_0) as usize / 4]
    }

    /// Reads a register.
    ///
    /// # Errors
    /// No such register.
    pub fn read(&self, offset: u32) -> Result<u32, Fault> {
        if let Some(n) = index(offset, reg::MST_ATOMIC_RESP_RECEIVED, COUNTERS) {
            return Ok(self.counters[n]);
        }
        if let Some(n) = index(offset, reg::NIU_CFG_0, CONFIG_WORDS) {
            return Ok(self.config[n]);
        }
        let (set, register) = (offset / CMD_BUF_STRIDE, offset % CMD_BUF_STRIDE);
        match (register, self.sets.get(set as usize)) {
            (reg::NODE_ID, Some(_)) => Ok(self.node_id),
            (reg::ENDPOINT_ID, Some(_)) => Ok(self.endpoint),
            (reg::CMD_CTRL, Some(_)) => Ok(0),
            (reg::CMD_BUF_STATUS, _) if set == 0 => Ok(0),
            (_, Some(set)) if is_initiator(register) => Ok(set[register as usize / 4]),
            _ => Err(unmapped("read", offset)),
        }
    }

    /// Writes a register; a store to `CMD_CTRL` makes a request.
    ///
    /// # Errors
    /// No such register, or a bad request.
    pub fn write(&mut self, offset: u32, value: u32) -> Result<Option<Request>, Fault> {
        if let Some(n) = index(offset, reg::NIU_CFG_0, CONFIG_WORDS) {
            let changed = NiuCfg::from_bits_retain(value ^ self.config[n]);
            if n == 0 && changed.contains(NiuCfg::TILE_CLOCK_DISABLE) {
                let what = format!("NIU_CFG_0 = {value:#x} stops or starts the clock of the tile");
                return Err(Fault::not_implemented(what).page(MEMORY_MAP));
            }
            self.config[n] = value;
            return Ok(None);
        }
        if offset == reg::CLEAR_OUTSTANDING_REQ_CNT {
            for id in (0..TRANSACTION_IDS).filter(|id| value >> id & 1 != 0) {
                *self.counter(reg::MST_REQS_OUTSTANDING_ID + 4 * id) = 0;
            }
            return Ok(None);
        }
        let (set, register) = ((offset / CMD_BUF_STRIDE) as usize, offset % CMD_BUF_STRIDE);
        if set >= self.sets.len() {
            return Err(unmapped("write", offset));
        }
        match (register, value) {
            (reg::CMD_CTRL, 0) => Ok(None),
            (reg::CMD_CTRL, 1) => self.initiate(set).map(Some),
            (reg::CMD_CTRL, _) => Err(Fault::program(format!("CMD_CTRL = {value:#x}")).page(MEMORY_MAP)),
            _ if is_initiator(register) => {
                let mask = if register == reg::PACKET_TAG { tag::MASK } else { u32::MAX };
                self.sets[set][register as usize / 4] = value & mask;
                Ok(None)
            }
            _ => Err(unmapped("write", offset)),
        }
    }

    fn initiate(&mut self, set: usize) -> Result<Request, Fault> {
        for mid in [reg::TARG_ADDR_MID, reg::RET_ADDR_MID] {
            let word = self.sets[set][mid as usize / 4];
            self.sets[set][mid as usize / 4] = self.translate_mid(word);
        }
        let registers = &mut self.sets[set];
        let request = Request::decode(self.noc, self.position, registers)?;
        let c = Ctrl::from_bits_retain(registers[reg::CTRL as usize / 4]);
        // What splitting leaves behind.
        let passed = (request.packet_count() - 1) * MAX_PACKET;
        if passed != 0 {
            registers[reg::AT_LEN_BE as usize / 4] -= passed;
            for lo in [reg::TARG_ADDR_LO, reg::RET_ADDR_LO] {
                let lo = &mut registers[lo as usize / 4];
                *lo = lo.wrapping_add(passed);
            }
        }
        self.check_linked(&request, c)?;
        self.count_initiated(&request);
        Ok(request)
    }

    /// Packets of one transaction go to the same place on the same way.
    fn check_linked(&mut self, request: &Request, c: Ctrl) -> Result<(), Fault> {
        let way = (request.remote, c.contains(Ctrl::BRCST_XY));
        if let Some(linked) = self.linked.filter(|&linked| linked != way) {
            let what = format!(
                "request to {:?} within a linked transaction to {:?}: the NoC would stop for good",
                request.remote, linked.0
            );
            return Err(Fault::program(what).page(MEMORY_MAP));
        }
        self.linked = c.contains(Ctrl::VC_LINKED).then_some(way);
        Ok(())
    }

    /// Both coordinates of a `*_ADDR_MID` word, translated. The upper one means something in broadcasts only.
    fn translate_mid(&self, mid: u32) -> u32 {
        let last = self.translate(NocXy::from_mid(mid));
        let first = self.translate(NocXy::from_mid(mid >> 12));
        mid & 0xF000_000F | first.mid_rect(last)
    }

    /// A coordinate that software uses, as this NoC counts. What the translation table does not have stays as it is,
    /// outside the grid.
    pub fn translate(&self, xy: NocXy) -> NocXy {
        if !self.flags().contains(NiuCfg::TRANSLATION_ENABLE) {
            return xy;
        }
        NocXy::new(
            self.entry(reg::X_ID_TRANSLATE_TABLE_0, xy.x, UNUSED_X),
            self.entry(reg::Y_ID_TRANSLATE_TABLE_0, xy.y, UNUSED_Y),
        )
    }

    fn entry(&self, table: u32, v: u8, unused: u8) -> u8 {
        if v >= TRANSLATED {
            return v;
        }
        let word = self.config(table + u32::from(v / 8) * 4);
        let entry = (word >> (v % 8 * 4) & 15) as u8;
        if entry == 0 && v >= unused { v } else { entry }
    }

    fn flags(&self) -> NiuCfg {
        NiuCfg::from_bits_retain(self.config(reg::NIU_CFG_0))
    }

    /// Whether this NIU receives broadcasts.
    pub fn receives_broadcasts(&self) -> bool {
        let off = self.config(reg::ROUTER_CFG_1) >> self.position.x
            | self.config(reg::ROUTER_CFG_3) >> self.position.y;
        off & 1 == 0
    }

    /// Whether it ignores [`Request::header_store`], where it is neither a Tensix nor an Ethernet tile's.
    pub fn ignores_header_store(&self) -> bool {
        self.flags().contains(NiuCfg::DOUBLE_STORE_DISABLE)
    }

    fn counter(&mut self, register: u32) -> &mut u32 {
        &mut self.counters[(register - reg::MST_ATOMIC_RESP_RECEIVED) as usize / 4]
    }

    fn add(&mut self, register: u32, n: u32) {
        let counter = self.counter(register);
        *counter = counter.wrapping_add(n);
    }

    fn add_id(&mut self, table: u32, id: u32, n: u32) {
        let counter = self.counter(table + 4 * id);
        *counter = counter.wrapping_add(n) & ID_COUNTER_MASK;
    }

    /// Counts a request with all its packets.
    fn count_initiated(&mut self, request: &Request) {
        let packets = request.packet_count();
        self.add(reg::MST_CMD_ACCEPTED, packets);
        if request.respond {
            self.add_id(reg::MST_REQS_OUTSTANDING_ID, request.tag, packets);
        }
        match request.action {
            Action::Read => {
                self.add(reg::MST_RD_REQ_STARTED, packets);
                self.add(reg::MST_RD_REQ_SENT, packets);
            }
            Action::Atomic(_) if request.respond => {
                self.add(reg::MST_NONPOSTED_ATOMIC_STARTED, 1);
                self.add(reg::MST_NONPOSTED_ATOMIC_SENT, 1);
            }
            Action::Atomic(_) => self.add(reg::MST_POSTED_ATOMIC_SENT, 1),
            _ => {
                let [started, sent, _] = write_sent(request.respond);
                self.add(started, packets);
                match request.action {
                    Action::WriteInline { .. } => self.add(sent, 1),
                    _ => self.add_id(reg::MST_WRITE_REQS_OUTGOING_ID, request.tag, packets),
                }
            }
        }
    }

    /// Counts a write's packet whose data has left the tile.
    pub fn count_departed(&mut self, packet: &Request) {
        let [_, sent, words] = write_sent(packet.respond);
        self.add(sent, 1);
        self.add(words, packet.flits());
        self.add_id(reg::MST_WRITE_REQS_OUTGOING_ID, packet.tag, u32::MAX);
    }

    /// Counts, where packets of reads went to, their arrival and the data sent back.
    pub fn count_reads(&mut self, packets: u32, flits: u32) {
        self.add(reg::SLV_REQ_ACCEPTED, packets);
        self.add(reg::SLV_RD_REQ_RECEIVED, packets);
        self.add(reg::SLV_RD_RESP_SENT, packets);
        self.add(reg::SLV_RD_DATA_WORD_SENT, flits);
    }

    /// Counts responses to packets of reads with a transaction id.
    pub fn count_read_responses(&mut self, packets: u32, flits: u32, id: u32) {
        self.add(reg::MST_RD_RESP_RECEIVED, packets);
        self.add(reg::MST_RD_DATA_WORD_RECEIVED, flits);
        self.add_id(reg::MST_REQS_OUTSTANDING_ID, id, packets.wrapping_neg());
    }

    /// Counts, where a packet went to, its arrival and its response.
    pub fn count_arrived(&mut self, packet: &Request) {
        match packet.action {
            Action::Read => self.count_reads(1, packet.flits()),
            Action::Atomic(_) => {
                self.add(reg::SLV_REQ_ACCEPTED, 1);
                if packet.respond {
                    self.add(reg::SLV_NONPOSTED_ATOMIC_RECEIVED, 1);
                    self.add(reg::SLV_ATOMIC_RESP_SENT, 1);
                } else {
                    self.add(reg::SLV_POSTED_ATOMIC_RECEIVED, 1);
                }
            }
            _ if packet.respond => {
                self.add(reg::SLV_NONPOSTED_WR_REQ_STARTED, 1);
                self.add(reg::SLV_NONPOSTED_WR_REQ_RECEIVED, 1);
                self.add(reg::SLV_NONPOSTED_WR_DATA_WORD_RECEIVED, packet.flits());
                self.add(reg::SLV_WR_ACK_SENT, 1);
            }
            _ => {
                self.add(reg::SLV_POSTED_WR_REQ_STARTED, 1);
                self.add(reg::SLV_POSTED_WR_REQ_RECEIVED, 1);
                self.add(reg::SLV_POSTED_WR_DATA_WORD_RECEIVED, packet.flits());
            }
        }
    }

    /// Counts the responses to a packet; a broadcast has one from each receiver. `id` is the transaction id that
    /// they carry.
    pub fn count_responses(&mut self, packet: &Request, responses: u32, id: u32) {
        match packet.action {
            Action::Read => return self.count_read_responses(responses, responses * packet.flits(), id),
            Action::Atomic(_) => self.add(reg::MST_ATOMIC_RESP_RECEIVED, responses),
            _ => self.add(reg::MST_WR_ACK_RECEIVED, responses),
        }
        self.add_id(reg::MST_REQS_OUTSTANDING_ID, id, responses.wrapping_neg());
    }
}

/// Registers that count writes: started, sent, data flits sent.
fn write_sent(respond: bool) -> [u32; 3] {
    if respond {
        [
            reg::MST_NONPOSTED_WR_REQ_STARTED,
            reg::MST_NONPOSTED_WR_REQ_SENT,
            reg::MST_NONPOSTED_WR_DATA_WORD_SENT,
        ]
    } else {
        [reg::MST_POSTED_WR_REQ_STARTED, reg::MST_POSTED_WR_REQ_SENT, reg::MST_POSTED_WR_DATA_WORD_SENT]
    }
}

fn id(xy: NocXy) -> u32 {
    u32::from(xy.x) | u32::from(xy.y) << 6
}

fn index(offset: u32, first: u32, count: usize) -> Option<usize> {
    let n = offset.wrapping_sub(first) as usize / 4;
    (n < count && offset.is_multiple_of(4)).then_some(n)
}

fn is_initiator(register: u32) -> bool {
    matches!(
        register,
        reg::TARG_ADDR_LO
            | reg::TARG_ADDR_MID
            | reg::RET_ADDR_LO
            | reg::RET_ADDR_MID
            | reg::PACKET_TAG
            | reg::CTRL
            | reg::AT_LEN_BE
            | reg::AT_DATA
    )
}

fn unmapped(what: &str, offset: u32) -> Fault {
    Fault::not_implemented(format!("{what} of NIU register {offset:#x}")).page(MEMORY_MAP)
}
