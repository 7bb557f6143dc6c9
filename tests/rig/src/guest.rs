//! A run of a virtual machine: Debian's kernel, busybox, the driver, programs of ours.

use std::collections::BTreeSet;
use std::fs;
use std::io::BufWriter;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::archive::Archive;
use crate::device::{self, Report};

const QEMU: &str = "qemu-system-x86_64";
const BUSYBOX: &str = "/bin/busybox";
const INIT: &str = include_str!("../guest/init.sh");

/// What a run needs of the machine.
pub struct Needs {
    /// Kernel image.
    pub kernel: PathBuf,
    /// Builds of the driver, one or more.
    pub modules: Vec<PathBuf>,
}

impl Needs {
    /// From the environment, or what is missing.
    pub fn find() -> Result<Self, String> {
        let path = |name: &str| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| format!("{name} is not set (docs/cards.md says what it names)"))
        };
        let modules: Vec<PathBuf> = std::env::split_paths(&path("TT_KMD_KO")?).collect();
        let kernel = PathBuf::from(path("TT_KMD_KERNEL")?);
        for file in modules.iter().chain([&kernel]) {
            if !file.is_file() {
                return Err(format!("{} does not exist", file.display()));
            }
        }
        if !Path::new(BUSYBOX).is_file() {
            return Err(format!("{BUSYBOX} does not exist (apt-get install busybox-static)"));
        }
        match Command::new(QEMU).arg("--version").stdout(Stdio::null()).status() {
            Ok(status) if status.success() => Ok(Self { kernel, modules }),
            _ => Err(format!("there is no {QEMU} (apt-get install qemu-system-x86)")),
        }
    }
}

/// A virtual machine.
pub struct Guest<'a> {
    /// Kernel image.
    pub kernel: &'a Path,
    /// The driver.
    pub module: &'a Path,
    /// Programs and other files: where they are in the guest (no `/` in front), and here. The libraries of programs come along.
    pub files: Vec<(String, PathBuf)>,
    /// Names and commands, in their order.
    pub commands: Vec<(String, String)>,
    /// MiB of memory.
    pub memory: u32,
    /// The run is ended after so long.
    pub limit: Duration,
}

/// What a run left.
pub struct Run {
    /// All that was said.
    pub text: String,
    /// What the device was asked.
    pub report: Report,
}

impl Run {
    /// Exit status of a command; `None` if it did not end.
    pub fn status(&self, name: &str) -> Option<i32> {
        let head = format!("GUEST: {name}: ");
        self.text.lines().find_map(|line| line.trim().strip_prefix(&head)?.parse().ok())
    }
}

impl Guest<'_> {
    /// Boots, runs the commands, and switches off.
    ///
    /// # Errors
    /// QEMU cannot be started, a file cannot be read, the device fails, or time is over.
    pub fn run(&self) -> Result<Run> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("tt-kmd-rig-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let result = self.run_in(&folder);
        fs::remove_dir_all(&folder)?;
        result
    }

    fn run_in(&self, folder: &Path) -> Result<Run> {
        let (files, log) = (folder.join("files"), folder.join("log"));
        self.pack(&files)?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut qemu = self.qemu(&files, &log).stdin(Stdio::from(OwnedFd::from(theirs))).spawn()?;
        let device = std::thread::spawn(move || device::serve(ours));
        let start = Instant::now();
        let ended = loop {
            if qemu.try_wait()?.is_some() {
                break true;
            }
            if start.elapsed() > self.limit {
                qemu.kill()?;
                qemu.wait()?;
                break false;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let text = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
        let report = match device.join() {
            Ok(report) => report?,
            Err(_) => bail!("the device has panicked\n{text}"),
        };
        if !ended {
            bail!("the guest did not end in {} s\n{text}\n{report:?}", self.limit.as_secs());
        }
        Ok(Run { text, report })
    }

    fn qemu(&self, files: &Path, log: &Path) -> Command {
        let memory = format!("{}M", self.memory);
        let mut command = Command::new(QEMU);
        command.args(["-machine", "q35,accel=tcg,memory-backend=ram", "-cpu", "max", "-m", &memory]);
        command.args(["-object", &format!("memory-backend-memfd,id=ram,size={memory},share=on")]);
        command.args(["-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot"]);
        command.args(["-chardev", &format!("file,id=log,path={}", log.display()), "-serial", "chardev:log"]);
        command.arg("-kernel").arg(self.kernel).arg("-initrd").arg(files);
        command.args(["-append", "console=ttyS0 panic=-1 quiet"]);
        // The socket is its standard input.
        command.args(["-device", "x-pci-proxy-dev,id=card,fd=0"]);
        command
    }

    /// Writes the initial file system.
    fn pack(&self, out: &Path) -> Result<()> {
        let mut archive = Archive::new(BufWriter::new(fs::File::create(out)?));
        for folder in ["bin", "dev", "proc", "sys", "tmp"] {
            archive.folder(folder)?;
        }
        archive.file("init", INIT.as_bytes())?;
        let commands: String =
            self.commands.iter().map(|(name, command)| format!("{name} {command}\n")).collect();
        archive.file("commands", commands.as_bytes())?;
        let own = [("bin/busybox", Path::new(BUSYBOX)), ("tenstorrent.ko", self.module)];
        let mut libraries = BTreeSet::new();
        for (name, file) in &self.files {
            libraries.extend(libraries_of(file)?);
            add(&mut archive, name, file)?;
        }
        for (name, file) in own {
            add(&mut archive, name, file)?;
        }
        for library in libraries {
            add(&mut archive, library.to_string_lossy().trim_start_matches('/'), &library)?;
        }
        archive.finish()?;
        Ok(())
    }
}

fn add<W: std::io::Write>(archive: &mut Archive<W>, name: &str, file: &Path) -> Result<()> {
    let data = fs::read(file).with_context(|| file.display().to_string())?;
    Ok(archive.file(name, &data)?)
}

/// The shared libraries that a program needs, by their paths; none of what is no program.
fn libraries_of(program: &Path) -> Result<Vec<PathBuf>> {
    let listed = Command::new("ldd").arg(program).stderr(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    Ok(text.lines().filter_map(path).collect())
}
