//! Keeps the library loaded after `dlclose`: worker threads may still be ending when a caller closes it.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo::rerun-if-changed=build.rs");
}
