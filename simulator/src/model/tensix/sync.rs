//! Semaphores and mutexes (`SyncUnit.md`).

use tt_isa::insn::{ATGETM, ATRELM, Opcode, SEMGET, SEMINIT, SEMPOST};

use super::{Exec, Step};
use crate::fault::Fault;

/// Semaphores of a coprocessor.
pub const SEMAPHORES: usize = 8;
/// Mutexes of a coprocessor.
pub const MUTEXES: usize = 8;
/// Largest value that a semaphore holds, whatever its maximum: it has 4 bits (`SyncUnit.md`).
pub const SEMAPHORE_MOST: u8 = 15;
const PAGE: &str = "TensixTile/TensixCoprocessor/SyncUnit.md";

/// A counter with a maximum.
#[derive(Clone, Copy, Default, Debug)]
pub struct Semaphore {
    /// Present value.
    pub value: u8,
    /// Largest value.
    pub max: u8,
}

/// The sync unit's state.
#[derive(Default)]
pub struct SyncUnit {
    /// Semaphores.
    pub semaphores: [Semaphore; SEMAPHORES],
    /// Thread that holds each mutex.
    mutexes: [Option<u8>; MUTEXES],
}

/// The one semaphore that a mask selects.
pub fn one_semaphore(mask: u32) -> Result<usize, Fault> {
    if mask.count_ones() != 1 {
        return Err(
            Fault::undocumented(format!("semaphore mask {mask:#x} selects not exactly one")).page(PAGE)
        );
    }
    Ok(mask.trailing_zeros() as usize)
}

impl SyncUnit {
    /// Thread that holds each mutex.
    #[cfg(test)]
    pub fn mutexes(&self) -> [Option<u8>; MUTEXES] {
        self.mutexes
    }

    /// Adds one: `SEMPOST`. Only `SEMWAIT` uses the maximum, but a thread that posts beyond it has not waited for its reader.
    pub fn post(&mut self, index: usize) -> Result<(), Fault> {
        let s = &mut self.semaphores[index];
        if s.value >= s.max {
            let what = format!("SEMPOST of semaphore {index} at its maximum {}", s.max);
            return Err(Fault::program(what).page(PAGE));
        }
        s.value += 1;
        Ok(())
    }

    /// Adds one for a core's store. Cores have no way to wait for the maximum and programs post without having set one
    /// (power-on leaves it 0), so only the counter's size is a limit. There the documents have the store do nothing: the post would be lost.
    pub fn post_by_core(&mut self, index: usize) -> Result<(), Fault> {
        let s = &mut self.semaphores[index];
        if s.value >= SEMAPHORE_MOST {
            let what = format!("a core's post of semaphore {index} at {SEMAPHORE_MOST}, which is lost");
            return Err(Fault::program(what).page(PAGE));
        }
        s.value += 1;
        Ok(())
    }

    /// Takes one away.
    pub fn get(&mut self, index: usize) -> Result<(), Fault> {
        let s = &mut self.semaphores[index];
        if s.value == 0 {
            return Err(Fault::program(format!("SEMGET of semaphore {index}, which is 0")).page(PAGE));
        }
        s.value -= 1;
        Ok(())
    }

    /// Executes a sync unit instruction other than the waits.
    pub fn execute(&mut self, thread: usize, opcode: Opcode, word: u32) -> Exec {
        match opcode {
            Opcode::SEMINIT => {
                let op = SEMINIT::decode(word);
                if op.init_value > op.max_value {
                    let what = format!("SEMINIT to {} above the maximum {}", op.init_value, op.max_value);
                    return Err(Fault::program(what).page(PAGE));
                }
                self.semaphores[one_semaphore(op.sem_sel)?] =
                    Semaphore { value: op.init_value as u8, max: op.max_value as u8 };
            }
            Opcode::SEMPOST => self.post(one_semaphore(SEMPOST::decode(word).sem_sel)?)?,
            Opcode::SEMGET => self.get(one_semaphore(SEMGET::decode(word).sem_sel)?)?,
            Opcode::ATGETM => {
                let holder = self.mutex(ATGETM::decode(word).mutex_index)?;
                match *holder {
                    None => *holder = Some(thread as u8),
                    Some(other) if other as usize == thread => {
                        return Err(Fault::program("ATGETM of a mutex that this thread holds").page(PAGE));
                    }
                    Some(_) => return Ok(Step::Stall),
                }
            }
            Opcode::ATRELM => {
                let holder = self.mutex(ATRELM::decode(word).mutex_index)?;
                if *holder != Some(thread as u8) {
                    return Err(Fault::program("ATRELM of a mutex that this thread does not hold").page(PAGE));
                }
                *holder = None;
            }
            _ => return Err(Fault::internal(format!("{opcode:?} is no sync unit instruction"))),
        }
        Ok(Step::Done)
    }

    fn mutex(&mut self, index: u32) -> Result<&mut Option<u8>, Fault> {
        self.mutexes
            .get_mut(index as usize)
            .ok_or_else(|| Fault::program(format!("mutex {index} does not exist")).page(PAGE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semaphores_keep_their_bounds() {
        let mut s = SyncUnit::default();
        let init = SEMINIT { max_value: 2, init_value: 1, sem_sel: 1 << 3 }.word();
        s.execute(0, Opcode::SEMINIT, init).unwrap();
        s.post(3).unwrap();
        assert!(s.post(3).is_err());
        s.get(3).unwrap();
        s.get(3).unwrap();
        assert!(s.get(3).is_err());
        assert!(s.execute(0, Opcode::SEMPOST, SEMPOST { sem_sel: 3 }.word()).is_err());
    }

    #[test]
    fn posts_of_cores_do_not_know_the_maximum() {
        let mut s = SyncUnit::default();
        for _ in 0..SEMAPHORE_MOST {
            s.post_by_core(1).unwrap();
        }
        assert_eq!((s.semaphores[1].value, s.semaphores[1].max), (15, 0));
        assert!(s.post_by_core(1).is_err());
        assert!(s.post(1).is_err());
    }

    #[test]
    fn a_mutex_has_one_holder() {
        let mut s = SyncUnit::default();
        let take = ATGETM { mutex_index: 2 }.word();
        let release = ATRELM { mutex_index: 2 }.word();
        assert_eq!(s.execute(0, Opcode::ATGETM, take).unwrap(), Step::Done);
        assert_eq!(s.execute(1, Opcode::ATGETM, take).unwrap(), Step::Stall);
        assert!(s.execute(1, Opcode::ATRELM, release).is_err());
        s.execute(0, Opcode::ATRELM, release).unwrap();
        assert_eq!(s.execute(1, Opcode::ATGETM, take).unwrap(), Step::Done);
    }
}
