//! Every limit on what a peer may make us hold while we decode.

/// Bytes that one frame may have at most (Kafka: `socket.request.max.bytes`), unless a listener sets less.
pub const FRAME_BYTES_MAX: usize = 100 * 1024 * 1024;

/// Bytes of decoded structures (not of strings and records, which share the frame) that one message may need:
/// a hostile frame is otherwise worth twenty times its size in memory.
pub const DECODED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes that one compressed batch may yield.
pub const DECOMPRESSED_BYTES_MAX: usize = 256 * 1024 * 1024;
