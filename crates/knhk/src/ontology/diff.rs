//! `knhk ontology diff --data`: what changed between two snapshots, by meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

use knhk_ontology::delta::Effect;
use knhk_ontology::schema::Schema;
use knhk_ontology::semantic_diff::{SemanticChange, diff};
use knhk_ontology::{Iri, Snapshot};
use serde::Serialize;

use super::show::unless_same;
use super::{ends, in_words, name_of};
use crate::cli::{DataDir, Format, OfSector, OntologyDiff};
use crate::error::CliError;
use crate::show_drift::last_segment;
use crate::table::{Table, counted, paragraph};
use crate::{exit, json};

/// Whether something came, went, or is otherwise than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Group {
    Added,
    Removed,
    Changed,
}

#[derive(Serialize)]
struct Told<'c> {
    group: Group,
    label: String,
    #[serde(flatten)]
    change: &'c SemanticChange,
}

#[derive(Serialize)]
struct End {
    version: String,
    snapshot_id: String,
    content_id: String,
}

impl End {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            version: snapshot.version.to_string(),
            snapshot_id: snapshot.id.to_string(),
            content_id: snapshot.content_id.to_string(),
        }
    }
}

/// Shows the differences.
pub(super) fn run(
    data: &Path,
    args: &OntologyDiff,
    format: Format,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Document<'c> {
        sector: &'c str,
        from: End,
        to: End,
        effect: Effect,
        /// The version that these changes call for after the older one.
        version_asked_for: String,
        changes: Vec<Told<'c>>,
    }
    let of = OfSector { data: DataDir { data: data.to_owned() }, sector: args.sector.clone() };
    let (kernel, sector) = super::opened(&of)?;
    let (older, newer) = ends(&kernel, &sector, args.from.as_deref(), args.to.as_deref())?;
    let changes = diff(&older.schema, &newer.schema);
    let effect = changes.iter().map(|change| change.effect).fold(Effect::Neutral, Effect::and);
    let mut told: Vec<Told<'_>> = changes
        .iter()
        .map(|change| Told {
            group: group(change),
            label: label(change, &older.schema, &newer.schema),
            change,
        })
        .collect();
    told.sort_by(|a, b| (a.group, a.change).cmp(&(b.group, b.change)));
    let differs = !changes.is_empty();
    if format == Format::Text {
        let history = kernel.sector(&sector)?.history();
        let head = format!(
            "{sector} {} → {}: {}",
            in_words(history, &older.id),
            in_words(history, &newer.id),
            counted(changes.len() as u64, "change")
        );
        write(&head, &told, effect, [&older, &newer], out).map_err(CliError::Output)?;
    } else {
        let (from, to) = (End::of(&older), End::of(&newer));
        let version = if differs { older.version.after(effect) } else { older.version };
        let version_asked_for = version.to_string();
        json(out, &Document { sector: &sector, from, to, effect, version_asked_for, changes: told })?;
    }
    Ok(if args.exit_code && differs { exit::HELD_OR_REJECTED } else { exit::DONE })
}

/// Whole things come and go; everything else that is said of them changes.
fn group(change: &SemanticChange) -> Group {
    let whole = ["class", "property", "event type", "error event type", "expected rate per minute"];
    match (&change.old, &change.new) {
        (None, _) if whole.contains(&change.aspect) => Group::Added,
        (_, None) if whole.contains(&change.aspect) => Group::Removed,
        _ => Group::Changed,
    }
}

/// The label of what a change is about, in the newer version where it is there.
fn label(change: &SemanticChange, old: &Schema, new: &Schema) -> String {
    let find = |schema: &Schema| {
        let class = schema.classes.values().find(|class| class.iri.as_str() == change.subject)?;
        match &change.key {
            Some(key) => class.properties.get(key).map(|property| property.label.clone()),
            None => Some(class.label.clone()),
        }
    };
    find(new).or_else(|| find(old)).unwrap_or_default()
}

fn write(
    head: &str,
    told: &[Told<'_>],
    effect: Effect,
    [older, newer]: [&Snapshot; 2],
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{head}")?;
    if told.is_empty() {
        return writeln!(out, "  nothing differs in what they say");
    }
    let means = match effect {
        Effect::Neutral => "neutral: no event is judged otherwise",
        Effect::Weakening => "weakening: what was valid stays valid",
        Effect::Strengthening => "strengthening: what was valid may be so no longer",
    };
    let text = format!(
        "{means}; by semantic versioning {} is followed by {}",
        older.version,
        older.version.after(effect)
    );
    paragraph(out, "  ", &text)?;
    let mut groups: BTreeMap<Group, Vec<&Told<'_>>> = BTreeMap::new();
    for one in told {
        groups.entry(one.group).or_default().push(one);
    }
    for (group, told) in groups {
        let title = match group {
            Group::Added => "ADDED",
            Group::Removed => "REMOVED",
            Group::Changed => "CHANGED",
        };
        writeln!(out, "\n{title}")?;
        table(group, &told, &older.schema, &newer.schema).write(out)?;
    }
    Ok(())
}

fn table(group: Group, told: &[&Told<'_>], old: &Schema, new: &Schema) -> Table {
    let namespace = new.namespace.as_str();
    let columns: &[&str] = match group {
        Group::Added | Group::Removed => &["what=", "class, key<", "label", "as", "effect="],
        Group::Changed => &["class, key<", "label", "aspect=", "before", "now", "effect="],
    };
    let mut table = Table::new(columns);
    let plain = |text: &Option<String>| shortened(text.as_deref().unwrap_or_default(), namespace);
    for Told { label, change, .. } in told {
        let subject = Iri::new(change.subject.as_str()).ok();
        let class = subject.as_ref().map_or(change.subject.as_str(), |iri| name_of(iri, namespace));
        let is_class = [old, new].iter().any(|s| s.classes.keys().any(|iri| iri.as_str() == change.subject));
        let name = match &change.key {
            Some(key) if is_class => format!("{class}.{key}"),
            Some(event_type) => last_segment(event_type),
            None => class.to_owned(),
        };
        let label = unless_same(label, change.key.as_deref().unwrap_or(class));
        let effect = format!("{:?}", change.effect).to_lowercase();
        match group {
            Group::Added | Group::Removed => {
                let value = if group == Group::Added { &change.new } else { &change.old };
                // A class's value is its label.
                let value = if change.aspect == "class" { String::new() } else { plain(value) };
                table.row([change.aspect.to_owned(), name, label, value, effect]);
            }
            Group::Changed => {
                let (before, now) = match change.aspect {
                    "values" => values(change, old, new),
                    _ => (plain(&change.old), plain(&change.new)),
                };
                table.row([name, label, change.aspect.to_owned(), before, now, effect]);
            }
        }
    }
    table
}

/// Of two lists of values, what only one of them has; `any` where there is no list.
fn values(change: &SemanticChange, old: &Schema, new: &Schema) -> (String, String) {
    let list = |schema: &Schema| -> Option<BTreeSet<String>> {
        let class = schema.classes.values().find(|class| class.iri.as_str() == change.subject)?;
        class.properties.get(change.key.as_ref()?)?.facets.values.clone()
    };
    let (before, now) = (list(old), list(new));
    let only = |here: &Option<BTreeSet<String>>, there: &Option<BTreeSet<String>>| {
        let Some(here) = here else { return "any".to_owned() };
        let all: Vec<&str> = here
            .iter()
            .filter(|v| there.as_ref().is_none_or(|t| !t.contains(*v)))
            .map(String::as_str)
            .collect();
        if all.is_empty() { "the same".to_owned() } else { all.join(", ") }
    };
    let (gone, come) = (only(&before, &now), only(&now, &before));
    match (&before, &now) {
        (Some(_), Some(_)) if gone == "the same" => (String::new(), format!("also {come}")),
        (Some(_), Some(_)) if come == "the same" => (gone, "no longer".to_owned()),
        _ => (gone, come),
    }
}

/// A value without the namespaces that everyone knows here.
fn shortened(text: &str, namespace: &str) -> String {
    text.replace(namespace, "").replace("urn:knhk:ns#", "")
}
