//! Runs llama.cpp's programs with the demo model, with its layers on a given device, and checks that the card was used.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::tools::{self, Device, Finished, Missing, Tools};

const LIMIT: Duration = Duration::from_secs(900);

/// Where the layers of a model are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layers {
    /// On the CPU; our library is not loaded.
    OnCpu,
    /// All on one simulated card.
    OnCard,
    /// Half of them on each of two simulated cards.
    OverTwoCards,
    /// Half of them on each chip of a simulated n300.
    OverTwoChips,
    /// A part of each of them on each chip of a simulated n300.
    InTwoChips,
}

impl Layers {
    /// The devices that the program has.
    pub fn device(self) -> Device<'static> {
        match self {
            Self::OnCpu => Device::Cpu,
            Self::OnCard => Device::SIM,
            Self::OverTwoCards => Device::Tenstorrent("sim,sim"),
            Self::OverTwoChips | Self::InTwoChips => Device::Tenstorrent("sim:n300"),
        }
    }

    /// llama.cpp's arguments. Naming the devices makes it refuse to start without them.
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::OnCpu => &["-ngl", "0"],
            Self::OnCard => &["-ngl", "99", "-dev", "TT0"],
            Self::OverTwoCards | Self::OverTwoChips => &["-ngl", "99", "-dev", "TT0,TT1", "-sm", "layer"],
            Self::InTwoChips => &["-ngl", "99", "-dev", "TT0,TT1", "-sm", "tensor", "-fa", "on"],
        }
    }

    /// A command with the demo model; weights as near to the file's as the card has them.
    pub fn prepare(self, mut command: Command) -> Command {
        command.arg("-m").arg(tools::demo_model()).args(self.arguments()).env("GGML_TT_WEIGHTS", "bf16");
        command
    }

    /// One of llama.cpp's programs with the demo model, whose log is complete.
    ///
    /// # Errors
    /// This llama.cpp build lacks it.
    pub fn program(self, tools: &Tools, name: &str) -> Result<Command, Missing> {
        let mut command = self.prepare(tools.optional(name, self.device())?);
        tools::preload(&mut command)?;
        Ok(command)
    }

    /// The same with another model, and with weights as the library chooses them.
    ///
    /// # Errors
    /// This llama.cpp build lacks the program.
    pub fn program_with(self, tools: &Tools, name: &str, model: &Path) -> Result<Command, Missing> {
        let mut command = tools.optional(name, self.device())?;
        command.arg("-m").arg(model).args(self.arguments());
        tools::preload(&mut command)?;
        Ok(command)
    }

    /// Runs a program to its successful end.
    ///
    /// # Errors
    /// It fails, or its products were to run on a card and did not.
    pub fn run(self, command: &mut Command) -> Result<Finished> {
        self.run_within(command, LIMIT)
    }

    /// The same of a program that may take longer.
    ///
    /// # Errors
    /// As [`Layers::run`].
    pub fn run_within(self, command: &mut Command, limit: Duration) -> Result<Finished> {
        let stats = tools::scratch("layers-stats");
        let finished = tools::run(command.env("GGML_TT_STATS", &stats), limit)?.success()?;
        if self != Self::OnCpu {
            let text = std::fs::read_to_string(&stats).context("the library left no statistics")?;
            std::fs::remove_file(&stats)?;
            ensure!(text.contains("\"MUL_MAT\""), "no product ran on the card: {text}");
        }
        Ok(finished)
    }
}
