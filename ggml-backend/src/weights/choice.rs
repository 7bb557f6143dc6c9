//! What becomes of a weight: which tiles, or a stream of exact integers, and where they lie. What is said of tiles holds for such a stream as well.

use std::sync::OnceLock;

use tt_runtime::TensorView;
use tt_runtime::layout::{Form, GgmlType, Packing, Rule, WeightFormat, packed_bytes};

use tt_settings::{PACK, WEIGHTS};

use crate::abi::log;

/// Matrices with fewer rows would be mostly padding.
const FEWEST_ROWS: usize = 32;

/// Contiguous matrices of one type, as ggml has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weight {
    /// Type of the elements.
    pub ty: GgmlType,
    /// Extents: k, n, and two of batches.
    pub ne: [u32; 4],
}

impl Weight {
    /// Bytes that ggml has, if rows are whole blocks.
    pub fn bytes(&self) -> Option<u64> {
        let row = self.ty.row_bytes(self.ne[0] as usize)? as u64;
        self.ne[1..].iter().try_fold(row, |bytes, &n| bytes.checked_mul(u64::from(n)))
    }

    /// How many matrices.
    pub fn count(&self) -> usize {
        self.ne[2] as usize * self.ne[3] as usize
    }

    /// Bytes of its tiles.
    pub fn tile_bytes(&self) -> u64 {
        let [k, n, ..] = self.ne.map(|n| n as usize);
        packed_bytes(self.form(), k, n, self.count()) as u64
    }

    /// What it becomes: as the user says, else the smallest format that loses nothing that matters.
    pub fn form(&self) -> Form {
        Choice::get().form(self.ty)
    }

    /// Bytes of the place in an arena where its tiles can replace ggml's bytes; `None` if they are to lie elsewhere.
    ///
    /// ggml lets tensors without an operator be larger than it thinks. Quantised types use that: their tiles may be
    /// larger than their blocks. Plain floats get no padding, because caches and inputs look the same to us.
    pub fn place_bytes(&self) -> Option<u64> {
        let (bytes, tiles) = (self.bytes()?, self.tile_bytes());
        let worth_it = self.ne[1] as usize >= FEWEST_ROWS && bytes > 0;
        (worth_it && (self.ty.is_quantised() || tiles <= bytes)).then_some(bytes.max(tiles))
    }

    /// The kernels' view of its tiles.
    pub fn tiles(&self, addr: u64) -> Option<TensorView> {
        Some(TensorView::tiles(self.form().element_type()?, addr, self.ne))
    }
}

/// Whether the user wants tiles so coarse that products differ visibly from ggml's.
pub fn is_coarse() -> bool {
    Choice::get().wanted == Some(Wanted::Tiles(WeightFormat::Bfp4))
}

/// What the user wants weights to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wanted {
    /// Tiles of a format, whatever the type.
    Tiles(WeightFormat),
    /// Exact where the type can be, and the default elsewhere.
    Exact,
}

/// The user's choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Choice {
    wanted: Option<Wanted>,
    rule: Rule,
}

impl Choice {
    /// From the environment, looked at once.
    fn get() -> Self {
        static CHOICE: OnceLock<Choice> = OnceLock::new();
        *CHOICE.get_or_init(|| Self::parse(WEIGHTS.text().unwrap_or(""), PACK.text().unwrap_or("")))
    }

    fn parse(format: &str, pack: &str) -> Self {
        let wanted = match format {
            "" => None,
            "tf32" => Some(Wanted::Tiles(WeightFormat::Tf32)),
            "bf16" => Some(Wanted::Tiles(WeightFormat::Bf16)),
            "bfp8" => Some(Wanted::Tiles(WeightFormat::Bfp8)),
            "bfp4" => Some(Wanted::Tiles(WeightFormat::Bfp4)),
            "exact" => Some(Wanted::Exact),
            other => {
                log::warn(&format!(
                    "{}={other} is none of exact, tf32, bf16, bfp8, bfp4: not used",
                    WEIGHTS.name
                ));
                None
            }
        };
        let rule = match pack {
            "" | "rule" => Rule::Vendor,
            "search" => Rule::Search,
            other => {
                log::warn(&format!("{}={other} is neither rule nor search: not used", PACK.name));
                Rule::Vendor
            }
        };
        Self { wanted, rule }
    }

    /// What weights of a type become.
    fn form(self, ty: GgmlType) -> Form {
        let default = match ty {
            GgmlType::F32 => WeightFormat::Tf32,
            _ if ty.is_quantised() => WeightFormat::Bfp8,
            _ => WeightFormat::Bf16,
        };
        let tiles = |format| Form::from(Packing { format, rule: self.rule });
        match self.wanted {
            None => tiles(default),
            Some(Wanted::Tiles(format)) => tiles(format),
            Some(Wanted::Exact) => Form::exact(ty).unwrap_or_else(|| tiles(default)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_hold_tiles_and_bytes() {
        let place = |ty, ne| Weight { ty, ne }.place_bytes();
        // 4.5 bits to 8.5.
        assert_eq!(place(GgmlType::Q4_0, [64, 64, 1, 1]), Some(4 * 1088));
        // 16 bits to 16, and 32 to 32.
        assert_eq!(place(GgmlType::F16, [64, 64, 1, 1]), Some(2 * 64 * 64));
        assert_eq!(place(GgmlType::F32, [64, 64, 3, 1]), Some(4 * 64 * 64 * 3));
        // Padding that floats do not get.
        assert_eq!(place(GgmlType::F16, [64, 33, 1, 1]), None);
        assert_eq!(place(GgmlType::F32, [80, 64, 1, 1]), None);
        assert_eq!(place(GgmlType::Q8_0, [64, 33, 1, 1]), Some(4 * 1088));
        // Vectors stay what they are.
        assert_eq!(place(GgmlType::Q8_0, [64, 1, 1, 1]), None);
        // No whole blocks.
        assert_eq!(place(GgmlType::Q4_K, [64, 64, 1, 1]), None);
    }

    #[test]
    fn settings() {
        assert_eq!(Choice::parse("", ""), Choice::default());
        assert_eq!(Choice::parse("bfp4", "search").wanted, Some(Wanted::Tiles(WeightFormat::Bfp4)));
        assert_eq!(Choice::parse("bfp4", "search").rule, Rule::Search);
        assert_eq!(Choice::parse("int8", "guess"), Choice::default());
    }

    #[test]
    fn exact_where_a_type_can_be() {
        let exact = Choice::parse("exact", "");
        for ty in GgmlType::ALL {
            let want = Form::exact(ty).unwrap_or_else(|| Choice::default().form(ty));
            assert_eq!(exact.form(ty), want, "{ty:?}");
            assert!(want.element_type().is_some(), "{ty:?}");
        }
    }
}
