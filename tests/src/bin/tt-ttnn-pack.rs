//! The vendor's own packing functions, from the `ttnn` wheel's library: a filter for tests and measurements.
//!
//! ```text
//! tt-ttnn-pack FORMAT                 values from standard input to tiles on standard output
//! tt-ttnn-pack FORMAT SECONDS [one]   packs 4 Mi values again and again; prints values per second of the best run
//! ```
//!
//! With `one` it stays on one processor and counts processor time. Otherwise the library uses as many threads as there are
//! processors.
//!
//! FORMAT is `bf16`, `bfp8`, `bfp4` or `bfp2`. Values are little-endian floats in the order of a tile's datums, 1024 a tile.
//! `TTNN_WHEEL` names the unpacked package folder `ttnn` (0.81.1); the library asks for two more variables, which
//! [`tt_tests::ttnn`] sets. It is a separate program because the library ends its process at an error.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use libloading::Library;
use tt_tests::bench::machine::{Room, processor_time};

/// `std::vector<uint32_t>`: begin, end, end of the room.
#[repr(C)]
struct Words {
    begin: *mut u32,
    end: *mut u32,
    room: *mut u32,
}

/// `std::vector<uint32_t> pack_as_bfpN_tiles<float>(std::span<float const>, bool row_major, bool exp_a,
/// std::optional<tt::tt_metal::Tile> const&)`. A class is returned through a hidden first argument.
type Pack = unsafe extern "C" fn(*mut Words, *const f32, usize, bool, bool, *const c_void) -> *mut Words;
/// `uint16_t fp32_to_bf16_bits_round_to_nearest_even(float)`
type Bf16 = unsafe extern "C" fn(f32) -> u16;
type Free = unsafe extern "C" fn(*mut c_void);

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
        // SAFETY: C's `free`, which the wheel's `operator delete` ends in.
        let free = unsafe { *libloading::os::unix::Library::this().get::<Free>(b"free")? };
        Ok(Self::Blocks { pack, free })
    }

    /// `rows`: a tile's values come row by row, not face by face.
    fn pack(&self, values: &[f32], rows: bool, mut take: impl FnMut(&[u8])) {
        match self {
            Self::Blocks { pack, free } => {
                // An empty optional: its flag is zero, wherever it is.
                let no_tile = [0u64; 128];
                let mut words = Words {
                    begin: std::ptr::null_mut(),
                    end: std::ptr::null_mut(),
                    room: std::ptr::null_mut(),
                };
                // SAFETY: the values live through the call; the vector that comes back is ours to free.
                unsafe {
                    pack(&raw mut words, values.as_ptr(), values.len(), rows, false, no_tile.as_ptr().cast());
                    let bytes = words.end as usize - words.begin as usize;
                    take(std::slice::from_raw_parts(words.begin.cast(), bytes));
                    free(words.begin.cast());
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

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let format = arguments.next().context("which format?")?;
    let seconds = arguments.next();
    let one = arguments.next().is_some_and(|word| word == "one");
    if one {
        stay_here()?;
    }
    let folder = PathBuf::from(std::env::var_os("TTNN_WHEEL").context("TTNN_WHEEL is not set")?);
    let path = folder.join("build/lib/libtt_metal.so");
    // SAFETY: the library's initialisers are trusted as its functions are.
    let library =
        unsafe { Library::new(&path) }.with_context(|| format!("cannot load {}", path.display()))?;
    let packer = Packer::load(&library, &format)?;
    match seconds {
        Some(seconds) => measure(&packer, Duration::from_secs_f64(seconds.parse()?), one),
        None => filter(&packer)?,
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
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
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
