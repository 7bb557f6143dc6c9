//! Weights that are read before their step begins: the same bytes as without that, on every simulator, whatever comes between two products; and time.

use std::sync::Arc;

use crate::common::{Rng, open, seeds, simulator, upload, upload_weights};
use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::ops::elementwise::Unary;
use tt_runtime::ops::rows::NormFunction;
use tt_runtime::{Allocation, Device, DramAddr, ElementType, Error, OpDescriptor, TensorView, ops};

/// Elements of a row, and of a longer one: on eight tiles the products with a matrix of these extents have 24 blocks of weights on each tile.
const SHORT: u32 = 512;
const LONG: u32 = 3072;

fn bytes(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

fn row(device: &Arc<Device>, values: Vec<u8>) -> (Allocation, TensorView) {
    let len = values.len() as u32 / 4;
    let (memory, addr) = upload(device, &values, 0);
    (memory, TensorView::contiguous(ElementType::F32, addr, [len, 1, 1, 1]))
}

/// A feed-forward part of a model, on some device.
struct Model {
    device: Arc<Device>,
    workers: u32,
    up: TensorView,
    down: TensorView,
    aside: TensorView,
    factors: TensorView,
    short: [TensorView; 2],
    long: [TensorView; 2],
    _memory: Vec<Allocation>,
}

impl Model {
    fn new(device: &Arc<Device>, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut memory = Vec::new();
        let mut keep = |(allocation, view): (Allocation, TensorView)| {
            memory.push(allocation);
            view
        };
        let mut weights = |k: u32, n: u32| {
            let values = bytes((0..k * n).map(|_| rng.unit() / 16.0));
            let tiles =
                pack(WeightFormat::Bf16, GgmlType::F32, &values, k as usize, n as usize, 1).expect("tiles");
            keep(upload_weights(device, ElementType::TilesBf16, [k, n, 1, 1], &tiles, 0))
        };
        let (up, down, aside) = (weights(SHORT, LONG), weights(LONG, SHORT), weights(SHORT, 96));
        let mut random = |len: u32| keep(row(device, bytes((0..len).map(|_| rng.unit()))));
        let (factors, short, long) =
            (random(SHORT), [(); 2].map(|()| random(SHORT)), [(); 2].map(|()| random(LONG)));
        let workers = device.info().expect("it boots").workers();
        Self { device: Arc::clone(device), workers, up, down, aside, factors, short, long, _memory: memory }
    }

    fn product(&self, weights: &TensorView, from: &TensorView, to: &TensorView) -> OpDescriptor {
        ops::matmul(weights, from, to, self.workers).expect("supported")
    }

    /// Two products in a launch; the function of the first one's result writes over the other's.
    fn up_and_aside(&self, from: &TensorView, to: &TensorView, aside: &TensorView) -> OpDescriptor {
        let aside = TensorView::contiguous(ElementType::F32, aside.addr, [96, 1, 1, 1]);
        let products = [self.product(&self.up, from, to), self.product(&self.aside, from, &aside)];
        ops::matmul_together(&products).expect("supported")
    }

    /// Two layers.
    fn steps(&self) -> Vec<OpDescriptor> {
        let ([x, y], [a, b]) = (&self.short, &self.long);
        let norm = ops::norm_mul(NormFunction::RmsNorm, 1e-5, x, &self.factors, y, self.workers);
        let function = ops::unary(Unary::Silu, &[], a, b, self.workers);
        let layer = [
            norm.expect("supported"),
            self.up_and_aside(y, a, b),
            function.expect("supported"),
            self.product(&self.down, b, x),
        ];
        [layer, layer].concat()
    }

    /// Runs steps in one stream, or each by itself; gives the result's bytes.
    fn run(&self, steps: &[OpDescriptor], in_stream: bool) -> Vec<u8> {
        self.device
            .write(DramAddr(self.short[0].addr), &bytes((0..SHORT).map(|i| (i as f32).sin())))
            .expect("it boots");
        let mut stream = self.device.stream();
        for step in steps {
            stream.push(step).expect("it boots");
            if !in_stream {
                stream.finish().expect("no finding");
            }
        }
        stream.finish().expect("no finding");
        self.result()
    }

    fn result(&self) -> Vec<u8> {
        let mut found = vec![0; 4 * SHORT as usize];
        self.device.read(DramAddr(self.short[0].addr), &mut found).expect("readable");
        found
    }

    /// Rows of the short row, written to where an index that is beyond the end says: the kernel refuses it.
    fn refused(&self) -> (Allocation, OpDescriptor) {
        let (memory, addr) = upload(&self.device, &99_999_u64.to_le_bytes(), 0);
        let index = TensorView::contiguous(ElementType::I64, addr, [1; 4]);
        let rows = |view: &TensorView, n| TensorView::contiguous(ElementType::F32, view.addr, [4, n, 1, 1]);
        let (from, to) = (rows(&self.short[1], 1), rows(&self.long[1], LONG / 4));
        (memory, ops::set_rows(&from, &index, &to, self.workers).expect("supported"))
    }

    /// A function of elements that a lane computes, since they do not lie where the vector unit's would.
    fn slow(&self) -> OpDescriptor {
        let part =
            |view: &TensorView| TensorView::contiguous(ElementType::F32, view.addr + 4, [LONG - 4, 1, 1, 1]);
        ops::unary(Unary::Tanh, &[], &part(&self.long[1]), &part(&self.long[1]), 1).expect("supported")
    }
}

#[test]
fn a_stream_gives_the_same_bytes() {
    let model = Model::new(&simulator(), 1);
    let alone = model.run(&model.steps(), false);
    assert!(alone.iter().any(|&byte| byte != 0));
    assert!(model.run(&model.steps(), true) == alone, "other bytes");
    // As a program, whose steps stay in DRAM.
    let program = model.device.check_steps(model.steps()).expect("in memory");
    for _ in 0..3 {
        model
            .device
            .write(DramAddr(model.short[0].addr), &bytes((0..SHORT).map(|i| (i as f32).sin())))
            .expect("open");
        let mut stream = model.device.stream();
        stream.push_all(&program).expect("open");
        stream.finish().expect("no finding");
        assert!(model.result() == alone, "a program gives other bytes");
    }
}

/// With random delays, and the race detector.
#[test]
fn it_does_not_race() {
    for seed in 0..seeds(2) {
        let model = Model::new(&open(&format!("sim,rows=1,async={seed}")), seed + 1);
        let [alone, in_stream] = [false, true].map(|way| model.run(&model.steps(), way));
        assert!(alone == in_stream, "seed {seed}: other bytes");
    }
}

#[test]
fn the_vendors_simulator_gives_the_same_bytes() {
    let Some(library) = std::env::var_os("TTSIM_LIB") else {
        println!("SKIPPED: TTSIM_LIB is not set");
        return;
    };
    let models = ["sim".to_owned(), format!("ttsim:{}", library.to_string_lossy())]
        .map(|spec| Model::new(&open(&spec), 3));
    let [ours, theirs] = models.map(|model| model.run(&model.steps(), true));
    assert!(ours == theirs, "other bytes");
}

/// A step that a kernel refuses ends a stream while weights of what would have followed are on their way. The rest begins anew, with other weights in
/// between.
#[test]
fn a_refused_step_leaves_nothing_behind() {
    let model = Model::new(&simulator(), 5);
    let steps = model.steps();
    let alone = model.run(&steps, false);
    let (_index, refused) = model.refused();
    for at in [2, 5] {
        let (before, after) = steps.split_at(at);
        // It writes what the function writes anew: behind a product with it.
        model
            .device
            .write(DramAddr(model.short[0].addr), &bytes((0..SHORT).map(|i| (i as f32).sin())))
            .expect("open");
        let mut stream = model.device.stream();
        before.iter().chain([&refused]).chain(after).for_each(|step| stream.push(step).expect("open"));
        let error = stream.finish().expect_err("an index is out of range");
        assert!(
            matches!((error.step, &error.error), (Some(step), Error::Kernel { .. }) if step == at),
            "{error:?}"
        );
        assert!(model.result() == alone, "refused at {at}: other bytes");
    }
    assert!(model.run(&steps, true) == alone, "other bytes afterwards");
    // The stream ends there, and what has been read ahead is not for the next one, which has other weights, and begins on one core.
    let mut stream = model.device.stream();
    [model.product(&model.up, &model.short[1], &model.long[0]), refused, steps[3]]
        .iter()
        .for_each(|step| stream.push(step).expect("open"));
    stream.finish().expect_err("an index is out of range");
    let other = Model::new(&model.device, 6);
    let mut steps = other.steps();
    steps.insert(0, other.slow());
    let alone = other.run(&steps, false);
    assert!(other.run(&steps, true) == alone, "other bytes with other weights");
}

/// A product takes less time behind a step that needs no DRAM if its weights are read during that, and as long as ever behind one that needs the ring's
/// room.
#[test]
fn weights_come_while_others_compute() {
    let model = Model::new(&open("sim,rows=1,timed"), 7);
    let ([x, _], [a, b]) = (&model.short, &model.long);
    let triangle = ops::rows::Triangle::Tri(0);
    let as_matrix = |addr| TensorView::contiguous(ElementType::F32, addr, [16, 16, 1, 1]);
    let needs_room = ops::triangle(triangle, &as_matrix(x.addr), &as_matrix(b.addr), model.workers);
    let needs_room = needs_room.expect("supported");
    let last = |between: &[OpDescriptor]| {
        let mut steps = vec![model.product(&model.up, x, a)];
        steps.extend_from_slice(between);
        steps.push(model.product(&model.up, x, a));
        model.device.keep_times(true).expect("it boots");
        model.run(&steps, true);
        let times = model.device.take_times();
        let last = times.iter().rfind(|step| step.operator == "MUL_MAT").expect("times");
        last.end - last.begin
    };
    let (ahead, behind) = (last(&[model.slow()]), last(&[model.slow(), needs_room]));
    assert!(4 * ahead < 3 * behind, "{ahead} clocks, and {behind} without");
}
