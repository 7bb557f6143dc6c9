//! A card's second chip, which has no PCIe: the firmware of the first chip's Ethernet tiles passes commands on to it
//! ([`tt_isa::eth::routing`]).
//!
//! ```text
//! Remote -> pieces: words and blocks of 1 KiB -> queue of each link -> gateway: L1 of its Ethernet tile, through host windows
//! ```
//! Those above do not know that the chip is a remote one. It has two windows that show everything, so that they are never short of any; one
//! that is for registers lets a write begin only when the second chip has acknowledged all before it, whichever link they took. A
//! write to a rectangle of tiles is one to each of them: the firmware knows no other kind that needs no memory of the host.
//!
//! Nothing is pushed from the second chip: its NoC does not reach the host. Its completion word is polled.

mod error;
mod gateway;
mod queue;

use std::time::Duration;

use tt_isa::arc;
use tt_isa::chip::Chip;
use tt_isa::eth::routing::{Address, BLOCK_ALIGN, BLOCK_SIZE, Flags};
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_kernel_abi::launch::PassOn;

use super::{Purpose, Routes, Shown, Simulated, Transport, TransportError};
use gateway::{Gateway, Place};
use queue::{Asked, Command, Queue};

pub use error::{Port, RemoteError};

/// Longest wait for the firmware. A command takes microseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// Addresses of a NoC that a command has room for.
const SHOWN: u64 = 1 << 36;
const WORD: u64 = 4;
const WINDOWS: [Shown; 2] =
    [Shown { bytes: SHOWN, purpose: Purpose::Bulk }, Shown { bytes: SHOWN, purpose: Purpose::Control }];

/// The second chip of a card.
pub struct Remote {
    gateway: Gateway,
    chip: &'static Chip,
    place: Place,
    /// Those of each link.
    queues: Vec<Queue>,
    /// The queue that is next.
    turn: usize,
    /// What the windows show.
    targets: [TlbTarget; WINDOWS.len()],
    /// What is written when the chip is given back.
    stop: Option<(NocXy, u64, u32)>,
    /// The chip itself, where it is simulated.
    inside: Option<Inside>,
    routes: Routes,
}

/// A simulated chip, whose time the gateway lets pass.
struct Inside(Box<dyn Simulated + Send>);

impl Remote {
    /// The second chip of the card whose first one `gateway` reaches.
    ///
    /// # Errors
    /// No link leads there, or the firmware does not answer.
    pub fn new(gateway: Box<dyn Transport>) -> Result<Self, TransportError> {
        Self::with_patience(gateway, PATIENCE)
    }

    /// The same with another longest wait for the firmware.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_patience(gateway: Box<dyn Transport>, patience: Duration) -> Result<Self, TransportError> {
        let chip = gateway.chip();
        let mut gateway = Gateway::new(gateway, patience);
        let (ports, place) = gateway.links(chip)?;
        let routes = gateway.routes(chip, &ports, place)?;
        let queues = ports.iter().map(|&port| Queue::open(&mut gateway, port));
        let queues = queues.collect::<Result<_, _>>()?;
        let inside = gateway.transport.simulated_behind().map(Inside);
        let targets = [TlbTarget::unicast(chip.arc, 0); WINDOWS.len()];
        Ok(Self { gateway, chip, place, queues, turn: 0, targets, stop: None, inside, routes })
    }

    fn command(&self, tile: NocXy, addr: u64, data: u32, flags: Flags) -> Command {
        let to = Address { chip: self.place.at, tile, addr };
        Command { to, rack: self.place.rack, data, flags }
    }

    /// Number of the queue whose turn it is.
    fn next_queue(&mut self) -> usize {
        self.turn = (self.turn + 1) % self.queues.len();
        self.turn
    }

    /// Waits until all writes have been acknowledged.
    fn settle(&mut self) -> Result<(), TransportError> {
        self.queues.iter_mut().try_for_each(|queue| queue.settle(&mut self.gateway))
    }

    fn write_word(&mut self, tile: NocXy, addr: u64, word: u32) -> Result<(), TransportError> {
        let command = self.command(tile, addr, word, Flags::WRITE);
        let n = self.next_queue();
        self.queues[n].write(&mut self.gateway, &command, &[])
    }

    fn write_block(&mut self, tile: NocXy, addr: u64, block: &[u8]) -> Result<(), TransportError> {
        let command = self.command(tile, addr, block.len() as u32, Flags::WRITE | Flags::BLOCK);
        let n = self.next_queue();
        self.queues[n].write(&mut self.gateway, &command, block)
    }

    /// Writes less than a word: the rest of it stays what it is.
    fn write_part(&mut self, tile: NocXy, addr: u64, part: &[u8]) -> Result<(), TransportError> {
        let (base, from) = (addr / WORD * WORD, (addr % WORD) as usize);
        let mut word = [0; WORD as usize];
        self.settle()?;
        self.read_tile(tile, base, &mut word)?;
        word[from..from + part.len()].copy_from_slice(part);
        self.write_word(tile, base, u32::from_le_bytes(word))
    }

    fn write_tile(&mut self, tile: NocXy, mut addr: u64, mut data: &[u8]) -> Result<(), TransportError> {
        while !data.is_empty() {
            let len = piece(addr, data.len());
            let (now, rest) = data.split_at(len);
            match <[u8; WORD as usize]>::try_from(now) {
                Ok(word) if addr.is_multiple_of(WORD) => {
                    self.write_word(tile, addr, u32::from_le_bytes(word))?
                }
                _ if addr.is_multiple_of(WORD) && (len as u64).is_multiple_of(WORD) => {
                    self.write_block(tile, addr, now)?;
                }
                _ => self.write_part(tile, addr, now)?,
            }
            data = rest;
            addr += len as u64;
        }
        Ok(())
    }

    /// Reads a word, or any bytes by blocks that have more around them.
    fn read_tile(&mut self, tile: NocXy, addr: u64, out: &mut [u8]) -> Result<(), TransportError> {
        if out.len() as u64 == WORD && addr.is_multiple_of(WORD) {
            let (n, command) = (self.next_queue(), self.command(tile, addr, WORD as u32, Flags::READ));
            let asked = self.queues[n].ask(&mut self.gateway, &command)?;
            return self.queues[n].take(&mut self.gateway, &asked, out);
        }
        let (end, mut at) = (addr + out.len() as u64, addr / BLOCK_ALIGN * BLOCK_ALIGN);
        while at < end {
            let mut asked = Vec::new();
            for n in 0..self.queues.len() {
                let bytes = (end.next_multiple_of(WORD).saturating_sub(at)).min(BLOCK_SIZE.into());
                if bytes == 0 {
                    break;
                }
                asked.push((n, at, bytes, self.ask_block(n, tile, at, bytes as u32)?));
                at += bytes;
            }
            for (n, at, bytes, asked) in asked {
                let mut block = [0; BLOCK_SIZE as usize];
                let block = &mut block[..bytes as usize];
                self.queues[n].take(&mut self.gateway, &asked, block)?;
                let (from, to) = (at.max(addr), (at + bytes).min(end));
                out[(from - addr) as usize..(to - addr) as usize]
                    .copy_from_slice(&block[(from - at) as usize..(to - at) as usize]);
            }
        }
        Ok(())
    }

    /// Asks for a block. One of a word is a word of its own to the firmware.
    fn ask_block(&mut self, n: usize, tile: NocXy, at: u64, bytes: u32) -> Result<Asked, TransportError> {
        let kind = if u64::from(bytes) == WORD { Flags::READ } else { Flags::READ | Flags::BLOCK };
        let command = self.command(tile, at, bytes, kind);
        self.queues[n].ask(&mut self.gateway, &command)
    }
}

/// How many of `len` bytes for `addr` go together: up to the next word, a word, or as much of a block as are whole words.
fn piece(addr: u64, len: usize) -> usize {
    let to_word = (WORD - addr % WORD) as usize;
    let whole = len / WORD as usize * WORD as usize;
    match () {
        () if !addr.is_multiple_of(WORD) => len.min(to_word),
        () if whole == 0 => len,
        () if !addr.is_multiple_of(BLOCK_ALIGN) => WORD as usize,
        () => whole.min(BLOCK_SIZE as usize),
    }
}

/// Address in ARC's tile of what a host sees at an offset of BAR 0.
pub(super) fn bar_on_noc(chip: &Chip, offset: u64) -> u64 {
    let management = &chip.management;
    let own = match management.bar0 {
        Some(bar0) if offset >= bar0.apb => u64::from(arc::APB_BASE) + (offset - bar0.apb),
        Some(bar0) => u64::from(arc::CSM_BASE) + offset.wrapping_sub(bar0.csm),
        None => offset,
    };
    management.noc + own
}

/// The tiles of a rectangle.
pub(super) fn tiles(target: &TlbTarget) -> impl Iterator<Item = NocXy> + use<> {
    let (first, last) = if target.multicast { (target.start, target.end) } else { (target.end, target.end) };
    (first.y..=last.y).flat_map(move |y| (first.x..=last.x).map(move |x| NocXy::new(x, y)))
}

impl Transport for Remote {
    fn chip(&self) -> &'static Chip {
        self.chip
    }

    fn windows(&self) -> &[Shown] {
        &WINDOWS
    }

    fn configure_window(&mut self, window: usize, target: &TlbTarget) -> Result<(), TransportError> {
        self.targets[window] = *target;
        Ok(())
    }

    fn read(&mut self, window: usize, offset: u64, out: &mut [u8]) -> Result<(), TransportError> {
        let target = self.targets[window];
        if target.multicast {
            return Err(RemoteError::MulticastRead.into());
        }
        self.settle()?;
        self.read_tile(target.end, target.addr + offset, out)
    }

    fn write(&mut self, window: usize, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        let target = self.targets[window];
        if WINDOWS[window].purpose == Purpose::Control {
            self.settle()?;
        }
        tiles(&target).try_for_each(|tile| self.write_tile(tile, target.addr + offset, data))
    }

    fn read_bar(&mut self, offset: u64) -> Result<u32, TransportError> {
        let mut word = [0; WORD as usize];
        self.settle()?;
        self.read_tile(self.chip.arc, bar_on_noc(self.chip, offset), &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    /// The card's: the chip itself is not on the bus.
    fn pci_id(&mut self) -> Result<u32, TransportError> {
        self.gateway.transport.pci_id()
    }

    /// The driver writes one word for a process, to the first chip, whose leader passes it on. In order, it is written when the chip is given
    /// back.
    fn stop_at_exit(&mut self, tile: NocXy, addr: u64, word: u32) -> Result<(), TransportError> {
        self.stop = Some((tile, addr, word));
        let to = Address { chip: self.place.at, tile, addr }.encode();
        let node = self.chip.noc.node(self.queues[0].port().tile);
        let addr = [to as u32, (to >> 32) as u32];
        self.gateway.transport.pass_on(PassOn { node, addr, rack: self.place.rack.into() })
    }

    /// The firmware has no broadcasts that need no memory of the host.
    fn multicasts(&self) -> bool {
        false
    }

    fn check(&mut self) -> Result<(), TransportError> {
        self.gateway.transport.check()?;
        self.queues.iter().try_for_each(|queue| self.gateway.check(queue.port()))
    }

    fn routes(&self) -> Option<&Routes> {
        Some(&self.routes)
    }

    fn routes_were_used(&mut self) -> Result<(), TransportError> {
        for queue in &mut self.queues {
            *queue = Queue::open(&mut self.gateway, queue.port())?;
        }
        Ok(())
    }

    fn busy(&mut self) {
        self.gateway.transport.busy();
    }

    fn simulated(&mut self) -> Option<&mut dyn Simulated> {
        match &mut self.inside {
            Some(inside) => Some(&mut *inside.0),
            None => self.gateway.transport.simulated(),
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if let Some((tile, addr, word)) = self.stop {
            // Where that fails there is nobody to tell, and the next user puts the cores into reset.
            let _ = self.write_word(tile, addr, word).and_then(|()| self.settle());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte once; blocks begin where the firmware takes them, words at words.
    #[test]
    fn pieces_are_words_and_blocks() {
        for (addr, len) in [(0, 4), (0, 2048), (5, 3000), (28, 1), (36, 70), (31, 2), (64, 6), (4, 12)] {
            let (mut at, end) = (addr, addr + len as u64);
            while at < end {
                let bytes = piece(at, (end - at) as usize);
                let whole = at.is_multiple_of(WORD) && (bytes as u64).is_multiple_of(WORD);
                assert!(bytes > 0 && at + bytes as u64 <= end);
                assert!(if whole {
                    bytes == WORD as usize || at.is_multiple_of(BLOCK_ALIGN) && bytes <= BLOCK_SIZE as usize
                } else {
                    at / WORD == (at + bytes as u64 - 1) / WORD
                });
                at += bytes as u64;
            }
        }
    }

    #[test]
    fn a_rectangle_is_every_tile_of_it() {
        let [first, last] = [NocXy::new(18, 18), NocXy::new(19, 20)];
        assert_eq!(tiles(&TlbTarget::rect(first, last, 0)).count(), 6);
        assert_eq!(tiles(&TlbTarget::unicast(last, 0)).collect::<Vec<_>>(), [last]);
    }
}
