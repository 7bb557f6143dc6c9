//! Whether the host's structs are those of a layout: the host's own functions are called on structs of ours, and what they do is
//! compared.
//!
//! | module | what is compared |
//! |---|---|
//! | [`tensors`] | fields of tensors and graphs that the host has made |
//! | [`slots`] | which word of a table each of the host's functions calls, and where the fields behind it are |
//! | [`null`] | a device without silicon, with our real tables: arguments and results, from the registry to a computed graph |
//!
//! A host of another layout may crash in there. So everything that it could call is something of ours (in [`slots`] every word of every
//! struct is a function), and the whole test runs in a child process: its end is a verdict too.
//!
//! What cannot be seen this way: structs that only the program reads (`ggml_backend_dev_caps`), what operators' parameters mean, and
//! functions added at the end of a table that no exported function calls.

#![allow(unsafe_code)]

mod child;
mod null;
mod slots;
mod tensors;

use super::tables::Layout;

/// What did not agree.
pub type Failure = String;

/// Runs the test in a child process.
pub fn rehearse(layout: Layout) -> Result<(), Failure> {
    child::run(|| run(layout))
}

/// Runs the test here.
pub fn run(layout: Layout) -> Result<(), Failure> {
    tensors::check()?;
    slots::check(layout)?;
    null::check(layout)
}

/// `Ok` if `what` holds.
fn holds(holds: bool, what: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}
