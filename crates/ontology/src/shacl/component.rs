//! Constraints by name, in words, and by the shapes inside them.

use super::shape::{Constraint, ShapeNo, ShapeTable, TermNo};

impl Constraint {
    /// The local name of its component (SHACL §4).
    pub(super) fn component(&self) -> &'static str {
        match self {
            Self::Class(_) => "ClassConstraintComponent",
            Self::Datatype(_) => "DatatypeConstraintComponent",
            Self::NodeKind(_) => "NodeKindConstraintComponent",
            Self::MinCount(_) => "MinCountConstraintComponent",
            Self::MaxCount(_) => "MaxCountConstraintComponent",
            Self::MinExclusive(_) => "MinExclusiveConstraintComponent",
            Self::MinInclusive(_) => "MinInclusiveConstraintComponent",
            Self::MaxExclusive(_) => "MaxExclusiveConstraintComponent",
            Self::MaxInclusive(_) => "MaxInclusiveConstraintComponent",
            Self::MinLength(_) => "MinLengthConstraintComponent",
            Self::MaxLength(_) => "MaxLengthConstraintComponent",
            Self::Pattern(_) => "PatternConstraintComponent",
            Self::LanguageIn(_) => "LanguageInConstraintComponent",
            Self::UniqueLang => "UniqueLangConstraintComponent",
            Self::Equals(_) => "EqualsConstraintComponent",
            Self::Disjoint(_) => "DisjointConstraintComponent",
            Self::LessThan(_) => "LessThanConstraintComponent",
            Self::LessThanOrEquals(_) => "LessThanOrEqualsConstraintComponent",
            Self::Not(_) => "NotConstraintComponent",
            Self::And(_) => "AndConstraintComponent",
            Self::Or(_) => "OrConstraintComponent",
            Self::Xone(_) => "XoneConstraintComponent",
            Self::Node(_) => "NodeConstraintComponent",
            Self::Property(_) => "PropertyConstraintComponent",
            Self::Qualified { .. } => "QualifiedMinCountConstraintComponent",
            Self::Closed { .. } => "ClosedConstraintComponent",
            Self::HasValue(_) => "HasValueConstraintComponent",
            Self::In(_) => "InConstraintComponent",
            Self::Sparql(_) => "SPARQLConstraintComponent",
        }
    }

    /// The shapes that it refers to.
    pub(crate) fn shapes(&self) -> Vec<ShapeNo> {
        match self {
            Self::Not(no) | Self::Node(no) | Self::Property(no) => vec![*no],
            Self::And(all) | Self::Or(all) | Self::Xone(all) => all.clone(),
            Self::Qualified { shape, siblings, .. } => {
                std::iter::once(*shape).chain(siblings.iter().copied()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What was asked, for results whose shape's author said nothing.
    pub(super) fn in_words(&self, table: &ShapeTable) -> String {
        let term = |no: &TermNo| table.term(*no).map(ToString::to_string).unwrap_or_default();
        let name = |no: &ShapeNo| table.shape(*no).map(|shape| shape.name.to_string()).unwrap_or_default();
        match self {
            Self::Class(no) => format!("must be an instance of {}", term(no)),
            Self::Datatype(no) => format!("must be a well-formed literal of {}", term(no)),
            Self::NodeKind(kind) => {
                let kinds = [("IRI", kind.iri), ("blank node", kind.blank), ("literal", kind.literal)];
                let allowed: Vec<&str> = kinds.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
                format!("must be of the kind {}", allowed.join(" or "))
            }
            Self::MinCount(least) => format!("must have at least {least} values"),
            Self::MaxCount(most) => format!("must have at most {most} values"),
            Self::MinExclusive(bound) => format!("must be greater than {}", bound.value()),
            Self::MinInclusive(bound) => format!("must be at least {}", bound.value()),
            Self::MaxExclusive(bound) => format!("must be less than {}", bound.value()),
            Self::MaxInclusive(bound) => format!("must be at most {}", bound.value()),
            Self::MinLength(least) => format!("must have at least {least} characters"),
            Self::MaxLength(most) => format!("must have at most {most} characters"),
            Self::Pattern(pattern) => format!("must match {pattern:?}"),
            Self::LanguageIn(ranges) => format!("must be in one of the languages {}", ranges.join(", ")),
            Self::UniqueLang => "must not have two values in one language".to_owned(),
            Self::Equals(no) => format!("must have the same values as {}", term(no)),
            Self::Disjoint(no) => format!("must share no value with {}", term(no)),
            Self::LessThan(no) => format!("must be less than the values of {}", term(no)),
            Self::LessThanOrEquals(no) => format!("must be at most the values of {}", term(no)),
            Self::Not(no) => format!("must not conform to {}", name(no)),
            Self::And(_) => "must conform to all the shapes listed".to_owned(),
            Self::Or(_) => "must conform to one of the shapes listed".to_owned(),
            Self::Xone(_) => "must conform to exactly one of the shapes listed".to_owned(),
            Self::Node(no) | Self::Property(no) => format!("must conform to {}", name(no)),
            Self::Qualified { shape, min, max, .. } => {
                let bound =
                    |text: &str, n: &Option<u64>| n.map(|n| format!(" {text} {n}")).unwrap_or_default();
                format!(
                    "must have{}{} values that conform to {}",
                    bound("at least", min),
                    bound("at most", max),
                    name(shape)
                )
            }
            Self::Closed { .. } => "has a property that the closed shape does not list".to_owned(),
            Self::HasValue(no) => format!("must have the value {}", term(no)),
            Self::In(_) => "must be one of the values listed".to_owned(),
            Self::Sparql(_) => "breaks a SPARQL constraint".to_owned(),
        }
    }
}
