//! A core's registers, and the loop that executes.

use tt_isa::map::LOCAL_RAM_BASE;

use super::alu::{compute, taken};
use super::spin::Spin;
use super::{Access, Bus, CodeCache, Kind, PAGE_BYTES, decode};
use crate::fault::Fault;

const PAGE: &str = "TensixTile/BabyRISCV/README.md";
/// Registers while the loop runs: writes to `x0` go to the slot after `x31`, so `x0` stays zero. As many as the
/// mask of an index needs, so that no access has to be checked.
const SLOTS: usize = 64;

/// Why a core's turn ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// It has executed as many instructions as it may.
    Budget,
    /// The instruction at its pc has to wait ([`Access::Retry`]).
    Blocked,
    /// It repeats itself until something that it loads changes.
    Spinning,
    /// It has put itself into reset.
    Held,
}

/// An instruction that a core has executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retired {
    /// Where it is.
    pub pc: u32,
    /// Code word.
    pub word: u32,
    /// Of loads and stores: the address.
    pub addr: u32,
    /// What its destination register has now; of a store, what was stored.
    pub value: u32,
}

impl Retired {
    /// An instruction, and the registers before and after it.
    pub fn new(pc: u32, word: u32, before: &[u32; 32], after: &[u32; 32]) -> Self {
        let op = decode(word);
        let addr = before[op.rs1 as usize % 32].wrapping_add(op.imm as u32);
        let is_store = matches!(op.kind, Kind::Sb | Kind::Sh | Kind::Sw);
        let value = if is_store { before[op.rs2 as usize % 32] } else { after[op.rd as usize % 32] };
        Self { pc, word, addr, value }
    }
}

/// A core's architectural state, and what is needed to notice that it only polls.
#[derive(Clone, Default)]
pub struct Hart {
    /// Next instruction; after a fault the one that failed.
    pub pc: u32,
    /// Registers; `x[0]` is zero.
    pub x: [u32; 32],
    /// Instructions executed since the simulator started.
    pub executed: u64,
    /// The core's own effects that [`Bus::changes`] does not count.
    effects: u64,
    spin: Spin,
}

/// Why the loop leaves a page of code.
enum Leave {
    /// The next instruction is on another page (or misaligned).
    Page,
    /// It is not decoded.
    Unknown,
    /// Code has been stored to.
    Stored(u32),
    Stop(Stop),
    Fault(Fault),
}

impl Hart {
    /// State after reset.
    pub fn reset(&mut self, pc: u32) {
        *self = Self { pc, executed: self.executed, ..Self::default() };
    }

    /// Executes at most `budget` instructions.
    ///
    /// # Errors
    /// The program does what the core cannot do, or the bus refuses an access. `pc` is at the instruction.
    pub fn run<B: Bus>(&mut self, code: &mut CodeCache, bus: &mut B, budget: u32) -> Result<Stop, Fault> {
        let mut x = self.begin_turn();
        let mut left = budget;
        let result = self.go_on(code, bus, &mut x, &mut left);
        self.x.copy_from_slice(&x[..32]);
        self.executed += u64::from(budget - left);
        result
    }

    /// As [`Self::run`], and shows every instruction that has been executed. The core does the same.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_traced<B: Bus>(
        &mut self,
        code: &mut CodeCache,
        bus: &mut B,
        budget: u32,
        mut show: impl FnMut(&mut B, u64, Retired),
    ) -> Result<Stop, Fault> {
        let mut x = self.begin_turn();
        for _ in 0..budget {
            let (pc, word, before) = (self.pc, bus.fetch(self.pc), self.x);
            let mut left = 1;
            let result = self.go_on(code, bus, &mut x, &mut left);
            self.x.copy_from_slice(&x[..32]);
            if let (0, Ok(word)) = (left, word) {
                show(bus, self.executed, Retired::new(pc, word, &before, &self.x));
                self.executed += 1;
            }
            if result != Ok(Stop::Budget) {
                return result;
            }
        }
        Ok(Stop::Budget)
    }

    fn begin_turn(&mut self) -> [u32; SLOTS] {
        let mut x = [0; SLOTS];
        x[..32].copy_from_slice(&self.x);
        // What it has read before its last turn ended may have changed since: it has to look again.
        self.effects += 1;
        x
    }

    /// Executes until there is a reason to end the turn.
    #[inline(always)]
    fn go_on<B: Bus>(
        &mut self,
        code: &mut CodeCache,
        bus: &mut B,
        x: &mut [u32; SLOTS],
        left: &mut u32,
    ) -> Result<Stop, Fault> {
        loop {
            match self.run_page(code, bus, x, left) {
                // What is there now may be what another unit has written: a core that waits for it and goes there
                // sees it.
                Leave::Page => bus.forget_changed(code),
                Leave::Unknown => {
                    self.decode_at_pc(code, bus)?;
                }
                Leave::Stored(addr) => code.stored(addr),
                Leave::Stop(stop) => return Ok(stop),
                Leave::Fault(fault) => return Err(fault),
            }
        }
    }

    fn decode_at_pc<B: Bus>(&self, code: &mut CodeCache, bus: &B) -> Result<(), Fault> {
        let op = decode(bus.fetch(self.pc)?);
        code.page(bus.code_page(self.pc)?)[(self.pc % PAGE_BYTES / 4) as usize] = op;
        Ok(())
    }

    /// Executes until there is a reason to leave the page of code at `pc`.
    #[inline(always)]
    fn run_page<B: Bus>(
        &mut self,
        code: &CodeCache,
        bus: &mut B,
        x: &mut [u32; SLOTS],
        left: &mut u32,
    ) -> Leave {
        if *left == 0 {
            return Leave::Stop(Stop::Budget);
        }
        if !self.pc.is_multiple_of(4) {
            let what = format!("jump to {:#010x}, which is not a multiple of 4", self.pc);
            return Leave::Fault(Fault::program(what).page(PAGE));
        }
        let number = match bus.code_page(self.pc) {
            Ok(number) => number,
            Err(fault) => return Leave::Fault(fault),
        };
        let Some(page) = code.decoded(number) else { return Leave::Unknown };
        let base = self.pc & !(PAGE_BYTES - 1);
        // Offset of the next instruction from the start of the page, in bytes.
        let mut at = self.pc - base;
        let mut rest = *left;
        let leave = 'page: loop {
            if rest == 0 {
                break Leave::Stop(Stop::Budget);
            }
            // What may be executed without a jump: neither the page's end nor the turn's has to be looked for on the way. An
            // offset that is not a multiple of 4 has its low bits on top now: beyond every page.
            let ahead = match page.get(at.rotate_right(2) as usize..) {
                None | Some([]) => break Leave::Page,
                Some(ops) => &ops[..ops.len().min(rest as usize)],
            };
            let (first, count) = (at, ahead.len() as u32);
            let mut ops = ahead.iter();
            // Offset of the instruction that is being executed.
            macro_rules! here {
                () => {
                    first + 4 * (count - 1 - ops.len() as u32)
                };
            }
            // Leaves the loop behind the instruction that is being executed, or before it.
            macro_rules! leave {
                (behind, $leave:expr) => {{
                    at = here!() + 4;
                    rest -= count - ops.len() as u32;
                    break 'page $leave;
                }};
                (before, $leave:expr) => {{
                    at = here!();
                    rest -= count - 1 - ops.len() as u32;
                    break 'page $leave;
                }};
            }
            // The value of an access; leaves the loop with the fault of a failed one.
            macro_rules! check {
                ($access:expr) => {
                    match $access {
                        Ok(Access::Done(value)) => value,
                        Ok(Access::Volatile(value)) => {
                            self.effects += 1;
                            value
                        }
                        Ok(Access::Retry) => leave!(before, Leave::Stop(Stop::Blocked)),
                        Err(fault) => leave!(before, Leave::Fault(fault)),
                    }
                };
            }
            // Goes to another offset; backward jumps are where a loop may be idle.
            macro_rules! jump {
                ($from:ident, $target:expr) => {{
                    at = $target;
                    rest -= count - ops.len() as u32;
                    if at.wrapping_sub($from) as i32 <= 0
                        && self.spin.backward(base.wrapping_add(at), &x[..32], bus.changes() + self.effects)
                    {
                        break 'page Leave::Stop(Stop::Spinning);
                    }
                    continue 'page;
                }};
            }
            // Goes where a branch goes if it is taken, and else on.
            macro_rules! branch {
                ($on:lifetime, $kind:ident, $a:ident, $b:ident, $imm:ident) => {{
                    if taken(Kind::$kind, $a, $b) {
                        let from = here!();
                        jump!(from, from.wrapping_add($imm));
                    }
                    break $on;
                }};
            }
            // Executes an instruction.
            macro_rules! step {
                () => {
                    'step: {
                        let Some(op) = ops.next() else {
                            at = first + 4 * count;
                            rest -= count;
                            continue 'page;
                        };
                        let (a, b) = (x[op.rs1 as usize % SLOTS], x[op.rs2 as usize % SLOTS]);
                        let imm = op.imm as u32;
                        let value = match op.kind {
                            Kind::Add => compute(Kind::Add, a, b),
                            Kind::Sub => compute(Kind::Sub, a, b),
                            Kind::Sll => compute(Kind::Sll, a, b),
                            Kind::Slt => compute(Kind::Slt, a, b),
                            Kind::Sltu => compute(Kind::Sltu, a, b),
                            Kind::Xor => compute(Kind::Xor, a, b),
                            Kind::Srl => compute(Kind::Srl, a, b),
                            Kind::Sra => compute(Kind::Sra, a, b),
                            Kind::Or => compute(Kind::Or, a, b),
                            Kind::And => compute(Kind::And, a, b),
                            Kind::Addi => compute(Kind::Addi, a, imm),
                            Kind::Slti => compute(Kind::Slti, a, imm),
                            Kind::Sltiu => compute(Kind::Sltiu, a, imm),
                            Kind::Xori => compute(Kind::Xori, a, imm),
                            Kind::Ori => compute(Kind::Ori, a, imm),
                            Kind::Andi => compute(Kind::Andi, a, imm),
                            Kind::Slli => compute(Kind::Slli, a, imm),
                            Kind::Srli => compute(Kind::Srli, a, imm),
                            Kind::Srai => compute(Kind::Srai, a, imm),
                            Kind::Mul => compute(Kind::Mul, a, b),
                            Kind::Mulh => compute(Kind::Mulh, a, b),
                            Kind::Mulhsu => compute(Kind::Mulhsu, a, b),
                            Kind::Mulhu => compute(Kind::Mulhu, a, b),
                            Kind::Div => compute(Kind::Div, a, b),
                            Kind::Divu => compute(Kind::Divu, a, b),
                            Kind::Rem => compute(Kind::Rem, a, b),
                            Kind::Remu => compute(Kind::Remu, a, b),
                            Kind::Lui => imm,
                            Kind::Auipc => base.wrapping_add(here!()).wrapping_add(imm),
                            Kind::Lw => check!(load::<4, B>(bus, a.wrapping_add(imm))),
                            Kind::Lhu => check!(load::<2, B>(bus, a.wrapping_add(imm))),
                            Kind::Lbu => check!(load::<1, B>(bus, a.wrapping_add(imm))),
                            Kind::Lh => check!(load::<2, B>(bus, a.wrapping_add(imm))) as i16 as u32,
                            Kind::Lb => check!(load::<1, B>(bus, a.wrapping_add(imm))) as i8 as u32,
                            Kind::Sw | Kind::Sh | Kind::Sb => {
                                let addr = a.wrapping_add(imm);
                                let stored = match op.kind {
                                    Kind::Sw => store::<4, B>(bus, addr, b),
                                    Kind::Sh => store::<2, B>(bus, addr, b),
                                    _ => store::<1, B>(bus, addr, b),
                                };
                                match check!(stored) {
                                    Place::L1 if code.holds(addr) => leave!(behind, Leave::Stored(addr)),
                                    Place::L1 => {}
                                    Place::Local => self.effects += 1,
                                    Place::Register => {
                                        self.effects += 1;
                                        if bus.held() {
                                            leave!(behind, Leave::Stop(Stop::Held));
                                        }
                                    }
                                }
                                break 'step;
                            }
                            Kind::Beq => branch!('step, Beq, a, b, imm),
                            Kind::Bne => branch!('step, Bne, a, b, imm),
                            Kind::Blt => branch!('step, Blt, a, b, imm),
                            Kind::Bge => branch!('step, Bge, a, b, imm),
                            Kind::Bltu => branch!('step, Bltu, a, b, imm),
                            Kind::Bgeu => branch!('step, Bgeu, a, b, imm),
                            Kind::Fence => break 'step,
                            Kind::Jal => {
                                let from = here!();
                                x[op.rd as usize % SLOTS] = base.wrapping_add(from + 4);
                                jump!(from, from.wrapping_add(imm))
                            }
                            Kind::Jalr => {
                                let from = here!();
                                x[op.rd as usize % SLOTS] = base.wrapping_add(from + 4);
                                jump!(from, (a.wrapping_add(imm) & !1).wrapping_sub(base))
                            }
                            Kind::TtInsn => {
                                check!(bus.push(imm));
                                self.effects += 1;
                                break 'step;
                            }
                            Kind::Unknown => leave!(before, Leave::Unknown),
                            Kind::Illegal | Kind::Ecall | Kind::Ebreak => {
                                let fault = refused(op.kind, bus.fetch(base.wrapping_add(here!())));
                                leave!(before, Leave::Fault(fault))
                            }
                        };
                        x[op.rd as usize % SLOTS] = value;
                    }
                };
            }
            // Several copies: what the host's processor learns of one, where it leads and whose results it takes, does not hold for
            // the next one.
            loop {
                step!();
                step!();
                step!();
                step!();
            }
        };
        self.pc = base.wrapping_add(at);
        *left = rest;
        leave
    }
}

/// Where a store went.
enum Place {
    L1,
    Local,
    Register,
}

#[inline(always)]
fn load<const N: usize, B: Bus>(bus: &mut B, addr: u32) -> Result<Access<u32>, Fault> {
    if addr.is_multiple_of(N as u32) {
        if let Some(value) = get::<N>(bus.l1(), addr) {
            return Ok(Access::Done(value));
        }
        if let Some(value) = get::<N>(bus.local(), addr.wrapping_sub(LOCAL_RAM_BASE)) {
            return Ok(Access::Done(value));
        }
    }
    load_register(bus, addr, N as u32)
}

#[cold]
fn load_register<B: Bus>(bus: &mut B, addr: u32, size: u32) -> Result<Access<u32>, Fault> {
    aligned("load", addr, size)?;
    bus.load(addr, size)
}

#[inline(always)]
fn store<const N: usize, B: Bus>(bus: &mut B, addr: u32, value: u32) -> Result<Access<Place>, Fault> {
    if addr.is_multiple_of(N as u32) {
        if put::<N>(bus.l1(), addr, value) {
            bus.changed();
            return Ok(Access::Done(Place::L1));
        }
        if put::<N>(bus.local(), addr.wrapping_sub(LOCAL_RAM_BASE), value) {
            return Ok(Access::Done(Place::Local));
        }
    }
    store_register(bus, addr, N as u32, value)
}

#[cold]
fn store_register<B: Bus>(bus: &mut B, addr: u32, size: u32, value: u32) -> Result<Access<Place>, Fault> {
    aligned("store", addr, size)?;
    Ok(match bus.store(addr, size, value)? {
        Access::Done(()) | Access::Volatile(()) => Access::Done(Place::Register),
        Access::Retry => Access::Retry,
    })
}

/// Silicon rounds such addresses down; no program may want that.
fn aligned(what: &str, addr: u32, size: u32) -> Result<(), Fault> {
    if addr.is_multiple_of(size) {
        return Ok(());
    }
    Err(Fault::program(format!("misaligned {what} of {size} bytes at {addr:#010x}")).page(PAGE))
}

#[cold]
fn refused(kind: Kind, word: Result<u32, Fault>) -> Fault {
    let what = match (kind, word) {
        (Kind::Ecall | Kind::Ebreak, _) => format!("{kind:?} pauses the core for ever"),
        (_, Ok(word)) => format!("code word {word:#010x} is no RV32IM instruction"),
        (_, Err(fault)) => return fault,
    };
    Fault::program(what).page(PAGE)
}

#[inline(always)]
fn get<const N: usize>(bytes: &[u8], at: u32) -> Option<u32> {
    let bytes: &[u8; N] = bytes.get(at as usize..at as usize + N)?.try_into().ok()?;
    let mut word = [0; 4];
    word[..N].copy_from_slice(bytes);
    Some(u32::from_le_bytes(word))
}

#[inline(always)]
fn put<const N: usize>(bytes: &mut [u8], at: u32, value: u32) -> bool {
    match bytes.get_mut(at as usize..at as usize + N) {
        Some(bytes) => {
            bytes.copy_from_slice(&value.to_le_bytes()[..N]);
            true
        }
        None => false,
    }
}
