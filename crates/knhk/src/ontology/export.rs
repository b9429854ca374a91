//! `knhk ontology export`: in formats that other tools read (`docs/formats/export.md`).

use std::io::Write;

use knhk_ontology::export::{self, kgcl, prov};

use super::{deliver, ends, opened, snapshot, story};
use crate::cli::{ExportAs, Format, Layer, OntologyExport};
use crate::error::CliError;
use crate::exit;

/// Writes the export.
pub(super) fn run(args: &OntologyExport, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    check_options(args)?;
    let (kernel, sector) = opened(&args.of)?;
    let text = match args.form {
        ExportAs::Kgcl => {
            let (older, newer) = ends(&kernel, &sector, args.from.as_deref(), args.to.as_deref())?;
            let changes = kgcl::changes(&older.schema, &newer.schema);
            if format == Format::Text {
                let end =
                    |snapshot: &knhk_ontology::Snapshot| format!("{} ({})", snapshot.version, snapshot.id);
                kgcl::lines(&changes, &format!("{sector}\nfrom {}\nto {}", end(&older), end(&newer)))
            } else {
                // A value read from our own types always has a text.
                serde_json::to_string_pretty(&kgcl::json(&changes)).unwrap_or_default() + "\n"
            }
        }
        ExportAs::Prov => prov::turtle(&sector, &story::of(&args.of.data.data, &kernel, &sector)?),
        ExportAs::Turtle | ExportAs::Nquads | ExportAs::Jsonld => {
            let snapshot = snapshot(&kernel, &sector, args.snapshot.as_deref())?;
            let prefixes = [(sector.as_str(), snapshot.schema.namespace.as_str())];
            let layer = match args.layer.unwrap_or(Layer::Sector) {
                Layer::Core => export::Layer::Core,
                Layer::Sector => export::Layer::Sector,
                Layer::Composed => export::Layer::Composed,
            };
            match args.form {
                ExportAs::Nquads => export::nquads(&snapshot.sigma, &sector, layer),
                ExportAs::Jsonld => export::jsonld(&snapshot.sigma, &sector, layer, &prefixes),
                _ => export::turtle(&snapshot.sigma, layer, &prefixes),
            }
        }
    };
    deliver(&text, args.output.as_deref(), out)?;
    Ok(exit::DONE)
}

/// An option that the format does not know would be ignored in silence.
fn check_options(args: &OntologyExport) -> Result<(), CliError> {
    let form = match args.form {
        ExportAs::Turtle => "turtle",
        ExportAs::Nquads => "nquads",
        ExportAs::Jsonld => "jsonld",
        ExportAs::Kgcl => "kgcl",
        ExportAs::Prov => "prov",
    };
    let of_graphs = matches!(args.form, ExportAs::Turtle | ExportAs::Nquads | ExportAs::Jsonld);
    let of_changes = args.form == ExportAs::Kgcl;
    for (option, is_given, fits) in [
        ("layer", args.layer.is_some(), of_graphs),
        ("snapshot", args.snapshot.is_some(), of_graphs),
        ("from", args.from.is_some(), of_changes),
        ("to", args.to.is_some(), of_changes),
    ] {
        if is_given && !fits {
            return Err(CliError::OptionOfFormat { option, form });
        }
    }
    Ok(())
}
