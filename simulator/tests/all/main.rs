//! Tests of the simulator, as one program: it takes a fraction of the compiler's time that a program for each of these files takes.

#[path = "../support/asm.rs"]
mod asm;
#[path = "../support/code.rs"]
mod code;
#[path = "../support/hazards.rs"]
mod hazards;
#[path = "../support/host.rs"]
mod host;
#[path = "../support/initiator.rs"]
mod initiator;
#[path = "../support/page.rs"]
mod page;
#[path = "../support/pipeline.rs"]
mod pipeline;
#[path = "../support/mod.rs"]
mod support;

mod asynchronous;
mod blackhole;
mod chip;
mod conversions;
mod driver;
mod ethernet;
mod faults;
mod matrix_random;
mod matrix_vectors;
mod mover;
mod noc;
mod noc_niu;
mod noc_vendor;
mod pack_vectors;
mod push;
mod random_datapath;
mod robust;
mod sfpu_differential;
mod sfpu_functions;
mod sfpu_vectors;
mod tensix_vectors;
mod thcon_vectors;
mod threads;
mod timed;
mod timed_ethernet;
mod trace;
mod unpack_vectors;
mod written_code;
