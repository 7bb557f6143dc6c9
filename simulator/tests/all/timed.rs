//! The timed mode on small programs: cores and coprocessor take the clocks that the documents give, as a program itself
//! measures them with the wall clock.

use crate::asm::{b, i, jal, li, nop, r, s};
use crate::code::Code;
use crate::host::{Host, Request, all_tiles, copy, end, niu, tensix, wait_for};
use tt_isa::chip::{WORMHOLE, board};
use tt_isa::insn::{
    ADDDMAREG, ATCAS, MOVB2D, MOVD2A, MVMUL, SEMWAIT, SETDMAREG, SETDVALID, SFPMAD, SFPNOP, SFPSWAP, SHIFTXB,
    STALLWAIT, ttinsn,
};
use tt_isa::map::{
    DEBUG_REGS_BASE, LOCAL_RAM_BASE, RiscV, TDMA_COMMAND, TDMA_REGS_BASE, TDMA_STATUS, WALL_CLOCK_L,
    XMOV_DIRECTION, XMOV_DST_ADDR, XMOV_SIZE, XMOV_SRC_ADDR, tdma_command,
};
use tt_isa::noc::{Ctrl, NocXy, atomic_increment, reg};
use tt_isa::stall::{block, until};
use tt_simulator::usage::{CoreUsage, CoreWait};
use tt_simulator::{ChipConfig, Mode};

/// Where the programs leave what they have measured.
const RESULT: u32 = 0x3_0000;
/// L1 and other places that they access: x10 to x13.
const DATA: u32 = 0x2_0000;
const GPRS: u32 = 0xFFE0_0000;

/// A program that measures `words` the second time that it executes them, when they are in the instruction cache.
fn measured(words: &[u32]) -> Vec<u32> {
    let wall_clock = DEBUG_REGS_BASE + WALL_CLOCK_L;
    let mut code = Code::default();
    for (register, value) in
        [(10, DATA), (11, LOCAL_RAM_BASE), (12, GPRS), (20, wall_clock), (23, RESULT), (25, 2)]
    {
        code.add(li(register, value));
    }
    // What was under way has come to its end.
    let settled = [nop(); 16];
    // The clock's value is used before anything else is measured.
    let begin = [i("Lw", 21, 20, 0), r("And", 21, 21, 21)];
    let round = [&settled[..], &begin, words, &[i("Lw", 22, 20, 0), r("Sub", 24, 22, 21)]].concat();
    code.add(round.iter().copied());
    code.add([s("Sw", 24, 23, 0), i("Addi", 25, 25, -1)]);
    let back = -4 * (round.len() as i32 + 2);
    code.add([b("Bne", 25, 0, back)]);
    code.add(end());
    code.0
}

fn run(core: RiscV, words: &[u32]) -> u32 {
    let mut host = Host::with_mode(Mode::Timed);
    let tile = tensix(0, 0);
    host.load(tile, core, &measured(words));
    host.release(tile, &[core]);
    host.settle();
    host.read32(tile, RESULT)
}

/// Clocks from the first of `words` to what comes behind them.
fn clocks_on(core: RiscV, words: &[u32]) -> u32 {
    run(core, words) - run(core, &[])
}

fn clocks(words: &[u32]) -> u32 {
    clocks_on(RiscV::Brisc, words)
}

fn addi(rd: u32, rs1: u32) -> u32 {
    i("Addi", rd, rs1, 1)
}

#[test]
fn integer_instructions_take_a_clock_and_others_more() {
    assert_eq!(clocks(&[nop(); 12]), 12);
    assert_eq!(clocks(&[addi(5, 5); 12]), 12, "results are forwarded");
    assert_eq!(clocks(&[r("Mul", 5, 6, 7); 4]), 8);
    assert_eq!(clocks(&[r("Divu", 5, 6, 0)]), 2, "by zero");
    let small = [i("Addi", 6, 0, 100), i("Addi", 7, 0, 7), r("Divu", 5, 6, 7)];
    assert_eq!(clocks(&small), 2 + 8, "seven bits of dividend");
    let large = [i("Addi", 6, 0, -1), i("Addi", 7, 0, 7), r("Divu", 5, 6, 7)];
    assert_eq!(clocks(&large), 2 + 33);
}

#[test]
fn loads_take_what_their_place_takes() {
    for (base, latency, place) in [(11, 2, "local RAM"), (12, 4, "GPRs"), (20, 7, "registers"), (10, 8, "L1")]
    {
        assert_eq!(clocks(&[i("Lw", 5, base, 0), addi(6, 5)]), latency + 1, "load and use: {place}");
        let hidden = [&[i("Lw", 5, base, 0)][..], &vec![nop(); latency as usize - 1], &[addi(6, 5)]].concat();
        assert_eq!(clocks(&hidden), latency + 1, "hidden behind others: {place}");
    }
    // What comes out of the integer unit waits behind a load, unless the next instruction takes it.
    assert_eq!(clocks(&[i("Lw", 5, 10, 0), addi(6, 7), addi(8, 6), nop()]), 4);
    assert_eq!(clocks(&[i("Lw", 5, 10, 0), addi(6, 7), nop(), addi(8, 6)]), 10, "a clock behind the load");
}

#[test]
fn four_loads_are_in_flight_and_stores_drain_slowly() {
    let loads = |n: usize| clocks(&vec![i("Lw", 5, 10, 0); n]);
    assert_eq!(loads(3), 3);
    assert_eq!(loads(44) - loads(4), 10 * 7, "four in seven clocks");
    let local = |n: usize| clocks(&vec![i("Lw", 5, 11, 0); n]);
    assert_eq!(local(40), 40);
    let stores = |n: usize| clocks(&vec![s("Sw", 5, 10, 0); n]);
    assert_eq!(stores(3), 3, "the queue takes them");
    assert_eq!(stores(44) - stores(24), 20 * 5);
    let local = |n: usize| clocks(&vec![s("Sw", 5, 11, 0); n]);
    assert_eq!(local(40), 40);
}

/// The same as [`clocks`] while another core stores to L1 all the time.
fn clocks_beside(other: RiscV, words: &[u32]) -> u32 {
    let run = |words: &[u32]| {
        let mut host = Host::with_mode(Mode::Timed);
        let tile = tensix(0, 0);
        let store = s("Sw", 5, 6, 0);
        let round = [store, store, store, i("Addi", 7, 7, -1), b("Bne", 7, 0, -16)];
        host.load(tile, other, &[&li(6, DATA + 0x1000)[..], &li(7, 1200), &round, &end()].concat());
        host.load(tile, RiscV::Brisc, &measured(words));
        host.release(tile, &[RiscV::Brisc, other]);
        host.settle();
        host.read32(tile, RESULT)
    };
    run(words) - run(&[])
}

#[test]
fn cores_share_ports_of_l1() {
    let stores = |n: usize| vec![s("Sw", 5, 10, 0); n];
    let slope = |clocks: &dyn Fn(&[u32]) -> u32| clocks(&stores(264)) - clocks(&stores(24));
    let alone = slope(&clocks);
    assert_eq!(alone, 240 * 5);
    let shared = slope(&|words| clocks_beside(RiscV::Ncrisc, words));
    assert!(shared.abs_diff(2 * alone) <= alone / 10, "B and NC store in turn: {shared}");
    let other = slope(&|words| clocks_beside(RiscV::Trisc1, words));
    assert!(other.abs_diff(alone) <= 5, "T1 has another port: {other}");
    // A load takes the port for a clock, a store for five; up to a window of time may be lost.
    let copies = |n: usize| clocks(&[i("Lw", 5, 10, 0), s("Sw", 6, 10, 64)].repeat(n));
    let copies = copies(80) - copies(32);
    assert!((48 * 6..=48 * 6 + 16).contains(&copies), "{copies}");
}

#[test]
fn branches_that_are_not_predicted_cost_two_clocks() {
    assert_eq!(clocks(&[b("Beq", 0, 0, 8), nop(), nop()]), 1 + 2 + 1, "forward and taken");
    assert_eq!(clocks(&[b("Bne", 0, 0, 8), nop(), nop()]), 3, "forward and not taken");
    assert_eq!(clocks(&[jal(0, 8), nop(), nop()]), 2);
    let round = [i("Addi", 5, 0, 10), i("Addi", 5, 5, -1), b("Bne", 5, 0, -4)];
    assert_eq!(clocks(&round), 1 + 20 + 2, "a loop of ten rounds");
}

#[test]
fn code_beyond_the_instruction_cache_costs_at_jumps() {
    // Blocks of eight instructions that jump over as many.
    let block = [&[jal(0, 64)][..], &[nop(); 15]].concat();
    let far = |blocks: usize| [&block.repeat(blocks)[..], &[nop()]].concat();
    assert_eq!(clocks(&far(20)), 20 + 1, "1280 bytes fit 2 KiB");
    assert_eq!(clocks_on(RiscV::Ncrisc, &far(20)), 20 * (1 + 8) + 1, "and do not fit 512 bytes");
}

/// Pushes `words` from T1 and waits for them, less what the waiting takes.
fn coprocessor(words: &[u32]) -> u32 {
    let program = |words: &[u32]| {
        let mut code = Code::default();
        // Both banks of SrcA and SrcB belong to the matrix unit.
        code.add(words.iter().map(|&word| ttinsn(word)));
        code.ttsync(true);
        code.0
    };
    clocks_on(RiscV::Trisc1, &program(words)) - clocks_on(RiscV::Trisc1, &program(&[]))
}

/// Clocks of `n` instructions more than `start`, which has to be long enough to hide what happens once.
fn slope(word: impl Fn(u32) -> u32, first: &[u32], start: u32, n: u32) -> u32 {
    let run = |count| coprocessor(&first.iter().copied().chain((0..count).map(&word)).collect::<Vec<_>>());
    run(start + n) - run(start)
}

fn both_banks() -> [u32; 1] {
    [SETDVALID { setvalid: 3 }.word()]
}

#[test]
fn a_product_of_tiles_takes_16_clocks_a_fidelity_phase() {
    // Sixteen instructions over eight blocks of Dst for each phase.
    let mvmul = |n: u32| MVMUL { clear_dvalid: 0, instr_mod19: 0, addr_mode: 0, dst: n % 8 * 8 }.word();
    for phases in 1..=4 {
        assert_eq!(slope(mvmul, &both_banks(), 16, 16 * phases), 16 * phases);
    }
    let four = |n: u32| MVMUL { clear_dvalid: 0, instr_mod19: 0, addr_mode: 0, dst: n % 4 * 8 }.word();
    assert_eq!(slope(four, &both_banks(), 16, 16), 4 * 5, "five blocks hide the latency, four do not");
    let one = MVMUL { clear_dvalid: 0, instr_mod19: 0, addr_mode: 0, dst: 0 }.word();
    assert_eq!(slope(|_| one, &both_banks(), 16, 16), 16 * 5);
}

#[test]
fn units_take_an_instruction_when_they_can() {
    let same = |word: u32| move |_| word;
    assert_eq!(slope(same(SFPNOP {}.word()), &[], 8, 16), 16);
    let mad = SFPMAD { lreg_src_a: 0, lreg_src_b: 1, lreg_src_c: 2, lreg_dest: 3, instr_mod1: 0 };
    assert_eq!(slope(same(mad.word()), &[], 8, 16), 16, "software looks after the latency");
    assert_eq!(slope(same(SFPSWAP { lreg_src_c: 1, ..SFPSWAP::ZERO }.word()), &[], 8, 16), 32);
    assert_eq!(slope(same(SETDMAREG::ZERO.word()), &[], 8, 16), 16);
    let add = ADDDMAREG { op_b_is_const: 1, ..ADDDMAREG::ZERO };
    assert_eq!(slope(same(add.word()), &[], 8, 16), 48);
    assert_eq!(slope(same(ATCAS::ZERO.word()), &[], 4, 4), 60);
    assert_eq!(slope(same(SHIFTXB::ZERO.word()), &both_banks(), 4, 8), 16);
    let moves = |n: u32| if n.is_multiple_of(2) { MOVB2D::ZERO.word() } else { MOVD2A::ZERO.word() };
    assert_eq!(slope(moves, &both_banks(), 4, 8), 4 * (4 + 2), "they wait for each other");
}

/// The tile reads DRAM and adds to a word of the first tile, and leaves the time at which both were done.
fn traffic(own: NocXy, number: u32) -> Vec<u32> {
    let bank = &WORMHOLE.dram[number as usize % WORMHOLE.dram.len()];
    let read = Request {
        noc: 0,
        ctrl: Ctrl::RESP_MARKED,
        target: (bank.ports[0], bank.base as u32 + 0x4000 * number),
        ret: (own, DATA),
        len: 4096,
        data: 0,
    };
    let increment = Request {
        ctrl: Ctrl::AT | Ctrl::RESP_MARKED,
        target: (tensix(0, 0), RESULT + 16),
        ret: (own, RESULT + 32),
        len: atomic_increment(0),
        data: 1,
        ..read
    };
    [
        read.program(),
        increment.program(),
        wait_for(niu(0, reg::MST_RD_RESP_RECEIVED), 1),
        wait_for(niu(0, reg::MST_ATOMIC_RESP_RECEIVED), 1),
        copy(DEBUG_REGS_BASE + WALL_CLOCK_L, RESULT),
        end(),
    ]
    .concat()
}

#[test]
fn times_do_not_depend_on_the_number_of_threads() {
    let outcome = |threads, mode| {
        let n150 = ChipConfig::of_board(board("n150").expect("known"), 0);
        let mut host = Host::with(ChipConfig { threads, mode, ..n150 });
        for (number, tile) in (0..).zip(all_tiles()) {
            host.load(tile, RiscV::Brisc, &traffic(tile, number));
        }
        for tile in all_tiles() {
            host.release(tile, &[RiscV::Brisc]);
        }
        host.settle();
        let sum = host.read32(tensix(0, 0), RESULT + 16);
        let times: Vec<u32> = all_tiles().map(|tile| host.read32(tile, RESULT)).collect();
        (sum, times, host.chip.clock())
    };
    let one = outcome(1, Mode::Timed);
    assert_eq!(one.0, 72);
    for threads in [2, 5] {
        assert_eq!(outcome(threads, Mode::Timed), one, "{threads} threads");
    }
    assert_eq!(outcome(1, Mode::Fast).0, one.0, "the same as in the fast mode");
}

/// Two writes of 8 KiB, the second one when the initiator is free: clocks until then.
fn second_write(ctrl: Ctrl) -> u32 {
    let (own, far) = (tensix(0, 0), tensix(3, 0));
    let write = Request {
        noc: 0,
        ctrl: Ctrl::WR | Ctrl::RESP_MARKED | ctrl,
        target: (own, DATA),
        ret: (far, DATA),
        len: 8192,
        data: 0,
    };
    let wall_clock = DEBUG_REGS_BASE + WALL_CLOCK_L;
    let free = wait_for(niu(0, WORMHOLE.noc.registers.cmd_ctrl), 0);
    let program = [
        write.program(),
        free.clone(),
        copy(wall_clock, RESULT),
        write.program(),
        free,
        copy(wall_clock, RESULT + 4),
        wait_for(niu(0, reg::MST_WR_ACK_RECEIVED), 2),
        end(),
    ];
    let mut host = Host::with_mode(Mode::Timed);
    host.load(own, RiscV::Brisc, &program.concat());
    host.release(own, &[RiscV::Brisc]);
    host.settle();
    host.read32(own, RESULT + 4) - host.read32(own, RESULT)
}

#[test]
fn an_initiator_is_busy_until_its_request_has_a_virtual_channel() {
    let dynamic = second_write(Ctrl::empty());
    let fixed = second_write(Ctrl::VC_STATIC);
    assert!(dynamic < 120, "there is another channel: {dynamic}");
    assert!((230..290).contains(&fixed), "the first one's 257 flits have to pass: {fixed}");
}

#[test]
fn what_took_time_is_counted() {
    let mut host = Host::with_mode(Mode::Timed);
    let tile = tensix(0, 0);
    host.load(tile, RiscV::Brisc, &traffic(tile, 0));
    let before = host.chip.clock();
    host.release(tile, &[RiscV::Brisc]);
    host.settle();
    let usage = host.chip.usage().expect("time is kept");
    let all = |core: &CoreUsage| core.executing + core.waits.iter().sum::<u64>();
    let [core, others @ ..] = usage.tiles[0].cores;
    let passed = usage.clocks - before;
    assert!((passed - 64..=passed).contains(&all(&core)), "{core:?} in {passed} clocks");
    assert!(core.waits[CoreWait::Noc as usize] > 300, "a read of DRAM: {core:?}");
    assert!(others.iter().all(|core| all(core) == 0), "in reset: {others:?}");
    let read: u64 = usage.channels.iter().map(|channel| channel.read).sum();
    assert_eq!((read, usage.channels[0].read), (4096, 4096));
    // The response passes the same number of links in x and y as it passes routers.
    let bulk: Vec<_> = usage.links.iter().filter(|link| link.bytes > 4096).collect();
    assert!(bulk.len() > 2 && bulk.iter().all(|link| link.bytes < 4096 + 256 && link.busy > 128), "{bulk:?}");
    assert!(Host::with_mode(Mode::Fast).chip.usage().is_none());
}

#[test]
fn a_core_that_polls_is_not_woken_by_stores_elsewhere() {
    let mut host = Host::with_mode(Mode::Timed);
    let tile = tensix(0, 0);
    // NCRISC stores to other words for a long time, then to the one that BRISC polls.
    let store = |at: u32| [&li(5, at)[..], &[s("Sw", 5, 5, 0)]].concat();
    let stores: Vec<u32> = (1..500).flat_map(|n| store(DATA + 260 * n)).collect();
    let own = [&stores[..], &li(6, DATA), &li(5, 7), &[s("Sw", 5, 6, 0)], &end()].concat();
    host.write(tile, DATA, &[0; 4]);
    host.load(tile, RiscV::Brisc, &[wait_for(DATA, 7), copy(DATA, RESULT), end()].concat());
    host.load(tile, RiscV::Ncrisc, &own);
    host.release(tile, &[RiscV::Brisc, RiscV::Ncrisc]);
    host.settle();
    assert_eq!(host.read32(tile, RESULT), 7, "it has seen the last one");
    let usage = host.chip.usage().expect("time is kept");
    let core = usage.tiles[0].cores[RiscV::Brisc as usize];
    assert!(core.waits[CoreWait::Word as usize] > 10 * core.executing, "{core:?}");
}

#[test]
fn the_hosts_accesses_take_time() {
    let mut host = Host::with_mode(Mode::Timed);
    let mut clocks = |access: &mut dyn FnMut(&mut Host)| {
        let before = host.chip.clock();
        access(&mut host);
        host.chip.clock() - before
    };
    // Each access points the window first, which is a write of its own.
    let window = 20;
    assert_eq!(clocks(&mut |host| host.write(tensix(0, 0), DATA, &[0; 4])), window + 20);
    assert_eq!(clocks(&mut |host| host.write(tensix(0, 0), DATA, &[0; 4096])), window + 229);
    assert_eq!(clocks(&mut |host| drop(host.read(tensix(0, 0), DATA, 4))), window + 1150);
    assert_eq!(clocks(&mut |host| drop(host.read(tensix(0, 0), DATA, 64))), window + 16 * 1150);
}

/// Orders the mover to copy or clear, and waits for it.
fn moves(len: u32, direction: u32) -> Vec<u32> {
    let mut code = Code::default();
    code.add(li(14, TDMA_REGS_BASE));
    for (register, value) in [
        (XMOV_SRC_ADDR, DATA / 16),
        (XMOV_DST_ADDR, 0x4_0000 / 16),
        (XMOV_SIZE, len / 16),
        (XMOV_DIRECTION, direction),
    ] {
        code.add(li(5, value));
        code.add([s("Sw", 5, 14, register as i32)]);
    }
    code.add(li(5, tdma_command::MOVE));
    code.add([s("Sw", 5, 14, TDMA_COMMAND as i32)]);
    code.add([i("Lw", 5, 14, TDMA_STATUS as i32), i("Andi", 5, 5, 1), b("Bne", 5, 0, -8)]);
    code.0
}

#[test]
fn the_mover_is_busy_for_as_long_as_its_bytes_take() {
    let copy = |len: u32| clocks(&moves(len, 3));
    assert!((copy(2 * 11 * 128) - copy(11 * 128)).abs_diff(121) < 12, "128 bytes in 11 clocks");
    let clear = |len: u32| clocks(&moves(len, 0));
    assert!((clear(4096) - clear(2048)).abs_diff(128) < 12, "16 bytes a clock");
    // A thread waits for it, too.
    let wait = STALLWAIT { stall_res: block::XMOV | block::THCON, wait_res: until::XMOV }.word();
    let waited = |len: u32| {
        let mut code = Code::default();
        code.add(moves(len, 3).iter().take(moves(len, 3).len() - 3).copied());
        code.add([ttinsn(wait), ttinsn(SETDMAREG::ZERO.word())]);
        code.ttsync(true);
        clocks_on(RiscV::Trisc1, &code.0)
    };
    assert!((waited(2 * 11 * 128) - waited(11 * 128)).abs_diff(121) < 12);
}

#[test]
fn who_waits_for_what_is_said() {
    let mut host = Host::with_mode(Mode::Timed);
    let tile = tensix(0, 0);
    let mut thread = Code::default();
    thread.tensix(SEMWAIT { stall_res: block::MATH, sem_sel: 1 << 2, wait_sem_cond: 1 }.word());
    thread.tensix(MVMUL::ZERO.word());
    thread.ttsync(true);
    host.load(tile, RiscV::Brisc, &wait_for(DATA, 7));
    host.load(tile, RiscV::Trisc1, &thread.0);
    host.release(tile, &[RiscV::Brisc, RiscV::Trisc1]);
    host.settle();
    let waits = host.chip.waits(tile).join("\n");
    for part in ["BRISC at ", "TRISC1 at lw", "0xffe80004", "T1 holds MVMUL", "until SEMWAIT"] {
        assert!(waits.contains(part), "{part} is missing in\n{waits}");
    }
}
