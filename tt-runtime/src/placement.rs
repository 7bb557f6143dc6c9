//! Numbers of the workers: each is to be close to the DRAM banks that its part of a weight matrix lies in
//! ([`tt_kernel_abi::placement`]).
//!
//! A DRAM bank is read at its full speed only over short, separate ways: read responses go right and then down on NoC 0, so
//! that far readers share links with many others (`DRAMTile/README.md`; a random pairing of cores and banks gets two
//! thirds of what a chosen one gets). Which way a worker's data takes follows from its number, so giving the
//! numbers to tiles is an assignment problem: the least sum of all hops, solved exactly.

use tt_isa::chip::Chip;
use tt_isa::noc::NocXy;
use tt_kernel_abi::placement::{overlap, port};

/// Numbers for the workers at these positions (NoC 0, physical): a permutation of `0..tiles.len()`, in their order.
///
/// It depends on nothing but the chip and the set of positions.
pub fn numbers(chip: &Chip, tiles: &[NocXy]) -> Vec<u32> {
    let workers = tiles.len() as u32;
    let row = |&tile: &NocXy| (0..workers).map(|index| cost(chip, tile, index, workers)).collect();
    let costs: Vec<Vec<i64>> = tiles.iter().map(row).collect();
    least_assignment(&costs).into_iter().map(|index| index as u32).collect()
}

/// Hops of all that worker `index` reads of a weight, if it is at `tile`; in units of a bank's share.
fn cost(chip: &Chip, tile: NocXy, index: u32, workers: u32) -> i64 {
    let banks = chip.dram.len() as u32;
    let hops = |bank: u32| i64::from(read_port(chip, bank, index, workers).hops(tile, chip.grid));
    (0..banks)
        .map(|bank| (bank, i64::from(overlap(index, workers, bank, banks))))
        .filter(|&(_, share)| share > 0)
        .map(|(bank, share)| share * hops(bank))
        .sum()
}

/// The port that worker `index` of `workers` reads a bank through.
pub fn read_port(chip: &Chip, bank: u32, index: u32, workers: u32) -> NocXy {
    let ports = chip.dram[bank as usize].ports;
    ports[port(index, workers, chip.dram.len() as u32, ports.len() as u32) as usize]
}

/// The ports that the worker at `tile` reads a bank through on NoC 1, and writes to it: those with the shortest ways. All data of a bank goes up the column of DRAM tiles first when it is read,
/// and along the row of the port when it is written (`NoC/RoutingPaths.md`), where a channel's other ports would have it go further and meet more of the others'.
pub fn ports_on_noc_1(chip: &Chip, bank: u32, tile: NocXy) -> [NocXy; 2] {
    let ports = chip.dram[bank as usize].ports;
    let nearest = |hops: &dyn Fn(NocXy) -> u32| ports.iter().copied().min_by_key(|&port| hops(port));
    // NoC 1's way is NoC 0's way back.
    let read = nearest(&|port| tile.hops(port, chip.grid));
    let write = nearest(&|port| port.hops(tile, chip.grid));
    [read, write].map(|port| port.unwrap_or(ports[0]))
}

/// For every row of a square matrix of costs a column of its own, with the least sum: the Hungarian method, which adds
/// one row after the other along a shortest path of reassignments.
fn least_assignment(costs: &[Vec<i64>]) -> Vec<usize> {
    let n = costs.len();
    // Columns count from 1; column 0 stands for the row that is being added.
    let (mut row_price, mut column_price) = (vec![0; n + 1], vec![0; n + 1]);
    let mut row_of = vec![0; n + 1];
    for row in 1..=n {
        row_of[0] = row;
        let (mut least, mut before) = (vec![i64::MAX; n + 1], vec![0; n + 1]);
        let mut done = vec![false; n + 1];
        let mut column = 0;
        while row_of[column] != 0 {
            done[column] = true;
            let from = row_of[column];
            let (mut step, mut next) = (i64::MAX, 0);
            for j in (1..=n).filter(|&j| !done[j]) {
                let reduced = costs[from - 1][j - 1] - row_price[from] - column_price[j];
                if reduced < least[j] {
                    (least[j], before[j]) = (reduced, column);
                }
                if least[j] < step {
                    (step, next) = (least[j], j);
                }
            }
            for j in 0..=n {
                if done[j] {
                    row_price[row_of[j]] += step;
                    column_price[j] -= step;
                } else if j > 0 {
                    least[j] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[before[column]];
            column = before[column];
        }
    }
    let mut columns = vec![0; n];
    (1..=n).for_each(|j| columns[row_of[j] - 1] = j - 1);
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use tt_isa::chip::BOARDS;
    use tt_kernel_abi::matmul::{block_tiles, share};
    use tt_kernel_abi::{DramAddr, ElementType, Shards};

    /// Every chip of every board with every set of rows that may be harvested, each once: physical positions of its
    /// workers, row by row.
    fn chips() -> Vec<(&'static Chip, Vec<NocXy>)> {
        let mut counts: Vec<(&'static Chip, u8)> = Vec::new();
        for board in BOARDS {
            for &harvested in board.harvested {
                if !counts.iter().any(|known| known.0.name == board.chip.name && known.1 == harvested) {
                    counts.push((board.chip, harvested));
                }
            }
        }
        let mut found = Vec::new();
        for (chip, harvested) in counts {
            let rows = chip.tensix_y;
            for mask in (0u32..1 << rows.len()).filter(|mask| mask.count_ones() == u32::from(harvested)) {
                let kept = rows.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 0);
                let tiles = kept.flat_map(|(_, &y)| chip.tensix_x.iter().map(move |&x| NocXy::new(x, y)));
                found.push((chip, tiles.collect()));
            }
        }
        found
    }

    /// Links that the data of a read takes: right, then down.
    fn links(from: NocXy, to: NocXy, size: NocXy) -> Vec<(NocXy, bool)> {
        let (mut at, mut way) = (from, Vec::new());
        while at.x != to.x {
            way.push((at, false));
            at.x = (at.x + 1) % size.x;
        }
        while at.y != to.y {
            way.push((at, true));
            at.y = (at.y + 1) % size.y;
        }
        way
    }

    /// What reading a whole matrix does to a chip, in bytes.
    #[derive(Default)]
    struct Traffic {
        bytes: f64,
        hops: f64,
        by_port: BTreeMap<NocXy, f64>,
        by_link: BTreeMap<(NocXy, bool), f64>,
    }

    impl Traffic {
        fn add(&mut self, port: NocXy, tile: NocXy, size: NocXy, bytes: f64) {
            let way = links(port, tile, size);
            self.bytes += bytes;
            self.hops += bytes * way.len() as f64;
            *self.by_port.entry(port).or_default() += bytes;
            way.into_iter().for_each(|link| *self.by_link.entry(link).or_default() += bytes);
        }

        fn most<K>(loads: &BTreeMap<K, f64>) -> f64 {
            loads.values().copied().fold(0.0, f64::max)
        }
    }

    /// Every worker reads its n-tiles; pages of all banks in turn and one port a bank, or shards.
    fn traffic(chip: &Chip, tiles: &[NocXy], numbers: Option<&[u32]>, k_tiles: u32, n_tiles: u32) -> Traffic {
        let (banks, workers) = (chip.dram.len() as u32, tiles.len() as u32);
        let tile_bytes = u64::from(ElementType::TilesBfp8.block_bytes());
        let row = u64::from(k_tiles) * tile_bytes;
        let shards = Shards::new(DramAddr(0x123_4560), row * u64::from(n_tiles), banks);
        let mut traffic = Traffic::default();
        for (position, &tile) in (0..).zip(tiles) {
            let index = numbers.map_or(position, |numbers| numbers[position as usize]);
            let (first, count) = share(n_tiles, index, workers);
            let (from, to) = (u64::from(first) * row, u64::from(first + count) * row);
            match numbers {
                None => {
                    for bank in chip.dram {
                        traffic.add(bank.ports[0], tile, chip.grid, (to - from) as f64 / f64::from(banks));
                    }
                }
                Some(_) => {
                    for shard in shards.iter() {
                        let end = to.min(shard.first + shard.len);
                        let bytes = end.saturating_sub(from.max(shard.first));
                        let port = read_port(chip, shard.bank, index, workers);
                        traffic.add(port, tile, chip.grid, bytes as f64);
                    }
                }
            }
        }
        traffic
    }

    /// Less than half as many hops as with pages of all banks in turn, and no port or link is what limits: a link carries 32
    /// bytes a cycle, a bank gives 24 (`DRAMTile/README.md`), and reading a bank ends no later than its most loaded link by
    /// much. For every chip, every set of harvested rows, and matrices of several shapes.
    #[test]
    fn workers_are_close_to_what_they_read() {
        let chips = chips();
        // 10 over 0, 1, 2.
        assert!(chips.len() >= 1 + 10 + 45, "{}", chips.len());
        for (chip, tiles) in &chips {
            let numbers = numbers(chip, tiles);
            let mut sorted = numbers.clone();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..tiles.len() as u32));
            // As fine as can be, and matrices of models of 1 and 8 G weights.
            for (k_tiles, n_tiles) in [(64, 72 * 80 * 64), (64, 176), (128, 448), (64, 64)] {
                let before = traffic(chip, tiles, None, k_tiles, n_tiles);
                let now = traffic(chip, tiles, Some(&numbers), k_tiles, n_tiles);
                assert!((now.bytes / before.bytes - 1.0).abs() < 1e-9);
                let hops = |traffic: &Traffic| traffic.hops / traffic.bytes;
                let rows = tiles.len() / chip.tensix_x.len();
                assert!(
                    hops(&now) < 0.5 * hops(&before),
                    "{rows} rows, {n_tiles} n-tiles: {:.2} hops, before {:.2}",
                    hops(&now),
                    hops(&before)
                );
                let bank = now.bytes / chip.dram.len() as f64;
                let (port, link) = (Traffic::most(&now.by_port), Traffic::most(&now.by_link));
                let of_before =
                    [port / Traffic::most(&before.by_port), link / Traffic::most(&before.by_link)];
                assert!(port < 0.83 * bank && of_before[0] < 0.42, "port {:.3}, {of_before:?}", port / bank);
                assert!(link < 1.51 * bank && of_before[1] < 0.51, "link {:.3}, {of_before:?}", link / bank);
            }
        }
    }

    /// NoC 1 is NoC 0 with all coordinates counted from the other end.
    #[test]
    fn ports_on_noc_1_have_the_shortest_ways() {
        for (chip, tiles) in chips() {
            let way = |from: NocXy, to: NocXy| {
                let [from, to] = [from, to].map(|place| place.mirrored(chip.grid));
                links(from, to, chip.grid).len()
            };
            for (number, bank) in (0..).zip(chip.dram) {
                for &tile in &tiles {
                    let [read, write] = ports_on_noc_1(chip, number, tile);
                    assert!(bank.ports.contains(&read) && bank.ports.contains(&write), "bank {number}");
                    let others = bank.ports.iter();
                    let [reads, writes] = [way(read, tile), way(tile, write)];
                    let shortest = others.map(|&port| [way(port, tile), way(tile, port)]);
                    let shortest = shortest.reduce(|a, b| [a[0].min(b[0]), a[1].min(b[1])]);
                    assert_eq!(Some([reads, writes]), shortest, "{}: {tile:?}, bank {number}", chip.name);
                }
            }
        }
    }

    #[test]
    fn banks_begin_at_addresses_of_32_bits() {
        for chip in BOARDS.iter().map(|board| board.chip) {
            assert!(chip.dram.iter().all(|bank| u32::try_from(bank.base).is_ok()), "{}", chip.name);
        }
    }

    /// Blocks of weights are read in packets of the largest size, but for what a block's or a shard's end leaves.
    #[test]
    fn blocks_are_few_packets() {
        let packet = u64::from(tt_isa::chip::WORMHOLE.noc.max_packet);
        for ty in
            [ElementType::TilesF32, ElementType::TilesBf16, ElementType::TilesBfp8, ElementType::TilesBfp4]
        {
            let block = u64::from(block_tiles(ty) * ty.block_bytes());
            let shards = Shards::new(DramAddr(0x5_4320), 200 * block, 12);
            let mut packets = 0;
            for number in 0..200 {
                let (mut at, end) = (number * block, (number + 1) * block);
                while at < end {
                    let (_, run) = shards.find(at).locate(at).expect("in a shard");
                    at += run.min(end - at).min(packet);
                    packets += 1;
                }
            }
            // A packet more wherever a block goes on in the next bank.
            assert!(packets <= 200 * block.div_ceil(packet) + 11, "{ty:?}: {packets}");
        }
    }

    proptest! {
        #[test]
        fn assignments_are_the_best(costs in prop::collection::vec(prop::collection::vec(0i64..50, 5), 5)) {
            fn best(costs: &[Vec<i64>], row: usize, free: &mut Vec<usize>) -> i64 {
                let Some(costs_of_row) = costs.get(row) else { return 0 };
                let mut least = i64::MAX;
                for i in 0..free.len() {
                    let column = free.swap_remove(i);
                    least = least.min(costs_of_row[column] + best(costs, row + 1, free));
                    free.push(column);
                    let last = free.len() - 1;
                    free.swap(i, last);
                }
                least
            }
            let columns = least_assignment(&costs);
            let sum: i64 = columns.iter().zip(&costs).map(|(&column, row)| row[column]).sum();
            prop_assert_eq!(sum, best(&costs, 0, &mut (0..5).collect()));
        }
    }
}
