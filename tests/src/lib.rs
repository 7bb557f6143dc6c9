//! Support for whole-system tests: real llama.cpp programs with this library.
//!
//! `cargo xtask test` builds what these tests need and passes the paths in variables:
//!
//! | variable | names |
//! |---|---|
//! | `TT_LLAMA_BIN` | folder of llama.cpp's programs and libraries |
//! | `TT_BACKEND_SO` | `libggml-tenstorrent.so` |
//! | `TT_LOGITS` | the program made from `tests/native/logits.cpp`; programs of the other sources are in the same folder |
//! | `TT_EXTRA_MODELS` | folder with further models (`stories260K.gguf`) |
//! | `TT_MODELS` | folder of the real models that `xtask` fetches |
//! | `TTSIM_LIB` | the vendor's simulator, `libttsim.so` |
//! | `TTSIM_DATA` | folder `data` of the sources of the vendor's simulator |
//! | `TTNN_WHEEL` | package folder `ttnn` of the vendor's wheel, unpacked |
//! | `TT_FULL` | set: run the long variants too |
//!
//! A test whose tools are missing prints `SKIPPED: reason` and returns; the lines are collected and shown at the end of the
//! run. Nothing is skipped in silence.

pub mod architectures;
pub mod bench;
pub mod bert;
pub mod blocks;
pub mod compare;
pub mod gguf;
pub mod layers;
pub mod listings;
pub mod models;
pub mod nodes;
pub mod random;
pub mod server;
pub mod tools;
pub mod ttnn;

pub use layers::Layers;
pub use tools::{Device, Missing, Tools};
pub use tt_test_output as backend_ops;
