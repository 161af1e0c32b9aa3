//! Format strings as kcat's `-f` has them.
//!
//! `%t` topic, `%p` partition, `%o` offset, `%k` key, `%s` value, `%h` headers as `name=value,name=value`, `%T` timestamp in
//! milliseconds, `%K` and `%S` the lengths of key and value in bytes (-1 for null), `%R` the length of the value as four
//! bytes, `%%` a per cent sign; `\n`, `\r`, `\t`, `\\`, `\0` and `\xHH` as in C.

use std::io::{self, Write};
use std::str::FromStr;

use super::part::Part;
use super::shown::Shown;

/// A format string, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(Vec<u8>),
    Topic,
    Partition,
    Offset,
    Key,
    Value,
    Headers,
    Timestamp,
    KeyLength,
    ValueLength,
    RawValueLength,
}

/// Text that is no format string.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormatError {
    #[error("%{0} is not known: %t %p %o %k %s %h %T %K %S %R and %% are")]
    UnknownField(char),
    #[error("the last % has no letter behind it")]
    LonePercent,
    #[error("\\{0} is not known: \\n \\r \\t \\0 \\\\ and \\xHH are")]
    UnknownEscape(String),
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let mut pieces = Pieces::default();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            match character {
                '%' => pieces.field(rest.next().ok_or(FormatError::LonePercent)?)?,
                '\\' => pieces.byte(escaped(&mut rest)?),
                other => pieces.text(other),
            }
        }
        Ok(Self { pieces: pieces.0 })
    }
}

impl Format {
    /// Writes a record.
    pub(super) fn write(&self, record: &Shown, out: &mut impl Write) -> io::Result<()> {
        self.pieces.iter().try_for_each(|piece| piece.write(record, out))
    }
}

#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn field(&mut self, letter: char) -> Result<(), FormatError> {
        self.0.push(match letter {
            '%' => {
                self.byte(b'%');
                return Ok(());
            }
            't' => Piece::Topic,
            'p' => Piece::Partition,
            'o' => Piece::Offset,
            'k' => Piece::Key,
            's' => Piece::Value,
            'h' => Piece::Headers,
            'T' => Piece::Timestamp,
            'K' => Piece::KeyLength,
            'S' => Piece::ValueLength,
            'R' => Piece::RawValueLength,
            other => return Err(FormatError::UnknownField(other)),
        });
        Ok(())
    }

    fn text(&mut self, character: char) {
        let mut buffer = [0; 4];
        character.encode_utf8(&mut buffer).bytes().for_each(|byte| self.byte(byte));
    }

    fn byte(&mut self, byte: u8) {
        match self.0.last_mut() {
            Some(Piece::Literal(literal)) => literal.push(byte),
            _ => self.0.push(Piece::Literal(vec![byte])),
        }
    }
}

fn escaped(rest: &mut std::str::Chars<'_>) -> Result<u8, FormatError> {
    match rest.next() {
        Some('n') => Ok(b'\n'),
        Some('r') => Ok(b'\r'),
        Some('t') => Ok(b'\t'),
        Some('0') => Ok(0),
        Some('\\') => Ok(b'\\'),
        Some('x') => {
            let digits: String = rest.take(2).collect();
            let byte = u8::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 2);
            byte.ok_or_else(|| FormatError::UnknownEscape(format!("x{digits}")))
        }
        other => Err(FormatError::UnknownEscape(other.map(String::from).unwrap_or_default())),
    }
}

impl Piece {
    fn write(&self, record: &Shown, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Literal(literal) => out.write_all(literal),
            Self::Topic => out.write_all(record.topic.as_bytes()),
            Self::Partition => write!(out, "{}", record.partition),
            Self::Offset => write!(out, "{}", record.offset),
            Self::Key => write_part(record.key.as_ref(), out),
            Self::Value => write_part(record.value.as_ref(), out),
            Self::Headers => write_headers(record, out),
            Self::Timestamp => write!(out, "{}", record.timestamp),
            Self::KeyLength => write!(out, "{}", length(record.key.as_ref())),
            Self::ValueLength => write!(out, "{}", length(record.value.as_ref())),
            Self::RawValueLength => out.write_all(&length(record.value.as_ref()).to_be_bytes()),
        }
    }
}

fn write_part(part: Option<&Part>, out: &mut impl Write) -> io::Result<()> {
    part.map_or(Ok(()), |part| out.write_all(&part.printed()))
}

fn length(part: Option<&Part>) -> i32 {
    part.map_or(-1, |part| i32::try_from(part.bytes().len()).unwrap_or(i32::MAX))
}

fn write_headers(record: &Shown, out: &mut impl Write) -> io::Result<()> {
    record.headers().enumerate().try_for_each(|(index, (name, value))| {
        let comma = if index == 0 { "" } else { "," };
        out.write_all(comma.as_bytes())?;
        out.write_all(name)?;
        out.write_all(b"=")?;
        out.write_all(value.unwrap_or(b"NULL"))
    })
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::records::Headers;

    use super::super::part::Kind;
    use super::*;

    fn record() -> Shown {
        let headers = [(b"trace".as_slice(), Some(b"7".as_slice())), (b"trace".as_slice(), None)];
        Shown {
            topic: "logs".to_owned(),
            partition: 2,
            offset: 40,
            timestamp: 1_700_000_000_000,
            key: None,
            value: Some(Kind::Text.read("GET /".into()).unwrap()),
            headers: Headers::new(headers).unwrap(),
        }
    }

    #[track_caller]
    fn check(format: &str, expected: &[u8]) {
        let mut out = Vec::new();
        format.parse::<Format>().unwrap().write(&record(), &mut out).unwrap();
        assert_eq!(out, expected, "{format}: {}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn fields_are_filled_in() {
        check("%t/%p@%o %T\\n", b"logs/2@40 1700000000000\n");
        check("[%k] %K %s %S", b"[] -1 GET / 5");
        check("%h", b"trace=7,trace=NULL");
        check("%R", &[0, 0, 0, 5]);
    }

    #[test]
    fn literals_and_escapes_stay() {
        check("100%% \\t\\\\\\x41 \u{e9}", "100% \t\\A \u{e9}".as_bytes());
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let check = |format: &str, expected: FormatError| {
            assert_eq!(format.parse::<Format>(), Err(expected));
        };
        check("%z", FormatError::UnknownField('z'));
        check("100%", FormatError::LonePercent);
        check("\\q", FormatError::UnknownEscape("q".to_owned()));
        check("\\x4", FormatError::UnknownEscape("x4".to_owned()));
    }
}
