//! A link between two routers, or between a router and a NIU: when packets pass, and how much it has carried.

use tt_isa::timing::TICKS;

/// Times that are kept in which a link is free although later ones are taken.
const GAPS: usize = 4;
/// The same between short packets, which are many.
const SHORT_GAPS: usize = 16;
/// A packet is not cut into pieces smaller than so many flits.
const PIECE: u64 = 16;

/// A link. Times are ticks.
#[derive(Clone, Default)]
pub struct Link {
    /// Until when bulk and short packets have taken it.
    bulk: u64,
    short: u64,
    /// Where it is free before `bulk`: packets that were held up elsewhere have taken it later. The oldest first.
    gaps: [(u64, u64); GAPS],
    /// The same before `short`.
    short_gaps: [(u64, u64); SHORT_GAPS],
    /// Flits that have passed, for how long, and how long packets have waited.
    pub flits: u64,
    pub busy: u64,
    pub waited: u64,
}

impl Link {
    /// A packet that comes at `at` takes it for `flits` flits of `pace` ticks each: when its head and its tail pass.
    pub fn take(&mut self, at: u64, flits: u64, pace: u64, small: bool) -> (u64, u64) {
        let ticks = flits * pace;
        let (head, tail) = if small { self.take_short(at, ticks) } else { self.take_bulk(at, ticks) };
        self.flits += flits;
        self.busy += ticks;
        self.waited += head - at;
        (head, tail)
    }

    /// Flits of long packets that are under way then come later.
    fn take_short(&mut self, at: u64, ticks: u64) -> (u64, u64) {
        let start = self.short_start(at, ticks);
        if self.bulk > start {
            self.bulk += ticks;
        }
        (start, start + ticks)
    }

    /// When a short packet takes the link. Ways are computed when packets start, so one that comes from afar takes it before one that starts later and
    /// is here earlier.
    fn short_start(&mut self, at: u64, ticks: u64) -> u64 {
        for gap in &mut self.short_gaps {
            let from = at.max(gap.0);
            if from + ticks <= gap.1 {
                Self::used(gap, from, from + ticks);
                return from;
            }
        }
        if at > self.short {
            self.short_gaps.rotate_left(1);
            self.short_gaps[SHORT_GAPS - 1] = (self.short, at);
        }
        let start = at.max(self.short);
        self.short = start + ticks;
        start
    }

    /// Flits of several packets take turns, so a packet may pass in pieces.
    fn take_bulk(&mut self, at: u64, ticks: u64) -> (u64, u64) {
        let (mut left, mut head) = (ticks, None);
        for gap in &mut self.gaps {
            let from = at.max(gap.0);
            let piece = gap.1.saturating_sub(from).min(left);
            if piece < left.min(PIECE * TICKS) {
                continue;
            }
            let to = from + piece;
            head = head.or(Some(from));
            left -= piece;
            if left == 0 {
                return (head.unwrap_or(from), Self::used(gap, from, to));
            }
            Self::used(gap, from, to);
        }
        let from = at.max(self.bulk);
        if from > self.bulk {
            self.gaps.rotate_left(1);
            self.gaps[GAPS - 1] = (self.bulk, from);
        }
        self.bulk = from + left;
        (head.unwrap_or(from), self.bulk)
    }

    /// Part of a gap has been taken; the longer one of what is left is kept. When it ends.
    fn used(gap: &mut (u64, u64), from: u64, to: u64) -> u64 {
        *gap = if from - gap.0 > gap.1 - to { (gap.0, from) } else { (to, gap.1) };
        to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_up_elsewhere_leaves_the_link_to_others() {
        let mut link = Link::default();
        let bulk = 257 * TICKS;
        assert_eq!(link.take(10 * bulk, 257, TICKS, false), (10 * bulk, 11 * bulk));
        assert_eq!(link.take(0, 257, TICKS, false), (0, bulk), "before it");
        assert_eq!(link.take(0, 257, TICKS, false), (bulk, 2 * bulk));
        assert_eq!(link.take(9 * bulk + bulk / 2, 257, TICKS, false).0, 9 * bulk + bulk / 2, "in two pieces");
        assert_eq!(link.take(0, 257, TICKS, false), (2 * bulk, 3 * bulk));
        assert_eq!(link.flits, 5 * 257);
        assert_eq!(link.busy, 5 * bulk);
    }

    #[test]
    fn a_link_is_never_taken_twice() {
        let (mut link, mut state, mut sum) = (Link::default(), 1_u64, 0);
        for n in 0..1000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (_, tail) = link.take(n * 3000 + (state >> 40) % 20_000, 257, TICKS, false);
            sum += 257 * TICKS;
            assert!(link.bulk >= sum, "as much time has passed as was taken");
            assert!(tail <= link.bulk);
        }
    }
}
