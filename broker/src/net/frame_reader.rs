//! Frames off a socket. Memory grows as bytes arrive, never by what a size claims.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use mainstem_protocol::frame::{self, FrameError, REQUEST_BYTES_MIN, SIZE_BYTES};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::timeout,
};

use crate::caps::{READ_AHEAD_BYTES_MAX, READ_BYTES_MIN};

/// Takes a stream of bytes apart into frames.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    source: R,
    buffer: BytesMut,
    frame_bytes_max: usize,
    idle: Duration,
}

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The size in front of the frame cannot be.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The peer closed in the middle of a frame.
    #[error("connection ended within a frame")]
    CutShort,
    /// Nothing came for too long.
    #[error("nothing was said for {} s", .0.as_secs())]
    Idle(Duration),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(super) fn new(source: R, frame_bytes_max: usize, idle: Duration) -> Self {
        Self { source, buffer: BytesMut::new(), frame_bytes_max, idle }
    }

    /// The next frame without its size; `None` where the peer closed between two frames. May be dropped and called
    /// again.
    ///
    /// # Errors
    /// Where there is none to come.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        loop {
            if let Some(frame) = self.take_frame()? {
                return Ok(Some(frame));
            }
            let idle = self.idle;
            match timeout(idle, self.fill()).await.map_err(|_| ReadError::Idle(idle))?? {
                0 if self.buffer.is_empty() => return Ok(None),
                0 => return Err(ReadError::CutShort),
                _ => {}
            }
        }
    }

    /// Reads a little ahead while a request is being answered, and resolves when the peer has gone: nobody waits for
    /// the answer then. May be dropped.
    pub(super) async fn peer_gone(&mut self) {
        while self.buffer.len() < READ_AHEAD_BYTES_MAX {
            if !matches!(self.fill().await, Ok(1..)) {
                return;
            }
        }
        std::future::pending().await
    }

    async fn fill(&mut self) -> io::Result<usize> {
        if self.buffer.capacity() - self.buffer.len() < READ_BYTES_MIN {
            self.buffer.reserve(self.wanted());
        }
        self.source.read_buf(&mut self.buffer).await
    }

    /// What is missing of the frame, but never more than three times what has come already.
    fn wanted(&self) -> usize {
        let missing = self.claimed().map_or(0, |size| (SIZE_BYTES + size).saturating_sub(self.buffer.len()));
        missing.min(3 * self.buffer.len()).max(4 * READ_BYTES_MIN)
    }

    fn claimed(&self) -> Option<usize> {
        let prefix = self.buffer.first_chunk::<SIZE_BYTES>()?;
        frame::size(*prefix, REQUEST_BYTES_MIN, self.frame_bytes_max).ok()
    }

    fn take_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(prefix) = self.buffer.first_chunk::<SIZE_BYTES>() else { return Ok(None) };
        let size = frame::size(*prefix, REQUEST_BYTES_MIN, self.frame_bytes_max)?;
        if self.buffer.len() < SIZE_BYTES + size {
            return Ok(None);
        }
        let frame = self.buffer.split_to(SIZE_BYTES + size).freeze();
        Ok(Some(frame.slice(SIZE_BYTES..)))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    const IDLE: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn frames_come_out_however_the_bytes_were_cut() {
        let (mut peer, ours) = tokio::io::duplex(3);
        let mut reader = FrameReader::new(ours, 100, IDLE);
        let send = async {
            peer.write_all(b"\0\0\0\x08abcdefgh\0\0\0\x09ijklmnopq").await.unwrap();
            drop(peer);
        };
        let receive = async {
            assert_eq!(reader.next().await.unwrap().unwrap(), "abcdefgh");
            assert_eq!(reader.next().await.unwrap().unwrap(), "ijklmnopq");
            assert!(reader.next().await.unwrap().is_none());
        };
        tokio::join!(send, receive);
    }

    #[tokio::test]
    async fn an_end_within_a_frame_is_told() {
        let mut reader = FrameReader::new(&b"\0\0\0\x08abc"[..], 100, IDLE);
        assert!(matches!(reader.next().await, Err(ReadError::CutShort)));
    }

    #[tokio::test]
    async fn a_claim_alone_takes_no_memory() {
        let (mut peer, ours) = tokio::io::duplex(64);
        let mut reader = FrameReader::new(ours, 100 << 20, IDLE);
        peer.write_all(&(100_i32 << 20).to_be_bytes()).await.unwrap();
        tokio::select! {
            biased;
            _ = reader.next() => panic!("there is no frame"),
            () = std::future::ready(()) => {}
        }
        assert!(reader.buffer.capacity() <= 8 * READ_BYTES_MIN);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_the_wait() {
        let (_peer, ours) = tokio::io::duplex(64);
        let mut reader = FrameReader::new(ours, 100, Duration::from_secs(1));
        assert!(matches!(reader.next().await, Err(ReadError::Idle(_))));
    }
}
