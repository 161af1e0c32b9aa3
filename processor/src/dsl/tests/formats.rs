//! How keys and values are read and written.

use super::*;

/// Reads a key and a value, writes them again, and gives the bytes that came out.
fn written<K: Serde + fmt::Debug, V: Serde + fmt::Debug>(key: &K, value: &V) -> (Raw, Raw) {
    let builder = StreamBuilder::new("t");
    builder.stream::<K, V>("in").map(|key, value| (key, value)).to("out");
    let mut driver = driver(&builder);
    let record = TestRecord::new(key.clone(), value.clone(), 0).partition(0);
    driver.pipe_record("in", &record).unwrap();
    read(&mut driver, "out").pop().unwrap()
}

fn some(bytes: &[u8]) -> Raw {
    Some(Bytes::copy_from_slice(bytes))
}

#[test]
fn bytes_and_text_are_written_as_they_are() {
    let key = Bytes::from_static(b"\0\xff");
    assert_eq!(written(&key, &"hä".to_owned()), (some(b"\0\xff"), some("hä".as_bytes())));
    assert_eq!(written(&Text::from("t"), &Bytes::new()), (some(b"t"), some(b"")));
}

#[test]
fn numbers_are_written_big_endian_in_their_width() {
    assert_eq!(written(&1_i32, &-2_i64), (some(&[0, 0, 0, 1]), some(&(-2_i64).to_be_bytes())));
    assert_eq!(written(&258_i16, &0.5_f64), (some(&[1, 2]), some(&[0x3f, 0xe0, 0, 0, 0, 0, 0, 0])));
}

#[test]
fn json_is_written_as_a_document() {
    assert_eq!(written(&Json(vec![1, 2]), &Json(Some(7))), (some(b"[1,2]"), some(b"7")));
    let object = Json(BTreeMap::from([("name".to_owned(), "anna".to_owned())]));
    assert_eq!(written(&(), &object), (None, some(br#"{"name":"anna"}"#)));
}

#[test]
fn null_is_none_and_comes_back_as_null() {
    assert_eq!(written(&None::<Text>, &None::<i64>), (None, None));
    assert_eq!(written(&Some(Text::from("k")), &Some(1_i16)), (some(b"k"), some(&[0, 1])));
}

#[test]
fn values_that_are_kept_come_back_from_the_store_as_they_were() {
    let builder = StreamBuilder::new("t");
    let words = |_: &i32, word: String, mut words: Json<Vec<String>>| {
        words.push(word);
        words
    };
    builder.stream::<i32, String>("in").group_by_key().aggregate("words", Json::default, words).to("out");
    let mut driver = driver(&builder);
    for (key, word) in [(2, "b"), (1, "a"), (2, "c")] {
        driver.pipe("in", key, word, 0).unwrap();
    }
    let stored = driver.store::<i32, Json<Vec<String>>>("words").unwrap();
    let json = |words: &[&str]| Json(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    assert_eq!(stored, [(1, json(&["a"])), (2, json(&["b", "c"]))]);
}
