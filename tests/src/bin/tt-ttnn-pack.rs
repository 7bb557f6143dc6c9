//! The vendor's own packing functions, from the `ttnn` wheel's library: a filter for tests and measurements.
//!
//! ```text
//! tt-ttnn-pack FORMAT                  values from standard input to tiles on standard output
//! tt-ttnn-pack FORMAT unpack           tiles to values
//! tt-ttnn-pack tilize ROWS COLUMNS     values of a matrix, row by row, to values in the order of tiles and their datums
//! tt-ttnn-pack untilize ROWS COLUMNS   the reverse
//! tt-ttnn-pack FORMAT SECONDS [one]    packs 4 Mi values again and again; prints values per second of the best run
//! ```
//!
//! With `one` it stays on one processor and counts processor time. Otherwise the library uses as many threads as there are
//! processors.
//!
//! FORMAT is `bf16`, `bfp8`, `bfp4` or `bfp2`; only blocks can be unpacked. Values are little-endian floats in the order of a tile's datums, 1024 a tile.
//! `TTNN_WHEEL` names the unpacked package folder `ttnn` (0.81.1); the library asks for two more variables, which
//! [`tt_tests::ttnn`] sets. It is a separate program because the library ends its process at an error.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io::{Read as _, Write as _};
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use libloading::Library;
use tt_tests::bench::machine::{Room, processor_time};

/// `std::vector<uint32_t>` and `std::vector<float>`: begin, end, end of the room.
#[repr(C)]
struct Words {
    begin: *mut u32,
    end: *mut u32,
    room: *mut u32,
}

impl Words {
    const NONE: Self =
        Self { begin: std::ptr::null_mut(), end: std::ptr::null_mut(), room: std::ptr::null_mut() };

    /// The words, which stay where they are; for a function that only reads.
    fn of(words: &mut [u32]) -> Self {
        let Range { start, end } = words.as_mut_ptr_range();
        Self { begin: start, end, room: end }
    }

    /// Has the library fill a vector; its bytes.
    ///
    /// # Safety
    /// `fill` makes a vector of what it is given, and owns nothing of it afterwards.
    unsafe fn filled(fill: impl FnOnce(*mut Self) -> *mut Self, free: Free, mut take: impl FnMut(&[u8])) {
        let mut words = Self::NONE;
        let _same = fill(&raw mut words);
        // SAFETY: the vector that came back is ours to read and to free.
        unsafe {
            let bytes = words.end as usize - words.begin as usize;
            take(std::slice::from_raw_parts(words.begin.cast(), bytes));
            free(words.begin.cast());
        }
    }
}

/// `std::vector<uint32_t> pack_as_bfpN_tiles<float>(std::span<float const>, bool row_major, bool exp_a,
/// std::optional<tt::tt_metal::Tile> const&)`. A class is returned through a hidden first argument.
type Pack = unsafe extern "C" fn(*mut Words, *const f32, usize, bool, bool, *const c_void) -> *mut Words;
/// `std::vector<float> unpack_bfpN_tiles_into_float_vec(std::span<uint32_t const>, bool row_major, bool exp_a,
/// std::optional<tt::tt_metal::Tile> const&)`
type Unpack = unsafe extern "C" fn(*mut Words, *const u32, usize, bool, bool, *const c_void) -> *mut Words;
/// `std::vector<float> tilize_nfaces<float>(std::vector<float> const&, uint32_t rows, uint32_t columns)`, and the reverse.
type Tilize = unsafe extern "C" fn(*mut Words, *const Words, u32, u32) -> *mut Words;
/// `uint16_t fp32_to_bf16_bits_round_to_nearest_even(float)`
type Bf16 = unsafe extern "C" fn(f32) -> u16;
type Free = unsafe extern "C" fn(*mut c_void);

/// An empty optional: its flag is zero, wherever it is.
const NO_TILE: [u64; 128] = [0; 128];

enum Packer {
    Blocks { pack: Pack, free: Free },
    Bf16(Bf16),
}

impl Packer {
    fn load(library: &Library, format: &str) -> Result<Self> {
        let bits = match format {
            "bf16" => {
                // SAFETY: the symbol's name encodes the type given above.
                let f = unsafe { library.get::<Bf16>(b"_Z39fp32_to_bf16_bits_round_to_nearest_evenf")? };
                return Ok(Self::Bf16(*f));
            }
            "bfp8" => 8,
            "bfp4" => 4,
            "bfp2" => 2,
            other => bail!("unknown format {other}"),
        };
        let name = format!(
            "_Z18pack_as_bfp{bits}_tilesIfESt6vectorIjSaIjEESt4spanIKT_Lm18446744073709551615EEbbRKSt8optionalIN2tt8tt_metal4TileEE"
        );
        // SAFETY: the symbol's name encodes the type given above.
        let pack = unsafe { *library.get::<Pack>(name.as_bytes())? };
        Ok(Self::Blocks { pack, free: free()? })
    }

    /// `rows`: a tile's values come row by row, not face by face.
    fn pack(&self, values: &[f32], rows: bool, mut take: impl FnMut(&[u8])) {
        match self {
            Self::Blocks { pack, free } => {
                let (values, count) = (values.as_ptr(), values.len());
                // SAFETY: the values live through the call, which makes a vector.
                unsafe {
                    Words::filled(
                        |words| pack(words, values, count, rows, false, NO_TILE.as_ptr().cast()),
                        *free,
                        take,
                    );
                }
            }
            Self::Bf16(convert) => {
                // SAFETY: takes and returns numbers.
                let bytes: Vec<u8> =
                    values.iter().flat_map(|x| unsafe { convert(*x) }.to_le_bytes()).collect();
                take(&bytes);
            }
        }
    }
}

/// C's `free`, which the wheel's `operator delete` ends in.
fn free() -> Result<Free> {
    // SAFETY: its type is that of C's library.
    Ok(unsafe { *libloading::os::unix::Library::this().get::<Free>(b"free")? })
}

/// Tiles of blocks to values.
fn unpack(library: &Library, format: &str) -> Result<()> {
    let bits = format.strip_prefix("bfp").with_context(|| format!("{format} is no format of blocks"))?;
    let name = format!(
        "_Z32unpack_bfp{bits}_tiles_into_float_vecSt4spanIKjLm18446744073709551615EEbbRKSt8optionalIN2tt8tt_metal4TileEE"
    );
    // SAFETY: the symbol's name encodes the type given above.
    let unpack = unsafe { *library.get::<Unpack>(name.as_bytes())? };
    let tiles = input()?;
    let (words, count) = (tiles.as_ptr(), tiles.len());
    // SAFETY: the tiles live through the call, which makes a vector.
    unsafe {
        Words::filled(
            |values| unpack(values, words, count, false, false, NO_TILE.as_ptr().cast()),
            free()?,
            output,
        );
    }
    Ok(())
}

/// A matrix's values to the order of tiles' datums (`tilize`), or back (`untilize`).
fn reorder(library: &Library, what: &str, [rows, columns]: [u32; 2]) -> Result<()> {
    let name = format!("_Z{}{what}_nfacesIfESt6vectorIT_SaIS1_EERKS3_jj", what.len() + "_nfaces".len());
    // SAFETY: the symbol's name encodes the type given above.
    let reorder = unsafe { *library.get::<Tilize>(name.as_bytes())? };
    let mut values = input()?;
    if values.len() != rows as usize * columns as usize || rows % 32 != 0 || columns % 32 != 0 {
        bail!("{} values are no matrix of {rows} rows and {columns} columns in tiles", values.len());
    }
    let values = Words::of(&mut values);
    // SAFETY: the values live through the call, which only reads them, and makes a vector.
    unsafe {
        Words::filled(|out| reorder(out, &raw const values, rows, columns), free()?, output);
    }
    Ok(())
}

/// Words of standard input.
fn input() -> Result<Vec<u32>> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect())
}

/// To standard output; whoever reads it notices if something is missing.
fn output(bytes: &[u8]) {
    if let Err(error) = std::io::stdout().write_all(bytes) {
        eprintln!("tt-ttnn-pack: {error}");
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let format = arguments.next().context("which format?")?;
    let second = arguments.next();
    let third = arguments.next();
    let one = third.as_deref().is_some_and(|word| word == "one");
    if one {
        stay_here()?;
    }
    let folder = PathBuf::from(std::env::var_os("TTNN_WHEEL").context("TTNN_WHEEL is not set")?);
    let path = folder.join("build/lib/libtt_metal.so");
    // SAFETY: the library's initialisers are trusted as its functions are.
    let library =
        unsafe { Library::new(&path) }.with_context(|| format!("cannot load {}", path.display()))?;
    match (format.as_str(), second.as_deref()) {
        ("tilize" | "untilize", rows) => {
            let size = [rows, third.as_deref()].map(|n| n.context("how many rows and columns?"));
            let [rows, columns] = size;
            reorder(&library, &format, [rows?.parse()?, columns?.parse()?])?;
        }
        (_, Some("unpack")) => unpack(&library, &format)?,
        (_, Some(seconds)) => {
            measure(&Packer::load(&library, &format)?, Duration::from_secs_f64(seconds.parse()?), one);
        }
        (_, None) => filter(&Packer::load(&library, &format)?)?,
    }
    // Its destructors talk to a device that is not there.
    std::mem::forget(library);
    Ok(())
}

/// Keeps this process, and the threads that it will have, on the processor that it is on.
fn stay_here() -> Result<()> {
    // SAFETY: a set of processors is plain bits, and all of them zero is the empty set.
    let mut processors: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours, and lives through both calls.
    let failed = unsafe {
        libc::CPU_SET(libc::sched_getcpu().max(0) as usize, &mut processors);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const processors)
    };
    if failed == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}

fn filter(packer: &Packer) -> Result<()> {
    let values: Vec<f32> = input()?.into_iter().map(f32::from_bits).collect();
    let mut result = Ok(());
    packer.pack(&values, false, |tiles| result = std::io::stdout().write_all(tiles));
    Ok(result?)
}

/// With `one`, in the time of the processor.
fn measure(packer: &Packer, time: Duration, one: bool) {
    let mut room = Room::new((4 << 20) * size_of::<f32>());
    // SAFETY: the room is aligned to its pages, and any bytes are floats.
    let (_, values, _) = unsafe { room.align_to_mut::<f32>() };
    for (i, value) in values.iter_mut().enumerate() {
        *value = ((i * 7919 % 100_003) as f32 - 50_000.0) / 5e4;
    }
    let start = Instant::now();
    let mut best = Duration::MAX;
    while start.elapsed() < time {
        let begin = (Instant::now(), processor_time());
        // As weights come: rows, to be cut into faces.
        packer.pack(values, true, |_| ());
        best = best.min(if one { processor_time().saturating_sub(begin.1) } else { begin.0.elapsed() });
    }
    println!("{}", values.len() as f64 / best.as_secs_f64());
}
