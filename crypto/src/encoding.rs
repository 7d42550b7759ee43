//! Canonical bytes: what is hashed, signed, stored and sent is the same borsh encoding, bounded in every list.
//!
//! Specified in `specs/encoding.md`.

use std::io::{self, Read, Write};

use borsh::{BorshDeserialize, BorshSerialize};

/// Bytes do not decode.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// Missing or left-over bytes, a list beyond its limit, an unknown variant or version.
    #[error("not a canonical encoding of {0}")]
    Encoding(&'static str),
    /// A point that is the identity or not a canonical Ristretto encoding.
    #[error("not a canonical non-identity point")]
    Point,
}

/// Decodes `bytes` whole; `what` names the type in the error.
///
/// # Errors
///
/// [`Malformed::Encoding`] unless `bytes` are exactly the encoding of one value: encoding the result gives `bytes` back.
pub fn decode<T: BorshDeserialize>(bytes: &[u8], what: &'static str) -> Result<T, Malformed> {
    T::try_from_slice(bytes).map_err(|_| Malformed::Encoding(what))
}

/// The canonical bytes of `value`.
///
/// # Panics
///
/// Never: writing to a `Vec` cannot fail, and bounded lists are bounded when they are made.
#[must_use]
#[expect(clippy::expect_used, reason = "writing to a Vec cannot fail")]
pub fn encode<T: BorshSerialize + ?Sized>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to a Vec cannot fail")
}

/// A list of at most `MAX` items: count as u16 little endian, or as u32 if `MAX` is more than a u16 holds, then the items.
#[derive(Clone, Debug, Eq, PartialEq, PartialOrd, Ord)]
pub struct Bounded<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Default for Bounded<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> Bounded<T, MAX> {
    const IS_LONG: bool = {
        assert!(MAX <= 0xffff_ffff, "a count has four bytes at most");
        MAX > 0xffff
    };

    /// The list, if it is not too long.
    ///
    /// # Errors
    ///
    /// [`Malformed::Encoding`] if there are more than `MAX` items.
    pub fn new(items: Vec<T>) -> Result<Self, Malformed> {
        if items.len() > MAX {
            return Err(Malformed::Encoding("a list: too many items"));
        }
        Ok(Self(items))
    }

    /// The items.
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> std::ops::Deref for Bounded<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> TryFrom<Vec<T>> for Bounded<T, MAX> {
    type Error = Malformed;

    fn try_from(items: Vec<T>) -> Result<Self, Malformed> {
        Self::new(items)
    }
}

impl<'a, T, const MAX: usize> IntoIterator for &'a Bounded<T, MAX> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: BorshSerialize, const MAX: usize> BorshSerialize for Bounded<T, MAX> {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        let long = |_| invalid("a list: too many items");
        match Self::IS_LONG {
            true => u32::try_from(self.0.len()).map_err(long)?.serialize(writer)?,
            false => u16::try_from(self.0.len()).map_err(long)?.serialize(writer)?,
        }
        self.0.iter().try_for_each(|item| item.serialize(writer))
    }
}

impl<T: BorshDeserialize, const MAX: usize> BorshDeserialize for Bounded<T, MAX> {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let count = match Self::IS_LONG {
            true => u32::deserialize_reader(reader)?,
            false => u16::deserialize_reader(reader)?.into(),
        };
        if usize::try_from(count).map_or(true, |count| count > MAX) {
            return Err(invalid("a list: too many items"));
        }
        // Grows as items arrive: a count that lies costs nothing.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(T::deserialize_reader(reader)?);
        }
        Ok(Self(items))
    }
}

/// Text of at most `MAX` bytes of UTF-8 without control characters: length as u16 little endian, then the bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq, PartialOrd, Ord)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// The text, if it is short enough and printable.
    ///
    /// # Errors
    ///
    /// [`Malformed::Encoding`] if it has more than `MAX` bytes or a control character.
    pub fn new(text: impl Into<String>) -> Result<Self, Malformed> {
        let text = text.into();
        if text.len() > MAX || text.chars().any(char::is_control) {
            return Err(Malformed::Encoding("a text: too long, or with control characters"));
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> std::fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> BorshSerialize for Text<MAX> {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        let length = u16::try_from(self.0.len()).map_err(|_| invalid("a text: too long"))?;
        length.serialize(writer)?;
        writer.write_all(self.0.as_bytes())
    }
}

impl<const MAX: usize> BorshDeserialize for Text<MAX> {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let bytes = Bounded::<u8, MAX>::deserialize_reader(reader)?;
        let text = String::from_utf8(bytes.into_vec()).map_err(|_| invalid("a text: not UTF-8"))?;
        Self::new(text).map_err(|_| invalid("a text: control characters"))
    }
}

/// A version byte that must be `N`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, PartialOrd, Ord)]
pub struct Version<const N: u8>;

impl<const N: u8> BorshSerialize for Version<N> {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        N.serialize(writer)
    }
}

impl<const N: u8> BorshDeserialize for Version<N> {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        if u8::deserialize_reader(reader)? == N {
            Ok(Self)
        } else {
            Err(invalid("an unknown version"))
        }
    }
}

/// The error a hand-written decoder returns.
pub(crate) fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_beyond_its_limit_is_refused_both_ways() {
        assert!(Bounded::<u8, 3>::new(vec![0; 4]).is_err());
        let four = encode(&Bounded::<u8, 4>::new(vec![0; 4]).unwrap());
        assert!(decode::<Bounded<u8, 3>>(&four, "list").is_err());
        assert!(decode::<Bounded<u8, 4>>(&four, "list").is_ok());
    }

    #[test]
    fn a_list_of_more_than_a_short_count_counts_is_read_as_written() {
        let items = vec![7u8; 100_000];
        let bytes = encode(&Bounded::<u8, 131_072>::new(items.clone()).unwrap());
        assert_eq!(bytes.len(), 4 + items.len());
        assert_eq!(decode::<Bounded<u8, 131_072>>(&bytes, "list").unwrap().into_vec(), items);
        assert!(Bounded::<u8, 65_535>::new(items).is_err());
        assert_eq!(encode(&Bounded::<u8, 65_535>::new(vec![7]).unwrap()), [1, 0, 7]);
        assert!(decode::<Bounded<u8, 131_072>>(&[1, 0, 2, 0, 7], "list").is_err());
    }

    #[test]
    fn left_over_bytes_and_a_lying_count_are_refused() {
        assert!(decode::<Bounded<u64, 9>>(&[1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "list").is_err());
        assert!(decode::<Bounded<u64, 60_000>>(&[0xff, 0x7f, 1], "list").is_err());
    }

    #[test]
    fn a_text_has_no_control_characters_and_one_encoding() {
        assert!(Text::<9>::new("a\nb").is_err());
        assert!(decode::<Text<9>>(&[1, 0, 0x0a], "text").is_err());
        assert!(decode::<Text<9>>(&[1, 0, 0xff], "text").is_err());
        assert_eq!(decode::<Text<9>>(&[2, 0, b'o', b'k'], "text").unwrap().as_str(), "ok");
    }
}
