//! NCRISC: queries from DRAM to L1, sums of values and weights from L1 to DRAM, over NoC 1.

use super::{Places, units};
use crate::rt::l1::fill;
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::spread;
use crate::rt::sync::{ACTS_READY, OUT_FREE, OUT_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::attention::{AttentionParams, ONE, ONE_BYTES, Unit};
use tt_kernel_abi::matmul::{F16_BIAS, GROUP_FACE_BYTES, GROUP_TILE_BYTES};

/// 2^[`F16_BIAS`] as a pattern.
const BIASED_ONE: u32 = (F16_BIAS + 127) << 23;

/// Runs NCRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &AttentionParams) {
    let mut noc = Noc::new(1);
    let together = params.together != 0;
    let all = launch.l1(params.all_queries_at(0), params.query_bytes());
    if together {
        spread::send(&mut noc, launch, DramAddr(launch.op.src0.addr), all);
    }
    let one = launch.l1(ONE, ONE_BYTES).words();
    fill(one, 0);
    one[0].store(BIASED_ONE);
    if together {
        spread::receive(launch);
    }
    for unit in units(launch, params) {
        launch.progress(unit.number);
        if !together {
            fetch(&mut noc, launch, params, &unit);
        }
        ACTS_READY.publish(unit.number + 1);
        OUT_READY.wait(unit.number + 1);
        write(&mut noc, launch, params, &unit);
        noc.wait_writes();
        OUT_FREE.publish(unit.number + 1);
    }
    noc.wait_writes();
}

/// Brings a unit's queries.
fn fetch(noc: &mut Noc, launch: &TileLaunch, params: &AttentionParams, unit: &Unit) {
    let src0 = &launch.op.src0;
    let at = src0.addr + u64::from(4 * unit.group * params.queries()) + u64::from(unit.batch) * src0.nb[3];
    noc.read_dram(DramAddr(at), launch.l1(params.all_queries_at(unit.number), params.query_bytes()));
    noc.wait_reads();
}

/// Sends what a unit has made.
fn write(noc: &mut Noc, launch: &TileLaunch, params: &AttentionParams, unit: &Unit) {
    let (places, partial) = (Places::of(launch, params, unit), params.partial());
    for head in 0..params.heads {
        let of_all = (unit.batch * params.groups + unit.group) * params.heads + head;
        let weights = places.powers(head).part(unit.tiles * GROUP_TILE_BYTES, partial.bytes);
        let sums = places.sums(head);
        for face in 0..partial.faces {
            let at = partial.offset(of_all, face, unit.part);
            let from = sums.part(face * GROUP_FACE_BYTES, partial.bytes);
            noc.write_dram(from, DramAddr(launch.op.dst.addr + at));
        }
        let at = partial.offset(of_all, partial.faces, unit.part);
        noc.write_dram(weights, DramAddr(launch.op.dst.addr + at));
    }
}
