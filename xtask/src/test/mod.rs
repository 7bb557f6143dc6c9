//! `cargo xtask test`: all checks, in one run.
//!
//! 1. rustfmt and clippy over the workspace and over the device code, which is a workspace of its own;
//! 2. all Rust tests; among them package `tt-tests`, which drives real llama.cpp programs with this library
//!    and gets their paths from environment variables;
//! 3. the first steps of the README's commands on a machine without the target of the device code;
//! 4. the packages, made, unpacked and used outside of the source tree, and a program that links the library statically;
//! 5. the same library in another version of ggml, and with `--hosts` in eight more;
//! 6. with `--ttnn`, the vendor's operators on our simulator.
//!
//! A test that cannot run prints a line `SKIPPED: reason`; these lines are collected and printed at the end.

mod crates;
mod fresh;
mod hosts;
mod lint;
pub mod native;
mod new_kernel;
mod package;
mod static_link;
mod suite;
mod ttnn;

pub use hosts::layouts;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::llama::Llama;
use crate::report::Report;
use crate::{backend, llama, models, tools};

/// Options of `cargo xtask test`.
#[derive(Args)]
pub struct Options {
    /// Also run the library in other versions of ggml, llama-cpp-python and whisper.cpp (builds them on first use)
    #[arg(long)]
    hosts: bool,
    /// Also run the vendor's operators (TTNN) on the simulator (fetches 103 MB and compiles their kernels on first use)
    #[arg(long)]
    ttnn: bool,
    /// Everything: also the hosts, TTNN, and the long variants of the whole-system tests
    #[arg(long)]
    full: bool,
    /// Only this step, of those that are no Rust tests
    #[arg(long, value_enum, conflicts_with_all = ["hosts", "ttnn", "full", "filter"])]
    step: Option<Step>,
    /// Only the Rust tests whose name contains this
    filter: Option<String>,
}

/// Steps outside of the Rust tests.
#[derive(Clone, Copy, ValueEnum)]
enum Step {
    /// The start of the README's commands without the device target
    Fresh,
    /// What `dist` makes, unpacked and run
    Packages,
    /// A program that links the library statically
    Static,
    /// A program with a kernel of its own, outside of the workspace
    NewKernel,
    /// Packages of the crates that other programs depend on
    Crates,
    /// The library in one more version of ggml, and in versions that it does not know
    Ggml,
    /// The library in all versions of ggml that packages carry
    Hosts,
    /// The library in llama-cpp-python
    Python,
    /// The library in whisper.cpp
    Whisper,
    /// The vendor's operators on the simulator
    Ttnn,
}

impl Step {
    /// Whether it is about llama.cpp.
    fn wants_llama(self) -> bool {
        !matches!(self, Self::NewKernel | Self::Crates)
    }

    fn run(self, report: &mut Report, host: Option<&Llama>) {
        match self {
            Self::Fresh => fresh::step(report, host),
            Self::Packages => package::steps(report, host),
            Self::Static => static_link::step(report, host),
            Self::NewKernel => new_kernel::step(report),
            Self::Crates => crates::step(report),
            Self::Ggml => hosts::quick_steps(report),
            Self::Hosts => hosts::steps(report, host),
            Self::Python => hosts::python(report),
            Self::Whisper => hosts::whisper(report),
            Self::Ttnn => ttnn::step(report, host),
        }
    }
}

/// `cargo xtask test`.
pub fn run(options: &Options) -> Result<()> {
    let mut report = Report::default();
    tools::ensure_device_target()?;
    if let Some(step) = options.step {
        let host = if step.wants_llama() { Some(llama::ensure()?) } else { None };
        step.run(&mut report, host.as_ref());
        return report.finish(None);
    }
    if options.filter.is_none() {
        tools::ensure_lint_components()?;
        lint::steps(&mut report);
    }

    let mut host = None;
    report.step("llama.cpp", || {
        host = Some(llama::ensure()?);
        Ok(())
    });
    let mut library = None;
    report.step("libggml-tenstorrent.so", || {
        library = Some(backend::build()?);
        Ok(())
    });
    let mut logits = None;
    if let Some(host) = &host {
        report.step("test programs on libllama", || {
            logits = Some(native::build_programs(host)?);
            Ok(())
        });
    }

    if options.filter.is_none() {
        [Step::Fresh, Step::Packages, Step::Static, Step::NewKernel, Step::Crates, Step::Ggml]
            .into_iter()
            .for_each(|step| step.run(&mut report, host.as_ref()));
    }

    // A few tests by name get along with what is there.
    if options.full || options.filter.is_none() {
        report.step("models", || fetch_models(options.full));
    }

    let models = models::cache();
    let setting = suite::Setting { host: host.as_ref(), library, logits, models, full: options.full };
    let closing = suite::step(&mut report, &setting, options.filter.as_deref());

    if options.hosts || options.full {
        let steps = [Step::Hosts, Step::Python, Step::Whisper];
        steps.into_iter().for_each(|step| step.run(&mut report, host.as_ref()));
        if options.full
            && let Some(host) = &host
        {
            report.step("layouts of ggml's structs", || layouts::check(host));
        }
    } else if options.filter.is_none() {
        report.skip("other ggml hosts", "asked for with --hosts or --full");
    }
    if options.ttnn || options.full {
        Step::Ttnn.run(&mut report, host.as_ref());
    } else if options.filter.is_none() {
        report.skip("TTNN on the simulator", "asked for with --ttnn or --full");
    }
    report.finish(closing.as_deref())
}

/// The encoder, which is quick even on a simulated card; for the long variants all of them.
fn fetch_models(full: bool) -> Result<()> {
    let wanted = models::ALL.into_iter().filter(|model| full || model.name == models::MINILM.name);
    wanted.map(|model| model.ensure()).try_for_each(|path| path.map(drop))
}
