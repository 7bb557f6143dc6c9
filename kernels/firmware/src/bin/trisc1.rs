//! Image of TRISC1.
#![no_std]
#![no_main]

use tt_firmware::ops;
use tt_firmware::rt::boot::free_threads_if_told;
use tt_firmware::rt::launch::serve;
use tt_isa::map::RiscV;

tt_firmware::image!(RiscV::Trisc1, main);

fn main() -> ! {
    free_threads_if_told();
    ops::matmul::trisc1::boot();
    ops::sfpu::trisc1::boot();
    ops::sfpu_rows::trisc1::boot();
    serve(RiscV::Trisc1, ops::trisc1)
}
