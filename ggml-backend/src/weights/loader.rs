//! Converting and uploading weights, on threads that all weights of a model share.
//!
//! A weight is cut into pieces of a few million values. A thread takes a piece, reads its rows from the weight's
//! source, makes tiles of them and writes these to the device. So threads are busy to the end whether a model has one huge
//! tensor or a thousand small ones, and the memory they need is two buffers a thread, whatever the model. Threads end
//! when nothing is left to do.
//!
//! Pieces go through a channel, so that taking one waits for nobody. What counts threads and bytes is behind a lock: a thread ends
//! under it, and pieces are sent under it, so none is sent to threads that are about to end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use parking_lot::{Condvar, Mutex};
use tt_runtime::layout::{Form, Isa, Matrices, Squares};
use tt_runtime::{Device, DramAddr};

use super::WeightError;
use super::choice::Weight;
use super::source::Source;
use crate::abi::log;

/// Values of a piece: some megabytes of tiles.
const PIECE: usize = 1 << 21;
/// Time between two lines about progress.
const PROGRESS: Duration = Duration::from_secs(5);

/// A weight on its way to the device.
pub struct Job {
    weight: Weight,
    form: Form,
    source: Source,
    addr: DramAddr,
    /// Of its columns, once or for each matrix.
    importance: Option<Arc<[f32]>>,
    state: Mutex<JobState>,
    changed: Condvar,
}

struct JobState {
    pieces: usize,
    /// What no magnitude in the pieces that are done is larger than; infinity if it is not known.
    largest: f32,
    failure: Option<String>,
}

impl Job {
    /// Waits until the tiles are on the device.
    ///
    /// # Errors
    /// Why they are not.
    pub fn wait(&self) -> Result<(), String> {
        let mut state = self.state.lock();
        self.changed.wait_while(&mut state, |state| state.pieces > 0);
        state.failure.clone().map_or(Ok(()), Err)
    }

    /// A number that no magnitude is larger than, of exact weights; infinity of others, and of those that are not on the device. Waits until they are.
    pub fn largest(&self) -> f32 {
        let mut state = self.state.lock();
        self.changed.wait_while(&mut state, |state| state.pieces > 0);
        if state.failure.is_some() { f32::INFINITY } else { state.largest }
    }

    /// Waits until no thread works on it any more; what has not begun does not begin.
    pub fn cancel(&self) {
        let mut state = self.state.lock();
        state.failure.get_or_insert_with(|| "given up".to_owned());
        self.changed.wait_while(&mut state, |state| state.pieces > 0);
    }

    fn given_up(&self) -> bool {
        self.state.lock().failure.is_some()
    }

    /// With what no magnitude in the piece is larger than.
    fn finish_piece(&self, result: Result<f32, String>) {
        let mut state = self.state.lock();
        state.pieces -= 1;
        match result {
            // (A number that is none would be lost in a comparison.)
            Ok(largest) if largest <= state.largest => {}
            Ok(largest) => state.largest = if largest.is_nan() { f32::INFINITY } else { largest },
            Err(why) => drop(state.failure.get_or_insert(why)),
        }
        if state.pieces == 0 {
            self.changed.notify_all();
        }
    }

    /// Row bytes, and strips of a matrix.
    fn geometry(&self) -> (usize, usize) {
        let row = self.weight.ty.row_bytes(self.weight.ne[0] as usize).unwrap_or(0);
        (row, (self.weight.ne[1] as usize).div_ceil(32))
    }
}

/// Some strips of one matrix.
struct Piece {
    job: Arc<Job>,
    matrix: usize,
    strips: Range<usize>,
}

/// What was done, for the log and for statistics.
#[derive(Clone, Default, Debug)]
pub struct Totals {
    /// Weights by type and what they became: `q4_0 to BFP8_b`, `q4_0 to exact`.
    pub kinds: BTreeMap<String, u64>,
    /// Values of exact weights that are not exact: -128 of `Q8_0`, which becomes -127.
    pub rounded: u64,
    /// Bytes as ggml has them.
    pub bytes: u64,
    /// Bytes of tiles.
    pub tile_bytes: u64,
    /// From the first weight to the last tile.
    pub wall: Duration,
    /// Time of all threads, reading, converting, uploading.
    pub busy: [Duration; 3],
    /// Most bytes that the threads' buffers had at a time.
    pub staging_bytes: u64,
    /// What was lost, where that was measured.
    pub importance: Importance,
}

/// Errors of the weights whose importance is known.
#[derive(Clone, Copy, Default, Debug)]
pub struct Importance {
    /// Weights.
    pub weights: u64,
    /// All values alike.
    pub plain: Squares,
    /// Columns by their importance.
    pub weighted: Squares,
}

/// What the threads have done, and how many there are.
#[derive(Default)]
struct Work {
    threads: usize,
    totals: Totals,
    done_bytes: u64,
    /// Bytes of the buffers of the threads that there are.
    staging_bytes: u64,
    began: Option<Instant>,
    spoke: Option<Instant>,
    reported: bool,
}

/// What a thread runs.
pub type Task = Box<dyn FnOnce() + Send>;
/// How a thread is started.
pub type Start = fn(Task) -> std::io::Result<()>;

/// Starts a thread that nobody joins: it ends when there is nothing to do.
fn start_thread(task: Task) -> std::io::Result<()> {
    std::thread::Builder::new().name("tt-weights".to_owned()).spawn(task).map(drop)
}

/// Threads and queue of a device.
pub struct Loader {
    device: Arc<Device>,
    shared: Arc<Shared>,
    start: Start,
}

struct Shared {
    pieces: (Sender<Piece>, Receiver<Piece>),
    work: Mutex<Work>,
    idle: Condvar,
}

impl Default for Shared {
    fn default() -> Self {
        Self { pieces: crossbeam_channel::unbounded(), work: Mutex::default(), idle: Condvar::new() }
    }
}

impl Shared {
    /// Whether every piece has been taken.
    fn all_taken(&self) -> bool {
        self.pieces.1.is_empty()
    }

    /// Sends a piece; the channel has its receiver for as long as this is there.
    fn send(&self, piece: Piece) {
        let _ = self.pieces.0.send(piece);
    }

    /// Gives up what no thread has taken.
    fn fail_all(&self, why: &str) {
        for piece in self.pieces.1.try_iter() {
            piece.job.finish_piece(Err(why.to_owned()));
        }
    }
}

impl Loader {
    /// A loader without any thread yet.
    pub fn new(device: Arc<Device>) -> Self {
        Self { device, shared: Arc::default(), start: start_thread }
    }

    /// The same with another way to start threads: one that fails, or waits.
    #[cfg(test)]
    pub fn starting_threads_with(device: Arc<Device>, start: Start) -> Self {
        Self { start, ..Self::new(device) }
    }

    /// Begins to bring a weight's tiles to `addr`.
    pub fn submit(
        &self,
        weight: Weight,
        source: Source,
        addr: DramAddr,
        importance: Option<Arc<[f32]>>,
    ) -> Arc<Job> {
        let form = weight.form();
        let strips = (weight.ne[1] as usize).div_ceil(32);
        let per_piece = (PIECE / (32 * weight.ne[0] as usize).max(1)).clamp(1, strips.max(1));
        let pieces = strips.div_ceil(per_piece) * weight.count();
        let state = Mutex::new(JobState { pieces, largest: 0.0, failure: None });
        let changed = Condvar::new();
        let job = Arc::new(Job { weight, form, source, addr, importance, state, changed });
        let mut state = self.shared.work.lock();
        state.count(&job);
        for matrix in 0..weight.count() {
            for first in (0..strips).step_by(per_piece) {
                let strips = first..strips.min(first + per_piece);
                self.shared.send(Piece { job: Arc::clone(&job), matrix, strips });
            }
        }
        let most = std::thread::available_parallelism().map_or(1, usize::from);
        while state.threads < most.min(self.shared.pieces.1.len()) {
            let (device, shared) = (Arc::clone(&self.device), Arc::clone(&self.shared));
            match (self.start)(Box::new(move || work(&device, &shared))) {
                Ok(()) => state.threads += 1,
                Err(error) if state.threads == 0 => {
                    self.shared.fail_all(&format!("no thread could be started: {error}"));
                }
                Err(_) => break,
            }
        }
        job
    }

    /// Waits until nothing is left to do.
    pub fn finish(&self) {
        let mut state = self.shared.work.lock();
        self.shared.idle.wait_while(&mut state, |state| state.threads > 0);
    }

    /// What was loaded, if anything new was since the last call.
    pub fn news(&self) -> Option<Totals> {
        let mut state = self.shared.work.lock();
        let is_new = !state.reported && self.shared.all_taken() && state.totals.bytes > 0;
        state.reported |= is_new;
        is_new.then(|| state.totals.clone())
    }

    /// How many weights it was given so far.
    pub fn count(&self) -> u64 {
        self.shared.work.lock().totals.kinds.values().sum()
    }

    /// What was loaded so far.
    pub fn totals(&self) -> Totals {
        self.shared.work.lock().totals.clone()
    }
}

impl Work {
    fn count(&mut self, job: &Job) {
        if self.began.is_none() {
            self.began = Some(Instant::now());
            self.spoke = self.began;
        }
        let kind = format!("{} to {}", job.weight.ty.name(), job.form.name());
        *self.totals.kinds.entry(kind).or_default() += 1;
        self.totals.bytes += job.weight.bytes().unwrap_or(0);
        self.totals.tile_bytes += job.weight.tile_bytes();
        self.totals.importance.weights += u64::from(job.importance.is_some());
        self.reported = false;
    }

    /// A piece's bytes are on the device, or will never be.
    fn finished(&mut self, bytes: u64, done: &Done) {
        self.done_bytes += bytes;
        for (total, time) in self.totals.busy.iter_mut().zip(done.busy) {
            *total += time;
        }
        self.totals.rounded += done.rounded;
        self.totals.importance.plain += done.squares[0];
        self.totals.importance.weighted += done.squares[1];
        self.totals.wall = self.began.map_or(Duration::ZERO, |began| began.elapsed());
    }

    /// A thread's buffers have grown by so many bytes.
    fn staged(&mut self, more: u64) {
        self.staging_bytes += more;
        self.totals.staging_bytes = self.totals.staging_bytes.max(self.staging_bytes);
    }

    /// A line about how far it is, if the last one is so long ago. The end has a line of its own.
    fn progress(&mut self, all_taken: bool, pause: Duration) -> Option<String> {
        if all_taken || self.spoke?.elapsed() < pause {
            return None;
        }
        self.spoke = Some(Instant::now());
        let [done, given] = [self.done_bytes, self.totals.bytes].map(|bytes| bytes >> 20);
        Some(format!("weights: {done} of {given} MiB that were given so far are on the device"))
    }
}

/// A thread's work: pieces until there are none.
fn work(device: &Device, shared: &Shared) {
    let mut buffers = (Vec::new(), Vec::new());
    let mut staged = 0;
    loop {
        let Ok(piece) = shared.pieces.1.try_recv() else {
            let mut state = shared.work.lock();
            // Some may have been sent since.
            if !shared.all_taken() {
                continue;
            }
            state.threads -= 1;
            state.staging_bytes -= staged;
            shared.idle.notify_all();
            return;
        };
        let mut done = Done::default();
        let result = if piece.job.given_up() {
            Ok(f32::INFINITY)
        } else {
            catch_unwind(AssertUnwindSafe(|| convert(device, &piece, &mut buffers, &mut done)))
                .unwrap_or_else(|_| Err("internal error while converting".to_owned()))
        };
        let (row, _) = piece.job.geometry();
        let buffered = (buffers.0.capacity() + buffers.1.capacity()) as u64;
        let line = {
            let mut state = shared.work.lock();
            state.staged(buffered - staged);
            state.finished((piece.strips.len() * 32 * row) as u64, &done);
            state.progress(shared.all_taken(), PROGRESS)
        };
        staged = buffered;
        if let Some(line) = line {
            log::info(&line);
        }
        piece.job.finish_piece(result);
    }
}

/// What a piece took, and cost.
#[derive(Default)]
struct Done {
    busy: [Duration; 3],
    squares: [Squares; 2],
    rounded: u64,
}

/// Brings a piece to the device: what no magnitude in it is larger than ([`Matrices::largest`]).
fn convert(
    device: &Device,
    piece: &Piece,
    (bytes, tiles): &mut (Vec<u8>, Vec<u8>),
    Done { busy, squares, rounded }: &mut Done,
) -> Result<f32, String> {
    let job = &*piece.job;
    let [k, n, ..] = job.weight.ne.map(|n| n as usize);
    let (row, strips) = job.geometry();
    let rows = piece.strips.start * 32..n.min(piece.strips.end * 32);
    let mut begin = Instant::now();
    let mut lap = |index: usize| {
        busy[index] = begin.elapsed();
        begin = Instant::now();
    };
    bytes.resize(rows.len() * row, 0);
    let at = (piece.matrix * n + rows.start) * row;
    job.source.read(at as u64, bytes).map_err(|error| format!("its bytes cannot be read: {error}"))?;
    lap(0);
    let source = Matrices::new(job.weight.ty, bytes, k, rows.len(), 1).map_err(|error| error.to_string())?;
    let strip = source.strip_bytes(job.form);
    tiles.resize(strip * piece.strips.len(), 0);
    *rounded = source.pack_strips(job.form, Isa::best(), 0..piece.strips.len(), tiles) as u64;
    if let Some(importance) = &job.importance {
        let of_matrix = importance.chunks_exact(k.max(1)).cycle().nth(piece.matrix).unwrap_or_default();
        *squares = source.squares(job.form, 0..piece.strips.len(), tiles, of_matrix);
    }
    let largest = source.largest(job.form, tiles);
    lap(1);
    let offset = (piece.matrix * strips + piece.strips.start) * strip;
    let place = job.weight.tiles(job.addr.0).ok_or_else(|| WeightError::Format.to_string())?;
    device.write_tiles(&place, offset as u64, tiles).map_err(|error| error.to_string())?;
    lap(2);
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_runtime::layout::GgmlType;

    #[test]
    fn long_loads_say_how_far_they_are() {
        let mut state = Work::default();
        assert_eq!(state.progress(false, Duration::ZERO), None, "nothing has begun");
        let weight = Weight { ty: GgmlType::F32, ne: [1024, 1024, 1, 1] };
        let file = super::super::source::Sources::default().keep(&[0; 64]).unwrap();
        let job = Arc::new(Job {
            weight,
            form: weight.form(),
            source: file,
            addr: DramAddr(0),
            importance: None,
            state: Mutex::new(JobState { pieces: 2, largest: 0.0, failure: None }),
            changed: Condvar::new(),
        });
        state.count(&job);
        state.finished(2 << 20, &Done::default());
        assert_eq!(state.progress(false, PROGRESS), None, "it is too early");
        let line = state.progress(false, Duration::ZERO).unwrap();
        assert_eq!(line, "weights: 2 of 4 MiB that were given so far are on the device");
        state.finished(2 << 20, &Done::default());
        assert_eq!(state.progress(true, Duration::ZERO), None, "the end has a line of its own");
    }
}
