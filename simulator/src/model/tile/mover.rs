//! The mover: copies from L1, and fills with zeros, in 16-byte units (`Mover.md`).
//!
//! It writes to L1, or to what the documents call "L0": the coprocessor's configuration and NCRISC's instruction RAM.
//! `XMOV` and TDMA-RISC start it. Here it completes before anything else happens. Where time is kept, it is busy for as long as
//! silicon would be all the same ([`Tile::mover_is_busy_until`]).

use tt_isa::map;

use super::Tile;
use crate::fault::Fault;
use crate::model::tensix::Move;

const PAGE: &str = "TensixTile/Mover.md";

/// What the mover has been ordered to do, in units of 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct MoverWork {
    /// Units that are copied, and that are cleared.
    pub copied: u64,
    /// See `copied`.
    pub cleared: u64,
    /// Those of both that are written to L1.
    pub written: u64,
}

/// The mover as others see it.
#[derive(Default)]
pub(super) struct Mover {
    /// Orders that whoever keeps time has not heard of.
    work: MoverWork,
    /// When it is done.
    busy_until: u64,
}

/// Where the mover writes outside L1.
enum Region {
    /// Configuration, from this word on.
    Config(u32),
    /// Instruction RAM, from this byte on.
    Iram(usize),
    /// Nowhere: what is written is lost.
    Nowhere,
}

impl Tile {
    /// Whether the mover has got orders since they were last taken.
    #[inline]
    pub fn has_mover_work(&self) -> bool {
        self.mover.work != MoverWork::default()
    }

    /// Takes what the mover has been ordered to do.
    pub fn take_mover_work(&mut self) -> MoverWork {
        std::mem::take(&mut self.mover.work)
    }

    /// The mover is busy until the tile's clock has this value.
    pub fn mover_is_busy_until(&mut self, clock: u64) {
        self.mover.busy_until = clock;
    }

    /// Whether it is.
    pub(super) fn mover_is_busy(&self) -> bool {
        self.clock < self.mover.busy_until
    }

    /// Does what `XMOV` or TDMA-RISC order.
    pub(super) fn run_mover(&mut self, order: Move) -> Result<(), Fault> {
        self.changes += 1;
        let Move { destination, source, len, direction } = order;
        let from_l1 = direction & 1 != 0;
        let bytes = if from_l1 {
            let bytes = self.l1.get(source, len as usize).ok_or_else(|| beyond_l1("from", source, len))?;
            bytes.to_vec()
        } else {
            vec![0; len as usize]
        };
        // 0 and 3 go to L1, 1 and 2 do not.
        let to_l1 = direction == 0 || direction == 3;
        let units = u64::from(len / 16);
        let work = &mut self.mover.work;
        *(if from_l1 { &mut work.copied } else { &mut work.cleared }) += units;
        work.written += if to_l1 { units } else { 0 };
        if to_l1 {
            let distance = destination.abs_diff(source);
            if from_l1 && distance != 0 && distance < len {
                let what = format!("mover from L1 {source:#x} to {destination:#x}, {len} bytes that overlap");
                return Err(Fault::undocumented(what).page(PAGE));
            }
            let to = self.l1.change(destination, len as usize);
            to.ok_or_else(|| beyond_l1("to", destination, len))?.copy_from_slice(&bytes);
            return Ok(());
        }
        match region(destination, len)? {
            Region::Nowhere => Ok(()),
            Region::Config(first) => {
                for (word, bytes) in (first..).zip(bytes.chunks_exact(4)) {
                    let value = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                    self.tensix.cfg.write_mapped(word, value)?;
                }
                self.tensix.cfg.take_icache_invalidate();
                Ok(())
            }
            Region::Iram(at) => {
                let iram = self.iram.get_mut(at..at + bytes.len()).ok_or_else(|| {
                    let what = format!("mover to instruction RAM {at:#x}, {len} bytes: beyond its end");
                    Fault::program(what).page(PAGE)
                })?;
                iram.copy_from_slice(&bytes);
                self.iram_written = true;
                Ok(())
            }
        }
    }
}

fn region(destination: u32, len: u32) -> Result<Region, Fault> {
    let at = destination % map::MOVER_REGION;
    if at + len > map::MOVER_REGION {
        let what = format!("mover to {destination:#x}, {len} bytes: more than one region");
        return Err(Fault::program(what).page(PAGE));
    }
    Ok(match destination - at {
        0 => Region::Config(at / 4),
        map::MOVER_IRAM_BASE => Region::Iram(at as usize),
        _ => Region::Nowhere,
    })
}

fn beyond_l1(which: &str, addr: u32, len: u32) -> Fault {
    Fault::program(format!("mover {which} L1 {addr:#x}, {len} bytes: beyond its end")).page(PAGE)
}
