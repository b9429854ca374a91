//! Sector packs: a directory of data, read once to make a sector's first snapshot. `docs/formats/pack.md` is the source.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::context::context;
use crate::core_ontology;
use crate::error::OntologyError;
use crate::graph::Graph;
use crate::iri::Iri;
use crate::reading::normalise;
use crate::rendering::{sector_triples, vocabulary_triples};
use crate::schema::Schema;
use crate::schema_check::is_sector_name;
use crate::sigma::Sigma;
use crate::snapshot::Version;
use crate::trie::Hash;
use crate::triple::{Term, Triple};
use crate::turtle;
use crate::vocab;

/// Most files of a pack that are read.
pub const PACK_FILES_MAX: usize = 256;
/// Most bytes of all files of a pack together: a pack must fit one logged input.
pub const PACK_BYTES_MAX: usize = 15 * 1024 * 1024;

/// A pack that was read, brought into canonical form and found to satisfy Σ².
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// The sector's name.
    pub name: String,
    /// The sector's name for people.
    pub title: String,
    /// Version of the first snapshot.
    pub version: Version,
    /// Σ_sector in canonical form.
    pub graph: Graph,
    /// What it says about events.
    pub schema: Schema,
    /// `doctrine.toml` as given.
    pub doctrine: Option<Vec<u8>>,
    /// `guards.toml` as given.
    pub guards: Option<Vec<u8>>,
    /// The pack digest over the files as given.
    pub digest: Hash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: String,
    title: String,
    version: Version,
}

impl Manifest {
    fn of(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, OntologyError> {
        toml::from_str(text(files, "sector.toml")?)
            .map_err(|error| refuse("sector.toml", error.message().to_owned()))
    }
}

impl Pack {
    /// The name that a pack's files give it, without reading the rest.
    ///
    /// # Errors
    /// [`OntologyError::Pack`] when `sector.toml` is missing or malformed.
    pub fn name_of(files: &BTreeMap<String, Vec<u8>>) -> Result<String, OntologyError> {
        Manifest::of(files).map(|manifest| manifest.name)
    }

    /// Reads a pack from its files, name → bytes. Files that are not part of a pack are not looked at.
    ///
    /// # Errors
    /// [`OntologyError::Pack`] with the file at fault; what [`normalise`] refuses; [`OntologyError::TooLarge`].
    pub fn from_files(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, OntologyError> {
        if files.len() > PACK_FILES_MAX {
            return Err(OntologyError::too_large("pack in files", PACK_FILES_MAX));
        }
        if files.values().map(Vec::len).sum::<usize>() > PACK_BYTES_MAX {
            return Err(OntologyError::too_large("pack in bytes", PACK_BYTES_MAX));
        }
        let manifest = Manifest::of(files)?;
        if !is_sector_name(&manifest.name) || manifest.name == "core" {
            let problem =
                format!("`{}` cannot name a sector; write a-z, 0-9 and -, not `core`", manifest.name);
            return Err(refuse("sector.toml", problem));
        }
        let mut written = Graph::new();
        for name in files.keys().filter(|name| is_turtle(name)) {
            let graph = turtle::parse(text(files, name)?).map_err(|error| refuse(name, error.to_string()))?;
            written.extend(graph.iter());
        }
        if written.is_empty() {
            return Err(refuse("*.ttl", "the pack has no ontology; add at least one Turtle file"));
        }
        let (schema, graph) = normalise(&written)?;
        if schema.sector != manifest.name {
            let problem = format!(
                "names `{}` but the ontology describes `{}`; make them equal",
                manifest.name, schema.sector
            );
            return Err(refuse("sector.toml", problem));
        }
        let sigma = Sigma::new(core_ontology::core_graph()?.clone(), graph);
        if let Some(first) = core_ontology::meta_report(&sigma)?.violations().first() {
            return Err(OntologyError::malformed(
                &first.focus,
                format!("breaks {}: {}", first.shape, first.message),
            ));
        }
        for invariant in sigma.invariants()? {
            if !invariant.holds(&sigma)? {
                let problem =
                    format!("does not hold in the pack itself: {} {}", invariant.name, invariant.statement);
                return Err(OntologyError::malformed(&invariant.iri, problem));
            }
        }
        if files.contains_key("context.jsonld") {
            let given: serde_json::Value = serde_json::from_str(text(files, "context.jsonld")?)
                .map_err(|error| refuse("context.jsonld", error.to_string()))?;
            let derived: Option<serde_json::Value> = serde_json::from_str(&context(&schema)?).ok();
            if Some(given) != derived {
                let problem = "says otherwise than the ontology; remove it, it is generated";
                return Err(refuse("context.jsonld", problem));
            }
        }
        Ok(Self {
            name: manifest.name,
            title: manifest.title,
            version: manifest.version,
            graph: sigma.sector,
            schema,
            doctrine: files.get("doctrine.toml").cloned(),
            guards: files.get("guards.toml").cloned(),
            digest: digest(files),
        })
    }

    /// A pack from a schema, as made by `knhk sector init`: reads back from [`Pack::files`] as itself.
    ///
    /// # Errors
    /// What [`Pack::from_files`] refuses.
    pub fn from_schema(
        schema: &Schema,
        title: &str,
        comment: &str,
        version: Version,
    ) -> Result<Self, OntologyError> {
        let triples = sector_triples(schema, comment).into_iter().chain(vocabulary_triples(schema));
        let draft = Self {
            name: schema.sector.clone(),
            title: title.to_owned(),
            version,
            graph: triples.collect(),
            schema: schema.clone(),
            doctrine: None,
            guards: None,
            digest: [0; 32],
        };
        Self::from_files(&draft.files()?)
    }

    /// The pack as files, name → bytes: `sector.toml`, `ontology.ttl`, `shapes.ttl`, `context.jsonld`, and doctrine and
    /// guards as they were given. The context is left out where it would exceed its limit.
    ///
    /// # Errors
    /// [`OntologyError::Malformed`] when the context cannot be written.
    pub fn files(&self) -> Result<BTreeMap<String, Vec<u8>>, OntologyError> {
        let lists = self.lists();
        let of_shapes =
            |triple: &Triple| triple.subject.as_str().ends_with("-shape") || lists.contains(&triple.subject);
        let (shapes, terms): (Vec<Triple>, Vec<Triple>) = self.graph.iter().partition(of_shapes);
        let prefixes = [(self.name.as_str(), self.schema.namespace.as_str())];
        let manifest = format!(
            "name = {}\ntitle = {}\nversion = {}\n",
            toml_string(&self.name),
            toml_string(&self.title),
            toml_string(&self.version.to_string())
        );
        let mut files = BTreeMap::from([
            ("sector.toml".to_owned(), manifest.into_bytes()),
            ("ontology.ttl".to_owned(), turtle::write(terms, &prefixes).into_bytes()),
            ("shapes.ttl".to_owned(), turtle::write_folded(shapes, &prefixes, &lists).into_bytes()),
        ]);
        match context(&self.schema) {
            Ok(context) => {
                files.insert("context.jsonld".to_owned(), context.into_bytes());
            }
            // A context writes shared classes out again and again; beyond its limit a pack does without.
            Err(OntologyError::TooLarge { .. }) => {}
            Err(error) => return Err(error),
        }
        for (name, bytes) in [("doctrine.toml", &self.doctrine), ("guards.toml", &self.guards)] {
            if let Some(bytes) = bytes {
                files.insert(name.to_owned(), bytes.clone());
            }
        }
        Ok(files)
    }

    /// The list cells and alternatives of property shapes, whose names follow from the shape.
    fn lists(&self) -> BTreeSet<Iri> {
        let mut found = BTreeSet::new();
        for predicate in [&*vocab::SH_IN, &*vocab::SH_OR] {
            for head in self.graph.matching(None, Some(predicate), None) {
                let mut at = head.object;
                while let Term::Iri(cell) = &at
                    && *cell != *vocab::RDF_NIL
                    && found.insert(cell.clone())
                {
                    if *predicate == *vocab::SH_OR {
                        found.extend(
                            self.graph
                                .object(cell, &vocab::RDF_FIRST)
                                .and_then(|term| term.as_iri().cloned()),
                        );
                    }
                    match self.graph.object(cell, &vocab::RDF_REST) {
                        Some(rest) => at = rest,
                        None => break,
                    }
                }
            }
        }
        found
    }

    /// The composition with the built-in core.
    pub fn sigma(&self) -> Result<Sigma, OntologyError> {
        Ok(Sigma::new(core_ontology::core_graph()?.clone(), self.graph.clone()))
    }
}

/// SHA-256 of the canonical CBOR (RFC 8949 §4.2.1) of the map file name → SHA-256 of the file's bytes, over the files
/// that make a pack.
pub fn digest(files: &BTreeMap<String, Vec<u8>>) -> Hash {
    let mut parts: Vec<(&String, Hash)> = files
        .iter()
        .filter(|(name, _)| {
            is_turtle(name) || ["sector.toml", "doctrine.toml", "guards.toml"].contains(&name.as_str())
        })
        .map(|(name, bytes)| (name, Sha256::digest(bytes).into()))
        .collect();
    // Canonical order of text keys: the length comes first in their encoding.
    parts.sort_by_key(|(name, _)| (name.len(), *name));
    let mut out = Vec::new();
    cbor_head(5, parts.len(), &mut out);
    for (name, hash) in parts {
        cbor_head(3, name.len(), &mut out);
        out.extend_from_slice(name.as_bytes());
        cbor_head(2, hash.len(), &mut out);
        out.extend_from_slice(&hash);
    }
    Sha256::digest(out).into()
}

/// The head of a CBOR item: major type and length in the shortest form (RFC 8949 §3).
fn cbor_head(major: u8, length: usize, out: &mut Vec<u8>) {
    let bytes = (length as u64).to_be_bytes();
    let (info, tail): (u8, &[u8]) = match length {
        0..=23 => (bytes[7], &[]),
        24..=0xff => (24, &bytes[7..]),
        0x100..=0xffff => (25, &bytes[6..]),
        0x1_0000..=0xffff_ffff => (26, &bytes[4..]),
        _ => (27, &bytes),
    };
    out.push(major << 5 | info);
    out.extend_from_slice(tail);
}

/// A TOML basic string: JSON's escapes are TOML's, but for DEL, which JSON leaves bare.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

fn is_turtle(name: &str) -> bool {
    name.strip_suffix(".ttl").is_some_and(|stem| !stem.is_empty() && !stem.contains('/'))
}

fn refuse(file: &str, problem: impl Into<String>) -> OntologyError {
    OntologyError::Pack { file: file.to_owned(), problem: problem.into() }
}

fn text<'f>(files: &'f BTreeMap<String, Vec<u8>>, name: &str) -> Result<&'f str, OntologyError> {
    let bytes = files.get(name).ok_or_else(|| refuse(name, "the pack does not have this file; add it"))?;
    std::str::from_utf8(bytes).map_err(|_| refuse(name, "is not UTF-8 text; save it as UTF-8"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::any_schema;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_pack_written_to_files_reads_back_as_itself(schema in any_schema(), title in "[^\u{0}]{1,6}") {
            let pack = Pack::from_schema(&schema, &title, "X.", Version::FIRST).unwrap();
            prop_assert_eq!(&pack.schema, &schema);
            let files = pack.files().unwrap();
            prop_assert_eq!(&Pack::from_files(&files).unwrap(), &pack);
            prop_assert_eq!(pack.files().unwrap(), files);
        }
    }

    #[test]
    fn lists_of_shapes_are_written_for_people() {
        let text = String::from_utf8(files()["shapes.ttl"].clone()).unwrap();
        assert!(text.contains("sh:or ( [ sh:"), "{text}");
        assert!(!text.contains("urn:knhk:sk:"), "{text}");
    }

    fn files() -> BTreeMap<String, Vec<u8>> {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let schema = loop {
            use proptest::strategy::ValueTree;
            let schema = any_schema().new_tree(&mut runner).unwrap().current();
            if schema.classes.len() == 4 {
                break schema;
            }
        };
        Pack::from_schema(&schema, "X", "X.", Version::FIRST).unwrap().files().unwrap()
    }

    #[test]
    fn a_broken_pack_is_refused_by_the_file_at_fault() {
        let refused = |name: &str, change: &dyn Fn(&str) -> String| {
            let mut files = files();
            let text = String::from_utf8(files.remove(name).unwrap_or_default()).unwrap();
            files.insert(name.to_owned(), change(&text).into_bytes());
            Pack::from_files(&files).unwrap_err()
        };
        let pack_error = |error: OntologyError, file: &str, mention: &str| match error {
            OntologyError::Pack { file: at, problem } => {
                assert_eq!(at, file);
                assert!(problem.contains(mention), "{problem}");
            }
            other => panic!("{other}"),
        };
        pack_error(refused("sector.toml", &|text| text.replace("\"x\"", "\"core\"")), "sector.toml", "core");
        pack_error(
            refused("sector.toml", &|text| text.replace("\"x\"", "\"y\"")),
            "sector.toml",
            "describes `x`",
        );
        pack_error(refused("sector.toml", &|text| format!("{text}colour = 1\n")), "sector.toml", "colour");
        pack_error(refused("sector.toml", &|text| text.replace("1.0.0", "1.0")), "sector.toml", "version");
        pack_error(refused("shapes.ttl", &|text| format!("{text}\noops")), "shapes.ttl", "line");
        pack_error(
            refused("context.jsonld", &|text| text.replacen("urn:e:x#C0", "urn:e:x#Z", 1)),
            "context.jsonld",
            "otherwise",
        );
        pack_error(refused("context.jsonld", &|_| "{".into()), "context.jsonld", "EOF");
        let unsound = refused("ontology.ttl", &|text| {
            text.replace("owl:imports <urn:knhk:sector:core>", "rdfs:seeAlso 1")
        });
        assert_eq!(unsound.code(), "KNHK-E1305");
        assert!(unsound.to_string().contains("owl:imports"), "{unsound}");

        let mut latin = files();
        latin.insert("extra.ttl".into(), vec![0xff]);
        pack_error(Pack::from_files(&latin).unwrap_err(), "extra.ttl", "UTF-8");
        let mut none = files();
        none.retain(|name, _| !is_turtle(name));
        pack_error(Pack::from_files(&none).unwrap_err(), "*.ttl", "no ontology");
        pack_error(Pack::from_files(&BTreeMap::new()).unwrap_err(), "sector.toml", "does not have");
        let many = (0..=PACK_FILES_MAX).map(|n| (n.to_string(), Vec::new())).collect();
        assert_eq!(Pack::from_files(&many).unwrap_err().code(), "KNHK-E1312");
    }

    #[test]
    fn doctrine_and_guards_are_part_of_the_pack_and_of_its_digest() {
        let plain = Pack::from_files(&files()).unwrap();
        let mut with = files();
        with.insert("doctrine.toml".into(), b"# rules".to_vec());
        with.insert("guards.toml".into(), b"# guards".to_vec());
        with.insert("README.md".into(), b"not part of the digest".to_vec());
        let pack = Pack::from_files(&with).unwrap();
        assert_ne!(pack.digest, plain.digest);
        assert_eq!(pack.files().unwrap()["guards.toml"], b"# guards");
        with.remove("README.md");
        assert_eq!(Pack::from_files(&with).unwrap(), pack);
        assert_eq!(pack.sigma().unwrap().sector_name().as_deref(), Some("x"));
    }

    #[test]
    fn the_digest_is_that_of_the_canonical_cbor_map() {
        let files = BTreeMap::from([
            ("a-long-name-of-more-than-23-bytes.ttl".to_owned(), b"1".to_vec()),
            ("b.ttl".to_owned(), b"2".to_vec()),
            ("notes.txt".to_owned(), b"3".to_vec()),
        ]);
        let mut expected = vec![0xa2, 0x65];
        expected.extend_from_slice(b"b.ttl\x58\x20");
        expected.extend_from_slice(&Sha256::digest(b"2"));
        expected.extend_from_slice(b"\x78\x25a-long-name-of-more-than-23-bytes.ttl\x58\x20");
        expected.extend_from_slice(&Sha256::digest(b"1"));
        assert_eq!(digest(&files), <Hash>::from(Sha256::digest(&expected)));
    }

    #[test]
    fn the_context_scopes_keys_by_object() {
        let text = String::from_utf8(files()["context.jsonld"].clone()).unwrap();
        let context: serde_json::Value = serde_json::from_str(&text).unwrap();
        let terms = &context["@context"];
        assert_eq!(terms["@version"], 1.1);
        assert_eq!(terms["C0"]["@id"], "urn:e:x#C0");
        assert!(terms.get("C1").is_none(), "a part is reached through a key only");
        let inherited = terms["C0"]["@context"]
            .as_object()
            .unwrap()
            .keys()
            .all(|key| !terms["C2"]["@context"][key].is_null());
        assert!(inherited, "{text}");
    }
}
