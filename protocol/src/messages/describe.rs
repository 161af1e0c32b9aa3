//! The descriptions' language: what a structure holds, and in which versions.
//!
//! ```text
//! message! {
//!     /// What it is for.
//!     FetchRequest [4..=17, flexible 12..] {
//!         max_wait_ms: i32,                                     // in every version
//!         session_id: i32 [7..],                                // from version 7 on
//!         cluster_id: Option<Text> [12.., tag 0],               // a tagged field
//!         key: Option<Text> [0.., null 4..],                    // may be null from version 4 on
//!         isolation_level: i8 [4.., default 1],                 // what it is where the version lacks it
//!     }
//! }
//! structure! { FetchTopic { ... } }
//! ```
//!
//! A field that a version lacks is left out when written and has its default when read.

/// Describes structures inside a message.
macro_rules! structure {
    ($(
        $(#[$attribute:meta])*
        $name:ident {
            $($field:ident: $type:ty $([
                $since:expr
                $(, null $null:expr)?
                $(, tag $tag:literal)?
                $(, default $default:expr)?
            ])?),* $(,)?
        }
    )*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $(pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: describe::or_default!($($($default)?)?),)* }
            }
        }

        impl $crate::wire::Wire for $name {
            #[allow(unused_variables, unused_mut, reason = "few structures have tagged fields")]
            fn read(reader: &mut $crate::wire::Reader) -> Result<Self, $crate::wire::DecodeError> {
                let version = reader.version();
                let mut this = Self {$(
                    $field: if describe::untagged!($($($tag)?)?) && describe::within!(version $(, $since)?) {
                        describe::read!(reader, version $($(, $null)?)?)?
                    } else {
                        describe::or_default!($($($default)?)?)
                    },
                )*};
                reader.tagged_fields(|tag, reader| match tag {
                    $($($($tag if ($since).contains(&version) => {
                        this.$field = $crate::wire::Wire::read(reader)?;
                        reader.finish()
                    })?)?)*
                    _ => Ok(()),
                })?;
                Ok(this)
            }

            #[allow(unused_variables, reason = "few structures have gates")]
            fn write(&self, writer: &mut $crate::wire::Writer) -> Result<(), $crate::wire::EncodeError> {
                let version = writer.version();
                $(if describe::untagged!($($($tag)?)?) && describe::within!(version $(, $since)?) {
                    describe::write!(&self.$field, writer, version $($(, $null)?)?)?;
                })*
                writer.tags(0 $(+ u32::from(describe::tagged!(
                    self.$field, $type, version, [$($since $(, $tag)?)?], [$($($default)?)?]
                )))*);
                $(describe::write_tagged!(
                    self.$field, $type, writer, version, [$($since $(, $tag)?)?], [$($($default)?)?]
                );)*
                Ok(())
            }

            fn each_error(&self, tell: &mut impl FnMut($crate::ErrorCode)) {
                $($crate::wire::Wire::each_error(&self.$field, tell);)*
            }
        }

        impl $crate::wire::Detach for $name {
            fn detach(&mut self) {
                $($crate::wire::Detach::detach(&mut self.$field);)*
            }
        }

        #[cfg(test)]
        impl $crate::specimen::Specimen for $name {
            fn specimen(source: &mut dyn $crate::specimen::Source, version: i16) -> Self {
                let mut this = Self::default();
                $(if describe::within!(version $(, $since)?) {
                    this.$field = describe::specimen!(source, version $($(, $null)?)?);
                })*
                this
            }

            fn shape() -> $crate::specimen::Shape {
                let absent = Self::default();
                $crate::specimen::Shape::Structure(vec![$($crate::specimen::Field {
                    name: stringify!($field),
                    shape: <$type as $crate::specimen::Specimen>::shape(),
                    versions: describe::versions!($($since)?),
                    null: describe::versions!($($($null)?)?),
                    tag: describe::tag!($($($tag)?)?),
                    default: $crate::specimen::Specimen::as_default(&absent.$field),
                }),*])
            }
        }

        impl $crate::wire::Nullable for $name {
            fn read_nullable(
                reader: &mut $crate::wire::Reader,
            ) -> Result<Option<Self>, $crate::wire::DecodeError> {
                match <i8 as $crate::wire::Wire>::read(reader)? {
                    ..0 => Ok(None),
                    _ => $crate::wire::Wire::read(reader).map(Some),
                }
            }

            fn write_nullable(
                value: Option<&Self>,
                writer: &mut $crate::wire::Writer,
            ) -> Result<(), $crate::wire::EncodeError> {
                writer.put(&[if value.is_some() { 1 } else { 0xff }]);
                value.map_or(Ok(()), |value| $crate::wire::Wire::write(value, writer))
            }
        }
    )*};
}

/// Describes a message: a structure with versions of its own.
macro_rules! message {
    (
        $(#[$attribute:meta])*
        $name:ident [$versions:expr, flexible $flexible:literal..] { $($body:tt)* }
    ) => {
        structure! { $(#[$attribute])* $name { $($body)* } }

        impl $crate::messages::Message for $name {
            const VERSIONS: std::ops::RangeInclusive<i16> = $versions;
            const FLEXIBLE_SINCE: i16 = $flexible;
        }
    };
}

macro_rules! or_default {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}

macro_rules! untagged {
    () => {
        true
    };
    ($tag:literal) => {
        false
    };
}

macro_rules! within {
    ($version:ident) => {
        true
    };
    ($version:ident, $since:expr) => {
        ($since).contains(&$version)
    };
}

macro_rules! read {
    ($reader:ident, $version:ident) => {
        $crate::wire::Wire::read($reader)
    };
    ($reader:ident, $version:ident, $null:expr) => {
        if ($null).contains(&$version) {
            $crate::wire::Wire::read($reader)
        } else {
            $crate::wire::Wire::read($reader).map(Some)
        }
    };
}

macro_rules! write {
    ($field:expr, $writer:ident, $version:ident) => {
        $crate::wire::Wire::write($field, $writer)
    };
    ($field:expr, $writer:ident, $version:ident, $null:expr) => {
        match $field {
            Some(value) if !($null).contains(&$version) => $crate::wire::Wire::write(value, $writer),
            None if !($null).contains(&$version) => Err($crate::wire::EncodeError::UnexpectedNull($version)),
            field => $crate::wire::Wire::write(field, $writer),
        }
    };
}

/// Whether a field is to be written behind the others: it is tagged, in this version, and off its default.
macro_rules! tagged {
    ($field:expr, $type:ty, $version:ident, [$since:expr, $tag:literal], [$($default:expr)?]) => {
        ($since).contains(&$version)
            && $field != std::convert::identity::<$type>(describe::or_default!($($default)?))
    };
    ($field:expr, $type:ty, $version:ident, [$($since:expr)?], [$($default:expr)?]) => {
        false
    };
}

macro_rules! write_tagged {
    ($field:expr, $type:ty, $writer:ident, $version:ident, [$since:expr, $tag:literal], [$($default:expr)?]) => {
        if describe::tagged!($field, $type, $version, [$since, $tag], [$($default)?]) {
            $writer.tagged_field($tag, &$field)?;
        }
    };
    ($field:expr, $type:ty, $writer:ident, $version:ident, [$($since:expr)?], [$($default:expr)?]) => {};
}

#[cfg(test)]
macro_rules! specimen {
    ($source:ident, $version:ident) => {
        $crate::specimen::Specimen::specimen($source, $version)
    };
    ($source:ident, $version:ident, $null:expr) => {
        if ($null).contains(&$version) {
            $crate::specimen::Specimen::specimen($source, $version)
        } else {
            Some($crate::specimen::Specimen::specimen($source, $version))
        }
    };
}

#[cfg(test)]
macro_rules! versions {
    () => {
        0..=i16::MAX
    };
    ($versions:expr) => {
        $crate::specimen::limits($versions)
    };
}

#[cfg(test)]
macro_rules! tag {
    () => {
        None
    };
    ($tag:literal) => {
        Some($tag)
    };
}

pub(crate) use {message, or_default, read, structure, tagged, untagged, within, write, write_tagged};
#[cfg(test)]
pub(crate) use {specimen, tag, versions};
