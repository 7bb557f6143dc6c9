//! The first chip, as far as its Ethernet tiles are concerned: their L1 through host windows, and which of their links lead to the second
//! chip.

use std::time::{Duration, Instant};

use tt_isa::chip::Chip;
use tt_isa::eth::firmware::{
    HEARTBEAT, LOCAL_BOARD_ID, LOCAL_PLACE, LOCAL_PLACE_SHIFTS, REMOTE_BOARD_ID, REMOTE_CHANNEL,
    REMOTE_PLACE, REMOTE_PLACE_SHIFTS, REMOTE_RACK, ROUTING_OFF, TRAIN_STATUS, TRAIN_SUCCESS,
};
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;

use super::{Port, RemoteError};
use crate::transport::{Purpose, Route, Routes, Transport, TransportError};

/// Clocks of a simulator between two looks.
const CLOCKS: u32 = 16;
/// Time between two looks at a heartbeat.
const BEAT: Duration = Duration::from_millis(20);

/// Where a chip is in the mesh of chips, as the firmware's commands have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// In its rack.
    pub at: NocXy,
    /// Rack in the low byte, shelf in the high one.
    pub rack: u16,
}

/// The first chip.
pub struct Gateway {
    pub transport: Box<dyn Transport>,
    /// Windows for Ethernet tiles, and what each shows.
    windows: Vec<(usize, Option<NocXy>)>,
    /// Longest wait for the firmware.
    pub patience: Duration,
}

impl Gateway {
    /// A chip, through the last of its windows for registers: those above use the first ones most.
    pub fn new(transport: Box<dyn Transport>, patience: Duration) -> Self {
        let shown = transport.windows();
        let control = |n: &usize| shown[*n].purpose == Purpose::Control;
        let mut windows: Vec<_> = (0..shown.len()).rev().filter(control).take(2).collect();
        if windows.is_empty() {
            windows = vec![shown.len() - 1];
        }
        let windows = windows.into_iter().map(|window| (window, None)).collect();
        Self { transport, windows, patience }
    }

    /// Window that shows the L1 of a port's tile.
    fn show(&mut self, port: Port) -> Result<usize, TransportError> {
        let count = self.windows.len();
        let (window, shows) = &mut self.windows[port.channel % count];
        if *shows != Some(port.tile) {
            *shows = None;
            let ordering = Purpose::Control.ordering();
            let target = TlbTarget { ordering, ..TlbTarget::unicast(port.tile, 0) };
            self.transport.configure_window(*window, &target)?;
            *shows = Some(port.tile);
        }
        Ok(*window)
    }

    /// Reads L1 of a port's tile.
    pub fn read(&mut self, port: Port, addr: u32, out: &mut [u8]) -> Result<(), TransportError> {
        let window = self.show(port)?;
        self.transport.read(window, addr.into(), out)
    }

    /// Writes L1 of a port's tile; writes arrive in their order.
    pub fn write(&mut self, port: Port, addr: u32, data: &[u8]) -> Result<(), TransportError> {
        let window = self.show(port)?;
        self.transport.write(window, addr.into(), data)
    }

    /// A word of L1 of a port's tile.
    pub fn word(&mut self, port: Port, addr: u32) -> Result<u32, TransportError> {
        let mut word = [0; 4];
        self.read(port, addr, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    /// Waits until `done`. A simulator's time passes meanwhile; one that has come to rest will not go on.
    pub fn wait(
        &mut self,
        port: Port,
        what: &'static str,
        mut done: impl FnMut(&mut Self) -> Result<bool, TransportError>,
    ) -> Result<(), TransportError> {
        let started = Instant::now();
        while !done(self)? {
            let asleep = match self.transport.simulated() {
                Some(simulated) => simulated.advance(CLOCKS)?.asleep,
                None => false,
            };
            if (asleep || started.elapsed() > self.patience) && !done(self)? {
                return Err(self.stuck(port, what, started.elapsed()));
            }
        }
        Ok(())
    }

    /// Why a port's firmware does not come further.
    fn stuck(&mut self, port: Port, what: &'static str, waited: Duration) -> TransportError {
        let look = |gateway: &mut Self| -> Result<RemoteError, TransportError> {
            let status = gateway.word(port, TRAIN_STATUS)?;
            if status != TRAIN_SUCCESS {
                return Ok(RemoteError::LinkDown { port, status });
            }
            let before = gateway.word(port, HEARTBEAT)?;
            std::thread::sleep(BEAT);
            let alive = gateway.word(port, HEARTBEAT)? != before;
            Ok(RemoteError::Stuck { port, what, waited, alive })
        };
        look(self).map_or_else(|error| error, TransportError::from)
    }

    /// The ends of the links to the other chip of the same board, and that chip's place.
    ///
    /// # Errors
    /// There is none, or firmware that does not pass commands on.
    pub fn links(&mut self, chip: &'static Chip) -> Result<(Vec<Port>, Place), TransportError> {
        let (mut ports, mut place, mut trained) = (Vec::new(), None, Vec::new());
        for (channel, &tile) in chip.ethernet.iter().enumerate() {
            let port = Port { channel, tile };
            if self.word(port, TRAIN_STATUS)? != TRAIN_SUCCESS {
                continue;
            }
            trained.push(channel);
            let [own, other] = [LOCAL_BOARD_ID, REMOTE_BOARD_ID].map(|addr| self.word(port, addr));
            if own? != other? {
                continue;
            }
            if self.word(port, ROUTING_OFF)? != 0 {
                return Err(RemoteError::RoutingOff { port }.into());
            }
            place = Some(self.place_beyond(port)?);
            ports.push(port);
        }
        let place = place.ok_or(RemoteError::NoLink { links: trained })?;
        Ok((ports, place))
    }

    /// Place of the chip at the other end of a link.
    fn place_beyond(&mut self, port: Port) -> Result<Place, TransportError> {
        let word = self.word(port, REMOTE_PLACE)?;
        let [x, y] = REMOTE_PLACE_SHIFTS.map(|shift| (word >> shift & 63) as u8);
        Ok(Place { at: NocXy::new(x, y), rack: self.word(port, REMOTE_RACK)? as u16 })
    }

    /// The ways between this chip and the one beyond its ports.
    pub fn routes(
        &mut self,
        chip: &'static Chip,
        ports: &[Port],
        place: Place,
    ) -> Result<Routes, TransportError> {
        let mut beyond = Vec::new();
        for &port in ports {
            let channel = self.word(port, REMOTE_CHANNEL)?;
            beyond.extend(chip.ethernet.get(channel as usize));
        }
        let own = self.word(ports[0], LOCAL_PLACE)?;
        let [x, y] = LOCAL_PLACE_SHIFTS.map(|shift| (own >> shift) as u8);
        let to_second =
            Route { tiles: ports.iter().map(|port| port.tile).collect(), chip: place.at, rack: place.rack };
        let to_first = Route { tiles: beyond, chip: NocXy::new(x, y), rack: own as u16 };
        Ok(Routes { to_second, to_first })
    }

    /// Whether a port's link works.
    pub fn check(&mut self, port: Port) -> Result<(), TransportError> {
        match self.word(port, TRAIN_STATUS)? {
            TRAIN_SUCCESS => Ok(()),
            status => Err(RemoteError::LinkDown { port, status }.into()),
        }
    }
}
