//! What the tests of several units need.

/// Reproducible numbers (xorshift).
pub struct Random(pub u64);

impl Random {
    /// The next one.
    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }
}
