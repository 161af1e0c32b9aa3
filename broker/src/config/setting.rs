//! How a setting is described, and the macro that makes a section's struct of its descriptions.

use mainstem_storage::config::Kind;

use super::{Config, sections::SECTIONS};

/// Settings of one component.
#[derive(Debug)]
pub struct Section {
    /// Its heading in the manual.
    pub title: &'static str,
    /// What the component does.
    pub about: &'static str,
    /// By order of the manual.
    pub settings: &'static [Setting],
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// The dotted name.
    pub name: &'static str,
    /// What it does, for people.
    pub doc: &'static str,
    /// Range, unit and origin.
    pub shape: Shape,
    /// The type that DescribeConfigs tells.
    pub kind: Kind,
    pub(super) expected: fn(&Shape) -> String,
    pub(super) read: fn(&Config, &Shape) -> String,
    pub(super) write: fn(&mut Config, &str, &Shape) -> Result<(), String>,
}

impl Setting {
    /// The value that `config` has, as it would be written.
    pub fn read(&self, config: &Config) -> String {
        (self.read)(config, &self.shape)
    }

    /// What may be written.
    pub fn expected(&self) -> String {
        (self.expected)(&self.shape)
    }

    pub(super) fn write(&self, config: &mut Config, text: &str) -> Result<(), String> {
        (self.write)(config, text, &self.shape)
    }
}

/// Every setting of every section; the defaults for topics are in `mainstem_storage::config`.
pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

/// The setting called `name`.
pub(super) fn of(name: &str) -> Option<&'static Setting> {
    all().find(|setting| setting.name == name)
}

/// Range, unit and origin of a setting.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The least and the most that a number may be, both included.
    pub range: (i64, i64),
    /// What a number counts.
    pub unit: Unit,
    /// Whose name and meaning it is.
    pub origin: Origin,
    /// Whether it may change while the broker runs.
    pub is_dynamic: bool,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nothing, or it is no number.
    None,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
    /// Minutes.
    Minutes,
}

/// Whose name and meaning a setting has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Kafka's; its class that describes the setting.
    Kafka(&'static str),
    /// Ours.
    Mainstem,
}

impl Shape {
    const WORD: Self = Self { range: (0, 0), unit: Unit::None, origin: Origin::Mainstem, is_dynamic: false };

    /// No number.
    pub(super) const fn word() -> Self {
        Self::WORD
    }

    /// A number of things.
    pub(super) const fn count(least: i64, most: i64) -> Self {
        Self { range: (least, most), ..Self::WORD }
    }

    /// A number of bytes.
    pub(super) const fn bytes(least: i64, most: i64) -> Self {
        Self { range: (least, most), unit: Unit::Bytes, ..Self::WORD }
    }

    /// A time in milliseconds.
    pub(super) const fn milliseconds(least: i64, most: i64) -> Self {
        Self { range: (least, most), unit: Unit::Milliseconds, ..Self::WORD }
    }

    /// A time in minutes.
    pub(super) const fn minutes(least: i64, most: i64) -> Self {
        Self { range: (least, most), unit: Unit::Minutes, ..Self::WORD }
    }

    /// Kafka has it, in this class.
    pub(super) const fn kafka(self, class: &'static str) -> Self {
        Self { origin: Origin::Kafka(class), ..self }
    }

    /// It may change while the broker runs.
    pub(super) const fn dynamic(self) -> Self {
        Self { is_dynamic: true, ..self }
    }
}

/// Makes the struct of a section: a field for each setting, the defaults, and the descriptions.
///
/// A setting reads: its documentation, then `field: type = default, "its.name", shape;`. `at` names the section's field
/// in [`Config`].
macro_rules! settings {
    (
        $(#[doc = $about:literal])*
        pub struct $Settings:ident at $section:ident, $title:literal {
            $(
                $(#[doc = $doc:literal])*
                $field:ident: $type:ty = $default:expr, $name:literal, $shape:expr;
            )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $Settings {
            $(
                #[doc = concat!("`", $name, "`:")]
                $(#[doc = $doc])*
                pub $field: $type,
            )*
        }

        impl Default for $Settings {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $Settings {
            pub(super) const SECTION: $crate::config::Section = $crate::config::Section {
                title: $title,
                about: concat!($($about, "\n",)*),
                settings: &[$($crate::config::Setting {
                    name: $name,
                    doc: concat!($($doc, "\n",)*),
                    shape: $shape,
                    kind: <$type as $crate::config::value::Value>::KIND,
                    expected: <$type as $crate::config::value::Value>::expected,
                    read: |config, shape| $crate::config::value::Value::show(&config.$section.$field, shape),
                    write: |config, text, shape| {
                        config.$section.$field = $crate::config::value::parse(text, shape)?;
                        Ok(())
                    },
                },)*],
            };
        }
    };
}
pub(super) use settings;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_reads_back_what_it_shows() {
        let defaults = Config::default();
        for setting in all() {
            let mut config = Config::default();
            setting.write(&mut config, &setting.read(&defaults)).expect(setting.name);
            assert_eq!(config, defaults, "{}", setting.name);
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = all().map(|setting| setting.name).collect();
        names.extend(mainstem_storage::config::Setting::broker_names());
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_setting_is_documented() {
        let undocumented = all().find(|setting| setting.doc.trim().is_empty());
        assert!(undocumented.is_none(), "{undocumented:?}");
    }
}
