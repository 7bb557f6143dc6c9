//! Ethernet links between chips: messages leave, are under way, and arrive (`EthernetTile/EthernetTxRx.md`).
//!
//! ```text
//! outbox of a tile -> (departs: data is read from L1) -> (arrives) -> receive queue of the tile at the other end
//! ```
//! Where no time is kept both happen at once. When they do otherwise is known when a message is made ([`crate::model::eth::line`]).

use std::collections::VecDeque;

use super::Chip;
use crate::fault::Fault;
use crate::model::eth::queues::{Frame, PAGE};

/// A message that has been made.
pub(super) struct Sent {
    frame: Frame,
    /// Its data, when it has left.
    data: Option<Vec<u8>>,
}

/// Messages on the links of a chip, by the channel that has sent them.
pub(super) type Links = Vec<VecDeque<Sent>>;

/// Carries a chip's messages to the other ends of its links.
///
/// # Errors
/// A link ends in nothing, or a message goes where nothing is.
pub(super) fn exchange(chips: &mut [Chip], n: usize) -> Result<(), Fault> {
    for channel in 0..chips[n].ethernet.len() {
        if chips[n].ethernet[channel].has_frames() {
            let frames = chips[n].ethernet[channel].take_frames();
            chips[n].links[channel].extend(frames.into_iter().map(|frame| Sent { frame, data: None }));
        }
        chips[n].messages_depart(channel);
        while let Some(Sent { frame, data }) = chips[n].take_arrived(channel) {
            let Some((chip, peer)) = other_end(chips, n, channel) else {
                let what = format!("Ethernet channel {channel} sends, but its link ends in nothing");
                return Err(Fault::program(what).page(PAGE).in_tile(chips[n].ethernet[channel].position()));
            };
            let data = data.unwrap_or_default();
            let clock = chips[chip].clock();
            let tile = &mut chips[chip].ethernet[peer];
            tile.set_clock(clock);
            tile.receive(&frame, &data).map_err(|fault| fault.on_chip(chip))?;
        }
    }
    Ok(())
}

/// Chip and channel at the other end of a link, if the chip is there.
pub(super) fn other_end(chips: &[Chip], n: usize, channel: usize) -> Option<(usize, usize)> {
    let config = &chips[n].config;
    let end = config.board.peer(config.index, channel)?;
    let chip = chips.iter().position(|chip| chip.config.index == usize::from(end.chip))?;
    Some((chip, end.channel.into()))
}

impl Chip {
    /// Messages whose last byte has left take their data with them.
    fn messages_depart(&mut self, channel: usize) {
        let l1 = self.ethernet[channel].l1();
        for Sent { frame, data } in &mut self.links[channel] {
            if frame.passage.departs > self.clock {
                break;
            }
            if data.is_none() {
                let bytes = l1.get(frame.from, frame.len as usize);
                *data = Some(bytes.map_or_else(Vec::new, <[u8]>::to_vec));
            }
        }
    }

    fn take_arrived(&mut self, channel: usize) -> Option<Sent> {
        let clock = self.clock;
        self.links[channel].pop_front_if(|sent| sent.frame.passage.arrives <= clock)
    }

    /// When something next happens on the chip's links; [`u64::MAX`] if nothing will.
    pub(super) fn next_on_links(&self) -> u64 {
        let next = |sent: &Sent| match sent.data {
            None => sent.frame.passage.departs,
            Some(_) => sent.frame.passage.arrives,
        };
        // Those in front have left before those behind them, and arrive before them.
        let departs = |link: &VecDeque<Sent>| link.iter().find(|sent| sent.data.is_none()).map(next);
        let each = self.links.iter().flat_map(|link| [link.front().map(next), departs(link)]);
        each.flatten().min().unwrap_or(u64::MAX)
    }

    /// Whether messages are under way.
    pub(super) fn has_messages(&self) -> bool {
        self.links.iter().any(|link| !link.is_empty())
    }
}
