//! What may happen to an answer on its way over a socket.

use std::{future::pending, io, time::Duration};

use bytes::{Bytes, BytesMut};
use mainstem_protocol::frame::SIZE_BYTES;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::sleep,
};

/// What a broker on a socket does instead of answering as it should. The request takes place, but for
/// [`Mishap::CloseBefore`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// Closes the connection; the request does not take place.
    CloseBefore,
    /// Closes the connection instead of answering.
    CloseAfter,
    /// Never answers, nor anything that comes behind on this connection.
    Stall,
    /// Sends these bytes and nothing else, and stays silent then.
    Raw(Bytes),
    /// Answers with bytes that mean nothing, in a frame of the right size and with the right correlation id.
    Garbage,
    /// Says that the answer is longer (or, below zero, shorter) by so many bytes than it is.
    LieAboutLength(i32),
    /// Answers a request that nobody has sent.
    OtherCorrelation,
    /// Sends so many bytes of the answer and closes the connection.
    CutAt(usize),
    /// Sends so many bytes at a time, with a pause behind each.
    Drip {
        /// Bytes at a time, at least one.
        bytes: usize,
        /// The pause.
        pause: Duration,
    },
    /// Answers after that time.
    Delay(Duration),
}

/// Why a connection ends that a test wants to end.
fn closed() -> io::Error {
    io::Error::other("the test wants it so")
}

impl Mishap {
    /// Writes an answer, frame and all, in its own way.
    ///
    /// # Errors
    /// Where the connection is to be closed.
    pub(super) async fn write(
        self,
        writer: &mut (impl AsyncWrite + Unpin),
        mut frame: BytesMut,
    ) -> io::Result<()> {
        match self {
            Self::CloseBefore | Self::CloseAfter => return Err(closed()),
            Self::Stall => return pending().await,
            Self::Raw(bytes) => {
                writer.write_all(&bytes).await?;
                return pending().await;
            }
            Self::CutAt(at) => {
                writer.write_all(&frame[..at.min(frame.len())]).await?;
                return Err(closed());
            }
            Self::Drip { bytes, pause } => return drip(writer, &frame, bytes, pause).await,
            Self::Delay(time) => sleep(time).await,
            Self::Garbage => frame[SIZE_BYTES + 4..].fill(0xa5),
            Self::OtherCorrelation => frame[SIZE_BYTES + 1] ^= 0x55,
            Self::LieAboutLength(by) => lie(&mut frame, by),
        }
        writer.write_all(&frame).await
    }
}

async fn drip(
    writer: &mut (impl AsyncWrite + Unpin),
    frame: &[u8],
    bytes: usize,
    pause: Duration,
) -> io::Result<()> {
    for piece in frame.chunks(bytes.max(1)) {
        writer.write_all(piece).await?;
        sleep(pause).await;
    }
    Ok(())
}

fn lie(frame: &mut BytesMut, by: i32) {
    let mut size = [0; SIZE_BYTES];
    size.copy_from_slice(&frame[..SIZE_BYTES]);
    let size = i32::from_be_bytes(size).wrapping_add(by);
    frame[..SIZE_BYTES].copy_from_slice(&size.to_be_bytes());
}
