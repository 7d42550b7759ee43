//! The header fields of signatures and digests: the part of structured fields (RFC 9651) that they use.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The longest field, in bytes.
const FIELD_BYTES_MAX: usize = 4096;
/// The most members of a list.
const MEMBERS_MAX: usize = 32;
/// The most digits of an integer.
const DIGITS_MAX: usize = 15;

/// What a signature covers, and how it was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Input {
    /// The signature's name.
    pub label: String,
    /// The names of what it covers, in order, each once.
    pub covered: Vec<String>,
    /// Its parameters, in order, each once.
    pub parameters: Vec<(String, Parameter)>,
}

/// The value of a parameter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Parameter {
    /// A whole number.
    Integer(i64),
    /// A text of ASCII characters.
    Text(String),
}

impl Input {
    /// Reads `Signature-Input` with one member, whose components have no parameters of their own.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader::new(text)?;
        let label = reader.key()?;
        reader.expect("=")?;
        reader.expect("(")?;
        let mut covered: Vec<String> = Vec::new();
        loop {
            reader.blanks();
            if reader.expect(")").is_some() {
                break;
            }
            if !covered.is_empty() && !reader.after_blank() {
                return None;
            }
            let name = reader.string()?;
            if covered.len() == MEMBERS_MAX || covered.contains(&name) {
                return None;
            }
            covered.push(name);
        }
        let mut parameters: Vec<(String, Parameter)> = Vec::new();
        while reader.expect(";").is_some() {
            reader.blanks();
            let name = reader.key()?;
            reader.expect("=")?;
            let value = match reader.peek()? {
                '"' => Parameter::Text(reader.string()?),
                _ => Parameter::Integer(reader.integer()?),
            };
            if parameters.len() == MEMBERS_MAX || parameters.iter().any(|(one, _)| *one == name) {
                return None;
            }
            parameters.push((name, value));
        }
        reader.ends().then_some(Self { label, covered, parameters })
    }

    /// The value of a parameter that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find_map(|(one, value)| match value {
            Parameter::Text(text) if one == name => Some(text.as_str()),
            _ => None,
        })
    }

    /// The value of a parameter that is a number.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.parameters.iter().find_map(|(one, value)| match value {
            Parameter::Integer(number) if one == name => Some(*number),
            _ => None,
        })
    }

    /// The one spelling of what follows the label, as the signature covers it.
    #[must_use]
    pub fn canonical(&self) -> String {
        let names: Vec<String> = self.covered.iter().map(|name| quoted(name)).collect();
        let mut text = format!("({})", names.join(" "));
        for (name, value) in &self.parameters {
            // Writing to a text doesn't fail.
            let _ = match value {
                Parameter::Integer(number) => write!(text, ";{name}={number}"),
                Parameter::Text(value) => write!(text, ";{name}={}", quoted(value)),
            };
        }
        text
    }
}

/// Reads a dictionary of byte sequences without parameters, such as `Signature` and `Content-Digest`.
#[must_use]
pub fn byte_sequences(text: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let mut reader = Reader::new(text)?;
    let mut members: Vec<(String, Vec<u8>)> = Vec::new();
    loop {
        let name = reader.key()?;
        reader.expect("=")?;
        let bytes = reader.bytes()?;
        if members.len() == MEMBERS_MAX || members.iter().any(|(one, _)| *one == name) {
            return None;
        }
        members.push((name, bytes));
        if reader.ends() {
            return Some(members);
        }
        reader.blanks();
        reader.expect(",")?;
        reader.blanks();
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What is left of a field's text.
struct Reader<'a> {
    whole: &'a str,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Option<Self> {
        let rest = text.trim_matches([' ', '\t']);
        (text.len() <= FIELD_BYTES_MAX && text.is_ascii()).then_some(Self { whole: rest, rest })
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn ends(&self) -> bool {
        self.rest.is_empty()
    }

    fn expect(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    /// Whether the last character that was read is a blank.
    fn after_blank(&self) -> bool {
        let read = self.whole.len().saturating_sub(self.rest.len());
        self.whole.get(..read).is_some_and(|read| read.ends_with(' '))
    }

    /// The longest start whose characters are all of a kind.
    fn take(&mut self, good: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|one| !good(one)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn key(&mut self) -> Option<String> {
        let good = |one: char| {
            one.is_ascii_lowercase() || one.is_ascii_digit() || matches!(one, '_' | '-' | '.' | '*')
        };
        let first = self.peek()?;
        (first.is_ascii_lowercase() || first == '*').then(|| self.take(good).to_owned())
    }

    fn string(&mut self) -> Option<String> {
        self.expect("\"")?;
        let mut text = String::new();
        let mut characters = self.rest.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => match characters.next()? {
                    escaped @ ('"' | '\\') => text.push(escaped),
                    _ => return None,
                },
                plain @ ' '..='~' => text.push(plain),
                _ => return None,
            }
        }
        self.rest = characters.as_str();
        Some(text)
    }

    fn integer(&mut self) -> Option<i64> {
        let negative = self.expect("-").is_some();
        let digits = self.take(|one| one.is_ascii_digit());
        let number: i64 = (digits.len() <= DIGITS_MAX).then(|| digits.parse().ok()).flatten()?;
        // A fraction or an exponent makes it another type.
        let whole = !self.rest.starts_with(['.', 'e', 'E']);
        whole.then_some(if negative { number.checked_neg()? } else { number })
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        self.expect(":")?;
        let text = self.take(|one| one != ':');
        self.expect(":")?;
        STANDARD.decode(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rfc_9421_shows_is_read_and_spelled_as_it_was() {
        let text = "(\"date\" \"@method\" \"@path\" \"content-digest\");created=1618884473;keyid=\"test-key\"";
        let input = Input::parse(&format!("sig-b1={text}")).unwrap();
        assert_eq!(input.label, "sig-b1");
        assert_eq!(input.covered, ["date", "@method", "@path", "content-digest"]);
        assert_eq!(
            (input.integer("created"), input.text("keyid")),
            (Some(1_618_884_473), Some("test-key"))
        );
        assert_eq!(input.canonical(), text);
        // Blanks that the grammar allows are not part of what is signed.
        let loose =
            Input::parse("a=( \"date\"   \"@method\" ); created=-1;nonce=\"q\\\"\\\\\"").unwrap();
        assert_eq!(loose.canonical(), "(\"date\" \"@method\");created=-1;nonce=\"q\\\"\\\\\"");
        assert_eq!(Input::parse("a=()").unwrap().canonical(), "()");
    }

    #[test]
    fn every_other_form_of_signature_input_is_refused() {
        for text in [
            "",
            "a",
            "a=",
            "A=()",
            "a=(",
            "a=(\"x\"\"y\")",
            "a=(\"x\" \"x\")",
            "a=(x)",
            "a=(\"x\";sf)",
            "a=()b",
            "a=();",
            "a=();created",
            "a=();created=1.5",
            "a=();created=1e3",
            "a=();created=1234567890123456",
            "a=();keyid=token",
            "a=();keyid=\"\\n\"",
            "a=();keyid=\"é\"",
            "a=();keyid=\"x\";keyid=\"y\"",
            "a=(), b=()",
            "a=();keyid=\"",
            "a=(\"x\" ",
            "a=();created=",
        ] {
            assert_eq!(Input::parse(text), None, "{text}");
        }
        let long = format!("a=(\"{}\")", "x".repeat(FIELD_BYTES_MAX));
        assert_eq!(Input::parse(&long), None);
        let many: Vec<String> = (0..=MEMBERS_MAX).map(|number| format!("\"x{number}\"")).collect();
        assert_eq!(Input::parse(&format!("a=({})", many.join(" "))), None);
    }

    #[test]
    fn byte_sequences_are_read_once_each() {
        assert_eq!(
            byte_sequences("sha-256=:AAEC:, sha-512=:/w==:").unwrap(),
            [("sha-256".to_owned(), vec![0, 1, 2]), ("sha-512".to_owned(), vec![255])]
        );
        for text in [
            "",
            "a",
            "a=:",
            "a=:AA",
            "a=:A:",
            "a=AA==",
            "a=::,",
            "a=::,a=::",
            "a=:AA==:;x",
            "a=::b=::",
        ] {
            assert_eq!(byte_sequences(text), None, "{text}");
        }
    }
}
