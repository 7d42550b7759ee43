#![doc = include_str!("../../../specs/iso20022.md")]

mod codec;
mod events;
mod holdings;
pub mod ledger;
mod parts;
mod postings;
mod said;
mod settlement;
#[cfg(test)]
mod tests;
mod values;
mod xml;

use std::fmt;

use thiserror::Error;

use xml::Node;

pub use events::*;
pub use holdings::*;
pub use parts::*;
pub use postings::*;
pub use said::Said;
pub use settlement::*;
pub use values::{
    Amount, Bic, Code4, Country, Currency, DateTime, Decimal, Isin, Lei, Max35, Number,
    OptionNumber, PageNumber, Text,
};
pub use xml::{DEPTH_MAX, ELEMENTS_MAX, TEXT_BYTES_MAX};

/// The longest message in bytes.
pub const BYTES_MAX: usize = 32 * 1024 * 1024;
/// How many paths that nothing was read of are named.
const UNREAD_MAX: usize = 100;

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:";
/// That of a business file, which has one document in each of its payloads.
const FILE_NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:head.002.001.01";

/// The messages, each with its identifier and the element that holds it.
macro_rules! messages {
    ($($(#[$doc:meta])* $variant:ident($type:ty) = $id:literal, $element:literal;)*) => {
        /// A message.
        #[derive(Clone, Debug, Eq, PartialEq)]
        #[non_exhaustive]
        pub enum Message {
            $($(#[$doc])* $variant(Box<$type>),)*
        }

        impl Message {
            /// The identifiers of all messages that are read and written.
            pub const IDS: &[&str] = &[$($id,)*];

            /// The message's identifier.
            #[must_use]
            pub const fn id(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $id,)*
                }
            }

            fn of_body(id: &str, root: &Node) -> Result<Self, Fault> {
                match id {
                    $($id => Ok(Self::$variant(Box::new(codec::Field::get(root, &[$element])?))),)*
                    _ => Err(FaultKind::NotHandled.into()),
                }
            }

            fn write_body(&self, root: &mut Node) {
                match self {
                    $(Self::$variant(body) => codec::Field::put(body.as_ref(), root, &[$element]),)*
                }
            }
        }
    };
}

messages! {
    /// What a custodian's account holds.
    Custody(Custody) = "semt.002.001.11", "SctiesBalCtdyRpt";
    /// The same with its value.
    Accounting(Accounting) = "semt.003.001.11", "SctiesBalAcctgRpt";
    /// What was booked in an account.
    Postings(Postings) = "semt.017.001.12", "SctiesTxPstngRpt";
    /// What is under way in an account.
    Pending(PendingReport) = "semt.018.001.13", "SctiesTxPdgRpt";
    /// To cancel an instruction.
    CancellationRequest(CancellationRequest) = "sese.020.001.07", "SctiesTxCxlReq";
    /// To deliver or receive.
    Instruction(SettlementInstruction) = "sese.023.001.11", "SctiesSttlmTxInstr";
    /// How far an instruction is.
    Status(StatusAdvice) = "sese.024.001.12", "SctiesSttlmTxStsAdvc";
    /// That an instruction settled.
    Confirmation(SettlementConfirmation) = "sese.025.001.11", "SctiesSttlmTxConf";
    /// What becomes of a request to cancel.
    CancellationAdvice(CancellationAdvice) = "sese.027.001.07", "SctiesTxCxlReqStsAdvc";
    /// That something befalls a security.
    EventNotification(EventNotification) = "seev.031.001.14", "CorpActnNtfctn";
    /// What was booked for it.
    EventConfirmation(EventConfirmation) = "seev.036.001.15", "CorpActnMvmntConf";
}

/// A message as it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parsed {
    /// What it says.
    pub message: Message,
    /// Paths of elements that it has besides, of which nothing is in `message`; the first 100.
    pub unread: Vec<String>,
}

impl Message {
    /// Reads a document of one message.
    ///
    /// # Errors
    ///
    /// [`Fault`] unless the bytes are XML within the limits and one of [`Self::IDS`], each value that is read by its form.
    pub fn parse(bytes: &[u8]) -> Result<Parsed, Fault> {
        Self::of_document(&xml::parse(bytes)?)
    }

    /// Reads a file: a document, or the documents of a business file (head.002.001.01), each by itself.
    ///
    /// # Errors
    ///
    /// [`Fault`] unless the bytes are XML within the limits with one of the two.
    pub fn parse_file(bytes: &[u8]) -> Result<Vec<Result<Parsed, Fault>>, Fault> {
        let root = xml::parse(bytes)?;
        if root.name != "Xchg" || root.namespace.as_deref() != Some(FILE_NAMESPACE) {
            return match Self::of_document(&root) {
                Err(fault) if root.name != "Document" => Err(fault),
                read => Ok(vec![read]),
            };
        }
        codec::only_elements(&root)?;
        let payloads = root.named("Pyld").map(|payload| match payload.children.as_slice() {
            [document] => Self::of_document(document),
            [] => Err(Fault::at(FaultKind::Missing, &["Document"])),
            [_, second, ..] => Err(Fault::at(FaultKind::Unexpected, &[&second.name])),
        });
        Ok(payloads.collect())
    }

    fn of_document(root: &Node) -> Result<Parsed, Fault> {
        let on_line = |fault: Fault| fault.on_line(root.line);
        if root.name != "Document" {
            return Err(on_line(FaultKind::NotHandled.into()));
        }
        codec::only_elements(root).map_err(on_line)?;
        let id = root.namespace.as_deref().and_then(|name| name.strip_prefix(NAMESPACE));
        let id = id.ok_or_else(|| on_line(FaultKind::NotHandled.into()))?;
        let message = Self::of_body(id, root);
        let message = message.map_err(|fault| on_line(fault.within("Document")))?;
        Ok(Parsed { message, unread: root.unused(UNREAD_MAX) })
    }

    /// The document's text.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut root = Node::new("Document");
        root.namespace = Some(format!("{NAMESPACE}{}", self.id()));
        self.write_body(&mut root);
        root.to_document()
    }
}

/// Why bytes are no message, and where.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub struct Fault {
    /// Names of elements, innermost first.
    path: Vec<String>,
    /// The line on which the element, or the one that lacks it, begins.
    line: Option<usize>,
    /// What is wrong there.
    pub kind: FaultKind,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum FaultKind {
    /// More bytes, elements, depth, text or attributes than any message has.
    #[error(
        "longer or deeper than a message may be ({BYTES_MAX} bytes, {ELEMENTS_MAX} elements, {DEPTH_MAX} deep): have it sent in pages"
    )]
    TooLong,
    /// Another encoding, or another version of XML.
    #[error("not XML 1.0 in UTF-8: ask for it in this encoding")]
    NotUtf8,
    /// Not well-formed.
    #[error("not well-formed XML, or cut short: ask for the file again")]
    NotXml,
    /// A document type or an entity.
    #[error("it has a document type or an entity, which messages have not: refuse it")]
    DocumentType,
    /// A message, version, choice or element that isn't handled.
    #[error("this program doesn't handle it: see specs/iso20022.md for what it does")]
    NotHandled,
    /// Something that must be there.
    #[error("missing: the standard demands it")]
    Missing,
    /// Something that may be there once.
    #[error("it stands there more than once")]
    Repeated,
    /// More than one of a choice.
    #[error("more than one of what excludes each other")]
    Ambiguous,
    /// Text, an attribute or an element where there may be none.
    #[error("text, an attribute or an element that may not be there")]
    Unexpected,
    /// A code.
    #[error("a code that this program doesn't handle here: see specs/iso20022.md")]
    Code,
    /// A text.
    #[error("not a text of 1 to {0} characters without control characters")]
    Text(usize),
    /// A number.
    #[error("a number of more than {0} digits, or {1} in its fraction")]
    Digits(usize, u8),
    /// Another form.
    #[error("not {0}")]
    Form(&'static str),
}

impl Fault {
    fn at(kind: FaultKind, path: &[&str]) -> Self {
        Self { path: path.iter().rev().map(|name| (*name).to_owned()).collect(), line: None, kind }
    }

    /// On the line of an element, unless one further in has said its own.
    fn on_line(mut self, line: usize) -> Self {
        self.line = self.line.or((line > 0).then_some(line));
        self
    }

    fn within(mut self, name: &str) -> Self {
        self.path.push(name.to_owned());
        self
    }

    /// The line in the file, from 1, as far as it was read.
    #[must_use]
    pub const fn line(&self) -> Option<usize> {
        self.line
    }

    /// Where it is, as `/Document/...`.
    #[must_use]
    pub fn path(&self) -> String {
        self.path.iter().rev().flat_map(|name| ["/", name]).collect()
    }
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self { path: Vec::new(), line: None, kind }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "{}", self.kind)
        } else {
            write!(f, "{}: {}", self.path(), self.kind)
        }
    }
}
