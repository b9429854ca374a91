//! `A = μ(O)`, checked: the logged inputs are decided again, and every decision must have the id that the log has.

use std::collections::VecDeque;

use knhk_evidence::block::{Block, Payloads};
use knhk_evidence::input::Input;
use knhk_evidence::receipt::{Draft, ReceiptId};

use crate::decision::Decision;
use crate::error::KernelError;
use crate::kernel::Kernel;

/// A replay in progress. Entries go in in log order; the first disagreement ends it.
#[derive(Debug, Default)]
pub struct Replay {
    kernel: Kernel,
    due: VecDeque<Decision>,
    inputs: u64,
    decisions: u64,
}

/// What a replay re-derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Inputs decided on, blocks included.
    pub inputs: u64,
    /// Decisions re-derived and found equal.
    pub decisions: u64,
}

/// Where the log and the rules disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// The log has another decision than the inputs lead to.
    Different {
        /// What the log says.
        logged: Box<Draft>,
        /// What follows from the inputs.
        derived: Box<Draft>,
    },
    /// The log has a decision that no input leads to.
    Unfounded {
        /// What the log says.
        logged: Box<Draft>,
    },
    /// The inputs lead to decisions that the log does not have.
    Missing {
        /// The first of them.
        derived: Box<Draft>,
    },
    /// An input cannot be decided on at all.
    Undecidable {
        /// Why.
        why: String,
    },
}

impl Replay {
    /// Starts at genesis.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts at a sealed state, whose input is the next but one entry at the latest.
    pub fn from(kernel: Kernel) -> Self {
        Self { kernel, ..Self::default() }
    }

    /// The state so far.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// Decides on a logged input.
    pub fn input(&mut self, input: &Input) -> Result<(), Disagreement> {
        self.settled()?;
        let decisions = self.kernel.step(input, &mut ()).map_err(|e| undecidable(&e))?;
        self.take(decisions);
        Ok(())
    }

    /// Decides on a logged block.
    pub fn block(&mut self, block: &Block, payloads: &Payloads) -> Result<(), Disagreement> {
        self.settled()?;
        let decisions = self.kernel.step_block(block, payloads).map_err(|e| undecidable(&e))?;
        self.take(decisions);
        Ok(())
    }

    /// Compares a logged receipt with the next decision due. Equal ids mean equal fields and equal bodies.
    pub fn receipt(&mut self, logged: &Draft, id: ReceiptId) -> Result<(), Disagreement> {
        match self.due.pop_front() {
            Some(derived) if derived.id == id => {
                self.decisions += 1;
                Ok(())
            }
            Some(derived) => Err(Disagreement::Different {
                logged: Box::new(logged.clone()),
                derived: Box::new(derived.draft),
            }),
            None => Err(Disagreement::Unfounded { logged: Box::new(logged.clone()) }),
        }
    }

    /// Ends the replay: nothing may be missing.
    pub fn finish(self) -> Result<Replayed, Disagreement> {
        self.settled()?;
        Ok(Replayed { inputs: self.inputs, decisions: self.decisions })
    }

    fn take(&mut self, decisions: Vec<Decision>) {
        self.inputs += 1;
        self.due.extend(decisions);
    }

    fn settled(&self) -> Result<(), Disagreement> {
        match self.due.front() {
            None => Ok(()),
            Some(next) => Err(Disagreement::Missing { derived: Box::new(next.draft.clone()) }),
        }
    }
}

fn undecidable(error: &KernelError) -> Disagreement {
    Disagreement::Undecidable { why: error.to_string() }
}
