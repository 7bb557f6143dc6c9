//! `examples/static`: a program that contains ggml and this library, built as the documentation says.

use anyhow::{bail, ensure};

use crate::llama::Llama;
use crate::process::{capture, command, run};
use crate::report::Report;
use crate::{backend, paths, tools};

/// One step: configure, link, run one operator on the simulated card.
pub fn step(report: &mut Report, host: Option<&Llama>) {
    let Some(host) = host else {
        report.skip("static linking", "llama.cpp was not built");
        return;
    };
    report.step("static linking", || {
        tools::ensure_build_packages()?;
        let build = paths::target().join("static");
        let define = |name: &str, path: &std::path::Path| format!("-D{name}={}", path.display());
        run(command("cmake")
            .args([
                "-G",
                "Ninja",
                "--log-level=WARNING",
                "-DCMAKE_BUILD_TYPE=Release",
                "-DGGML_NATIVE=OFF",
                "-S",
            ])
            .arg(paths::root().join("examples/static"))
            .arg("-B")
            .arg(&build)
            .arg(define("GGML_SOURCE", &host.source.join("ggml")))
            .arg(define("TENSTORRENT_LIBRARY", &backend::static_library()?)))?;
        run(command("ninja").arg("-C").arg(&build).arg("one-operator"))?;
        let program = build.join("one-operator");
        let needs = capture(command("ldd").arg(&program))?;
        ensure!(!needs.contains("ggml"), "the program still loads libraries of ggml:\n{needs}");
        let text = capture(command(&program).env_remove("GGML_BACKEND_PATH").env("GGML_TT_DEVICES", "sim"))?;
        print!("{text}");
        if !text.contains("TT0: Tenstorrent Wormhole n150") || !text.contains(": 0 of 96 elements wrong") {
            bail!("not what the example prints:\n{text}");
        }
        Ok(())
    });
}
