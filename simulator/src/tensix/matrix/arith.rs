//! Arithmetic of `MVMUL` bit by bit, for operands with 8-bit exponents and 32-bit Dst.
//!
//! The ISA pages give the data flow and call their arithmetic a rough guide; the bits are those of the vendor's
//! simulator. For each output:
//!
//! 1. Sixteen products of a 5-bit slice of SrcA's significand and a 7-bit slice of SrcB's. The fidelity phase
//!    says which slices: bit 0 takes SrcA's low bits (exponent 5 less), bit 1 SrcB's low bits (7 less).
//!    A datum with exponent 0 is zero.
//! 2. Products 0..8 and 8..16 form two groups. Within a group each is shifted right to the group's largest
//!    exponent, its magnitude rounded half up, and they are summed exactly.
//! 3. Both sums and the Dst datum are shifted to the largest of their three exponents, rounded half up (of a
//!    negative sum: half down), and added.
//! 4. The result is normalised and rounded half up. Underflow and cancellation give +0, overflow infinity.
//!
//! [`multiply_row`] computes one row of sixteen outputs in lanes; [`multiply`] runs it compiled for the widest
//! vectors that the machine has. The lanes are plain integer code: every path gives the same bits.

/// Rows of SrcB and Dst.
pub const ROWS: usize = 8;
const LANES: usize = 16;

/// Rows of Dst as values (not in storage form).
pub type Rows = [[u32; LANES]; ROWS];
type Lanes = [i32; LANES];

/// What to compute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Fidelity phase, 0..3.
    pub phase: u32,
    /// SrcA datums have TF32's ten mantissa bits (otherwise seven).
    pub tf32_a: bool,
    /// The same of SrcB.
    pub tf32_b: bool,
}

impl Operation {
    /// What is added to the sum of the operands' exponents.
    pub(super) const fn exponent_offset(self) -> i32 {
        -127 - if self.phase & 1 != 0 { 5 } else { 0 } - if self.phase & 2 != 0 { 7 } else { 0 }
    }
}

const TF32_BITS: u32 = 0xFFFF_E000;
const BF16_BITS: u32 = 0xFFFF_0000;

/// Dst rows += SrcB rows times SrcA.
pub fn multiply(
    op: &Operation,
    src_a: &[[u32; LANES]; LANES],
    src_b: &[[u32; LANES]; ROWS],
    rows: &mut Rows,
) {
    #[cfg(target_arch = "x86_64")]
    if super::avx2::multiply(op, src_a, src_b, rows) {
        return;
    }
    multiply_portable(op, src_a, src_b, rows);
}

/// SrcA taken apart: `[k][column]`.
struct FaceA {
    exponent: [Lanes; LANES],
    mantissa: [Lanes; LANES],
    /// All ones where negative.
    sign: [Lanes; LANES],
}

/// The portable form of [`multiply`], inlined into every path.
#[inline(always)]
pub fn multiply_portable(
    op: &Operation,
    src_a: &[[u32; LANES]; LANES],
    src_b: &[[u32; LANES]; ROWS],
    rows: &mut Rows,
) {
    let keep_b = if op.tf32_b { TF32_BITS } else { BF16_BITS };
    let mut face = None;
    for (b, dst) in src_b.iter().zip(rows) {
        let live = b.iter().any(|&x| x & keep_b & 0x7F80_0000 != 0);
        if !live && dst.iter().all(|&x| x == 0) {
            // Nothing is added to nothing. (Rows beyond the last token are like this.)
            continue;
        }
        let face = face.get_or_insert_with(|| take_apart(op, src_a));
        multiply_row(op, face, &b.map(|x| x & keep_b), dst);
    }
}

// Indices are lanes here and below: the loops are written for the vectoriser.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn take_apart(op: &Operation, src_a: &[[u32; LANES]; LANES]) -> FaceA {
    let keep = if op.tf32_a { TF32_BITS } else { BF16_BITS };
    let mut face =
        FaceA { exponent: [[0; LANES]; LANES], mantissa: [[0; LANES]; LANES], sign: [[0; LANES]; LANES] };
    let low = op.phase & 1 != 0;
    for k in 0..LANES {
        for c in 0..LANES {
            let x = src_a[k][c] & keep;
            let exponent = ((x >> 23) & 255) as i32;
            let significand = ((x >> 13) & 0x3FF | 0x400) as i32;
            let slice = if low { (significand >> 1) & 31 } else { significand >> 6 };
            let zero = exponent == 0;
            face.exponent[k][c] = if zero { ZERO_EXPONENT } else { exponent };
            face.mantissa[k][c] = if zero { 0 } else { slice };
            face.sign[k][c] = (x as i32) >> 31;
        }
    }
    face
}

/// Exponent of a zero operand: far below all others, so that the product never sets a group's exponent.
const ZERO_EXPONENT: i32 = -4096;

/// Sum of eight products: magnitude (13 bits below the exponent's unit), sign (0 or 1), exponent.
struct Group {
    magnitude: Lanes,
    sign: Lanes,
    exponent: Lanes,
}

#[inline(always)]
fn group(op: &Operation, face: &FaceA, b: &[u32; LANES], first: usize) -> Group {
    let offset = op.exponent_offset();
    let low = op.phase & 2 != 0;
    let mut top: Lanes = [0; LANES];
    let mut exponents = [[0i32; LANES]; 8];
    let mut products = [[0i32; LANES]; 8];
    for i in 0..8 {
        let x = b[first + i];
        let e = ((x >> 23) & 255) as i32;
        let significand = ((x >> 13) & 0x3FF | 0x400) as i32;
        let slice = if low { (significand & 15) << 3 } else { significand >> 4 };
        let (slice, e) = if e == 0 { (0, ZERO_EXPONENT) } else { (slice, e + offset) };
        let sign = (x as i32) >> 31;
        for c in 0..LANES {
            let exponent = face.exponent[first + i][c] + e;
            exponents[i][c] = exponent;
            top[c] = top[c].max(exponent);
            let magnitude = face.mantissa[first + i][c] * slice;
            let sign = face.sign[first + i][c] ^ sign;
            // Sign and magnitude travel together: the magnitude has 12 bits.
            products[i][c] = magnitude << 1 | (sign & 1);
        }
    }
    let mut sum: Lanes = [0; LANES];
    for i in 0..8 {
        for c in 0..LANES {
            let shift = (top[c] - exponents[i][c]).min(30) as u32;
            let magnitude = products[i][c] >> 1;
            let rounded = (((magnitude << 1) as u32 + (1 << shift)) >> (shift + 1)) as i32;
            let negate = -(products[i][c] & 1);
            sum[c] += (rounded ^ negate) - negate;
        }
    }
    let mut group = Group { magnitude: [0; LANES], sign: [0; LANES], exponent: top };
    for c in 0..LANES {
        let negate = sum[c] >> 31;
        // Where no product has an exponent above zero the whole sum is +0.
        let live = if top[c] > 0 { -1 } else { 0 };
        group.sign[c] = negate & 1 & live;
        group.magnitude[c] = (((sum[c] ^ negate) - negate) << 13) & live;
    }
    group
}

/// `magnitude` shifted right by `shift`, rounded half up, or half down where `down` is 1; shifts of 31 and more
/// leave nothing.
#[inline(always)]
fn align(magnitude: i32, shift: i32, down: i32) -> i32 {
    let s = shift.clamp(1, 30) as u32;
    let rounded = (magnitude + (1 << (s - 1)) - down) >> s;
    if shift == 0 {
        magnitude
    } else if shift < 31 {
        rounded
    } else {
        0
    }
}

/// Position of the highest one of a positive number, by conversion to floating point (exact: the bits that
/// could round it up are cleared first).
#[inline(always)]
fn highest_bit(x: i32) -> i32 {
    ((((x & !(x >> 1)) as f32).to_bits() >> 23) as i32) - 127
}

/// Dst datum plus two groups of (magnitude, sign, exponent): steps 3 and 4 of the module's description.
#[inline(always)]
pub(super) fn accumulate(dst: u32, g0: [i32; 3], g1: [i32; 3]) -> u32 {
    let exponent_dst = ((dst >> 23) & 255) as i32;
    let magnitude_dst = if exponent_dst == 0 { 0 } else { (dst & 0x7F_FFFF | 0x80_0000) as i32 };
    let sign_dst = (dst >> 31) as i32;
    let mut exponent = g0[2].max(g1[2]).max(exponent_dst);
    let underflow = exponent <= 0;

    let m0 = align(g0[0], exponent - g0[2], g0[1]);
    let m1 = align(g1[0], exponent - g1[2], g1[1]);
    let md = align(magnitude_dst, exponent - exponent_dst, 0);
    let signed = |m: i32, sign: i32| (m ^ -(sign ^ sign_dst)) - -(sign ^ sign_dst);
    let sum = md + signed(m0, g0[1]) + signed(m1, g1[1]);
    let negative = sum >> 31;
    let sign = sign_dst ^ (negative & 1);
    let magnitude = (sum ^ negative) - negative;

    let mut left = 23 - highest_bit(magnitude);
    // The renormaliser counts the leading sign bits of -1 wrongly.
    left -= if sign == 1 && magnitude == 1 { 27 } else { 0 };
    exponent -= left;
    let right = (-left).clamp(1, 31) as u32;
    let down = (magnitude + (1 << (right - 1))) >> right;
    let normal = if left < 0 { down } else { magnitude << left.clamp(0, 31) };
    exponent += (normal >> 24) & 1;
    let bits = ((exponent.clamp(0, 255) as u32) << 23) | (normal as u32 & 0x7F_FFFF);
    let infinity = 255 << 23;
    let value = if exponent >= 255 { infinity } else { bits };
    if underflow || magnitude == 0 || exponent <= 0 { 0 } else { value | (sign as u32) << 31 }
}

#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn multiply_row(op: &Operation, face: &FaceA, b: &[u32; LANES], dst: &mut [u32; LANES]) {
    let low = group(op, face, b, 0);
    let high = group(op, face, b, 8);
    for c in 0..LANES {
        dst[c] = accumulate(
            dst[c],
            [low.magnitude[c], low.sign[c], low.exponent[c]],
            [high.magnitude[c], high.sign[c], high.exponent[c]],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(state: &mut u64) -> u32 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 16) as u32
    }

    /// Any bits, exponents close to 127, extreme exponents, zeros.
    fn operand(state: &mut u64) -> u32 {
        let x = next(state);
        let exponent = match next(state) % 8 {
            0 => return x & 0xFFFF_E000,
            1 => 0,
            2 => 1 + next(state) % 4,
            3 => 250 + next(state) % 6,
            _ => 112 + next(state) % 32,
        };
        x & 0x807F_E000 | exponent << 23
    }

    /// Steps 1 and 2 of the module's description for one output, literally.
    fn group_by_description(op: &Operation, pairs: &[(u32, u32)]) -> [i32; 3] {
        let terms: Vec<(i32, i64, bool)> = pairs
            .iter()
            .filter(|(a, b)| a >> 23 & 255 != 0 && b >> 23 & 255 != 0)
            .map(|&(a, b)| {
                let significand = |x: u32| i64::from(x >> 13 & 0x3FF | 0x400);
                let (a_m, b_m) = (significand(a), significand(b));
                let a_slice = if op.phase & 1 != 0 { a_m / 2 % 32 } else { a_m / 64 };
                let b_slice = if op.phase & 2 != 0 { b_m % 16 * 8 } else { b_m / 16 };
                let exponent = (a >> 23 & 255) as i32 + (b >> 23 & 255) as i32 + op.exponent_offset();
                (exponent, a_slice * b_slice, (a ^ b) >> 31 != 0)
            })
            .collect();
        let top = terms.iter().map(|t| t.0).max().unwrap_or(0).max(0);
        if top == 0 {
            return [0; 3];
        }
        let sum: i64 = terms
            .iter()
            .map(|&(exponent, product, negative)| {
                let unit = 1i64 << (top - exponent).min(30);
                let rounded = (2 * product + unit) / (2 * unit);
                if negative { -rounded } else { rounded }
            })
            .sum();
        [(sum.abs() << 13) as i32, i32::from(sum < 0), top]
    }

    #[test]
    fn every_path_gives_the_described_groups() {
        let mut state = 0x9E37_79B9_7F4A_7C15;
        for round in 0..2000u32 {
            let op = Operation { phase: round & 3, tf32_a: round & 4 != 0, tf32_b: round & 8 != 0 };
            let a: [[u32; LANES]; LANES] =
                std::array::from_fn(|_| std::array::from_fn(|_| operand(&mut state)));
            let b: [[u32; LANES]; ROWS] =
                std::array::from_fn(|_| std::array::from_fn(|_| operand(&mut state)));
            let old: Rows = std::array::from_fn(|_| std::array::from_fn(|_| operand(&mut state)));
            let (mut chosen, mut portable) = (old, old);
            multiply(&op, &a, &b, &mut chosen);
            multiply_portable(&op, &a, &b, &mut portable);
            assert_eq!(chosen, portable, "{op:?}");
            let keep = |tf32| if tf32 { TF32_BITS } else { BF16_BITS };
            for (r, c) in (0..ROWS).flat_map(|r| (0..LANES).map(move |c| (r, c))) {
                let pairs: Vec<_> =
                    (0..LANES).map(|k| (a[k][c] & keep(op.tf32_a), b[r][k] & keep(op.tf32_b))).collect();
                let [low, high] = [0, 8].map(|k| group_by_description(&op, &pairs[k..k + 8]));
                assert_eq!(chosen[r][c], accumulate(old[r][c], low, high), "{op:?}, row {r}, column {c}");
            }
        }
    }

    #[test]
    fn small_products_by_hand() {
        let f = f32::to_bits;
        let op = Operation { phase: 0, tf32_a: true, tf32_b: true };
        let (a, b) = ([[f(1.5); LANES]; LANES], [[f(-2.0); LANES]; ROWS]);
        let mut rows = [[f(8.0); LANES]; ROWS];
        multiply(&op, &a, &b, &mut rows);
        assert_eq!(rows, [[f(8.0 - 16.0 * 3.0); LANES]; ROWS]);
        // 1 + 2^-7 has its last bit below SrcA's five high ones and SrcB's seven: phase 0 sees 1 x 1.
        let x = f(1.0 + 1.0 / 128.0);
        let mut rows = [[0; LANES]; ROWS];
        multiply(&op, &[[x; LANES]; LANES], &[[x; LANES]; ROWS], &mut rows);
        assert_eq!(rows, [[f(16.0); LANES]; ROWS]);
    }
}
