//! One small program for each kind of fault of the fast mode. Their faults are the examples of `docs/simulator.md`; these
//! tests compare them with the page word by word.

use crate::asm::{encode, i, li};
use crate::code::Code;
use crate::host::{self, Host, Request, tensix};
use crate::page::{BLAMES, examples};
use tt_isa::chip::WORMHOLE;
use tt_isa::insn::{Opcode, SEMINIT, SEMPOST};
use tt_isa::map::RiscV;
use tt_isa::noc::{Ctrl, NocXy, atomic};
use tt_simulator::{Blame, Fault};

/// Where the page's programs keep data.
const DATA: u32 = 0x2_0000;

/// A kind of fault, and what brings it about.
struct Example {
    /// Whose fault the page says it is.
    blame: Blame,
    /// Runs the program.
    provoke: fn(&mut Host) -> Fault,
}

const EXAMPLES: [Example; 10] = [
    Example {
        blame: Blame::Program,
        provoke: |host| on_core(host, RiscV::Brisc, |code| code.add([encode("Ebreak", 0, 0, 0, 0)])),
    },
    Example {
        blame: Blame::Program,
        provoke: |host| {
            on_core(host, RiscV::Trisc2, |code| {
                code.add([&li(5, DATA + 2)[..], &[i("Lw", 8, 5, 0)]].concat())
            })
        },
    },
    Example {
        blame: Blame::Program,
        provoke: |host| {
            on_core(host, RiscV::Trisc1, |code| {
                let semaphore = 1 << 5;
                code.tensix(SEMINIT { max_value: 1, init_value: 0, sem_sel: semaphore }.word());
                code.tensix(SEMPOST { sem_sel: semaphore }.word());
                code.tensix(SEMPOST { sem_sel: semaphore }.word());
            })
        },
    },
    Example {
        blame: Blame::Program,
        provoke: |host| on_core(host, RiscV::Ncrisc, |code| code.add(dram_read(0x1010, DATA).program())),
    },
    Example {
        blame: Blame::Program,
        provoke: |host| {
            let end = u64::from(WORMHOLE.tile.l1_size);
            host.try_write(tensix(0, 0), end - 4, &[0; 8]).expect_err("half of it is beyond L1")
        },
    },
    Example {
        blame: Blame::Undocumented,
        provoke: |host| {
            on_core(host, RiscV::Trisc0, |code| code.tensix(SEMPOST { sem_sel: 0b11 << 5 }.word()))
        },
    },
    Example {
        blame: Blame::Undocumented,
        provoke: |host| {
            on_core(host, RiscV::Brisc, |code| {
                // Operation 2 of the NoC's atomics, on the word that the address selects.
                let atomic = Request {
                    ctrl: Ctrl::AT | Ctrl::RESP_MARKED,
                    len: 2 << atomic::OPERATION_SHIFT,
                    ..dram_read(0, DATA)
                };
                code.add(Request { target: (tensix(1, 0), DATA), ..atomic }.program());
            })
        },
    },
    Example {
        blame: Blame::NotImplemented,
        provoke: |host| on_core(host, RiscV::Trisc1, |code| code.tensix((Opcode::MFCONV3S1 as u32) << 24)),
    },
    Example {
        blame: Blame::NotImplemented,
        provoke: |host| {
            host.try_read(WORMHOLE.arc, 0x8_8007_0000, &mut [0; 4]).expect_err("a fuse controller")
        },
    },
    Example {
        blame: Blame::Internal,
        // What no program reaches: the fault of an instruction that came to the wrong unit.
        provoke: |_| {
            let word = SEMPOST { sem_sel: 1 }.word();
            let fault = Fault::internal("SEMPOST is no scalar unit instruction").in_thread(1, word);
            fault.in_tile(NocXy::new(1, 1))
        },
    },
];

/// What comes of a program on a core of the first tile.
fn on_core(host: &mut Host, core: RiscV, build: impl FnOnce(&mut Code)) -> Fault {
    let mut code = Code::default();
    build(&mut code);
    code.add(host::end());
    host.load(tensix(0, 0), core, &code.0);
    host.release(tensix(0, 0), &[core]);
    host.run().expect_err("a fault")
}

/// A read of DRAM into the first tile's L1.
fn dram_read(from: u32, to: u32) -> Request {
    Request {
        noc: 0,
        ctrl: Ctrl::RESP_MARKED,
        target: (WORMHOLE.dram[0].ports[0], from),
        ret: (tensix(0, 0), to),
        len: 64,
        data: 0,
    }
}

#[test]
fn the_documentation_shows_what_is_said() {
    let shown = examples("Read a fault");
    let said = EXAMPLES.map(|example| {
        let fault = (example.provoke)(&mut Host::new());
        assert_eq!(fault.blame, example.blame, "{fault}");
        assert!(fault.at.tile.is_some(), "{fault}");
        assert!(fault.page.is_some() || fault.blame == Blame::Internal, "{fault}");
        println!("{fault}\n");
        fault.to_string()
    });
    for text in &said {
        assert!(shown.contains(text), "the page does not show: {text}");
    }
    for text in &shown {
        assert!(said.contains(text), "not said any more: {text}");
    }
    for blame in BLAMES {
        assert!(shown.iter().any(|text| text.starts_with(&blame.to_string())), "no example of a {blame}");
    }
}

/// After each of them the chip is still there: memory can be read, and other tiles run on.
#[test]
fn a_fault_is_not_the_end() {
    for example in EXAMPLES {
        let mut host = Host::new();
        host.write32(tensix(0, 0), DATA, 7);
        let _ = (example.provoke)(&mut host);
        assert_eq!(host.read32(tensix(0, 0), DATA), 7);
        host.load(tensix(3, 3), RiscV::Brisc, &[host::poke(DATA, 8), host::end()].concat());
        host.release(tensix(3, 3), &[RiscV::Brisc]);
        let _ = host.run();
        assert_eq!(host.read32(tensix(3, 3), DATA), 8);
    }
}
