//! Every example runs on the simulator and says what it should; those check their own results, too.

use std::process::Command;

/// Runs an example on a device and gives what it prints.
fn run(program: &str, device: &str) -> String {
    let output = Command::new(program).arg(device).output().expect("the example starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

macro_rules! examples {
    ($($test:ident $program:literal $device:literal: $($text:literal)*;)*) => {
        $(
            #[test]
            fn $test() {
                let text = run(env!(concat!("CARGO_BIN_EXE_", $program)), $device);
                for line in [$($text),*] {
                    assert!(text.contains(line), "\"{line}\" is not in what it prints:\n{text}");
                }
            }
        )*
    };
}

examples! {
    open "01-open" "sim": "8 columns, 9 rows" "there is no tile (8, 0)";
    l1 "02-l1" "sim": "tile (7, 1): sum 20.5" "do not fit on tiles";
    add_numbers "03-add-numbers" "sim": "14 + 28 = 42";
    add_numbers_with_races "03-add-numbers" "sim:n150,rows=1,async=1": "14 + 28 = 42";
    stream "04-stream" "sim": "4096 sums on 4 tiles";
    stream_with_races "04-stream" "sim:n150,rows=2,async=6": "4096 sums on 4 tiles";
    multicast "05-multicast" "sim": "8 products";
    multicast_with_races "05-multicast" "sim:n150,rows=2,async=3": "8 products";
    ring "06-ring" "sim": "all 8 tiles have all blocks of 2048 bytes";
    ring_with_races "06-ring" "sim:n150,rows=2,async=4": "all 8 tiles have all blocks";
    ring_after_a_push_that_was_not_made "06-ring" "sim:n150,rows=2,async=27": "all 8 tiles have all blocks";
    ring_timed "06-ring" "sim:n150,rows=1,timed": "all 8 tiles have all blocks";
    sfpu "07-sfpu" "sim": "exp of 4096 numbers";
    sfpu_with_races "07-sfpu" "sim:n150,rows=1,async=5": "exp of 4096 numbers";
    matmul "08-matmul" "sim": "64 x 96 numbers";
    matmul_with_races "08-matmul" "sim:n150,rows=1,async=6": "64 x 96 numbers";
    matmul_grid "09-matmul-grid" "sim": "96 x 128 numbers on 12 tiles";
    matmul_grid_with_races "09-matmul-grid" "sim:n150,rows=2,async=7": "64 x 128 numbers on 8 tiles";
    bandwidth "10-bandwidth" "sim:n150,timed": "each bank to a tile near it";
    pinned "11-pinned" "sim": "of 16 pages are there" "all 16 pages of 4096 bytes have come";
    pinned_with_races "11-pinned" "sim:n150,rows=1,async=8": "all 16 pages of 4096 bytes have come";
    pinned_timed "11-pinned" "sim:n150,rows=1,timed": "all 16 pages of 4096 bytes have come";
    race "12-race" "sim": "of 32896" "data race" "clean with 12 seeds";
    queues "14-queues" "sim": "batch 4: 4096 sums, the last one 4099";
    queues_with_races "14-queues" "sim:n150,rows=1,async=9": "batch 4: 4096 sums";
    operators "13-operators" "sim": "row 1: last element 6016";
}

/// Spans that a kernel has measured are lines of the timeline, with their core's tile.
#[test]
fn spans_are_in_the_timeline() {
    for (device, name) in [("sim:n150,rows=1", "fast"), ("sim:n150,rows=1,timed", "timed")] {
        let file = std::env::temp_dir().join(format!("tt-spans-{}-{name}.json", std::process::id()));
        let output = Command::new(env!("CARGO_BIN_EXE_11-pinned"))
            .arg(device)
            .env("TT_SIM_TRACE", &file)
            .output()
            .expect("the example starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = std::fs::read_to_string(&file).expect("a timeline");
        std::fs::remove_file(&file).expect("it is there");
        assert!(text.contains(r#""name":"BRISC spans""#), "{name}: no line for spans");
        let spans = text.lines().filter(|line| line.contains(r#""name":"push""#)).count();
        assert_eq!(spans, 16, "{name}: a span for each page");
    }
}

/// The vendor's simulator has no pinned memory and takes long for what moves much; these run there.
#[test]
fn on_the_vendors_simulator() {
    let Ok(library) = std::env::var("TTSIM_LIB") else {
        println!("SKIPPED: the vendor's simulator (TTSIM_LIB is not set)");
        return;
    };
    let device = format!("ttsim:{library}");
    for (program, line) in [
        (env!("CARGO_BIN_EXE_03-add-numbers"), "14 + 28 = 42"),
        (env!("CARGO_BIN_EXE_04-stream"), "4096 sums on 4 tiles"),
        (env!("CARGO_BIN_EXE_05-multicast"), "8 products"),
        (env!("CARGO_BIN_EXE_06-ring"), "all 8 tiles have all blocks"),
        (env!("CARGO_BIN_EXE_07-sfpu"), "exp of 4096 numbers"),
        (env!("CARGO_BIN_EXE_08-matmul"), "64 x 96 numbers"),
        (env!("CARGO_BIN_EXE_09-matmul-grid"), "96 x 128 numbers on 12 tiles"),
    ] {
        let text = run(program, &device);
        assert!(text.contains(line), "\"{line}\" is not in what it prints:\n{text}");
    }
}
