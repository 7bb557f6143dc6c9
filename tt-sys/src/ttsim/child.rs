//! The child's side: load the library, serve requests, end.
//!
//! # Safety
//! Everything here runs after `fork`, in the only thread of the child. It calls async-signal-safe functions, `dlopen`
//! and `dlsym` (see the module above), and the library. It does not allocate, panic or return: the buffer that
//! it needs is made before the fork.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};

use super::{Op, Request, greeting, trial};

/// The functions of the library that are used (C ABI, `libttsim_` before each name).
pub(super) struct Library {
    config_read: unsafe extern "C" fn(u32, u32) -> u32,
    read: unsafe extern "C" fn(u64, *mut c_void, u32),
    write: unsafe extern "C" fn(u64, *const c_void, u32),
    clock: unsafe extern "C" fn(u32),
    /// Only our own library has it: it lives on after an error, where the vendor's ends the process.
    last_error: Option<unsafe extern "C" fn() -> *const c_char>,
}

impl Library {
    /// Something went wrong in the last call; the library has printed it.
    pub(super) fn failed(&self) -> bool {
        // SAFETY: a function without arguments.
        self.last_error.is_some_and(|last_error| !unsafe { last_error() }.is_null())
    }

    /// Reads physical memory.
    pub(super) fn read(&self, addr: u64, out: &mut [u8]) {
        // SAFETY: the library writes as many bytes as `out` has, and checks the address.
        unsafe { (self.read)(addr, out.as_mut_ptr().cast(), out.len() as u32) };
    }

    /// Writes physical memory.
    pub(super) fn write(&self, addr: u64, data: &[u8]) {
        // SAFETY: the library reads as many bytes as `data` has, and checks the address.
        unsafe { (self.write)(addr, data.as_ptr().cast(), data.len() as u32) };
    }

    /// Lets time pass.
    pub(super) fn clock(&self, clocks: u32) {
        // SAFETY: any number of clocks will do.
        unsafe { (self.clock)(clocks) };
    }
}

/// Where the child finds its socket: standard input.
const SOCKET: c_int = 0;

/// Runs the child until its socket closes; never returns.
///
/// # Safety
/// To be called in a process just forked, with valid descriptors.
pub unsafe fn run(path: &CStr, socket: c_int, output: c_int, buffer: &mut [u8], shared: &mut [u8]) -> ! {
    // SAFETY: calls of the system with plain numbers. `dup2` onto 0, 1, 2 cannot hit `socket` or `output` before they
    // are used: the parent made both of them 3 or higher.
    unsafe {
        libc::dup2(socket, SOCKET);
        libc::dup2(output, 1);
        libc::dup2(output, 2);
        libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32);
    }
    // SAFETY: as the caller promises.
    let status = match unsafe { load(path) } {
        Ok(library) => {
            send(&greeting::READY.to_ne_bytes());
            serve(&library, buffer, shared)
        }
        Err(word) => {
            send(&word.to_ne_bytes());
            1
        }
    };
    // SAFETY: ends the process without running the parent's exit handlers.
    unsafe { libc::_exit(status) }
}

/// Loads the library and powers its chip on.
///
/// # Safety
/// As for [`run`].
unsafe fn load(path: &CStr) -> Result<Library, u32> {
    // SAFETY: `path` is a C string. The library's constructors run: naming the library is the user's word for it.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        print_load_error();
        return Err(greeting::NOT_LOADED);
    }
    // SAFETY: the types are those of the library's C header for these names; `symbol` gives no null pointer.
    unsafe {
        let init =
            std::mem::transmute::<*mut c_void, unsafe extern "C" fn()>(symbol(handle, c"libttsim_init")?);
        let library = Library {
            config_read: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(u32, u32) -> u32>(symbol(
                handle,
                c"libttsim_pci_config_rd32",
            )?),
            read: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(u64, *mut c_void, u32)>(symbol(
                handle,
                c"libttsim_pci_mem_rd_bytes",
            )?),
            write: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(u64, *const c_void, u32)>(symbol(
                handle,
                c"libttsim_pci_mem_wr_bytes",
            )?),
            clock: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(u32)>(symbol(
                handle,
                c"libttsim_clock",
            )?),
            // A null pointer is the representation of no function.
            last_error: std::mem::transmute::<*mut c_void, Option<unsafe extern "C" fn() -> *const c_char>>(
                libc::dlsym(handle, c"libttsim_last_error".as_ptr()),
            ),
        };
        init();
        Ok(library)
    }
}

fn symbol(handle: *mut c_void, name: &CStr) -> Result<*mut c_void, u32> {
    // SAFETY: `handle` is of a loaded library, `name` a C string.
    let found = unsafe { libc::dlsym(handle, name.as_ptr()) };
    if found.is_null() {
        print(name);
        return Err(greeting::NO_SYMBOL);
    }
    Ok(found)
}

fn print_load_error() {
    // SAFETY: null or a C string that lives until the next call of the loader.
    let text = unsafe { libc::dlerror() };
    if !text.is_null() {
        // SAFETY: just seen not to be null.
        print(unsafe { CStr::from_ptr(text) });
    }
}

/// Prints a line, past the C library's buffers.
fn print(text: &CStr) {
    for piece in [text.to_bytes(), b"\n"] {
        // SAFETY: a valid range of bytes. If it cannot be written there is nowhere to say so.
        unsafe { libc::write(1, piece.as_ptr().cast(), piece.len()) };
    }
}

/// Serves until the parent is gone (0) or the library has failed (1): the status to end with.
fn serve(library: &Library, buffer: &mut [u8], shared: &mut [u8]) -> c_int {
    let mut head = [0; Request::BYTES];
    while receive(&mut head) {
        let Request { op, len, addr } = Request::from_bytes(head);
        if op == Op::Trial as u32 {
            if !send(&trial_in_child(library, shared, len as usize, addr as u32).to_ne_bytes()) {
                return 0;
            }
            continue;
        }
        let Some(data) = buffer.get_mut(..len as usize) else { return 0 };
        let going = if op == Op::Config as u32 {
            // SAFETY: bus 0, device 0, function 0; the library checks the offset.
            let word = unsafe { (library.config_read)(0, addr as u32) };
            answer(library, &word.to_ne_bytes())
        } else if op == Op::Read as u32 {
            library.read(addr, data);
            answer(library, data)
        } else if op == Op::Write as u32 {
            let there = receive(data);
            if there {
                library.write(addr, data);
            }
            there
        } else if op == Op::Clock as u32 {
            library.clock(addr as u32);
            answer(library, &0_u32.to_ne_bytes())
        } else {
            false
        };
        if library.failed() {
            return 1;
        }
        if !going {
            return 0;
        }
    }
    0
}

/// Sends an answer, unless the library has failed.
fn answer(library: &Library, data: &[u8]) -> bool {
    !library.failed() && send(data)
}

/// Status of a child that has carried out the order in `shared`, or that the library or the clock has ended.
fn trial_in_child(library: &Library, shared: &mut [u8], len: usize, seconds: u32) -> c_int {
    // SAFETY: this process has one thread, so the child may do everything that this one may.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: a plain number; the signal ends a child that does not come to an end.
        unsafe { libc::alarm(seconds) };
        let status = if trial::carry_out(library, shared, len) { 0 } else { 2 };
        // SAFETY: ends the process without running exit handlers.
        unsafe { libc::_exit(status) }
    }
    let mut status = 0;
    // SAFETY: `status` is a valid place. The call fails only when there is no child, that is, none was made.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } < 0 {
        if !interrupted() {
            return libc::SIGKILL;
        }
    }
    status
}

fn interrupted() -> bool {
    std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
}

/// Fills `out` from the socket; false when the parent is gone.
fn receive(mut out: &mut [u8]) -> bool {
    while !out.is_empty() {
        // SAFETY: a valid range of bytes.
        let n = unsafe { libc::recv(SOCKET, out.as_mut_ptr().cast(), out.len(), 0) };
        match n {
            1.. => out = &mut out[n as usize..],
            0 => return false,
            _ if interrupted() => {}
            _ => return false,
        }
    }
    true
}

/// Sends `data`; false when the parent is gone.
fn send(mut data: &[u8]) -> bool {
    while !data.is_empty() {
        // SAFETY: a valid range of bytes.
        let n = unsafe { libc::send(SOCKET, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL) };
        match n {
            0.. => data = &data[n as usize..],
            _ if interrupted() => {}
            _ => return false,
        }
    }
    true
}
