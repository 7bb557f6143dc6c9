//! Queues: commands that run one after the other, behind the caller's back, and events that say when they are done.
//!
//! ```no_run
//! use tt_runtime::program::{DramBuffer, Program};
//! use tt_runtime::queue::Queue;
//! # fn show(device: &std::sync::Arc<tt_runtime::Device>, program: &Program) -> Result<(), tt_runtime::Error> {
//! let (input, output) = (DramBuffer::<f32>::new(device, 1024)?, DramBuffer::<f32>::new(device, 1024)?);
//! let queue = Queue::new(device)?;
//! queue.write(&input, 0, vec![1.0; 1024]);
//! queue.run(program);
//! let result = queue.read(&output);
//! // .. the host does something else ..
//! let result = result.wait()?;
//! # Ok(())
//! # }
//! ```
//!
//! A queue has a thread of this process, which does what the blocking calls do (`write`, `run`, `read`, ..). Commands of one queue begin in the order in which
//! they were submitted, each when the one before it has ended. Queues go on side by side; an [`Event`] puts a command of one behind a
//! command of another.
//!
//! # What overlaps
//! | these two | |
//! |---|---|
//! | the caller, and any command | yes: submitting never waits |
//! | programs of two queues, on different tiles | yes |
//! | programs of two queues that want the same tile | no: the second one fails ([`Error::Taken`]), unless an event puts it behind the first one |
//! | a program, and a transfer of another queue | yes. On a simulator time stands still during a transfer, except in the timed mode |
//! | two transfers of a device | no: a transfer has the device for itself |
//! | a built-in operator, and a program or a buffer in L1 | no: the operator fails ([`Error::Taken`]), since it needs all of L1 |
//!
//! On a simulator a program is given up at once when nothing on the chip moves any more; so it cannot wait for a write of another queue there.
//!
//! # Errors
//! Behind a command that has failed the others are not begun: their events say so ([`QueueError::Skipped`]), and so do those of other queues that
//! wait for them. [`Queue::finish`] gives the first error, and the queue goes on with what is submitted then.
//!
//! # Deadlock
//! A command waits for commands that were submitted before it: those of its queue, and one whose event exists. So there is no circle.
//! Programs come to an end by their patience. A function of the caller's ([`Queue::call`]) must not wait for what is submitted later.

mod event;
mod memory;

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::OpDescriptor;
use crate::device::Device;
use crate::error::Error;
use crate::program::{Element, Program};
use crate::report::QueueError;

pub use event::{Event, Pending};
pub use memory::{OnTile, Sink, Source};

/// A command: it is told what has failed before, and may say that it has failed itself.
type Command = Box<dyn FnOnce(&mut Option<Failure>) + Send>;

/// The first command that has failed since the last [`Queue::finish`].
struct Failure {
    what: &'static str,
    error: Error,
}

/// Commands of a device that run one after the other. Dropping it waits until all of them have ended.
pub struct Queue {
    device: Arc<Device>,
    process: u32,
    commands: Option<Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Queue {
    /// A queue without commands.
    ///
    /// # Errors
    /// The host can start no thread for it.
    pub fn new(device: &Arc<Device>) -> Result<Self, Error> {
        let (commands, submitted) = channel::<Command>();
        let work = move || {
            let mut failure = None;
            submitted.into_iter().for_each(|command| command(&mut failure));
        };
        let thread = std::thread::Builder::new().name("tt queue".into()).spawn(work);
        let thread = thread.map_err(|error| QueueError::NoThread { why: error.to_string() })?;
        let (device, process) = (Arc::clone(device), std::process::id());
        Ok(Self { device, process, commands: Some(commands), thread: Some(thread) })
    }

    /// The device.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// Writes elements from the `first` on: to DRAM, to L1 (of one tile, or of all tiles of a buffer by multicast), to pinned memory.
    pub fn write<T: Element>(&self, to: &impl Sink<T>, first: usize, data: impl Into<Vec<T>>) -> Event {
        let (to, data) = (to.clone(), data.into());
        self.submit("a write", move || to.put(first, &data))
    }

    /// Writes the same value to all elements.
    pub fn fill<T: Element>(&self, to: &impl Sink<T>, value: T) -> Event {
        let to = to.clone();
        self.submit("a fill", move || to.put_all(value))
    }

    /// Reads all elements.
    pub fn read<T: Element>(&self, from: &impl Source<T>) -> Pending<Vec<T>> {
        self.read_from(from, 0, from.elements())
    }

    /// Reads `count` elements from the `first` on.
    pub fn read_from<T: Element>(
        &self,
        from: &impl Source<T>,
        first: usize,
        count: usize,
    ) -> Pending<Vec<T>> {
        let from = from.clone();
        self.pending("a read", move || from.get(first, count))
    }

    /// Copies all elements of a buffer to the beginning of another one, which may be another device's. The chip itself does it where both are in its DRAM; otherwise they go through
    /// the host.
    pub fn copy<T: Element>(&self, from: &impl Source<T>, to: &impl Sink<T>) -> Event {
        let (from, to) = (from.clone(), to.clone());
        self.submit("a copy", move || {
            if let (Some(from), Some(to)) = (from.in_dram(), to.as_dram())
                && from.is_beside(to)
            {
                return to.copy_from(from);
            }
            to.put(0, &from.get(0, from.elements())?)
        })
    }

    /// Starts a program and waits for its end. What it prints comes from the queue's thread.
    pub fn run(&self, program: &Program) -> Event {
        let program = program.clone();
        self.submit("a program", move || program.run())
    }

    /// Runs built-in operators, all in one start ([`crate::ops`]). `keep` is dropped when they have run: the buffers that their tensors lie in.
    pub fn execute(&self, steps: impl Into<Vec<OpDescriptor>>, keep: impl Send + 'static) -> Event {
        let (device, steps) = (Arc::clone(&self.device), steps.into());
        self.submit("operators", move || {
            let mut stream = device.stream();
            steps.iter().try_for_each(|step| stream.push(step))?;
            let ran = stream.finish();
            drop(keep);
            Ok(ran?)
        })
    }

    /// Calls a function of the caller's, on the queue's thread.
    pub fn call<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        self.pending("a function", f)
    }

    /// What comes after this waits for a command of another queue, of any device; it fails if that one has failed.
    pub fn wait_for(&self, event: &Event) -> Event {
        let event = event.clone();
        self.submit("a wait for another queue", move || event.wait())
    }

    /// An event that is done when everything that has been submitted so far is.
    pub fn record(&self) -> Event {
        self.submit("everything before an event", || Ok(()))
    }

    /// Waits until everything that has been submitted has ended.
    ///
    /// # Errors
    /// The first one since the last call of this: the queue goes on afterwards.
    pub fn finish(&self) -> Result<(), Error> {
        let (event, promise) = Event::new("the end of a queue");
        self.send(Box::new(move |failure| {
            promise.end(failure.take().map_or(Ok(()), |failure| Err(failure.error)));
        }));
        event.wait()
    }

    fn submit(&self, what: &'static str, f: impl FnOnce() -> Result<(), Error> + Send + 'static) -> Event {
        self.pending(what, f).event
    }

    fn pending<T: Send + 'static>(
        &self,
        what: &'static str,
        f: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        let (event, promise) = Event::new(what);
        let value = Arc::new(Mutex::new(None));
        let result = Arc::clone(&value);
        self.send(Box::new(move |failure| {
            if let Some(Failure { what: failed, error }) = failure {
                let because = error.to_string();
                return promise.end(Err(QueueError::Skipped { what, failed, because }.into()));
            }
            let _span = tracing::debug_span!("queue", what).entered();
            promise.end(match f() {
                Ok(value) => {
                    *result.lock() = Some(value);
                    Ok(())
                }
                Err(error) => {
                    *failure = Some(Failure { what, error: error.clone() });
                    Err(error)
                }
            });
        }));
        Pending { event, value }
    }

    /// A command that nobody takes is dropped, and its event says so.
    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            let _ = commands.send(command);
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.commands = None;
        let Some(thread) = self.thread.take() else { return };
        if self.process != std::process::id() {
            // Its thread is in the process that this one was forked from.
            std::mem::forget(thread);
        } else if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("a command of a queue has panicked: those behind it have not been begun");
        }
    }
}
