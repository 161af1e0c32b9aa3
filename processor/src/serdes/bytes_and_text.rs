//! Bytes and text, which share the memory of the record; nothing; and what may be null.

use bytes::{Bytes, BytesMut};
use mainstem_client::Text;

use super::{Serde, SerdeError};

impl Serde for Bytes {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        bytes.cloned().ok_or(SerdeError::Null { expected: "bytes" })
    }

    fn encode(&self, _: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        Ok(Some(self.clone()))
    }

    fn format() -> String {
        "bytes".to_owned()
    }
}

/// Text that shares the record's memory.
impl Serde for Text {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        let bytes = bytes.ok_or(SerdeError::Null { expected: "text" })?;
        let not_utf8 = |error: std::str::Utf8Error| SerdeError::NotUtf8 { valid_up_to: error.valid_up_to() };
        Self::try_from(bytes.clone()).map_err(not_utf8)
    }

    fn encode(&self, _: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        Ok(Some(self.as_bytes().clone()))
    }

    fn format() -> String {
        "text".to_owned()
    }
}

/// Text in memory of its own.
impl Serde for String {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        Text::decode(bytes).map(|text| Self::from(&*text))
    }

    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        buffer.extend_from_slice(self.as_bytes());
        Ok(super::written(buffer))
    }

    fn format() -> String {
        "text".to_owned()
    }

    const SHARES_MEMORY: bool = false;
}

/// Whatever is there is not looked at; null is written.
impl Serde for () {
    fn decode(_: Option<&Bytes>) -> Result<Self, SerdeError> {
        Ok(())
    }

    fn encode(&self, _: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        Ok(None)
    }

    fn is_null(&self) -> bool {
        true
    }

    const SHARES_MEMORY: bool = false;
}

/// Null is `None`.
impl<T: Serde> Serde for Option<T> {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        bytes.map(|bytes| T::decode(Some(bytes))).transpose()
    }

    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        match self {
            Some(some) => some.encode(buffer),
            None => Ok(None),
        }
    }

    fn is_null(&self) -> bool {
        self.as_ref().is_none_or(T::is_null)
    }

    fn format() -> String {
        T::format()
    }

    fn fault() -> Option<SerdeError> {
        T::fault()
    }

    const SHARES_MEMORY: bool = T::SHARES_MEMORY;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_share_the_memory_of_the_record() {
        let bytes = Bytes::from_static(b"text");
        let text = Text::decode(Some(&bytes)).unwrap();
        assert_eq!(text.as_ptr(), bytes.as_ptr());
        let again = text.encode(&mut BytesMut::new()).unwrap().unwrap();
        assert_eq!(again.as_ptr(), bytes.as_ptr());
        assert_eq!(Bytes::decode(Some(&bytes)).unwrap().as_ptr(), bytes.as_ptr());
    }

    #[test]
    fn what_is_no_text_is_named_with_its_place() {
        let error = Text::decode(Some(&Bytes::from_static(b"ab\xff"))).unwrap_err();
        assert_eq!(error, SerdeError::NotUtf8 { valid_up_to: 2 });
    }

    #[test]
    fn null_is_none_and_nothing_else() {
        assert_eq!(Option::<Text>::decode(None), Ok(None));
        assert_eq!(Option::<Text>::decode(Some(&Bytes::new())), Ok(Some(Text::new())));
        assert_eq!(None::<Text>.encode(&mut BytesMut::new()), Ok(None));
        assert_eq!(Bytes::decode(None), Err(SerdeError::Null { expected: "bytes" }));
    }
}
