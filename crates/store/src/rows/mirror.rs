//! One declaration per type: the row and both conversions follow from it, and a change of the core breaks the build.

/// Declares the row of a core struct or enum. The types are the core's; each part is converted by its own `Stored`.
///
/// Fields that stand `beside` a struct are kept in rows of their own, and come back empty.
macro_rules! mirror {
    (struct $Row:ident = $Core:ty { $($(#[$attr:meta])* $field:ident: $Type:ty,)* } $(beside { $($other:ident),* })?) => {
        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        pub(crate) struct $Row {
            $(
                #[serde(skip_serializing_if = "crate::rows::is_absent")]
                $(#[$attr])*
                $field: <$Type as $crate::rows::Stored>::Row,
            )*
        }

        impl $crate::rows::Part for $Row {}

        impl $crate::rows::Stored for $Core {
            type Row = $Row;

            fn to_row(&self) -> $Row {
                let Self { $($field,)* $($($other: _,)*)? } = self;
                $Row { $($field: $field.to_row(),)* }
            }

            fn from_row(row: $Row) -> Result<Self, $crate::rows::Malformed> {
                Ok(Self {
                    $($field: $crate::rows::Stored::from_row(row.$field)?,)*
                    $($($other: Default::default(),)*)?
                })
            }
        }
    };
    (enum $Row:ident = $Core:ty {
        $($Variant:ident $(($inner:ident: $Inner:ty))? $({ $($field:ident: $Type:ty,)* })?,)*
    }) => {
        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum $Row {
            $($Variant
                $((<$Inner as $crate::rows::Stored>::Row))?
                $({ $(
                    #[serde(skip_serializing_if = "crate::rows::is_absent")]
                    $field: <$Type as $crate::rows::Stored>::Row,
                )* })?,)*
        }

        impl $crate::rows::Part for $Row {}

        impl $crate::rows::Stored for $Core {
            type Row = $Row;

            fn to_row(&self) -> $Row {
                match self {
                    $(Self::$Variant $(($inner))? $({ $($field,)* })? =>
                        $Row::$Variant $(($inner.to_row()))? $({ $($field: $field.to_row(),)* })?,)*
                }
            }

            fn from_row(row: $Row) -> Result<Self, $crate::rows::Malformed> {
                Ok(match row {
                    $($Row::$Variant $(($inner))? $({ $($field,)* })? => Self::$Variant
                        $(($crate::rows::Stored::from_row($inner)?))?
                        $({ $($field: $crate::rows::Stored::from_row($field)?,)* })?,)*
                })
            }
        }
    };
}
