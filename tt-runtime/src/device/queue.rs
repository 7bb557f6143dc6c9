//! What has been submitted, and how it runs: the first descriptor to all workers and the go word, the others to DRAM, from where the leader
//! brings them, and the wait until the leader has finished (`tt_kernel_abi::launch`).
//!
//! Where the chip pushes its counts to the host's memory, that is what is looked at, and nothing is read from the card. Otherwise the word in
//! the leader's L1 is polled.
//!
//! A step that a kernel has refused ends a stream. It is kept for whom it belongs to, and the rest is started as another one: what others
//! have submitted runs in any case.

use std::mem::offset_of;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tt_isa::map::SOFT_RESET_ALL;
use tt_kernel_abi::ahead::BEGINS;
use tt_kernel_abi::dram::{STREAM, STREAM_STEPS};
use tt_kernel_abi::launch::{Launch, Stream};
use tt_kernel_abi::{OpDescriptor, l1};
use tt_simulator::{Mark, Track};
use zerocopy::IntoBytes;

use super::Session;
use super::ahead::link;
use super::arrival::arrived;
use super::boot::SOFT_RESET;
use super::transfer::COUNTS_AT;
use crate::error::Error;

/// In a launch that takes long a card is asked this often whether it is still there, and still ours.
const CHECK: Duration = Duration::from_millis(500);
/// How often workers are asked how far they are, in parts of the time after which a launch is given up.
const LOOKS: u32 = 60;
/// A host that waits for a card does nothing else for so long, then lets others run, then sleeps.
const BUSY: Duration = Duration::from_micros(200);
const YIELDING: Duration = Duration::from_millis(5);
const SLEEP: Duration = Duration::from_micros(50);

/// What has been submitted and has not been started.
#[derive(Default)]
pub(super) struct Queue {
    descriptors: Vec<OpDescriptor>,
    /// Whose each of them is.
    steps: Vec<Step>,
    /// Instead of them: checked steps, and no others.
    program: Option<Program>,
    /// The program whose steps lie in DRAM, from [`STREAM`] on.
    in_dram: Option<u64>,
    /// What kernels have refused, until it is asked for.
    refused: Vec<(Step, Error)>,
}

/// Checked steps that have been submitted, which are neither copied nor, if they lie in DRAM, brought there again.
pub(super) struct Program {
    pub descriptors: Arc<[OpDescriptor]>,
    /// Which these are.
    pub number: u64,
    /// The first of them.
    pub first: Step,
}

impl Program {
    fn step(&self, index: usize) -> Step {
        Step { number: self.first.number + index, ..self.first }
    }
}

/// A step of somebody's stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Step {
    pub owner: u64,
    /// Counted from 0 for each owner.
    pub number: usize,
}

impl Queue {
    /// The first refusal of what somebody has submitted; others of his are forgotten.
    pub(super) fn take_refusal(&mut self, owner: u64) -> Option<(usize, Error)> {
        let (his, others) =
            std::mem::take(&mut self.refused).into_iter().partition(|(step, _)| step.owner == owner);
        self.refused = others;
        let his: Vec<(Step, Error)> = his;
        his.into_iter().next().map(|(step, error)| (step.number, error))
    }

    /// Takes back what somebody has submitted and what has not been started.
    pub(super) fn forget(&mut self, owner: u64) {
        self.program.take_if(|program| program.first.owner == owner);
        let mut steps = self.steps.iter();
        self.descriptors.retain(|_| steps.next().is_some_and(|step| step.owner != owner));
        self.steps.retain(|step| step.owner != owner);
        self.refused.retain(|(step, _)| step.owner != owner);
    }
}

/// A wait: since when, and what was seen when the workers did last come further.
struct Wait {
    started: Instant,
    checked: Instant,
    looked: Instant,
    moved: Instant,
    progress: Vec<u32>,
    /// The last check has found the launch complete on the chip.
    complete: bool,
}

impl Wait {
    fn new() -> Self {
        let now = Instant::now();
        Self { started: now, checked: now, looked: now, moved: now, progress: Vec::new(), complete: false }
    }

    /// Lets time pass, the more the longer the wait has been.
    fn pause(&self) {
        match self.started.elapsed() {
            waited if waited < BUSY => std::hint::spin_loop(),
            waited if waited < YIELDING => std::thread::yield_now(),
            _ => std::thread::sleep(SLEEP),
        }
    }
}

impl Session {
    /// Adds checked steps to the queue.
    pub(super) fn submit_all(&mut self, program: Program) -> Result<(), Error> {
        let are_alone = self.queue.program.is_none() && self.queue.steps.is_empty();
        // A timeline shows each of them.
        if are_alone && program.descriptors.len() <= STREAM_STEPS && !self.is_marked() {
            self.queue.program = Some(program);
            return Ok(());
        }
        let mut steps = program.descriptors.iter().enumerate();
        steps.try_for_each(|(index, descriptor)| self.submit(program.step(index), descriptor))
    }

    /// Adds a step to the queue. It is started when something else is asked of the device, or when the queue is full.
    pub(super) fn submit(&mut self, step: Step, descriptor: &OpDescriptor) -> Result<(), Error> {
        if let Some(program) = self.queue.program.take() {
            self.queue.descriptors.extend_from_slice(&program.descriptors);
            self.queue.steps.extend((0..program.descriptors.len()).map(|index| program.step(index)));
        }
        self.queue.descriptors.push(*descriptor);
        self.queue.steps.push(step);
        // A timeline shows each of them.
        let most = if self.is_marked() { 1 } else { STREAM_STEPS + 1 };
        if self.queue.steps.len() >= most { self.flush() } else { Ok(()) }
    }

    /// Runs what has been submitted.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        if let Some(program) = self.queue.program.take() {
            return self.run(&program.descriptors, |index| program.step(index), Some(program.number));
        }
        if self.queue.steps.is_empty() {
            return Ok(());
        }
        let mut descriptors = std::mem::take(&mut self.queue.descriptors);
        link(&mut descriptors, self.grid);
        let steps = std::mem::take(&mut self.queue.steps);
        self.run(&descriptors, |index| steps[index], None)?;
        // Their memory is used again.
        (self.queue.descriptors, self.queue.steps) = (descriptors, steps);
        self.queue.descriptors.clear();
        self.queue.steps.clear();
        Ok(())
    }

    /// Runs steps; `step` is whose each is, and `program` which program they are.
    fn run(
        &mut self,
        descriptors: &[OpDescriptor],
        step: impl Fn(usize) -> Step,
        program: Option<u64>,
    ) -> Result<(), Error> {
        let [first, others @ ..] = descriptors else { return Ok(()) };
        let _span = tracing::trace_span!("start", op = %first.name(), steps = descriptors.len()).entered();
        self.bring(others, program)?;
        self.mark(|| Mark::Begin(Track::Launches, first.name().to_string()))?;
        let mut done = 0;
        while done < descriptors.len() {
            self.start(descriptors, done)?;
            let ran = self.complete(descriptors, done)?;
            self.launches += ran as u64;
            self.streams += 1;
            done += ran;
            if let Some(error) = self.refusal()? {
                self.queue.refused.push((step(done - 1), error));
                // Workers may be reading ahead of a product that does not follow: whatever comes next finds them at rest.
                self.execute(&OpDescriptor::NOP)?;
            }
        }
        self.mark(|| Mark::End(Track::Launches))
    }

    /// Brings steps to where the leader finds them, unless they lie there: a graph's program is run again and again.
    fn bring(&mut self, steps: &[OpDescriptor], program: Option<u64>) -> Result<(), Error> {
        let are_there = program.is_some() && program == self.queue.in_dram;
        if steps.is_empty() || are_there {
            return Ok(());
        }
        self.queue.in_dram = None;
        self.link.write_dram(STREAM, steps.as_bytes())?;
        self.queue.in_dram = program;
        Ok(())
    }

    /// Runs one step at once. Nothing may be in the queue.
    pub(super) fn execute(&mut self, descriptor: &OpDescriptor) -> Result<(), Error> {
        let one = std::slice::from_ref(descriptor);
        self.start(one, 0)?;
        self.complete(one, 0)?;
        self.refusal()?.map_or(Ok(()), Err)
    }

    /// Starts the steps from `first` on; the others behind it are in DRAM.
    pub(super) fn start(&mut self, descriptors: &[OpDescriptor], first: usize) -> Result<(), Error> {
        self.firmware()?;
        let left = (descriptors.len() - first) as u32;
        // 0 never is the number of a launch, and numbers of a stream follow one another.
        self.seq = if self.seq >= u32::MAX - left { 1 } else { self.seq + 1 };
        let stream = Stream::at(STREAM.offset((first * OpDescriptor::BYTES) as u64).0, left - 1);
        let stream = Stream { times: self.times_at(), ..stream };
        let op = &descriptors[first];
        let op = OpDescriptor { seq: self.seq, flags: op.flags | BEGINS, ..*op };
        let launch = Launch { op, stream };
        if !self.link.transport.multicasts() {
            return self.start_by_leader(&launch);
        }
        let rect = self.rect();
        self.link.multicast(rect, u64::from(l1::launch(self.seq)), launch.as_bytes())?;
        self.link.multicast(rect, u64::from(l1::GO), &self.seq.to_le_bytes())?;
        Ok(())
    }

    /// Writes a launch to the leader, which sends it to all.
    fn start_by_leader(&mut self, launch: &Launch) -> Result<(), Error> {
        let (leader, seq) = (self.workers[0], self.seq);
        let stream = l1::launch(seq) + offset_of!(Launch, stream) as u32;
        self.link.write(leader, u64::from(l1::NEXT_STEP), launch.op.as_bytes())?;
        self.link.write(leader, u64::from(stream), launch.stream.as_bytes())?;
        self.link.write(leader, u64::from(l1::BRING), &seq.to_le_bytes())?;
        Ok(())
    }

    /// Starts steps of the runtime's own, as many as a stream has at most. Nothing may be running or in the queue.
    pub(super) fn begin(&mut self, steps: &[OpDescriptor]) -> Result<(), Error> {
        if steps.len() > 1 {
            self.link.write_dram(STREAM, steps[1..].as_bytes())?;
        }
        self.moves += steps.len() as u64;
        self.start(steps, 0)
    }

    /// Waits for what [`begin`](Self::begin) has started.
    pub(super) fn end(&mut self, steps: &[OpDescriptor]) -> Result<(), Error> {
        self.complete(steps, 0)?;
        self.refusal()?.map_or(Ok(()), Err)
    }

    /// Waits until the leader has finished what was started; gives how many steps have run.
    pub(super) fn complete(&mut self, descriptors: &[OpDescriptor], first: usize) -> Result<usize, Error> {
        let (begun, left) = (self.seq, (descriptors.len() - first) as u32);
        let name = |seq: u32| match descriptors.get(first.wrapping_add(seq.wrapping_sub(begun) as usize)) {
            Some(descriptor) => format!("{} (launch {seq})", descriptor.name()),
            None => format!("launch {seq}"),
        };
        // Anything else is of before, or of a card that does not answer.
        let is_ours = |seq: u32| (begun..begun + left).contains(&seq);
        self.seq = self.wait(l1::FINISHED, is_ours, name)?;
        let ran = (self.seq - begun + 1) as usize;
        self.read_times(begun, &descriptors[first..], ran)?;
        Ok(ran)
    }

    /// Waits until one of the counts is as it should be, and gives it; `name` is what a launch is called that hangs.
    pub(super) fn wait(
        &mut self,
        word: u32,
        is_due: impl Fn(u32) -> bool,
        name: impl Fn(u32) -> String,
    ) -> Result<u32, Error> {
        let mut wait = Wait::new();
        let clocks = self.link.simulated().map(|simulated| simulated.poll_clocks());
        // Where time is kept a look costs some of it, which must not depend on how fast the host is.
        let is_timed = self.link.simulated().is_some_and(|simulated| simulated.clocks_us().is_some());
        let look = self.patience / if is_timed { 1 } else { LOOKS };
        loop {
            let asleep = match clocks {
                Some(clocks) => self.link.advance(clocks)?.asleep,
                None => false,
            };
            if let Some(count) = arrived(|| self.count(word), &is_due)? {
                return Ok(count);
            }
            if clocks.is_none() {
                wait.pause();
                self.check(&mut wait, word, &is_due)?;
            }
            if wait.looked.elapsed() > look {
                wait.looked = Instant::now();
                let now = self.progress()?;
                if now != wait.progress {
                    (wait.progress, wait.moved) = (now, wait.looked);
                }
            }
            if asleep || wait.moved.elapsed() > self.patience {
                self.seq = self.link.read32(self.workers[0], u64::from(l1::GO))?;
                return Err(self.hung(&name(self.seq))?);
            }
        }
    }

    /// One of the counts that the leader has for the host.
    pub(super) fn count(&mut self, word: u32) -> Result<u32, Error> {
        match self.pushed {
            true => {
                let mut count = [0; 4];
                self.link.read_host(COUNTS_AT + u64::from(word - l1::COUNTS), &mut count)?;
                Ok(u32::from_le_bytes(count))
            }
            false => Ok(self.link.read32(self.workers[0], u64::from(word))?),
        }
    }

    /// Now and then: whether the card is there, whether its cores still run, and whether what it pushes arrives.
    fn check(&mut self, wait: &mut Wait, word: u32, is_due: impl Fn(u32) -> bool) -> Result<(), Error> {
        if wait.checked.elapsed() < CHECK {
            return Ok(());
        }
        wait.checked = Instant::now();
        self.link.check_chip()?;
        let tile = self.workers[0];
        if self.link.read32(tile, SOFT_RESET)? & SOFT_RESET_ALL == SOFT_RESET_ALL {
            return Err(Error::Stopped { tile });
        }
        let complete = is_due(self.link.read32(tile, u64::from(word))?);
        if complete && wait.complete && self.pushed {
            tracing::warn!(
                "what the card writes to this host's memory does not arrive: its own memory is polled instead, which is slower"
            );
            self.pushed = false;
        }
        wait.complete = complete;
        Ok(())
    }
}
