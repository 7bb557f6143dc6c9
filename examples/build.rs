//! Compiles the kernels of the examples (`kernels/src/bin`).

fn main() {
    tt_kernel_build::kernels("kernels");
}
