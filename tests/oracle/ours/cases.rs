//! The same programs as in java/Cases.java, by their names.

use std::{collections::HashMap, time::Duration};

use mainstem_processor::{
    JoinWindows, SessionWindows, SlidingWindows, Stream, StreamBuilder, SuppressBuffer, Suppressed, Table,
    TimeWindows, Topology, TopologyError, Windowed, WindowedStream,
};

/// Keys and values are text or null.
pub(crate) type Field = Option<String>;

/// A program that is being built, with the numbers of its scene.
pub(crate) struct Cases {
    builder: StreamBuilder,
    parameters: HashMap<String, u64>,
}

impl Cases {
    pub(crate) fn topology(name: &str, parameters: HashMap<String, u64>) -> Result<Topology, TopologyError> {
        let cases = Self { builder: StreamBuilder::new("oracle"), parameters };
        match name.split_once('-').unwrap_or((name, "")) {
            ("steps", _) => cases.steps(),
            ("words", _) => cases.words(),
            ("counts", _) => cases.counts(),
            ("limit", _) => cases.limit(),
            ("session", emission) => cases.sessions(emission),
            (kind @ ("tumbling" | "hopping" | "sliding"), emission) => cases.windows(kind, emission),
            (kind @ ("streams" | "apart"), how) => cases.streams(kind, how),
            ("lookup", how) => cases.lookup(how),
            ("versions", _) => cases.versions(),
            ("tables", how) => cases.tables(how),
            ("groups", _) => cases.groups(),
            _ => panic!("there is no case {name}"),
        }
        cases.builder.build()
    }

    fn ms(&self, name: &str) -> Duration {
        Duration::from_millis(self.parameters[name])
    }

    fn stream(&self, topic: &str) -> Stream<Field, Field> {
        self.builder.stream(topic.to_owned())
    }

    fn steps(&self) {
        let twice = |key: Field, value: Field| {
            let marked = value.as_ref().map(|value| format!("{value}!"));
            [(value, key.clone()), (key, marked)]
        };
        let kept = |_: &Field, value: &Field| value.as_ref().is_some_and(|value| !value.ends_with('0'));
        let split = self.stream("in").filter(kept).flat_map(twice).split("b");
        let is_marked = |_: &Field, value: &Field| value.as_ref().is_some_and(|value| value.ends_with('!'));
        let marked = split.branch("marked", is_marked).map_values(|value| value.map(|value| value + "?"));
        let rest = split.rest("rest").select_key(|key, _| Some(format!("k{}", shown(key))));
        marked.merge(&rest).to("out");
    }

    fn words(&self) {
        let words =
            |line: Field| line.map_or_else(Vec::new, |line| line.split(' ').map(str::to_owned).collect());
        let words = self.stream("in").flat_map_values(words);
        let counts = words.group_by(|_, word| word.clone()).count("counts");
        counts.map_values(|count| count.to_string()).to_stream().to("out");
    }

    /// Kafka Streams counts no nulls.
    fn counted(&self) -> Table<Field, i64> {
        self.stream("in").filter(|_, value| value.is_some()).group_by_key().count("counts")
    }

    fn counts(&self) {
        let counts = self.counted().filter(|_, count| count % 3 != 0);
        counts.map_values(|count| count.to_string()).to_stream().to("out");
    }

    fn limit(&self) {
        let limit = Suppressed::until_time_limit(self.ms("limit"), SuppressBuffer::unbounded());
        self.counted().suppress("held", limit).map_values(|count| count.to_string()).to_stream().to("out");
    }

    fn windows(&self, kind: &str, emission: &str) {
        let (grouped, size, grace) = (self.stream("in").group_by_key(), self.ms("size"), self.ms("grace"));
        let windowed = match kind {
            "tumbling" => grouped.windowed_by(TimeWindows::tumbling(size).grace(grace)),
            "hopping" => grouped.windowed_by(TimeWindows::hopping(size, self.ms("advance")).grace(grace)),
            _ => grouped.windowed_by(SlidingWindows::difference(size).grace(grace)),
        };
        let windowed = if emission == "close" { windowed.on_close() } else { windowed };
        write(&together(&windowed), emission);
    }

    fn sessions(&self, emission: &str) {
        let windows = SessionWindows::gap(self.ms("size")).grace(self.ms("grace"));
        let sessions = self.stream("in").group_by_key().windowed_by(windows);
        let sessions = if emission == "close" { sessions.on_close() } else { sessions };
        let merge = |_: &Field, one, other: String| with(one, &other);
        let add = |_: &Field, value: Field, all| with(all, &shown(&value));
        write(&sessions.aggregate("values", String::new, add, merge), emission);
    }

    /// Two topics, or ("apart") one whose records are told apart by their values.
    fn streams(&self, kind: &str, how: &str) {
        let (left, right) = match kind {
            "streams" => (self.stream("left"), self.stream("right")),
            _ => {
                let begins = |with: char| move |value: &str| value.starts_with(with);
                let [is_left, is_right] = ['l', 'r'].map(begins);
                let left = move |_: &Field, value: &Field| value.as_deref().is_none_or(is_left);
                let right = move |_: &Field, value: &Field| value.as_deref().is_some_and(is_right);
                let all = self.stream("in");
                (all.filter(left), all.filter(right))
            }
        };
        let windows = JoinWindows::within(self.ms("before")).after(self.ms("after")).grace(self.ms("grace"));
        match how {
            "inner" => left.join(&right, windows, "kept", |_, one, other| pair(Some(one), Some(other))),
            "left" => left.left_join(&right, windows, "kept", |_, one, other| pair(Some(one), other)),
            _ => left.outer_join(&right, windows, "kept", |_, one, other| pair(one, other)),
        }
        .to("out");
    }

    fn lookup(&self, how: &str) {
        let (stream, table) = (self.stream("left"), self.builder.table::<Field, String>("right"));
        match how {
            "inner" => stream.join_table(&table, |_, one, other| pair(Some(one), Some(&known(other)))),
            _ => stream.left_join_table(&table, |_, one, other| {
                pair(Some(one), other.map(|other| known(other)).as_ref())
            }),
        }
        .to("out");
    }

    fn versions(&self) {
        let table = self.builder.versioned_table::<Field, String>("right", self.ms("history"));
        let found = |_: &Field, one: &Field, other: Option<&String>| {
            pair(Some(one), other.map(|other| known(other)).as_ref())
        };
        self.stream("left").left_join_as_of(&table, found).to("out");
    }

    fn tables(&self, how: &str) {
        let table = |topic: &str| self.builder.table::<Field, String>(topic.to_owned());
        let (left, right) = (table("left"), table("right"));
        let both = |one: Option<&String>, other: Option<&String>| {
            format!("{}+{}", one.map_or("null", String::as_str), other.map_or("null", String::as_str))
        };
        let joined = match how {
            "inner" => left.join(&right, move |_, one, other| both(Some(one), Some(other))),
            "left" => left.left_join(&right, move |_, one, other| both(Some(one), other)),
            _ => left.outer_join(&right, move |_, one, other| both(one, other)),
        };
        joined.filter(|_, value| !value.ends_with('5')).to_stream().to("out");
    }

    /// The values of a table by their last digits.
    fn groups(&self) {
        let table = self.builder.table::<Field, String>("in");
        let last = |value: &str| value.chars().last().map(String::from);
        let grouped = table.group_by(move |_, value: String| (last(&value), value));
        let (add, remove) = (
            |_: &Field, value: String, all| with(all, &value),
            |_: &Field, value: String, all: String| without(&all, &value),
        );
        grouped.aggregate("values", String::new, add, remove).to_stream().to("out");
    }
}

/// Values that came together, in the order of their coming.
fn with(all: String, value: &str) -> String {
    match (all.is_empty(), value.is_empty()) {
        (true, _) => value.to_owned(),
        (_, true) => all,
        _ => all + "," + value,
    }
}

fn without(all: &str, value: &str) -> Option<String> {
    let mut values: Vec<_> = all.split(',').collect();
    values.iter().position(|known| *known == value).map(|at| values.remove(at));
    (!values.is_empty()).then(|| values.join(","))
}

fn together(windowed: &WindowedStream<Field, Field>) -> Table<Windowed<Field>, String> {
    windowed.aggregate("values", String::new, |_, value, all| with(all, &shown(&value)))
}

fn write(table: &Table<Windowed<Field>, String>, emission: &str) {
    let shown_table = match emission {
        "suppress" => table.suppress("held", Suppressed::until_window_closes(SuppressBuffer::unbounded())),
        _ => table.clone(),
    };
    let label = |Windowed { key, window }: &Windowed<Field>| {
        format!("{}@{}..{}", shown(key), window.start.0, window.end.0)
    };
    shown_table.to_stream().map(move |key, value| (label(&key), value)).to("out");
}

/// As Java writes it.
fn shown(field: &Field) -> String {
    field.clone().unwrap_or_else(|| "null".to_owned())
}

fn known(value: &str) -> Field {
    Some(value.to_owned())
}

fn pair(one: Option<&Field>, other: Option<&Field>) -> String {
    let shown = |side: Option<&Field>| side.map_or_else(|| "null".to_owned(), shown);
    format!("{}+{}", shown(one), shown(other))
}
