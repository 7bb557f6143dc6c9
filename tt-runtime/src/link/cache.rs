//! Which window shows what: the windows of each kind are a cache of places on the chip, the least recently used goes first.

use tt_isa::tlb::TlbTarget;

use crate::transport::{Purpose, Shown};

/// A transport's windows.
pub(super) struct Cache {
    entries: Vec<Entry>,
    /// Counts uses.
    now: u64,
}

struct Entry {
    shown: Shown,
    /// What it points at, `addr` of its first byte.
    target: Option<TlbTarget>,
    used: u64,
}

/// A window for an access.
pub(super) struct Found {
    /// Its number.
    pub window: usize,
    /// Bytes that it shows.
    pub bytes: u64,
    /// It shows the place already.
    pub points: bool,
}

impl Cache {
    pub(super) fn new(windows: &[Shown]) -> Self {
        let entries = windows.iter().map(|&shown| Entry { shown, target: None, used: 0 }).collect();
        Self { entries, now: 0 }
    }

    /// The window for `target`, and the address of its first byte then. If it does not point there yet it is forgotten where it
    /// points, until [`points`](Self::points).
    pub(super) fn find(&mut self, purpose: Purpose, target: &TlbTarget) -> (Found, u64) {
        self.now += 1;
        let hit = self.entries.iter().position(|entry| entry.shows(purpose, target));
        let window = hit.unwrap_or_else(|| self.oldest(purpose));
        let entry = &mut self.entries[window];
        entry.used = self.now;
        if hit.is_none() {
            entry.target = None;
        }
        let bytes = entry.shown.bytes;
        (Found { window, bytes, points: hit.is_some() }, target.addr / bytes * bytes)
    }

    /// A window has been pointed somewhere.
    pub(super) fn points(&mut self, window: usize, target: TlbTarget) {
        self.entries[window].target = Some(target);
    }

    /// The window of a kind (of any, if there is none of it) that was used longest ago.
    fn oldest(&self, purpose: Purpose) -> usize {
        let any = !self.entries.iter().any(|entry| entry.shown.purpose == purpose);
        let entries = self.entries.iter().enumerate();
        let kind = entries.filter(|(_, entry)| any || entry.shown.purpose == purpose);
        kind.min_by_key(|(_, entry)| entry.used).map_or(0, |(window, _)| window)
    }
}

impl Entry {
    /// Whether it shows a place, with the order that the purpose needs.
    fn shows(&self, purpose: Purpose, wanted: &TlbTarget) -> bool {
        let addr = wanted.addr / self.shown.bytes * self.shown.bytes;
        self.target == Some(TlbTarget { addr, ordering: purpose.ordering(), ..*wanted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::noc::NocXy;

    const MIB: u64 = 1 << 20;

    fn at(x: u8, addr: u64) -> TlbTarget {
        TlbTarget::unicast(NocXy::new(x, 0), addr)
    }

    /// Which window an access takes, and whether it had to be pointed there.
    fn access(cache: &mut Cache, purpose: Purpose, target: TlbTarget) -> (usize, bool) {
        let (found, base) = cache.find(purpose, &target);
        if !found.points {
            cache.points(found.window, TlbTarget { addr: base, ordering: purpose.ordering(), ..target });
        }
        (found.window, !found.points)
    }

    #[test]
    fn the_least_recently_used_window_moves() {
        let window = |purpose| Shown { bytes: 2 * MIB, purpose };
        let mut cache = Cache::new(&[Purpose::Bulk, Purpose::Control, Purpose::Control].map(window));
        let mut control = |x, addr| access(&mut cache, Purpose::Control, at(x, addr));
        assert_eq!(control(1, 5), (1, true));
        assert_eq!(control(2, 5), (2, true));
        assert_eq!(control(1, 2 * MIB - 1), (1, false));
        assert_eq!(control(3, 0), (2, true), "1 was used since");
        assert_eq!(control(1, 2 * MIB), (1, true), "the next piece of the same tile");
        assert_eq!(access(&mut cache, Purpose::Bulk, at(1, 2 * MIB)), (0, true), "kinds are apart");
    }

    #[test]
    fn one_window_serves_all_and_a_failed_move_is_not_remembered() {
        let mut cache = Cache::new(&[Shown { bytes: MIB, purpose: Purpose::Bulk }]);
        assert_eq!(access(&mut cache, Purpose::Control, at(1, 0)), (0, true));
        assert_eq!(access(&mut cache, Purpose::Bulk, at(1, 0)), (0, true), "another order of writes");
        let (found, _) = cache.find(Purpose::Bulk, &at(2, 0));
        assert!(!found.points);
        assert_eq!(access(&mut cache, Purpose::Bulk, at(1, 0)), (0, true));
    }
}
