//! A core's turn: it executes on a copy of its registers, and falls asleep if it can do nothing but wait.

use tt_isa::map::RiscV;

use super::Policy;
use super::bus::CoreBus;
use crate::fault::Fault;
use crate::model::rv32::Stop;
use crate::model::tile::Tile;
use crate::observe::{CoreState, Observer};

/// Runs a core for at most `budget` instructions; how many it has executed. `clock`: the clock at which it had executed so many
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
) -> Result<u32, Fault> {
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
    Ok((executed - before) as u32)
}
