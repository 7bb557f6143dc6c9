//! Products with weights through ggml's interface: a weight times itself, lack of memory, lack of threads, experts in pieces, a
//! weight with an importance matrix, blocks with the smallest and largest scales.

use std::path::Path;
use std::time::Duration;

use tt_runtime::layout::GgmlType;
use tt_tests::blocks::{Scales, finite_rows};
use tt_tests::random::Random;
use tt_tests::tools::{self, Finished};
use tt_tests::{Device, Tools, need};

const LIMIT: Duration = Duration::from_secs(300);

fn run(tools: &Tools, program: &Path, what: &str, variables: &[(&str, &Path)]) -> Finished {
    let mut command = tools.prepare(program, Device::SIM);
    command.args(["TT0", what]).envs(variables.iter().copied());
    let finished = tools::run(&mut command, LIMIT).unwrap().success().unwrap();
    assert!(finished.out.contains(&format!("weights: {what} ok")), "{}{}", finished.out, finished.err);
    finished
}

fn passes(what: &str) {
    let tools = need!(Tools::find());
    let program = need!(tools::native("weights"));
    run(&tools, &program, what, &[]);
}

#[test]
fn a_weight_is_multiplied_with_itself_and_its_views() {
    passes("self");
}

#[test]
fn no_memory_is_an_error_and_memory_again_a_result() {
    passes("memory");
}

#[test]
fn a_weight_that_no_thread_can_load_is_an_error() {
    passes("threads");
}

/// Two runs of a graph with four products: two of them use the copy that another one has made, and none uses an old one.
#[test]
fn copies_of_views_serve_until_the_view_is_written() {
    let tools = need!(Tools::find());
    let program = need!(tools::native("weights"));
    let stats = tools::scratch("views-stats");
    run(&tools, &program, "views", &[("GGML_TT_STATS", &stats)]);
    let text = std::fs::read_to_string(&stats).unwrap();
    std::fs::remove_file(&stats).unwrap();
    let stats: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(stats["reused_copies"], 2 * 2, "{text}");
}

/// Graphs that the backend knows, and what has to make it plan them anew.
#[test]
fn graphs_are_computed_again() {
    let tools = need!(Tools::find());
    let program = need!(tools::native("weights"));
    let stats = tools::scratch("again-stats");
    run(&tools, &program, "again", &[("GGML_TT_STATS", &stats)]);
    let text = std::fs::read_to_string(&stats).unwrap();
    std::fs::remove_file(&stats).unwrap();
    let stats: serde_json::Value = serde_json::from_str(&text).unwrap();
    let [planned, known] = ["planned", "known"].map(|kind| stats["graphs"][kind].as_u64().unwrap());
    // Six runs of nine products and three copies. Where tiles change places with bytes, or are made anew, a graph is planned again.
    assert_eq!(planned + known, 6 * (9 + 3), "{text}");
    assert!(known >= 30, "{text}");
}

/// Weights of every type whose blocks have scales of zero, denormal ones, and the largest: products with few rows and with many are those of the CPU backend.
#[test]
fn products_of_difficult_blocks() {
    difficult_blocks("bfp8");
}

/// The same without a second rounding.
#[test]
fn exact_products_of_difficult_blocks() {
    difficult_blocks("exact");
}

fn difficult_blocks(weights: &str) {
    const SHAPE: [u32; 2] = [512, 96];
    let tools = need!(Tools::find());
    let program = need!(tools::native("weights"));
    let mut random = Random::new(21);
    let mut file = Vec::new();
    for (ty, scales) in GgmlType::ALL.into_iter().flat_map(|ty| Scales::ALL.map(|scales| (ty, scales))) {
        let [k, n] = SHAPE;
        [ty.number(), k, n].iter().for_each(|word| file.extend(word.to_le_bytes()));
        file.extend(finite_rows(ty, scales, k as usize, n as usize, &mut random));
    }
    let path = tools::scratch(&format!("blocks-{weights}"));
    std::fs::write(&path, &file).unwrap();
    let finished =
        run(&tools, &program, "blocks", &[("TT_BLOCKS", &path), ("GGML_TT_WEIGHTS", Path::new(weights))]);
    std::fs::remove_file(&path).unwrap();
    let count = finished.out.lines().filter(|line| line.starts_with("error of ")).count();
    assert_eq!(count, 2 * 3 * GgmlType::ALL.len(), "{}", finished.out);
}

#[test]
fn experts_come_in_pieces() {
    passes("experts");
}

/// The program's weight `w` has 256 columns; the log says what its tiles have cost by importance, and what is wrong with a
/// file that cannot be used.
#[test]
fn an_importance_matrix_is_read_and_the_error_by_it_said() {
    let tools = need!(Tools::find());
    let program = need!(tools::native("weights"));
    let file = std::env::temp_dir().join(format!("tt-weights-{}.imatrix", std::process::id()));
    let mut bytes = [1i32.to_le_bytes(), 1i32.to_le_bytes()].concat();
    bytes.push(b'w');
    bytes.extend([4i32, 256].map(i32::to_le_bytes).concat());
    (0..256u16).for_each(|column| bytes.extend(f32::from(column % 7).to_le_bytes()));
    std::fs::write(&file, &bytes).unwrap();
    let log = run(&tools, &program, "threads", &[("GGML_TT_IMATRIX", &file)]).err;
    assert!(log.contains("importance of 1 weights"), "{log}");
    let (_, said) = log.split_once("relative squared error ").expect(&log);
    let (weighted, said) = said.split_once(" by importance, ").expect(&log);
    let (plain, _) = said.split_once(" without").expect(&log);
    let [weighted, plain] = [weighted, plain].map(|number| number.parse::<f64>().unwrap());
    // BFP8_b of random values: neither is nothing, and they are not the same.
    assert!((1e-6..1e-3).contains(&weighted) && (1e-6..1e-3).contains(&plain) && weighted != plain, "{log}");
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let log = run(&tools, &program, "threads", &[("GGML_TT_IMATRIX", &file)]).err;
    assert!(log.contains("not used: it ends at byte"), "{log}");
    assert!(!log.contains("by importance"), "{log}");
    std::fs::remove_file(&file).unwrap();
}
