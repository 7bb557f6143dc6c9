//! A tile's network interfaces: registers and counters (`NoC/MemoryMap.md`, `NoC/Counters.md`).
//!
//! A store to `CMD_CTRL` translates the coordinates in the initiator's registers and makes a [`Request`],
//! which waits in the tile's outbox. The NIU accepts it at once, so `CMD_CTRL` always reads zero.

use tt_isa::noc::{CMD_BUFS, Ctrl, NiuCfg, NiuMap, NocXy, TRANSACTION_IDS, Translation, reg, tag};

use super::request::Registers;
use super::{Action, MEMORY_MAP, Remote, Request};
use crate::fault::Fault;

/// From [`reg::NIU_CFG_0`] to the counters; a chip has them up to its `id_logical`.
const CONFIG_WORDS: usize = (reg::MST_ATOMIC_RESP_RECEIVED - reg::NIU_CFG_0) as usize / 4;
const COUNTERS: usize = 64;
/// Counters of outstanding and outgoing requests are this wide.
const ID_COUNTER_MASK: u32 = 0xFF;

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
        self.niu[noc].write(offset, value, &mut self.outbox)
    }
}

/// What firmware has set an NIU up with.
#[derive(Clone)]
pub struct NiuSetup {
    /// Its chip's registers and limits.
    pub map: &'static NiuMap,
    /// NoC 0 or 1.
    pub noc: u8,
    /// Its tile, as its NoC counts.
    pub position: NocXy,
    /// Its tile in translated space.
    pub logical: NocXy,
    /// `NODE_ID`.
    pub node_id: u32,
    /// `ENDPOINT_ID`.
    pub endpoint: u32,
    /// What coordinates of requests mean, as its NoC counts.
    pub translation: Translation,
    /// Columns and rows that receive no broadcasts.
    pub broadcast_off: [u32; 2],
    /// The tile is fused off.
    pub off: bool,
}

/// What makes requests.
#[derive(Default)]
struct Initiator {
    registers: Registers,
    /// What the registers say, if they have made it before, have not been written since, and would make the same one again.
    made: Option<Request>,
    /// It reads as busy until then, where time is kept.
    busy_until: u64,
}

/// Registers of one NIU.
pub struct Niu {
    map: &'static NiuMap,
    /// Words of an initiator's registers that exist, a bit each.
    initiator: u32,
    noc: u8,
    position: NocXy,
    node_id: u32,
    endpoint: u32,
    sets: [Initiator; CMD_BUFS as usize],
    config: [u32; CONFIG_WORDS],
    /// What the tables in `config` say.
    translation: Translation,
    counters: [u32; COUNTERS],
    /// Where the packets of an unfinished multi-request transaction go.
    linked: Option<(Remote, bool)>,
    /// The initiator that was started last.
    started: usize,
}

impl Niu {
    /// An NIU as firmware leaves it.
    pub fn new(setup: &NiuSetup) -> Self {
        let (map, registers) = (setup.map, &setup.map.registers);
        let mut config = [0; CONFIG_WORDS];
        let mut set = |register: u32, words: &[u32]| {
            config[(register - reg::NIU_CFG_0) as usize / 4..][..words.len()].copy_from_slice(words);
        };
        let off = if setup.off { NiuCfg::TILE_CLOCK_DISABLE } else { NiuCfg::empty() };
        set(reg::NIU_CFG_0, &[(NiuCfg::TRANSLATION_ENABLE | off).bits()]);
        set(reg::ROUTER_CFG_1, &[setup.broadcast_off[0]]);
        set(reg::ROUTER_CFG_3, &[setup.broadcast_off[1]]);
        let table = |table| map.table_words(table);
        set(registers.x_translate_table, &table(&setup.translation.x)[..map.table_registers()]);
        set(registers.y_translate_table, &table(&setup.translation.y)[..map.table_registers()]);
        set(registers.id_logical, &[id(setup.logical)]);
        let mut niu = Self {
            map,
            initiator: initiator(map),
            translation: setup.translation,
            noc: setup.noc,
            position: setup.position,
            node_id: setup.node_id,
            endpoint: setup.endpoint,
            sets: Default::default(),
            config,
            counters: [0; COUNTERS],
            linked: None,
            started: 0,
        };
        niu.read_tables();
        niu
    }

    /// Number of a configuration register.
    fn config_index(&self, offset: u32) -> Option<usize> {
        let words = (self.map.registers.id_logical - reg::NIU_CFG_0) as usize / 4 + 1;
        index(offset, reg::NIU_CFG_0, words)
    }

    /// Initiator and register in it at an offset.
    #[inline]
    fn initiator_at(&self, offset: u32) -> (usize, u32) {
        let stride = self.map.cmd_buf_stride;
        debug_assert!(stride.is_power_of_two());
        ((offset >> stride.trailing_zeros()) as usize, offset & (stride - 1))
    }

    /// Whether an initiator has this register, but for the one that starts it.
    fn is_initiator(&self, register: u32) -> bool {
        register.is_multiple_of(4) && self.initiator.checked_shr(register / 4).unwrap_or(0) & 1 == 1
    }

    fn config(&self, register: u32) -> u32 {
        self.config[(register - reg::NIU_CFG_0) as usize / 4]
    }

    /// The initiator that was started last is busy until the tile's clock has this value.
    pub fn keep_busy(&mut self, until: u64) {
        self.sets[self.started].busy_until = until;
    }

    /// Whether a register is `CMD_CTRL` of an initiator that is still busy at `clock`; the other ones read the same at any time.
    #[inline]
    pub fn is_busy(&self, offset: u32, clock: u64) -> bool {
        let (set, register) = self.initiator_at(offset);
        register == self.map.registers.cmd_ctrl
            && self.sets.get(set).is_some_and(|set| set.busy_until > clock)
    }

    /// Reads a register; of `CMD_CTRL` see [`Self::is_busy`].
    ///
    /// # Errors
    /// No such register.
    pub fn read(&self, offset: u32) -> Result<u32, Fault> {
        if let Some(n) = index(offset, reg::MST_ATOMIC_RESP_RECEIVED, COUNTERS) {
            return Ok(self.counters[n]);
        }
        if let Some(n) = self.config_index(offset) {
            return Ok(self.config[n]);
        }
        let (set, register) = self.initiator_at(offset);
        let registers = &self.map.registers;
        match self.sets.get(set) {
            _ if offset == reg::CMD_BUF_STATUS => Ok(0),
            Some(_) if register == registers.node_id => Ok(self.node_id),
            Some(_) if register == registers.endpoint_id => Ok(self.endpoint),
            Some(_) if register == registers.cmd_ctrl => Ok(0),
            Some(set) if self.is_initiator(register) => Ok(set.registers[register as usize / 4]),
            _ => Err(unmapped("read", offset)),
        }
    }

    /// Writes a register; a store to `CMD_CTRL` makes a request.
    ///
    /// # Errors
    /// No such register, or a bad request.
    pub fn write(&mut self, offset: u32, value: u32, outbox: &mut Vec<Request>) -> Result<(), Fault> {
        let (set, register) = self.initiator_at(offset);
        let registers = &self.map.registers;
        // First, since most stores go there.
        if set < self.sets.len() {
            if self.is_initiator(register) {
                let mask = if register == registers.packet_tag { tag::MASK } else { u32::MAX };
                let initiator = &mut self.sets[set];
                initiator.registers[register as usize / 4] = value & mask;
                initiator.made = None;
                return Ok(());
            }
            if register == registers.cmd_ctrl {
                return match value {
                    0 => Ok(()),
                    1 => self.initiate(set, outbox),
                    _ => Err(Fault::program(format!("CMD_CTRL = {value:#x}")).page(MEMORY_MAP)),
                };
            }
        }
        if let Some(n) = self.config_index(offset) {
            return self.write_config(n, value);
        }
        if offset == registers.clear_outstanding {
            for id in (0..TRANSACTION_IDS).filter(|id| value >> id & 1 != 0) {
                *self.counter(reg::MST_REQS_OUTSTANDING_ID + 4 * id) = 0;
            }
            return Ok(());
        }
        Err(unmapped("write", offset))
    }

    fn write_config(&mut self, n: usize, value: u32) -> Result<(), Fault> {
        let changed = NiuCfg::from_bits_retain(value ^ self.config[n]);
        if n == 0 && changed.contains(NiuCfg::TILE_CLOCK_DISABLE) {
            let what = format!("NIU_CFG_0 = {value:#x} stops or starts the clock of the tile");
            return Err(Fault::not_implemented(what).page(MEMORY_MAP));
        }
        self.config[n] = value;
        self.read_tables();
        // Coordinates may mean other tiles now.
        self.sets.iter_mut().for_each(|initiator| initiator.made = None);
        Ok(())
    }

    /// Reads what the tables in the configuration registers say.
    fn read_tables(&mut self) {
        let table = |first: u32| {
            let at = (first - reg::NIU_CFG_0) as usize / 4;
            self.map.table(&self.config[at..at + self.map.table_registers()])
        };
        let registers = &self.map.registers;
        (self.translation.x, self.translation.y) =
            (table(registers.x_translate_table), table(registers.y_translate_table));
    }

    fn initiate(&mut self, set: usize, outbox: &mut Vec<Request>) -> Result<(), Fault> {
        let mut request = match self.sets[set].made {
            Some(request) => request,
            None => self.make(set)?,
        };
        // The first one of a transaction has done that for the others.
        request.reserves &= self.linked.is_none();
        let c = self.sets[set].registers[self.map.registers.ctrl as usize / 4];
        self.check_linked(&request, Ctrl::from_bits_retain(c))?;
        self.count_initiated(&request);
        self.started = set;
        outbox.push(request);
        Ok(())
    }

    /// The request that an initiator's registers say.
    fn make(&mut self, set: usize) -> Result<Request, Fault> {
        let at = &self.map.registers;
        let mut same = true;
        for node in [at.targ_node, at.ret_node].map(|register| register as usize / 4) {
            let translated = self.translate_node(self.sets[set].registers[node]);
            same &= self.translate_node(translated) == translated;
            self.sets[set].registers[node] = translated;
        }
        let registers = &mut self.sets[set].registers;
        let request = Request::decode(self.map, self.noc, self.position, registers)?;
        // What splitting leaves behind.
        let passed = (request.packet_count() - 1) * request.limits.max_packet();
        if passed != 0 {
            registers[at.at_len_be as usize / 4] -= passed;
            for lo in [at.targ_lo, at.ret_lo] {
                let lo = &mut registers[lo as usize / 4];
                *lo = lo.wrapping_add(passed);
            }
        }
        self.sets[set].made = (same && passed == 0).then_some(request);
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

    /// Both coordinates of a register that names tiles, translated. The upper one means something in broadcasts only.
    fn translate_node(&self, node: u32) -> u32 {
        let (first, last) = self.map.tile_rect(node);
        let others = !self.map.node_rect(NocXy::new(63, 63), NocXy::new(63, 63));
        node & others | self.map.node_rect(self.translate(first), self.translate(last))
    }

    /// A coordinate that software uses, as this NoC counts. What the translation table does not have stays as it is,
    /// outside the grid.
    pub fn translate(&self, xy: NocXy) -> NocXy {
        if !self.flags().contains(NiuCfg::TRANSLATION_ENABLE) {
            return xy;
        }
        self.map.position(&self.translation, xy)
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

/// The words of an initiator's registers that a chip has, a bit each.
fn initiator(map: &NiuMap) -> u32 {
    let r = &map.registers;
    let low = [r.targ_lo, r.targ_mid, r.targ_node, r.ret_lo, r.ret_mid, r.ret_node];
    let high = [r.packet_tag, r.ctrl, r.at_len_be, r.at_data];
    let all = low.into_iter().chain(high).chain(r.brcst_exclude);
    all.fold(0, |words, register| words | 1 << (register / 4))
}

fn unmapped(what: &str, offset: u32) -> Fault {
    Fault::not_implemented(format!("{what} of NIU register {offset:#x}")).page(MEMORY_MAP)
}
