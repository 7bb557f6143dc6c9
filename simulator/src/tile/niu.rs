//! A tile's network interface: initiator registers, request encoding, counters (`NoC/MemoryMap.md`,
//! `NoC/Counters.md`, `NoC/Atomics.md`).
//!
//! A store to `CMD_CTRL` makes a [`Request`] of the initiator's registers. The chip carries it out between
//! quanta and then counts the response.

use tt_isa::noc::{CMD_BUF_STRIDE, CMD_BUFS, MAX_PACKET, NocXy, TRANSACTION_IDS, ctrl, reg};

use crate::fault::Fault;

const MEMORY_MAP: &str = "NoC/MemoryMap.md";
/// Words of an initiator's register set.
const SET_WORDS: usize = 11;
const CONFIG_FIRST: u32 = reg::NIU_CFG_0;
const CONFIG_WORDS: usize = 5;

/// What a request does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Target to return address.
    Read,
    /// Target (this tile) to return address.
    Write,
    /// `data` to the target address.
    WriteInline {
        /// The word.
        data: u32,
    },
    /// Adds to a word at the target; the old value goes to the return address.
    Increment {
        /// What is added.
        data: u32,
        /// Word within the 16 bytes that the address names.
        word: u32,
        /// The addition wraps at this bit (all bits below it and it).
        wrap: u32,
    },
}

/// One end of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// The `*_ADDR_MID` bits above the address.
    pub mid: u32,
    /// Address, 36 bits.
    pub addr: u64,
}

impl End {
    fn new(lo: u32, mid: u32) -> Self {
        Self { mid, addr: u64::from(mid & 15) << 32 | u64::from(lo) }
    }

    /// The tile, as the NoC numbers it.
    pub fn tile(&self) -> NocXy {
        NocXy::from_mid(self.mid)
    }

    /// First and last tile of a multicast rectangle.
    pub fn rect(&self) -> (NocXy, NocXy) {
        (NocXy::from_mid(self.mid >> 12), NocXy::from_mid(self.mid))
    }
}

/// A request on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// NoC 0 or 1.
    pub noc: u8,
    /// What it does.
    pub action: Action,
    /// Where data comes from (of writes: this tile), or what is changed.
    pub target: End,
    /// Where data goes.
    pub ret: End,
    /// Bytes.
    pub len: u32,
    /// A response is wanted and counted.
    pub respond: bool,
    /// The destination is a rectangle of tiles.
    pub multicast: bool,
    /// The rectangle includes the sender.
    pub include_self: bool,
    /// Transaction id.
    pub tag: u32,
}

/// Registers of one NIU.
pub struct Niu {
    position: NocXy,
    sets: [[u32; SET_WORDS]; CMD_BUFS as usize],
    config: [u32; CONFIG_WORDS],
    atomic_responses: u32,
    write_acks: u32,
    read_responses: u32,
    posted_atomics: u32,
    nonposted_writes: u32,
    posted_writes: u32,
    /// Eight bits wide, and they wrap.
    outstanding: [u8; TRANSACTION_IDS as usize],
}

impl Niu {
    /// An NIU of the tile at `position`, as its NoC numbers it.
    pub fn new(position: NocXy) -> Self {
        Self {
            position,
            sets: Default::default(),
            config: [0; CONFIG_WORDS],
            atomic_responses: 0,
            write_acks: 0,
            read_responses: 0,
            posted_atomics: 0,
            nonposted_writes: 0,
            posted_writes: 0,
            outstanding: [0; TRANSACTION_IDS as usize],
        }
    }

    /// Reads a register.
    pub fn read(&self, offset: u32, logical: NocXy) -> Result<u32, Fault> {
        let id = |xy: NocXy| u32::from(xy.x) | u32::from(xy.y) << 6;
        // Grid size above the position, as the router reports it.
        const GRID: u32 = 10 << 12 | 12 << 19;
        Ok(match offset {
            reg::NODE_ID => id(self.position) | GRID,
            reg::NOC_ID_LOGICAL => id(logical),
            reg::MST_ATOMIC_RESP_RECEIVED => self.atomic_responses,
            reg::MST_WR_ACK_RECEIVED => self.write_acks,
            reg::MST_RD_RESP_RECEIVED => self.read_responses,
            reg::MST_POSTED_ATOMIC_SENT => self.posted_atomics,
            reg::MST_NONPOSTED_WR_REQ_SENT => self.nonposted_writes,
            reg::MST_POSTED_WR_REQ_SENT => self.posted_writes,
            _ => {
                if let Some(word) = config_index(offset) {
                    return Ok(self.config[word]);
                }
                let id = offset.wrapping_sub(reg::MST_REQS_OUTSTANDING_ID) / 4;
                if id < TRANSACTION_IDS && offset.is_multiple_of(4) {
                    return Ok(self.outstanding[id as usize].into());
                }
                let (set, word) = set_index(offset)?;
                self.sets[set][word]
            }
        })
    }

    /// Writes a register; a store to `CMD_CTRL` makes a request.
    pub fn write(&mut self, noc: u8, offset: u32, value: u32) -> Result<Option<Request>, Fault> {
        if let Some(word) = config_index(offset) {
            self.config[word] = value;
            return Ok(None);
        }
        let (set, word) = set_index(offset)?;
        if word as u32 * 4 == reg::CMD_CTRL {
            if value != 1 {
                return Err(Fault::program(format!("CMD_CTRL = {value:#x}")).page(MEMORY_MAP));
            }
            let request = encode(noc, &self.sets[set])?;
            self.count_sent(&request);
            return Ok(Some(request));
        }
        self.sets[set][word] = value;
        Ok(None)
    }

    fn count_sent(&mut self, request: &Request) {
        let counter = match (request.action, request.respond) {
            (Action::Write | Action::WriteInline { .. }, true) => &mut self.nonposted_writes,
            (Action::Write | Action::WriteInline { .. }, false) => &mut self.posted_writes,
            (Action::Increment { .. }, false) => &mut self.posted_atomics,
            _ => &mut 0,
        };
        *counter = counter.wrapping_add(1);
        if request.respond {
            let outstanding = &mut self.outstanding[request.tag as usize];
            *outstanding = outstanding.wrapping_add(1);
        }
    }

    /// Counts the responses of a finished request; a multicast has one from each of its `receivers`.
    pub fn count_response(&mut self, request: &Request, receivers: u32) {
        if !request.respond {
            return;
        }
        let counter = match request.action {
            Action::Read => &mut self.read_responses,
            Action::Write | Action::WriteInline { .. } => &mut self.write_acks,
            Action::Increment { .. } => &mut self.atomic_responses,
        };
        *counter = counter.wrapping_add(receivers);
        let outstanding = &mut self.outstanding[request.tag as usize];
        *outstanding = outstanding.wrapping_sub(receivers as u8);
    }
}

fn config_index(offset: u32) -> Option<usize> {
    let word = offset.wrapping_sub(CONFIG_FIRST) as usize / 4;
    (word < CONFIG_WORDS && offset.is_multiple_of(4)).then_some(word)
}

fn set_index(offset: u32) -> Result<(usize, usize), Fault> {
    let (set, word) = ((offset / CMD_BUF_STRIDE) as usize, (offset % CMD_BUF_STRIDE / 4) as usize);
    if set < CMD_BUFS as usize && word < SET_WORDS && offset.is_multiple_of(4) {
        Ok((set, word))
    } else {
        Err(Fault::not_implemented(format!("NIU register {offset:#x}")).page(MEMORY_MAP))
    }
}

fn encode(noc: u8, set: &[u32; SET_WORDS]) -> Result<Request, Fault> {
    let at = |register: u32| set[register as usize / 4];
    let c = at(reg::CTRL);
    let target = End::new(at(reg::TARG_ADDR_LO), at(reg::TARG_ADDR_MID));
    let ret = End::new(at(reg::RET_ADDR_LO), at(reg::RET_ADDR_MID));
    let (len_be, data) = (at(reg::AT_LEN_BE), at(reg::AT_DATA));
    if c & (ctrl::WR_BE) != 0 {
        return Err(Fault::not_implemented("a NoC write with byte enables").page(MEMORY_MAP));
    }
    let action = if c & ctrl::AT != 0 {
        atomic(len_be, data)?
    } else if c & ctrl::WR == 0 {
        Action::Read
    } else if c & ctrl::WR_INLINE != 0 {
        Action::WriteInline { data }
    } else {
        Action::Write
    };
    let multicast = c & ctrl::BRCST_PACKET != 0;
    if multicast && !matches!(action, Action::Write | Action::WriteInline { .. }) {
        return Err(Fault::not_implemented(format!("a NoC multicast of {action:?}")).page(MEMORY_MAP));
    }
    let len = if matches!(action, Action::Read | Action::Write) { len_be } else { 4 };
    if len == 0 || len > MAX_PACKET {
        return Err(Fault::program(format!("NoC request of {len} bytes")).page(MEMORY_MAP));
    }
    Ok(Request {
        noc,
        action,
        target,
        ret,
        len,
        respond: action == Action::Read || c & ctrl::RESP_MARKED != 0,
        multicast,
        include_self: c & ctrl::BRCST_SRC_INCLUDE != 0,
        tag: at(reg::PACKET_TAG) >> 10 & (TRANSACTION_IDS - 1),
    })
}

/// An atomic's operation: bits 15:12 of `AT_LEN_BE`; 1 is an increment that wraps at bit 6:2.
fn atomic(len_be: u32, data: u32) -> Result<Action, Fault> {
    match len_be >> 12 & 15 {
        1 => Ok(Action::Increment { data, word: len_be & 3, wrap: len_be >> 2 & 31 }),
        other => Err(Fault::not_implemented(format!("NoC atomic operation {other}")).page("NoC/Atomics.md")),
    }
}
