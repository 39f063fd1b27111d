//! Terms: the number every change to Primary carries, with its owner (N11).

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::member::MemberId;

/// A period of one Primary: a number and the member that owns it.
///
/// Numbers compare first; of equal numbers the lower address's term is the higher one (N12), so no two terms are equal.
/// `Ord` is that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Term {
    /// Counts up; 0 means "no Primary yet".
    pub number: u64,
    /// Who acts, or acted, in this term.
    pub owner: MemberId,
}

impl Term {
    /// Before the first Primary.
    pub const NONE: Term = Term { number: 0, owner: MemberId(u8::MAX) };

    /// The highest number that still fits a token. A message with a higher one is nonsense and raises nothing; at one
    /// takeover a second it would be reached in two thousand million years.
    pub const MAX_NUMBER: u64 = u64::MAX / 256 - 1;

    /// `TANDEM_TOKEN`: one number that orders as terms do, for outsiders that compare plain integers (S5).
    pub fn token(self) -> u64 {
        self.number.saturating_mul(256).saturating_add(255 - u64::from(self.owner.0))
    }
}

impl Ord for Term {
    fn cmp(&self, other: &Term) -> Ordering {
        self.number.cmp(&other.number).then_with(|| other.owner.cmp(&self.owner))
    }
}

impl PartialOrd for Term {
    fn partial_cmp(&self, other: &Term) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n12_of_equal_numbers_the_lower_address_has_the_higher_term() {
        let alpha = Term { number: 8, owner: MemberId(0) };
        let beta = Term { number: 8, owner: MemberId(1) };
        assert!(alpha > beta);
        assert!(Term { number: 9, owner: MemberId(1) } > alpha);
        assert!(Term::NONE < Term { number: 1, owner: MemberId(200) });
    }

    #[test]
    fn s5_tokens_order_as_terms_do() {
        let mut terms = Vec::new();
        for number in [1, 2, 300] {
            for owner in [0, 1, 15] {
                terms.push(Term { number, owner: MemberId(owner) });
            }
        }
        for a in &terms {
            for b in &terms {
                assert_eq!(a.cmp(b), a.token().cmp(&b.token()), "{a:?} {b:?}");
            }
        }
    }
}
