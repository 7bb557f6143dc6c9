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

use tt_isa::cfg::thread::UNPACK_MISC_CFG_CfgContextCntReset_0;
#[cfg(test)]
use tt_isa::insn::InsnInfo;
use tt_isa::insn::{INSTRUCTIONS, Opcode, RMWCIB0, SETC16};

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
#[cfg(test)]
pub mod testing;
pub mod unpack;
pub(crate) mod wait_gate;

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

/// What an instruction needs the tile for. [`Tensix::step`] ends with the instruction that made a request, so that
/// requests keep their order.
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
    /// Matrix unit.
    pub matrix: matrix::MatrixState,
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
    /// Unpackers.
    pub unpack: unpack::UnpackState,
    /// What instructions ask the tile for, in their order.
    pub requests: Vec<TileRequest>,
    /// Threads and words of the instructions executed, while they are traced.
    pub trace: Option<Vec<(u8, u32)>>,
    pub(crate) frontend: [frontend::Frontend; THREADS],
    /// Instructions executed, by opcode.
    pub(crate) executed: Box<[u64; 256]>,
    /// In the asynchronous mode: instructions of each thread in units, and the conditions of `STALLWAIT`
    /// ([`tt_isa::stall::until`]) that they keep unmet.
    pub(crate) in_flight: [u32; THREADS],
    /// See `in_flight`.
    pub(crate) busy: [u32; THREADS],
}

impl Default for Tensix {
    fn default() -> Self {
        Self {
            cfg: Default::default(),
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
            trace: None,
            frontend: Default::default(),
            executed: Box::new([0; 256]),
            in_flight: [0; THREADS],
            busy: [0; THREADS],
        }
    }
}

impl Tensix {
    /// From now on the memories note what instructions access.
    pub fn enable_trace(&mut self) {
        self.dst.enable_trace();
        self.cfg.enable_trace();
        self.sfpu.hazard_checks = true;
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
        self.frontend[thread].idle() && self.in_flight[thread] == 0
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
        self.executed.iter().sum()
    }

    /// The same, by opcode.
    pub fn executed_by_opcode(&self) -> &[u64; 256] {
        &self.executed
    }

    /// Executes until no thread can go on, or until an instruction has a request for the tile
    /// ([`Tensix::requests`]); whether anything was executed.
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
                    if !self.requests.is_empty() {
                        return Ok(true);
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
            sfpu::settle(self, thread)?;
            return Ok(false);
        };
        let located = |fault: Fault| fault.in_thread(thread as u8, word);
        let opcode = check_word(word).map_err(located)?;
        if !self.passes_gate(thread, opcode).map_err(located)? {
            return Ok(false);
        }
        match self.dispatch(thread, opcode, word, l1).map_err(located)? {
            Step::Stall => Ok(false),
            Step::Done => {
                self.frontend[thread].take();
                self.executed[opcode as usize] += 1;
                if let Some(trace) = &mut self.trace {
                    trace.push((thread as u8, word));
                }
                Ok(true)
            }
        }
    }

    /// Executes an instruction that has passed the gate, if its unit can.
    #[inline]
    pub(crate) fn dispatch(&mut self, thread: usize, opcode: Opcode, word: u32, l1: &mut L1) -> Exec {
        let written =
            if self.sfpu.hazard_checks { sfpu::matrix_writes(self, thread, opcode, word) } else { 0 };
        let step = self.execute(thread, opcode, word, l1)?;
        if step == Step::Done {
            if self.sfpu.hazard_checks {
                self.sfpu.retired(thread, opcode, word, written);
            }
            if !unit_is_vector(opcode) {
                sfpu::pass(self, thread)?;
            }
        }
        Ok(step)
    }

    #[inline]
    fn execute(&mut self, thread: usize, opcode: Opcode, word: u32, l1: &mut L1) -> Exec {
        use Opcode::*;
        match opcode {
            NOP => Ok(Step::Done),
            STALLWAIT | SEMWAIT => self.latch_wait(thread, opcode, word),
            SEMINIT | SEMPOST | SEMGET | ATGETM | ATRELM => self.sync.execute(thread, opcode, word),
            SETC16 => {
                let op = self::SETC16::decode(word);
                self.cfg.set_thread(thread, op.setc16_reg, op.setc16_value as u16)?;
                if op.setc16_reg == UNPACK_MISC_CFG_CfgContextCntReset_0.index {
                    self.unpack.reset_contexts(thread);
                }
                Ok(Step::Done)
            }
            RMWCIB0 | RMWCIB1 | RMWCIB2 | RMWCIB3 => self.rmwcib(thread, opcode, word),
            _ if scalar::executes(opcode) || matches!(opcode, WRCFG | RDCFG) => {
                scalar::execute(self, thread, opcode, word, l1)
            }
            SETADC | SETADCXX | SETADCXY | SETADCZW | INCADCXY | INCADCZW | ADDRCRXY | ADDRCRZW => {
                adc::execute(&mut self.adc, thread, opcode, word)
            }
            UNPACR | UNPACR_NOP => unpack::execute(self, thread, opcode, word, l1),
            XMOV => self.xmov(thread),
            PACR | PACR_SETREG | CLREXPHIST => pack::execute(self, thread, opcode, word, l1),
            _ if unit_is_vector(opcode) => sfpu::execute(self, thread, opcode, word),
            _ => matrix::execute(self, thread, opcode, word),
        }
    }

    /// `XMOV`: the mover works in the background, which is at once here.
    fn xmov(&mut self, thread: usize) -> Exec {
        use tt_isa::cfg::config as c;
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

/// Whether the vector unit executes this opcode.
pub(crate) fn unit_is_vector(opcode: Opcode) -> bool {
    (Opcode::SFPLOAD as u8..=Opcode::SFPLUTFP32 as u8).contains(&(opcode as u8))
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
pub(crate) fn check_word(word: u32) -> Result<Opcode, Fault> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::cfg::{CONFIG_BANK_WORDS, THREAD_CONFIG_WORDS};
    use tt_isa::insn::{NOP, SETDMAREG};

    #[test]
    fn malformed_words_are_faults() {
        assert_eq!(check_word(NOP {}.word()).unwrap(), Opcode::NOP);
        assert!(check_word(NOP {}.word() | 1).unwrap_err().to_string().contains("reserved"));
        assert!(check_word(0xFF00_0000).is_err());
    }

    #[test]
    fn executed_instructions_are_counted_by_opcode() {
        let (mut t, mut l1) = (Tensix::default(), L1::default());
        t.push(1, NOP {}.word(), true);
        t.push(2, SETDMAREG { reg_index_16b: 1, payload_sig_sel: 5, ..SETDMAREG::ZERO }.word(), true);
        assert!(t.step(&mut l1).unwrap());
        assert_eq!(
            (t.executed(), t.executed_by_opcode()[Opcode::NOP as usize], t.gpr[2][0]),
            (2, 1, 5 << 16)
        );
        assert!(t.idle());
    }

    /// Whatever words a program pushes under whatever configuration, it gets results or faults, never a panic.
    #[test]
    fn random_programs_do_not_panic() {
        let mut state = 0x1234_5678_9ABC_DEF1u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 20) as u32
        };
        let opcodes: Vec<&InsnInfo> = INSTRUCTIONS.iter().filter(|row| row.used_by_software).collect();
        let mut l1 = L1::default();
        let mut executed = [0; 256];
        for round in 0..4_000 {
            let mut t = plausible();
            let changes = if round % 3 == 0 { 150 } else { random() % 6 };
            for _ in 0..changes {
                let value = if random() % 2 == 0 { random() } else { random() & random() & random() };
                let _ = t.cfg.write(0, random() % CONFIG_BANK_WORDS, value);
                let _ = t.cfg.set_thread(0, 1 + random() % (THREAD_CONFIG_WORDS - 1), value as u16);
            }
            for _ in 0..300 {
                let row = opcodes[random() as usize % opcodes.len()];
                let mut operands = if random() % 2 == 0 { random() } else { random() & random() & random() };
                if matches!(row.name, "PACR" | "UNPACR") && random() % 4 != 0 {
                    // The flags that everything depends on: executed as a rule.
                    operands = if row.name == "PACR" {
                        operands & 0x01_8003 | 0x100
                    } else {
                        operands & 0xFF_8040 | 0x81
                    };
                }
                let word = u32::from(row.opcode) << 24 | operands & 0xFF_FFFF & !row.reserved_mask();
                t.frontend[0] = Default::default();
                t.push(0, word, random() % 2 == 0);
                let _ = t.step(&mut l1);
            }
            executed.iter_mut().zip(t.executed.iter()).for_each(|(sum, n)| *sum += n);
        }
        let of = |opcode| executed[opcode as usize];
        for opcode in [Opcode::UNPACR, Opcode::PACR, Opcode::MVMUL, Opcode::MOVA2D] {
            assert!(of(opcode) >= 10, "{opcode:?} was executed only {} times", of(opcode));
        }
    }

    /// A coprocessor that is configured to unpack, multiply and pack.
    fn plausible() -> Tensix {
        use tt_isa::cfg::config as c;
        let mut t = Tensix::default();
        let fields = [
            (c::THCON_SEC0_REG0_TileDescriptor, 4 << 16),
            (c::THCON_SEC1_REG0_TileDescriptor, 16 << 16 | 5),
            (c::THCON_SEC0_REG2_Out_data_format, 4),
            (c::THCON_SEC1_REG2_Out_data_format, 5),
            (c::THCON_SEC0_REG2_Disable_zero_compress_cntx0, 1),
            (c::THCON_SEC1_REG2_Disable_zero_compress_cntx0, 1),
            (c::THCON_SEC0_REG5_Dest_cntx0_address, 64),
            (c::THCON_SEC0_REG5_Tile_x_dim_cntx0, 16),
            (c::ALU_FORMAT_SPEC_REG0_SrcA, 4),
            (c::ALU_FORMAT_SPEC_REG1_SrcB, 5),
            (c::ALU_ACC_CTRL_Fp32_enabled, 1),
            (c::PCK_DEST_RD_CTRL_Read_32b_data, 1),
            (c::PACK_COUNTERS_SEC0_pack_reads_per_xy_plane, 16),
            (c::PACK_COUNTERS_SEC1_pack_reads_per_xy_plane, 16),
            (c::PACK_COUNTERS_SEC2_pack_reads_per_xy_plane, 16),
            (c::PACK_COUNTERS_SEC3_pack_reads_per_xy_plane, 16),
            (c::PCK_EDGE_OFFSET_SEC0_mask, 0xFFFF),
        ];
        for (field, value) in fields {
            let old = t.cfg.word(0, field.index);
            t.cfg.write(0, field.index, field.with(old, value)).unwrap();
        }
        t.cfg.set_thread(0, 3, 4).unwrap();
        t
    }
}
