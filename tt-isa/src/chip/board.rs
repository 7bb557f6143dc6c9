//! Boards with Wormhole chips: what is harvested, and how chips are connected.

use super::{Chip, WORMHOLE, places, xy};
use crate::noc::NocXy;

/// One end of an Ethernet link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EthEnd {
    /// Chip, by its number on the board.
    pub chip: u8,
    /// Ethernet tile, by channel.
    pub channel: u8,
}

/// An Ethernet link between two chips.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EthLink(pub EthEnd, pub EthEnd);

/// A board: its chips, what is harvested on each, and how they are connected.
#[derive(Debug)]
pub struct Board {
    /// Name, as users write it.
    pub name: &'static str,
    /// Chip type.
    pub chip: &'static Chip,
    /// How many Tensix rows (or columns: [`Chip::harvesting`]) of each chip are harvested.
    pub harvested: &'static [u8],
    /// Board type in the upper half of the telemetry's board id.
    pub board_type: u32,
    /// Chips that are connected to the host: the first so many. The others are reached through links.
    pub pcie_chips: u8,
    /// Ethernet links between its chips.
    pub links: &'static [EthLink],
    /// Place of each chip in the mesh of chips, as the Ethernet firmware's addresses have it.
    pub places: &'static [NocXy],
}

const fn link(a: [u8; 2], b: [u8; 2]) -> EthLink {
    EthLink(EthEnd { chip: a[0], channel: a[1] }, EthEnd { chip: b[0], channel: b[1] })
}

/// Two links, between neighbouring channels.
const fn pair(a: [u8; 2], b: [u8; 2]) -> [EthLink; 2] {
    [link(a, b), link([a[0], a[1] + 1], [b[0], b[1] + 1])]
}

const fn pairs<const N: usize, const M: usize>(ends: [[[u8; 2]; 2]; N]) -> [EthLink; M] {
    assert!(M == 2 * N);
    let mut links = [link([0, 0], [0, 0]); M];
    let mut i = 0;
    while i < N {
        [links[2 * i], links[2 * i + 1]] = pair(ends[i][0], ends[i][1]);
        i += 1;
    }
    links
}

/// The links of an n300, on its own or as a part of larger boards (`EthernetTile/EthernetTxRx.md`).
const N300_LINKS: [EthLink; 2] = pair([0, 8], [1, 0]);

/// Four n300 in a mesh of four times two: the first four chips are the left ones.
const T3000_LINKS: [EthLink; 20] = pairs([
    [[0, 6], [2, 6]],
    [[0, 8], [4, 0]],
    [[0, 14], [1, 14]],
    [[1, 0], [3, 0]],
    [[1, 8], [5, 0]],
    [[2, 8], [6, 0]],
    [[2, 14], [3, 14]],
    [[3, 8], [7, 0]],
    [[4, 6], [5, 6]],
    [[6, 6], [7, 6]],
]);

const T3000_PLACES: [NocXy; 8] = places([[1, 0], [1, 1], [2, 0], [2, 1], [0, 0], [0, 1], [3, 0], [3, 1]]);

const GALAXY_CHIPS: usize = 32;
/// Channels that a chip of a Galaxy has to each of its neighbours.
const GALAXY_WIDTH: u8 = 4;

/// Neighbours of each chip of a Galaxy, by its groups of four channels: chip and group there.
#[rustfmt::skip]
const GALAXY_NEIGHBOURS: [[(u8, u8); 4]; GALAXY_CHIPS] = [
    [(3, 0), (2, 1), (4, 1), (16, 0)],
    [(2, 0), (3, 1), (5, 1), (17, 0)],
    [(1, 0), (0, 1), (6, 1), (18, 0)],
    [(0, 0), (1, 1), (7, 1), (19, 0)],
    [(7, 0), (0, 2), (8, 1), (20, 0)],
    [(6, 0), (1, 2), (9, 1), (21, 0)],
    [(5, 0), (2, 2), (10, 1), (22, 0)],
    [(4, 0), (3, 2), (11, 1), (23, 0)],
    [(11, 0), (4, 2), (12, 1), (24, 0)],
    [(10, 0), (5, 2), (13, 1), (25, 0)],
    [(9, 0), (6, 2), (14, 1), (26, 0)],
    [(8, 0), (7, 2), (15, 1), (27, 0)],
    [(15, 0), (8, 2), (14, 2), (28, 0)],
    [(14, 0), (9, 2), (15, 2), (29, 0)],
    [(13, 0), (10, 2), (12, 2), (30, 0)],
    [(12, 0), (11, 2), (13, 2), (31, 0)],
    [(0, 3), (18, 1), (20, 1), (19, 3)],
    [(1, 3), (19, 1), (21, 1), (18, 3)],
    [(2, 3), (16, 1), (22, 1), (17, 3)],
    [(3, 3), (17, 1), (23, 1), (16, 3)],
    [(4, 3), (16, 2), (24, 1), (23, 3)],
    [(5, 3), (17, 2), (25, 1), (22, 3)],
    [(6, 3), (18, 2), (26, 1), (21, 3)],
    [(7, 3), (19, 2), (27, 1), (20, 3)],
    [(8, 3), (20, 2), (28, 1), (27, 3)],
    [(9, 3), (21, 2), (29, 1), (26, 3)],
    [(10, 3), (22, 2), (30, 1), (25, 3)],
    [(11, 3), (23, 2), (31, 1), (24, 3)],
    [(12, 3), (24, 2), (30, 2), (31, 3)],
    [(13, 3), (25, 2), (31, 2), (30, 3)],
    [(14, 3), (26, 2), (28, 2), (29, 3)],
    [(15, 3), (27, 2), (29, 2), (28, 3)],
];

const GALAXY_LINKS: [EthLink; GALAXY_CHIPS * 4 * GALAXY_WIDTH as usize / 2] = {
    let mut links = [link([0, 0], [0, 0]); GALAXY_CHIPS * 4 * GALAXY_WIDTH as usize / 2];
    let (mut n, mut end) = (0, 0);
    while end < GALAXY_CHIPS * 4 {
        let (chip, group) = ((end / 4) as u8, (end % 4) as u8);
        let (peer, peer_group) = GALAXY_NEIGHBOURS[end / 4][end % 4];
        let mut i = 0;
        // Each link once, from the end that counts first.
        while i < GALAXY_WIDTH && chip < peer {
            links[n] = link([chip, group * GALAXY_WIDTH + i], [peer, peer_group * GALAXY_WIDTH + i]);
            n += 1;
            i += 1;
        }
        end += 1;
    }
    assert!(n == links.len());
    links
};

const GALAXY_PLACES: [NocXy; GALAXY_CHIPS] = {
    let mut places = [xy(0, 0); GALAXY_CHIPS];
    let mut i = 0;
    while i < GALAXY_CHIPS {
        places[i] = xy(i as u8, 0);
        i += 1;
    }
    places
};

/// Boards that can be described without a card. Which rows are harvested differs from card to card: only
/// their number is a property of the board.
///
/// `galaxy` is one chip of a Galaxy, which is the whole of what other boards have harvested; `galaxy32` is all of it.
pub const BOARDS: &[Board] = &[
    Board {
        name: "n150",
        chip: &WORMHOLE,
        harvested: &[1],
        board_type: 0x18,
        pcie_chips: 1,
        links: &[],
        places: &[xy(0, 0)],
    },
    Board {
        name: "n300",
        chip: &WORMHOLE,
        harvested: &[2, 2],
        board_type: 0x14,
        pcie_chips: 1,
        links: &N300_LINKS,
        places: &[xy(0, 0), xy(1, 0)],
    },
    Board {
        name: "galaxy",
        chip: &WORMHOLE,
        harvested: &[0],
        board_type: 0x35,
        pcie_chips: 1,
        links: &[],
        places: &[xy(0, 0)],
    },
    Board {
        name: "t3000",
        chip: &WORMHOLE,
        harvested: &[2; 8],
        board_type: 0x14,
        pcie_chips: 4,
        links: &T3000_LINKS,
        places: &T3000_PLACES,
    },
    Board {
        name: "galaxy32",
        chip: &WORMHOLE,
        harvested: &[0; GALAXY_CHIPS],
        board_type: 0x35,
        pcie_chips: GALAXY_CHIPS as u8,
        links: &GALAXY_LINKS,
        places: &GALAXY_PLACES,
    },
];

impl Board {
    /// Id of the board (or, where the host reaches several of them, of the chip's part of it) as telemetry has it.
    pub fn id(&self, chip: usize) -> u64 {
        let pcie = usize::from(self.pcie_chips);
        let part = if pcie < self.harvested.len() { chip % pcie } else { 0 };
        u64::from(self.board_type) << 36 | (1 + part as u64)
    }

    /// Chips of the same card as a chip that the host reaches: those with the same id, which are not connected to the host.
    pub fn behind(&self, chip: usize) -> impl Iterator<Item = usize> + use<'_> {
        let first = usize::from(self.pcie_chips);
        let card = self.id(chip);
        (first..self.harvested.len()).filter(move |&other| chip < first && self.id(other) == card)
    }

    /// The other end of the link at a channel of a chip.
    pub fn peer(&self, chip: usize, channel: usize) -> Option<EthEnd> {
        let is = |end: EthEnd| usize::from(end.chip) == chip && usize::from(end.channel) == channel;
        self.links.iter().find_map(|&EthLink(a, b)| match () {
            () if is(a) => Some(b),
            () if is(b) => Some(a),
            () => None,
        })
    }
}

/// The board called `name`.
pub fn board(name: &str) -> Option<&'static Board> {
    BOARDS.iter().find(|board| board.name == name)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// Every end has one link, to a channel that exists, and descriptions have one entry a chip.
    #[test]
    fn links_have_two_ends() {
        for board in BOARDS {
            let chips = board.harvested.len();
            assert_eq!(board.places.len(), chips, "{}", board.name);
            let ends: Vec<EthEnd> = board.links.iter().flat_map(|&EthLink(a, b)| [a, b]).collect();
            for (i, end) in ends.iter().enumerate() {
                assert!(usize::from(end.chip) < chips, "{} {end:?}", board.name);
                assert!(usize::from(end.channel) < board.chip.ethernet.len(), "{} {end:?}", board.name);
                assert!(!ends[i + 1..].contains(end), "{} {end:?} twice", board.name);
                let peer = board.peer(end.chip.into(), end.channel.into()).unwrap();
                assert_eq!(board.peer(peer.chip.into(), peer.channel.into()), Some(*end));
            }
        }
        assert_eq!(board("n300").unwrap().peer(0, 9), Some(EthEnd { chip: 1, channel: 1 }));
        assert_eq!(board("galaxy32").unwrap().links.len(), 256);
    }

    /// Every chip that the host does not reach is behind one that it does, and linked with it.
    #[test]
    fn second_chips_are_behind_first_ones() {
        for board in BOARDS {
            let first = usize::from(board.pcie_chips);
            let mut reached: Vec<usize> = (0..board.harvested.len()).flat_map(|n| board.behind(n)).collect();
            reached.sort_unstable();
            assert_eq!(reached, (first..board.harvested.len()).collect::<Vec<_>>(), "{}", board.name);
            for (gateway, chip) in (0..first).flat_map(|n| board.behind(n).map(move |chip| (n, chip))) {
                let ends = (0..board.chip.ethernet.len()).filter_map(|channel| board.peer(gateway, channel));
                assert_eq!(ends.filter(|end| usize::from(end.chip) == chip).count(), 2, "{}", board.name);
            }
        }
    }
}
