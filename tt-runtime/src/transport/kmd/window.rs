//! Windows that the driver lends: taken, mapped, pointed, and given back.

use std::sync::Arc;

use tt_isa::chip::Chip;
use tt_isa::tlb::TlbTarget;
use tt_sys::kmd::ioctl::{AllocateTlb, ConfigureTlb, FreeTlb, Ioctl};
use tt_sys::kmd::{Mapping, errno};

use super::Access;
use crate::cards::CardError;
use crate::transport::window::{WANTED, group};
use crate::transport::{Purpose, Shown};

/// A window that the driver has lent.
pub(super) struct Window {
    access: Arc<Access>,
    id: u32,
    shown: Shown,
    /// Taken away before the window is given back, which the driver demands.
    mapping: Option<Box<dyn Mapping>>,
    /// Something written may still be in the processor's write-combining buffers.
    dirty: bool,
}

/// As many windows as are wanted or there are; at least one.
pub(super) fn take(access: &Arc<Access>, chip: &'static Chip) -> Result<Vec<Window>, CardError> {
    let mut taken = Vec::new();
    for (purpose, wanted) in WANTED {
        let bytes = group(chip, purpose).window_bytes();
        let before = taken.len();
        for _ in 0..wanted {
            match Window::take(access, bytes, purpose)? {
                Some(window) => taken.push(window),
                None => break,
            }
        }
        if taken.len() == before {
            taken.extend(any(access, chip, purpose)?);
        }
    }
    let wanted: u32 = WANTED.iter().map(|(_, count)| count).sum();
    let card = &access.card;
    match taken.len() as u32 {
        0 => Err(CardError::NoWindows { node: card.name(), users: card.users() }),
        count => {
            if count < wanted {
                tracing::warn!(
                    "{}: {count} of {wanted} host windows were free ({} has the card open): transfers will be slower",
                    card.name(),
                    card.users()
                );
            }
            Ok(taken)
        }
    }
}

/// A window of any size, the largest first, where those that suit are all taken.
fn any(access: &Arc<Access>, chip: &'static Chip, purpose: Purpose) -> Result<Option<Window>, CardError> {
    let mut sizes: Vec<u64> =
        chip.host.groups.iter().filter(|group| group.bar == 0).map(|group| group.window_bytes()).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    for bytes in sizes {
        if let Some(window) = Window::take(access, bytes, purpose)? {
            return Ok(Some(window));
        }
    }
    Ok(None)
}

impl Window {
    /// A window of this size, if one is free: bulk data goes through the processor's write-combining buffers, registers do not.
    fn take(access: &Arc<Access>, bytes: u64, purpose: Purpose) -> Result<Option<Self>, CardError> {
        let mut ask = AllocateTlb::of(bytes);
        if let Err(error) = ask.call(&**access.file.lock()) {
            return match error.raw_os_error() {
                Some(errno::ENOMEM) => Ok(None),
                _ => Err(access.card.call_failed(AllocateTlb::NAME, &error)),
            };
        }
        // From here on it is given back whatever happens.
        let shown = Shown { bytes, purpose };
        let mut window = Self { access: Arc::clone(access), id: ask.id, shown, mapping: None, dirty: false };
        let offset = match purpose {
            Purpose::Control => ask.mmap_offset_uc,
            Purpose::Bulk => ask.mmap_offset_wc,
        };
        let mapped = access.file.lock().map(offset, bytes as usize);
        window.mapping = Some(mapped.map_err(|error| access.card.call_failed("mmap", &error))?);
        Ok(Some(window))
    }

    /// What others see of it.
    pub(super) fn shown(&self) -> Shown {
        self.shown
    }

    /// Points it. What was written before goes where it pointed then: the driver's write follows it on the bus.
    pub(super) fn point(&mut self, target: &TlbTarget) -> Result<(), CardError> {
        self.flush();
        let mut ask = ConfigureTlb {
            id: self.id,
            addr: target.addr,
            x_end: target.end.x.into(),
            y_end: target.end.y.into(),
            x_start: target.start.x.into(),
            y_start: target.start.y.into(),
            noc: target.noc,
            mcast: target.multicast.into(),
            ordering: target.ordering as u8,
            ..ConfigureTlb::default()
        };
        self.access.call(&mut ask)
    }

    pub(super) fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), CardError> {
        self.flush();
        self.mapping()?.read(offset as usize, out).map_err(|error| self.access.access_failed(&error))
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), CardError> {
        self.dirty = self.shown.purpose == Purpose::Bulk;
        self.mapping()?.write(offset as usize, data).map_err(|error| self.access.access_failed(&error))
    }

    fn flush(&mut self) {
        if let Some(mapping) = self.mapping.as_ref().filter(|_| self.dirty) {
            mapping.flush();
            self.dirty = false;
        }
    }

    fn mapping(&self) -> Result<&dyn Mapping, CardError> {
        let gone = || CardError::Gone { node: self.access.card.name() };
        self.mapping.as_deref().ok_or_else(gone)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.flush();
        self.mapping = None;
        // A driver that does not take it back any more (a reset, a card that is gone) has it already.
        let _ = self.access.call(&mut FreeTlb { id: self.id });
    }
}
