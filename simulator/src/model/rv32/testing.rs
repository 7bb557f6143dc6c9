//! A core on a bus made for tests.

use tt_isa::map::LOCAL_RAM_BASE;

use super::{Access, Bus, CodeCache, Hart, PAGE_BYTES, Stop};
use crate::fault::Fault;

#[path = "../../../tests/support/asm.rs"]
pub mod asm;

/// Bytes of L1.
pub const L1_BYTES: u32 = 4 * PAGE_BYTES;
/// Bytes of local RAM.
pub const LOCAL_BYTES: u32 = 2048;
/// Registers: all that has [`REGISTERS`]' upper half.
pub const REGISTERS: u32 = 0xFFB2_0000;
/// Reads as [`PATTERN`]; stores are logged, as everywhere.
pub const PLAIN: u32 = REGISTERS;
/// Another value every time.
pub const CLOCK: u32 = REGISTERS + 4;
/// Loads and stores have to wait while [`TestBus::busy`].
pub const WAIT: u32 = REGISTERS + 8;
/// A store puts the core into reset.
pub const HOLD: u32 = REGISTERS + 12;
/// What [`PLAIN`] and [`WAIT`] read as.
pub const PATTERN: u32 = 0x8899_AA7B;

/// The bus.
pub struct TestBus {
    pub l1: Vec<u8>,
    pub local: Vec<u8>,
    pub changes: u64,
    /// Stores to registers: address, size, value.
    pub stores: Vec<(u32, u32, u32)>,
    /// Tensix instructions.
    pub pushed: Vec<u32>,
    pub busy: bool,
    clock: u32,
    held: bool,
}

impl Bus for TestBus {
    fn l1(&mut self) -> &mut [u8] {
        &mut self.l1
    }

    fn local(&mut self) -> &mut [u8] {
        &mut self.local
    }

    fn code_page(&self, pc: u32) -> Result<usize, Fault> {
        if pc < L1_BYTES { Ok((pc / PAGE_BYTES) as usize) } else { Err(Fault::program("no code")) }
    }

    fn fetch(&self, pc: u32) -> Result<u32, Fault> {
        let bytes = self.l1.get(pc as usize..pc as usize + 4).ok_or_else(|| Fault::program("no code"))?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
    }

    fn load(&mut self, addr: u32, size: u32) -> Result<Access<u32>, Fault> {
        assert_eq!(addr % size, 0, "the core refuses misaligned accesses");
        let lane = |word: u32| (u64::from(word >> (8 * (addr & 3))) & ((1 << (8 * size)) - 1)) as u32;
        self.clock += 1;
        match addr & !3 {
            PLAIN => Ok(Access::Done(lane(PATTERN))),
            CLOCK => Ok(Access::Volatile(lane(self.clock))),
            WAIT if self.busy => Ok(Access::Retry),
            WAIT => Ok(Access::Done(lane(PATTERN))),
            _ => Err(Fault::program(format!("nothing at {addr:#x}"))),
        }
    }

    fn store(&mut self, addr: u32, size: u32, value: u32) -> Result<Access<()>, Fault> {
        assert_eq!(addr % size, 0, "the core refuses misaligned accesses");
        match addr & !3 {
            WAIT if self.busy => return Ok(Access::Retry),
            HOLD => self.held = true,
            PLAIN | WAIT => {}
            _ => return Err(Fault::program(format!("nothing at {addr:#x}"))),
        }
        self.stores.push((addr, size, value));
        Ok(Access::Done(()))
    }

    fn push(&mut self, word: u32) -> Result<Access<()>, Fault> {
        if self.busy {
            return Ok(Access::Retry);
        }
        self.pushed.push(word);
        Ok(Access::Done(()))
    }

    fn changed(&mut self) {
        self.changes += 1;
    }

    fn changes(&self) -> u64 {
        self.changes
    }

    fn held(&self) -> bool {
        self.held
    }
}

/// A core with its bus and code cache.
pub struct Machine {
    pub hart: Hart,
    pub code: CodeCache,
    pub bus: TestBus,
}

impl Machine {
    /// A program at address 0, and a core about to execute it.
    pub fn new(program: &[u32]) -> Self {
        let bus = TestBus {
            l1: vec![0; L1_BYTES as usize],
            local: vec![0; LOCAL_BYTES as usize],
            changes: 0,
            stores: Vec::new(),
            pushed: Vec::new(),
            busy: false,
            clock: 0,
            held: false,
        };
        let mut machine = Self { hart: Hart::default(), code: CodeCache::new(4), bus };
        machine.hart.reset(0);
        machine.put(0, program);
        machine
    }

    /// Sets registers.
    pub fn with(mut self, registers: &[(usize, u32)]) -> Self {
        for &(register, value) in registers {
            self.hart.x[register] = value;
        }
        self
    }

    /// Writes words to L1, as another core would.
    pub fn put(&mut self, addr: u32, words: &[u32]) {
        let bytes = asm::bytes(words);
        self.bus.l1[addr as usize..addr as usize + bytes.len()].copy_from_slice(&bytes);
        self.code.written(addr, bytes.len());
        self.bus.changes += 1;
    }

    /// A word of L1 or local RAM.
    pub fn word(&self, addr: u32) -> u32 {
        let (memory, at) = match addr.checked_sub(LOCAL_RAM_BASE) {
            Some(at) => (&self.bus.local, at),
            None => (&self.bus.l1, addr),
        };
        u32::from_le_bytes(memory[at as usize..at as usize + 4].try_into().expect("four bytes"))
    }

    /// Runs.
    pub fn run(&mut self, budget: u32) -> Result<Stop, Fault> {
        self.hart.run(&mut self.code, &mut self.bus, budget)
    }

    /// Runs exactly so many instructions.
    ///
    /// # Panics
    /// Something stops it.
    pub fn steps(&mut self, count: u32) -> &mut Self {
        let before = self.hart.executed;
        assert_eq!(self.run(count), Ok(Stop::Budget));
        assert_eq!(self.hart.executed - before, u64::from(count));
        self
    }
}
