//! What has taken time, where time is kept: totals in clocks since the chip was powered on, so that the difference of two
//! of them is what happened in between. The engine fills them in ([`crate::Chip::usage`]).
//!
//! ```text
//! Usage -> tiles    -> cores: executing, or waiting for what ([`CoreWait`])
//!                   -> threads of the coprocessor: waiting for what ([`ThreadWait`])
//!                   -> units: busy ([`UnitName`])
//!       -> links    -> bytes, busy, what packets waited for it
//!       -> channels -> bytes of DRAM read and written, busy
//!       -> ethernet -> bytes sent over the links, busy
//! ```
//! The clocks of a core that are neither executing nor waiting it has spent in reset; those of a thread that are not
//! waiting it has executed, or had nothing to execute.

mod difference;

/// Cores of a tile, in the order of [`TileUsage::cores`].
pub use tt_isa::map::{CORES, RiscV};
use tt_isa::noc::NocXy;

/// Makes an enum whose values index an array of totals.
macro_rules! counted {
    ($(#[$doc:meta])* $name:ident, $count:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$value_doc])* $value,)*
        }

        /// How many there are.
        pub const $count: usize = [$($name::$value),*].len();

        impl $name {
            /// All of them, in the order of the totals.
            pub const ALL: [Self; $count] = [$(Self::$value),*];

            /// Name for people.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)*
                }
            }
        }
    };
}

counted! {
    /// What a core waits for.
    CoreWait, CORE_WAITS {
        /// A value that has been loaded or is being computed.
        Operand = "operand",
        /// Room in the load/store unit.
        Memory = "load/store unit",
        /// Code: a mispredicted branch, or what is not in the instruction cache.
        Code = "code",
        /// The coprocessor: room in a FIFO, TTSync, a semaphore or a mailbox.
        Coprocessor = "coprocessor",
        /// A counter or register of a NIU, which it polls.
        Noc = "NoC",
        /// A word of L1, which it polls: another core, another tile, or the host writes it.
        Word = "L1 word",
        /// Another register, which it polls.
        Register = "register",
    }
}

counted! {
    /// What the next instruction of a thread waits for.
    ThreadWait, THREAD_WAITS {
        /// The condition of a `STALLWAIT` or `SEMWAIT`.
        Condition = "condition",
        /// Its unit: it is busy, full, or waits for a bank of SrcA or SrcB.
        Unit = "unit",
    }
}

counted! {
    /// A unit of the coprocessor.
    UnitName, UNITS {
        /// Unpacker 0, while it fetches.
        Unpacker0 = "unpacker 0",
        /// Unpacker 1.
        Unpacker1 = "unpacker 1",
        /// The matrix unit, for as long as it cannot take another instruction.
        Matrix = "matrix unit",
        /// The vector unit, the same.
        Vector = "vector unit",
        /// The packers, while any writes.
        Packers = "packers",
        /// The scalar unit.
        Scalar = "scalar unit",
        /// The mover.
        Mover = "mover",
    }
}

/// A core.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CoreUsage {
    /// Clocks in which its integer unit worked.
    pub executing: u64,
    /// Clocks in which it waited, by [`CoreWait`].
    pub waits: [u64; CORE_WAITS],
}

/// A thread of the coprocessor.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ThreadUsage {
    /// Clocks in which an instruction waited at the gate, by [`ThreadWait`].
    pub waits: [u64; THREAD_WAITS],
}

/// A Tensix tile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TileUsage {
    /// NoC 0 position.
    pub at: NocXy,
    /// B, T0, T1, T2, NC.
    pub cores: [CoreUsage; CORES],
    /// Of the coprocessor.
    pub threads: [ThreadUsage; 3],
    /// Clocks in which each unit was busy, by [`UnitName`].
    pub units: [u64; UNITS],
}

/// Where a link leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkWay {
    /// From the NIU to its router.
    In,
    /// From the router to its NIU.
    Out,
    /// To the next router in x: right on NoC 0, left on NoC 1.
    X,
    /// To the next router in y: down on NoC 0, up on NoC 1.
    Y,
}

/// A link of a NoC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkUsage {
    /// The NoC.
    pub noc: u8,
    /// NoC 0 position where it begins.
    pub at: NocXy,
    /// Where it leads.
    pub way: LinkWay,
    /// Bytes of all flits, headers among them.
    pub bytes: u64,
    /// Clocks in which it was taken.
    pub busy: u64,
    /// Clocks that packets have waited for it, all together.
    pub waited: u64,
}

/// A channel of DRAM.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ChannelUsage {
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
    /// Clocks in which it moved data.
    pub busy: u64,
    /// Clocks that requests have waited for it, all together.
    pub waited: u64,
}

/// What an Ethernet tile has sent over its link.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct EthernetUsage {
    /// Bytes, headers of packets among them.
    pub bytes: u64,
    /// Clocks in which something was sent.
    pub busy: u64,
}

/// All of a chip.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Usage {
    /// Clocks since power-on.
    pub clocks: u64,
    /// Tensix tiles.
    pub tiles: Vec<TileUsage>,
    /// Links, both NoCs; those that nothing has passed are left out.
    pub links: Vec<LinkUsage>,
    /// Channels of DRAM, in the order of the banks.
    pub channels: Vec<ChannelUsage>,
    /// Ethernet tiles, by channel.
    pub ethernet: Vec<EthernetUsage>,
}
