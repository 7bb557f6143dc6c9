//! Tests of the cores, by what they are about.

mod arithmetic;
mod control;
mod encodings;
mod idle;
mod memory;
