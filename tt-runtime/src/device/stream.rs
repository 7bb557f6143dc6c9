//! Streams: steps that a device runs one after the other, without the host between them.
//!
//! A step is one descriptor on all workers. What is pushed waits in the device's queue, together with what others push, and is started when
//! somebody finishes his stream, when memory of the device is read or written, or when the queue is full. So memory that a step uses may
//! be freed and written to as soon as the step has been pushed: whatever the host does to the device comes after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tt_kernel_abi::OpDescriptor;

use super::ahead::link;
use super::queue::{Program, Step};
use super::{Device, State, dram_size};
use crate::error::Error;
use crate::ops::parts;

/// The next number of a stream, or of checked steps.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Steps whose tensors are inside of a device's memory: they are pushed again and again without being looked at.
pub struct CheckedSteps {
    /// Which these are, of all of the process.
    number: u64,
    /// Bytes of that memory.
    memory: u64,
    descriptors: Vec<OpDescriptor>,
    /// The same as a stream of their own.
    linked: Arc<[OpDescriptor]>,
}

/// Steps of a device. One that is dropped takes back those that have not been started.
pub struct Stream<'a> {
    device: &'a Device,
    id: u64,
    pushed: usize,
}

/// Why a stream has not run as it should.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct StreamError {
    /// The step whose kernel refused something, counted from 0 since the stream was made; all others have run. `None`: the device failed.
    pub step: Option<usize>,
    /// What happened.
    pub error: Error,
}

impl From<StreamError> for Error {
    fn from(error: StreamError) -> Self {
        error.error
    }
}

impl Device {
    /// A stream without steps.
    pub fn stream(&self) -> Stream<'_> {
        Stream { device: self, id: NEXT.fetch_add(1, Ordering::Relaxed), pushed: 0 }
    }

    /// Steps that can be pushed at once.
    ///
    /// # Errors
    /// A tensor is not in the device's memory.
    pub fn check_steps(&self, descriptors: Vec<OpDescriptor>) -> Result<CheckedSteps, Error> {
        descriptors.iter().try_for_each(|descriptor| self.check_step(descriptor))?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut linked = descriptors.clone();
        link(&mut linked, self.with_queue(|session| Ok(session.grid))?);
        Ok(CheckedSteps { number, memory: dram_size(self.chip()?), descriptors, linked: linked.into() })
    }

    fn check_step(&self, descriptor: &OpDescriptor) -> Result<(), Error> {
        let views = [&descriptor.src0, &descriptor.src1, &descriptor.dst];
        views.into_iter().chain(&descriptor.more).try_for_each(|view| self.check_view(view))?;
        parts(descriptor).flatten().try_for_each(|view| self.check_view(&view))
    }
}

impl Stream<'_> {
    /// Adds a step. It runs after everything that was submitted to the device before.
    ///
    /// # Errors
    /// A tensor is not in the device's memory; the device does not boot, or has failed.
    pub fn push(&mut self, descriptor: &OpDescriptor) -> Result<(), Error> {
        self.push_together(std::slice::from_ref(descriptor))
    }

    /// Adds steps that nobody puts anything in between: what one leaves in L1 is there for the next.
    ///
    /// # Errors
    /// See [`push`](Self::push).
    pub fn push_together(&mut self, descriptors: &[OpDescriptor]) -> Result<(), Error> {
        descriptors.iter().try_for_each(|descriptor| self.device.check_step(descriptor))?;
        let (owner, first) = (self.id, self.pushed);
        // Others wait for the device: even where the queue is full and is run in between, the rest comes next.
        self.device.with_queue(|session| {
            let mut steps = descriptors.iter().zip(first..);
            steps.try_for_each(|(descriptor, number)| session.submit(Step { owner, number }, descriptor))
        })?;
        self.pushed += descriptors.len();
        if let Some(record) = &self.device.record {
            descriptors.iter().for_each(|descriptor| record.launch(descriptor));
        }
        Ok(())
    }

    /// Adds steps that have been checked, in their order.
    ///
    /// # Errors
    /// The device has less memory than the one that they were checked for, and a tensor is not in it; the device does not boot, or has failed.
    pub fn push_all(&mut self, steps: &CheckedSteps) -> Result<(), Error> {
        if dram_size(self.device.chip()?) < steps.memory {
            steps.descriptors.iter().try_for_each(|descriptor| self.device.check_step(descriptor))?;
        }
        let (owner, first) = (self.id, self.pushed);
        self.device.with_queue(|session| {
            let descriptors = Arc::clone(&steps.linked);
            session.submit_all(Program {
                descriptors,
                number: steps.number,
                first: Step { owner, number: first },
            })
        })?;
        self.pushed += steps.descriptors.len();
        if let Some(record) = &self.device.record {
            steps.descriptors.iter().for_each(|descriptor| record.launch(descriptor));
        }
        Ok(())
    }

    /// Steps that have been pushed.
    pub fn len(&self) -> usize {
        self.pushed
    }

    /// Whether none has been pushed.
    pub fn is_empty(&self) -> bool {
        self.pushed == 0
    }

    /// Runs the steps that have not run yet, and waits for them. More can be pushed afterwards.
    ///
    /// # Errors
    /// A kernel refused something (the device goes on); a fault or a hang fails the device.
    pub fn finish(&mut self) -> Result<(), StreamError> {
        let refusal = self.device.with(|session| Ok(session.queue.take_refusal(self.id)));
        match refusal.map_err(|error| StreamError { step: None, error })? {
            Some((step, error)) => Err(StreamError { step: Some(step), error }),
            None => Ok(()),
        }
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if let State::Open(session) = &mut *self.device.state.lock() {
            session.queue.forget(self.id);
        }
    }
}
