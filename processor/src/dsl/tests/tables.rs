//! Tables as streams of updates.

use super::*;

#[test]
fn stream_of_a_table_is_its_new_values() {
    let builder = StreamBuilder::new("t");
    let counts = builder.stream::<Text, Text>("in").group_by_key().count("counts");
    counts.to_stream().to("stream");
    counts.updates().to("updates");
    let mut driver = driver(&builder);
    pipe(&mut driver, &[("a", "x"), ("b", "x"), ("a", "x")]);
    let expected = [("a", 1), ("b", 1), ("a", 2)].map(|(key, count)| (key.to_owned(), count));
    assert_eq!(read::<String, i64>(&mut driver, "stream"), expected);
    assert_eq!(read::<String, i64>(&mut driver, "updates"), expected);
}
