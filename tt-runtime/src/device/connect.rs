//! From an entry of `GGML_TT_DEVICES` to the way to its chip, and what is known of a device before it is booted.

use std::sync::Arc;

use tt_isa::chip::Chip;

use super::second;
use crate::chip::supported;
use crate::error::Error;
use crate::record::Record;
use crate::spec::DeviceSpec;
use crate::transport::kmd::Kmd;
use crate::transport::remote::{Remote, RemoteError};
use crate::transport::shared::Seat;
use crate::transport::{Transport, TransportError, null::Null, sim::Sim, ttsim::TtSim};

/// A chip and, where it had to be asked, the way to it.
pub(super) type Found = (&'static Chip, Option<Box<dyn Transport>>);

/// What the chip of a device is, if there are kernels for it.
pub(super) fn find(spec: &DeviceSpec) -> Result<Found, Error> {
    match spec.first() {
        DeviceSpec::Card(card) => Ok((card.chip, None)),
        DeviceSpec::Unusable(error) => Err(TransportError::from(error.clone()).into()),
        DeviceSpec::Sim { board, .. } | DeviceSpec::Null { board, .. } => Ok((supported(board.chip)?, None)),
        DeviceSpec::TtSim { .. } | DeviceSpec::Metal { .. } | DeviceSpec::Second(_) => {
            let transport = connect(spec)?;
            Ok((supported(transport.chip())?, Some(transport)))
        }
    }
}

/// The way to the chip of a device, as it is: nothing is loaded, no core runs. A card is taken for this process as long as it is held.
///
/// # Errors
/// Somebody else has the card, or the chip does not answer.
pub fn connect(spec: &DeviceSpec) -> Result<Box<dyn Transport>, Error> {
    Ok(match spec {
        DeviceSpec::Second(first) => Box::new(Remote::new(Box::new(seat(first)?))?),
        spec if spec.has_second() => Box::new(seat(spec)?),
        spec => open(spec)?,
    })
}

/// A share of the way to a card that several devices use.
fn seat(first: &DeviceSpec) -> Result<Seat, Error> {
    match first.way() {
        Some(way) => {
            let mut is_new = false;
            let seat = Seat::on(way, || {
                is_new = true;
                open(first)
            })?;
            if is_new {
                let other = Seat::on(way, || open(first))?;
                let chip = seat.chip();
                // The first chip is of use without the second one.
                if let Err(error) = second::quiet(Box::new(other), chip) {
                    tracing::warn!("the card's second chip is left as it is: {error}");
                }
            }
            Ok(seat)
        }
        None => Err(Error::Transport(RemoteError::NoLink { links: Vec::new() }.into())),
    }
}

/// The way to a chip that this host reaches.
fn open(spec: &DeviceSpec) -> Result<Box<dyn Transport>, TransportError> {
    Ok(match spec {
        DeviceSpec::Card(card) => Box::new(Kmd::open(card)?),
        DeviceSpec::Unusable(error) => return Err(error.clone().into()),
        DeviceSpec::Sim { board, chip, options, .. } => Box::new(Sim::new(board, *chip, options)?),
        DeviceSpec::TtSim { library } => Box::new(TtSim::new(library)?),
        DeviceSpec::Metal { chip } => metal(*chip)?,
        DeviceSpec::Null { board, .. } => Box::new(Null::new(board)),
        DeviceSpec::Second(_) => return Err(RemoteError::NoLink { links: Vec::new() }.into()),
    })
}

/// A chip that the vendor's user-mode driver reaches.
#[cfg(feature = "metal")]
fn metal(chip: u32) -> Result<Box<dyn Transport>, TransportError> {
    Ok(Box::new(crate::transport::metal::Metal::open(chip)?))
}

/// The library can be built without that driver's bridge.
#[cfg(not(feature = "metal"))]
fn metal(chip: u32) -> Result<Box<dyn Transport>, TransportError> {
    let why = "this library was built without the vendor's user-mode driver: build it with --features metal";
    Err(TransportError::Metal(format!("metal:{chip}: {why}")))
}

/// The record that a device's entry asks for.
pub(super) fn recorded(spec: &DeviceSpec) -> Option<Arc<Record>> {
    let DeviceSpec::Null { record: Some(path), .. } = spec else { return None };
    match Record::to_file(path) {
        Ok(record) => Some(Arc::new(record)),
        Err(error) => {
            tracing::error!("{}: {error}: launches are not recorded", path.display());
            None
        }
    }
}

/// Bytes of a chip's DRAM.
pub(super) fn dram_size(chip: &Chip) -> u64 {
    chip.dram.len() as u64 * chip.dram_bank_size
}
