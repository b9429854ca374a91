//! Whether the terms that doctrine and guards are about exist: a misspelt one would hold nothing, without a word.

use knhk_ontology::Iri;
use knhk_ontology::core_ontology::CorePack;
use knhk_ontology::pack::Pack;
use knhk_ontology::vocab;

use crate::doctrine::{self, Constraint, DoctrineSet, TermPattern};
use crate::error::{ChangeError, Result};
use crate::guards::{self, GuardSet};

/// Checks every term named.
///
/// # Errors
/// [`ChangeError::UnknownTerm`] for the first that is in neither ontology.
pub(crate) fn check(core: &CorePack, pack: &Pack, doctrine: &DoctrineSet, guards: &GuardSet) -> Result<()> {
    let known = |iri: &Iri| {
        let graphs = [&pack.graph, &core.graph];
        graphs.iter().any(|graph| {
            graph.matching(Some(iri), None, None).next().is_some()
                || graph.matching(None, Some(iri), None).next().is_some()
        })
    };
    // A pattern may be about terms to come, but not about a namespace that no term here can ever have.
    let meant = |pattern: &TermPattern| match pattern.prefix() {
        Some(prefix) => [pack.schema.namespace.as_str(), vocab::KNHK_NAMESPACE]
            .iter()
            .any(|namespace| prefix.starts_with(namespace) || namespace.starts_with(prefix)),
        None => Iri::new(pattern.as_str()).is_ok_and(|iri| known(&iri)),
    };
    let unknown = |file, entry: String, term: &str| {
        Err(ChangeError::UnknownTerm { file, entry, term: term.to_owned() })
    };
    for guard in guards.guards() {
        if let Some(term) = guard.classes.iter().chain(&guard.properties).find(|iri| !known(iri)) {
            return unknown(guards::FILE, format!("guard `{}`", guard.id), term.as_str());
        }
    }
    for rule in doctrine.rules() {
        let entry = || format!("rule `{}`", rule.id);
        if let Some(pattern) = rule.applies_to.iter().find(|pattern| !meant(pattern)) {
            return unknown(doctrine::FILE, entry(), pattern.as_str());
        }
        if let Constraint::Custom { property: Some(property), .. } = &rule.constraint
            && !known(property)
        {
            return unknown(doctrine::FILE, entry(), property.as_str());
        }
    }
    Ok(())
}
