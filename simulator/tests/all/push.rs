//! Tiles that write to the host's memory: what is missing when the host looks too early, and how long it takes.

use std::sync::{Arc, Mutex};

use crate::asm;
use crate::code::Code;
use crate::host::{Host, niu, tensix};
use tt_isa::chip::WORMHOLE;
use tt_isa::map::RiscV;
use tt_isa::noc::{Ctrl, NiuRegisters, reg};
use tt_isa::pcie::HOST_WINDOW;
use tt_simulator::{Fault, HostMemory, Mode};

const REG: NiuRegisters = WORMHOLE.noc.registers;
/// What a tile pushes, and a word that says that it has.
const DATA: u32 = 0x2_0000;
const BYTES: usize = 4096;
const FLAG: u32 = 0x3_0000;
/// Where they are in the host's memory.
const DATA_AT: u64 = 0x1000;
const FLAG_AT: u64 = 0;

/// The host's memory.
#[derive(Clone)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl HostMemory for Memory {
    fn read(&self, addr: u64, out: &mut [u8]) -> bool {
        let memory = self.0.lock().unwrap();
        memory.get(addr as usize..addr as usize + out.len()).map(|bytes| out.copy_from_slice(bytes)).is_some()
    }

    fn write(&self, addr: u64, data: &[u8]) -> bool {
        let mut memory = self.0.lock().unwrap();
        let place = memory.get_mut(addr as usize..addr as usize + data.len());
        place.map(|bytes| bytes.copy_from_slice(data)).is_some()
    }
}

/// Adds a write to the host's memory.
fn push(code: &mut Code, from: u32, to: u64, len: u32) {
    let to = HOST_WINDOW + to;
    let registers = [
        (REG.targ_lo, from),
        (REG.targ_node, WORMHOLE.noc.node(tensix(0, 0))),
        (REG.ret_lo, to as u32),
        (REG.ret_node, WORMHOLE.noc.node_at(WORMHOLE.pcie, to).expect("it reaches so far")),
        (REG.ctrl, (Ctrl::WR | Ctrl::RESP_MARKED).bits()),
        (REG.at_len_be, len),
        (REG.cmd_ctrl, 1),
    ];
    registers.into_iter().for_each(|(register, value)| code.store(niu(0, register), value));
}

/// A tile pushes data, waits for the acknowledgement (or forgets to), and pushes the flag. The host reads the data when it has seen the
/// flag; clocks until then.
fn run(mode: Mode, waits: bool) -> Result<u64, Fault> {
    let mut host = Host::with_mode(mode);
    let memory = Memory(Arc::new(Mutex::new(vec![0; 0x2000])));
    host.chip.set_host_memory(Box::new(memory.clone()));
    host.try_write(tensix(0, 0), DATA.into(), &[0x77; BYTES])?;
    host.try_write(tensix(0, 0), FLAG.into(), &[1; 16])?;
    let mut code = Code::default();
    push(&mut code, DATA, DATA_AT, BYTES as u32);
    if waits {
        code.wait_noc(0, reg::MST_WR_ACK_RECEIVED, 1);
    }
    push(&mut code, FLAG, FLAG_AT, 16);
    code.add([asm::jal(0, 0)]);
    let begin = host.chip.clock();
    host.load(tensix(0, 0), RiscV::Brisc, &code.0);
    host.release(tensix(0, 0), &[RiscV::Brisc]);
    for _ in 0..1000 {
        host.chip.advance_until_told(1000)?;
        if memory.0.lock().unwrap()[0] == 0 {
            continue;
        }
        host.chip.check_host_access("reads", HOST_WINDOW + DATA_AT, BYTES)?;
        let bytes = memory.0.lock().unwrap()[DATA_AT as usize..][..BYTES].to_vec();
        assert!(bytes.iter().all(|&byte| byte == 0x77), "the flag came before the data");
        return Ok(host.chip.clock() - begin);
    }
    panic!("the flag never came");
}

#[test]
fn a_flag_that_overtakes_the_data_is_found() {
    let faults: Vec<Fault> = (0..100).filter_map(|seed| run(Mode::Async { seed }, false).err()).collect();
    assert!(!faults.is_empty(), "not found with 100 seeds");
    for fault in faults {
        let text = fault.to_string();
        assert!(text.contains("host reads") && text.contains("NoC 0 write of 4096 bytes"), "{text}");
    }
    for seed in 0..40 {
        run(Mode::Async { seed }, true).expect("no finding");
    }
}

/// 4 KiB over PCIe, an acknowledgement from its controller, and the way to the host's memory and back.
#[test]
fn a_push_takes_its_time() {
    let clocks = run(Mode::Timed, true).expect("no fault");
    let way = 580 + 150 + 4096 * 1000 / 26_400;
    // And the cores' instructions and the NoC, some hundreds.
    assert!((way..way + 900).contains(&clocks), "{clocks} clocks");
    run(Mode::Fast, true).expect("no fault");
}
