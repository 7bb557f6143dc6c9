//! The vendor's operators on this simulator: TTNN's own kernels, compiled on the spot, against numpy and against the vendor's simulator.
//!
//! `cargo xtask test --ttnn` makes what they need and names it in the environment: `TTNN_PYTHON`, a Python with the package, and
//! `TTNN_ROOT`, a folder like the package's with a compiler in it (`tests/vendor/ttnn`). With `TTSIM_LIB` the same operators run on
//! the vendor's simulator too, and the bytes of every result must be equal.

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::library;
use tt_isa::chip::WORMHOLE;
use tt_isa::pcie::config;
use tt_sys::ttsim::Server;

/// Longest run of a group on one simulator: all kernels are compiled on first use, seconds each on an idle machine.
const LIMIT: Duration = Duration::from_secs(3000);

/// How lines begin that say what the race detector has found.
const FINDING: &str = "libttsim: finding: ";

/// What it finds in the vendor's firmware and kernels: parts of the text, and why no document promises what they rely on. Each is explained
/// in `docs/metal.md`.
const FINDINGS: [(&[&str], &str); 7] = [
    (&["data race on L1 0x00000018: BRISC"], "a store to L1 in front of a release from reset"),
    (&["(NCRISC_RESET_PC_PC): BRISC"], "a store to configuration in front of a release from reset"),
    (&["RISC at pc", "reads L1", "nothing has written"], "words behind an image's end, which are dropped"),
    (
        &["data race on Src", "ZEROSRC bank_mask=0x1 src_mask=0x3"],
        "banks are cleared, and nothing waits for that",
    ),
    (&["SETRWC of Tensix thread 1 hands back a bank"], "a bank is handed back before it was given"),
    (&["L1_Dest_addr): PACR", "REG2FLOP"], "a packer's address changes while it may be at work"),
    (&["data race on L1", "BRISC at pc", "UNPACR"], "a store to L1 in front of one to a stream's register"),
];

/// Cases whose kernels include the vector unit's C++, which only the vendor's compiler knows.
const CANNOT: [&str; 8] = [
    "exp",
    "multiply",
    "relu",
    "rms_norm",
    "softmax",
    "sum",
    "typecast bfloat16 to bfloat8_b",
    "typecast float32 to bfloat16",
];

/// What the tests need, or `None` after a line that says what is missing.
fn setting() -> Option<[PathBuf; 3]> {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let found = named("TTNN_PYTHON").zip(named("TTNN_ROOT"));
    if found.is_none() {
        println!(
            "SKIPPED: TTNN_PYTHON and TTNN_ROOT are not set (cargo xtask test --ttnn makes what they name)"
        );
    }
    found.map(|(python, root)| {
        let cache = root.with_file_name("cache");
        [python, root, cache]
    })
}

/// A folder with a simulator and the description of its chip, as TTNN looks for them.
fn simulator(name: &str, library: &Path) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ttnn").join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    let description = Path::new(env!("CARGO_MANIFEST_DIR")).join("soc_descriptor.yaml");
    std::fs::copy(library, folder.join("libttsim.so")).expect("a copy of the library");
    std::fs::copy(description, folder.join("soc_descriptor.yaml")).expect("a copy of the description");
    folder.join("libttsim.so")
}

/// What became of each case: the hash of its result, or why there is none.
type Results = BTreeMap<String, Result<String, String>>;

/// How the cases of a group are run.
#[derive(Clone, Copy)]
struct Run<'a> {
    python: &'a Path,
    root: &'a Path,
    /// Where kernels are kept between runs: the compiler's time is most of all.
    cache: &'a Path,
    simulator: &'a Path,
    mode: &'a str,
    /// Clocks for one that the driver asks for with every read.
    clocks: &'a str,
    limit: Duration,
}

/// What a run has left.
struct Ended {
    /// It came to its end, in time.
    well: bool,
    said: String,
    log: PathBuf,
}

impl Ended {
    /// Lines of standard error.
    fn lines(&self) -> Vec<String> {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

impl Run<'_> {
    /// Runs a group, or a part of one, of the cases of `tests/vendor/ttnn/operators.py`.
    fn group(&self, group: &str) -> Ended {
        let name = group.split('=').next().expect("a name");
        let folder = self.simulator.parent().expect("a folder").join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::create_dir_all(self.cache).expect("a folder");
        // Two compilers of one kernel would be in each other's way.
        let lock = std::fs::File::create(self.cache.join("lock")).expect("a file");
        lock.lock().expect("the cache to ourselves");
        let log = folder.join("log");
        let errors = std::fs::File::create(&log).expect("a file");
        let out = folder.join("out");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vendor/ttnn/operators.py");
        let mut child = Command::new(self.python)
            .arg(script.canonicalize().expect("the script"))
            .arg(group)
            .current_dir(&folder)
            .env("TT_METAL_SIMULATOR", self.simulator)
            .env("TT_METAL_RUNTIME_ROOT", self.root)
            .env("TT_METAL_SLOW_DISPATCH_MODE", "1")
            .env("TT_METAL_CACHE", self.cache)
            .env("TT_METAL_LOGGER_LEVEL", "fatal")
            .env("TT_LOGGER_LEVEL", "fatal")
            // All rows of tiles, as the vendor's library has them: both run the same kernels, which are compiled once.
            .env("TT_SIM_BOARD", "galaxy")
            .env("TT_SIM_MODE", self.mode)
            .env("TT_SIM_CLOCKS", self.clocks)
            .env("HOME", &folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&out).expect("a file"))
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", self.python.display()));
        let start = Instant::now();
        let status = loop {
            match child.try_wait().expect("the child's state") {
                Some(status) => break Some(status),
                // A fault stops the chip, and TTNN waits for it for ever.
                None if start.elapsed() > self.limit || !faults(&log).is_empty() => {
                    child.kill().and_then(|()| child.wait()).expect("the child ends");
                    break None;
                }
                None => std::thread::sleep(Duration::from_millis(100)),
            }
        };
        println!("{group}, {}: {:.0} s", self.mode, start.elapsed().as_secs_f64());
        let said = std::fs::read_to_string(&out).expect("what it printed");
        let well = status.is_some_and(|status| status.success())
            && said.lines().any(|line| line.starts_with("done\t"));
        Ended { well, said, log }
    }

    /// The same; it has to come to its end.
    fn results(&self, group: &str) -> Results {
        let ended = self.group(group);
        let (log, said) = (&ended.log, &ended.said);
        assert!(ended.well, "{group}: no end ({}){}\n{said}", log.display(), faults(log));
        results(said)
    }
}

/// The fast mode of a simulator.
fn fast<'a>([python, root, cache]: &'a [PathBuf; 3], simulator: &'a Path) -> Run<'a> {
    Run { python, root, cache, simulator, mode: "fast", clocks: "64", limit: LIMIT }
}

/// What this simulator said in a log.
fn faults(log: &Path) -> String {
    let text =
        std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    text.lines()
        .filter(|line| line.starts_with("libttsim:") && !line.starts_with(FINDING))
        .take(5)
        .map(|line| format!("\n{line}"))
        .collect()
}

fn results(said: &str) -> Results {
    let row = |line: &str| {
        let mut fields = line.split('\t');
        let (what, name, more) = (fields.next()?, fields.next()?, fields.next()?);
        Some((
            name.to_owned(),
            if what == "ok" { Ok(more.to_owned()) } else { Err(format!("{what}: {more}")) },
        ))
    };
    said.lines().filter_map(row).collect()
}

/// A group on this simulator; all results are numpy's, and what cannot be compiled is in the table.
fn here(setting: &[PathBuf; 3], group: &str, at_least: usize) -> Results {
    let ours = fast(setting, &simulator("ours", &library())).results(group);
    let wrong: Vec<String> = ours
        .iter()
        .filter(|(name, result)| result.is_err() != CANNOT.contains(&name.as_str()))
        .map(|(name, result)| format!("{name}: {result:?}"))
        .collect();
    assert!(wrong.is_empty(), "{group}:\n{}", wrong.join("\n"));
    let right = ours.values().filter(|result| result.is_ok()).count();
    assert!(right >= at_least, "{group}: only {right} cases ran");
    for (name, result) in &ours {
        println!("{name}: {}", result.as_ref().map_or_else(Clone::clone, |hash| format!("right, {hash}")));
    }
    ours
}

/// A group here and on the vendor's simulator.
fn compare(group: &str, at_least: usize) {
    let Some(setting) = setting() else { return };
    let ours = here(&setting, group, at_least);
    let Some(theirs) = std::env::var_os("TTSIM_LIB").filter(|path| !path.is_empty()) else {
        println!("SKIPPED: TTSIM_LIB is not set: results are compared with numpy alone");
        return;
    };
    let theirs = Path::new(&theirs);
    is_wormhole("TTSIM_LIB", theirs).unwrap();
    let theirs = fast(&setting, &simulator("vendors", theirs)).results(group);
    let hash = |result: &Result<String, String>| result.clone().ok();
    let other: Vec<String> = ours
        .iter()
        .filter(|(name, result)| theirs.get(*name).map(hash) != Some(hash(result)))
        .map(|(name, result)| format!("{name}: {result:?}, the vendor's simulator {:?}", theirs.get(name)))
        .collect();
    assert!(other.is_empty(), "{group}: other bytes\n{}", other.join("\n"));
    println!("{} results are the vendor's simulator's bytes", ours.values().filter(|it| it.is_ok()).count());
}

/// Whether a simulator is one of a Wormhole: with another one TTNN would wait for ever, or end without a word of why.
fn is_wormhole(variable: &str, library: &Path) -> Result<(), String> {
    let mut server = Server::start(library).map_err(|error| format!("{variable}: {error}"))?;
    match server.config_read32(config::ID).map_err(|error| format!("{variable}: {error}"))? {
        id if id == WORMHOLE.pci_id => Ok(()),
        id => Err(format!(
            "{variable}={}: its chip is {id:#010x}, no Wormhole ({:#010x}): set it to the library of release_wh",
            library.display(),
            WORMHOLE.pci_id
        )),
    }
}

#[test]
fn transfers() {
    compare("transfers", 21);
}

#[test]
fn elementwise() {
    compare("elementwise", 12);
}

#[test]
fn products() {
    compare("products", 26);
}

#[test]
fn layouts() {
    compare("layouts", 22);
}

#[test]
fn moves() {
    compare("moves", 22);
}

#[test]
fn sharded() {
    compare("sharded", 9);
}

/// Only what does not compile: the day it does, the table above is too long.
#[test]
fn reductions() {
    compare("reductions", 0);
}

/// A device that the board does not have is an error, and the one that it has goes on.
#[test]
fn devices() {
    let Some(setting) = setting() else { return };
    here(&setting, "devices", 1);
}

/// Without a compiler TTNN ends with an error that names what it has not found.
#[test]
fn a_missing_compiler_is_an_error() {
    let Some([python, root, _]) = setting() else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ttnn/no-compiler");
    let _ = std::fs::remove_dir_all(&folder);
    let (without, cache) = (folder.join("root"), folder.join("cache"));
    std::fs::create_dir_all(without.join("runtime")).expect("a folder");
    let links = |from: &Path, to: &Path, but: &str| {
        for entry in std::fs::read_dir(from).expect("a folder").flatten().filter(|it| it.file_name() != but) {
            symlink(entry.path(), to.join(entry.file_name())).expect("a link");
        }
    };
    links(&root, &without, "runtime");
    links(&root.join("runtime"), &without.join("runtime"), "sfpi");
    let simulator = simulator("no-compiler", &library());
    let run = Run {
        python: &python,
        root: &without,
        cache: &cache,
        simulator: &simulator,
        mode: "fast",
        clocks: "64",
        limit: Duration::from_secs(300),
    };
    let ended = run.group("transfers");
    let lines = ended.lines();
    let telling: Vec<&String> = lines.iter().filter(|line| line.contains("sfpi")).collect();
    println!("{telling:#?}");
    assert!(!ended.well && !telling.is_empty(), "{}\n{lines:#?}", ended.said);
}

#[test]
fn a_simulator_of_another_chip_is_an_error() {
    is_wormhole("OURS", &library()).unwrap();
    let error = is_wormhole("TTSIM_LIB", Path::new("/nowhere/libttsim.so")).unwrap_err();
    assert!(error.contains("TTSIM_LIB") && error.contains("/nowhere"), "{error}");
    let Some(theirs) = std::env::var_os("TTSIM_BH_LIB").filter(|path| !path.is_empty()) else {
        println!("SKIPPED: TTSIM_BH_LIB is not set: there is no simulator of another chip");
        return;
    };
    let error = is_wormhole("TTSIM_LIB", Path::new(&theirs)).unwrap_err();
    assert!(error.contains("no Wormhole") && error.contains("release_wh"), "{error}");
}

/// The asynchronous mode, in which any order has to do: results are as right as in the others, and what the race detector finds is known.
#[test]
fn findings() {
    let Some(setting) = setting() else { return };
    let mut seen = [0; FINDINGS.len()];
    // All of a group, or those with such a name: every case takes minutes on a busy machine.
    for group in ["transfers", "elementwise=add (", "layouts=(64, 128)"] {
        let simulator = simulator("asynchronous", &library());
        let run = Run { mode: "async=1,note", clocks: "1024", ..fast(&setting, &simulator) };
        let ended = run.group(group);
        assert!(ended.well, "{group}: {}{}", ended.said, faults(&ended.log));
        let results = results(&ended.said);
        let wrong = results.iter().filter(|(name, it)| it.is_err() != CANNOT.contains(&name.as_str()));
        assert_eq!(wrong.count(), 0, "{group}: {results:#?}");
        for line in ended.lines().iter().filter(|line| line.starts_with(FINDING)) {
            let is = |parts: &[&str]| parts.iter().all(|part| line.contains(part));
            let known = FINDINGS.iter().position(|(parts, _)| is(parts));
            seen[known.unwrap_or_else(|| panic!("{group}: not known: {line}"))] += 1;
        }
    }
    for ((_, what), count) in FINDINGS.iter().zip(seen) {
        println!("{count} times: {what}");
    }
    // Which ones the other cases have depends on how they are split among cores.
    assert!(seen.iter().filter(|&&count| count > 0).count() > 3, "{seen:?}");
}
