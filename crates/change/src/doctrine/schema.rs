//! Shapes over a change as RDF.

use knhk_ontology::{Graph, Iri, OntologyError, Sigma, Term, turtle, vocab};

use super::{Facts, Rule};
use crate::finding::{Code, Finding};
use crate::shapes;

/// What the shapes of a rule find of the change and the ontology after it.
pub(super) fn evaluate(rule: &Rule, text: &str, facts: &Facts<'_>) -> Vec<Finding> {
    let Some(after) = facts.after else { return Vec::new() };
    match violations(rule, text, facts, after) {
        Ok(findings) => findings,
        // What could not be evaluated does not hold.
        Err(error) => {
            let message = format!("`{}` could not be evaluated: {} {error}", rule.name, error.code());
            vec![
                rule.violation(Code::ShapeOfChange, "", message)
                    .fix("make the change smaller, or mend the shapes of the rule"),
            ]
        }
    }
}

/// Whether some shape says what it is about.
pub(super) fn has_target(shapes: &Graph) -> bool {
    let target = format!("{}target", vocab::SH_NAMESPACE);
    shapes.iter().any(|triple| triple.predicate.as_str().starts_with(&target))
}

fn violations(
    rule: &Rule,
    text: &str,
    facts: &Facts<'_>,
    after: &Sigma,
) -> Result<Vec<Finding>, OntologyError> {
    let change = facts.meaning.graph()?;
    let mut sector = after.sector.clone();
    sector.extend(change.iter());
    let found = shapes::violations(&turtle::parse(text)?, &Sigma::new(after.core.clone(), sector))?;
    let parts = Parts::of(&change)?;
    let findings = found.into_iter().map(|violation| {
        let part = parts.node(&violation.focus);
        let said = |predicate: &Iri| part.as_ref().and_then(|node| parts.text(node, predicate));
        let path = said(&parts.about).unwrap_or_else(|| violation.focus.clone());
        let message = format!("`{}`: {}", rule.name, violation.message);
        let mut finding = rule
            .violation(Code::ShapeOfChange, &path, message)
            .change(said(&parts.old), said(&parts.new))
            .fix("leave this part out of the change, or do it as the rule's description asks");
        finding.severity = finding.severity.min(violation.severity.into());
        finding
    });
    Ok(findings.collect())
}

/// The parts of a change, to be asked by the node that a shape found fault with.
struct Parts<'g> {
    graph: &'g Graph,
    about: Iri,
    old: Iri,
    new: Iri,
}

impl<'g> Parts<'g> {
    fn of(graph: &'g Graph) -> Result<Self, OntologyError> {
        let term = |local: &str| Iri::new(format!("{}{local}", vocab::KNHK_NAMESPACE));
        Ok(Self { graph, about: term("about")?, old: term("old")?, new: term("new")? })
    }

    /// The node of a canonical term, if the graph of the change describes it.
    fn node(&self, focus: &str) -> Option<Iri> {
        let iri = Iri::new(focus.strip_prefix('<')?.strip_suffix('>')?).ok()?;
        self.graph.matching(Some(&iri), None, None).next().map(|_| iri)
    }

    fn text(&self, node: &Iri, predicate: &Iri) -> Option<String> {
        self.graph.object(node, predicate).map(|term| match term {
            Term::Iri(iri) => iri.as_str().to_owned(),
            Term::Literal(literal) => literal.value().to_owned(),
        })
    }
}
