//! A run of a virtual machine: Debian's kernel, busybox, the driver, programs of ours.

use std::collections::BTreeSet;
use std::fs;
use std::io::BufWriter;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tt_isa::chip::board;

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
    /// Boards of the cards; at most two.
    pub boards: &'a [&'static str],
    /// MiB of memory.
    pub memory: u32,
    /// The run is ended after so long.
    pub limit: Duration,
}

/// What a run left.
pub struct Run {
    /// All that was said.
    pub text: String,
    /// What each card was asked.
    pub reports: Vec<Report>,
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
        let (mut cards, mut sockets) = (Vec::new(), Vec::new());
        for name in self.boards {
            let board = board(name).with_context(|| format!("there is no board {name}"))?;
            let (ours, theirs) = UnixStream::pair()?;
            cards.push(std::thread::spawn(move || device::serve(ours, board)));
            // QEMU inherits it.
            rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty())?;
            sockets.push(OwnedFd::from(theirs));
        }
        let mut qemu = self.qemu(&files, &log, &sockets).stdin(Stdio::null()).spawn()?;
        drop(sockets);
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
        let mut reports = Vec::new();
        for card in cards {
            match card.join() {
                Ok(report) => reports.push(report?),
                Err(_) => bail!("a card has panicked\n{text}"),
            }
        }
        if !ended {
            bail!("the guest did not end in {} s\n{text}\n{reports:?}", self.limit.as_secs());
        }
        Ok(Run { text, reports })
    }

    fn qemu(&self, files: &Path, log: &Path, cards: &[OwnedFd]) -> Command {
        let memory = format!("{}M", self.memory);
        let mut command = Command::new(QEMU);
        // The other kind of machine has room below 4 GiB for the BARs of several cards.
        let machine = if cards.len() > 1 { "pc" } else { "q35" };
        let machine = format!("{machine},accel=tcg,memory-backend=ram");
        command.args(["-machine", &machine, "-cpu", "max", "-m", &memory]);
        command.args(["-object", &format!("memory-backend-memfd,id=ram,size={memory},share=on")]);
        command.args(["-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot"]);
        command.args(["-chardev", &format!("file,id=log,path={}", log.display()), "-serial", "chardev:log"]);
        command.arg("-kernel").arg(self.kernel).arg("-initrd").arg(files);
        command.args(["-append", "console=ttyS0 panic=-1 quiet"]);
        for (n, socket) in cards.iter().enumerate() {
            command.args(["-device", &format!("x-pci-proxy-dev,id=card{n},fd={}", socket.as_raw_fd())]);
        }
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
