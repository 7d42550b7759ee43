//! Frames: one request and one response a stream.
//!
//! Request: `version u8 = 1 | kind u8 | length u32 LE | payload`, then the end of the stream. Response:
//! `status u8 | length u32 LE | payload`, then the end; status 0 accepted (no payload), 1 answer, 2 refused (`code u16 LE |
//! text`). A length is checked before anything is allocated, and memory grows only as bytes arrive.

use std::borrow::Cow;

use borsh::{BorshDeserialize, BorshSerialize};
use quinn::{ReadError, ReadExactError, RecvStream};
use sudare_crypto::Text;
use sudare_crypto::encoding;

use super::{ANSWER_BYTES_MAX, REFUSAL_TEXT_BYTES_MAX, refusal_code};

pub(super) const VERSION: u8 = 1;
/// Bytes of a request frame in front of its payload.
pub(super) const REQUEST_HEADER: usize = 6;
/// Bytes of a response frame in front of its payload.
pub(super) const RESPONSE_HEADER: usize = 5;

const ACCEPTED: u8 = 0;
const ANSWER: u8 = 1;
const REFUSED: u8 = 2;
const REFUSAL_BYTES_MAX: usize = 4 + REFUSAL_TEXT_BYTES_MAX;

/// What a node says to a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Response {
    /// It has taken the message over, durably.
    Accepted,
    /// The answer to a query.
    Answer(Vec<u8>),
    /// It refuses.
    Refused(Refusal),
}

/// Why a node refuses a request.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize, thiserror::Error)]
#[error("refused with code {code}: {text}")]
pub struct Refusal {
    /// A stable code; those from 0xff00 are in [`refusal_code`].
    pub code: u16,
    /// One sentence for people.
    pub text: Text<REFUSAL_TEXT_BYTES_MAX>,
}

impl Refusal {
    /// A refusal; of `text` it keeps what fits, without control characters.
    #[must_use]
    pub fn new(code: u16, text: &str) -> Self {
        let mut kept = String::new();
        for character in text.chars().filter(|character| !character.is_control()) {
            if kept.len() + character.len_utf8() > REFUSAL_TEXT_BYTES_MAX {
                break;
            }
            kept.push(character);
        }
        Self { code, text: Text::new(kept).unwrap_or_default() }
    }
}

impl Response {
    /// The frame's status and payload; an answer that is too long becomes a refusal.
    pub(super) fn encode(&self) -> (u8, Cow<'_, [u8]>) {
        let refused = |refusal: &Refusal| (REFUSED, Cow::Owned(encoding::encode(refusal)));
        match self {
            Self::Accepted => (ACCEPTED, Cow::Borrowed(&[])),
            Self::Answer(payload) if payload.len() > ANSWER_BYTES_MAX => {
                let text = format!("the answer has {} bytes, ask for less", payload.len());
                refused(&Refusal::new(refusal_code::ANSWER_TOO_LONG, &text))
            }
            Self::Answer(payload) => (ANSWER, Cow::Borrowed(payload)),
            Self::Refused(refusal) => refused(refusal),
        }
    }

    /// The response of a frame that [`read_response`] has read.
    pub(super) fn decode(status: u8, payload: Vec<u8>) -> Result<Self, FrameError> {
        match status {
            ACCEPTED => Ok(Self::Accepted),
            ANSWER => Ok(Self::Answer(payload)),
            _ => encoding::decode(&payload, "refusal")
                .map(Self::Refused)
                .map_err(|_| FrameError::Malformed),
        }
    }
}

/// Why a frame can't be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("{length} bytes announced, {max} allowed")]
    TooLong { length: u32, max: usize },
    #[error("the stream ended before the announced length")]
    Short,
    #[error("the stream went on after the announced length")]
    Trailing,
    #[error("unknown status or malformed refusal")]
    Malformed,
    #[error("the stream was reset or lost: {0}")]
    Stream(#[from] ReadError),
}

impl From<ReadExactError> for FrameError {
    fn from(error: ReadExactError) -> Self {
        match error {
            ReadExactError::FinishedEarly(_) => Self::Short,
            ReadExactError::ReadError(error) => Self::Stream(error),
        }
    }
}

/// The header of a request frame, unless the payload is longer than a frame can say.
pub(super) fn request_header(kind: u8, payload: &[u8]) -> Option<[u8; REQUEST_HEADER]> {
    let [a, b, c, d] = u32::try_from(payload.len()).ok()?.to_le_bytes();
    Some([VERSION, kind, a, b, c, d])
}

/// The header of a response frame with a payload from [`Response::encode`], which is shorter than 4 GiB.
pub(super) fn response_header(status: u8, payload: &[u8]) -> [u8; RESPONSE_HEADER] {
    let [a, b, c, d] = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    [status, a, b, c, d]
}

/// Reads version and kind of a request.
pub(super) async fn read_kind(stream: &mut RecvStream) -> Result<(u8, u8), FrameError> {
    let mut bytes = [0; 2];
    stream.read_exact(&mut bytes).await?;
    let [version, kind] = bytes;
    Ok((version, kind))
}

/// Reads a length of at most `max`, that many bytes, and the end of the stream.
pub(super) async fn read_payload(
    stream: &mut RecvStream,
    max: usize,
) -> Result<Vec<u8>, FrameError> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let announced = u32::from_le_bytes(length);
    let too_long = FrameError::TooLong { length: announced, max };
    let length = usize::try_from(announced).map_err(|_| too_long.clone())?;
    if length > max {
        return Err(too_long);
    }
    let mut payload = Vec::new();
    while payload.len() < length {
        let chunk = stream.read_chunk(length - payload.len(), true).await?;
        payload.extend_from_slice(&chunk.ok_or(FrameError::Short)?.bytes);
    }
    match stream.read_chunk(1, true).await? {
        None => Ok(payload),
        Some(_) => Err(FrameError::Trailing),
    }
}

/// Reads status and payload of a response.
pub(super) async fn read_response(stream: &mut RecvStream) -> Result<(u8, Vec<u8>), FrameError> {
    let mut status = [0];
    stream.read_exact(&mut status).await?;
    let [status] = status;
    let max = match status {
        ACCEPTED => 0,
        ANSWER => ANSWER_BYTES_MAX,
        REFUSED => REFUSAL_BYTES_MAX,
        _ => return Err(FrameError::Malformed),
    };
    Ok((status, read_payload(stream, max).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_what_fits_of_its_text() {
        let long = "é".repeat(REFUSAL_TEXT_BYTES_MAX);
        let refusal = Refusal::new(7, &long);
        assert_eq!(refusal.text.as_str().len(), REFUSAL_TEXT_BYTES_MAX);
        assert_eq!(Refusal::new(7, "a\nb\u{7f}").text.as_str(), "ab");
        assert!(encoding::encode(&refusal).len() <= REFUSAL_BYTES_MAX);
    }

    #[test]
    fn an_answer_beyond_the_limit_becomes_a_refusal() {
        let (status, _) = Response::Answer(vec![0; ANSWER_BYTES_MAX]).encode();
        assert_eq!(status, ANSWER);
        let too_long = Response::Answer(vec![0; ANSWER_BYTES_MAX + 1]);
        let (status, payload) = too_long.encode();
        assert_eq!(status, REFUSED);
        let refusal: Refusal = encoding::decode(&payload, "refusal").unwrap();
        assert_eq!(refusal.code, refusal_code::ANSWER_TOO_LONG);
    }
}
