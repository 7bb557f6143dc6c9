//! llama.cpp's whole `test-backend-ops` on the simulated card. CI runs a fixed tenth of the cases that the device supports,
//! chosen by the hash of their text, on a card behind the kernel driver's rules: the same simulated chip, which the runtime reaches in another
//! way (windows that the driver lends, counts and results in a buffer of its). The full test runs all on the chip itself, including whole
//! graphs for fusion.

use std::time::{Duration, Instant};

use anyhow::Result;
use tt_tests::backend_ops::{Verdict, cases, supported};
use tt_tests::{Device, Tools, need, tools};

const LIMIT: Duration = Duration::from_secs(1150);
const LIMIT_OF_ALL: Duration = Duration::from_secs(7000);
/// Of so many cases one runs in CI.
const ONE_OF: u64 = 10;
const CARD: Device<'static> = Device::Tenstorrent("kmd-mock:2.10.0");
/// Bytes of case texts in one call; the kernel takes 128 KiB in an argument.
const ARGUMENT: usize = 100_000;

/// Scores of attention from which on a case takes minutes on the simulator: such cases run in the full test.
const MANY_SCORES: u64 = 30_000_000;
/// Weights of all experts from which on a case takes minutes in the test program itself, which searches each block's best scales on one processor: the same.
const MANY_WEIGHTS: u64 = 500_000_000;

/// The product of all numbers that a case's text gives these names.
fn product(text: &str, names: &[&str]) -> u64 {
    let numbers = |name: &&str| -> u64 {
        let start = text
            .find(&format!(",{name}="))
            .or_else(|| text.find(&format!("({name}=")))
            .map_or("", |at| &text[at + name.len() + 2..]);
        let value = match start.strip_prefix('[') {
            Some(list) => list.split(']').next(),
            None => start.split([',', ')']).next(),
        };
        value.unwrap_or_default().split(',').filter_map(|n| n.parse::<u64>().ok()).product()
    };
    names.iter().map(numbers).product()
}

/// Whether a case takes minutes.
fn is_long(operator: &str, text: &str) -> bool {
    match operator {
        "FLASH_ATTN_EXT" => product(text, &["nh", "nr23", "kv", "nb"]) > MANY_SCORES,
        "MUL_MAT_ID" => product(text, &["n_mats", "m", "k"]) > MANY_WEIGHTS,
        _ => false,
    }
}

#[test]
fn long_cases_are_known_by_their_text() {
    let text = "FLASH_ATTN_EXT(hsk=128,hsv=128,nh=8,nr23=[4,2],kv=512,nb=3,mask=1)";
    assert_eq!(product(text, &["nh", "nr23", "kv", "nb"]), 8 * 4 * 2 * 512 * 3);
    assert!(!is_long("FLASH_ATTN_EXT", text));
    assert!(is_long("FLASH_ATTN_EXT", &text.replace("nb=3", "nb=3000")));
    let text = "MUL_MAT_ID(type_a=q4_K,type_b=f32,n_mats=128,n_used=4,b=0,m=4096,n=64,k=2048,m_v=0)";
    assert_eq!(product(text, &["type_a"]), 1, "no number");
    assert!(is_long("MUL_MAT_ID", text));
    let shorter =
        "MUL_MAT_ID(type_a=mxfp4,type_b=f32,n_mats=32,n_used=2,b=0,m=2880,n=32,k=2880,amax=1.0,m_v=0)";
    assert!(!is_long("MUL_MAT_ID", shorter), "ten seconds");
}

/// FNV-1a, 64 bits: the same on every machine and for ever.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

/// One case of [`ONE_OF`], with their operators.
fn drawn(tools: &Tools) -> Result<Vec<(String, String)>> {
    let mut command = tools.program("test-backend-ops", Device::SIM);
    let finished = tools::run(command.args(["support", "-b", "TT0", "--output", "csv"]), LIMIT)?.success()?;
    let of_device = supported(&finished.out).into_iter().filter(|case| case.yes);
    let drawn = of_device.filter(|case| hash(&case.text).is_multiple_of(ONE_OF));
    let (long, drawn): (Vec<_>, Vec<_>) =
        drawn.map(|case| (case.operator, case.text)).partition(|(op, text)| is_long(op, text));
    for (_, text) in long {
        println!("SKIPPED: {text}: minutes, only in the full test");
    }
    Ok(drawn)
}

/// Runs cases of one draw; every one that the CPU computes too has to be OK.
fn run(tools: &Tools, draw: &[(String, String)]) {
    let texts: Vec<&str> = draw.iter().map(|(_, text)| text.as_str()).collect();
    let mut command = tools.program("test-backend-ops", CARD);
    command.args(["test", "-b", "TT0", "-j", "2", "-o", &texts.join(",")]);
    let finished = tools::run(&mut command, LIMIT).unwrap();
    for (operator, text) in draw {
        let found = cases(&finished.out, operator);
        let verdict = found.iter().find(|case| case.text == *text).map(|case| case.verdict);
        let right = matches!(verdict, Some(Verdict::Ok | Verdict::NoReference));
        assert!(right, "{text}: {verdict:?}\n{}", finished.err);
    }
    finished.success().unwrap();
}

/// Cases of `IQ` types come first: a call that has some makes tables of these types, which takes two processors 12 s.
#[test]
fn a_tenth() {
    let tools = need!(Tools::find());
    let mut drawn = drawn(&tools).unwrap();
    assert!(drawn.len() > 1500, "only {} cases were drawn", drawn.len());
    drawn.sort_by_key(|(_, text)| !text.contains("=iq"));
    let start = Instant::now();
    let mut rest = drawn.as_slice();
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take_while(|(_, text)| {
            bytes += text.len() + 1;
            bytes <= ARGUMENT
        });
        let (now, later) = rest.split_at(fits.count());
        run(&tools, now);
        rest = later;
    }
    println!("{} cases in {} s", drawn.len(), start.elapsed().as_secs());
}

#[test]
fn whole_suite() {
    need!(tools::full());
    let tools = need!(Tools::find());
    let start = Instant::now();
    let mut command = tools.program("test-backend-ops", Device::SIM);
    let finished = tools::run(command.args(["test", "-b", "TT0", "-j", "2"]), LIMIT_OF_ALL).unwrap();
    let count = |what: &str| finished.out.lines().filter(|line| tools::plain(line).contains(what)).count();
    println!("{} cases OK in {} s", count("): OK"), start.elapsed().as_secs());
    assert_eq!(count("FAIL"), 0, "{}", finished.out);
    finished.success().unwrap();
}
