//! `knhk sector`: make, list and show sector packs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use knhk_change::doctrine::DoctrineSet;
use knhk_change::guards::GuardSet;
use knhk_change::rules_in_force;
use knhk_evidence::Hash;
use knhk_kernel::KernelError;
use knhk_observation::class_names::ClassNames;
use knhk_observation::infer::Inference;
use knhk_observation::profile::{EventMeta, Profile};
use knhk_observation::reader::{EventReader, Item};
use knhk_ontology::schema::{Cardinality, Range, Schema, Settings};
use knhk_ontology::schema_check::is_sector_name;
use knhk_ontology::{Pack, Version, core_pack};
use knhk_projection::admission::datatype_name;
use serde::Serialize;

use crate::cli::{Format, Sector};
use crate::error::CliError;
use crate::refusal::Refusal;
use crate::restore::{Restore, restore};
use crate::session::now_ms;
use crate::table::{Table, counted, shorten};
use crate::{exit, inputs, json, packs};

/// Runs a `knhk sector` command.
pub(crate) fn run(command: &Sector, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    match command {
        Sector::Init { name, from, dir } => init(name, from, dir.as_deref(), format, out),
        Sector::List { data } => list(data.as_deref(), format, out),
        Sector::Show { sector } => show(sector, format, out),
    }
}

#[derive(Serialize)]
struct Initialised {
    sector: String,
    dir: PathBuf,
    events: u64,
    refused: u64,
    event_types: usize,
    classes: usize,
    properties: usize,
    /// Values that did not fit the limits and are not described (`docs/limits.md`).
    left_out: u64,
}

fn init(
    name: &str,
    from: &[PathBuf],
    dir: Option<&Path>,
    format: Format,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    if !is_sector_name(name) {
        return Err(CliError::SectorName { name: shorten(name, 60) });
    }
    let dir = dir.map_or_else(|| PathBuf::from(name), Path::to_owned);
    if dir.exists() {
        return Err(CliError::Exists { path: dir });
    }
    let Sample { profile, refused, first_refusal } = sample(from)?;
    let empty = Schema {
        sector: name.to_owned(),
        namespace: format!("urn:knhk:{name}#"),
        settings: Settings::default(),
        event_types: BTreeMap::new(),
        classes: BTreeMap::new(),
    };
    let mut inference = Inference::new(&empty, 1, &ClassNames::default());
    for (event_type, observed) in profile.event_types() {
        inference.event_type(event_type, observed)?;
    }
    let (inferred, _) = inference.finish();
    let mut schema = empty.clone();
    for class in inferred.classes {
        for event_type in &class.event_types {
            schema.event_types.insert(event_type.clone(), class.iri.clone());
        }
        schema.classes.insert(class.iri.clone(), class);
    }
    let comment = format!("Made from {}.", counted(profile.events().events(), "event"));
    let pack = Pack::from_schema(&schema, name, &comment, Version::FIRST)?;
    fs::create_dir_all(&dir).map_err(CliError::writing(&dir))?;
    let mut files = pack.files()?;
    files.insert("README.md".to_owned(), readme(name, &profile, &schema).into_bytes());
    for (file, bytes) in files {
        let path = dir.join(file);
        fs::write(&path, bytes).map_err(CliError::writing(&path))?;
    }
    let overflow = profile.overflow();
    let made = Initialised {
        sector: name.to_owned(),
        events: profile.events().events(),
        refused,
        event_types: schema.event_types.len(),
        classes: schema.classes.len(),
        properties: schema.classes.values().map(|c| c.properties.len()).sum(),
        left_out: overflow.event_types + overflow.paths,
        dir,
    };
    if format == Format::Text {
        let dir = made.dir.display();
        writeln!(
            out,
            "sector {name}: {}, {}, {} from {}, in {dir}",
            counted(made.event_types as u64, "event type"),
            counted(made.classes as u64, "class"),
            counted(made.properties as u64, "property"),
            counted(made.events, "event")
        )
        .map_err(CliError::Output)?;
        if made.left_out > 0 {
            writeln!(out, "  beyond the limits and not described: {}", counted(made.left_out, "value"))
                .map_err(CliError::Output)?;
        }
        if refused > 0 {
            writeln!(out, "  refused: {}; `knhk observe` names each", counted(refused, "event"))
                .map_err(CliError::Output)?;
            if let Some(first) = first_refusal {
                writeln!(out, "  the first: {first}").map_err(CliError::Output)?;
            }
        }
        // Written as a path it is the directory, also where a shipped pack has that name.
        let bare = made.dir.components().count() == 1 && made.dir.is_relative();
        let prefix = if bare { "./" } else { "" };
        writeln!(out, "  next: knhk observe --sector {prefix}{dir} --data DATA FILES")
            .map_err(CliError::Output)?;
    } else {
        json(out, &made)?;
    }
    Ok(if refused > 0 { exit::DEAD_LETTERED } else { exit::DONE })
}

/// Sample events as a profile.
struct Sample {
    profile: Profile,
    refused: u64,
    first_refusal: Option<Refusal>,
}

/// Profiles sample events; a refused one is counted and left out.
fn sample(from: &[PathBuf]) -> Result<Sample, CliError> {
    let sources = inputs::sources(from)?;
    let progress = inputs::progress(&sources);
    let mut profile = Profile::new();
    let mut refused = 0;
    let mut first_refusal = None;
    for source in &sources {
        let mut reader = EventReader::new(source.open(&progress)?, now_ms());
        loop {
            let item = reader
                .next_item(&mut |_| Ok(()))
                .map_err(|error| CliError::Events { input: source.name(), source: error })?;
            match item {
                Some(Item::Event(event)) => {
                    let meta = EventMeta {
                        record_digest: Hash::of(event.raw).0,
                        data_digest: Hash::of(event.data_raw.as_bytes()).0,
                        time_ms: event.time_ms,
                    };
                    profile.observe(&event.event_type, &event.data, &meta);
                }
                Some(Item::Reject(reject)) => {
                    refused += 1;
                    first_refusal.get_or_insert_with(|| Refusal::of(&source.name(), &reject));
                }
                None => break,
            }
        }
    }
    progress.finish_and_clear();
    match first_refusal {
        Some(first) if profile.events().events() == 0 => {
            Err(CliError::NoUsableEvent { count: refused, first })
        }
        None if profile.events().events() == 0 => Err(CliError::NoEvents { inputs: inputs::names(&sources) }),
        first_refusal => Ok(Sample { profile, refused, first_refusal }),
    }
}

fn readme(name: &str, profile: &Profile, schema: &Schema) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "# Sector {name}\n\nMade by `knhk sector init` from {} events. Every claim in it was seen, none was guessed: a field is\n\
         required, or a string a date-time, only where at least 35 distinct payloads agree. Read it, name things better, add\n\
         doctrine and guards, then run `knhk observe --sector DIR --data DATA FILES`.\n\n| event type | class | events |\n|---|---|---|\n",
        profile.events().events()
    );
    for (event_type, observed) in profile.event_types() {
        let class = schema.event_types.get(event_type).map_or("", |iri| iri.local_name());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{event_type}` | {class} | {} |", observed.events().events());
    }
    text
}

fn list(data: Option<&Path>, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Row {
        sector: String,
        title: String,
        version: String,
        event_types: usize,
        classes: usize,
        place: String,
    }
    let row = |pack: &Pack| Row {
        sector: pack.name.clone(),
        title: pack.title.clone(),
        version: pack.version.to_string(),
        event_types: pack.schema.event_types.len(),
        classes: pack.schema.classes.len(),
        place: "shipped".to_owned(),
    };
    let mut rows = packs::shipped()
        .into_iter()
        .map(|n| packs::load(n).map(|p| row(&p)))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(dir) = data {
        let kernel = restore(dir, Restore::ForReading)?;
        rows.extend(kernel.sectors().map(|(name, state)| {
            let head = state.history().head();
            Row {
                sector: name.to_owned(),
                title: counted(state.history().depth() as u64, "snapshot"),
                version: head.version.to_string(),
                event_types: head.schema.event_types.len(),
                classes: head.schema.classes.len(),
                place: dir.display().to_string(),
            }
        }));
    }
    if format == Format::Text {
        let mut table = Table::new(&["sector", "title", "version=", "event types>", "classes>", "where<"]);
        for r in rows {
            table.row([
                r.sector,
                r.title,
                r.version,
                r.event_types.to_string(),
                r.classes.to_string(),
                r.place,
            ]);
        }
        table.write(out).map_err(CliError::Output)?;
    } else {
        json(out, &rows)?;
    }
    Ok(exit::DONE)
}

fn show(sector: &str, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    let pack = packs::load(sector)?;
    let rules = Rules::of(&pack)?;
    if format == Format::Text {
        show_schema(&pack, out).and_then(|()| rules.write(out)).map_err(CliError::Output)?;
    } else {
        #[derive(Serialize)]
        struct Shown<'a> {
            sector: &'a str,
            title: &'a str,
            version: String,
            digest: String,
            namespace: &'a str,
            settings: &'a Settings,
            classes: Vec<&'a knhk_ontology::schema::Class>,
        }
        json(
            out,
            &Shown {
                sector: &pack.name,
                title: &pack.title,
                version: pack.version.to_string(),
                digest: Hash(pack.digest).to_string(),
                namespace: &pack.schema.namespace,
                settings: &pack.schema.settings,
                classes: pack.schema.classes.values().collect(),
            },
        )?;
    }
    Ok(exit::DONE)
}

/// The pack's rules, read and checked as a data directory would.
struct Rules {
    doctrine: DoctrineSet,
    guards: GuardSet,
}

impl Rules {
    fn of(pack: &Pack) -> Result<Self, CliError> {
        let (doctrine, guards) = rules_in_force(core_pack()?, pack).map_err(KernelError::from)?;
        Ok(Self { doctrine, guards })
    }

    fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        for rule in self.doctrine.rules() {
            writeln!(out, "\ndoctrine {}: {}", rule.id, rule.name)?;
        }
        for guard in self.guards.guards() {
            writeln!(out, "\nguard {}: {}", guard.id, guard.name)?;
        }
        Ok(())
    }
}

fn show_schema(pack: &Pack, out: &mut dyn Write) -> std::io::Result<()> {
    let schema = &pack.schema;
    writeln!(
        out,
        "{} ({}), version {}, namespace {}",
        pack.title, pack.name, pack.version, schema.namespace
    )?;
    writeln!(out, "pack digest {}", Hash(pack.digest))?;
    for class in schema.classes.values() {
        let types: Vec<&str> = class.event_types.iter().map(String::as_str).collect();
        writeln!(out, "\n{}  {}", class.iri.local_name(), types.join(", "))?;
        let mut table = Table::new(&["key", "card.", "values", "limits"]);
        for property in class.properties.values() {
            table.row([
                property.key.clone(),
                property.cardinality.as_str().to_owned(),
                ranges(&property.ranges),
                limits(property),
            ]);
        }
        table.write(out)?;
    }
    Ok(())
}

fn ranges(ranges: &BTreeSet<Range>) -> String {
    let name = |range: &Range| match range {
        Range::Datatype(datatype) => datatype_name(*datatype).to_owned(),
        Range::Class(class) => class.local_name().to_owned(),
    };
    if ranges.is_empty() {
        "unknown".to_owned()
    } else {
        ranges.iter().map(name).collect::<Vec<_>>().join(" | ")
    }
}

fn limits(property: &knhk_ontology::schema::Property) -> String {
    let facets = &property.facets;
    let mut parts = Vec::new();
    if let Some(values) = &facets.values {
        parts.push(values.iter().cloned().collect::<Vec<_>>().join(" "));
    }
    if facets.min.is_some() || facets.max.is_some() {
        let side =
            |d: Option<knhk_ontology::decimal::Decimal>| d.map_or_else(|| "…".to_owned(), |d| d.to_string());
        parts.push(format!("{} to {}", side(facets.min), side(facets.max)));
    }
    if property.deprecated {
        parts.push("deprecated".to_owned());
    }
    if property.cardinality == Cardinality::One && parts.is_empty() {
        parts.push("required".to_owned());
    }
    parts.join("; ")
}
