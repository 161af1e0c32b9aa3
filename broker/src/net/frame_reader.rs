//! Frames off a socket. Memory grows as bytes arrive, never by what a size claims, and a frame that has begun has to end.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use mainstem_protocol::frame::{self, FrameError, REQUEST_BYTES_MIN, SIZE_BYTES};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    net::tcp::OwnedReadHalf,
    time::{Instant, timeout},
};

use super::receiving::{Held, Receiving};
use crate::caps::{
    READ_AHEAD_BYTES_MAX, READ_BYTES_EXPECTED_MAX, READ_BYTES_FREE, READ_BYTES_MIN,
    RECEIVED_BYTES_PER_SECOND_MIN,
};

/// A stream of bytes that says when there are some, so that nothing is kept ready for a peer that is silent.
pub(super) trait Source: AsyncRead + Unpin {
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send;
}

impl Source for OwnedReadHalf {
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send {
        Self::readable(self)
    }
}

/// What a peer must keep to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes that a frame may have.
    pub(super) frame_bytes_max: usize,
    /// How long nothing may come.
    pub(super) idle: Duration,
    /// How long a frame may take to come, beyond the time that its bytes are allowed.
    pub(super) frame: Duration,
}

/// Takes a stream of bytes apart into frames.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    source: R,
    buffer: BytesMut,
    /// What the buffer holds beyond [`READ_BYTES_FREE`].
    held: Held,
    receiving: Receiving,
    limits: Limits,
    /// When the first bytes of the frame were there.
    begun: Option<Instant>,
    /// Bytes of the frame before, which the next one is expected to have.
    expected: usize,
    lacks_room: bool,
}

/// A frame without its size, and the room that it takes.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) bytes: Bytes,
    pub(super) held: Held,
}

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The size in front of the frame cannot be.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// These first bytes are another protocol's.
    #[error("{0} is spoken, and this port speaks Kafka's protocol without encryption")]
    Foreign(&'static str),
    /// The peer closed in the middle of a frame.
    #[error("connection ended within a frame")]
    CutShort,
    /// Nothing came for too long.
    #[error("nothing was said for {} s", .0.as_secs())]
    Idle(Duration),
    /// A frame has begun and does not end.
    #[error("{received} bytes of a request came in {} s: too slow", .time.as_secs())]
    Slow {
        /// Bytes that have come.
        received: usize,
        /// How long it took.
        time: Duration,
    },
    /// A frame has begun, and all the room for requests that arrive is taken by others.
    #[error("no room for more than {received} bytes of a request for {} s", .time.as_secs())]
    NoRoom {
        /// Bytes that have come.
        received: usize,
        /// How long the frame has been arriving.
        time: Duration,
    },
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl ReadError {
    /// What metrics call it; none where a connection simply ended.
    pub(super) const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Frame(FrameError::Impossible(_)) => Some("malformed"),
            Self::Frame(FrameError::TooLarge { .. }) => Some("too large"),
            Self::Foreign(_) => Some("other protocol"),
            Self::CutShort => Some("cut short"),
            Self::Slow { .. } => Some("too slow"),
            Self::NoRoom { .. } => Some("no room"),
            Self::Idle(_) | Self::Io(_) => None,
        }
    }
}

impl<R: Source> FrameReader<R> {
    pub(super) fn new(source: R, limits: Limits, receiving: Receiving) -> Self {
        Self {
            source,
            buffer: BytesMut::new(),
            held: Held::default(),
            receiving,
            limits,
            begun: None,
            expected: 0,
            lacks_room: false,
        }
    }

    /// The next frame; `None` where the peer closed between two frames. May be dropped and called again.
    ///
    /// # Errors
    /// Where there is none to come.
    pub(super) async fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        loop {
            if let Some(frame) = self.take_frame()? {
                return Ok(Some(frame));
            }
            match self.fill_in_time().await? {
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
            if !matches!(self.fill_ahead().await, Ok(1..)) {
                return;
            }
        }
        std::future::pending().await
    }

    async fn fill_in_time(&mut self) -> Result<usize, ReadError> {
        self.lacks_room = false;
        if self.buffer.is_empty() {
            let idle = self.limits.idle;
            return Ok(timeout(idle, self.fill()).await.map_err(|_| ReadError::Idle(idle))??);
        }
        let begun = *self.begun.get_or_insert_with(Instant::now);
        let left = self.allowed().saturating_sub(begun.elapsed());
        let filled = timeout(left.min(self.limits.idle), self.fill()).await;
        Ok(filled.map_err(|_| self.late(begun.elapsed()))??)
    }

    /// How long the frame may take, as far as it has come.
    fn allowed(&self) -> Duration {
        let earned = self.buffer.len() as u64 * 1000 / RECEIVED_BYTES_PER_SECOND_MIN;
        self.limits.frame.saturating_add(Duration::from_millis(earned))
    }

    fn late(&self, time: Duration) -> ReadError {
        let received = self.buffer.len();
        match () {
            () if self.lacks_room => ReadError::NoRoom { received, time },
            () if time >= self.allowed() => ReadError::Slow { received, time },
            () => ReadError::Idle(self.limits.idle),
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.begin().await?;
        if let Some(capacity) = self.wanted() {
            self.lacks_room = true;
            self.receiving.hold(&mut self.held, capacity - READ_BYTES_FREE).await;
            self.lacks_room = false;
            self.grow(capacity);
        }
        self.source.read_buf(&mut self.buffer).await
    }

    /// As [`Self::fill`], but never in the way of those who need the room for what is to be answered next.
    async fn fill_ahead(&mut self) -> io::Result<usize> {
        self.begin().await?;
        if let Some(capacity) = self.wanted() {
            if !self.receiving.try_hold(&mut self.held, capacity - READ_BYTES_FREE) {
                return std::future::pending().await;
            }
            self.grow(capacity);
        }
        self.source.read_buf(&mut self.buffer).await
    }

    /// Waits for the first bytes of a frame, and gives them a buffer as large as the frame before them.
    async fn begin(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            return Ok(());
        }
        self.source.readable().await?;
        if self.buffer.capacity() < READ_BYTES_MIN {
            let expected = self.expected.clamp(READ_BYTES_FREE, READ_BYTES_EXPECTED_MAX);
            let fits = self.receiving.try_hold(&mut self.held, expected - READ_BYTES_FREE);
            self.buffer = BytesMut::with_capacity(if fits { expected } else { READ_BYTES_FREE });
        }
        Ok(())
    }

    /// The capacity that the buffer needs, where it needs more: for what is missing of the frame, but never for more
    /// than three times what has come.
    fn wanted(&self) -> Option<usize> {
        let (len, missing) = (self.buffer.len(), self.missing().unwrap_or(0));
        let needed = if missing == 0 { READ_BYTES_MIN } else { missing.min(READ_BYTES_MIN) };
        let lacks = self.buffer.capacity() - len < needed;
        lacks.then(|| len + missing.min(3 * len).max(READ_BYTES_FREE))
    }

    /// Not by `reserve`, which may take twice what is held.
    fn grow(&mut self, capacity: usize) {
        let mut larger = BytesMut::with_capacity(capacity);
        larger.extend_from_slice(&self.buffer);
        self.buffer = larger;
    }

    /// Bytes of the frame that have not come; none where its size has not.
    fn missing(&self) -> Option<usize> {
        let prefix = self.buffer.first_chunk::<SIZE_BYTES>()?;
        let size = frame::size(*prefix, REQUEST_BYTES_MIN, self.limits.frame_bytes_max).ok()?;
        Some((SIZE_BYTES + size).saturating_sub(self.buffer.len()))
    }

    fn take_frame(&mut self) -> Result<Option<Frame>, ReadError> {
        let Some(prefix) = self.buffer.first_chunk::<SIZE_BYTES>() else { return Ok(None) };
        let size = frame::size(*prefix, REQUEST_BYTES_MIN, self.limits.frame_bytes_max)
            .map_err(|error| foreign(*prefix).map_or(ReadError::Frame(error), ReadError::Foreign))?;
        if self.buffer.len() < SIZE_BYTES + size {
            return Ok(None);
        }
        let frame = self.buffer.split_to(SIZE_BYTES + size).freeze();
        (self.begun, self.expected) = (None, frame.len());
        self.let_go(frame.len());
        let held = self.held.split(self.buffer.capacity().saturating_sub(READ_BYTES_FREE));
        Ok(Some(Frame { bytes: frame.slice(SIZE_BYTES..), held }))
    }

    /// A few bytes behind a large frame must not keep all of it in memory, and neither must none.
    fn let_go(&mut self, frame_bytes: usize) {
        let is_large = frame_bytes > READ_BYTES_FREE && self.buffer.len() <= READ_BYTES_FREE;
        if is_large || (self.buffer.is_empty() && self.buffer.capacity() > READ_BYTES_FREE) {
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
    }
}

/// What somebody speaks who begins like this, where it is a common mistake.
fn foreign(prefix: [u8; SIZE_BYTES]) -> Option<&'static str> {
    match &prefix {
        [0x16, 0x03, ..] => Some("TLS"),
        b"GET " | b"HEAD" | b"POST" | b"PUT " | b"OPTI" | b"DELE" | b"PATC" | b"PRI " => Some("HTTP"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    impl Source for tokio::io::DuplexStream {
        fn readable(&self) -> impl Future<Output = io::Result<()>> + Send {
            std::future::ready(Ok(()))
        }
    }

    fn reader(
        source: tokio::io::DuplexStream,
        frame_bytes_max: usize,
    ) -> FrameReader<tokio::io::DuplexStream> {
        let limits =
            Limits { frame_bytes_max, idle: Duration::from_secs(3600), frame: Duration::from_secs(30) };
        FrameReader::new(source, limits, Receiving::new(1 << 30))
    }

    async fn next(reader: &mut FrameReader<tokio::io::DuplexStream>) -> Bytes {
        reader.next().await.unwrap().unwrap().bytes
    }

    #[tokio::test]
    async fn frames_come_out_however_the_bytes_were_cut() {
        let (mut peer, ours) = tokio::io::duplex(3);
        let mut reader = reader(ours, 100);
        let send = async {
            peer.write_all(b"\0\0\0\x08abcdefgh\0\0\0\x09ijklmnopq").await.unwrap();
            drop(peer);
        };
        let receive = async {
            assert_eq!(next(&mut reader).await, "abcdefgh");
            assert_eq!(next(&mut reader).await, "ijklmnopq");
            assert!(reader.next().await.unwrap().is_none());
        };
        tokio::join!(send, receive);
    }

    #[tokio::test]
    async fn an_end_within_a_frame_is_told() {
        let (mut peer, ours) = tokio::io::duplex(64);
        let mut reader = reader(ours, 100);
        peer.write_all(b"\0\0\0\x08abc").await.unwrap();
        drop(peer);
        assert!(matches!(reader.next().await, Err(ReadError::CutShort)));
    }

    #[tokio::test]
    async fn a_claim_alone_takes_no_memory() {
        let (mut peer, ours) = tokio::io::duplex(64);
        let mut reader = reader(ours, 100 << 20);
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
        let mut reader = reader(ours, 100);
        assert!(matches!(reader.next().await, Err(ReadError::Idle(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_does_not_end_is_given_up() {
        let (mut peer, ours) = tokio::io::duplex(64);
        let mut reader = reader(ours, 1000);
        let began = Instant::now();
        let drip = async {
            peer.write_all(&1000_i32.to_be_bytes()).await.unwrap();
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                peer.write_all(b"x").await.unwrap();
            }
        };
        tokio::select! {
            read = reader.next() => assert!(matches!(read, Err(ReadError::Slow { received: 32..=35, .. })), "{read:?}"),
            () = drip => {}
        }
        assert_eq!(began.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_frame_has_the_time_that_its_bytes_take() {
        let (mut peer, ours) = tokio::io::duplex(1 << 20);
        let mut reader = reader(ours, 100 << 20);
        let send = async {
            peer.write_all(&(8_i32 << 20).to_be_bytes()).await.unwrap();
            for _ in 0..80 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                peer.write_all(&vec![0; (8 << 20) / 80 + 1]).await.unwrap();
            }
        };
        let (frame, ()) = tokio::join!(next(&mut reader), send);
        assert_eq!(frame.len(), 8 << 20);
    }

    #[tokio::test]
    async fn frames_of_one_size_are_read_where_they_stay() {
        let (mut peer, ours) = tokio::io::duplex(1 << 20);
        let mut reader = reader(ours, 1 << 20);
        let frame = [&100_000_i32.to_be_bytes()[..], &[7; 100_000]].concat();
        peer.write_all(&frame).await.unwrap();
        assert_eq!(next(&mut reader).await.len(), 100_000);
        peer.write_all(&frame).await.unwrap();
        reader.begin().await.unwrap();
        assert_eq!(reader.buffer.capacity(), frame.len());
        assert!(reader.wanted().is_none());
        let place = reader.buffer.as_ptr();
        assert_eq!(next(&mut reader).await.as_ptr(), place.wrapping_add(SIZE_BYTES));
    }

    #[tokio::test]
    async fn what_arrives_is_counted_and_given_back() {
        let (mut peer, ours) = tokio::io::duplex(1 << 20);
        let mut reader = reader(ours, 1 << 20);
        peer.write_all(&[&200_000_i32.to_be_bytes()[..], &[7; 150_000]].concat()).await.unwrap();
        while reader.buffer.len() < 150_000 {
            reader.fill().await.unwrap();
        }
        assert!(reader.held.bytes() + READ_BYTES_FREE >= reader.buffer.capacity());
        peer.write_all(&[8; 50_001]).await.unwrap();
        let frame = reader.next().await.unwrap().unwrap();
        assert!(frame.held.bytes() + READ_BYTES_FREE >= 200_000);
        assert_eq!(reader.held.bytes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_without_room_is_given_up_and_small_ones_need_none() {
        let receiving = Receiving::new(0);
        let mut taken = Held::default();
        receiving.hold(&mut taken, 1).await;
        let (mut peer, ours) = tokio::io::duplex(1 << 20);
        let mut reader = FrameReader { receiving, ..reader(ours, 1 << 20) };
        peer.write_all(b"\0\0\0\x08abcdefgh").await.unwrap();
        assert_eq!(next(&mut reader).await, "abcdefgh");
        peer.write_all(&[&200_000_i32.to_be_bytes()[..], &[7; 150_000]].concat()).await.unwrap();
        assert!(matches!(reader.next().await, Err(ReadError::NoRoom { .. })));
    }

    #[test]
    fn other_protocols_are_told_by_their_first_bytes() {
        assert_eq!(foreign(*b"GET "), Some("HTTP"));
        assert_eq!(foreign([0x16, 3, 1, 2]), Some("TLS"));
        assert_eq!(foreign([0, 0, 0, 8]), None);
    }
}
