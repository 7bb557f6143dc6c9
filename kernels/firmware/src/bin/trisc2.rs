//! Image of TRISC2.
#![no_std]
#![no_main]

use tt_firmware::ops;
use tt_firmware::rt::launch::{Launch, serve};
use tt_isa::map::RiscV;
use tt_kernel_abi::Op;

tt_firmware::image!(RiscV::Trisc2, main);

fn main() -> ! {
    serve(RiscV::Trisc2, run)
}

fn run(op: Op, launch: &Launch) {
    match op {
        Op::Matmul => ops::matmul::trisc2::run(launch),
        op if ops::on_sfpu(op, launch) => ops::sfpu::trisc2::run(launch),
        op if ops::rows_on_sfpu(op, launch) => ops::sfpu_rows::trisc2::run(launch),
        _ => {}
    }
}
