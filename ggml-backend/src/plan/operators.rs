//! The operators that the device computes, a row each.
//!
//! `supports_op`, planning, refusals and the check of `docs/operators.md` read this table. Views are not in it: they compute nothing.

use std::collections::HashMap;
use std::sync::LazyLock;

use tt_runtime::OpDescriptor;
use tt_runtime::ops::{self, Unsupported};

use super::{Node, Steps};
use crate::abi::TensorRef;
use crate::abi::host::Host;

/// An operator.
pub struct Operator {
    /// ggml's name (`ggml_op_name`).
    name: &'static str,
    plan: Plan,
    /// Sources that it writes to, besides its result.
    updates: &'static [usize],
}

/// Makes an operator's descriptors.
enum Plan {
    One(fn(&mut Node<'_>) -> Result<OpDescriptor, Unsupported>),
    Several(fn(&mut Node<'_>) -> Steps),
}

/// An operator that is one step.
const fn one(name: &'static str, plan: fn(&mut Node<'_>) -> Result<OpDescriptor, Unsupported>) -> Operator {
    Operator { name, plan: Plan::One(plan), updates: &[] }
}

/// An operator that may be several steps.
const fn several(name: &'static str, plan: fn(&mut Node<'_>) -> Steps) -> Operator {
    Operator { name, plan: Plan::Several(plan), updates: &[] }
}

impl Operator {
    const fn updating(self, updates: &'static [usize]) -> Self {
        Self { updates, ..self }
    }
}

static OPERATORS: &[Operator] = &[
    // Products.
    several("MUL_MAT", |node| node.mul_mat()),
    several("MUL_MAT_ID", |node| node.mul_mat_id()),
    several("OUT_PROD", |node| node.out_prod()),
    several("FLASH_ATTN_EXT", |node| node.flash_attention()),
    several("LIGHTNING_INDEXER", |node| node.lightning_indexer()),
    one("SOLVE_TRI", |node| ops::solve_tri(&node.src(0)?, &node.src(1)?, &node.dst()?, node.cores)),
    // Functions of one element, of nothing, of two.
    one("UNARY", |node| node.unary()),
    one("SQR", |node| node.unary()),
    one("SQRT", |node| node.unary()),
    one("LOG", |node| node.unary()),
    one("SIN", |node| node.unary()),
    one("COS", |node| node.unary()),
    one("SCALE", |node| node.unary()),
    one("CLAMP", |node| node.unary()),
    one("LEAKY_RELU", |node| node.unary()),
    one("FILL", |node| node.fill()),
    one("ARANGE", |node| node.fill()),
    one("ADD", |node| node.binary()),
    one("SUB", |node| node.binary()),
    one("MUL", |node| node.binary()),
    one("DIV", |node| node.binary()),
    one("ADD1", |node| node.add1()),
    one("ADD_ID", |node| ops::add_id(&node.src(0)?, &node.src(1)?, &node.src(2)?, &node.dst()?, node.cores)),
    one("GLU", |node| node.glu()),
    // Copies.
    one("DUP", |node| node.copy()),
    one("CPY", |node| node.copy()),
    one("CONT", |node| node.copy()),
    one("REPEAT", |node| ops::repeat(&node.src(0)?, &node.dst()?, node.cores)),
    several("CONCAT", |node| node.concat()),
    one("PAD", |node| node.pad()),
    one("PAD_REFLECT_1D", |node| node.pad_reflect()),
    one("ROLL", |node| node.roll()),
    several("SET", |node| node.set()),
    several("ACC", |node| node.acc()),
    one("GET_ROWS", |node| ops::get_rows(&node.src(0)?, &node.src(1)?, &node.dst()?, node.cores)),
    several("SET_ROWS", |node| node.set_rows()),
    // Functions of rows.
    one("RMS_NORM", |node| node.norm()),
    one("NORM", |node| node.norm()),
    one("L2_NORM", |node| node.norm()),
    one("GROUP_NORM", |node| node.group_norm()),
    one("SUM_ROWS", |node| ops::sum_rows(1.0, &node.src(0)?, &node.dst()?, node.cores)),
    one("MEAN", |node| node.mean()),
    one("SUM", |node| ops::sum(&node.src(0)?, &node.dst()?, node.cores)),
    one("CUMSUM", |node| ops::cumsum(&node.src(0)?, &node.dst()?, node.cores)),
    one("ARGMAX", |node| ops::argmax(&node.src(0)?, &node.dst()?, node.cores)),
    several("ARGSORT", |node| node.sorted(node.i32(0) != 0)),
    several("TOP_K", |node| node.sorted(true)),
    several("SOFT_MAX", |node| node.soft_max()),
    one("DIAG_MASK_INF", |node| node.diag_mask(f32::NEG_INFINITY)),
    one("DIAG_MASK_ZERO", |node| node.diag_mask(0.0)),
    one("TRI", |node| node.tri()),
    one("DIAG", |node| ops::diag(&node.src(0)?, &node.dst()?, node.cores)),
    several("ROPE", |node| node.rope()),
    several("ROPE_BACK", |node| node.rope()),
    // Convolutions, pooling, images.
    several("IM2COL", |node| node.im2col()),
    several("IM2COL_3D", |node| node.im2col_3d()),
    several("CONV_2D", |node| node.conv_2d()),
    several("CONV_3D", |node| node.conv_3d()),
    several("CONV_2D_DW", |node| node.conv_2d_dw()),
    one("POOL_1D", |node| node.pool_1d()),
    one("POOL_2D", |node| node.pool_2d()),
    one("COL2IM_1D", |node| node.col2im_1d()),
    one("CONV_TRANSPOSE_1D", |node| node.conv_transpose_1d()),
    several("CONV_TRANSPOSE_2D", |node| node.conv_transpose_2d()),
    several("UPSCALE", |node| node.upscale()),
    several("TIMESTEP_EMBEDDING", |node| node.timestep_embedding()),
    // State-space models, linear attention, hyper-connections.
    one("SSM_CONV", |node| node.ssm_conv()),
    several("SSM_SCAN", |node| node.ssm_scan()),
    several("GATED_DELTA_NET", |node| node.gated_delta_net()),
    several("GATED_LINEAR_ATTN", |node| node.gated_linear_attention()),
    several("RWKV_WKV6", |node| node.rwkv_wkv6()),
    several("RWKV_WKV7", |node| node.rwkv_wkv7()),
    one("DSV4_HC_COMB", |node| node.hc_comb()),
    several("DSV4_HC_PRE", |node| node.hc_pre()),
    several("DSV4_HC_POST", |node| node.hc_post()),
    // Training.
    one("SILU_BACK", |node| node.silu_back()),
    several("RMS_NORM_BACK", |node| node.rms_norm_back()),
    several("SOFT_MAX_BACK", |node| node.soft_max_back()),
    several("GET_ROWS_BACK", |node| node.get_rows_back()),
    several("REPEAT_BACK", |node| node.repeat_back()),
    several("CROSS_ENTROPY_LOSS", |node| node.cross_entropy_loss()),
    several("CROSS_ENTROPY_LOSS_BACK", |node| node.cross_entropy_loss_back()),
    one("COUNT_EQUAL", |node| node.count_equal()),
    several("OPT_STEP_ADAMW", |node| node.opt_step_adamw()).updating(&[2, 3]),
    several("OPT_STEP_SGD", |node| node.opt_step_sgd()),
];

/// The row of an operator, by ggml's name.
fn named(name: &str) -> Option<&'static Operator> {
    static BY_NAME: LazyLock<HashMap<&str, &Operator>> =
        LazyLock::new(|| OPERATORS.iter().map(|operator| (operator.name, operator)).collect());
    BY_NAME.get(name).copied()
}

/// A node's operator, if the device computes it.
pub fn operator(host: &Host, node: TensorRef<'_>) -> Option<&'static Operator> {
    named(host.operator_name(node))
}

impl Operator {
    /// The descriptors of a node.
    pub(super) fn steps(&self, mut node: Node<'_>) -> Steps {
        match self.plan {
            Plan::One(plan) => plan(&mut node).map(|descriptor| vec![descriptor]),
            Plan::Several(plan) => plan(&mut node),
        }
    }
}

/// What a node writes: itself, and what belongs to an optimiser.
pub fn written<'a>(host: &Host, node: TensorRef<'a>) -> impl Iterator<Item = TensorRef<'a>> {
    let updates = operator(host, node).map_or::<&[usize], _>(&[], |operator| operator.updates);
    std::iter::once(node).chain(updates.iter().filter_map(move |&index| node.source(index)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_runtime::ops::elementwise::{Glu, Unary};

    #[test]
    fn no_operator_has_two_rows() {
        for operator in OPERATORS {
            assert!(std::ptr::eq(operator, named(operator.name).unwrap()), "{}", operator.name);
        }
    }

    /// `docs/operators.md` is made from what `supports_op` says; what it says is supported has a row here, or is a function of one that has.
    #[test]
    fn the_page_of_operators_knows_the_same_ones() {
        let page = include_str!("../../../docs/operators.md");
        let first_cell = |line: &str| Some(line.strip_prefix("| ")?.split(" |").next()?.to_owned());
        let table = page.split("\n## ").next().unwrap().lines().filter_map(first_cell);
        let on_page: Vec<String> = table
            .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || "_0123456789".contains(c)))
            .collect();
        assert!(on_page.len() > 80, "{on_page:?}");
        // Graphs of several operators, by the name of the case.
        const CASES: [&str; 6] = [
            "CONV_1D_DW",
            "MUL_MAT_HADAMARD",
            "MUL_MAT_ID_W4A4",
            "MUL_MAT_ID_W4A8",
            "MUL_MAT_W4A4",
            "MUL_MAT_W4A8",
        ];
        for name in &on_page {
            let is_known = named(name).is_some()
                || Unary::from_name(name).is_some()
                || Glu::from_name(name).is_some()
                || CASES.contains(&name.as_str());
            assert!(is_known, "{name} is on the page and not in the table");
        }
        // `test-backend-ops` has no case of the last two.
        for operator in OPERATORS {
            let shown = on_page.iter().any(|name| name == operator.name)
                || ["UNARY", "GLU", "ADD1", "DIAG_MASK_ZERO"].contains(&operator.name);
            assert!(shown, "{} is in the table and not on the page", operator.name);
        }
    }
}
