//! Weights of products with a tile of rows that are read before their step begins: the same bytes as without that, on every simulator; and time.

use std::sync::Arc;

use crate::common::{Rng, open, seeds, simulator, upload, upload_weights};
use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::ops::elementwise::Glu;
use tt_runtime::ops::rows::NormFunction;
use tt_runtime::{Allocation, Device, DramAddr, ElementType, OpDescriptor, TensorView, ops};

/// Elements of a row, and of a longer one: the ring goes round several times in a layer. K of neither is a multiple of what a slot takes.
const SHORT: u32 = 512;
const LONG: u32 = 1600;
/// Rows, which are no whole tile.
const ROWS: u32 = 20;

fn random(rng: &mut Rng, count: u32) -> Vec<u8> {
    (0..count).flat_map(|_| (rng.unit() / 16.0).to_le_bytes()).collect()
}

/// A feed-forward part of a model and a product beside it, on some device.
struct Batch {
    device: Arc<Device>,
    ty: ElementType,
    workers: u32,
    up: TensorView,
    gate: TensorView,
    down: TensorView,
    aside: TensorView,
    factors: TensorView,
    x: TensorView,
    normed: TensorView,
    /// Results of products that are in no step.
    long: TensorView,
    extra: TensorView,
    /// What products multiply with.
    ordered: TensorView,
    gated: TensorView,
    _memory: Vec<Allocation>,
}

impl Batch {
    fn new(device: &Arc<Device>, format: WeightFormat, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let ty = if format == WeightFormat::Bfp4 { ElementType::TilesBfp4 } else { ElementType::TilesBfp8 };
        let mut memory = Vec::new();
        let mut weights = |k: u32, n: u32| {
            let values = random(&mut rng, k * n);
            let tiles = pack(format, GgmlType::F32, &values, k as usize, n as usize, 1).expect("tiles");
            let (allocation, view) = upload_weights(device, ty, [k, n, 1, 1], &tiles, 0);
            memory.push(allocation);
            view
        };
        let (up, gate, down) = (weights(SHORT, LONG), weights(SHORT, LONG), weights(LONG, SHORT));
        // Fewer columns than there are tiles.
        let aside = weights(SHORT, 96);
        let mut keep = |bytes: &[u8], view: TensorView| {
            let (allocation, addr) = upload(device, bytes, 0);
            memory.push(allocation);
            TensorView { addr, ..view }
        };
        let rows = |columns| TensorView::contiguous(ElementType::F32, 0, [columns, ROWS, 1, 1]);
        let factors = TensorView::contiguous(ElementType::F32, 0, [SHORT, 1, 1, 1]);
        let factors = keep(&random(&mut rng, SHORT), factors);
        let mut empty = |view: TensorView| keep(&vec![0xFF; view.span() as usize], view);
        let (x, normed, long, extra) =
            (empty(rows(SHORT)), empty(rows(SHORT)), empty(rows(LONG)), empty(rows(96)));
        let (ordered, gated) = (empty(ops::block_form(&x)), empty(ops::block_form(&long)));
        Self {
            device: Arc::clone(device),
            ty,
            workers: device.info().expect("it boots").workers(),
            up,
            gate,
            down,
            aside,
            factors,
            x,
            normed,
            long,
            extra,
            ordered,
            gated,
            _memory: memory,
        }
    }

    fn product(&self, weights: &TensorView, from: &TensorView, to: &TensorView) -> OpDescriptor {
        ops::matmul(weights, from, to, self.workers).expect("supported")
    }

    /// The norm of rows, brought to their order; a product with few columns, whose tiles go on to the next one's weights; two products and their gated unit; and one that is added to the rows.
    fn layer(&self) -> [OpDescriptor; 5] {
        let Self { x, normed, long, workers, .. } = self;
        let norm = ops::norm_mul(NormFunction::RmsNorm, 1e-5, x, &self.factors, normed, *workers);
        let [up, gate] = [&self.up, &self.gate].map(|weights| self.product(weights, normed, long));
        let down = ops::blocks(&self.product(&self.down, long, x), &self.gated).expect("supported");
        [
            norm,
            ops::order_blocks(normed, &self.ordered, self.ty, *workers),
            ops::blocks(&self.product(&self.aside, normed, &self.extra), &self.ordered),
            ops::blocks_gated(Glu::Swiglu, [&up, &gate], &self.ordered, &self.gated, self.ty),
            ops::matmul_add(&down, x, x),
        ]
        .map(|step| step.expect("supported"))
    }

    /// Runs two layers in one stream, or each step by itself; gives the bytes of both results.
    fn run(&self, in_stream: bool) -> Vec<u8> {
        let values: Vec<u8> = (0..ROWS * SHORT).flat_map(|i| (i as f32).sin().to_le_bytes()).collect();
        self.device.write(DramAddr(self.x.addr), &values).expect("it boots");
        let mut stream = self.device.stream();
        for step in [self.layer(), self.layer()].concat() {
            stream.push(&step).expect("it boots");
            if !in_stream {
                stream.finish().expect("no finding");
            }
        }
        stream.finish().expect("no finding");
        [&self.x, &self.extra].map(|view| self.bytes(view)).concat()
    }

    fn bytes(&self, view: &TensorView) -> Vec<u8> {
        let mut found = vec![0; view.span() as usize];
        self.device.read(DramAddr(view.addr), &mut found).expect("readable");
        found
    }
}

#[test]
fn a_stream_gives_the_same_bytes() {
    for format in [WeightFormat::Bfp8, WeightFormat::Bfp4] {
        let batch = Batch::new(&simulator(), format, 1);
        let [alone, in_stream] = [false, true].map(|way| batch.run(way));
        assert!(alone == in_stream, "{format:?}: other bytes");
        assert!(alone.iter().any(|&byte| byte != 0), "{format:?}: nothing");
    }
}

/// With random delays, and the race detector.
#[test]
fn it_does_not_race() {
    for seed in 0..seeds(2) {
        let batch = Batch::new(&open(&format!("sim,rows=1,async={seed}")), WeightFormat::Bfp8, seed + 1);
        let [alone, in_stream] = [false, true].map(|way| batch.run(way));
        assert!(alone == in_stream, "seed {seed}: other bytes");
    }
}

#[test]
fn the_vendors_simulator_gives_the_same_bytes() {
    let Some(library) = std::env::var_os("TTSIM_LIB") else {
        println!("SKIPPED: TTSIM_LIB is not set");
        return;
    };
    let [ours, theirs] = ["sim".to_owned(), format!("ttsim:{}", library.to_string_lossy())]
        .map(|spec| Batch::new(&open(&spec), WeightFormat::Bfp8, 3).run(true));
    assert!(ours == theirs, "other bytes");
}

/// The last product of a stream takes less time if its weights come during the steps before it.
#[test]
fn weights_come_while_others_compute() {
    let batch = Batch::new(&open("sim,rows=1,timed"), WeightFormat::Bfp8, 7);
    batch.device.keep_times(true).expect("it boots");
    let product = |in_stream| {
        batch.run(in_stream);
        let times = batch.device.take_times();
        let gated = times.iter().filter(|step| step.operator == "MUL_MAT_BLOCK").nth(4).expect("times");
        gated.end - gated.begin
    };
    let (ahead, alone) = (product(true), product(false));
    assert!(4 * ahead < 3 * alone, "{ahead} clocks, and {alone} without");
}
