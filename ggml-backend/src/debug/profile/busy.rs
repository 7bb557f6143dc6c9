//! What a chip was busy with while an operator ran: sums of the simulator's totals ([`tt_runtime::usage`]).

use serde_json::{Value, json};
use tt_runtime::usage::{CORE_WAITS, CORES, CoreUsage, CoreWait, TileUsage, UnitName, Usage};

/// Sums over tiles and channels, in clocks.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Busy {
    /// Clocks that passed.
    pub clocks: u64,
    /// The same for each core of each tile, channel and unit: what would be if all were busy all the time.
    pub of_cores: u64,
    /// See `of_cores`.
    pub of_channels: u64,
    /// See `of_cores`.
    pub of_units: u64,
    /// Clocks in which cores have executed, and waited, by [`CoreWait`].
    pub executing: u64,
    /// See `executing`.
    pub waits: [u64; CORE_WAITS],
    /// Clocks in which matrix units, vector units and DRAM channels were busy.
    pub matrix: u64,
    /// See `matrix`.
    pub vector: u64,
    /// See `matrix`.
    pub channels: u64,
    /// Bytes of DRAM, read and written.
    pub dram_bytes: u64,
    /// Clocks in which the core that was active most of all, of all tiles, was: by which one that is.
    pub busiest: [u64; CORES],
    /// Clocks in which the matrix unit was busy that was so most of all.
    pub busiest_matrix: u64,
    /// The same of the Ethernet links to other chips.
    pub busiest_link: u64,
}

/// Clocks in which a core was neither asleep nor in reset: it executed, or waited for its own instructions.
fn active(core: &CoreUsage) -> u64 {
    let own = [CoreWait::Operand, CoreWait::Memory, CoreWait::Code];
    core.executing + own.iter().map(|&wait| core.waits[wait as usize]).sum::<u64>()
}

impl Busy {
    /// What happened while an operator ran.
    pub fn of(usage: &Usage) -> Self {
        let (clocks, tiles) = (usage.clocks, usage.tiles.len() as u64);
        let mut busy = Self {
            clocks,
            of_cores: clocks * tiles * CORES as u64,
            of_channels: clocks * usage.channels.len() as u64,
            of_units: clocks * tiles,
            channels: usage.channels.iter().map(|channel| channel.busy).sum(),
            dram_bytes: usage.channels.iter().map(|channel| channel.read + channel.written).sum(),
            ..Self::default()
        };
        usage.tiles.iter().for_each(|tile| busy.add_tile(tile));
        let active = usage.tiles.iter().flat_map(|tile| tile.cores.iter().map(active).enumerate());
        if let Some((core, clocks)) = active.max_by_key(|&(_, clocks)| clocks) {
            busy.busiest[core] = clocks;
        }
        busy.busiest_matrix = usage.tiles.iter().map(|tile| unit(tile, UnitName::Matrix)).max().unwrap_or(0);
        busy.busiest_link = usage.ethernet.iter().map(|tile| tile.busy).max().unwrap_or(0);
        busy
    }

    fn add_tile(&mut self, tile: &TileUsage) {
        self.matrix += unit(tile, UnitName::Matrix);
        self.vector += unit(tile, UnitName::Vector);
        for core in &tile.cores {
            self.executing += core.executing;
            self.waits.iter_mut().zip(core.waits).for_each(|(sum, clocks)| *sum += clocks);
        }
    }

    /// Another operator ran after it.
    pub fn add(&mut self, other: &Self) {
        self.clocks += other.clocks;
        self.of_cores += other.of_cores;
        self.of_channels += other.of_channels;
        self.of_units += other.of_units;
        self.executing += other.executing;
        self.waits.iter_mut().zip(other.waits).for_each(|(sum, clocks)| *sum += clocks);
        self.matrix += other.matrix;
        self.vector += other.vector;
        self.channels += other.channels;
        self.dram_bytes += other.dram_bytes;
        self.busiest.iter_mut().zip(other.busiest).for_each(|(sum, clocks)| *sum += clocks);
        self.busiest_matrix += other.busiest_matrix;
        self.busiest_link += other.busiest_link;
    }

    /// Clocks that cores have waited for one of these, as a part of all their clocks.
    pub fn waited(&self, waits: &[CoreWait]) -> f64 {
        part(waits.iter().map(|&wait| self.waits[wait as usize]).sum(), self.of_cores)
    }
}

fn unit(tile: &TileUsage, unit: UnitName) -> u64 {
    tile.units[unit as usize]
}

/// A part of a whole; nothing of nothing.
pub fn part(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// All of it, for pictures: names are in the enums of [`tt_runtime::usage`].
pub fn json(usage: &Usage) -> Value {
    let core = |core: &CoreUsage| json!({ "executing": core.executing, "active": active(core), "waits": core.waits });
    let tile = |tile: &TileUsage| {
        let cores: Vec<Value> = tile.cores.iter().map(core).collect();
        json!({ "at": [tile.at.x, tile.at.y], "cores": cores, "units": tile.units })
    };
    let links = usage.links.iter().map(|link| {
        let at = [link.at.x, link.at.y];
        json!({ "noc": link.noc, "at": at, "way": link.way.name(), "bytes": link.bytes, "busy": link.busy })
    });
    let channels = usage
        .channels
        .iter()
        .map(|channel| json!({ "read": channel.read, "written": channel.written, "busy": channel.busy }));
    let ethernet = usage.ethernet.iter().map(|tile| json!({ "bytes": tile.bytes, "busy": tile.busy }));
    json!({
        "clocks": usage.clocks,
        "tiles": usage.tiles.iter().map(tile).collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
        "channels": channels.collect::<Vec<_>>(),
        "ethernet": ethernet.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_runtime::usage::{ChannelUsage, EthernetUsage, ThreadUsage, UNITS};

    fn usage(executing: [u64; CORES], matrix: u64) -> Usage {
        let mut waits = [0; CORE_WAITS];
        waits[CoreWait::Operand as usize] = 5;
        waits[CoreWait::Noc as usize] = 20;
        let mut units = [0; UNITS];
        units[UnitName::Matrix as usize] = matrix;
        let tile = TileUsage {
            at: tt_isa::noc::NocXy::new(1, 1),
            cores: executing.map(|executing| CoreUsage { executing, waits }),
            threads: [ThreadUsage::default(); 3],
            units,
        };
        let ethernet = [4, 25, 0].map(|busy| EthernetUsage { bytes: 12 * busy, busy }).to_vec();
        let channel = ChannelUsage { read: 640, written: 64, busy: 30, waited: 0 };
        Usage { clocks: 100, tiles: vec![tile], channels: vec![channel; 2], ethernet, ..Usage::default() }
    }

    #[test]
    fn parts_of_a_whole() {
        let mut busy = Busy::of(&usage([10, 0, 0, 0, 60], 40));
        assert_eq!(busy.busiest, [0, 0, 0, 0, 65]);
        assert_eq!((busy.matrix, busy.dram_bytes, busy.channels), (40, 2 * 704, 60));
        assert_eq!(busy.busiest_link, 25);
        assert!((busy.waited(&[CoreWait::Noc]) - 0.2).abs() < 1e-9);
        busy.add(&Busy::of(&usage([70, 0, 0, 0, 60], 0)));
        assert_eq!((busy.clocks, busy.busiest), (200, [75, 0, 0, 0, 65]));
        assert!((part(busy.matrix, busy.of_units) - 0.2).abs() < 1e-9);
        assert_eq!(part(1, 0), 0.0);
    }
}
