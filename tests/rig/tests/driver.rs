//! The kernel driver itself in a virtual machine: the conformance list, the runtime, two processes at once, a killed one, a reset.
//! Each build of the driver in `TT_KMD_KO` boots once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tt_kmd_rig::guest::{Guest, Needs, Run};
use tt_kmd_rig::work;
use tt_runtime::{Device, parse_devices};

const GUEST: &str = env!("CARGO_BIN_EXE_tt-kmd-guest");
const LIMIT: Duration = Duration::from_secs(300);

fn run(needs: &Needs, module: &Path, commands: &[&str]) -> Run {
    let command = |name: &&str| ((*name).to_owned(), format!("/guest {name}"));
    let guest = Guest {
        kernel: &needs.kernel,
        module,
        files: vec![("guest".to_owned(), PathBuf::from(GUEST))],
        commands: commands.iter().map(command).collect(),
        memory: 1024,
        limit: LIMIT,
    };
    guest.run().unwrap_or_else(|error| panic!("{}: {error}", module.display()))
}

#[test]
fn the_driver_itself() {
    let needs = match Needs::find() {
        Ok(needs) => needs,
        Err(missing) => {
            println!("SKIPPED: {missing}");
            return;
        }
    };
    let sim = Device::open(&parse_devices(Some("sim")).unwrap()[0]);
    let want = format!("RESULT {:016x}", work::hash(&work::results(&sim).unwrap()));
    for module in &needs.modules {
        let commands = ["runtime", "users", "reset", "conformance"];
        let run = run(&needs, module, &commands);
        println!("{}: {}", module.display(), run.text);
        println!(
            "BAR reads {}, writes {}, resets {}",
            run.report.reads, run.report.writes, run.report.resets
        );
        for name in commands {
            assert_eq!(run.status(name), Some(0), "{}: {name}: {}", module.display(), run.text);
        }
        assert_eq!(run.text.matches(&want).count(), 3, "other bytes: {}", run.text);
        assert!(run.text.contains("pushed: Some(true)"), "{}", run.text);
        assert_eq!(run.status("end"), Some(0), "the driver can be unloaded: {}", run.text);
    }
}
