//! The events that a chip reports to its trace.

use tt_isa::noc::NocXy;

use super::Chip;
use crate::engine::Mode;
use crate::engine::packets::InFlight;
use crate::fault::Fault;
use crate::model::grid::Node;
use crate::model::noc::{Remote, Request};
use crate::observe::trace::{KernelSpan, Mark, Packet, TraceConfig, TraceError, Tracer, Transfer};

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
        let clocks_us = self.config.board.chip.timing.filter(|_| self.config.mode == Mode::Timed);
        let clocks_us = clocks_us.map(|timing| timing.clocks_us);
        let tracer = Tracer::new(TraceConfig { tiles, ..config.clone() }, &self.grid.tensix(), clocks_us)?;
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

    /// Traces a packet whose last step is done, where packets take time.
    #[cold]
    pub(super) fn trace_transfer<N>(&mut self, done: &InFlight<N>) -> Result<(), TraceError> {
        let (from, request) = (self.position(done.from), &done.packet);
        let to = match request.remote {
            Remote::Tile(_) => self.remote_node(request).ok(),
            Remote::Rect(..) => None,
        };
        let channel = match to {
            Some(Node::Dram { group, .. }) => Some(2 * group + (request.addr >> 30 & 1) as usize),
            _ => None,
        };
        let to = to.map(|to| self.position(to));
        let transfer = Transfer { from, to, channel, request, begin: done.made, end: done.due() };
        self.tracer.as_mut().map_or(Ok(()), |tracer| tracer.transfer(&transfer))
    }

    /// Whether marks of the host are shown anywhere.
    pub fn is_marked(&self) -> bool {
        self.tracer.as_ref().is_some_and(|tracer| tracer.is_timeline())
    }

    /// Something begins or ends on the host's side: a timeline shows it.
    ///
    /// # Errors
    /// The trace cannot be written.
    pub fn mark(&mut self, mark: &Mark) -> Result<(), TraceError> {
        let clock = self.clock;
        self.tracer.as_mut().map_or(Ok(()), |tracer| tracer.mark(clock, mark))
    }

    /// A kernel has measured a span: a timeline shows it.
    ///
    /// # Errors
    /// The trace cannot be written.
    pub fn kernel_span(&mut self, span: &KernelSpan) -> Result<(), TraceError> {
        self.tracer.as_mut().map_or(Ok(()), |tracer| tracer.kernel_span(span))
    }

    /// The packets of a quantum have been delivered.
    pub(super) fn trace_delivery(&mut self) -> Result<(), Fault> {
        Ok(self.tracer.as_mut().map_or(Ok(()), |tracer| tracer.delivered())?)
    }
}
