//! The Tensix coprocessor of one tile: three threads that share unpackers, matrix unit, vector unit and packers.
//!
//! ```text
//! T0,T1,T2 -> frontend (FIFO, MOP, REPLAY, wait gate) -> dispatch
//!    L1 -> unpackers -> SrcA, SrcB -> matrix unit -> Dst <-> vector unit (SFPU)
//!                                                    Dst -> packers -> L1
//! ```
//!
//! An instruction executes as a whole when its thread's turn comes and the registers that it needs are its
//! unit's to use; otherwise it stalls and is offered again. No time passes inside a unit, so conditions of the
//! form "unit is idle" always hold: [`wait_gate`](mod@wait_gate) is the one place where that is said.

use tt_isa::insn::{InsnInfo, Opcode, RMWCIB0, SETC16, info};

use crate::fault::Fault;
use crate::l1::L1;

pub mod adc;
pub mod config;
pub mod dst;
pub mod frontend;
pub mod matrix;
pub mod pack;
pub mod rwc;
pub mod scalar;
pub mod sfpu;
pub mod src;
pub mod sync;
pub mod unpack;
mod wait_gate;

/// Threads of the coprocessor.
pub const THREADS: usize = 3;
/// Instructions of one thread that [`Tensix::step`] executes before the next thread's turn.
const SLICE: usize = 64;

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

/// A coprocessor.
pub struct Tensix {
    /// Configuration registers.
    pub cfg: config::ConfigState,
    /// Register window counters of each thread.
    pub rwc: [rwc::Rwc; THREADS],
    /// SrcA.
    pub src_a: src::SrcBanks,
    /// SrcB.
    pub src_b: src::SrcBanks,
    /// Dst.
    pub dst: dst::Dst,
    /// Vector unit.
    pub sfpu: sfpu::SfpuState,
    /// Address counters.
    pub adc: adc::AddressCounterState,
    /// GPRs of each thread.
    pub gpr: [[u32; scalar::GPRS]; THREADS],
    /// Semaphores and mutexes.
    pub sync: sync::SyncUnit,
    /// Packers.
    pub pack: pack::PackState,
    /// Register writes that `STOREREG` asks the tile for.
    pub mmio_writes: Vec<(u32, u32)>,
    frontend: [frontend::Frontend; THREADS],
    executed: u64,
}

impl Default for Tensix {
    fn default() -> Self {
        Self {
            cfg: Default::default(),
            rwc: Default::default(),
            src_a: src::SrcBanks::new("SrcA"),
            src_b: src::SrcBanks::new("SrcB"),
            dst: Default::default(),
            sfpu: Default::default(),
            adc: Default::default(),
            gpr: [[0; scalar::GPRS]; THREADS],
            sync: Default::default(),
            pack: Default::default(),
            mmio_writes: Vec::new(),
            frontend: Default::default(),
            executed: 0,
        }
    }
}

impl Tensix {
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
        self.frontend[thread].idle()
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

    /// Instructions executed so far.
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// Executes until no thread can go on; whether anything was executed.
    ///
    /// # Errors
    /// The fault of an instruction, with thread and word.
    pub fn step(&mut self, l1: &mut L1) -> Result<bool, Fault> {
        let mut any = false;
        loop {
            let mut progress = false;
            for thread in 0..THREADS {
                for _ in 0..SLICE {
                    if !self.step_thread(thread, l1)? {
                        break;
                    }
                    progress = true;
                }
            }
            if !progress {
                return Ok(any);
            }
            any = true;
        }
    }

    /// Executes one instruction of `thread`, if it has one that can go on.
    fn step_thread(&mut self, thread: usize, l1: &mut L1) -> Result<bool, Fault> {
        let Some(word) = self.frontend[thread].peek()? else {
            // A wait with nothing behind it ends by itself, too.
            self.release_wait(thread)?;
            return Ok(false);
        };
        let located = |fault: Fault| fault.in_thread(thread as u8, word);
        let row = info(word).filter(|row| row.used_by_software).ok_or_else(|| located(unknown(word)))?;
        check_reserved(row, word).map_err(located)?;
        let opcode = Opcode::of(word).ok_or_else(|| located(unknown(word)))?;
        if !self.passes_gate(thread, opcode).map_err(located)? {
            return Ok(false);
        }
        match self.dispatch(thread, opcode, word, l1).map_err(located)? {
            Step::Stall => Ok(false),
            Step::Done => {
                self.frontend[thread].take();
                self.executed += 1;
                Ok(true)
            }
        }
    }

    fn dispatch(&mut self, thread: usize, opcode: Opcode, word: u32, l1: &mut L1) -> Exec {
        use Opcode::*;
        match opcode {
            NOP => Ok(Step::Done),
            STALLWAIT | SEMWAIT => self.latch_wait(thread, opcode, word),
            SEMINIT | SEMPOST | SEMGET | ATGETM | ATRELM => self.sync.execute(thread, opcode, word),
            SETC16 => {
                let op = self::SETC16::decode(word);
                self.cfg.set_thread(thread, op.setc16_reg, op.setc16_value as u16)?;
                Ok(Step::Done)
            }
            RMWCIB0 | RMWCIB1 | RMWCIB2 | RMWCIB3 => self.rmwcib(thread, opcode, word),
            SETDMAREG | ADDDMAREG | MULDMAREG | WRCFG | RDCFG | REG2FLOP | STOREREG | DMANOP => {
                scalar::execute(self, thread, opcode, word)
            }
            SETADC | SETADCXX | SETADCXY | SETADCZW | INCADCXY | INCADCZW | ADDRCRXY | ADDRCRZW => {
                adc::execute(&mut self.adc[thread], opcode, word)
            }
            UNPACR | UNPACR_NOP => unpack::execute(self, thread, opcode, word, l1),
            PACR => pack::execute(self, thread, word, l1),
            _ if unit_is_vector(opcode) => sfpu::execute(&mut self.sfpu, opcode, word),
            _ => matrix::execute(self, thread, opcode, word),
        }
    }

    /// `RMWCIB0..3`: replaces masked bits of one byte of a `Config` register. All four have the same operands.
    fn rmwcib(&mut self, thread: usize, opcode: Opcode, word: u32) -> Exec {
        let op = RMWCIB0::decode(word);
        let shift = 8 * (opcode as u32 - Opcode::RMWCIB0 as u32);
        let bank = self.cfg.bank(thread);
        let old = self.cfg.read(bank, op.cfg_reg_addr)?;
        let (mask, data) = (op.mask << shift, op.data << shift);
        self.cfg.write(bank, op.cfg_reg_addr, (old & !mask) | (data & mask))?;
        Ok(Step::Done)
    }
}

/// Whether the vector unit executes this opcode.
pub(crate) fn unit_is_vector(opcode: Opcode) -> bool {
    (Opcode::SFPLOAD as u8..=Opcode::SFPLUTFP32 as u8).contains(&(opcode as u8))
}

fn unknown(word: u32) -> Fault {
    Fault::not_implemented(format!("instruction word {word:#010x}"))
        .page("TensixTile/TensixCoprocessor/README.md")
}

fn check_reserved(row: &InsnInfo, word: u32) -> Result<(), Fault> {
    match word & row.reserved_mask() {
        0 => Ok(()),
        bits => Err(Fault::program(format!("bits {bits:#08x} of {} are reserved", row.name))),
    }
}
