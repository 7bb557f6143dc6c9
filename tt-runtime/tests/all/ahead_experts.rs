//! Weights of a `MUL_MAT_ID` that are read before its step begins, once the indices are known: the same bytes as without that, on every simulator; errors; and time.

use std::sync::Arc;

use crate::common::{Rng, open, seeds, simulator, upload, upload_weights};
use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::ops::elementwise::{Binary, Glu, Unary};
use tt_runtime::{Allocation, Device, DramAddr, ElementType, Error, OpDescriptor, TensorView, ops};

/// Elements of a row, and of a row between the products of an expert.
const SHORT: u32 = 256;
const LONG: u32 = 320;
/// Matrices, and how many of them a token has.
const EXPERTS: u32 = 12;
const USED: u32 = 3;

fn bytes(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// A mixture of experts, on some device.
struct Mixture {
    device: Arc<Device>,
    workers: u32,
    router: TensorView,
    up: TensorView,
    gate: TensorView,
    down: TensorView,
    x: TensorView,
    logits: TensorView,
    order: TensorView,
    /// What an expert makes: the gated unit, and its result.
    unit: TensorView,
    result: TensorView,
    _memory: Vec<Allocation>,
}

impl Mixture {
    fn new(device: &Arc<Device>, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut memory = Vec::new();
        let mut weights = |k: u32, n: u32, count: u32| {
            let values = bytes((0..k * n * count).map(|_| rng.unit() / 16.0));
            let [tile_k, tile_n, matrices] = [k, n, count].map(|extent| extent as usize);
            let tiles = pack(WeightFormat::Bfp8, GgmlType::F32, &values, tile_k, tile_n, matrices);
            let ne = [k, n, count, 1];
            let (allocation, view) =
                upload_weights(device, ElementType::TilesBfp8, ne, &tiles.expect("tiles"), 0);
            memory.push(allocation);
            view
        };
        let router = weights(SHORT, EXPERTS, 1);
        let (up, gate) = (weights(SHORT, LONG, EXPERTS), weights(SHORT, LONG, EXPERTS));
        let down = weights(LONG, SHORT, EXPERTS);
        let mut keep = |ty: ElementType, ne: [u32; 4]| {
            let (allocation, addr) = upload(device, &vec![0; 4 * ne.iter().product::<u32>() as usize], 0);
            memory.push(allocation);
            TensorView::contiguous(ty, addr, ne)
        };
        let (x, logits) =
            (keep(ElementType::F32, [SHORT, 1, 1, 1]), keep(ElementType::F32, [EXPERTS, 1, 1, 1]));
        let order = keep(ElementType::I32, [EXPERTS, 1, 1, 1]);
        let (unit, result) =
            (keep(ElementType::F32, [LONG, USED, 1, 1]), keep(ElementType::F32, [SHORT, USED, 1, 1]));
        let workers = device.info().expect("it boots").workers();
        let device = Arc::clone(device);
        let _memory = memory;
        Self { device, workers, router, up, gate, down, x, logits, order, unit, result, _memory }
    }

    /// The first indices.
    fn ids(&self) -> TensorView {
        TensorView { ne: [USED, 1, 1, 1], ..self.order }
    }

    fn by_ids(&self, weights: &TensorView, from: &TensorView, to: &TensorView) -> OpDescriptor {
        ops::matmul_id(weights, from, &self.ids(), to, self.workers).expect("supported")
    }

    /// Which experts there are.
    fn choose(&self) -> [OpDescriptor; 2] {
        [
            ops::matmul(&self.router, &self.x, &self.logits, self.workers).expect("supported"),
            ops::argsort(true, &self.logits, &self.order, self.workers).expect("supported"),
        ]
    }

    /// What they make of the row.
    fn experts(&self) -> Vec<OpDescriptor> {
        let [up, gate] = [&self.up, &self.gate].map(|weights| self.by_ids(weights, &self.x, &self.unit));
        let mut steps = vec![
            ops::matmul_glu(Glu::Swiglu, [0.0; 2], &gate, &up, &self.unit).expect("supported"),
            self.by_ids(&self.down, &self.unit, &self.result),
        ];
        steps.extend((0..USED).map(|expert| {
            let row = TensorView {
                addr: self.result.addr + u64::from(expert) * self.result.nb[1],
                ne: self.x.ne,
                ..self.result
            };
            ops::binary(Binary::Add, &self.x, &row, &self.x, self.workers).expect("supported")
        }));
        steps
    }

    /// Two layers: the second one chooses others.
    fn steps(&self) -> Vec<OpDescriptor> {
        let layer = [&self.choose()[..], &self.experts()].concat();
        [layer.clone(), layer].concat()
    }

    /// A function of elements that a lane computes, since they do not lie where the vector unit's would.
    fn slow(&self) -> OpDescriptor {
        let part = TensorView { addr: self.unit.addr + 4, ne: [LONG - 4, USED, 1, 1], ..self.unit };
        ops::unary(Unary::Tanh, &[], &part, &part, 1).expect("supported")
    }

    fn begin(&self) {
        let row = bytes((0..SHORT).map(|i| (i as f32).sin()));
        self.device.write(DramAddr(self.x.addr), &row).expect("it boots");
    }

    /// Runs steps in one stream, or each by itself; gives the bytes of the row and of the indices.
    fn run(&self, steps: &[OpDescriptor], in_stream: bool) -> [Vec<u8>; 2] {
        self.begin();
        let mut stream = self.device.stream();
        for step in steps {
            stream.push(step).expect("it boots");
            if !in_stream {
                stream.finish().expect("no finding");
            }
        }
        stream.finish().expect("no finding");
        [&self.x, &self.order].map(|view| self.read(view))
    }

    fn read(&self, view: &TensorView) -> Vec<u8> {
        let mut found = vec![0; view.span() as usize];
        self.device.read(DramAddr(view.addr), &mut found).expect("readable");
        found
    }
}

#[test]
fn a_stream_gives_the_same_bytes() {
    let model = Mixture::new(&simulator(), 1);
    let alone = model.run(&model.steps(), false);
    assert!(model.run(&model.steps(), true) == alone, "other bytes");
    // Experts are chosen: other ones than at first.
    let [_, first] = model.run(&model.steps()[..2], true);
    assert!(first != alone[1], "both layers have the same experts");
    // As a program, whose steps stay in DRAM: indices of one run are not those of the next.
    let program = model.device.check_steps(model.steps()).expect("in memory");
    for _ in 0..3 {
        model.begin();
        let mut stream = model.device.stream();
        stream.push_all(&program).expect("open");
        stream.finish().expect("no finding");
        assert!(model.read(&model.x) == alone[0], "a program gives other bytes");
    }
}

/// With random delays, and the race detector: who writes the indices may be late.
#[test]
fn it_does_not_race() {
    for seed in 0..seeds(2) {
        let model = Mixture::new(&open(&format!("sim,rows=1,async={seed}")), seed + 1);
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
        .map(|spec| Mixture::new(&open(&spec), 3));
    let [ours, theirs] = models.map(|model| model.run(&model.steps(), true));
    assert!(ours == theirs, "other bytes");
}

/// An index of no matrix that is read ahead is an error of the product that has it, and leaves nothing behind.
#[test]
fn an_index_of_no_matrix_is_an_error_of_its_product() {
    let model = Mixture::new(&simulator(), 5);
    let steps = [&model.choose()[..1], &[model.slow()], &model.experts()].concat();
    let put = |ids: [u32; USED as usize]| {
        let ids: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        model.device.write(DramAddr(model.order.addr), &ids).expect("open");
    };
    put([3, 1, 2]);
    let alone = model.run(&steps, false);
    put([3, EXPERTS + 7, 2]);
    model.begin();
    let mut stream = model.device.stream();
    steps.iter().for_each(|step| stream.push(step).expect("open"));
    let error = stream.finish().expect_err("there is no such matrix");
    assert!(matches!((error.step, &error.error), (Some(2), Error::Kernel { .. })), "{error:?}");
    assert!(error.error.to_string().contains("row index 19 of source row 0"), "{error:?}");
    put([3, 1, 2]);
    assert!(model.run(&steps, true) == alone, "other bytes afterwards");
}

/// A product by indices takes less time if these are known before its step begins.
#[test]
fn weights_come_when_indices_are_known() {
    let model = Mixture::new(&open("sim,rows=1,timed"), 7);
    let [router, sort] = model.choose();
    let first = |before: [OpDescriptor; 3]| {
        let steps = [&before[..], &model.experts()].concat();
        model.device.keep_times(true).expect("it boots");
        model.run(&steps, true);
        let times = model.device.take_times();
        let product = times.iter().filter(|step| step.operator == "MUL_MAT").nth(1).expect("times");
        product.end - product.begin
    };
    let (ahead, behind) = (first([router, sort, model.slow()]), first([router, model.slow(), sort]));
    assert!(4 * ahead < 3 * behind, "{ahead} clocks, and {behind} without");
}
