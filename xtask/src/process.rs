//! Runs other programs, with their output shown, captured, or both.
//!
//! No shell is used, and standard input is always closed, so no program can wait for input.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// A command without standard input.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// `cargo`, the one that started us.
pub fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = command(program);
    command.current_dir(crate::paths::root());
    command
}

/// The command as one would type it, for messages.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| {
        let word = word.to_string_lossy();
        if word.is_empty() || word.contains(char::is_whitespace) {
            format!("'{word}'")
        } else {
            word.into_owned()
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

fn start_error(command: &Command) -> String {
    format!("cannot start `{}`", shown(command))
}

/// Runs a command with all its output on our standard error (standard output is for results); an exit code
/// other than 0 is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.stdout(std::io::stderr()).status().with_context(|| start_error(command))?;
    check(command, status)
}

/// Turns an unsuccessful exit into an error that names the command.
pub fn check(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs a command silently and returns its standard output.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| start_error(command))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}):\n{text}", shown(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command and hands over each line of its standard output as soon as it is there.
pub fn each_line(command: &mut Command, mut take: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| start_error(command))?;
    let lines = child.stdout.take().map(|out| BufReader::new(out).lines());
    let taken = lines.into_iter().flatten().try_for_each(|line| take(&line?));
    check(command, child.wait()?)?;
    taken
}

/// True if the command starts and succeeds; its output is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Where a watched program's standard output goes besides being kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// To ours, byte by byte as it comes: a generating model shows its words at once.
    Shown,
    /// Nowhere.
    Kept,
}

/// What a program did that ran under [`watch`].
pub struct Watched {
    /// Its exit status; `None` if it was stopped because its time was up.
    pub status: Option<ExitStatus>,
    /// All lines of standard error.
    pub log: String,
    /// All bytes of standard output.
    pub out: String,
}

/// Runs a command, shows those lines of standard error that `show` accepts, keeps everything and writes the
/// log (standard error) to a file.
pub fn watch(
    command: &mut Command,
    log_file: &Path,
    limit: Option<Duration>,
    echo: Echo,
    show: impl Fn(&str) -> bool + Send,
) -> Result<Watched> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| start_error(command))?;
    let out = child.stdout.take().context("no standard output")?;
    let err = child.stderr.take().context("no standard error")?;
    let (status, log, out) = thread::scope(|scope| -> Result<_> {
        let out = scope.spawn(|| pass_through(out, echo));
        let err = scope.spawn(|| keep_lines(err, show));
        let status = wait(&mut child, limit)?;
        Ok((status, err.join().unwrap_or_default(), out.join().unwrap_or_default()))
    })?;
    fs::write(log_file, &log).with_context(|| format!("cannot write {}", log_file.display()))?;
    Ok(Watched { status, log, out })
}

/// How a command ended that ran under [`until`].
pub struct Ended {
    /// Whether the line came that was waited for.
    pub seen: bool,
    /// All lines of standard output and standard error up to then.
    pub output: String,
}

/// Runs a command until it prints a line that `wanted` accepts, on either stream, and ends it then with all that it has started.
pub fn until(command: &mut Command, limit: Duration, wanted: impl Fn(&str) -> bool) -> Result<Ended> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().with_context(|| start_error(command))?;
    let (send, lines) = mpsc::channel();
    let streams: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|out| Box::new(out) as _),
        child.stderr.take().map(|err| Box::new(err) as _),
    ];
    for stream in streams.into_iter().flatten() {
        let send = send.clone();
        // Ends with the stream, which ends with the command.
        thread::spawn(move || {
            BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
    }
    drop(send);
    let (start, mut ended) = (Instant::now(), Ended { seen: false, output: String::new() });
    while let Ok(line) = lines.recv_timeout(limit.saturating_sub(start.elapsed())) {
        ended.output.push_str(&line);
        ended.output.push('\n');
        if wanted(&line) {
            ended.seen = true;
            break;
        }
    }
    // The group may have ended by itself. (A program `kill` is not on every machine; the shell has one.)
    succeeds(self::command("sh").args(["-c", &format!("kill -KILL -{}", child.id())]));
    child.wait()?;
    if !ended.seen && start.elapsed() >= limit {
        bail!("`{}` did not end in {} s:\n{}", shown(command), limit.as_secs(), ended.output);
    }
    Ok(ended)
}

fn pass_through(mut from: impl Read, echo: Echo) -> String {
    let (mut kept, mut chunk) = (Vec::new(), [0_u8; 4096]);
    while let Ok(count) = from.read(&mut chunk) {
        if count == 0 {
            break;
        }
        kept.extend_from_slice(&chunk[..count]);
        if echo == Echo::Kept {
            continue;
        }
        let mut stdout = std::io::stdout().lock();
        // A closed pipe on our side is no reason to stop the program.
        let _ = stdout.write_all(&chunk[..count]).and_then(|()| stdout.flush());
    }
    String::from_utf8_lossy(&kept).into_owned()
}

fn keep_lines(from: impl Read, show: impl Fn(&str) -> bool) -> String {
    let mut kept = String::new();
    let mut lines = BufReader::new(from);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        let text = String::from_utf8_lossy(&line);
        if show(&text) {
            eprint!("{text}");
        }
        kept.push_str(&text);
        line.clear();
    }
    kept
}

fn wait(child: &mut std::process::Child, limit: Option<Duration>) -> Result<Option<ExitStatus>> {
    let Some(limit) = limit else { return Ok(Some(child.wait()?)) };
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}
