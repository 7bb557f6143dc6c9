//! Who waits for what, where nothing moves any more.

use tt_isa::insn;
use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;
use tt_isa::rv32;

use super::Chip;
use crate::fault::Fault;
use crate::model::eth::EthernetTile;
use crate::model::grid::Node;
use crate::model::rv32::{Hart, Kind, decode};
use crate::model::tensix::THREADS;
use crate::model::tensix::frontend::Wait;
use crate::model::tile::Tile;

impl Chip {
    /// What the cores and threads of the tile at a NoC 0 (or translated) coordinate wait for, a line each: those cores that
    /// are asleep, and those threads that have instructions that do not go on; of an Ethernet tile its core.
    pub fn waits(&self, tile: NocXy) -> Vec<String> {
        let index = match self.grid.named(tile) {
            Some(Node::Tensix(index)) => index,
            Some(Node::Ethernet(index)) => {
                return ethernet_waits(&self.ethernet[index]).into_iter().collect();
            }
            _ => return Vec::new(),
        };
        let tile = &self.tiles[index];
        let cores = RiscV::ALL.into_iter().filter_map(|core| core_waits(tile, core));
        cores.chain((0..THREADS).filter_map(|thread| thread_waits(tile, thread))).collect()
    }

    /// Whether what a thread waits for is an error, now that nothing moves any more.
    ///
    /// # Errors
    /// It is ([`crate::model::tensix::Tensix::check_gates`]).
    pub(super) fn check_gates(&self) -> Result<(), Fault> {
        self.tiles
            .iter()
            .try_for_each(|tile| tile.tensix().check_gates().map_err(|fault| fault.in_tile(tile.position())))
    }
}

/// The instruction at which a core sleeps, and the address that it loads from or stores to.
fn core_waits(tile: &Tile, core: RiscV) -> Option<String> {
    if !tile.is_running(core) || tile.is_awake(core) {
        return None;
    }
    let hart = tile.hart(core);
    let word = tile.fetch(core, hart.pc).ok()?;
    Some(instruction(core.name(), hart, word))
}

/// The same of an Ethernet tile's core.
fn ethernet_waits(tile: &EthernetTile) -> Option<String> {
    let hart = tile.is_asleep().then(|| tile.hart())?;
    Some(instruction("ERISC", hart, tile.fetch(hart.pc).ok()?))
}

/// A core's instruction, and the address that it loads from or stores to.
fn instruction(core: &str, hart: &Hart, word: u32) -> String {
    let op = decode(word);
    let line = format!("{core} at {}", rv32::Disassembly { word, pc: hart.pc });
    match op.kind {
        Kind::Lb | Kind::Lh | Kind::Lw | Kind::Lbu | Kind::Lhu | Kind::Sb | Kind::Sh | Kind::Sw => {
            let addr = hart.x[usize::from(op.rs1) % 32].wrapping_add(op.imm as u32);
            format!("{line} ({addr:#010x})")
        }
        _ => line,
    }
}

/// The wait that holds a thread, and the instruction that does not go on.
fn thread_waits(tile: &Tile, thread: usize) -> Option<String> {
    let tensix = tile.tensix();
    if tensix.nothing_to_offer(thread) {
        return None;
    }
    let wait = tensix.latched(thread).map(|wait| match wait {
        Wait::Stall(op) => op.word(),
        Wait::Semaphore(op) => op.word(),
    });
    let named = |word: u32| insn::Disassembly(word).to_string();
    Some(match (wait, tensix.at_gate(thread)) {
        (Some(wait), Some(word)) => format!("T{thread} holds {} until {}", named(word), named(wait)),
        (Some(wait), None) => format!("T{thread} until {}", named(wait)),
        (None, Some(word)) => format!("T{thread} at {}", named(word)),
        (None, None) => format!("T{thread} has words that have not been expanded"),
    })
}
