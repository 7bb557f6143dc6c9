//! Quantised types on a device: rows gathered, values encoded, blocks copied, long rows sorted.

use std::sync::Arc;

use tt_kernel_abi::GgmlType;
use tt_kernel_quant::encode;
use tt_runtime::layout::Isa;
use tt_runtime::{Device, DramAddr, ElementType, Error, OpDescriptor, TensorView, ops};

use super::{Rng, upload};

/// What a device gave, and what it should be.
pub struct Outcome {
    pub got: Vec<u8>,
    pub want: Vec<u8>,
}

impl Outcome {
    /// Whether all bytes agree.
    pub fn is_right(&self) -> bool {
        self.got == self.want
    }
}

fn workers(device: &Arc<Device>) -> u32 {
    device.info().expect("it boots").workers()
}

/// Runs the steps and gives the bytes of `dst`.
fn result(device: &Arc<Device>, steps: &[OpDescriptor], dst: &TensorView) -> Result<Vec<u8>, Error> {
    for step in steps {
        device.execute(step)?;
    }
    let mut got = vec![0; dst.span() as usize];
    device.read(DramAddr(dst.addr), &mut got)?;
    Ok(got)
}

/// Random blocks whose scales are numbers.
fn blocks(rng: &mut Rng, ty: GgmlType, values: usize) -> (Vec<u8>, Vec<f32>) {
    let (len, bytes) = ty.block();
    let mut row = Vec::new();
    let mut decoded = vec![0.0; values];
    for values in decoded.chunks_mut(len) {
        loop {
            let block: Vec<u8> = (0..bytes).map(|_| rng.next() as u8).collect();
            Isa::PORTABLE.dequantise(ty, &block, values);
            if values.iter().all(|x| !x.is_nan()) {
                row.extend(block);
                break;
            }
        }
    }
    (row, decoded)
}

fn plain(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// `GET_ROWS` of three of five rows.
pub fn gather(device: &Arc<Device>, rng: &mut Rng, ty: GgmlType) -> Result<Outcome, Error> {
    const INDICES: [u32; 3] = [4, 0, 3];
    let k = 2 * ty.block().0.max(48);
    let (rows, values) = blocks(rng, ty, 5 * k);
    let (_m0, a0) = upload(device, &rows, 4);
    let (_m1, a1) = upload(device, &INDICES.map(u32::to_le_bytes).concat(), 0);
    let (_m2, a2) = upload(device, &vec![0; 3 * k * 4], 8);
    let src = TensorView::contiguous(ElementType::Ggml(ty), a0, [k as u32, 5, 1, 1]);
    let indices = TensorView::contiguous(ElementType::I32, a1, [3, 1, 1, 1]);
    let dst = TensorView::contiguous(ElementType::F32, a2, [k as u32, 3, 1, 1]);
    let step = ops::get_rows(&src, &indices, &dst, workers(device)).expect("supported");
    let want = INDICES.iter().flat_map(|&i| plain(&values[i as usize * k..][..k])).collect();
    Ok(Outcome { got: result(device, &[step], &dst)?, want })
}

/// Copies of F32 to a quantised type.
pub fn encode(device: &Arc<Device>, rng: &mut Rng, ty: GgmlType) -> Result<Outcome, Error> {
    let k = 2 * ty.block().0;
    let values: Vec<f32> = (0..3 * k).map(|_| rng.unit() * 2f32.powi((rng.next() % 9) as i32)).collect();
    let mut want = vec![0; ty.row_bytes(3 * k).expect("whole blocks")];
    encode::row(ty, &values, &mut want);
    let (_m0, a0) = upload(device, &plain(&values), 12);
    let (_m1, a1) = upload(device, &vec![0; want.len()], 0);
    let ne = [k as u32, 3, 1, 1];
    let src = TensorView::contiguous(ElementType::F32, a0, ne);
    let dst = TensorView::contiguous(ElementType::Ggml(ty), a1, ne);
    let step = ops::copy(&src, &dst, workers(device)).expect("supported");
    Ok(Outcome { got: result(device, &[step], &dst)?, want })
}

/// Copies of blocks as they are, with dimensions 1 and 2 exchanged.
pub fn permute(device: &Arc<Device>, rng: &mut Rng, ty: GgmlType) -> Result<Outcome, Error> {
    let k = ty.block().0;
    let bytes = ty.block().1;
    let (blocks, _) = blocks(rng, ty, 6 * k);
    let (_m0, a0) = upload(device, &blocks, 0);
    let (_m1, a1) = upload(device, &vec![0; blocks.len()], 0);
    let src = TensorView::contiguous(ElementType::Ggml(ty), a0, [k as u32, 2, 3, 1]);
    let turned =
        TensorView { ne: [k as u32, 3, 2, 1], nb: [src.nb[0], src.nb[2], src.nb[1], src.nb[3]], ..src };
    let dst = TensorView::contiguous(ElementType::Ggml(ty), a1, turned.ne);
    let step = ops::copy(&turned, &dst, workers(device)).expect("supported");
    let want = [0, 2, 4, 1, 3, 5].iter().flat_map(|&i| blocks[i * bytes..][..bytes].to_vec()).collect();
    Ok(Outcome { got: result(device, &[step], &dst)?, want })
}

/// The first `wanted` of rows of `ne0` elements with many equal ones, in descending order, sorted in runs of `longest`.
pub fn sort(
    device: &Arc<Device>,
    rng: &mut Rng,
    longest: u32,
    [ne0, rows, wanted]: [u32; 3],
) -> Result<Outcome, Error> {
    let values: Vec<f32> = (0..ne0 * rows).map(|_| (rng.next() % (ne0 / 3 + 1)) as f32 - 100.0).collect();
    let mut want = Vec::new();
    for row in values.chunks(ne0 as usize) {
        let mut order: Vec<u32> = (0..ne0).collect();
        order.sort_by(|&a, &b| row[b as usize].total_cmp(&row[a as usize]));
        want.extend(order[..wanted as usize].iter().flat_map(|i| i.to_le_bytes()));
    }
    let (_m0, a0) = upload(device, &plain(&values), 4);
    let (_m1, a1) = upload(device, &vec![0; want.len()], 0);
    let src = TensorView::contiguous(ElementType::F32, a0, [ne0, rows, 1, 1]);
    let dst = TensorView::contiguous(ElementType::I32, a1, [wanted, rows, 1, 1]);
    let mut memory = None;
    let steps = ops::argsort_long(true, longest, &src, &dst, workers(device), |ne| {
        let bytes = TensorView::contiguous(ElementType::I32, 0, ne).span();
        let memory = memory.insert(device.alloc(bytes).expect("memory"));
        Ok(TensorView::contiguous(ElementType::I32, memory.addr().0, ne))
    });
    Ok(Outcome { got: result(device, &steps.expect("supported"), &dst)?, want })
}
