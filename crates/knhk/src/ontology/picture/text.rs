//! A history for programs that draw: Graphviz and Mermaid.

use std::fmt::Write as _;

use knhk_ontology::delta::Effect;

use super::{Drawing, Drawn, Made, Restored, lines, note};

/// Characters of a line in a box.
const LINE_CHARACTERS: usize = 60;

fn fill(snapshot: &Drawn) -> &'static str {
    match (snapshot.made, snapshot.effect) {
        (Made::Rollback, _) => "#fff8c5",
        (_, Effect::Strengthening) => "#ffebe9",
        (_, Effect::Weakening) => "#dafbe1",
        (_, Effect::Neutral) => "#f6f8fa",
    }
}

fn head(snapshot: &Drawn) -> String {
    format!("{}{}", snapshot.version, if snapshot.is_current { " (current)" } else { "" })
}

/// For Graphviz.
pub(super) fn dot(drawing: &Drawing) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let title = note(drawing).map(|note| format!("; {note}")).unwrap_or_default();
    let mut out = String::from("digraph snapshots {\n");
    // Writing to a String does not fail, here and below.
    let _ = writeln!(out, "  label=\"Snapshots of {}{title}\";\n  labelloc=t;", quoted(&drawing.sector));
    out.push_str("  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fontsize=10];\n");
    for (place, snapshot) in drawing.snapshots.iter().enumerate() {
        let mut label = quoted(&head(snapshot));
        for line in lines(snapshot, LINE_CHARACTERS) {
            let _ = write!(label, "\\n{}", quoted(&line));
        }
        let width = if snapshot.is_current { 2 } else { 1 };
        let _ = writeln!(
            out,
            "  s{place} [label=\"{label}\", fillcolor=\"{}\", penwidth={width}];",
            fill(snapshot)
        );
    }
    for place in 1..drawing.snapshots.len() {
        let _ = writeln!(out, "  s{} -> s{place};", place - 1);
    }
    for (place, snapshot) in drawing.snapshots.iter().enumerate() {
        match snapshot.restored {
            Some(Restored::At(to)) => {
                let _ = writeln!(
                    out,
                    "  s{place} -> s{to} [style=dashed, color=\"#9a6700\", constraint=false, label=\"content\"];"
                );
            }
            Some(Restored::NotDrawn) => {
                let _ = writeln!(
                    out,
                    "  r{place} [shape=plaintext, label=\"not drawn\"];\n  s{place} -> r{place} [style=dashed, color=\"#9a6700\"];"
                );
            }
            None => {}
        }
    }
    out.push_str("}\n");
    out
}

/// For Mermaid.
pub(super) fn mermaid(drawing: &Drawing) -> String {
    // Mermaid reads `#…;` as an entity and knows no other escape inside quotation marks.
    let quoted = |text: &str| {
        text.replace('#', "#35;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;")
    };
    let mut out = String::from("flowchart TB\n");
    if let Some(note) = note(drawing) {
        let _ = writeln!(out, "  note[\"{}\"] -.- s0", quoted(&note));
    }
    for (place, snapshot) in drawing.snapshots.iter().enumerate() {
        let mut label = quoted(&head(snapshot));
        for line in lines(snapshot, LINE_CHARACTERS) {
            let _ = write!(label, "<br/>{}", quoted(&line));
        }
        let _ = writeln!(out, "  s{place}[\"{label}\"]\n  style s{place} fill:{}", fill(snapshot));
    }
    for place in 1..drawing.snapshots.len() {
        let _ = writeln!(out, "  s{} --> s{place}", place - 1);
    }
    for (place, snapshot) in drawing.snapshots.iter().enumerate() {
        match snapshot.restored {
            Some(Restored::At(to)) => {
                let _ = writeln!(out, "  s{place} -. content .-> s{to}");
            }
            Some(Restored::NotDrawn) => {
                let _ = writeln!(out, "  s{place} -. content .-> r{place}[\"not drawn\"]");
            }
            None => {}
        }
    }
    out
}
