//! From a sector's graph to its schema. Whatever a shape says must be understood or the graph is refused: a constraint
//! that is not evaluated must not look as if it held.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::OntologyError;
use crate::graph::Graph;
use crate::iri::Iri;
use crate::rendering::{occurrence, stated_range, value_datatype, vocabulary_triples};
use crate::schema::{
    Cardinality, Class, Compatibility, Datatype, Facets, PromotionPolicy, Property, Range, Schema, Settings,
};
use crate::triple::{Term, Triple};
use crate::vocab;

mod node;
mod silent;

use node::Node;
pub(crate) use silent::is_silent;

/// Most members of one `sh:in` or `sh:or` list.
pub const LIST_MEMBERS_MAX: usize = 4_096;

impl Schema {
    /// Reads what the ontology of a sector says. `core` is not read for it, only `sector`; both are given as Σ is both.
    ///
    /// # Errors
    /// Whatever is not in the form of `docs/formats/ontology.md`, by the node and term at fault, and everything that
    /// [`Schema::check`] refuses.
    pub fn read(_core: &Graph, sector: &Graph) -> Result<Self, OntologyError> {
        Ok(Reader::new(sector).read()?.0)
    }
}

/// Brings a hand-written sector graph into canonical form: shapes are rewritten with the names and lists that
/// [`crate::rendering`] gives them; annotations and individuals stay as they are.
///
/// # Errors
/// As [`Schema::read`].
pub fn normalise(sector: &Graph) -> Result<(Schema, Graph), OntologyError> {
    let (schema, shapes) = Reader::new(sector).read()?;
    let properties: BTreeSet<&Iri> = schema
        .classes
        .values()
        .flat_map(|class| class.properties.values().map(|property| &property.iri))
        .collect();
    let restated = |triple: &Triple| {
        shapes.contains(triple.subject.as_str())
            || (schema.classes.contains_key(&triple.subject)
                && states_class(&triple.predicate, &triple.object))
            || (properties.contains(&triple.subject) && states_property(&triple.predicate, &triple.object))
    };
    let mut graph: Graph = sector.iter().filter(|triple| !restated(triple)).collect();
    graph.extend(vocabulary_triples(&schema));
    Ok((schema, graph))
}

fn states_class(predicate: &Iri, object: &Term) -> bool {
    [
        &vocab::RDFS_LABEL,
        &vocab::RDFS_COMMENT,
        &vocab::RDFS_SUB_CLASS_OF,
        &vocab::KNHK_IN_SECTOR,
        &vocab::KNHK_EVENT_TYPE,
        &vocab::KNHK_HOT,
    ]
    .iter()
    .any(|known| ***known == *predicate)
        || (*predicate == *vocab::RDF_TYPE && object.as_iri() == Some(&vocab::OWL_CLASS))
}

fn states_property(predicate: &Iri, object: &Term) -> bool {
    [
        &vocab::RDFS_LABEL,
        &vocab::RDFS_COMMENT,
        &vocab::RDFS_DOMAIN,
        &vocab::RDFS_RANGE,
        &vocab::KNHK_CARDINALITY,
        &vocab::KNHK_IN_SECTOR,
        &vocab::OWL_DEPRECATED,
        &vocab::KNHK_REPLACED_BY,
    ]
    .iter()
    .any(|known| ***known == *predicate)
        || (*predicate == *vocab::RDF_TYPE && object.as_iri() == Some(&vocab::RDF_PROPERTY))
}

struct Reader<'g> {
    nodes: BTreeMap<&'g str, Node<'g>>,
    /// Subjects that belong to shapes: node and property shapes, list cells, members of `sh:or`.
    shapes: BTreeSet<&'g str>,
}

impl<'g> Reader<'g> {
    fn new(graph: &'g Graph) -> Self {
        let mut nodes: BTreeMap<&str, Node<'_>> = BTreeMap::new();
        let mut current: Option<Node<'_>> = None;
        for (subject, predicate, object) in graph.borrowed() {
            match &mut current {
                Some(node) if std::ptr::eq(node.iri, subject) => node.said.push((predicate, object)),
                _ => {
                    let next = Node { iri: subject, said: vec![(predicate, object)] };
                    if let Some(done) = current.replace(next) {
                        nodes.insert(done.iri.as_str(), done);
                    }
                }
            }
        }
        nodes.extend(current.map(|node| (node.iri.as_str(), node)));
        for node in nodes.values_mut() {
            node.said.sort_unstable();
        }
        Self { nodes, shapes: BTreeSet::new() }
    }

    fn read(mut self) -> Result<(Schema, BTreeSet<String>), OntologyError> {
        let mut sectors = self.nodes.values().filter(|node| node.is_a(&vocab::KNHK_SECTOR));
        let (Some(sector), None) = (sectors.next(), sectors.next()) else {
            return Err(OntologyError::malformed(
                "the graph",
                "has not exactly one knhk:Sector; describe the sector itself once",
            ));
        };
        let name = sector.required_text(&vocab::RDFS_LABEL)?.to_owned();
        let sector_iri = sector.iri;
        if sector_iri.as_str().strip_prefix(vocab::SECTOR_PREFIX) != Some(&name) {
            return Err(
                sector.malformed(format!("has the label `{name}`; its IRI must be urn:knhk:sector:{name}"))
            );
        }
        let namespace = sector.required_text(&vocab::KNHK_NAMESPACE_TERM)?.to_owned();
        let settings = settings(sector)?;

        let mut schema = Schema {
            sector: name,
            namespace,
            settings,
            event_types: BTreeMap::new(),
            classes: BTreeMap::new(),
        };
        let shape_nodes: Vec<&'g str> = self
            .nodes
            .iter()
            .filter(|(_, node)| {
                node.is_a(&vocab::SH_NODE_SHAPE) || node.all(&vocab::SH_TARGET_CLASS).next().is_some()
            })
            .map(|(text, _)| *text)
            .collect();
        let mut properties = BTreeSet::new();
        for text in shape_nodes {
            self.class(text, sector_iri, &mut schema, &mut properties)?;
        }
        self.everything_is_understood(&schema, &properties, sector_iri)?;
        schema.check()?;
        Ok((schema, self.shapes.iter().map(|text| (*text).to_owned()).collect()))
    }

    fn node(&self, text: &str) -> Option<&Node<'g>> {
        self.nodes.get(text)
    }

    fn class(
        &mut self,
        shape_text: &'g str,
        sector: &Iri,
        schema: &mut Schema,
        properties: &mut BTreeSet<&'g str>,
    ) -> Result<(), OntologyError> {
        let Some(shape) = self.nodes.get(shape_text) else { return Ok(()) };
        shape.allow(
            &[&vocab::SH_TARGET_CLASS, &vocab::SH_CLOSED, &vocab::SH_IGNORED_PROPERTIES, &vocab::SH_PROPERTY],
            &vocab::SH_NODE_SHAPE,
        )?;
        if shape.optional_boolean(&vocab::SH_CLOSED)? == Some(false) {
            return Err(shape.malformed("says `sh:closed false`; objects are always closed, remove it"));
        }
        let Some(target) = shape.optional_iri(&vocab::SH_TARGET_CLASS)? else {
            return Err(shape.malformed("has no sh:targetClass; name the one class it is for"));
        };
        let Some(node) = self.node(target.as_str()).filter(|node| node.is_a(&vocab::OWL_CLASS)) else {
            return Err(shape
                .malformed(format!("is for <{target}>, which is no owl:Class of this sector; declare it")));
        };
        let Some(subclass_of) = node.optional_iri(&vocab::RDFS_SUB_CLASS_OF)? else {
            return Err(
                node.malformed("has no rdfs:subClassOf; name knhk:Event, knhk:Part or a class of the sector")
            );
        };
        in_sector(node, sector)?;
        let mut class = Class {
            iri: node.iri.clone(),
            label: node.required_text(&vocab::RDFS_LABEL)?.to_owned(),
            comment: node.required_text(&vocab::RDFS_COMMENT)?.to_owned(),
            subclass_of: subclass_of.clone(),
            event_types: BTreeSet::new(),
            hot: node.optional_boolean(&vocab::KNHK_HOT)?.unwrap_or(false),
            properties: BTreeMap::new(),
        };
        let rate = node.optional_count(&vocab::KNHK_EXPECTED_RATE)?;
        for term in node.all(&vocab::KNHK_EVENT_TYPE) {
            let event_type = node.text(&vocab::KNHK_EVENT_TYPE, term)?.to_owned();
            if let Some(rate) = rate {
                schema.settings.expected_rates.insert(event_type.clone(), rate);
            }
            if let Some(other) = schema.event_types.insert(event_type.clone(), class.iri.clone()) {
                return Err(OntologyError::Collision { name: event_type, holder: other.to_string() });
            }
            class.event_types.insert(event_type);
        }

        let ignored = shape.optional_iri(&vocab::SH_IGNORED_PROPERTIES)?;
        let shapes: Vec<&'g Term> = shape.all(&vocab::SH_PROPERTY).collect();
        let shape_iri = shape.iri;
        if let Some(list) = ignored
            && list != &*vocab::KNHK_TYPE_ONLY
        {
            let members = self.list(shape_iri, list)?;
            if members.iter().any(|member| member.as_iri() != Some(&vocab::RDF_TYPE)) {
                return Err(OntologyError::malformed(
                    shape_iri,
                    "ignores more than rdf:type; declare those keys instead",
                ));
            }
        }
        self.shapes.insert(shape_text);
        for term in shapes {
            let property = self.property(shape_iri, term, &class.iri, sector, properties)?;
            let key = property.key.clone();
            if class.properties.insert(key.clone(), property).is_some() {
                return Err(OntologyError::Collision { name: key, holder: class.iri.to_string() });
            }
        }
        let iri = class.iri.clone();
        if schema.classes.insert(iri.clone(), class).is_some() {
            return Err(OntologyError::malformed(&iri, "has more than one node shape; merge them"));
        }
        Ok(())
    }

    fn property(
        &mut self,
        owner: &'g Iri,
        shape: &'g Term,
        domain: &Iri,
        sector: &Iri,
        properties: &mut BTreeSet<&'g str>,
    ) -> Result<Property, OntologyError> {
        let Some(shape) = shape.as_iri().and_then(|iri| self.node(iri.as_str())) else {
            return Err(OntologyError::malformed(
                owner,
                format!("has sh:property {shape}, about which nothing is said"),
            ));
        };
        shape.allow(
            &[
                &vocab::SH_PATH,
                &vocab::KNHK_KEY,
                &vocab::SH_DATATYPE,
                &vocab::SH_CLASS,
                &vocab::SH_OR,
                &vocab::SH_IN,
                &vocab::SH_MIN_COUNT,
                &vocab::SH_MAX_COUNT,
                &vocab::SH_MIN_INCLUSIVE,
                &vocab::SH_MAX_INCLUSIVE,
                &vocab::SH_MIN_LENGTH,
                &vocab::SH_MAX_LENGTH,
            ],
            &vocab::SH_PROPERTY_SHAPE,
        )?;
        let Some(key) = shape.optional_text(&vocab::KNHK_KEY)?.map(str::to_owned) else {
            return Err(shape.malformed("has no knhk:key; state the JSON key, as text"));
        };
        let Some(path) = shape.optional_iri(&vocab::SH_PATH)? else {
            return Err(shape.malformed("has no sh:path; name the property"));
        };
        let Some(node) = self.node(path.as_str()).filter(|node| node.is_a(&vocab::RDF_PROPERTY)) else {
            return Err(shape.malformed(format!(
                "is about <{path}>, which is no rdf:Property of this sector; declare it"
            )));
        };
        if !properties.insert(node.iri.as_str()) {
            return Err(
                node.malformed("is used by more than one key; mint one property for each class and key")
            );
        }
        in_sector(node, sector)?;
        if node.optional_iri(&vocab::RDFS_DOMAIN)?.is_some_and(|stated| stated != domain) {
            return Err(
                node.malformed(format!("has another rdfs:domain than <{domain}>, whose shape uses it"))
            );
        }
        let (iri, shape_iri) = (node.iri, shape.iri);
        let single = (shape.optional_iri(&vocab::SH_DATATYPE)?, shape.optional_iri(&vocab::SH_CLASS)?);
        let alternatives = shape.optional_iri(&vocab::SH_OR)?;
        let values = shape.optional_iri(&vocab::SH_IN)?;
        let stated = (
            shape.optional_count(&vocab::SH_MIN_COUNT)?.filter(|n| *n > 0),
            shape.optional_count(&vocab::SH_MAX_COUNT)?,
        );

        let ranges = match (single, alternatives) {
            ((Some(datatype), None), None) => BTreeSet::from([Self::datatype(shape_iri, datatype)?]),
            ((None, Some(class)), None) => BTreeSet::from([Range::Class(class.clone())]),
            ((None, None), Some(list)) => self.alternatives(shape_iri, list)?,
            ((None, None), None) => BTreeSet::new(),
            _ => {
                let problem =
                    "has more than one of sh:datatype, sh:class and sh:or; put alternatives into sh:or";
                return Err(OntologyError::malformed(shape_iri, problem));
            }
        };
        let values = match values {
            Some(list) => Some(self.values(shape_iri, list, value_datatype(&ranges))?),
            None => None,
        };

        let (Some(node), Some(shape)) = (self.node(iri.as_str()), self.node(shape_iri.as_str())) else {
            return Err(OntologyError::malformed(iri, "is not described"));
        };
        let cardinality = match (node.optional_text(&vocab::KNHK_CARDINALITY)?, stated) {
            (Some(text), _) => {
                Cardinality::ALL.into_iter().find(|cardinality| cardinality.as_str() == text).ok_or_else(
                    || node.malformed(format!("has the cardinality `{text}`; write 1, 0..1, 0..* or 1..*")),
                )?
            }
            (None, (least, most)) => Cardinality::of(least.is_some(), most.is_none()),
        };
        let property = Property {
            iri: iri.clone(),
            key,
            label: node.required_text(&vocab::RDFS_LABEL)?.to_owned(),
            comment: node.required_text(&vocab::RDFS_COMMENT)?.to_owned(),
            ranges,
            cardinality,
            facets: Facets {
                values,
                min: shape.optional_decimal(&vocab::SH_MIN_INCLUSIVE)?,
                max: shape.optional_decimal(&vocab::SH_MAX_INCLUSIVE)?,
                min_length: shape.optional_small(&vocab::SH_MIN_LENGTH)?,
                max_length: shape.optional_small(&vocab::SH_MAX_LENGTH)?,
            },
            deprecated: node.optional_boolean(&vocab::OWL_DEPRECATED)?.unwrap_or(false),
            replaced_by: node.optional_iri(&vocab::KNHK_REPLACED_BY)?.cloned(),
        };
        if property.ranges.is_empty() && stated != (None, Some(0)) {
            let problem =
                "says nothing of its values; give sh:datatype, sh:class or sh:or, or sh:maxCount 0 alone";
            return Err(shape.malformed(problem));
        }
        if occurrence(&property) != stated {
            let problem =
                format!("does not bound its values as the cardinality {} does", cardinality.as_str());
            return Err(shape.malformed(problem));
        }
        if node.optional_iri(&vocab::RDFS_RANGE)?.is_some_and(|range| *range != stated_range(&property)) {
            return Err(node.malformed("has an rdfs:range that its shape does not state"));
        }
        let text = shape.iri.as_str();
        self.shapes.insert(text);
        Ok(property)
    }

    fn datatype(shape: &Iri, iri: &Iri) -> Result<Range, OntologyError> {
        Datatype::ALL.into_iter().find(|datatype| datatype.iri() == iri).map(Range::Datatype).ok_or_else(
            || OntologyError::NotSupported {
                term: format!("sh:datatype <{iri}>"),
                subject: shape.to_string(),
            },
        )
    }

    fn alternatives(&mut self, shape: &Iri, list: &'g Iri) -> Result<BTreeSet<Range>, OntologyError> {
        let mut ranges = BTreeSet::new();
        for member in self.list(shape, list)? {
            let Some(node) = member.as_iri().and_then(|iri| self.node(iri.as_str())) else {
                return Err(OntologyError::malformed(
                    shape,
                    "has an alternative about which nothing is said",
                ));
            };
            node.allow(&[&vocab::SH_DATATYPE, &vocab::SH_CLASS], &vocab::SH_NODE_SHAPE)?;
            let range = match (node.optional_iri(&vocab::SH_DATATYPE)?, node.optional_iri(&vocab::SH_CLASS)?)
            {
                (Some(datatype), None) => Self::datatype(node.iri, datatype)?,
                (None, Some(class)) => Range::Class(class.clone()),
                _ => return Err(node.malformed("must carry exactly one sh:datatype or sh:class")),
            };
            ranges.insert(range);
            let text = node.iri.as_str();
            self.shapes.insert(text);
        }
        if ranges.len() < 2 {
            return Err(OntologyError::malformed(
                shape,
                "has fewer than two alternatives in sh:or; state the one alone",
            ));
        }
        Ok(ranges)
    }

    fn values(
        &mut self,
        shape: &Iri,
        list: &'g Iri,
        datatype: &Iri,
    ) -> Result<BTreeSet<String>, OntologyError> {
        let mut values = BTreeSet::new();
        for member in self.list(shape, list)? {
            match member.as_literal() {
                Some(literal) if literal.datatype() == datatype => values.insert(literal.value().to_owned()),
                _ => {
                    let problem = format!("allows {member} in sh:in; write literals of <{datatype}>");
                    return Err(OntologyError::malformed(shape, problem));
                }
            };
        }
        Ok(values)
    }

    fn list(&mut self, owner: &Iri, list: &'g Iri) -> Result<Vec<&'g Term>, OntologyError> {
        let mut members = Vec::new();
        let mut at = list;
        while *at != *vocab::RDF_NIL {
            if members.len() == LIST_MEMBERS_MAX {
                return Err(OntologyError::too_large(
                    format!("list of `{owner}` in members"),
                    LIST_MEMBERS_MAX,
                ));
            }
            let Some(cell) = self.node(at.as_str()) else {
                return Err(OntologyError::malformed(
                    owner,
                    "has a list that breaks off; end it with rdf:nil",
                ));
            };
            cell.allow(&[&vocab::RDF_FIRST, &vocab::RDF_REST], &vocab::RDF_NIL)?;
            let (Some(first), Some(rest)) =
                (cell.optional(&vocab::RDF_FIRST)?, cell.optional_iri(&vocab::RDF_REST)?)
            else {
                return Err(cell.malformed("is a list cell without one rdf:first and one rdf:rest"));
            };
            let text = cell.iri.as_str();
            // A cell met twice is a circle, or a list that two shapes share: both would be misread.
            if !self.shapes.insert(text) {
                return Err(OntologyError::malformed(
                    at,
                    "is part of two lists or of a circle; write each list once",
                ));
            }
            members.push(first);
            at = rest;
        }
        Ok(members)
    }

    /// Nothing outside the shapes just read may look like a constraint, and no statement may be about strangers.
    fn everything_is_understood(
        &self,
        schema: &Schema,
        properties: &BTreeSet<&str>,
        sector: &Iri,
    ) -> Result<(), OntologyError> {
        for (text, node) in &self.nodes {
            if self.shapes.contains(text) {
                continue;
            }
            let own = text.starts_with(&schema.namespace) || text.starts_with(vocab::SKOLEM_PREFIX);
            if !own && node.iri != sector {
                return Err(OntologyError::OutsideNamespace {
                    iri: (*text).to_owned(),
                    namespace: schema.namespace.clone(),
                });
            }
            let of_lists = [&*vocab::RDF_FIRST, &*vocab::RDF_REST];
            for (predicate, object) in &node.said {
                if predicate.as_str().starts_with(vocab::SH_NAMESPACE) || of_lists.contains(predicate) {
                    return Err(node.unsupported(predicate));
                }
                if **predicate == *vocab::RDF_TYPE
                    && object.as_iri().is_some_and(|iri| iri.as_str().starts_with(vocab::SH_NAMESPACE))
                {
                    return Err(node.unsupported(object));
                }
            }
            if node.is_a(&vocab::OWL_CLASS) && !schema.classes.contains_key(node.iri) {
                return Err(node.malformed("is a class without node shape; give it one with sh:targetClass"));
            }
            if node.is_a(&vocab::RDF_PROPERTY) && !properties.contains(text) {
                return Err(
                    node.malformed("is a property without property shape; give its class's shape one")
                );
            }
        }
        Ok(())
    }
}

fn in_sector(node: &Node<'_>, sector: &Iri) -> Result<(), OntologyError> {
    match node.optional_iri(&vocab::KNHK_IN_SECTOR)? {
        Some(stated) if stated != sector => {
            Err(node.malformed(format!("is in sector <{stated}>; write <{sector}>")))
        }
        _ => Ok(()),
    }
}

fn settings(node: &Node<'_>) -> Result<Settings, OntologyError> {
    let usual = Settings::default();
    let promotion_policy = match node.optional_text(&vocab::KNHK_PROMOTION_POLICY)? {
        None => usual.promotion_policy,
        Some(text) => {
            PromotionPolicy::ALL.into_iter().find(|policy| policy.as_str() == text).ok_or_else(|| {
                node.malformed(format!("has the policy `{text}`; write automatic or human_review"))
            })?
        }
    };
    let compatibility = match node.optional_text(&vocab::KNHK_COMPATIBILITY)? {
        None => usual.compatibility,
        Some(text) => Compatibility::ALL
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| node.malformed(format!("has the compatibility `{text}`; write backward, forward, full or one of them with _transitive")))?,
    };
    let mut error_event_types = BTreeSet::new();
    for term in node.all(&vocab::KNHK_ERROR_EVENT_TYPE) {
        error_event_types.insert(node.text(&vocab::KNHK_ERROR_EVENT_TYPE, term)?.to_owned());
    }
    Ok(Settings {
        minimum_evidence: node
            .optional_small(&vocab::KNHK_MINIMUM_EVIDENCE)?
            .unwrap_or(usual.minimum_evidence),
        frequency_limit: node.optional_small(&vocab::KNHK_FREQUENCY_LIMIT)?.unwrap_or(usual.frequency_limit),
        error_share_ppm: node.millionths(&vocab::KNHK_ERROR_SHARE)?.unwrap_or(usual.error_share_ppm),
        heartbeat_ms: node.optional_count(&vocab::KNHK_HEARTBEAT)?.unwrap_or(usual.heartbeat_ms),
        minimum_confidence_ppm: node
            .millionths(&vocab::KNHK_MINIMUM_CONFIDENCE)?
            .unwrap_or(usual.minimum_confidence_ppm),
        promotion_policy,
        compatibility,
        expected_rates: BTreeMap::new(),
        error_event_types,
    })
}

#[cfg(test)]
mod tests;
