//! Where two answers differ, leaf by leaf.

use std::{collections::BTreeMap, fmt};

use crate::tree::Tree;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) api: String,
    pub(crate) version: i16,
    /// The fields that lead there: `responses[].partitions[].error_code`.
    pub(crate) place: String,
    pub(crate) kafka: Tree,
    pub(crate) mainstem: Tree,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api, version, place, kafka, mainstem } = self;
        write!(f, "{api} v{version}, {place}: Kafka has {kafka}, Mainstem {mainstem}")
    }
}

pub(crate) fn differences(api: &str, version: i16, kafka: &Tree, mainstem: &Tree) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut tell = |place: &str, kafka: &Tree, mainstem: &Tree| {
        let (kafka, mainstem) = (kafka.clone(), mainstem.clone());
        found.push(Difference { api: api.to_owned(), version, place: place.to_owned(), kafka, mainstem });
    };
    walk("", kafka, mainstem, &mut tell);
    found
}

fn walk(place: &str, kafka: &Tree, mainstem: &Tree, tell: &mut impl FnMut(&str, &Tree, &Tree)) {
    match (kafka, mainstem) {
        (Tree::Structure(left), Tree::Structure(right)) if left.len() == right.len() => {
            for ((name, left), (_, right)) in left.iter().zip(right) {
                let dot = if place.is_empty() { "" } else { "." };
                walk(&format!("{place}{dot}{name}"), left, right, tell);
            }
        }
        (Tree::List(left), Tree::List(right)) => walk_list(place, left, right, tell),
        (left, right) if left != right => tell(place, left, right),
        _ => {}
    }
}

/// Items that have names are told apart by them: `configs[cleanup.policy]`. Others are compared one by one where the lists
/// are equally long; otherwise what only one list has is told.
fn walk_list(place: &str, kafka: &[Tree], mainstem: &[Tree], tell: &mut impl FnMut(&str, &Tree, &Tree)) {
    let absent = Tree::atom("absent");
    if let (Some(left), Some(right)) = (by_name(kafka), by_name(mainstem)) {
        let names = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name)));
        return names.for_each(|name| {
            let (left, right) = (left.get(name).copied(), right.get(name).copied());
            let place = format!("{place}[{name}]");
            walk(&place, left.unwrap_or(&absent), right.unwrap_or(&absent), tell);
        });
    }
    let place = format!("{place}[]");
    if kafka.len() == mainstem.len() {
        return kafka.iter().zip(mainstem).for_each(|(left, right)| walk(&place, left, right, tell));
    }
    kafka.iter().filter(|item| !mainstem.contains(item)).for_each(|item| tell(&place, item, &absent));
    mainstem.iter().filter(|item| !kafka.contains(item)).for_each(|item| tell(&place, &absent, item));
}

/// Settings and APIs: each item of the list has a name of its own, which is the same in every sequence.
fn by_name(items: &[Tree]) -> Option<BTreeMap<String, &Tree>> {
    let name = |item: &Tree| match (item.field("name"), item.field("api_key")) {
        (Some(Tree::Text(name)), _) if item.field("value").is_some() => Some(name.clone()),
        (_, Some(Tree::Atom(key))) => Some(key.clone()),
        _ => None,
    };
    let named = items.iter().map(|item| Some((name(item)?, item))).collect::<Option<BTreeMap<_, _>>>()?;
    (named.len() == items.len()).then_some(named)
}
