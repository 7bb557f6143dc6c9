//! A core's turn: it executes on a copy of its registers, and is put to sleep if it can only wait.

use tt_isa::map::RiscV;

use super::Policy;
use super::bus::CoreBus;
use crate::fault::Fault;
use crate::model::rv32::{Kind, Retired, Spin, Stop, decode};
use crate::model::tile::Tile;
use crate::observe::{CoreState, Executing, Observer};

/// What a core has done in its turn.
pub struct Turn {
    /// Instructions that it has executed.
    pub executed: u32,
    /// Why it has stopped.
    pub stop: Stop,
}

/// Runs a core for at most `budget` instructions. `clock`: the clock at which it had executed so many
/// in all.
///
/// # Errors
/// The core's fault, with core and pc.
#[inline]
pub fn turn<P: Policy, O: Observer>(
    tile: &mut Tile,
    policy: &mut P,
    observer: &mut O,
    core: RiscV,
    budget: u32,
    clock: impl Fn(u64) -> u64,
) -> Result<Turn, Fault> {
    tile.refresh_code();
    let (mut hart, mut code) = tile.take_hart(core);
    let before = hart.executed;
    observer.core_state(clock(before), core, CoreState::Awake);
    let traced = observer.wants_instructions(core);
    let mut bus = CoreBus::new(tile, policy, observer, core);
    let result = if traced {
        hart.run_traced(&mut code, &mut bus, budget, |bus, executed, retired| {
            bus.observer.core_retired(clock(executed), core, &retired);
        })
    } else {
        hart.run(&mut code, &mut bus, budget)
    };
    let (pc, executed) = (hart.pc, hart.executed);
    tile.put_hart(core, hart, code);
    let state = match result {
        Ok(Stop::Blocked | Stop::Spinning) => CoreState::Asleep,
        Ok(Stop::Held) => CoreState::Reset,
        Ok(Stop::Budget) | Err(_) => CoreState::Awake,
    };
    observer.core_state(clock(executed), core, state);
    let stop = result.map_err(|fault| fault.on_core(core, pc))?;
    if matches!(stop, Stop::Blocked | Stop::Spinning) {
        tile.sleep(core);
    }
    Ok(Turn { executed: (executed - before) as u32, stop })
}

/// What a core that executes one instruction at a time needs to notice that it only polls.
#[derive(Default)]
pub struct Lane {
    spin: Spin,
    /// Its own effects that the tile's change count leaves out.
    effects: u64,
}

impl Lane {
    /// The core has left reset.
    pub fn forget(&mut self) {
        self.spin = Spin::default();
    }
}

/// Lets a core execute one instruction, where observers want to see its accesses; why it stopped, and the cores that it has
/// released from reset, a bit each.
///
/// # Errors
/// The core's fault, with core and pc, or what the observer finds.
pub fn single<P: Policy, O: Observer>(
    tile: &mut Tile,
    policy: &mut P,
    observer: &mut O,
    core: RiscV,
    lane: &mut Lane,
    clock: u64,
) -> Result<(Stop, u8), Fault> {
    let pc = tile.hart(core).pc;
    let stop = instruction(tile, policy, observer, (core, pc), lane, clock);
    stop.map_err(|fault| fault.on_core(core, pc))
}

fn instruction<P: Policy, O: Observer>(
    tile: &mut Tile,
    policy: &mut P,
    observer: &mut O,
    (core, pc): (RiscV, u32),
    lane: &mut Lane,
    clock: u64,
) -> Result<(Stop, u8), Fault> {
    tile.refresh_code();
    let word = tile.fetch(core, pc)?;
    let now = Executing { core, pc, op: decode(word) };
    observer.core_executes(&now)?;
    let (mut hart, mut code) = tile.take_hart(core);
    let before = (hart.x, hart.executed);
    let mut bus = CoreBus::executing(tile, policy, observer, now);
    let result = hart.run(&mut code, &mut bus, 1);
    let (stored, volatile, released) = (bus.stored, bus.volatile, bus.released);
    if let Some(addr) = stored {
        code.stored(addr);
    }
    if released >> core as u8 & 1 != 0 {
        lane.forget();
    }
    let stores = matches!(now.op.kind, Kind::Sw | Kind::Sh | Kind::Sb | Kind::TtInsn);
    lane.effects += u64::from(stores) + u64::from(volatile);
    let changes = tile.changes() + lane.effects;
    let spins = hart.pc <= pc && lane.spin.backward(hart.pc, &hart.x, changes);
    if hart.executed > before.1 && observer.wants_instructions(core) {
        observer.core_retired(clock, core, &Retired::new(pc, word, &before.0, &hart.x));
    }
    tile.put_hart(core, hart, code);
    match result? {
        Stop::Budget if spins => Ok((Stop::Spinning, released)),
        stop => Ok((stop, released)),
    }
}
