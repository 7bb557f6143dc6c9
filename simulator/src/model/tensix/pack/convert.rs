//! Rows of Dst to rows of the output format: early conversion, edge mask, ReLU, exponent threshold, late conversion.
//!
//! For some pairs of formats the pages do not define rounding and special values. Where the vendor's simulator supports such
//! a pair, the bits here are the same.

use tt_isa::chip::wormhole::config as c;
use tt_isa::format::DataFormat::{self, *};

use super::early::{Class, Early, Reading};
use super::late::Late;
use super::relu::{Relu, Threshold};
use super::{CONVERSION_PAGE, PAGE};
use crate::fault::Fault;
use crate::model::tensix::Tensix;
use crate::model::tensix::dst::{self, COLS, Dst};

/// What all packers have in common.
#[derive(Clone, Copy)]
pub(super) struct Common {
    /// The intermediate format.
    format: DataFormat,
    reading: Reading,
    early: Early,
    class: Class,
    relu: Relu,
    /// Masked datums become -infinity, not zero.
    lowest: bool,
}

impl Common {
    pub fn read(t: &Tensix, thread: usize) -> Result<Self, Fault> {
        let get = |field| t.cfg.get(thread, field);
        if get(c::ALU_ROUNDING_MODE_Packer_srnd_en) != 0 {
            return Err(Fault::not_implemented("stochastic rounding in packers").page(CONVERSION_PAGE));
        }
        let code = match get(c::ALU_FORMAT_SPEC_REG_Dstacc_override) {
            0 => get(c::ALU_FORMAT_SPEC_REG2_Dstacc),
            _ => get(c::ALU_FORMAT_SPEC_REG_Dstacc_val),
        };
        let format = format(code)?;
        let reading = Reading {
            wide: get(c::PCK_DEST_RD_CTRL_Read_32b_data) != 0,
            raw: get(c::PCK_DEST_RD_CTRL_Read_int8) != 0,
            ten_bits: get(c::PCK_DEST_RD_CTRL_Round_10b_mant) != 0,
            unsigned: get(c::PCK_DEST_RD_CTRL_Read_unsigned) != 0,
            shift: shift_amount(t, thread)?,
        };
        let (early, class) = Early::choose(format, reading)?;
        let integer = matches!(format, Int32 | Int16 | Int8);
        let (mode, threshold) = (get(c::STACC_RELU_ApplyRelu), get(c::STACC_RELU_ReluThreshold));
        let relu = Relu::choose(class, integer, reading.unsigned, mode, threshold)?;
        Ok(Self { format, reading, early, class, relu, lowest: get(c::PCK_EDGE_MODE_mode) != 0 })
    }

    /// The intermediate format.
    pub fn format(&self) -> DataFormat {
        self.format
    }

    /// What intermediate values are.
    pub fn class(&self) -> Class {
        self.class
    }
}

/// Right shift of 32-bit integers that become shorter (`INT_DESCALE`).
fn shift_amount(t: &Tensix, thread: usize) -> Result<u32, Fault> {
    if t.cfg.get(thread, c::INT_DESCALE_Enable) == 0 {
        return Ok(0);
    }
    if t.cfg.get(thread, c::INT_DESCALE_Mode) != 0 {
        return Err(
            Fault::undocumented("INT_DESCALE_Mode: which shift amount is whose").page(CONVERSION_PAGE)
        );
    }
    Ok(t.cfg.get(thread, c::INT_DESCALE_VALUES_SEC0_Value) & 31)
}

/// The data format with this number.
pub(super) fn format(code: u32) -> Result<DataFormat, Fault> {
    DataFormat::from_code(code).ok_or_else(|| Fault::program(format!("packer data format {code}")).page(PAGE))
}

/// How a packer converts.
#[derive(Clone, Copy)]
pub(super) struct Conversion {
    common: Common,
    threshold: Option<Threshold>,
    late: Late,
    /// Nothing but the storage form of Dst changes.
    plain: bool,
}

impl Conversion {
    /// `input` and `output` are the packer's formats; `threshold` its least exponent, if it has one.
    pub fn new(
        common: Common,
        input: DataFormat,
        output: DataFormat,
        threshold: Option<u32>,
    ) -> Result<Self, Fault> {
        if Class::of(input) != Some(common.class) {
            let what = format!("packer input {input:?}, but Dst is read as {:?}", common.format);
            return Err(Fault::program(what).page(CONVERSION_PAGE));
        }
        let late = Late::choose(common.class, input, output)?;
        let threshold = match threshold {
            Some(_) if input == Bfp2a => {
                return Err(Fault::program("exponent threshold of Bfp2a")
                    .page("TensixTile/TensixCoprocessor/Packers/ExponentThresholding.md"));
            }
            least => least.and_then(|least| Threshold::choose(input, least)),
        };
        let plain = common.early == Early::Word
            && common.relu == Relu::Off
            && threshold.is_none()
            && late == Late::Same;
        Ok(Self { common, threshold, late, plain })
    }

    /// A row of Dst, converted; datums that `mask` does not have are masked.
    #[inline]
    pub fn row(&self, dst: &Dst, row: usize, mask: u32) -> Result<[u32; COLS], Fault> {
        if mask == 0 && !self.common.lowest {
            return Ok([0; COLS]);
        }
        if self.plain && mask == 0xFFFF {
            return Ok(dst.read32(row).map(dst::decode32));
        }
        Ok(self.after_relu(self.intermediate(dst, row, mask)?))
    }

    /// A row of Dst as intermediate values, masked and rectified.
    #[inline]
    pub fn intermediate(&self, dst: &Dst, row: usize, mask: u32) -> Result<[u32; COLS], Fault> {
        let raw = if self.common.reading.wide { dst.read32(row) } else { dst.read16(row).map(u32::from) };
        let mut row = self.common.early.apply(raw);
        if mask != 0xFFFF {
            let masked = self.masked()?;
            for (col, datum) in row.iter_mut().enumerate() {
                *datum = if mask >> col & 1 != 0 { *datum } else { masked };
            }
        }
        Ok(self.common.relu.apply(row))
    }

    /// Intermediate values that did not come from Dst.
    pub fn after_relu(&self, row: [u32; COLS]) -> [u32; COLS] {
        let row = self.threshold.map_or(row, |threshold| threshold.apply(row));
        self.late.apply(row)
    }

    /// What masked datums become, as intermediate values.
    fn masked(&self) -> Result<u32, Fault> {
        match (self.common.lowest, self.common.class) {
            (false, _) => Ok(0),
            (true, Class::Single) if self.common.format != Int32 => Ok(0xFF80_0000),
            (true, Class::Brain) => Ok(0xFF80),
            (true, _) => Err(Fault::undocumented(format!("-infinity of {:?}", self.common.format))
                .page("TensixTile/TensixCoprocessor/Packers/EdgeMasking.md")),
        }
    }
}
