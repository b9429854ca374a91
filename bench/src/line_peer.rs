//! Peers in other languages: a program that answers each line with nanoseconds and a number of results.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::Result;

/// A running peer. It ends when this is dropped.
pub(crate) struct LinePeer {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl LinePeer {
    /// Starts it and waits until it says `ready`.
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let orders = child.stdin.take().ok_or("the peer has no input")?;
        let answers = BufReader::new(child.stdout.take().ok_or("the peer has no output")?);
        let mut peer = Self { child, orders, answers };
        match peer.line()?.as_str() {
            "ready" => Ok(peer),
            other => Err(format!("{} says `{other}` instead of ready", program.display()).into()),
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err("the peer ended early".into());
        }
        Ok(line.trim().to_owned())
    }

    /// Milliseconds that it took by its own clock, and how many results it found.
    pub(crate) fn order(&mut self, what: &str) -> Result<(f64, u64)> {
        writeln!(self.orders, "{what}")?;
        let answer = self.line()?;
        let (ns, results) = answer.split_once(' ').ok_or_else(|| format!("`{answer}` is no answer"))?;
        Ok((ns.parse::<f64>()? / 1e6, results.parse()?))
    }
}

impl Drop for LinePeer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
