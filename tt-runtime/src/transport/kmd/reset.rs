//! Resets of the chip, by the rules of the driver's versions.
//!
//! | since | rule |
//! |---|---|
//! | 2.4.0 | the chip can be reset, and then has to be made ready (`POST_RESET`) |
//! | 2.6.0 | files that were opened before a reset are useless afterwards, until 2.10.0 the one that has reset too |
//! | 2.7.0 | mappings of before are taken away |
//!
//! `POST_RESET` must not come before the chip is back: the mark that the driver has left in PCI's command register is gone then.

use std::time::{Duration, Instant};

use tt_sys::kmd::File;
use tt_sys::kmd::ioctl::{Ioctl, ResetDevice, reset as kinds, since};

use crate::cards::{Card, CardError};

/// A chip that is not back after so long does not come back.
const LIMIT: Duration = Duration::from_secs(10);
/// Until the chip has left the bus.
const LEAVES: Duration = Duration::from_millis(500);

/// Resets a card's chip. Nobody may have it open, this process included.
///
/// # Errors
/// Somebody has, the driver cannot, or the chip does not come back.
pub fn reset(card: &Card) -> Result<(), CardError> {
    let (node, version) = (card.name(), card.driver);
    if version < since::ASIC_RESET {
        return Err(CardError::NoReset { node, version });
    }
    let users = card.users();
    if !users.0.is_empty() {
        return Err(CardError::InUse { node, users });
    }
    let file = card.open()?;
    tracing::warn!("{node}: the chip is being reset");
    ask(card, &*file, kinds::ASIC)?;
    let dies = version >= since::POWER && version < since::EXCLUSIVE;
    let file = if dies {
        drop(file);
        card.open()?
    } else {
        file
    };
    wait(card);
    ask(card, &*file, kinds::POST)
}

fn ask(card: &Card, file: &dyn File, kind: u32) -> Result<(), CardError> {
    let mut ask = ResetDevice::new(kind);
    ask.call(file).map_err(|error| card.call_failed(ResetDevice::NAME, &error))?;
    // A failure is no error of the call.
    if ask.result == 0 { Ok(()) } else { Err(CardError::ResetFailed { node: card.name() }) }
}

/// Waits until the chip is back on the bus.
fn wait(card: &Card) {
    std::thread::sleep(LEAVES);
    let started = Instant::now();
    let (at, mark) = kinds::MARK;
    let marked =
        || card.configuration().is_some_and(|config| config.get(at).is_none_or(|byte| byte & mark != 0));
    while marked() && started.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(100));
    }
}
