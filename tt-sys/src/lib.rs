//! Bindings to what is outside of this project, with safe interfaces: the vendor's kernel driver ([`kmd`]) and simulator library ([`ttsim`]).

pub mod kmd;
pub mod ttsim;
