//! Map of a worker's L1.
//!
//! | from | what |
//! |---|---|
//! | 0 | the images ([`IMAGE_SLOTS`]); BRISC's is where it leaves reset, it tells the others where they [`start`] |
//! | [`GO`] | launch mailbox: go word, completion, error and progress words ([`crate::launch`]) |
//! | [`NEXT_STEP`] | the next step of a stream, on the worker that leads |
//! | [`BOOT_CONFIG`] | the boot configuration |
//! | [`PROGRAM`] | where a program of a user's begins ([`crate::program`]) |
//! | [`SYNC`] | words that the cores of a tile use among themselves while an operator runs |
//! | [`LAUNCHES`] | two launches: the one that runs, and the one that is next |
//! | [`LATER_STEP`] | a step of the stream whose weights are read ahead |
//! | [`EXPERTS`] | indices of a `MUL_MAT_ID`, which say what its weights are |
//! | [`HEAP`] | the operators' buffers, or everything of a user's program, up to the end of L1 |

use tt_isa::map::RiscV;

use crate::target::CHIP;

/// Code and data of a core, or of two: first byte and size of their slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ImageSlot {
    /// The core that starts at the first byte.
    pub core: RiscV,
    /// First byte.
    pub start: u32,
    /// Bytes.
    pub size: u32,
}

/// Slots of the four images. BRISC and NCRISC share one: as lanes they run the same code.
pub const IMAGE_SLOTS: [ImageSlot; 4] = [
    ImageSlot { core: RiscV::Brisc, start: 0, size: 0x3_5400 },
    ImageSlot { core: RiscV::Trisc0, start: 0x3_5400, size: 0x7400 },
    ImageSlot { core: RiscV::Trisc1, start: 0x3_C800, size: 0xD800 },
    ImageSlot { core: RiscV::Trisc2, start: 0x4_A000, size: 0x4C00 },
];

/// Where NCRISC starts in BRISC's image.
pub const NCRISC_START: u32 = 0x20;

/// Where a core leaves reset.
pub const fn start(core: RiscV) -> u32 {
    match core {
        RiscV::Ncrisc => IMAGE_SLOTS[RiscV::Brisc as usize].start + NCRISC_START,
        _ => IMAGE_SLOTS[core as usize].start,
    }
}

/// First byte after the images.
pub const MAILBOX: u32 = 0x4_EC00;
/// Go word: every core polls it; the launch with number n starts when it becomes n.
pub const GO: u32 = MAILBOX;
/// On the worker that leads: any other value than 0 stops all workers for good. (Not the go word: the leader writes that one, too.)
pub const STOP: u32 = MAILBOX + 4;
/// On the worker that leads: number of a launch whose first descriptor the host has put into [`NEXT_STEP`], and what follows into the launch's
/// place, for the leader to start it on all workers.
pub const BRING: u32 = MAILBOX + 8;
/// On the worker that leads: another chip that is stopped with this one, four words ([`crate::launch::PassOn`]).
pub const PASS_ON: u32 = MAILBOX + 0xE0;
/// On the worker that leads: the number that its next go word has, for the NoC to send. (As aligned as where it goes.)
pub const NEXT_GO: u32 = MAILBOX + 0x90;
/// On the worker that leads: the times of a step ([`crate::launch::StepTimes`]), for the NoC to write to DRAM.
pub const STEP_TIMES: u32 = MAILBOX + 0xA0;
/// Bytes of it.
pub const STEP_TIMES_BYTES: u32 = 32;
/// Number of the last launch whose activations worker 0 has multicast: they are there. It is never cleared.
pub const ROW_SENT: u32 = MAILBOX + 0xC0;
/// On worker 0: what [`ROW_SENT`] becomes, for the NoC to send. (As aligned as where it goes.)
pub const NEXT_ROW: u32 = MAILBOX + 0xD0;
/// Whether this worker has counted itself, and what NIU 0 will have counted as answers to atomics when that has been answered.
pub const COUNT_ANSWERS: u32 = MAILBOX + 0xC8;
/// On the worker that leads: whether it has pushed anything, and what NIU 0 will have counted as acknowledgements when that has been acknowledged.
pub const PUSH_ACKS: u32 = MAILBOX + 0xF8;
/// What the leader pushes to its host's memory, if it has been told where ([`crate::BootConfig::push`]): the words that follow.
pub const COUNTS: u32 = MAILBOX + 0x10;
/// Bytes of [`COUNTS`].
pub const COUNTS_BYTES: u32 = 0x20;
/// On the same worker as [`COMPLETION`]: one more for each worker that ended with an error. (A line of its own:
/// the vendor's simulator takes atomics on the first word of 16 bytes only.) It is in front, since a host's memory gets the
/// bytes of a write in the order of their addresses.
pub const ERROR_COUNT: u32 = COUNTS;
/// Completion word of the leader, the worker that [`crate::BootConfig`] names: one more for each finished worker.
pub const COMPLETION: u32 = COUNTS + 0x10;
/// Number of the last launch that the host has asked for, or of the step of a stream at which something went wrong: all workers have
/// completed it, and the leader starts nothing more. Written by the leader, after everything that it says is so.
pub const FINISHED: u32 = COUNTS + 0x14;
/// This worker's error report, four words ([`crate::launch::ErrorReport`]).
pub const ERROR_REPORT: u32 = MAILBOX + 0x30;
/// "My part of launch n is finished", one word a core by [`RiscV`] number; BRISC waits for the other four.
pub const DONE: u32 = MAILBOX + 0x40;
/// Progress words, two a core by [`RiscV`] number ([`crate::launch::Progress`]).
pub const PROGRESS: u32 = MAILBOX + 0x60;
/// End of the part of the mailbox that the runtime zeroes before boot.
pub const MAILBOX_END: u32 = MAILBOX + 0x100;
/// The descriptor of a stream's next step, where the leader brings it from DRAM to send it to all; or of its first one, where the host has
/// written it to the leader alone ([`BRING`]).
pub const NEXT_STEP: u32 = MAILBOX_END;
/// Bytes of [`crate::OpDescriptor`].
pub const DESCRIPTOR_BYTES: u32 = 512;
/// The boot configuration.
pub const BOOT_CONFIG: u32 = MAILBOX + 0x300;
/// Bytes of [`crate::BootConfig`].
pub const BOOT_CONFIG_BYTES: u32 = 512;
/// Where cores begin that run a program of a user's ([`crate::program::Starts`]); zeros if none does.
pub const PROGRAM: u32 = MAILBOX + 0x500;
/// Bytes of [`PROGRAM`].
pub const PROGRAM_BYTES: u32 = 32;
/// Cores' own synchronisation words, zeroed by BRISC.
pub const SYNC: u32 = MAILBOX + 0x600;
/// Bytes of [`SYNC`].
pub const SYNC_BYTES: u32 = 0x200;
/// Two [`crate::launch::Launch`]es: the one with an even number, the one with an odd one.
pub const LAUNCHES: u32 = SYNC + SYNC_BYTES;
/// From one to the other.
pub const LAUNCH_STRIDE: u32 = 0x240;
/// A later step's descriptor, which BRISC reads to ask for its weights ahead ([`crate::ahead`]).
pub const LATER_STEP: u32 = LAUNCHES + 2 * LAUNCH_STRIDE + 0x80;
/// Indices that name the matrices of a product whose weights are read, or were read last ([`crate::matmul::MatmulParams::experts`]).
pub const EXPERTS: u32 = LATER_STEP + DESCRIPTOR_BYTES;
/// Bytes of [`EXPERTS`]: 32 indices, and their alignment offset.
pub const EXPERTS_BYTES: u32 = 4 * 32 + crate::target::CONGRUENCE;
/// The operators' buffers.
pub const HEAP: u32 = 0x4_FC00;
/// End of the heap.
pub const HEAP_END: u32 = CHIP.tile.l1_size;
/// Where operators that run on both data-movement cores divide the heap: BRISC has the lower part.
pub const HEAP_MIDDLE: u32 = (HEAP + (HEAP_END - HEAP) / 2) & !63;

/// Address of the [`crate::launch::Launch`] with number `seq`.
pub const fn launch(seq: u32) -> u32 {
    LAUNCHES + seq % 2 * LAUNCH_STRIDE
}

/// Address of a core's done word.
pub const fn done_word(core: RiscV) -> u32 {
    DONE + 4 * core as u32
}

/// Address of a core's two progress words.
pub const fn progress_words(core: RiscV) -> u32 {
    PROGRESS + 8 * core as u32
}

const _: () = {
    assert!(IMAGE_SLOTS[0].start == RiscV::Brisc.default_reset_pc());
    let mut i = 0;
    while i < 3 {
        assert!(IMAGE_SLOTS[i].start + IMAGE_SLOTS[i].size <= IMAGE_SLOTS[i + 1].start);
        i += 1;
    }
    assert!(IMAGE_SLOTS[3].start + IMAGE_SLOTS[3].size <= MAILBOX);
    assert!(STEP_TIMES.is_multiple_of(32) && STEP_TIMES + STEP_TIMES_BYTES <= MAILBOX_END);
    assert!(NEXT_STEP + DESCRIPTOR_BYTES <= BOOT_CONFIG);
    assert!(BOOT_CONFIG + BOOT_CONFIG_BYTES <= PROGRAM && PROGRAM + PROGRAM_BYTES <= SYNC);
    assert!(LAUNCHES + 2 * LAUNCH_STRIDE <= LATER_STEP && EXPERTS + EXPERTS_BYTES <= HEAP && HEAP < HEAP_END);
    // Where it comes from in DRAM is a multiple of its size.
    assert!((LATER_STEP | EXPERTS).is_multiple_of(crate::target::CONGRUENCE));
    // The images begin at 0, where another chip's firmware may write.
    assert!(CHIP.tile.l1_firmware.is_none());
};
