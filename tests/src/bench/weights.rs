//! How fast weights become tiles: values per second, with the speed of memory and of the vendor's functions in the same run.
//!
//! Every figure is the best of many short runs, which alternate with the runs that it is compared with: other work on the
//! machine can only make a run longer. Figures of one thread use processor time, and so does the vendor's function on one
//! processor, so waiting for a busy processor does not count. Figures of two threads use wall time.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tt_runtime::layout::{Form, GgmlType, Isa, Matrices, WeightFormat, pack_into, packed_bytes};

use super::machine::{Room, processor_time};
use crate::blocks::half_fields;
use crate::random::Random;

/// Columns and rows of the matrix: a feed-forward matrix of a 1 B model.
const K: usize = 2048;
const N: usize = 5632;
/// Runs of a round.
const RUNS: usize = 5;
/// Rounds.
pub const ROUNDS: usize = 7;

/// A matrix of some type, and room for its tiles.
pub struct Work {
    ty: GgmlType,
    bytes: Room,
    tiles: Room,
    copy: Room,
}

/// Values per second of the three ways through the same matrix.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// To BFP8_b tiles.
    pub pack: f64,
    /// To exact weights; infinite where a type cannot be exact.
    pub exact: f64,
    /// To single precision in the cache, and no further.
    pub dequantise: f64,
    /// Copying the type's bytes on one thread.
    pub memcpy: f64,
}

impl Rates {
    /// The larger figures.
    #[must_use]
    pub fn best(self, other: Self) -> Self {
        Self {
            pack: self.pack.max(other.pack),
            exact: self.exact.max(other.exact),
            dequantise: self.dequantise.max(other.dequantise),
            memcpy: self.memcpy.max(other.memcpy),
        }
    }
}

impl Work {
    /// Random values; scales are finite.
    pub fn new(ty: GgmlType) -> Self {
        let (_, block) = ty.block();
        let mut bytes = Room::new(ty.row_bytes(K).unwrap_or(0) * N);
        let random = Random::new(3).bytes(bytes.len());
        bytes.copy_from_slice(&random);
        match ty {
            GgmlType::F32 => {
                let mut random = Random::new(4);
                let value = |random: &mut Random| random.bits() as i32 as f32 / 2f32.powi(31);
                bytes.as_chunks_mut().0.iter_mut().for_each(|b| *b = value(&mut random).to_le_bytes());
            }
            _ => {
                for half in half_fields(ty) {
                    bytes.chunks_exact_mut(block).for_each(|b| b[half + 1] = b[half + 1] & 0x83 | 0x20);
                }
            }
        }
        let forms = [Some(WeightFormat::Bfp8.into()), Form::exact(ty)];
        let bytes_of = |form| packed_bytes(form, K, N, 1);
        let tiles = Room::new(forms.into_iter().flatten().map(bytes_of).max().unwrap_or(0));
        let copy = Room::new(bytes.len());
        Self { ty, bytes, tiles, copy }
    }

    /// The best of all rounds with this many threads.
    pub fn rates(&mut self, threads: usize) -> Rates {
        (0..ROUNDS).map(|_| self.round(threads)).fold(Rates::default(), Rates::best)
    }

    /// The best of one round.
    pub fn round(&mut self, threads: usize) -> Rates {
        let clock = if threads == 1 { processor_time } else { wall_time };
        let mut best = [Duration::MAX; 4];
        for _ in 0..RUNS {
            best[0] = best[0].min(time(clock, || self.pack(WeightFormat::Bfp8.into(), threads)));
            best[3] = best[3].min(match Form::exact(self.ty) {
                Some(form) => time(clock, || self.pack(form, threads)),
                None => Duration::ZERO,
            });
            best[1] = best[1].min(time(clock, || self.dequantise(threads)));
            best[2] = best[2].min(time(processor_time, || {
                self.copy.copy_from_slice(black_box(&self.bytes));
                black_box(&self.copy);
            }));
        }
        let [pack, dequantise, memcpy, exact] = best.map(|time| (K * N) as f64 / time.as_secs_f64());
        Rates { pack, exact, dequantise, memcpy }
    }

    fn pack(&mut self, form: Form, threads: usize) {
        let Ok(source) = Matrices::new(self.ty, black_box(&self.bytes), K, N, 1) else { return };
        let out = &mut self.tiles[..packed_bytes(form, K, N, 1)];
        pack_into(form, Isa::best(), &source, threads, out);
        black_box(&self.tiles);
    }

    fn dequantise(&self, threads: usize) {
        let row = self.ty.row_bytes(K).unwrap_or(1);
        std::thread::scope(|scope| {
            for part in self.bytes.chunks(row * N.div_ceil(threads)) {
                scope.spawn(move || {
                    let mut values = vec![0.0; K];
                    for row in part.chunks_exact(row) {
                        Isa::best().dequantise(self.ty, row, &mut values);
                        black_box(&values);
                    }
                });
            }
        });
    }
}

/// Time on the wall since the first call.
fn wall_time() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

fn time(clock: fn() -> Duration, run: impl FnOnce()) -> Duration {
    let start = clock();
    run();
    clock().saturating_sub(start)
}
