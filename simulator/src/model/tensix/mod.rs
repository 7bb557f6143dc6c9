//! The Tensix coprocessor of one tile: three threads that share unpackers, matrix unit, vector unit and packers.
//!
//! ```text
//! T0,T1,T2 -> frontend (FIFO, MOP, REPLAY, wait gate) -> dispatch
//!    L1 -> unpackers -> SrcA, SrcB -> matrix unit -> Dst <-> vector unit (SFPU)
//!                                                    Dst -> packers -> L1
//! ```
//!
//! It is of Wormhole's design ([`tt_isa::chip::Design`]): instructions are [`tt_isa::insn::table`]'s, configuration fields
//! [`tt_isa::chip::wormhole`]'s. Chips of another design have only its configuration registers.
//!
//! An instruction takes effect as a whole ([`Tensix::dispatch`]) if its unit owns the registers that it needs;
//! otherwise it stalls and is offered again. The engine decides when a thread's next instruction is offered, and how long
//! an instruction keeps its unit busy ([`Tensix::set_busy`]).

use tt_isa::chip::Chip;
use tt_isa::chip::wormhole::thread::UNPACK_MISC_CFG_CfgContextCntReset_0;
use tt_isa::insn::{INSTRUCTIONS, Opcode, RMWCIB0, SETC16, Unit};

use crate::fault::Fault;
use crate::model::access::Accesses;
use crate::model::defect::DeadUnits;
use crate::model::l1::L1;

pub mod adc;
pub mod config;
pub mod dst;
pub mod frontend;
pub mod matrix;
pub mod pack;
pub mod pipe;
pub mod rwc;
pub mod scalar;
pub mod sfpu;
pub mod src;
pub mod sync;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod unpack;
pub mod wait_gate;

/// Threads of the coprocessor.
pub const THREADS: usize = tt_isa::map::THREADS;

/// What became of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Executed; the thread goes on to the next one.
    Done,
    /// Has to wait (for a SrcA/SrcB bank, a mutex, ..); nothing changed, it is offered again later.
    Stall,
}

/// Result of executing one instruction.
pub type Exec = Result<Step, Fault>;

/// What an instruction needs the tile for. The tile serves it before the next instruction, so that requests keep their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TileRequest {
    /// Writes a memory-mapped register.
    Write {
        /// Where to, as a core sees it.
        addr: u32,
        /// What.
        value: u32,
    },
    /// Reads one into a GPR.
    Read {
        /// Where from, as a core sees it.
        addr: u32,
        /// Whose GPR.
        thread: usize,
        /// Which GPR.
        gpr: usize,
    },
    /// Starts the mover.
    Move(Move),
}

/// An order to the mover, all in bytes (`Mover.md`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Move {
    /// Where to.
    pub destination: u32,
    /// Where from; in L1.
    pub source: u32,
    /// How much.
    pub len: u32,
    /// From and to what: `xmov_direction_t`.
    pub direction: u32,
}

/// What instructions of a thread that are still in units keep from happening.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Busy {
    /// How many there are: TTSync waits for them.
    pub instructions: u32,
    /// Conditions of `STALLWAIT` ([`tt_isa::stall::until`]) that they keep unmet.
    pub unmet: u32,
}

/// A coprocessor.
pub struct Tensix {
    /// Configuration registers.
    pub(in crate::model) cfg: config::ConfigState,
    /// Register window counters of each thread.
    pub(in crate::model) rwc: [rwc::Rwc; THREADS],
    /// SrcA.
    pub(in crate::model) src_a: src::SrcBanks,
    /// SrcB.
    pub(in crate::model) src_b: src::SrcBanks,
    /// Dst.
    pub(in crate::model) dst: dst::Dst,
    /// Matrix unit.
    pub(in crate::model) matrix: matrix::MatrixState,
    /// Vector unit.
    pub(in crate::model) sfpu: sfpu::SfpuState,
    /// Address counters.
    pub(in crate::model) adc: adc::AddressCounterState,
    /// GPRs of each thread.
    pub(in crate::model) gpr: [[u32; scalar::GPRS]; THREADS],
    /// Semaphores and mutexes.
    pub(in crate::model) sync: sync::SyncUnit,
    /// Packers.
    pub(in crate::model) pack: pack::PackState,
    /// Unpackers.
    pub(in crate::model) unpack: unpack::UnpackState,
    /// What instructions ask the tile for, in their order.
    pub(in crate::model) requests: Vec<TileRequest>,
    /// Units that compute wrongly.
    pub(in crate::model) dead: DeadUnits,
    frontend: [frontend::Frontend; THREADS],
    busy: [Busy; THREADS],
}

impl Tensix {
    /// The coprocessor of a chip. What it executes are the instructions of Wormhole's design; of another one the tile
    /// refuses them.
    pub fn new(chip: &'static Chip) -> Self {
        Self {
            cfg: config::ConfigState::new(chip),
            rwc: Default::default(),
            src_a: src::SrcBanks::new("SrcA"),
            src_b: src::SrcBanks::new("SrcB"),
            dst: Default::default(),
            matrix: Default::default(),
            sfpu: Default::default(),
            adc: Default::default(),
            gpr: [[0; scalar::GPRS]; THREADS],
            sync: Default::default(),
            pack: Default::default(),
            unpack: Default::default(),
            requests: Vec::new(),
            dead: DeadUnits::default(),
            frontend: Default::default(),
            busy: Default::default(),
        }
    }

    /// From now on the memories can note what instructions access, and instructions that use a result too early are faults.
    pub fn enable_log(&mut self) {
        self.dst.enable_log();
        self.cfg.enable_log();
        self.sfpu.hazard_checks = true;
    }

    /// Looks at a `SETRWC` at a thread's gate.
    ///
    /// # Errors
    /// It would hand back a bank that the matrix unit does not have.
    pub fn check_setrwc(&self, thread: usize, word: u32) -> Result<(), Fault> {
        rwc::check_setrwc(self, thread, word)
    }

    /// Looks at what stands at the threads' gates when nothing moves any more.
    ///
    /// # Errors
    /// A `SETRWC` waits for a bank to hand back, and no thread will give it.
    pub fn check_gates(&self) -> Result<(), Fault> {
        let waiting = |thread| self.at_gate(thread).filter(|&word| Opcode::of(word) == Some(Opcode::SETRWC));
        (0..THREADS).try_for_each(|thread| match waiting(thread) {
            Some(word) if self.latched(thread).is_none() => {
                self.check_setrwc(thread, word).map_err(|fault| fault.in_thread(thread as u8, word))
            }
            _ => Ok(()),
        })
    }

    /// Whether `thread`'s FIFO has room.
    #[inline]
    pub fn can_push(&self, thread: usize) -> bool {
        self.frontend[thread].can_push()
    }

    /// Pushes an instruction word; `behind_mop` for BRISC's pushes. Call [`can_push`](Self::can_push) first.
    #[inline]
    pub fn push(&mut self, thread: usize, word: u32, behind_mop: bool) {
        self.frontend[thread].push(word, behind_mop);
    }

    /// All that `thread` was given has been executed (TTSync).
    #[inline]
    pub fn thread_idle(&self, thread: usize) -> bool {
        self.frontend[thread].idle() && self.busy[thread].instructions == 0
    }

    /// `thread`'s MOP expander has nothing to do.
    #[inline]
    pub fn mop_idle(&self, thread: usize) -> bool {
        self.frontend[thread].mop_idle()
    }

    /// Whether no thread has anything to execute.
    pub fn idle(&self) -> bool {
        self.frontend.iter().all(frontend::Frontend::idle)
    }

    /// Writes a word of `thread`'s MOP expander configuration.
    pub fn write_mop_cfg(&mut self, thread: usize, index: usize, value: u32) -> Result<(), Fault> {
        self.frontend[thread].set_mop_cfg(index, value)
    }

    /// Whether `thread` has nothing to offer: neither queued nor at the gate.
    #[inline]
    pub fn nothing_to_offer(&self, thread: usize) -> bool {
        self.frontend[thread].idle()
    }

    /// The instruction that has come out of `thread`'s expanders and waits.
    pub fn at_gate(&self, thread: usize) -> Option<u32> {
        self.frontend[thread].at_gate()
    }

    /// Whether a thread's next instruction comes from its FIFO, and not out of an expander.
    #[inline]
    pub fn needs_word(&self, thread: usize) -> bool {
        self.frontend[thread].needs_word()
    }

    /// Words in `thread`'s FIFO.
    #[inline]
    pub fn queued(&self, thread: usize) -> usize {
        self.frontend[thread].waiting()
    }

    /// The instruction at `thread`'s gate, if there is one.
    ///
    /// # Errors
    /// A word that the expanders refuse.
    #[inline]
    pub fn offer(&mut self, thread: usize) -> Result<Option<u32>, Fault> {
        self.frontend[thread].peek()
    }

    /// The instruction at `thread`'s gate has been executed.
    #[inline]
    pub fn retire(&mut self, thread: usize) {
        self.frontend[thread].take();
    }

    /// Lets cycles pass while `thread` has nothing to execute: what `SFPLOADMACRO` has scheduled is done.
    ///
    /// # Errors
    /// The fault of a scheduled instruction.
    #[inline]
    pub fn settle(&mut self, thread: usize) -> Result<(), Fault> {
        sfpu::settle(self, thread)
    }

    /// Says which instructions of each thread are still in units.
    pub fn set_busy(&mut self, busy: [Busy; THREADS]) {
        self.busy = busy;
    }

    /// The banks of SrcA (0) or SrcB (1).
    #[inline]
    pub fn banks(&self, which: usize) -> &src::SrcBanks {
        if which == 0 { &self.src_a } else { &self.src_b }
    }

    /// Which banks of SrcA and SrcB belong to the matrix unit.
    #[inline]
    pub fn valid_banks(&self) -> [[bool; 2]; 2] {
        [self.src_a.valid, self.src_b.valid]
    }

    /// Gives a bank of SrcA (0) or SrcB (1) to the matrix unit, or back to the unpacker.
    pub fn set_valid(&mut self, which: usize, bank: usize, valid: bool) {
        let banks = if which == 0 { &mut self.src_a } else { &mut self.src_b };
        banks.valid[bank] = valid;
    }

    /// What the last `UNPACR` has read.
    #[inline]
    pub fn fetched(&self) -> unpack::Fetched {
        self.unpack.fetched
    }

    /// What the last `PACR` has written: the most of any packer.
    #[inline]
    pub fn packed(&self) -> pack::Packed {
        self.pack.packed
    }

    /// Blocks of eight 16-bit rows of Dst that an instruction of the matrix unit is about to write, a bit each.
    #[inline]
    pub fn dst_blocks(&self, thread: usize, opcode: Opcode, word: u32) -> u128 {
        sfpu::matrix_writes(self, thread, opcode, word)
    }

    /// Whether the last instruction asks the tile for something.
    #[inline(always)]
    pub fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Takes what the last instruction asks the tile for.
    #[inline]
    pub fn take_requests(&mut self) -> Vec<TileRequest> {
        std::mem::take(&mut self.requests)
    }

    /// Starts the access logs.
    pub fn start_log(&self) {
        if let Some(log) = self.cfg.log() {
            log.start();
        }
        self.src_a.take_touched();
        self.src_b.take_touched();
    }

    /// Stops the access logs, and takes what they hold. L1 is the tile's.
    pub fn take_log(&self) -> Accesses {
        Accesses {
            l1: Vec::new(),
            dst: self.dst.log().map(|log| log.take()).unwrap_or_default(),
            config: self.cfg.log().map(|log| log.take()).unwrap_or_default(),
            banks: [self.src_a.take_touched(), self.src_b.take_touched()],
        }
    }

    /// Executes an instruction that has passed the gate, if its unit can.
    ///
    /// # Errors
    /// The program does what the unit does not define, or what is not modelled.
    #[inline]
    pub fn dispatch(&mut self, thread: usize, opcode: Opcode, word: u32, l1: &mut L1) -> Exec {
        let written =
            if self.sfpu.hazard_checks { sfpu::matrix_writes(self, thread, opcode, word) } else { 0 };
        let step = self.execute(thread, opcode, word, l1)?;
        if step == Step::Done {
            if self.sfpu.hazard_checks {
                self.sfpu.retired(thread, opcode, word, written);
            }
            if !opcode.unit().is_vector() {
                sfpu::pass(self, thread)?;
            }
        }
        Ok(step)
    }

    #[inline]
    fn execute(&mut self, thread: usize, opcode: Opcode, word: u32, l1: &mut L1) -> Exec {
        match opcode.unit() {
            Unit::Matrix | Unit::Frontend | Unit::Unknown => matrix::execute(self, thread, opcode, word),
            Unit::Vector(_) => sfpu::execute(self, thread, opcode, word),
            Unit::Unpackers => unpack::execute(self, thread, opcode, word, l1),
            Unit::Packers => pack::execute(self, thread, opcode, word, l1),
            Unit::Mover => self.xmov(thread),
            Unit::Scalar => scalar::execute(self, thread, opcode, word, l1),
            Unit::Config => match opcode {
                Opcode::SETC16 => self.setc16(thread, word),
                Opcode::WRCFG | Opcode::RDCFG => scalar::execute(self, thread, opcode, word, l1),
                _ => self.rmwcib(thread, opcode, word),
            },
            Unit::Misc => match opcode {
                Opcode::NOP => Ok(Step::Done),
                Opcode::SETDVALID => matrix::execute(self, thread, opcode, word),
                _ => adc::execute(&mut self.adc, thread, opcode, word),
            },
            Unit::Sync => match opcode {
                Opcode::STALLWAIT | Opcode::SEMWAIT => self.latch_wait(thread, opcode, word),
                _ => self.sync.execute(thread, opcode, word),
            },
        }
    }

    fn setc16(&mut self, thread: usize, word: u32) -> Exec {
        let op = SETC16::decode(word);
        self.cfg.set_thread(thread, op.setc16_reg, op.setc16_value as u16)?;
        if op.setc16_reg == UNPACK_MISC_CFG_CfgContextCntReset_0.index {
            self.unpack.reset_contexts(thread);
        }
        Ok(Step::Done)
    }

    /// `XMOV`: the mover works in the background, which is at once here.
    fn xmov(&mut self, thread: usize) -> Exec {
        use tt_isa::chip::wormhole::config as c;
        let get = |field| self.cfg.get(thread, field);
        self.requests.push(TileRequest::Move(Move {
            destination: get(c::THCON_SEC0_REG6_Destination_address) << 4,
            source: get(c::THCON_SEC0_REG6_Source_address) << 4,
            len: (get(c::THCON_SEC0_REG6_Buffer_size) & 0xFFFF) << 4,
            direction: get(c::THCON_SEC0_REG6_Transfer_direction),
        }));
        Ok(Step::Done)
    }

    /// `RMWCIB0..3`: replaces masked bits of one byte of a `Config` register. All four have the same operands.
    fn rmwcib(&mut self, thread: usize, opcode: Opcode, word: u32) -> Exec {
        let op = RMWCIB0::decode(word);
        let shift = 8 * (opcode as u32 - Opcode::RMWCIB0 as u32);
        let bank = self.cfg.bank(thread);
        self.cfg.modify(bank, op.cfg_reg_addr, op.mask << shift, op.data << shift)?;
        Ok(Step::Done)
    }
}

/// Reserved bits of each opcode's words; all ones for opcodes whose operands are not known.
const RESERVED: [u32; 256] = {
    let mut bits = [u32::MAX; 256];
    let mut i = 0;
    while i < INSTRUCTIONS.len() {
        if INSTRUCTIONS[i].used_by_software {
            bits[INSTRUCTIONS[i].opcode as usize] = INSTRUCTIONS[i].reserved_mask();
        }
        i += 1;
    }
    bits
};

const PAGE: &str = "TensixTile/TensixCoprocessor/README.md";

/// The opcode of a well-formed word of an instruction that published software uses.
#[inline]
pub fn check_word(word: u32) -> Result<Opcode, Fault> {
    let reserved = RESERVED[(word >> 24) as usize];
    match Opcode::of(word) {
        Some(opcode) if word & reserved == 0 => Ok(opcode),
        Some(opcode) if reserved != u32::MAX => {
            let bits = word & reserved;
            Err(Fault::program(format!("bits {bits:#08x} of {opcode:?} are reserved")).page(PAGE))
        }
        _ => Err(Fault::not_implemented(format!("instruction word {word:#010x}")).page(PAGE)),
    }
}
