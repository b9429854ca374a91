//! Tables for people: columns as wide as their content, cut where a line would be too long.

use std::io::{self, Write};

use crate::clean::clean;

/// Longest cell, in characters; longer ones end in `…`.
const CELL_CHARS_MAX: usize = 60;

/// Rows under a header.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns. A column whose name ends in `>` is aligned to the right.
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self { header: columns.iter().map(|c| (*c).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row<I: IntoIterator<Item = String>>(&mut self, cells: I) {
        self.rows.push(cells.into_iter().map(|cell| shorten(&cell, CELL_CHARS_MAX)).collect());
    }

    /// Writes it with two spaces before and between the columns.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let right: Vec<bool> = self.header.iter().map(|h| h.ends_with('>')).collect();
        let header: Vec<String> = self.header.iter().map(|h| h.trim_end_matches('>').to_owned()).collect();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).chain(header.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        for row in std::iter::once(&header).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), right) in row.iter().zip(&widths).zip(&right) {
                let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
                line.push_str("  ");
                if *right {
                    line.push_str(&pad);
                    line.push_str(cell);
                } else {
                    line.push_str(cell);
                    line.push_str(&pad);
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// The first characters of a text, with `…` when it was cut, and without what a terminal would obey.
pub(crate) fn shorten(text: &str, chars_max: usize) -> String {
    let text = clean(text).replace('\n', "·");
    if text.chars().count() <= chars_max {
        return text;
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
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

/// Unix milliseconds as `2026-01-05 08:00:00Z`.
pub(crate) fn instant(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| ms.to_string(), |t| t.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_control_characters_do_not_reach_the_terminal() {
        let mut table = Table::new(&["name", "n>"]);
        table.row(["a\u{1b}[31m".to_owned(), thousands(1_234_567)]);
        table.row(["longer name".to_owned(), thousands(12)]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "  name                 n\n  a·[31m       1,234,567\n  longer name         12\n");
        assert_eq!(shorten("abcdef", 4), "abc…");
        assert_eq!(instant(1_767_600_000_000), "2026-01-05 08:00:00Z");
    }
}
