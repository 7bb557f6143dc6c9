//! Exchanges between registers and between lanes (`SFPSWAP.md`, `SFPTRANSP.md`, `SFPSHFT2.md`).

use tt_isa::sfpu::{COLUMNS, LANES, lane_config, lreg, sfpshft2, sfpswap};

use super::SfpuState;
use super::lanes::{LaneMask, Lanes, blend, lanes_where, map, zip};
use super::operands::Operands;
use super::simple::shift;
use crate::fault::Fault;

/// Order of sign-magnitude integers, and of single precision from -NaN to NaN: -0 is below +0.
#[inline(always)]
fn total_order(x: u32) -> i32 {
    let x = x as i32;
    x ^ ((x >> 31) & i32::MAX)
}

/// `SFPSWAP`.
pub fn sfpswap(sfpu: &mut SfpuState, op: &Operands, enabled: LaneMask) -> Result<(), Fault> {
    let vd_gets_min = match op.modifier {
        sfpswap::VEC_MAX_MIN => 0,
        mode => *sfpswap::VD_GETS_MIN.get(mode as usize).ok_or_else(|| op.undefined_modifier())?,
    };
    let (c, d) = (sfpu.lreg[op.vc], sfpu.lreg[op.vd]);
    let swap = if op.modifier == sfpswap::SWAP {
        enabled
    } else {
        let smaller = zip(&c, &d, |c, d| u32::from(total_order(c) < total_order(d)));
        let smaller = lanes_where(&smaller, |x| x != 0);
        let inverted = sfpu.config.lanes(lane_config::EXCHANGE_SRCB_SRCC);
        // In the other lanes VD gets the larger value.
        (smaller ^ !vd_gets_min ^ inverted) & enabled
    };
    let with_index = swap & sfpu.config.dest_index();
    if with_index != 0 {
        sfpu.swap_with_index(op, with_index, &c, &d);
    }
    sfpu.exchange(op.vc, op.vd, swap & !with_index, lreg::WRITABLE as usize, &c, &d);
    Ok(())
}

impl SfpuState {
    /// Writes `d` to `vc` and `c` to `vd`, of registers below `limit`.
    fn exchange(&mut self, vc: usize, vd: usize, lanes: LaneMask, limit: usize, c: &Lanes, d: &Lanes) {
        if lanes == 0 {
            return;
        }
        if vc < limit {
            blend(&mut self.lreg[vc], d, lanes);
        }
        if vd < limit {
            blend(&mut self.lreg[vd], c, lanes);
        }
    }

    /// With `ENABLE_DEST_INDEX`: registers 0 to 3 are exchanged, and the ones four above them along.
    fn swap_with_index(&mut self, op: &Operands, lanes: LaneMask, c: &Lanes, d: &Lanes) {
        self.exchange(op.vc, op.vd, lanes, 4, c, d);
        let (vc, vd) = (4 + (op.vc & 3), 4 + (op.vd & 3));
        let (c, d) = (self.lreg[vc], self.lreg[vd]);
        self.exchange(vc, vd, lanes, lreg::WRITABLE as usize, &c, &d);
    }
}

/// `SFPTRANSP`: row j of register i changes places with row i of register j, among registers 0 to 3 and 4 to
/// 7.
pub fn sfptransp(sfpu: &mut SfpuState, enabled: LaneMask) {
    let old: [Lanes; 8] = std::array::from_fn(|i| sfpu.lreg[i]);
    for (i, register) in sfpu.lreg[..8].iter_mut().enumerate() {
        let (base, row) = (i & 4, i & 3);
        let mut new = [0; LANES];
        for j in 0..4 {
            new[j * COLUMNS..][..COLUMNS].copy_from_slice(&old[base + j][row * COLUMNS..][..COLUMNS]);
        }
        blend(register, &new, enabled);
    }
}

/// Within each row the value of the lane to the left; the first lane gets the last one's.
fn rotate(x: &Lanes) -> Lanes {
    std::array::from_fn(|i| if i % COLUMNS == 0 { x[i + COLUMNS - 1] } else { x[i - 1] })
}

/// `SFPSHFT2`. `lanes` are those that execute, enabled or not.
pub fn sfpshft2(sfpu: &mut SfpuState, op: &Operands, lanes: LaneMask) -> Result<(), Fault> {
    use sfpshft2::*;
    let enabled = lanes & sfpu.enabled();
    let (b, c) = (&sfpu.lreg[op.vb], sfpu.lreg[op.vc]);
    match op.modifier {
        COPY4 => sfpu.copy4(enabled, [0; LANES]),
        SUBVEC_CHAINED_COPY4 => {
            let first = sfpu.lreg[0];
            let next_row = |i: usize| first.get(i + COLUMNS).copied().unwrap_or(0);
            sfpu.copy4(enabled, std::array::from_fn(next_row));
        }
        SUBVEC_SHFLROR1_AND_COPY4 => {
            sfpu.rotated = c;
            sfpu.copy4(enabled, rotate(&c));
        }
        SUBVEC_SHFLROR1 => {
            sfpu.rotated = c;
            sfpu.write(op.vd, enabled, &rotate(&c));
        }
        SUBVEC_SHFLSHR1 => {
            // Hardware's fault: the first lane of a row should get zero.
            let mut d = rotate(&c);
            let leak = rotate(&sfpu.rotated);
            (0..LANES).step_by(COLUMNS).for_each(|i| d[i] = leak[i]);
            sfpu.write(op.vd, enabled, &d);
        }
        SHFT_LREG => {
            let d = zip(b, &c, shift);
            sfpu.write(op.vd, enabled, &d);
        }
        SHFT_IMM => {
            let amount = op.signed_immediate() as u32;
            let d = map(b, |b| shift(b, amount));
            sfpu.write(op.vd, enabled, &d);
        }
        _ => return Err(op.undefined_modifier()),
    }
    Ok(())
}

impl SfpuState {
    /// Registers 1 to 3 move to 0 to 2, and something else to 3.
    fn copy4(&mut self, enabled: LaneMask, last: Lanes) {
        for i in 0..3 {
            let next = self.lreg[i + 1];
            blend(&mut self.lreg[i], &next, enabled);
        }
        blend(&mut self.lreg[3], &last, enabled);
    }
}
