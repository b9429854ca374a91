//! `knhk ontology diff --files`: what differs between two ontologies in files, term by term.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use knhk_ontology::document_diff::{Counts, Difference, DocumentDiff, Kind, diff};

use super::document::read;
use crate::cli::Format;
use crate::error::CliError;
use crate::table::{Table, counted, noun, thousands};
use crate::{exit, json};

/// Terms of one kind that are listed; --format json has all.
const TERMS_SHOWN: usize = 12;
/// Statements of one term that are shown.
const STATEMENTS_SHOWN: usize = 4;

/// Shows the differences of two files.
pub(super) fn run(
    files: &[PathBuf],
    exit_code: bool,
    format: Format,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    // The grammar asks for two.
    let [old, new] = [files.first(), files.last()].map(|path| path.map_or(Path::new(""), PathBuf::as_path));
    let (before, after) = (read(old)?, read(new)?);
    let in_file = |source| CliError::InDocument { path: new.to_owned(), source: Box::new(source) };
    let found = diff(&before, &after).map_err(in_file)?;
    if format == Format::Text {
        let names = [old, new].map(|path| path.display().to_string());
        write(&names, &found, out).map_err(CliError::Output)?;
    } else {
        json(out, &found)?;
    }
    Ok(if exit_code && !found.is_empty() { exit::HELD_OR_REJECTED } else { exit::DONE })
}

fn write([old, new]: &[String; 2], found: &DocumentDiff, out: &mut dyn Write) -> io::Result<()> {
    let (gone, come) = found.statements();
    writeln!(
        out,
        "{old} → {new}: {} gone, {} new",
        counted(gone as u64, "statement"),
        counted(come as u64, "statement")
    )?;
    let mut table = Table::new(&["=", "before>", "now>", "added>", "removed>", "changed>"]);
    let mut row = |name: String, counts: &dyn Fn(&Counts) -> usize, lists: Option<[usize; 3]>| {
        let cells = [found.old, found.new].map(|of| thousands(counts(&of) as u64));
        let lists = lists.map_or_else(Default::default, |lists| lists.map(|n| thousands(n as u64)));
        table.row([name].into_iter().chain(cells).chain(lists));
    };
    row("triples".to_owned(), &|counts| counts.triples, None);
    row("  with blank nodes".to_owned(), &|counts| counts.with_blank_nodes, None);
    for (place, kind) in Kind::ALL.into_iter().enumerate() {
        let of = |list: &[Difference]| list.iter().filter(|d| d.term.is_some() && d.kind == kind).count();
        let lists = [of(&found.added), of(&found.removed), of(&found.changed)];
        row(noun(2, kind.as_str()), &|counts| counts.terms[place], Some(lists));
    }
    table.write(out)?;
    for moved in &found.moved {
        writeln!(
            out,
            "\nThe namespace {} seems to have moved to {}: {} have the same name there.\n\
             What follows is compared as if the older file had been written in the newer namespace.",
            moved.from,
            moved.to,
            counted(moved.terms as u64, "term")
        )?;
    }
    for (title, list) in [("ADDED", &found.added), ("REMOVED", &found.removed)] {
        for kind in Kind::ALL {
            let terms: Vec<&Difference> = list.iter().filter(|d| d.kind == kind).collect();
            if terms.is_empty() {
                continue;
            }
            writeln!(out, "\n{title}: {}", counted(terms.len() as u64, kind.as_str()))?;
            let mut table = Table::new(&["term<", "label", "statements>"]);
            for term in terms.iter().take(TERMS_SHOWN) {
                let statements = term.added.len() + term.removed.len();
                table.row([
                    named(term),
                    term.label.clone().unwrap_or_default(),
                    thousands(statements as u64),
                ]);
            }
            table.write(out)?;
            more(terms.len(), TERMS_SHOWN, out)?;
        }
    }
    for kind in Kind::ALL {
        let terms: Vec<&Difference> = found.changed.iter().filter(|d| d.kind == kind).collect();
        if terms.is_empty() {
            continue;
        }
        writeln!(out, "\nCHANGED: {}", counted(terms.len() as u64, kind.as_str()))?;
        for term in terms.iter().take(TERMS_SHOWN) {
            let label = term.label.as_ref().map(|label| format!(" ({label})")).unwrap_or_default();
            writeln!(out, "  {}{label}", named(term))?;
            for (sign, statements) in [("-", &term.removed), ("+", &term.added)] {
                for statement in statements.iter().take(STATEMENTS_SHOWN) {
                    writeln!(out, "    {sign} {}", crate::table::shorten(statement, 160))?;
                }
                if statements.len() > STATEMENTS_SHOWN {
                    writeln!(out, "    {sign} … and {} more", statements.len() - STATEMENTS_SHOWN)?;
                }
            }
        }
        more(terms.len(), TERMS_SHOWN, out)?;
    }
    Ok(())
}

fn named(of: &Difference) -> String {
    of.term.as_ref().map_or_else(|| "blank nodes that no term refers to".to_owned(), ToString::to_string)
}

fn more(count: usize, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    match count.checked_sub(shown) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(out, "  … and {} more; --format json shows all", thousands(more as u64)),
    }
}
