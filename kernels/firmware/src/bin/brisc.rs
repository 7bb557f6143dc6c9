//! Image of BRISC, which brings the tile up, and of NCRISC; both serve launches. As lanes they run the same code, so they share it.
#![no_std]
#![no_main]

use tt_firmware::ops;
use tt_firmware::ops::ahead::Ahead;
use tt_firmware::rt::boot::bring_up;
use tt_firmware::rt::launch::{serve, serve_and_complete};
use tt_isa::map::RiscV;

tt_firmware::image!(RiscV::Brisc, main; RiscV::Ncrisc, ncrisc);

fn main() -> ! {
    bring_up();
    serve_and_complete(Ahead::new)
}

fn ncrisc() -> ! {
    serve(RiscV::Ncrisc, ops::ncrisc)
}
