//! Whatever serde knows, as JSON.

use std::ops::{Deref, DerefMut};

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

use super::{Serde, SerdeError};

/// A key or value that is a JSON document.
///
/// ```
/// use mainstem_processor::{StreamBuilder, TestDriver, serdes::Json};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Deserialize, Serialize)]
/// struct Order {
///     customer: String,
///     cents: i64,
/// }
///
/// let builder = StreamBuilder::new("orders-by-customer");
/// builder
///     .stream::<(), Json<Order>>("orders")
///     .map(|(), Json(order)| (order.customer, order.cents))
///     .to("cents");
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// driver.pipe("orders", (), r#"{"customer":"anna","cents":250}"#, 0)?;
/// assert_eq!(driver.read::<String, i64>("cents")?[0].value, 250);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json<T>(pub T);

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Json<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Serde for Json<T>
where
    T: Serialize + DeserializeOwned + Clone + Send + 'static,
{
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        let bytes = bytes.ok_or(SerdeError::Null { expected: "JSON" })?;
        serde_json::from_slice(bytes).map(Self).map_err(|error| SerdeError::Json(error.to_string()))
    }

    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        serde_json::to_writer(buffer.writer(), &self.0)
            .map_err(|error| SerdeError::Json(error.to_string()))?;
        Ok(super::written(buffer))
    }

    fn format() -> String {
        "json".to_owned()
    }

    const SHARES_MEMORY: bool = false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_named_with_its_place() {
        let error = Json::<Vec<i32>>::decode(Some(&Bytes::from_static(b"[1,"))).unwrap_err();
        assert!(error.to_string().contains("line 1 column 3"), "{error}");
    }

    #[test]
    fn documents_come_back() {
        let bytes = Json(vec![1, 2]).encode(&mut BytesMut::new()).unwrap();
        assert_eq!(bytes.as_deref(), Some(&b"[1,2]"[..]));
        assert_eq!(Json::<Vec<i32>>::decode(bytes.as_ref()), Ok(Json(vec![1, 2])));
    }
}
