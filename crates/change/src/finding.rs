//! What a stage says: a result and its findings, each with a code, the rule it rests on and how to mend it.
//!
//! No time is measured here: elapsed time is never part of a decision.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The seven stages, in the order in which they run and are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Terms exist, do not collide, and the composed ontology satisfies the meta-ontology.
    Static,
    /// The hard invariants Q0–Q5.
    Invariants,
    /// The doctrine rules in force.
    Doctrine,
    /// The guards: what is protected stays as it is.
    Guards,
    /// The cost of admission, in ticks.
    Performance,
    /// The exact inverse exists and nothing is left stranded.
    Rollback,
    /// The compatibility level of the sector, structurally and by replay.
    Compatibility,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Static,
        Self::Invariants,
        Self::Doctrine,
        Self::Guards,
        Self::Performance,
        Self::Rollback,
        Self::Compatibility,
    ];

    /// The stable name, as in reports and receipts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Invariants => "invariants",
            Self::Doctrine => "doctrine",
            Self::Guards => "guards",
            Self::Performance => "performance",
            Self::Rollback => "rollback",
            Self::Compatibility => "compatibility",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a finding does to the result of its stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; the stage still passes.
    Info,
    /// The stage ends with a warning; the change may still be promoted.
    Warning,
    /// The stage fails; the change is rejected.
    Error,
}

impl From<knhk_ontology::shacl::Severity> for Severity {
    fn from(severity: knhk_ontology::shacl::Severity) -> Self {
        match severity {
            knhk_ontology::shacl::Severity::Violation => Self::Error,
            knhk_ontology::shacl::Severity::Warning => Self::Warning,
            knhk_ontology::shacl::Severity::Info => Self::Info,
        }
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// The code of a finding. The first digit is the stage; each has a page under `docs/errors/`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable text, e.g. `KNHK-S101`; `knhk explain CODE` prints its page.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

codes! {
    /// The change is empty.
    EmptyChange = "KNHK-S101",
    /// A new term lies outside the sector's namespace, or has no local name.
    OutsideNamespace = "KNHK-S102",
    /// A new class names a superclass that does not exist.
    UnknownParent = "KNHK-S103",
    /// A property is put on, or changed in, a class that does not have it or does not exist.
    UnknownDomain = "KNHK-S104",
    /// A property's range names a class that does not exist.
    UnknownRange = "KNHK-S105",
    /// A new term uses a name that is taken.
    Collision = "KNHK-S106",
    /// The composed ontology breaks a shape of the meta-ontology.
    MetaShape = "KNHK-S107",
    /// The change cannot be turned into triples.
    NotLowered = "KNHK-S108",
    /// The change states constraints that no value can meet together.
    Contradiction = "KNHK-S109",
    /// The change redefines a term of core.
    Redefinition = "KNHK-S110",
    /// Q0: the change reaches outside its sector.
    OutsideSector = "KNHK-S201",
    /// Q1: the base is not the head of the sector's history, nor one of its ancestors.
    NotInHistory = "KNHK-S202",
    /// Q1: time does not go forward.
    TimeBackwards = "KNHK-S203",
    /// Q2: the changed terms do not fit the events of the window.
    Unsound = "KNHK-S204",
    /// Q2: more events of the window violate the ontology than before.
    MoreViolations = "KNHK-S205",
    /// Q2: events violate the ontology at terms that the change does not touch.
    RemainingViolations = "KNHK-S206",
    /// Q2: the window holds no event that the change concerns.
    EmptyWindow = "KNHK-S207",
    /// Q3: a hot event type needs more ticks than the Chatman constant.
    GuardLength = "KNHK-S208",
    /// Q4: a measured latency is above its bound.
    Latency = "KNHK-S209",
    /// Q5: a measured resource is above its bound.
    Resources = "KNHK-S210",
    /// Q4 or Q5: nothing was measured.
    NoMeasurement = "KNHK-S211",
    /// An invariant that the sector declares does not hold, or could not be asked.
    SectorInvariant = "KNHK-S212",
    /// No doctrine rule is in force.
    NoDoctrine = "KNHK-S301",
    /// A named predicate of a doctrine rule does not hold.
    Predicate = "KNHK-S302",
    /// A doctrine rule asks for approvals that are not there.
    ApprovalsMissing = "KNHK-S303",
    /// One person holds roles that a doctrine rule keeps apart.
    DutiesNotSegregated = "KNHK-S304",
    /// The change is larger than a doctrine rule allows.
    ResourceLimit = "KNHK-S305",
    /// The change comes outside the hours of a doctrine rule.
    OutsideTimeWindow = "KNHK-S306",
    /// The change as RDF breaks a shape of a doctrine rule.
    ShapeOfChange = "KNHK-S307",
    /// A protected term is removed.
    ProtectedRemoved = "KNHK-S401",
    /// A protected term is redefined.
    ProtectedRedefined = "KNHK-S402",
    /// A protected property is put on another class.
    ProtectedRedomained = "KNHK-S403",
    /// The range of a protected property is changed.
    ProtectedRangeChanged = "KNHK-S404",
    /// A protected term is narrowed.
    ProtectedNarrowed = "KNHK-S405",
    /// A term under a safety interlock or compliance rule is weakened.
    ProtectedWeakened = "KNHK-S406",
    /// A protected value is changed or taken away.
    ProtectedValue = "KNHK-S407",
    /// A protected class leaves the hot path.
    TierLowered = "KNHK-S408",
    /// An event type of a guarded class needs more ticks than the guard allows.
    RunLength = "KNHK-S409",
    /// A guard protects a term that does not exist.
    ProtectsNothing = "KNHK-S410",
    /// No guard is in force.
    NoGuards = "KNHK-S411",
    /// A hot event type would need more ticks than allowed.
    OverBudget = "KNHK-S501",
    /// The proposer's estimate of ticks is not what the change costs.
    FalseClaim = "KNHK-S502",
    /// The ticks of an event type could not be counted.
    NotCounted = "KNHK-S503",
    /// Undoing the change does not give back the base.
    NotReversible = "KNHK-S601",
    /// A class is removed that something still refers to.
    Stranded = "KNHK-S602",
    /// The change may invalidate data that was valid.
    NotBackward = "KNHK-S701",
    /// The change admits data that was not valid before.
    NotForward = "KNHK-S702",
    /// Events of the window would newly be rejected.
    NewlyRejected = "KNHK-S703",
    /// There was nothing to replay.
    NothingReplayed = "KNHK-S704",
    /// Not every ancestor was compared.
    AncestorsOmitted = "KNHK-S705",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = Self::ALL.iter().copied().find(|code| code.as_str() == text);
        known.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not the code of a finding")))
    }
}

/// One thing a stage found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing.
    pub code: Code,
    /// What it does to the stage's result.
    pub severity: Severity,
    /// The term's IRI, or the event type and path, it is about; empty for the change as a whole.
    pub path: String,
    /// The state before, where there is one.
    pub old: Option<String>,
    /// The state after, where there is one.
    pub new: Option<String>,
    /// The invariant, rule, guard or shape it rests on.
    pub rule: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub fix: String,
}

impl Finding {
    /// A finding that fails its stage.
    pub fn error(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::with_severity(Severity::Error, code, path, message)
    }

    /// A finding that ends its stage with a warning.
    pub fn warning(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::with_severity(Severity::Warning, code, path, message)
    }

    /// A finding that lets its stage pass.
    pub fn info(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::with_severity(Severity::Info, code, path, message)
    }

    /// A finding of the severity given.
    pub fn with_severity(
        severity: Severity,
        code: Code,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity,
            path: path.into(),
            old: None,
            new: None,
            rule: String::new(),
            message: message.into(),
            fix: String::new(),
        }
    }

    /// Names the invariant, rule, guard or shape.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = rule.into();
        self
    }

    /// States the state before and after.
    #[must_use]
    pub fn change(mut self, old: Option<String>, new: Option<String>) -> Self {
        (self.old, self.new) = (old, new);
        self
    }

    /// Seven stages' findings stay far below what one document may hold, whatever terms and values they quote.
    fn cut(&mut self) {
        let optional = [&mut self.old, &mut self.new].into_iter().flatten();
        let texts = [&mut self.path, &mut self.rule, &mut self.message, &mut self.fix];
        for text in texts.into_iter().chain(optional) {
            if text.len() > FINDING_TEXT_BYTES_MAX {
                text.truncate(text.floor_char_boundary(FINDING_TEXT_BYTES_MAX - '…'.len_utf8()));
                text.push('…');
            }
        }
    }

    /// Says how to mend it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }
}

/// How a stage ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Everything was checked and holds.
    Passed,
    /// Something does not hold: the change is rejected.
    Failed,
    /// Everything that was checked holds, and something is worth a person's attention.
    Warning,
    /// Nothing could be checked.
    Skipped {
        /// Why not.
        why: String,
    },
}

impl Conclusion {
    /// The stable name, as in reports: `passed`, `failed`, `warning`, `skipped`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Warning => "warning",
            Self::Skipped { .. } => "skipped",
        }
    }
}

/// The most findings one stage reports. Those beyond are counted in the last one.
pub const FINDINGS_MAX: usize = 100;

/// The most bytes of each text of a finding; longer ones are cut.
pub const FINDING_TEXT_BYTES_MAX: usize = 2_048;

/// What one stage says of one proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageResult {
    /// Which stage.
    pub stage: Stage,
    /// How it ended.
    pub result: Conclusion,
    /// What it found, gravest first, otherwise in the order found; at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
}

impl StageResult {
    /// The result that follows from findings: failed with an error among them, else warning, else passed.
    pub fn of(stage: Stage, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let result = match findings.first().map(|finding| finding.severity) {
            Some(Severity::Error) => Conclusion::Failed,
            Some(Severity::Warning) => Conclusion::Warning,
            Some(Severity::Info) | None => Conclusion::Passed,
        };
        findings.iter_mut().take(FINDINGS_MAX).for_each(Finding::cut);
        let omitted = findings.len().saturating_sub(FINDINGS_MAX);
        findings.truncate(FINDINGS_MAX);
        if omitted > 0
            && let Some(last) = findings.last_mut()
        {
            last.message = format!("{} (and {omitted} more findings)", last.message);
        }
        Self { stage, result, findings }
    }

    /// The result of a stage that could check nothing. Errors among the findings still fail it.
    pub fn skipped(stage: Stage, why: impl Into<String>, findings: Vec<Finding>) -> Self {
        let mut result = Self::of(stage, findings);
        if result.result != Conclusion::Failed {
            result.result = Conclusion::Skipped { why: why.into() };
        }
        result
    }

    /// Whether it fails the change.
    pub fn failed(&self) -> bool {
        self.result == Conclusion::Failed
    }

    /// Whether a finding with this code is among the findings.
    pub fn has(&self, code: Code) -> bool {
        self.findings.iter().any(|finding| finding.code == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_finding_decides_and_comes_first() {
        let info = Finding::info(Code::NothingReplayed, "", "i");
        let warning = Finding::warning(Code::FalseClaim, "", "w");
        let error = Finding::error(Code::OverBudget, "", "e");
        let of = |findings: &[&Finding]| {
            StageResult::of(Stage::Performance, findings.iter().map(|f| (*f).clone()).collect())
        };
        assert_eq!(of(&[]).result, Conclusion::Passed);
        assert_eq!(of(&[&info]).result, Conclusion::Passed);
        assert_eq!(of(&[&info, &warning]).result, Conclusion::Warning);
        let failed = of(&[&info, &warning, &error]);
        assert!(failed.failed());
        assert_eq!(failed.findings[0].code, Code::OverBudget);
    }

    #[test]
    fn findings_are_bounded_and_the_rest_is_counted() {
        let many = vec![Finding::warning(Code::MetaShape, "", "w"); FINDINGS_MAX + 5];
        let result = StageResult::of(Stage::Static, many);
        assert_eq!(result.findings.len(), FINDINGS_MAX);
        assert!(result.findings.last().unwrap().message.contains("5 more"));
    }

    #[test]
    fn texts_of_a_finding_are_bounded() {
        let long = "é".repeat(FINDING_TEXT_BYTES_MAX);
        let finding = Finding::error(Code::Predicate, long.clone(), long.clone()).change(Some(long), None);
        let result = StageResult::of(Stage::Doctrine, vec![finding]);
        let finding = &result.findings[0];
        for text in [&finding.path, &finding.message, finding.old.as_ref().unwrap()] {
            assert!(text.len() <= FINDING_TEXT_BYTES_MAX && text.ends_with("é…"));
        }
    }

    #[test]
    fn an_error_is_not_hidden_by_skipping() {
        let error = Finding::error(Code::OutsideSector, "", "e");
        assert!(StageResult::skipped(Stage::Invariants, "why", vec![error]).failed());
        let skipped = StageResult::skipped(Stage::Invariants, "why", vec![]);
        assert_eq!(skipped.result, Conclusion::Skipped { why: "why".into() });
    }

    #[test]
    fn a_result_survives_canonical_encoding() {
        let finding =
            Finding::error(Code::OverBudget, "p", "m").rule("r").fix("f").change(None, Some("9".into()));
        let result = StageResult::of(Stage::Performance, vec![finding]);
        let bytes = knhk_evidence::canonical::to_bytes(&result).unwrap();
        assert_eq!(knhk_evidence::canonical::from_bytes::<StageResult>(&bytes).unwrap(), result);
    }

    #[test]
    fn codes_are_unique_and_their_digit_is_the_stage() {
        let texts: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            let digit = code.as_str().as_bytes()[6];
            assert!((b'1'..=b'7').contains(&digit), "{code}");
            let page = format!("{}/../../docs/errors/{code}.md", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&page).unwrap_or_default();
            assert!(text.starts_with(&format!("# {code}: ")) && text.contains("## Mend"), "{page}");
        }
    }
}
