//! Transmit and receive queues of an Ethernet tile (`EthernetTile/EthernetTxRx.md`).
//!
//! A command turns a transmit queue's registers into a [`Frame`]. Its data is read when it has left, between
//! quanta; where time is kept [`super::line`] says when. It always arrives; nothing is ever sent again. The length of headers is not documented, so the counters
//! of words on the wire are not implemented.

use tt_isa::eth::{L1_SIZE, PACKET_BYTES, QUEUES, rxq, txq};

use super::line::Passage;
use crate::fault::Fault;

/// Where all this is written.
pub const PAGE: &str = "EthernetTile/EthernetTxRx.md";
const QUEUE_COUNT: usize = QUEUES as usize;
const REGISTERS: usize = 0x70 / 4;

/// What a packet does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Bytes for the other tile's L1.
    L1Write {
        /// Address there.
        to: u32,
    },
    /// A word for one of the other tile's registers.
    MmioWrite {
        /// Address there.
        to: u32,
        /// The word.
        value: u32,
    },
    /// Bytes for the other queue's buffer.
    Raw,
}

/// A packet on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Both ends' queue.
    pub queue: usize,
    /// What it does.
    pub kind: Kind,
    /// Where its data is in the sender's L1.
    pub from: u32,
    /// Bytes of data.
    pub len: u32,
    /// When it goes over the link.
    pub passage: Passage,
}

/// Registers of all four queues.
pub struct Queues {
    transmit: [[u32; REGISTERS]; QUEUE_COUNT],
    receive: [[u32; REGISTERS]; QUEUE_COUNT],
}

impl Default for Queues {
    /// As firmware leaves them.
    fn default() -> Self {
        let mut queues =
            Self { transmit: [[0; REGISTERS]; QUEUE_COUNT], receive: [[0; REGISTERS]; QUEUE_COUNT] };
        for (queue, mac) in queues.transmit.iter_mut().zip(txq::DEST_MAC_FIRMWARE) {
            queue[txq::CTRL as usize / 4] = txq::CTRL_TT_LINK;
            queue[txq::DEST_MAC_ADDR_LO as usize / 4] = mac;
        }
        queues.receive[0][rxq::CTRL as usize / 4] = rxq::CTRL_PACKET_MODE;
        queues
    }
}

/// What a register is good for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    ReadWrite,
    ReadOnly,
}

fn transmit_use(offset: u32) -> Option<Use> {
    Some(match offset {
        txq::CTRL
        | txq::CMD
        | txq::MAX_PKT_SIZE_BYTES
        | txq::TRANSFER_START_ADDR
        | txq::TRANSFER_SIZE_BYTES
        | txq::DEST_ADDR
        | txq::REMOTE_REG_DATA..=txq::ETH_TYPE
        | txq::DATA_PACKET_ACCEPT_AHEAD
            if offset.is_multiple_of(4) =>
        {
            Use::ReadWrite
        }
        txq::TRANSFER_CNT | txq::PKT_START_CNT | txq::PKT_END_CNT => Use::ReadOnly,
        _ => return None,
    })
}

fn receive_use(offset: u32) -> Option<Use> {
    Some(match offset {
        rxq::CTRL
        | rxq::BUF_PTR
        | rxq::BUF_START_WORD_ADDR
        | rxq::BUF_SIZE_WORDS
        | rxq::TILE_HEADER_FORMAT => Use::ReadWrite,
        rxq::PKT_END_CNT
        | rxq::LOCAL_RX_SEQ_NUM
        | rxq::REMOTE_RX_SEQ_NUM
        | rxq::PACKET_DROP_CNT
        | rxq::OUTSTANDING_WR_CNT => Use::ReadOnly,
        _ => return None,
    })
}

impl Queues {
    /// Reads a register of a transmit queue.
    pub fn transmit_read(&self, n: usize, offset: u32) -> Result<u32, Fault> {
        transmit_use(offset).ok_or_else(|| unknown("transmit", offset))?;
        Ok(self.transmit[n][offset as usize / 4])
    }

    /// Writes a register of a transmit queue; a command makes a packet. The queue takes it at once, so the command
    /// reads zero again.
    pub fn transmit_write(&mut self, n: usize, offset: u32, value: u32) -> Result<Option<Frame>, Fault> {
        match transmit_use(offset).ok_or_else(|| unknown("transmit", offset))? {
            Use::ReadOnly => Ok(None),
            Use::ReadWrite if offset == txq::CMD => self.command(n, value).map(Some),
            Use::ReadWrite => {
                self.transmit[n][offset as usize / 4] = value;
                Ok(None)
            }
        }
    }

    fn command(&mut self, n: usize, command: u32) -> Result<Frame, Fault> {
        let [from, len, to, value] =
            [txq::TRANSFER_START_ADDR, txq::TRANSFER_SIZE_BYTES, txq::DEST_ADDR, txq::REMOTE_REG_DATA]
                .map(|register| self.transmit[n][register as usize / 4]);
        let passage = Passage::default();
        let program = |what: String| Err(Fault::program(what).page(PAGE));
        let frame = match command {
            txq::cmd::RAW => Frame { queue: n, kind: Kind::Raw, from, len, passage },
            txq::cmd::L1_WRITE => {
                if !(from | len | to).is_multiple_of(16) {
                    let what =
                        format!("packet of {len} bytes from {from:#x} to {to:#x}: not multiples of 16");
                    return program(what);
                }
                Frame { queue: n, kind: Kind::L1Write { to }, from, len, passage }
            }
            txq::cmd::MMIO_WRITE => {
                if n != 0 || !to.is_multiple_of(4) {
                    return program(format!("transmit queue {n} writes the register {to:#010x}"));
                }
                return Ok(self.sent(Frame {
                    queue: n,
                    kind: Kind::MmioWrite { to, value },
                    from: 0,
                    len: 0,
                    passage,
                }));
            }
            _ => return program(format!("ETH_TXQ_CMD = {command:#x}")),
        };
        if len == 0 || u64::from(from) + u64::from(len) > L1_SIZE.into() {
            return program(format!("packet of {len} bytes from {from:#x} of L1"));
        }
        Ok(self.sent(frame))
    }

    /// Bytes of data in a packet of a queue, at most.
    pub fn longest(&self, n: usize) -> u32 {
        match self.transmit[n][txq::MAX_PKT_SIZE_BYTES as usize / 4] {
            0 => PACKET_BYTES[1],
            longest => longest.min(PACKET_BYTES[1]),
        }
    }

    fn sent(&mut self, frame: Frame) -> Frame {
        let packets = frame.len.div_ceil(self.longest(frame.queue)).max(1);
        let mut count = |register: u32, by: u32| {
            let counter = &mut self.transmit[frame.queue][register as usize / 4];
            *counter = counter.wrapping_add(by);
        };
        count(txq::TRANSFER_CNT, 1);
        count(txq::PKT_START_CNT, packets);
        count(txq::PKT_END_CNT, packets);
        frame
    }

    /// Reads a register of a receive queue.
    pub fn receive_read(&self, n: usize, offset: u32) -> Result<u32, Fault> {
        receive_use(offset).ok_or_else(|| unknown("receive", offset))?;
        Ok(self.receive[n][offset as usize / 4])
    }

    /// Writes a register of a receive queue.
    pub fn receive_write(&mut self, n: usize, offset: u32, value: u32) -> Result<(), Fault> {
        if receive_use(offset).ok_or_else(|| unknown("receive", offset))? == Use::ReadWrite {
            self.receive[n][offset as usize / 4] = value;
        }
        Ok(())
    }

    /// Takes a packet in; whether it is to be carried out, and for a raw one the pieces of the buffer, address and
    /// length, that its bytes go to.
    pub fn receive(&mut self, frame: &Frame) -> Result<Received, Fault> {
        let set = &mut self.receive[frame.queue];
        let at = |register: u32| register as usize / 4;
        let ctrl = set[at(rxq::CTRL)];
        if ctrl & rxq::CTRL_FORCE_BPRESSURE != 0 {
            let what = format!("packet for receive queue {}, which is told not to receive", frame.queue);
            return Err(Fault::not_implemented(what).page(PAGE));
        }
        set[at(rxq::PKT_END_CNT)] = set[at(rxq::PKT_END_CNT)].wrapping_add(1);
        let packet_mode = ctrl & rxq::CTRL_PACKET_MODE != 0;
        if packet_mode != (frame.kind != Kind::Raw) {
            let what = format!(
                "{:?} for receive queue {}, which is in {} mode",
                frame.kind,
                frame.queue,
                if packet_mode { "TT-link" } else { "raw" }
            );
            return Err(Fault::program(what).page(PAGE));
        }
        if packet_mode {
            set[at(rxq::LOCAL_RX_SEQ_NUM)] = (set[at(rxq::LOCAL_RX_SEQ_NUM)] + 1) & 0xFF;
            return Ok(Received::Packet);
        }
        let size = set[at(rxq::BUF_SIZE_WORDS)].saturating_mul(16);
        let start = set[at(rxq::BUF_START_WORD_ADDR)].saturating_mul(16);
        let pointer = set[at(rxq::BUF_PTR)];
        let room = size.saturating_sub(pointer);
        if frame.len <= room {
            set[at(rxq::BUF_PTR)] += frame.len;
            if set[at(rxq::BUF_PTR)] == size && ctrl & rxq::CTRL_BUF_WRAP != 0 {
                set[at(rxq::BUF_PTR)] = 0;
            }
            return Ok(Received::Raw([(start.saturating_add(pointer), frame.len), (start, 0)]));
        }
        if ctrl & rxq::CTRL_BUF_WRAP != 0 && frame.len - room <= size {
            set[at(rxq::BUF_PTR)] = frame.len - room;
            return Ok(Received::Raw([(start.saturating_add(pointer), room), (start, frame.len - room)]));
        }
        set[at(rxq::PACKET_DROP_CNT)] = set[at(rxq::PACKET_DROP_CNT)].wrapping_add(1);
        Ok(Received::Dropped)
    }
}

/// What becomes of a packet that has arrived.
pub enum Received {
    /// It is carried out.
    Packet,
    /// Its bytes go to these pieces of L1, address and length.
    Raw([(u32, u32); 2]),
    /// Nothing: the buffer is full.
    Dropped,
}

impl super::EthernetTile {
    /// Takes a packet from the other end of the link, with its data.
    ///
    /// # Errors
    /// It goes where nothing is, or comes in a mode in which the queue is not.
    pub fn receive(&mut self, frame: &Frame, data: &[u8]) -> Result<(), Fault> {
        let position = self.position;
        self.receive_unlocated(frame, data).map_err(|fault| fault.in_tile(position))
    }

    fn receive_unlocated(&mut self, frame: &Frame, data: &[u8]) -> Result<(), Fault> {
        self.changes += 1;
        let beyond = |at: u32, len: usize| {
            Fault::program(format!("Ethernet packet of {len} bytes for {at:#x}, beyond L1")).page(PAGE)
        };
        match (self.queues.receive(frame)?, frame.kind) {
            (Received::Dropped, _) => Ok(()),
            (Received::Raw([(first, len), (second, _)]), _) => {
                let (head, tail) = data.split_at(len as usize);
                for (at, bytes) in [(first, head), (second, tail)] {
                    if !bytes.is_empty() && !self.write_l1(at, bytes) {
                        return Err(beyond(at, bytes.len()));
                    }
                }
                Ok(())
            }
            (Received::Packet, Kind::MmioWrite { to, value }) => self.register_write(to, value),
            (Received::Packet, Kind::L1Write { to }) => {
                if self.write_l1(to, data) {
                    Ok(())
                } else {
                    Err(beyond(to, data.len()))
                }
            }
            (Received::Packet, Kind::Raw) => Err(Fault::internal("raw packet in a TT-link queue")),
        }
    }
}

fn unknown(what: &str, offset: u32) -> Fault {
    Fault::not_implemented(format!("{what} queue register {offset:#x}")).page(PAGE)
}
