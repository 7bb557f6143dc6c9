//! `tt bench`: how fast a device is, beside what others have measured.
//!
//! | module | what |
//! |---|---|
//! | [`dram`] | tiles that read DRAM, one or one for each bank, by the chip's own clock |
//! | [`noc`] | a tile that reads another one's L1 |
//! | [`host`] | the host's transfers, launches, and a product with a vector, through the runtime |
//!
//! In a simulator that does not keep time there is nothing to measure, and the command says so.

mod dram;
mod host;
mod noc;
mod stream;

use serde::Serialize;
use tt_runtime::{DeviceSpec, Error};

pub use dram::rate_of_all;

use crate::machine::Machine;

/// Something that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What others have measured on a card, and who.
    pub published: Option<(f64, &'static str)>,
}

/// Measures a device; `None` if its time means nothing.
///
/// # Errors
/// It cannot be opened, or a program on it does not come to its end.
pub fn run(spec: &DeviceSpec) -> Result<Option<Vec<Figure>>, Error> {
    let mut machine = Machine::open(spec)?;
    let Some(clocks_us) = machine.clocks_us() else { return Ok(None) };
    let mut figures = dram::measure(&mut machine, clocks_us)?;
    figures.extend(noc::measure(&mut machine)?);
    // A card has one user at a time: the runtime is the next one.
    drop(machine);
    figures.extend(host::measure(spec)?);
    Ok(Some(figures))
}
