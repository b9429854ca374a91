//! A history as SVG 1.1: boxes in columns, time from the top to the bottom and then to the right. Nothing is loaded from
//! elsewhere, and the same history gives the same text.

use std::fmt::Write as _;

use knhk_ontology::delta::Effect;

use super::{Drawing, Drawn, Made, Restored, lines, note};
use crate::table::counted;

const BOX_WIDTH: usize = 250;
const BOX_HEIGHT: usize = 92;
const GAP_X: usize = 90;
const GAP_Y: usize = 26;
const LEFT: usize = 70;
const TOP: usize = 84;
/// Characters that fit a line of a box.
const LINE_CHARACTERS: usize = 34;
/// Boxes of a column at least, so that short histories stay in one.
const ROWS_MIN: usize = 6;

/// Where a box is.
#[derive(Clone, Copy)]
struct At {
    x: usize,
    y: usize,
    column: usize,
}

/// Draws it.
pub(super) fn draw(drawing: &Drawing) -> String {
    let count = drawing.snapshots.len();
    let rows = rows(count);
    let at = |place: usize| At {
        x: LEFT + place / rows * (BOX_WIDTH + GAP_X),
        y: TOP + place % rows * (BOX_HEIGHT + GAP_Y),
        column: place / rows,
    };
    let columns = count.div_ceil(rows).max(1);
    // The legend needs some room, whatever is drawn below.
    let width = (LEFT + columns * (BOX_WIDTH + GAP_X)).max(760);
    let height = TOP + rows.min(count.max(1)) * (BOX_HEIGHT + GAP_Y) + 10;
    let mut svg = String::new();
    // Writing to a String does not fail, here and below.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>Snapshots of {sector}</title>\n\
         <desc>{told} of the ontology of sector {sector}, oldest first; arrows lead from each to the next, dashed ones back to the content that a rollback restored.</desc>\n\
         <style>\n\
         text {{ font-family: ui-sans-serif, system-ui, sans-serif; font-size: 12px; fill: #1f2328; }}\n\
         .v {{ font-size: 16px; font-weight: 600; }}\n\
         .m {{ font-family: ui-monospace, monospace; font-size: 11px; fill: #57606a; }}\n\
         .n {{ fill: none; stroke: #57606a; stroke-width: 1.5; }}\n\
         .b {{ fill: none; stroke: #9a6700; stroke-width: 1.5; stroke-dasharray: 6 4; }}\n\
         </style>\n\
         <defs>\n\
         <marker id=\"n\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\" fill=\"#57606a\"/></marker>\n\
         <marker id=\"b\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\" fill=\"#9a6700\"/></marker>\n\
         </defs>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        sector = escaped(&drawing.sector),
        told = counted(count as u64, "snapshot"),
    );
    legend(drawing, &mut svg);
    for place in 1..count {
        step(at(place - 1), at(place), &mut svg);
    }
    for (place, snapshot) in drawing.snapshots.iter().enumerate() {
        if let Some(to) = snapshot.restored {
            let to = match to {
                Restored::At(place) => Some(at(place)),
                Restored::NotDrawn => None,
            };
            back(at(place), to, &mut svg);
        }
    }
    for (place, snapshot) in drawing.snapshots.iter().enumerate() {
        draw_box(snapshot, at(place), &mut svg);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Boxes of a column: such that the picture is about as high as it is wide.
fn rows(count: usize) -> usize {
    (ROWS_MIN..ROWS_MIN.max(count + 1))
        .find(|rows| count.div_ceil(*rows) * (BOX_WIDTH + GAP_X) <= rows * (BOX_HEIGHT + GAP_Y) * 3 / 2)
        .unwrap_or(ROWS_MIN)
}

fn colour(snapshot: &Drawn) -> &'static str {
    match (snapshot.made, snapshot.effect) {
        (Made::Rollback, _) => "#bf8700",
        (_, Effect::Strengthening) => "#cf222e",
        (_, Effect::Weakening) => "#1a7f37",
        (_, Effect::Neutral) => "#6e7781",
    }
}

fn legend(drawing: &Drawing, svg: &mut String) {
    let mut title = format!("Snapshots of {}", drawing.sector);
    if let Some(note) = note(drawing) {
        let _ = write!(title, "; {note}");
    }
    let _ = writeln!(svg, "<text class=\"v\" x=\"{LEFT}\" y=\"30\">{}</text>", escaped(&title));
    let kinds = [
        ("#1a7f37", "weakening: valid data stays valid"),
        ("#cf222e", "strengthening: it may not"),
        ("#6e7781", "neutral"),
        ("#bf8700", "rollback"),
    ];
    let mut x = LEFT;
    for (colour, text) in kinds {
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"46\" width=\"10\" height=\"14\" fill=\"{colour}\"/><text x=\"{}\" y=\"57\">{text}</text>",
            x + 16
        );
        x += 16 + 7 * text.len() + 18;
    }
}

/// From a snapshot to the next: downwards, or from the end of a column to the head of the next one.
fn step(from: At, to: At, svg: &mut String) {
    let (x, y) = (from.x + BOX_WIDTH / 2, from.y + BOX_HEIGHT);
    let path = if from.column == to.column {
        format!("M{x},{y} L{x},{}", to.y)
    } else {
        let (between, above) = (from.x + BOX_WIDTH + 28, to.y - 14);
        let into = to.x + BOX_WIDTH / 2;
        format!("M{x},{y} V{} H{between} V{above} H{into} V{}", y + 12, to.y)
    };
    let _ = writeln!(svg, "<path class=\"n\" marker-end=\"url(#n)\" d=\"{path}\"/>");
}

/// From a rollback back to the content that it restored, on the left of the boxes.
fn back(from: At, to: Option<At>, svg: &mut String) {
    let (x, y) = (from.x, from.y + BOX_HEIGHT / 2);
    let path = match to {
        Some(to) if to.column == from.column => {
            // Arcs over more boxes lie further out, so that they can be told apart.
            let out = (22 + (from.y.abs_diff(to.y)) / 24).min(LEFT - 6);
            let end = to.y + BOX_HEIGHT / 2;
            format!("M{x},{y} C{},{y} {},{end} {},{end}", x - out, x - out, to.x)
        }
        Some(to) => {
            let (end_x, end_y) = (to.x + BOX_WIDTH, to.y + BOX_HEIGHT / 2);
            format!("M{x},{y} C{},{y} {},{end_y} {end_x},{end_y}", x - 50, end_x + 50)
        }
        // What it restored is not drawn.
        None => format!("M{x},{y} L{},{}", x - 40, y - 30),
    };
    let _ = writeln!(svg, "<path class=\"b\" marker-end=\"url(#b)\" d=\"{path}\"/>");
}

fn draw_box(snapshot: &Drawn, at: At, svg: &mut String) {
    let At { x, y, .. } = at;
    let (stroke, fill) = if snapshot.is_current { ("#0969da", "#ddf4ff") } else { ("#8c959f", "#f6f8fa") };
    let title = format!(
        "{}, in force since {}\nsnapshot {}\ncontent {}\n{}\n{}",
        snapshot.version, snapshot.since, snapshot.id, snapshot.content, snapshot.changes, snapshot.more
    );
    let current = if snapshot.is_current { " (current)" } else { "" };
    let _ = write!(
        svg,
        "<g><title>{}</title>\n\
         <rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"6\" fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"{}\"/>\n\
         <rect x=\"{x}\" y=\"{y}\" width=\"7\" height=\"{BOX_HEIGHT}\" rx=\"3\" fill=\"{}\"/>\n\
         <text class=\"v\" x=\"{}\" y=\"{}\">{}{current}</text>\n",
        escaped(&title),
        if snapshot.is_current { 2 } else { 1 },
        colour(snapshot),
        x + 18,
        y + 21,
        escaped(&snapshot.version),
    );
    for (line, (class, text)) in
        ["m", "m", "t", "t"].into_iter().zip(lines(snapshot, LINE_CHARACTERS)).enumerate()
    {
        let _ = writeln!(
            svg,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\">{}</text>",
            x + 18,
            y + 38 + 15 * line,
            escaped(&text)
        );
    }
    svg.push_str("</g>\n");
}

/// Text in XML: markup escaped, and without characters that XML 1.0 does not allow.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('·'),
            c => out.push(c),
        }
    }
    out
}
