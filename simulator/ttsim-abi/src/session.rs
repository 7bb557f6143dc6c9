//! The process's one simulator: its chip, if there is one, the last error, and the boundary that catches panics.

use std::any::Any;
use std::cell::Cell;
use std::ffi::{CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use parking_lot::Mutex;

use crate::device::{Device, Settings};
use crate::error::AbiError;

/// Host function that copies host memory to the chip: address, buffer, size.
pub type DmaRead = unsafe extern "C" fn(u64, *mut c_void, u32);
/// Host function that copies from the chip to host memory: address, data, size.
pub type DmaWrite = unsafe extern "C" fn(u64, *const c_void, u32);

/// The library's state.
pub struct Session {
    device: Option<Device>,
    callbacks: (Option<DmaRead>, Option<DmaWrite>),
    last_error: Option<CString>,
    /// The chip has stopped, and the last error says why.
    stopped: bool,
}

static SESSION: Mutex<Session> =
    Mutex::new(Session { device: None, callbacks: (None, None), last_error: None, stopped: false });

thread_local! {
    /// This thread is inside a call.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs one function of the ABI; `failed` is what it returns if it cannot do its work.
pub fn call<T>(name: &str, failed: T, body: impl FnOnce(&mut Session) -> Result<T, AbiError>) -> T {
    if INSIDE.replace(true) {
        // The state is locked by the outer call: all that can be done is to say so.
        eprintln!("libttsim: {name}: {}", AbiError::Reentered);
        return failed;
    }
    let mut session = SESSION.lock();
    let result = catch_unwind(AssertUnwindSafe(|| body(&mut session)));
    let outcome = match result {
        Ok(result) => result,
        Err(panic) => Err(session.poisoned(panic.as_ref())),
    };
    let value = outcome.unwrap_or_else(|error| {
        session.report(name, &error);
        failed
    });
    drop(session);
    INSIDE.set(false);
    value
}

/// Text of the last error.
pub fn last_error() -> *const c_char {
    if INSIDE.get() {
        return std::ptr::null();
    }
    SESSION.lock().last_error.as_ref().map_or(std::ptr::null(), |text| text.as_ptr())
}

impl Session {
    /// Makes a chip.
    pub fn start(&mut self) -> Result<(), AbiError> {
        if self.device.is_some() {
            return Err(AbiError::Running);
        }
        (self.last_error, self.stopped) = (None, false);
        let callbacks = self.callbacks;
        let host = || match callbacks {
            (Some(read), Some(write)) => Some(crate::host_memory(read, write)),
            _ => None,
        };
        self.device = Some(Device::new(&Settings::from_env()?, host)?);
        Ok(())
    }

    /// Drops the chip. The last error stays readable.
    pub fn stop(&mut self) -> Result<(), AbiError> {
        self.device.take().map(drop).ok_or(AbiError::NotRunning)
    }

    /// Stores the host's functions.
    pub fn set_callbacks(&mut self, read: Option<DmaRead>, write: Option<DmaWrite>) -> Result<(), AbiError> {
        if self.device.is_some() {
            return Err(AbiError::Running);
        }
        self.callbacks = (read, write);
        Ok(())
    }

    /// The chip.
    pub fn device(&mut self) -> Result<&mut Device, AbiError> {
        self.device.as_mut().ok_or(AbiError::NotRunning)
    }

    /// After a panic the chip may be in any state: it stops.
    fn poisoned(&mut self, panic: &(dyn Any + Send)) -> AbiError {
        if let Some(device) = &mut self.device {
            device.stopped = true;
        }
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message");
        AbiError::Panic(text.to_owned())
    }

    /// Prints an error and keeps it; what stopped the chip is kept for good.
    fn report(&mut self, name: &str, error: &AbiError) {
        let line = format!("{name}: {error}").replace('\0', "\\0");
        let known = self.last_error.as_ref().is_some_and(|last| last.as_bytes() == line.as_bytes());
        if !known {
            eprintln!("libttsim: {line}");
        }
        if !self.stopped {
            self.last_error = CString::new(line).ok();
        }
        self.stopped = self.device.as_ref().is_some_and(|device| device.stopped);
    }
}
