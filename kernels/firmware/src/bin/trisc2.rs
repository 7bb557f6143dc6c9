//! Image of TRISC2.
#![no_std]
#![no_main]

use tt_firmware::ops;
use tt_firmware::rt::launch::serve;
use tt_isa::map::RiscV;

tt_firmware::image!(RiscV::Trisc2, main);

fn main() -> ! {
    serve(RiscV::Trisc2, ops::trisc2)
}
