//! Which chip a device has, and whether the kernels run on it.

use tt_isa::chip::{CHIPS, Chip, Identity, Undescribed, identify};

/// A chip that is not used, with the reason.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub enum ChipError {
    /// Described, but there are no kernels for it.
    #[error(
        "{} (PCI id {:#010x}) is recognised and not supported yet: there are no kernels for it (there are for {})",
        title(chip.name), chip.pci_id, with_kernels()
    )]
    NoKernels {
        /// The chip.
        chip: &'static Chip,
    },
    /// Known, and not to be supported.
    #[error("{} (PCI id {:#010x}) is recognised and not supported: {}", title(chip.name), chip.pci_id, chip.reasons.join("; "))]
    Undescribed {
        /// The chip.
        chip: &'static Undescribed,
    },
    /// Something else.
    #[error("PCI id {id:#010x} is not a chip that this runtime knows (it knows {})", known())]
    Unknown {
        /// PCI vendor and device id, as the configuration word at 0.
        id: u32,
    },
    /// Not the chip that the device had before.
    #[error("the device had a {} and now has a {}", title(before.name), title(now.name))]
    Exchanged {
        /// What it was.
        before: &'static Chip,
        /// What it is.
        now: &'static Chip,
    },
}

impl ChipError {
    /// The chip's name, if it is known.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            ChipError::NoKernels { chip } | ChipError::Exchanged { now: chip, .. } => Some(chip.name),
            ChipError::Undescribed { chip } => Some(chip.name),
            ChipError::Unknown { .. } => None,
        }
    }
}

/// The chip with a PCI vendor and device id.
///
/// # Errors
/// It is not described.
pub fn recognise(id: u32) -> Result<&'static Chip, ChipError> {
    match identify(id) {
        Some(Identity::Chip(chip)) => Ok(chip),
        Some(Identity::Undescribed(chip)) => Err(ChipError::Undescribed { chip }),
        None => Err(ChipError::Unknown { id }),
    }
}

/// The chip, if there are kernels for it.
///
/// # Errors
/// There are none.
pub fn supported(chip: &'static Chip) -> Result<&'static Chip, ChipError> {
    match tt_kernels::WITH_KERNELS.iter().any(|with| with.pci_id == chip.pci_id) {
        true => Ok(chip),
        false => Err(ChipError::NoKernels { chip }),
    }
}

/// A chip's name as a title.
pub(crate) fn title(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn with_kernels() -> String {
    tt_kernels::WITH_KERNELS.iter().map(|chip| title(chip.name)).collect::<Vec<_>>().join(", ")
}

fn known() -> String {
    CHIPS
        .iter()
        .map(|chip| format!("{} {:#010x}", title(chip.name), chip.pci_id))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::chip::{BLACKHOLE, GRAYSKULL, WORMHOLE};

    #[test]
    fn wormhole_has_kernels() {
        assert!(std::ptr::eq(recognise(WORMHOLE.pci_id).unwrap(), recognise(WORMHOLE.pci_id).unwrap()));
        assert_eq!(supported(recognise(WORMHOLE.pci_id).unwrap()).unwrap().name, "wormhole");
    }

    #[test]
    fn blackhole_is_recognised_and_has_no_kernels() {
        let error = supported(recognise(BLACKHOLE.pci_id).unwrap()).unwrap_err();
        assert!(matches!(error, ChipError::NoKernels { chip } if chip.name == "blackhole"));
        let text = error.to_string();
        assert!(
            text.starts_with("Blackhole (PCI id 0xb1401e52) is recognised and not supported yet"),
            "{text}"
        );
        assert!(text.contains("no kernels") && text.ends_with("(there are for Wormhole)"), "{text}");
    }

    #[test]
    fn grayskull_is_refused_with_reasons() {
        let error = recognise(GRAYSKULL.pci_id).unwrap_err();
        assert!(matches!(error, ChipError::Undescribed { .. }));
        let text = error.to_string();
        for reason in ["Grayskull", "FP32", "multiplication", "driver"] {
            assert!(text.contains(reason), "{text}");
        }
    }

    #[test]
    fn an_unknown_chip_is_named_by_its_id() {
        let text = recognise(0x5555_1E52).unwrap_err().to_string();
        assert!(text.contains("0x55551e52") && text.contains("Wormhole 0x401e1e52"), "{text}");
    }
}
