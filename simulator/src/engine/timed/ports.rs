//! Access ports of L1 that several clients share (`TensixTile/L1.md`, "Port assignments").
//!
//! A port serves one access in a clock, and is blocked for longer by a narrow write or an atomic operation. Cores and units do not
//! run in the order of their times ([`super`]), so a port does not keep the clock at which it is free, but how much of each
//! window of time has been given away: an access takes place in the first window from its time on that has room. So what a
//! port serves in all is right, and who comes a few clocks earlier within a window is not looked at.

use tt_isa::map::RiscV;
use tt_isa::timing::PortTiming;

/// Clocks of a window.
const WINDOW: u64 = 16;
/// Windows that are kept: cores are not that far apart.
const WINDOWS: usize = 32;
/// Ports of L1.
const PORTS: usize = 16;

/// How many clocks of a window are taken.
#[derive(Clone, Copy, Default)]
struct Window {
    number: u64,
    used: u64,
}

/// An access port.
#[derive(Clone, Copy, Default)]
pub struct Port {
    windows: [Window; WINDOWS],
}

impl Port {
    /// Takes the port for some clocks, `at` the earliest: from when on it is served.
    #[inline(always)]
    pub fn take(&mut self, at: u64, clocks: u64) -> u64 {
        let number = at / WINDOW;
        let window = &mut self.windows[number as usize % WINDOWS];
        if window.number == number && window.used + clocks <= WINDOW {
            window.used += clocks;
            return at;
        }
        self.take_several(at, clocks).0
    }

    /// The same, and when it has been served.
    pub fn take_several(&mut self, at: u64, clocks: u64) -> (u64, u64) {
        let mut number = at / WINDOW;
        while self.used(number) >= WINDOW {
            number += 1;
        }
        let start = at.max(number * WINDOW);
        let mut left = clocks;
        loop {
            let used = self.used(number);
            let part = left.min(WINDOW.saturating_sub(used));
            self.windows[number as usize % WINDOWS].used += part;
            left -= part;
            if left == 0 {
                break;
            }
            number += 1;
        }
        let last = &self.windows[number as usize % WINDOWS];
        (start, (start + clocks).max(number * WINDOW + last.used))
    }

    /// Clocks that are taken of a window. One that is so long ago that it is forgotten counts as the one that has its place.
    fn used(&mut self, number: u64) -> u64 {
        let window = &mut self.windows[number as usize % WINDOWS];
        if window.number < number {
            *window = Window { number, used: 0 };
        }
        window.used
    }
}

/// The ports of a tile.
pub struct Ports {
    timing: &'static PortTiming,
    ports: [Port; PORTS],
}

impl Ports {
    /// Nothing has been accessed.
    pub fn new(timing: &'static PortTiming) -> Self {
        Self { timing, ports: [Port::default(); PORTS] }
    }

    /// A core's.
    #[inline(always)]
    pub fn of_core(&mut self, core: RiscV) -> &mut Port {
        &mut self.ports[usize::from(self.timing.cores[core as usize]) % PORTS]
    }

    /// The scalar unit's.
    pub fn of_scalar_unit(&mut self) -> &mut Port {
        &mut self.ports[usize::from(self.timing.scalar) % PORTS]
    }

    /// The mover reads and writes so often, from `at` on: when it is done.
    pub fn move_data(&mut self, at: u64, accesses: [u64; 2]) -> u64 {
        let ports = self.timing.mover.map(|port| usize::from(port) % PORTS);
        let both = ports.into_iter().zip(accesses).filter(|&(_, accesses)| accesses != 0);
        both.fold(at, |done, (port, accesses)| done.max(self.ports[port].take_several(at, accesses).1))
    }

    /// Packers (a bit each) write for some clocks, `at` the earliest: when the last one is done.
    pub fn pack(&mut self, packers: u32, at: u64, clocks: u64) -> u64 {
        let used = (0..self.timing.packers.len()).filter(|packer| packers >> packer & 1 != 0);
        let ports = used.map(|packer| usize::from(self.timing.packers[packer]) % PORTS);
        ports.fold(at + clocks, |done, port| done.max(self.ports[port].take_several(at, clocks).1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_is_never_kept_waiting_by_itself() {
        let (mut port, mut at) = (Port::default(), 1000);
        for n in 0..1000 {
            assert_eq!(port.take(at, 5), at, "store {n}");
            at += 5;
        }
        let (start, done) = port.take_several(at, 100);
        assert_eq!((start, done), (at, at + 100));
    }

    #[test]
    fn a_port_serves_no_more_than_there_is_time() {
        let mut port = Port::default();
        // Two clients store every five clocks; the second one's turn comes later.
        let mut last = 0;
        for client in 0..2 {
            for n in 0..64 {
                last = port.take(n * 5, 5).max(last);
                assert!(client == 1 || last == n * 5);
            }
        }
        assert!((2 * 64 * 5 - 16..2 * 64 * 5).contains(&last), "{last}");
    }

    #[test]
    fn packers_wait_for_cores_at_the_ports_that_they_share() {
        let mut ports = Ports::new(&tt_isa::timing::WORMHOLE.port);
        assert_eq!(ports.pack(0xF, 1600, 64), 1664, "nobody else is there");
        // B stores all the time.
        for n in 0..64 {
            ports.of_core(RiscV::Brisc).take(3200 + 5 * n, 5);
        }
        assert_eq!(ports.pack(0b1011, 3200, 64), 3264, "packers 0, 1 and 3 have other ports");
        assert!(ports.pack(0b0100, 3200, 64) >= 3200 + 64 * 5, "packer 2 has B's");
    }
}
