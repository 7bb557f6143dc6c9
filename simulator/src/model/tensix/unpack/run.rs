//! The run of datums that an instruction moves: its place in L1, its length, and its destination.

use super::PAGE;
use super::convert;
use super::place::Target;
use super::setup::{Range, Setup, is_plain};
use crate::fault::Fault;
use crate::model::l1::L1;
use crate::model::tensix::adc::{AddressCounterState, dim};
use crate::model::tensix::src::{COLS, ROWS, Row};

/// A run of datums.
pub(super) struct Run {
    /// Index of the first datum in the tile.
    first: u32,
    /// Its address: byte, and bit within it.
    byte: u32,
    bit: u32,
    pub count: usize,
    /// Where it goes, in datums.
    pub to: u32,
}

impl Run {
    pub fn locate(setup: &Setup, adc: &AddressCounterState, thread: usize) -> Result<Self, Fault> {
        let own = &adc[thread][setup.unpacker];
        let xy = &adc[setup.counters][setup.unpacker];
        let (x, y, end) = range(setup, [xy.value(0, dim::X), xy.value(0, dim::Y), xy.value(1, dim::X)])?;
        let count = end.checked_sub(x).ok_or_else(|| {
            Fault::program(format!("the range of datums {x}..{end} of a row is empty")).page(PAGE)
        })?;
        let [row, plane, cube] = setup.strides;
        let first = [(y, row), (own.value(0, dim::Z), plane), (own.value(0, dim::W), cube)]
            .into_iter()
            .fold(x, |sum, (n, stride)| sum.wrapping_add(n.wrapping_mul(stride)));
        let bits =
            u64::from(setup.datums) * 8 + u64::from(first) * setup.conversion.input.datum_bits() as u64;
        let byte = u32::try_from(bits / 8).map_err(|_| beyond(setup.datums, count as usize))?;
        let byte = setup.wrap.apply(byte);
        if (setup.output.transpose || setup.tilize) && !(byte.is_multiple_of(16) && bits.is_multiple_of(8)) {
            let what = format!("transposing or tilizing from L1 {byte:#x}: not a multiple of 16");
            return Err(Fault::program(what).page(PAGE));
        }
        let counters: u32 = if setup.counted {
            let strides = setup.out_strides.into_iter().zip([dim::Y, dim::Z, dim::W]);
            strides.fold(0, |sum, (stride, dim)| sum.wrapping_add(own.value(1, dim).wrapping_mul(stride)))
        } else {
            0
        };
        let to = setup.out_base.wrapping_add(counters);
        Ok(Self { first, byte, bit: (bits % 8) as u32, count: count as usize, to })
    }

    /// Unpacks in one go, if the datums are in whole rows, one after the other in L1 and in the bank.
    pub fn whole_rows(&self, setup: &Setup, to_row: usize, l1: &L1, bank: &mut [Row; ROWS]) -> bool {
        if !is_plain(setup) || !setup.wrap.is_none() || self.bit != 0 || !self.count.is_multiple_of(COLS) {
            return false;
        }
        let rows = self.count / COLS;
        let Some(bytes) = l1.get(self.byte, self.count * setup.conversion.input.datum_bits() / 8) else {
            return false;
        };
        let exponents = if !setup.conversion.input.is_block_float() {
            &[]
        } else if let (true, Some(exponents)) =
            (self.first.is_multiple_of(16), l1.get(setup.exponents.wrapping_add(self.first / 16), rows))
        {
            exponents
        } else {
            return false;
        };
        convert::rows(&setup.conversion, bytes, exponents, &mut bank[to_row..to_row + rows])
    }

    /// The datums, sixteen at a time.
    pub fn reader<'a>(&self, setup: &'a Setup, l1: &'a L1) -> Reader<'a> {
        let exponent = u64::from(setup.wrap.apply(setup.exponents.wrapping_add(self.first / 16)));
        let exponent = exponent * 16 + u64::from(self.first % 16);
        Reader { setup, l1, byte: self.byte, bit: self.bit as usize, exponent, left: self.count }
    }
}

/// The first datum of a row, the row, and the datum behind the last, from the counters (x, y, end).
fn range(setup: &Setup, [x, y, last]: [u32; 3]) -> Result<(u32, u32, u32), Fault> {
    Ok(match setup.range {
        Range::Counters => (x, y, last + 1),
        Range::Row => (0, y, last),
        Range::Blobs { starts, per_plane } => {
            let start = |blob: u32| (starts >> (4 * blob) & 15) << 4;
            let next = (x & 7) + 1;
            let end = if next == per_plane {
                setup.strides[0] & 0x1F0
            } else if next < 8 {
                start(next)
            } else {
                return Err(Fault::program(format!("row search up to blob {next} of {per_plane}")).page(PAGE));
            };
            (start(y & 7), 0, end)
        }
    })
}

fn beyond(addr: u32, len: usize) -> Fault {
    Fault::program(format!("unpack of {len} bytes at L1 {addr:#x}")).page(PAGE)
}

/// Reads a run.
pub(super) struct Reader<'a> {
    setup: &'a Setup,
    l1: &'a L1,
    byte: u32,
    bit: usize,
    /// Where the next datum's exponent is, in sixteenths of a byte.
    exponent: u64,
    left: usize,
}

impl Reader<'_> {
    /// The next sixteen datums, or what is left, converted: how many, and their bits.
    #[inline]
    pub fn next_row(&mut self) -> Result<Option<(usize, [u32; COLS])>, Fault> {
        let len = self.left.min(COLS);
        if len == 0 {
            return Ok(None);
        }
        self.left -= len;
        let setup = self.setup;
        if setup.zeros {
            return Ok(Some((len, [0; COLS])));
        }
        let width = setup.conversion.input.datum_bits();
        let bytes = self.slice(self.byte, (self.bit + len * width).div_ceil(8))?;
        let mut raw = [0; COLS];
        convert::gather(bytes, self.bit, width, &mut raw[..len]);
        self.byte = setup.wrap.apply(self.byte.wrapping_add(setup.row_stride));
        let exponents = self.exponents(len)?;
        Ok(Some((len, setup.conversion.apply(&raw, &exponents)?)))
    }

    /// The next datums' exponents; zeros for formats whose datums have their own.
    fn exponents(&mut self, len: usize) -> Result<[u8; COLS], Fault> {
        if let Some(exponent) = self.setup.forced_exponent {
            return Ok([exponent; COLS]);
        }
        let mut exponents = [0; COLS];
        if self.setup.conversion.input.is_block_float() {
            let mut at = 0;
            while at < len {
                // Sixteen datums share a byte, and a run may start in the middle of them.
                let shared = (16 - (self.exponent % 16) as usize).min(len - at);
                exponents[at..at + shared].fill(self.slice((self.exponent / 16) as u32, 1)?[0]);
                at += shared;
                self.exponent += shared as u64;
                if self.exponent.is_multiple_of(256) {
                    self.exponent = u64::from(self.setup.wrap.apply((self.exponent / 16) as u32)) * 16;
                }
            }
        }
        Ok(exponents)
    }

    fn slice(&self, addr: u32, len: usize) -> Result<&[u8], Fault> {
        self.l1.get(addr, len).ok_or_else(|| beyond(addr, len))
    }
}

/// SrcA takes several rows at once. A burst that spans two sets of sixteen rows loses rows in hardware, so it
/// has to be aligned.
pub(super) fn check_bursts(setup: &Setup, run: &Run, row: usize) -> Result<(), Fault> {
    if setup.throttle_mode > 2 {
        return Err(Fault::program(format!("Throttle_mode {}", setup.throttle_mode)).page(PAGE));
    }
    if !matches!(setup.output.target, Target::SrcA { .. }) || run.count <= COLS {
        return Ok(());
    }
    let bits = setup.conversion.input.datum_bits();
    let mode = match bits {
        2 => 0,
        _ if setup.tilize => 2,
        _ => setup.throttle_mode,
    };
    let rows = ((16 << mode) / (2 * bits)).clamp(1, 8);
    if row & (rows - 1) != 0 {
        let what = format!("unpacking bursts of {rows} rows to SrcA row {row}");
        return Err(Fault::undocumented(what).page(PAGE));
    }
    Ok(())
}
