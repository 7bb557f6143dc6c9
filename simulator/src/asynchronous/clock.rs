//! Who did what before whom: vector clocks.
//!
//! A [`Component`] is something whose accesses are in a known order among themselves: a core's stores to L1, a
//! thread's instructions in one unit. An access is the n-th of its component. A [`Clock`] says, for every component,
//! up to which n its owner knows that the accesses are done.

/// RISC-V cores of a tile.
pub const CORES: usize = 5;
/// Threads of the coprocessor.
pub const THREADS: usize = 3;
/// NIUs of a tile.
pub const NIUS: usize = 2;

/// A unit of the coprocessor that keeps instructions for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Unit {
    /// Unpacker 0.
    Unpacker0,
    /// Unpacker 1.
    Unpacker1,
    /// Matrix unit.
    Matrix,
    /// Vector unit.
    Vector,
    /// All four packers.
    Packers,
}

impl Unit {
    /// All of them.
    pub const ALL: [Unit; UNITS] =
        [Unit::Unpacker0, Unit::Unpacker1, Unit::Matrix, Unit::Vector, Unit::Packers];

    /// Name in messages.
    pub const fn name(self) -> &'static str {
        ["unpacker 0", "unpacker 1", "the matrix unit", "the vector unit", "the packers"][self as usize]
    }
}

/// Number of [`Unit`]s.
pub const UNITS: usize = 5;

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
const UNIT: u8 = MOP + THREADS as u8;
const NOC: u8 = UNIT + (UNITS * THREADS) as u8;
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
    /// Instructions in a unit.
    Unit(Unit, usize),
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

    /// Instructions of a thread in a unit.
    pub const fn unit(unit: Unit, thread: usize) -> Self {
        Self(UNIT + unit as u8 * THREADS as u8 + thread as u8)
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
            MOP..UNIT => Origin::Mop(at(MOP)),
            UNIT..NOC => Origin::Unit(Unit::ALL[at(UNIT) / THREADS], at(UNIT) % THREADS),
            NOC..ARRIVALS => Origin::Noc(at(NOC) / RESPONSES),
            ARRIVALS => Origin::Arrival,
            _ => Origin::UnderWay,
        }
    }
}

/// What its owner knows to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock([u32; COMPONENTS]);

impl Clock {
    /// Knows of nothing.
    pub const ZERO: Self = Self([0; COMPONENTS]);
    /// Knows everything that is not under way.
    pub const ALL: Self = Self([u32::MAX; COMPONENTS]);

    /// Number of the last access of `component` that is known to be done.
    pub fn get(&self, component: Component) -> u32 {
        self.0.get(usize::from(component.0)).copied().unwrap_or(0)
    }

    /// Whether access `n` of `component` is known to be done.
    pub fn covers(&self, component: Component, n: u32) -> bool {
        self.get(component) >= n
    }

    /// From now on access `n` of `component`, and those before, are known to be done.
    pub fn learn(&mut self, component: Component, n: u32) {
        if let Some(known) = self.0.get_mut(usize::from(component.0)) {
            *known = n.max(*known);
        }
    }

    /// Sets what is known of `component`, even if it is less than before.
    pub fn set(&mut self, component: Component, n: u32) {
        if let Some(known) = self.0.get_mut(usize::from(component.0)) {
            *known = n;
        }
    }

    /// Learns all that `other` knows; whether any of it is new.
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
            for unit in Unit::ALL {
                all.push(Component::unit(unit, thread));
                assert_eq!(Component::unit(unit, thread).origin(), Origin::Unit(unit, thread));
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
    fn joining_learns() {
        let (mut a, mut b) = (Clock::ZERO, Clock::ZERO);
        a.learn(Component::stores(1), 5);
        b.learn(Component::stores(2), 7);
        assert!(a.join(&b) && !a.join(&b));
        assert!(a.covers(Component::stores(2), 7) && !a.covers(Component::stores(2), 8));
        assert!(!a.covers(Component::UNDER_WAY, 1));
    }
}
