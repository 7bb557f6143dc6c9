//! Code that the coprocessor writes to L1 is what a core executes next, whatever it has executed there before.

use crate::asm::{bytes, i, li, s};
use crate::host::{Host, copy, end, poke, tensix};
use crate::support::Program;
use crate::support::datapath::{IN, OUT, fill_dst, packers, set_gpr};
use tt_isa::format::DataFormat::Int32;
use tt_isa::insn::{ATSWAP, PACR, SETADCXX};
use tt_isa::map::{PC_BUF_BASE, PC_BUF_TENSIX_SYNC, RiscV};

const RESULT: u32 = 0x1_8000;
const RA: u32 = 1;
const A0: u32 = 10;

/// Calls a function at [`OUT`] that returns a number, lets the coprocessor replace it, calls it again.
fn first_and_second_result(replace: &Program, memory: &[(u32, Vec<u8>)]) -> [u32; 2] {
    let call = |to: u32| [&li(5, OUT)[..], &[i("Jalr", RA, 5, 0)], &li(5, to), &[s("Sw", A0, 5, 0)]].concat();
    let mut program = call(RESULT);
    program.extend(replace.stores().flat_map(|(addr, value)| poke(addr, value)));
    program.extend(copy(PC_BUF_BASE + PC_BUF_TENSIX_SYNC, RESULT + 8));
    program.extend([call(RESULT + 4), end()].concat());
    let mut host = Host::new();
    let tile = tensix(0, 0);
    host.write(tile, OUT, &bytes(&returns(1)));
    memory.iter().for_each(|(addr, bytes)| host.write(tile, *addr, bytes));
    host.load(tile, RiscV::Brisc, &program);
    host.release(tile, &[RiscV::Brisc]);
    host.settle();
    [host.read32(tile, RESULT), host.read32(tile, RESULT + 4)]
}

fn returns(number: i32) -> [u32; 2] {
    [i("Addi", A0, 0, number), i("Jalr", 0, RA, 0)]
}

#[test]
fn packed_code_is_executed() {
    let mut code = returns(2).to_vec();
    code.resize(16, 0);
    let mut p = Program::new(0..0);
    fill_dst(&mut p, &code);
    packers(&mut p, true, Int32, Int32);
    p.push(0, SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: 15 }.word());
    p.push(0, PACR { pack_sel: 1, last: 1, ..PACR::ZERO }.word());
    assert_eq!(first_and_second_result(&p, &[(IN, bytes(&code))]), [1, 2]);
}

#[test]
fn code_stored_by_the_scalar_unit_is_executed() {
    let mut p = Program::new(0..0);
    set_gpr(&mut p, 0, 1, OUT / 16);
    for (gpr, word) in (4..).zip(returns(3)) {
        set_gpr(&mut p, 0, gpr, word);
    }
    p.push(0, ATSWAP { swap_mask: 0x0F, data_reg_index: 4, addr_reg_index: 1, ..ATSWAP::ZERO }.word());
    assert_eq!(first_and_second_result(&p, &[]), [1, 3]);
}
