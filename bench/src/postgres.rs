//! PostgreSQL's binary COPY over its Unix socket: as much of the protocol as that takes, and no crate for it. The server is
//! begun and ended by `bench/run`.

use std::io::{BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use crate::durable::{BATCH, Figures};
use crate::{Result, cpu, processes, record};

/// What a binary COPY begins with: the signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A server of ours: the socket and the process to account for.
pub(crate) struct Server {
    socket: String,
    pid: u32,
}

impl Server {
    /// The one that `bench/run` names: `--postgres=PID:SOCKET`.
    pub(crate) fn given() -> Result<Option<Self>> {
        let Some(given) =
            std::env::args().find_map(|argument| argument.strip_prefix("--postgres=").map(str::to_owned))
        else {
            return Ok(None);
        };
        let (pid, socket) = given.split_once(':').ok_or("--postgres=PID:SOCKET")?;
        Ok(Some(Self { socket: socket.to_owned(), pid: pid.parse()? }))
    }

    /// One COPY, so one transaction and one sync, for each batch. What the server has still to write to its tables
    /// afterwards it writes before the next candidate's turn.
    pub(crate) fn copy(&self, key: &str, records: u64) -> Result<Figures> {
        let mut connection = Connection::open(Path::new(&self.socket))?;
        connection.query("DROP TABLE IF EXISTS records")?;
        connection.query(&format!("CREATE TABLE records (number bigint {key}, record bytea NOT NULL)"))?;
        connection.query("CHECKPOINT")?;
        let (begun, ran) = (Instant::now(), cpu::of_this_process() + processes::of_tree(self.pid)?);
        for first in (0..records).step_by(BATCH as usize) {
            connection.copy(first..(first + BATCH).min(records))?;
        }
        let took = begun.elapsed().as_secs_f64();
        let ran = cpu::of_this_process() + processes::of_tree(self.pid)? - ran;
        let there = connection.query("SELECT count(*) FROM records")?;
        if there != records.to_string() {
            return Err(format!("PostgreSQL has {there} of {records} records").into());
        }
        for query in ["DROP TABLE records", "CHECKPOINT"] {
            connection.query(query)?;
        }
        Ok((records as f64 / took, ran as f64 / records as f64))
    }
}

/// The conversation with one backend.
struct Connection {
    stream: BufReader<UnixStream>,
    /// What is to be sent.
    out: Vec<u8>,
}

impl Connection {
    fn open(socket: &Path) -> Result<Self> {
        let mut opened = Self { stream: BufReader::new(UnixStream::connect(socket)?), out: Vec::new() };
        let parameters = b"user\0bench\0database\0postgres\0\0";
        opened.out.extend_from_slice(&(8 + parameters.len() as u32).to_be_bytes());
        opened.out.extend_from_slice(&0x0003_0000_u32.to_be_bytes());
        opened.out.extend_from_slice(parameters);
        opened.until_ready(b'Z')?;
        Ok(opened)
    }

    /// Adds one message: its kind, its length, its body.
    fn message(&mut self, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
        self.out.push(kind);
        let at = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
        body(&mut self.out);
        let len = (self.out.len() - at) as u32;
        self.out[at..at + 4].copy_from_slice(&len.to_be_bytes());
    }

    /// Sends what there is and reads up to a message of this kind; the text of the first column read, if any.
    fn until_ready(&mut self, kind: u8) -> Result<String> {
        self.stream.get_mut().write_all(&self.out)?;
        self.out.clear();
        let mut found = String::new();
        loop {
            let (mut head, mut len) = ([0], [0; 4]);
            self.stream.read_exact(&mut head)?;
            self.stream.read_exact(&mut len)?;
            let len = u32::from_be_bytes(len)
                .checked_sub(4)
                .ok_or("PostgreSQL sent a message without its length")?;
            let mut body = vec![0; len as usize];
            self.stream.read_exact(&mut body)?;
            match head[0] {
                b'E' => {
                    return Err(
                        format!("PostgreSQL: {}", String::from_utf8_lossy(&body).replace('\0', " ")).into()
                    );
                }
                b'R' if body != [0; 4] => return Err("PostgreSQL asks for a password".into()),
                // The number of columns, and the length of the first.
                b'D' => found = String::from_utf8_lossy(body.get(6..).unwrap_or_default()).into_owned(),
                _ => {}
            }
            if head[0] == kind {
                return Ok(found);
            }
        }
    }

    fn query(&mut self, text: &str) -> Result<String> {
        self.message(b'Q', |out| {
            out.extend_from_slice(text.as_bytes());
            out.push(0);
        });
        self.until_ready(b'Z')
    }

    fn copy(&mut self, numbers: std::ops::Range<u64>) -> Result<()> {
        self.message(b'Q', |out| out.extend_from_slice(b"COPY records FROM STDIN BINARY\0"));
        self.until_ready(b'G')?;
        self.message(b'd', |out| {
            out.extend_from_slice(HEADER);
            for number in numbers {
                let bytes = record(number).to_bytes();
                out.extend_from_slice(&2_u16.to_be_bytes());
                out.extend_from_slice(&8_u32.to_be_bytes());
                out.extend_from_slice(&number.to_be_bytes());
                out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
                out.extend_from_slice(&bytes);
            }
            out.extend_from_slice(&u16::MAX.to_be_bytes());
        });
        self.message(b'c', |_| {});
        self.until_ready(b'Z').map(drop)
    }
}
