//! The same programs as in java/Cases.java, by their names.

use std::{collections::HashMap, time::Duration};

use mainstem_processor::{
    Grouped, JoinWindows, SessionWindows, SlidingWindows, Stream, StreamBuilder, SuppressBuffer, Suppressed,
    Table, TimeWindows, Topology, TopologyError, Windowed,
};

/// Keys and values are text or null.
pub(crate) type Field = Option<String>;

/// Puts a value to others.
type Put = fn(String, &str) -> String;

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
            ("session", emission) => cases.sessions(cases.grouped(), emission, with, with),
            ("flights", kind) => cases.flights(kind),
            ("readings", kind) => cases.totals(cases.grouped(), kind),
            (kind @ ("tumbling" | "hopping" | "sliding"), emission) => {
                cases.windows(cases.grouped(), kind, emission, with);
            }
            (kind @ ("streams" | "apart"), how) => cases.streams(kind, how),
            ("lookup", how) => cases.lookup(how),
            ("versions", _) => cases.versions(),
            ("settled", how) => cases.settled(how),
            ("tables", how) => cases.tables(how),
            ("foreign", how) => cases.foreign(how),
            ("groups", _) => cases.groups(),
            _ => panic!("there is no case {name}"),
        }
        cases.builder.build()
    }

    fn ms(&self, name: &str) -> Duration {
        Duration::from_millis(self.parameters[name])
    }

    /// Whether the program is to be one that is wrong, so that it is seen whether that is found.
    fn is_wrong(&self) -> bool {
        self.parameters.contains_key("wrong")
    }

    /// Two sides in one order; in the other one where that is to be found.
    fn ordered<T>(&self) -> impl Fn(T, T) -> (T, T) + Send + Sync + use<T> {
        let is_wrong = self.is_wrong();
        move |one, other| if is_wrong { (other, one) } else { (one, other) }
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

    fn grouped(&self) -> Grouped<Field, Field> {
        self.stream("in").group_by_key()
    }

    fn windows(&self, grouped: Grouped<Field, Field>, kind: &str, emission: &str, add: Put) {
        let (size, grace) = (self.ms("size"), self.ms("grace"));
        let windowed = match kind {
            "tumbling" => grouped.windowed_by(TimeWindows::tumbling(size).grace(grace)),
            "hopping" => grouped.windowed_by(TimeWindows::hopping(size, self.ms("advance")).grace(grace)),
            _ => grouped.windowed_by(SlidingWindows::difference(size).grace(grace)),
        };
        let windowed = if emission == "close" { windowed.on_close() } else { windowed };
        let add = move |_: &Field, value: Field, all| add(all, &shown(&value));
        write(&windowed.aggregate("values", String::new, add), emission);
    }

    fn sessions(&self, grouped: Grouped<Field, Field>, emission: &str, add: Put, merge: Put) {
        let windows = SessionWindows::gap(self.ms("size")).grace(self.ms("grace"));
        let sessions = grouped.windowed_by(windows);
        let sessions = if emission == "close" { sessions.on_close() } else { sessions };
        let merge = move |_: &Field, one, other: String| merge(one, &other);
        let add = move |_: &Field, value: Field, all| add(all, &shown(&value));
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
        let ordered = self.ordered();
        let both = move |one: &Field, other: Option<&String>| {
            let (one, other) = ordered(one.clone(), other.cloned());
            pair(Some(&one), Some(&other))
        };
        match how {
            "inner" => stream.join_table(&table, move |_, one, other| both(one, Some(other))),
            _ => stream.left_join_table(&table, move |_, one, other| both(one, other)),
        }
        .to("out");
    }

    fn versions(&self) {
        let stream = self.stream("left");
        if self.is_wrong() {
            let table = self.builder.table::<Field, String>("right");
            stream.left_join_table(&table, looked_up).to("out");
        } else {
            let table = self.builder.versioned_table::<Field, String>("right", self.ms("history"));
            stream.left_join_as_of(&table, looked_up).to("out");
        }
    }

    /// What waits for late values of the table.
    fn settled(&self, how: &str) {
        let table = self.builder.versioned_table::<Field, String>("right", self.ms("history"));
        let (stream, grace) = (self.stream("left"), self.ms("grace"));
        match how {
            "inner" => stream.join_as_of_with_grace(&table, grace, "waiting", |key, one, other| {
                looked_up(key, one, Some(other))
            }),
            _ => stream.left_join_as_of_with_grace(&table, grace, "waiting", looked_up),
        }
        .to("out");
    }

    fn tables(&self, how: &str) {
        let table = |topic: &str| self.builder.table::<Field, String>(topic.to_owned());
        let (left, right) = (table("left"), table("right"));
        let ordered = self.ordered();
        let both = move |one: Option<&String>, other: Option<&String>| {
            let (one, other) = ordered(one.cloned(), other.cloned());
            pair(Some(&one), Some(&other))
        };
        let joined = match how {
            "inner" => left.join(&right, move |_, one, other| both(Some(one), Some(other))),
            "left" => left.left_join(&right, move |_, one, other| both(Some(one), other)),
            _ => left.outer_join(&right, move |_, one, other| both(one, other)),
        };
        joined.filter(|_, value| !value.ends_with('5')).to_stream().to("out");
    }

    /// Values name the key of the other table with their last digits, but for those that end with 9.
    fn foreign(&self, how: &str) {
        let table = |topic: &str| self.builder.table::<Field, String>(topic.to_owned());
        let (left, right) = (table("left"), table("right"));
        let ordered = self.ordered();
        let both = move |one: &String, found: Option<&String>| {
            let (one, found) = ordered(Some(one.clone()), found.cloned());
            pair(Some(&one), Some(&found))
        };
        let named = |_: &Field, value: &String| last(value).filter(|digit| digit != "9").map(Some);
        match how {
            "inner" => {
                left.join_foreign(&right, "joined", named, move |_, one, found| both(one, Some(found)))
            }
            _ => left.left_join_foreign(&right, "joined", named, move |_, one, found| both(one, found)),
        }
        .to_stream()
        .to("out");
    }

    /// Delays of flights, with the states of the airports that they leave from.
    fn flights(&self, kind: &str) {
        let airports = self.builder.table::<Field, String>("airports");
        let state_and_delay = |_: &Field, delay: &Field, state: &String| format!("{state} {}", shown(delay));
        let by_state = |_: Field, text: String| {
            let (state, delay) = text.split_once(' ').unwrap_or_default();
            (Some(state.to_owned()), Some(delay.to_owned()))
        };
        let delays =
            self.stream("flights").join_table(&airports, state_and_delay).map(by_state).group_by_key();
        self.totals(delays, kind);
    }

    /// The number of values, their sum and the largest.
    fn totals(&self, values: Grouped<Field, Field>, kind: &str) {
        let add = |all, value: &str| both(all, &format!("1 {value} {value}"));
        match kind {
            "session" => self.sessions(values, "suppress", add, both),
            _ => self.windows(values, kind, "suppress", add),
        }
    }

    /// The values of a table by their last digits.
    fn groups(&self) {
        let table = self.builder.table::<Field, String>("in");
        let grouped = table.group_by(|_, value: String| (last(&value), value));
        let is_wrong = self.is_wrong();
        let add = |_: &Field, value: String, all| with(all, &value);
        let remove = move |_: &Field, value: String, all: String| {
            if is_wrong { Some(all) } else { without(&all, &value) }
        };
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

fn last(value: &str) -> Field {
    value.chars().last().map(String::from)
}

fn without(all: &str, value: &str) -> Option<String> {
    let mut values: Vec<_> = all.split(',').collect();
    values.iter().position(|known| *known == value).map(|at| values.remove(at));
    (!values.is_empty()).then(|| values.join(","))
}

/// The number of values, their sum and the largest, of two such things.
fn both(one: String, other: &str) -> String {
    if one.is_empty() || other.is_empty() {
        return one + other;
    }
    let numbers =
        |text: &str| text.split(' ').map(|number| number.parse().unwrap_or(0)).collect::<Vec<i64>>();
    let (a, b) = (numbers(&one), numbers(other));
    format!("{} {} {}", a[0] + b[0], a[1] + b[1], a[2].max(b[2]))
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

/// A record of a stream, with what a table held.
fn looked_up(_: &Field, one: &Field, other: Option<&String>) -> String {
    pair(Some(one), Some(&other.cloned()))
}

fn pair(one: Option<&Field>, other: Option<&Field>) -> String {
    let shown = |side: Option<&Field>| side.map_or_else(|| "null".to_owned(), shown);
    format!("{}+{}", shown(one), shown(other))
}
