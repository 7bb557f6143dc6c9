//! Cards by the kernel driver: the whole runtime on a simulated chip behind the driver's rules, in five versions of it, and everything that
//! goes wrong with cards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::{Rng, elements, experts, lanes, simulator, soft_max, transfers, upload};
use crate::machine::Machine;
use tt_isa::chip::WORMHOLE;
use tt_isa::map::{DEBUG_REGS_BASE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL};
use tt_isa::noc::NocXy;
use tt_kernel_abi::l1;
use tt_kmd_mock::{Accesses, VERSIONS};
use tt_runtime::cards::CardError;
use tt_runtime::transport::TransportError;
use tt_runtime::{Device, DramAddr, Error, OpDescriptor, Stream};
use tt_sys::kmd::ioctl::{
    AllocateDmaBuf, AllocateTlb, ConfigureTlb, Ioctl, ResetDevice, SetPowerState, Version, reset, since,
};
use tt_sys::kmd::{Driver, OpenFlags, errno};
use zerocopy::IntoBytes;

const NEWEST: Version = VERSIONS[VERSIONS.len() - 1];
/// A Tensix tile, in translated coordinates.
const TILE: NocXy = NocXy::new(18, 18);
/// Long enough for a launch of the mock, short enough for a test.
const PATIENCE: Duration = Duration::from_secs(3);

/// Products on the Tensix units, functions of the vector unit, and what runs on lanes: bytes.
fn results(device: &Arc<Device>) -> Vec<u8> {
    let case = experts::Case::new(64, 70, [5, 2, 33]);
    let mut all: Vec<u8> = experts::run(device, &mut Rng::new(12), case).unwrap().got.as_bytes().to_vec();
    all.extend(elements::run(device, &mut Rng::new(3), [300, 3, 2], |n| n % 5 == 0));
    all.extend(soft_max::run(device, &mut Rng::new(13), soft_max::CASES[0]).0);
    all
}

#[test]
fn every_version_computes_what_the_simulator_does() {
    let want = results(&simulator());
    for version in VERSIONS {
        let machine = Machine::new(version);
        let device = machine.device();
        assert!(results(&device) == want, "{version}: other bytes");
        assert_eq!(device.is_pushed_to(), Some(true), "{version}");
        drop(device);
        assert_eq!(machine.mock.open_files(), 0, "{version}: everything is given back");
    }
}

/// Both chips of two n300, each computing what the simulator does; a card's chips are one user of it.
#[test]
fn both_chips_of_a_card_are_devices() {
    let want = results(&simulator());
    let machine = Machine::of(NEWEST, &["n300", "n300"]);
    let devices = machine.devices("0,1");
    assert_eq!(devices.len(), 4);
    for (n, device) in devices.iter().enumerate() {
        assert!(results(device) == want, "device {n}: other bytes");
        assert_eq!(device.is_pushed_to(), Some(n % 2 == 0), "device {n}");
    }
    let others = machine.devices("0,1.1");
    for device in &others {
        assert!(matches!(card_error(device.info()), CardError::InUse { .. }));
    }
    drop(devices);
    assert_eq!(machine.mock.open_files(), 0, "everything is given back");
    // The second chip alone needs the first one for the way only.
    others[2].reopen();
    others[2].execute(&OpDescriptor::NOP).unwrap();
}

/// What the host does for a launch on the second chip, and for a MiB to it and from it: by way of the first chip, no accesses that grow with the
/// bytes but those of the bytes themselves.
#[test]
fn the_second_chip_costs_the_host_little() {
    let machine = Machine::of(NEWEST, &["n300"]);
    let second = machine.devices("0.1").remove(0);
    second.execute(&OpDescriptor::NOP).unwrap();
    let memory = second.alloc(1 << 20).unwrap();
    let data: Vec<u8> = (0..1_u32 << 20).map(|i| ((i / 7) ^ i) as u8).collect();
    let mut back = vec![0; data.len()];
    let cost = |name: &str, work: &mut dyn FnMut()| {
        let before = machine.mock.accesses();
        work();
        let after = machine.mock.accesses();
        let spent = Accesses {
            reads: after.reads - before.reads,
            read: after.read - before.read,
            writes: after.writes - before.writes,
            written: after.written - before.written,
        };
        println!("{name}: {spent:?}");
        spent
    };
    let launch = cost("launch", &mut || second.execute(&OpDescriptor::NOP).unwrap());
    let up = cost("1 MiB to it", &mut || second.write(memory.addr(), &data).unwrap());
    let down = cost("1 MiB from it", &mut || second.read(memory.addr(), &mut back).unwrap());
    assert!(back == data);
    let small: &mut dyn FnMut() = &mut || {
        for (n, block) in back.chunks_mut(1024).enumerate().take(16) {
            second.write(memory.addr().offset(1024 * n as u64), block).unwrap();
            second.read(memory.addr().offset(1024 * n as u64), block).unwrap();
        }
    };
    cost("16 KiB both ways by commands", small);
    // Three commands, of which one has a block; then looks at the completion word. How often the host looks depends on how fast it is.
    assert_eq!((launch.writes < 40, launch.written < 2000), (true, true), "{launch:?}");
    assert!(up.written < (1 << 20) + 4096 && up.read < 1 << 14, "{up:?}");
    assert!(down.read < 1 << 16 && down.written < 1 << 18, "{down:?}");
}

/// A link that goes down while the second chip is used, and a card that is pulled out.
#[test]
fn what_happens_to_the_first_chip_is_the_seconds_error() {
    let machine = Machine::of(NEWEST, &["n300"]);
    let devices = machine.devices("0");
    let [first, second] = &devices[..] else { panic!("two chips") };
    second.execute(&OpDescriptor::NOP).unwrap();
    for channel in [8, 9] {
        let (tile, at) = (WORMHOLE.ethernet[channel], tt_isa::eth::firmware::TRAIN_STATUS);
        machine.mock.set_tile_word(tile, at.into(), 2).unwrap();
    }
    second.reopen();
    let error = second.info().unwrap_err();
    assert!(matches!(error, Error::Transport(TransportError::Remote(_))), "{error:?}");
    // The first chip does not need the links.
    first.execute(&OpDescriptor::NOP).unwrap();
    drop(devices);
    let machine = Machine::of(NEWEST, &["n300"]);
    let second = machine.devices("0.1").remove(0);
    second.execute(&OpDescriptor::NOP).unwrap();
    machine.mock.remove();
    assert!(matches!(card_error(second.execute(&OpDescriptor::NOP)), CardError::Gone { .. }));
}

#[test]
fn operators_are_those_of_the_simulator() {
    let (sim, machine) = (simulator(), Machine::new(NEWEST));
    let ours = machine.device();
    let [a, b] = [&sim, &ours].map(|device| lanes::run(device, &mut Rng::new(4)));
    assert!(a.len() > 20 && a.len() == b.len());
    for ((name, want), (_, got)) in a.iter().zip(&b) {
        assert!(want == got, "{name}: other bytes");
    }
}

/// Bulk data through write-combined windows, of every bank and at odd places.
#[test]
fn memory_keeps_what_is_written() {
    let machine = Machine::new(NEWEST);
    let device = machine.device();
    let data: Vec<u8> = (0..300_001_u32).map(|i| ((i / 7) ^ i) as u8).collect();
    let (_memory, addr) = upload(&device, &data, 3);
    let mut back = vec![0; data.len()];
    device.read(DramAddr(addr), &mut back).unwrap();
    assert!(back == data);
    transfers::run(&device, &mut Rng::new(6), usize::MAX).unwrap();
    transfers::on_the_chip(&device, &mut Rng::new(7), u64::MAX).unwrap();
    assert_eq!(device.pci_address().as_deref(), Some("0000:01:00.0"));
    assert_eq!(device.description(), "Tenstorrent Wormhole n150");
}

/// The card's error in an error.
fn card_error<T>(result: Result<T, Error>) -> CardError {
    match result.err() {
        Some(Error::Transport(TransportError::Card(error))) => error,
        other => panic!("{other:?} is no error of a card"),
    }
}

#[test]
fn a_card_has_one_user_and_the_error_names_it() {
    let machine = Machine::new(NEWEST);
    let first = machine.device();
    first.execute(&OpDescriptor::NOP).unwrap();
    machine.file("proc/driver/tenstorrent/0/pids", &format!("4711\n{}\n4711", std::process::id()));
    machine.file("proc/4711/comm", "llama-server");
    let second = machine.device();
    let error = card_error(second.info());
    assert!(matches!(&error, CardError::InUse { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("process 4711 (llama-server) uses it") && text.contains("dev/tenstorrent/0"),
        "{text}"
    );
    // The first goes on, and when it has ended the next one can.
    first.execute(&OpDescriptor::NOP).unwrap();
    drop(first);
    second.reopen();
    second.execute(&OpDescriptor::NOP).unwrap();
}

#[test]
fn an_exclusive_open_of_another_is_said() {
    let machine = Machine::new(NEWEST);
    let flags = OpenFlags::POWER_AWARE | OpenFlags::EXCLUSIVE;
    let device = machine.device();
    let held = machine.mock.open(&machine.node(), flags).unwrap();
    assert!(matches!(card_error(device.info()), CardError::Exclusive { .. }));
    drop(held);
    device.reopen();
    device.info().unwrap();
}

#[test]
fn cores_stop_when_the_process_ends() {
    let machine = Machine::new(VERSIONS[0]);
    let device = machine.device();
    device.execute(&OpDescriptor::NOP).unwrap();
    let reset = u64::from(DEBUG_REGS_BASE + SOFT_RESET_0);
    let word = |tile| machine.mock.tile_word(tile, reset).unwrap();
    assert_eq!(word(TILE) & SOFT_RESET_ALL, 0, "they run");
    drop(device);
    all_stop(&machine);
    // The next one finds a clean card.
    machine.device().execute(&OpDescriptor::NOP).unwrap();
}

/// The driver has written its word: the cores of all workers are in reset.
fn all_stop(machine: &Machine) {
    // Time passes when somebody looks.
    let file = machine.mock.open(&machine.node(), OpenFlags::POWER_AWARE).unwrap();
    let mut window = AllocateTlb::of(1 << 20);
    window.call(&*file).unwrap();
    // It still shows what it did for its last user.
    let [x, y] = [TILE.x, TILE.y].map(u16::from);
    ConfigureTlb { id: window.id, x_end: x, y_end: y, ..ConfigureTlb::default() }.call(&*file).unwrap();
    let mapping = file.map(window.mmap_offset_uc, 4096).unwrap();
    (0..100).for_each(|_| mapping.read(0, &mut [0; 4]).unwrap());
    all_in_reset(machine, 0);
}

fn all_in_reset(machine: &Machine, chip: usize) {
    let reset = u64::from(DEBUG_REGS_BASE + SOFT_RESET_0);
    for tile in [TILE, NocXy::new(19, 18), NocXy::new(18, 19), NocXy::new(25, 24)] {
        let word = machine.mock.word_of(chip, tile, reset).unwrap();
        assert_eq!(word, SOFT_RESET_ALL, "chip {chip}, tile {tile}");
    }
}

/// A process that is killed while both chips of an n300 compute and copy to each other: the driver stops the first chip, and that one the second.
#[test]
fn both_chips_stop_when_the_process_is_killed() {
    for version in [VERSIONS[0], NEWEST] {
        let machine = Machine::of(version, &["n300"]);
        kill_in_mid_stream(&machine, || {});
        pass_time(&machine);
        for chip in 0..2 {
            all_in_reset(&machine, chip);
        }
        next_one_works(&machine);
    }
}

/// The same where the first chip cannot pass it on: who opens the card next, though for its first chip only, stops the second.
#[test]
fn the_second_chip_is_stopped_by_the_next_user_at_the_latest() {
    let machine = Machine::of(NEWEST, &["n300"]);
    kill_in_mid_stream(&machine, || machine.mock.set_tile_word(TILE, l1::PASS_ON.into(), 0).unwrap());
    pass_time(&machine);
    all_in_reset(&machine, 0);
    let reset = u64::from(DEBUG_REGS_BASE + SOFT_RESET_0);
    assert_ne!(machine.mock.word_of(1, TILE, reset).unwrap() & SOFT_RESET_ALL, SOFT_RESET_ALL, "they wait");
    let first = machine.devices("0.0").remove(0);
    first.execute(&OpDescriptor::NOP).unwrap();
    all_in_reset(&machine, 1);
    drop(first);
    next_one_works(&machine);
}

/// Has both chips of an n300 work, and kills the process.
fn kill_in_mid_stream(machine: &Machine, before: impl FnOnce()) {
    let devices = machine.devices("0");
    let memory = devices.iter().map(|device| device.alloc(1 << 20).unwrap()).collect::<Vec<_>>();
    devices.iter().for_each(|device| device.execute(&OpDescriptor::NOP).unwrap());
    let started = devices.each_launched();
    std::thread::scope(|scope| {
        for device in &devices {
            scope.spawn(move || {
                let nops = |stream: &mut Stream| (0..50).try_for_each(|_| stream.push(&OpDescriptor::NOP));
                loop {
                    let mut stream = device.stream();
                    if nops(&mut stream).is_err() || stream.finish().is_err() {
                        break;
                    }
                }
            });
        }
        scope.spawn(|| {
            let at = |n: usize| memory[n].addr();
            let there = |_: &usize| {
                devices[1].copy_from(at(1), &devices[0], at(0), 100_000).is_ok()
                    && devices[0].copy_from(at(0), &devices[1], at(1), 100_000).is_ok()
                    && devices[1].write(at(1), &[7; 200_000]).is_ok()
            };
            (0..).take_while(there).count();
        });
        let limit = Instant::now() + Duration::from_secs(300);
        while devices.each_launched().iter().zip(&started).any(|(now, then)| *now < then + 100) {
            assert!(Instant::now() < limit, "they work");
            std::thread::sleep(Duration::from_millis(5));
        }
        before();
        machine.mock.kill();
    });
    // Nothing is given back in order.
    drop(memory);
    drop(devices);
    assert_eq!(machine.mock.open_files(), 0);
}

trait Launched {
    fn each_launched(&self) -> Vec<u64>;
}

impl Launched for Vec<Arc<Device>> {
    fn each_launched(&self) -> Vec<u64> {
        self.iter().map(|device| device.counters().launches).collect()
    }
}

fn pass_time(machine: &Machine) {
    (0..200).for_each(|_| machine.mock.advance(4096).unwrap());
}

fn next_one_works(machine: &Machine) {
    let want = results(&simulator());
    for device in machine.devices("0") {
        assert!(results(&device) == want, "other bytes");
    }
}

/// BRISC of the worker that puts all others into reset waits for a sibling that never is done: it sees the driver's word all the same.
#[test]
fn cores_stop_although_one_hangs() {
    let machine = Machine::new(NEWEST);
    let device = machine.device();
    device.set_patience(PATIENCE);
    device.execute(&OpDescriptor::NOP).unwrap();
    let file = machine.mock.open(&machine.node(), OpenFlags::POWER_AWARE).unwrap();
    let held = RiscV::Ncrisc.soft_reset_bit();
    put(&*file, TILE, u64::from(DEBUG_REGS_BASE), SOFT_RESET_0 as usize, held);
    drop(file);
    assert!(matches!(device.execute(&OpDescriptor::NOP), Err(Error::Hung { .. })));
    drop(device);
    all_stop(&machine);
}

#[test]
fn few_windows_are_enough_and_none_is_an_error() {
    let machine = Machine::new(NEWEST);
    let hog = machine.mock.open(&machine.node(), OpenFlags::POWER_AWARE).unwrap();
    let mut taken = Vec::new();
    for bytes in [1 << 20, 2 << 20, 16 << 20] {
        let mut window = AllocateTlb::of(bytes);
        while window.call(&*hog).is_ok() {
            taken.push(window.id);
            window = AllocateTlb::of(bytes);
        }
    }
    let device = machine.device();
    let text = card_error(device.info()).to_string();
    assert!(text.contains("no host window of the card is free"), "{text}");
    // One of 1 MiB serves for everything.
    tt_sys::kmd::ioctl::FreeTlb { id: taken[0] }.call(&*hog).unwrap();
    device.reopen();
    assert!(results(&device) == results(&simulator()));
}

#[test]
fn without_host_memory_the_card_is_polled() {
    let machine = Machine::new(NEWEST);
    machine.mock.fail(AllocateDmaBuf::NUMBER, Some(errno::ENOMEM));
    let device = machine.device();
    assert!(results(&device) == results(&simulator()));
    assert_eq!(device.is_pushed_to(), Some(false));
}

#[test]
fn firmware_that_takes_no_power_states_is_no_error() {
    let machine = Machine::new(NEWEST);
    machine.mock.fail(SetPowerState::NUMBER, Some(errno::EINVAL));
    machine.device().execute(&OpDescriptor::NOP).unwrap();
}

#[test]
fn an_error_of_the_driver_fails_the_device_and_names_the_call() {
    let machine = Machine::new(NEWEST);
    let device = machine.device();
    device.execute(&OpDescriptor::NOP).unwrap();
    machine.mock.fail(ConfigureTlb::NUMBER, Some(errno::EIO));
    let error = card_error(device.write(DramAddr(1 << 30), &[1; 64]));
    assert!(matches!(&error, CardError::Call { call: "CONFIGURE_TLB", .. }), "{error:?}");
    machine.mock.fail(ConfigureTlb::NUMBER, None);
    assert!(matches!(device.execute(&OpDescriptor::NOP), Err(Error::Failed(_))));
    device.reopen();
    device.execute(&OpDescriptor::NOP).unwrap();
}

#[test]
fn a_card_that_is_pulled_out_is_an_error_at_once() {
    let machine = Machine::new(NEWEST);
    let device = machine.device();
    device.execute(&OpDescriptor::NOP).unwrap();
    machine.mock.remove();
    let start = Instant::now();
    let error = card_error(device.execute(&OpDescriptor::NOP));
    assert!(matches!(error, CardError::Gone { .. }), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let error = card_error(device.execute(&OpDescriptor::NOP).map_err(|error| match error {
        Error::Failed(_) => TransportError::from(CardError::Gone { node: String::new() }).into(),
        other => other,
    }));
    assert!(matches!(error, CardError::Gone { .. }));
    device.reopen();
    assert!(matches!(card_error(device.info()), CardError::Reset { .. } | CardError::Call { .. }));
}

/// Results of a card that is gone are ones, and an error.
#[test]
fn ones_of_a_card_that_is_gone_are_no_results() {
    let machine = Machine::new(NEWEST);
    let device = machine.device();
    let (_memory, addr) = upload(&device, &[0xFF; 5000], 0);
    let mut out = vec![0; 5000];
    device.read(DramAddr(addr), &mut out).unwrap();
    assert!(out == [0xFF; 5000], "a card that is there may have ones");
    machine.mock.remove();
    assert!(matches!(card_error(device.read(DramAddr(addr), &mut out)), CardError::Gone { .. }));
}

/// A launch that never ends, since its plan is nonsense for one core.
#[test]
fn a_hung_core_is_named_and_the_next_open_works() {
    let machine = Machine::new(NEWEST);
    let device = machine.device();
    device.set_patience(PATIENCE);
    device.execute(&OpDescriptor::NOP).unwrap();
    // The worker stops, as by an error of the hardware: the launch waits for it.
    let file = machine.mock.open(&machine.node(), OpenFlags::POWER_AWARE).unwrap();
    let tile = NocXy::new(20, 20);
    put(&*file, tile, u64::from(DEBUG_REGS_BASE), SOFT_RESET_0 as usize, SOFT_RESET_ALL);
    match device.execute(&OpDescriptor::NOP) {
        Err(Error::Hung { cores, .. }) => {
            let tiles: Vec<NocXy> = cores.iter().map(|core| core.tile).collect();
            assert_eq!(tiles, [tile]);
        }
        other => panic!("{other:?}"),
    }
    device.reopen();
    assert!(results(&device) == results(&simulator()));
}

/// Writes a word of a tile as another program would.
fn put(file: &dyn tt_sys::kmd::File, tile: NocXy, addr: u64, offset: usize, word: u32) {
    const MIB: u64 = 1 << 20;
    let mut window = AllocateTlb::of(MIB);
    window.call(file).unwrap();
    let (x_end, y_end) = (tile.x.into(), tile.y.into());
    let base = addr / MIB * MIB;
    ConfigureTlb { id: window.id, addr: base, x_end, y_end, ordering: 1, ..ConfigureTlb::default() }
        .call(file)
        .unwrap();
    let mapping = file.map(window.mmap_offset_uc, MIB as usize).unwrap();
    mapping.write((addr - base) as usize + offset, &word.to_le_bytes()).unwrap();
}

/// Another program resets the card while it is used here.
#[test]
fn a_reset_by_another_program_is_an_error_and_the_next_open_works() {
    for version in VERSIONS.into_iter().filter(|&version| version >= since::ASIC_RESET) {
        let machine = Machine::new(version);
        let device = machine.device();
        device.set_patience(PATIENCE);
        device.execute(&OpDescriptor::NOP).unwrap();
        reset_by_another(&machine, version);
        let error = device.execute(&OpDescriptor::NOP).unwrap_err();
        let known = match &error {
            Error::Transport(TransportError::Card(CardError::Reset { .. })) => true,
            Error::Stopped { .. } => version < since::POWER,
            _ => false,
        };
        assert!(known, "{version}: {error:?}");
        device.reopen();
        device.execute(&OpDescriptor::NOP).unwrap_or_else(|error| panic!("{version}: {error}"));
    }
}

fn reset_by_another(machine: &Machine, version: Version) {
    let open = || machine.mock.open(&machine.node(), OpenFlags::POWER_AWARE).unwrap();
    let file = open();
    let mut ask = ResetDevice::new(reset::ASIC);
    ask.call(&*file).unwrap();
    assert_eq!(ask.result, 0);
    let dies = version >= since::POWER && version < since::EXCLUSIVE;
    let file = if dies { open() } else { file };
    std::thread::sleep(Duration::from_millis(300));
    ResetDevice::new(reset::POST).call(&*file).unwrap();
}

/// The NoC does not answer any more: the chip is reset by us, if the driver can, and is then as new.
#[test]
fn a_chip_that_does_not_answer_is_reset() {
    for version in VERSIONS {
        let machine = Machine::new(version);
        machine.mock.wedge();
        let device = machine.device();
        let result = device.execute(&OpDescriptor::NOP);
        if version < since::ASIC_RESET {
            let error = card_error(result);
            assert!(
                matches!(error, CardError::NoReset { .. }) && error.to_string().contains("tt-smi -r"),
                "{error}"
            );
        } else {
            result.unwrap_or_else(|error| panic!("{version}: {error}"));
        }
    }
}

#[test]
fn a_chip_that_does_not_come_back_is_an_error() {
    let machine = Machine::new(NEWEST);
    machine.mock.wedge();
    machine.mock.hang();
    assert!(matches!(card_error(machine.device().info()), CardError::ResetFailed { .. }));
    // And one that somebody else uses is not reset.
    let machine = Machine::new(NEWEST);
    machine.mock.wedge();
    machine.file("proc/driver/tenstorrent/0/pids", "12");
    let error = card_error(machine.device().info());
    assert!(matches!(&error, CardError::InUse { users, .. } if users.0[0].0 == 12), "{error:?}");
}

/// Older firmware has telemetry of another kind: nothing is guessed from it.
#[test]
fn firmware_that_does_not_say_what_works_is_refused() {
    let machine = Machine::new(NEWEST);
    machine.mock.age_firmware();
    let error = card_error(machine.device().info());
    assert!(matches!(error, CardError::Firmware { .. }) && error.to_string().contains("19.2.0.0"), "{error}");
}

/// It is used, and said once with its version (`Kmd::open`).
#[test]
fn firmware_that_is_not_known_is_said_and_used() {
    for (version, untried) in
        [("18.4.0.0", false), ("19.5.9.0", false), ("19.6.0.0", true), ("80.10.1.0", true), ("soon", true)]
    {
        let machine = Machine::new(NEWEST);
        machine.file("sys/class/tenstorrent/tenstorrent!0/tt_fw_bundle_ver", version);
        let device = machine.device();
        let card = device.card().expect("a card");
        assert_eq!(card.untried_firmware(), untried.then_some(version));
        device.execute(&OpDescriptor::NOP).unwrap();
    }
}
