//! Compares the two simulators' outcomes of one case.

use crate::case::Case;
use crate::run::{Here, Outcome, RunError, Vendor};

/// The verdict on a case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Equal results (or neither ends).
    Same,
    /// Both refuse it.
    BothRefuse,
    /// The vendor's simulator refuses it, for a reason of this kind; this one does not.
    VendorRefuses(String),
    /// A difference.
    Differs(Difference),
}

/// How two simulators differ.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Difference {
    /// The results.
    Result,
    /// This simulator refuses what the vendor's executes, for a reason of this kind.
    HereRefuses(String),
    /// This simulator does not come to an end.
    HereHangs,
    /// The vendor's does not.
    VendorHangs,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Difference::Result => f.write_str("the results differ"),
            Difference::HereRefuses(kind) => write!(f, "refused here: {kind}"),
            Difference::HereHangs => f.write_str("hangs here"),
            Difference::VendorHangs => f.write_str("hangs on the vendor's simulator"),
        }
    }
}

/// Compares outcomes.
pub fn verdict(here: &Outcome, vendor: &Outcome) -> Verdict {
    use Outcome::{Done, Hangs, Refused};
    match (here, vendor) {
        (Done(a), Done(b)) if a == b => Verdict::Same,
        (Hangs, Hangs) => Verdict::Same,
        (Done(_), Done(_)) => Verdict::Differs(Difference::Result),
        (Refused(_), Refused(_)) => Verdict::BothRefuse,
        (_, Refused(refusal)) => Verdict::VendorRefuses(refusal.kind.clone()),
        (Refused(refusal), _) => Verdict::Differs(Difference::HereRefuses(refusal.kind.clone())),
        (Hangs, Done(_)) => Verdict::Differs(Difference::HereHangs),
        (Done(_), Hangs) => Verdict::Differs(Difference::VendorHangs),
    }
}

/// Both simulators.
pub struct Both {
    /// This one.
    pub here: Here,
    /// The vendor's.
    pub vendor: Vendor,
}

impl Both {
    /// The verdicts on up to [`capacity`](crate::run::capacity) cases, all pairs or none.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn judge(&mut self, cases: &[&Case]) -> Result<Vec<Verdict>, RunError> {
        let here = self.here.run(cases)?;
        let vendor = self.vendor.run(cases)?;
        Ok(here.iter().zip(&vendor).map(|(here, vendor)| verdict(here, vendor)).collect())
    }
}

/// Where two results differ first: its offset and the words there; and how many words do.
pub fn first_difference(here: &[u8], vendor: &[u8]) -> Option<(usize, u32, u32, usize)> {
    let words = |bytes: &[u8]| -> Vec<u32> {
        bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
    };
    let (a, b) = (words(here), words(vendor));
    let count = a.iter().zip(&b).filter(|(a, b)| a != b).count();
    let at = a.iter().zip(&b).position(|(a, b)| a != b)?;
    Some((4 * at, a[at], b[at], count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Refusal;

    #[test]
    fn what_the_vendor_refuses_is_no_difference() {
        let refused = Outcome::Refused(Refusal { what: "3".into(), kind: "*".into(), word: None });
        let done = |byte| Outcome::Done(vec![byte; 4]);
        assert_eq!(verdict(&done(1), &done(1)), Verdict::Same);
        assert_eq!(verdict(&done(1), &done(2)), Verdict::Differs(Difference::Result));
        assert_eq!(verdict(&done(1), &refused), Verdict::VendorRefuses("*".into()));
        assert_eq!(verdict(&refused, &refused), Verdict::BothRefuse);
        assert_eq!(verdict(&refused, &done(1)), Verdict::Differs(Difference::HereRefuses("*".into())));
        assert_eq!(verdict(&Outcome::Hangs, &done(1)), Verdict::Differs(Difference::HereHangs));
    }

    #[test]
    fn the_first_difference_is_found() {
        let a = [0, 0, 0, 0, 1, 0, 0, 0, 9, 9, 9, 9];
        let b = [0, 0, 0, 0, 2, 0, 0, 0, 9, 9, 9, 8];
        assert_eq!(first_difference(&a, &b), Some((4, 1, 2, 2)));
        assert_eq!(first_difference(&a, &a), None);
    }
}
