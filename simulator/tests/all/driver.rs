//! What the vendor's kernel driver and user-mode driver rely on in a chip, beside what programs do with it: each of these was a
//! fault of the model that one of them found.

use std::sync::{Arc, Mutex};

use tt_isa::arc::{
    DBI_ENABLE, DBI_MODE, MESSAGE_PRESENT, MESSAGE_STATUS, MISC_CNTL, MISC_CNTL_IRQ0, RESET_UNIT, message,
};
use tt_isa::chip::wormhole::ARC_APB_BAR0;
use tt_isa::chip::{WORMHOLE, board};
use tt_isa::eth::firmware::{HEARTBEAT, TRAIN_STATUS, TRAIN_SUCCESS};
use tt_isa::map::{DEBUG_REGS_BASE, SOFT_RESET_0, SOFT_RESET_ALL};
use tt_isa::noc::{NocXy, reg};
use tt_isa::pcie::{DBI_DEVICE_CONTROL, DBI_ID, HOST_WINDOW};
use tt_simulator::{Chip, ChipConfig, HostMemory, System};

const TENSIX: NocXy = NocXy::new(18, 18);

fn chip() -> Chip {
    let config = ChipConfig { threads: 1, ..ChipConfig::of_board(board("n150").expect("known"), 0) };
    Chip::new(config).expect("a chip")
}

fn unit(register: u32) -> u64 {
    ARC_APB_BAR0 + u64::from(RESET_UNIT + register)
}

fn read(chip: &mut Chip, tile: NocXy, addr: u64) -> u32 {
    let mut word = [0; 4];
    chip.tile_read(tile, addr, &mut word).expect("a word");
    u32::from_le_bytes(word)
}

fn send(chip: &mut Chip, code: u8) {
    for (register, word) in [(MESSAGE_STATUS, MESSAGE_PRESENT | u32::from(code)), (MISC_CNTL, MISC_CNTL_IRQ0)]
    {
        chip.bar0_write(unit(register), &word.to_le_bytes()).expect("a register");
    }
}

/// Host memory of one page, and what was asked of it.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl HostMemory for Page {
    fn read(&self, addr: u64, out: &mut [u8]) -> bool {
        let memory = self.0.lock().unwrap();
        memory.get(addr as usize..addr as usize + out.len()).map(|bytes| out.copy_from_slice(bytes)).is_some()
    }

    fn write(&self, addr: u64, data: &[u8]) -> bool {
        let mut memory = self.0.lock().unwrap();
        let place = memory.get_mut(addr as usize..addr as usize + data.len());
        place.map(|bytes| bytes.copy_from_slice(data)).is_some()
    }
}

#[test]
fn counters_of_the_pcie_niu_are_where_the_kernel_driver_reads_them() {
    let mut chip = chip();
    let alias = WORMHOLE.host.pcie_niu_alias.expect("a Wormhole has it");
    assert_eq!(alias, [0x1FD0_2000, 0x1FD0_A000]);
    for (noc, base) in alias.into_iter().enumerate() {
        for register in [WORMHOLE.noc.registers.node_id, reg::MST_RD_DATA_WORD_RECEIVED] {
            let [mut here, mut there] = [[0xFF; 4]; 2];
            chip.bar0_read(base + u64::from(register), &mut here).expect("the alias");
            chip.bar0_read(WORMHOLE.host.pcie_niu[noc] + u64::from(register), &mut there)
                .expect("a register");
            assert_eq!(here, there, "NoC {noc}, {register:#x}");
        }
    }
}

#[test]
fn a_dram_tile_has_its_own_id_where_the_user_mode_driver_looks() {
    let mut chip = chip();
    for bank in WORMHOLE.dram {
        for (block, port) in [1, 0, 2].into_iter().enumerate() {
            let port = bank.ports[port];
            let id = read(&mut chip, port, 0x1_0008_002C + 0x1_0000 * block as u64);
            assert_eq!(id & 0xFFF, u32::from(port.x) | u32::from(port.y) << 6, "block {block}");
        }
    }
    assert_eq!(read(&mut chip, NocXy::new(0, 11), 0x1_0009_002C) & 0xFFF, 11 << 6);
}

#[test]
fn dbi_mode_shows_the_controllers_registers_in_the_place_of_host_memory() {
    let mut chip = chip();
    let host = Page::default();
    host.0.lock().unwrap().resize(4096, 0x55);
    chip.set_host_memory(Box::new(host.clone()));
    let control = HOST_WINDOW + DBI_DEVICE_CONTROL;
    assert_eq!(read(&mut chip, WORMHOLE.pcie, control), 0x5555_5555);
    let set = |chip: &mut Chip, words: [u32; 2]| {
        for (register, word) in DBI_MODE.into_iter().zip(words) {
            chip.bar0_write(unit(register), &word.to_le_bytes()).expect("a scratch register");
        }
    };
    set(&mut chip, [DBI_ENABLE; 2]);
    assert_eq!(read(&mut chip, WORMHOLE.pcie, HOST_WINDOW + DBI_ID), WORMHOLE.pci_id);
    let before = read(&mut chip, WORMHOLE.pcie, control);
    let payload = before & !0xE0 | 1 << 5;
    chip.tile_write(WORMHOLE.pcie, control, &payload.to_le_bytes()).expect("device control");
    assert_eq!(read(&mut chip, WORMHOLE.pcie, control), payload);
    assert!(chip.tile_read(WORMHOLE.pcie, HOST_WINDOW + 0x200, &mut [0; 4]).is_err(), "not modelled");
    assert!(chip.tile_read(WORMHOLE.pcie, control, &mut [0; 8]).is_err(), "words");
    set(&mut chip, [0; 2]);
    assert_eq!(read(&mut chip, WORMHOLE.pcie, control), 0x5555_5555);
    assert!(host.0.lock().unwrap().iter().all(|&byte| byte == 0x55), "host memory was not touched");
    // Reads and writes have a switch each.
    set(&mut chip, [DBI_ENABLE, 0]);
    chip.tile_write(WORMHOLE.pcie, control, &[1, 2, 3, 4]).expect("host memory");
    assert_eq!(host.0.lock().unwrap()[0x78..0x7C], [1, 2, 3, 4]);
}

#[test]
fn a_message_resets_the_board() {
    let mut chip = chip();
    let host = Page::default();
    host.0.lock().unwrap().resize(4096, 0x66);
    chip.set_host_memory(Box::new(host));
    chip.set_pci_command(0x46);
    chip.tile_write(TENSIX, 0x1000, &[7; 4]).expect("L1");
    let reset = u64::from(DEBUG_REGS_BASE + SOFT_RESET_0);
    chip.tile_write(TENSIX, reset, &0_u32.to_le_bytes()).expect("a register");
    send(&mut chip, message::NOP);
    assert_eq!(read(&mut chip, TENSIX, 0x1000), 0x0707_0707, "other messages do no harm");
    assert_eq!(chip.pci_config_read32(4), 0x46);

    send(&mut chip, message::TRIGGER_RESET);
    assert_eq!(chip.pci_config_read32(4), 0, "the host sees that by the command register");
    assert_ne!(read(&mut chip, TENSIX, 0x1000), 0x0707_0707);
    assert_eq!(read(&mut chip, TENSIX, reset) & SOFT_RESET_ALL, SOFT_RESET_ALL, "cores are in reset");
    assert_eq!(read(&mut chip, WORMHOLE.pcie, HOST_WINDOW), 0x6666_6666, "the host is still there");
    assert!(chip.advance(100).expect("nothing runs").asleep);
}

#[test]
fn links_are_trained_again_after_a_reset() {
    let mut system = System::new(board("n300").expect("known"), 1).expect("chips");
    let chip = &mut system.chips()[0];
    let tile = WORMHOLE.ethernet[8];
    assert_eq!(read(chip, tile, TRAIN_STATUS.into()), TRAIN_SUCCESS);
    send(chip, message::TRIGGER_RESET);
    assert_eq!(read(chip, tile, TRAIN_STATUS.into()), TRAIN_SUCCESS);
}

#[test]
fn the_ethernet_heartbeat_has_its_mark() {
    let mut chip = chip();
    let beats = [0; 3].map(|_| read(&mut chip, WORMHOLE.ethernet[0], HEARTBEAT.into()));
    assert!(beats.iter().all(|beat| beat >> 16 == 0xABCD), "{beats:x?}");
    assert!(beats[0] < beats[1] && beats[1] < beats[2], "{beats:x?}");
}
