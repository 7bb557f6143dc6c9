//! Enumerations whose numbers stand in words that another processor reads.

/// Defines an enumeration of 32 bits, numbered from 0 on in the order of its variants, and the way back from a number: what comes
/// from another processor is checked before it is believed.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u32)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The one with this number.
            #[inline]
            pub const fn from_code(code: u32) -> Option<Self> {
                $(if code == Self::$variant as u32 {
                    return Some(Self::$variant);
                })*
                None
            }
        }
    };
}

pub(crate) use numbered;

#[cfg(test)]
mod tests {
    numbered! {
        /// Two of them.
        Pair {
            /// The first.
            First,
            /// The second.
            Second,
        }
    }

    #[test]
    fn numbers_lead_back() {
        for (code, &one) in (0..).zip(Pair::ALL) {
            assert_eq!((one as u32, Pair::from_code(code)), (code, Some(one)));
        }
        assert_eq!(Pair::from_code(2), None);
    }
}
