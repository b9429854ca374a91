//! How far a shadow has come.

use crate::error::{ChangeError, Result};

/// How far a shadow has come. It only moves forward, along [`State::may_become`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It holds the base and the change.
    Created,
    /// The change is applied.
    ChangesApplied,
    /// Its tests are running.
    TestsRunning,
    /// Every blocking test passed.
    TestsPassed,
    /// The change could not be applied, a blocking test failed, or there was none.
    TestsFailed {
        /// The first reason.
        reason: String,
    },
    /// Policy lets the change through.
    Approved,
    /// The change is refused; nothing follows.
    Rejected {
        /// Why.
        reason: String,
    },
}

impl State {
    /// Its name, for people.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::ChangesApplied => "applied",
            Self::TestsRunning => "being tested",
            Self::TestsPassed => "tested",
            Self::TestsFailed { .. } => "failed",
            Self::Approved => "approved",
            Self::Rejected { .. } => "rejected",
        }
    }

    /// Whether `next` may follow: created → applied → being tested → tested or failed → approved or rejected. What cannot
    /// be applied fails at once; only what is tested is approved; whatever was tested can be rejected.
    pub fn may_become(&self, next: &Self) -> bool {
        use State as S;
        matches!(
            (self, next),
            (S::Created, S::ChangesApplied | S::TestsFailed { .. })
                | (S::ChangesApplied, S::TestsRunning)
                | (S::TestsRunning, S::TestsPassed | S::TestsFailed { .. })
                | (S::TestsPassed, S::Approved | S::Rejected { .. })
                | (S::TestsFailed { .. }, S::Rejected { .. })
        )
    }

    /// `next`, if it may follow.
    ///
    /// # Errors
    /// [`ChangeError::ShadowState`].
    pub(super) fn followed_by(&self, next: Self) -> Result<Self> {
        if self.may_become(&next) {
            Ok(next)
        } else {
            Err(ChangeError::ShadowState { from: self.as_str(), to: next.as_str() })
        }
    }
}
