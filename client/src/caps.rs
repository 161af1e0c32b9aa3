//! Every limit on what a client holds, waits for or tries again, where no setting says otherwise.

/// Bytes that a response may have at most.
pub const RESPONSE_BYTES_MAX: usize = mainstem_protocol::caps::FRAME_BYTES_MAX;

/// Requests that wait for their response on one connection at the same time.
pub const IN_FLIGHT_MAX: usize = 64;
