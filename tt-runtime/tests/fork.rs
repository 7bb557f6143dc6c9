//! A process that forks while it has devices: in the child they are an error, the parent goes on.
#![allow(unsafe_code)]

mod common;
mod machine;

use std::sync::Arc;

use common::{Rng, simulator, transfers};
use machine::Machine;
use tt_kmd_mock::VERSIONS;
use tt_runtime::{Device, DramAddr, Error, OpDescriptor};

/// What the child says by its exit status.
const REFUSED: i32 = 42;

/// Whether every use of the device is refused.
fn is_refused(device: &Arc<Device>) -> bool {
    let uses = [
        device.execute(&OpDescriptor::NOP),
        device.write(DramAddr(1 << 30), &[1; 64]),
        device.read(DramAddr(1 << 30), &mut [0; 4096]),
    ];
    uses.iter().all(|done| matches!(done, Err(Error::Forked)))
}

/// The exit status of a child that tries to use the device.
fn in_a_child(device: &Arc<Device>) -> i32 {
    // SAFETY: the other threads of this process are the simulator's, which wait for work and hold no lock of the allocator's or the device's. The
    // child tries a device, which refuses before it does anything, and ends without running what was registered for the end.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "no child");
    if pid == 0 {
        let status = if is_refused(device) { REFUSED } else { 1 };
        // SAFETY: ends this process.
        unsafe { libc::_exit(status) };
    }
    let mut status = 0;
    // SAFETY: there is room for the status of a child that was just made.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status), "status {status:#x}");
    libc::WEXITSTATUS(status)
}

fn parent_goes_on(device: &Arc<Device>) {
    device.execute(&OpDescriptor::NOP).unwrap();
    assert_eq!(in_a_child(device), REFUSED);
    device.execute(&OpDescriptor::NOP).unwrap();
    transfers::run(device, &mut Rng::new(8), 10_000).unwrap();
    // The next child finds the same.
    assert_eq!(in_a_child(device), REFUSED);
    device.execute(&OpDescriptor::NOP).unwrap();
}

#[test]
fn a_simulated_device_is_its_parents() {
    parent_goes_on(&simulator());
}

#[test]
fn a_card_is_its_parents() {
    let machine = Machine::new(VERSIONS[VERSIONS.len() - 1]);
    parent_goes_on(&machine.device());
}
