//! Image of NCRISC.
#![no_std]
#![no_main]

use tt_firmware::ops;
use tt_firmware::rt::launch::serve;
use tt_isa::map::RiscV;

tt_firmware::image!(RiscV::Ncrisc, main);

fn main() -> ! {
    serve(RiscV::Ncrisc, ops::ncrisc)
}
