//! Blackhole A0 (p100a, p150, p300).
//!
//! Sources: pages of the ISA documents below `BlackholeA0/`; grid, DRAM ports and translation from the vendor's firmware
//! (`tt-zephyr-platforms`, `noc_init.c`, `noc.c`, `gddr.c`) and user-mode driver; windows from the kernel driver
//! (`blackhole.c`); registers and instructions from the vendor simulator's lists. Nothing here has run on silicon yet;
//! `tt-runtime/tests/all/blackhole.rs` tests it on the vendor's simulator, as far as that goes.

use super::{Chip, Design, Designs, DramBank, Harvesting, places, xy};
use crate::arc::{self, HarvestTag, Management};
use crate::cfg::Registers;
use crate::map::{DEBUG_REGS_BASE, DataCache, ResetPc, TileMap};
use crate::noc::{NiuMap, NiuRegisters, NocXy};
use crate::pcie::BAR2_SIZE;
use crate::stall::Conditions;
use crate::tlb::{HostMap, TlbFields, TlbGroup};

pub mod config;
pub mod insn;
mod naming;
pub mod thread;

pub use naming::{Present, tables};

/// 202 windows of 2 MiB in BAR 0, 8 of 4 GiB in BAR 4 (fewer if the host gave a smaller one).
pub const WINDOWS: [TlbGroup; 2] = [
    TlbGroup {
        first: 0,
        count: 202,
        log2_size: 21,
        bar: 0,
        offset: 0,
        fields: TlbFields { corners: 43, noc: 67, multicast: 69, ordering: 70, linked: 72, static_vc: 73 },
    },
    TlbGroup {
        first: 202,
        count: 8,
        log2_size: 32,
        bar: 4,
        offset: 0,
        fields: TlbFields { corners: 32, noc: 56, multicast: 58, ordering: 59, linked: 61, static_vc: 62 },
    },
];

/// NoC 0 column of the Tensix tiles with each physical index, by which fuses and telemetry count them. Ethernet channels
/// are at the same columns of their row.
pub const PHYSICAL_COLUMNS: [u8; 14] = [1, 16, 2, 15, 3, 14, 4, 13, 5, 12, 6, 11, 7, 10];

/// The PCIe tile that [`Chip::pcie`] is not: which of the two faces the host depends on the board, and its `NODE_ID` says it.
pub const OTHER_PCIE: NocXy = xy(11, 0);

/// A kind of boards with Blackhole chips.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Board {
    /// Name, as users write it.
    pub name: &'static str,
    /// Board types in the upper half of the telemetry's board id.
    pub types: &'static [u32],
    /// Chips, each of which is a PCI device of its own.
    pub chips: u8,
    /// Tensix columns that are harvested, with firmware from 19.5 on.
    pub harvested_columns: u8,
    /// DRAM banks that are missing.
    pub missing_banks: u8,
    /// Ethernet tiles that are not in use.
    pub unused_ethernet: u8,
    /// PCIe tile that faces the host, of each chip.
    pub pcie: &'static [NocXy],
}

/// Boards by the vendor's user-mode driver (`cluster_descriptor_types.hpp`, `blackhole_implementation.hpp`). Which columns and which
/// bank differs from card to card.
pub const BOARDS: &[Board] = &[
    Board {
        name: "p100",
        types: &[0x36, 0x43],
        chips: 1,
        harvested_columns: 2,
        missing_banks: 1,
        unused_ethernet: 14,
        pcie: &[OTHER_PCIE],
    },
    Board {
        name: "p150",
        types: &[0x40, 0x41, 0x42],
        chips: 1,
        harvested_columns: 2,
        missing_banks: 0,
        unused_ethernet: 2,
        pcie: &[xy(2, 0)],
    },
    Board {
        name: "p300",
        types: &[0x44, 0x45, 0x46],
        chips: 2,
        harvested_columns: 2,
        missing_banks: 0,
        unused_ethernet: 2,
        pcie: &[xy(2, 0), OTHER_PCIE],
    },
];

/// NoC 0 rows of the ports of a column's banks.
const DRAM_ROWS: [[u8; 3]; 4] = [[0, 1, 11], [2, 10, 3], [9, 4, 8], [5, 7, 6]];

const fn ports(x: u8, rows: [u8; 3]) -> [NocXy; 3] {
    places([[x, rows[0]], [x, rows[1]], [x, rows[2]]])
}

const fn bank(ports: &'static [NocXy; 3]) -> DramBank {
    DramBank { ports, base: 0 }
}

const ETHERNET: [NocXy; 14] = {
    let mut tiles = [xy(0, 1); 14];
    let mut i = 0;
    while i < tiles.len() {
        tiles[i].x = PHYSICAL_COLUMNS[i];
        i += 1;
    }
    tiles
};

/// Blackhole A0.
pub const BLACKHOLE: Chip = Chip {
    name: "blackhole",
    pci_id: 0xB140_1E52,
    grid: xy(17, 12),
    tensix_x: &[1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16],
    tensix_y: &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    harvesting: Harvesting::Columns,
    naming: naming::NAMING,
    translated_x: &[1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16],
    translated_y: &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    ethernet: &ETHERNET,
    pcie: xy(2, 0),
    arc: xy(8, 0),
    dram: &[
        bank(&ports(0, DRAM_ROWS[0])),
        bank(&ports(0, DRAM_ROWS[1])),
        bank(&ports(0, DRAM_ROWS[2])),
        bank(&ports(0, DRAM_ROWS[3])),
        bank(&ports(9, DRAM_ROWS[0])),
        bank(&ports(9, DRAM_ROWS[1])),
        bank(&ports(9, DRAM_ROWS[2])),
        bank(&ports(9, DRAM_ROWS[3])),
    ],
    // The vendor's software leaves the last 16 MiB of each bank alone.
    dram_bank_size: (4 << 30) - (16 << 20),
    dram_translated: Some(xy(17, 12)),
    dram_niu: None,
    designs: Designs {
        coprocessor: Design::Blackhole,
        ethernet: Design::Blackhole,
        pcie: Design::Blackhole,
        management: Design::Blackhole,
    },
    tile: TileMap {
        l1_size: 1536 << 10,
        // Firmware counts power throttling there, by a broadcast at any time (`throttler.c`).
        l1_firmware: Some((0x10, 0x10)),
        local_ram: [8192, 4096, 4096, 4096, 8192],
        iram_size: 0,
        data_cache: Some(DataCache { line: 16, lines: 4, csr: 0x7C0, off: 1 << 3, no_fusion: 1 << 18 }),
        reset_pc: ResetPc {
            trisc: [DEBUG_REGS_BASE + 0x228, DEBUG_REGS_BASE + 0x22C, DEBUG_REGS_BASE + 0x230],
            trisc_enable: DEBUG_REGS_BASE + 0x234,
            ncrisc: DEBUG_REGS_BASE + 0x238,
            ncrisc_enable: DEBUG_REGS_BASE + 0x23C,
            on_noc: true,
        },
        icache_invalidate: 185,
        packers: 1,
    },
    noc: NiuMap {
        cmd_buf_stride: 0x800,
        max_packet: 16384,
        link_width: 64,
        read_congruence: 64,
        congruence: 16,
        node_shift: 0,
        translation_bits: 5,
        untranslated_rows: 0b11,
        registers: NiuRegisters {
            targ_lo: 0x00,
            targ_mid: 0x04,
            targ_node: 0x08,
            ret_lo: 0x0C,
            ret_mid: 0x10,
            ret_node: 0x14,
            packet_tag: 0x18,
            ctrl: 0x1C,
            at_len_be: 0x20,
            at_data: 0x28,
            brcst_exclude: Some(0x2C),
            cmd_ctrl: 0x40,
            node_id: 0x44,
            endpoint_id: 0x48,
            clear_outstanding: 0x60,
            x_translate_table: 0x118,
            y_translate_table: 0x130,
            id_logical: 0x148,
        },
    },
    host: HostMap {
        bars: &[(0, 512 << 20), (2, BAR2_SIZE), (4, 32 << 30)],
        config: 0x1FC0_0000,
        entry_bytes: 12,
        entry_access: 4,
        groups: &WINDOWS,
        driver_window: 201,
        pcie_niu: [0x1FD0_4000, 0x1FD1_4000],
        pcie_niu_alias: None,
    },
    management: Management {
        noc: 0,
        // On some boards only.
        bar0: None,
        telemetry_table: arc::APB_BASE + arc::RESET_UNIT + SCRATCH_RAM + 4 * 13,
        telemetry_values: arc::APB_BASE + arc::RESET_UNIT + SCRATCH_RAM + 4 * 12,
        harvest: HarvestTag::Enabled(arc::tag::ENABLED_TENSIX_COLUMNS),
        harvest_order: &PHYSICAL_COLUMNS,
    },
    insn: insn::BLACKHOLE,
    registers: Registers {
        bank_words: 56 * 4,
        thcon_start: 64,
        global_start: 180,
        thread_words: 68,
        // Behind the two banks is a third range, whose writes go to both.
        thread_map: 3 * 56 * 4,
        thread_stride: 4,
        config: config::FIELDS,
        thread: thread::FIELDS,
        absent: &[],
        absent_of_threads: &[],
    },
    until: Conditions {
        thcon: 1 << 0,
        unpack0: 1 << 1,
        unpack: 3 << 1,
        pack: 1 << 3,
        math: 1 << 4,
        srca_clear: 1 << 5,
        srcb_clear: 1 << 6,
        srca_valid: 1 << 7,
        srcb_valid: 1 << 8,
        xmov: 1 << 9,
        riscv: 1 << 10,
        sfpu: 1 << 11,
        config: Some(1 << 12),
    },
    timing: None,
};

/// Scratch registers of ARC's reset unit.
const SCRATCH_RAM: u32 = 0x400;
/// What firmware leaves in [`BOOT_STATUS`]'s bits 2:0 once it has booted.
pub const BOOTED: u32 = 5;
/// Register with the state of the firmware, in ARC's own address space.
pub const BOOT_STATUS: u32 = arc::APB_BASE + arc::RESET_UNIT + SCRATCH_RAM + 4 * 2;
