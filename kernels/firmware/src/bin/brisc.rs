//! Image of BRISC: brings the tile up, then serves launches.
#![no_std]
#![no_main]

use tt_firmware::ops;
use tt_firmware::rt::boot::bring_up;
use tt_firmware::rt::launch::serve_and_complete;
use tt_isa::map::RiscV;

tt_firmware::image!(RiscV::Brisc, main);

fn main() -> ! {
    bring_up();
    serve_and_complete(ops::brisc)
}
