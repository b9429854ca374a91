//! JSON text (RFC 8259) as a tree that borrows from the text.
//!
//! The parser is written out here because events need four things of it at once, in one pass: the exact text of
//! numbers (so that `1` and `1.0`, or an integer of 30 digits, stay what they are), the byte span of a member's value
//! (payloads are hashed as received), refusal of duplicate keys, and bounds on depth and on the number of values.

use std::borrow::Cow;

use knhk_ontology::decimal::Decimal;

use crate::error::ProjectionError;

/// Deepest nesting of arrays and objects that is read.
pub const DEPTH_MAX: usize = 128;

/// Most values in one text, counting every scalar, array and object: keeps the tree of a hostile text small.
pub const VALUES_MAX: usize = 1 << 20;

/// Members up to which duplicate keys are looked for pairwise; above, keys are sorted.
const PAIRWISE_MAX: usize = 12;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`: no value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, by its text.
    Number(Number<'a>),
    /// A string, unescaped; borrowed when it held no escape.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object: members in the order of the text; no key occurs twice.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// A JSON number as written. Its value fits a finite 64-bit float; its digits are all kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<'a>(&'a str);

/// The types that JSON values are counted by. A number is an integer when it is written without fraction and exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JsonType {
    /// `null`.
    Null,
    /// `true`, `false`.
    Boolean,
    /// A number without fraction and exponent.
    Integer,
    /// Any other number.
    Decimal,
    /// A string.
    String,
    /// An object.
    Object,
    /// An array.
    Array,
}

impl JsonType {
    /// Every type, in order.
    pub const ALL: [Self; 7] =
        [Self::Null, Self::Boolean, Self::Integer, Self::Decimal, Self::String, Self::Object, Self::Array];

    /// The name used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::String => "string",
            Self::Object => "object",
            Self::Array => "array",
        }
    }
}

impl<'a> Number<'a> {
    /// The text as written.
    pub fn text(self) -> &'a str {
        self.0
    }

    /// Whether it is written without fraction and exponent (`xsd:integer`'s lexical space).
    pub fn is_integer(self) -> bool {
        self.0.bytes().all(|b| b.is_ascii_digit() || b == b'-')
    }

    /// The nearest float.
    pub fn to_f64(self) -> f64 {
        self.0.parse().unwrap_or(0.0)
    }

    /// The exact value, where it has at most 20 digits before and 18 after the point; with an exponent, the value of
    /// the nearest float under the same limits.
    pub fn decimal(self) -> Option<Decimal> {
        if self.0.len() <= 18
            && let Ok(value) = self.0.parse::<i64>()
        {
            return Some(Decimal::from(value));
        }
        if self.0.bytes().any(|b| matches!(b, b'e' | b'E')) {
            Decimal::from_f64(self.to_f64())
        } else {
            self.0.parse().ok()
        }
    }
}

impl<'a> Json<'a> {
    /// Reads one JSON text. White space may surround it; anything else after it is refused.
    ///
    /// # Errors
    /// [`ProjectionError`] with the byte offset of the fault.
    pub fn parse(text: &'a str) -> Result<Self, ProjectionError> {
        let mut parser = Parser::new(text);
        parser.space();
        let value = parser.value(0)?;
        parser.end()?;
        Ok(value)
    }

    /// Its type.
    pub fn json_type(&self) -> JsonType {
        match self {
            Self::Null => JsonType::Null,
            Self::Bool(_) => JsonType::Boolean,
            Self::Number(number) if number.is_integer() => JsonType::Integer,
            Self::Number(_) => JsonType::Decimal,
            Self::String(_) => JsonType::String,
            Self::Object(_) => JsonType::Object,
            Self::Array(_) => JsonType::Array,
        }
    }

    /// The lexical form of a boolean, number or string; `None` for the others.
    pub fn lexical(&self) -> Option<&str> {
        match self {
            Self::Bool(true) => Some("true"),
            Self::Bool(false) => Some("false"),
            Self::Number(number) => Some(number.text()),
            Self::String(text) => Some(text),
            Self::Null | Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The member of an object by key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }
}

/// A member of a text's outermost object, with the exact text of its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Member<'a> {
    /// The key, unescaped.
    pub key: Cow<'a, str>,
    /// The value.
    pub value: Json<'a>,
    /// The value as written, without white space around it.
    pub text: &'a str,
}

/// Reads a JSON text that must be an object, keeping the exact text of each member's value.
///
/// # Errors
/// [`ProjectionError`] with the byte offset of the fault; [`ProjectionError::NotAnObject`] for other values.
pub fn parse_members(text: &str) -> Result<Vec<Member<'_>>, ProjectionError> {
    let mut parser = Parser::new(text);
    parser.space();
    if parser.peek() != Some(b'{') {
        let offset = parser.at;
        parser.value(0)?;
        parser.end()?;
        return Err(ProjectionError::NotAnObject { offset });
    }
    let mut members: Vec<Member<'_>> = Vec::new();
    parser.object(|parser, key| {
        let start = parser.at;
        let value = parser.value(1)?;
        members.push(Member { key, value, text: &parser.text[start..parser.at] });
        Ok(())
    })?;
    refuse_duplicates(members.iter().map(|member| member.key.as_ref()), parser.at)?;
    parser.end()?;
    Ok(members)
}

/// The first key that occurs twice is an error. The offset is that of the object's end: keys are compared when all are
/// known, and the key itself is named.
fn refuse_duplicates<'k>(
    keys: impl ExactSizeIterator<Item = &'k str> + Clone,
    offset: usize,
) -> Result<(), ProjectionError> {
    let duplicate = |key: &str| ProjectionError::DuplicateKey { offset, key: key.chars().take(64).collect() };
    if keys.len() <= PAIRWISE_MAX {
        let mut rest = keys;
        while let Some(key) = rest.next() {
            if rest.clone().any(|other| other == key) {
                return Err(duplicate(key));
            }
        }
        return Ok(());
    }
    let mut sorted: Vec<&str> = keys.collect();
    // Length first: most keys differ in it, and comparing it costs no memory access.
    sorted.sort_unstable_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(duplicate(pair[0])),
        None => Ok(()),
    }
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    values: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, values: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn end(&mut self) -> Result<(), ProjectionError> {
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.syntax("text after the value")) }
    }

    fn syntax(&self, reason: &'static str) -> ProjectionError {
        let reason = if self.at >= self.bytes.len() { "the text ends too early" } else { reason };
        ProjectionError::Syntax { offset: self.at, reason }
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, ProjectionError> {
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(ProjectionError::TooManyValues { offset: self.at });
        }
        match self.peek() {
            Some(b'"') => self.string().map(Json::String),
            Some(b'{' | b'[') if depth >= DEPTH_MAX => Err(ProjectionError::TooDeep { offset: self.at }),
            Some(b'{') => {
                let mut members = Vec::new();
                self.object(|parser, key| {
                    let value = parser.value(depth + 1)?;
                    members.push((key, value));
                    Ok(())
                })?;
                refuse_duplicates(members.iter().map(|(key, _)| key.as_ref()), self.at)?;
                Ok(Json::Object(members))
            }
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(b'N' | b'I') => Err(self.syntax("NaN and Infinity are not JSON numbers")),
            _ => Err(self.syntax("no JSON value starts here")),
        }
    }

    fn word(&mut self, word: &'static str, value: Json<'a>) -> Result<Json<'a>, ProjectionError> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.syntax("only true, false and null are words"))
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, ProjectionError> {
        self.at += 1;
        self.space();
        let mut elements = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Json::Array(elements));
                }
                _ => return Err(self.syntax("`,` or `]` is missing")),
            }
            self.space();
        }
    }

    fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), ProjectionError>,
    ) -> Result<(), ProjectionError> {
        self.at += 1;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.syntax("a key in double quotes is missing"));
            }
            let key = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.syntax("`:` is missing after a key"));
            }
            self.at += 1;
            self.space();
            member(self, key)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.syntax("`,` or `}` is missing")),
            }
            self.space();
        }
    }

    fn digits(&mut self) -> Result<(), ProjectionError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.syntax("a digit is missing"));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Json<'a>, ProjectionError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.syntax("a number starts with a superfluous zero"));
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let mut scaled = false;
        if matches!(self.peek(), Some(b'e' | b'E')) {
            scaled = true;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let number = Number(&self.text[start..self.at]);
        // Without an exponent it takes 309 digits to leave the range of a float.
        if (scaled || number.0.len() > 300) && !number.to_f64().is_finite() {
            return Err(ProjectionError::NumberTooLarge { offset: start });
        }
        Ok(Json::Number(number))
    }

    /// Moves to the next byte of a string that is not plain text.
    fn plain(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            if byte == b'"' || byte == b'\\' || byte < 0x20 {
                return;
            }
            self.at += 1;
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, ProjectionError> {
        self.at += 1;
        let start = self.at;
        self.plain();
        if self.peek() == Some(b'"') {
            let text = &self.text[start..self.at];
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        let mut owned = String::from(&self.text[start..self.at]);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(owned));
                }
                Some(b'\\') => owned.push(self.escape()?),
                Some(_) => return Err(self.syntax("a control character must be escaped in a string")),
                None => return Err(self.syntax("")),
            }
            let start = self.at;
            self.plain();
            owned.push_str(&self.text[start..self.at]);
        }
    }

    fn escape(&mut self) -> Result<char, ProjectionError> {
        self.at += 1;
        let plain = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.syntax("an unknown escape in a string")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode_escape(&mut self) -> Result<char, ProjectionError> {
        let first = self.four_digits()?;
        let code = match first {
            0xD800..=0xDBFF if self.bytes[self.at..].starts_with(b"\\u") => {
                self.at += 1;
                match self.four_digits()? {
                    second @ 0xDC00..=0xDFFF => 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00),
                    second => second,
                }
            }
            other => other,
        };
        // A pair that is no pair leaves a lone surrogate or swallows one: neither is a character.
        let paired = !(0xD800..=0xDBFF).contains(&first) || code > 0xFFFF;
        match char::from_u32(code) {
            Some(character) if paired => Ok(character),
            _ => Err(self.syntax("half a surrogate pair in a string")),
        }
    }

    /// The four hexadecimal digits after a `u`; leaves the position behind them.
    fn four_digits(&mut self) -> Result<u32, ProjectionError> {
        self.at += 1;
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return Err(self.syntax("`\\u` needs four hexadecimal digits")) };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn as_serde(json: &Json<'_>) -> serde_json::Value {
        use serde_json::Value;
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => serde_json::from_str(number.text()).unwrap(),
            Json::String(text) => Value::String(text.to_string()),
            Json::Array(elements) => elements.iter().map(as_serde).collect(),
            Json::Object(members) => {
                Value::Object(members.iter().map(|(key, value)| (key.to_string(), as_serde(value))).collect())
            }
        }
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let text = "{ \"a\" : [1, -2.5e3, true, false, null, \"x\\n\\u00e9\\ud83d\\ude00\\/\"], \"b\":{}, \"c\":[] }";
        let json = Json::parse(text).unwrap();
        assert_eq!(as_serde(&json), serde_json::from_str::<serde_json::Value>(text).unwrap());
        assert_eq!(json.get("a").map(Json::json_type), Some(JsonType::Array));
    }

    #[test]
    fn integers_keep_every_digit_and_are_told_from_decimals() {
        let number = |text| match Json::parse(text).unwrap() {
            Json::Number(number) => (number.is_integer(), number.decimal().map(|d| d.to_string())),
            other => panic!("{other:?}"),
        };
        assert_eq!(number("18446744073709551616"), (true, Some("18446744073709551616".into())));
        assert_eq!(number("123456789012345678901234567890"), (true, None));
        assert_eq!(number("1.0"), (false, Some("1".into())));
        assert_eq!(number("1e2"), (false, Some("100".into())));
        assert_eq!(number("-0.125"), (false, Some("-0.125".into())));
    }

    #[test]
    fn faults_are_refused_with_their_place() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let many = format!("[{}0]", "0,".repeat(VALUES_MAX));
        let keys = (0..40).map(|n| format!("\"k{n}\":1,")).collect::<Vec<_>>().concat();
        for (text, code, offset) in [
            ("", "KNHK-E1401", 0),
            ("{\"a\":NaN}", "KNHK-E1401", 5),
            ("{\"a\":1", "KNHK-E1401", 6),
            ("[1,]", "KNHK-E1401", 3),
            ("[1 2]", "KNHK-E1401", 3),
            ("{a:1}", "KNHK-E1401", 1),
            ("{\"a\" 1}", "KNHK-E1401", 5),
            ("{\"a\":1 \"b\":2}", "KNHK-E1401", 7),
            ("01", "KNHK-E1401", 1),
            ("-", "KNHK-E1401", 1),
            ("1.x", "KNHK-E1401", 2),
            ("tru", "KNHK-E1401", 0),
            ("1 1", "KNHK-E1401", 2),
            ("\"a", "KNHK-E1401", 2),
            ("\"\u{1}\"", "KNHK-E1401", 1),
            ("\"\\x\"", "KNHK-E1401", 2),
            ("\"\\ud800\"", "KNHK-E1401", 7),
            ("\"\\ud800\\u0041\"", "KNHK-E1401", 13),
            ("\"\\u00g0\"", "KNHK-E1401", 5),
            (deep.as_str(), "KNHK-E1402", DEPTH_MAX),
            ("{\"a\":1,\"b\":{\"c\":1,\"c\":2}}", "KNHK-E1403", 24),
            (&format!("{{{keys}\"k7\":2}}"), "KNHK-E1403", keys.len() + 8),
            ("[1e400]", "KNHK-E1404", 1),
            (many.as_str(), "KNHK-E1405", 2 * VALUES_MAX - 1),
        ] {
            let error = Json::parse(text).unwrap_err();
            assert_eq!((error.code(), error.offset()), (code, offset), "{}", &text[..text.len().min(40)]);
        }
        assert_eq!(parse_members("[1]").unwrap_err().code(), "KNHK-E1406");
        assert_eq!(parse_members("{\"a\":1,\"a\":1}").unwrap_err().code(), "KNHK-E1403");
    }

    #[test]
    fn members_keep_the_exact_text_of_their_value() {
        let members = parse_members(" {\"a\": { \"x\" : 1.50 } , \"b\":\"\\u0041\"}\r").unwrap();
        assert_eq!(members[0].text, "{ \"x\" : 1.50 }");
        assert_eq!(members[1].text, "\"\\u0041\"");
        assert_eq!(members[1].value.as_str(), Some("A"));
    }

    fn arbitrary_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            proptest::num::f64::NORMAL.prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                proptest::collection::btree_map(any::<String>(), inner, 0..16)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn valid_texts_read_as_serde_json_reads_them(value in arbitrary_json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(as_serde(&Json::parse(&text).unwrap()), read);
        }

        #[test]
        fn any_text_is_judged_as_serde_json_judges_it(text in "[\\[\\]{}\",:0-9a-fnrtulseE.+\\-\\\\ \u{0}é]{0,24}") {
            let ours = Json::parse(&text);
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            match ours {
                Ok(json) => prop_assert_eq!(Some(as_serde(&json)), theirs.ok()),
                // A duplicate key is the one thing that serde_json lets pass.
                Err(ProjectionError::DuplicateKey { .. }) => {}
                Err(error) => prop_assert!(theirs.is_err(), "{} {}", error, text),
            }
        }

        #[test]
        fn a_damaged_text_never_panics(value in arbitrary_json(), at in any::<prop::sample::Index>(), with in any::<char>()) {
            let text = value.to_string();
            let mut characters: Vec<char> = text.chars().collect();
            let index = at.index(characters.len());
            characters[index] = with;
            let damaged: String = characters.into_iter().collect();
            let _ = Json::parse(&damaged);
            let _ = parse_members(&damaged);
        }
    }
}
