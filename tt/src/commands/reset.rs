//! `tt reset`: the chip of a card as after power-on.

use clap::Args;
use tt_runtime::DeviceSpec;
use tt_runtime::transport::TransportError;
use tt_runtime::transport::kmd;

use super::{Devices, Done, Error};

/// Resets cards.
#[derive(Args)]
pub struct Reset {
    #[command(flatten)]
    devices: Devices,
}

impl Reset {
    /// Resets them, one after the other.
    ///
    /// # Errors
    /// Somebody uses one, its driver cannot, it does not come back, or it is no card.
    pub fn run(&self) -> Result<Done, Error> {
        for spec in self.devices.some()? {
            match &spec {
                DeviceSpec::Card(card) => {
                    kmd::reset(card).map_err(|error| tt_runtime::Error::from(TransportError::from(error)))?;
                    println!("{}: reset", card.name());
                }
                DeviceSpec::Unusable(error) => {
                    return Err(tt_runtime::Error::from(TransportError::from(error.clone())).into());
                }
                _ => return Err(Error::NothingToReset),
            }
        }
        Ok(Done::Well)
    }
}
