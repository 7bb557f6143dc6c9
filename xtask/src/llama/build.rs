//! Building llama.cpp with backends as loadable libraries, the form in which distributions ship it.

use anyhow::Result;

use super::Llama;
use crate::process::{command, run};

/// CMake switches. `GGML_BACKEND_DL` makes the programs load backends at run time, among them the one that
/// `GGML_BACKEND_PATH` names. `GGML_NATIVE=OFF` keeps the CPU results independent of the build machine.
pub const SWITCHES: &[&str] = &[
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=ON",
    "-DGGML_BACKEND_DL=ON",
    "-DGGML_NATIVE=OFF",
    "-DGGML_CPU_ALL_VARIANTS=OFF",
    "-DGGML_RPC=ON",
    "-DLLAMA_BUILD_TESTS=ON",
    "-DLLAMA_BUILD_TOOLS=ON",
    "-DLLAMA_BUILD_EXAMPLES=ON",
    "-DLLAMA_BUILD_SERVER=ON",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_BUILD_MTMD=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_OPENSSL=OFF",
];

/// Configures and builds; ninja's own counter is the progress display.
pub fn configure_and_build(llama: &Llama, targets: &[&str]) -> Result<()> {
    eprintln!("building llama.cpp in {} (once; 6 to 12 minutes on two cores)", llama.build.display());
    run(command("cmake")
        .args(["-G", "Ninja", "--log-level=WARNING", "-S"])
        .arg(&llama.source)
        .arg("-B")
        .arg(&llama.build)
        .args(SWITCHES))?;
    run(command("ninja").arg("-C").arg(&llama.build).args(targets))
}
