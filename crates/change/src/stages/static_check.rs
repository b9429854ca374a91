//! Stage 1: terms are well named, what they refer to exists, nothing collides, and the composed ontology satisfies the
//! shapes of the meta-ontology.

use std::collections::{BTreeMap, BTreeSet};

use knhk_ontology::delta::Delta;
use knhk_ontology::schema::{Property, Range, Schema};
use knhk_ontology::shacl::Severity;
use knhk_ontology::{Iri, OntologyError, vocab};

use super::Context;
use crate::finding::{Code, Finding, Stage, StageResult};
use crate::proposal::Proposal;
use crate::shadow::Shadow;

/// Checks the terms of the change one by one, then the composed ontology as a whole.
pub fn check(shadow: &Shadow, _proposal: &Proposal, _context: &Context<'_>) -> StageResult {
    let (delta, schema) = (shadow.delta(), &shadow.base().schema);
    let mut findings = Vec::new();
    if delta.is_empty() || shadow.candidate().is_some_and(|candidate| candidate.triples().is_empty()) {
        findings.push(
            Finding::error(Code::EmptyChange, "", "the change changes nothing")
                .rule("static")
                .fix("propose a change, or none at all"),
        );
    }
    Terms { schema, delta, added: delta.added_classes.iter().map(|class| &class.iri).collect() }
        .check(&mut findings);
    match shadow.candidate() {
        None => not_lowered(shadow.refusal(), &mut findings),
        Some(candidate) => match candidate.meta_report(shadow.base()) {
            Err(error) => findings.push(
                Finding::error(Code::MetaShape, "", format!("{}: {error}", error.code()))
                    .rule("meta-ontology")
                    .fix("mend the shapes of core"),
            ),
            Ok(report) => findings.extend(report.violations().iter().map(|violation| {
                let message = format!("{} ({})", violation.message, short(&violation.component));
                let finding = match violation.severity {
                    Severity::Violation => Finding::error(Code::MetaShape, &violation.focus, message),
                    Severity::Warning => Finding::warning(Code::MetaShape, &violation.focus, message),
                    Severity::Info => Finding::info(Code::MetaShape, &violation.focus, message),
                };
                finding
                    .rule(&violation.shape)
                    .change(None, violation.value.clone())
                    .fix("state what the shape of the meta-ontology asks for")
            })),
        },
    }
    StageResult::of(Stage::Static, findings)
}

fn short(component: &str) -> &str {
    component.rsplit('#').next().unwrap_or(component)
}

/// Says why the change cannot be applied, unless the findings on its terms already do.
fn not_lowered(refusal: Option<&OntologyError>, findings: &mut Vec<Finding>) {
    let Some(error) = refusal else {
        findings.push(Finding::error(Code::NotLowered, "", "the change was not applied").rule("static"));
        return;
    };
    let (code, path) = match error {
        OntologyError::OutsideNamespace { iri, .. } => (Code::OutsideNamespace, iri.as_str()),
        OntologyError::Collision { name, .. } => (Code::Collision, name.as_str()),
        OntologyError::UnknownTarget { target } => (Code::UnknownDomain, target.as_str()),
        OntologyError::SubclassCycle { class } => (Code::UnknownParent, class.as_str()),
        OntologyError::Dangling { target, .. } => (Code::UnknownRange, target.as_str()),
        _ => (Code::NotLowered, ""),
    };
    if !findings.iter().any(|finding| finding.code == code) {
        findings.push(
            Finding::error(code, path, format!("{}: {error}", error.code()))
                .rule("static")
                .fix("propose again from the snapshot in force"),
        );
    }
}

struct Terms<'a> {
    schema: &'a Schema,
    delta: &'a Delta,
    added: BTreeSet<&'a Iri>,
}

impl Terms<'_> {
    fn check(&self, findings: &mut Vec<Finding>) {
        self.parents(findings);
        self.domains(findings);
        let added = self.delta.added_properties.iter().map(|added| &added.property);
        let changed = self.delta.changed_properties.iter().map(|changed| &changed.property);
        for property in added.chain(changed) {
            self.ranges(property, findings);
        }
        self.names(findings);
    }

    fn class_exists(&self, iri: &Iri) -> bool {
        self.added.contains(iri)
            || (self.schema.classes.contains_key(iri) && !self.delta.removed_classes.contains(iri))
    }

    fn parents(&self, findings: &mut Vec<Finding>) {
        for class in &self.delta.added_classes {
            let parent = &class.subclass_of;
            if *parent != *vocab::KNHK_EVENT && *parent != *vocab::KNHK_PART && !self.class_exists(parent) {
                findings.push(
                    Finding::error(
                        Code::UnknownParent,
                        class.iri.as_str(),
                        format!("there is no class {parent}"),
                    )
                    .rule("static")
                    .fix("name knhk:Event, knhk:Part or a class of the sector as the superclass"),
                );
            }
        }
    }

    fn domains(&self, findings: &mut Vec<Finding>) {
        let mut push = |path: String, message: String| {
            findings.push(
                Finding::error(Code::UnknownDomain, path, message)
                    .rule("static")
                    .fix("name a class of the sector and a key that it has"),
            );
        };
        for added in self.delta.added_properties.iter().filter(|added| !self.class_exists(&added.domain)) {
            push(added.property.iri.to_string(), format!("there is no class {}", added.domain));
        }
        let changed = self.delta.changed_properties.iter().map(|changed| &changed.target);
        for place in changed.chain(&self.delta.removed_properties) {
            let class = self.schema.classes.get(&place.domain);
            if class.is_none_or(|class| !class.properties.contains_key(&place.key)) {
                push(place.domain.to_string(), format!("{} has no key `{}`", place.domain, place.key));
            }
        }
        for iri in self.delta.removed_classes.iter().filter(|iri| !self.schema.classes.contains_key(*iri)) {
            push(iri.to_string(), format!("there is no class {iri}"));
        }
    }

    fn ranges(&self, property: &Property, findings: &mut Vec<Finding>) {
        for range in &property.ranges {
            if let Range::Class(class) = range
                && !self.class_exists(class)
            {
                findings.push(
                    Finding::error(
                        Code::UnknownRange,
                        property.iri.as_str(),
                        format!("there is no class {class}"),
                    )
                    .rule("static")
                    .fix("add the class in the same change, or name one that exists"),
                );
            }
        }
    }

    /// Names lie in the namespace and are free: among classes, among properties, and between the two.
    fn names(&self, findings: &mut Vec<Finding>) {
        let namespace = self.schema.namespace.as_str();
        let mut taken: BTreeMap<&Iri, &str> = BTreeMap::new();
        for class in self.schema.classes.values() {
            taken.insert(&class.iri, "a class");
            taken.extend(class.properties.values().map(|property| (&property.iri, "a property")));
        }
        // What the change itself takes away is free again.
        for iri in &self.delta.removed_classes {
            taken.remove(iri);
            let properties =
                self.schema.classes.get(iri).into_iter().flat_map(|class| class.properties.values());
            for property in properties {
                taken.remove(&property.iri);
            }
        }
        for place in &self.delta.removed_properties {
            if let Some(property) =
                self.schema.classes.get(&place.domain).and_then(|c| c.properties.get(&place.key))
            {
                taken.remove(&property.iri);
            }
        }
        let classes = self.delta.added_classes.iter().map(|class| (&class.iri, "a class"));
        let properties = self.delta.added_properties.iter().map(|added| (&added.property.iri, "a property"));
        for (iri, kind) in classes.chain(properties) {
            if iri.as_str().strip_prefix(namespace).is_none_or(str::is_empty) {
                findings.push(
                    Finding::error(
                        Code::OutsideNamespace,
                        iri.as_str(),
                        format!("{kind} outside {namespace}"),
                    )
                    .rule("static")
                    .fix("mint the term in the sector's namespace"),
                );
            }
            if let Some(holder) = taken.insert(iri, kind) {
                findings.push(
                    Finding::error(
                        Code::Collision,
                        iri.as_str(),
                        format!("{kind} with the name of {holder}"),
                    )
                    .rule("static")
                    .fix("choose another name, or change what is there"),
                );
            }
        }
        let mut event_types: BTreeMap<&str, &Iri> = BTreeMap::new();
        for (event_type, class) in &self.schema.event_types {
            if !self.delta.removed_classes.contains(class) {
                event_types.insert(event_type, class);
            }
        }
        for class in &self.delta.added_classes {
            for event_type in &class.event_types {
                if let Some(holder) = event_types.insert(event_type, &class.iri) {
                    findings.push(
                        Finding::error(
                            Code::Collision,
                            event_type,
                            format!("{holder} already describes the event type"),
                        )
                        .rule("static")
                        .fix("change that class instead of adding one"),
                    );
                }
            }
        }
    }
}
