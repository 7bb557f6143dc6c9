//! Instructions that have taken effect and that their units keep for a while: unpackers 0 and 1, matrix unit, vector unit,
//! packers. Each unit takes its instructions in order, a few at a time. Until an instruction leaves, `STALLWAIT` finds the unit
//! busy, TTSync waits, and a bank of SrcA or SrcB has not changed hands.

use std::collections::VecDeque;

use crate::model::tensix::pipe::{MOVER, PIPES, Pipe, packers};
use crate::model::tensix::{Busy, THREADS, Tensix};
use crate::model::tile::Tile;
use crate::observe::{Handover, Issued, Observer};

/// Instructions that a pipe holds before the thread has to wait. The pages give the matrix unit's five stages and
/// that unpackers and packers take an instruction when they can start it; the rest is small on purpose.
const fn depth(pipe: Pipe) -> usize {
    match pipe {
        Pipe::Matrix => 5,
        Pipe::Vector => 4,
        Pipe::Unpacker0 | Pipe::Unpacker1 | Pipe::Packers => 2,
    }
}

/// An instruction in a pipe.
struct Kept {
    thread: usize,
    /// When it leaves the pipe.
    done: u64,
    /// Packers that it uses, as bits.
    packers: u32,
    /// Banks that change hands then.
    handovers: Vec<Handover>,
}

/// The pipes of a coprocessor.
#[derive(Default)]
pub struct Pipes {
    /// Oldest first.
    queues: [VecDeque<Kept>; PIPES],
    /// Banks of SrcA and SrcB that an instruction in a pipe is about to hand over.
    late: [[bool; 2]; 2],
    /// When the mover is done, if it works.
    mover: Option<u64>,
}

impl Pipes {
    /// Whether no pipe keeps anything.
    pub fn is_empty(&self) -> bool {
        self.mover.is_none() && self.queues.iter().all(VecDeque::is_empty)
    }

    /// When the next instruction leaves a pipe, or the mover is done.
    #[inline]
    pub fn next(&self) -> u64 {
        let fronts = self.queues.iter().filter_map(|queue| queue.front().map(|kept| kept.done));
        fronts.chain(self.mover).min().unwrap_or(u64::MAX)
    }

    /// When the last instruction of a pipe leaves; 0 if there is none.
    pub fn last(&self, pipe: Pipe) -> u64 {
        self.queues[pipe as usize].back().map_or(0, |kept| kept.done)
    }

    /// The oldest instruction of a pipe, if there is one, leaves at another time.
    pub fn reschedule(&mut self, pipe: Pipe, done: u64) {
        if let Some(kept) = self.queues[pipe as usize].front_mut() {
            kept.done = done;
        }
    }

    /// Keeps an instruction until `done`, and until those before it have left; banks change hands then.
    pub fn keep(&mut self, tensix: &mut Tensix, pipe: Pipe, issued: &Issued, done: u64) {
        for &Handover { which, bank, given } in issued.handovers {
            tensix.set_valid(which, bank, !given);
            self.late[which][bank] = true;
        }
        let packers = if pipe == Pipe::Packers { packers(issued.opcode, issued.word) } else { 0 };
        let done = done.max(self.last(pipe));
        let handovers = issued.handovers.to_vec();
        self.queues[pipe as usize].push_back(Kept { thread: issued.thread, done, packers, handovers });
        self.show_busy(tensix);
    }

    /// The mover works until `done`.
    pub fn keep_mover(&mut self, tensix: &mut Tensix, done: u64) {
        self.mover = Some(done);
        self.show_busy(tensix);
    }

    /// Takes instructions that are done by `now` out of their pipes; the pipes that there were any in, a bit each, and one more
    /// for the mover.
    pub fn leave<O: Observer>(&mut self, tile: &mut Tile, observer: &mut O, now: u64) -> u32 {
        let mut left = 0;
        for pipe in Pipe::ALL {
            while let Some(kept) = self.queues[pipe as usize].pop_front_if(|kept| kept.done <= now) {
                for Handover { which, bank, given } in kept.handovers {
                    self.late[which][bank] = false;
                    tile.tensix_mut().set_valid(which, bank, given);
                }
                observer.left_pipe(pipe);
                left |= 1 << pipe as u32;
            }
        }
        if self.mover.take_if(|done| *done <= now).is_some() {
            left |= 1 << PIPES;
        }
        if left != 0 {
            self.show_busy(tile.tensix_mut());
            tile.changed();
        }
        left
    }

    /// Tells the wait gates which units are busy for whom.
    fn show_busy(&self, tensix: &mut Tensix) {
        let unmet = if self.mover.is_some() { MOVER } else { 0 };
        let mut busy = [Busy { unmet, ..Busy::default() }; THREADS];
        for pipe in Pipe::ALL {
            for kept in &self.queues[pipe as usize] {
                busy[kept.thread].instructions += 1;
                busy[kept.thread].unmet |= pipe.condition(kept.packers);
            }
        }
        tensix.set_busy(busy);
    }

    /// Whether an instruction can enter a pipe.
    pub fn has_room(&self, tensix: &Tensix, pipe: Pipe) -> bool {
        let (a, b) = (tensix.banks(0), tensix.banks(1));
        let late = match pipe {
            Pipe::Unpacker0 => self.late[0][a.unpack_bank],
            Pipe::Unpacker1 => self.late[1][b.unpack_bank],
            Pipe::Matrix => {
                self.late[0][a.matrix_bank] && a.matrix_ready()
                    || self.late[1][b.matrix_bank] && b.matrix_ready()
            }
            Pipe::Vector | Pipe::Packers => false,
        };
        !late && self.queues[pipe as usize].len() < depth(pipe)
    }
}
