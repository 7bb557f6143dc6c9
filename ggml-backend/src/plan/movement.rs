//! Copies in all their forms.

use tt_runtime::ops::copy::DimMap;
use tt_runtime::ops::elementwise::Binary;
use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{OpDescriptor, TensorView};

use super::{Node, Steps};

impl Node<'_> {
    pub(super) fn copy(&mut self) -> Result<OpDescriptor, Unsupported> {
        ops::copy(&self.src(0)?, &self.dst()?, self.cores)
    }

    /// `op_params`: before and behind, for each dimension; whether it is circular.
    pub(super) fn pad(&mut self) -> Result<OpDescriptor, Unsupported> {
        let circular = self.i32(8) != 0;
        let src = self.src(0)?;
        let mut dims = [DimMap::SAME; 4];
        for (dim, map) in dims.iter_mut().enumerate() {
            let before = self.u32(2 * dim)?;
            let n = src.ne[dim].max(1);
            *map = match circular {
                true => DimMap::Wrap { shift: (n - before % n) % n },
                false => DimMap::Pad { before },
            };
        }
        ops::remap(&src, &self.dst()?, dims, self.cores)
    }

    pub(super) fn pad_reflect(&mut self) -> Result<OpDescriptor, Unsupported> {
        let mut dims = [DimMap::SAME; 4];
        dims[0] = DimMap::Reflect { before: self.u32(0)? };
        ops::remap(&self.src(0)?, &self.dst()?, dims, self.cores)
    }

    pub(super) fn roll(&mut self) -> Result<OpDescriptor, Unsupported> {
        let src = self.src(0)?;
        let mut dims = [DimMap::SAME; 4];
        for (dim, map) in dims.iter_mut().enumerate() {
            let n = i64::from(src.ne[dim].max(1));
            *map = DimMap::Wrap { shift: i64::from(-self.i32(dim)).rem_euclid(n) as u32 };
        }
        ops::remap(&src, &self.dst()?, dims, self.cores)
    }

    /// The result is what the rows are written to: without rows nothing is to be done.
    pub(super) fn set_rows(&mut self) -> Steps {
        let (rows, indices, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        match rows.ne.contains(&0) {
            true => Ok(Vec::new()),
            false => Ok(vec![ops::set_rows(&rows, &indices, &dst, self.cores)?]),
        }
    }

    /// Each source goes to its part of the result.
    pub(super) fn concat(&mut self) -> Steps {
        let (src0, src1, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        let dim = self.u32(0)? as usize;
        if dim > 3 || src0.ne[dim].checked_add(src1.ne[dim]) != Some(dst.ne[dim]) {
            return Err(format!("{:?} and {:?} along dimension {dim}", src0.ne, src1.ne).into());
        }
        // The stride of dimension 0 is that of a block.
        let block = match (dim, dst.element_type()) {
            (0, Some(ty)) => ty.block_len(),
            _ => 1,
        };
        let behind = dst.addr + u64::from(src0.ne[dim] / block) * dst.nb[dim];
        let part = |src: &TensorView, addr| TensorView { addr, ne: src.ne, ..dst };
        Ok(vec![
            ops::copy(&src0, &part(&src0, dst.addr), self.cores)?,
            ops::copy(&src1, &part(&src1, behind), self.cores)?,
        ])
    }

    /// The part of the result that `SET` and `ACC` change: strides and offset are in `op_params`.
    fn part(&self, dst: &TensorView, src1: &TensorView) -> Result<TensorView, Unsupported> {
        let nb = [dst.nb[0], self.u32(0)?.into(), self.u32(1)?.into(), self.u32(2)?.into()];
        let part = TensorView { addr: dst.addr + u64::from(self.u32(3)?), ne: src1.ne, nb, ..*dst };
        match part.addr + part.span() <= dst.addr + dst.span() {
            true => Ok(part),
            false => Err(format!("a part {:?} that does not lie in the result {:?}", part.ne, dst.ne).into()),
        }
    }

    /// The result begins as the first source, unless it is that already.
    fn base(&mut self, src0: &TensorView, dst: &TensorView) -> Steps {
        match src0.addr == dst.addr && self.i32(4) != 0 {
            true => Ok(Vec::new()),
            false => Ok(vec![ops::copy(src0, dst, self.cores)?]),
        }
    }

    pub(super) fn set(&mut self) -> Steps {
        let (src0, src1, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        let part = self.part(&dst, &src1)?;
        let mut steps = self.base(&src0, &dst)?;
        steps.push(ops::copy(&src1, &part, self.cores)?);
        Ok(steps)
    }

    pub(super) fn acc(&mut self) -> Steps {
        let (src0, src1, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        let part = self.part(&dst, &src1)?;
        let mut steps = self.base(&src0, &dst)?;
        steps.push(ops::binary(Binary::Add, &part, &src1, &part, self.cores)?);
        Ok(steps)
    }
}
