//! Data of a packet on its way.

use super::request::{INLINE_BLOCK, MASKED_BLOCK};
use super::{Action, Request};

/// Room for the data of one packet; it grows to the longest one so far.
#[derive(Default)]
pub struct Data(Vec<u8>);

impl Data {
    /// The bytes that a packet carries.
    pub fn of(&mut self, packet: &Request) -> &mut [u8] {
        let len = match packet.action {
            Action::Read | Action::Write => packet.len as usize,
            Action::WriteMasked { .. } => MASKED_BLOCK,
            Action::WriteInline { .. } => INLINE_BLOCK,
            Action::Atomic(_) => 4,
        };
        if self.0.len() < len {
            self.0.resize(len, 0);
        }
        &mut self.0[..len]
    }
}
