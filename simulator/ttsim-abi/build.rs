//! Keeps the library loaded once it is: worker threads may still be ending when a caller closes it.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo::rerun-if-changed=build.rs");
}
