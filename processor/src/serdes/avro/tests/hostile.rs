//! Bytes that are anything: they are refused, without a panic and without more memory than they have bytes for.

use super::*;

fn refused(schema: &'static AvroSchema, bytes: &[u8]) -> String {
    schema.parsed().unwrap().read::<serde::de::IgnoredAny>(bytes).map(|_| ()).unwrap_err().to_string()
}

fn walked(schema: &'static AvroSchema, bytes: &[u8]) -> Result<(), SerdeError> {
    let schema = schema.parsed().unwrap().schema;
    walk::walk(schema, &apache_avro::schema::ResolvedSchema::new(schema).unwrap(), bytes)
}

/// 2^41 bytes of text, of which there are two.
#[test]
fn length_beyond_the_record_is_refused() {
    static TEXT: AvroSchema = AvroSchema::new(r#""string""#);
    let error = refused(&TEXT, b"\x80\x80\x80\x80\x80\x80\x01ab");
    assert_eq!(error, "not the Avro that is expected: it ends 2199023255550 bytes too early");
    let error = refused(&TEXT, b"\x01");
    assert_eq!(error, "not the Avro that is expected: -1 is no length");
}

/// Items that are null take no bytes: without a limit, six bytes are 2^41 of them.
#[test]
fn count_beyond_the_record_is_refused() {
    static NULLS: AvroSchema = AvroSchema::new(r#"{"type": "array", "items": "null"}"#);
    let error = refused(&NULLS, b"\x80\x80\x80\x80\x80\x80\x01\x00");
    assert_eq!(error, "not the Avro that is expected: 2199023255552 items have no room in its bytes");
    assert_eq!(walked(&NULLS, b"\x14\x00"), Ok(()));
    static NESTED: AvroSchema =
        AvroSchema::new(r#"{"type": "array", "items": {"type": "array", "items": "null"}}"#);
    let many = [&b"\x08"[..], &[0x80, 0x08, 0x00].repeat(4), b"\x00"].concat();
    assert!(refused(&NESTED, &many).contains("512 items have no room in its bytes"));
}

#[test]
fn nesting_without_end_is_refused() {
    static CHAIN: AvroSchema = AvroSchema::new(
        r#"{"type": "record", "name": "Chain", "fields": [{"name": "next", "type": ["null", "Chain"]}]}"#,
    );
    let deep = |depth: usize| [&[2].repeat(depth)[..], &[0]].concat();
    assert_eq!(walked(&CHAIN, &deep(10)), Ok(()));
    assert!(refused(&CHAIN, &deep(1_000_000)).ends_with("values are nested more than 64 deep"));
}

#[test]
fn record_that_ends_too_early_or_too_late_is_refused() {
    for length in 0..WIDE_BYTES.len() {
        assert!(decoded::<Avro<Wide>>(&WIDE_BYTES[..length]).is_err(), "{length} bytes");
    }
    let error = decoded::<Avro<Wide>>(&[WIDE_BYTES, b"x"].concat()).unwrap_err();
    assert_eq!(error.to_string(), "not the Avro that is expected: 1 bytes are left behind the value");
}

/// Also where it is resolved: what makes values of bytes there takes a union that is cut off for null.
#[test]
fn record_of_another_schema_that_ends_too_early_is_refused() {
    for length in 0..OLD_BYTES.len() {
        let bytes = [b"\0\0\0\0\x01", &OLD_BYTES[..length]].concat();
        assert!(decoded::<RegisteredAvro<Order>>(&bytes).is_err(), "{length} bytes");
    }
}

#[test]
fn what_no_value_can_be_is_refused_with_what_it_is() {
    static FLAG: AvroSchema = AvroSchema::new(r#""boolean""#);
    assert!(refused(&FLAG, b"\x02").ends_with("[02] is no truth value"));
    static MAYBE: AvroSchema = AvroSchema::new(r#"["null", "int"]"#);
    assert!(refused(&MAYBE, b"\x04").ends_with("it names alternative 2 of 2, counted from 0"));
    static SMALL: AvroSchema = AvroSchema::new(r#""int""#);
    assert!(refused(&SMALL, b"\xff\xff\xff\xff\x7f").ends_with("is no integer of 32 bits"));
    static LARGE: AvroSchema = AvroSchema::new(r#""long""#);
    assert!(refused(&LARGE, &[0xff; 11]).ends_with("an integer has more than 64 bits"));
    static TEXT: AvroSchema = AvroSchema::new(r#""string""#);
    assert!(refused(&TEXT, b"\x02\xff").contains("its text is not UTF-8"));
}

#[test]
fn blocks_with_their_length_in_front_are_read() {
    static WORDS: AvroSchema = AvroSchema::new(r#"{"type": "array", "items": "string"}"#);
    let bytes = b"\x03\x08\x02a\x02b\x02\x02c\x00"; // two items in four bytes, and one more
    let words = WORDS.parsed().unwrap().read::<Vec<String>>(bytes);
    assert_eq!(words, Ok(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]));
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes: Vec<u8>) {
        let _ = decoded::<Avro<Wide>>(&bytes);
        let _ = decoded::<RegisteredAvro<Wide>>(&bytes);
        let _ = decoded::<RegisteredAvro<Order>>(&[b"\0\0\0\0\x01", &bytes[..]].concat());
    }

    #[test]
    fn changed_records_are_a_record_or_an_error(at in 0..WIDE_BYTES.len(), byte: u8) {
        let mut bytes = WIDE_BYTES.to_vec();
        bytes[at] = byte;
        let _ = decoded::<Avro<Wide>>(&bytes);
        let _ = decoded::<RegisteredAvro<Wide>>(&[b"\0\0\0\x01\x02", &bytes[..]].concat());
    }
}

fn priced(kind: &str, more: &str) -> String {
    let price = format!(r#"{{"type": "bytes"{kind}}}"#);
    format!(r#"{{"type": "record", "name": "P", "fields": [{{"name": "price", "type": {price}}}{more}]}}"#)
}

/// What the bytes of a big decimal become where they are resolved from another schema, and where they are not.
fn price(written: &str, bytes: &'static [u8]) -> Result<Vec<u8>, SerdeError> {
    #[derive(Deserialize)]
    struct Price {
        #[serde(with = "apache_avro::serde::bytes")]
        price: Vec<u8>,
    }
    static NOW: LazyLock<AvroSchema> = LazyLock::new(|| {
        let more = r#", {"name": "currency", "type": "string", "default": "EUR"}"#;
        AvroSchema::new(priced(DECIMAL, more).leak())
    });
    let written = written.to_owned();
    let schemas = AvroSchemas::new(move |_| Ok(written.clone()));
    let found = schemas.resolving(SchemaId(1), &NOW).unwrap().read::<Price>(bytes);
    found.map(|found| found.price)
}

const DECIMAL: &str = r#", "logicalType": "big-decimal""#;

/// Six bytes that speak of 2^28 more.
#[test]
fn length_within_a_big_decimal_is_one_of_bytes_that_are_there() {
    static PRICE: LazyLock<AvroSchema> = LazyLock::new(|| AvroSchema::new(priced(DECIMAL, "").leak()));
    let (good, long) = (b"\x08\x04\x01\x00\x04", b"\x0a\x80\x80\x80\x80\x02");
    let ended = "not the Avro that is expected: it ends 268435456 bytes too early";
    assert_eq!(walked(&PRICE, good), Ok(()));
    assert_eq!(walked(&PRICE, long).unwrap_err().to_string(), ended);
    for kind in [DECIMAL, ""] {
        let written = priced(kind, "");
        assert_eq!(price(&written, good), Ok(b"\x04\x01\x00\x04".to_vec()));
        assert_eq!(price(&written, long).unwrap_err().to_string(), ended);
    }
}
