//! Reading events: NDJSON, JSON arrays, CloudEvents 1.0 and plain JSON objects. The format is `docs/formats/events.md`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::BufRead;

use knhk_projection::json::{self, Json};
use sha2::{Digest, Sha256};

use crate::envelope::{Envelope, Fault};
use crate::error::ObservationError;
use crate::frame::{Cut, Framer};
pub use crate::frame::{EVENT_BYTES_MAX, Oversize};

/// Longest id, source, event type or sector, in bytes.
pub const NAME_BYTES_MAX: usize = 1_024;

/// Most metadata entries of one event.
pub const METADATA_MAX: usize = 128;

/// The source of a plain JSON event that names none.
pub const UNNAMED_SOURCE: &str = "urn:knhk:source:unnamed";

/// An event as read. Everything is as received; nothing is normalised.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// Its id, unique per source.
    pub id: Cow<'a, str>,
    /// Who emitted it.
    pub source: Cow<'a, str>,
    /// Its type.
    pub event_type: Cow<'a, str>,
    /// The sector it names, if it names one.
    pub sector: Option<Cow<'a, str>>,
    /// Its time, Unix ms.
    pub time_ms: i64,
    /// Its data.
    pub data: Json<'a>,
    /// The exact text of its data; `null` when it has none.
    pub data_raw: &'a str,
    /// The exact bytes of the event, without white space around it.
    pub raw: &'a [u8],
    /// Everything else that its envelope says.
    pub metadata: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    /// The line, from 1, on which it starts.
    pub line: u64,
    /// The byte of the input at which it starts.
    pub offset: u64,
}

/// Why bytes are no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Not JSON.
    NotJson,
    /// Not UTF-8.
    NotUtf8,
    /// Longer than [`EVENT_BYTES_MAX`].
    TooLarge,
    /// Nested deeper than [`json::DEPTH_MAX`].
    TooDeep,
    /// A key twice in one object.
    DuplicateKey,
    /// No event type.
    MissingType,
    /// A time that cannot be read.
    BadTime,
    /// An envelope of no known form.
    BadEnvelope,
    /// `data_base64` that is not JSON.
    BinaryData,
    /// A number beyond a 64-bit float.
    NumberTooLarge,
    /// More than [`json::VALUES_MAX`] values.
    TooManyValues,
}

impl Reason {
    /// The stable code; `knhk explain CODE` prints its page.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotJson => "KNHK-E1510",
            Self::NotUtf8 => "KNHK-E1511",
            Self::TooLarge => "KNHK-E1512",
            Self::TooDeep => "KNHK-E1513",
            Self::DuplicateKey => "KNHK-E1514",
            Self::MissingType => "KNHK-E1515",
            Self::BadTime => "KNHK-E1516",
            Self::BadEnvelope => "KNHK-E1517",
            Self::BinaryData => "KNHK-E1518",
            Self::NumberTooLarge => "KNHK-E1519",
            Self::TooManyValues => "KNHK-E1520",
        }
    }
}

/// Bytes that are no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject<'a> {
    /// The line of the fault, from 1.
    pub line: u64,
    /// Its column, in bytes from 1.
    pub column: u64,
    /// Why.
    pub reason: Reason,
    /// Why, in words.
    pub message: String,
    /// The byte of the input at which the rejected bytes start.
    pub offset: u64,
    /// How many bytes are rejected.
    pub length: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
    /// The bytes; empty when they are too many, since then they went to the caller's sink.
    pub raw: &'a [u8],
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    /// An event.
    Event(Event<'a>),
    /// Bytes that are none.
    Reject(Reject<'a>),
}

/// Reads the events of one input, in bounded memory.
pub struct EventReader<R> {
    framer: Framer<R>,
    time_ms: i64,
    decoded: String,
}

impl<R: BufRead> EventReader<R> {
    /// Reads `input`, which must be decompressed already. `first_time_ms` is the time of a first event that has none.
    pub fn new(input: R, first_time_ms: i64) -> Self {
        Self::with_limit(input, first_time_ms, EVENT_BYTES_MAX)
    }

    /// The same with a smaller largest event, in bytes; at most [`EVENT_BYTES_MAX`].
    pub fn with_limit(input: R, first_time_ms: i64, event_bytes_max: usize) -> Self {
        let limit = event_bytes_max.min(EVENT_BYTES_MAX);
        Self { framer: Framer::new(input, limit), time_ms: first_time_ms, decoded: String::new() }
    }

    /// The next event or reject, `None` at the end of the input. The bytes of an event that is too large go to
    /// `oversize` as they pass, before its reject is returned.
    ///
    /// # Errors
    /// When the input or `oversize` fails. A malformed event is no error.
    pub fn next_item(&mut self, oversize: Oversize<'_>) -> Result<Option<Item<'_>>, ObservationError> {
        let Some(cut) = self.framer.next(oversize)? else { return Ok(None) };
        let (offset, line, column) = self.framer.start;
        let bytes = self.framer.bytes();
        let place = Place { offset, line, column, bytes };
        if let Cut::Oversize { sha256, length } = cut {
            let message = format!("the event has {length} bytes, more than {EVENT_BYTES_MAX}");
            let reject =
                Reject { line, column, reason: Reason::TooLarge, message, offset, length, sha256, raw: &[] };
            return Ok(Some(Item::Reject(reject)));
        }
        if cut == Cut::Stray {
            let message = if bytes.is_empty() { "`,` or `]` is missing" } else { "text between events" };
            return Ok(Some(Item::Reject(place.reject(Fault::at(0, Reason::NotJson, message)))));
        }
        match place.read(self.time_ms, &mut self.decoded) {
            Ok(event) => {
                self.time_ms = event.time_ms;
                Ok(Some(Item::Event(event)))
            }
            Err(reject) => Ok(Some(Item::Reject(reject))),
        }
    }
}

/// Reads one event from its exact bytes, as [`Event::raw`] holds them, whatever lines they span. `time_before_ms` is its
/// time when it names none; `decoded` holds its data where that is encoded in base64.
///
/// # Errors
/// The reject; its line and column count from the start of `bytes`.
pub fn read_event<'a>(
    bytes: &'a [u8],
    time_before_ms: i64,
    decoded: &'a mut String,
) -> Result<Event<'a>, Reject<'a>> {
    Place { offset: 0, line: 1, column: 1, bytes }.read(time_before_ms, decoded)
}

/// Where a cut starts, and its bytes.
struct Place<'a> {
    offset: u64,
    line: u64,
    column: u64,
    bytes: &'a [u8],
}

impl<'a> Place<'a> {
    fn read(self, time_before_ms: i64, decoded: &'a mut String) -> Result<Event<'a>, Reject<'a>> {
        let leading = self.bytes.len() - self.bytes.trim_ascii_start().len();
        let text = std::str::from_utf8(&self.bytes[leading..]).map_err(|error| {
            let at = leading + error.valid_up_to();
            self.reject(Fault::at(at, Reason::NotUtf8, "bytes that are not UTF-8"))
        })?;
        let text = text.trim_ascii_end();
        let members =
            json::parse_members(text).map_err(|error| self.reject(Fault::of_json(&error, leading)))?;
        let event = Envelope::new(text, members).read(time_before_ms, decoded).map_err(|fault| {
            let at = leading + fault.at;
            self.reject(Fault { at, ..fault })
        })?;
        // What stands before the event is white space: it may hold line ends.
        let (line, _) = self.place_of(leading);
        Ok(Event { line, offset: self.offset + leading as u64, ..event })
    }

    /// Line and column of a byte.
    fn place_of(&self, at: usize) -> (u64, u64) {
        let before = &self.bytes[..at.min(self.bytes.len())];
        let mut lines = before.split(|byte| *byte == b'\n');
        // Splitting gives at least one piece; further ones start in column 1.
        let first = lines.next().map_or(0, <[u8]>::len) as u64;
        let (newlines, last) = lines.fold((0, None), |(count, _), line| (count + 1, Some(line.len() as u64)));
        (self.line + newlines, last.map_or(self.column + first, |last| last + 1))
    }

    fn reject(&self, fault: Fault) -> Reject<'a> {
        let (line, column) = self.place_of(fault.at);
        Reject {
            line,
            column,
            reason: fault.reason,
            message: fault.message,
            offset: self.offset,
            length: self.bytes.len() as u64,
            sha256: Sha256::digest(self.bytes).into(),
            raw: self.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLOUD: &str = r#"{"specversion":"1.0","id":"1","source":"//s","type":"t","time":"2026-01-05T08:00:00.100Z","datacontenttype":"application/json","seq":7,"data": {"a" : 1.50} }"#;

    type Fault = (u64, u64, &'static str);
    type Shown = Result<(String, String, i64, String), Fault>;

    /// Reads everything; events as (id, type, time, data text), rejects as (line, column, code).
    fn read(input: &[u8]) -> Vec<Shown> {
        let mut reader = EventReader::new(input, 5);
        let mut items = Vec::new();
        while let Some(item) = reader.next_item(&mut |_| panic!("nothing is oversize")).unwrap() {
            items.push(match item {
                Item::Event(event) => {
                    let start = usize::try_from(event.offset).unwrap();
                    assert_eq!(
                        event.raw,
                        &input[start..start + event.raw.len()],
                        "the offset leads to the bytes"
                    );
                    let again = Event { line: 1, offset: 0, ..event.clone() };
                    assert_eq!(read_event(event.raw, event.time_ms, &mut String::new()), Ok(again));
                    Ok((event.id.into(), event.event_type.into(), event.time_ms, event.data_raw.to_owned()))
                }
                Item::Reject(reject) => {
                    let start = usize::try_from(reject.offset).unwrap();
                    assert_eq!(
                        reject.raw,
                        &input[start..start + reject.raw.len()],
                        "the offset leads to the bytes"
                    );
                    Err((reject.line, reject.column, reject.reason.code()))
                }
            });
        }
        items
    }

    #[allow(clippy::unnecessary_wraps)] // One item of what `read` gives.
    fn event(id: &str, event_type: &str, time_ms: i64, data: &str) -> Shown {
        Ok((id.into(), event_type.into(), time_ms, data.into()))
    }

    #[test]
    fn a_cloud_event_keeps_its_exact_data_and_its_attributes() {
        let mut reader = EventReader::new(CLOUD.as_bytes(), 0);
        let Some(Item::Event(event)) = reader.next_item(&mut |_| Ok(())).unwrap() else { panic!("an event") };
        assert_eq!(event.data_raw, "{\"a\" : 1.50}");
        assert_eq!((&*event.source, event.time_ms, event.line), ("//s", 1_767_600_000_100, 1));
        assert_eq!(event.raw, CLOUD.as_bytes());
        let metadata: Vec<_> = event.metadata.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(metadata, [("datacontenttype", "application/json"), ("seq", "7")]);
    }

    #[test]
    fn every_way_of_writing_a_stream_gives_the_same_events() {
        let a = r#"{"specversion":"1.0","id":"1","source":"s","type":"t","time":"1970-01-01T00:00:01Z","data":{"x":"]}\""}}"#;
        let b = r#"{"specversion":"1.0","id":"2","source":"s","type":"t","data":[1]}"#;
        let expected = [event("1", "t", 1_000, "{\"x\":\"]}\\\"\"}"), event("2", "t", 1_000, "[1]")];
        let pretty = |text: &str| text.replacen('{', "{\n", 1).replacen(",\"id\"", "\n,\n\"id\"", 1);
        for input in [
            format!("{a}\n{b}"),
            format!("\u{feff}\n \r\n{a}\r\n\r\n  {b}  \r\n"),
            format!("[{a},{b}]"),
            format!(" [\n{a}\n,\n{b}\n]\n[]\n"),
            format!("[{a}]\n[{b}]"),
            format!("{}\n{}\n", pretty(a), pretty(b)),
        ] {
            assert_eq!(read(input.as_bytes()), expected, "{input}");
        }
    }

    #[test]
    fn plain_objects_have_documented_defaults() {
        let whole = r#"{"type":"t","amount":3}"#;
        let digest = hex::encode(Sha256::digest(whole));
        for (input, expected) in [
            (whole, event(&digest, "t", 5, whole)),
            (
                r#"{"event_type":"t","type":"other","id":7,"timestamp":1234,"value":{"b":2},"extra":1}"#,
                event("7", "t", 1_234, "{\"b\":2}"),
            ),
            (
                r#"{"type":"t","id":"x","time":"1970-01-01T00:00:00Z","data":"d","metadata":{"k":[1]},"sector":"s"}"#,
                event("x", "t", 0, "\"d\""),
            ),
        ] {
            assert_eq!(read(input.as_bytes()), [expected], "{input}");
        }
        let mut reader = EventReader::new(&br#"{"type":"t","data":1,"metadata":{"k":[1]},"e":"f"}"#[..], 0);
        let Some(Item::Event(event)) = reader.next_item(&mut |_| Ok(())).unwrap() else { panic!("an event") };
        assert_eq!(event.source, UNNAMED_SOURCE);
        assert_eq!(
            event.metadata.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(),
            ["e=f", "k=[1]"]
        );
    }

    #[test]
    fn base64_data_is_read_when_it_is_json() {
        let envelope = |kind: &str, data: &str| {
            format!(
                r#"{{"specversion":"1.0","id":"1","source":"s","type":"t",{kind}"data_base64":"{data}"}}"#
            )
        };
        let json = r#""datacontenttype":"application/x+json; charset=utf-8","#;
        assert_eq!(read(envelope(json, "eyJhIjoxfQ==").as_bytes()), [event("1", "t", 5, "{\"a\":1}")]);
        for input in [
            envelope("\"datacontenttype\":\"image/png\",", "eyJhIjoxfQ=="),
            envelope(json, "eyJhIjoxf"),
            envelope(json, "/w=="),
            envelope(json, "eyJh"),
        ] {
            assert!(matches!(read(input.as_bytes())[..], [Err((1, _, "KNHK-E1518"))]), "{input}");
        }
    }

    #[test]
    fn each_fault_is_one_reject_with_its_place_and_the_rest_is_kept() {
        let deep = format!("{{\"type\":\"t\",\"data\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let long = format!("{{\"type\":\"{}\",\"data\":1}}", "x".repeat(NAME_BYTES_MAX + 1));
        let crowd = (0..=METADATA_MAX).map(|n| format!("\"k{n}\":1,")).collect::<Vec<_>>().concat();
        let crowd = format!("{{{crowd}\"type\":\"t\",\"data\":1}}");
        let many = format!("{{\"type\":\"t\",\"data\":[{}0]}}", "0,".repeat(json::VALUES_MAX));
        let faults: Vec<(&[u8], u64, &str)> = vec![
            (b"{\"type\":\"t\",\"data\":NaN}", 20, "KNHK-E1510"),
            (b"not json", 1, "KNHK-E1510"),
            (b"{\"type\":\"t\"", 12, "KNHK-E1510"),
            (b"{\"type\":\"\xff\"}", 10, "KNHK-E1511"),
            (deep.as_bytes(), 147, "KNHK-E1513"),
            (b"{\"type\":\"t\",\"data\":{\"a\":1,\"a\":2}}", 33, "KNHK-E1514"),
            (b"{\"type\":\"t\",\"type\":\"t\"}", 24, "KNHK-E1514"),
            (b"{\"data\":1}", 1, "KNHK-E1515"),
            (b"{\"type\":\"\",\"data\":1}", 9, "KNHK-E1515"),
            (long.as_bytes(), 9, "KNHK-E1515"),
            (b"{\"type\":\"t\",\"time\":\"noon\"}", 20, "KNHK-E1516"),
            (b"{\"type\":\"t\",\"time\":1.5}", 20, "KNHK-E1516"),
            (b"{\"specversion\":\"1.0\",\"type\":\"t\",\"id\":\"1\",\"source\":\"s\",\"time\":5}", 62, "KNHK-E1516"),
            (b"{\"specversion\":\"0.3\",\"type\":\"t\"}", 16, "KNHK-E1517"),
            (b"{\"specversion\":\"1.0\",\"type\":\"t\",\"source\":\"s\"}", 1, "KNHK-E1517"),
            (b"{\"specversion\":\"1.0\",\"type\":\"t\",\"id\":1,\"source\":\"s\"}", 38, "KNHK-E1517"),
            (b"{\"specversion\":\"1.0\",\"type\":\"t\",\"id\":\"1\",\"source\":\"s\",\"data\":1,\"data_base64\":\"\"}", 78, "KNHK-E1517"),
            (b"{\"type\":\"t\",\"id\":true}", 18, "KNHK-E1517"),
            (b"{\"type\":\"t\",\"data\":1,\"metadata\":1}", 33, "KNHK-E1517"),
            (b"[1]", 1, "KNHK-E1517"),
            (b"7", 1, "KNHK-E1517"),
            (crowd.as_bytes(), 1, "KNHK-E1517"),
            (b"{\"type\":\"t\",\"data\":1e999}", 20, "KNHK-E1519"),
            (many.as_bytes(), 2 * json::VALUES_MAX as u64 + 17, "KNHK-E1520"),
        ];
        for (fault, column, code) in faults {
            let good = br#"{"type":"t","id":"1","data":1}"#;
            let input = [good, b"\n".as_slice(), fault, b"\n", good].concat();
            let shown = String::from_utf8_lossy(&fault[..fault.len().min(60)]).into_owned();
            let items = read(&input);
            assert_eq!(items.len(), 3, "{shown}");
            assert_eq!(items[1], Err((2, column, code)), "{shown}");
            assert!(items[0].is_ok() && items[2].is_ok(), "{shown}");
        }
    }

    #[test]
    fn faults_in_arrays_cost_one_reject() {
        let good = r#"{"type":"t","id":"1","data":1}"#;
        let fine = event("1", "t", 5, "1");
        for (input, expected) in [
            (format!("[{good},x,{good}]"), vec![fine.clone(), Err((1, 33, "KNHK-E1510")), fine.clone()]),
            (format!("[{good},,{good}]"), vec![fine.clone(), Err((1, 33, "KNHK-E1510")), fine.clone()]),
            (format!("[{good}}},{good}]"), vec![fine.clone(), Err((1, 32, "KNHK-E1510")), fine.clone()]),
            (format!("[{good}\n{good}]"), vec![fine.clone(), Err((2, 1, "KNHK-E1510")), fine.clone()]),
            (format!("[{good},"), vec![fine.clone(), Err((1, 33, "KNHK-E1510"))]),
            (format!("[{good},{{\"a\":"), vec![fine.clone(), Err((1, 38, "KNHK-E1510"))]),
            (format!("[{good}] tail"), vec![fine.clone(), Err((1, 34, "KNHK-E1510"))]),
            (format!("[}}{good}]"), vec![Err((1, 2, "KNHK-E1510")), fine.clone()]),
            ("[".to_owned(), vec![Err((1, 2, "KNHK-E1510"))]),
            (
                "{\n}\n}\n{\n\"type\":1}".to_owned(),
                vec![Err((1, 1, "KNHK-E1515")), Err((3, 1, "KNHK-E1510")), Err((5, 8, "KNHK-E1515"))],
            ),
            (String::new(), vec![]),
            ("\n \n".to_owned(), vec![]),
            ("[]".to_owned(), vec![]),
        ] {
            assert_eq!(read(input.as_bytes()), expected, "{input}");
        }
    }

    #[test]
    fn an_oversize_event_passes_through_without_being_held() {
        let good = r#"{"type":"t","id":"1","data":1}"#;
        let large = format!(r#"{{"type":"t","data":"{}"}}"#, "x".repeat(3_000));
        for (input, start) in [
            (format!("{good}\n{large}\n{good}"), good.len() + 1),
            (format!("{good}\n{good}\n{large}"), 2 * good.len() + 2),
            (format!("[{good},{large},{good}]"), good.len() + 2),
            (format!("{{\n{}\n{large}\n{{\n{}", &good[1..], &good[1..]), good.len() + 2),
            (format!("[{good},{good}] {}", "y".repeat(3_000)), 2 * good.len() + 4),
        ] {
            let mut reader = EventReader::with_limit(input.as_bytes(), 0, 1_000);
            let (mut events, mut rejects, mut passed) = (0, Vec::new(), Vec::new());
            while let Some(item) = reader
                .next_item(&mut |bytes| {
                    passed.extend_from_slice(bytes);
                    Ok(())
                })
                .unwrap()
            {
                match item {
                    Item::Event(_) => events += 1,
                    Item::Reject(reject) => {
                        rejects.push((reject.reason, reject.offset, reject.length, reject.sha256));
                    }
                }
            }
            assert_eq!(events, 2, "{input:.60}");
            assert!(
                passed.len() >= 3_000 && input[start..].starts_with(std::str::from_utf8(&passed).unwrap())
            );
            let digest: [u8; 32] = Sha256::digest(&passed).into();
            assert_eq!(rejects, [(Reason::TooLarge, start as u64, passed.len() as u64, digest)]);
        }
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_read() {
        let line = br#"{"type":"t","id":"1","data":1}"#;
        for end in ["", "\n", "\r\n"] {
            let input = [line, end.as_bytes(), line, end.as_bytes()].concat();
            let count = |limit| {
                let mut reader = EventReader::with_limit(&input[..], 0, limit);
                let mut events = 0;
                while let Some(item) = reader.next_item(&mut |_| Ok(())).unwrap() {
                    events += usize::from(matches!(item, Item::Event(_)));
                }
                events
            };
            let expected = if end.is_empty() { 0 } else { 2 };
            assert_eq!((count(line.len()), count(line.len() - 1)), (expected, 0), "{end:?}");
        }
    }

    #[test]
    fn white_space_before_an_event_does_not_shift_its_places() {
        let place = |bytes: &[u8]| match read_event(bytes, 3, &mut String::new()) {
            Ok(event) => (event.line, event.offset),
            Err(reject) => (reject.line, reject.column),
        };
        assert_eq!(place(b" \n {\"type\":\"t\",\n\"data\":1}\n"), (2, 3));
        assert_eq!(place(b" \n {\"type\":1}"), (2, 10));
        assert_eq!(place(b"  {\"type\":x}"), (1, 11));
        assert_eq!(place(b"  {\n\xff}"), (2, 1));
        assert_eq!(read(b"  {\"type\":1}"), [Err((1, 11, "KNHK-E1515"))]);
    }

    struct Failing;

    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }

    #[test]
    fn a_failing_input_and_a_failing_sink_are_errors() {
        let mut reader = EventReader::new(std::io::BufReader::new(Failing), 0);
        assert_eq!(reader.next_item(&mut |_| Ok(())).unwrap_err().code(), "KNHK-E1501");
        let mut reader = EventReader::with_limit(&b"{\"a long line\""[..], 0, 3);
        let error = reader.next_item(&mut |_| Err(std::io::Error::other("full"))).unwrap_err();
        assert_eq!(error.code(), "KNHK-E1502");
    }

    proptest! {
        #[test]
        fn any_bytes_end_and_every_byte_is_accounted_for(
            bytes in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                "[\\[\\]{}\",:\\\\ \r\na1]{0,120}".prop_map(String::into_bytes),
            ],
            limit in 1_usize..60,
        ) {
            let mut reader = EventReader::with_limit(&bytes[..], 0, limit);
            let mut end = 0;
            let mut passed = 0;
            while let Some(item) = reader.next_item(&mut |bytes| { passed += bytes.len(); Ok(()) }).unwrap() {
                let (start, length) = match item {
                    Item::Event(event) => (event.offset, event.raw.len() as u64),
                    Item::Reject(reject) => {
                        prop_assert!(reject.line >= 1 && reject.column >= 1);
                        (reject.offset, reject.length)
                    }
                };
                prop_assert!(start >= end, "items do not overlap");
                let between = &bytes[usize::try_from(end).unwrap()..usize::try_from(start).unwrap()];
                prop_assert!(
                    between.iter().all(|b| b.is_ascii_whitespace() || b"[],\xEF\xBB\xBF".contains(b)),
                    "only white space and separators lie between items"
                );
                end = start + length;
            }
            prop_assert!(passed <= bytes.len());
        }
    }
}
