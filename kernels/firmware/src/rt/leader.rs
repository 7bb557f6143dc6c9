//! What the leader's BRISC does between two launches: it waits until all workers have completed one, and starts the next step of the
//! stream or tells the host ([`tt_kernel_abi::launch`]).
//!
//! Nobody but the host waits for the leader in a launch: it does its part of the work as every worker does. The next step's descriptor is sent as
//! soon as BRISC's part is done, so that its acknowledgements come while the other cores of the tile, and other tiles, are still busy;
//! what follows comes after the leader has counted itself. Before that it waits for DRAM to have brought the descriptor, which it has asked for when the step began.
//! It waits for all workers' counts, which they add without waiting for anyone.
//! If the host wants the times of steps, it also waits for DRAM to acknowledge them, which waits for no worker.
#![allow(unsafe_code)]

use super::boot;
use super::ethernet::Queue;
use super::l1::L1;
use super::launch::{Work, mailbox};
use super::mmio::{self, Register};
use super::noc::Noc;
use core::mem::offset_of;
use tt_isa::eth::routing::{COMMAND_SIZE, COMMANDS};
use tt_isa::map::{DEBUG_REGS_BASE, SOFT_RESET_0, SOFT_RESET_ALL, WALL_CLOCK_H, WALL_CLOCK_L};
use tt_kernel_abi::launch::{Launch, PassOn, Stream};
use tt_kernel_abi::{BootConfig, DramAddr, OpDescriptor, l1};

/// Transaction id of the read of the next step's descriptor.
const STEP_ID: u32 = 9;

/// The worker that holds the completion word.
pub(super) struct Leader {
    /// All workers, as a multicast's register names them.
    rect: u32,
    workers: u32,
    /// Where the host has its copy of the counts; zeros if it has none.
    push: [u32; 2],
    /// The completion word when all have completed the launch that runs.
    completed: u32,
    /// The count of errors when it began.
    errors: u32,
    /// The step that is next, in DRAM, if there is one.
    next: DramAddr,
    /// Steps that are left.
    left: u32,
    /// Where in DRAM the times of the step that runs go, if the host wants them; 0: it does not.
    times: u32,
    /// When that step was started.
    begun: [u32; 2],
    /// Number of the last launch that the host has had sent from here.
    brought: u32,
    /// The NIU, and how many acknowledgements of the next step's descriptor it will have had.
    noc: Noc,
}

/// A word of the configuration.
fn config(offset: usize) -> u32 {
    boot::word(offset).load()
}

/// A word of what the host has said of launch `seq`'s stream.
fn stream(seq: u32, offset: usize) -> u32 {
    let at = l1::launch(seq) + (offset_of!(Launch, stream) + offset) as u32;
    // SAFETY: an aligned word of a launch's place, behind the descriptor, to which alone there are references.
    unsafe { Register::at(at) }.load()
}

impl Leader {
    /// This worker, if it is the leader.
    pub(super) fn here() -> Option<Self> {
        let rect = config(offset_of!(BootConfig, workers));
        (rect != 0).then(|| Self {
            rect,
            workers: config(offset_of!(BootConfig, grid_width)) * config(offset_of!(BootConfig, grid_height)),
            push: [0, 4].map(|half| config(offset_of!(BootConfig, push) + half)),
            completed: 0,
            errors: 0,
            next: DramAddr(0),
            left: 0,
            times: 0,
            begun: [0; 2],
            brought: 0,
            noc: Noc::new(0),
        })
    }

    /// BRISC's part of launch `seq` is done: sends the next step to all, if there is one. BRISC writes nothing else until [`next`](Self::next).
    pub(super) fn send(&mut self, seq: u32) {
        self.noc = Noc::new(0);
        if self.left > 0 {
            self.noc.wait_read_id(STEP_ID);
            // Its place is not that of the launch that others may still be busy with.
            let at = l1::NEXT_STEP + offset_of!(OpDescriptor, seq) as u32;
            // SAFETY: an aligned word of the next step's place, to which there are no references.
            unsafe { Register::at(at) }.store(seq + 1);
            let to = l1::launch(seq + 1);
            // SAFETY: no worker reads a descriptor there: all have completed the launch that had it.
            unsafe {
                self.noc.write_to_all(l1::NEXT_STEP, to, l1::DESCRIPTOR_BYTES, self.rect, self.workers)
            };
        }
    }

    /// Waits until all have completed launch `seq`, and until there is another one; gives its number.
    pub(super) fn next(&mut self, seq: u32, work: &mut impl Work) -> u32 {
        self.wait_for_all(work);
        let ended = self.clock();
        self.noc.wait_writes();
        let errors = mailbox(l1::ERROR_COUNT).load();
        let failed = core::mem::replace(&mut self.errors, errors) != errors;
        if self.left == 0 || failed {
            self.left = 0;
            self.write_times(seq, ended);
            self.wait_for_times();
            return self.finish(seq);
        }
        let begins = self.clock();
        mailbox(l1::NEXT_GO).store(seq + 1);
        // SAFETY: words of the mailboxes, to which there are no references.
        unsafe { self.noc.write_word_to_all(l1::NEXT_GO, l1::GO, self.rect) };
        self.write_times(seq, ended);
        self.begun = begins;
        self.left -= 1;
        self.next = self.next.offset(OpDescriptor::BYTES as u64);
        // While the go word is on its way.
        self.fetch();
        self.wait_for_times();
        mailbox(l1::GO).wait_while_equal(seq)
    }

    /// With nothing else to do: loads and branches only, in a loop of its own.
    #[inline(never)]
    fn wait_idle(&self) {
        while mailbox(l1::COMPLETION).load() != self.completed {
            self.stop_if_told();
        }
        mmio::order();
    }

    /// The same when the firmware starts: the host looks at the count itself then, and others may have completed the first launch before this core sees
    /// that all have started.
    #[inline(never)]
    fn wait_for_start(&self) {
        while mailbox(l1::COMPLETION).load() < self.completed {
            self.stop_if_told();
        }
        mmio::order();
    }

    /// Waits until all workers have counted themselves.
    fn wait_for_all(&mut self, work: &mut impl Work) {
        let starts = self.completed == 0;
        self.completed = self.completed.wrapping_add(self.workers);
        if starts {
            // (Or the count was full: then it is small again.)
            return self.wait_for_start();
        }
        while !work.is_idle() && mailbox(l1::COMPLETION).look(|count| count == self.completed).is_none() {
            self.stop_if_told();
            work.wait();
        }
        self.wait_idle();
        mmio::order();
    }

    /// Tells the host that launch `seq` has finished, and waits for another one.
    fn finish(&mut self, seq: u32) -> u32 {
        mailbox(l1::FINISHED).store(seq);
        // The host looks at this tile's own count when the firmware starts: what was pushed then could still be under way when the first launch ends.
        if self.push != [0; 2] && seq != 0 {
            // Whoever has the tile next must not take the acknowledgement for one of his own; those from PCIe have lost their transaction id.
            mailbox(l1::PUSH_ACKS + 4).store(self.noc.writes_expected().wrapping_add(1));
            mailbox(l1::PUSH_ACKS).store(1);
            // SAFETY: words of the mailbox, which change with the next launch, after the acknowledgement.
            unsafe { self.noc.write_l1_to_host(l1::COUNTS, self.push, l1::COUNTS_BYTES) };
            // The operator's own count of acknowledgements begins with none under way.
            self.noc.wait_writes();
        }
        let seq = loop {
            let (go, bring) = self.wait_for_host(seq);
            if go != seq {
                break go;
            }
            self.bring(bring);
        };
        let half = |i: usize| u64::from(stream(seq, offset_of!(Stream, addr) + 4 * i));
        self.next = DramAddr(half(0) | half(1) << 32);
        self.left = stream(seq, offset_of!(Stream, steps));
        self.times = stream(seq, offset_of!(Stream, times));
        self.begun = self.clock();
        self.fetch();
        seq
    }

    /// Waits for another go word than that of launch `seq`, or another launch to bring: both words. Nothing but loads and branches.
    #[inline(always)]
    fn wait_for_host(&self, seq: u32) -> (u32, u32) {
        let brought = self.brought;
        loop {
            self.stop_if_told();
            let go = mailbox(l1::GO).load();
            let bring = mailbox(l1::BRING).load();
            if go != seq || bring != brought {
                mmio::order();
                return (go, bring);
            }
        }
    }

    /// Starts a launch that the host has written to this worker alone. The others wait for its go word and for nothing else; what it has sent
    /// them before has been acknowledged.
    #[cold]
    #[inline(never)]
    fn bring(&mut self, seq: u32) {
        self.brought = seq;
        let to = l1::launch(seq);
        // SAFETY: no worker reads a descriptor there: all have completed the launch that had it.
        unsafe { self.noc.write_to_all(l1::NEXT_STEP, to, l1::DESCRIPTOR_BYTES, self.rect, self.workers) };
        self.noc.wait_writes();
        mailbox(l1::NEXT_GO).store(seq);
        // SAFETY: words of the mailboxes, to which there are no references.
        unsafe { self.noc.write_word_to_all(l1::NEXT_GO, l1::GO, self.rect) };
    }

    /// The tile's wall clock, if the host wants times. A look at the low half keeps the high one that belongs to it.
    fn clock(&self) -> [u32; 2] {
        if self.times == 0 {
            return [0; 2];
        }
        let half = |register: u32| {
            // SAFETY: one half of the tile's wall clock.
            unsafe { Register::at(DEBUG_REGS_BASE + register) }.load_and_wait()
        };
        [WALL_CLOCK_L, WALL_CLOCK_H].map(half)
    }

    /// Starts to write the times of step `seq`, if the host wants them.
    fn write_times(&mut self, seq: u32, ended: [u32; 2]) {
        if self.times == 0 {
            return;
        }
        let [begun, begun_high] = self.begun;
        let words = [begun, begun_high, ended[0], ended[1], seq, 0, 0, 0];
        for (n, word) in words.into_iter().enumerate() {
            // SAFETY: an aligned word of the step's times, to which there are no references.
            unsafe { Register::at(l1::STEP_TIMES + 4 * n as u32) }.store(word);
        }
        mmio::order();
        // SAFETY: the place of a step's times; its words are accessed by the NoC and as registers only.
        let place = unsafe { L1::new(l1::STEP_TIMES, l1::STEP_TIMES_BYTES) };
        self.noc.write_dram(place, DramAddr(u64::from(self.times)));
        self.times += l1::STEP_TIMES_BYTES;
    }

    /// Starts to bring the next step from DRAM, if there is one. It comes while BRISC does its part of this one.
    fn fetch(&mut self) {
        if self.left > 0 {
            let mut noc = Noc::new(0);
            noc.set_read_id(STEP_ID);
            // SAFETY: the next step's place; its words are accessed by the NoC and as registers only.
            noc.read_dram(self.next, unsafe { L1::new(l1::NEXT_STEP, l1::DESCRIPTOR_BYTES) });
            noc.set_read_id(0);
        }
    }

    /// Waits until they are in DRAM: the operator's own count of acknowledgements begins with none under way.
    fn wait_for_times(&self) {
        if self.times != 0 {
            self.noc.wait_writes();
        }
    }

    /// If the host says stop, all workers are put into reset, this one too, and another chip is told the same.
    #[inline(always)]
    pub(super) fn stop_if_told(&self) {
        if mailbox(l1::STOP).load() != 0 {
            self.stop();
        }
    }

    /// Not in line: the loops that look for the word stay a few instructions.
    #[cold]
    #[inline(never)]
    fn stop(&self) -> ! {
        // What has been sent to all is on its way from the place that is used now, or what comes next to it.
        self.noc.wait_writes();
        self.noc.wait_read_id(STEP_ID);
        let mut noc = Noc::new(0);
        mailbox(l1::NEXT_GO).store(SOFT_RESET_ALL);
        let reset = DEBUG_REGS_BASE + SOFT_RESET_0;
        // SAFETY: a word of the mailbox goes to the registers that hold cores in reset.
        unsafe { noc.write_to_others(l1::NEXT_GO, reset, 4, self.rect, self.workers - 1) };
        // Nobody else puts commands into queues of Ethernet tiles from here on.
        noc.wait_writes();
        pass_on(&mut noc);
        // SAFETY: the register that holds this tile's cores in reset.
        unsafe { Register::at(reset) }.store(SOFT_RESET_ALL);
        loop {
            mmio::order();
        }
    }
}

/// How often the queue of an Ethernet tile is looked at before the other chip is left alone: its next user puts its cores into reset.
const LOOKS: u32 = 1 << 16;
/// So many looks in a row show a queue at rest: what a core that has just been stopped had sent there has arrived.
const AT_REST: u32 = 8;

/// Stops the other chip, if there is one. The host does not use the queue any more, nor does any core; firmware that does not take what is in
/// it is waited for a while only.
fn pass_on(noc: &mut Noc) {
    let word = |offset: usize| mailbox(l1::PASS_ON + offset as u32).load();
    let node = word(offset_of!(PassOn, node));
    if node == 0 {
        return;
    }
    let addr = [0, 4].map(|half| word(offset_of!(PassOn, addr) + half));
    let mut at = l1::NEXT_STEP;
    let memory = [COMMANDS, COMMAND_SIZE, 4].map(|bytes| {
        // SAFETY: the next step's place, in parts: no step comes any more, and what was under way from there has been waited for.
        let part = unsafe { L1::new(at, bytes) };
        at += bytes;
        part
    });
    let mut queue = Queue::in_memory(noc, node, memory);
    let mut rested = 0;
    for _ in 0..LOOKS {
        queue.take_over(noc);
        rested = if queue.is_settled() { rested + 1 } else { 0 };
        if rested == AT_REST {
            queue.write_word(noc, addr, 1, word(offset_of!(PassOn, rack)));
            return;
        }
    }
}
