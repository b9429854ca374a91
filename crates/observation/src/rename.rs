//! Fields that vanished while others like them appeared in the same objects.

use knhk_projection::Admission;
use knhk_projection::admission::{ClassId, PropertyShape};
use knhk_projection::json::JsonType;

use crate::confidence::{PPM, fact};
use crate::detect::Findings;
use crate::field::FieldNode;
use crate::profile::{FieldStats, Format};

/// Pairs of fields compared in one object; with more candidates, none is called a rename.
const PAIRS_MAX: usize = 1_024;

/// Longest key compared by edit distance, in characters.
const COMPARED_CHARACTERS_MAX: usize = 64;

/// A required field that is gone, and an undeclared one that took its place.
pub(crate) struct Rename {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) confidence_ppm: u32,
}

/// The renames among the fields of the objects at `node`, each field in at most one.
pub(crate) fn renames(admission: &Admission, node: &FieldNode, findings: &Findings<'_>) -> Vec<Rename> {
    let Some(breaches) = node.breaches.as_deref() else { return Vec::new() };
    let gone: Vec<_> = breaches.missing.iter().filter(|(key, _)| node.child(key).is_none()).collect();
    let new: Vec<_> = node.children().filter(|(_, child)| child.is_undeclared()).collect();
    if gone.is_empty() || gone.len() * new.len() > PAIRS_MAX {
        return Vec::new();
    }
    let mut candidates = Vec::new();
    for (from, lacking) in gone {
        let property =
            node.place.classes.iter().find_map(|class: &ClassId| admission.class(*class)?.property(from));
        let Some(property) = property else { continue };
        for (to, child) in &new {
            let (n, lacking) = (child.stats().present().events(), lacking.events());
            let together = share(n.min(lacking), n.max(lacking));
            let alike = similar_names(from, to).max(overlap(admission, property, child));
            let confidence_ppm = fact(n).min(product(together, alike));
            if fits(property, child) && findings.suffices(n, confidence_ppm) {
                let rename = Rename { from: from.to_string(), to: (*to).to_owned(), confidence_ppm };
                candidates.push(rename);
            }
        }
    }
    candidates.sort_by(|a, b| {
        b.confidence_ppm.cmp(&a.confidence_ppm).then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to)))
    });
    let mut chosen: Vec<Rename> = Vec::new();
    for candidate in candidates {
        if !chosen.iter().any(|other| other.from == candidate.from || other.to == candidate.to) {
            chosen.push(candidate);
        }
    }
    chosen
}

fn share(part: u64, whole: u64) -> u32 {
    u32::try_from(u128::from(part) * u128::from(PPM) / u128::from(whole.max(1))).unwrap_or(PPM)
}

fn product(a: u32, b: u32) -> u32 {
    u32::try_from(u64::from(a) * u64::from(b) / u64::from(PPM)).unwrap_or(PPM)
}

/// Whether every type seen at the new field is one that the old property allows.
fn fits(property: &PropertyShape, node: &FieldNode) -> bool {
    let types_fit = |stats: &FieldStats, array: bool| {
        stats.types().all(|(json_type, _)| match json_type {
            JsonType::Null => true,
            JsonType::Array => array && property.cardinality().is_many(),
            JsonType::Object => !property.classes().is_empty(),
            _ => property.datatypes().iter().any(|datatype| {
                use knhk_ontology::schema::Datatype as D;
                match (datatype, json_type) {
                    (D::Json, _)
                    | (D::String, JsonType::String)
                    | (D::Boolean, JsonType::Boolean)
                    | (D::Integer, JsonType::Integer)
                    | (D::Decimal, JsonType::Integer | JsonType::Decimal) => true,
                    (D::DateTime, JsonType::String) => stats.all_strings_are(Format::DateTime),
                    (D::Date, JsonType::String) => stats.all_strings_are(Format::Date),
                    (D::AnyUri, JsonType::String) => stats.all_strings_are(Format::Iri),
                    _ => false,
                }
            }),
        })
    };
    types_fit(node.stats(), true) && node.elements().is_none_or(|elements| types_fit(elements.stats(), false))
}

/// How far the new field's values are those the old property allows, where it says more than a type: the share of
/// distinct values in its enumeration, or of keys in its classes. In ppm; 0 when it says nothing.
fn overlap(admission: &Admission, property: &PropertyShape, node: &FieldNode) -> u32 {
    let node = node.elements().unwrap_or(node);
    if let (Some(allowed), Some(values)) =
        (property.facets().and_then(|facets| facets.values.as_ref()), node.stats().values())
    {
        let inside = values.keys().filter(|value| allowed.contains(&***value)).count();
        return share(inside as u64, values.len() as u64);
    }
    let keys = node.children().count();
    let best = property.classes().iter().filter_map(|class| admission.class(*class)).map(|class| {
        let common = node.children().filter(|(key, _)| class.property(key).is_some()).count();
        share(common as u64, (keys + class.properties().len() - common) as u64)
    });
    best.max().unwrap_or(0)
}

/// How alike two keys are, in ppm, case and separators aside: 1 for equal ones, 0.8 when one contains the other (of at
/// least three characters), otherwise one minus edit distance over length.
fn similar_names(a: &str, b: &str) -> u32 {
    let plain = |key: &str| -> Vec<char> {
        let letters = key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
        letters.take(COMPARED_CHARACTERS_MAX).collect()
    };
    let (a, b) = (plain(a), plain(b));
    let longest = a.len().max(b.len());
    if longest == 0 {
        return 0;
    }
    let near = share((longest - edit_distance(&a, &b)) as u64, longest as u64);
    let (short, long) = if a.len() < b.len() { (&a, &b) } else { (&b, &a) };
    let contained = short.len() >= 3 && long.windows(short.len()).any(|window| window == short.as_slice());
    if contained { near.max(800_000) } else { near }
}

fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != y)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_by_their_letters() {
        assert_eq!(similar_names("weightKg", "weight_kg"), PPM);
        assert_eq!(similar_names("carrier", "carrierCode"), 800_000);
        assert_eq!(similar_names("abc", "xyz"), 0);
        assert_eq!(similar_names("_", "-"), 0);
        assert!(similar_names("colour", "color") > 800_000);
    }
}
