//! Runs the core of an Ethernet tile: as the fast policy does, or where time is kept by its scoreboard ([`super::timed::ethernet`]).

use tt_isa::chip::Chip;

use super::Mode;
use super::timed::ethernet::{Paced, run as run_paced};
use crate::fault::Fault;
use crate::model::eth::{EthernetTile, PAGE};
use crate::model::rv32::{Access, Bus, Op, Stop, check_register_store, lane};

/// What runs the core of one tile.
pub enum EthernetEngine {
    /// An instruction a clock.
    Fast,
    /// Each when silicon would.
    Timed(Box<Paced>),
}

impl EthernetEngine {
    /// The engine of a tile. The asynchronous mode delays nothing here.
    pub fn new(mode: Mode, chip: &'static Chip) -> Self {
        match (mode, chip.timing) {
            (Mode::Timed, Some(timing)) => Self::Timed(Box::new(Paced::new(timing))),
            _ => Self::Fast,
        }
    }

    /// When the core next does something, if nothing reaches its tile before; [`u64::MAX`] if it will not.
    pub fn next_event(&self, tile: &EthernetTile, clock: u64) -> u64 {
        match self {
            Self::Timed(paced) => paced.next_event(tile, clock).max(clock),
            Self::Fast if tile.is_awake() => clock,
            Self::Fast => u64::MAX,
        }
    }

    /// Takes the clocks at which the requests that wait were made, where they are known.
    pub fn take_made(&mut self, tile: &EthernetTile, clock: u64) -> Option<Vec<u64>> {
        match self {
            Self::Timed(paced) => Some(paced.take_made(tile, clock)),
            Self::Fast => None,
        }
    }

    /// Runs the core for at most `budget` clocks.
    ///
    /// # Errors
    /// The core's fault; the tile stays as it is then.
    pub fn run(&mut self, tile: &mut EthernetTile, budget: u32) -> Result<(), Fault> {
        match self {
            Self::Fast => run_fast(tile, budget),
            Self::Timed(paced) => run_paced(paced, tile, budget, |paced, tile, most| {
                turn(tile, Pace::Board(paced), most).map(drop)
            }),
        }
        .map_err(|fault| fault.in_tile(tile.position()))
    }
}

fn run_fast(tile: &mut EthernetTile, budget: u32) -> Result<(), Fault> {
    let mut left = budget;
    while left > 0 && tile.wake() {
        let executed = turn(tile, Pace::None, left)?;
        left -= executed.clamp(1, left);
    }
    Ok(())
}

/// Who says when an instruction enters.
enum Pace<'a> {
    None,
    Board(&'a mut Paced),
}

fn turn(tile: &mut EthernetTile, pace: Pace, budget: u32) -> Result<u32, Fault> {
    let (mut hart, mut code) = tile.take_hart();
    let before = hart.executed;
    let result = match pace {
        Pace::None => hart.run(&mut code, &mut CoreBus { tile }, budget),
        Pace::Board(paced) => hart.run(&mut code, &mut PacedBus { bus: CoreBus { tile }, paced }, budget),
    };
    let (pc, executed) = (hart.pc, hart.executed - before);
    tile.put_hart(hart, code);
    let stop = result.map_err(|fault| fault.at_pc(pc))?;
    if matches!(stop, Stop::Blocked | Stop::Spinning) {
        tile.sleep();
    }
    Ok(executed as u32)
}

/// A tile as its core sees it.
struct CoreBus<'a> {
    tile: &'a mut EthernetTile,
}

impl Bus for CoreBus<'_> {
    #[inline(always)]
    fn l1(&mut self) -> &mut [u8] {
        self.tile.l1_mut().bytes_mut()
    }

    #[inline(always)]
    fn local(&mut self) -> &mut [u8] {
        self.tile.local_ram()
    }

    fn code_page(&self, pc: u32) -> Result<usize, Fault> {
        EthernetTile::code_page(pc)
    }

    fn fetch(&self, pc: u32) -> Result<u32, Fault> {
        self.tile.fetch(pc)
    }

    fn load(&mut self, addr: u32, size: u32) -> Result<Access<u32>, Fault> {
        let word = self.tile.register_read(addr & !3)?;
        let value = lane(word, addr, size);
        Ok(if self.tile.is_volatile(addr & !3) { Access::Volatile(value) } else { Access::Done(value) })
    }

    fn store(&mut self, addr: u32, size: u32, value: u32) -> Result<Access<()>, Fault> {
        check_register_store(addr, size, PAGE)?;
        self.tile.register_write(addr, value).map(Access::Done)
    }

    fn push(&mut self, word: u32) -> Result<Access<()>, Fault> {
        Err(Fault::program(format!(
            "Tensix instruction {word:#010x} in line: Ethernet tiles have no coprocessor"
        ))
        .page(PAGE))
    }

    #[inline(always)]
    fn changed(&mut self) {
        self.tile.changed();
    }

    #[inline(always)]
    fn changes(&self) -> u64 {
        self.tile.changes()
    }

    fn held(&self) -> bool {
        self.tile.is_held()
    }
}

/// The same, of a core that asks before each instruction.
struct PacedBus<'a, 'b> {
    bus: CoreBus<'a>,
    paced: &'b mut Paced,
}

impl Bus for PacedBus<'_, '_> {
    const PACED: bool = true;

    fn may_execute(&mut self, pc: u32, op: &Op, operands: [u32; 2]) -> bool {
        self.paced.may_execute(self.bus.tile, pc, op, operands)
    }

    fn l1(&mut self) -> &mut [u8] {
        self.bus.l1()
    }

    fn local(&mut self) -> &mut [u8] {
        self.bus.local()
    }

    fn code_page(&self, pc: u32) -> Result<usize, Fault> {
        self.bus.code_page(pc)
    }

    fn fetch(&self, pc: u32) -> Result<u32, Fault> {
        self.bus.fetch(pc)
    }

    fn load(&mut self, addr: u32, size: u32) -> Result<Access<u32>, Fault> {
        self.bus.load(addr, size)
    }

    fn store(&mut self, addr: u32, size: u32, value: u32) -> Result<Access<()>, Fault> {
        self.bus.store(addr, size, value)
    }

    fn push(&mut self, word: u32) -> Result<Access<()>, Fault> {
        self.bus.push(word)
    }

    fn changed(&mut self) {
        self.bus.changed();
    }

    fn changes(&self) -> u64 {
        self.paced.changes(self.bus.tile)
    }

    fn held(&self) -> bool {
        self.bus.held()
    }
}
