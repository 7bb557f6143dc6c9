//! The transmit side of a tile's link, where time is kept: when messages leave, and when they are at the other end.
//!
//! ```text
//! command -> queue waits for the line -> packets, one after the other -> latency -> the other tile's L1
//!            CMD is not zero             start .. departs                arrives
//! ```
//! Both transmit queues and the firmware share the line. A message is cut into packets, each of which has headers of its own. The first packet
//! goes on when it is whole, the others follow as fast as the line carries them. A queue takes the next command while the message
//! before it is sent, so the line has no gaps; how many it could take is not documented.
//!
//! Acknowledgements ride on packets of the other direction, which costs nothing here; packets are never sent again.

use std::collections::VecDeque;

use tt_isa::eth::PACKET_BYTES;
use tt_isa::timing::{EthernetTiming, TICKS, Timing};

/// A message on its way, in ticks.
#[derive(Clone, Copy)]
struct Message {
    queue: usize,
    /// When its first packet starts, and when its last one has left.
    start: u64,
    departs: u64,
    packets: u32,
    /// Ticks of a packet that is not the last one.
    packet: u64,
}

/// The clocks at which a message has left, and has come to the other end's memory.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Passage {
    /// Its last byte leaves.
    pub departs: u64,
    /// Its last byte is there.
    pub arrives: u64,
}

/// What a line has done.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LineUsage {
    /// Bytes, headers among them.
    pub bytes: u64,
    /// Clocks in which something was sent.
    pub busy: u64,
}

/// The line. Without costs everything is there at once.
#[derive(Default)]
pub struct Line {
    timing: Option<&'static Timing>,
    /// When the last message has left, in ticks.
    free: u64,
    /// Messages that may not have left yet.
    messages: VecDeque<Message>,
    bytes: u64,
    busy: u64,
}

impl Line {
    /// From now on messages take their time.
    pub fn keep_time(&mut self, timing: &'static Timing) {
        self.timing = Some(timing);
    }

    /// Sends a message of so many bytes, of a transmit queue in packets of at most so many bytes, or of the firmware.
    pub fn send(&mut self, clock: u64, queue: Option<(usize, u32)>, bytes: u32) -> Passage {
        let Some(timing) = self.timing else { return Passage::default() };
        let ethernet = &timing.ethernet;
        let [least, most] = PACKET_BYTES;
        let most = queue.map_or(most, |(_, most)| most);
        let bytes = bytes.max(least);
        let packets = bytes.div_ceil(most);
        let ticks = |bytes: u32| wire(ethernet, timing.clocks_us, bytes);
        let extra = u32::from(ethernet.packet_extra);
        let all = bytes + packets * extra;
        let (first, packet) = (ticks(bytes.min(most) + extra), ticks(most + extra));
        let start = self.free.max(clock * TICKS);
        let departs = start + ticks(all);
        self.free = departs;
        self.bytes += u64::from(all);
        self.busy += ticks(all);
        while self.messages.front().is_some_and(|message| message.departs <= clock * TICKS) {
            self.messages.pop_front();
        }
        if let Some((queue, _)) = queue {
            self.messages.push_back(Message { queue, start, departs, packets, packet });
        }
        Passage {
            departs: departs.div_ceil(TICKS),
            arrives: (departs + first).div_ceil(TICKS) + u64::from(ethernet.latency),
        }
    }

    /// Whether a queue has a command that it has not taken.
    pub fn is_waiting(&self, queue: usize, clock: u64) -> bool {
        self.messages.iter().any(|message| message.queue == queue && message.start > clock * TICKS)
    }

    /// Commands of a queue that wait, packets that have not been begun, and packets that have not been sent.
    pub fn left(&self, queue: usize, clock: u64) -> [u32; 3] {
        let now = clock * TICKS;
        let of_queue = self.messages.iter().filter(|message| message.queue == queue);
        of_queue.fold([0; 3], |[commands, begun, sent], message| {
            let packets = u64::from(message.packets);
            if message.start > now {
                return [commands + 1, begun + message.packets, sent + message.packets];
            }
            let done = ((now - message.start) / message.packet).min(packets - 1);
            let all_sent = message.departs <= now;
            let rest = (packets - 1 - done) as u32;
            [commands, begun + rest, sent + if all_sent { 0 } else { rest + 1 }]
        })
    }

    /// What it has carried.
    pub fn usage(&self) -> LineUsage {
        LineUsage { bytes: self.bytes, busy: self.busy / TICKS }
    }
}

/// Ticks that so many bytes take on the line.
fn wire(ethernet: &EthernetTiming, clocks_us: u32, bytes: u32) -> u64 {
    (u64::from(bytes) * u64::from(clocks_us) * TICKS).div_ceil(u64::from(ethernet.link_bytes_us))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::timing::WORMHOLE;

    const QUEUE: Option<(usize, u32)> = Some((0, 1500));

    fn line() -> Line {
        let mut line = Line::default();
        line.keep_time(&WORMHOLE);
        line
    }

    #[test]
    fn messages_follow_each_other_at_the_speed_of_the_link() {
        let mut line = line();
        let latency = u64::from(WORMHOLE.ethernet.latency);
        // 1040 bytes are a packet of 1090: 87.2 clocks.
        assert_eq!(line.send(100, QUEUE, 1040), Passage { departs: 188, arrives: 275 + latency });
        assert!(!line.is_waiting(0, 100));
        // Three packets: 4112 + 150 bytes are 341 clocks, the first one 124.
        let second = line.send(110, QUEUE, 4112);
        assert_eq!(second, Passage { departs: 529, arrives: 653 + latency });
        assert!(line.is_waiting(0, 187) && !line.is_waiting(0, 188) && !line.is_waiting(1, 110));
        assert_eq!(line.left(0, 120), [1, 3, 4]);
        assert_eq!(line.left(0, 200), [0, 2, 3]);
        assert_eq!(line.left(0, 313), [0, 1, 2]);
        assert_eq!(line.left(0, 528), [0, 0, 1]);
        assert_eq!(line.left(0, 529), [0, 0, 0]);
        assert_eq!(line.usage(), LineUsage { bytes: 1090 + 4262, busy: 428 });
    }

    #[test]
    fn without_costs_nothing_takes_time() {
        let mut line = Line::default();
        assert_eq!(line.send(100, QUEUE, 4112), Passage::default());
        assert!(!line.is_waiting(0, 100));
        assert_eq!(line.left(0, 100), [0; 3]);
    }
}
