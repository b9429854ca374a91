//! Stage 6: the change can be undone exactly, and leaves nothing stranded.

use std::collections::BTreeSet;

use knhk_ontology::schema::{Range, Schema};
use knhk_ontology::{Iri, Sigma, Term, vocab};

use super::{Context, candidate};
use crate::finding::{Code, Finding, Stage, StageResult};
use crate::proposal::Proposal;
use crate::shadow::Shadow;

/// Applies the inverse to the candidate and compares content, then looks for what refers to something that is gone.
pub fn check(shadow: &Shadow, _proposal: &Proposal, _context: &Context<'_>) -> StageResult {
    let candidate = match candidate(shadow, Stage::Rollback) {
        Ok(candidate) => candidate,
        Err(skipped) => return skipped,
    };
    let base = shadow.base();
    let mut findings = Vec::new();
    let not_reversible = |message: String, undone: Option<String>| {
        Finding::error(Code::NotReversible, "", message)
            .rule("inverse")
            .change(Some(base.content_id.to_string()), undone)
            .fix("derive the change again from the snapshot in force")
    };
    match candidate.there_and_back() {
        Err(error) => findings.push(not_reversible(format!("{}: {error}", error.code()), None)),
        Ok((undone, _)) if undone != base.content_id => {
            findings.push(not_reversible(
                "undoing the change gives other content".to_owned(),
                Some(undone.to_string()),
            ));
        }
        Ok((_, redone)) if redone != candidate.sigma().content_id() => {
            findings.push(not_reversible(
                "doing it again gives other content".to_owned(),
                Some(redone.to_string()),
            ));
        }
        Ok(_) => {}
    }
    findings.extend(stranded(candidate.schema(), candidate.sigma()));
    StageResult::of(Stage::Rollback, findings)
}

/// Properties without their class, shapes without their term, ranges and superclasses that are not there.
fn stranded(schema: &Schema, sigma: &Sigma) -> Vec<Finding> {
    let mut missing: BTreeSet<(Iri, String)> = BTreeSet::new();
    let class_exists = |iri: &Iri| {
        schema.classes.contains_key(iri) || sigma.core.matching(Some(iri), None, None).next().is_some()
    };
    for class in schema.classes.values() {
        if !class_exists(&class.subclass_of) {
            missing.insert((class.iri.clone(), format!("its superclass {} is gone", class.subclass_of)));
        }
        for property in class.properties.values() {
            for range in &property.ranges {
                if let Range::Class(target) = range
                    && !schema.classes.contains_key(target)
                {
                    missing.insert((property.iri.clone(), format!("its range {target} is gone")));
                }
            }
        }
    }
    let property = Term::Iri(vocab::RDF_PROPERTY.clone());
    for iri in sigma.sector.subjects(&vocab::RDF_TYPE, &property) {
        for domain in sigma.sector.objects(&iri, &vocab::RDFS_DOMAIN) {
            if domain.as_iri().is_none_or(|domain| !class_exists(domain)) {
                missing.insert((iri.clone(), format!("its domain {domain} is gone")));
            }
        }
        if sigma.sector.objects(&iri, &vocab::RDFS_DOMAIN).is_empty() {
            missing.insert((iri.clone(), "it has no domain".to_owned()));
        }
    }
    for (kind, predicate) in
        [(&vocab::SH_NODE_SHAPE, &vocab::SH_TARGET_CLASS), (&vocab::SH_PROPERTY_SHAPE, &vocab::SH_PATH)]
    {
        for shape in sigma.sector.subjects(&vocab::RDF_TYPE, &Term::Iri((*kind).clone())) {
            for target in sigma.sector.objects(&shape, predicate) {
                let there = target
                    .as_iri()
                    .is_some_and(|iri| sigma.triples_matching(Some(iri), None, None).next().is_some());
                if !there {
                    missing.insert((shape.clone(), format!("{target}, which it is about, is gone")));
                }
            }
        }
    }
    missing
        .into_iter()
        .map(|(iri, what)| {
            Finding::error(Code::Stranded, iri.as_str(), format!("{iri}: {what}"))
                .rule("nothing_stranded")
                .fix("remove or change it in the same change")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use knhk_ontology::Triple;

    use super::*;
    use crate::fixture::{iri, schema, snapshot};

    fn without(gone: impl Fn(&Triple) -> bool) -> Vec<String> {
        let base = snapshot(&schema());
        let mut sigma = base.sigma.clone();
        for triple in base.sigma.sector.iter().filter(|triple| gone(triple)) {
            sigma.sector.remove(&triple);
        }
        stranded(&base.schema, &sigma).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn nothing_is_stranded_in_a_sector_in_order() {
        assert_eq!(without(|_| false), Vec::<String>::new());
    }

    #[test]
    fn a_property_without_a_domain_and_a_shape_without_its_term_are_stranded() {
        let no_domain =
            without(|triple| triple.subject == iri("Tool.wear") && triple.predicate == *vocab::RDFS_DOMAIN);
        assert_eq!(no_domain, ["urn:knhk:plant#Tool.wear: it has no domain"]);
        let no_property = without(|triple| triple.subject == iri("Tool.wear"));
        assert_eq!(no_property.len(), 1, "{no_property:?}");
        assert!(no_property[0].contains("Tool.wear-shape"));
    }

    #[test]
    fn ranges_superclasses_and_domains_that_are_gone_are_named() {
        let base = snapshot(&schema());
        let mut schema = (*base.schema).clone();
        schema.classes.remove(&iri("Tool"));
        schema.classes.get_mut(&iri("Stroke")).unwrap().subclass_of = iri("Nowhere");
        let found: Vec<String> =
            stranded(&schema, &base.sigma).into_iter().map(|finding| finding.message).collect();
        assert!(
            found.iter().any(|message| message.contains("its range urn:knhk:plant#Tool is gone")),
            "{found:?}"
        );
        assert!(
            found.iter().any(|message| message.contains("its superclass urn:knhk:plant#Nowhere is gone"))
        );
        assert!(found.iter().any(|message| message.contains("its domain <urn:knhk:plant#Tool> is gone")));
    }
}
