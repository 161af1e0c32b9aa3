//! A record as a line of JSON. Bytes that are not UTF-8 are `{"base64": "…"}`.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};

use super::part::Part;
use super::shown::Shown;

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Record", 7)?;
        object.serialize_field("topic", &self.topic)?;
        object.serialize_field("partition", &self.partition)?;
        object.serialize_field("offset", &self.offset)?;
        object.serialize_field("timestamp", &self.timestamp)?;
        object.serialize_field("key", &self.key)?;
        object.serialize_field("value", &self.value)?;
        object.serialize_field("headers", &HeaderPairs(self))?;
        object.end()
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.integer() {
            Some(integer) => serializer.serialize_i64(integer),
            None => Data(self.bytes()).serialize(serializer),
        }
    }
}

/// Text where the bytes are text, else base64.
struct Data<'a>(&'a [u8]);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut object = serializer.serialize_map(Some(1))?;
                object.serialize_entry("base64", &base64(self.0))?;
                object.end()
            }
        }
    }
}

/// A list of pairs and no object, since a header may come more than once.
struct HeaderPairs<'a>(&'a Shown);

impl Serialize for HeaderPairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        self.0
            .headers()
            .try_for_each(|(name, value)| list.serialize_element(&(Data(name), value.map(Data))))?;
        list.end()
    }
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digit = |shift: u32| char::from(ALPHABET[(bits >> shift & 63) as usize]);
        let filled = chunk.len() + 1;
        [18, 12, 6, 0].iter().enumerate().for_each(|(index, shift)| {
            text.push(if index < filled { digit(*shift) } else { '=' });
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::records::Headers;

    use super::super::part::Kind;
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let check = |bytes: &str, expected| assert_eq!(base64(bytes.as_bytes()), expected);
        check("", "");
        check("f", "Zg==");
        check("fo", "Zm8=");
        check("foo", "Zm9v");
        check("foob", "Zm9vYg==");
        check("foobar", "Zm9vYmFy");
        assert_eq!(base64(&[0xff, 0xfb, 0x00]), "//sA");
    }

    #[test]
    fn a_record_is_one_object() {
        let (a, b) = (b"a".as_slice(), b"b".as_slice());
        let headers = [(a, Some(b"1".as_slice())), (a, Some([0xff].as_slice())), (b, None)];
        let record = Shown {
            topic: "logs".to_owned(),
            partition: 1,
            offset: 2,
            timestamp: 3,
            key: Some(Kind::Integer.read(bytes::Bytes::from_static(&[0, 7])).unwrap()),
            value: Some(Kind::Text.read("line".into()).unwrap()),
            headers: Headers::new(headers).unwrap(),
        };
        assert_eq!(
            serde_json::to_string(&record).unwrap(),
            "{\"topic\":\"logs\",\"partition\":1,\"offset\":2,\"timestamp\":3,\"key\":7,\"value\":\"line\",\
             \"headers\":[[\"a\",\"1\"],[\"a\",{\"base64\":\"/w==\"}],[\"b\",null]]}"
        );
    }
}
