//! When steps ran, by the wall clock of the leader's tile: on every transport, cards among them (`tt_kernel_abi::launch::StepTimes`).
//!
//! ```text
//! launch asks for times -> leader writes each step's to DRAM -> read when the launch has finished -> sum, list, timeline
//! ```
//! It is off unless somebody asks ([`Device::keep_times`]) or the environment names a timeline. Then each launch costs a read of 32 bytes a
//! step, and each step the wait until DRAM has acknowledged them.
//!
//! The timeline has the format of the simulator's (`docs/simulator.md`), with the host's lines `operators` and `launches` alone: what is inside of a
//! chip only a simulator sees.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use tt_isa::chip::Chip;
use tt_kernel_abi::OpDescriptor;
use tt_kernel_abi::dram::STEP_TIMES;
use tt_kernel_abi::launch::StepTimes;
use tt_simulator::{HostTimeline, KernelSpan, Mark, TraceConfig, TraceError, Track};
use zerocopy::FromBytes;

use super::{Device, Session, State};
use crate::error::Error;

/// Clocks in a microsecond where no one has said: a Wormhole's AI clock while kernels run (`WormholeB0/README.md`).
const CLOCKS_US: u32 = 1000;
/// Timelines of this process.
static TIMELINES: AtomicUsize = AtomicUsize::new(0);

/// When a step ran, in clocks of the chip's wall clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepTime {
    /// Name of the operator on the device.
    pub operator: String,
    /// The leader has started it.
    pub begin: u64,
    /// All workers have completed it.
    pub end: u64,
}

/// What is kept of a device's steps.
#[derive(Default)]
pub(super) struct Times {
    /// Somebody has asked for the list.
    kept: bool,
    steps: Vec<StepTime>,
    /// Clocks of all steps since that.
    clocks: u64,
    timeline: Option<HostTimeline>,
    /// The operator whose steps run, and when its first one began and its last one ended.
    operator: Option<(String, Option<(u64, u64)>)>,
}

impl Times {
    /// None are kept, unless the environment names a timeline; a file that cannot be made is reported.
    pub(super) fn of_environment(chip: &Chip) -> Self {
        let Some(file) = tt_settings::TIMELINE.get() else { return Self::default() };
        let mut file = PathBuf::from(file);
        match TIMELINES.fetch_add(1, Ordering::Relaxed) {
            0 => {}
            n => file.as_mut_os_string().push(format!(".{n}")),
        }
        let clocks_us = chip.timing.map_or(CLOCKS_US, |timing| timing.clocks_us);
        let timeline = HostTimeline::new(TraceConfig::new(file), clocks_us);
        let timeline = timeline.map_err(|error| tracing::error!("{error}: there is no timeline")).ok();
        Self { timeline, ..Self::default() }
    }

    /// Whether launches ask for times.
    pub(super) fn are_wanted(&self) -> bool {
        self.kept || self.timeline.is_some()
    }

    /// Whether there is a timeline.
    pub(super) fn are_shown(&self) -> bool {
        self.timeline.is_some()
    }

    /// Clocks of all steps, if they are kept.
    pub(super) fn clocks(&self) -> Option<u64> {
        self.are_wanted().then_some(self.clocks)
    }

    /// An operator begins or ends.
    pub(super) fn mark(&mut self, mark: &Mark) {
        match mark {
            Mark::Begin(Track::Operators, name) => self.operator = Some((name.clone(), None)),
            Mark::End(Track::Operators) => {
                if let Some((name, Some(span))) = self.operator.take() {
                    self.show(Track::Operators, name, span);
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, step: StepTime) {
        let span = (step.begin, step.end);
        self.clocks += step.end.saturating_sub(step.begin);
        if let Some((_, ran)) = &mut self.operator {
            *ran = Some((ran.map_or(step.begin, |(begin, _)| begin), step.end));
        }
        self.show(Track::Launches, step.operator.clone(), span);
        if self.kept {
            self.steps.push(step);
        }
    }

    /// A span of the timeline.
    fn show(&mut self, track: Track, name: String, (begin, end): (u64, u64)) {
        self.write(|timeline| {
            timeline.mark(begin, &Mark::Begin(track, name))?;
            timeline.mark(end, &Mark::End(track))
        });
    }

    /// Writes to the timeline, if there is one. The first failure ends it.
    fn write(&mut self, write: impl FnOnce(&mut HostTimeline) -> Result<(), TraceError>) {
        if let Some(Err(error)) = self.timeline.as_mut().map(write) {
            tracing::error!("{error}: the timeline ends here");
            self.timeline = None;
        }
    }
}

impl Session {
    /// Shows a span that a kernel has measured in a timeline, if there is one.
    pub(crate) fn show_span(&mut self, span: &KernelSpan) -> Result<(), Error> {
        self.times.write(|timeline| timeline.kernel_span(span));
        Ok(self.link.simulated().map_or(Ok(()), |simulated| simulated.kernel_span(span))?)
    }

    /// Where the leader writes the times of a launch's steps; 0 if nobody wants them.
    pub(super) fn times_at(&self) -> u32 {
        if self.times.are_wanted() { STEP_TIMES.0 as u32 } else { 0 }
    }

    /// Reads the times of steps that have run, the first of which are `descriptors`.
    pub(super) fn read_times(
        &mut self,
        begun: u32,
        descriptors: &[OpDescriptor],
        ran: usize,
    ) -> Result<(), Error> {
        if !self.times.are_wanted() {
            return Ok(());
        }
        let mut bytes = vec![0; ran * size_of::<StepTimes>()];
        self.link.read_dram(STEP_TIMES, &mut bytes)?;
        let records = <[StepTimes]>::ref_from_bytes(&bytes).unwrap_or_default();
        for ((record, descriptor), seq) in records.iter().zip(descriptors).zip(begun..) {
            // What is not of this launch is of firmware that writes no times.
            if record.seq != seq {
                break;
            }
            let [begin, end] =
                [record.begin, record.end].map(|[low, high]| u64::from(high) << 32 | u64::from(low));
            self.times.add(StepTime { operator: descriptor.name().to_string(), begin, end });
        }
        Ok(())
    }
}

impl Device {
    /// From now on, or no longer, the times of steps are kept ([`take_times`](Self::take_times)). A device that is not open is opened.
    ///
    /// # Errors
    /// The device does not boot.
    pub fn keep_times(&self, keep: bool) -> Result<(), Error> {
        self.with(|session| {
            session.times.kept = keep;
            session.times.steps.clear();
            Ok(())
        })
    }

    /// The steps that have run since this was called last, in their order.
    pub fn take_times(&self) -> Vec<StepTime> {
        match &mut *self.state.lock() {
            State::Open(session) => std::mem::take(&mut session.times.steps),
            _ => Vec::new(),
        }
    }
}
