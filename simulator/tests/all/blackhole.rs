//! The models with another chip's data: a Blackhole, as far as it is described. What has no model says so.

use crate::asm;
use crate::host::{Host, copy, end, pattern, poke, wait_for};
use tt_isa::arc;
use tt_isa::chip::blackhole::insn::MVMUL;
use tt_isa::chip::{BLACKHOLE, Board, Chip};
use tt_isa::insn::ttinsn;
use tt_isa::map::{CFG_BASE, DEBUG_REGS_BASE, LOCAL_RAM_BASE, NIU_BASE, NIU_STRIDE, RiscV, SOFT_RESET_0};
use tt_isa::noc::{Ctrl, NiuRegisters, NocXy, reg};
use tt_isa::tlb::TlbTarget;
use tt_simulator::{Blame, ChipConfig, Fault};

/// What a p150 has; which columns are harvested differs from card to card.
static P150: Board = Board {
    name: "p150",
    chip: &BLACKHOLE,
    harvested: &[2],
    board_type: 0x40,
    pcie_chips: 1,
    links: &[],
    places: &[NocXy::new(0, 0)],
};
/// The columns that [`ChipConfig::of_board`] leaves out: the last ones.
const HARVESTED: [u8; 2] = [15, 16];
const CHIP: &Chip = &BLACKHOLE;
const REG: NiuRegisters = CHIP.noc.registers;
const DATA: u32 = 0x2_0000;

fn p150() -> Host {
    Host::with(ChipConfig { threads: 1, ..ChipConfig::of_board(&P150, 0) })
}

fn niu(noc: u32, register: u32) -> u32 {
    NIU_BASE + noc * NIU_STRIDE + register
}

fn not_modelled(result: Result<(), Fault>, text: &str) {
    let fault = result.expect_err(text);
    assert!(fault.blame == Blame::NotImplemented && fault.what.contains(text), "{fault}");
}

#[test]
fn tiles_are_where_names_say_and_columns_are_harvested() {
    let mut host = p150();
    assert_eq!(host.chip.pci_config_read32(0), CHIP.pci_id);
    let workers: Vec<NocXy> = CHIP.workers(2).collect();
    assert_eq!(workers.len(), 120);
    for &tile in &workers {
        for noc in 0..2 {
            let seen = host.read32(tile, niu(noc.into(), REG.node_id));
            assert_eq!(seen, CHIP.node_id(tile, noc), "{tile} NoC {noc}");
        }
        let name = u32::from(tile.x) | u32::from(tile.y) << 6;
        assert_eq!(host.read32(tile, niu(0, REG.id_logical)), name, "{tile}");
    }
    for x in HARVESTED {
        let fault = host.try_read(NocXy::new(x, 5), 0, &mut [0; 4]).expect_err("fused off");
        assert!(fault.what.contains("harvested"), "{fault}");
    }
    // A broadcast goes round harvested columns, and round columns 8 and 9, which have none.
    host.multicast(NocXy::new(1, 2), NocXy::new(16, 11), DATA.into(), &[7; 16]).expect("a broadcast");
    assert!(workers.iter().all(|&tile| host.read(tile, DATA, 16) == [7; 16]));
}

#[test]
fn l1_and_dram_have_the_chips_sizes() {
    let mut host = p150();
    let (tile, end) = (NocXy::new(1, 2), u64::from(CHIP.tile.l1_size));
    assert_eq!(end, 1536 << 10);
    host.try_write(tile, end - 16, &[5; 16]).expect("the last bytes of L1");
    assert!(host.try_write(tile, end, &[5; 16]).is_err());
    for bank in 0..CHIP.dram.len() {
        let [first, .., last] = [0, 1, 2].map(|port| CHIP.dram_port(bank, port));
        let data = pattern(64, bank as u32);
        host.try_write(first, CHIP.dram_bank_size - 64, &data).expect("the end of a bank");
        let mut out = [0; 64];
        host.try_read(last, CHIP.dram_bank_size - 64, &mut out).expect("through another port");
        assert_eq!(out[..], data, "bank {bank}");
        assert!(host.try_read(first, CHIP.dram_bank_size, &mut out).is_err());
    }
}

/// Entries of 12 bytes, written word by word; windows of 2 MiB in BAR 0 and of 4 GiB in BAR 4.
#[test]
fn windows_of_both_bars_show_tiles() {
    let mut host = p150();
    let port = CHIP.dram_port(3, 0);
    let far = 0xC000_0000_u64;
    host.try_write(port, far, b"far away").expect("DRAM");
    for (group, n, addr) in [(0, 5, far), (1, 7, 0)] {
        let group = &CHIP.host.groups[group];
        let window = group.first + n;
        let entry = group.encode(&TlbTarget::unicast(port, addr)).to_le_bytes();
        for (i, word) in entry[..CHIP.host.entry_bytes as usize].chunks(4).enumerate() {
            host.chip.bar0_write(CHIP.host.entry(window) + 4 * i as u64, word).expect("a word of an entry");
        }
        let at = group.offset + u64::from(n) * group.window_bytes() + far - addr;
        let mut out = [0; 8];
        host.chip.bar_read(group.bar, at, &mut out).expect("a window");
        assert_eq!(&out, b"far away", "BAR {}", group.bar);
        host.chip.bar_write(group.bar, at + 8, &out).expect("a window");
    }
    assert!(host.chip.bar_read(4, 32 << 30, &mut [0; 4]).is_err(), "behind the last window");
}

/// BRISC starts at 0; the host says where the others start, by registers that the NoC reaches. Private RAM has the chip's sizes.
#[test]
fn cores_run_programs() {
    let mut host = p150();
    let tile = NocXy::new(10, 4);
    let last = |core: RiscV| LOCAL_RAM_BASE + CHIP.tile.local_ram[core as usize] - 4;
    let brisc = [poke(last(RiscV::Brisc), 0xB), copy(last(RiscV::Brisc), DATA), end()];
    host.load(tile, RiscV::Brisc, &brisc.concat());
    let start = CHIP.tile.l1_size - 0x1000;
    let ncrisc = [poke(last(RiscV::Ncrisc), 0xC), copy(last(RiscV::Ncrisc), DATA + 4), end()];
    host.write(tile, start, &asm::bytes(&ncrisc.concat()));
    let registers = CHIP.tile.reset_pc;
    host.write32(tile, registers.ncrisc, start);
    host.write32(tile, registers.ncrisc_enable, 1);
    assert_eq!(host.read32(tile, registers.ncrisc), start);
    host.release(tile, &[RiscV::Brisc, RiscV::Ncrisc]);
    host.settle();
    assert_eq!([DATA, DATA + 4].map(|at| host.read32(tile, at)), [0xB, 0xC]);
    assert_ne!(host.read32(tile, DEBUG_REGS_BASE + SOFT_RESET_0), 0);
    // No core has memory behind its own.
    let beyond = [poke(last(RiscV::Trisc0) + 4, 1), end()].concat();
    host.load(tile, RiscV::Trisc0, &beyond);
    host.release(tile, &[RiscV::Trisc0]);
    assert!(host.run().is_err());
}

/// Registers as cores see them: two banks, then a range whose writes go to both.
#[test]
fn configuration_has_the_chips_layout() {
    let mut host = p150();
    let tile = NocXy::new(1, 2);
    let words = CHIP.registers.bank_words;
    let index = tt_isa::chip::wormhole::config::THCON_SEC0_REG3_Base_address.on(&CHIP.registers).index;
    let at = |range: u32| CFG_BASE + 4 * (range * words + index);
    let program = [poke(at(2), 0x1234), poke(at(1), 0x5678), copy(at(0), DATA), copy(at(1), DATA + 4), end()];
    host.load(tile, RiscV::Brisc, &program.concat());
    host.release(tile, &[RiscV::Brisc]);
    host.settle();
    assert_eq!([DATA, DATA + 4].map(|at| host.read32(tile, at)), [0x1234, 0x5678]);
}

/// A request by initiator 0 of NoC 0, waited for by the counter of its responses.
fn request(c: Ctrl, target: (NocXy, u32), ret: (NocXy, u32), len: u32, responses: u32) -> Vec<u32> {
    let registers = [
        (REG.targ_lo, target.1),
        (REG.targ_mid, 0),
        (REG.targ_node, CHIP.noc.node(target.0)),
        (REG.ret_lo, ret.1),
        (REG.ret_mid, 0),
        (REG.ret_node, CHIP.noc.node(ret.0)),
        (REG.ctrl, (c | Ctrl::RESP_MARKED).bits()),
        (REG.at_len_be, len),
        (REG.cmd_ctrl, 1),
    ];
    let pokes = registers.iter().flat_map(|&(register, value)| poke(niu(0, register), value));
    pokes.chain(wait_for(niu(0, responses), 1)).collect()
}

#[test]
fn the_noc_carries_the_chips_packets() {
    let mut host = p150();
    let (own, other) = (NocXy::new(1, 2), NocXy::new(14, 11));
    let len = CHIP.noc.max_packet;
    let data = pattern(len as usize, 1);
    host.write(own, DATA, &data);
    let write = request(Ctrl::WR, (own, DATA), (other, DATA), len, reg::MST_WR_ACK_RECEIVED);
    let read =
        request(Ctrl::empty(), (CHIP.dram_port(7, 1), 0x40), (own, 0x40), 64, reg::MST_RD_RESP_RECEIVED);
    host.try_write(CHIP.dram_port(7, 0), 0x40, &data[..64]).expect("DRAM");
    host.load(own, RiscV::Brisc, &[write, read, end()].concat());
    host.release(own, &[RiscV::Brisc]);
    host.settle();
    assert!(host.read(other, DATA, len as usize) == data);
    assert_eq!(host.read(own, 0x40, 64), data[..64]);
    // One packet of 16 KiB, and 64 bytes a flit.
    let flits = host.read32(own, niu(0, reg::MST_NONPOSTED_WR_DATA_WORD_SENT));
    assert_eq!((len, flits), (16 << 10, 256));
    assert_eq!(host.read32(own, niu(0, reg::MST_RD_DATA_WORD_RECEIVED)), 1);
}

/// What Wormhole's NIUs would take.
#[test]
fn reads_of_dram_agree_modulo_64() {
    let mut host = p150();
    let own = NocXy::new(1, 2);
    let read =
        request(Ctrl::empty(), (CHIP.dram_port(0, 0), 0x20), (own, DATA), 32, reg::MST_RD_RESP_RECEIVED);
    host.load(own, RiscV::Brisc, &[read, end()].concat());
    host.release(own, &[RiscV::Brisc]);
    let fault = host.run().expect_err("misaligned");
    assert!(fault.blame == Blame::Program && fault.what.contains("modulo 64"), "{fault}");
}

#[test]
fn telemetry_names_the_columns_that_work() {
    let mut host = p150();
    let mut word = |at: u32| {
        let mut out = [0; 4];
        host.try_read(CHIP.arc, CHIP.management.noc + u64::from(at), &mut out).expect("ARC");
        u32::from_le_bytes(out)
    };
    let (table, values) = (word(CHIP.management.telemetry_table), word(CHIP.management.telemetry_values));
    let mut entries = (0..word(table + 4)).map(|i| word(table + 8 + 4 * i));
    let entry = entries.find(|&entry| entry as u16 == arc::tag::ENABLED_TENSIX_COLUMNS).expect("the tag");
    let enabled = word(values + 4 * (entry >> 16));
    assert_eq!(CHIP.management.harvest.harvested(Some(enabled), CHIP.harvestable()), 2);
    for (i, x) in CHIP.management.harvest_order.iter().enumerate() {
        assert_eq!(enabled >> i & 1 == 0, HARVESTED.contains(x), "column {x}");
    }
}

#[test]
fn what_has_no_model_says_so() {
    let mut host = p150();
    let tile = NocXy::new(1, 2);
    let word = MVMUL { dst: 8, ..MVMUL::ZERO }.word();
    for push in [vec![ttinsn(word)], poke(tt_isa::map::INSTRN_BUF_BASE, word)] {
        host.load(tile, RiscV::Trisc1, &[push, end()].concat());
        host.release(tile, &[]);
        host.release(tile, &[RiscV::Trisc1]);
        not_modelled(host.run().map(drop), "Tensix instructions of a blackhole: MVMUL");
    }
    let mut read = |tile, addr| host.try_read(tile, addr, &mut [0; 4]);
    not_modelled(read(NocXy::new(20, 25), 0), "Ethernet");
    not_modelled(read(NocXy::new(19, 24), 0x1000), "PCIe");
    not_modelled(read(CHIP.arc, u64::from(arc::APB_BASE + arc::RESET_UNIT + arc::SCRATCH)), "ARC");
    not_modelled(host.chip.bar2_read(tt_isa::pcie::iatu::BASE).map(drop), "PCIe controller of a blackhole");
}
