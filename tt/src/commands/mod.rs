//! The commands: what each is asked, and what it prints.

mod bench;
mod info;
mod report;
mod reset;
mod selftest;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tt_runtime::{DeviceSpec, SpecError, parse_devices};

/// A command.
#[derive(Subcommand)]
pub enum Command {
    /// Measure DRAM, NoC, PCIe, launches and products of a card, or of a simulated one that keeps time (sim,timed)
    Bench(bench::Bench),
    /// List devices: board, versions, harvesting, memory, temperature, clocks, who uses them
    Info(info::Info),
    /// Write a file to attach to a report of a fault; nothing in it is personal
    Report(report::Report),
    /// Reset cards: what was on them is lost
    Reset(reset::Reset),
    /// Test every tile, DRAM bank, NoC link and unit of a device
    Selftest(selftest::Selftest),
}

/// How a command has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Done {
    /// All is well.
    Well,
    /// A chip has faults.
    Faults,
}

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What names no device.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The runtime.
    #[error(transparent)]
    Runtime(#[from] tt_runtime::Error),
    /// There is nothing to do it with.
    #[error(
        "no Tenstorrent card was found. Is the driver loaded (`ls /dev/tenstorrent`)? `sim` is a simulated card, as in `tt selftest sim`"
    )]
    NoCard,
    /// A file.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Not a card.
    #[error("only cards can be reset: a simulated device is as after power-on whenever it is opened")]
    NothingToReset,
    /// A simulator without time.
    #[error("this simulated device does not keep time, so that nothing could be measured: `sim,timed` does")]
    NoTime,
    /// The output.
    #[error("cannot write: {0}")]
    Output(#[from] serde_json::Error),
}

impl Command {
    /// Carries it out.
    ///
    /// # Errors
    /// It cannot be.
    pub fn run(&self) -> Result<Done, Error> {
        match self {
            Command::Bench(bench) => bench.run(),
            Command::Info(info) => info.run(),
            Command::Report(report) => report.run(),
            Command::Reset(reset) => reset.run(),
            Command::Selftest(selftest) => selftest.run(),
        }
    }
}

/// Which devices.
#[derive(Args)]
pub struct Devices {
    /// Devices as in GGML_TT_DEVICES: 0, 0000:01:00.0, a serial number, sim, sim:n300, ttsim:PATH, kmd-mock:2.10.0; several with commas.
    /// None: what GGML_TT_DEVICES says, or every card
    devices: Vec<String>,
}

impl Devices {
    /// The devices that are meant.
    ///
    /// # Errors
    /// An entry names none.
    pub fn list(&self) -> Result<Vec<DeviceSpec>, SpecError> {
        match self.devices.is_empty() {
            true => parse_devices(tt_settings::DEVICES.text()),
            false => parse_devices(Some(&self.devices.join(","))),
        }
    }

    /// The same, and at least one.
    ///
    /// # Errors
    /// There is none.
    pub fn some(&self) -> Result<Vec<DeviceSpec>, Error> {
        let all = self.list()?;
        if all.is_empty() { Err(Error::NoCard) } else { Ok(all) }
    }
}

/// Writes a file.
fn write(path: &std::path::Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|error| Error::File { path: path.to_owned(), error })
}
