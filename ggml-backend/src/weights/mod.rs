//! Weights: ggml's bytes on the outside, tiles on the device.
//!
//! When a whole matrix is set in a buffer for weights, its place in the arena gets the tiles that the matmul kernel streams
//! (`get_alloc_size` has made that place large enough), and the bytes themselves stay in the file that they come from
//! ([`source`]). Reading and converting happen on threads of their own ([`loader`]) while the program goes on to the
//! next tensor; consumers block until the weight is resident.
//!
//! Whatever else happens to such a place, the answer is that of plain memory. Reading gives the bytes that were set, from
//! their source. Writing to a part of it, or an operator other than `MUL_MAT` that reads it, first puts the bytes back
//! where they were. Matrices without such a place get their tiles beside them when they are first multiplied with ([`copies`]). A weight
//! that is trained has no tiles at all from one graph to the next ([`updated`]).

pub mod choice;
mod copies;
mod imatrix;
mod loader;
mod source;
pub mod strided;
mod updated;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tt_runtime::{Allocation, Device, DramAddr, Error, TensorView};

use crate::abi::log;
use choice::Weight;
use copies::{Copies, PlannedCopy};
use imatrix::Imatrix;
pub use loader::{Importance, Totals};
use loader::{Job, Loader};
use source::{Source, Sources};
use strided::Strided;
use updated::Updated;

/// Why a weight cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WeightError {
    /// It did not get to the device.
    #[error("the weight was not loaded: {0}")]
    Load(String),
    /// Its bytes are not where they were.
    #[error("the weight's bytes are gone: {0}")]
    Source(#[from] std::io::Error),
    /// Two graphs at a time wanted its bytes and its tiles.
    #[error("the weight was put to another use while a node was planned: compute the graph again")]
    Changed,
    /// The kernel cannot read the chosen tiles.
    #[error("the kernel cannot read tiles of this format")]
    Format,
    /// The device.
    #[error(transparent)]
    Device(#[from] Error),
}

/// A place that does not hold ggml's bytes.
enum Place {
    /// Tiles, or tiles on their way.
    Tiles { source: Source, job: Arc<Job> },
    /// Bytes again, because an operator wanted them: they stay.
    Plain,
    /// Nothing that could be used.
    Failed(String),
}

struct Record {
    weight: Weight,
    /// Bytes of the place.
    bytes: u64,
    place: Place,
}

/// Weights of a device.
pub struct Weights {
    device: Arc<Device>,
    records: Mutex<BTreeMap<u64, Record>>,
    sources: Sources,
    loader: Loader,
    copies: Copies,
    updated: Updated,
    /// Whether a weight has got its tiles when it was used, not when it was set.
    adopted: AtomicBool,
    /// Weights that the loader was given before the graph that runs.
    given_before: AtomicU64,
    /// How often a plan that was made before would have become another one.
    changes: AtomicU64,
}

/// Where the tiles of a weight will be when a node has them ([`Weights::acquire`]).
pub enum PlannedTiles {
    /// In the weight's place in the arena.
    InPlace {
        /// Its first byte.
        addr: DramAddr,
        /// The weight.
        weight: Weight,
    },
    /// Beside the bytes.
    Copy(PlannedCopy),
}

impl PlannedTiles {
    /// The kernel's view of them.
    ///
    /// # Errors
    /// The kernel cannot read the chosen tiles.
    pub fn view(&self) -> Result<TensorView, WeightError> {
        match self {
            Self::InPlace { addr, weight } => weight.tiles(addr.0).ok_or(WeightError::Format),
            Self::Copy(copy) => Ok(copy.view()),
        }
    }

    /// Whether they are a copy of these matrices.
    pub fn is_copy_of(&self, of: &Strided) -> bool {
        matches!(self, Self::Copy(copy) if copy.of() == of)
    }
}

/// Tiles of a weight that are on the device. Those beside the bytes live as long as this; those in the weight's place as long as that.
pub struct Tiles {
    _memory: Option<Arc<Allocation>>,
}

/// Who wants a place to be plain memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// Somebody who writes: the next `MUL_MAT` may have tiles again.
    Writing,
    /// An operator: it will want the bytes with every graph.
    Computing,
}

impl Weights {
    /// No weights yet.
    pub fn new(device: Arc<Device>) -> Self {
        Self {
            loader: Loader::new(Arc::clone(&device)),
            device,
            records: Mutex::default(),
            sources: Sources::default(),
            copies: Copies::default(),
            updated: Updated::default(),
            adopted: AtomicBool::new(false),
            given_before: AtomicU64::new(0),
            changes: AtomicU64::new(0),
        }
    }

    /// The same with another way to start the threads that load.
    #[cfg(test)]
    fn starting_threads_with(device: Arc<Device>, start: loader::Start) -> Self {
        Self { loader: Loader::starting_threads_with(Arc::clone(&device), start), ..Self::new(device) }
    }

    /// How often tiles and bytes have changed places so far. A plan holds, with the tiles that were acquired for it, as long as this stays what it is.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    fn has_changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether there are tiles beside bytes: whoever writes to the bytes has to say so ([`before_write`](Self::before_write)).
    pub fn has_copies(&self) -> bool {
        !self.copies.is_empty()
    }

    /// Bytes were written, or freed: copies of them are dropped.
    fn drop_copies(&self, addr: DramAddr, len: u64) {
        if self.copies.changed(addr, len) {
            self.has_changed();
        }
    }

    /// Sets a whole weight. Its place has `weight.place_bytes()` bytes; it is known to importance matrices by its name.
    pub fn set(&self, addr: DramAddr, weight: Weight, name: &str, data: &[u8]) {
        let importance = Imatrix::get().and_then(|imatrix| imatrix.of(name, &weight));
        let bytes = weight.place_bytes().unwrap_or(data.len() as u64);
        self.forget(addr, bytes);
        let place = match self.sources.keep(data) {
            Ok(source) => {
                let job = self.loader.submit(weight, source.clone(), addr, importance);
                Place::Tiles { source, job }
            }
            Err(error) => {
                let why = format!("no space for its bytes in the folder for temporary files: {error}");
                log::error(&format!("weight at {addr}: {why}"));
                Place::Failed(why)
            }
        };
        self.records.lock().insert(addr.0, Record { weight, bytes, place });
        self.has_changed();
    }

    /// Writes a window of anything.
    ///
    /// # Errors
    /// The device, or a weight's source, failed.
    pub fn write(&self, addr: DramAddr, data: &[u8]) -> Result<(), WeightError> {
        self.before_write(addr, data.len() as u64)?;
        Ok(self.device.write(addr, data)?)
    }

    /// Fills a window of anything.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub fn fill(&self, addr: DramAddr, len: u64, value: u8) -> Result<(), WeightError> {
        self.before_write(addr, len)?;
        Ok(self.device.fill(addr, len, value)?)
    }

    /// Reads a window of anything.
    ///
    /// # Errors
    /// The device, or a weight's source, failed.
    pub fn read(&self, addr: DramAddr, out: &mut [u8]) -> Result<(), WeightError> {
        let kept = {
            let records = self.records.lock();
            let found = overlapping(&records, addr, out.len() as u64).next();
            match found.map(|(start, record)| (start, &record.place)) {
                Some((start, Place::Tiles { source, .. })) if start <= addr.0 => {
                    Some((source.clone(), addr.0 - start))
                }
                // A window that begins before a weight: no tensor's, but still to be answered.
                Some((_, Place::Tiles { .. })) => None,
                Some((_, Place::Failed(why))) => return Err(WeightError::Load(why.clone())),
                _ => None,
            }
        };
        match kept {
            Some((source, at)) => {
                source.check()?;
                Ok(source.read(at, out)?)
            }
            None => Ok(self.device.read(addr, out)?),
        }
    }

    /// A range is about to be written: it becomes plain memory, and copies of it are dropped.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub fn before_write(&self, addr: DramAddr, len: u64) -> Result<(), WeightError> {
        self.drop_copies(addr, len);
        self.make_plain(addr, len, For::Writing)
    }

    /// An operator is about to write to a range, and will do so with other graphs.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub fn before_update(&self, addr: DramAddr, len: u64) -> Result<(), WeightError> {
        self.before_write(addr, len)?;
        if self.updated.note(addr, len) {
            self.has_changed();
        }
        Ok(())
    }

    /// Whether operators write to a range, so that tiles of it would soon be old.
    pub fn is_updated(&self, addr: DramAddr, len: u64) -> bool {
        self.updated.contains(addr, len)
    }

    /// A range is about to be read by an operator, as ggml's bytes.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub fn before_compute(&self, addr: DramAddr, len: u64) -> Result<(), WeightError> {
        self.make_plain(addr, len, For::Computing)
    }

    /// A range is freed, or about to be overwritten as a whole.
    pub fn forget(&self, addr: DramAddr, len: u64) {
        self.has_changed();
        self.copies.changed(addr, len);
        self.updated.forget(addr, len);
        let mut records = self.records.lock();
        let starts: Vec<u64> = overlapping(&records, addr, len).map(|(start, _)| start).collect();
        for start in starts {
            if let Some(Record { place: Place::Tiles { job, .. }, .. }) = records.remove(&start) {
                job.cancel();
            }
        }
    }

    /// Whether there are tiles in a range that is to be copied from: they are no bytes.
    pub fn holds_tiles(&self, addr: DramAddr, len: u64) -> bool {
        let records = self.records.lock();
        overlapping(&records, addr, len).any(|(_, record)| !matches!(record.place, Place::Plain))
    }

    /// Puts the bytes of all weights in a range back in their places.
    fn make_plain(&self, addr: DramAddr, len: u64, reason: For) -> Result<(), WeightError> {
        let mut records = self.records.lock();
        if records.is_empty() {
            return Ok(());
        }
        let starts: Vec<u64> = overlapping(&records, addr, len).map(|(start, _)| start).collect();
        for start in starts {
            let Some(record) = records.get_mut(&start) else { continue };
            match &record.place {
                Place::Tiles { source, job } => {
                    job.cancel();
                    source.check()?;
                    self.restore(DramAddr(start), record.weight, source)?;
                }
                Place::Failed(why) if reason == For::Computing => return Err(WeightError::Load(why.clone())),
                // Only setting the whole weight makes it good again.
                Place::Failed(_) => continue,
                Place::Plain => {}
            }
            if reason == For::Writing || !matches!(record.place, Place::Plain) {
                self.has_changed();
            }
            match reason {
                For::Writing => drop(records.remove(&start)),
                For::Computing => record.place = Place::Plain,
            }
        }
        Ok(())
    }

    fn restore(&self, addr: DramAddr, weight: Weight, source: &Source) -> Result<(), WeightError> {
        let bytes = weight.bytes().unwrap_or(0);
        let mut buffer = vec![0; bytes.min(1 << 22) as usize];
        let mut done = 0;
        while done < bytes {
            let now = (bytes - done).min(buffer.len() as u64) as usize;
            source.read(done, &mut buffer[..now])?;
            self.device.write(addr.offset(done), &buffer[..now])?;
            done += now as u64;
        }
        Ok(())
    }

    /// Where the tiles will be of a whole tensor of a buffer for weights, whose place is large enough for them: there, unless an operator wants the
    /// bytes that are in that place (`read_as_bytes`: the one that is planned does), else beside them. Nothing is changed yet.
    ///
    /// # Errors
    /// No memory for tiles beside the bytes.
    pub fn plan_tiles(
        &self,
        addr: DramAddr,
        weight: Weight,
        read_as_bytes: bool,
    ) -> Result<PlannedTiles, WeightError> {
        let in_place = match self.records.lock().get(&addr.0) {
            Some(record) => record.weight == weight && !matches!(record.place, Place::Plain),
            None => true,
        };
        match in_place && !read_as_bytes {
            true => Ok(PlannedTiles::InPlace { addr, weight }),
            false => self.plan_copy(&Strided::contiguous(weight, addr)),
        }
    }

    /// Where tiles beside the bytes will be, for any matrices.
    ///
    /// # Errors
    /// No memory for them.
    pub fn plan_copy(&self, of: &Strided) -> Result<PlannedTiles, WeightError> {
        self.copies.plan(&self.device, of).map(PlannedTiles::Copy)
    }

    /// A number that no magnitude of the weight in the place at `addr` is larger than, when it is resident. Infinity if it is not known: of tiles that are none of exact weights or beside the bytes, or of
    /// bytes whose tiles are still to be made. (They change places then: what was planned is planned anew.)
    pub fn largest(&self, addr: DramAddr) -> f32 {
        let job = match self.records.lock().get(&addr.0) {
            Some(Record { place: Place::Tiles { job, .. }, .. }) => Arc::clone(job),
            _ => return f32::INFINITY,
        };
        job.largest()
    }

    /// Tiles as they were planned. Consumers block here until the weight is resident.
    ///
    /// # Errors
    /// It is not, and will not be until it is set again; or another graph has used it in another way since the plan was made.
    pub fn acquire(&self, planned: PlannedTiles) -> Result<Tiles, WeightError> {
        match planned {
            PlannedTiles::InPlace { addr, weight } => self.in_place(addr, weight),
            PlannedTiles::Copy(copy) => {
                self.before_compute(copy.of().addr, copy.of().span())?;
                self.copies.make(&self.device, copy)
            }
        }
    }

    /// The tiles in a weight's place: those that it has, or new ones from the bytes that are there.
    fn in_place(&self, addr: DramAddr, weight: Weight) -> Result<Tiles, WeightError> {
        let job = {
            let mut records = self.records.lock();
            match records.get(&addr.0) {
                Some(Record { weight: of, place: Place::Tiles { job, .. }, .. }) if *of == weight => {
                    Arc::clone(job)
                }
                Some(Record { place: Place::Failed(why), .. }) => return Err(WeightError::Load(why.clone())),
                Some(_) => return Err(WeightError::Changed),
                None => self.adopt(&mut records, addr, weight)?,
            }
        };
        job.wait().map_err(WeightError::Load)?;
        Ok(Tiles { _memory: None })
    }

    /// A weight that was set in pieces, or before its buffer was for weights: its bytes are in its place.
    fn adopt(
        &self,
        records: &mut BTreeMap<u64, Record>,
        addr: DramAddr,
        weight: Weight,
    ) -> Result<Arc<Job>, WeightError> {
        let mut data = vec![0; weight.bytes().unwrap_or(0) as usize];
        self.device.read(addr, &mut data)?;
        self.drop_copies(addr, data.len() as u64);
        self.has_changed();
        let source = self.sources.keep(&data)?;
        if !self.adopted.swap(true, Ordering::Relaxed) {
            log::info(
                "weights: some were set before their buffer was for weights; their tiles are made when they are used",
            );
        }
        let job = self.loader.submit(weight, source.clone(), addr, None);
        let place = Place::Tiles { source, job: Arc::clone(&job) };
        let bytes = weight.place_bytes().unwrap_or(data.len() as u64);
        records.insert(addr.0, Record { weight, bytes, place });
        Ok(job)
    }

    /// What was loaded, for statistics.
    pub fn totals(&self) -> Totals {
        self.loader.totals()
    }

    /// Waits until all weights that were set are on the device.
    pub fn finish(&self) {
        self.loader.finish();
        self.report();
    }

    /// A graph is about to be computed.
    pub fn graph_begins(&self) {
        self.given_before.store(self.loader.count(), Ordering::Relaxed);
    }

    /// A graph was computed. What was loaded is reported when a graph needed nothing new: a program that sets weights one by one as they are
    /// used gets one report too.
    pub fn graph_ends(&self) {
        if self.given_before.load(Ordering::Relaxed) == self.loader.count() {
            self.report();
        }
    }

    /// Reports what was loaded, if that is news.
    pub fn report(&self) {
        let Some(totals) = self.loader.news() else { return };
        let kinds: Vec<String> = totals.kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let [read, convert, upload] = totals.busy.map(|time| time.as_secs_f64());
        log::info(&format!(
            "weights: {}; {:.1} MiB of tiles from {:.1} MiB in {:.2} s (threads: read {read:.2} s, convert {convert:.2} s, \
             upload {upload:.2} s)",
            kinds.join(", "),
            mib(totals.tile_bytes),
            mib(totals.bytes),
            totals.wall.as_secs_f64(),
        ));
        if totals.rounded > 0 {
            log::info(&format!("weights: {} values are not exact: -128 of q8_0 became -127", totals.rounded));
        }
        if let Importance { weights, plain, weighted } = totals.importance
            && weights > 0
        {
            log::info(&format!(
                "weights: relative squared error {:.3e} by importance, {:.3e} without, of {weights} weights",
                weighted.relative(),
                plain.relative()
            ));
        }
        let copied = self.sources.copied();
        if copied > 0 {
            let folder = std::env::temp_dir();
            log::info(&format!(
                "weights: {:.1} MiB did not come from a mapped file and are kept in {}",
                mib(copied),
                folder.display()
            ));
        }
    }
}

/// Records whose places share bytes with a range; places do not overlap.
fn overlapping(
    records: &BTreeMap<u64, Record>,
    addr: DramAddr,
    len: u64,
) -> impl Iterator<Item = (u64, &Record)> {
    let end = addr.0.saturating_add(len);
    // From the last one that starts before the range.
    let first = records.range(..=addr.0).next_back().map_or(addr.0, |(&start, _)| start);
    let range = if first < end { first..end } else { 0..0 };
    let found = records.range(range).map(|(&start, record)| (start, record));
    found.filter(move |(start, record)| start + record.bytes > addr.0)
}

#[cfg(test)]
mod tests;
