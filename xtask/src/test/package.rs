//! The packages of `cargo xtask dist`, unpacked and used without the source tree.
//!
//! Nothing is installed on this machine: dpkg unpacks into a separate folder. llama.cpp then generates text with the
//! packaged model and the packaged library, found through the value in the packaged `environment.d` file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::dist::{self, Made};
use crate::llama::Llama;
use crate::process::{Echo, capture, command, run, shown, succeeds, watch};
use crate::report::Report;

const LIBRARY: &str = "usr/lib/ggml-tenstorrent/libggml-tenstorrent.so";
const SETTING: &str = "usr/lib/environment.d/60-ggml-tenstorrent.conf";
const MODEL: &str = "usr/share/ggml-tenstorrent/demo-bible-peace.gguf";
/// A few tokens on the simulated card.
const LIMIT: Duration = Duration::from_secs(300);

/// Steps: pack, unpack and look, run.
pub fn steps(report: &mut Report, host: Option<&Llama>) {
    let mut folder = None;
    report.step("packages (cargo xtask dist)", || {
        let place = Place::new()?;
        let made = dist::make(&place.0)?;
        same_again(&made)?;
        println!("{}\n{}", made.archive.display(), made.package.display());
        folder = Some((place, made));
        Ok(())
    });
    let Some((place, made)) = folder else { return };
    report.step("the archive unpacked", || from_archive(&place, &made, host));
    if !succeeds(command("dpkg-deb").arg("--version")) {
        report.skip("the Debian package installed", "there is no dpkg here");
        return;
    }
    report.step("the Debian package installed", || from_package(&place, &made, host));
}

/// A folder outside of the source tree; removed in the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("ggml-tenstorrent-packages-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left is in the system's folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Packing the same files once more gives the same bytes.
fn same_again(made: &Made) -> Result<()> {
    let read = || -> Result<_> { Ok([fs::read(&made.archive)?, fs::read(&made.package)?]) };
    let before = read()?;
    dist::make(made.archive.parent().context("no folder")?)?;
    ensure!(before == read()?, "packing twice gave different files");
    Ok(())
}

fn from_archive(place: &Place, made: &Made, host: Option<&Llama>) -> Result<()> {
    run(command("tar").arg("-xzf").arg(&made.archive).arg("-C").arg(&place.0))?;
    let name = made.archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name =
        name.strip_suffix(&format!("-{}.tar.gz", std::env::consts::ARCH)).context("the archive's name")?;
    let folder = place.0.join(name);
    for file in ["LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY.txt", "README.md", "Containerfile"] {
        ensure!(folder.join(file).is_file(), "{file} is missing");
    }
    container_file(&folder)?;
    tests_a_device(&folder.join("tt"))?;
    generate(place, host, &folder.join("libggml-tenstorrent.so"), &folder.join("demo-bible-peace.gguf"))
}

/// The command runs.
fn tests_a_device(tt: &Path) -> Result<()> {
    let found = capture(command(tt).args(["selftest", "sim,rows=1", "--quick"]))?;
    ensure!(found.contains("no fault found"), "{found}");
    Ok(())
}

/// No image is made here (that needs a registry): the file must copy the library beside it, and name its path in the image.
fn container_file(folder: &Path) -> Result<()> {
    let text = fs::read_to_string(folder.join("Containerfile"))?;
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let [["FROM", _], ["COPY", from, to], ["ENV", setting]] =
        lines.iter().map(Vec::as_slice).collect::<Vec<_>>()[..]
    else {
        bail!("the container file is not FROM, COPY, ENV:\n{text}");
    };
    ensure!(folder.join(from).is_file(), "{from} is not in the archive");
    ensure!(
        *setting == format!("GGML_BACKEND_PATH={to}{from}"),
        "{setting} is not where {from} is copied to"
    );
    Ok(())
}

fn from_package(place: &Place, made: &Made, host: Option<&Llama>) -> Result<()> {
    let (root, admin) = (place.0.join("root"), place.0.join("control"));
    println!("{}", capture(command("dpkg-deb").arg("--info").arg(&made.package))?);
    run(command("dpkg-deb").arg("-e").arg(&made.package).arg(&admin))?;
    if succeeds(command("sh").args(["-c", "test $(id -u) = 0"])) {
        install(&made.package, &root)?;
    } else {
        run(command("dpkg-deb").arg("-x").arg(&made.package).arg(&root))?;
    }
    run(command("md5sum").args(["--check", "--quiet"]).arg(admin.join("md5sums")).current_dir(&root))?;
    let library = root.join(LIBRARY).canonicalize()?;
    let plugins = format!("usr/lib/{}-linux-gnu/ggml/backends0", std::env::consts::ARCH);
    for folder in ["usr/lib/ollama/tenstorrent", &plugins] {
        let link = root.join(folder).join("libggml-tenstorrent.so");
        ensure!(link.canonicalize()? == library, "{} leads elsewhere", link.display());
    }
    tests_a_device(&root.join("usr/bin/tt"))?;
    let setting = fs::read_to_string(root.join(SETTING))?;
    let value =
        setting.lines().find_map(|line| line.strip_prefix("GGML_BACKEND_PATH=${GGML_BACKEND_PATH:-/"));
    let path =
        value.and_then(|value| value.strip_suffix('}')).context("no GGML_BACKEND_PATH in environment.d")?;
    generate(place, host, &root.join(path), &root.join(MODEL))
}

/// dpkg with a system of its own, in which nothing that the package depends on is installed.
fn install(package: &Path, root: &Path) -> Result<()> {
    fs::create_dir_all(root.join("var/lib/dpkg/info"))?;
    fs::create_dir_all(root.join("var/lib/dpkg/updates"))?;
    fs::write(root.join("var/lib/dpkg/status"), "")?;
    let root = format!("--root={}", root.display());
    run(command("dpkg").args([&root, "--force-depends", "--install"]).arg(package))?;
    let differs = capture(command("dpkg").args([&root, "--verify", "ggml-tenstorrent"]))?;
    ensure!(differs.is_empty(), "installed files are not those of the package:\n{differs}");
    Ok(())
}

/// The demo's text, with nothing of the source tree but the llama.cpp that it built.
fn generate(place: &Place, host: Option<&Llama>, library: &Path, model: &Path) -> Result<()> {
    let Some(host) = host else {
        println!("SKIPPED: llama.cpp was not built, so nothing could be generated");
        return Ok(());
    };
    let stats = place.0.join("stats.json");
    let _ = fs::remove_file(&stats);
    let mut command = command(host.program("llama-completion")?);
    command.env_clear().current_dir(&place.0);
    command.env("GGML_BACKEND_PATH", library).env("GGML_TT_DEVICES", "sim").env("GGML_TT_STATS", &stats);
    command.arg("-m").arg(model).args(["-ngl", "99", "-p", "In the beginning", "-n", "4", "--temp", "0"]);
    command.args(["-c", "256", "-fit", "off", "-no-cnv", "--no-warmup", "--simple-io"]);
    let log = place.0.join("llama.log");
    let ended = watch(&mut command, &log, Some(LIMIT), Echo::Kept, |line| line.contains("ggml_tenstorrent"))?;
    ensure!(ended.status.is_some_and(|it| it.success()), "`{}` failed:\n{}", shown(&command), ended.log);
    ensure!(ended.out.contains("In the beginning"), "no text:\n{}", ended.out);
    let stats: serde_json::Value = serde_json::from_str(&fs::read_to_string(&stats)?)?;
    let products = stats["ops"]["MUL_MAT"].as_u64().unwrap_or(0);
    ensure!(products > 0, "no product ran on the device: {stats}");
    println!("{}: {products} products on the simulated card", library.display());
    Ok(())
}
