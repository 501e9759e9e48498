//! Query strings: a struct of scalars and lists to `a=1&b=x&b=y` and back.
//!
//! Lists are repeated keys, absent values are missing keys, an unknown key is refused by the type that is read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::value::{Error, MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde_json::Value;

/// Writes a query; empty for a query that says nothing.
pub fn to_query<T: Serialize>(query: &T) -> String {
    let mut text = String::new();
    if let Ok(Value::Object(fields)) = serde_json::to_value(query) {
        for (key, value) in &fields {
            push_field(&mut text, key, value);
        }
    }
    text
}

fn push_field(text: &mut String, key: &str, value: &Value) {
    match value {
        Value::Null | Value::Bool(false) | Value::Object(_) => {}
        Value::Bool(true) => push_pair(text, key, "true"),
        Value::Number(number) => push_pair(text, key, &number.to_string()),
        Value::String(word) => push_pair(text, key, word),
        Value::Array(items) => items.iter().for_each(|item| push_field(text, key, item)),
    }
}

fn push_pair(text: &mut String, key: &str, value: &str) {
    if !text.is_empty() {
        text.push('&');
    }
    text.push_str(key);
    text.push('=');
    text.push_str(&percent_encode(value));
}

/// Writes bytes that are not unreserved in URLs as `%XX`.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// Reads `%XX` and, as forms do, `+` as a space.
fn percent_decode(text: &str) -> Result<Cow<'_, str>, Error> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex_pair(bytes.next(), bytes.next())?,
            other => other,
        });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| Error::custom("the query is not UTF-8"))
}

fn hex_pair(high: Option<u8>, low: Option<u8>) -> Result<u8, Error> {
    let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
    let value = digit(high).zip(digit(low)).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
    value.ok_or_else(|| Error::custom("`%` needs two hexadecimal digits after it"))
}

/// Reads a query, without its `?`.
///
/// # Errors
/// What is wrong, naming the key where one is known.
pub fn from_query<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let mut fields: BTreeMap<Cow<'_, str>, Values<'_>> = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.entry(percent_decode(key)?).or_default().0.push(percent_decode(value)?);
    }
    T::deserialize(MapDeserializer::new(fields.into_iter()))
}

/// All values of one key, in order.
#[derive(Default)]
struct Values<'a>(Vec<Cow<'a, str>>);

impl Values<'_> {
    fn single(&self) -> Result<&str, Error> {
        match self.0.as_slice() {
            [one] => Ok(one),
            _ => Err(Error::custom("a key that takes one value is given several times")),
        }
    }

    fn number<N: std::str::FromStr>(&self) -> Result<N, Error> {
        let text = self.single()?;
        text.parse().map_err(|_| Error::custom(format!("`{text}` is not a number that fits")))
    }
}

impl<'de> IntoDeserializer<'de, Error> for Values<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.number::<$type>()?)
        }
    )+};
}

impl<'de> Deserializer<'de> for Values<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.single()?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.single()? {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            other => Err(Error::custom(format!("`{other}` is neither `true` nor `false`"))),
        }
    }

    numbers! {
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let items: Vec<String> = self.0.into_iter().map(Cow::into_owned).collect();
        visitor.visit_seq(SeqDeserializer::new(items.into_iter()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let word: StrDeserializer<'_, Error> = self.single()?.into_deserializer();
        de::Deserializer::deserialize_enum(word, name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct map
        struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::event::EventsQuery;
    use crate::types::turn::WaitQuery;

    #[test]
    fn a_query_survives_its_text() {
        let query = WaitQuery {
            session: vec!["fizz-top".into(), "vi-jg".into()],
            r#for: Some("m42".into()),
            timeout_ms: Some(300_000),
            through_input: true,
            ..WaitQuery::default()
        };
        let text = to_query(&query);
        assert_eq!(text, "for=m42&session=fizz-top&session=vi-jg&through_input=true&timeout_ms=300000");
        assert_eq!(from_query::<WaitQuery>(&text).unwrap(), query);
        assert_eq!(from_query::<WaitQuery>("").unwrap(), WaitQuery::default());
    }

    #[test]
    fn text_is_escaped() {
        let query = EventsQuery { types: vec!["turn.*".into(), "a b&c=d/é".into()], ..EventsQuery::default() };
        let text = to_query(&query);
        assert_eq!(text, "types=turn.%2A&types=a%20b%26c%3Dd%2F%C3%A9");
        assert_eq!(from_query::<EventsQuery>(&text).unwrap(), query);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |text: &str| from_query::<EventsQuery>(text).unwrap_err().to_string();
        assert!(error("sinse=3").contains("sinse"));
        assert!(error("since=x").contains("`x`"));
        assert!(error("since=1&since=2").contains("several times"));
        assert!(error("follow=maybe").contains("`maybe`"));
        assert!(error("types=%zz").contains("hexadecimal"));
        assert!(error("types=%ff").contains("UTF-8"));
    }
}
