//! Packing equals the vendor's host functions, bit for bit: always for recorded tiles, and for the wheel's own functions where
//! `TTNN_WHEEL` names the unpacked wheel. `TTNN_RECORD=1` records the tiles again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tt_isa::format::{TILE_EXPONENTS, tile_index};
use tt_runtime::layout::pack::unpack_tile;
use tt_runtime::layout::{GgmlType, Isa, Packing, Rule, WeightFormat, pack};
use tt_tests::random::Random;
use tt_tests::ttnn::{Ttnn, short_name};
use tt_tests::{gguf, need, tools};

/// Our tiles for values in the order of tiles' datums: as a matrix of 32 columns, 32 rows for each tile.
fn ours(format: WeightFormat, values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0; values.len() * 4];
    for (tile, rows) in values.chunks_exact(1024).zip(bytes.chunks_exact_mut(4096)) {
        for n in 0..32 {
            for k in 0..32 {
                let at = (n * 32 + k) * 4;
                rows[at..at + 4].copy_from_slice(&tile[tile_index(k, n)].to_le_bytes());
            }
        }
    }
    pack(format, GgmlType::F32, &bytes, 32, values.len() / 32, 1).unwrap()
}

fn recording() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/ttnn_pack.hex")
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(48) {
        line.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
        text.push('\n');
    }
    text
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks_exact(2).map(byte).collect()
}

#[test]
fn recorded_tiles() {
    let text = std::fs::read_to_string(recording()).unwrap();
    let mut sections = text.split("\n\n").filter_map(|section| section.split_once(":\n"));
    let mut section = |name: &str| {
        let (found, body) = sections.next().unwrap();
        assert!(found.ends_with(name), "{found}");
        unhex(body)
    };
    let values: Vec<f32> =
        section("values").chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(values.len(), 3 * 1024);
    for format in WeightFormat::VENDORS {
        let tiles = section(short_name(format));
        assert_eq!(tiles.len(), 3 * format.tile_bytes());
        assert!(tiles == ours(format, &values), "{format:?}");
    }
}

#[test]
fn the_wheel_packs_the_same() {
    let ttnn = need!(Ttnn::find(Path::new(env!("CARGO_BIN_EXE_tt-ttnn-pack"))));
    if std::env::var_os("TTNN_RECORD").is_some() {
        record(&ttnn);
    }
    let mut random = Random::new(20_261_121);
    for format in WeightFormat::VENDORS {
        // Two million values.
        let values = random.tiles(2048);
        let (theirs, ours) = (ttnn.pack(format, &values).unwrap(), ours(format, &values));
        assert_eq!(theirs.len(), ours.len());
        let differences = theirs.iter().zip(&ours).filter(|(a, b)| a != b).count();
        println!("{format:?}: {} values, {differences} bytes differ", values.len());
        let first = theirs.iter().zip(&ours).position(|(a, b)| a != b);
        assert_eq!(differences, 0, "{format:?}: first at {first:?}");
    }
}

/// Of random bytes, also such as no packing makes; exponents are those of normal numbers, since the vendor's function makes zeros of others.
#[test]
fn the_wheel_unpacks_the_same() {
    let ttnn = need!(Ttnn::find(Path::new(env!("CARGO_BIN_EXE_tt-ttnn-pack"))));
    let mut random = Random::new(20_261_122);
    for format in WeightFormat::VENDORS.into_iter().filter(|&format| format != WeightFormat::Bf16) {
        let mut tiles = random.bytes(64 * format.tile_bytes());
        for tile in tiles.chunks_exact_mut(format.tile_bytes()) {
            tile[..TILE_EXPONENTS].iter_mut().for_each(|exponent| *exponent = 16 + *exponent % 224);
        }
        let theirs = ttnn.unpack(format, &tiles).unwrap();
        let mut ours = Vec::new();
        for tile in tiles.chunks_exact(format.tile_bytes()) {
            let mut values = [[0.0; 32]; 32];
            unpack_tile(format, tile, &mut values);
            let mut datums = [0.0; 1024];
            for (row, column) in (0..32).flat_map(|row| (0..32).map(move |column| (row, column))) {
                datums[tile_index(row, column)] = values[row][column];
            }
            ours.extend(datums);
        }
        assert_eq!(theirs.len(), ours.len());
        // Zeros may have another sign.
        let first = theirs.iter().zip(&ours).position(|(a, b)| a != b);
        assert_eq!(first.map(|at| (theirs[at], ours[at])), None, "{format:?}: at {first:?}");
        println!("{format:?}: {} values, none differs", ours.len());
    }
}

#[test]
fn the_wheel_has_the_same_order_of_datums() {
    let ttnn = need!(Ttnn::find(Path::new(env!("CARGO_BIN_EXE_tt-ttnn-pack"))));
    let (rows, columns) = (96, 160);
    let matrix: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
    let mut ours = vec![0.0; matrix.len()];
    for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
        let tile = row / 32 * (columns / 32) + column / 32;
        ours[tile * 1024 + tile_index(row % 32, column % 32)] = matrix[row * columns + column];
    }
    let theirs = ttnn.tilize(&matrix, rows, columns).unwrap();
    assert!(theirs == ours, "first at {:?}", theirs.iter().zip(&ours).position(|(a, b)| a != b));
    assert!(ttnn.untilize(&theirs, rows, columns).unwrap() == matrix);
}

fn record(ttnn: &Ttnn) {
    let values = Random::new(1).tiles(3);
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut text = "# Three tiles of values in the order of datums, and what the functions of the ttnn 0.81.1 wheel make of them\n\
                    # (`pack_as_bfpN_tiles<float>`, `fp32_to_bf16_bits_round_to_nearest_even`). Recorded by tests/packing.rs.\n"
        .to_owned();
    write!(text, "values:\n{}", hex(&bytes)).unwrap();
    for format in WeightFormat::VENDORS {
        write!(text, "\n{}:\n{}", short_name(format), hex(&ttnn.pack(format, &values).unwrap())).unwrap();
    }
    std::fs::write(recording(), text).unwrap();
}

/// Sum of squared errors and of squares, over all matrices of a model.
fn model_error(tensors: &[gguf::Found<'_>], packing: Packing) -> f64 {
    let (mut error, mut power) = (0.0, 0.0);
    for tensor in tensors.iter().filter(|tensor| tensor.ne[1] >= 32) {
        let [k, n, ..] = tensor.ne.map(|n| n as usize);
        let tiles = pack(packing, tensor.ty, tensor.data, k, n, 1).unwrap();
        let mut values = vec![0.0; k * n];
        Isa::best().dequantise(tensor.ty, tensor.data, &mut values);
        let mut back = [[0.0; 32]; 32];
        for (i, tile) in tiles.chunks_exact(packing.format.tile_bytes()).enumerate() {
            let (nt, kt) = (i / k.div_ceil(32) * 32, i % k.div_ceil(32) * 32);
            unpack_tile(packing.format, tile, &mut back);
            for row in nt..n.min(nt + 32) {
                for column in kt..k.min(kt + 32) {
                    let value = f64::from(values[row * k + column]);
                    error += (value - f64::from(back[column - kt][row - nt])).powi(2);
                    power += value * value;
                }
            }
        }
    }
    error / power
}

#[test]
fn search_has_the_smaller_error_on_a_model() {
    let bytes = std::fs::read(tools::demo_model()).unwrap();
    let tensors = gguf::read(&bytes).unwrap();
    for (format, gain) in [(WeightFormat::Bfp8, 1.0), (WeightFormat::Bfp4, 0.97)] {
        let error = |rule| model_error(&tensors, Packing { format, rule });
        let (rule, search) = (error(Rule::Vendor), error(Rule::Search));
        println!("{}: rule {rule:.4e}, search {search:.4e}", format.name());
        assert!(search < gain * rule, "{format:?}: rule {rule:.4e}, search {search:.4e}");
    }
}
