//! The other end of QEMU's `x-pci-proxy-dev`: it takes accesses to a PCI device from a socket and makes them on a simulated chip
//! (QEMU, `docs/devel/multi-process.rst`, `hw/remote/mpqemu-link.h`).
//!
//! A message is a header (command, padding, bytes that follow) and data; descriptors come along with the message about memory. Reads, and
//! writes too, are answered by a value.
//!
//! Time passes on the chip whenever no message waits, and a little with every message.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tt_isa::chip::{Board, WORMHOLE};
use tt_simulator::{Chip, ChipConfig, Fault, System};

use crate::config::{COMMAND, Config};
use crate::memory::{Memory, Piece};

const SYNC_SYSMEM: i32 = 0;
const RET: i32 = 1;
const CFG_WRITE: i32 = 2;
const CFG_READ: i32 = 3;
const BAR_WRITE: i32 = 4;
const BAR_READ: i32 = 5;
const SET_IRQFD: i32 = 6;
const RESET: i32 = 7;

const HEADER: usize = 16;
/// Pieces of memory in one message.
const PIECES: usize = 8;
/// Clocks that pass with a message, and without one.
const WITH_MESSAGE: u64 = 64;
const WITHOUT: u64 = 20_000;
/// Where in BAR 0 BAR 4 is.
const BAR4: u64 = WORMHOLE.host.bar4_in_bar0().expect("a part of it on a Wormhole");
/// How long a message is awaited while the chip sleeps.
const PATIENCE: Duration = Duration::from_millis(5);

/// What a device has been asked.
#[derive(Clone, Default, Debug)]
pub struct Report {
    /// Reads of BARs.
    pub reads: u64,
    /// Writes of BARs.
    pub writes: u64,
    /// Resets of the board.
    pub resets: u32,
    /// Faults of the chip, each with how often it was met.
    pub faults: BTreeMap<String, u32>,
}

/// A device: a card, whose first chip is on the bus.
struct Device {
    card: System,
    config: Config,
    memory: Memory,
    socket: UnixStream,
    report: Report,
}

/// Serves a card with this board until QEMU has gone.
///
/// # Errors
/// The chip cannot be made, or QEMU says something that is not understood.
pub fn serve(socket: UnixStream, board: &'static Board) -> Result<Report> {
    let config = |index| ChipConfig { threads: 1, ..ChipConfig::of_board(board, index) };
    let mut card = System::of(std::iter::once(0).chain(board.behind(0)).map(config))?;
    let memory = Memory::default();
    card.chips()[0].set_host_memory(Box::new(memory.clone()));
    let config = Config::new(board.chip.pci_id, board.board_type << 16 | board.chip.pci_id & 0xFFFF);
    let mut device = Device { card, config, memory, socket, report: Report::default() };
    while device.wait()? {
        if !device.answer()? {
            break;
        }
    }
    Ok(device.report)
}

impl Device {
    /// Lets time pass until a message is there; false when QEMU has gone.
    fn wait(&mut self) -> Result<bool> {
        let mut asleep = false;
        loop {
            let long = Timespec { tv_sec: 0, tv_nsec: PATIENCE.as_nanos() as i64 };
            let limit = if asleep { long } else { Timespec { tv_sec: 0, tv_nsec: 0 } };
            let mut polled = [PollFd::new(&self.socket, PollFlags::IN)];
            poll(&mut polled, Some(&limit))?;
            let events = polled[0].revents();
            if events.contains(PollFlags::IN) {
                self.advance(WITH_MESSAGE);
                return Ok(true);
            }
            if events.intersects(PollFlags::HUP | PollFlags::ERR) {
                return Ok(false);
            }
            asleep = self.advance(WITHOUT);
        }
    }

    /// The chip that is on the bus.
    fn chip(&mut self) -> &mut Chip {
        &mut self.card.chips()[0]
    }

    /// Whether nothing moves any more.
    fn advance(&mut self, clocks: u64) -> bool {
        match self.card.advance(clocks) {
            Ok(progress) => progress.asleep,
            Err(fault) => {
                self.fault(&fault);
                true
            }
        }
    }

    fn fault(&mut self, fault: &Fault) {
        *self.report.faults.entry(fault.to_string()).or_default() += 1;
    }

    /// Answers a message; false when QEMU has gone.
    fn answer(&mut self) -> Result<bool> {
        let (mut header, mut fds) = ([0; HEADER], Vec::new());
        if !receive(&self.socket, &mut header, &mut fds)? {
            return Ok(false);
        }
        let command = i32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let mut data = vec![0; long(&header, 8) as usize];
        if !receive(&self.socket, &mut data, &mut fds)? {
            return Ok(false);
        }
        match command {
            SYNC_SYSMEM => self.memory.set(pieces(&data, fds)),
            SET_IRQFD => {}
            CFG_READ => {
                let value = self.config.read(word(&data, 0) as usize, word(&data, 8) as usize);
                self.reply(&u64::from(value).to_le_bytes())?;
            }
            CFG_WRITE => {
                self.config.write(word(&data, 0) as usize, word(&data, 4), word(&data, 8) as usize);
                let command = self.config.read(COMMAND, 2) as u16;
                self.chip().set_pci_command(command);
                self.reply(&0_u64.to_le_bytes())?;
            }
            BAR_READ => {
                let value = self.read(long(&data, 0), word(&data, 16) as usize);
                self.reply(&value.to_le_bytes())?;
            }
            BAR_WRITE => {
                self.write(long(&data, 0), long(&data, 8), word(&data, 16) as usize);
                self.reply(&0_u64.to_le_bytes())?;
            }
            RESET => {
                self.config.reset();
                self.reply(&[])?;
            }
            _ => bail!("QEMU sends message {command}"),
        }
        Ok(true)
    }

    fn reply(&mut self, value: &[u8]) -> Result<()> {
        let mut out = Vec::with_capacity(HEADER + value.len());
        out.extend(RET.to_le_bytes());
        out.extend([0; 4]);
        out.extend((value.len() as u64).to_le_bytes());
        out.extend(value);
        Ok(self.socket.write_all(&out)?)
    }

    /// Reads up to 8 bytes; ones if nothing answers.
    fn read(&mut self, addr: u64, len: usize) -> u64 {
        self.report.reads += 1;
        let mut bytes = [0xFF; 8];
        let out = &mut bytes[..len.min(8)];
        let done = match self.config.bar(addr) {
            Some((0, offset)) => self.chip().bar0_read(offset, out),
            Some((4, offset)) => self.chip().bar0_read(BAR4 + offset, out),
            Some((_, offset)) => self
                .chip()
                .bar2_read(offset)
                .map(|word| out.copy_from_slice(&word.to_le_bytes()[..len.min(4)])),
            None => return u64::MAX,
        };
        if let Err(fault) = done {
            self.fault(&fault);
            return u64::MAX;
        }
        bytes[len.min(8)..].fill(0);
        u64::from_le_bytes(bytes)
    }

    fn write(&mut self, addr: u64, value: u64, len: usize) {
        self.report.writes += 1;
        let bytes = value.to_le_bytes();
        let data = &bytes[..len.min(8)];
        let command = self.config.read(COMMAND, 2);
        let done = match self.config.bar(addr) {
            Some((0, offset)) => self.chip().bar0_write(offset, data),
            Some((4, offset)) => self.chip().bar0_write(BAR4 + offset, data),
            Some((_, offset)) => self.chip().bar2_write(offset, value as u32),
            None => Ok(()),
        };
        if let Err(fault) = done {
            self.fault(&fault);
        }
        // The firmware resets the board when a message says so: the device is as after power-on.
        if command != 0 && self.chip().pci_config_read32(COMMAND as u32) & 0xFFFF == 0 {
            self.config.reset();
            self.report.resets += 1;
        }
    }
}

fn word(data: &[u8], at: usize) -> u32 {
    data.get(at..at + 4).map_or(0, |bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

fn long(data: &[u8], at: usize) -> u64 {
    u64::from(word(data, at)) | u64::from(word(data, at + 4)) << 32
}

/// The pieces of the guest's memory: addresses, sizes and offsets of eight, and a file for each that is there.
fn pieces(data: &[u8], fds: Vec<OwnedFd>) -> Vec<Piece> {
    let number = |table: usize, i: usize| long(data, 8 * (table * PIECES + i));
    let piece = |(i, fd)| Piece {
        base: number(0, i),
        size: number(1, i),
        offset: number(2, i),
        file: File::from(fd),
    };
    fds.into_iter().enumerate().map(piece).collect()
}

/// Fills `out`; false at the end. Descriptors that come along are added to `fds`.
fn receive(mut socket: &UnixStream, out: &mut [u8], fds: &mut Vec<OwnedFd>) -> Result<bool> {
    if out.is_empty() {
        return Ok(true);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PIECES))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let got = recvmsg(socket, &mut [IoSliceMut::new(out)], &mut ancillary, RecvFlags::CMSG_CLOEXEC);
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(more) = message {
            fds.extend(more);
        }
    }
    match got {
        Ok(got) if got.bytes > 0 => {
            socket.read_exact(&mut out[got.bytes..])?;
            Ok(true)
        }
        Ok(_) | Err(rustix::io::Errno::CONNRESET) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
