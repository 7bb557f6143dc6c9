//! TTNN, the vendor's operators, on our simulator: what the test `ttnn` of package `tt-ttsim-abi` needs, and its run.
//!
//! ```text
//! target/ttnn/venv     the wheel and what it imports, from PyPI, pinned and checked
//! target/ttnn/root     links to the package's files, with Debian's GCC in place of the vendor's compiler (tests/vendor/ttnn)
//! target/ttnn/cache    kernels that it has compiled
//! target/ttnn/simulator, libggml_tenstorrent.so    for our runtime over the vendor's driver (`driver`)
//! ```
//! The wheel is one for CPython 3.10 or 3.12; where neither is there, the step is skipped, and says so.

mod driver;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::llama::Llama;
use crate::process::{capture, cargo, command, run, succeeds};
use crate::pypi::Pinned;
use crate::report::Report;
use crate::{paths, pypi, tools};

const NAME: &str = "TTNN on the simulator";

/// A Python that there is a wheel for.
struct Python {
    version: &'static str,
    packages: [Pinned; 6],
}

const fn pinned(requirement: &'static str, sha256: &'static str) -> Pinned {
    Pinned { requirement, sha256 }
}

const GRAPHVIZ: Pinned =
    pinned("graphviz==0.21", "54f33de9f4f911d7e84e4191749cac8cc5653f815b06738c54db9a15ab8b1e42");
const LOGURU: Pinned =
    pinned("loguru==0.7.3", "31a33c10c8e1e10422bfd431aeb5d351c7cf7fa671e3c4df004162264b28220c");
const NETWORKX: Pinned =
    pinned("networkx==3.4.2", "df5d4365b724cf81b8c6a7312509d0c22386097011ad1abe274afd5e9d3bbc5f");

/// The wheels, and of what they ask for only what they import.
const PYTHONS: [Python; 2] = [
    Python {
        version: "3.10",
        packages: [
            pinned("ttnn==0.81.1", "ed49aa1ee3f39a87cbee21f35c9133544879ebf537b1788f6f033681ab504503"),
            pinned("numpy==1.26.4", "ffa75af20b44f8dba823498024771d5ac50620e6915abac414251bd971b4529f"),
            pinned("ml_dtypes==0.5.4", "388d399a2152dd79a3f0456a952284a99ee5c93d3e2f8dfe25977511e0515270"),
            GRAPHVIZ,
            LOGURU,
            NETWORKX,
        ],
    },
    Python {
        version: "3.12",
        packages: [
            pinned("ttnn==0.81.1", "cc6df66162c8b5f5a5eb7347fe687b6095bf57bd64f9ba1be3d9b7f42e01d64f"),
            pinned("numpy==1.26.4", "675d61ffbfa78604709862923189bad94014bef562cc35cf61d3a07bba02a7ed"),
            pinned("ml_dtypes==0.5.4", "9ad459e99793fa6e13bd5b7e6792c8f9190b4e5a1b45c63aba14a4d0a7f1d5ff"),
            GRAPHVIZ,
            LOGURU,
            NETWORKX,
        ],
    },
];

/// Runtime objects of the package that are byte code of the vendor's compiler: source below `tt_metal/hw`, and the object.
const OBJECTS: [(&str, &str); 3] = [
    ("toolchain/substitutes.cpp", "substitutes.o"),
    ("firmware/src/tt-1xx/tdma_xmov.c", "tdma_xmov.o"),
    ("firmware/src/tt-1xx/wormhole/noc.c", "noc.o"),
];

/// Folders below `tt_metal` whose headers they include.
const INCLUDES: [&str; 8] = [
    "hw",
    "hw/inc",
    "hw/inc/internal",
    "hw/inc/internal/tt-1xx",
    "hw/inc/internal/tt-1xx/wormhole",
    "hw/inc/internal/tt-1xx/wormhole/wormhole_b0_defines",
    "hw/inc/internal/tt-1xx/wormhole/noc",
    "hostdevcommon/api",
];

/// What the tests get to know.
pub struct Installed {
    /// A Python with the package.
    pub python: PathBuf,
    /// The package's files.
    pub package: PathBuf,
    /// The same with a compiler.
    pub root: PathBuf,
}

/// An interpreter that there is a wheel for: on the path, or one of pyenv's.
fn interpreter() -> Option<(PathBuf, &'static Python)> {
    let is = |program: &Path, python: &Python| {
        let script = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";
        capture(command(program).args(["-c", script])).is_ok_and(|version| version.trim() == python.version)
    };
    PYTHONS.iter().find_map(|python| {
        let mut programs = vec![PathBuf::from(format!("python{}", python.version))];
        let pyenv =
            capture(command("pyenv").arg("root")).map(|root| PathBuf::from(root.trim()).join("versions"));
        if let Some(versions) = pyenv.ok().and_then(|folder| fs::read_dir(folder).ok()) {
            let mut found: Vec<PathBuf> = versions.flatten().map(|entry| entry.path()).collect();
            found.sort();
            programs.extend(found.into_iter().rev().map(|folder| folder.join("bin/python3")));
        }
        programs.into_iter().find(|program| is(program, python)).map(|program| (program, python))
    })
}

/// Makes all that is not there yet; `None` if no Python fits.
pub fn install() -> Result<Option<Installed>> {
    let Some((interpreter, python)) = interpreter() else { return Ok(None) };
    tools::ensure_riscv_compiler()?;
    let folder = paths::target().join("ttnn");
    let venv = folder.join("venv");
    let (stamp, list) = (folder.join("installed"), pypi::requirements(&python.packages));
    if fs::read_to_string(&stamp).ok().as_deref() != Some(&list) {
        eprintln!("fetching TTNN (103 MB) and what it imports, once");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        run(command(interpreter).args(["-m", "venv", "--clear"]).arg(&venv))?;
        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, &list)?;
        run(command(venv.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"])
            .args(["--only-binary", ":all:", "-r"])
            .arg(&requirements))?;
        fs::write(&stamp, &list)?;
    }
    let package = venv.join("lib").join(format!("python{}", python.version)).join("site-packages/ttnn");
    check_package(&package).with_context(|| format!("remove {}, and run this again", folder.display()))?;
    let root = folder.join("root");
    link(&package, &root)?;
    Ok(Some(Installed { python: venv.join("bin/python3"), package, root }))
}

/// Whether a package's files are those of the version that everything here is for.
fn check_package(package: &Path) -> Result<()> {
    let (library, version) = ("build/lib/_ttnncpp.so", "ttnn-0.81.1.dist-info");
    if !package.join(library).is_file() {
        bail!("{} is no package ttnn: it has no {library}", package.display());
    }
    if !package.with_file_name(version).is_dir() {
        bail!("{} is of another version than 0.81.1: there is no {version} beside it", package.display());
    }
    Ok(())
}

/// Links to the package's files, with our compiler and its objects.
fn link(package: &Path, root: &Path) -> Result<()> {
    let _ = fs::remove_dir_all(root);
    let compiler = root.join("runtime/sfpi/compiler/bin/riscv-tt-elf-g++");
    let objects = root.join("runtime/hw/lib/wormhole");
    fs::create_dir_all(compiler.parent().context("a folder")?)?;
    fs::create_dir_all(&objects)?;
    for entry in fs::read_dir(package)?.flatten().filter(|entry| entry.file_name() != "runtime") {
        symlink(entry.path(), root.join(entry.file_name()))?;
    }
    symlink(package.join("runtime/hw/toolchain"), root.join("runtime/hw/toolchain"))?;
    let ours = paths::root().join("tests/vendor/ttnn");
    fs::copy(ours.join("riscv-tt-elf-g++"), &compiler)?;
    symlink(ours.join("include"), root.join("runtime/sfpi/include"))?;
    for entry in fs::read_dir(package.join("runtime/hw/lib/wormhole"))?.flatten() {
        fs::copy(entry.path(), objects.join(entry.file_name()))?;
    }
    let metal = package.join("tt_metal");
    for (source, object) in OBJECTS {
        let folders = INCLUDES.iter().map(|folder| format!("-I{}", metal.join(folder).display()));
        run(command(&compiler)
            .args(["-O2", "-mcpu=tt-wh", "-std=c++17", "-fno-exceptions", "-fno-rtti"])
            .args(["-DARCH_WORMHOLE", "-DTENSIX_FIRMWARE", "-x", "c++"])
            .args(folders)
            .arg("-c")
            .arg(metal.join("hw").join(source))
            .arg("-o")
            .arg(objects.join(object)))?;
    }
    Ok(())
}

/// The operators, and our runtime over the vendor's user-mode driver.
pub fn step(report: &mut Report, host: Option<&Llama>) {
    if !succeeds(command("g++").arg("--version")) && tools::ensure_build_packages().is_err() {
        return report.skip(NAME, "no g++, whose C++ library kernels are compiled with");
    }
    let mut installed = None;
    report.step("TTNN and a compiler for it", || {
        installed = install()?;
        Ok(())
    });
    let Some(installed) = installed else {
        return report.skip(NAME, "no CPython 3.10 or 3.12, which the wheel is for (or see above)");
    };
    report.step(NAME, || {
        let mut command = cargo();
        match tools::has_nextest() {
            // Each test keeps the processors busy with compilers.
            true => command.args(["nextest", "run", "-p", "tt-ttsim-abi", "--test", "ttnn", "-j", "1"]),
            false => command.args(["test", "-p", "tt-ttsim-abi", "--test", "ttnn", "--", "--test-threads=1"]),
        };
        run(command.env("TTNN_PYTHON", &installed.python).env("TTNN_ROOT", &installed.root))
    });
    report.step("devices metal:N", || driver::check(&installed, host));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_version_is_taken() {
        let folder = std::env::temp_dir().join(format!("xtask-ttnn-{}", std::process::id()));
        let package = folder.join("ttnn");
        let check = || check_package(&package).map_err(|error| error.to_string());
        assert!(check().unwrap_err().contains("no package ttnn"));
        fs::create_dir_all(package.join("build/lib")).unwrap();
        fs::write(package.join("build/lib/_ttnncpp.so"), "").unwrap();
        fs::create_dir_all(folder.join("ttnn-0.82.0.dist-info")).unwrap();
        assert!(check().unwrap_err().contains("another version than 0.81.1"));
        fs::create_dir_all(folder.join("ttnn-0.81.1.dist-info")).unwrap();
        assert_eq!(check(), Ok(()));
        fs::remove_dir_all(folder).unwrap();
    }
}
