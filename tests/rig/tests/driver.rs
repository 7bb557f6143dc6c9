//! The kernel driver itself in a virtual machine: the conformance list, the runtime, two processes at once, a killed one, a reset.
//! Each build of the driver in `TT_KMD_KO` boots once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tt_kmd_rig::device::Report;
use tt_kmd_rig::guest::{Guest, Needs, Run};
use tt_kmd_rig::work;
use tt_runtime::{Device, parse_devices};

const GUEST: &str = env!("CARGO_BIN_EXE_tt-kmd-guest");
const LIMIT: Duration = Duration::from_secs(300);
/// The same with a second chip: each of its words is an access of the emulated processor, and its products alone take three minutes.
const LIMIT_OF_TWO: Duration = Duration::from_secs(1000);

/// The needs, or the reason why a test does nothing.
fn needs() -> Option<Needs> {
    match Needs::find() {
        Ok(needs) => Some(needs),
        Err(missing) => {
            println!("SKIPPED: {missing}");
            None
        }
    }
}

fn run(needs: &Needs, module: &Path, boards: &[&'static str], commands: &[&str]) -> Run {
    let command = |name: &&str| ((*name).to_owned(), format!("/guest {name}"));
    let guest = Guest {
        kernel: &needs.kernel,
        module,
        files: vec![("guest".to_owned(), PathBuf::from(GUEST))],
        commands: commands.iter().map(command).collect(),
        boards,
        memory: 1024,
        limit: if boards.len() > 1 { LIMIT_OF_TWO } else { LIMIT },
    };
    guest.run().unwrap_or_else(|error| panic!("{}: {error}", module.display()))
}

#[test]
fn the_driver_itself() {
    let Some(needs) = needs() else { return };
    let sim = Device::open(&parse_devices(Some("sim")).unwrap()[0]);
    let want = format!("RESULT {:016x}", work::hash(&work::results(&sim).unwrap()));
    for module in &needs.modules {
        let commands = ["runtime", "users", "reset", "lost", "conformance"];
        let run = run(&needs, module, &["n150"], &commands);
        println!("{}: {}", module.display(), run.text);
        println!("{}", counts(&run));
        for name in commands {
            assert_eq!(run.status(name), Some(0), "{}: {name}: {}", module.display(), run.text);
        }
        // Of the oldest version one less: it has no resets.
        let results = run.text.matches("RESULT").count();
        assert!(results >= 3 && run.text.matches(&want).count() == results, "other bytes: {}", run.text);
        assert!(run.text.contains("pushed: Some(true)"), "{}", run.text);
        assert_eq!(run.status("end"), Some(0), "the driver can be unloaded: {}", run.text);
    }
}

/// What each card was asked.
fn counts(run: &Run) -> String {
    let count = |report: &Report| {
        format!("BAR reads {}, writes {}, resets {}", report.reads, report.writes, report.resets)
    };
    run.reports.iter().map(count).collect::<Vec<_>>().join("; ")
}

/// An n300, whose second chip is behind the first one, and an n150 beside it: every chip computes what the simulator does, a process that is killed
/// while all are busy leaves chips that the next one can use, and the list holds as well.
#[test]
fn an_n300_and_another_card() {
    let Some(needs) = needs() else { return };
    let sim = Device::open(&parse_devices(Some("sim")).unwrap()[0]);
    let want = format!("RESULT {:016x}", work::hash(&work::results(&sim).unwrap()));
    for module in &needs.modules {
        let commands = ["all", "killed", "conformance"];
        let run = run(&needs, module, &["n300", "n150"], &commands);
        println!("{}: {}\n{}", module.display(), run.text, counts(&run));
        for name in commands {
            assert_eq!(run.status(name), Some(0), "{}: {name}: {}", module.display(), run.text);
        }
        // Three chips, before and after.
        let results = run.text.matches("RESULT").count();
        assert!(results == 6 && run.text.matches(&want).count() == 6, "other bytes: {}", run.text);
        assert!(run.text.contains("2 cards, 3 devices"), "{}", run.text);
        assert_eq!(run.status("end"), Some(0), "the driver can be unloaded: {}", run.text);
    }
}

/// Tokens of the demo model.
const TOKENS: u32 = 4;

/// What an unmodified llama.cpp is told.
fn arguments(model: &str) -> String {
    format!(
        "-m {model} -ngl 99 -c 64 -p 'In the beginning' -n {TOKENS} --temp 0 -no-cnv --no-warmup -t 1 -fit off --simple-io --color off"
    )
}

/// A path from the environment, or the reason why a test does nothing.
fn path(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if value.is_none() {
        println!("SKIPPED: {name} is not set (`cargo xtask test` sets it)");
    }
    value
}

/// llama.cpp in the guest, with no setting but the library's path: the text is that of the simulator.
#[test]
fn text_through_the_driver_itself() {
    let (Some(needs), Some(bin), Some(library)) = (needs(), path("TT_LLAMA_BIN"), path("TT_BACKEND_SO"))
    else {
        return;
    };
    let program = bin.join("llama-completion");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/demo-bible-peace.gguf");
    let shell = |devices: &str, model: &str, library: &str| {
        let set = format!("GGML_BACKEND_PATH={library} GGML_TT_DEVICES={devices}");
        format!("cd {} && {set} {} {} 2>/tmp/err", bin.display(), program.display(), arguments(model))
    };
    let text =
        |out: &str| out.replace('\r', "").split("In the beginning").nth(1).map(|text| text.trim().to_owned());
    let sim = shell("sim", &model.display().to_string(), &library.display().to_string());
    let sim = std::process::Command::new("sh")
        .args(["-c", &sim.replace("2>/tmp/err", "2>/dev/null")])
        .output()
        .unwrap();
    let want = text(&String::from_utf8_lossy(&sim.stdout)).expect("text of the simulator");
    assert!(want.len() > TOKENS as usize, "{want}");

    let here = |file: &Path| (file.display().to_string().trim_start_matches('/').to_owned(), file.to_owned());
    let mut files =
        vec![here(&program), ("demo.gguf".to_owned(), model), ("library.so".to_owned(), library.clone())];
    let backends = std::fs::read_dir(&bin).unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    files.extend(
        backends.filter(|file| file.to_string_lossy().contains("libggml-cpu")).map(|file| here(&file)),
    );
    let guest = Guest {
        kernel: &needs.kernel,
        module: needs.modules.last().expect("one at least"),
        files,
        commands: vec![
            ("begin".to_owned(), "echo".to_owned()),
            ("demo".to_owned(), shell("", "/demo.gguf", "/library.so")),
            ("log".to_owned(), "grep -i tenstorrent /tmp/err".to_owned()),
        ],
        boards: &["n150"],
        memory: 3072,
        limit: LIMIT,
    };
    let run = guest.run().unwrap();
    println!("{}\n{:?}", run.text, run.reports);
    let out = run.text.split("GUEST: begin: 0").nth(1).and_then(|rest| rest.split("GUEST: demo:").next());
    assert_eq!(run.status("demo"), Some(0), "{}", run.text);
    // This llama.cpp loses the end of what it writes now and then.
    let got = text(out.expect("the program has run")).unwrap_or_default();
    let same = want.starts_with(&got) || got.starts_with(&want);
    assert!(got.len() > 8 && same, "{got} instead of {want}: {}", run.text);
}
