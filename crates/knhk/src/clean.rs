//! Text for terminals: nothing that an event, a pack or a file name holds may move the cursor or turn the writing around.

use std::io::{self, Write};

/// Passes text on with `·` for control characters (line feeds aside) and for characters that change the direction of
/// writing.
pub(crate) struct Clean<W>(pub(crate) W);

/// Whether a terminal might obey the character instead of showing it.
fn is_command(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text without such characters.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_command(c) { '·' } else { c }).collect()
}

impl<W: Write> Write for Clean<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(clean(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_a_dot() {
        let mut out = Clean(Vec::new());
        out.write_all("a\rb\u{1b}[2J\u{9b}1m\u{202e}é\n".as_bytes()).unwrap();
        assert_eq!(String::from_utf8(out.0).unwrap(), "a·b·[2J·1m·é\n");
    }
}
