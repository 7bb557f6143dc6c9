//! The loop that executes the decoded code of one page.
//!
//! Most of the simulator's time is spent here, so it is one function: everything that an instruction needs stays in
//! the host's registers. It leaves the page with a [`Leave`], which says why; the turn ([`Hart::run`]) goes on from
//! there.

use tt_isa::map::LOCAL_RAM_BASE;

use super::alu::{compute, taken};
use super::code::Page;
use super::hart::{PAGE, SLOTS};
use super::{Access, Bus, CodeCache, Hart, Kind, PAGE_BYTES, Stop};
use crate::fault::Fault;

/// A match of what an instruction does: the arithmetic, then the arms of everything else.
macro_rules! with_arithmetic {
    ($kind:expr, $a:ident, $b:ident, $imm:ident, { $($rest:tt)* }) => {
        with_arithmetic!(
            @arms $kind, $a, $b, $imm,
            [Add Sub Sll Slt Sltu Xor Srl Sra Or And Mul Mulh Mulhsu Mulhu Div Divu Rem Remu]
            [Addi Slti Sltiu Xori Ori Andi Slli Srli Srai]
            { $($rest)* }
        )
    };
    (@arms $kind:expr, $a:ident, $b:ident, $imm:ident, [$($two:ident)*] [$($one:ident)*] { $($rest:tt)* }) => {
        match $kind {
            $( Kind::$two => compute(Kind::$two, $a, $b), )*
            $( Kind::$one => compute(Kind::$one, $a, $imm), )*
            $($rest)*
        }
    };
}

/// Why the loop leaves a page of code.
pub(super) enum Leave {
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
    /// The page of code at `pc`.
    #[inline(always)]
    fn page<'a, B: Bus>(&self, code: &'a CodeCache, bus: &B) -> Result<&'a Page, Leave> {
        if !self.pc.is_multiple_of(4) {
            let what = format!("jump to {:#010x}, which is not a multiple of 4", self.pc);
            return Err(Leave::Fault(Fault::program(what).page(PAGE)));
        }
        let number = bus.code_page(self.pc).map_err(Leave::Fault)?;
        code.decoded(number).ok_or(Leave::Unknown)
    }

    /// Executes until there is a reason to leave the page of code at `pc`.
    #[inline(always)]
    pub(super) fn run_page<B: Bus>(
        &mut self,
        code: &CodeCache,
        bus: &mut B,
        x: &mut [u32; SLOTS],
        left: &mut u32,
    ) -> Leave {
        if *left == 0 {
            return Leave::Stop(Stop::Budget);
        }
        let page = match self.page(code, bus) {
            Ok(page) => page,
            Err(leave) => return leave,
        };
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
                        if B::PACED && !bus.may_execute(base.wrapping_add(here!()), op, [a, b]) {
                            leave!(before, Leave::Stop(Stop::Budget));
                        }
                        let value = with_arithmetic!(op.kind, a, b, imm, {
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
                        });
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
