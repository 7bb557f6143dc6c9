//! What things cost, in clocks of the AI clock: data for whoever keeps time.
//!
//! What one instruction of the Tensix coprocessor costs stands with it ([`crate::insn::Effects::cost`]); here is the rest:
//! cores, data rates of the units, NoC, DRAM, PCIe. Each figure has its source beside it: a page of the ISA documentation, or a
//! measurement of silicon that somebody has published. `latencies` stands for the vendor's measurements of single transfers,
//! `tests/tt_metal/tt_metal/data_movement/noc_estimator/noc_latencies.yaml` of tt-metal (medians, Wormhole, one kernel).
//!
//! | struct | what |
//! |---|---|
//! | [`CoreTiming`] | a RISC-V core and its instruction cache |
//! | [`UnitTiming`] | data rates of unpackers, packers and mover |
//! | [`PortTiming`] | access ports of L1 |
//! | [`NocTiming`] | NIUs, routers, links |
//! | [`DramTiming`] | a channel, and a DRAM tile's NIU |
//! | [`PcieTiming`] | the host's accesses |
//! | [`EthernetTiming`] | an Ethernet tile's core, its link, and the firmware's commands |
//!
//! `eth latencies` stands for the vendor's measurements of one link, `test_ethernet_link_write_worker_with_transaction_id_latency.py` in tt-metal's
//! `tests/tt_metal/microbenchmarks/ethernet` (a message with 16 bytes of flags there and back), and "Multichip" for its tech report
//! `tech_reports/EthernetMultichip/BasicEthernetGuide.md`.

/// A fraction of a clock: times that are not whole clocks are in sixteenths.
pub const TICKS: u64 = 16;

/// A RISC-V core (`TensixTile/BabyRISCV/README.md`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CoreTiming {
    /// The integer unit is occupied by a multiplication ("Integer Unit").
    pub multiply: u8,
    /// By a division by 0 or 1, or of the least integer by -1.
    pub divide_trivial: u8,
    /// By any other division: at least, and at most; by the dividend's magnitude.
    pub divide: [u8; 2],
    /// Bubble behind a mispredicted branch.
    pub mispredict: u8,
    /// Latency of loads ("Load/Store Unit"): from local RAM.
    pub load_local: u8,
    /// From mailboxes, PCBufs, TTSync and semaphores.
    pub load_sync: u8,
    /// From GPRs and configuration of the coprocessor.
    pub load_coprocessor: u8,
    /// From registers of TDMA-RISC, tile control, NIUs and overlay.
    pub load_register: u8,
    /// From L1.
    pub load_l1: u8,
    /// Loads in flight that are not from local RAM.
    pub loads_in_flight: u8,
    /// Instructions in the load/store unit.
    pub queue: u8,
    /// A store to L1 occupies its port ("Throughput of sustained stores to L1").
    pub store_l1: u8,
    /// Stores to L1 that wait before the core has to (`BabyRISCV/MemoryOrdering.md`: "up to four").
    pub stores_queued: u8,
    /// Bytes that one fetch from L1 brings (`TensixTile/L1.md`: "instruction fetches are always 128-bit reads").
    pub icache_line: u8,
    /// A jump to what is not in the cache waits as long as a load from L1. No page gives a figure; lines behind one
    /// another come in time, by the prefetcher.
    pub icache_miss: u8,
}

/// Data rates of the units that move data between L1 and registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnitTiming {
    /// Bytes a clock that an unpacker reads at speed x1, x2 and x4 (`UNPACR_Regular.md`, "Performance").
    pub unpack_bytes: [u8; 3],
    /// What both get if both are active: `[what unpacker 1 wants][what unpacker 0 wants]` gives the speeds of 0 and 1, all as
    /// indices of `unpack_bytes` (same page).
    pub unpack_together: [[[u8; 2]; 3]; 3],
    /// Bytes a clock that a packer writes (`TensixTile/L1.md`, "Packers").
    pub pack_bytes: u8,
    /// Clocks for as many bytes where they are added to what is there, atomically (same place).
    pub pack_accumulate: u8,
    /// Datums a clock that a packer reads of Dst: a row.
    pub pack_datums: u8,
    /// The mover copies this many bytes in so many clocks (`TensixTile/Mover.md`, "Performance").
    pub mover_copy: [u8; 2],
    /// And clears this many a clock.
    pub mover_clear: u8,
}

/// Access ports of L1 by number (`TensixTile/L1.md`, "Port assignments"), of clients that share one. What unpackers share is in
/// [`UnitTiming::unpack_together`]; each NoC has ports of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortTiming {
    /// Of B, T0, T1, T2, NC.
    pub cores: [u8; 5],
    /// Of the packers, where they write.
    pub packers: [u8; 4],
    /// Of the scalar unit.
    pub scalar: u8,
    /// Of the mover, where it reads and where it writes.
    pub mover: [u8; 2],
}

/// NIUs, routers and links (`NoC/README.md`, "Performance").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NocTiming {
    /// From a router to the next one.
    pub hop: u8,
    /// Between a NIU and its router, each way.
    pub niu: u8,
    /// From the store to `CMD_CTRL` until the header is at the NIU's port. `latencies`: a read of 64 bytes on one axis takes
    /// 205 clocks, of which 128 are hops and ports and about 40 the kernel's instructions; the rest is the three
    /// figures from here on.
    pub request: u8,
    /// From the header's arrival to the response's, at a Tensix tile.
    pub serve: u8,
    /// From the last flit of a response until its counter shows it.
    pub complete: u8,
    /// Extra ticks for each flit of a packet whose data a NIU reads from L1 to answer a read. `latencies`: 8 KiB more of a
    /// read of 64 KiB take 287 clocks, which are 257 flits.
    pub read_extra_ticks: u8,
    /// Extra clocks of a packet that writes. `latencies`: 8 KiB more of a write of 64 KiB take 268.
    pub write_extra: u8,
    /// Virtual channels for requests to one tile: two classes, two buddies (`NoC/README.md`, "Virtual channels").
    pub request_channels: u8,
    /// Flits of a router's buffer that each of them has to itself (`DRAMTile/README.md`, "Performance": 32 bytes).
    pub guaranteed_flits: u8,
    /// Packets of more flits than this are bulk: shorter ones pass them in their own virtual channel, flit by flit
    /// (`NoC/RoutingPaths.md`, "Congestion").
    pub small: u16,
}

/// DRAM (`DRAMTile/README.md`, "Performance").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DramTiming {
    /// Ticks for 32 bytes of one channel: 22.3 bytes a clock.
    pub ticks_32_bytes: u8,
    /// Ticks between two read requests that one NIU takes (tt-metal issue 55898: a request in 6.8 clocks).
    pub request_ticks: u8,
    /// From the header's arrival to the response's. `latencies`: a read of 64 bytes takes 381 clocks, 88 more than one of L1.
    pub serve: u8,
    /// From the arrival of a write's last flit to its acknowledgement's: the memory acknowledges it. `latencies`: a write of 64
    /// bytes takes 426 clocks, 130 more than one to L1.
    pub write_serve: u8,
    /// Bytes that are asked of the memory in one go; the next ones when they have come. `latencies`: 4 KiB take 549
    /// clocks, 8 KiB 893.
    pub burst: u16,
}

/// The host's accesses (`PCIExpressTile/README.md`, "Performance"; measured with tt-umd, its issue 269), in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PcieTiming {
    /// A posted write: at least.
    pub write_ns: u16,
    /// Bytes a microsecond of larger ones.
    pub write_bytes_us: u32,
    /// A read of 4 bytes, there and back.
    pub read_ns: u16,
    /// Bytes of one uncached read; larger reads are several, one after the other.
    pub read_piece: u8,
    /// Bytes a microsecond that tiles write to the host's memory ("Device-initiated reads and writes").
    pub push_bytes_us: u32,
    /// From the PCIe tile's NIU to the middle of its controller and back: a tile's write is acknowledged from there (same place).
    pub controller_ns: u16,
    /// From there to the host's memory and back (same place).
    pub memory_ns: u16,
    /// Bytes a microsecond that tiles read from the host's memory (same place).
    pub pull_bytes_us: u32,
}

/// An Ethernet tile and its end of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EthernetTiming {
    /// Its core (`EthernetTile/BabyRISCV/README.md`): as those of a Tensix tile, but for loads from L1.
    pub core: CoreTiming,
    /// Bytes of its instruction cache (`EthernetTile/BabyRISCV/InstructionCache.md`).
    pub icache_bytes: u16,
    /// Bytes a microsecond of a link, each way (Multichip, "Ethernet Link": 100 Gbit/s).
    pub link_bytes_us: u32,
    /// Bytes of a packet beside its data (same place: headers of 14, 16 and 16 bytes, 4 of checksum).
    pub packet_extra: u16,
    /// Clocks from the end of a packet's way through the transmit queue until its data is in the other tile's L1. `eth latencies`: 16 bytes
    /// take 894 ns there and back, of which programs and the packets themselves take the rest. (Multichip: "approximately 500
    /// ns" in the subsystem and on the link, as an estimate.)
    pub latency: u16,
    /// Clocks of the firmware for a command, at each tile that handles it. Nothing published says; this is what forwarding a message costs a
    /// program (Multichip, "Ring Ping Latency": 650 ns from chip to chip, less the link).
    pub command: u16,
    /// Bytes that a command and its answer take on a link beside a block: those of the queue's entry (`EthernetTile/L1.md`).
    pub command_bytes: u16,
}

/// All of a chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    /// Cores.
    pub core: CoreTiming,
    /// Bytes of the instruction caches of B, T0, T1, T2, NC (`BabyRISCV/InstructionCache.md`).
    pub icache_bytes: [u16; 5],
    /// Data rates of units.
    pub unit: UnitTiming,
    /// Ports of L1.
    pub port: PortTiming,
    /// NoC.
    pub noc: NocTiming,
    /// DRAM.
    pub dram: DramTiming,
    /// Host.
    pub pcie: PcieTiming,
    /// Ethernet tiles and links.
    pub ethernet: EthernetTiming,
    /// Clocks in a microsecond while kernels run (`WormholeB0/README.md`: 1 GHz).
    pub clocks_us: u32,
}

/// A core of a Wormhole's Tensix tile.
const TENSIX_CORE: CoreTiming = CoreTiming {
    multiply: 2,
    divide_trivial: 2,
    divide: [6, 33],
    mispredict: 2,
    load_local: 2,
    load_sync: 3,
    load_coprocessor: 4,
    load_register: 7,
    load_l1: 8,
    loads_in_flight: 4,
    queue: 8,
    store_l1: 5,
    stores_queued: 4,
    icache_line: 16,
    icache_miss: 8,
};

/// Wormhole B0.
pub const WORMHOLE: Timing = Timing {
    core: TENSIX_CORE,
    icache_bytes: [2048, 2048, 512, 2048, 512],
    unit: UnitTiming {
        unpack_bytes: [16, 32, 64],
        unpack_together: [[[0, 0], [1, 0], [2, 0]], [[0, 1], [0, 0], [1, 0]], [[0, 2], [0, 1], [1, 1]]],
        pack_bytes: 16,
        pack_accumulate: 5,
        pack_datums: 16,
        mover_copy: [128, 11],
        mover_clear: 16,
    },
    port: PortTiming { cores: [2, 2, 3, 3, 2], packers: [8, 1, 2, 3], scalar: 2, mover: [2, 3] },
    noc: NocTiming {
        hop: 9,
        niu: 5,
        request: 12,
        serve: 13,
        complete: 12,
        read_extra_ticks: 2,
        write_extra: 10,
        request_channels: 4,
        guaranteed_flits: 1,
        small: 17,
    },
    dram: DramTiming { ticks_32_bytes: 23, request_ticks: 109, serve: 101, write_serve: 143, burst: 4096 },
    pcie: PcieTiming {
        write_ns: 20,
        write_bytes_us: 19_500,
        read_ns: 1150,
        read_piece: 4,
        push_bytes_us: 26_400,
        controller_ns: 150,
        memory_ns: 430,
        pull_bytes_us: 24_500,
    },
    ethernet: EthernetTiming {
        core: CoreTiming { load_l1: 7, icache_miss: 7, ..TENSIX_CORE },
        icache_bytes: 512,
        link_bytes_us: 12_500,
        packet_extra: 50,
        latency: 405,
        command: 230,
        command_bytes: 32,
    },
    clocks_us: 1000,
};
