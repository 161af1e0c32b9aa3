//! Puts an encoded request on a socket without joining its pieces.

use std::{collections::VecDeque, io, io::IoSlice};

use bytes::{Buf, Bytes};
use mainstem_protocol::wire::Chunk;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Writes all chunks, as few system calls as the socket allows.
pub(super) async fn write_chunks(
    socket: &mut (impl AsyncWrite + Unpin),
    chunks: Vec<Chunk>,
) -> io::Result<()> {
    let mut pieces = Pieces(VecDeque::with_capacity(chunks.len()));
    for chunk in chunks {
        pieces.push(chunk)?;
    }
    socket.write_all_buf(&mut pieces).await?;
    socket.flush().await
}

/// Byte strings that follow one another.
struct Pieces(VecDeque<Bytes>);

impl Pieces {
    fn push(&mut self, chunk: Chunk) -> io::Result<()> {
        let bytes = match chunk {
            Chunk::Bytes(bytes) => bytes,
            Chunk::Range(range) => range.bytes()?,
        };
        if !bytes.is_empty() {
            self.0.push_back(bytes);
        }
        Ok(())
    }
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().map_or(&[], |bytes| bytes)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = slices.len().min(self.0.len());
        for (slice, bytes) in slices.iter_mut().zip(&self.0) {
            *slice = IoSlice::new(bytes);
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(front) = self.0.front_mut() {
            if count < front.len() {
                return front.advance(count);
            }
            count -= front.len();
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_passed_over_one_after_the_other() {
        let mut pieces = Pieces(VecDeque::from([Bytes::from_static(b"ab"), Bytes::from_static(b"cde")]));
        pieces.advance(1);
        assert_eq!((pieces.remaining(), pieces.chunk()), (4, b"b".as_slice()));
        pieces.advance(2);
        assert_eq!((pieces.remaining(), pieces.chunk()), (2, b"de".as_slice()));
        pieces.advance(2);
        assert!(!pieces.has_remaining());
    }
}
