//! When a NIU takes the requests of its initiators (`NoC/MemoryMap.md`, "NOC_CMD_CTRL").
//!
//! A request waits in the NIU until it has a virtual channel number for the link to the router, and `CMD_CTRL` reads 1 until then. A
//! number is free again when its last packet has passed that link (`NoC/README.md`, "Virtual channels"): one of a static
//! channel waits for the one before it, one in dynamic channels for the oldest of those that have all their numbers. What holds packets up
//! behind the link is not known here: then an initiator is free too soon.

use tt_isa::timing::NocTiming;

use crate::model::noc::{Action, Remote, Request};

/// Room for the virtual channels of requests to one tile.
const CHANNELS: usize = 4;

/// The link from a NIU to its router.
#[derive(Clone, Copy, Default)]
struct Port {
    /// When all packets have passed it.
    sent: u64,
    /// When the last packet of the static channel has, and of broadcasts.
    fixed: u64,
    broadcast: u64,
    /// When those in dynamic channels have, the oldest first.
    dynamic: [u64; CHANNELS],
}

/// Both NIUs of a tile.
pub struct Initiators {
    channels: usize,
    ports: [Port; 2],
}

impl Initiators {
    /// Nothing has been sent.
    pub fn new(timing: &NocTiming) -> Self {
        let channels = usize::from(timing.request_channels);
        assert!((1..=CHANNELS).contains(&channels), "{channels} virtual channels");
        Self { channels, ports: Default::default() }
    }

    /// A request was made at `at`: when its initiator can take another one.
    pub fn take(&mut self, request: &Request, at: u64) -> u64 {
        let port = &mut self.ports[usize::from(request.noc) % 2];
        let mut taken = at;
        for n in 0..request.packet_count() {
            let packet = request.packet(n);
            let data = if packet.is_write() {
                packet.flits()
            } else {
                u32::from(matches!(packet.action, Action::Atomic(_)))
            };
            let channel = match packet.remote {
                Remote::Rect(..) => &mut port.broadcast,
                Remote::Tile(_) if packet.in_order => &mut port.fixed,
                Remote::Tile(_) => {
                    port.dynamic[..self.channels].rotate_left(1);
                    &mut port.dynamic[self.channels - 1]
                }
            };
            taken = taken.max(*channel);
            port.sent = port.sent.max(taken) + 1 + u64::from(data);
            *channel = port.sent;
        }
        taken
    }
}
