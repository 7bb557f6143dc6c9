//! Defects of a chip: what of it is broken from the start, and what dead links do to packets.

use tt_isa::noc::{RouterLink, route};

use super::Chip;
use crate::model::defect::{Defect, LinkEffect, Stuck, StuckLine};
use crate::model::grid::Node;
use crate::model::noc::{Data, Remote, Request};

/// A link that is dead.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeadLink {
    link: RouterLink,
    effect: LinkEffect,
}

/// The two ways of a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To the tile that it is for.
    There,
    /// The response.
    Back,
}

impl Chip {
    /// Breaks what the configuration says. What names nothing on the chip does nothing.
    pub(super) fn break_things(&mut self) {
        for defect in self.config.defects.clone() {
            match defect {
                Defect::L1Bit { tile, addr, bit, high } => {
                    if let Some(Node::Tensix(index)) = self.grid.at(0, tile) {
                        self.tiles[index].l1_mut().stick(Stuck { addr, mask: 1 << bit, high });
                    }
                }
                Defect::Unit { tile, unit } => {
                    if let Some(Node::Tensix(index)) = self.grid.at(0, tile) {
                        self.tiles[index].kill(unit);
                    }
                }
                Defect::DramAddress { bank, bit, high } => self.stick_line(bank, bit, high),
                Defect::Link { noc, from, axis, effect } => {
                    self.dead_links.push(DeadLink { link: RouterLink { noc, from, axis }, effect });
                }
            }
        }
    }

    fn stick_line(&mut self, number: usize, bit: u8, high: bool) {
        let chip = self.config.board.chip;
        let (size, Some(bank)) = (chip.dram_bank_size, chip.dram.get(number)) else { return };
        if let Some(Node::Dram { group, .. }) = self.grid.at(0, bank.ports[0])
            && 1_u64.checked_shl(bit.into()).is_some_and(|line| line < size)
        {
            self.dram[group].stick(StuckLine { base: bank.base, size, bit, high });
        }
    }

    /// Whether a packet between two tiles is lost on its way; its data is what reaches the end.
    #[inline]
    pub(super) fn is_lost(&self, from: Node, packet: &Request, way: Way, data: &mut Data) -> bool {
        !self.dead_links.is_empty() && self.meets_dead_link(from, packet, way, data)
    }

    fn meets_dead_link(&self, from: Node, packet: &Request, way: Way, data: &mut Data) -> bool {
        let Remote::Tile(to) = packet.remote else { return false };
        let (here, there) = (self.position(from), self.grid.on(packet.noc, to));
        let (begin, end) = if way == Way::There { (here, there) } else { (there, here) };
        let carries_data = packet.is_write() == (way == Way::There);
        for link in route(packet.noc, begin, end, self.config.board.chip.grid) {
            match self.dead_links.iter().find(|dead| dead.link == link).map(|dead| dead.effect) {
                None => {}
                Some(LinkEffect::Lost) => return true,
                Some(LinkEffect::Corrupted) if carries_data => {
                    let flit = self.config.board.chip.noc.link_width as usize;
                    data.of(packet).chunks_mut(flit).for_each(|flit| flit[0] ^= 1);
                }
                Some(LinkEffect::Corrupted) => {}
            }
        }
        false
    }
}
