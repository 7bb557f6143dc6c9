//! ggml's types that weights come in: numbers, names and block sizes (`ggml.h`, `ggml-common.h`).

/// The table of types: number, name (`ggml_type_name`), values of a block, its bytes.
macro_rules! ggml_types {
    ($($variant:ident = $number:literal $name:literal $len:literal $bytes:literal,)*) => {
        /// A ggml type with real values. Numbers are part of the GGUF file format and never change.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[allow(non_camel_case_types, missing_docs)]
        #[repr(u8)]
        pub enum GgmlType {
            $($variant = $number,)*
        }

        impl GgmlType {
            /// All of them.
            pub const ALL: [Self; [$($number,)*].len()] = [$(Self::$variant,)*];

            /// The type with this number, if it has real values.
            pub const fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// ggml's name (`ggml_type_name`).
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

        }

        /// Values of a block, and its bytes, by number. (As a `match` it would be a table wherever it is used.)
        static BLOCKS: [(u16, u16); LARGEST as usize + 1] = {
            let mut blocks = [(1, 0); LARGEST as usize + 1];
            $(blocks[$number] = ($len, $bytes);)*
            blocks
        };
    };
}

ggml_types! {
    F32 = 0 "f32" 1 4,
    F16 = 1 "f16" 1 2,
    BF16 = 30 "bf16" 1 2,
    Q4_0 = 2 "q4_0" 32 18,
    Q4_1 = 3 "q4_1" 32 20,
    Q5_0 = 6 "q5_0" 32 22,
    Q5_1 = 7 "q5_1" 32 24,
    Q8_0 = 8 "q8_0" 32 34,
    Q2_K = 10 "q2_K" 256 84,
    Q3_K = 11 "q3_K" 256 110,
    Q4_K = 12 "q4_K" 256 144,
    Q5_K = 13 "q5_K" 256 176,
    Q6_K = 14 "q6_K" 256 210,
    IQ1_S = 19 "iq1_s" 256 50,
    IQ1_M = 29 "iq1_m" 256 56,
    IQ2_XXS = 16 "iq2_xxs" 256 66,
    IQ2_XS = 17 "iq2_xs" 256 74,
    IQ2_S = 22 "iq2_s" 256 82,
    IQ3_XXS = 18 "iq3_xxs" 256 98,
    IQ3_S = 21 "iq3_s" 256 110,
    IQ4_NL = 20 "iq4_nl" 32 18,
    IQ4_XS = 23 "iq4_xs" 256 136,
    TQ1_0 = 34 "tq1_0" 256 54,
    TQ2_0 = 35 "tq2_0" 256 66,
    MXFP4 = 39 "mxfp4" 32 17,
    NVFP4 = 40 "nvfp4" 64 36,
    Q1_0 = 41 "q1_0" 128 18,
    Q2_0 = 42 "q2_0" 64 18,
}

/// The largest number.
const LARGEST: GgmlType = GgmlType::Q2_0;

impl GgmlType {
    /// Values of a block, and its bytes.
    pub const fn block(self) -> (usize, usize) {
        let (len, bytes) = BLOCKS[self as usize];
        (len as usize, bytes as usize)
    }

    /// ggml's number of the type (`enum ggml_type`).
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// Whether values share scales: everything but the three plain float types.
    pub const fn is_quantised(self) -> bool {
        !matches!(self, GgmlType::F32 | GgmlType::F16 | GgmlType::BF16)
    }

    /// Bytes of a row of `k` values, if that is a whole number of blocks.
    pub const fn row_bytes(self, k: usize) -> Option<usize> {
        let (len, bytes) = self.block();
        if k.is_multiple_of(len) { Some(k / len * bytes) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back_to_types() {
        for ty in GgmlType::ALL {
            assert_eq!(GgmlType::from_number(ty.number()), Some(ty), "{}", ty.name());
        }
        // Integers and the intermediate types of dot products have no weights.
        for number in [4, 5, 9, 15, 24, 26, 28, 31, 200] {
            assert_eq!(GgmlType::from_number(number), None);
        }
    }

    #[test]
    fn rows_are_whole_blocks() {
        assert_eq!(GgmlType::Q4_K.row_bytes(512), Some(288));
        assert_eq!(GgmlType::Q4_K.row_bytes(500), None);
        assert_eq!(GgmlType::F32.row_bytes(5), Some(20));
    }
}
