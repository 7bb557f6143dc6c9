//! NoC transfers as spans: one that overlaps another one is a line further down.

use tt_isa::noc::NocXy;

use crate::model::noc::{Action, Request};

/// A packet that has come to its end.
pub struct Transfer<'a> {
    /// NoC 0 position of the tile that has made the request.
    pub from: NocXy,
    /// That of the tile that it went to; none for a rectangle.
    pub to: Option<NocXy>,
    /// DRAM channel, if that tile is one.
    pub channel: Option<usize>,
    /// The packet.
    pub request: &'a Request,
    /// Clocks: when the request was made, and when its response was counted, or it has arrived.
    pub begin: u64,
    /// See `begin`.
    pub end: u64,
}

impl Transfer<'_> {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match (self.request.action, self.to) {
            (Action::Read, _) if self.channel.is_some() => "read DRAM",
            (Action::Read, _) => "read",
            (Action::Atomic(_), _) => "atomic",
            (_, None) => "multicast",
            _ if self.channel.is_some() => "write DRAM",
            _ => "write",
        }
    }

    /// Bytes and place, as pairs of JSON.
    pub fn details(&self) -> String {
        let bytes = self.request.len;
        let to = self.to.map_or_else(|| "a rectangle".to_owned(), |to| to.to_string());
        format!(r#""bytes":{bytes},"with":"{to}","address":"{:#x}""#, self.request.addr)
    }
}

/// Lines of transfers: on each, one comes after the other.
#[derive(Default)]
pub struct Lanes {
    /// When the last one of each ends.
    ends: Vec<u64>,
}

impl Lanes {
    /// A line for a transfer, and whether it is a new one. Transfers come in the order of their ends.
    pub fn take(&mut self, begin: u64, end: u64) -> (u32, bool) {
        let free = self.ends.iter().position(|&last| last <= begin);
        let lane = free.unwrap_or(self.ends.len());
        if free.is_none() {
            self.ends.push(end);
        }
        self.ends[lane] = end;
        (lane as u32, free.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_has_lines_of_its_own() {
        let mut lanes = Lanes::default();
        let taken =
            [(0, 10), (5, 12), (10, 20), (13, 21), (14, 30)].map(|(begin, end)| lanes.take(begin, end));
        assert_eq!(taken, [(0, true), (1, true), (0, false), (1, false), (2, true)]);
    }
}
