//! Bindings to what is outside of this project, with safe interfaces: the vendor's kernel driver ([`kmd`]), simulator library
//! ([`ttsim`]) and, with feature `metal`, user-mode driver (`metal`).

pub mod kmd;
#[cfg(feature = "metal")]
pub mod metal;
pub mod ttsim;
