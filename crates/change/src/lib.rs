//! ΔΣ and Q: proposals, doctrine, guards, invariants, the shadow, and the seven stages that check a change.
//!
//! This crate does no I/O and reads no clock: time, approvals and measurements come in as values. `docs/stages.md` is
//! the reader's way in.

pub mod calendar;
pub mod conflict;
pub mod doctrine;
pub mod error;
pub mod finding;
#[cfg(test)]
mod fixture;
pub mod guards;
pub mod invariants;
pub mod meaning;
pub mod pipeline;
pub mod policy;
pub mod proposal;
pub mod propose;
#[cfg(test)]
mod reference;
pub mod replay;
pub mod shadow;
mod shapes;
pub mod stages;
mod terms;
mod toml_file;
pub mod window;

pub use error::ChangeError;
pub use toml_file::GOVERNANCE_FILE_BYTES_MAX;

use doctrine::DoctrineSet;
use guards::GuardSet;
use knhk_ontology::core_ontology::CorePack;
use knhk_ontology::pack::Pack;

/// The doctrine and the guards of a sector: core's and its own.
///
/// # Errors
/// Whatever `doctrine.toml` or `guards.toml` may not say, an id that occurs in both packs, and a rule or guard that names
/// one, or a term, which does not exist.
pub fn rules_in_force(core: &CorePack, pack: &Pack) -> error::Result<(DoctrineSet, GuardSet)> {
    let of_core = |name: &str| core.files.get(name).map_or(&[][..], Vec::as_slice);
    let of_pack = |file: &Option<Vec<u8>>| file.clone().unwrap_or_default();
    let doctrine = DoctrineSet::from_toml(of_core("doctrine.toml"))?
        .and(&DoctrineSet::from_toml(&of_pack(&pack.doctrine))?)?;
    let guards =
        GuardSet::from_toml(of_core("guards.toml"))?.and(&GuardSet::from_toml(&of_pack(&pack.guards))?)?;
    guards::check_references(&doctrine, &guards)?;
    terms::check(core, pack, &doctrine, &guards)?;
    Ok((doctrine, guards))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use knhk_ontology::Version;

    use super::*;

    fn pack(doctrine: &str, guards: &str) -> Pack {
        let pack = Pack::from_schema(&fixture::schema(), "Plant", "A press line.", Version::FIRST).unwrap();
        Pack { doctrine: Some(doctrine.into()), guards: Some(guards.into()), ..pack }
    }

    fn core(doctrine: &str) -> CorePack {
        let mut core = knhk_ontology::core_pack().unwrap().clone();
        core.files = BTreeMap::from([("doctrine.toml".to_owned(), doctrine.into())]);
        core
    }

    fn rule(id: &str, guards: &str) -> String {
        format!(
            "[[rule]]\nid = \"{id}\"\nname = \"\"\ndescription = \"\"\nenforcement = \"mandatory\"\nsource = \"\"\n\
             version = 1\nguards = [{guards}]\nconstraint = {{ type = \"custom\", predicate = \"no_removal\" }}\n"
        )
    }

    #[test]
    fn the_rules_of_core_and_sector_are_in_force_together() {
        let (doctrine, guards) = rules_in_force(&core(&rule("C", "")), &pack(&rule("S", ""), "")).unwrap();
        assert_eq!(doctrine.rules().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["C", "S"]);
        assert_eq!(guards, GuardSet::default());
    }

    #[test]
    fn a_sector_cannot_replace_a_rule_of_core_nor_name_a_guard_that_is_not_there() {
        let replaced = rules_in_force(&core(&rule("C", "")), &pack(&rule("C", ""), ""));
        assert_eq!(replaced.unwrap_err().code(), "KNHK-E1605");
        let dangling = rules_in_force(&core(""), &pack(&rule("S", "\"G\""), ""));
        assert_eq!(dangling.unwrap_err().code(), "KNHK-E1606");
    }

    #[test]
    fn a_rule_or_guard_about_an_unknown_term_is_refused_with_term_and_file() {
        let protects = |list: &str, term: &str| {
            format!(
                "[[guard]]\nid = \"G\"\nname = \"\"\ndescription = \"\"\ntype = \"safety_interlock\"\n\
                 criticality = \"low\"\n{list} = [\"{term}\"]\ntier = \"cold\"\n"
            )
        };
        let about = |term: &str| rule("R", "").replace("guards = []", &format!("applies_to = [\"{term}\"]"));
        let value = |property: &str| {
            rule("R", "").replace(
                "predicate = \"no_removal\"",
                &format!("predicate = \"value_never_raised\", property = \"{property}\""),
            )
        };
        let schema = fixture::schema();
        let class = schema.classes.values().next().unwrap();
        let property = class.properties.values().next().unwrap();
        let namespace = &schema.namespace;
        for (doctrine, guards) in [
            (about(class.iri.as_str()), protects("classes", class.iri.as_str())),
            (about(property.iri.as_str()), protects("properties", property.iri.as_str())),
            (about(&format!("{namespace}ToCome*")), String::new()),
            (about("urn:knhk:*"), String::new()),
            (value("urn:knhk:ns#minimumEvidence"), String::new()),
        ] {
            rules_in_force(&core(""), &pack(&doctrine, &guards)).unwrap();
        }
        let typo = format!("{namespace}Typo");
        for (doctrine, guards, file) in [
            (String::new(), protects("classes", &typo), "guards.toml"),
            (String::new(), protects("properties", &typo), "guards.toml"),
            (about(&typo), String::new(), "doctrine.toml"),
            (about("urn:other#*"), String::new(), "doctrine.toml"),
            (value(&typo), String::new(), "doctrine.toml"),
        ] {
            let error = rules_in_force(&core(""), &pack(&doctrine, &guards)).unwrap_err();
            assert_eq!(error.code(), "KNHK-E1611", "{error}");
            assert!(error.to_string().contains(file), "{error}");
            assert!(
                error.to_string().contains(&typo) || error.to_string().contains("urn:other#*"),
                "{error}"
            );
        }
    }

    #[test]
    fn every_error_has_a_page() {
        for n in 1..=14 {
            let page = format!("{}/../../docs/errors/KNHK-E16{n:02}.md", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&page).unwrap_or_default();
            assert!(text.starts_with(&format!("# KNHK-E16{n:02}: ")) && text.contains("## Mend"), "{page}");
        }
    }
}
