//! The firmware's queue for messages of eight words (`tt_isa::arc::queue`), in CSM: requests from the host, and responses.

use tt_isa::arc::queue::{
    ENTRY_WORDS, HEADER_BYTES, POWER, POWER_MAX_AICLK, REQUEST_READ, REQUEST_WRITE, RESPONSE_WRITE, UNKNOWN,
};
use tt_isa::arc::{AICLK_BUSY, AICLK_IDLE};

use super::{Arc, QUEUE, QUEUE_WORDS};

/// Entries of each half.
const ENTRIES: u32 = 4;
const ENTRY_BYTES: u32 = 4 * ENTRY_WORDS;

impl Arc {
    /// Writes the words that say where the queue is.
    pub(super) fn open_queue(&mut self) {
        self.put(QUEUE_WORDS, QUEUE);
        self.put(QUEUE_WORDS + 4, ENTRIES);
    }

    /// Answers every request that waits.
    pub(super) fn serve_queue(&mut self) {
        // The host can write anything there; more than the queue holds is not taken for requests.
        for _ in 0..ENTRIES {
            let [read, write] = [REQUEST_READ, REQUEST_WRITE].map(|at| self.word(QUEUE + at));
            if read == write {
                return;
            }
            let header = self.word(QUEUE + HEADER_BYTES + read % ENTRIES * ENTRY_BYTES);
            let answer = self.carry_out(header);
            let at = self.word(QUEUE + RESPONSE_WRITE);
            let response = QUEUE + HEADER_BYTES + (ENTRIES + at % ENTRIES) * ENTRY_BYTES;
            self.put(response, answer);
            (1..ENTRY_WORDS).for_each(|word| self.put(response + 4 * word, 0));
            self.put(QUEUE + RESPONSE_WRITE, next(at));
            self.put(QUEUE + REQUEST_READ, next(read));
        }
    }

    /// Does what a request's header asks for; the header of the response.
    fn carry_out(&mut self, header: u32) -> u32 {
        let flags = (header >> 16) as u16;
        match header as u8 {
            POWER => {
                let busy = flags & POWER_MAX_AICLK != 0;
                self.set_aiclk(if busy { AICLK_BUSY } else { AICLK_IDLE });
                0
            }
            _ => UNKNOWN,
        }
    }
}

/// The pointer after a pointer.
fn next(pointer: u32) -> u32 {
    (pointer % (2 * ENTRIES) + 1) % (2 * ENTRIES)
}

#[cfg(test)]
mod tests {
    use tt_isa::arc::queue::RESPONSE_READ;
    use tt_isa::arc::{APB_BASE, CSM_BASE, MESSAGE_QUEUES, MISC_CNTL, MISC_CNTL_IRQ0, RESET_UNIT, message};
    use tt_isa::chip::board;

    use super::super::tests::{NOC, read, send};
    use super::*;

    fn write(arc: &mut Arc, address: u32, word: u32) {
        arc.noc_write(NOC + u64::from(address), &word.to_le_bytes()).expect("a word");
    }

    /// Sends a request as the kernel driver does; the header of the response.
    fn request(arc: &mut Arc, header: u32) -> u32 {
        let words = read(arc, APB_BASE + RESET_UNIT + MESSAGE_QUEUES);
        let queue = CSM_BASE + read(arc, words);
        let entries = read(arc, words + 4) & 0xFF;
        let at = read(arc, queue + REQUEST_WRITE);
        write(arc, queue + HEADER_BYTES + at % entries * ENTRY_BYTES, header);
        write(arc, queue + REQUEST_WRITE, (at + 1) % (2 * entries));
        write(arc, APB_BASE + RESET_UNIT + MISC_CNTL, MISC_CNTL_IRQ0);
        let [at, end] = [RESPONSE_READ, RESPONSE_WRITE].map(|pointer| read(arc, queue + pointer));
        assert_eq!(end, (at + 1) % (2 * entries), "one response");
        write(arc, queue + RESPONSE_READ, end);
        read(arc, queue + HEADER_BYTES + (entries + at % entries) * ENTRY_BYTES)
    }

    #[test]
    fn power_states_are_taken_from_the_queue() {
        let mut arc = Arc::new(board("n150").expect("known"), 0, 0);
        for round in 0..3 * ENTRIES {
            let busy = round % 2 == 0;
            let flags = if busy { u32::from(POWER_MAX_AICLK) } else { 0 };
            assert_eq!(request(&mut arc, u32::from(POWER) | 0xF << 8 | flags << 16), 0);
            let clock = if busy { AICLK_BUSY } else { AICLK_IDLE };
            assert_eq!(send(&mut arc, message::GET_AICLK)[1], clock, "round {round}");
        }
        assert_eq!(request(&mut arc, 0x77), UNKNOWN);
    }

    #[test]
    fn pointers_that_mean_nothing_do_no_harm() {
        let mut arc = Arc::new(board("n150").expect("known"), 0, 0);
        for pointer in [u32::MAX, 1 << 31, 12345] {
            for at in [REQUEST_WRITE, REQUEST_READ, RESPONSE_WRITE] {
                write(&mut arc, CSM_BASE + QUEUE + at, pointer);
                write(&mut arc, APB_BASE + RESET_UNIT + MISC_CNTL, MISC_CNTL_IRQ0);
            }
        }
        assert_eq!(send(&mut arc, message::TEST)[0], u32::from(message::TEST));
    }
}
