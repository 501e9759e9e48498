//! Descriptions of wire types as JSON Schema, made where the types are defined.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The schemas that a document has collected, by name.
pub type Definitions = BTreeMap<String, Value>;

/// A type that can describe itself.
pub trait Schema {
    /// Whether a value of it may be missing or `null`.
    const OPTIONAL: bool = false;

    /// The name under which a document defines it; `None` for what is written out where it stands.
    const NAME: Option<&'static str> = None;

    /// What it is in a few words, for people.
    fn words() -> String {
        Self::NAME.unwrap_or("value").to_owned()
    }

    /// Its schema, written out; named types that it needs are put into `definitions`.
    fn describe(definitions: &mut Definitions) -> Value;

    /// Its schema as it stands in another one: a reference where it has a name.
    fn reference(definitions: &mut Definitions) -> Value {
        let Some(name) = Self::NAME else {
            return Self::describe(definitions);
        };
        if !definitions.contains_key(name) {
            definitions.insert(name.to_owned(), Value::Null);
            let described = Self::describe(definitions);
            definitions.insert(name.to_owned(), described);
        }
        json!({"$ref": format!("#/components/schemas/{name}")})
    }
}

/// A wire type as the table of methods names it.
#[derive(Clone, Copy)]
pub struct TypeRef {
    /// Its name, where it has one.
    pub name: Option<&'static str>,
    /// What it is in a few words.
    pub words: fn() -> String,
    /// Makes the schema that stands for it.
    pub reference: fn(&mut Definitions) -> Value,
}

impl TypeRef {
    /// The entry of one type.
    pub const fn of<T: Schema>() -> Self {
        Self { name: T::NAME, words: T::words, reference: T::reference }
    }
}

impl std::fmt::Debug for TypeRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&(self.words)())
    }
}

macro_rules! plain {
    ($($type:ty => $schema:tt),+ $(,)?) => {$(
        impl Schema for $type {
            fn describe(_: &mut Definitions) -> Value {
                json!($schema)
            }
        }
    )+};
}

plain! {
    String => {"type": "string"},
    bool => {"type": "boolean"},
    u8 => {"type": "integer", "minimum": 0, "maximum": 255},
    u16 => {"type": "integer", "minimum": 0, "maximum": 65535},
    u32 => {"type": "integer", "minimum": 0, "maximum": 4294967295_u32},
    u64 => {"type": "integer", "minimum": 0},
    i32 => {"type": "integer"},
    i64 => {"type": "integer"},
    Value => {},
}

impl<T: Schema> Schema for Option<T> {
    const OPTIONAL: bool = true;

    fn words() -> String {
        format!("{} or `null`", T::words())
    }

    fn describe(definitions: &mut Definitions) -> Value {
        json!({"anyOf": [T::reference(definitions), {"type": "null"}]})
    }
}

impl<T: Schema> Schema for Vec<T> {
    fn words() -> String {
        format!("list of {}", T::words())
    }

    fn describe(definitions: &mut Definitions) -> Value {
        json!({"type": "array", "items": T::reference(definitions)})
    }
}

impl<T: Schema> Schema for BTreeMap<String, T> {
    fn describe(definitions: &mut Definitions) -> Value {
        json!({"type": "object", "additionalProperties": T::reference(definitions)})
    }
}

/// Joins the lines of a documentation comment to one text.
pub(crate) fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// The plain name of a field that had to be written with `r#`.
pub(crate) fn field_name(written: &'static str) -> &'static str {
    written.strip_prefix("r#").unwrap_or(written)
}

/// A schema with a description beside it.
pub(crate) fn described(mut schema: Value, lines: &[&str]) -> Value {
    if let Value::Object(map) = &mut schema {
        map.insert("description".to_owned(), Value::String(joined(lines)));
    }
    schema
}

/// One field of an object's schema.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) schema: Value,
}

/// The schema of an object. What comes in is closed, what goes out may grow.
pub(crate) fn object(lines: &[&str], closed: bool, fields: Vec<Field>) -> Value {
    let required: Vec<&str> = fields.iter().filter(|f| f.required).map(|f| f.name).collect();
    let properties: serde_json::Map<String, Value> =
        fields.into_iter().map(|f| (f.name.to_owned(), f.schema)).collect();
    let mut schema = json!({"type": "object", "description": joined(lines), "properties": properties});
    if let Value::Object(map) = &mut schema {
        if !required.is_empty() {
            map.insert("required".to_owned(), json!(required));
        }
        if closed {
            map.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
    }
    schema
}

/// Defines a type that goes out: every key is always there, absent values are `null`, readers ignore new keys.
macro_rules! answer {
    ($(
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $($(#[doc = $field_doc:literal])* pub $field:ident: $type:ty,)*
        }
    )+) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $($(#[doc = $field_doc])* pub $field: $type,)*
        }

        impl $crate::schema::Schema for $name {
            const NAME: Option<&'static str> = Some(stringify!($name));

            fn describe(definitions: &mut $crate::schema::Definitions) -> serde_json::Value {
                let fields = vec![$($crate::schema::Field {
                    name: $crate::schema::field_name(stringify!($field)),
                    required: true,
                    schema: $crate::schema::described(
                        <$type as $crate::schema::Schema>::reference(definitions), &[$($field_doc),*]),
                },)*];
                $crate::schema::object(&[$($doc),*], false, fields)
            }
        }
    )+};
}
pub(crate) use answer;

/// Defines a type that comes in: an `Option` or a field marked `#[serde(default)]` may be missing, an unknown key is
/// refused.
macro_rules! call {
    ($(
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $($(#[doc = $field_doc:literal])* $(#[serde($serde:ident)])? pub $field:ident: $type:ty,)*
        }
    )+) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $field_doc])* $(#[serde($serde)])? pub $field: $type,)*
        }

        impl $crate::schema::Schema for $name {
            const NAME: Option<&'static str> = Some(stringify!($name));

            fn describe(definitions: &mut $crate::schema::Definitions) -> serde_json::Value {
                let fields = vec![$($crate::schema::Field {
                    name: $crate::schema::field_name(stringify!($field)),
                    required: !<$type as $crate::schema::Schema>::OPTIONAL
                        && [$(stringify!($serde),)? ""].iter().all(|word| *word != "default"),
                    schema: $crate::schema::described(
                        <$type as $crate::schema::Schema>::reference(definitions), &[$($field_doc),*]),
                },)*];
                $crate::schema::object(&[$($doc),*], true, fields)
            }
        }
    )+};
}
pub(crate) use call;

/// Defines an enum of words. `Other` holds a word of a newer version; nothing of this version ever sends it.
macro_rules! words {
    ($(
        $(#[doc = $doc:literal])*
        pub enum $name:ident {
            $($(#[doc = $word_doc:literal])* $variant:ident = $word:literal,)*
        }
    )+) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[doc = $word_doc])* $variant,)*
            /// A word that this version does not know.
            Other(String),
        }

        impl $name {
            /// Every word of this version.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                Ok(Self::from(&*word))
            }
        }

        impl $crate::schema::Schema for $name {
            const NAME: Option<&'static str> = Some(stringify!($name));

            fn describe(_: &mut $crate::schema::Definitions) -> serde_json::Value {
                let schema = serde_json::json!({"type": "string", "enum": Self::WORDS});
                $crate::schema::described(schema, &[$($doc),*])
            }
        }
    )+};
}
pub(crate) use words;

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macros make public types, here as everywhere")]
mod tests {
    use serde_json::json;

    use super::*;

    words! {
        /// Colours.
        pub enum Colour {
            /// Red.
            Red = "red",
        }
    }

    call! {
        /// Paint something.
        pub struct Paint {
            /// With what.
            pub colour: Option<Colour>,
            /// What.
            pub thing: String,
            /// How often.
            #[serde(default)]
            pub coats: u32,
        }
    }

    #[test]
    fn a_word_of_a_newer_version_survives() {
        let colour: Colour = serde_json::from_value(json!("mauve")).unwrap();
        assert_eq!(colour, Colour::Other("mauve".into()));
        assert_eq!(serde_json::to_value(&colour).unwrap(), json!("mauve"));
    }

    #[test]
    fn h4_an_unknown_key_is_refused_and_a_missing_one_is_its_default() {
        let paint: Paint = serde_json::from_value(json!({"thing": "door"})).unwrap();
        assert_eq!(paint, Paint { colour: None, thing: "door".into(), coats: 0 });
        assert!(serde_json::from_value::<Paint>(json!({"thing": "door", "file": "/etc/hostname"})).is_err());
        assert!(serde_json::from_value::<Paint>(json!({})).is_err());
    }

    #[test]
    fn the_schema_says_what_is_required() {
        let mut definitions = Definitions::new();
        let reference = Paint::reference(&mut definitions);
        assert_eq!(reference, json!({"$ref": "#/components/schemas/Paint"}));
        assert_eq!(definitions["Paint"]["required"], json!(["thing"]));
        assert_eq!(definitions["Colour"]["enum"], json!(["red"]));
    }
}
