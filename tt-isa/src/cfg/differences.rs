//! A chip's registers, written as differences from Wormhole's.

use super::CfgField;
use crate::text::equal;

/// One or more registers that follow one another, in rising order of a chip's registers.
pub(crate) struct Difference {
    /// First register.
    pub first: u32,
    /// Last register.
    pub last: u32,
    /// Register of the other chip whose fields the first one has; the others' follow.
    pub from: Option<u32>,
    /// Fields that the other chip does not have there.
    pub fields: &'static [CfgField],
}

/// The fields of a chip: `N` of them, by register index and bit.
pub(crate) const fn apply<const N: usize>(
    base: &'static [CfgField],
    differences: &[Difference],
) -> [CfgField; N] {
    let mut out = [base[0]; N];
    let (mut n, mut i) = (0, 0);
    while i < differences.len() {
        let difference = &differences[i];
        assert!(i == 0 || differences[i - 1].last < difference.first, "registers have to be in rising order");
        let start = n;
        let mut at = 0;
        while at < base.len() {
            let field = &base[at];
            if let Some(index) = difference.moved(field)
                && !taken(field, difference.fields)
                && !listed(field, differences, i)
            {
                out[n] = CfgField { index, ..*field };
                n += 1;
            }
            at += 1;
        }
        at = 0;
        while at < difference.fields.len() {
            out[n] = difference.fields[at];
            n += 1;
            at += 1;
        }
        sort(&mut out, start, n);
        i += 1;
    }
    assert!(n == N, "another number of fields");
    out
}

impl Difference {
    /// Register that a field of the other chip moves to, if it does.
    const fn moved(&self, field: &CfgField) -> Option<u32> {
        match self.from {
            Some(from) if field.index >= from && field.index - from <= self.last - self.first => {
                Some(field.index - from + self.first)
            }
            _ => None,
        }
    }
}

/// Whether listed fields have bits of `field`.
const fn taken(field: &CfgField, fields: &[CfgField]) -> bool {
    let mut i = 0;
    while i < fields.len() {
        if fields[i].mask() & field.mask() != 0 {
            return true;
        }
        i += 1;
    }
    false
}

/// Whether a field of this name is listed with the register or the one before it, which is as far as fields move.
const fn listed(field: &CfgField, differences: &[Difference], i: usize) -> bool {
    let mut back = 0;
    while back < 2 && back <= i {
        let fields = differences[i - back].fields;
        let mut at = 0;
        while at < fields.len() {
            if equal(fields[at].name, field.name) {
                return true;
            }
            at += 1;
        }
        back += 1;
    }
    false
}

/// Puts `fields[start..end]` into the order of registers and bits.
const fn sort<const N: usize>(fields: &mut [CfgField; N], start: usize, end: usize) {
    let mut i = start + 1;
    while i < end {
        let mut at = i;
        while at > start && place(&fields[at]) < place(&fields[at - 1]) {
            let field = fields[at];
            fields[at] = fields[at - 1];
            fields[at - 1] = field;
            at -= 1;
        }
        i += 1;
    }
}

const fn place(field: &CfgField) -> u32 {
    field.index * 32 + field.shift
}

/// Makes a constant of each listed field, and `FIELDS` of all.
macro_rules! cfg_differences {
    ($space:ident, $base:path, $count:literal $(
        @ $first:literal $(..= $last:literal)? $(from $from:literal)? { $($name:ident[$shift:literal, $width:literal])* }
    )*) => {
        use $crate::cfg::{CfgField, Difference, Space, apply};
        $( $(
            #[doc = concat!("Register ", stringify!($first), ", bit ", stringify!($shift), ", width ", stringify!($width), ".")]
            pub const $name: CfgField =
                CfgField { space: Space::$space, index: $first, shift: $shift, width: $width, name: stringify!($name) };
        )* )*

        const DIFFERENCES: &[Difference] = &[ $(
            Difference {
                first: $first,
                last: { #[allow(unused)] let last: u32 = $first; $( let last = $last; )? last },
                from: { #[allow(unused)] let from: Option<u32> = None; $( let from = Some($from); )? from },
                fields: &[ $( $name ),* ],
            },
        )* ];

        /// Every field, by register index and bit.
        pub const FIELDS: &[CfgField] = &apply::<$count>($base, DIFFERENCES);
    };
}
pub(crate) use cfg_differences;
