//! Weights against a plain array of bytes, on a device that computes nothing; conversion and transfers on the built-in simulator too.

use std::sync::atomic::{AtomicBool, Ordering};

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::*;
use crate::abi::testing::Mapped;
use tt_runtime::layout::{GgmlType, pack};

fn open(spec: &str) -> Arc<Device> {
    Device::open(&tt_runtime::parse_devices(Some(spec)).unwrap()[0])
}

fn device() -> Arc<Device> {
    open("null")
}

/// Reproducible numbers.
struct Random(SplitMix64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(SplitMix64::seed_from_u64(seed))
    }

    fn below(&mut self, n: usize) -> usize {
        self.0.next_u32() as usize % n.max(1)
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

fn expected_tiles(weight: Weight, data: &[u8]) -> Vec<u8> {
    let [k, n, ..] = weight.ne.map(|n| n as usize);
    pack(weight.form(), weight.ty, data, k, n, weight.count()).unwrap()
}

/// Tiles that a node has.
struct Resident {
    view: TensorView,
    _tiles: Tiles,
}

fn resident(weights: &Weights, planned: PlannedTiles) -> Result<Resident, WeightError> {
    Ok(Resident { view: planned.view()?, _tiles: weights.acquire(planned)? })
}

/// Tiles of a weight that no operator reads as bytes.
fn tiles(weights: &Weights, addr: DramAddr, weight: Weight) -> Result<Resident, WeightError> {
    resident(weights, weights.plan_tiles(addr, weight, false)?)
}

fn tiles_on_device(device: &Device, tiles: &Resident, bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    device.read_tiles(&tiles.view, 0, &mut out).unwrap();
    out
}

#[test]
fn every_type_is_set_packed_and_read_back() {
    let device = open("sim");
    let weights = Weights::new(Arc::clone(&device));
    let mut random = Random::new(5);
    let mut memory = Vec::new();
    let mut set = Vec::new();
    let fills = [None].into_iter().chain(ADVERSARIAL.map(Some));
    for (fill, ty) in fills.flat_map(|fill| GgmlType::ALL.map(|ty| (fill, ty))) {
        let weight = Weight { ty, ne: [ty.block().0.max(32) as u32 * 2, 70, 2, 1] };
        let bytes = weight.bytes().unwrap() as usize;
        let data = match fill {
            None => random.bytes(bytes),
            Some(half) => half.to_le_bytes().into_iter().cycle().take(bytes).collect(),
        };
        let place = weight.place_bytes().unwrap_or(data.len() as u64);
        let arena = device.alloc(place).unwrap();
        if weight.place_bytes().is_some() {
            weights.set(arena.addr(), weight, "w", &data);
        } else {
            weights.write(arena.addr(), &data).unwrap();
        }
        set.push((arena.addr(), weight, data));
        memory.push(arena);
    }
    for (addr, weight, data) in &set {
        let tiles = match weight.place_bytes() {
            Some(_) => tiles(&weights, *addr, *weight).unwrap(),
            None => {
                resident(&weights, weights.plan_copy(&Strided::contiguous(*weight, *addr)).unwrap()).unwrap()
            }
        };
        let want = expected_tiles(*weight, data);
        assert!(tiles_on_device(&device, &tiles, want.len()) == want, "{:?}", weight.ty);
        let mut back = vec![0; data.len()];
        weights.read(*addr, &mut back).unwrap();
        assert!(back == *data, "{:?} reads back something else", weight.ty);
    }
    let report = weights.totals();
    assert!(report.kinds["q4_0 to BFP8_b"] == 1 + ADVERSARIAL.len() as u64 && report.tile_bytes > 0);
}

/// Blocks are filled with these: scales of zero, of the smallest denormal, the largest number, infinity, NaN, and quants of all kinds
/// beside them.
const ADVERSARIAL: [u16; 6] = [0, 1, 0x7BFF, 0x7C00, 0xFC00, 0xFFFF];

/// Random sequences of everything that can happen to a weight and its surroundings. `TT_FULL` runs as many as the
/// project promises.
#[test]
fn random_windows_match_plain_memory() {
    const WEIGHTS: usize = 3;
    const SLOT: usize = 8192;
    let device = device();
    let weights = Weights::new(Arc::clone(&device));
    let arena = device.alloc((WEIGHTS * SLOT) as u64).unwrap();
    let kinds = [
        Weight { ty: GgmlType::Q4_0, ne: [64, 37, 1, 1] },
        Weight { ty: GgmlType::Q8_0, ne: [32, 40, 2, 1] },
        Weight { ty: GgmlType::F16, ne: [32, 32, 1, 1] },
    ];
    let at = |i: usize| arena.addr().offset((i * SLOT) as u64);
    let mut random = Random::new(11);
    let mut bytes: Vec<Vec<u8>> = kinds.iter().map(|w| vec![0; w.bytes().unwrap() as usize]).collect();
    weights.fill(arena.addr(), (WEIGHTS * SLOT) as u64, 0).unwrap();
    let sequences = if std::env::var_os("TT_FULL").is_some() { 100_000 } else { 3_000 };
    for sequence in 0..sequences {
        for _ in 0..1 + random.below(4) {
            let i = random.below(WEIGHTS);
            let (weight, all) = (kinds[i], bytes[i].len());
            let from = random.below(all);
            let len = 1 + random.below(all - from);
            let place = at(i).offset(from as u64);
            match random.below(8) {
                0 | 1 => {
                    bytes[i] = random.bytes(all);
                    weights.set(at(i), weight, "w", &bytes[i]);
                }
                2 => {
                    let data = random.bytes(len);
                    weights.write(place, &data).unwrap();
                    bytes[i][from..from + len].copy_from_slice(&data);
                }
                3 => {
                    weights.fill(place, len as u64, sequence as u8).unwrap();
                    bytes[i][from..from + len].fill(sequence as u8);
                }
                4 => weights.before_compute(place, len as u64).unwrap(),
                5 => {
                    let tiles = tiles(&weights, at(i), weight).unwrap();
                    let want = expected_tiles(weight, &bytes[i]);
                    assert!(tiles_on_device(&device, &tiles, want.len()) == want, "sequence {sequence}");
                }
                6 if random.below(50) == 0 => {
                    weights.forget(arena.addr(), (WEIGHTS * SLOT) as u64);
                    device.fill(arena.addr(), (WEIGHTS * SLOT) as u64, 9).unwrap();
                    bytes.iter_mut().for_each(|bytes| bytes.fill(9));
                }
                _ => {
                    let mut out = vec![0; len];
                    weights.read(place, &mut out).unwrap();
                    assert!(out == bytes[i][from..from + len], "sequence {sequence}");
                }
            }
        }
    }
    for (i, bytes) in bytes.iter().enumerate() {
        let mut out = vec![0; bytes.len()];
        weights.read(at(i), &mut out).unwrap();
        assert!(out == *bytes, "weight {i} at the end");
    }
}

#[test]
fn what_did_not_get_to_the_device_is_never_computed_with() {
    let device = device();
    let weights = Weights::new(Arc::clone(&device));
    let weight = Weight { ty: GgmlType::Q8_0, ne: [256, 64, 1, 1] };
    let data = vec![1; weight.bytes().unwrap() as usize];
    // Beyond the end of the memory.
    let nowhere = DramAddr(12 << 30);
    weights.set(nowhere, weight, "w", &data);
    for _ in 0..2 {
        assert!(matches!(tiles(&weights, nowhere, weight), Err(WeightError::Load(_))));
    }
    // The bytes are still there to be read.
    let mut back = vec![0; data.len()];
    weights.read(nowhere, &mut back).unwrap();
    assert_eq!(back, data);
}

/// An optimiser writes to a weight with every graph: all bits of its bytes stay, no tiles are made of them, and nothing is copied to the host.
#[test]
fn a_weight_that_operators_write_to_is_its_bytes() {
    let device = device();
    let weights = Weights::new(Arc::clone(&device));
    let weight = Weight { ty: GgmlType::F32, ne: [64, 64, 1, 1] };
    let floats = |factor: f32| -> Vec<u8> {
        (0..64 * 64).flat_map(|i| (i as f32 * factor + 1.0e-6).to_le_bytes()).collect()
    };
    let data = floats(0.3);
    let len = data.len() as u64;
    let place = device.alloc(weight.place_bytes().unwrap()).unwrap();
    let addr = place.addr();
    weights.set(addr, weight, "w", &data);
    tiles(&weights, addr, weight).unwrap();
    assert!(!weights.is_updated(addr, len));
    let kept = weights.sources.copied();
    let mut back = vec![0; data.len()];
    for step in 1..4 {
        weights.before_update(addr, len).unwrap();
        device.read(addr, &mut back).unwrap();
        assert!(back == if step == 1 { data.clone() } else { floats(step as f32) }, "step {step}");
        // What the operator does.
        device.write(addr, &floats(step as f32 + 1.0)).unwrap();
        weights.before_compute(addr, len).unwrap();
        weights.read(addr, &mut back).unwrap();
        assert!(back == floats(step as f32 + 1.0) && weights.is_updated(addr, len), "step {step}");
    }
    assert_eq!(weights.sources.copied(), kept);
    // Set as a whole it is a weight like others.
    let data = floats(7.0);
    weights.set(addr, weight, "w", &data);
    assert!(!weights.is_updated(addr, len));
    let (tiles, want) = (tiles(&weights, addr, weight).unwrap(), expected_tiles(weight, &data));
    assert!(tiles_on_device(&device, &tiles, want.len()) == want);
}

#[test]
fn a_thread_that_does_not_start_fails_the_weight_until_it_is_set_again() {
    static NONE_LEFT: AtomicBool = AtomicBool::new(true);
    let device = device();
    let weights = Weights::starting_threads_with(Arc::clone(&device), |work| {
        if NONE_LEFT.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("no more threads"));
        }
        std::thread::spawn(work);
        Ok(())
    });
    let weight = Weight { ty: GgmlType::Q8_0, ne: [256, 64, 1, 1] };
    let data = Random::new(7).bytes(weight.bytes().unwrap() as usize);
    let memory = device.alloc(weight.place_bytes().unwrap()).unwrap();
    weights.set(memory.addr(), weight, "w", &data);
    for _ in 0..2 {
        match tiles(&weights, memory.addr(), weight) {
            Err(WeightError::Load(why)) => assert!(why.contains("no more threads"), "{why}"),
            _ => panic!("tiles of what was never loaded"),
        }
    }
    let mut back = vec![0; data.len()];
    weights.read(memory.addr(), &mut back).unwrap();
    assert!(back == data);
    // Nothing waits for the threads that there are not.
    weights.finish();
    NONE_LEFT.store(false, Ordering::Relaxed);
    weights.set(memory.addr(), weight, "w", &data);
    let tiles = tiles(&weights, memory.addr(), weight).unwrap();
    let want = expected_tiles(weight, &data);
    assert!(tiles_on_device(&device, &tiles, want.len()) == want);
}

/// The model file is cut short when a part of the weight has been read.
#[test]
fn a_file_that_ends_early_fails_the_weight() {
    static WAITING: Mutex<Vec<loader::Task>> = Mutex::new(Vec::new());
    let device = device();
    let weights = Weights::starting_threads_with(Arc::clone(&device), |work| {
        WAITING.lock().push(work);
        Ok(())
    });
    // Several pieces.
    let weight = Weight { ty: GgmlType::Q8_0, ne: [4096, 2048, 1, 1] };
    let data = Random::new(8).bytes(weight.bytes().unwrap() as usize);
    let path = std::env::temp_dir().join(format!("tt-weights-test-{}", std::process::id()));
    std::fs::write(&path, &data).unwrap();
    let file = Mapped::new(&path, data.len());
    let memory = device.alloc(weight.place_bytes().unwrap()).unwrap();
    weights.set(memory.addr(), weight, "w", file.bytes());
    assert_eq!(weights.sources.copied(), 0, "the file's bytes were copied");
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(data.len() as u64 / 2).unwrap();
    let work: Vec<loader::Task> = std::mem::take(&mut *WAITING.lock());
    assert!(!work.is_empty());
    work.into_iter().for_each(|work| work());
    match tiles(&weights, memory.addr(), weight) {
        Err(WeightError::Load(why)) => assert!(why.contains("cannot be read"), "{why}"),
        _ => panic!("tiles of half a weight"),
    }
    // What is left of the file is not the weight's bytes any more.
    let mut back = vec![0; 64];
    assert!(matches!(weights.read(memory.addr(), &mut back), Err(WeightError::Source(_))));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn one_large_and_many_small_weights_share_the_threads() {
    let device = device();
    let weights = Weights::new(Arc::clone(&device));
    let large = Weight { ty: GgmlType::Q4_K, ne: [2048, 4096, 1, 1] };
    let small = Weight { ty: GgmlType::Q6_K, ne: [256, 32, 1, 1] };
    let mut random = Random::new(3);
    let mut placed = Vec::new();
    for weight in std::iter::once(large).chain([small; 200]) {
        let memory = device.alloc(weight.place_bytes().unwrap()).unwrap();
        let unit = random.bytes(weight.bytes().unwrap().min(1 << 16) as usize);
        let data: Vec<u8> = unit.iter().copied().cycle().take(weight.bytes().unwrap() as usize).collect();
        weights.set(memory.addr(), weight, "w", &data);
        placed.push((memory, weight, data));
    }
    for (memory, weight, data) in &placed {
        let tiles = tiles(&weights, memory.addr(), *weight).unwrap();
        let want = expected_tiles(*weight, data);
        assert!(tiles_on_device(&device, &tiles, want.len()) == want, "{weight:?}");
    }
    // What docs/weights.md says of a piece's bytes and tiles.
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let staging = weights.totals().staging_bytes;
    assert!(staging > 0 && staging <= threads * (12 << 20), "{staging} bytes");
}

#[test]
fn a_plan_changes_nothing_and_does_not_outlive_another_use() {
    let device = device();
    let weights = Weights::new(Arc::clone(&device));
    let weight = Weight { ty: GgmlType::Q8_0, ne: [64, 64, 1, 1] };
    let data = Random::new(9).bytes(weight.bytes().unwrap() as usize);
    let memory = device.alloc(weight.place_bytes().unwrap()).unwrap();
    let addr = memory.addr();
    weights.set(addr, weight, "w", &data);
    weights.finish();
    let want = expected_tiles(weight, &data);
    let in_place = || {
        let view = weight.tiles(addr.0).unwrap();
        let mut found = vec![0; want.len()];
        device.read_tiles(&view, 0, &mut found).unwrap();
        found == want
    };
    let planned = weights.plan_tiles(addr, weight, false).unwrap();
    assert_eq!(planned.view().unwrap().addr, addr.0);
    // An operator that wants its bytes too.
    let beside = weights.plan_tiles(addr, weight, true).unwrap();
    assert_ne!(beside.view().unwrap().addr, addr.0);
    assert!(in_place(), "planning has touched the weight's place");
    let resident = resident(&weights, beside).unwrap();
    assert!(tiles_on_device(&device, &resident, want.len()) == want);
    let mut bytes = vec![0; data.len()];
    device.read(addr, &mut bytes).unwrap();
    assert!(bytes == data, "the bytes are back in their place");
    // The first plan counted on tiles that are not there any more.
    assert!(matches!(weights.acquire(planned), Err(WeightError::Changed)));
    let again = weights.plan_tiles(addr, weight, false).unwrap();
    assert_eq!(again.view().unwrap().addr, resident.view.addr, "the copy that there is");
}
