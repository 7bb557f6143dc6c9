//! The operators, one module each; within it one function a core.
//!
//! Which kernel runs on which core is in the table of device operators ([`tt_kernel_abi::operators`]): what each of the
//! five cores does with an operator's number ([`brisc`] to [`ncrisc`]) is made of it here, with the parameters as the type
//! that the table gives them. (A `run` that several operators share is not to be copied into each of their places.)

pub mod ahead;
pub mod attention;
pub mod attention_merge;
pub mod attention_rows;
pub mod copy;
pub mod elementwise;
pub mod exact_tiles;
pub mod expert_sum;
pub mod fold;
pub mod matmul;
pub mod matmul_block;
pub mod norm_order;
pub mod order;
pub mod recurrent;
pub mod relay;
pub mod resample;
pub mod rows;
pub mod set_rows;
pub mod sfpu;
pub mod sfpu_rows;
pub mod transfer;
pub mod windows;

use crate::rt::lane::Lane;
use crate::rt::launch::{Launch, TileLaunch};
use tt_kernel_abi::device_operators;
use tt_kernel_abi::operators::{Op, kernel};

/// A kernel as this core's lane.
macro_rules! lane {
    ($launch:ident $op:ident $($kernel:ident)::+) => {{
        let params = $launch.params::<kernel::$op>();
        $($kernel)::+(Lane::new($launch), params)
    }};
}

/// One core's part of one row of the table.
macro_rules! part {
    ($core:ident $launch:ident $op:ident nothing()) => {{}};
    (brisc $launch:ident $op:ident brisc($($kernel:ident)::+)) => {
        lane!($launch $op $($kernel)::+)
    };
    ($core:ident $launch:ident $op:ident brisc($($kernel:ident)::+)) => {{}};
    (brisc $launch:ident $op:ident lanes($($kernel:ident)::+)) => {
        lanes(Op::$op, $launch)
    };
    (ncrisc $launch:ident $op:ident lanes($($kernel:ident)::+)) => {
        lanes(Op::$op, $launch)
    };
    ($core:ident $launch:ident $op:ident lanes($($kernel:ident)::+)) => {{}};
    ($core:ident $launch:ident $op:ident tensix($module:ident)) => {{
        let params = $launch.params::<kernel::$op>();
        $module::$core::run(&TileLaunch::new($launch), params.into())
    }};
    ($core:ident $launch:ident $op:ident either($($kernel:ident)::+, $module:ident)) => {
        match $launch.on_vector_unit() {
            true => part!($core $launch $op tensix($module)),
            false => part!($core $launch $op lanes($($kernel)::+)),
        }
    };
}

/// What a lane does of one row of the table.
macro_rules! lanes_part {
    ($launch:ident $op:ident lanes($($kernel:ident)::+)) => {
        lane!($launch $op $($kernel)::+)
    };
    ($launch:ident $op:ident either($($kernel:ident)::+, $module:ident)) => {
        lane!($launch $op $($kernel)::+)
    };
    ($launch:ident $op:ident $cores:ident $kernel:tt) => {{}};
}

/// The five cores' parts of all rows.
macro_rules! cores {
    ($($(#[$doc:meta])* $op:ident = $number:literal, $name:literal, $params:ty, $cores:ident $kernel:tt;)*) => {
        cores!(@ brisc { $($op $cores $kernel)* });
        cores!(@ trisc0 { $($op $cores $kernel)* });
        cores!(@ trisc1 { $($op $cores $kernel)* });
        cores!(@ trisc2 { $($op $cores $kernel)* });
        cores!(@ ncrisc { $($op $cores $kernel)* });

        /// A lane's part of an operator: one function for both cores that are lanes.
        #[inline(never)]
        fn lanes(op: Op, launch: Launch) {
            match op {
                $(Op::$op => lanes_part!(launch $op $cores $kernel),)*
            }
        }
    };
    (@ $core:ident { $($op:ident $cores:ident $kernel:tt)* }) => {
        /// This core's part of an operator.
        pub fn $core(op: Op, launch: Launch) {
            match op {
                $(Op::$op => part!($core launch $op $cores $kernel),)*
            }
        }
    };
}

device_operators!(cores);
