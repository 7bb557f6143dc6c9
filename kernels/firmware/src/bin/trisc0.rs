//! Image of TRISC0.
#![no_std]
#![no_main]

use tt_firmware::ops;
use tt_firmware::rt::launch::{Launch, serve};
use tt_isa::map::RiscV;
use tt_kernel_abi::Op;

tt_firmware::image!(RiscV::Trisc0, main);

fn main() -> ! {
    serve(RiscV::Trisc0, run)
}

fn run(op: Op, launch: &Launch) {
    match op {
        Op::Matmul => ops::matmul::trisc0::run(launch),
        op if ops::on_sfpu(op, launch) => ops::sfpu::trisc0::run(launch),
        op if ops::rows_on_sfpu(op, launch) => ops::sfpu_rows::trisc0::run(launch),
        _ => {}
    }
}
