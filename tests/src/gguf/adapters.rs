//! Adapters for the demo model (`models/README.md` has its extents), with random numbers: a low-rank adapter (LoRA) of all its projections,
//! and a control vector.
//!
//! `--lora`: two matrices A and B for a weight W; llama.cpp adds `alpha / rank * B (A x)` to every product `W x`.
//! `--control-vector`: a direction for every layer except the first, added to the layer's output.

use std::io::Result;
use std::path::Path;

use super::{GgmlType, Tensor, Value, write_model};

const LAYERS: u32 = 4;
const EMBEDDING: u32 = 256;
const KEY_VALUE: u32 = 128;
const FEED_FORWARD: u32 = 768;
const RANK: u32 = 4;

/// A weight of a layer: name, columns (of its argument), rows (of its result).
const PROJECTIONS: [(&str, u32, u32); 7] = [
    ("attn_q", EMBEDDING, EMBEDDING),
    ("attn_k", EMBEDDING, KEY_VALUE),
    ("attn_v", EMBEDDING, KEY_VALUE),
    ("attn_output", EMBEDDING, EMBEDDING),
    ("ffn_gate", EMBEDDING, FEED_FORWARD),
    ("ffn_up", EMBEDDING, FEED_FORWARD),
    ("ffn_down", FEED_FORWARD, EMBEDDING),
];

/// Writes a LoRA adapter; the same every time.
///
/// # Errors
/// The file cannot be written.
pub fn write_lora(path: &Path) -> Result<()> {
    let metadata = [
        ("general.type", Value::Text("adapter")),
        ("general.architecture", Value::Text("llama")),
        ("adapter.type", Value::Text("lora")),
        ("adapter.lora.alpha", Value::F32(RANK as f32)),
    ];
    let mut tensors = Vec::new();
    for layer in 0..LAYERS {
        for (part, columns, rows) in PROJECTIONS {
            let name = |half| format!("blk.{layer}.{part}.weight.{half}");
            tensors.push(Tensor { name: name("lora_a"), ty: GgmlType::F32, ne: vec![columns, RANK] });
            tensors.push(Tensor { name: name("lora_b"), ty: GgmlType::F32, ne: vec![RANK, rows] });
        }
    }
    write_model(path, &metadata, &tensors)
}

/// Writes a control vector; the same every time.
///
/// # Errors
/// The file cannot be written.
pub fn write_control_vector(path: &Path) -> Result<()> {
    let metadata = [
        ("general.architecture", Value::Text("controlvector")),
        ("controlvector.model_hint", Value::Text("llama")),
        ("controlvector.layer_count", Value::U32(LAYERS - 1)),
    ];
    let direction =
        |layer| Tensor { name: format!("direction.{layer}"), ty: GgmlType::F32, ne: vec![EMBEDDING] };
    write_model(path, &metadata, &(1..LAYERS).map(direction).collect::<Vec<_>>())
}
