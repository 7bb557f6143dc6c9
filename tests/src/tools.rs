//! The programs under test, and running them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fmt, fs};

use anyhow::{Context as _, Result, bail};

pub use tt_test_output::plain;

/// Why a test cannot run here.
#[derive(Debug)]
pub struct Missing(String);

impl Missing {
    /// A reason of the test's own.
    pub fn of(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Unwraps what a test needs, or prints `SKIPPED: reason` and returns from the test.
#[macro_export]
macro_rules! need {
    ($needed:expr) => {
        match $needed {
            Ok(value) => value,
            Err(missing) => {
                let missing: $crate::Missing = missing;
                println!("SKIPPED: {missing}");
                return;
            }
        }
    };
}

/// A path from the environment that must exist.
pub fn from_environment(name: &str, what: &str) -> Result<PathBuf, Missing> {
    match env::var_os(name).filter(|value| !value.is_empty()) {
        None => Err(Missing(format!("{name} is not set ({what}; `cargo xtask test` sets it)"))),
        Some(value) if Path::new(&value).exists() => Ok(PathBuf::from(value)),
        Some(value) => Err(Missing(format!("{name}: {} does not exist", Path::new(&value).display()))),
    }
}

/// Where a program computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device<'a> {
    /// ggml's CPU backend; our library is not loaded.
    Cpu,
    /// Our library with this `GGML_TT_DEVICES`.
    Tenstorrent(&'a str),
}

impl Device<'_> {
    /// The simulated n150 inside our library.
    pub const SIM: Device<'static> = Device::Tenstorrent("sim");
}

/// llama.cpp and our library.
pub struct Tools {
    bin: PathBuf,
    library: PathBuf,
}

impl Tools {
    /// Both, from the environment.
    pub fn find() -> Result<Self, Missing> {
        Ok(Self {
            bin: from_environment("TT_LLAMA_BIN", "llama.cpp's programs")?,
            library: from_environment("TT_BACKEND_SO", "our library")?,
        })
    }

    /// Folder of llama.cpp's programs and libraries.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// One of llama.cpp's programs on a device.
    pub fn program(&self, name: &str, device: Device<'_>) -> Command {
        self.prepare(self.bin.join(name), device)
    }

    /// The same of a program that not every build of llama.cpp has.
    pub fn optional(&self, name: &str, device: Device<'_>) -> Result<Command, Missing> {
        if self.bin.join(name).is_file() {
            return Ok(self.program(name, device));
        }
        Err(Missing(format!("this llama.cpp build lacks the target {name}")))
    }

    /// A program of ours that links llama.cpp.
    pub fn prepare(&self, program: impl AsRef<OsStr>, device: Device<'_>) -> Command {
        let mut command = Command::new(program);
        // ggml also searches the working folder for backends: this is where ggml-cpu is.
        command.stdin(Stdio::null()).current_dir(&self.bin);
        // Settings of the person's own shell must not change what is tested.
        for name in tt_settings::ALL.iter().map(|setting| setting.name).chain(["TT_LOAD_FIRST"]) {
            command.env_remove(name);
        }
        if let Device::Tenstorrent(devices) = device {
            command.env("GGML_BACKEND_PATH", &self.library).env("GGML_TT_DEVICES", devices);
        }
        command
    }
}

/// The program that dumps logits.
pub fn logits_program() -> Result<PathBuf, Missing> {
    from_environment("TT_LOGITS", "the program made from tests/native/logits.cpp")
}

/// A file made from `tests/native`; they are all beside the program that dumps logits.
pub fn native(file: &str) -> Result<PathBuf, Missing> {
    let path = logits_program()?.with_file_name(file);
    if path.is_file() { Ok(path) } else { Err(Missing(format!("{} does not exist", path.display()))) }
}

/// Has a program load backends before it starts, and its log flushed when it ends.
pub fn preload(command: &mut Command) -> Result<&mut Command, Missing> {
    Ok(command.env("LD_PRELOAD", native("libpreload.so")?))
}

/// Has a program load our library before ggml's own backends, not after them as with `GGML_BACKEND_PATH`: for programs that take devices
/// in this order.
pub fn load_first(command: &mut Command) -> Result<&mut Command, Missing> {
    let library = from_environment("TT_BACKEND_SO", "our library")?;
    preload(command)?;
    Ok(command.env_remove("GGML_BACKEND_PATH").env("TT_LOAD_FIRST", library))
}

/// The model in the repository.
pub fn demo_model() -> PathBuf {
    repository().join("models/demo-bible-peace.gguf")
}

/// Text that the demo model has not seen.
pub fn held_out_text() -> PathBuf {
    repository().join("models/held-out.txt")
}

/// A model that does not belong to the repository.
pub fn extra_model(name: &str) -> Result<PathBuf, Missing> {
    let path = from_environment("TT_EXTRA_MODELS", "a folder with further models")?.join(name);
    if path.is_file() { Ok(path) } else { Err(Missing(format!("{name} is not in TT_EXTRA_MODELS"))) }
}

/// True if the long variants are wanted.
pub fn full() -> Result<(), Missing> {
    match env::var_os("TT_FULL") {
        Some(_) => Ok(()),
        None => Err(Missing("long; asked for with `cargo xtask test --full`".to_owned())),
    }
}

/// A fresh path for a file that a test makes.
pub fn scratch(name: &str) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("tt-tests-{}-{number}-{name}", std::process::id()))
}

/// A fresh path for a file or a folder that goes with this value.
pub struct Temporary(PathBuf);

impl Temporary {
    /// Nothing is there yet.
    pub fn new(name: &str) -> Self {
        Self(scratch(name))
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path as an argument.
    pub fn name(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed is left in the folder for temporary files.
        let _ = if self.0.is_dir() { fs::remove_dir_all(&self.0) } else { fs::remove_file(&self.0) };
    }
}

fn repository() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// What a program left behind.
pub struct Finished {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Finished {
    /// Fails unless the exit code was 0; the error shows the end of what the program said.
    pub fn success(self) -> Result<Self> {
        if self.code == Some(0) {
            return Ok(self);
        }
        let how =
            self.code.map_or_else(|| "ended by a signal".to_owned(), |code| format!("exit code {code}"));
        bail!("{how}\n{}\n{}", tail(&self.out), tail(&self.err));
    }
}

/// The last lines of a text.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// Runs a program of llama.cpp that logs from a thread, again if that log ends before what `complete` looks for: the pinned
/// version loses the end of its log now and then, on any backend. The last try is returned, complete or not.
pub fn run_logged(
    command: &mut Command,
    limit: Duration,
    complete: impl Fn(&Finished) -> bool,
) -> Result<Finished> {
    const TRIES: usize = 10;
    for _ in 1..TRIES {
        let finished = run(command, limit)?;
        if finished.code != Some(0) || complete(&finished) {
            return Ok(finished);
        }
    }
    run(command, limit)
}

/// Runs a program to its end, for at most `limit`.
pub fn run(command: &mut Command, limit: Duration) -> Result<Finished> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let out = collect(child.stdout.take());
    let err = collect(child.stderr.take());
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let finished = Finished {
        code: status.and_then(|status| status.code()),
        out: out.join().unwrap_or_default(),
        err: err.join().unwrap_or_default(),
    };
    if status.is_none() {
        bail!(
            "{name} did not finish in {} s\n{}\n{}",
            limit.as_secs(),
            tail(&finished.out),
            tail(&finished.err)
        );
    }
    Ok(finished)
}

fn collect(from: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // What was read before an error is kept: it is only shown.
            let _ = from.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
