//! Host replicas: copies of nodes and their sources in host memory, for the CPU to compute with.
//!
//! A replica has the extents and strides of its tensor, and memory of its own with the bytes that the tensor has on the device
//! when the replica is made. Results too: an operator that writes to a part of its memory leaves the rest as it was, on both sides.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr::null_mut;

use super::super::host::Host;
use super::super::tensor::TensorRef;
use super::super::types::{MAX_SRC, Tensor};
use super::cpu::{Cpu, CpuError};

/// As aligned as ggml's own buffers are.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A copy of a tensor.
struct Replica<'a> {
    of: TensorRef<'a>,
    /// A box: other replicas point to it, so it is not held as one.
    tensor: *mut Tensor,
    /// Its bytes; none if they are those of another replica.
    memory: Vec<Line>,
}

impl Drop for Replica<'_> {
    fn drop(&mut self) {
        // SAFETY: `Replicas::push` has made it of a box. What points to it is in the same `Replicas`, and not looked at any more.
        drop(unsafe { Box::from_raw(self.tensor) });
    }
}

/// Nodes and their sources.
pub struct Replicas<'a> {
    all: Vec<Replica<'a>>,
    /// The nodes among them.
    nodes: Vec<usize>,
}

impl<'a> Replicas<'a> {
    /// Replicas of nodes, which follow one another, and of all their sources. `read` gives a tensor's bytes on the device.
    pub fn new<E>(
        host: &Host,
        nodes: &[TensorRef<'a>],
        mut read: impl FnMut(TensorRef<'a>, &mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut replicas = Self { all: Vec::new(), nodes: Vec::new() };
        for &node in nodes {
            let mut sources = [null_mut(); MAX_SRC];
            for (index, source) in node.sources() {
                sources[index] = replicas.source(host, source, &mut read)?;
            }
            let updated = updated_source(host, node).map(|index| sources[index]).filter(|it| !it.is_null());
            let at = match updated {
                // SAFETY: a replica that was made above.
                Some(replica) => replicas.push(node, Vec::new(), unsafe { (*replica).data }),
                None => replicas.add(host, node, &mut read)?,
            };
            replicas.make_node(at, node.raw(), sources);
        }
        Ok(replicas)
    }

    /// Gives a replica its operator.
    fn make_node(&mut self, at: usize, node: &Tensor, sources: [*mut Tensor; MAX_SRC]) {
        // SAFETY: the replica is a box of this `Replicas`, and no reference to it is kept anywhere.
        let replica = unsafe { &mut *self.all[at].tensor };
        (replica.op, replica.op_params, replica.flags) = (node.op, node.op_params, node.flags);
        replica.src = sources;
        self.nodes.push(at);
    }

    /// The replica of a source: a result of an earlier node, a view of one, or a copy.
    fn source<E>(
        &mut self,
        host: &Host,
        source: TensorRef<'a>,
        read: &mut impl FnMut(TensorRef<'a>, &mut [u8]) -> Result<(), E>,
    ) -> Result<*mut Tensor, E> {
        if let Some(replica) = self.all.iter().find(|replica| replica.of.is(source)) {
            return Ok(replica.tensor);
        }
        let root = source.root();
        let parent = self.nodes.iter().map(|&at| &self.all[at]).find(|replica| replica.of.is(root));
        let at = match parent {
            Some(parent) => {
                let offset = source.address().wrapping_sub(root.address()) as usize;
                // SAFETY: the replica is a box of this `Replicas`.
                let data = unsafe { (*parent.tensor).data }.wrapping_byte_add(offset);
                self.push(source, Vec::new(), data)
            }
            None => self.add(host, source, read)?,
        };
        Ok(self.all[at].tensor)
    }

    /// A replica with memory of its own.
    fn add<E>(
        &mut self,
        host: &Host,
        tensor: TensorRef<'a>,
        read: &mut impl FnMut(TensorRef<'a>, &mut [u8]) -> Result<(), E>,
    ) -> Result<usize, E> {
        let bytes = host.nbytes(tensor);
        let mut memory = vec![Line([0; 64]); bytes.div_ceil(64)];
        let data = memory.as_mut_ptr();
        if bytes > 0 {
            // SAFETY: the vector has so many bytes, all of them zero, and is not used while the slice is.
            read(tensor, unsafe { std::slice::from_raw_parts_mut(data.cast(), bytes) })?;
        }
        Ok(self.push(tensor, memory, data.cast()))
    }

    fn push(&mut self, of: TensorRef<'a>, memory: Vec<Line>, data: *mut c_void) -> usize {
        // SAFETY: a tensor is plain data, so its bytes are a tensor too; its pointers are replaced below.
        let mut tensor = Box::new(unsafe { std::ptr::read(of.raw()) });
        // A leaf in nobody's buffer, until it becomes a node.
        (tensor.op, tensor.src) = (0, [null_mut(); MAX_SRC]);
        (tensor.buffer, tensor.view_src, tensor.extra) = (null_mut(), null_mut(), null_mut());
        tensor.data = data;
        self.all.push(Replica { of, tensor: Box::into_raw(tensor), memory });
        self.all.len() - 1
    }

    /// Computes the nodes on the CPU; gives the bytes of the last one's result.
    ///
    /// # Errors
    /// There is no CPU backend, or it refuses.
    pub fn compute(mut self, host: &Host) -> Result<Vec<u8>, CpuError> {
        let nodes: Vec<*mut Tensor> = self.nodes.iter().map(|&at| self.all[at].tensor).collect();
        // SAFETY: replicas and their sources have memory of the host, and nobody else uses them.
        unsafe { Cpu::get()?.run(&nodes)? };
        let Some(last) = self.nodes.pop().map(|at| &self.all[at]) else { return Ok(Vec::new()) };
        // SAFETY: the replica is a box of this `Replicas`, and the CPU is done with it.
        let data = unsafe { (*last.tensor).data };
        let owner = self.all.iter().find(|replica| replica.memory.as_ptr().cast() == data.cast_const());
        let bytes = owner.into_iter().flat_map(|replica| &replica.memory).flat_map(|line| line.0);
        Ok(bytes.take(host.nbytes(last.of)).collect())
    }
}

/// The source whose memory the CPU writes the result to, if it does not look at the result's own.
fn updated_source(host: &Host, node: TensorRef<'_>) -> Option<usize> {
    matches!(host.operator_name(node), "OPT_STEP_ADAMW" | "OPT_STEP_SGD").then_some(0)
}
