//! Functions of one or two elements, gated units.

use tt_runtime::OpDescriptor;
use tt_runtime::ops::elementwise::{Binary, Glu, Unary};
use tt_runtime::ops::{self, Unsupported};

use super::Node;

impl Node<'_> {
    pub(super) fn unary(&mut self) -> Result<OpDescriptor, Unsupported> {
        let function = self.function(Unary::from_name)?;
        // `UNARY` has the function's number in front of its parameters.
        let params = match function {
            Unary::Xielu => [self.f32(1), self.f32(2), self.f32(3), self.f32(4)],
            _ => [self.f32(0), self.f32(1), 0.0, 0.0],
        };
        ops::unary(function, &params, &self.src(0)?, &self.dst()?, self.cores)
    }

    pub(super) fn fill(&mut self) -> Result<OpDescriptor, Unsupported> {
        let function = self.function(Unary::from_name)?;
        let params = match function {
            // start, stop, step
            Unary::Arange => [self.f32(0), self.f32(2)],
            _ => [self.f32(0), 0.0],
        };
        ops::fill(function, &params, &self.dst()?, self.cores)
    }

    pub(super) fn binary(&mut self) -> Result<OpDescriptor, Unsupported> {
        let function = self.function(Binary::from_name)?;
        ops::binary(function, &self.src(0)?, &self.src(1)?, &self.dst()?, self.cores)
    }

    pub(super) fn add1(&mut self) -> Result<OpDescriptor, Unsupported> {
        ops::binary(Binary::Add, &self.src(0)?, &self.src(1)?, &self.dst()?, self.cores)
    }

    pub(super) fn glu(&mut self) -> Result<OpDescriptor, Unsupported> {
        let function = self.function(Glu::from_name)?;
        let swapped = self.i32(1) != 0;
        let params = [self.f32(2), self.f32(3)];
        let (src0, src1) = (self.src(0)?, self.optional(1)?);
        ops::glu(function, swapped, &params, &src0, src1.as_ref(), &self.dst()?, self.cores)
    }
}
