//! Loops over the 32 lanes, compiled for AVX-512 and AVX2 where the machine has them.
//!
//! What happens in a lane is a function of that lane's operands alone; the loops are written for the
//! vectoriser, and every path computes the same bits.
//!
//! # Safety
//! The only unsafe code calls functions compiled for certain instructions after the machine was asked
//! whether it has them.
#![allow(unsafe_code)]

use tt_isa::sfpu::{COLUMNS, LANES};

use super::fma::fused;

/// One value for each lane.
pub type Lanes = [u32; LANES];
/// One bit for each lane: bit i is lane i's.
pub type LaneMask = u32;

/// Every lane.
pub const ALL: LaneMask = LaneMask::MAX;

/// Functions compiled for each set of vector instructions, of which the machine's widest is chosen at run
/// time.
macro_rules! widest {
    ($(
        $(#[$doc:meta])*
        $name:ident $(<$f:ident: $bound:path>)? ($($arg:ident: $ty:ty),*) -> $out:ty = $portable:ident;
    )*) => {
        $(
            $(#[$doc])*
            #[inline]
            pub fn $name $(<$f: $bound>)? ($($arg: $ty),*) -> $out {
                #[cfg(target_arch = "x86_64")]
                {
                    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512cd")]
                    fn avx512 $(<$f: $bound>)? ($($arg: $ty),*) -> $out {
                        $portable($($arg),*)
                    }
                    #[target_feature(enable = "avx2")]
                    fn avx2 $(<$f: $bound>)? ($($arg: $ty),*) -> $out {
                        $portable($($arg),*)
                    }
                    if has_avx512() {
                        // SAFETY: the machine has AVX-512.
                        return unsafe { avx512($($arg),*) };
                    }
                    if is_x86_feature_detected!("avx2") {
                        // SAFETY: the machine has AVX2.
                        return unsafe { avx2($($arg),*) };
                    }
                }
                $portable($($arg),*)
            }
        )*
    };
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512cd")
}

widest! {
    /// `f` of the values of each lane.
    zip3<F: Fn(u32, u32, u32) -> u32>(a: &Lanes, b: &Lanes, c: &Lanes, f: F) -> Lanes = zip3_portable;
    /// Lanes for which `f` holds.
    lanes_where<F: Fn(u32) -> bool>(a: &Lanes, f: F) -> LaneMask = lanes_where_portable;
    /// `x * y + z` of each lane ([`fused`]). Not a [`zip3`]: a function that long would be called lane by
    /// lane.
    multiply_add(x: &Lanes, y: &Lanes, z: &Lanes) -> Lanes = multiply_add_portable;
    /// `new` in the lanes of `mask`, elsewhere `old`.
    blended(old: &Lanes, new: &Lanes, mask: LaneMask) -> Lanes = blended_portable;
}

/// `f` of the values of each lane.
#[inline]
pub fn zip<F: Fn(u32, u32) -> u32>(a: &Lanes, b: &Lanes, f: F) -> Lanes {
    zip3(a, b, a, |a, b, _| f(a, b))
}

/// `f` of each lane.
#[inline]
pub fn map<F: Fn(u32) -> u32>(a: &Lanes, f: F) -> Lanes {
    zip3(a, a, a, |a, _, _| f(a))
}

/// Replaces lanes of `old` that are in `mask`.
#[inline]
pub fn blend(old: &mut Lanes, new: &Lanes, mask: LaneMask) {
    *old = if mask == ALL { *new } else { blended(old, new, mask) };
}

#[inline(always)]
fn blended_portable(old: &Lanes, new: &Lanes, mask: LaneMask) -> Lanes {
    let mut out = *old;
    for i in 0..LANES {
        // Written as a test of a constant bit: that is a vector comparison.
        out[i] = if mask & (1 << i) != 0 { new[i] } else { old[i] };
    }
    out
}

/// Copies the first row of lanes to all four.
pub fn broadcast(columns: &[u32; COLUMNS]) -> Lanes {
    std::array::from_fn(|i| columns[i % COLUMNS])
}

/// The same of a mask's first row.
pub const fn broadcast_mask(columns: LaneMask) -> LaneMask {
    (columns & 0xFF) * 0x0101_0101
}

#[inline(always)]
fn zip3_portable<F: Fn(u32, u32, u32) -> u32>(a: &Lanes, b: &Lanes, c: &Lanes, f: F) -> Lanes {
    let mut out = [0; LANES];
    for i in 0..LANES {
        out[i] = f(a[i], b[i], c[i]);
    }
    out
}

#[inline(always)]
fn multiply_add_portable(x: &Lanes, y: &Lanes, z: &Lanes) -> Lanes {
    let mut out = [0; LANES];
    for i in 0..LANES {
        out[i] = fused(x[i], y[i], z[i]);
    }
    out
}

#[inline(always)]
fn lanes_where_portable<F: Fn(u32) -> bool>(a: &Lanes, f: F) -> LaneMask {
    (0..LANES).fold(0, |mask, i| mask | LaneMask::from(f(a[i])) << i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_agree_and_masks_count_from_lane_0() {
        let a: Lanes = std::array::from_fn(|i| (i as u32).wrapping_mul(0x9E37_79B9));
        let f = |x: u32, y: u32, z: u32| x.rotate_left(y & 31) ^ z;
        assert_eq!(zip3(&a, &a, &a, f), zip3_portable(&a, &a, &a, f));
        for shift in 0..1_000 {
            let near = |i: u32| map(&a, |x| (x >> 7 | 0x3C00_0000).rotate_left(i % 3).wrapping_mul(i | 1));
            let (x, y, z) = (near(shift), near(shift / 3), near(shift / 7));
            assert_eq!(multiply_add(&x, &y, &z), multiply_add_portable(&x, &y, &z));
        }
        assert_eq!(blended(&a, &[1; LANES], 0x1234_5678), blended_portable(&a, &[1; LANES], 0x1234_5678));
        assert_eq!(lanes_where(&a, |x| x >> 31 != 0), lanes_where_portable(&a, |x| x >> 31 != 0));
        assert_eq!(lanes_where(&a, |x| x == 0), 1);
        let mut b = [7; LANES];
        blend(&mut b, &a, 0x8000_0001);
        assert_eq!((b[0], b[1], b[31]), (a[0], 7, a[31]));
    }
}
