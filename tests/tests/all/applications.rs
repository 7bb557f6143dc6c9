//! Applications with their own way of finding the library (docs/applications.md).
//!
//! Ollama looks for `lib/ollama/NAME/libggml-NAME.so`, starts a `llama-server` with that in `GGML_BACKEND_PATH` to list its
//! devices, sorts them by their descriptions, and starts another server for each model.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tt_tests::server::Server;
use tt_tests::tools::Temporary;
use tt_tests::{Device, Missing, Tools, need, tools};

const LIMIT: Duration = Duration::from_secs(300);

/// A folder as Ollama has it.
struct Ollama {
    folder: Temporary,
    library: PathBuf,
}

impl Ollama {
    fn install(library: &Path) -> Self {
        let folder = Temporary::new("ollama");
        let place = folder.path().join("lib/ollama/tenstorrent");
        fs::create_dir_all(&place).unwrap();
        symlink(library, place.join("libggml-tenstorrent.so")).unwrap();
        Self { library: place.join("libggml-tenstorrent.so"), folder }
    }

    /// `llama-server` as Ollama starts it.
    fn server(&self, tools: &Tools, devices: &str) -> Result<Command, Missing> {
        let mut command = tools.optional("llama-server", Device::Tenstorrent(devices))?;
        command.env("GGML_BACKEND_PATH", &self.library);
        Ok(command)
    }

    /// Descriptions of the devices that it lists: `  TT0: DESCRIPTION (1024 MiB, 1024 MiB free)`.
    fn descriptions(&self, tools: &Tools, devices: &str) -> Result<Vec<String>, Missing> {
        let mut command = self.server(tools, devices)?;
        let listed = tools::run(command.arg("--list-devices"), LIMIT).unwrap().success().unwrap();
        let description = |line: &str| {
            let (name, rest) = line.trim().split_once(": ")?;
            let (text, memory) = rest.rsplit_once(" (")?;
            (name.starts_with("TT") && memory.contains("MiB free")).then(|| text.to_owned())
        };
        Ok(listed.out.lines().filter_map(description).collect())
    }
}

/// What a server with the demo model writes after a prompt.
fn completion(command: Command, options: &[&str]) -> Result<String> {
    let server = Server::start(command, &tools::demo_model(), &[&["-np", "1"], options].concat())?;
    let text = server.text("And the king said to the", 4)?;
    server.end()?;
    Ok(text)
}

#[test]
fn ollama_lists_the_devices() {
    let tools = need!(Tools::find());
    let ollama = Ollama::install(&need!(tools::from_environment("TT_BACKEND_SO", "our library")));
    for (devices, count) in [("sim", 1), ("sim:n300", 2), ("sim,sim", 2)] {
        let found = need!(ollama.descriptions(&tools, devices));
        assert_eq!(found.len(), count, "{devices}: {found:?}");
        for text in &found {
            // It takes what contains one of these for a device of that kind, "chip" included.
            let known = ["hip", "rocm", "amd", "cuda", "nvidia", "vulkan", "metal", "sycl", "cpu"];
            assert!(known.iter().all(|word| !text.to_lowercase().contains(word)), "{text}");
            assert_eq!(*text, found[0], "cards of a kind have different descriptions");
        }
    }
    assert_ne!(
        need!(ollama.descriptions(&tools, "sim")),
        need!(ollama.descriptions(&tools, "sim:n300"))[..1]
    );
}

#[test]
fn ollama_runs_a_model() {
    let tools = need!(Tools::find());
    let ollama = Ollama::install(&need!(tools::from_environment("TT_BACKEND_SO", "our library")));
    let on_cpu = need!(tools.optional("llama-server", Device::Cpu));
    let expected = completion(on_cpu, &["-ngl", "0"]).unwrap();
    let stats = ollama.folder.path().join("stats.json");
    let mut on_card = need!(ollama.server(&tools, "sim"));
    on_card.env("GGML_TT_WEIGHTS", "bf16").env("GGML_TT_STATS", &stats);
    let options = ["-ngl", "99", "--flash-attn", "off", "--main-gpu", "0"];
    let found = completion(on_card, &options).unwrap();
    println!("{found:?}");
    assert!(!expected.trim().is_empty());
    assert_eq!(found, expected);
    let stats: serde_json::Value = serde_json::from_str(&fs::read_to_string(&stats).unwrap()).unwrap();
    let ran = |operator: &str| stats["ops"][operator].as_u64().unwrap_or(0) > 0;
    assert!(ran("MUL_MAT") && ran("SOFT_MAX") && !ran("FLASH_ATTN_EXT"), "{stats}");
}
