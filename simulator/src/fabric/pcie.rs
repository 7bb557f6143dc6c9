//! BAR 2: the PCIe controller's registers, and the transfers of its DMA engines between BAR 0 windows and host memory.
//!
//! A transfer is complete when its doorbell has been written.

use tt_isa::pcie::dma;

use super::Chip;
use crate::fault::Fault;
use crate::model::pcie::{Engine, HostMemory, PAGE};

/// A transfer moves through a buffer of this size.
const PIECE: u32 = 4096;

impl Chip {
    /// Gives the chip host memory to reach over PCIe.
    pub fn set_host_memory(&mut self, host: Box<dyn HostMemory>) {
        self.pcie.set_host(host);
    }

    /// Reads a register of BAR 2.
    ///
    /// # Errors
    /// There is none at this offset.
    pub fn bar2_read(&mut self, offset: u64) -> Result<u32, Fault> {
        self.check_controller()?;
        self.pcie.register(offset).copied()
    }

    /// Writes a register of BAR 2. A doorbell starts a transfer, which is complete on return.
    ///
    /// # Errors
    /// There is no register at this offset, or the transfer goes wrong.
    pub fn bar2_write(&mut self, offset: u64, value: u32) -> Result<(), Fault> {
        self.check_controller()?;
        *self.pcie.register(offset)? = value;
        let engine = match offset {
            dma::WRITE_DOORBELL => Engine::ToHost,
            dma::READ_DOORBELL => Engine::FromHost,
            _ => return Ok(()),
        };
        if value != 0 {
            return Err(Fault::not_implemented(format!("DMA channel {value}: channel 0 is there")).page(PAGE));
        }
        self.transfer(engine)
    }

    /// # Errors
    /// The chip's controller is not of the design that the model has.
    fn check_controller(&self) -> Result<(), Fault> {
        match self.has_pcie() {
            true => Ok(()),
            false => {
                let what = format!("the PCIe controller of a {}", self.config.board.chip.name);
                Err(Fault::not_implemented(what).page(PAGE))
            }
        }
    }

    /// Copies between a window of BAR 0 and host memory, and tells the host.
    fn transfer(&mut self, engine: Engine) -> Result<(), Fault> {
        let channel = match engine {
            Engine::ToHost => dma::WRITE_CHANNEL,
            Engine::FromHost => dma::READ_CHANNEL,
        };
        let size = self.pcie.dma(channel + dma::TRANSFER_SIZE);
        let [from, to] =
            [dma::SAR, dma::DAR].map(|registers| self.pcie.dma_address(registers.map(|at| channel + at)));
        let device = if engine == Engine::ToHost { from } else { to };
        if size == 0 || !size.is_multiple_of(4) || !device.is_multiple_of(4) {
            let what =
                format!("DMA of {size} bytes at BAR 0 offset {device:#x}: words of 4 bytes are copied");
            return Err(Fault::program(what).page(PAGE));
        }
        let mut buffer = [0; PIECE as usize];
        let mut done = 0;
        while done < size {
            let piece = &mut buffer[..(size - done).min(PIECE) as usize];
            let (from, to) = (from + u64::from(done), to + u64::from(done));
            match engine {
                Engine::ToHost => {
                    self.read_bar(0, from, piece)?;
                    self.pcie.write_host(to, piece)?;
                }
                Engine::FromHost => {
                    self.pcie.read_host(from, piece)?;
                    self.write_bar(0, to, piece)?;
                }
            }
            done += piece.len() as u32;
        }
        let (at, word) = match engine {
            Engine::ToHost => (dma::WRITE_DONE_IMWR, dma::WRITE_IMWR_DATA),
            Engine::FromHost => (dma::READ_DONE_IMWR, dma::READ_IMWR_DATA),
        };
        let word = self.pcie.dma(word).to_le_bytes();
        self.pcie.write_host(self.pcie.dma_address(at), &word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fabric::ChipConfig;
    use crate::fault::Blame;
    use std::sync::{Arc, Mutex};
    use tt_isa::chip::wormhole::ARC_CSM_BAR0;
    use tt_isa::chip::{WORMHOLE, board};
    use tt_isa::pcie::{HOST_WINDOW, iatu};

    const MEMORY: usize = 0x3_0000;

    /// Host memory from address 0, shared with the test.
    #[derive(Clone)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl HostMemory for Memory {
        fn read(&self, addr: u64, out: &mut [u8]) -> bool {
            let memory = self.0.lock().unwrap();
            let piece = memory.get(addr as usize..addr as usize + out.len());
            piece.map(|piece| out.copy_from_slice(piece)).is_some()
        }

        fn write(&self, addr: u64, data: &[u8]) -> bool {
            let mut memory = self.0.lock().unwrap();
            let piece = memory.get_mut(addr as usize..addr as usize + data.len());
            piece.map(|piece| piece.copy_from_slice(data)).is_some()
        }
    }

    fn chip() -> (Chip, Memory) {
        let config = ChipConfig { threads: 1, ..ChipConfig::of_board(board("n150").expect("known"), 0) };
        let mut chip = Chip::new(config).expect("a chip");
        let memory = Memory(Arc::new(Mutex::new((0..MEMORY).map(|i| (i / 7) as u8).collect())));
        chip.set_host_memory(Box::new(memory.clone()));
        (chip, memory)
    }

    fn region(chip: &mut Chip, n: u64, base: u32, limit: u32, target: u64) {
        let at = iatu::BASE + 2 * n * iatu::STRIDE;
        let words = [
            (iatu::LOWER_BASE, base),
            (iatu::LIMIT, limit),
            (iatu::LOWER_TARGET, target as u32),
            (iatu::UPPER_TARGET, (target >> 32) as u32),
            (iatu::CTRL_2, iatu::ENABLE),
        ];
        for (register, word) in words {
            chip.bar2_write(at + register, word).expect("a register");
            assert_eq!(chip.bar2_read(at + register).expect("a register"), word);
        }
    }

    #[test]
    fn the_noc_reaches_host_memory_through_regions() {
        let (mut chip, memory) = chip();
        region(&mut chip, 0, 0x1000, 0x1FFF, 0x2_0000);
        let mut out = [0; 64];
        chip.tile_read(WORMHOLE.pcie, HOST_WINDOW + 0x1040, &mut out).expect("inside the region");
        assert_eq!(out[..], memory.0.lock().unwrap()[0x2_0040..][..64]);
        chip.tile_read(WORMHOLE.pcie, HOST_WINDOW + 0x3000, &mut out).expect("identity outside");
        assert_eq!(out[..], memory.0.lock().unwrap()[0x3000..][..64]);
        chip.tile_write(WORMHOLE.pcie, HOST_WINDOW + 0x1100, &[0xEE; 32]).expect("inside the region");
        assert_eq!(memory.0.lock().unwrap()[0x2_0100..][..32], [0xEE; 32]);

        region(&mut chip, 7, 0x1800, 0x2800, 0);
        let fault = chip.tile_read(WORMHOLE.pcie, HOST_WINDOW + 0x1900, &mut out).unwrap_err();
        assert!(fault.blame == Blame::Program && fault.what.contains("several"), "{fault}");
        let fault = chip.tile_read(WORMHOLE.pcie, HOST_WINDOW + MEMORY as u64, &mut out).unwrap_err();
        assert!(fault.what.contains("nothing is there"), "{fault}");
        let fault = chip.tile_read(WORMHOLE.pcie, 0x1000, &mut out).unwrap_err();
        assert_eq!(fault.blame, Blame::Program);
    }

    #[test]
    fn the_dma_engines_copy_and_tell() {
        let (mut chip, memory) = chip();
        let size = 3 * PIECE + 16;
        let set = |chip: &mut Chip, words: &[(u64, u32)]| {
            words.iter().for_each(|&(at, word)| chip.bar2_write(at, word).expect("a register"));
        };
        let csm = (ARC_CSM_BAR0 + 0x1_0000) as u32;
        set(
            &mut chip,
            &[
                (dma::READ_CHANNEL + dma::TRANSFER_SIZE, size),
                (dma::READ_CHANNEL + dma::SAR[0], 0x400),
                (dma::READ_CHANNEL + dma::DAR[0], csm),
                (dma::READ_DONE_IMWR[0], 0x100),
                (dma::READ_IMWR_DATA, 0xFACA_FACA),
                (dma::READ_DOORBELL, 0),
            ],
        );
        let host = memory.0.lock().unwrap().clone();
        assert_eq!(host[0x100..0x104], 0xFACA_FACA_u32.to_le_bytes());
        let mut out = vec![0; size as usize];
        chip.bar0_read(u64::from(csm), &mut out).expect("CSM");
        assert!(out == host[0x400..][..size as usize], "host memory has not arrived");
        set(
            &mut chip,
            &[
                (dma::WRITE_CHANNEL + dma::TRANSFER_SIZE, size),
                (dma::WRITE_CHANNEL + dma::SAR[0], csm),
                (dma::WRITE_CHANNEL + dma::DAR[0], 0x2_0000),
                (dma::WRITE_DONE_IMWR[0], 0x104),
                (dma::WRITE_IMWR_DATA, 0x1234_5678),
                (dma::WRITE_DOORBELL, 0),
            ],
        );
        let host = memory.0.lock().unwrap().clone();
        assert!(
            host[0x2_0000..][..size as usize] == out && host[0x104..0x108] == 0x1234_5678_u32.to_le_bytes()
        );
    }

    #[test]
    fn wrong_use_is_a_fault() {
        let (mut chip, _) = chip();
        assert_eq!(chip.bar2_write(dma::READ_DOORBELL, 0).unwrap_err().blame, Blame::Program, "no bytes");
        assert_eq!(chip.bar2_write(dma::READ_DOORBELL, 1).unwrap_err().blame, Blame::NotImplemented);
        assert_eq!(chip.bar2_read(2).unwrap_err().blame, Blame::Program);
        for offset in [0, 0x400, iatu::BASE + 0x1C, iatu::BASE + 32 * iatu::STRIDE, 0xF_FFFC] {
            assert_eq!(chip.bar2_read(offset).unwrap_err().blame, Blame::NotImplemented, "{offset:#x}");
        }
        let config = ChipConfig { threads: 1, ..ChipConfig::of_board(board("n150").expect("known"), 0) };
        let mut lonely = Chip::new(config).expect("a chip");
        let fault = lonely.tile_read(WORMHOLE.pcie, HOST_WINDOW, &mut [0; 4]).unwrap_err();
        assert!(fault.what.contains("no memory"), "{fault}");
    }
}
