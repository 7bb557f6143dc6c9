//! Mappings that the driver takes away while they are in use: since 2.7 it does so when somebody resets the card, and an access is the signal
//! `SIGBUS`, which would end the process.
//!
//! The handler puts a page of ones in the place of the one that is gone, as a bus gives them where nothing answers, and notes that
//! for the mapping, whose owner looks after each access. Any other `SIGBUS` goes to the handler that was there before.
//!
//! # Safety
//! The handler uses what is allowed in one: atomics, and the system calls mmap and sigaction. It writes only to pages inside of a mapping
//! that is registered, which its owner unregisters before it unmaps it.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

mod table;

use table::{FREE, Slot, find};

/// Mappings that can be registered at once: those of 32 cards.
const SLOTS: usize = 512;
const PAGE: usize = 4096;

static TABLE: [Slot; SLOTS] = [const {
    Slot { start: AtomicUsize::new(FREE), len: AtomicUsize::new(0), lost: AtomicBool::new(false) }
}; SLOTS];

/// The handler that was there before ours; set once, before ours is called.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// A mapping's place in the table, as long as it is mapped.
pub(super) struct Registered(Option<usize>);

impl Registered {
    /// Registers a mapping, if there is room.
    pub(super) fn new(start: usize, len: usize) -> Self {
        install();
        let place = TABLE.iter().position(|slot| slot.take(start, len));
        Self(place)
    }

    /// Whether something of it is gone.
    pub(super) fn is_lost(&self) -> bool {
        self.0.is_some_and(|n| TABLE[n].lost.load(Ordering::Acquire))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(n) = self.0 {
            TABLE[n].give_back();
        }
    }
}

/// Puts the handler in place, once.
fn install() {
    BEFORE.get_or_init(|| {
        // SAFETY: both structs live during the call; all zeros is a valid one, and every field that counts is set. The handler has
        // the form that SA_SIGINFO wants.
        unsafe {
            let (mut ours, mut before): (libc::sigaction, libc::sigaction) = std::mem::zeroed();
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = handle;
            ours.sa_sigaction = handler as usize;
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&mut ours.sa_mask);
            libc::sigaction(libc::SIGBUS, &ours, &mut before);
            before
        }
    });
}

extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system gives the address with this signal.
    let address = unsafe { (*info).si_addr() } as usize;
    match find(&TABLE, address) {
        Some(slot) => replace(slot, address),
        None => pass_on(signal, info, context),
    }
}

/// Puts a page of ones where an address is.
fn replace(slot: &Slot, address: usize) {
    let page = (address & !(PAGE - 1)) as *mut c_void;
    // SAFETY: the page is inside of a mapping that its owner has not unmapped. The error number belongs to the interrupted code.
    unsafe {
        let number = *libc::__errno_location();
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        let made = libc::mmap(page, PAGE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        if made == libc::MAP_FAILED {
            // The driver forbids parts of a window to be replaced: then all of it.
            let start = slot.start.load(Ordering::Acquire) as *mut c_void;
            libc::mmap(
                start,
                slot.len.load(Ordering::Relaxed),
                libc::PROT_READ | libc::PROT_WRITE,
                flags,
                -1,
                0,
            );
        }
        page.cast::<u8>().write_bytes(0xFF, PAGE);
        *libc::__errno_location() = number;
    }
    slot.lost.store(true, Ordering::Release);
}

/// Does what would have been done without our handler.
fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let Some(before) = BEFORE.get() else { return };
    match before.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: it was in place before. The access is made again, and ends the process.
            unsafe { libc::sigaction(signal, before, std::ptr::null_mut()) };
        }
        handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: a handler that was installed with this flag has this form.
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) =
                unsafe { std::mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: a handler that was installed without it has this form.
            let handler: extern "C" fn(c_int) = unsafe { std::mem::transmute(handler) };
            handler(signal);
        }
    }
}

#[cfg(test)]
mod model;
