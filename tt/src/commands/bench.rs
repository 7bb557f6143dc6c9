//! `tt bench`: the figures of devices, beside the published ones.

use clap::Args;

use super::{Devices, Done, Error};
use crate::bench::{Figure, run};

/// Measures devices.
#[derive(Args)]
pub struct Bench {
    #[command(flatten)]
    devices: Devices,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

impl Bench {
    /// Measures them.
    ///
    /// # Errors
    /// A device cannot be opened, or its time means nothing.
    pub fn run(&self) -> Result<Done, Error> {
        let mut all = Vec::new();
        for spec in self.devices.some()? {
            let figures = run(&spec)?.ok_or(Error::NoTime)?;
            if !self.json {
                figures.iter().for_each(print);
            }
            all.push(figures);
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&all)?);
        }
        Ok(Done::Well)
    }
}

fn print(figure: &Figure) {
    let Figure { name, value, unit, published } = figure;
    let published =
        published.map_or_else(String::new, |(value, source)| format!("  published: {value} ({source})"));
    println!("{name:<40} {value:>9.2} {unit:<14}{published}");
}
