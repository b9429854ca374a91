//! `knhk ontology log --as`: the snapshots of a sector as a picture, each with what made it and what it changed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use knhk_kernel::Kernel;
use knhk_ontology::delta::Effect;
use knhk_ontology::export::prov::What;
use knhk_ontology::semantic_diff::diff;
use knhk_ontology::{History, SnapshotId};

use super::{deliver, opened, story};
use crate::clean::clean;
use crate::cli::{OfSector, Picture};
use crate::error::CliError;
use crate::exit;
use crate::table::{counted, instant, short_id, shorten};

mod svg;
mod text;

/// Snapshots drawn; of a longer history the last ones are.
const SNAPSHOTS_DRAWN: usize = 400;

/// What brought a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// A pack, or something that is no longer kept.
    Other,
    /// A promotion.
    Promotion,
    /// A rollback.
    Rollback,
}

/// Where a snapshot is whose content was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restored {
    /// At this place.
    At(usize),
    /// Before the first that is drawn.
    NotDrawn,
}

/// One snapshot, ready to be drawn.
#[derive(Clone, Debug)]
struct Drawn {
    version: String,
    id: String,
    content: String,
    since: String,
    /// How many changes of which kind.
    changes: String,
    effect: Effect,
    made: Made,
    /// In words.
    by: String,
    /// More in words, for whoever points at it.
    more: String,
    is_current: bool,
    /// The snapshot whose content it restored, of a rollback.
    restored: Option<Restored>,
}

/// A history, ready to be drawn, oldest first; each follows the one before.
#[derive(Clone, Debug)]
struct Drawing {
    sector: String,
    snapshots: Vec<Drawn>,
    /// How many came before the first that is drawn.
    left_out: usize,
}

/// Draws the history.
pub(super) fn run(
    of: &OfSector,
    picture: Picture,
    output: Option<&Path>,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    let (kernel, sector) = opened(of)?;
    let drawing = drawing(&of.data.data, &kernel, &sector)?;
    let text = match picture {
        Picture::Svg => svg::draw(&drawing),
        Picture::Dot => text::dot(&drawing),
        Picture::Mermaid => text::mermaid(&drawing),
    };
    deliver(&text, output, out)?;
    Ok(exit::DONE)
}

fn drawing(dir: &Path, kernel: &Kernel, sector: &str) -> Result<Drawing, CliError> {
    let history = kernel.sector(sector)?.history();
    let events = story::of(dir, kernel, sector)?;
    let by_version = story::by_version(&events);
    let mut chain: Vec<(SnapshotId, String, u64)> =
        history.chain().map(|(id, version, at_ms)| (id, version.to_string(), at_ms)).collect();
    chain.reverse();
    let left_out = chain.len().saturating_sub(SNAPSHOTS_DRAWN);
    let shown = chain.get(left_out..).unwrap_or_default();
    let places: BTreeMap<SnapshotId, usize> =
        shown.iter().enumerate().map(|(place, (id, _, _))| (*id, place)).collect();
    let names: BTreeMap<SnapshotId, &str> =
        chain.iter().map(|(id, version, _)| (*id, version.as_str())).collect();
    let mut before = match left_out.checked_sub(1).and_then(|place| chain.get(place)) {
        Some((id, _, _)) => Some(history.snapshot(id)?),
        None => None,
    };
    let mut snapshots = Vec::with_capacity(shown.len());
    for (id, version, at_ms) in shown {
        let snapshot = history.snapshot(id)?;
        let (changes, effect) = before.as_ref().map_or_else(
            || (counted(snapshot.schema.classes.len() as u64, "class"), Effect::Neutral),
            |before| {
                let changes = diff(&before.schema, &snapshot.schema);
                let effect = changes.iter().map(|change| change.effect).fold(Effect::Neutral, Effect::and);
                let aspects: Vec<(&str, bool)> =
                    changes.iter().map(|change| (change.aspect, change.key.is_some())).collect();
                (in_kinds(&aspects), effect)
            },
        );
        let what = by_version.get(id).map(|event| &event.what);
        let (made, by, more, restored) = made(what, &names, &places);
        snapshots.push(Drawn {
            version: version.clone(),
            id: id.to_string(),
            content: snapshot.content_id.to_string(),
            since: instant(i64::try_from(*at_ms).unwrap_or(i64::MAX)),
            changes,
            effect,
            made,
            by,
            more,
            is_current: is_head(history, id),
            restored,
        });
        before = Some(snapshot);
    }
    Ok(Drawing { sector: sector.to_owned(), snapshots, left_out })
}

fn is_head(history: &History, id: &SnapshotId) -> bool {
    history.head().id == *id
}

/// What made a snapshot: kind, in words, in more words, and whose content it restored.
fn made(
    what: Option<&What>,
    names: &BTreeMap<SnapshotId, &str>,
    places: &BTreeMap<SnapshotId, usize>,
) -> (Made, String, String, Option<Restored>) {
    match what {
        Some(What::Genesis(_)) => {
            (Made::Other, "from the pack".to_owned(), "the first snapshot, from its pack".to_owned(), None)
        }
        Some(What::Promoted(_, proposal)) => (
            Made::Promotion,
            format!("proposal {}", short_id(proposal)),
            format!("promoted by proposal {proposal}"),
            None,
        ),
        Some(What::RolledBack { to, reason, .. }) => {
            let name = names.get(to).copied().unwrap_or("?");
            let more = format!("rolled back to {name} ({to}): {}", clean(reason));
            (
                Made::Rollback,
                format!("rollback to {name}"),
                more,
                Some(places.get(to).map_or(Restored::NotDrawn, |place| Restored::At(*place))),
            )
        }
        _ => (Made::Other, "not kept".to_owned(), "what made it is no longer kept".to_owned(), None),
    }
}

/// `2 classes, 1 key, 3 constraints`, from what changed: the aspect, and whether it is about a key.
fn in_kinds(aspects: &[(&str, bool)]) -> String {
    const KINDS: [&str; 5] = ["class", "key", "constraint", "word", "setting"];
    let mut counts = [0_u64; KINDS.len()];
    for (aspect, of_key) in aspects {
        let kind = match (*aspect, of_key) {
            ("class" | "parent" | "event type" | "hot", _) => 0,
            ("property" | "iri" | "deprecated" | "replaced by", _) => 1,
            ("label" | "comment", _) => 3,
            ("expected rate per minute", _) | (_, false) => 4,
            (_, true) => 2,
        };
        counts[kind] += 1;
    }
    let told: Vec<String> = counts
        .iter()
        .zip(KINDS)
        .filter(|(count, _)| **count > 0)
        .map(|(count, kind)| counted(*count, kind))
        .collect();
    if told.is_empty() { "says the same".to_owned() } else { told.join(", ") }
}

/// What is said of the snapshots that are not drawn.
fn note(drawing: &Drawing) -> Option<String> {
    let count = drawing.left_out as u64;
    (count > 0).then(|| format!("{} before the first are not drawn", counted(count, "earlier snapshot")))
}

/// The lines in a box.
fn lines(snapshot: &Drawn, chars_max: usize) -> [String; 4] {
    [
        format!("{} · {}", short_id(&snapshot.id), short_id(&snapshot.content)),
        snapshot.since.clone(),
        shorten(&snapshot.changes, chars_max),
        shorten(&snapshot.by, chars_max),
    ]
}

#[cfg(test)]
mod tests;
