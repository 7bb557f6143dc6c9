//! The events that a chip reports to its trace.

use tt_isa::noc::NocXy;

use super::Chip;
use crate::fault::Fault;
use crate::model::grid::Node;
use crate::model::noc::{Remote, Request};
use crate::observe::trace::{Packet, TraceConfig, TraceError, Tracer};

impl Chip {
    /// Traces from now on; a trace that was there ends.
    ///
    /// # Errors
    /// A tile that the chip does not have, or a file that cannot be made.
    pub fn start_trace(&mut self, config: &TraceConfig) -> Result<(), TraceError> {
        let position = |&at: &NocXy| match self.grid.named(at) {
            Some(node @ Node::Tensix(_)) => Ok(self.position(node)),
            _ => Err(TraceError::NoTile(at)),
        };
        let tiles = config.tiles.iter().map(position).collect::<Result<_, _>>()?;
        let tracer = Tracer::new(TraceConfig { tiles, ..config.clone() }, &self.grid.tensix())?;
        self.tracer = Some(Box::new(tracer));
        Ok(())
    }

    /// Traces a packet that leaves a tile.
    #[cold]
    pub(super) fn trace_packet(&mut self, from: Node, packet: &Request) -> Result<(), TraceError> {
        let to = match packet.remote {
            Remote::Tile(_) => self.remote_node(packet).ok().map(|to| self.position(to)),
            Remote::Rect(..) => None,
        };
        let packet = Packet { from: self.position(from), to, request: packet };
        self.tracer.as_mut().map_or(Ok(()), |tracer| tracer.packet(&packet))
    }

    /// The packets of a quantum have been delivered.
    pub(super) fn trace_delivery(&mut self) -> Result<(), Fault> {
        Ok(self.tracer.as_mut().map_or(Ok(()), |tracer| tracer.delivered())?)
    }
}
