//! Where shadows are opened, and how many may be open.

use std::sync::Arc;

use knhk_ontology::Snapshot;
use knhk_ontology::delta::Delta;

use super::Shadow;
use crate::error::{ChangeError, Result};

/// Most shadows of one environment that are open at one time. A shadow shares what its change leaves alone with its base,
/// but holds its own schema and results.
pub const SHADOWS_OPEN_MAX: usize = 64;

/// Opens shadows and counts those that are still there. A shadow is closed by dropping it; a clone of one counts as one.
///
/// ```
/// use knhk_change::shadow::{SHADOWS_OPEN_MAX, ShadowEnvironment};
///
/// assert_eq!(ShadowEnvironment::default().open_shadows(), 0);
/// assert_eq!(SHADOWS_OPEN_MAX, 64);
/// ```
#[derive(Debug, Default)]
pub struct ShadowEnvironment {
    /// Every open shadow holds a copy.
    permit: Arc<()>,
}

impl ShadowEnvironment {
    /// A shadow of `base` with a change that is not yet applied. Shadows of one base, and of several sectors, are
    /// independent of each other and may be tested on several threads.
    ///
    /// # Errors
    /// [`ChangeError::TooManyShadows`].
    pub fn open(&mut self, base: Arc<Snapshot>, delta: &Delta) -> Result<Shadow> {
        if self.open_shadows() >= SHADOWS_OPEN_MAX {
            return Err(ChangeError::TooManyShadows { limit: SHADOWS_OPEN_MAX });
        }
        Ok(Shadow { permit: Some(Arc::clone(&self.permit)), ..Shadow::new(base, delta) })
    }

    /// Shadows that are open.
    pub fn open_shadows(&self) -> usize {
        Arc::strong_count(&self.permit) - 1
    }
}
