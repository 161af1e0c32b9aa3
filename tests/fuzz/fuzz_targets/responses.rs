//! Any bytes as the body of any response: nothing panics, and what was read is read again from what is written.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mainstem_fuzz::{api, joined};
use mainstem_protocol::messages::ResponseBody;

fuzz_target!(|data: &[u8]| {
    let Some((key, version, body)) = api(data) else { return };
    let Ok(response) = ResponseBody::decode(key, Bytes::copy_from_slice(body), version) else { return };
    let mut writer = mainstem_protocol::wire::Writer::new(version, key.flexible_since());
    response.encode_into(&mut writer, version).expect("what was read can be written");
    let again = ResponseBody::decode(key, joined(writer.into_chunks()), version)
        .expect("what was written can be read");
    assert_eq!(response, again);
});
