//! What a device has been asked to execute, for tests: the descriptors in order, and a text of them for people.
//!
//! ```text
//! 3 MUL_MAT cores=64 params=[0:1 5:0x3f800000]
//!     src0 a TilesBfp8 [64 32]
//!     src1 b F32 [64 5]
//!     dst  c F32 [32 5]
//! ```
//! A tensor's address is a letter, given in the order of appearance, so that a text does not depend on where memory was free. Strides are
//! named where they are not those of a tensor without gaps, parameters where they are not 0.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use parking_lot::Mutex;

use crate::{OpDescriptor, TensorView};

/// The launches of a device.
#[derive(Default)]
pub struct Record {
    launches: Mutex<Launches>,
}

#[derive(Default)]
struct Launches {
    descriptors: Vec<OpDescriptor>,
    listing: Listing,
    file: Option<File>,
}

impl Record {
    /// One that is kept in memory only.
    pub fn new() -> Self {
        Self::default()
    }

    /// One whose text is also written to a file; one that is there is overwritten.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn to_file(path: &Path) -> std::io::Result<Self> {
        let file = Some(File::create(path)?);
        Ok(Self { launches: Mutex::new(Launches { file, ..Launches::default() }) })
    }

    /// Notes a launch.
    pub(crate) fn launch(&self, descriptor: &OpDescriptor) {
        let Launches { descriptors, listing, file } = &mut *self.launches.lock();
        descriptors.push(*descriptor);
        let before = listing.text.len();
        listing.add(descriptor);
        if let Some(Err(error)) = file.as_mut().map(|file| file.write_all(&listing.text.as_bytes()[before..]))
        {
            tracing::error!("a launch could not be written to the record: {error}");
            *file = None;
        }
    }

    /// The descriptors so far, in order.
    pub fn descriptors(&self) -> Vec<OpDescriptor> {
        self.launches.lock().descriptors.clone()
    }

    /// The text of them.
    pub fn listing(&self) -> String {
        self.launches.lock().listing.text.clone()
    }
}

/// A text of descriptors, and the names of the addresses in it.
#[derive(Default)]
struct Listing {
    text: String,
    names: HashMap<u64, String>,
    count: usize,
}

impl Listing {
    fn add(&mut self, descriptor: &OpDescriptor) {
        self.count += 1;
        let _ = write!(self.text, "{} {} cores={}", self.count, descriptor.name(), descriptor.cores);
        if descriptor.flags != 0 {
            let _ = write!(self.text, " flags={:#x}", descriptor.flags);
        }
        let params = descriptor.params.words().iter().enumerate().filter(|(_, word)| **word != 0);
        let params: Vec<String> = params.map(|(i, word)| format!("{i}:{}", number(*word))).collect();
        if !params.is_empty() {
            let _ = write!(self.text, " params=[{}]", params.join(" "));
        }
        self.text.push('\n');
        let more = ["more0", "more1", "more2"].into_iter().zip(&descriptor.more);
        let views = [("src0", &descriptor.src0), ("src1", &descriptor.src1)].into_iter().chain(more);
        for (name, view) in
            views.chain([("dst", &descriptor.dst)]).filter(|(_, view)| **view != TensorView::NONE)
        {
            self.view(name, view);
        }
    }

    fn view(&mut self, name: &str, view: &TensorView) {
        let next = self.names.len();
        let address = self.names.entry(view.addr).or_insert_with(|| letters(next));
        let _ = write!(self.text, "    {name:<5} {address} ");
        let _ = match view.element_type() {
            Some(ty) => write!(self.text, "{ty:?} {}", extents(view.ne)),
            None => write!(self.text, "type {} {}", view.ty, extents(view.ne)),
        };
        let plain = view.element_type().map(|ty| match ty.is_tiles() {
            true => TensorView::tiles(ty, view.addr, view.ne),
            false => TensorView::contiguous(ty, view.addr, view.ne),
        });
        if plain.is_none_or(|plain| plain.nb != view.nb) {
            let _ = write!(self.text, " strides {:?}", view.nb);
        }
        self.text.push('\n');
    }
}

/// Small numbers as they are, others (addresses, floats) in hexadecimal.
fn number(word: u32) -> String {
    if word < 1 << 16 { word.to_string() } else { format!("{word:#x}") }
}

/// Extents without the ones at the end.
fn extents(ne: [u32; 4]) -> String {
    let len = ne.iter().rposition(|&n| n != 1).map_or(1, |last| last + 1);
    let text: Vec<String> = ne[..len].iter().map(u32::to_string).collect();
    format!("[{}]", text.join(" "))
}

/// `a` to `z`, then `aa` and so on.
fn letters(n: usize) -> String {
    let last = char::from(b'a' + (n % 26) as u8);
    if n < 26 { last.to_string() } else { letters(n / 26 - 1) + &last.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_kernel_abi::Op;
    use tt_kernel_abi::Params;
    use tt_kernel_abi::elementwise::{ElementwiseParams, OWN_PARAMS, Pieces};
    use tt_kernel_abi::operators::kernel::Unary;

    use crate::ElementType;

    #[test]
    fn a_listing_names_addresses_by_appearance() {
        let a = TensorView::contiguous(ElementType::F32, 0x5000, [64, 5, 1, 1]);
        let b = TensorView {
            nb: [4, 512, 2560, 2560],
            ..TensorView::contiguous(ElementType::F32, 0x100, [64, 5, 1, 1])
        };
        let params = ElementwiseParams {
            pieces: Pieces { function: 7, len: 0, per_row: 0, count: 70_000 },
            own: [0; OWN_PARAMS],
        };
        let record = Record::new();
        record.launch(&OpDescriptor {
            op: Op::Unary as u32,
            cores: 8,
            src0: a,
            dst: b,
            params: Params::of::<Unary>(&params),
            ..OpDescriptor::NOP
        });
        record.launch(&OpDescriptor {
            op: Op::Binary as u32,
            cores: 8,
            src0: b,
            src1: a,
            dst: b,
            ..OpDescriptor::NOP
        });
        let expected = "\
1 UNARY cores=8 params=[0:7 3:0x11170]
    src0  a F32 [64 5]
    dst   b F32 [64 5] strides [4, 512, 2560, 2560]
2 BINARY cores=8
    src0  b F32 [64 5] strides [4, 512, 2560, 2560]
    src1  a F32 [64 5]
    dst   b F32 [64 5] strides [4, 512, 2560, 2560]
";
        assert_eq!(record.listing(), expected);
        assert_eq!(record.descriptors().len(), 2);
        assert_eq!([0, 25, 26, 27, 52].map(letters), ["a", "z", "aa", "ab", "ba"]);
    }
}
