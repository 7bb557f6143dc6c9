//! Wormhole B0: chip, configuration fields by name, names of tiles.
//!
//! Its instructions are `crate::insn::table`, its conditions of `STALLWAIT` [`crate::stall::until`].

use super::{Chip, Design, Designs, DramBank, DramNiu, Harvesting, places, xy};
use crate::arc::{self, ArcBar0, HarvestTag, Management};
use crate::cfg::Registers;
use crate::insn;
use crate::map::{ResetPc, TileMap};
use crate::noc::{NiuMap, NiuRegisters, NocXy};
use crate::pcie::BAR2_SIZE;
use crate::stall::{Conditions, until};
use crate::timing;
use crate::tlb::{HostMap, TlbFields, TlbGroup};

pub mod config;
mod naming;
pub mod thread;

/// ARC CSM (scratch memory, 512 KiB) in BAR 0.
pub const ARC_CSM_BAR0: u64 = 0x1FE8_0000;
/// ARC APB peripherals in BAR 0.
pub const ARC_APB_BAR0: u64 = 0x1FF0_0000;

/// 156 windows of 1 MiB, 10 of 2 MiB, 20 of 16 MiB, all in BAR 0.
pub const WINDOWS: [TlbGroup; 3] =
    [windows(0, 156, 20, 0), windows(156, 10, 21, 0x9C0_0000), windows(166, 20, 24, 0xB00_0000)];

const fn windows(first: u32, count: u32, log2_size: u32, offset: u64) -> TlbGroup {
    TlbGroup { first, count, log2_size, bar: 0, offset, fields: fields(log2_size) }
}

/// Everything follows the address, which has 36 bits.
const fn fields(log2_size: u32) -> TlbFields {
    let corners = 36 - log2_size;
    TlbFields {
        corners,
        noc: corners + 24,
        multicast: corners + 25,
        ordering: corners + 26,
        linked: corners + 28,
        static_vc: corners + 29,
    }
}

const fn bank(ports: &'static [NocXy], channel: u64) -> DramBank {
    DramBank { ports, base: channel << 30 }
}

const D0: &[NocXy] = &[xy(0, 11), xy(0, 1), xy(0, 0)];
const D1: &[NocXy] = &[xy(0, 5), xy(0, 7), xy(0, 6)];
const D2: &[NocXy] = &[xy(5, 11), xy(5, 1), xy(5, 0)];
const D3: &[NocXy] = &[xy(5, 2), xy(5, 10), xy(5, 9)];
const D4: &[NocXy] = &[xy(5, 8), xy(5, 4), xy(5, 3)];
const D5: &[NocXy] = &[xy(5, 5), xy(5, 7), xy(5, 6)];

/// NoC 0 rows of Tensix tiles; telemetry counts them in this order.
const ROWS: &[u8] = &[1, 2, 3, 4, 5, 7, 8, 9, 10, 11];

/// Wormhole B0.
pub const WORMHOLE: Chip = Chip {
    name: "wormhole",
    pci_id: 0x401E_1E52,
    grid: xy(10, 12),
    tensix_x: &[1, 2, 3, 4, 6, 7, 8, 9],
    tensix_y: ROWS,
    harvesting: Harvesting::Rows,
    naming: naming::NAMING,
    translated_x: &[18, 19, 20, 21, 22, 23, 24, 25],
    translated_y: &[18, 19, 20, 21, 22, 23, 24, 25, 26, 27],
    ethernet: &places([
        [9, 0],
        [1, 0],
        [8, 0],
        [2, 0],
        [7, 0],
        [3, 0],
        [6, 0],
        [4, 0],
        [9, 6],
        [1, 6],
        [8, 6],
        [2, 6],
        [7, 6],
        [3, 6],
        [6, 6],
        [4, 6],
    ]),
    pcie: xy(0, 3),
    arc: xy(0, 10),
    dram: &[
        bank(D0, 0),
        bank(D0, 1),
        bank(D1, 0),
        bank(D1, 1),
        bank(D2, 0),
        bank(D2, 1),
        bank(D3, 0),
        bank(D3, 1),
        bank(D4, 0),
        bank(D4, 1),
        bank(D5, 0),
        bank(D5, 1),
    ],
    dram_bank_size: 1 << 30,
    dram_translated: None,
    dram_niu: Some(DramNiu {
        base: 0x1_0008_0000,
        // By the vendor's user-mode driver (`test_noc.cpp`).
        ports: &[1, 0, 2],
        tile_stride: 0x1_0000,
        noc_stride: 0x8000,
    }),
    designs: Designs {
        coprocessor: Design::Wormhole,
        ethernet: Design::Wormhole,
        pcie: Design::Wormhole,
        management: Design::Wormhole,
    },
    tile: TileMap {
        l1_size: 1464 << 10,
        l1_firmware: None,
        local_ram: [4096, 2048, 2048, 2048, 4096],
        iram_size: 16 << 10,
        data_cache: None,
        reset_pc: ResetPc::in_config([158, 159, 160], 161, 162, 163),
        icache_invalidate: 157,
        packers: 4,
    },
    noc: NiuMap {
        cmd_buf_stride: 0x400,
        max_packet: 8192,
        link_width: 32,
        read_congruence: 32,
        congruence: 16,
        node_shift: 4,
        translation_bits: 4,
        untranslated_rows: 0,
        registers: NiuRegisters {
            targ_lo: 0x00,
            targ_mid: 0x04,
            targ_node: 0x04,
            ret_lo: 0x0C,
            ret_mid: 0x10,
            ret_node: 0x10,
            packet_tag: 0x18,
            ctrl: 0x1C,
            at_len_be: 0x20,
            at_data: 0x24,
            brcst_exclude: None,
            cmd_ctrl: 0x28,
            node_id: 0x2C,
            endpoint_id: 0x30,
            clear_outstanding: 0x50,
            x_translate_table: 0x118,
            y_translate_table: 0x128,
            id_logical: 0x138,
        },
    },
    host: HostMap {
        // BAR 4 shows the last 32 MiB of BAR 0 once more (`PCIExpressTile/README.md`).
        bars: &[(0, 512 << 20), (2, BAR2_SIZE), (4, 32 << 20)],
        config: 0x1FC0_0000,
        entry_bytes: 8,
        entry_access: 8,
        groups: &WINDOWS,
        driver_window: 185,
        pcie_niu: [0x1FD2_0000, 0x1FDA_0000],
        pcie_niu_alias: Some([0x1FD0_2000, 0x1FD0_A000]),
    },
    management: Management {
        noc: 0x8_0000_0000,
        bar0: Some(ArcBar0 { csm: ARC_CSM_BAR0, apb: ARC_APB_BAR0 }),
        telemetry_table: arc::APB_BASE + arc::RESET_UNIT + 0x1D0,
        telemetry_values: arc::APB_BASE + arc::RESET_UNIT + 0x1D4,
        harvest: HarvestTag::Harvested(arc::tag::HARVESTING_STATE),
        harvest_order: ROWS,
    },
    insn: insn::WORMHOLE,
    registers: Registers {
        bank_words: 47 * 4,
        thcon_start: 52,
        global_start: 152,
        thread_words: 57,
        thread_map: 2 * 47 * 4,
        thread_stride: 16,
        config: config::FIELDS,
        thread: thread::FIELDS,
        // The vendor's simulator names them.
        absent: &[
            config::PCK0_ADDR_BASE_REG_0_Base.index,
            config::PCK0_ADDR_BASE_REG_1_Base.index,
            config::PCK_EDGE_TILE_FACE_SET_SELECT_enable.index,
            config::UNP0_ADDR_BASE_REG_1_Base.index,
            config::UNP1_ADDR_BASE_REG_1_Base.index,
            config::THCON_SEC0_REG0_TileDescriptor.index + 2,
            config::THCON_SEC0_REG0_TileDescriptor.index + 3,
            config::THCON_SEC1_REG0_TileDescriptor.index + 2,
            config::THCON_SEC1_REG0_TileDescriptor.index + 3,
        ],
        absent_of_threads: &[thread::SRCB_SET_Base.index],
    },
    until: Conditions {
        thcon: until::THCON,
        unpack0: until::UNPACK0,
        unpack: until::UNPACK,
        pack: until::PACK,
        math: until::MATH,
        srca_clear: until::SRCA_CLEAR,
        srcb_clear: until::SRCB_CLEAR,
        srca_valid: until::SRCA_VALID,
        srcb_valid: until::SRCB_VALID,
        xmov: until::XMOV,
        riscv: until::RISCV,
        sfpu: until::SFPU,
        config: None,
    },
    timing: Some(&timing::WORMHOLE),
};
