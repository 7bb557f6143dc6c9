//! The vendor's simulator has none of these instructions: expected values are worked out by hand from the functional
//! models of their ISA pages.

use super::*;
use crate::model::tensix::src::Row;
use tt_isa::chip::wormhole::thread as tc;

const AT: u32 = 0x1_0000;

/// GPR 1 points at [`AT`], where L1 holds bytes 0x10, 0x11, ..; GPR 2 holds the offsets `low` and `high`.
fn start(low: u32, high: u32) -> (Tensix, L1) {
    let (mut t, mut l1) = (crate::model::tensix::testing::tensix(), crate::model::tensix::testing::l1());
    t.gpr[0][1] = AT / 16;
    t.gpr[0][2] = high << 16 | low;
    for (i, byte) in l1.change(AT, 64).unwrap().iter_mut().enumerate() {
        *byte = 0x10 + i as u8;
    }
    l1.take_changed();
    (t, l1)
}

fn run(t: &mut Tensix, l1: &mut L1, word: u32) -> Exec {
    execute(t, 0, Opcode::of(word).unwrap(), word, l1)
}

fn word_at(l1: &L1, at: u32) -> u32 {
    u32::from_le_bytes(l1.get(at, 4).unwrap().try_into().unwrap())
}

#[test]
fn loads_of_every_size_and_increment() {
    let load = |size_sel, offset_index, auto_inc_spec| {
        LOADIND { size_sel, offset_index, auto_inc_spec, data_reg_index: 9, addr_reg_index: 1 }.word()
    };
    let (mut t, mut l1) = start(0x17, 6);
    t.gpr[0][8..12].fill(0xAAAA_AAAA);
    let gprs = |t: &Tensix| <[u32; 4]>::try_from(&t.gpr[0][8..12]).unwrap();
    run(&mut t, &mut l1, load(3, 4, 1)).unwrap();
    assert_eq!((gprs(&t)[1], t.gpr[0][2]), (0xAAAA_AA27, 0x6_0019));
    run(&mut t, &mut l1, load(2, 4, 2)).unwrap();
    assert_eq!((gprs(&t)[1], t.gpr[0][2]), (0xAAAA_2928, 0x6_001D));
    run(&mut t, &mut l1, load(1, 5, 3)).unwrap();
    assert_eq!((gprs(&t)[1], t.gpr[0][2]), (0x1716_1514, 0x16_001D));
    run(&mut t, &mut l1, load(0, 5, 0)).unwrap();
    assert_eq!(gprs(&t), [0x2322_2120, 0x2726_2524, 0x2B2A_2928, 0x2F2E_2D2C]);
    assert_eq!(t.gpr[0][2], 0x16_001D);
}

#[test]
fn an_offset_wraps_within_its_half() {
    let (mut t, mut l1) = start(0xFFF8, 1);
    let op = LOADIND { size_sel: 1, offset_index: 4, auto_inc_spec: 3, data_reg_index: 9, addr_reg_index: 1 };
    run(&mut t, &mut l1, op.word()).unwrap();
    assert_eq!(t.gpr[0][2], 0x1_0008);
}

#[test]
fn a_load_may_replace_its_own_offset() {
    let (mut t, mut l1) = start(4, 7);
    let op = LOADIND { size_sel: 2, offset_index: 4, auto_inc_spec: 1, data_reg_index: 2, addr_reg_index: 1 };
    run(&mut t, &mut l1, op.word()).unwrap();
    assert_eq!(t.gpr[0][2], 0x7_1514);
}

#[test]
fn stores_to_l1() {
    let store = |size: u32| {
        STOREIND {
            mem_hier_sel: 1,
            size_sel: size >> 1,
            reg_size_sel: size & 1,
            offset_index: 4,
            auto_inc_spec: 2,
            data_reg_index: 9,
            addr_reg_index: 1,
        }
        .word()
    };
    let (mut t, mut l1) = start(3, 0);
    t.gpr[0][8..12].copy_from_slice(&[0x1111_1111, 0x8877_6655, 0x3333_3333, 0x4444_4444]);
    run(&mut t, &mut l1, store(3)).unwrap();
    assert_eq!((word_at(&l1, AT), t.gpr[0][2]), (0x5512_1110, 7));
    run(&mut t, &mut l1, store(2)).unwrap();
    assert_eq!(word_at(&l1, AT + 4), 0x6655_1514);
    run(&mut t, &mut l1, store(1)).unwrap();
    assert_eq!(word_at(&l1, AT + 8), 0x8877_6655);
    run(&mut t, &mut l1, store(0)).unwrap();
    assert_eq!([0, 4, 8, 12].map(|i| word_at(&l1, AT + i)), t.gpr[0][8..12]);
    assert_eq!(word_at(&l1, AT + 16), 0x2322_2120);
    assert_eq!(l1.take_changed(), vec![AT / 4096]);
}

#[test]
fn registers_are_reached_through_the_tile() {
    let (mut t, mut l1) = start(0x1_0 << 4, 0);
    t.gpr[0][1] = 0x4_0003;
    t.gpr[0][9] = 0xCAFE;
    let op = STOREIND {
        size_sel: 1,
        offset_index: 4,
        auto_inc_spec: 3,
        data_reg_index: 9,
        addr_reg_index: 1,
        ..STOREIND::ZERO
    };
    run(&mut t, &mut l1, op.word()).unwrap();
    run(&mut t, &mut l1, STOREREG { tdma_data_reg_index: 9, reg_addr: 0x1_1000 / 4 }.word()).unwrap();
    run(&mut t, &mut l1, LOADREG { tdma_data_reg_index: 8, reg_addr: 0x1_2000 / 4 }.word()).unwrap();
    let requests = [
        TileRequest::Write { addr: 0xFFB4_0010, value: 0xCAFE },
        TileRequest::Write { addr: 0xFFB1_1000, value: 0xCAFE },
        TileRequest::Read { addr: 0xFFB1_2000, thread: 0, gpr: 8 },
    ];
    assert_eq!((t.requests.as_slice(), t.gpr[0][2]), (&requests[..], 0x110));
    // A core's own RAM is not among them.
    assert!(run(&mut t, &mut l1, LOADREG { tdma_data_reg_index: 8, reg_addr: 0x1_0FFC / 4 }.word()).is_err());
    assert!(run(&mut t, &mut l1, STOREREG { tdma_data_reg_index: 8, reg_addr: 0 }.word()).is_err());
}

#[test]
fn increments_wrap_at_their_width() {
    let get = |wrap_val, sel32b| ATINCGET { wrap_val, sel32b, data_reg_index: 9, addr_reg_index: 1 }.word();
    let (mut t, mut l1) = start(0, 0);
    t.gpr[0][9] = 0xF5;
    run(&mut t, &mut l1, get(3, 1)).unwrap();
    // 0x1716_1514: of the low four bits, 4 + 5.
    assert_eq!((word_at(&l1, AT + 4), t.gpr[0][9]), (0x1716_1519, 0x1716_1514));
    t.gpr[0][9] = 0xFFFF_FFFF;
    run(&mut t, &mut l1, get(31, 0)).unwrap();
    assert_eq!((word_at(&l1, AT), t.gpr[0][9]), (0x1312_110F, 0x1312_1110));
    t.gpr[0][9] = 3;
    run(&mut t, &mut l1, get(0, 3)).unwrap();
    assert_eq!((word_at(&l1, AT + 12), t.gpr[0][9]), (0x1F1E_1D1D, 0x1F1E_1D1C));
}

#[test]
fn compare_and_set_waits() {
    let cas = ATCAS { swap_val: 9, cmp_val: 3, sel32b: 2, addr_reg_index: 1 }.word();
    let (mut t, mut l1) = start(0, 0);
    assert_eq!(run(&mut t, &mut l1, cas), Ok(Step::Stall));
    l1.change(AT + 8, 4).unwrap().copy_from_slice(&3u32.to_le_bytes());
    assert_eq!(run(&mut t, &mut l1, cas), Ok(Step::Done));
    assert_eq!(word_at(&l1, AT + 8), 9);
    assert_eq!(run(&mut t, &mut l1, cas), Ok(Step::Stall));
}

#[test]
fn masked_stores_of_half_words() {
    let (mut t, mut l1) = start(0, 0);
    t.gpr[0][8..12].copy_from_slice(&[0xB1B0_A1A0, 0xB3B2_A3A2, 0xB5B4_A5A4, 0xB7B6_A7A6]);
    let swap = ATSWAP { single_data_reg: 0, swap_mask: 0b1000_0110, data_reg_index: 10, addr_reg_index: 1 };
    run(&mut t, &mut l1, swap.word()).unwrap();
    let words = |l1: &L1| [0, 4, 8, 12].map(|i| word_at(l1, AT + i));
    assert_eq!(words(&l1), [0xB1B0_1110, 0x1716_A3A2, 0x1B1A_1918, 0xB7B6_1D1C]);
    let single = ATSWAP { single_data_reg: 1, swap_mask: 0xFF, ..swap };
    run(&mut t, &mut l1, single.word()).unwrap();
    assert_eq!(words(&l1), [0, 0, 0xB5B4_A5A4, 0]);
}

#[test]
fn queue_counters() {
    let pointer = |sel32b, no_incr, incr_val| {
        ATINCGETPTR { no_incr, incr_val, wrap_val: 3, sel32b, data_reg_index: 9, addr_reg_index: 1 }.word()
    };
    let (mut t, mut l1) = start(0, 0);
    let set = |l1: &mut L1, read: u32, write: u32| {
        l1.change(AT, 4).unwrap().copy_from_slice(&read.to_le_bytes());
        l1.change(AT + 4, 4).unwrap().copy_from_slice(&write.to_le_bytes());
    };
    let counters = |l1: &L1| (word_at(l1, AT), word_at(l1, AT + 4));
    // Capacity 4, counters of 3 bits: empty, so nothing to pop, but room to push.
    set(&mut l1, 6, 6);
    assert_eq!(run(&mut t, &mut l1, pointer(0, 0, 0)), Ok(Step::Stall));
    assert_eq!(run(&mut t, &mut l1, pointer(1, 0, 1)), Ok(Step::Done));
    assert_eq!((counters(&l1), t.gpr[0][9]), ((6, 0), 6));
    // Four in it: full. As the page has it, the difference of the counters is not cut to their width.
    set(&mut l1, 1, 5);
    assert_eq!(run(&mut t, &mut l1, pointer(1, 0, 0)), Ok(Step::Stall));
    assert_eq!(run(&mut t, &mut l1, pointer(0, 1, 0)), Ok(Step::Done));
    assert_eq!((counters(&l1), t.gpr[0][9]), ((1, 5), 1));
    assert_eq!(run(&mut t, &mut l1, pointer(0, 0, 0)), Ok(Step::Done));
    assert_eq!((counters(&l1), t.gpr[0][9]), ((2, 5), 1));
}

#[test]
fn beyond_l1_is_a_fault() {
    let (mut t, mut l1) = start(0, 0);
    t.gpr[0][1] = tt_isa::chip::WORMHOLE.tile.l1_size / 16;
    let words = [
        LOADIND { size_sel: 3, offset_index: 4, addr_reg_index: 1, ..LOADIND::ZERO }.word(),
        STOREIND { mem_hier_sel: 1, offset_index: 4, addr_reg_index: 1, ..STOREIND::ZERO }.word(),
        ATCAS { addr_reg_index: 1, ..ATCAS::ZERO }.word(),
        ATSWAP { addr_reg_index: 1, ..ATSWAP::ZERO }.word(),
        ATINCGET { addr_reg_index: 1, ..ATINCGET::ZERO }.word(),
        ATINCGETPTR { addr_reg_index: 1, ..ATINCGETPTR::ZERO }.word(),
    ];
    for word in words {
        assert!(run(&mut t, &mut l1, word).unwrap_err().to_string().contains("not in L1"), "{word:#x}");
    }
}

#[test]
fn numbers_go_to_the_unpackers_banks() {
    let store = |to_src_b| {
        STOREIND {
            reg_size_sel: to_src_b,
            offset_index: 4,
            auto_inc_spec: 3,
            data_reg_index: 9,
            addr_reg_index: 1,
            ..STOREIND::ZERO
        }
        .word()
    };
    // Low half: sign, mantissa, exponent; high half: sign, exponent, mantissa.
    let (mut t, mut l1) = start(0x20, 0);
    t.gpr[0][8..12].copy_from_slice(&[0x3F80_207F, 0xC040_8080, 1, 2]);
    let expected = [0x3FA0_0000, 0x3F80_0000, 0xC000_0000, 0xC040_0000];
    // SrcB: row 3, columns 12 to 15.
    t.gpr[0][1] = 3 * 4 + 1;
    run(&mut t, &mut l1, store(1)).unwrap();
    assert_eq!((t.src_b.unpack_mut()[3][12..16].to_vec(), t.gpr[0][2]), (expected.to_vec(), 0x30));
    // SrcA: four rows are in front of its first.
    let stored = |row: &Row| row[0..4] == expected;
    t.gpr[0][1] = (4 + 40) * 4 - 3;
    assert!(run(&mut t, &mut l1, store(0)).is_err());
    t.cfg
        .set_thread(0, tc::SRCA_SET_SetOvrdWithAddr.index, tc::SRCA_SET_SetOvrdWithAddr.mask() as u16)
        .unwrap();
    t.gpr[0][2] = 0x30;
    run(&mut t, &mut l1, store(0)).unwrap();
    assert!(stored(&t.src_a.unpack_mut()[40]));
    // In front of that nothing is stored.
    (t.gpr[0][1], t.gpr[0][2]) = (15, 0);
    run(&mut t, &mut l1, store(0)).unwrap();
    assert_eq!(t.src_a.unpack_mut().iter().filter(|row| row.iter().any(|&x| x != 0)).count(), 1);
    // The bank is the matrix unit's: wait.
    t.src_b.valid[0] = true;
    (t.gpr[0][1], t.gpr[0][2]) = (0, 0x30);
    assert_eq!(run(&mut t, &mut l1, store(1)), Ok(Step::Stall));
    assert_eq!(t.gpr[0][2], 0x30);
}
