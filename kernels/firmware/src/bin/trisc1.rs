//! Image of TRISC1.
#![no_std]
#![no_main]

use tt_firmware::ops;
use tt_firmware::rt::launch::{Launch, serve};
use tt_isa::map::RiscV;
use tt_kernel_abi::Op;

tt_firmware::image!(RiscV::Trisc1, main);

fn main() -> ! {
    ops::matmul::trisc1::boot();
    ops::sfpu::trisc1::boot();
    ops::sfpu_rows::trisc1::boot();
    serve(RiscV::Trisc1, run)
}

fn run(op: Op, launch: &Launch) {
    match op {
        Op::Matmul => ops::matmul::trisc1::run(launch),
        op if ops::on_sfpu(op, launch) => ops::sfpu::trisc1::run(launch),
        op if ops::rows_on_sfpu(op, launch) => ops::sfpu_rows::trisc1::run(launch),
        _ => {}
    }
}
