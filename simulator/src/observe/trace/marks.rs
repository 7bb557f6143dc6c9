//! What the host does, as it says itself: launches and operators, with names.

use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;

/// A line of the host in the timeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Track {
    /// What the runtime's user computes.
    Operators,
    /// What the runtime launches.
    Launches,
    /// Accesses over PCIe, which the chip notes itself.
    Pcie,
}

impl Track {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Operators, Self::Launches, Self::Pcie];

    /// Its name.
    pub const fn name(self) -> &'static str {
        ["operators", "launches", "PCIe"][self as usize]
    }
}

/// Something begins or ends. On a track, one thing ends before the next one begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mark {
    /// It begins.
    Begin(Track, String),
    /// It ends.
    End(Track),
}

/// A stretch of time that a kernel has measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KernelSpan<'a> {
    /// Where its tile is on NoC 0.
    pub tile: NocXy,
    /// The core.
    pub core: RiscV,
    /// What the kernel calls it.
    pub name: &'a str,
    /// The tile's wall clock at its beginning and at its end.
    pub clocks: (u64, u64),
}

/// What has begun.
#[derive(Default)]
pub struct Marks {
    open: [Option<(String, u64)>; Track::ALL.len()],
}

impl Marks {
    /// Notes a mark; what has ended by it: track, name, and when it has begun.
    pub fn note(&mut self, clock: u64, mark: &Mark) -> Option<(Track, String, u64)> {
        match mark {
            Mark::Begin(track, name) => {
                // Names stand in JSON.
                let name = name.replace(['"', '\\'], "'");
                self.open[*track as usize] = Some((name, clock));
                None
            }
            Mark::End(track) => {
                let (name, begin) = self.open[*track as usize].take()?;
                Some((*track, name, begin))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_ends() {
        let mut marks = Marks::default();
        assert_eq!(marks.note(5, &Mark::End(Track::Launches)), None);
        assert_eq!(marks.note(6, &Mark::Begin(Track::Launches, "a \"b\"".into())), None);
        assert_eq!(marks.note(7, &Mark::Begin(Track::Operators, "MUL_MAT".into())), None);
        assert_eq!(marks.note(9, &Mark::End(Track::Launches)), Some((Track::Launches, "a 'b'".into(), 6)));
        assert_eq!(marks.note(9, &Mark::End(Track::Launches)), None);
    }
}
