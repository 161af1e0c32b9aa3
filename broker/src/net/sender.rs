//! Responses onto a socket: memory by vectored writes, file ranges by `sendfile`, nothing copied in user space.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    os::fd::AsFd,
    sync::Arc,
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use mainstem_protocol::{records::RecordsRange, wire::Chunk};
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::{io::Interest, net::TcpStream, net::tcp::OwnedWriteHalf, time::timeout};

use crate::{
    caps::{SEND_FILE_BYTES_MAX, SEND_PIECES_MAX},
    partition::file_range::{Sendable, sendable},
};

/// The half of a connection that responses leave by.
#[derive(Debug)]
pub(super) struct Sender {
    socket: OwnedWriteHalf,
    idle: Duration,
}

impl Sender {
    /// `idle` is how long a peer may take none of the bytes.
    pub(super) const fn new(socket: OwnedWriteHalf, idle: Duration) -> Self {
        Self { socket, idle }
    }

    /// Sends one response whole, and returns its bytes.
    ///
    /// # Errors
    /// Where the peer has gone or takes nothing, or a file turns out shorter than it was (durability 23): in all
    /// cases the connection is of no more use.
    pub(super) async fn send(&self, chunks: Vec<Chunk>) -> io::Result<usize> {
        let sent = chunks.iter().map(Chunk::len).sum();
        let mut memory = VecDeque::new();
        for chunk in chunks {
            match chunk {
                Chunk::Bytes(bytes) => memory.push_back(bytes),
                Chunk::Range(range) => self.send_range(range, &mut memory).await?,
            }
        }
        self.send_memory(&mut memory, SendFlags::NOSIGNAL).await?;
        Ok(sent)
    }

    async fn send_range(&self, range: Arc<dyn RecordsRange>, before: &mut VecDeque<Bytes>) -> io::Result<()> {
        match sendable(&*range) {
            Some(file) => {
                // What is in memory waits in the kernel for what follows, so that it makes no packet of its own.
                self.send_memory(before, SendFlags::NOSIGNAL | SendFlags::MORE).await?;
                self.send_file(file).await
            }
            None => {
                before.push_back(read(range).await?);
                Ok(())
            }
        }
    }

    async fn send_memory(&self, memory: &mut VecDeque<Bytes>, flags: SendFlags) -> io::Result<()> {
        memory.retain(|bytes| !bytes.is_empty());
        while !memory.is_empty() {
            let sent = self.when_writable(|socket| send_pieces(socket, memory, flags)).await?;
            advance(memory, sent);
        }
        Ok(())
    }

    async fn send_file(&self, mut file: Sendable<'_>) -> io::Result<()> {
        while file.length > 0 {
            let count = file.length.min(SEND_FILE_BYTES_MAX);
            let sent = self
                .when_writable(|socket| {
                    let mut position = file.position;
                    Ok(rustix::fs::sendfile(socket, file.descriptor, Some(&mut position), count)?)
                })
                .await?;
            if sent == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.position += sent as u64;
            file.length -= sent;
        }
        Ok(())
    }

    async fn when_writable<F>(&self, send: F) -> io::Result<usize>
    where
        F: FnMut(&TcpStream) -> io::Result<usize>,
    {
        let mut send = send;
        let socket: &TcpStream = self.socket.as_ref();
        let sending = socket.async_io(Interest::WRITABLE, || send(socket));
        timeout(self.idle, sending).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

fn send_pieces(socket: &TcpStream, memory: &VecDeque<Bytes>, flags: SendFlags) -> io::Result<usize> {
    let pieces: Vec<_> = memory.iter().take(SEND_PIECES_MAX).map(|bytes| IoSlice::new(bytes)).collect();
    Ok(sendmsg(socket.as_fd(), &pieces, &mut SendAncillaryBuffer::default(), flags)?)
}

fn advance(memory: &mut VecDeque<Bytes>, mut sent: usize) {
    while let Some(first) = memory.front_mut() {
        if sent < first.len() {
            return first.advance(sent);
        }
        sent -= first.len();
        memory.pop_front();
    }
}

/// Reads a range that has no descriptor, off the reactor.
async fn read(range: Arc<dyn RecordsRange>) -> io::Result<Bytes> {
    tokio::task::spawn_blocking(move || range.bytes()).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_taken_off_the_front() {
        let mut memory: VecDeque<_> = [&b"abc"[..], b"de", b"fgh"].map(Bytes::from_static).into();
        advance(&mut memory, 4);
        assert_eq!(memory, ["e", "fgh"]);
        advance(&mut memory, 4);
        assert!(memory.is_empty());
    }
}
