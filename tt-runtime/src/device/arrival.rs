//! A count in the host's memory that the chip writes after everything that the count says is there.
//!
//! PCIe lets no write pass another one, so what was written before the count is in memory before it. The processor is told not to look earlier:
//! a plain load of the count, then a fence, then loads of the rest.
//!
//! The fence comes from the module above, so that the same text is the model that `loom` checks.

use super::{Ordering, fence};

/// The count, if it is due: then whatever the chip has written before it is seen by loads after this.
pub fn arrived<E>(
    load: impl FnOnce() -> Result<u32, E>,
    is_due: impl FnOnce(u32) -> bool,
) -> Result<Option<u32>, E> {
    let count = load()?;
    if !is_due(count) {
        return Ok(None);
    }
    fence(Ordering::Acquire);
    Ok(Some(count))
}
