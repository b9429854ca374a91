//! One cycle of the loop: analyze, plan, execute, knowledge (monitor happened block by block).
//!
//! Monitor, analyze and plan failures fail the cycle; a rejected proposal makes it partial.

use knhk_change::finding::{Finding, Severity, Stage, StageResult};
use knhk_change::pipeline;
use knhk_change::policy::{self, Mode};
use knhk_change::proposal::{Checked, Promotion, Proposal, ProposalId};
use knhk_change::propose::{Plan, Situation, propose};
use knhk_change::stages::{Context, Measurement};
use knhk_evidence::receipt::Outcome;
use knhk_evidence::{Hash, canonical};
use knhk_observation::detect::detect;
use knhk_observation::pattern::Pattern;
use knhk_ontology::Snapshot;

use crate::decision::{
    Body, CycleOutcome, CycleSummary, Decision, Detected, Planned, Promoted, Validated, Verdict, Violated,
};
use crate::error::KernelError;
use crate::inputs::{CycleDue, Measured, PromoteMode};
use crate::kernel::{Kernel, Probe};
use crate::sector::SectorState;

/// Patterns that one receipt tells of, and their bytes when encoded; more take more receipts.
const PATTERNS_OF_A_RECEIPT: usize = 1_000;
const PATTERN_BYTES_OF_A_RECEIPT: usize = 4 << 20;

/// Causes without proposal that a cycle's reason names.
const UNPLANNED_NAMED_MAX: usize = 5;

/// Runs one cycle of `sector` over its open window.
pub(crate) fn run(
    kernel: &mut Kernel,
    sector: &str,
    due: &CycleDue,
    time_ms: i64,
    probe: &mut dyn Probe,
) -> Result<Vec<Decision>, KernelError> {
    let cycle = kernel.sector(sector)?.next_cycle();
    let mut run = Run { kernel, sector, cycle: &cycle, time_ms, decisions: Vec::new() };
    let mut tally = Tally::default();
    let failed = match run.analyze_and_plan(&mut tally) {
        Ok(proposals) => {
            run.execute(&proposals, due.promote, &mut tally, probe)?;
            None
        }
        // What the analysis or the plan refuses is recorded as the cycle's outcome; nothing of it was promoted.
        Err(error) => Some(error.to_string()),
    };
    run.knowledge(due, &tally, failed)?;
    Ok(run.decisions)
}

#[derive(Default)]
struct Tally {
    patterns: u64,
    proposals: u64,
    passed: u64,
    failed: u64,
    promotions: u64,
    held: u64,
    rejected: Vec<ProposalId>,
    /// Causes that no proposal could be made for, and why.
    unplanned: Vec<String>,
}

struct Run<'a> {
    kernel: &'a mut Kernel,
    sector: &'a str,
    cycle: &'a str,
    time_ms: i64,
    decisions: Vec<Decision>,
}

impl Run<'_> {
    fn decide(&mut self, body: &Body, outcome: Outcome) -> Result<(), KernelError> {
        let decision = self.kernel.decide(self.sector, Some(self.cycle), self.time_ms, body, outcome)?;
        self.decisions.push(decision);
        Ok(())
    }

    fn analyze_and_plan(&mut self, tally: &mut Tally) -> Result<Vec<Proposal>, KernelError> {
        let current = self.kernel.current(self.sector)?;
        let state = self.kernel.sector(self.sector)?;
        let profile = state.unseen().into_owned();
        let patterns = detect(&profile, &state.baseline);
        let waiting = state.waiting_patterns();
        let is_repeated = |p: &&Pattern| waiting.contains(p.id.as_str());
        let fresh: Vec<Pattern> = patterns.iter().filter(|p| !is_repeated(p)).cloned().collect();
        let mut receipts = Vec::new();
        for patterns in parts(&patterns, PATTERNS_OF_A_RECEIPT, PATTERN_BYTES_OF_A_RECEIPT, encoded_len)? {
            let repeated = patterns.iter().filter(is_repeated).map(|p| p.id.clone()).collect();
            receipts.push((patterns.to_vec(), repeated));
        }
        tally.patterns = patterns.len() as u64;
        let overflow = profile.overflow();
        let detected = Detected {
            observations: state.observations,
            conform: state.conform,
            not_examined: overflow.event_types + overflow.paths,
            watermark_ms: profile.events().last_ms(),
            profile: Hash(profile.summary().digest()),
            repeated: Vec::new(),
            patterns: Vec::new(),
        };
        // However much there is to say, each receipt's body stays far below its limit.
        for (patterns, repeated) in receipts {
            let body = Body::PatternDetected(Detected { patterns, repeated, ..detected.clone() });
            self.decide(&body, Outcome::Approved)?;
        }
        let Plan { proposals, unplanned } = propose(&Situation {
            sector: self.sector,
            base: current.snapshot.id,
            schema: &current.snapshot.schema,
            profile: &profile,
            patterns: &fresh,
            doctrine: &current.doctrine,
            guards: &current.guards,
            graph: &current.snapshot.sigma.sector,
            time_ms: self.time_ms,
        });
        tally.proposals = proposals.len() as u64;
        tally.unplanned = unplanned;
        for proposal in &proposals {
            let body = Body::ProposalGenerated(Planned { proposals: vec![proposal.clone()] });
            self.decide(&body, Outcome::Approved)?;
        }
        if proposals.is_empty() {
            let body = Body::ProposalGenerated(Planned { proposals: Vec::new() });
            self.decide(&body, Outcome::Approved)?;
        }
        Ok(proposals)
    }

    fn execute(
        &mut self,
        proposals: &[Proposal],
        mode: PromoteMode,
        tally: &mut Tally,
        probe: &mut dyn Probe,
    ) -> Result<(), KernelError> {
        if proposals.is_empty() {
            let against = self.kernel.current(self.sector)?.snapshot.id;
            let nothing =
                Validated { proposal: None, against, stages: Vec::new(), verdict: Verdict::Nothing };
            return self.decide(&Body::ValidationExecuted(nothing), Outcome::Approved);
        }
        for proposal in proposals {
            let verdict = self.check_and_promote(proposal, mode, probe)?;
            match verdict {
                Verdict::Promote => {
                    tally.passed += 1;
                    tally.promotions += 1;
                }
                Verdict::Hold { .. } => {
                    tally.passed += 1;
                    tally.held += 1;
                }
                Verdict::Reject { .. } | Verdict::Nothing => {
                    tally.failed += 1;
                    tally.rejected.push(proposal.id());
                }
            }
        }
        Ok(())
    }

    fn check_and_promote(
        &mut self,
        proposal: &Proposal,
        mode: PromoteMode,
        probe: &mut dyn Probe,
    ) -> Result<Verdict, KernelError> {
        let decisions = check_and_promote(
            self.kernel,
            self.sector,
            Some(self.cycle),
            self.time_ms,
            proposal,
            mode,
            probe,
        )?;
        self.decisions.extend(decisions.1);
        Ok(decisions.0)
    }

    fn knowledge(
        &mut self,
        due: &CycleDue,
        tally: &Tally,
        failed: Option<String>,
    ) -> Result<(), KernelError> {
        let state = self.kernel.sector(self.sector)?;
        let mut baseline = state.baseline.clone();
        if failed.is_none() {
            baseline.learn(&state.unseen());
        }
        let outcome = match failed {
            Some(reason) => CycleOutcome::Failed { reason },
            None if tally.rejected.is_empty() && tally.unplanned.is_empty() => CycleOutcome::Success,
            None => {
                let rejected =
                    format!("{} of {} proposals were rejected", tally.rejected.len(), tally.proposals);
                let reasons =
                    std::iter::once(&rejected).chain(tally.unplanned.iter().take(UNPLANNED_NAMED_MAX));
                CycleOutcome::PartialSuccess { reason: reasons.cloned().collect::<Vec<_>>().join("; ") }
            }
        };
        let receipt = match &outcome {
            CycleOutcome::Failed { reason } => Outcome::Error { reason: reason.clone() },
            _ => Outcome::Approved,
        };
        let summary = CycleSummary {
            observations: state.observations,
            duplicates: due.duplicates,
            rejected: due.rejected,
            patterns: tally.patterns,
            proposals: tally.proposals,
            passed: tally.passed,
            failed: tally.failed,
            promotions: tally.promotions,
            held: tally.held,
            outcome,
            receipts: state.receipts.clone(),
            baseline,
        };
        self.decide(&Body::LoopCycleCompleted(summary), receipt)
    }
}

/// `items` in parts of at most `count` items and `bytes` bytes, in order; one item is never cut. One empty part when there
/// is none, so that every phase leaves a receipt.
fn parts<T>(
    items: &[T],
    count: usize,
    bytes: usize,
    bytes_of: impl Fn(&T) -> Result<usize, KernelError>,
) -> Result<Vec<&[T]>, KernelError> {
    let (mut parts, mut start, mut filled) = (Vec::new(), 0, 0);
    for (at, item) in items.iter().enumerate() {
        let size = bytes_of(item)?;
        if at > start && (at - start == count || filled + size > bytes) {
            parts.push(&items[start..at]);
            (start, filled) = (at, 0);
        }
        filled += size;
    }
    parts.push(&items[start..]);
    Ok(parts)
}

fn encoded_len(pattern: &Pattern) -> Result<usize, KernelError> {
    Ok(canonical::to_bytes(pattern)?.len())
}

/// Takes a proposal through the seven stages against the current snapshot. Nothing takes effect.
pub(crate) fn checked(
    kernel: &Kernel,
    measured: Option<Measured>,
    time_ms: i64,
    proposal: &Proposal,
    probe: &mut dyn Probe,
) -> Result<Checked, KernelError> {
    let (id, sector) = (proposal.id(), proposal.content().sector.as_str());
    probe.pipeline_started(&id);
    let current = kernel.current(sector)?;
    let state = kernel.sector(sector)?;
    let context = Context {
        now_ms: time_ms,
        history: &state.history,
        doctrine: &current.doctrine,
        guards: &current.guards,
        approvals: &[],
        window: &state.window,
        measurement: measured.map(Measurement::from),
    };
    Ok(pipeline::check(&current.snapshot, proposal.clone(), &context, &mut |stage| {
        probe.stage_ended(&id, stage);
    }))
}

/// What policy says of a checked change.
pub(crate) fn verdict(
    state: &SectorState,
    current: &Snapshot,
    mode: PromoteMode,
    checked: &Checked,
) -> (Mode, Verdict) {
    let policy_mode = match mode {
        PromoteMode::Policy => Mode::Auto,
        PromoteMode::Hold => Mode::Hold,
        PromoteMode::Reviewed => Mode::Reviewed,
    };
    let policy = current.schema.settings.promotion_policy;
    let verdict = match policy::decide(policy, policy_mode, checked) {
        policy::Decision::Promote => match state.refusal_of(&checked.proposal().content().patterns) {
            // What a person said no to comes back to a person.
            Some(why) if mode != PromoteMode::Reviewed => Verdict::Hold { why: format!("earlier {why}") },
            _ => Verdict::Promote,
        },
        policy::Decision::Hold { why } => Verdict::Hold { why },
        policy::Decision::Reject { why } => Verdict::Reject { why },
    };
    (policy_mode, verdict)
}

/// Takes one proposal through the seven stages against the current snapshot and, if policy lets it, makes it current.
pub(crate) fn check_and_promote(
    kernel: &mut Kernel,
    sector: &str,
    cycle: Option<&str>,
    time_ms: i64,
    proposal: &Proposal,
    mode: PromoteMode,
    probe: &mut dyn Probe,
) -> Result<(Verdict, Vec<Decision>), KernelError> {
    let current = kernel.current(sector)?;
    let state = kernel.sector(sector)?;
    let id = proposal.id();
    let checked = checked(kernel, state.measured, time_ms, proposal, probe)?;
    let (policy_mode, mut verdict) = verdict(state, &current.snapshot, mode, &checked);
    let stages = checked.results().to_vec();
    let mut promoted = None;
    if verdict == Verdict::Promote {
        // What a promotion would write is made first: no verdict says "promote" of a change that then cannot be.
        match promotion(checked, policy_mode, &current.snapshot, time_ms) {
            Ok(ready) => promoted = Some(ready),
            Err(error) => {
                verdict = Verdict::Reject { why: format!("cannot be promoted: {} {error}", error.code()) };
            }
        }
    }
    let outcome = match &verdict {
        Verdict::Promote | Verdict::Nothing => Outcome::Approved,
        Verdict::Hold { why } => Outcome::Pending { next: why.clone() },
        Verdict::Reject { why } => Outcome::Rejected { reason: why.clone() },
    };
    let against = current.snapshot.id;
    let violations = broken_invariants(&stages);
    let validated = Validated { proposal: Some(id), against, stages, verdict: verdict.clone() };
    let mut decisions =
        vec![kernel.decide(sector, cycle, time_ms, &Body::ValidationExecuted(validated), outcome)?];
    if let Some(first) = violations.first() {
        let outcome = Outcome::Error { reason: format!("{}: {}", first.rule, first.message) };
        let body = Body::InvariantViolation(Violated { proposal: id, against, findings: violations });
        decisions.push(kernel.decide(sector, cycle, time_ms, &body, outcome)?);
    }
    if let Some((body, snapshot)) = promoted {
        decisions.push(kernel.decide_made(sector, cycle, time_ms, &body, snapshot)?);
    }
    Ok((verdict, decisions))
}

/// The errors of the stage that checks the hard invariants.
fn broken_invariants(stages: &[StageResult]) -> Vec<Finding> {
    let stage = stages.iter().filter(|result| result.stage == Stage::Invariants);
    let errors = stage.flat_map(|result| &result.findings).filter(|f| f.severity == Severity::Error);
    errors.cloned().collect()
}

/// The body of the promotion of a checked change, known to fit a receipt, and the snapshot it makes current.
fn promotion(
    checked: Checked,
    mode: Mode,
    current: &Snapshot,
    time_ms: i64,
) -> Result<(Body, Snapshot), KernelError> {
    let proposal = checked.proposal().id();
    let approved = checked.approve(current.schema.settings.promotion_policy, mode)?;
    let Promotion { snapshot, delta } = approved.promotion(current, time_ms)?;
    let body = Body::SnapshotPromoted(Promoted {
        proposal,
        snapshot_id: snapshot.id,
        content_id: snapshot.content_id,
        parents: snapshot.parents.clone(),
        version: snapshot.version,
        promoted_at_ms: snapshot.promoted_at_ms,
        delta,
    });
    body.to_bytes()?;
    Ok((body, snapshot))
}

impl From<Measured> for Measurement {
    fn from(measured: Measured) -> Self {
        Self {
            admission_batch_mean_ns: measured.admission_batch_mean_ns,
            admission_p99_ns: measured.admission_p99_ns,
            resident_bytes: measured.resident_bytes,
        }
    }
}
