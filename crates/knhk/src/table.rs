//! Text for people: tables and paragraphs that fit a line, numbers and times as people write them.

use std::io::{self, Write};

use crate::clean::clean;

/// Longest line of a table or paragraph, in characters.
pub(crate) const LINE_CHARS: usize = 100;

/// Narrowest that a column is made to fit a line.
const COLUMN_CHARS_MIN: usize = 8;

/// Digits of an id that people see; more are given where they are needed.
const ID_DIGITS: usize = 12;

/// How a column's cells are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cells {
    /// To the left; cut at the end when they are too long.
    Left,
    /// To the left; cut at the beginning, for what is told apart by its end.
    LeftByEnd,
    /// To the left; never cut.
    Whole,
    /// To the right; never cut.
    Right,
}

#[derive(Clone, Debug)]
struct Row {
    cells: Vec<String>,
    /// A paragraph below the row.
    note: Option<String>,
}

/// Rows under a header, at most [`LINE_CHARS`] wide: the widest columns of text give way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    header: Vec<String>,
    layout: Vec<Cells>,
    rows: Vec<Row>,
}

impl Table {
    /// A table with these columns. The end of a column's name says how it is laid out: `>` to the right, `=` never cut, `<`
    /// with the ends of its cells kept, otherwise with their beginnings kept.
    pub(crate) fn new(columns: &[&str]) -> Self {
        let layout = |column: &&str| match column.as_bytes().last() {
            Some(b'>') => Cells::Right,
            Some(b'<') => Cells::LeftByEnd,
            Some(b'=') => Cells::Whole,
            _ => Cells::Left,
        };
        Self {
            header: columns.iter().map(|c| c.trim_end_matches(['<', '>', '=']).to_owned()).collect(),
            layout: columns.iter().map(layout).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn row<I: IntoIterator<Item = String>>(&mut self, cells: I) {
        let cells = cells.into_iter().map(|cell| one_line(&cell)).collect();
        self.rows.push(Row { cells, note: None });
    }

    /// Adds a paragraph below the last row.
    pub(crate) fn note(&mut self, text: &str) {
        if let Some(row) = self.rows.last_mut() {
            row.note = Some(one_line(text));
        }
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes it with two spaces before and between the columns.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let widths = self.widths();
        for (index, cells) in
            std::iter::once(&self.header).chain(self.rows.iter().map(|r| &r.cells)).enumerate()
        {
            let mut line = String::new();
            for ((cell, width), layout) in cells.iter().zip(&widths).zip(&self.layout) {
                let cell = match layout {
                    Cells::LeftByEnd => shorten_front(cell, *width),
                    Cells::Left | Cells::Whole | Cells::Right => shorten(cell, *width),
                };
                let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
                line.push_str("  ");
                if *layout == Cells::Right {
                    line.push_str(&pad);
                    line.push_str(&cell);
                } else {
                    line.push_str(&cell);
                    line.push_str(&pad);
                }
            }
            writeln!(out, "{}", line.trim_end())?;
            let note =
                index.checked_sub(1).and_then(|row| self.rows.get(row)).and_then(|row| row.note.as_ref());
            if let Some(note) = note {
                paragraph(out, "      ", note)?;
            }
        }
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(column));
            cells.chain(self.header.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        while widths.iter().sum::<usize>() + 2 * widths.len() > LINE_CHARS {
            let widest = widths
                .iter_mut()
                .zip(&self.layout)
                .zip(&self.header)
                .filter(|((width, layout), name)| {
                    matches!(layout, Cells::Left | Cells::LeftByEnd)
                        && **width > COLUMN_CHARS_MIN.max(name.chars().count())
                })
                .map(|((width, _), _)| width)
                .max_by_key(|width| **width);
            match widest {
                Some(width) => *width -= 1,
                None => break,
            }
        }
        widths
    }
}

/// Writes a text in lines of at most [`LINE_CHARS`] characters; the first starts with `lead`, the others are indented as
/// far and two further.
pub(crate) fn paragraph(out: &mut dyn Write, lead: &str, text: &str) -> io::Result<()> {
    let indent = " ".repeat(lead.chars().count() - lead.trim_start().chars().count() + 2);
    let mut line = lead.to_owned();
    let mut is_blank = true;
    for word in one_line(text).split_whitespace() {
        if !is_blank && line.chars().count() + 1 + word.chars().count() > LINE_CHARS {
            writeln!(out, "{line}")?;
            line.clone_from(&indent);
            is_blank = true;
        }
        if !is_blank {
            line.push(' ');
        }
        line.push_str(word);
        is_blank = false;
    }
    writeln!(out, "{}", line.trim_end())
}

/// Without what a terminal would obey, and on one line.
fn one_line(text: &str) -> String {
    clean(text).replace('\n', "·")
}

/// The first characters of a text, with `…` when it was cut, and without what a terminal would obey.
pub(crate) fn shorten(text: &str, chars_max: usize) -> String {
    let text = one_line(text);
    if text.chars().count() <= chars_max {
        return text;
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

/// The last characters of a text, with `…` before them when it was cut.
fn shorten_front(text: &str, chars_max: usize) -> String {
    let count = text.chars().count();
    if count <= chars_max {
        return text.to_owned();
    }
    std::iter::once('…').chain(text.chars().skip(count + 1 - chars_max)).collect()
}

/// The first digits of an id.
pub(crate) fn short_id(id: &str) -> String {
    id.chars().take(ID_DIGITS).collect()
}

/// `1234567` → `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A noun behind a number: `event` or `events`.
pub(crate) fn noun(number: u64, one: &str) -> String {
    match (number, one.strip_suffix('y')) {
        (1, _) => one.to_owned(),
        (_, Some(stem)) if one.ends_with("ry") || one.ends_with("ty") => format!("{stem}ies"),
        _ if one.ends_with('s') => format!("{one}es"),
        _ => format!("{one}s"),
    }
}

/// A number and its noun: `1 event`, `1,234 events`.
pub(crate) fn counted(number: u64, one: &str) -> String {
    format!("{} {}", thousands(number), noun(number, one))
}

/// Unix milliseconds as `2026-01-05 08:00:00Z`.
pub(crate) fn instant(ms: i64) -> String {
    formatted(ms, "%Y-%m-%d %H:%M:%SZ")
}

/// From one time to another: `2026-01-05 08:00:00Z to 11:59:58Z`, with both days where they differ.
pub(crate) fn span(first_ms: i64, last_ms: i64) -> String {
    let day = |ms| formatted(ms, "%Y-%m-%d");
    if first_ms == last_ms {
        instant(first_ms)
    } else if day(first_ms) == day(last_ms) {
        format!("{} to {}", instant(first_ms), formatted(last_ms, "%H:%M:%SZ"))
    } else {
        format!("{} to {}", instant(first_ms), instant(last_ms))
    }
}

fn formatted(ms: i64, format: &str) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |t| t.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(table: &Table) -> String {
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_line_up_and_control_characters_do_not_reach_the_terminal() {
        let mut table = Table::new(&["name", "n>"]);
        table.row(["a\u{1b}[31m".to_owned(), thousands(1_234_567)]);
        table.row(["longer name".to_owned(), thousands(12)]);
        assert_eq!(
            written(&table),
            "  name                 n\n  a·[31m       1,234,567\n  longer name         12\n"
        );
        assert_eq!(shorten("abcdef", 4), "abc…");
    }

    #[test]
    fn a_table_fits_the_line_and_a_path_keeps_its_end() {
        let mut table = Table::new(&["kind", "path<", "n>"]);
        table.row(["k".repeat(70), format!("{}.end", "deep.".repeat(40)), thousands(1_234_567)]);
        table.note(&"a long note ".repeat(20));
        let text = written(&table);
        assert!(text.lines().all(|line| line.chars().count() <= LINE_CHARS), "{text}");
        assert!(text.lines().count() > 3);
        for expected in [".end ", "k…", "1,234,567"] {
            assert!(text.contains(expected), "{expected} is missing in {text}");
        }
    }

    #[test]
    fn one_is_told_from_many() {
        let told = [(1, "event"), (2, "event"), (0, "entry"), (1, "entry"), (2, "class"), (3, "property")];
        assert_eq!(
            told.map(|(number, one)| counted(number, one)),
            ["1 event", "2 events", "0 entries", "1 entry", "2 classes", "3 properties"]
        );
    }

    #[test]
    fn times_are_read_as_dates() {
        assert_eq!(instant(1_767_600_000_000), "2026-01-05 08:00:00Z");
        assert_eq!(span(1_767_600_000_000, 1_767_600_000_000), "2026-01-05 08:00:00Z");
        assert_eq!(span(1_767_600_000_000, 1_767_603_600_000), "2026-01-05 08:00:00Z to 09:00:00Z");
        assert_eq!(
            span(1_767_600_000_000, 1_767_700_000_000),
            "2026-01-05 08:00:00Z to 2026-01-06 11:46:40Z"
        );
        assert_eq!(instant(i64::MAX), i64::MAX.to_string());
    }
}
