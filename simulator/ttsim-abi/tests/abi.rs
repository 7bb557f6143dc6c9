//! The C ABI as a C program uses it: the library is loaded by path and called through its symbols.
//!
//! The library is one chip per process, so every test takes the lock first.
#![allow(unsafe_code, reason = "calls C functions")]

mod support;

use std::ffi::{CStr, c_char, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libloading::{Library, Symbol};
use tt_isa::map::{DEBUG_REGS_BASE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL};

/// `ebreak`, which no core has a use for.
const EBREAK: u32 = 0x0010_0073;
/// `jal x0, 0`.
const LOOP: u32 = 0x0000_006F;
const TILE: (u32, u32) = (1, 1);

struct Sim {
    library: Library,
    _only: MutexGuard<'static, ()>,
}

static ONLY: Mutex<()> = Mutex::new(());

impl Sim {
    /// The library, before `libttsim_init`.
    fn load() -> Self {
        let only = ONLY.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: our own library; its constructors are the standard library's.
        let library = unsafe { Library::new(support::library()) }.expect("the library loads");
        Self { library, _only: only }
    }

    fn start() -> Self {
        let sim = Self::load();
        sim.call("libttsim_init");
        assert_eq!(sim.error(), None);
        sim
    }

    fn function<F>(&self, name: &str) -> Symbol<'_, F> {
        // SAFETY: every caller names the type that the function has.
        unsafe { self.library.get(name) }.expect("an exported function")
    }

    fn call(&self, name: &str) {
        // SAFETY: functions without arguments.
        unsafe { self.function::<unsafe extern "C" fn()>(name)() }
    }

    fn error(&self) -> Option<String> {
        let last = self.function::<unsafe extern "C" fn() -> *const c_char>("libttsim_last_error");
        // SAFETY: null or a C string that lives until the next call.
        unsafe {
            let text = last();
            (!text.is_null()).then(|| CStr::from_ptr(text).to_str().expect("text").to_owned())
        }
    }

    fn config(&self, bdf: u32, offset: u32) -> u32 {
        // SAFETY: two numbers.
        unsafe {
            self.function::<unsafe extern "C" fn(u32, u32) -> u32>("libttsim_pci_config_rd32")(bdf, offset)
        }
    }

    fn clock(&self, clocks: u32) {
        // SAFETY: a number.
        unsafe { self.function::<unsafe extern "C" fn(u32)>("libttsim_clock")(clocks) }
    }

    fn read(&self, addr: u64, out: &mut [u8]) {
        type Read = unsafe extern "C" fn(u64, *mut c_void, u32);
        // SAFETY: a buffer of that size.
        unsafe {
            self.function::<Read>("libttsim_pci_mem_rd_bytes")(
                addr,
                out.as_mut_ptr().cast(),
                out.len() as u32,
            );
        }
    }

    fn tile_read(&self, addr: u32) -> u32 {
        type Read = unsafe extern "C" fn(u32, u32, u64, *mut c_void, u32);
        let mut out = [0; 4];
        // SAFETY: a buffer of that size.
        unsafe {
            let read = self.function::<Read>("libttsim_tile_rd_bytes");
            read(TILE.0, TILE.1, addr.into(), out.as_mut_ptr().cast(), 4);
        }
        u32::from_le_bytes(out)
    }

    fn tile_write(&self, addr: u32, word: u32) {
        self.write_to(TILE, addr, word);
    }

    fn write_to(&self, (x, y): (u32, u32), addr: u32, word: u32) {
        type Write = unsafe extern "C" fn(u32, u32, u64, *const c_void, u32);
        let bytes = word.to_le_bytes();
        // SAFETY: data of that size.
        unsafe {
            let write = self.function::<Write>("libttsim_tile_wr_bytes");
            write(x, y, addr.into(), bytes.as_ptr().cast(), 4);
        }
    }

    /// Loads one instruction into a tile's BRISC and lets it run.
    fn run_in(&self, tile: (u32, u32), instruction: u32) {
        self.write_to(tile, RiscV::Brisc.default_reset_pc(), instruction);
        let only = SOFT_RESET_ALL & !RiscV::Brisc.soft_reset_bit();
        self.write_to(tile, DEBUG_REGS_BASE + SOFT_RESET_0, only);
    }

    fn run(&self, instruction: u32) {
        self.run_in(TILE, instruction);
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.call("libttsim_exit");
    }
}

#[test]
fn nothing_works_without_a_chip_and_nothing_breaks() {
    let sim = Sim::load();
    assert_eq!(sim.config(0, 0), u32::MAX);
    assert!(
        sim.error()
            .is_some_and(|text| text.contains("libttsim_pci_config_rd32: the simulator is not running"))
    );
    let mut out = [0; 5];
    sim.read(0x1_0000_0000, &mut out);
    assert_eq!(out, [0xFF; 5]);
    sim.clock(5);
    sim.call("libttsim_exit");
    assert!(sim.error().is_some_and(|text| text.contains("libttsim_exit")));
    sim.call("libttsim_init");
    assert_eq!(sim.error(), None, "a new chip has no error");
    sim.call("libttsim_init");
    assert!(sim.error().is_some_and(|text| text.contains("running already")));
    assert_eq!(sim.config(0, 0), tt_isa::chip::WORMHOLE.pci_id, "the chip is still there");
}

#[test]
fn a_bad_access_gives_ones_and_the_chip_goes_on() {
    let sim = Sim::start();
    sim.tile_write(0x100, 0x1234_5678);
    assert_eq!(sim.tile_read(0xFF80_0000), u32::MAX, "nothing there");
    assert!(
        sim.error().is_some_and(|text| text.starts_with("libttsim_tile_rd_bytes: ")),
        "{:?}",
        sim.error()
    );
    sim.run(LOOP);
    sim.clock(100);
    assert_eq!(sim.tile_read(0x100), 0x1234_5678);
    assert!(
        sim.error().is_some_and(|text| text.starts_with("libttsim_tile_rd_bytes: ")),
        "it stays readable"
    );
}

#[test]
fn null_is_refused() {
    type Read = unsafe extern "C" fn(u64, *mut c_void, u32);
    let sim = Sim::start();
    // SAFETY: null is what the function is to refuse.
    unsafe { sim.function::<Read>("libttsim_pci_mem_rd_bytes")(0x1_0000_0000, std::ptr::null_mut(), 4) };
    assert!(sim.error().is_some_and(|text| text.contains("null pointer")));
}

#[test]
fn a_fault_stops_time_but_not_the_host() {
    let sim = Sim::start();
    sim.run(EBREAK);
    sim.clock(10);
    let text = sim.error().expect("a fault");
    assert!(text.contains("libttsim_clock: ") && text.contains("tile (1,1); BRISC pc 0x00000000"), "{text}");
    sim.clock(10);
    assert_eq!(sim.tile_read(0), EBREAK, "memory can be read");
    assert_eq!(sim.tile_read(0xFF80_0000), u32::MAX);
    assert_eq!(sim.error().as_ref(), Some(&text), "the fault stays the last error");
    sim.call("libttsim_exit");
    sim.call("libttsim_init");
    assert_eq!(sim.error(), None);
    sim.run(LOOP);
    sim.clock(10);
    assert_eq!(sim.error(), None);
}

/// Host memory of the test below: the chip reads ones, and writes are counted.
mod host {
    use super::{c_void, support};
    use libloading::Library;
    use std::sync::atomic::{AtomicU32, Ordering};

    pub static WRITTEN: AtomicU32 = AtomicU32::new(0);

    pub unsafe extern "C" fn read(_addr: u64, out: *mut c_void, size: u32) {
        // SAFETY: the library gives a buffer of that size.
        unsafe { out.write_bytes(1, size as usize) };
    }

    pub unsafe extern "C" fn write(_addr: u64, _data: *const c_void, size: u32) {
        WRITTEN.fetch_add(size, Ordering::Relaxed);
        // Calling back is refused, not a deadlock.
        // SAFETY: the library is loaded already; a function with one number.
        unsafe {
            let library = Library::new(support::library()).expect("the library");
            library.get::<unsafe extern "C" fn(u32)>("libttsim_clock").expect("a function")(1);
        }
    }
}

#[test]
fn the_chip_reaches_host_memory() {
    type Callbacks = unsafe extern "C" fn(
        unsafe extern "C" fn(u64, *mut c_void, u32),
        unsafe extern "C" fn(u64, *const c_void, u32),
    );
    let sim = Sim::load();
    // SAFETY: two functions of these types.
    unsafe {
        sim.function::<Callbacks>("libttsim_set_pci_dma_mem_callbacks")(host::read, host::write);
    }
    sim.call("libttsim_init");
    type Tile<P> = unsafe extern "C" fn(u32, u32, u64, P, u32);
    let pcie = tt_isa::chip::WORMHOLE.pcie;
    let (x, y) = (u32::from(pcie.x), u32::from(pcie.y));
    let mut out = [0_u8; 16];
    // SAFETY: a buffer of that size.
    unsafe {
        let at = tt_isa::pcie::HOST_WINDOW + 0x100;
        sim.function::<Tile<*mut c_void>>("libttsim_tile_rd_bytes")(x, y, at, out.as_mut_ptr().cast(), 16);
        sim.function::<Tile<*const c_void>>("libttsim_tile_wr_bytes")(x, y, at, out.as_ptr().cast(), 16);
    }
    assert_eq!(out, [1; 16]);
    assert_eq!(host::WRITTEN.load(std::sync::atomic::Ordering::Relaxed), 16);
    assert_eq!(sim.error(), None);
}

#[test]
fn a_forked_child_has_the_same_chip() {
    let sim = Sim::start();
    // A loop that the simulator cannot skip (it counts in x5), in tiles enough for the threads to be used.
    let tiles: Vec<_> = [1, 2, 3, 4, 6, 7, 8, 9].map(|x| (x, 1)).into();
    for &tile in &tiles {
        sim.write_to(tile, 4, 0xFFDF_F06F);
        sim.run_in(tile, 0x0012_8293);
    }
    sim.clock(100);
    // SAFETY: the child calls the library and ends without running this program's handlers.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        sim.tile_write(0x200, 77);
        sim.clock(1000);
        let good = sim.tile_read(0x200) == 77 && sim.error().is_none();
        // SAFETY: ends the child.
        unsafe { libc::_exit(i32::from(!good)) }
    }
    let mut status = 0;
    // SAFETY: the child just made, and a place for its status.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0, "the child found something else");
    assert_eq!(sim.tile_read(0x200), 0, "the parent's memory is its own");
}
