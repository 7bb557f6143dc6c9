//! Detects polling loops, which cannot end by themselves.
//!
//! A core's next step depends only on its registers and on what it loads. If it returns to the same pc with the same
//! registers, has stored nothing in between, and nothing that it can load has changed, it will repeat itself until
//! something changes. So it may sleep. Every endless loop has a backward jump, so only those are checked. Brent's
//! algorithm finds loops of any length: compare with one remembered state, which is replaced after 1, 2, 4, 8 ...
//! jumps.

/// The remembered state.
#[derive(Clone)]
pub struct Spin {
    pc: u32,
    x: [u32; 32],
    /// What had changed by then, see [`Spin::backward`].
    changes: u64,
    /// Jumps since then.
    jumps: u32,
    /// Jumps until the state is replaced.
    limit: u32,
    /// A register that differed last time: compared first.
    witness: usize,
}

impl Default for Spin {
    fn default() -> Self {
        Self { pc: NOWHERE, x: [0; 32], changes: 0, jumps: 0, limit: 1, witness: 0 }
    }
}

/// No pc: code words are aligned.
const NOWHERE: u32 = u32::MAX;

impl Spin {
    /// Notes a backward jump to `pc`; whether the core is spinning. `changes` differs from an earlier call's if
    /// anything has changed since.
    #[inline(always)]
    pub fn backward(&mut self, pc: u32, x: &[u32], changes: u64) -> bool {
        if changes != self.changes {
            // Most loops store something: nothing is copied for them.
            (self.changes, self.pc, self.jumps, self.limit) = (changes, NOWHERE, 0, 1);
            return false;
        }
        if pc == self.pc && x[self.witness] == self.x[self.witness] {
            match (0..32).find(|&i| x[i] != self.x[i]) {
                Some(i) => self.witness = i,
                None => return true,
            }
        }
        self.jumps += 1;
        if self.jumps >= self.limit {
            self.remember(pc, x);
        }
        false
    }

    #[cold]
    fn remember(&mut self, pc: u32, x: &[u32]) {
        self.pc = pc;
        self.x.copy_from_slice(&x[..32]);
        self.jumps = 0;
        self.limit = self.limit.saturating_mul(2);
    }
}
