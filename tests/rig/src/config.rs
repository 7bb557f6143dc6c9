//! PCI configuration space of the device: what the driver and Linux read of it. (PCI Local Bus 3.0, chapter 6; PCI Express Base 3.0, 7.8.)
//!
//! BARs have 32 bits, since QEMU's proxy has no others.

const BYTES: usize = 256;
/// Command and status.
pub const COMMAND: usize = 0x04;
/// The first BAR.
const BARS: usize = 0x10;
/// Message signalled interrupts, which are never sent.
const MSI: usize = 0x50;
/// PCI Express.
const EXPRESS: usize = 0x70;

/// The device's BARs: number and bytes.
pub const SIZES: [(u8, u64); 3] = [(0, 512 << 20), (2, 1 << 20), (4, 32 << 20)];

/// The configuration space.
pub struct Config {
    bytes: [u8; BYTES],
    /// Bits that can be written.
    mask: [u8; BYTES],
    power_on: [u8; BYTES],
}

impl Config {
    /// That of a device with this vendor and device id, on a board of this type.
    pub fn new(id: u32, subsystem: u32) -> Self {
        let mut config = Self { bytes: [0; BYTES], mask: [0; BYTES], power_on: [0; BYTES] };
        config.put(0x00, id);
        // There is a list of capabilities.
        config.put(COMMAND, 0x0010 << 16);
        // A processing accelerator.
        config.put(0x08, 0x1200_0001);
        config.put(0x2C, subsystem);
        config.put(0x34, MSI as u32);
        config.put(MSI, 0x0080 << 16 | (EXPRESS as u32) << 8 | 0x05);
        // Version 2, an endpoint.
        config.put(EXPRESS, 0x0002 << 16 | 0x10);
        // Payloads of up to 512 bytes; device control as after power-on.
        config.put(EXPRESS + 0x04, 0x8002);
        config.put(EXPRESS + 0x08, 0x2810);
        // Sixteen lanes at 16 GT/s, that it can have and has.
        config.put(EXPRESS + 0x0C, 0x0104);
        config.put(EXPRESS + 0x10, 0x0104 << 16);
        config.put(EXPRESS + 0x30, 0x0004);
        config.writable(COMMAND, 0x0547);
        config.writable(0x0C, 0x00FF);
        config.writable(0x3C, 0x00FF);
        config.writable(MSI, 0x0071 << 16);
        (1..4).for_each(|word| config.writable(MSI + 4 * word, u32::MAX));
        config.writable(EXPRESS + 0x08, 0x7FFF);
        config.writable(EXPRESS + 0x10, 0x0FFF);
        for (bar, bytes) in SIZES {
            config.writable(BARS + 4 * usize::from(bar), !(bytes as u32 - 1));
        }
        config.power_on = config.bytes;
        config
    }

    fn put(&mut self, at: usize, word: u32) {
        self.bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }

    fn writable(&mut self, at: usize, bits: u32) {
        self.mask[at..at + 4].copy_from_slice(&bits.to_le_bytes());
    }

    /// Reads up to 4 bytes.
    pub fn read(&self, at: usize, len: usize) -> u32 {
        let bytes = self.bytes.iter().skip(at).take(len.min(4));
        bytes.rev().fold(0, |word, &byte| word << 8 | u32::from(byte))
    }

    /// Writes up to 4 bytes, as far as they can be.
    pub fn write(&mut self, at: usize, word: u32, len: usize) {
        let places = self.bytes.iter_mut().zip(&self.mask).skip(at).take(len);
        for ((byte, mask), new) in places.zip(word.to_le_bytes()) {
            *byte = *byte & !mask | new & mask;
        }
    }

    /// As after power-on: where BARs are is forgotten.
    pub fn reset(&mut self) {
        self.bytes = self.power_on;
    }

    /// The BAR that an address is in, and where in it.
    pub fn bar(&self, addr: u64) -> Option<(u8, u64)> {
        SIZES.into_iter().find_map(|(bar, bytes)| {
            let base = u64::from(self.read(BARS + 4 * usize::from(bar), 4));
            let offset = addr.checked_sub(base)?;
            (base != 0 && offset < bytes).then_some((bar, offset))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_sized_placed_and_forgotten() {
        let mut config = Config::new(0x401E_1E52, 0x0018_1E52);
        for (bar, bytes) in SIZES {
            let at = BARS + 4 * usize::from(bar);
            config.write(at, u32::MAX, 4);
            assert_eq!(u64::from(!config.read(at, 4)) + 1, bytes);
        }
        config.write(BARS, 0xC000_0000, 4);
        config.write(BARS + 8, 0xE000_0000, 4);
        assert_eq!(config.bar(0xC000_1234), Some((0, 0x1234)));
        assert_eq!(config.bar(0xE000_0000 + (1 << 20)), None);
        config.write(0, 0, 4);
        assert_eq!((config.read(0, 2), config.read(2, 2)), (0x1E52, 0x401E));
        config.reset();
        assert_eq!(config.bar(0xC000_1234), None);
    }

    /// Linux walks this list.
    #[test]
    fn capabilities_are_msi_and_pci_express() {
        let config = Config::new(0, 0);
        let mut at = config.read(0x34, 1) as usize;
        let mut found = Vec::new();
        while at != 0 {
            found.push(config.read(at, 1));
            at = config.read(at + 1, 1) as usize;
        }
        assert_eq!(found, [0x05, 0x10]);
    }
}
