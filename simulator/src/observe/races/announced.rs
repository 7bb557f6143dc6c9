//! Order that goes from a tile to others and comes back.
//!
//! A core that adds to a word of another tile by an atomic announces what happened before: a completion word is how workers say that they are ready.
//! Whoever finds the sum, and then writes a flag to a tile, has that tile's own announcement behind it. So the flag comes after what
//! the tile's core had done, though no core of the tile has told the other ones:
//!
//! ```text
//! core of tile X --atomic--> tile Y's word --poll--> core of Y --flag--> X's L1 --poll--> another core of X
//! ```
//! As with DRAM, a tile's requests come after all that has arrived there before ([`Snapshot`](super::dram::Snapshot)).

use std::collections::VecDeque;

use super::clock::VectorClock;
use super::dram::Completed;

/// Arrivals that are remembered with what came back with them.
const HEARD: usize = 64;

/// What a tile has announced and heard.
#[derive(Default)]
pub struct Announced {
    /// How many announcements of each tile came before what is here.
    known: Completed,
    /// What happened before the tile's own announcements, of which the first ones have been heard and are gone.
    own: VecDeque<VectorClock>,
    gone: u32,
    /// Numbers of arrivals, and what had been announced here before the flags that came with them.
    heard: VecDeque<(u32, VectorClock)>,
}

impl Announced {
    /// Tile number `tile`, which this is of, announces what happened before.
    pub fn announce(&mut self, tile: usize, before: &VectorClock) {
        let mut all = *before;
        if let Some(last) = self.own.back() {
            all.join(last);
        }
        self.own.push_back(all);
        self.known.next(tile);
    }

    /// For a request of the tile.
    pub fn known(&self) -> &Completed {
        &self.known
    }

    /// A request of a tile that knows of announcements, `known`, has come here, to tile number `tile`, as arrival `arrival`.
    pub fn arrives(&mut self, tile: usize, known: &Completed, arrival: u32) {
        self.known.join(known);
        let Some(index) = known.of(tile).checked_sub(self.gone + 1) else { return };
        self.own.drain(..index as usize);
        self.gone += index;
        let Some(before) = self.own.front() else { return };
        if self.heard.back().is_none_or(|(_, last)| last != before) {
            self.heard.push_back((arrival, *before));
        }
        if self.heard.len() > HEARD {
            self.heard.pop_front();
        }
    }

    /// What came back with arrival `n` or an earlier one.
    pub fn before_arrival(&self, n: u32) -> Option<VectorClock> {
        let behind = self.heard.partition_point(|&(arrival, _)| arrival <= n);
        behind.checked_sub(1).map(|last| self.heard[last].1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::Component;
    use super::*;

    fn clock(n: u32) -> VectorClock {
        let mut clock = VectorClock::ZERO;
        clock.advance(Component::stores(0), n);
        clock
    }

    #[test]
    fn what_was_announced_comes_back_with_a_flag() {
        let (mut here, mut other) = (Announced::default(), Announced::default());
        here.announce(3, &clock(5));
        let first = here.known().clone();
        here.announce(3, &clock(9));
        // A flag of somebody who has not heard of it brings nothing.
        here.arrives(3, other.known(), 1);
        assert_eq!(here.before_arrival(1), None);
        other.arrives(7, &first, 1);
        here.arrives(3, other.known(), 4);
        here.arrives(3, other.known(), 5);
        assert_eq!([3, 4, 9].map(|n| here.before_arrival(n)), [None, Some(clock(5)), Some(clock(5))]);
        other.arrives(7, here.known(), 2);
        here.arrives(3, other.known(), 6);
        assert_eq!([5, 6].map(|n| here.before_arrival(n)), [Some(clock(5)), Some(clock(9))]);
        // Earlier ones that come late change nothing.
        here.arrives(3, &first, 7);
        assert_eq!(here.before_arrival(7), Some(clock(9)));
    }
}
