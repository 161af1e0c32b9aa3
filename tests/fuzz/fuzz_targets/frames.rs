//! Any bytes as they come from a socket, first in the role of a broker, then in that of a client.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mainstem_fuzz::{api, joined};
use mainstem_protocol::{
    CorrelationId, frame,
    header::{RequestHeader, decode_response, encode_request, encode_response, peek_response},
};

fuzz_target!(|data: &[u8]| {
    broker_reads(data);
    client_reads(data);
});

fn broker_reads(data: &[u8]) {
    let Some((prefix, rest)) = data.split_first_chunk() else { return };
    let _ = frame::size(*prefix, frame::REQUEST_BYTES_MIN, 1 << 20);
    let Ok((header, rest)) = RequestHeader::peek(Bytes::copy_from_slice(rest)) else { return };
    let Ok(request) = header.body(rest) else { return };
    let written = joined(encode_request(&header, &request).expect("what was read can be written"));
    let (again, rest) = RequestHeader::peek(written.slice(frame::SIZE_BYTES..)).expect("a header");
    assert_eq!(header, again);
    assert_eq!(Ok(request), again.body(rest));
}

fn client_reads(data: &[u8]) {
    let Some((key, version, frame)) = api(data) else { return };
    let Ok((CorrelationId(id), rest)) = peek_response(Bytes::copy_from_slice(frame)) else { return };
    let Ok(response) = decode_response(key, version, rest) else { return };
    let written =
        encode_response(CorrelationId(id), version, &response).expect("what was read can be written");
    let (again, rest) = peek_response(joined(written).slice(frame::SIZE_BYTES..)).expect("a header");
    assert_eq!((again, decode_response(key, version, rest)), (CorrelationId(id), Ok(response)));
}
