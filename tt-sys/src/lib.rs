//! Bindings to what is outside of this project, with safe interfaces: the vendor's simulator library ([`ttsim`]).

pub mod ttsim;
