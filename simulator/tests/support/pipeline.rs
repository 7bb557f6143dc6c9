//! A kernel of all five cores, with every wait that can be missing, and the report for each.

#![allow(dead_code, reason = "each test takes what it needs")]

use tt_isa::cfg::CfgField;
use tt_isa::chip::WORMHOLE;
use tt_isa::chip::wormhole::{config as cfg, thread};
use tt_isa::format::DataFormat;
use tt_isa::insn::{
    MOVA2D, PACR, SEMGET, SEMINIT, SEMPOST, SEMWAIT, SETADCXX, SETADCXY, SETADCZW, SETRWC, STALLWAIT, UNPACR,
    ZEROACC,
};
use tt_isa::map::{CFG_BASE, RiscV};
use tt_isa::noc::{Ctrl, NocXy, reg};
use tt_isa::stall::{block, semaphore, until};

use super::code::Code;
use super::host::{Host, Request, end, tensix};

/// Blocks that go through.
const BLOCKS: u32 = 6;
/// Single precision numbers of a block: sixteen rows.
const DATUMS: u32 = 256;
const BYTES: u32 = 4 * DATUMS;
/// Ring of blocks from DRAM, and buffers of results.
const RING: u32 = 0x2_0000;
const RING_SLOTS: u32 = 2;
const OUT: u32 = 0x3_0000;
const OUT_SLOTS: u32 = 2;
/// Counters in L1: blocks read, unpacked, packed, written.
const READY: u32 = 0x1_8000;
const FREE: u32 = 0x1_8010;
const PACKED: u32 = 0x1_8020;
const WRITTEN: u32 = 0x1_8030;
/// T1 has set the semaphore up.
const STARTED: u32 = 0x1_8040;
/// Offset in DRAM of the results.
const RESULTS: u32 = 0x10_0000;
/// Semaphore of halves of Dst that hold a block.
const DST: u32 = 1 << 3;
const DST_HALF: u32 = 256;

/// What is wrong with a kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// T1 posts the semaphore while its moves to Dst may be under way.
    NoStallwaitBeforeSempost,
    /// T2 gets the semaphore while the packers may be reading Dst.
    NoStallwaitBeforeSemget,
    /// BRISC says that a block is in the ring before the NoC has brought it.
    NoReadBarrier,
    /// NCRISC says that a buffer is free before the NoC has taken the data.
    NoWriteBarrier,
    /// T0 says that a block is unpacked without waiting for the unpacker.
    NoTtsyncAfterUnpack,
    /// T2 says that a block is packed without waiting for the packers.
    NoTtsyncAfterPack,
    /// T2 loads from TTSync and does not wait for the load.
    UnusedTtsync,
    /// T0 writes the unpacker's address while it runs.
    ConfigUnderUnpack,
    /// T0 does not wait until its store to the address has arrived.
    ConfigNotSettled,
    /// The semaphore lets T1 fill a third half of Dst.
    DstOffByOne,
    /// BRISC waits for one slot of the ring less than it has to.
    RingOffByOne,
    /// The kernel starts with a block that nobody has read.
    WrongAddress,
}

impl Bug {
    /// All of them.
    pub const ALL: [Bug; 12] = [
        Bug::NoStallwaitBeforeSempost,
        Bug::NoStallwaitBeforeSemget,
        Bug::NoReadBarrier,
        Bug::NoWriteBarrier,
        Bug::NoTtsyncAfterUnpack,
        Bug::NoTtsyncAfterPack,
        Bug::UnusedTtsync,
        Bug::ConfigUnderUnpack,
        Bug::ConfigNotSettled,
        Bug::DstOffByOne,
        Bug::RingOffByOne,
        Bug::WrongAddress,
    ];

    /// What its finding has to name.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Bug::NoStallwaitBeforeSempost => &["Dst row", "MOVA2D", "PACR"],
            Bug::NoStallwaitBeforeSemget | Bug::DstOffByOne => &["Dst row", "PACR", "Tensix thread 1"],
            Bug::NoReadBarrier => &["L1 0x0002", "NoC 0 read", "BRISC at pc", "UNPACR"],
            Bug::NoWriteBarrier => &["L1 0x0003", "NoC 1 write", "NCRISC at pc", "PACR"],
            Bug::NoTtsyncAfterUnpack | Bug::RingOffByOne => &["L1 0x0002", "UNPACR", "NoC 0 read"],
            Bug::NoTtsyncAfterPack | Bug::UnusedTtsync => &["L1 0x0003", "PACR", "NoC 1 write"],
            Bug::ConfigUnderUnpack | Bug::ConfigNotSettled => {
                &["THCON_SEC0_REG3_Base_address", "TRISC0 at pc", "UNPACR"]
            }
            Bug::WrongAddress => &["UNPACR", "nothing has written"],
        }
    }
}

/// The kernel.
pub struct Pipeline {
    bug: Option<Bug>,
    tile: NocXy,
    dram: NocXy,
    /// Where its data starts in DRAM.
    base: u32,
    /// What NCRISC does in the end.
    last: Vec<u32>,
}

const fn after(field: CfgField) -> CfgField {
    CfgField { index: field.index + 1, ..field }
}

const fn slot(first: u32, slots: u32, block: u32) -> u32 {
    first + block % slots * BYTES
}

const fn base_address(l1: u32) -> u32 {
    (l1 >> 4) - 1
}

impl Pipeline {
    /// The kernel with a bug, or without.
    pub fn new(bug: Option<Bug>) -> Self {
        Self { bug, ..Self::of_tile(tensix(0, 0), 0, Vec::new()) }
    }

    /// The correct kernel on a tile; `number`: whose data is whose. NCRISC ends with `last`.
    pub fn of_tile(tile: NocXy, number: usize, last: Vec<u32>) -> Self {
        let bank = &WORMHOLE.dram[number % WORMHOLE.dram.len()];
        let base = bank.base as u32 + (number / WORMHOLE.dram.len()) as u32 * BLOCKS * BYTES;
        Self { bug: None, tile, dram: bank.ports[0], base, last }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn input(block: u32) -> Vec<u8> {
        (0..DATUMS).flat_map(|n| ((block * DATUMS + n) as f32).to_le_bytes()).collect()
    }

    /// Loads data and programs, and lets the cores run.
    pub fn start(&self, host: &mut Host) {
        for block in 0..BLOCKS {
            host.try_write(self.dram, u64::from(self.base + block * BYTES), &Self::input(block))
                .expect("DRAM");
        }
        for counter in [READY, FREE, PACKED, WRITTEN, STARTED] {
            host.write32(self.tile, counter, 0);
        }
        // What was there before, so that a result that is read too early is a race and not a read of nothing.
        host.write(self.tile, OUT, &vec![0xFF; (OUT_SLOTS * BYTES) as usize]);
        let programs =
            [self.brisc(), self.trisc0(), self.trisc1(), self.trisc2(), self.ncrisc()].map(|mut code| {
                code.add(end());
                code.0
            });
        for (core, program) in RiscV::ALL.into_iter().zip(&programs) {
            host.load(self.tile, core, program);
        }
        host.release(self.tile, &RiscV::ALL);
    }

    /// Checks the results.
    pub fn check(&self, host: &mut Host) {
        for block in 0..BLOCKS {
            let mut out = vec![0; BYTES as usize];
            host.try_read(self.dram, u64::from(self.base + RESULTS + block * BYTES), &mut out).expect("DRAM");
            assert!(out == Self::input(block), "block {block}");
        }
    }

    fn brisc(&self) -> Code {
        let mut code = Code::default();
        let slots = if self.has(Bug::RingOffByOne) { RING_SLOTS + 1 } else { RING_SLOTS };
        for block in 0..BLOCKS {
            if block >= slots {
                code.wait(FREE, block - slots + 1);
            }
            let request = Request {
                noc: 0,
                ctrl: Ctrl::RESP_MARKED,
                target: (self.dram, self.base + block * BYTES),
                ret: (self.tile, slot(RING, RING_SLOTS, block)),
                len: BYTES,
                data: 0,
            };
            code.add(request.program());
            if !self.has(Bug::NoReadBarrier) {
                code.wait_noc(0, reg::MST_RD_RESP_RECEIVED, block + 1);
            }
            code.store(READY, block + 1);
        }
        code
    }

    fn trisc0(&self) -> Code {
        let mut code = Code::default();
        let tile = (DATUMS << 16) | (1 << 4) | DataFormat::Fp32 as u32;
        code.config(cfg::THCON_SEC0_REG0_TileDescriptor, tile);
        code.config(after(cfg::THCON_SEC0_REG0_TileDescriptor), 1 | 1 << 16);
        code.config(cfg::THCON_SEC0_REG2_Out_data_format, DataFormat::Tf32 as u32);
        code.config(cfg::THCON_SEC0_REG2_Disable_zero_compress_cntx0, 0xF | 0xF << 16);
        code.config(cfg::THCON_SEC0_REG5_Dest_cntx0_address, 64 | 64 << 16);
        code.config(cfg::THCON_SEC0_REG5_Tile_x_dim_cntx0, DATUMS | DATUMS << 16);
        code.settle(CFG_BASE + 4 * cfg::THCON_SEC0_REG5_Tile_x_dim_cntx0.index);
        code.setc16(thread::SRCA_SET_SetOvrdWithAddr, thread::SRCA_SET_SetOvrdWithAddr.value(1));
        code.tensix(SETADCXX { cnt_set_mask: 1, x_end2: DATUMS - 1, ..SETADCXX::ZERO }.word());
        code.tensix(SETADCXY { cnt_set_mask: 1, bit_mask: 0b1010, ..SETADCXY::ZERO }.word());
        code.tensix(SETADCZW { cnt_set_mask: 1, bit_mask: 0xF, ..SETADCZW::ZERO }.word());
        for block in 0..BLOCKS {
            code.wait(READY, block + 1);
            let from =
                if self.has(Bug::WrongAddress) { RING + 0x1000 } else { slot(RING, RING_SLOTS, block) };
            code.config(cfg::THCON_SEC0_REG3_Base_address, base_address(from));
            if !self.has(Bug::ConfigNotSettled) {
                code.settle(CFG_BASE + 4 * cfg::THCON_SEC0_REG3_Base_address.index);
            }
            code.tensix(UNPACR { ovrd_thread_id: 1, set_dat_valid: 1, last: 1, ..UNPACR::ZERO }.word());
            match self.bug {
                // Block after block stays where it is: only the configuration changes too early.
                Some(Bug::ConfigUnderUnpack) if block + 1 < BLOCKS => continue,
                Some(Bug::NoTtsyncAfterUnpack) => {
                    code.store(FREE, block + 1);
                    code.ttsync(true);
                }
                _ => {
                    code.ttsync(true);
                    code.store(FREE, block + 1);
                }
            }
        }
        code
    }

    fn trisc1(&self) -> Code {
        let mut code = Code::default();
        code.config(
            cfg::ALU_FORMAT_SPEC_REG0_SrcA,
            cfg::ALU_FORMAT_SPEC_REG0_SrcA.value(DataFormat::Tf32 as u32)
                | cfg::ALU_ACC_CTRL_Fp32_enabled.value(1),
        );
        code.settle(CFG_BASE + 4 * cfg::ALU_FORMAT_SPEC_REG0_SrcA.index);
        let max = if self.has(Bug::DstOffByOne) { 3 } else { 2 };
        code.tensix(SEMINIT { max_value: max, init_value: 0, sem_sel: DST }.word());
        code.tensix(ZEROACC { clear_mode: 3, ..ZEROACC::ZERO }.word());
        code.tensix(SETRWC { bit_mask: 0xF, ..SETRWC::ZERO }.word());
        for field in [thread::ADDR_MOD_AB_SEC0_SrcAIncr, thread::ADDR_MOD_DST_SEC0_DestIncr] {
            code.setc16(field, 0);
        }
        // T2 waits for this before its first SEMWAIT.
        code.ttsync(true);
        code.store(STARTED, 1);
        for block in 0..BLOCKS {
            let wait = SEMWAIT {
                stall_res: block::MATH | block::CFG | block::SYNC,
                sem_sel: DST,
                wait_sem_cond: semaphore::WHILE_MAX,
            };
            code.tensix(wait.word());
            code.setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, (block & 1) * DST_HALF);
            for row in [0, 8] {
                code.tensix(MOVA2D { instr_mod: 2, src: row, dst: row, ..MOVA2D::ZERO }.word());
            }
            code.tensix(SETRWC { clear_ab_vld: 1, bit_mask: 0xF, ..SETRWC::ZERO }.word());
            if !self.has(Bug::NoStallwaitBeforeSempost) {
                let blocked = block::SYNC | block::CFG;
                code.tensix(STALLWAIT { stall_res: blocked, wait_res: until::MATH }.word());
            }
            code.tensix(SEMPOST { sem_sel: DST }.word());
        }
        code
    }

    fn trisc2(&self) -> Code {
        let mut code = Code::default();
        let fp32 = DataFormat::Fp32 as u32;
        code.config(
            CfgField {
                index: cfg::THCON_SEC0_REG1_Row_start_section_size.index + 2,
                ..cfg::THCON_SEC0_REG1_Row_start_section_size
            },
            cfg::THCON_SEC0_REG1_Out_data_format.value(fp32)
                | cfg::THCON_SEC0_REG1_In_data_format.value(fp32)
                | cfg::THCON_SEC0_REG1_Disable_zero_compress.value(1),
        );
        for counter in [
            cfg::PACK_COUNTERS_SEC0_pack_per_xy_plane,
            cfg::PACK_COUNTERS_SEC1_pack_per_xy_plane,
            cfg::PACK_COUNTERS_SEC2_pack_per_xy_plane,
            cfg::PACK_COUNTERS_SEC3_pack_per_xy_plane,
        ] {
            code.config(counter, cfg::PACK_COUNTERS_SEC0_pack_reads_per_xy_plane.value(16));
        }
        code.config(cfg::PCK_EDGE_OFFSET_SEC0_mask, 0xFFFF);
        code.config(
            cfg::PCK0_ADDR_CTRL_XY_REG_0_Xstride,
            cfg::PCK0_ADDR_CTRL_XY_REG_0_Xstride.value(4) | cfg::PCK0_ADDR_CTRL_XY_REG_0_Ystride.value(64),
        );
        code.config(cfg::PCK_DEST_RD_CTRL_Read_32b_data, cfg::PCK_DEST_RD_CTRL_Read_32b_data.value(1));
        code.settle(CFG_BASE + 4 * cfg::PCK_DEST_RD_CTRL_Read_32b_data.index);
        code.setc16(thread::ADDR_MOD_PACK_SEC0_YsrcIncr, 0);
        code.tensix(SETADCXX { cnt_set_mask: 4, x_end2: DATUMS - 1, ..SETADCXX::ZERO }.word());
        code.tensix(SETADCXY { cnt_set_mask: 4, bit_mask: 0b1010, ..SETADCXY::ZERO }.word());
        code.tensix(SETADCZW { cnt_set_mask: 4, bit_mask: 0xF, ..SETADCZW::ZERO }.word());
        code.wait(STARTED, 1);
        for block in 0..BLOCKS {
            if block >= OUT_SLOTS {
                code.wait(WRITTEN, block - OUT_SLOTS + 1);
            }
            let to = base_address(slot(OUT, OUT_SLOTS, block));
            code.config(cfg::THCON_SEC0_REG1_L1_Dest_addr, to);
            code.config(cfg::DEST_TARGET_REG_CFG_PACK_SEC0_Offset, (block & 1) * DST_HALF);
            code.settle(CFG_BASE + 4 * cfg::DEST_TARGET_REG_CFG_PACK_SEC0_Offset.index);
            let wait = SEMWAIT {
                stall_res: block::PACK | block::SYNC,
                sem_sel: DST,
                wait_sem_cond: semaphore::WHILE_ZERO,
            };
            code.tensix(wait.word());
            code.tensix(PACR { pack_sel: 1, last: 1, ..PACR::ZERO }.word());
            if !self.has(Bug::NoStallwaitBeforeSemget) {
                code.tensix(STALLWAIT { stall_res: block::SYNC, wait_res: until::PACK }.word());
            }
            code.tensix(SEMGET { sem_sel: DST }.word());
            if self.has(Bug::NoTtsyncAfterPack) {
                code.store(PACKED, block + 1);
                code.ttsync(true);
            } else {
                code.ttsync(!self.has(Bug::UnusedTtsync));
                code.store(PACKED, block + 1);
            }
        }
        code
    }

    fn ncrisc(&self) -> Code {
        let mut code = Code::default();
        for block in 0..BLOCKS {
            code.wait(PACKED, block + 1);
            // NoC 1 counts from the other corner.
            let on_1 = |at: NocXy| if at.x < 16 { at.mirrored(WORMHOLE.grid) } else { at };
            let request = Request {
                noc: 1,
                ctrl: Ctrl::WR | Ctrl::RESP_MARKED,
                target: (on_1(self.tile), slot(OUT, OUT_SLOTS, block)),
                ret: (on_1(self.dram), self.base + RESULTS + block * BYTES),
                len: BYTES,
                data: 0,
            };
            code.add(request.program());
            if !self.has(Bug::NoWriteBarrier) {
                code.wait_noc(1, reg::MST_WR_ACK_RECEIVED, block + 1);
            }
            code.store(WRITTEN, block + 1);
        }
        code.add(self.last.iter().copied());
        code
    }
}
