//! The second chip of an n300, reached through the first one: the same bytes, memory at odd places, both chips at work at once, and what
//! goes wrong on the way.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Rng, elements, experts, soft_max, upload};
use tt_isa::chip::{WORMHOLE, board};
use tt_isa::eth::SOFT_RESET_BIT;
use tt_isa::eth::firmware::{REMOTE_BOARD_ID, ROUTING_OFF, TRAIN_NOT_CONNECTED, TRAIN_STATUS};
use tt_isa::eth::routing::{RESPONSE_QUEUE, WRITE_POINTER};
use tt_isa::map::{DEBUG_REGS_BASE, SOFT_RESET_0};
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_runtime::Way;
use tt_runtime::transport::remote::{Remote, RemoteError};
use tt_runtime::transport::shared::Seat;
use tt_runtime::transport::sim::Sim;
use tt_runtime::transport::{Purpose, Transport, TransportError};
use tt_runtime::{Device, DramAddr, ElementType, OpDescriptor, SimOptions, TensorView, parse_devices};
use zerocopy::IntoBytes;

/// Channels of the first chip that lead to the second one.
const CHANNELS: [usize; 2] = [8, 9];
/// A Tensix tile, in translated coordinates.
const TILE: NocXy = NocXy::new(18, 18);
const DATA: u64 = 0x2_0000;

fn n300(options: &str) -> [Arc<Device>; 2] {
    let specs = parse_devices(Some(&format!("sim:n300{options}"))).expect("a board");
    [0, 1].map(|n| Device::open(&specs[n]))
}

/// Products on the Tensix units, functions of the vector unit, and what runs on lanes: bytes.
fn results(device: &Arc<Device>) -> Vec<u8> {
    let case = experts::Case::new(64, 70, [5, 2, 33]);
    let mut all: Vec<u8> = experts::run(device, &mut Rng::new(12), case).unwrap().got.as_bytes().to_vec();
    all.extend(elements::run(device, &mut Rng::new(3), [300, 3, 2], |n| n % 5 == 0));
    all.extend(soft_max::run(device, &mut Rng::new(13), soft_max::CASES[0]).0);
    all
}

#[test]
fn the_second_chip_computes_what_the_first_does() {
    let [first, second] = n300("");
    let want = results(&first);
    assert!(results(&second) == want, "other bytes");
    assert_eq!(second.is_pushed_to(), Some(false));
    assert!(second.is_second() && !first.is_second());
    assert_eq!(first.description(), second.description());
    // Each counts what its own chip has executed.
    let counts = [&first, &second].map(|device| device.counters().tensix_instructions.unwrap());
    assert!(counts[0] > 0 && counts[0] == counts[1], "{counts:?}");
    // The second one goes on when the first is closed.
    drop(first);
    second.execute(&OpDescriptor::NOP).unwrap();
}

#[test]
fn both_chips_work_at_once() {
    let devices = n300(",rows=2");
    let both: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let threads = devices.each_ref().map(|device| scope.spawn(|| results(device)));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(both[0] == both[1] && !both[0].is_empty());
}

/// In the other modes as well: with delays and the race detector, and with time.
#[test]
fn every_mode_reaches_it() {
    for options in [",rows=1,async=3", ",rows=1,timed"] {
        let [first, second] = n300(options);
        let [a, b] = [&first, &second]
            .map(|device| elements::run(device, &mut Rng::new(3), [300, 3, 2], |n| n % 5 == 0));
        assert!(a == b, "{options}");
        assert_eq!(second.counters().clocks_us.is_some(), options.ends_with("timed"));
    }
}

/// Every bank, odd places, and bytes around that stay what they are.
#[test]
fn memory_keeps_what_is_written() {
    let [_, device] = n300(",rows=1");
    let data: Vec<u8> = (0..100_001_u32).map(|i| ((i / 7) ^ i) as u8).collect();
    let (_memory, addr) = upload(&device, &data, 3);
    let mut back = vec![0; data.len()];
    device.read(DramAddr(addr), &mut back).unwrap();
    assert!(back == data);
    let mut want = data;
    for (at, len) in [(1, 1), (29, 70), (8190, 5), (40_000, 2), (8192 * 3 - 1, 3000)] {
        let patch: Vec<u8> = (0..len).map(|i| (i as u8) ^ 0xA5).collect();
        device.write(DramAddr(addr + at), &patch).unwrap();
        want[at as usize..][..patch.len()].copy_from_slice(&patch);
        device.read(DramAddr(addr + at), &mut back[..patch.len()]).unwrap();
        assert!(back[..patch.len()] == patch, "{len} bytes at {at}");
    }
    device.read(DramAddr(addr), &mut back).unwrap();
    assert!(back == want);
}

/// Copies between the chips take the links, whatever is around them, in both directions; what they cannot take is left to the host.
#[test]
fn copies_between_the_chips_take_the_links() {
    let [first, second] = n300(",rows=1");
    let data: Vec<u8> = (0..200_003_u32).map(|i| ((i / 5) ^ i) as u8).collect();
    let memory = [&first, &second].map(|device| device.alloc(1 << 20).unwrap());
    let at = |chip: usize, offset: u64| memory[chip].addr().offset(offset);
    let all: [Vec<u8>; 2] = [vec![0x11; 400_000], vec![0x22; 400_000]];
    let cases = [200_003, 4096, 36, 5].map(|bytes| [(bytes, 0, 1), (bytes, 1, 0)]);
    for (size, from, to) in cases.concat() {
        let devices = [&first, &second];
        let bytes = &data[..size];
        devices[from].write(at(from, 8192 - 64), bytes).unwrap();
        devices[to].write(at(to, 0), &all[to]).unwrap();
        let before = devices[from].counters();
        assert!(devices[to].copy_from(at(to, 96), devices[from], at(from, 8192 - 64), size as u64).unwrap());
        let after = devices[from].counters();
        let moved = after.moves - before.moves;
        assert_eq!(moved, u64::from(size >= 4), "the chip with the bytes moves them");
        assert_eq!(after.read, before.read, "the host reads nothing");
        let mut back = vec![0; all[to].len()];
        devices[to].read(at(to, 0), &mut back).unwrap();
        let mut want = all[to].clone();
        want[96..96 + size].copy_from_slice(bytes);
        assert!(back == want, "{size} bytes from {from} to {to}");
    }
    // Odd places, another card, the same chip: not these.
    assert!(!second.copy_from(at(1, 4), &first, at(0, 0), 64).unwrap());
    assert!(!first.copy_from(at(0, 0), &first, at(0, 64), 64).unwrap());
    let [other, _] = n300(",rows=1");
    assert!(!second.copy_from(at(1, 0), &other, at(0, 0), 64).unwrap());
    // And the host goes on using the queues that cores have used.
    assert!(results(&second) == results(&first));
}

/// The same with delays and the race detector.
#[test]
fn copies_between_the_chips_have_no_races() {
    for seed in 0..4 {
        let [first, second] = n300(&format!(",rows=1,async={seed}"));
        let data: Vec<u8> = (0..20_000_u32).map(|i| ((i / 5) ^ i) as u8).collect();
        let memory = [&first, &second].map(|device| device.alloc(1 << 16).unwrap());
        first.write(memory[0].addr(), &data).unwrap();
        assert!(second.copy_from(memory[1].addr(), &first, memory[0].addr(), 20_000).unwrap());
        assert!(first.copy_from(memory[0].addr().offset(32), &second, memory[1].addr(), 20_000).unwrap());
        let mut back = vec![0; data.len()];
        first.read(memory[0].addr().offset(32), &mut back).unwrap();
        assert!(back == data, "seed {seed}");
    }
}

/// What is large goes over the first chip: few commands of the host, the same bytes, at odd places and as weight tiles.
#[test]
fn bulk_data_goes_over_the_first_chip() {
    let [first, second] = n300(",rows=1");
    let data: Vec<u8> = (0..5_000_003_u32).map(|i| ((i / 5) ^ i) as u8).collect();
    let (memory, addr) = upload(&second, &data, 5);
    // Three launches of two MiB and less each way, on the chip that has the bytes.
    assert_eq!(moves(&first), 3);
    let mut back = vec![0; data.len()];
    second.read(DramAddr(addr), &mut back).unwrap();
    assert!(back == data);
    assert_eq!(moves(&second), 3);
    // Few bytes need no launch.
    let before = moves(&first);
    second.write(DramAddr(addr), &[1; 4096]).unwrap();
    assert_eq!(moves(&first), before);
    drop(memory);
    tiles_go_over_the_first_chip(&first, &second);
}

/// Matrices of several sizes: a shard in each bank, parts of them, experts in a row.
fn tiles_go_over_the_first_chip(first: &Arc<Device>, second: &Arc<Device>) {
    for (k, n, experts) in [(128, 160, 1), (1024, 1024, 1), (256, 96, 5)] {
        let view = |addr| TensorView::tiles(ElementType::TilesBfp8, addr, [k, n, experts, 1]);
        let memory = second.alloc(view(0).span()).unwrap();
        let tiles = view(memory.addr().0);
        let data: Vec<u8> = (0..tiles.span() as u32).map(|i| ((i / 3) ^ i) as u8).collect();
        let before = moves(first);
        second.write_tiles(&tiles, 0, &data).unwrap();
        assert!(moves(first) > before, "{k} {n}");
        // By commands of the host, piece by piece.
        let mut back = vec![0; data.len()];
        let (mut at, on_the_chip) = (0, moves(second));
        for piece in back.chunks_mut(1024) {
            second.read_tiles(&tiles, at, piece).unwrap();
            at += piece.len() as u64;
        }
        assert!(back == data, "{k} {n}");
        assert_eq!(moves(second), on_the_chip);
        back.fill(0);
        second.read_tiles(&tiles, 0, &mut back).unwrap();
        assert!(back == data && moves(second) > on_the_chip, "{k} {n}");
    }
}

fn moves(device: &Arc<Device>) -> u64 {
    device.counters().moves
}

/// The same with delays and the race detector, between steps of a stream.
#[test]
fn bulk_data_has_no_races() {
    for seed in 0..4 {
        let [_, second] = n300(&format!(",rows=1,async={seed}"));
        let data: Vec<u8> = (0..40_000_u32).map(|i| ((i / 5) ^ i) as u8).collect();
        let memory = [0, 1].map(|_| second.alloc(1 << 16).unwrap());
        let mut back = vec![0; data.len()];
        for _ in 0..3 {
            second.write(memory[0].addr(), &data).unwrap();
            second.copy(memory[1].addr(), memory[0].addr(), data.len() as u64).unwrap();
            second.read(memory[1].addr(), &mut back).unwrap();
            assert!(back == data, "seed {seed}");
            second.fill(memory[1].addr(), data.len() as u64, 0).unwrap();
        }
    }
}

/// A card's two chips as transports: the first one's, and that of a first seat for the second one.
struct Card {
    first: Seat,
    way: Way,
}

impl Card {
    fn new() -> Self {
        let way = Way::default();
        let options = SimOptions { rows: Some(1), ..SimOptions::default() };
        let sim = || Ok(Box::new(Sim::new(board("n300").unwrap(), 0, &options)?) as Box<dyn Transport>);
        let first = Seat::on(&way, sim).unwrap();
        Self { first, way }
    }

    fn second(&self) -> Result<Remote, TransportError> {
        let seat = Seat::on(&self.way, || unreachable!("it is open"))?;
        Remote::with_patience(Box::new(seat), Duration::from_millis(200))
    }

    fn ethernet(&mut self, channel: usize, addr: u32, word: u32) {
        let window = window(&self.first, Purpose::Control);
        let bytes = self.first.windows()[window].bytes;
        let addr = u64::from(addr);
        let target = TlbTarget::unicast(WORMHOLE.ethernet[channel], addr / bytes * bytes);
        self.first.configure_window(window, &target).unwrap();
        self.first.write(window, addr % bytes, &word.to_le_bytes()).unwrap();
    }
}

fn window(transport: &dyn Transport, purpose: Purpose) -> usize {
    transport.windows().iter().position(|window| window.purpose == purpose).unwrap()
}

fn write(remote: &mut Remote, data: &[u8]) -> Result<(), TransportError> {
    let window = window(remote, Purpose::Bulk);
    remote.configure_window(window, &TlbTarget::unicast(TILE, 0))?;
    remote.write(window, DATA, data)
}

fn read(remote: &mut Remote, len: usize) -> Result<Vec<u8>, TransportError> {
    let window = window(remote, Purpose::Bulk);
    remote.configure_window(window, &TlbTarget::unicast(TILE, 0))?;
    let mut out = vec![0; len];
    remote.read(window, DATA, &mut out)?;
    Ok(out)
}

/// Errors of the way itself, and the text of each.
fn error<T>(result: Result<T, TransportError>) -> (RemoteError, String) {
    match result.err() {
        Some(error @ TransportError::Remote(_)) => {
            let text = error.to_string();
            let TransportError::Remote(error) = error else { unreachable!("matched") };
            (error, text)
        }
        other => panic!("{other:?} is no error of a second chip"),
    }
}

#[test]
fn a_link_that_is_down_is_said() {
    let mut card = Card::new();
    let mut remote = card.second().unwrap();
    write(&mut remote, &[7; 5000]).unwrap();
    assert_eq!(read(&mut remote, 5000).unwrap(), [7; 5000]);
    remote.check().unwrap();
    card.ethernet(CHANNELS[1], TRAIN_STATUS, 2);
    let (found, text) = error(remote.check());
    assert!(matches!(found, RemoteError::LinkDown { status: 2, .. }) && text.contains("channel 9"), "{text}");
    drop(remote);
    // One link suffices, for who comes next; none does not.
    let mut remote = card.second().unwrap();
    assert_eq!(read(&mut remote, 5000).unwrap(), [7; 5000]);
    drop(remote);
    card.ethernet(CHANNELS[0], TRAIN_STATUS, TRAIN_NOT_CONNECTED);
    let (found, text) = error(card.second());
    assert!(matches!(found, RemoteError::NoLink { .. }) && text.contains("that work: none"), "{text}");
}

#[test]
fn links_to_other_boards_are_not_taken() {
    let mut card = Card::new();
    for channel in CHANNELS {
        card.ethernet(channel, REMOTE_BOARD_ID, 0x1234);
    }
    let (found, text) = error(card.second());
    assert!(matches!(found, RemoteError::NoLink { .. }) && text.contains("that work: 8, 9"), "{text}");
}

#[test]
fn firmware_without_routing_is_said() {
    let mut card = Card::new();
    card.ethernet(CHANNELS[0], ROUTING_OFF, 1);
    let (found, text) = error(card.second());
    assert!(matches!(found, RemoteError::RoutingOff { .. }) && text.contains("routing"), "{text}");
}

#[test]
fn firmware_that_hangs_is_said() {
    let mut card = Card::new();
    let mut remote = card.second().unwrap();
    for channel in CHANNELS {
        card.ethernet(channel, DEBUG_REGS_BASE + SOFT_RESET_0, SOFT_RESET_BIT);
    }
    let (found, text) = error(read(&mut remote, 4));
    assert!(matches!(found, RemoteError::Stuck { alive: false, .. }), "{text}");
    assert!(text.contains("answered a read") && text.contains("stands still"), "{text}");
    // Writes fill the queues before anything is noticed.
    let (_, text) = error(write(&mut remote, &[1; 20_000]));
    assert!(text.contains("full queue"), "{text}");
    drop(remote);
    assert!(matches!(error(card.second()).0, RemoteError::Stuck { .. }));
}

/// A process that was killed leaves an answer in the queue, and pointers anywhere.
#[test]
fn the_queues_are_taken_over_in_any_state() {
    let mut card = Card::new();
    for n in 1..9 {
        let mut remote = card.second().unwrap();
        write(&mut remote, &[n; 1024]).unwrap();
        // An answer that nobody takes.
        card.ethernet(CHANNELS[0], RESPONSE_QUEUE + WRITE_POINTER, u32::from(n) % 8);
        drop(remote);
        let mut remote = card.second().unwrap();
        assert_eq!(read(&mut remote, 1024).unwrap(), [n; 1024]);
    }
}
