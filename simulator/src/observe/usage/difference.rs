//! What has happened between two totals, and sums of that.

use std::collections::BTreeMap;

use super::{ChannelUsage, CoreUsage, EthernetUsage, LinkUsage, LinkWay, ThreadUsage, TileUsage, Usage};

/// A link: NoC, y and x of its position, where it leads.
type Place = (u8, u8, u8, u8);

fn place(link: &LinkUsage) -> Place {
    (link.noc, link.at.y, link.at.x, link.way as u8)
}

impl Usage {
    /// What has happened since `before`, which is an earlier total of the same chip.
    pub fn since(&self, before: &Self) -> Self {
        self.combined(before, u64::saturating_sub)
    }

    /// This and what has happened in another time.
    pub fn and(&self, other: &Self) -> Self {
        self.combined(other, u64::saturating_add)
    }

    /// What one of them does not have is zero there.
    fn combined(&self, other: &Self, f: fn(u64, u64) -> u64) -> Self {
        let mut links: BTreeMap<Place, LinkUsage> =
            other.links.iter().map(|link| (place(link), none(link))).collect();
        links.extend(self.links.iter().map(|link| (place(link), *link)));
        for link in &other.links {
            if let Some(own) = links.get_mut(&place(link)) {
                own.bytes = f(own.bytes, link.bytes);
                own.busy = f(own.busy, link.busy);
                own.waited = f(own.waited, link.waited);
            }
        }
        let tiles = self.tiles.iter().enumerate();
        let channels = self.channels.iter().enumerate();
        let ethernet = self.ethernet.iter().enumerate();
        Self {
            clocks: f(self.clocks, other.clocks),
            tiles: tiles
                .map(|(n, tile)| other.tiles.get(n).map_or(*tile, |of| tile.combined(of, f)))
                .collect(),
            links: links.into_values().collect(),
            channels: channels
                .map(|(n, channel)| other.channels.get(n).map_or(*channel, |of| channel.combined(of, f)))
                .collect(),
            ethernet: ethernet
                .map(|(n, tile)| other.ethernet.get(n).map_or(*tile, |of| tile.combined(of, f)))
                .collect(),
        }
    }
}

/// The same link before anything has passed it.
fn none(link: &LinkUsage) -> LinkUsage {
    LinkUsage { bytes: 0, busy: 0, waited: 0, ..*link }
}

fn each<const N: usize>(a: [u64; N], b: [u64; N], f: fn(u64, u64) -> u64) -> [u64; N] {
    std::array::from_fn(|n| f(a[n], b[n]))
}

impl TileUsage {
    fn combined(&self, other: &Self, f: fn(u64, u64) -> u64) -> Self {
        let core = |n: usize| {
            let (a, b) = (&self.cores[n], &other.cores[n]);
            CoreUsage { executing: f(a.executing, b.executing), waits: each(a.waits, b.waits, f) }
        };
        let thread = |n: usize| ThreadUsage { waits: each(self.threads[n].waits, other.threads[n].waits, f) };
        Self {
            at: self.at,
            cores: std::array::from_fn(core),
            threads: std::array::from_fn(thread),
            units: each(self.units, other.units, f),
        }
    }
}

impl ChannelUsage {
    fn combined(&self, other: &Self, f: fn(u64, u64) -> u64) -> Self {
        Self {
            read: f(self.read, other.read),
            written: f(self.written, other.written),
            busy: f(self.busy, other.busy),
            waited: f(self.waited, other.waited),
        }
    }
}

impl EthernetUsage {
    fn combined(&self, other: &Self, f: fn(u64, u64) -> u64) -> Self {
        Self { bytes: f(self.bytes, other.bytes), busy: f(self.busy, other.busy) }
    }
}

impl LinkWay {
    /// Short name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::X => "x",
            Self::Y => "y",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::noc::NocXy;

    #[test]
    fn sums_and_differences_belong_together() {
        let link = |x, busy| LinkUsage {
            noc: 0,
            at: NocXy::new(x, 1),
            way: LinkWay::X,
            bytes: 32 * busy,
            busy,
            waited: 0,
        };
        let channel = |read| ChannelUsage { read, ..ChannelUsage::default() };
        let usage =
            |clocks, links, read| Usage { clocks, links, channels: vec![channel(read)], ..Usage::default() };
        let before = usage(10, vec![link(1, 4)], 64);
        let after = usage(30, vec![link(1, 5), link(2, 7)], 96);
        let between = after.since(&before);
        assert_eq!(between, usage(20, vec![link(1, 1), link(2, 7)], 32));
        assert_eq!(before.and(&between), after);
        assert_eq!(between.and(&Usage::default()), between);
        let sum = Usage::default().and(&between);
        assert_eq!((sum.clocks, sum.links), (20, between.links));
    }
}
