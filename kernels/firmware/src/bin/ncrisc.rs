//! Image of NCRISC.
#![no_std]
#![no_main]

use tt_firmware::ops;
use tt_firmware::rt::launch::{Launch, serve};
use tt_isa::map::RiscV;
use tt_kernel_abi::Op;

tt_firmware::image!(RiscV::Ncrisc, main);

fn main() -> ! {
    serve(RiscV::Ncrisc, run)
}

fn run(op: Op, launch: &Launch) {
    match op {
        Op::Matmul => ops::matmul::ncrisc::run(launch),
        Op::SetRows => ops::set_rows::run(launch),
        op if ops::on_sfpu(op, launch) => ops::sfpu::ncrisc::run(launch),
        op if ops::rows_on_sfpu(op, launch) => ops::sfpu_rows::ncrisc::run(launch),
        op => ops::lane(op, launch, 1),
    }
}
