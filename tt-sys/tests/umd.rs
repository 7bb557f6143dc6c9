//! The vendor's user-mode driver on a simulator: chips, memory, registers, errors. Feature `metal`; `TTNN_WHEEL` or `TT_METAL_HOME` names the
//! driver, `TT_METAL_SIMULATOR` our `libttsim.so`.
#![cfg(feature = "metal")]

use tt_sys::metal::{Architecture, Place, Umd};

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

#[test]
fn chips_memory_and_registers() {
    if !is_set("TT_METAL_SIMULATOR") || !(is_set("TTNN_WHEEL") || is_set("TT_METAL_HOME")) {
        println!("SKIPPED: TTNN_WHEEL and TT_METAL_SIMULATOR are not set");
        return;
    }
    let umd = Umd::open().unwrap();
    assert_eq!(umd.chips().unwrap(), [0]);
    assert_eq!(umd.remote_chips().unwrap(), []);
    assert_eq!(umd.architecture(0).unwrap(), Architecture::Wormhole);
    assert!(umd.architecture(5).is_err());
    // A Tensix tile by its translated coordinate and one by that of NoC 0, and DRAM; odd addresses and lengths.
    for (x, y, addr) in [(18, 18, 0x2_0001), (1, 2, 0x4_0000), (0, 0, 0x3FFF_FF01)] {
        let at = Place { chip: 0, x, y, addr };
        let data: Vec<u8> = (0..70_001_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        umd.write(at, false, &data).unwrap();
        let mut back = vec![0; data.len()];
        umd.read(at, false, &mut back).unwrap();
        assert!(back == data, "{at:?}");
    }
    // The coordinate of a tile's NIU (NoC 0, `NODE_ID`): a register, read in a word.
    let mut word = [0; 4];
    umd.read(Place { chip: 0, x: 1, y: 2, addr: 0xFFB2_002C }, true, &mut word).unwrap();
    assert_eq!(u32::from_le_bytes(word) & 0xFFF, 1 | 2 << 6);
    umd.advance(0).unwrap();
    let error = umd.read(Place { chip: 3, x: 1, y: 2, addr: 0 }, true, &mut word).unwrap_err();
    println!("an error of the driver's: {error}");
}
