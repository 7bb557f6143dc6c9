//! Image of TRISC0.
#![no_std]
#![no_main]

use tt_firmware::ops;
use tt_firmware::rt::launch::serve;
use tt_isa::map::RiscV;

tt_firmware::image!(RiscV::Trisc0, main);

fn main() -> ! {
    serve(RiscV::Trisc0, ops::trisc0)
}
