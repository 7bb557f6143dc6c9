//! Commands to the firmware of an Ethernet tile, which passes them on to another chip ([`tt_isa::eth::routing`]).
//!
//! ```text
//! block -> BLOCKS[slot]   command -> its slot   (both have arrived)   write pointer   ... the firmware moves the read pointer
//! ```
//! The queue belongs to one core: the host leaves it alone meanwhile.
#![allow(unsafe_code)]

use super::heap::Heap;
use super::l1::L1;
use super::noc::Noc;
use tt_isa::eth::routing::{
    ADDRESS, BLOCK_SIZE, BLOCKS, COMMAND_COUNT, COMMAND_SIZE, COMMANDS, DATA, FLAGS, Flags, POINTERS, RACK,
    READ_POINTER, REQUEST_QUEUE, WRITE_POINTER, WRITES_ACKNOWLEDGED, WRITES_REQUESTED,
};
use tt_kernel_abi::DramAddr;

/// The queue of a tile.
pub struct Queue {
    node: u32,
    /// Counts and pointers of the queue, as last read.
    state: L1<'static>,
    /// A command, and the pointer to be written.
    command: L1<'static>,
    pointer: L1<'static>,
    write: u32,
}

impl Queue {
    /// The queue of the Ethernet tile at a node of the core's NoC. Its pointers are where they are.
    pub fn new(noc: &mut Noc, heap: &mut Heap, node: u32) -> Self {
        Self::in_memory(noc, node, [COMMANDS, COMMAND_SIZE, 4].map(|bytes| heap.take(bytes)))
    }

    /// The same with memory for counts, a command and the pointer, of the sizes that [`new`](Self::new) takes.
    pub(super) fn in_memory(noc: &mut Noc, node: u32, [state, command, pointer]: [L1<'static>; 3]) -> Self {
        let mut queue = Self { node, state, command, pointer, write: 0 };
        queue.take_over(noc);
        queue
    }

    /// Goes on where the queue's pointers are.
    pub(super) fn take_over(&mut self, noc: &mut Noc) {
        self.look(noc);
        self.write = self.of_state(WRITE_POINTER) % POINTERS;
    }

    /// Reads counts and pointers.
    fn look(&self, noc: &mut Noc) {
        noc.read_l1(self.node, REQUEST_QUEUE, self.state);
        noc.wait_reads();
    }

    fn of_state(&self, word: u32) -> u32 {
        self.state.elements::<u32>()[word as usize / 4].load()
    }

    fn waiting(&self) -> u32 {
        self.write.wrapping_sub(self.of_state(READ_POINTER)) % POINTERS
    }

    /// Has a block written to the other chip's DRAM; `chip` is its place as a command's address has it. The block can be used again.
    pub fn write(&mut self, noc: &mut Noc, block: L1, to: DramAddr, chip: u32, rack: u32) {
        while self.waiting() >= COMMAND_COUNT {
            self.look(noc);
        }
        let slot = self.write % COMMAND_COUNT;
        // SAFETY: a free slot of the queue, which is this core's.
        unsafe { noc.write_l1(block, self.node, BLOCKS + slot * BLOCK_SIZE) };
        let (node, addr) = noc.place_on_noc_0(to);
        self.submit(noc, [addr, node | chip], block.len(), Flags::WRITE.union(Flags::BLOCK), rack);
    }

    /// Has a word written to the other chip, at an address as a command has it. There is room in the queue.
    pub(super) fn write_word(&mut self, noc: &mut Noc, to: [u32; 2], word: u32, rack: u32) {
        self.submit(noc, to, word, Flags::WRITE, rack);
    }

    /// Puts a command into the queue.
    fn submit(&mut self, noc: &mut Noc, to: [u32; 2], data: u32, flags: Flags, rack: u32) {
        let slot = self.write % COMMAND_COUNT;
        let word = |at: u32, value: u32| self.command.elements::<u32>()[at as usize / 4].store(value);
        (0..COMMAND_SIZE).step_by(4).for_each(|at| word(at, 0));
        word(ADDRESS, to[0]);
        word(ADDRESS + 4, to[1]);
        word(DATA, data);
        word(FLAGS, flags.bits());
        word(RACK, rack);
        // SAFETY: the slot's command.
        unsafe { noc.write_l1(self.command, self.node, REQUEST_QUEUE + COMMANDS + slot * COMMAND_SIZE) };
        // What the pointer shows has to be there before it.
        noc.wait_writes();
        self.write = (self.write + 1) % POINTERS;
        self.pointer.elements::<u32>()[0].store(self.write);
        // SAFETY: the queue's pointer, which only this core moves.
        unsafe { noc.write_l1(self.pointer, self.node, REQUEST_QUEUE + WRITE_POINTER) };
        noc.wait_writes();
    }

    /// Waits until the other chip has acknowledged everything.
    pub fn finish(&self, noc: &mut Noc) {
        self.look(noc);
        while !self.is_settled() {
            self.look(noc);
        }
    }

    /// Whether the other chip had acknowledged everything when the queue was looked at.
    pub(super) fn is_settled(&self) -> bool {
        self.waiting() == 0 && self.of_state(WRITES_REQUESTED) == self.of_state(WRITES_ACKNOWLEDGED)
    }
}
