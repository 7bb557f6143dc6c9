//! The operators, one module each; within it one function a core.

pub mod copy;
pub mod elementwise;
pub mod fold;
pub mod matmul;
pub mod recurrent;
pub mod resample;
pub mod rows;
pub mod set_rows;
pub mod sfpu;
pub mod sfpu_rows;
pub mod windows;

use crate::rt::lane::Lane;
use crate::rt::launch::Launch;
use tt_kernel_abi::Op;
use tt_kernel_abi::launch::ErrorCode;

/// Whether all five cores work on an elementwise operator together, with the vector unit.
pub fn on_sfpu(op: Op, launch: &Launch) -> bool {
    matches!(op, Op::Unary | Op::Binary | Op::Glu | Op::OptStep)
        && launch.op.flags & tt_kernel_abi::sfpu::ON_SFPU != 0
}

/// Whether all five cores work on a function of rows together, with the vector unit.
pub fn rows_on_sfpu(op: Op, launch: &Launch) -> bool {
    op == Op::Rows && launch.op.flags & tt_kernel_abi::sfpu::ON_SFPU != 0
}

/// Operators that run as lanes, on BRISC with NoC 0 and on NCRISC with NoC 1.
pub fn lane(op: Op, launch: &Launch, noc: u32) {
    match op {
        Op::Unary => elementwise::unary(Lane::new(launch, noc)),
        Op::Binary => elementwise::binary(Lane::new(launch, noc)),
        Op::Glu => elementwise::glu(Lane::new(launch, noc)),
        Op::Copy => copy::run(Lane::new(launch, noc)),
        Op::Rows => rows::run(Lane::new(launch, noc)),
        Op::Windows => windows::run(Lane::new(launch, noc)),
        Op::Fold => fold::run(Lane::new(launch, noc)),
        Op::Resample => resample::run(Lane::new(launch, noc)),
        Op::Recurrent => recurrent::run(Lane::new(launch, noc)),
        // Parameters from memory come with the vector unit only.
        Op::OptStep => launch.fail(ErrorCode::BadDescriptor, 0, launch.op.flags),
        Op::Nop | Op::Matmul | Op::SetRows => {}
    }
}
