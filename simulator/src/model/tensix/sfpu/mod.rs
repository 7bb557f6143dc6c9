//! The vector unit (SFPU): 32 lanes of 32 bits between Dst and its registers (`VectorUnit.md`, `LReg.md`).
//!
//! ```text
//! Dst -SFPLOAD-> LReg 0..7 -(simple, MAD, round sub-units)-> LReg 0..7 -SFPSTORE-> Dst
//!                LReg 8..15 constants      lane flags: which lanes take part
//! ```
//!
//! A register is an array of 32 lanes, a set of lanes a mask of 32 bits, so that an instruction is a few
//! vector operations ([`lanes`]). Sub-units: [`dst_access`] (load, store), [`mad`] on [`fma`], [`simple`]
//! and [`shuffle`] (simple, round), [`round`]; [`flags`] holds predication, [`config`] what `SFPCONFIG`
//! writes, [`macros`] what `SFPLOADMACRO` schedules.
//!
//! An instruction executes as a whole. On hardware some results come a cycle later; [`hazards`] finds
//! programs that do not wait for them.

use tt_isa::insn::Opcode;
use tt_isa::sfpu::{LANES, lreg};

use super::{Exec, Step, Tensix};
use crate::fault::Fault;
use crate::model::defect::WRONG_BIT;

mod config;
mod dst_access;
mod flags;
mod fma;
mod hazards;
mod lanes;
mod macros;
mod mad;
mod operands;
mod prng;
mod round;
mod shuffle;
mod simple;

pub(super) use hazards::matrix_writes;

pub use config::{LaneConfig, LoadMacroConfig};
pub use lanes::{ALL, LaneMask, Lanes};

use operands::Operands;

/// Registers with the one that only scheduled instructions reach.
const LREGS: usize = lreg::MACRO as usize + 1;

/// The vector unit's state.
pub struct SfpuState {
    /// `LReg[register][lane]`.
    pub lreg: [Lanes; LREGS],
    /// `LaneFlags`.
    pub flags: LaneMask,
    /// `UseLaneFlagsForLaneEnable`.
    pub use_flags: LaneMask,
    /// `FlagStack`.
    pub stack: flags::FlagStack,
    /// `LaneConfig`.
    pub config: LaneConfig,
    /// `LoadMacroConfig`.
    pub load_macro: LoadMacroConfig,
    /// Random number generator.
    pub prng: prng::Prng,
    /// What `SFPSHFT2` rotated last: its shift mode lets one lane of it through.
    rotated: Lanes,
    schedule: macros::Schedule,
    /// Whether instructions that use a result too early are program errors. The vendor's simulator does not
    /// look; off by default.
    pub hazard_checks: bool,
    hazards: hazards::Hazards,
}

impl Default for SfpuState {
    fn default() -> Self {
        let mut registers = [[0; LANES]; LREGS];
        registers[lreg::CONST_0P8373 as usize] = [lreg::BITS_0P8373; LANES];
        registers[lreg::ONE as usize] = [lreg::BITS_ONE; LANES];
        for (i, value) in lreg::AFTER_RESET.into_iter().enumerate() {
            registers[lreg::PROGRAMMABLE_0 as usize + i] = [value; LANES];
        }
        registers[lreg::LANE_ID as usize] = std::array::from_fn(|lane| 2 * lane as u32);
        Self {
            lreg: registers,
            flags: 0,
            use_flags: 0,
            stack: Default::default(),
            config: Default::default(),
            load_macro: Default::default(),
            prng: Default::default(),
            rotated: [0; LANES],
            schedule: Default::default(),
            hazard_checks: false,
            hazards: Default::default(),
        }
    }
}

impl SfpuState {
    /// Lanes that take part (`IsLaneEnabled`).
    #[inline]
    pub fn enabled(&self) -> LaneMask {
        (self.flags | !self.use_flags) & !self.config.rows_off()
    }

    /// Writes a register's enabled lanes. Registers 8 to 15 keep what they have.
    #[inline]
    fn write(&mut self, vd: usize, enabled: LaneMask, value: &Lanes) {
        if vd < lreg::WRITABLE as usize || vd == lreg::MACRO as usize {
            lanes::blend(&mut self.lreg[vd], value, enabled);
        }
    }
}

/// Executes a vector unit instruction.
pub fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32) -> Exec {
    if let Some(seed) = t.cfg.take_prng_seed() {
        t.sfpu.prng.seed(seed);
    }
    let op = Operands::decode(opcode, word);
    if t.sfpu.hazard_checks {
        t.sfpu.check_hazards(thread, &op)?;
    }
    let lanes = match opcode {
        Opcode::SFPNOP | Opcode::SFPCONFIG | Opcode::SFPLOADMACRO => ALL,
        _ if op.vd >= lreg::TEMPLATES as usize => t.sfpu.backdoor(&op)?,
        _ => ALL,
    };
    if t.sfpu.has_scheduled() {
        return macros::issue(t, thread, &op, lanes);
    }
    if lanes == 0 {
        return Ok(Step::Done);
    }
    dispatch(t, thread, &op, lanes)
}

/// Lets the cycle pass in which `thread` issued an instruction to another unit.
#[inline]
pub fn pass(t: &mut Tensix, thread: usize) -> Result<(), Fault> {
    if t.sfpu.has_scheduled() { macros::pass(t, thread) } else { Ok(()) }
}

/// Lets cycles pass while `thread` has nothing to execute.
#[inline]
pub fn settle(t: &mut Tensix, thread: usize) -> Result<(), Fault> {
    if t.sfpu.has_scheduled() { macros::settle(t, thread) } else { Ok(()) }
}

/// Executes an instruction in some lanes, of which those that are not enabled are left out.
fn dispatch(t: &mut Tensix, thread: usize, op: &Operands, lanes: LaneMask) -> Exec {
    use Opcode::*;
    let sfpu = &mut t.sfpu;
    sfpu.config.check_result(op)?;
    let enabled = lanes & sfpu.enabled();
    match op.opcode {
        SFPNOP => {}
        SFPLOAD => return dst_access::sfpload(t, thread, op),
        SFPSTORE => {
            if t.dead.vector {
                t.sfpu.lreg[op.vd][0] ^= WRONG_BIT;
            }
            return dst_access::sfpstore(t, thread, op, lanes);
        }
        SFPLOADI => dst_access::sfploadi(sfpu, op, enabled)?,
        SFPMAD | SFPADD | SFPMUL | SFPADDI | SFPMULI | SFPLUT | SFPLUTFP32 => {
            mad::execute(sfpu, op, enabled)?;
        }
        SFPSETCC | SFPENCC | SFPPUSHC | SFPPOPC | SFPCOMPC => flags::execute(sfpu, op, lanes)?,
        SFPCONFIG => config::sfpconfig(sfpu, op)?,
        SFPSWAP => shuffle::sfpswap(sfpu, op, enabled)?,
        SFPTRANSP => shuffle::sfptransp(sfpu, enabled),
        SFPSHFT2 => shuffle::sfpshft2(sfpu, op, lanes)?,
        SFP_STOCH_RND => round::sfp_stoch_rnd(sfpu, op, enabled)?,
        SFPCAST => round::sfpcast(sfpu, op, enabled)?,
        SFPMOV => simple::sfpmov(sfpu, op, lanes)?,
        SFPLOADMACRO => return macros::sfploadmacro(t, thread, op),
        _ => simple::execute(sfpu, op, enabled)?,
    }
    Ok(Step::Done)
}

#[cfg(test)]
mod tests;
