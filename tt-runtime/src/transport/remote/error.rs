//! What can go wrong on the way to a card's second chip.

use std::fmt;
use std::time::Duration;

use tt_isa::eth::routing::Flags;
use tt_isa::noc::NocXy;

/// An end of a link on the first chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Port {
    /// Channel.
    pub channel: usize,
    /// Ethernet tile.
    pub tile: NocXy,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ethernet channel {}, tile {}", self.channel, self.tile)
    }
}

/// Why the second chip is not reached.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RemoteError {
    /// No link leads there.
    #[error(
        "no Ethernet link of the card's first chip leads to its second one; links that work: {}. The chips have to be reset (`tt-smi -r`)",
        list(links)
    )]
    NoLink {
        /// Channels of the first chip whose links work.
        links: Vec<usize>,
    },
    /// Firmware that does not pass commands on.
    #[error(
        "{port}: the firmware passes no commands on to other chips: routing is switched off (a setting of the card's firmware)"
    )]
    RoutingOff {
        /// Where.
        port: Port,
    },
    /// A link that worked before.
    #[error(
        "{port}: the link to the card's second chip is down (training status {status}): the chips have to be reset (`tt-smi -r`)"
    )]
    LinkDown {
        /// Where.
        port: Port,
        /// What firmware says of the link: 1 is a link that works.
        status: u32,
    },
    /// Firmware that does not come further.
    #[error(
        "{port}: the firmware has not {what} for {:.1} s ({}): the chips have to be reset (`tt-smi -r`)",
        waited.as_secs_f64(), if *alive { "its heartbeat goes on" } else { "its heartbeat stands still" }
    )]
    Stuck {
        /// Where.
        port: Port,
        /// What it should have done.
        what: &'static str,
        /// How long.
        waited: Duration,
        /// Its heartbeat has changed between two looks.
        alive: bool,
    },
    /// No way leads to the chip.
    #[error("{port}: the firmware knows no way to the card's second chip")]
    Unreachable {
        /// Where.
        port: Port,
    },
    /// An answer of another kind.
    #[error(
        "{port}: the firmware answers a command of the kind {asked:?} with {answer:?}: another program uses its queues"
    )]
    Answer {
        /// Where.
        port: Port,
        /// Flags of the command.
        asked: Flags,
        /// Flags of the answer.
        answer: Flags,
    },
    /// A read of many tiles at once.
    #[error("a read from a rectangle of tiles")]
    MulticastRead,
}

fn list(links: &[usize]) -> String {
    match links {
        [] => "none".to_owned(),
        _ => links.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
    }
}
