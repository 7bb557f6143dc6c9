//! The firmware's service for commands that access memory of any chip (`tt_isa::eth::routing`), and the time that it takes.
//!
//! ```text
//! queue -> taken (block read) -> link -> the other tile's firmware -> NoC -> effect -> NoC -> link -> answer
//!          the queue goes on                                                                  a write: acknowledged
//! ```
//! Each command is a [`Job`] that goes from [`Stage`] to stage. Where no time is kept all stages are one. Where it is, a stage takes what links, NoC, PCIe
//! and the firmware's own work for a message take ([`tt_isa::timing::EthernetTiming`]); effects come in the order of the commands, one queue's after
//! another. The route over several chips is not simulated: each chip between costs a link and the firmware's work once more.

use std::collections::VecDeque;

use tt_isa::timing::Timing;

use super::Chip;
use super::links::other_end;
use crate::fault::Fault;
use crate::model::eth::EthernetTile;
use crate::model::eth::firmware::{Command, Outcome, What};
use crate::model::eth::line::Passage;
use crate::model::grid::Node;

/// What the PCIe tile shows of the host, as the NoC counts.
const HOST: u64 = tt_isa::pcie::HOST_WINDOW;

/// What a command comes to next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The firmware has read it and its block, and sends it.
    Taken,
    /// It has left, and the queue goes on.
    Left,
    /// It takes effect.
    Effect,
    /// The host sees the answer.
    Answer,
}

/// Where a command goes.
#[derive(Clone, Copy)]
struct Target {
    chip: usize,
    node: Node,
    /// Links on the way.
    links: u64,
}

/// A command on its way.
struct Job {
    command: Command,
    target: Option<Target>,
    stage: Stage,
    /// When it comes to that.
    due: u64,
    /// When it arrives at the other end of the link; from its effect on, clocks until the answer can leave from there.
    arrives: u64,
    back: u64,
    /// What a write brings.
    data: Vec<u8>,
    outcome: Outcome,
}

/// Commands of one queue on their way.
#[derive(Default)]
pub(super) struct Jobs {
    jobs: VecDeque<Job>,
    /// When the last one takes effect, and is answered: the next one not before it.
    effect: u64,
    answered: u64,
}

impl Jobs {
    /// Reads that have not been answered.
    fn reads(&self) -> u32 {
        self.jobs.iter().filter(|job| !job.command.what.is_write()).count() as u32
    }

    /// Whether the queue does not go on yet.
    fn is_taking(&self) -> bool {
        self.jobs.iter().any(|job| matches!(job.stage, Stage::Taken | Stage::Left))
    }
}

impl Chip {
    /// When a command to the firmware next comes further; [`u64::MAX`] if none is on its way.
    pub(super) fn next_command_due(&self) -> u64 {
        let all = self.jobs.iter().flat_map(|jobs| &jobs.jobs);
        all.map(|job| job.due).min().unwrap_or(u64::MAX)
    }

    /// Whether commands are on their way.
    pub(super) fn has_commands(&self) -> bool {
        self.jobs.iter().any(|jobs| !jobs.jobs.is_empty())
    }
}

/// Lets the firmware of a chip's Ethernet tiles do what it is asked for.
///
/// # Errors
/// A command that the firmware does not know, or that goes where nothing is.
pub(super) fn serve(chips: &mut [Chip], n: usize) -> Result<(), Fault> {
    for channel in 0..chips[n].ethernet.len() {
        let wants = chips[n].ethernet[channel].wants_service();
        if !wants && chips[n].jobs[channel].jobs.is_empty() {
            continue;
        }
        if wants {
            chips[n].ethernet[channel].look();
        }
        let mut jobs = std::mem::take(&mut chips[n].jobs[channel]);
        let served = Service { chips: &mut *chips, n, channel }.serve(&mut jobs);
        chips[n].jobs[channel] = jobs;
        served?;
    }
    Ok(())
}

/// The firmware of a tile.
struct Service<'a> {
    chips: &'a mut [Chip],
    n: usize,
    channel: usize,
}

impl Service<'_> {
    /// Takes commands and lets them go on, as far as their time has come.
    fn serve(&mut self, jobs: &mut Jobs) -> Result<(), Fault> {
        loop {
            self.go_on(jobs)?;
            if jobs.is_taking() {
                return Ok(());
            }
            let Some(command) = self.tile().next_command(jobs.reads())? else { return Ok(()) };
            let job = self.take(command)?;
            jobs.jobs.push_back(job);
        }
    }

    fn go_on(&mut self, jobs: &mut Jobs) -> Result<(), Fault> {
        let clock = self.chips[self.n].clock();
        let mut n = 0;
        while let Some(mut job) = jobs.jobs.remove(n) {
            let mut next = Some(job.stage);
            while let (Some(stage), true) = (next, job.due <= clock) {
                job.stage = stage;
                // What has a fault is lost.
                next = self.step(&mut job, jobs)?;
            }
            if let Some(stage) = next {
                job.stage = stage;
                jobs.jobs.insert(n, job);
                n += 1;
            }
        }
        Ok(())
    }

    fn tile(&mut self) -> &mut EthernetTile {
        &mut self.chips[self.n].ethernet[self.channel]
    }

    /// What an Ethernet tile's timing says; zero where no time is kept.
    fn clocks(&self, cost: impl Fn(&Timing) -> u64) -> u64 {
        self.chips[self.n].timing().map_or(0, cost)
    }

    /// Clocks of the firmware's work at the end of a way over so many links, and of what lies between its first and its last one.
    fn work(&self, links: u64) -> u64 {
        self.clocks(|Timing { ethernet, .. }| {
            let (command, latency) = (u64::from(ethernet.command), u64::from(ethernet.latency));
            command + links.saturating_sub(1) * (command + latency)
        })
    }

    /// Sends a command or its answer over the link, from this end or from the other one, with so many bytes of data: when it has left, and
    /// when it is there.
    fn send(&mut self, clock: u64, target: &Target, bytes: u32, answers: bool) -> Passage {
        if target.links == 0 {
            return Passage { departs: clock, arrives: clock };
        }
        let end =
            if answers { other_end(self.chips, self.n, self.channel) } else { Some((self.n, self.channel)) };
        let bytes = bytes + self.clocks(|timing| u64::from(timing.ethernet.command_bytes)) as u32;
        let latency = self.clocks(|timing| u64::from(timing.ethernet.latency));
        match end {
            Some((chip, channel)) => self.chips[chip].ethernet[channel].send(clock, bytes),
            None => Passage { departs: clock, arrives: clock + latency },
        }
    }

    /// The firmware begins with a command.
    fn take(&mut self, command: Command) -> Result<Job, Fault> {
        let target = self.target(&command)?;
        let fetch = match command.host_block {
            Some(_) if command.what.is_write() => self.clocks(|Timing { pcie, clocks_us, .. }| {
                let ns = u64::from(pcie.controller_ns) + u64::from(pcie.memory_ns);
                let us = u64::from(*clocks_us);
                ns * us / 1000 + u64::from(command.what.len()) * us / u64::from(pcie.pull_bytes_us)
            }),
            _ => 0,
        };
        let due = self.chips[self.n].clock() + self.work(0) + fetch;
        let due = if self.chips[self.n].timing().is_some() { due } else { 0 };
        Ok(Job {
            command,
            target,
            stage: Stage::Taken,
            due,
            arrives: 0,
            back: 0,
            data: Vec::new(),
            outcome: Outcome::Unreachable,
        })
    }

    /// Where a command goes, if a way leads there.
    fn target(&mut self, command: &Command) -> Result<Option<Target>, Fault> {
        let config = &self.chips[self.n].config;
        let (board, own) = (config.board, config.board.places.get(config.index));
        let place = board.places.iter().position(|&place| place == command.place && command.rack == 0);
        let chip = place.and_then(|index| self.chips.iter().position(|chip| chip.config.index == index));
        let Some(chip) = chip else { return Ok(None) };
        let links = own.map_or(0, |own| {
            u64::from(own.x.abs_diff(command.place.x)) + u64::from(own.y.abs_diff(command.place.y))
        });
        let node = self.chips[chip].tile_at(command.noc, command.tile)?;
        Ok(Some(Target { chip, node, links }))
    }

    /// One stage of a command; the next one, if there is one.
    fn step(&mut self, job: &mut Job, order: &mut Jobs) -> Result<Option<Stage>, Fault> {
        match job.stage {
            Stage::Taken => self.leave(job).map(Some),
            Stage::Left => {
                let Some(target) = job.target else {
                    self.tile().taken(&job.command, false);
                    self.tile().answer(&job.command, &Outcome::Unreachable);
                    return Ok(None);
                };
                self.tile().taken(&job.command, true);
                let [there, back] = self.way(&target, &job.command);
                order.effect = order.effect.max(job.arrives + self.work(target.links) + there);
                (job.due, job.back) = (order.effect, back);
                Ok(Some(Stage::Effect))
            }
            Stage::Effect => {
                let Some(target) = job.target else { return Ok(None) };
                job.outcome = self.carry_out(&target, job)?;
                let bytes = if job.command.what.is_write() { 0 } else { job.command.what.len() };
                let passage = self.send(job.due + job.back, &target, bytes, true);
                order.answered = order.answered.max(passage.arrives + self.work(target.links));
                job.due = order.answered;
                Ok(Some(Stage::Answer))
            }
            Stage::Answer => {
                if let (Outcome::Block(data), Some(at)) = (&job.outcome, job.command.host_block) {
                    self.chips[self.n].push(HOST + u64::from(at), data)?;
                }
                self.tile().answer(&job.command, &job.outcome);
                Ok(None)
            }
        }
    }

    /// A command goes over the link, with its data.
    fn leave(&mut self, job: &mut Job) -> Result<Stage, Fault> {
        let command = &job.command;
        if let What::WriteBlock(len) = command.what {
            job.data = match command.host_block {
                Some(at) => {
                    let mut data = vec![0; len as usize];
                    self.chips[self.n].pcie.noc_read(HOST + u64::from(at), &mut data)?;
                    data
                }
                None => self.tile().block(command, len),
            };
        }
        let bytes = if command.what.is_write() { command.what.len() } else { 0 };
        if let Some(target) = job.target {
            let passage = self.send(job.due, &target, bytes, false);
            (job.due, job.arrives) = (passage.departs, passage.arrives);
        }
        Ok(Stage::Left)
    }

    /// Clocks over the other chip's NoC until a command takes effect, and from then on until the answer can leave.
    fn way(&self, target: &Target, command: &Command) -> [u64; 2] {
        let chip = &self.chips[target.chip];
        let end = match other_end(self.chips, self.n, self.channel) {
            Some((there, channel)) if there == target.chip => channel,
            _ => self.channel,
        };
        let ends = [chip.ethernet[end].position(), chip.position(target.node)];
        let what = command.what;
        chip.idle_way(command.noc, ends, what.len(), !what.is_write())
    }

    /// A command takes effect.
    fn carry_out(&mut self, &Target { chip, node, .. }: &Target, job: &Job) -> Result<Outcome, Fault> {
        let Command { noc, addr, what, .. } = job.command;
        let target = &mut self.chips[chip];
        let outcome = match what {
            What::WriteWord(word) => {
                target.write_node(noc, node, addr, &word.to_le_bytes()).map(|()| Outcome::Written)
            }
            What::WriteBlock(_) => target.write_node(noc, node, addr, &job.data).map(|()| Outcome::Written),
            What::ReadWord => {
                let mut word = [0; 4];
                let read = target.read_node(noc, node, addr, &mut word);
                read.map(|()| Outcome::Word(u32::from_le_bytes(word)))
            }
            What::ReadBlock(len) => {
                let mut data = vec![0; len as usize];
                target.read_node(noc, node, addr, &mut data).map(|()| Outcome::Block(data))
            }
        };
        outcome.map_err(|fault| fault.on_chip(chip))
    }
}
