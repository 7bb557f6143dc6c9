//! The loop that executes the decoded code of one page.
//!
//! Most of the simulator's time is spent here. A core's instructions come as decoded words ([`Op`]) of a page of code;
//! [`Core::run`] goes over them in stretches that nothing but a jump can end, since page end and turn end are looked for only
//! once for each, and [`Core::execute`] is the table of what an instruction does: one line a kind, with the kind as a
//! constant, so that what it calls is what the kind needs and no second choice is made at run time. All of it is inlined into
//! [`Hart::run_page`], so that everything that an instruction needs stays in the host's registers.
//!
//! The loop leaves the page with a [`Leave`], which says why; the turn ([`Hart::run`]) goes on from there.

use std::slice;

use tt_isa::map::LOCAL_RAM_BASE;

use super::alu::{compute, taken};
use super::code::Page;
use super::hart::{PAGE, SLOTS};
use super::{Access, Bus, CodeCache, Hart, Kind, Op, PAGE_BYTES, Stop};
use crate::fault::Fault;

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

/// What comes after an instruction. Small, so that the host keeps it in registers: reasons to leave are in [`Core::why`].
enum After {
    /// The one behind it.
    Next,
    /// The one at this offset from the start of the page.
    Jump(u32),
    /// It is done, and there is a reason to leave the page.
    Leave,
    /// There is a reason to leave the page before it.
    Refuse,
}

/// Instructions of a page that are executed one after the other, up to a jump, and how far that has come.
struct Stretch<'a> {
    left: slice::Iter<'a, Op>,
    /// Offset of the first one from the start of the page.
    first: u32,
    count: u32,
}

impl<'a> Stretch<'a> {
    /// From an offset to the end of the page, at most `most` instructions; `None` if the offset is not on the page.
    #[inline(always)]
    fn new(page: &'a Page, at: u32, most: u32) -> Option<Self> {
        // An offset that is not a multiple of 4 has its low bits on top now: beyond every page.
        match page.get(at.rotate_right(2) as usize..) {
            None | Some([]) => None,
            Some(ops) => {
                let ops = &ops[..ops.len().min(most as usize)];
                Some(Self { left: ops.iter(), first: at, count: ops.len() as u32 })
            }
        }
    }

    /// How many have been begun.
    #[inline(always)]
    fn begun(&self) -> u32 {
        self.count - self.left.len() as u32
    }

    /// Offset of the one that was begun last.
    #[inline(always)]
    fn here(&self) -> u32 {
        self.first + 4 * (self.begun() - 1)
    }
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
        let (mut at, mut rest) = (self.pc - base, *left);
        let leave = Core { hart: self, code, bus, x, base, why: Leave::Page }.run(page, &mut at, &mut rest);
        self.pc = base.wrapping_add(at);
        *left = rest;
        leave
    }
}

/// A core on a page of code.
struct Core<'a, B> {
    hart: &'a mut Hart,
    code: &'a CodeCache,
    bus: &'a mut B,
    x: &'a mut [u32; SLOTS],
    /// Address of the page.
    base: u32,
    /// The reason of [`After::Leave`] and [`After::Refuse`].
    why: Leave,
}

impl<B: Bus> Core<'_, B> {
    /// Executes from offset `at` on, at most `rest` instructions; both say afterwards how far it has come.
    #[inline(always)]
    fn run(mut self, page: &Page, at: &mut u32, rest: &mut u32) -> Leave {
        while *rest != 0 {
            let Some(mut stretch) = Stretch::new(page, *at, *rest) else { return Leave::Page };
            let after = self.run_stretch(&mut stretch);
            *rest -= stretch.begun();
            match after {
                After::Next => *at = stretch.first + 4 * stretch.count,
                After::Jump(to) => {
                    *at = to;
                    // Backward jumps are where a loop may be idle.
                    if to.wrapping_sub(stretch.here()) as i32 <= 0 && self.spins(to) {
                        return Leave::Stop(Stop::Spinning);
                    }
                }
                After::Leave => {
                    *at = stretch.here() + 4;
                    return self.why;
                }
                After::Refuse => {
                    *at = stretch.here();
                    *rest += 1;
                    return self.why;
                }
            }
        }
        Leave::Stop(Stop::Budget)
    }

    /// Executes up to the first instruction that another one than the next follows, or to the end.
    #[inline(always)]
    fn run_stretch(&mut self, stretch: &mut Stretch) -> After {
        macro_rules! step {
            () => {{
                let Some(op) = stretch.left.next() else { return After::Next };
                match self.execute(op, stretch) {
                    After::Next => {}
                    other => return other,
                }
            }};
        }
        // Several copies: what the host's processor learns of one, where it leads and whose results it takes, does not hold for
        // the next one.
        loop {
            step!();
            step!();
            step!();
            step!();
        }
    }

    /// Executes one instruction: what each kind does.
    #[inline(always)]
    fn execute(&mut self, op: &Op, stretch: &Stretch) -> After {
        use Kind::*;
        let (a, b) = (self.x[op.rs1 as usize % SLOTS], self.x[op.rs2 as usize % SLOTS]);
        if B::PACED && !self.bus.may_execute(self.base.wrapping_add(stretch.here()), op, [a, b]) {
            return self.refuse(Leave::Stop(Stop::Budget));
        }
        let imm = op.imm as u32;
        let at = a.wrapping_add(imm);
        match op.kind {
            Lui => self.put(op, imm),
            Auipc => self.put(op, self.base.wrapping_add(stretch.here()).wrapping_add(imm)),
            Addi => self.put(op, compute(Addi, a, imm)),
            Slti => self.put(op, compute(Slti, a, imm)),
            Sltiu => self.put(op, compute(Sltiu, a, imm)),
            Xori => self.put(op, compute(Xori, a, imm)),
            Ori => self.put(op, compute(Ori, a, imm)),
            Andi => self.put(op, compute(Andi, a, imm)),
            Slli => self.put(op, compute(Slli, a, imm)),
            Srli => self.put(op, compute(Srli, a, imm)),
            Srai => self.put(op, compute(Srai, a, imm)),
            Add => self.put(op, compute(Add, a, b)),
            Sub => self.put(op, compute(Sub, a, b)),
            Sll => self.put(op, compute(Sll, a, b)),
            Slt => self.put(op, compute(Slt, a, b)),
            Sltu => self.put(op, compute(Sltu, a, b)),
            Xor => self.put(op, compute(Xor, a, b)),
            Srl => self.put(op, compute(Srl, a, b)),
            Sra => self.put(op, compute(Sra, a, b)),
            Or => self.put(op, compute(Or, a, b)),
            And => self.put(op, compute(And, a, b)),
            Mul => self.put(op, compute(Mul, a, b)),
            Mulh => self.put(op, compute(Mulh, a, b)),
            Mulhsu => self.put(op, compute(Mulhsu, a, b)),
            Mulhu => self.put(op, compute(Mulhu, a, b)),
            Div => self.put(op, compute(Div, a, b)),
            Divu => self.put(op, compute(Divu, a, b)),
            Rem => self.put(op, compute(Rem, a, b)),
            Remu => self.put(op, compute(Remu, a, b)),
            Lw => self.load::<4>(op, at, |word| word),
            Lhu => self.load::<2>(op, at, |half| half),
            Lbu => self.load::<1>(op, at, |byte| byte),
            Lh => self.load::<2>(op, at, |half| half as i16 as u32),
            Lb => self.load::<1>(op, at, |byte| byte as i8 as u32),
            Sw => self.store::<4>(at, b),
            Sh => self.store::<2>(at, b),
            Sb => self.store::<1>(at, b),
            Beq => branch(taken(Beq, a, b), imm, stretch),
            Bne => branch(taken(Bne, a, b), imm, stretch),
            Blt => branch(taken(Blt, a, b), imm, stretch),
            Bge => branch(taken(Bge, a, b), imm, stretch),
            Bltu => branch(taken(Bltu, a, b), imm, stretch),
            Bgeu => branch(taken(Bgeu, a, b), imm, stretch),
            Jal => self.jump(op, stretch.here().wrapping_add(imm), stretch),
            Jalr => self.jump(op, (at & !1).wrapping_sub(self.base), stretch),
            Fence => After::Next,
            TtInsn => self.push(imm),
            Unknown => self.refuse(Leave::Unknown),
            Illegal | Ecall | Ebreak => {
                let pc = self.base.wrapping_add(stretch.here());
                self.refuse(Leave::Fault(refused(op.kind, self.bus.fetch(pc))))
            }
        }
    }

    /// Sets the destination register.
    #[inline(always)]
    fn put(&mut self, op: &Op, value: u32) -> After {
        self.x[op.rd as usize % SLOTS] = value;
        After::Next
    }

    #[inline(always)]
    fn load<const N: usize>(&mut self, op: &Op, addr: u32, extend: impl Fn(u32) -> u32) -> After {
        if let Some(value) = load_memory::<N, B>(self.bus, addr) {
            return self.put(op, extend(value));
        }
        let access = load_register(self.bus, addr, N as u32);
        match self.done(access) {
            Some(value) => self.put(op, extend(value)),
            None => After::Refuse,
        }
    }

    #[inline(always)]
    fn store<const N: usize>(&mut self, addr: u32, value: u32) -> After {
        if addr.is_multiple_of(N as u32) {
            if put::<N>(self.bus.l1(), addr, value) {
                self.bus.changed();
                return match self.code.holds(addr) {
                    true => self.leave(Leave::Stored(addr)),
                    false => After::Next,
                };
            }
            if put::<N>(self.bus.local(), addr.wrapping_sub(LOCAL_RAM_BASE), value) {
                self.hart.effects += 1;
                return After::Next;
            }
        }
        let access = store_register(self.bus, addr, N as u32, value);
        match self.done(access) {
            None => After::Refuse,
            Some(()) => {
                self.hart.effects += 1;
                match self.bus.held() {
                    true => self.leave(Leave::Stop(Stop::Held)),
                    false => After::Next,
                }
            }
        }
    }

    /// Pushes an in-line Tensix instruction.
    #[inline(always)]
    fn push(&mut self, word: u32) -> After {
        let access = self.bus.push(word);
        match self.done(access) {
            Some(()) => {
                self.hart.effects += 1;
                After::Next
            }
            None => After::Refuse,
        }
    }

    /// The value of an access; without one the instruction is refused.
    #[inline(always)]
    fn done<T>(&mut self, access: Result<Access<T>, Fault>) -> Option<T> {
        match access {
            Ok(Access::Done(value)) => Some(value),
            Ok(Access::Volatile(value)) => {
                self.hart.effects += 1;
                Some(value)
            }
            Ok(Access::Retry) => {
                self.why = Leave::Stop(Stop::Blocked);
                None
            }
            Err(fault) => {
                self.why = Leave::Fault(fault);
                None
            }
        }
    }

    /// The page is left behind the instruction.
    #[inline(always)]
    fn leave(&mut self, why: Leave) -> After {
        self.why = why;
        After::Leave
    }

    /// The page is left before the instruction.
    #[inline(always)]
    fn refuse(&mut self, why: Leave) -> After {
        self.why = why;
        After::Refuse
    }

    /// Jumps to an offset from the start of the page; the destination register says where it came from.
    #[inline(always)]
    fn jump(&mut self, op: &Op, to: u32, stretch: &Stretch) -> After {
        self.put(op, self.base.wrapping_add(stretch.here() + 4));
        After::Jump(to)
    }

    /// Whether a core that jumps backward does nothing else any more.
    #[inline(always)]
    fn spins(&mut self, to: u32) -> bool {
        let changes = self.bus.changes() + self.hart.effects;
        self.hart.spin.backward(self.base.wrapping_add(to), &self.x[..32], changes)
    }
}

#[inline(always)]
fn branch(taken: bool, by: u32, stretch: &Stretch) -> After {
    if taken { After::Jump(stretch.here().wrapping_add(by)) } else { After::Next }
}

/// A load from L1 or the core's local RAM, as nearly all are.
#[inline(always)]
fn load_memory<const N: usize, B: Bus>(bus: &mut B, addr: u32) -> Option<u32> {
    if !addr.is_multiple_of(N as u32) {
        return None;
    }
    get::<N>(bus.l1(), addr).or_else(|| get::<N>(bus.local(), addr.wrapping_sub(LOCAL_RAM_BASE)))
}

#[cold]
fn load_register<B: Bus>(bus: &mut B, addr: u32, size: u32) -> Result<Access<u32>, Fault> {
    aligned("load", addr, size)?;
    bus.load(addr, size)
}

#[cold]
fn store_register<B: Bus>(bus: &mut B, addr: u32, size: u32, value: u32) -> Result<Access<()>, Fault> {
    aligned("store", addr, size)?;
    bus.store(addr, size, value)
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
