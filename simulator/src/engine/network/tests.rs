use super::*;
use crate::model::noc::request::Limits;
use tt_isa::chip::WORMHOLE;
use tt_isa::timing;

fn network() -> (Grid, Network) {
    (Grid::new(&WORMHOLE, 0), Network::new(&WORMHOLE, &timing::WORMHOLE))
}

fn request(action: Action, to: NocXy, len: u32) -> Request {
    Request {
        limits: Limits::of(&WORMHOLE.noc),
        noc: 0,
        action,
        remote: Remote::Tile(to),
        addr: 0,
        own_addr: 0,
        len,
        respond: true,
        include_self: false,
        tag: 0,
        in_order: false,
        reserves: false,
        header_store: None,
        core: None,
    }
}

/// Clocks from the store to `CMD_CTRL` until the response is counted.
fn round_trip(grid: &Grid, network: &mut Network, made: u64, from: NocXy, packet: &Request) -> u64 {
    let (_, arrives) = network.request(grid, made, from, packet);
    let response = network.serve(grid, arrives, from, packet).expect("it is answered");
    network.leave(&response) - made
}

const OWN: NocXy = NocXy::new(1, 1);

#[test]
fn a_round_trip_goes_once_round_the_torus() {
    let (grid, mut network) = network();
    let mut read = |to: NocXy| {
        round_trip(
            &grid,
            &mut network,
            1_000_000 * u64::from(to.x + 16 * to.y),
            OWN,
            &request(Action::Read, to, 64),
        )
    };
    let noc = timing::WORMHOLE.noc;
    let ends = u64::from(noc.request + noc.serve + noc.complete) + 4 * u64::from(noc.niu);
    let flits = 3 * (TICKS + u64::from(noc.read_extra_ticks));
    let hops = |n: u64| ends + n * u64::from(noc.hop) + flits.div_ceil(TICKS);
    // Requests are handed over in the order in which they are made.
    assert_eq!(read(NocXy::new(4, 1)), hops(10), "same row");
    assert_eq!(read(NocXy::new(1, 5)), hops(12), "same column");
    assert_eq!(read(NocXy::new(4, 5)), hops(22), "neither");
}

#[test]
fn links_are_shared_and_short_packets_pass() {
    let (grid, mut network) = network();
    let write = |to| request(Action::Write, to, 8192);
    // Both go right from (1,1), through the same port.
    let (_, first) = network.request(&grid, 0, OWN, &write(NocXy::new(4, 1)));
    let (_, second) = network.request(&grid, 0, OWN, &write(NocXy::new(4, 1)));
    assert!((257..280).contains(&(second - first)), "{first} {second}");
    // A read's request is one flit, and does not wait for them.
    let (_, read) = network.request(&grid, 1, OWN, &request(Action::Read, NocXy::new(4, 1), 64));
    assert!(read < 80, "{read}");
}

#[test]
fn reserved_multicasts_wait_for_those_that_share_a_router() {
    let (grid, mut network) = network();
    let row = |y| Request {
        remote: Remote::Rect(NocXy::new(1, y), NocXy::new(9, y)),
        reserves: true,
        ..request(Action::Write, OWN, 8192)
    };
    let mut send = |from, y| network.request(&grid, 0, NocXy::new(from, y), &row(y)).1;
    let first = send(1, 1);
    assert!(send(4, 2) < first + 100, "another row");
    assert!(send(4, 1) > first + 257, "the same one");
    // On its way to a row it passes others.
    let (_, over) = network.request(&grid, 0, NocXy::new(1, 1), &row(3));
    assert!(over > first + 257, "{over}");
}

#[test]
fn a_multicast_passes_what_is_on_its_way() {
    assert_eq!(passed(0, 8, [1, 9], 10), [8, 9, 0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(passed(1, 3, [1, 9], 10), [3, 2, 1, 0, 9, 8, 7, 6, 5, 4]);
    assert_eq!(passed(0, 4, [4, 4], 12), [4]);
}

#[test]
fn noc_1_goes_the_other_way() {
    let (_, network) = network();
    assert_eq!(network.hops(0, OWN, NocXy::new(2, 3)), 3);
    assert_eq!(network.hops(1, NocXy::new(2, 3), OWN), 3);
    assert_eq!(network.hops(1, OWN, NocXy::new(2, 3)), 9 + 10);
}

#[test]
fn a_dram_channel_moves_22_bytes_a_clock_for_whoever_asks() {
    let (grid, mut network) = network();
    let ports = WORMHOLE.dram[0].ports;
    let mut last = 0;
    for n in 0..64 {
        let from = NocXy::new(1 + n as u8 % 4, 1);
        let packet = request(Action::Read, ports[n % 3], 2048);
        last = last.max(round_trip(&grid, &mut network, 0, from, &packet));
    }
    let rate = 64.0 * 2048.0 / last as f64;
    assert!((20.0..22.4).contains(&rate), "{rate}");
}
