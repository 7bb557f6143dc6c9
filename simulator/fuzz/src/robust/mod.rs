//! Robustness: the simulator answers every action of a host or a program with a result or a fault.
//!
//! An execution is one random input: code for the cores of some tiles ([`code`]), a sequence of host accesses
//! ([`host`]), or an image file ([`elf`]). It may not panic, may not take long, and memory may not grow with the number of
//! executions. Execution `n` of seed `s` is always the same one.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::random::Random;

pub mod code;
pub mod elf;
pub mod host;

/// An execution that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(60);
/// Memory may grow by this much once everything has been touched. Far more than the allocator's noise, far less than
/// what any leak of a chip's memory would come to.
pub const GROWTH: u64 = 64 << 20;
/// Executions before memory is measured for the first time.
const WARM_UP: u64 = 400;

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// So many executions.
    Executions(u64),
    /// At least so long.
    Time(Duration),
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RobustError {
    /// A panic, which is always wrong.
    #[error("execution {n} of seed {seed} ({kind}) panicked: {what}")]
    Panic {
        /// Seed of the run.
        seed: u64,
        /// Number of the execution.
        n: u64,
        /// What it does.
        kind: &'static str,
        /// The panic's message.
        what: String,
    },
    /// The simulator itself says that it is wrong.
    #[error("execution {n} of seed {seed} ({kind}): {what}")]
    Internal {
        /// Seed of the run.
        seed: u64,
        /// Number of the execution.
        n: u64,
        /// What it does.
        kind: &'static str,
        /// The fault.
        what: String,
    },
    /// Memory grows.
    #[error("memory grew from {before} to {after} bytes in {executions} executions")]
    Leak {
        /// After the warm-up.
        before: u64,
        /// At the end.
        after: u64,
        /// In between.
        executions: u64,
    },
    /// The simulator cannot be started.
    #[error("this simulator: {0}")]
    Here(#[from] tt_simulator::Fault),
}

/// Something that an execution can be.
struct Kind {
    name: &'static str,
    weight: u32,
    run: fn(&mut Random) -> Result<Ended, tt_simulator::Fault>,
}

const KINDS: [Kind; 5] = [
    Kind { name: "riscv bytes", weight: 4, run: code::riscv },
    Kind { name: "tensix words", weight: 4, run: code::tensix },
    Kind { name: "host accesses", weight: 4, run: host::accesses },
    Kind { name: "host registers", weight: 3, run: host::registers },
    Kind { name: "images", weight: 3, run: elf::image },
];

/// How an execution ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ended {
    /// Nothing was wrong.
    Well,
    /// With a fault or an error.
    Refused,
}

/// What came of a run.
#[derive(Clone, Default, Debug)]
pub struct Summary {
    /// Executions by kind, and how many of them were refused.
    pub kinds: BTreeMap<&'static str, [u64; 2]>,
    /// Resident memory after the warm-up and at the end.
    pub memory: [u64; 2],
    /// The longest execution.
    pub longest: Duration,
}

impl Summary {
    /// All executions.
    pub fn executions(&self) -> u64 {
        self.kinds.values().map(|counts| counts[0]).sum()
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:<16} {:>12} {:>12}", "kind", "executions", "refused")?;
        for (kind, [all, refused]) in &self.kinds {
            writeln!(f, "{kind:<16} {all:>12} {refused:>12}")?;
        }
        writeln!(f, "{:<16} {:>12}", "all", self.executions())?;
        let [before, after] = self.memory.map(|bytes| bytes >> 20);
        writeln!(f, "memory {before} MiB after the warm-up, {after} MiB at the end")?;
        write!(f, "longest execution {:.2} s", self.longest.as_secs_f64())
    }
}

/// Runs executions until the limit.
///
/// # Errors
/// The first panic, internal fault, or growing memory. An execution that hangs cannot be stopped: the watchdog says which
/// one it is and ends the process.
pub fn run(seed: u64, limit: Limit) -> Result<Summary, RobustError> {
    let watched = Watched::default();
    std::thread::scope(|scope| {
        scope.spawn(|| watched.watch(seed));
        let result = quietly(|| executions(seed, limit, &watched));
        watched.stop.store(true, Ordering::Relaxed);
        result
    })
}

/// What the watchdog looks at.
#[derive(Default)]
struct Watched {
    stop: AtomicBool,
    n: AtomicU64,
}

impl Watched {
    fn watch(&self, seed: u64) {
        let mut seen = (0, Instant::now());
        while !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(50));
            let n = self.n.load(Ordering::Relaxed);
            if n != seen.0 {
                seen = (n, Instant::now());
            } else if seen.1.elapsed() > LONGEST {
                eprintln!("execution {n} of seed {seed} hangs");
                std::process::abort();
            }
        }
    }
}

/// Keeps panics that are expected to be caught from printing; only their message is kept.
fn quietly<T>(run: impl FnOnce() -> T) -> T {
    let old = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        if let Ok(mut last) = LAST_PANIC.lock() {
            *last = info.to_string();
        }
    }));
    let result = run();
    std::panic::set_hook(old);
    result
}

static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fn executions(seed: u64, limit: Limit, watched: &Watched) -> Result<Summary, RobustError> {
    let start = Instant::now();
    let mut summary = Summary::default();
    let weights: Vec<(u32, usize)> = KINDS.iter().enumerate().map(|(i, kind)| (kind.weight, i)).collect();
    for n in 0.. {
        match limit {
            Limit::Executions(most) if n >= most => break,
            Limit::Time(time) if start.elapsed() >= time => break,
            _ => {}
        }
        watched.n.store(n, Ordering::Relaxed);
        if n == WARM_UP {
            summary.memory[0] = resident();
        }
        let mut random = Random::of_case(seed, n);
        let kind = &KINDS[random.weighted(&weights)];
        let before = Instant::now();
        let ended = one(kind, &mut random, seed, n)?;
        summary.longest = summary.longest.max(before.elapsed());
        let counts = summary.kinds.entry(kind.name).or_default();
        counts[0] += 1;
        counts[1] += u64::from(ended == Ended::Refused);
    }
    summary.memory[1] = resident();
    let [before, after] = summary.memory;
    if before != 0 && after > before + GROWTH {
        return Err(RobustError::Leak { before, after, executions: summary.executions() - WARM_UP });
    }
    Ok(summary)
}

fn one(kind: &Kind, random: &mut Random, seed: u64, n: u64) -> Result<Ended, RobustError> {
    match catch_unwind(AssertUnwindSafe(|| (kind.run)(random))) {
        Ok(Ok(ended)) => Ok(ended),
        Ok(Err(fault)) if fault.blame == tt_simulator::Blame::Internal => {
            Err(RobustError::Internal { seed, n, kind: kind.name, what: fault.to_string() })
        }
        Ok(Err(_)) => Ok(Ended::Refused),
        Err(_) => {
            let what = LAST_PANIC.lock().map(|last| last.clone()).unwrap_or_default();
            Err(RobustError::Panic { seed, n, kind: kind.name, what })
        }
    }
}

/// Resident memory of this process in bytes; 0 where the system does not say.
pub fn resident() -> u64 {
    let Ok(text) = std::fs::read_to_string("/proc/self/status") else { return 0 };
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).map_or(0, |kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_measured() {
        let before = resident();
        let block = vec![1_u8; 32 << 20];
        assert!(before > 0 && resident() >= before + (16 << 20), "{}", block.len());
    }

    #[test]
    fn a_panic_is_reported_with_its_execution() {
        let kind = Kind { name: "test", weight: 1, run: |_| panic!("on purpose") };
        let error = quietly(|| one(&kind, &mut Random::new(1), 5, 6)).unwrap_err();
        assert!(
            matches!(error, RobustError::Panic { seed: 5, n: 6, what, .. } if what.contains("on purpose"))
        );
    }
}
