//! Matrices of a tensor: which tensors can be packed into tiles, and where their rows are.

use tt_runtime::{Device, DramAddr};

use super::WeightError;
use super::choice::Weight;
use crate::abi::TensorRef;
use crate::abi::host::Host;

/// Matrices with strides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strided {
    /// Type and extents.
    pub weight: Weight,
    /// First byte.
    pub addr: DramAddr,
    /// Strides in bytes; elements of a row lie side by side.
    pub nb: [u64; 4],
}

impl Weight {
    /// What a tensor is as a weight: whole contiguous matrices that no operator makes.
    pub fn of(host: &Host, tensor: TensorRef<'_>) -> Option<Self> {
        let leaf = tensor.view_of().is_none() && host.is_view(tensor);
        let strided = Strided::of(host, tensor, DramAddr(0)).filter(|_| leaf)?;
        (strided.nb == Strided::contiguous(strided.weight, DramAddr(0)).nb).then_some(strided.weight)
    }
}

impl Strided {
    /// A tensor of a type that can be packed into tiles, with its first byte at `addr`.
    pub fn of(host: &Host, tensor: TensorRef<'_>, addr: DramAddr) -> Option<Self> {
        let (ty, ne, nb) = (host.weight_type(tensor)?, tensor.extents()?, tensor.nb());
        let dense = nb[0] == ty.block().1 as u64 && ty.row_bytes(ne[0] as usize).is_some();
        dense.then_some(Self { weight: Weight { ty, ne }, addr, nb })
    }

    /// A weight without gaps.
    pub fn contiguous(weight: Weight, addr: DramAddr) -> Self {
        let (_, block) = weight.ty.block();
        let row = weight.ty.row_bytes(weight.ne[0] as usize).unwrap_or(0) as u64;
        let matrix = row * u64::from(weight.ne[1]);
        Self { weight, addr, nb: [block as u64, row, matrix, matrix * u64::from(weight.ne[2])] }
    }

    /// Bytes from the first to the end of the last row.
    pub fn span(&self) -> u64 {
        if self.weight.ne.contains(&0) {
            return 0;
        }
        let row = self.weight.ty.row_bytes(self.weight.ne[0] as usize).unwrap_or(0) as u64;
        let last = self.weight.ne[1..].iter().zip(&self.nb[1..]);
        last.map(|(&n, nb)| u64::from(n - 1) * nb).sum::<u64>() + row
    }

    /// All rows, one after the other.
    ///
    /// # Errors
    /// The device failed.
    pub fn gather(&self, device: &Device) -> Result<Vec<u8>, WeightError> {
        let mut span = vec![0; self.span() as usize];
        device.read(self.addr, &mut span)?;
        if self.weight.bytes() == Some(span.len() as u64)
            && self.nb[1] <= self.nb[2]
            && self.nb[2] <= self.nb[3]
        {
            return Ok(span);
        }
        let row = self.weight.ty.row_bytes(self.weight.ne[0] as usize).unwrap_or(0);
        let [_, n1, n2, n3] = self.weight.ne.map(u64::from);
        let mut rows = Vec::with_capacity(self.weight.bytes().unwrap_or(0) as usize);
        for i in 0..n1 * n2 * n3 {
            let (i1, i2, i3) = (i % n1, i / n1 % n2, i / n1 / n2);
            let at = (i1 * self.nb[1] + i2 * self.nb[2] + i3 * self.nb[3]) as usize;
            rows.extend_from_slice(&span[at..at + row]);
        }
        Ok(rows)
    }
}
