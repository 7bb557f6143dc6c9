//! The same cargo on another package, for the cores' target.
//!
//! Nothing of the outer build may leak into it: compiler wrappers (clippy), flags for the host, profile overrides. Miri comes with nightly
//! toolchains, which often lack the cores' target: there the package's own toolchain compiles the device code.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The cores' target.
pub const TARGET: &str = "riscv32im-unknown-none-elf";

/// Why there are no images.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not in a build script.
    #[error("{0} is not set: this program runs under cargo only")]
    NotCargo(String),
    /// A program that cannot be started.
    #[error("cannot run {program}: {source}")]
    Run {
        /// The program.
        program: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The standard library of the target has to be there.
    #[error("the target {TARGET} is not installed: run `rustup target add {TARGET}`")]
    NoTarget,
    /// The kernels do not compile.
    #[error("the kernels in {} do not build:\n{messages}", package.display())]
    Compile {
        /// Folder of the package.
        package: PathBuf,
        /// What the compiler says.
        messages: String,
    },
    /// A file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A package without binaries.
    #[error("there are no kernels in {}", path.display())]
    NoKernels {
        /// The folder that should have them.
        path: PathBuf,
    },
}

/// How a package is compiled.
pub struct Compile {
    package: PathBuf,
    target_dir: Option<PathBuf>,
    features: Option<String>,
    flags: Vec<String>,
    binaries: Vec<String>,
    environment: Vec<(String, String)>,
    locked: bool,
}

/// An environment variable that cargo sets.
pub(crate) fn variable(name: &str) -> Result<String, Error> {
    std::env::var(name).map_err(|_| Error::NotCargo(name.into()))
}

impl Compile {
    /// All binaries of the package in a folder.
    pub fn new(package: &Path) -> Self {
        Self {
            package: package.to_owned(),
            target_dir: None,
            features: None,
            flags: Vec::new(),
            binaries: Vec::new(),
            environment: Vec::new(),
            locked: false,
        }
    }

    /// Where cargo puts what it makes.
    pub fn target_dir(mut self, folder: &Path) -> Self {
        self.target_dir = Some(folder.to_owned());
        self
    }

    /// Features instead of the package's default ones.
    pub fn features(mut self, features: &str) -> Self {
        self.features = Some(features.into());
        self
    }

    /// Flags for the compiler.
    pub fn flags<S: Into<String>>(mut self, flags: impl IntoIterator<Item = S>) -> Self {
        self.flags.extend(flags.into_iter().map(Into::into));
        self
    }

    /// Only one binary; called again, one more.
    pub fn binary(mut self, name: impl Into<String>) -> Self {
        self.binaries.push(name.into());
        self
    }

    /// Settings of the release profile, instead of the package's own.
    pub fn profile(mut self, settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter();
        self.environment
            .extend(settings.map(|(name, value)| (format!("CARGO_PROFILE_RELEASE_{name}"), (*value).into())));
        self
    }

    /// The package's lock file is taken as it is.
    pub fn locked(mut self) -> Self {
        self.locked = true;
        self
    }

    /// Compiles them.
    ///
    /// # Errors
    /// The target is missing; the compiler's messages.
    pub fn run(&self) -> Result<(), Error> {
        self.require_target()?;
        let mut cargo = self.tool("cargo")?;
        cargo.args(["build", "--release", "--target", TARGET]);
        match self.binaries.is_empty() {
            true => cargo.arg("--bins"),
            false => cargo.args(self.binaries.iter().flat_map(|name| ["--bin", name])),
        };
        cargo.arg("--manifest-path").arg(self.package.join("Cargo.toml"));
        if let Some(folder) = &self.target_dir {
            cargo.arg("--target-dir").arg(folder);
        }
        if let Some(features) = &self.features {
            cargo.args(["--no-default-features", "--features", features]);
        }
        if self.locked {
            cargo.arg("--locked");
        }
        for name in std::env::vars_os().map(|(name, _)| name).filter(leaks) {
            cargo.env_remove(&name);
        }
        cargo.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // Set, if only to nothing, this variable also overrules flags in configuration files.
        cargo.env("CARGO_ENCODED_RUSTFLAGS", self.flags.join("\x1f"));
        let output = cargo.output().map_err(|source| Error::Run { program: "cargo", source })?;
        match output.status.success() {
            true => Ok(()),
            false => Err(Error::Compile {
                package: self.package.clone(),
                messages: String::from_utf8_lossy(&output.stderr).into_owned(),
            }),
        }
    }

    /// `cargo` or `rustc`, to be run in the package's folder.
    fn tool(&self, name: &'static str) -> Result<Command, Error> {
        let mut command = if std::env::var_os("CARGO_CFG_MIRI").is_some() {
            let mut command = Command::new(name);
            command.env_remove("RUSTUP_TOOLCHAIN");
            command
        } else {
            Command::new(variable(&name.to_uppercase())?)
        };
        command.current_dir(&self.package);
        Ok(command)
    }

    /// The standard library of the target has to be there.
    fn require_target(&self) -> Result<(), Error> {
        let output = self
            .tool("rustc")?
            .args(["--print", "target-libdir", "--target", TARGET])
            .output()
            .map_err(|source| Error::Run { program: "rustc", source })?;
        let dir = String::from_utf8_lossy(&output.stdout);
        let has_core = std::fs::read_dir(Path::new(dir.trim())).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore"))
        });
        if output.status.success() && has_core { Ok(()) } else { Err(Error::NoTarget) }
    }
}

/// Whether a variable is the outer build's affair.
fn leaks(name: &OsString) -> bool {
    let text = name.to_string_lossy();
    let cargos = text.starts_with("CARGO") && text != "CARGO_HOME" && !text.starts_with("CARGO_NET");
    cargos
        || matches!(
            &*text,
            "RUSTFLAGS"
                | "RUSTC"
                | "RUSTC_WRAPPER"
                | "RUSTC_WORKSPACE_WRAPPER"
                | "RUSTDOC"
                | "RUSTC_LINKER"
                | "CLIPPY_ARGS"
        )
}
