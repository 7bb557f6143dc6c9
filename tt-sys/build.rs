//! Compiles the bridge to the vendor's user-mode driver, where feature `metal` asks for it. It needs a C++ compiler, and nothing of the
//! vendor's.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "metal")]
    {
        for file in ["mod.rs", "shim.cc", "shim.h"] {
            println!("cargo::rerun-if-changed=src/metal/{file}");
        }
        cxx_build::bridge("src/metal/mod.rs").file("src/metal/shim.cc").std("c++20").compile("tt-sys-metal");
    }
}
