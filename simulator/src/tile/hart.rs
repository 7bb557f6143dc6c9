//! Runs a core: fetch, execute, load and store.

use tt_isa::map::{self, RiscV};

use super::mmio::Access;
use super::{Activity, Tile};
use crate::fault::Fault;
use crate::rv32::{Kind, Op, decode};

const PAGE: &str = "TensixTile/BabyRISCV/README.md";

/// How a core's turn ended.
enum End {
    Budget,
    /// Polls, or waits for the coprocessor: sleeps until something changes.
    Sleep,
}

impl Tile {
    /// Runs core `i` for at most `budget` instructions; how many it executed.
    pub(super) fn run_hart(&mut self, i: usize, budget: u32) -> Result<u32, Fault> {
        let core = RiscV::ALL[i];
        let mut executed = 0;
        // The core works on its own copy; the tile's is for others to look at.
        let mut hart = std::mem::take(&mut self.harts[i]);
        // What it has read before its last turn ended may have changed since: it has to look again.
        hart.spin.disturb();
        let changes = self.changes;
        let result = self.execute(core, &mut hart.pc, &mut hart.x, &mut hart.spin, budget, &mut executed);
        hart.executed += u64::from(executed);
        let pc = hart.pc;
        self.harts[i] = hart;
        let end = result.map_err(|fault| fault.on_core(core, pc))?;
        let asleep = matches!(end, End::Sleep);
        if self.activity[i] == Activity::Awake && asleep {
            // What the core itself changed does not wake it; what others change from now on does.
            self.activity[i] = Activity::Asleep(self.changes);
        }
        debug_assert!(self.changes >= changes);
        Ok(executed)
    }

    fn execute(
        &mut self,
        core: RiscV,
        pc: &mut u32,
        x: &mut [u32; 32],
        spin: &mut crate::rv32::Spin,
        budget: u32,
        executed: &mut u32,
    ) -> Result<End, Fault> {
        while *executed < budget {
            let op = self.fetch(core, *pc)?;
            let (a, b) = (x[op.rs1 as usize & 31], x[op.rs2 as usize & 31]);
            let mut next = pc.wrapping_add(4);
            let value = match op.kind {
                Kind::Addi => a.wrapping_add(op.imm as u32),
                Kind::Slti => ((a as i32) < op.imm) as u32,
                Kind::Sltiu => (a < op.imm as u32) as u32,
                Kind::Xori => a ^ op.imm as u32,
                Kind::Ori => a | op.imm as u32,
                Kind::Andi => a & op.imm as u32,
                Kind::Slli => a << op.imm,
                Kind::Srli => a >> op.imm,
                Kind::Srai => ((a as i32) >> op.imm) as u32,
                Kind::Lui => op.imm as u32,
                Kind::Auipc => pc.wrapping_add(op.imm as u32),
                Kind::Lw | Kind::Lb | Kind::Lh | Kind::Lbu | Kind::Lhu => {
                    match self.load(core, op.kind, a.wrapping_add(op.imm as u32))? {
                        Access::Done(value) => value,
                        Access::Volatile(value) => {
                            spin.disturb();
                            value
                        }
                        Access::Retry => return Ok(End::Sleep),
                    }
                }
                Kind::Sw | Kind::Sb | Kind::Sh => {
                    spin.disturb();
                    if let Access::Retry = self.store(core, op.kind, a.wrapping_add(op.imm as u32), b)? {
                        return Ok(End::Sleep);
                    }
                    *executed += 1;
                    *pc = next;
                    if self.activity[core as usize] == Activity::Reset {
                        return Ok(End::Budget);
                    }
                    continue;
                }
                Kind::Jal | Kind::Jalr => {
                    let link = next;
                    next = match op.kind {
                        Kind::Jal => pc.wrapping_add(op.imm as u32),
                        _ => a.wrapping_add(op.imm as u32) & !1,
                    };
                    link
                }
                Kind::Beq | Kind::Bne | Kind::Blt | Kind::Bge | Kind::Bltu | Kind::Bgeu => {
                    if taken(op.kind, a, b) {
                        let from = *pc;
                        *pc = pc.wrapping_add(op.imm as u32);
                        *executed += 1;
                        if *pc <= from && spin.backward(*pc, x) {
                            return Ok(End::Sleep);
                        }
                        continue;
                    }
                    *executed += 1;
                    *pc = next;
                    continue;
                }
                Kind::TtInsn => {
                    spin.disturb();
                    if !self.push_inline(core, op.imm as u32)? {
                        return Ok(End::Sleep);
                    }
                    *executed += 1;
                    *pc = next;
                    continue;
                }
                Kind::Fence => {
                    *executed += 1;
                    *pc = next;
                    continue;
                }
                Kind::Unknown | Kind::Illegal | Kind::Ecall | Kind::Ebreak => {
                    return Err(self.illegal(op.kind, *pc));
                }
                _ => alu(op.kind, a, b),
            };
            x[op.rd as usize & 31] = value;
            x[0] = 0;
            *executed += 1;
            let from = std::mem::replace(pc, next);
            if *pc <= from && spin.backward(*pc, x) {
                return Ok(End::Sleep);
            }
        }
        Ok(End::Budget)
    }

    #[inline(always)]
    fn fetch(&mut self, core: RiscV, pc: u32) -> Result<Op, Fault> {
        let op = self.code.get(pc);
        if op.kind != Kind::Unknown && pc & 3 == 0 { Ok(op) } else { self.fetch_slow(core, pc) }
    }

    #[cold]
    fn fetch_slow(&mut self, core: RiscV, pc: u32) -> Result<Op, Fault> {
        if pc & 3 != 0 {
            return Err(Fault::program(format!("jump to the odd address {pc:#010x}")).page(PAGE));
        }
        if core == RiscV::Ncrisc && (map::IRAM_BASE..map::IRAM_BASE + map::IRAM_SIZE).contains(&pc) {
            let at = (pc - map::IRAM_BASE) as usize;
            return Ok(decode(word(&self.iram[at..at + 4])));
        }
        let Some(bytes) = self.l1.get(pc, 4) else {
            return Err(Fault::program(format!("no code at {pc:#010x}")).page(PAGE));
        };
        let op = decode(word(bytes));
        self.code.insert(pc, op);
        Ok(op)
    }

    fn illegal(&self, kind: Kind, pc: u32) -> Fault {
        let code = self.l1.get(pc, 4).map_or(0, word);
        match kind {
            Kind::Ecall | Kind::Ebreak => Fault::program(format!("{kind:?} pauses the core for ever")),
            _ => Fault::program(format!("code word {code:#010x} is no RV32IM instruction")),
        }
        .page(PAGE)
    }

    #[inline(always)]
    fn load(&mut self, core: RiscV, kind: Kind, addr: u32) -> Result<Access<u32>, Fault> {
        let (size, extend): (usize, fn(u32) -> u32) = match kind {
            Kind::Lw => (4, |x| x),
            Kind::Lh => (2, |x| x as i16 as u32),
            Kind::Lhu => (2, |x| x),
            Kind::Lb => (1, |x| x as i8 as u32),
            _ => (1, |x| x),
        };
        if addr as usize & (size - 1) != 0 {
            return Err(misaligned("load", size, addr));
        }
        if let Some(bytes) = self.l1.get(addr, size) {
            return Ok(Access::Done(extend(part(bytes))));
        }
        let local = &self.local[core as usize];
        let at = addr.wrapping_sub(map::LOCAL_RAM_BASE) as usize;
        if at < local.len() {
            return Ok(Access::Done(extend(part(&local[at..at + size]))));
        }
        Ok(match self.register_load(core, addr & !3)? {
            Access::Done(word) => Access::Done(extend(lane(word, addr, size))),
            Access::Volatile(word) => Access::Volatile(extend(lane(word, addr, size))),
            Access::Retry => Access::Retry,
        })
    }

    #[inline(always)]
    fn store(&mut self, core: RiscV, kind: Kind, addr: u32, value: u32) -> Result<Access<()>, Fault> {
        let size = match kind {
            Kind::Sw => 4,
            Kind::Sh => 2,
            _ => 1,
        };
        if addr as usize & (size - 1) != 0 {
            return Err(misaligned("store", size, addr));
        }
        if let Some(bytes) = self.l1.get_mut(addr, size) {
            bytes.copy_from_slice(&value.to_le_bytes()[..size]);
            self.code.stored(addr);
            self.changes += 1;
            return Ok(Access::Done(()));
        }
        let local = &mut self.local[core as usize];
        let at = addr.wrapping_sub(map::LOCAL_RAM_BASE) as usize;
        if at < local.len() {
            local[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
            return Ok(Access::Done(()));
        }
        if size != 4 {
            let what = format!("store of {size} bytes to the register {addr:#010x}");
            return Err(Fault::program(what).page(PAGE));
        }
        self.register_store(core, addr, value)
    }

    /// Pushes an in-line instruction to the core's own thread; `false` if the FIFO is full.
    fn push_inline(&mut self, core: RiscV, word: u32) -> Result<bool, Fault> {
        let Some(thread) = core.tensix_thread() else {
            return Err(Fault::program(format!("{} has no Tensix thread to push to", core.name()))
                .page("TensixTile/BabyRISCV/PushTensixInstruction.md"));
        };
        let thread = thread as usize;
        if !self.tensix.can_push(thread) {
            // The coprocessor runs beside the core: let it make room before the core gives up its turn.
            self.step_tensix()?;
            if !self.tensix.can_push(thread) {
                return Ok(false);
            }
        }
        self.tensix.push(thread, word, false);
        Ok(true)
    }
}

fn taken(kind: Kind, a: u32, b: u32) -> bool {
    match kind {
        Kind::Beq => a == b,
        Kind::Bne => a != b,
        Kind::Blt => (a as i32) < b as i32,
        Kind::Bge => a as i32 >= b as i32,
        Kind::Bltu => a < b,
        _ => a >= b,
    }
}

fn alu(kind: Kind, a: u32, b: u32) -> u32 {
    let (sa, sb) = (a as i32, b as i32);
    match kind {
        Kind::Add => a.wrapping_add(b),
        Kind::Sub => a.wrapping_sub(b),
        Kind::Sll => a << (b & 31),
        Kind::Slt => (sa < sb) as u32,
        Kind::Sltu => (a < b) as u32,
        Kind::Xor => a ^ b,
        Kind::Srl => a >> (b & 31),
        Kind::Sra => (sa >> (b & 31)) as u32,
        Kind::Or => a | b,
        Kind::And => a & b,
        Kind::Mul => a.wrapping_mul(b),
        Kind::Mulh => ((i64::from(sa) * i64::from(sb)) >> 32) as u32,
        Kind::Mulhsu => ((i64::from(sa) * i64::from(b)) >> 32) as u32,
        Kind::Mulhu => ((u64::from(a) * u64::from(b)) >> 32) as u32,
        Kind::Div if b == 0 => u32::MAX,
        Kind::Div => sa.wrapping_div(sb) as u32,
        Kind::Divu if b == 0 => u32::MAX,
        Kind::Divu => a / b,
        Kind::Rem if b == 0 => a,
        Kind::Rem => sa.wrapping_rem(sb) as u32,
        Kind::Remu if b == 0 => a,
        _ => a % b,
    }
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[inline(always)]
fn part(bytes: &[u8]) -> u32 {
    match bytes {
        [a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
        [a, b] => u32::from(u16::from_le_bytes([*a, *b])),
        _ => u32::from(bytes[0]),
    }
}

/// The bytes of a register that a narrow load asks for.
fn lane(word: u32, addr: u32, size: usize) -> u32 {
    let shifted = word >> (8 * (addr & 3));
    if size == 4 { shifted } else { shifted & ((1 << (8 * size)) - 1) }
}

fn misaligned(what: &str, size: usize, addr: u32) -> Fault {
    Fault::program(format!("{what} of {size} bytes at {addr:#010x}")).page(PAGE)
}
