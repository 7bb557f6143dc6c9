//! Debugging of the backend, asked for in the environment: which operators the device may have ([`filter`]), where
//! time goes ([`profile`]), whether results are right ([`check`]).
//!
//! `docs/debugging.md` is for the people who use them.

pub mod check;
mod compare;
pub mod filter;
pub mod profile;
pub mod refusals;

/// Looks at the settings once, where the log can say what is wrong with them.
pub fn start() {
    filter::start();
}

/// Whether each node has to be computed by itself, because a report wants to know what it took or whether it is right.
pub fn wants_each_node() -> bool {
    check::is_on() || profile::is_on()
}

/// Whether results are read from where ggml has them, as soon as they are there.
pub fn compares_results() -> bool {
    check::is_on()
}

/// A backend of a device is gone: says what there is to say about what ran on it.
pub fn report(device: &tt_runtime::Device) {
    check::report();
    profile::report(device);
}
