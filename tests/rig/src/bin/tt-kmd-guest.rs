//! What runs in the guest, on `/dev/tenstorrent/0`. The exit status says whether all was well.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tt_kmd_mock::conformance;
use tt_kmd_rig::work;
use tt_runtime::cards::{CardError, System};
use tt_runtime::transport::TransportError;
use tt_runtime::{Device, DeviceSpec, Error, OpDescriptor, parse_devices};
use tt_sys::kmd::ioctl::{GetDriverInfo, Ioctl as _, ResetDevice, reset as kinds, since};
use tt_sys::kmd::{Driver as _, Kernel, OpenFlags};

const NODE: &str = "/dev/tenstorrent/0";

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some("conformance") => conformance(),
        Some("runtime") => runtime(),
        Some("hold") => hold(),
        Some("users") => users(),
        Some("reset") => reset(),
        Some("lost") => lost(),
        Some("kick") => kick(),
        Some("all") => all(),
        Some("hold-all") => hold_all(),
        Some("killed") => killed(),
        other => Err(anyhow::anyhow!(
            "{other:?}: conformance, runtime, hold, users, reset, lost, kick, all, hold-all or killed"
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

/// The conformance list.
fn conformance() -> Result<()> {
    let checks = conformance::run(&Kernel, Path::new(NODE))?;
    let wrong: Vec<_> =
        checks.iter().filter_map(|check| Some((&check.what, check.wrong.as_ref()?))).collect();
    for (what, got) in &wrong {
        println!("FAIL {what}: {got}");
    }
    println!("{} checks good, {} failed", checks.len() - wrong.len(), wrong.len());
    ensure!(wrong.is_empty(), "the driver is not as the list says");
    Ok(())
}

fn card() -> Result<Arc<Device>> {
    let devices = parse_devices(None)?;
    println!("found: {devices:?}");
    let [spec @ DeviceSpec::Card(_)] = &devices[..] else { bail!("one card is expected") };
    Ok(Device::open(spec))
}

/// Products and copies, and what they cost.
fn runtime() -> Result<()> {
    let start = Instant::now();
    let device = card()?;
    println!("found after {} us", start.elapsed().as_micros());
    let bytes = work::results(&device)?;
    println!("RESULT {:016x}", work::hash(&bytes));
    println!("pushed: {:?}, {:.1} s", device.is_pushed_to(), start.elapsed().as_secs_f32());
    Ok(())
}

/// Computes until it is killed.
fn hold() -> Result<()> {
    let device = card()?;
    device.execute(&OpDescriptor::NOP)?;
    println!("HOLDING");
    std::io::stdout().flush()?;
    loop {
        device.execute(&OpDescriptor::NOP)?;
    }
}

/// Every chip of every card.
fn devices() -> Result<Vec<Arc<Device>>> {
    let specs = parse_devices(None)?;
    let cards = specs.iter().filter(|spec| matches!(spec, DeviceSpec::Card(_))).count();
    println!("{cards} cards, {} devices: {specs:?}", specs.len());
    Ok(specs.iter().map(Device::open).collect())
}

/// Products and copies on every chip of every card, and copies between the chips of one.
fn all() -> Result<()> {
    let devices = devices()?;
    for device in &devices {
        let start = Instant::now();
        println!("RESULT {:016x}", work::hash(&work::results(device)?));
        println!("pushed: {:?}, {:.1} s", device.is_pushed_to(), start.elapsed().as_secs_f32());
    }
    let beside = devices.iter().zip(devices.iter().skip(1)).find(|(one, two)| one.is_beside(two));
    let (first, second) = beside.context("there is an n300")?;
    work::bulk(first, second)
}

/// Computes on every chip of every card until it is killed.
fn hold_all() -> Result<()> {
    let devices = devices()?;
    for device in &devices {
        device.execute(&OpDescriptor::NOP)?;
    }
    println!("HOLDING");
    std::io::stdout().flush()?;
    std::thread::scope(|scope| {
        for device in &devices {
            scope.spawn(move || while device.execute(&OpDescriptor::NOP).is_ok() {});
        }
    });
    bail!("a device has failed")
}

/// A process that uses all chips is killed, and the next one uses them.
fn killed() -> Result<()> {
    let mut child = holder("hold-all")?;
    std::thread::sleep(Duration::from_millis(500));
    child.kill()?;
    child.wait()?;
    all()
}

/// Starts a process that has the card, and waits until it does.
fn holder(what: &str) -> Result<Child> {
    let mut child = Command::new(std::env::current_exe()?).arg(what).stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().context("it is piped")?;
    for line in BufReader::new(out).lines() {
        if line? == "HOLDING" {
            return Ok(child);
        }
    }
    bail!("the other process has not got the card");
}

/// Two processes at once: the second one is told who has the card. The first is killed while it computes; then the second one gets it.
fn users() -> Result<()> {
    let mut child = holder("hold")?;
    let device = card()?;
    let error = match device.info() {
        Err(Error::Transport(TransportError::Card(error @ CardError::InUse { .. }))) => error.to_string(),
        other => bail!("{other:?}: the card is in use"),
    };
    println!("{error}");
    // Versions before 2.5 do not tell.
    let told = System::this().users(0).0;
    ensure!(told.is_empty() || error.contains(&format!("process {}", child.id())), "it is not named");
    child.kill()?;
    child.wait()?;
    device.reopen();
    let bytes = work::results(&device)?;
    println!("RESULT {:016x} after a kill", work::hash(&bytes));
    Ok(())
}

/// A reset of ours, and work after it.
fn reset() -> Result<()> {
    let devices = parse_devices(None)?;
    let [DeviceSpec::Card(card)] = &devices[..] else { bail!("one card is expected") };
    match tt_runtime::transport::kmd::reset(card) {
        Err(CardError::NoReset { .. }) => println!("this version cannot"),
        done => done?,
    }
    runtime()
}

/// Resets the card whoever has it.
fn kick() -> Result<()> {
    let open = || Kernel.open(Path::new(NODE), OpenFlags::POWER_AWARE);
    let mut file = open()?;
    let mut driver = GetDriverInfo::ask();
    driver.call(&*file)?;
    let version = driver.version();
    ResetDevice::new(kinds::ASIC).call(&*file)?;
    if version >= since::POWER && version < since::EXCLUSIVE {
        file = open()?;
    }
    std::thread::sleep(Duration::from_millis(500));
    let mut post = ResetDevice::new(kinds::POST);
    post.call(&*file)?;
    ensure!(post.result == 0, "the chip is not back");
    Ok(())
}

/// Another process resets the card while it is used here: an error, and the card can be opened again.
fn lost() -> Result<()> {
    let device = card()?;
    device.execute(&OpDescriptor::NOP)?;
    let driver = device.card().context("it is a card")?.driver;
    if driver < since::ASIC_RESET {
        println!("this version cannot reset");
        return Ok(());
    }
    ensure!(Command::new(std::env::current_exe()?).arg("kick").status()?.success(), "the reset has failed");
    match device.execute(&OpDescriptor::NOP) {
        Err(error @ Error::Transport(TransportError::Card(CardError::Reset { .. }))) => println!("{error}"),
        Err(error @ Error::Stopped { .. }) if driver < since::POWER => println!("{error}"),
        other => bail!("{other:?}: another process has reset the card"),
    }
    device.reopen();
    println!("RESULT {:016x} after a reset by another", work::hash(&work::results(&device)?));
    Ok(())
}
