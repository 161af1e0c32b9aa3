//! The order in which Java walks a `HashMap` or `HashSet`. Where two members claim the same, or several could let go, the
//! first that Kafka's sticky assignors meet decides: whoever wants their results has to walk as they do.
//!
//! A table of buckets that doubles when it is three quarters full; within a bucket in the order of insertion. (From nine
//! entries on Java makes a tree of a bucket, which it walks in nearly the same order; that is left out.)

use mainstem_protocol::Text;

use crate::TopicPartition;

/// Buckets of an empty table.
const BUCKETS: usize = 16;

/// What has a hash code in Java.
pub(super) trait JavaHash: Eq {
    fn java_hash(&self) -> i32;
}

impl JavaHash for Text {
    /// `String.hashCode`.
    fn java_hash(&self) -> i32 {
        self.encode_utf16().fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
    }
}

impl JavaHash for TopicPartition {
    /// `TopicPartition.hashCode`.
    fn java_hash(&self) -> i32 {
        let partition = self.partition.0.wrapping_add(31);
        partition.wrapping_mul(31).wrapping_add(self.topic.java_hash())
    }
}

/// A set that is walked as Java's.
#[derive(Debug)]
pub(super) struct JavaSet<T> {
    buckets: Vec<Vec<T>>,
    len: usize,
}

impl<T: JavaHash> JavaSet<T> {
    pub(super) fn new() -> Self {
        Self { buckets: empty(BUCKETS), len: 0 }
    }

    pub(super) fn insert(&mut self, item: T) {
        let bucket = self.bucket(&item);
        if bucket.contains(&item) {
            return;
        }
        bucket.push(item);
        self.len += 1;
        if self.len * 4 > self.buckets.len() * 3 {
            self.grow();
        }
    }

    pub(super) fn remove(&mut self, item: &T) {
        let bucket = self.bucket(item);
        if let Some(place) = bucket.iter().position(|other| other == item) {
            bucket.remove(place);
            self.len -= 1;
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.buckets.iter().flatten()
    }

    fn bucket(&mut self, item: &T) -> &mut Vec<T> {
        let hash = item.java_hash().cast_unsigned();
        let index = (hash ^ (hash >> 16)) as usize & (self.buckets.len() - 1);
        &mut self.buckets[index]
    }

    fn grow(&mut self) {
        let larger = empty(self.buckets.len() * 2);
        for item in std::mem::replace(&mut self.buckets, larger).into_iter().flatten() {
            self.bucket(&item).push(item);
        }
    }
}

fn empty<T>(count: usize) -> Vec<Vec<T>> {
    std::iter::repeat_with(Vec::new).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_codes_are_javas() {
        assert_eq!(Text::from("").java_hash(), 0);
        assert_eq!(Text::from("hello").java_hash(), 99_162_322);
        assert_eq!(Text::from("polygenelubricants").java_hash(), i32::MIN);
        assert_eq!(TopicPartition::new("hello", 3).java_hash(), (31 + 3) * 31 + 99_162_322);
    }

    #[test]
    fn walk_goes_by_bucket_then_by_age() {
        // "Aa" and "BB" have the same hash code, 2112: bucket 0 of 16.
        let mut set = JavaSet::new();
        for name in ["b", "a", "BB", "Aa", "p"] {
            set.insert(Text::from(name));
        }
        let walked: Vec<_> = set.iter().map(ToString::to_string).collect();
        assert_eq!(walked, ["BB", "Aa", "p", "a", "b"]);
        set.remove(&"BB".into());
        assert_eq!(set.iter().next(), Some(&"Aa".into()));
    }
}
