//! Searching everything that a party has for values that it must not have, in every form in which a program might keep them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter byte strings occur by chance.
const NEEDLE_BYTES_MIN: usize = 7;

/// Byte strings to look for, each with what it says.
#[derive(Clone, Debug, Default)]
pub struct Needles {
    /// By their first bytes.
    by_start: BTreeMap<[u8; 4], Vec<(Vec<u8>, String)>>,
}

impl Needles {
    /// Looks for bytes as they are.
    pub fn bytes(&mut self, what: &str, bytes: &[u8]) {
        assert!(bytes.len() >= NEEDLE_BYTES_MIN, "{what} would be found by chance");
        let start = *bytes.first_chunk().unwrap();
        self.by_start.entry(start).or_default().push((bytes.to_vec(), what.to_owned()));
    }

    /// Looks for a text.
    pub fn text(&mut self, what: &str, text: &str) {
        self.bytes(&format!("{what} {text}"), text.as_bytes());
    }

    /// Looks for a text in every form in which programs write texts: UTF-8 and UTF-16, escaped in JSON and in URLs, hexadecimal
    /// digits, and base64 wherever in a longer text it may stand.
    pub fn person(&mut self, what: &str, text: &str) {
        let utf8 = text.as_bytes();
        let units: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for (form, bytes) in [("UTF-8", utf8), ("UTF-16", &little), ("UTF-16 BE", &big)] {
            self.bytes(&format!("{what}, {form}"), bytes);
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            self.bytes(&format!("{what}, {form} in hexadecimal"), hex.as_bytes());
            let hex = hex.to_uppercase();
            self.bytes(&format!("{what}, {form} in capital hexadecimal"), hex.as_bytes());
            for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                for before in 0..3 {
                    let encoded = engine.encode([vec![0; before], bytes.to_vec()].concat());
                    // The first and last characters depend on what stands beside the text.
                    let end = (before + bytes.len()) * 8 / 6;
                    let sure = &encoded.as_bytes()[(before * 8).div_ceil(6)..end];
                    self.bytes(&format!("{what}, {form} in base64"), sure);
                }
            }
        }
        let percent: String = utf8.iter().map(|byte| format!("%{byte:02X}")).collect();
        self.bytes(&format!("{what}, in a URL"), percent.as_bytes());
        if !text.is_ascii() {
            let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            self.bytes(&format!("{what}, escaped"), escaped.as_bytes());
        }
    }

    /// Looks for a hash, point or key, as bytes and in hexadecimal digits.
    pub fn key(&mut self, what: &str, bytes: &[u8; 32]) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.bytes(what, bytes);
        self.bytes(&format!("{what}, hexadecimal"), hex.as_bytes());
        self.bytes(&format!("{what}, hexadecimal"), hex.to_uppercase().as_bytes());
    }

    /// Looks for an amount: both byte orders, decimal digits, LEB128.
    pub fn amount(&mut self, what: &str, amount: u64) {
        let (mut leb128, mut rest) = (Vec::new(), amount);
        while rest > 0x7f {
            leb128.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
            rest >>= 7;
        }
        leb128.push(u8::try_from(rest).unwrap());
        self.bytes(&format!("{what} {amount}, little endian"), &amount.to_le_bytes());
        self.bytes(&format!("{what} {amount}, big endian"), &amount.to_be_bytes());
        self.bytes(&format!("{what} {amount}, decimal"), amount.to_string().as_bytes());
        self.bytes(&format!("{what} {amount}, LEB128"), &leb128);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_start.values().map(Vec::len).sum()
    }

    /// What each of them says.
    pub fn all(&self) -> BTreeSet<String> {
        self.by_start.values().flatten().map(|(_, what)| what.clone()).collect()
    }

    /// Every needle with its bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &str)> {
        self.by_start.values().flatten().map(|(bytes, what)| (bytes.as_slice(), what.as_str()))
    }

    /// Which of them are in `hay`.
    pub fn found_in(&self, hay: &[u8]) -> BTreeSet<String> {
        let mut possible = vec![false; 1 << 16];
        for [first, second, ..] in self.by_start.keys() {
            possible[usize::from(u16::from_le_bytes([*first, *second]))] = true;
        }
        let mut found = BTreeSet::new();
        for (at, start) in hay.windows(4).enumerate() {
            if !possible[usize::from(u16::from_le_bytes([start[0], start[1]]))] {
                continue;
            }
            for (bytes, what) in self.by_start.get(start).into_iter().flatten() {
                if hay[at..].starts_with(bytes) {
                    found.insert(what.clone());
                }
            }
        }
        found
    }

    /// Which of them are in any file under `folder`, or in the name of one.
    pub fn found_under(&self, folder: &Path) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.extend(self.found_in(path.file_name().unwrap().as_encoded_bytes()));
            if path.is_dir() {
                found.extend(self.found_under(&path));
            } else {
                found.extend(self.found_in(&fs::read(&path).unwrap()));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planted_is_found_in_every_form_and_nothing_else_is() {
        let mut needles = Needles::default();
        needles.amount("amount", 0x0123_4567_89ab_cdef);
        needles.text("investor", "INVESTOR-7");
        needles.key("key", &[0xa7; 32]);
        assert_eq!(needles.count(), 8);
        for (bytes, what) in needles.iter() {
            let hay = [&[0; 100], bytes, &[0; 3]].concat();
            assert!(needles.found_in(&hay).contains(what), "{what}");
            let cut = [&[0; 100], &bytes[..bytes.len() - 1], &[0; 3]].concat();
            assert!(!needles.found_in(&cut).contains(what), "{what}");
        }
        assert!(needles.found_in(&[0xff; 1000]).is_empty());
    }

    #[test]
    fn a_person_is_found_in_whatever_form_it_was_written() {
        let mut needles = Needles::default();
        needles.person("name", "黒瀬 あかつき");
        let text = "x黒瀬 あかつきy";
        for before in ["", "a", "ab"] {
            let whole = format!("{before}{text}");
            let found = |hay: &[u8]| !needles.found_in(hay).is_empty();
            assert!(found(whole.as_bytes()));
            assert!(found(STANDARD_NO_PAD.encode(&whole).as_bytes()));
            assert!(found(
                serde_json::json!({ "body": STANDARD_NO_PAD.encode(&whole) })
                    .to_string()
                    .as_bytes()
            ));
            let wide: Vec<u8> = whole.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert!(found(&wide));
        }
        assert!(needles.found_in(STANDARD_NO_PAD.encode("黒瀬 あかつ").as_bytes()).is_empty());
    }

    #[test]
    fn files_are_searched_in_all_folders_and_by_name() {
        let mut needles = Needles::default();
        needles.text("investor", "INVESTOR-7");
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("c"), b"nothing").unwrap();
        assert!(needles.found_under(folder.path()).is_empty());
        fs::write(deep.join("INVESTOR-7"), b"").unwrap();
        assert_eq!(needles.found_under(folder.path()), needles.all());
        fs::remove_file(deep.join("INVESTOR-7")).unwrap();
        fs::write(deep.join("c"), b"an INVESTOR-7 in a text").unwrap();
        assert_eq!(needles.found_under(folder.path()), needles.all());
    }
}
