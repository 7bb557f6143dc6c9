//! Rows of ggml's types as single precision numbers.

use tt_kernel_abi::ElementType;

use super::scale;

/// Values of a row. `out` has as many elements as `row` encodes; types without values give zeros.
pub fn row(ty: ElementType, row: &[u8], out: &mut [f32]) {
    match ty {
        ElementType::F32 => {
            for (x, b) in out.iter_mut().zip(row.chunks_exact(4)) {
                *x = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            }
        }
        ElementType::F16 => {
            for (x, b) in out.iter_mut().zip(row.chunks_exact(2)) {
                *x = scale(b);
            }
        }
        ElementType::BF16 => {
            for (x, b) in out.iter_mut().zip(row.chunks_exact(2)) {
                *x = half::bf16::from_le_bytes([b[0], b[1]]).to_f32();
            }
        }
        ElementType::Q8_0 => {
            for (x, block) in out.chunks_exact_mut(32).zip(row.chunks_exact(34)) {
                let d = scale(block);
                for (x, &q) in x.iter_mut().zip(&block[2..]) {
                    *x = f32::from(q as i8) * d;
                }
            }
        }
        ElementType::Q4_0 => {
            for (x, block) in out.chunks_exact_mut(32).zip(row.chunks_exact(18)) {
                let d = scale(block);
                // Low nibbles are the first half of the block.
                for (i, &q) in block[2..].iter().enumerate() {
                    x[i] = (f32::from(q & 15) - 8.0) * d;
                    x[i + 16] = (f32::from(q >> 4) - 8.0) * d;
                }
            }
        }
        _ => out.fill(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_quantised_types() {
        let mut block = vec![0x00, 0x38]; // 0.5
        block.extend((0..32).map(|i| (i as i8 - 16) as u8));
        let mut out = [0.0; 32];
        row(ElementType::Q8_0, &block, &mut out);
        assert_eq!((out[0], out[16], out[31]), (-8.0, 0.0, 7.5));

        let mut block = vec![0x00, 0xBC]; // -1
        block.extend([0x80u8; 16]);
        row(ElementType::Q4_0, &block, &mut out);
        assert_eq!((out[0], out[15], out[16], out[31]), (8.0, 8.0, 0.0, 0.0));
    }
}
