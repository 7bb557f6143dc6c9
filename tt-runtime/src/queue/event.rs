//! Events: whether a command of a queue is done, and how it has ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::error::Error;
use crate::report::QueueError;

/// The end of a command. It can be waited for by the host, by several threads, and by queues of any device ([`Queue::wait_for`](super::Queue::wait_for)).
#[derive(Clone)]
pub struct Event(Arc<Inner>);

struct Inner {
    what: &'static str,
    /// The process whose threads the queue has.
    process: u32,
    end: Mutex<Option<Result<(), Error>>>,
    ended: Condvar,
}

impl Event {
    /// The event of a command that has not ended, and who ends it.
    pub(super) fn new(what: &'static str) -> (Self, Promise) {
        let (process, end, ended) = (std::process::id(), Mutex::new(None), Condvar::new());
        let event = Self(Arc::new(Inner { what, process, end, ended }));
        (event.clone(), Promise(event))
    }

    /// What the command is: "a write", "a program".
    pub fn what(&self) -> &'static str {
        self.0.what
    }

    /// Whether the command has ended, well or not.
    pub fn is_done(&self) -> bool {
        self.0.end.lock().is_some()
    }

    /// Waits for the command's end.
    ///
    /// # Errors
    /// That of the command; [`QueueError::Skipped`] if it was not begun since one in front of it has failed.
    pub fn wait(&self) -> Result<(), Error> {
        self.own()?;
        let mut end = self.0.end.lock();
        loop {
            if let Some(end) = &*end {
                return end.clone();
            }
            self.0.ended.wait(&mut end);
        }
    }

    /// Waits for the command's end for so long; `false`: it has not come.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_for(&self, time: Duration) -> Result<bool, Error> {
        self.own()?;
        let until = Instant::now() + time;
        let mut end = self.0.end.lock();
        while end.is_none() {
            if self.0.ended.wait_until(&mut end, until).timed_out() && end.is_none() {
                return Ok(false);
            }
        }
        end.clone().unwrap_or(Ok(())).map(|()| true)
    }

    /// A process that was forked has none of the threads that end commands.
    fn own(&self) -> Result<(), Error> {
        if self.0.process == std::process::id() { Ok(()) } else { Err(Error::Forked) }
    }
}

/// Ends a command's event, in any case: one that is dropped before says that the command did not come to its end.
pub(super) struct Promise(Event);

impl Promise {
    pub(super) fn end(self, result: Result<(), Error>) {
        self.set(result);
    }

    fn set(&self, result: Result<(), Error>) {
        let mut end = self.0.0.end.lock();
        if end.is_none() {
            *end = Some(result);
            self.0.0.ended.notify_all();
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.set(Err(QueueError::Lost { what: self.0.what() }.into()));
    }
}

/// What a command will give, when it is done.
pub struct Pending<T> {
    pub(super) event: Event,
    pub(super) value: Arc<Mutex<Option<T>>>,
}

impl<T> Pending<T> {
    /// Its end.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Whether it is there.
    pub fn is_done(&self) -> bool {
        self.event.is_done()
    }

    /// Waits for it.
    ///
    /// # Errors
    /// As [`Event::wait`].
    pub fn wait(self) -> Result<T, Error> {
        self.event.wait()?;
        let value = self.value.lock().take();
        value.ok_or_else(|| QueueError::Lost { what: self.event.what() }.into())
    }
}
