//! Small programs with one missing wait each, and the correct versions.

use tt_isa::chip::WORMHOLE;
use tt_isa::chip::wormhole::config as cfg;
use tt_isa::insn::{
    ADDDMAREG, MOP, MOVA2D, NOP, RDCFG, SEMINIT, SEMPOST, SEMWAIT, SETDMAREG, SETDVALID, SFPLOAD, SFPMAD,
    SFPMOV, SFPNOP, STALLWAIT, WRCFG, ZEROACC, ZEROSRC,
};
use tt_isa::map::{
    CFG_BASE, MAILBOX_BASE, MAILBOX_STRIDE, MOP_CFG_BASE, NOC_OVERLAY_BASE, NOC_OVERLAY_STREAM_STRIDE,
    PC_BUF_BASE, PC_BUF_MOP_SYNC, PC_BUF_SEMAPHORE, REGFILE_BASE, RiscV,
};
use tt_isa::noc::{Ctrl, NocXy, reg};
use tt_isa::overlay::reg as overlay;
use tt_isa::sfpu::{lreg, mod0_fmt};
use tt_isa::stall::{block, semaphore, until};

use super::asm::{b, i, jal, li, nop, r, s};
use super::code::Code;
use super::host::{Request, tensix};

/// Words in L1 that the host has written.
pub const DATA: u32 = 0x2_0000;
/// Bytes of [`DATA`].
pub const DATA_BYTES: usize = 0x400;
const FLAG: u32 = DATA + 0x100;
const NEVER_WRITTEN: u32 = 0x4_0000;
const SEMAPHORE: u32 = 1 << 5;

/// A core's program.
pub type Program = (NocXy, RiscV, Code);

/// Programs that forget something, if `broken`.
pub struct Hazard {
    /// What is forgotten.
    pub name: &'static str,
    /// What the finding has to name.
    pub names: &'static [&'static str],
    /// The programs.
    pub programs: fn(broken: bool) -> Vec<Program>,
}

fn dram() -> NocXy {
    WORMHOLE.dram[0].ports[0]
}

fn program(core: RiscV, build: impl FnOnce(&mut Code)) -> Program {
    program_of(tensix(0, 0), core, build)
}

fn program_of(tile: NocXy, core: RiscV, build: impl FnOnce(&mut Code)) -> Program {
    let mut code = Code::default();
    build(&mut code);
    code.add([jal(0, 0)]);
    (tile, core, code)
}

/// Another tile, which has the same data.
pub fn other_tile() -> NocXy {
    tensix(1, 0)
}

/// `request` as another tile makes it at its own end.
fn from_tile(tile: NocXy, request: Request) -> Request {
    let own = |(at, addr): (NocXy, u32)| if at == tensix(0, 0) { (tile, addr) } else { (at, addr) };
    Request { target: own(request.target), ret: own(request.ret), ..request }
}

/// Sets [`FLAG`] of a tile to 1 over the NoC.
fn flag(tile: NocXy) -> Request {
    let ctrl = Ctrl::WR | Ctrl::WR_INLINE | Ctrl::RESP_MARKED;
    Request { noc: 0, ctrl, target: (tile, FLAG), ret: (tile, 0), len: 0xF, data: 1 }
}

fn read(from: u32, to: u32) -> Request {
    Request {
        noc: 0,
        ctrl: Ctrl::RESP_MARKED,
        target: (dram(), from),
        ret: (tensix(0, 0), to),
        len: 64,
        data: 0,
    }
}

fn write(from: u32, to: u32) -> Request {
    Request {
        noc: 0,
        ctrl: Ctrl::WR | Ctrl::RESP_MARKED,
        target: (tensix(0, 0), from),
        ret: (dram(), to),
        len: 64,
        data: 0,
    }
}

/// A tile writes [`DATA`] to DRAM, and waits until it is there.
fn write_and_wait(code: &mut Code, tile: NocXy) {
    code.add(from_tile(tile, write(DATA, 0x1000)).program());
    code.wait_noc(0, reg::MST_WR_ACK_RECEIVED, 1);
}

/// A tile reads from DRAM, waits until the data is there, and uses it.
fn read_and_use(code: &mut Code, tile: NocXy, from: u32) {
    code.add(from_tile(tile, read(from, DATA + 0x200)).program());
    code.wait_noc(0, reg::MST_RD_RESP_RECEIVED, 1);
    code.load(DATA + 0x200, true);
}

/// All of them.
pub const HAZARDS: &[Hazard] = &[
    Hazard {
        name: "a NoC write of what the core has just stored",
        names: &["L1 0x00020000", "BRISC at pc", "NoC 0 write", "load the word back"],
        programs: |broken| {
            vec![program(RiscV::Brisc, |code| {
                code.store(DATA, 1);
                if !broken {
                    code.settle(DATA);
                }
                write_and_wait(code, tensix(0, 0));
            })]
        },
    },
    Hazard {
        name: "data of another core without a flag",
        names: &["L1 0x00020000", "BRISC at pc", "NCRISC at pc", "nothing orders"],
        programs: |broken| {
            let writer = program(RiscV::Brisc, |code| {
                code.store(DATA, 1);
                code.store(FLAG, 1);
            });
            let reader = program(RiscV::Ncrisc, |code| {
                if !broken {
                    code.wait(FLAG, 1);
                }
                code.load(DATA, true);
            });
            vec![writer, reader]
        },
    },
    Hazard {
        name: "a mailbox that overtakes a store to L1",
        names: &["L1 0x00020000", "BRISC at pc", "TRISC0 at pc", "load the word back"],
        programs: |broken| {
            let writer = program(RiscV::Brisc, |code| {
                code.store(DATA, 1);
                if !broken {
                    code.settle(DATA);
                }
                code.store(MAILBOX_BASE + MAILBOX_STRIDE, 0);
            });
            let reader = program(RiscV::Trisc0, |code| {
                code.load(MAILBOX_BASE, true);
                code.load(DATA, true);
            });
            vec![writer, reader]
        },
    },
    Hazard {
        name: "a count in a stream's register that overtakes a store to L1",
        names: &["L1 0x00020000", "BRISC at pc", "TRISC0 at pc", "load the word back"],
        programs: |broken| {
            let count = NOC_OVERLAY_BASE + 3 * NOC_OVERLAY_STREAM_STRIDE + 4 * overlay::REMOTE_DEST_BUF_SIZE;
            let writer = program(RiscV::Brisc, |code| {
                code.store(DATA, 1);
                if !broken {
                    code.settle(DATA);
                }
                code.store(count, 1);
            });
            let reader = program(RiscV::Trisc0, |code| {
                code.wait(count, 1);
                code.load(DATA, true);
            });
            vec![writer, reader]
        },
    },
    Hazard {
        name: "a mailbox word that nobody waits for",
        names: &["L1 0x00020000", "BRISC at pc", "TRISC0 at pc"],
        programs: |broken| {
            let writer = program(RiscV::Brisc, |code| {
                code.store(DATA, 1);
                code.settle(DATA);
                code.store(MAILBOX_BASE + MAILBOX_STRIDE, 0);
            });
            let reader = program(RiscV::Trisc0, |code| {
                code.add(li(9, DATA));
                code.load(MAILBOX_BASE, !broken);
                code.add([i("Lw", 7, 9, 0)]);
            });
            vec![writer, reader]
        },
    },
    Hazard {
        name: "a word that nobody has written",
        names: &["BRISC at pc", "reads L1 0x00040000", "nothing has written"],
        programs: |broken| {
            vec![program(RiscV::Brisc, |code| code.load(if broken { NEVER_WRITTEN } else { DATA }, true))]
        },
    },
    Hazard {
        name: "two reads into one buffer",
        names: &["L1 0x00020000", "NoC 0 read of 64 bytes", "may still be under way"],
        programs: |broken| {
            vec![program(RiscV::Brisc, |code| {
                code.add(read(0, DATA).program());
                if !broken {
                    code.wait_noc(0, reg::MST_RD_RESP_RECEIVED, 1);
                }
                code.add(read(0x1000, DATA).program());
                code.wait_noc(0, reg::MST_RD_RESP_RECEIVED, 2);
            })]
        },
    },
    Hazard {
        name: "a read from DRAM of what is being written there",
        names: &["BRISC at pc", "uses L1 0x00020200", "NoC 0 write of 64 bytes"],
        programs: |broken| {
            vec![program(RiscV::Brisc, |code| {
                code.add(write(DATA, 0x1000).program());
                if !broken {
                    code.wait_noc(0, reg::MST_WR_ACK_RECEIVED, 1);
                }
                read_and_use(code, tensix(0, 0), 0x1000);
            })]
        },
    },
    Hazard {
        name: "a read from DRAM of what nobody has written there",
        names: &["BRISC at pc", "uses L1 0x00020200", "0x8000 of the DRAM tile", "nothing has written"],
        programs: |broken| {
            vec![program(RiscV::Brisc, |code| {
                read_and_use(code, tensix(0, 0), if broken { 0x8000 } else { 0x1000 });
            })]
        },
    },
    Hazard {
        name: "two writes to the same place in DRAM",
        names: &["DRAM 0x1000", "NoC 0 write of 64 bytes", "nothing orders the two"],
        programs: |broken| {
            vec![program(RiscV::Brisc, |code| {
                code.add(write(DATA, 0x1000).program());
                if !broken {
                    code.wait_noc(0, reg::MST_WR_ACK_RECEIVED, 1);
                }
                code.add(write(DATA + 0x200, 0x1000).program());
                code.wait_noc(0, reg::MST_WR_ACK_RECEIVED, 2);
            })]
        },
    },
    Hazard {
        name: "a flag to another tile that overtakes a write to DRAM",
        names: &[
            "data race in DRAM",
            "BRISC at pc",
            "uses L1 0x00020200",
            "NoC 0 write of 64 bytes",
            "in tile (1,1)",
        ],
        programs: |broken| {
            let writer = program(RiscV::Brisc, |code| {
                code.add(write(DATA, 0x1000).program());
                if !broken {
                    code.wait_noc(0, reg::MST_WR_ACK_RECEIVED, 1);
                }
                code.add(flag(other_tile()).program());
            });
            let reader = program_of(other_tile(), RiscV::Brisc, |code| {
                code.wait(FLAG, 1);
                read_and_use(code, other_tile(), 0x1000);
            });
            vec![writer, reader]
        },
    },
    Hazard {
        name: "a write to DRAM that comes long after the read that should see it",
        names: &[
            "data race on DRAM 0x1000",
            "NoC 0 read of 64 bytes",
            "has read and used it",
            "in tile (2,1)",
        ],
        programs: |broken| {
            let writer = program(RiscV::Brisc, |code| {
                if broken {
                    code.add(li(9, 100_000));
                    code.add([i("Addi", 9, 9, -1), b("Bne", 9, 0, -4)]);
                }
                write_and_wait(code, tensix(0, 0));
                code.add(flag(other_tile()).program());
            });
            let reader = program_of(other_tile(), RiscV::Brisc, |code| {
                if !broken {
                    code.wait(FLAG, 1);
                }
                read_and_use(code, other_tile(), 0x1000);
            });
            vec![writer, reader]
        },
    },
    Hazard {
        name: "two tiles that write to the same place in DRAM",
        names: &["data race on DRAM 0x1000", "in tile (1,1)", "in tile (2,1)", "nothing orders the two"],
        programs: |broken| {
            let first = program(RiscV::Brisc, |code| {
                write_and_wait(code, tensix(0, 0));
                code.add(flag(other_tile()).program());
            });
            let second = program_of(other_tile(), RiscV::Brisc, |code| {
                if !broken {
                    code.wait(FLAG, 1);
                }
                write_and_wait(code, other_tile());
            });
            vec![first, second]
        },
    },
    Hazard {
        name: "two cores of a tile that write to the same place in DRAM",
        names: &["data race on DRAM 0x1000", "BRISC at pc", "NCRISC at pc", "nothing orders the two"],
        programs: |broken| {
            let first = program(RiscV::Brisc, |code| {
                write_and_wait(code, tensix(0, 0));
                code.store(FLAG, 1);
            });
            let second = program(RiscV::Ncrisc, |code| {
                if !broken {
                    code.wait(FLAG, 1);
                }
                let mirrored = |at: NocXy| if at.x < 16 { at.mirrored(WORMHOLE.grid) } else { at };
                let request = write(DATA + 0x200, 0x1000);
                let (target, ret) = (mirrored(request.target.0), mirrored(request.ret.0));
                let request =
                    Request { noc: 1, target: (target, DATA + 0x200), ret: (ret, 0x1000), ..request };
                code.add(request.program());
                code.wait_noc(1, reg::MST_WR_ACK_RECEIVED, 1);
            });
            vec![first, second]
        },
    },
    Hazard {
        name: "a MOP configuration that changes under the expander",
        names: &["TRISC0 at pc", "MOP expander", "MOPExpanderDoneCheck"],
        programs: |broken| {
            vec![program(RiscV::Trisc0, |code| {
                for round in 0..2 {
                    for (word, value) in
                        [2, 1, NOP {}.word()].into_iter().chain([NOP {}.word(); 6]).enumerate()
                    {
                        code.store(MOP_CFG_BASE + 4 * word as u32, value);
                    }
                    code.push(MOP { mop_type: 1, ..MOP::ZERO }.word());
                    if !broken && round == 0 {
                        code.add(li(5, PC_BUF_BASE + PC_BUF_MOP_SYNC));
                        code.add([s("Sw", 0, 5, 0), i("Lw", 7, 5, 0), r("And", 7, 7, 7)]);
                    }
                }
            })]
        },
    },
    Hazard {
        name: "configuration that is used right behind WRCFG",
        names: &["THCON_SEC0_REG3_Base_address", "WRCFG", "RDCFG", "put a NOP in between"],
        programs: |broken| {
            let register = cfg::THCON_SEC0_REG3_Base_address.index;
            vec![program(RiscV::Trisc0, |code| {
                code.tensix(SETDMAREG { reg_index_16b: 8, payload_sig_sel: 77, ..SETDMAREG::ZERO }.word());
                code.tensix(WRCFG { gpr_address: 4, wr128b: 0, cfg_reg: register }.word());
                if !broken {
                    // WRCFG has read its GPR by now.
                    code.tensix(
                        SETDMAREG { reg_index_16b: 8, payload_sig_sel: 78, ..SETDMAREG::ZERO }.word(),
                    );
                    code.tensix(NOP {}.word());
                }
                code.tensix(RDCFG { gpr_address: 6, cfg_reg: register }.word());
            })]
        },
    },
    Hazard {
        name: "a GPR that the core writes as an instruction reads it",
        names: &["GPR 5 of Tensix thread 0", "TRISC0 at pc", "ADDDMAREG", "C13"],
        programs: |broken| {
            vec![program(RiscV::Trisc0, |code| {
                code.store(REGFILE_BASE + 4 * 5, 40);
                if !broken {
                    let wait = STALLWAIT { stall_res: block::THCON, wait_res: until::RISCV };
                    code.push(wait.word());
                }
                let add =
                    ADDDMAREG { op_b_is_const: 1, result_reg_index: 6, op_b_reg_index: 2, op_a_reg_index: 5 };
                code.push(add.word());
            })]
        },
    },
    Hazard {
        name: "a GPR that is read before the instruction has written it",
        names: &["GPR 4 of Tensix thread 0", "TRISC0 at pc", "SETDMAREG"],
        programs: |broken| {
            vec![program(RiscV::Trisc0, |code| {
                code.push(SETDMAREG { reg_index_16b: 8, payload_sig_sel: 77, ..SETDMAREG::ZERO }.word());
                if !broken {
                    code.ttsync(true);
                }
                code.load(REGFILE_BASE + 4 * 4, true);
            })]
        },
    },
    Hazard {
        name: "a load from a semaphore while one from TTSync is under way",
        names: &["TRISC0 at pc", "before a load from TTSync has returned"],
        programs: |broken| {
            vec![program(RiscV::Trisc0, |code| {
                code.add(li(9, PC_BUF_BASE + PC_BUF_SEMAPHORE));
                code.ttsync(!broken);
                code.add([i("Lw", 8, 9, 0)]);
            })]
        },
    },
    Hazard {
        name: "a wait that the next one makes the gate forget",
        names: &["STALLWAIT", "forgotten", "block bit B1"],
        programs: |broken| {
            let blocked = if broken { block::MATH } else { block::MATH | block::SYNC };
            let waiter = program(RiscV::Trisc1, |code| {
                code.tensix(SEMINIT { max_value: 2, init_value: 0, sem_sel: SEMAPHORE }.word());
                code.ttsync(true);
                code.store(FLAG, 1);
                let wait =
                    SEMWAIT { stall_res: blocked, sem_sel: SEMAPHORE, wait_sem_cond: semaphore::WHILE_ZERO };
                code.tensix(wait.word());
                code.tensix(STALLWAIT { stall_res: block::CFG, wait_res: until::MATH }.word());
                code.tensix(ZEROACC { clear_mode: 3, ..ZEROACC::ZERO }.word());
            });
            let poster = program(RiscV::Trisc0, |code| {
                code.wait(FLAG, 1);
                code.tensix(SEMPOST { sem_sel: SEMAPHORE }.word());
            });
            vec![waiter, poster]
        },
    },
    Hazard {
        name: "a result of the vector unit that is used before it is there",
        names: &["SFPMOV reads LReg[1]", "SFPMAD", "put an SFPNOP between the two"],
        programs: |broken| {
            vec![program(RiscV::Trisc1, |code| {
                let (one, zero) = (lreg::ONE, lreg::ZERO);
                let sum = SFPMAD {
                    lreg_src_a: one,
                    lreg_src_b: one,
                    lreg_src_c: zero,
                    lreg_dest: 1,
                    instr_mod1: 0,
                };
                code.tensix(sum.word());
                if !broken {
                    code.tensix(SFPNOP {}.word());
                }
                code.tensix(SFPMOV { lreg_c: 1, lreg_dest: 2, instr_mod1: 0 }.word());
            })]
        },
    },
    Hazard {
        name: "rows of Dst that the vector unit loads while the matrix unit writes them",
        names: &["SFPLOAD from Dst row 0", "after the matrix unit wrote there", "or STALLWAIT"],
        programs: |broken| {
            vec![program(RiscV::Trisc1, |code| {
                code.tensix(ZEROSRC { bank_mask: 1, src_mask: 1, ..ZEROSRC::ZERO }.word());
                code.tensix(SETDVALID { setvalid: 1 }.word());
                code.tensix(MOVA2D { instr_mod: 2, ..MOVA2D::ZERO }.word());
                if !broken {
                    code.tensix(STALLWAIT { stall_res: block::SFPU, wait_res: until::MATH }.word());
                }
                code.tensix(SFPLOAD { instr_mod0: mod0_fmt::BF16, ..SFPLOAD::ZERO }.word());
            })]
        },
    },
    Hazard {
        name: "code that changed while the instruction cache holds it",
        names: &["BRISC at pc", "the code has changed"],
        programs: |broken| {
            vec![program(RiscV::Brisc, |code| {
                // A function of two instructions behind a jump over it; it is called, changed, and called again.
                code.add([jal(0, 12), i("Addi", 8, 8, 1), i("Jalr", 0, 1, 0)]);
                let call = |code: &mut Code| {
                    let back = 4 - 4 * code.0.len() as i32;
                    code.add([jal(1, back)]);
                };
                call(code);
                code.store(4, i("Addi", 8, 8, 2));
                if !broken {
                    code.settle(4);
                    code.store(CFG_BASE + 4 * WORMHOLE.tile.icache_invalidate, RiscV::Brisc.icache_bit());
                    code.add([nop(); 20]);
                }
                call(code);
            })]
        },
    },
];
