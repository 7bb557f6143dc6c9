//! Resets, and who survives them.

use tt_isa::arc::message;
use tt_simulator::Fault;
use tt_sys::kmd::errno;
use tt_sys::kmd::ioctl::reset;

use crate::power;
use crate::state::State;

/// The driver's mark, in PCI's command register.
const MARK: u16 = reset::MARK.1 as u16;
/// Argument of the message for a reset of the board's microcontroller too.
const WITH_DMC: u32 = 3;

impl State {
    /// Resets; the result is whether it went well.
    pub fn reset(&mut self, file: u64, flags: u32) -> Result<bool, i32> {
        match flags {
            reset::ASIC | reset::ASIC_DMC if self.rules.asic_reset => {
                self.invalidate(file);
                self.needs_init = true;
                self.trigger(if flags == reset::ASIC { 0 } else { WITH_DMC }).map_err(|_| errno::EIO)
            }
            reset::POST if self.rules.asic_reset => Ok(self.post()),
            // The kinds of before 2.4: nobody above uses them.
            0..=3 => Err(errno::EOPNOTSUPP),
            _ => Err(errno::EINVAL),
        }
    }

    /// Files from before are useless now, and what windows they had is free.
    fn invalidate(&mut self, file: u64) {
        if !self.rules.power {
            return;
        }
        self.generation += 1;
        if self.rules.exclusive {
            if let Some(open) = self.files.get_mut(&file) {
                open.generation = self.generation;
            }
            let files = &self.files;
            let now = self.generation;
            let lives = |owner: &u64| files.get(owner).is_none_or(|open| open.generation == now);
            self.windows.iter_mut().for_each(|window| *window = window.filter(&lives));
        }
    }

    fn trigger(&mut self, argument: u32) -> Result<bool, Fault> {
        if self.hung {
            return Ok(false);
        }
        self.wedged = false;
        self.chip().set_pci_command(MARK);
        power::send(self.chip(), message::TRIGGER_RESET, argument)?;
        Ok(true)
    }

    fn post(&mut self) -> bool {
        let happened = self.chip().pci_config_read32(4) & u32::from(MARK) == 0 && !self.hung;
        self.needs_init = false;
        happened
    }
}
