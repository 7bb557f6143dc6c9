//! Runs the core of an Ethernet tile: always as the fast policy does, whatever policy the Tensix tiles have.

use crate::fault::Fault;
use crate::model::eth::{EthernetTile, PAGE};
use crate::model::rv32::{Access, Bus, Stop, check_register_store, lane};

/// Runs the core for at most `budget` instructions.
///
/// # Errors
/// The core's fault; the tile stays as it is then.
pub fn run(tile: &mut EthernetTile, budget: u32) -> Result<(), Fault> {
    let mut left = budget;
    while left > 0 && tile.wake() {
        let executed = turn(tile, left).map_err(|fault| fault.in_tile(tile.position()))?;
        left -= executed.clamp(1, left);
    }
    Ok(())
}

fn turn(tile: &mut EthernetTile, budget: u32) -> Result<u32, Fault> {
    let (mut hart, mut code) = tile.take_hart();
    let before = hart.executed;
    let result = hart.run(&mut code, &mut CoreBus { tile }, budget);
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
