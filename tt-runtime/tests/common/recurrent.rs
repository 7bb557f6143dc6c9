//! State carried from token to token: cases, and what the host makes of them.

use std::sync::Arc;

use super::{Rng, encode, upload};
use tt_runtime::ops::recurrent;
use tt_runtime::ops::recurrent::{Kind, Recurrence};
use tt_runtime::{Device, DramAddr, ElementType, Error, TensorView};

/// Random state, vectors and values.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What a token does.
    pub kind: Kind,
    /// Elements of a line, lines, heads, tokens, sequences.
    pub extents: [u32; 5],
    /// States that are kept.
    pub slots: u32,
    /// Sequences begin with the states in reverse order.
    pub reversed: bool,
    /// The second token's first value is infinite.
    pub infinite: bool,
}

impl Case {
    const fn new(kind: Kind, extents: [u32; 5], slots: u32, reversed: bool) -> Self {
        Self { kind, extents, slots, reversed, infinite: false }
    }
}

/// One of each kind.
pub const CASES: [Case; 4] = [
    Case::new(Kind::Plain, [8, 5, 3, 4, 2], 2, true),
    Case::new(Kind::Bonus, [16, 16, 2, 3, 1], 1, false),
    Case::new(Kind::Delta, [12, 40, 2, 3, 2], 3, false),
    Case::new(Kind::Correction, [4, 7, 1, 5, 3], 1, true),
];

fn product(extents: &[u32]) -> usize {
    extents.iter().product::<u32>() as usize
}

/// Results and states of the device, and what they should be.
pub fn run(device: &Arc<Device>, rng: &mut Rng, case: Case) -> Result<(Vec<f32>, Vec<f64>), Error> {
    let Case { kind, extents: [size, lines, heads, tokens, sequences], slots, reversed, infinite } = case;
    let mut tensor = |ne: [u32; 4], infinite: Option<usize>| {
        let mut values: Vec<f32> = (0..product(&ne)).map(|_| rng.unit()).collect();
        if let Some(at) = infinite {
            values[at] = f32::INFINITY;
        }
        let (memory, addr) = upload(device, &encode(ElementType::F32, &values).0, 4);
        (memory, TensorView::contiguous(ElementType::F32, addr, ne), values)
    };
    let (_m0, before, state) = tensor([size, lines, heads, sequences], None);
    let (_m1, values, v) =
        tensor([lines, heads, tokens, sequences], infinite.then_some((lines * heads) as usize));
    let (_m2, vectors, all) = tensor([size * kind.planes(), heads, tokens, sequences], None);
    let first: Vec<u32> = (0..sequences).map(|n| if reversed { sequences - 1 - n } else { n }).collect();
    let bytes: Vec<u8> = first.iter().flat_map(|id| id.to_le_bytes()).collect();
    let (_m3, ids) = upload(device, &bytes, 8);
    let ids = TensorView::contiguous(ElementType::I32, ids, [sequences, 1, 1, 1]);
    let mut out = vec![0xAB; (values.span() + u64::from(slots) * before.span()) as usize];
    let (_m4, addr) = upload(device, &out, 12);
    let recurrence = Recurrence {
        kind,
        scale: 0.5,
        before: &before,
        ids: reversed.then_some(&ids),
        values: &values,
        vectors: &vectors,
        results: &TensorView { addr, ..values },
        after: &TensorView { addr: addr + values.span(), ..before },
        slots,
        slot_stride: before.span(),
    };
    let workers = device.info()?.workers();
    device.execute(&recurrent(recurrence, workers).expect("supported"))?;
    device.read(DramAddr(addr), &mut out)?;
    let got = out.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();

    let [size, lines, heads, tokens] = [size, lines, heads, tokens].map(|n| n as usize);
    let states = state.len();
    let mut want = vec![0.0; v.len() + slots as usize * states];
    for (matrix, &id) in (0..heads * sequences as usize).zip(first.iter().flat_map(|id| vec![id; heads])) {
        let (head, sequence) = (matrix % heads, matrix / heads);
        for line in 0..lines {
            let at = ((id as usize * heads + head) * lines + line) * size;
            let mut s: Vec<f64> = state[at..at + size].iter().map(|&x| f64::from(x)).collect();
            for token in 0..tokens {
                let place = (sequence * tokens + token) * heads + head;
                let planes = kind.planes() as usize * size;
                let plane = |n: usize, i: usize| f64::from(all[place * planes + n * size + i]);
                let dot = |s: &[f64], n: usize| (0..size).map(|i| s[i] * plane(n, i)).sum::<f64>();
                let value = f64::from(v[place * lines + line]);
                let old = s.clone();
                let compared = if kind.planes() > 3 { dot(&old, 3) } else { 0.0 };
                for (i, x) in s.iter_mut().enumerate() {
                    *x = old[i] * plane(0, i) + value * plane(1, i);
                    *x += match kind {
                        Kind::Delta => compared * plane(1, i),
                        Kind::Correction => compared * plane(4, i),
                        _ => 0.0,
                    };
                }
                let result = match kind {
                    Kind::Bonus => {
                        dot(&old, 2) + value * (0..size).map(|i| plane(3, i) * plane(2, i)).sum::<f64>()
                    }
                    _ => dot(&s, 2),
                };
                want[place * lines + line] = 0.5 * result;
                let slot = tokens - 1 - token;
                if slot < slots as usize {
                    let at = v.len() + slot * states + (matrix * lines + line) * size;
                    want[at..at + size].copy_from_slice(&s);
                }
            }
        }
    }
    Ok((got, want))
}
