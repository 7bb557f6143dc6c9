//! Data of a packet on its way.

use tt_isa::noc::MAX_PACKET;

use super::request::{INLINE_BLOCK, MASKED_BLOCK};
use super::{Action, Request};

/// Room for the data of one packet.
pub struct Data(Box<[u8; MAX_PACKET as usize]>);

impl Default for Data {
    fn default() -> Self {
        Self(Box::new([0; MAX_PACKET as usize]))
    }
}

impl Data {
    /// The bytes that a packet carries.
    pub fn of(&mut self, packet: &Request) -> &mut [u8] {
        let len = match packet.action {
            Action::Read | Action::Write => packet.len as usize,
            Action::WriteMasked { .. } => MASKED_BLOCK,
            Action::WriteInline { .. } => INLINE_BLOCK,
            Action::Atomic(_) => 4,
        };
        &mut self.0[..len]
    }
}
