//! Twins: copies of nodes and their sources in host memory, for the CPU to compute with.
//!
//! A twin has the extents and strides of its tensor, and memory of its own with the bytes that the tensor has on the device
//! when the twin is made. Results too: an operator that writes to a part of its memory leaves the rest as it was, on both sides.
//!
//! # Safety
//! Twins point to each other and to their memory, and live as long as [`Twins`]; boxes do not move.

#![allow(unsafe_code)]

use std::ffi::c_void;

use tt_runtime::DramAddr;

use super::cpu::{Cpu, CpuError};
use crate::abi::host::{Host, Operator};
use crate::abi::types::Tensor;
use crate::buffer::arena_of;
use crate::plan;
use crate::weights::WeightError;

/// Why there is no twin.
#[derive(Debug, thiserror::Error)]
pub enum TwinError {
    /// Not a tensor of ours.
    #[error("{0} is not in a buffer of this backend")]
    Elsewhere(String),
    /// Its bytes cannot be read.
    #[error(transparent)]
    Read(#[from] WeightError),
    /// The CPU.
    #[error(transparent)]
    Cpu(#[from] CpuError),
}

/// As aligned as ggml's own buffers are.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

struct Twin {
    /// Whose twin.
    of: *const Tensor,
    tensor: Box<Tensor>,
    memory: Vec<Line>,
}

/// Nodes and their sources.
pub struct Twins {
    all: Vec<Twin>,
    /// The nodes among them.
    nodes: Vec<usize>,
}

/// Bytes of a tensor, as they are on the device.
pub fn bytes(host: &Host, tensor: &Tensor) -> Result<Vec<u8>, TwinError> {
    let mut out = vec![0; host.nbytes(tensor)];
    read(tensor, &mut out)?;
    Ok(out)
}

fn read(tensor: &Tensor, out: &mut [u8]) -> Result<(), TwinError> {
    // SAFETY: tensors of a graph have valid buffers.
    let arena = unsafe { arena_of(tensor) }.ok_or_else(|| TwinError::Elsewhere(plan::name(tensor)))?;
    let addr: DramAddr = arena.address(tensor);
    Ok(arena.device.weights.read(addr, out)?)
}

impl Twins {
    /// Twins of nodes, which follow one another, and of all their sources.
    pub fn new(host: &Host, nodes: &[&Tensor]) -> Result<Self, TwinError> {
        let mut twins = Self { all: Vec::new(), nodes: Vec::new() };
        for node in nodes {
            let mut sources = [std::ptr::null_mut(); crate::abi::types::MAX_SRC];
            for (index, twin) in sources.iter_mut().enumerate() {
                if let Some(source) = plan::source(node, index) {
                    *twin = twins.source(host, source)?;
                }
            }
            let at = match updated_source(host, node).map(|index| sources[index]) {
                // SAFETY: the twin of a source.
                Some(twin) if !twin.is_null() => twins.push(node, Vec::new(), unsafe { (*twin).data }),
                _ => twins.add(host, node)?,
            };
            let twin = &mut twins.all[at].tensor;
            (twin.op, twin.op_params, twin.flags, twin.src) = (node.op, node.op_params, node.flags, sources);
            twins.nodes.push(at);
        }
        Ok(twins)
    }

    /// The twin of a source: a result of an earlier node, a view of one, or a copy.
    fn source(&mut self, host: &Host, source: &Tensor) -> Result<*mut Tensor, TwinError> {
        if let Some(twin) = self.all.iter_mut().find(|twin| std::ptr::eq(twin.of, source)) {
            return Ok(&raw mut *twin.tensor);
        }
        let root = root(source);
        let parent = self.nodes.iter().map(|&at| &self.all[at]).find(|twin| std::ptr::eq(twin.of, root));
        let at = match parent {
            Some(parent) => {
                let offset = (source.data as usize).wrapping_sub(root.data as usize);
                let data = (parent.tensor.data as usize).wrapping_add(offset) as *mut c_void;
                self.push(source, Vec::new(), data)
            }
            None => self.add(host, source)?,
        };
        Ok(&raw mut *self.all[at].tensor)
    }

    /// A twin with memory of its own.
    fn add(&mut self, host: &Host, tensor: &Tensor) -> Result<usize, TwinError> {
        let bytes = host.nbytes(tensor);
        let mut memory = vec![Line([0; 64]); bytes.div_ceil(64)];
        let data = memory.as_mut_ptr().cast::<c_void>();
        if bytes > 0 {
            // SAFETY: so many bytes were just allocated.
            read(tensor, unsafe { std::slice::from_raw_parts_mut(data.cast(), bytes) })?;
        }
        Ok(self.push(tensor, memory, data))
    }

    fn push(&mut self, of: &Tensor, memory: Vec<Line>, data: *mut c_void) -> usize {
        // SAFETY: a tensor is plain data.
        let mut tensor = Box::new(unsafe { std::ptr::read(of) });
        // A leaf in nobody's buffer, until it becomes a node.
        (tensor.op, tensor.src) = (0, [std::ptr::null_mut(); crate::abi::types::MAX_SRC]);
        (tensor.buffer, tensor.view_src, tensor.extra) =
            (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
        tensor.data = data;
        self.all.push(Twin { of, tensor, memory });
        self.all.len() - 1
    }

    /// Computes the nodes on the CPU; gives the bytes of the last one's result.
    pub fn compute(mut self, cpu: &Cpu, host: &Host) -> Result<Vec<u8>, TwinError> {
        let nodes: Vec<*mut Tensor> = self.nodes.iter().map(|&at| &raw mut *self.all[at].tensor).collect();
        // SAFETY: twins have memory of the host.
        unsafe { cpu.run(&nodes)? };
        let Some(last) = self.nodes.pop().map(|at| &self.all[at].tensor) else { return Ok(Vec::new()) };
        let owner = self.all.iter().find(|twin| twin.memory.as_ptr().cast() == last.data.cast_const());
        let bytes = owner.into_iter().flat_map(|twin| &twin.memory).flat_map(|line| line.0);
        Ok(bytes.take(host.nbytes(last)).collect())
    }
}

/// The source whose memory the CPU writes the result to, if it does not look at the result's own.
fn updated_source(host: &Host, node: &Tensor) -> Option<usize> {
    match host.operator(node.op) {
        Some(Operator::OptStepAdamw | Operator::OptStepSgd) => Some(0),
        _ => None,
    }
}

/// The tensor that owns the memory.
fn root(tensor: &Tensor) -> &Tensor {
    // SAFETY: ggml's views point to live tensors.
    unsafe { tensor.view_src.as_ref() }.map_or(tensor, root)
}
