//! The vendor's user-mode driver on this library, and the chip description that it needs next to it.

mod support;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::library;
use tt_isa::chip::{Chip, DramBank, WORMHOLE};
use tt_isa::noc::NocXy;

/// Bytes of an Ethernet tile's L1 (`EthernetTile/README.md`).
const ETHERNET_L1: u32 = 256 << 10;

fn list<'a>(tiles: impl IntoIterator<Item = &'a NocXy>) -> String {
    let names: Vec<String> = tiles.into_iter().map(|xy| format!("{}-{}", xy.x, xy.y)).collect();
    format!("[{}]", names.join(", "))
}

/// A chip in the format of tt-umd's `soc_descriptor.yaml`.
fn descriptor(chip: &Chip) -> String {
    let NocXy { x: columns, y: rows } = chip.grid;
    let tensix: Vec<NocXy> =
        chip.tensix_y.iter().flat_map(|&y| chip.tensix_x.iter().map(move |&x| NocXy::new(x, y))).collect();
    let ports: Vec<&[NocXy]> = chip.dram.iter().step_by(2).map(|bank| bank.ports).collect();
    let known = |xy: &NocXy| {
        [chip.arc, chip.pcie].contains(xy)
            || tensix.contains(xy)
            || chip.ethernet.contains(xy)
            || ports.iter().any(|ports| ports.contains(xy))
    };
    let all = (0..rows).flat_map(|y| (0..columns).map(move |x| NocXy::new(x, y)));
    let router_only: Vec<NocXy> = all.filter(|xy| !known(xy)).collect();
    let mirrored = |n: u8| (0..n).rev().map(|i| i.to_string()).collect::<Vec<_>>().join(", ");

    let mut text =
        String::from("# The simulated chip for tt-umd; made from tt-isa by this package's test `umd`.\n");
    let mut line = |name: &str, value: &str| writeln!(text, "{name}: {value}").expect("a string");
    line("arch_name", "WORMHOLE_B0");
    line("grid", &format!("{{x_size: {columns}, y_size: {rows}}}"));
    line("arc", &list([&chip.arc]));
    line("pcie", &list([&chip.pcie]));
    line("dram", &format!("[{}]", ports.iter().map(|&ports| list(ports)).collect::<Vec<_>>().join(", ")));
    line("eth", &list(chip.ethernet));
    line("functional_workers", &list(&tensix));
    line("router_only", &list(&router_only));
    line("noc0_x_to_noc1_x", &format!("[{}]", mirrored(columns)));
    line("noc0_y_to_noc1_y", &format!("[{}]", mirrored(rows)));
    line("worker_l1_size", &WORMHOLE.tile.l1_size.to_string());
    line("dram_bank_size", &(2 * chip.dram_bank_size).to_string());
    line("eth_l1_size", &ETHERNET_L1.to_string());
    line("dram_views", &format!("[{}]", views(chip).join(", ")));
    line("dram_view_size", &chip.dram_bank_size.to_string());
    line("harvested_workers", "[]");
    line("features", FEATURES);
    text
}

/// What tt-metal, on top of the driver, asks of a chip: coordinates can be translated; versions that no kernel looks at any more.
const FEATURES: &str = "{noc: {translation_id_enabled: true}, \
    unpacker: {version: 2, inline_srca_trans_without_srca_trans_instr: true}, \
    math: {dst_size_alignment: 32768}, packer: {version: 2}, overlay: {version: 2}}";

/// Banks for tt-metal's allocator: the channel, where in it the bank begins, and which of the channel's tiles worker and Ethernet tiles
/// use on either NoC. Any of them will do.
fn views(chip: &Chip) -> Vec<String> {
    let ports: Vec<_> = chip.dram.iter().map(|bank| bank.ports).collect();
    let view = |(n, bank): (usize, &DramBank)| {
        let channel =
            ports[..n].chunk_by(|a, b| a == b).count() - usize::from(n > 0 && ports[n] == ports[n - 1]);
        let port = n % bank.ports.len();
        format!(
            "{{channel: {channel}, eth_endpoint: [{port}, {port}], worker_endpoint: [{port}, {port}], address_offset: {}}}",
            bank.base
        )
    };
    chip.dram.iter().enumerate().map(view).collect()
}

fn checked_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("soc_descriptor.yaml")
}

#[test]
fn the_description_is_that_of_the_chip() {
    let wanted = descriptor(&WORMHOLE);
    if std::env::var_os("TT_BLESS").is_some() {
        std::fs::write(checked_in(), &wanted).expect("the file can be written");
    }
    let there = std::fs::read_to_string(checked_in()).expect("soc_descriptor.yaml");
    assert_eq!(there, wanted, "make it again with TT_BLESS=1");
}

#[test]
fn the_vendors_driver_runs_on_it() {
    let Some(python) = std::env::var_os("TT_UMD_PYTHON").filter(|path| !path.is_empty()) else {
        println!("SKIPPED: TT_UMD_PYTHON is not set (a Python that has tt-umd)");
        return;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("umd");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::copy(library(), folder.join("libttsim.so")).expect("a copy of the library");
    std::fs::copy(checked_in(), folder.join("soc_descriptor.yaml")).expect("a copy of the description");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vendor/umd_smoke.py");
    let output = Command::new(&python)
        .arg(script)
        .arg(&folder)
        .env("TT_LOGGER_LEVEL", "error")
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", python.display()));
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("all steps passed"), "{said}\n{error}");
}
