//! `libttsim.so`: the simulated Wormhole behind the C ABI of the vendor's simulator.
//!
//! The vendor's user-mode driver (tt-umd), and programs based on it, load a simulator as a shared library with ten C
//! functions and see a PCI device: configuration words, base address registers, physical reads and writes, and a
//! clock. This library has the same functions, so these programs run on this simulator unchanged.
//!
//! ```text
//! tt-umd -> libttsim_* (here: pointers become slices, panics stop) -> Session (session) -> Device (device) -> Chip
//! ```
//!
//! # Errors
//! The ABI has no error returns, and the vendor's library ends the process instead. This one never does:
//!
//! * each error is written to stderr, as one line, once;
//! * a read that fails fills its buffer with ones, as a PCI bus does; a write that fails changes nothing;
//! * a fault in [`libttsim_clock`] stops the chip: time no longer passes, but the host can still read everything;
//! * [`libttsim_last_error`], which the vendor's library does not have, returns the text. The fault that stopped the chip
//!   stays the last error until [`libttsim_init`].
//!
//! # Threads and forks
//! Calls may come from any thread; one at a time is served. A DMA callback must not call back into the library. The
//! library starts worker threads; after a fork the child starts its own.
//!
//! # Settings
//! `TT_SIM_BOARD` is the board. The default is `galaxy`, a Wormhole with all its rows of tiles, as in the vendor's library.
//! On a board with several chips, those on the bus are devices 0, 1, ... `TT_SIM_THREADS` is the number of worker threads;
//! `TT_SIM_CLOCKS` is how many clocks pass for one
//! that the caller asks for: the vendor's driver asks for one with every read. `TT_SIM_MODE` is `fast`, `timed` or `async=SEED`, or `async=SEED,note`,
//! which prints a line for every finding of the race detector and goes on; `TT_SIM_TRACE` asks for a trace.
//!
//! # Safety
//! All unsafe code is in this file: it turns a caller's pointer and size into a slice. The caller guarantees
//! both, as in the vendor's header; null is refused.
#![allow(unsafe_code)]

mod device;
mod error;
mod session;

use std::ffi::{c_char, c_void};

use error::AbiError;
use session::{DmaRead, DmaWrite, call};
use tt_simulator::HostMemory;

/// What a read gives where nothing answers.
const ALL_ONES: u32 = u32::MAX;

/// Powers the chip on.
#[unsafe(no_mangle)]
pub extern "C" fn libttsim_init() {
    call("libttsim_init", (), session::Session::start);
}

/// Powers the chip off. The next [`libttsim_init`] makes a new one.
#[unsafe(no_mangle)]
pub extern "C" fn libttsim_exit() {
    call("libttsim_exit", (), session::Session::stop);
}

/// Names the functions by which the chip reads and writes host memory; before [`libttsim_init`].
#[unsafe(no_mangle)]
pub extern "C" fn libttsim_set_pci_dma_mem_callbacks(read: Option<DmaRead>, write: Option<DmaWrite>) {
    call("libttsim_set_pci_dma_mem_callbacks", (), |session| session.set_callbacks(read, write));
}

/// PCI configuration word of a device at a byte offset; all ones where there is no device.
#[unsafe(no_mangle)]
pub extern "C" fn libttsim_pci_config_rd32(bus_device_function: u32, offset: u32) -> u32 {
    call("libttsim_pci_config_rd32", ALL_ONES, |session| {
        session.device()?.config_read32(bus_device_function, offset)
    })
}

/// Writes a PCI configuration word.
#[unsafe(no_mangle)]
pub extern "C" fn libttsim_pci_config_wr32(bus_device_function: u32, offset: u32, data: u32) {
    call("libttsim_pci_config_wr32", (), |session| {
        session.device()?.config_write32(bus_device_function, offset, data)
    });
}

/// Reads `size` bytes at a physical address, that is, from a BAR.
///
/// # Safety
/// `out` points to `size` bytes that nothing else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn libttsim_pci_mem_rd_bytes(paddr: u64, out: *mut c_void, size: u32) {
    // SAFETY: as the caller promises.
    let out = unsafe { bytes_mut(out, size) };
    read(out, "libttsim_pci_mem_rd_bytes", |session, out| session.device()?.read(paddr, out));
}

/// Writes `size` bytes at a physical address, that is, to a BAR.
///
/// # Safety
/// `data` points to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn libttsim_pci_mem_wr_bytes(paddr: u64, data: *const c_void, size: u32) {
    // SAFETY: as the caller promises.
    let data = unsafe { bytes(data, size) };
    call("libttsim_pci_mem_wr_bytes", (), |session| session.device()?.write(paddr, data?));
}

/// Reads `size` bytes of the tile at a NoC 0 coordinate. (The vendor's library refuses this on Wormhole.)
///
/// # Safety
/// `out` points to `size` bytes that nothing else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn libttsim_tile_rd_bytes(x: u32, y: u32, addr: u64, out: *mut c_void, size: u32) {
    // SAFETY: as the caller promises.
    let out = unsafe { bytes_mut(out, size) };
    read(out, "libttsim_tile_rd_bytes", |session, out| session.device()?.tile_read(x, y, addr, out));
}

/// Writes `size` bytes to the tile at a NoC 0 coordinate. (The vendor's library refuses this on Wormhole.)
///
/// # Safety
/// `data` points to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn libttsim_tile_wr_bytes(x: u32, y: u32, addr: u64, data: *const c_void, size: u32) {
    // SAFETY: as the caller promises.
    let data = unsafe { bytes(data, size) };
    call("libttsim_tile_wr_bytes", (), |session| session.device()?.tile_write(x, y, addr, data?));
}

/// Lets so many clocks pass: that many instructions of every core that is out of reset.
#[unsafe(no_mangle)]
pub extern "C" fn libttsim_clock(n_clocks: u32) {
    call("libttsim_clock", (), |session| session.device()?.clock(n_clocks));
}

/// What went wrong last, as a C string that is valid until the next call; null if nothing has since
/// [`libttsim_init`]. Not in the vendor's library.
#[unsafe(no_mangle)]
pub extern "C" fn libttsim_last_error() -> *const c_char {
    session::last_error()
}

/// The host's memory behind its two functions.
struct Callbacks {
    read: DmaRead,
    write: DmaWrite,
}

/// Makes host memory of the host's functions.
fn host_memory(read: DmaRead, write: DmaWrite) -> Box<dyn HostMemory> {
    Box::new(Callbacks { read, write })
}

impl HostMemory for Callbacks {
    fn read(&self, addr: u64, out: &mut [u8]) -> bool {
        // SAFETY: the host's function fills so many bytes of a buffer that has them.
        unsafe { (self.read)(addr, out.as_mut_ptr().cast(), out.len() as u32) };
        true
    }

    fn write(&self, addr: u64, data: &[u8]) -> bool {
        // SAFETY: the host's function reads so many bytes of data that has them.
        unsafe { (self.write)(addr, data.as_ptr().cast(), data.len() as u32) };
        true
    }
}

/// Runs a read into a caller's buffer; a failed one leaves ones there.
fn read(
    out: Result<&mut [u8], AbiError>,
    name: &str,
    body: impl FnOnce(&mut session::Session, &mut [u8]) -> Result<(), AbiError>,
) {
    let out = match out {
        Ok(out) => out,
        Err(error) => return call(name, (), |_| Err(error)),
    };
    let done = call(name, false, |session| body(session, out).map(|()| true));
    if !done {
        out.fill(0xFF);
    }
}

/// A caller's buffer to fill.
///
/// # Safety
/// `at` is null or points to `size` bytes that nothing else uses while the slice lives.
unsafe fn bytes_mut<'a>(at: *mut c_void, size: u32) -> Result<&'a mut [u8], AbiError> {
    if at.is_null() {
        return Err(AbiError::Null);
    }
    // Callers may hand over memory that was never written; as bytes that are only written it is harmless, but a slice
    // of them has to be initialised.
    // SAFETY: not null, and `size` bytes, as the caller promises.
    unsafe {
        at.cast::<u8>().write_bytes(0, size as usize);
        Ok(std::slice::from_raw_parts_mut(at.cast(), size as usize))
    }
}

/// A caller's data.
///
/// # Safety
/// `at` is null or points to `size` bytes that nothing changes while the slice lives.
unsafe fn bytes<'a>(at: *const c_void, size: u32) -> Result<&'a [u8], AbiError> {
    if at.is_null() {
        return Err(AbiError::Null);
    }
    // SAFETY: not null, and `size` bytes, as the caller promises.
    Ok(unsafe { std::slice::from_raw_parts(at.cast(), size as usize) })
}
