//! A core's place in its tile: where its code comes from, its local RAM, and whether it runs.

use tt_isa::map::{self, RiscV};

use super::{Activity, Tile};
use crate::fault::Fault;
use crate::model::l1::L1;
use crate::model::rv32::{Access, CodeCache, Hart, PAGE_BYTES, no_code};

const PAGE: &str = "TensixTile/BabyRISCV/README.md";
/// Where instruction RAM starts in a tile's code, which is L1 and then NCRISC's instruction RAM.
fn iram_code(l1_size: u32) -> u32 {
    l1_size.next_multiple_of(PAGE_BYTES)
}

/// Pages of code of a tile with so many bytes of both.
pub(super) fn code_pages(l1_size: u32, iram_size: u32) -> usize {
    ((iram_code(l1_size) + iram_size).div_ceil(PAGE_BYTES)) as usize
}

impl Tile {
    /// A core's registers.
    pub fn hart(&self, core: RiscV) -> &Hart {
        &self.harts[core as usize]
    }

    /// Takes a core and the tile's decoded code out of the tile, to execute: the core works on its own copy.
    #[inline]
    pub fn take_hart(&mut self, core: RiscV) -> (Box<Hart>, CodeCache) {
        let spare = self.spare.take().unwrap_or_default();
        (std::mem::replace(&mut self.harts[core as usize], spare), std::mem::take(&mut self.code))
    }

    /// Puts both back.
    #[inline]
    pub fn put_hart(&mut self, core: RiscV, hart: Box<Hart>, code: CodeCache) {
        self.code = code;
        self.spare = Some(std::mem::replace(&mut self.harts[core as usize], hart));
    }

    /// Whether a core is out of reset.
    pub fn is_running(&self, core: RiscV) -> bool {
        self.activity(core) != Activity::Reset
    }

    /// What a core is doing.
    #[inline]
    pub fn activity(&self, core: RiscV) -> Activity {
        self.activity[core as usize]
    }

    /// Whether any core could go on.
    pub fn has_awake_core(&self) -> bool {
        RiscV::ALL.into_iter().any(|core| self.can_run(core))
    }

    /// Whether a core has something to do, or something has changed since it fell asleep.
    #[inline]
    pub fn can_run(&self, core: RiscV) -> bool {
        match self.activity(core) {
            Activity::Reset => false,
            Activity::Awake => true,
            Activity::Asleep(seen) => seen != self.changes,
        }
    }

    /// Wakes a core that [can run](Self::can_run); whether it can.
    #[inline]
    pub fn wake(&mut self, core: RiscV) -> bool {
        let can = self.can_run(core);
        if can {
            self.activity[core as usize] = Activity::Awake;
        }
        can
    }

    /// A core has nothing to do until something changes. What it has changed itself does not wake it.
    #[inline]
    pub fn sleep(&mut self, core: RiscV) {
        if self.activity(core) == Activity::Awake {
            self.activity[core as usize] = Activity::Asleep(self.changes);
        }
    }

    /// Whether a core is neither asleep nor in reset.
    #[inline]
    pub fn is_awake(&self, core: RiscV) -> bool {
        self.activity(core) == Activity::Awake
    }

    /// Cores that have left reset since [`Self::take_released`], a bit each.
    #[inline]
    pub fn released(&self) -> u8 {
        self.released
    }

    /// Takes the cores that have left reset since the last call, a bit each.
    pub fn take_released(&mut self) -> u8 {
        std::mem::take(&mut self.released)
    }

    /// RISC-V instructions executed so far.
    pub fn instructions(&self) -> u64 {
        self.harts.iter().map(|hart| hart.executed).sum()
    }

    /// Offset of `pc` in instruction RAM, if this core has one and `pc` is there.
    fn iram_offset(&self, core: RiscV, pc: u32) -> Option<u32> {
        let offset = pc.wrapping_sub(map::IRAM_BASE);
        (core == RiscV::Ncrisc && (offset as usize) < self.iram.len()).then_some(offset)
    }

    /// Number of the page of code that a core executes from at `pc`.
    ///
    /// # Errors
    /// The core cannot execute code from there.
    #[inline]
    pub fn code_page(&self, core: RiscV, pc: u32) -> Result<usize, Fault> {
        let size = self.l1.size();
        let at = if pc < size { Some(pc) } else { self.iram_offset(core, pc).map(|at| at + iram_code(size)) };
        at.map(|at| (at / PAGE_BYTES) as usize).ok_or_else(|| no_code(pc, PAGE))
    }

    /// The code word at `pc`.
    ///
    /// # Errors
    /// The core cannot execute code from there.
    pub fn fetch(&self, core: RiscV, pc: u32) -> Result<u32, Fault> {
        let bytes = match self.iram_offset(core, pc) {
            Some(at) => self.iram.get(at as usize..at as usize + 4),
            None => self.l1.get(pc, 4),
        };
        let word = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| no_code(pc, PAGE))?;
        Ok(u32::from_le_bytes(word))
    }

    /// A core's local RAM.
    #[inline(always)]
    pub fn local_ram(&mut self, core: RiscV) -> &mut [u8] {
        &mut self.local[core as usize]
    }

    /// Forgets decoded code that has been written behind its back.
    #[inline]
    pub fn refresh_code(&mut self) {
        if std::mem::take(&mut self.iram_written) {
            self.code.written(iram_code(self.l1.size()), self.iram.len());
        }
        forget_changed(&mut self.l1, &mut self.code);
    }

    /// Forgets decoded code of what the coprocessor has written to L1, in code that has been [taken](Self::take_hart).
    #[inline(always)]
    pub fn forget_changed(&mut self, code: &mut CodeCache) {
        forget_changed(&mut self.l1, code);
    }

    /// Pushes an in-line instruction to the core's own thread.
    ///
    /// # Errors
    /// The core has no thread.
    pub fn push_inline(&mut self, core: RiscV, word: u32) -> Result<Access<()>, Fault> {
        let Some(thread) = core.tensix_thread() else {
            return Err(Fault::program(format!("{} has no Tensix thread to push to", core.name()))
                .page("TensixTile/BabyRISCV/PushTensixInstruction.md"));
        };
        let thread = thread as usize;
        if !self.tensix.can_push(thread) {
            return Ok(Access::Retry);
        }
        self.check_coprocessor(word)?;
        self.tensix.push(thread, word, false);
        Ok(Access::Done(()))
    }
}

#[inline(always)]
fn forget_changed(l1: &mut L1, code: &mut CodeCache) {
    for page in l1.take_changed() {
        code.written(page * PAGE_BYTES, PAGE_BYTES as usize);
    }
}
