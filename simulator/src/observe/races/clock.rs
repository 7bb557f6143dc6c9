//! Vector clocks, which track happens-before.
//!
//! A [`Component`] is a source of accesses with a known order among themselves: a core's stores to L1, a
//! thread's instructions in one unit. An access is the n-th of its component. A [`VectorClock`] has, for every component,
//! the number n up to which its accesses happened before the clock owner's next action.

use crate::model::tensix::THREADS;
use crate::model::tensix::pipe::{PIPES, Pipe};
use crate::model::tile::HARTS as CORES;

/// NIUs of a tile.
pub const NIUS: usize = 2;

/// What a NoC request's response is counted as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Response {
    /// `NIU_MST_RD_RESP_RECEIVED`.
    Read,
    /// `NIU_MST_WR_ACK_RECEIVED`.
    Write,
    /// `NIU_MST_ATOMIC_RESP_RECEIVED`.
    Atomic,
    /// `NIU_MST_*_WR_REQ_SENT`: no response, but a write's data has left the tile.
    Sent,
}

const RESPONSES: usize = 4;

/// Something with accesses in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Component(pub u8);

const CORE_STORES: u8 = 0;
const CORE_CONFIG: u8 = CORE_STORES + CORES as u8;
const CORE_LOADS: u8 = CORE_CONFIG + CORES as u8;
const THREAD: u8 = CORE_LOADS + CORES as u8;
const WRCFG: u8 = THREAD + THREADS as u8;
const MOP: u8 = WRCFG + THREADS as u8;
const PIPE: u8 = MOP + THREADS as u8;
const NOC: u8 = PIPE + (PIPES * THREADS) as u8;
const ARRIVALS: u8 = NOC + (NIUS * RESPONSES) as u8;
/// Number of components.
const COMPONENTS: usize = ARRIVALS as usize + 1;

/// What a component is, for messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A core's stores to L1.
    Stores(usize),
    /// A core's stores to GPRs and configuration.
    Config(usize),
    /// A core's loads.
    Loads(usize),
    /// Instructions that take effect as they pass the wait gate.
    Thread(usize),
    /// `WRCFG`, which takes effect one instruction later.
    WrCfg(usize),
    /// Expansions of a thread's MOP expander.
    Mop(usize),
    /// Instructions in a unit that keeps them.
    Pipe(Pipe, usize),
    /// Finished NoC requests of this tile.
    Noc(usize),
    /// NoC requests from anywhere to this tile's memory.
    Arrival,
    /// A NoC request of this tile that is under way.
    UnderWay,
}

impl Component {
    /// NoC requests that are under way: no clock ever covers them.
    pub const UNDER_WAY: Self = Self(COMPONENTS as u8);
    /// What NoC requests from elsewhere do to this tile's memory, in the order of arrival.
    pub const ARRIVALS: Self = Self(ARRIVALS);

    /// Stores of a core to L1.
    pub const fn stores(core: usize) -> Self {
        Self(CORE_STORES + core as u8)
    }

    /// Stores of a core to Tensix GPRs and configuration.
    pub const fn config(core: usize) -> Self {
        Self(CORE_CONFIG + core as u8)
    }

    /// Loads of a core.
    pub const fn loads(core: usize) -> Self {
        Self(CORE_LOADS + core as u8)
    }

    /// Instructions of a thread that take effect at once.
    pub const fn thread(thread: usize) -> Self {
        Self(THREAD + thread as u8)
    }

    /// `WRCFG`s of a thread.
    pub const fn wrcfg(thread: usize) -> Self {
        Self(WRCFG + thread as u8)
    }

    /// `MOP`s of a thread.
    pub const fn mop(thread: usize) -> Self {
        Self(MOP + thread as u8)
    }

    /// Instructions of a thread in a unit that keeps them.
    pub const fn pipe(pipe: Pipe, thread: usize) -> Self {
        Self(PIPE + pipe as u8 * THREADS as u8 + thread as u8)
    }

    /// Finished requests of an NIU.
    pub const fn noc(noc: usize, response: Response) -> Self {
        Self(NOC + (noc * RESPONSES) as u8 + response as u8)
    }

    /// What this component is.
    pub fn origin(self) -> Origin {
        let Self(n) = self;
        let at = |first: u8| usize::from(n - first);
        match n {
            CORE_STORES..CORE_CONFIG => Origin::Stores(at(CORE_STORES)),
            CORE_CONFIG..CORE_LOADS => Origin::Config(at(CORE_CONFIG)),
            CORE_LOADS..THREAD => Origin::Loads(at(CORE_LOADS)),
            THREAD..WRCFG => Origin::Thread(at(THREAD)),
            WRCFG..MOP => Origin::WrCfg(at(WRCFG)),
            MOP..PIPE => Origin::Mop(at(MOP)),
            PIPE..NOC => Origin::Pipe(Pipe::ALL[at(PIPE) / THREADS], at(PIPE) % THREADS),
            NOC..ARRIVALS => Origin::Noc(at(NOC) / RESPONSES),
            ARRIVALS => Origin::Arrival,
            _ => Origin::UnderWay,
        }
    }
}

/// What happened before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VectorClock([u32; COMPONENTS]);

impl VectorClock {
    /// Nothing did.
    pub const ZERO: Self = Self([0; COMPONENTS]);
    /// Everything did that is not under way.
    pub const ALL: Self = Self([u32::MAX; COMPONENTS]);

    /// Number of the last access of `component` that happened before.
    pub fn get(&self, component: Component) -> u32 {
        self.0.get(usize::from(component.0)).copied().unwrap_or(0)
    }

    /// Whether access `n` of `component` happened before.
    pub fn covers(&self, component: Component, n: u32) -> bool {
        self.get(component) >= n
    }

    /// Access `n` of `component`, and those before it, happened before everything from now on.
    pub fn advance(&mut self, component: Component, n: u32) {
        if let Some(entry) = self.0.get_mut(usize::from(component.0)) {
            *entry = n.max(*entry);
        }
    }

    /// Sets the entry of `component`, even if it is less than before.
    pub fn set(&mut self, component: Component, n: u32) {
        if let Some(entry) = self.0.get_mut(usize::from(component.0)) {
            *entry = n;
        }
    }

    /// The later of both, entry by entry; whether that is anything new.
    pub fn join(&mut self, other: &Self) -> bool {
        let mut news = false;
        for (mine, &theirs) in self.0.iter_mut().zip(&other.0) {
            news |= theirs > *mine;
            *mine = theirs.max(*mine);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_distinct_and_know_their_origin() {
        let mut all = vec![Component::ARRIVALS, Component::UNDER_WAY];
        for core in 0..CORES {
            all.extend([Component::stores(core), Component::config(core), Component::loads(core)]);
            assert_eq!(Component::config(core).origin(), Origin::Config(core));
        }
        for thread in 0..THREADS {
            all.extend([Component::thread(thread), Component::wrcfg(thread), Component::mop(thread)]);
            for pipe in Pipe::ALL {
                all.push(Component::pipe(pipe, thread));
                assert_eq!(Component::pipe(pipe, thread).origin(), Origin::Pipe(pipe, thread));
            }
        }
        for noc in 0..NIUS {
            for response in [Response::Read, Response::Write, Response::Atomic, Response::Sent] {
                all.push(Component::noc(noc, response));
                assert_eq!(Component::noc(noc, response).origin(), Origin::Noc(noc));
            }
        }
        let mut numbers: Vec<u8> = all.iter().map(|c| c.0).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..=COMPONENTS as u8));
    }

    #[test]
    fn joining_takes_the_later_of_both() {
        let (mut a, mut b) = (VectorClock::ZERO, VectorClock::ZERO);
        a.advance(Component::stores(1), 5);
        b.advance(Component::stores(2), 7);
        assert!(a.join(&b) && !a.join(&b));
        assert!(a.covers(Component::stores(2), 7) && !a.covers(Component::stores(2), 8));
        assert!(!a.covers(Component::UNDER_WAY, 1));
    }
}
