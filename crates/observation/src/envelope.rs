//! The two envelopes of an event: CloudEvents 1.0 and plain JSON objects. The rules are in `docs/formats/events.md`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use knhk_projection::ProjectionError;
use knhk_projection::json::{self, Json, Member};
use knhk_projection::lexical;
use sha2::{Digest, Sha256};

use crate::reader::{Event, METADATA_MAX, NAME_BYTES_MAX, Reason, UNNAMED_SOURCE};

/// Keys that a message names.
const KEYS_NAMED_MAX: usize = 8;

/// Why an event is refused, and at which of its bytes.
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn at(at: usize, reason: Reason, message: impl Into<String>) -> Self {
        Self { at, reason, message: message.into() }
    }

    pub(crate) fn of_json(error: &ProjectionError, leading: usize) -> Self {
        let reason = match error {
            ProjectionError::Syntax { .. } => Reason::NotJson,
            ProjectionError::TooDeep { .. } => Reason::TooDeep,
            ProjectionError::DuplicateKey { .. } => Reason::DuplicateKey,
            ProjectionError::NumberTooLarge { .. } => Reason::NumberTooLarge,
            ProjectionError::TooManyValues { .. } => Reason::TooManyValues,
            ProjectionError::NotAnObject { .. } => Reason::BadEnvelope,
        };
        Self { at: leading + error.offset(), reason, message: error.to_string() }
    }
}

/// An event's outermost object on its way to an [`Event`]: members are taken out one by one.
pub(crate) struct Envelope<'a> {
    text: &'a str,
    members: Vec<Member<'a>>,
    metadata: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
}

impl<'a> Envelope<'a> {
    pub(crate) fn new(text: &'a str, members: Vec<Member<'a>>) -> Self {
        Self { text, members, metadata: BTreeMap::new() }
    }

    /// Reads the event. `time_before_ms` is its time when it names none; decoded data lives in `decoded`.
    pub(crate) fn read(self, time_before_ms: i64, decoded: &'a mut String) -> Result<Event<'a>, Fault> {
        if self.has("specversion") {
            self.cloud_event(time_before_ms, decoded)
        } else {
            self.plain(time_before_ms)
        }
    }

    fn has(&self, key: &str) -> bool {
        self.members.iter().any(|member| member.key == key)
    }

    fn take(&mut self, key: &str) -> Option<Member<'a>> {
        let position = self.members.iter().position(|member| member.key == key)?;
        Some(self.members.swap_remove(position))
    }

    /// Where a member's value starts in the text.
    fn place_of(&self, member: &Member<'_>) -> usize {
        member.text.as_ptr().addr().saturating_sub(self.text.as_ptr().addr())
    }

    fn fault(&self, member: &Member<'_>, reason: Reason, message: impl Into<String>) -> Fault {
        Fault::at(self.place_of(member), reason, message)
    }

    /// A member that must be a string that is neither empty nor too long; `None` when it is absent.
    fn name(&mut self, key: &str, reason: Reason) -> Result<Option<Cow<'a, str>>, Fault> {
        let Some(member) = self.take(key) else { return Ok(None) };
        match &member.value {
            Json::String(text) if !text.is_empty() && text.len() <= NAME_BYTES_MAX => match member.value {
                Json::String(text) => Ok(Some(text)),
                _ => Ok(None),
            },
            _ => {
                let message = format!("`{key}` must be a string of 1 to {NAME_BYTES_MAX} bytes");
                Err(self.fault(&member, reason, message))
            }
        }
    }

    fn required(&mut self, key: &str, reason: Reason) -> Result<Cow<'a, str>, Fault> {
        self.name(key, reason)?.ok_or_else(|| Fault::at(0, reason, format!("`{key}` is missing")))
    }

    /// Strings as they are, other values by their JSON text.
    fn add_metadata(&mut self, members: Vec<Member<'a>>) -> Result<(), Fault> {
        if self.metadata.len() + members.len() > METADATA_MAX {
            let message = format!("more than {METADATA_MAX} attributes beside the data");
            return Err(Fault::at(0, Reason::BadEnvelope, message));
        }
        for Member { key, value, text } in members {
            let value = match value {
                Json::String(string) => string,
                _ => Cow::Borrowed(text),
            };
            self.metadata.insert(key, value);
        }
        Ok(())
    }

    /// Everything not taken yet is metadata.
    fn rest_to_metadata(&mut self) -> Result<(), Fault> {
        let rest = std::mem::take(&mut self.members);
        self.add_metadata(rest)
    }

    fn event(
        self,
        [id, source, event_type]: [Cow<'a, str>; 3],
        sector: Option<Cow<'a, str>>,
        time_ms: i64,
        (data, data_raw): (Json<'a>, &'a str),
    ) -> Event<'a> {
        let raw = self.text.as_bytes();
        let metadata = self.metadata;
        Event { id, source, event_type, sector, time_ms, data, data_raw, raw, metadata, line: 0, offset: 0 }
    }

    fn cloud_event(mut self, time_before_ms: i64, decoded: &'a mut String) -> Result<Event<'a>, Fault> {
        if let Some(version) = self.take("specversion")
            && version.value.as_str() != Some("1.0")
        {
            return Err(self.fault(&version, Reason::BadEnvelope, "`specversion` must be \"1.0\""));
        }
        let event_type = self.required("type", Reason::MissingType)?;
        let id = self.required("id", Reason::BadEnvelope)?;
        let source = self.required("source", Reason::BadEnvelope)?;
        let time_ms = match self.take("time") {
            None => time_before_ms,
            Some(member) => match member.value.as_str().and_then(lexical::date_time_ms) {
                Some(time_ms) => time_ms,
                None => {
                    return Err(self.fault(&member, Reason::BadTime, "`time` must be RFC 3339 with a zone"));
                }
            },
        };
        let data = self.take("data");
        let data = match (data, self.take("data_base64")) {
            (Some(member), None) => (member.value, member.text),
            (None, None) => (Json::Null, "null"),
            (Some(_), Some(binary)) => {
                return Err(self.fault(
                    &binary,
                    Reason::BadEnvelope,
                    "both `data` and `data_base64` are there",
                ));
            }
            (None, Some(binary)) => self.decode(&binary, decoded)?,
        };
        self.rest_to_metadata()?;
        Ok(self.event([id, source, event_type], None, time_ms, data))
    }

    fn decode(&self, binary: &Member<'a>, decoded: &'a mut String) -> Result<(Json<'a>, &'a str), Fault> {
        let fault = |message: String| self.fault(binary, Reason::BinaryData, message);
        let content_type = self.members.iter().find(|member| member.key == "datacontenttype");
        let content_type =
            content_type.and_then(|member| member.value.as_str()).unwrap_or("application/json");
        let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if media != "application/json" && !media.ends_with("+json") {
            return Err(fault(format!("`data_base64` holds {content_type:.64}, not JSON")));
        }
        let bytes = binary.value.as_str().and_then(|text| STANDARD.decode(text).ok());
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        *decoded = text.ok_or_else(|| fault("`data_base64` must be base64 of UTF-8".to_owned()))?;
        let text: &'a str = decoded;
        let data = Json::parse(text).map_err(|error| fault(format!("in `data_base64`: {error}")))?;
        Ok((data, text.trim_matches([' ', '\t', '\r', '\n'])))
    }

    /// Names the keys that are there: often the type stands under another one.
    fn no_type(&self) -> Fault {
        let mut keys: Vec<String> =
            self.members.iter().take(KEYS_NAMED_MAX).map(|member| format!("`{:.32}`", member.key)).collect();
        match self.members.len() {
            0 => keys.push("none".to_owned()),
            all if all > KEYS_NAMED_MAX => keys.push("…".to_owned()),
            _ => {}
        }
        let message = format!("neither `event_type` nor `type` is among its keys ({})", keys.join(", "));
        Fault::at(0, Reason::MissingType, message)
    }

    fn plain(mut self, time_before_ms: i64) -> Result<Event<'a>, Fault> {
        let whole = !self.has("value") && !self.has("data");
        let members = if whole { self.members.clone() } else { Vec::new() };
        let event_type = match self.name("event_type", Reason::MissingType)? {
            Some(name) => name,
            None => match self.name("type", Reason::MissingType)? {
                Some(name) => name,
                None => return Err(self.no_type()),
            },
        };
        let number_id = |value: &Json<'a>| match value {
            Json::Number(number) if number.is_integer() => Some(Cow::Borrowed(number.text())),
            _ => None,
        };
        let id = match self.members.iter().find(|member| member.key == "id").map(|m| number_id(&m.value)) {
            Some(Some(digits)) => {
                self.take("id");
                digits
            }
            Some(None) => self.required("id", Reason::BadEnvelope)?,
            None => Cow::Owned(hex::encode(Sha256::digest(self.text))),
        };
        let source = self.name("source", Reason::BadEnvelope)?.unwrap_or(Cow::Borrowed(UNNAMED_SOURCE));
        let sector = self.name("sector", Reason::BadEnvelope)?;
        let time_ms = match self.take("timestamp").or_else(|| self.take("time")) {
            None => time_before_ms,
            Some(member) => match &member.value {
                Json::Number(number) => number.text().parse().ok(),
                Json::String(text) => lexical::date_time_ms(text),
                _ => None,
            }
            .ok_or_else(|| {
                let message = "the time must be an integer of Unix milliseconds or RFC 3339 with a zone";
                self.fault(&member, Reason::BadTime, message)
            })?,
        };
        if let Some(member) = self.take("metadata").filter(|_| !whole) {
            let Ok(entries) = json::parse_members(member.text) else {
                return Err(self.fault(&member, Reason::BadEnvelope, "`metadata` must be an object"));
            };
            self.add_metadata(entries)?;
        }
        if whole {
            let members = members.into_iter().map(|member| (member.key, member.value)).collect();
            let text = self.text;
            return Ok(self.event([id, source, event_type], sector, time_ms, (Json::Object(members), text)));
        }
        let data = match self.take("value").or_else(|| self.take("data")) {
            Some(member) => (member.value, member.text),
            None => (Json::Null, "null"),
        };
        self.rest_to_metadata()?;
        Ok(self.event([id, source, event_type], sector, time_ms, data))
    }
}
