//! Alignment of the two ends of a packet (`NoC/Alignment.md`): the NIUs do not shift data, so both ends agree modulo
//! the width of what they are connected to, and registers are accessed as words.

use tt_isa::noc::MMIO_BASE;

use super::request::{Limits, MASKED_BLOCK};
use super::{Action, Request};
use crate::fault::Fault;
use crate::model::grid::Node;

const ALIGNMENT: &str = "NoC/Alignment.md";

/// What kind of memory an address is, for the rules of alignment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A register of a Tensix or Ethernet tile.
    Mmio,
    /// L1 of a Tensix or Ethernet tile.
    L1,
    /// Any other tile.
    Other,
}

/// What is at an address of a tile.
pub fn kind(node: Node, addr: u64) -> Kind {
    match node {
        Node::Tensix(_) | Node::Ethernet(_) if addr >= MMIO_BASE => Kind::Mmio,
        Node::Tensix(_) | Node::Ethernet(_) => Kind::L1,
        _ => Kind::Other,
    }
}

/// Checks both ends of a packet.
///
/// # Errors
/// The NIUs would have to shift data, or a register would be accessed in part.
pub fn check_alignment(packet: &Request, to: Node) -> Result<(), Fault> {
    let remote = (kind(to, packet.addr), packet.addr);
    let own = (if packet.own_addr >= MMIO_BASE { Kind::Mmio } else { Kind::L1 }, packet.own_addr);
    match packet.action {
        Action::Read => check_copy(packet.limits, packet.len, remote, own),
        Action::Write => check_copy(packet.limits, packet.len, own, remote),
        Action::WriteMasked { .. } => check_masked(packet.limits, own, remote),
        Action::WriteInline { .. } => check_inline(remote),
        Action::Atomic(_) => check_atomic(packet, own, remote),
    }
}

fn check_copy(limits: Limits, len: u32, from: (Kind, u64), to: (Kind, u64)) -> Result<(), Fault> {
    let congruent = |modulo: u8| match (from.1 ^ to.1) & (u64::from(modulo) - 1) {
        0 => Ok(()),
        _ => Err(misaligned(format!("NoC addresses {:#x} and {:#x} differ modulo {modulo}", from.1, to.1))),
    };
    let word = |addr: u64| match addr.is_multiple_of(4) && len == 4 {
        true => Ok(()),
        false => Err(misaligned(format!("{len} bytes at {addr:#x}: a register takes 4 aligned bytes"))),
    };
    match (from.0, to.0) {
        (Kind::Mmio, Kind::Mmio) => word(from.1).and(word(to.1)),
        (Kind::Mmio, _) if u64::from(len) > 4 - from.1 % 4 => word(from.1),
        (Kind::Mmio, _) => congruent(4),
        (_, Kind::Mmio) => word(to.1).and(congruent(limits.congruence)),
        (Kind::L1, _) => congruent(limits.congruence),
        (Kind::Other, _) => congruent(limits.read_congruence),
    }
}

fn check_masked(limits: Limits, from: (Kind, u64), to: (Kind, u64)) -> Result<(), Fault> {
    let aligned = |addr: u64, align: u64| match addr % align {
        0 => Ok(()),
        _ => Err(misaligned(format!("write with byte enables at {addr:#x}, not a multiple of {align}"))),
    };
    match (from.0, to.0) {
        (Kind::Mmio, Kind::Mmio) => aligned(from.1, 4).and(aligned(to.1, 4)),
        (_, Kind::Mmio) => aligned(to.1, 4).and(check_copy(limits, 4, from, to)),
        (Kind::Mmio, _) => aligned(from.1, 4).and(aligned(to.1, MASKED_BLOCK as u64)),
        _ => aligned(from.1, MASKED_BLOCK as u64).and(aligned(to.1, MASKED_BLOCK as u64)),
    }
}

fn check_inline(to: (Kind, u64)) -> Result<(), Fault> {
    match to.0 {
        Kind::Mmio if !to.1.is_multiple_of(4) => {
            Err(misaligned(format!("inline write to the register {:#x}", to.1)))
        }
        Kind::Other => Err(misaligned("inline write to a tile that is neither Tensix nor Ethernet".into())),
        _ => Ok(()),
    }
}

fn check_atomic(packet: &Request, own: (Kind, u64), remote: (Kind, u64)) -> Result<(), Fault> {
    let answer = packet.respond && (own.0 != Kind::L1 || !own.1.is_multiple_of(4));
    if answer || !remote.1.is_multiple_of(4) {
        let what = format!("atomic at {:#x} with its answer to {:#x}: both are words of L1", remote.1, own.1);
        return Err(misaligned(what));
    }
    Ok(())
}

fn misaligned(what: String) -> Fault {
    Fault::program(what).page(ALIGNMENT)
}
