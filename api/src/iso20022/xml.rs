//! XML as a tree, within limits: no document types, no entities but the five of XML, nothing that reaches outside.

use std::cell::Cell;
use std::fmt::Write;

use quick_xml::XmlVersion;
use quick_xml::escape::{escape, resolve_xml_entity};
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

use super::{BYTES_MAX, Fault, FaultKind};

/// How deep elements may nest; the deepest of the messages here has 14.
pub const DEPTH_MAX: usize = 32;
/// How many elements a message may have.
pub const ELEMENTS_MAX: usize = 1 << 20;
/// The longest text of an element or attribute in bytes: 8000 characters, the longest in any of these messages.
pub const TEXT_BYTES_MAX: usize = 4 * 8000;
const ATTRIBUTES_MAX: usize = 16;

/// An element.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// Its name without prefix.
    pub name: String,
    /// Its namespace, if it isn't that of the element above.
    pub namespace: Option<String>,
    /// Attributes that have no prefix.
    pub attributes: Vec<(String, String)>,
    /// Text right below it.
    pub text: String,
    /// Elements below it.
    pub children: Vec<Self>,
    /// Whether a value was made of it.
    pub used: Cell<bool>,
    /// The line that it begins on, from 1; none if it wasn't read from a file.
    pub line: usize,
}

impl Node {
    /// An empty element.
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The elements below of one name in the message's namespace.
    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |node| node.name == name && node.namespace.is_none())
    }

    /// The last element below if it has this name, or a new one.
    pub(super) fn last_named(&mut self, name: &str) -> Option<&mut Self> {
        if self.children.last().is_none_or(|last| last.name != name) {
            self.children.push(Self::new(name));
        }
        self.children.last_mut()
    }

    /// Paths of what was not made a value of, at most `limit`.
    pub(super) fn unused(&self, limit: usize) -> Vec<String> {
        let mut found = Vec::new();
        self.collect_unused(&mut String::new(), limit, &mut found);
        found
    }

    fn collect_unused(&self, above: &mut String, limit: usize, found: &mut Vec<String>) {
        let length = above.len();
        for child in &self.children {
            if found.len() >= limit {
                return;
            }
            above.push('/');
            above.push_str(&child.name);
            if child.used.get() {
                child.collect_unused(above, limit, found);
            } else if found.last() != Some(above) {
                found.push(above.clone());
            }
            above.truncate(length);
        }
    }

    /// The document's text, with this element as its root.
    pub(super) fn to_document(&self) -> String {
        let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        self.write(0, &mut text);
        text
    }

    fn write(&self, depth: usize, text: &mut String) {
        let indent = |text: &mut String| (0..depth).for_each(|_| text.push_str("  "));
        indent(text);
        text.push('<');
        text.push_str(&self.name);
        let namespace = self.namespace.iter().map(|name| ("xmlns", name.as_str()));
        let attributes =
            self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in namespace.chain(attributes) {
            let _ = write!(text, " {name}=\"{}\"", escape(value));
        }
        if self.children.is_empty() && self.text.is_empty() {
            text.push_str("/>\n");
            return;
        }
        text.push('>');
        text.push_str(&escape(self.text.as_str()));
        if !self.children.is_empty() {
            text.push('\n');
            for child in &self.children {
                child.write(depth.saturating_add(1), text);
            }
            indent(text);
        }
        let _ = writeln!(text, "</{}>", self.name);
    }
}

/// Reads a document's root element.
pub(super) fn parse(bytes: &[u8]) -> Result<Node, Fault> {
    if bytes.len() > BYTES_MAX {
        return Err(FaultKind::TooLong.into());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::from(FaultKind::NotUtf8))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = NsReader::from_str(text);
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.check_comments = true;
    let mut tree = Tree::default();
    let mut lines = Lines { text, at: 0, line: 1 };
    loop {
        // Where the event begins.
        let line = lines.reach(reader.buffer_position());
        tree.line = line;
        let read = step(&mut reader, &mut tree);
        if let Some(root) = read.map_err(|fault| fault.on_line(line))? {
            return Ok(root);
        }
    }
}

/// Counts lines while a text is read.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn reach(&mut self, position: u64) -> usize {
        let position = usize::try_from(position).unwrap_or(usize::MAX).min(self.text.len());
        let passed = self.text.as_bytes().get(self.at..position).unwrap_or_default();
        self.line = self.line.saturating_add(passed.iter().filter(|byte| **byte == b'\n').count());
        self.at = position.max(self.at);
        self.line
    }
}

/// Takes one event; the root at the end.
fn step(reader: &mut NsReader<&[u8]>, tree: &mut Tree) -> Result<Option<Node>, Fault> {
    let (namespace, event) = reader.read_resolved_event().map_err(not_xml)?;
    match event {
        Event::Start(start) => tree.open(namespace, &start)?,
        Event::End(_) => tree.close()?,
        Event::Text(text) => tree.text(&text.xml10_content())?,
        Event::CData(text) => tree.text(&text.xml10_content())?,
        Event::GeneralRef(reference) => tree.text(&resolve(&reference)?)?,
        Event::Decl(declaration) => {
            let version = declaration.xml_version().map_err(not_xml)?;
            let encoding = declaration.encoding().transpose().map_err(not_xml)?;
            let utf8 = encoding.is_none_or(|name| name.eq_ignore_ascii_case("utf-8"));
            if !matches!(version, XmlVersion::Explicit1_0) || !utf8 {
                return Err(FaultKind::NotUtf8.into());
            }
        }
        Event::DocType(_) => return Err(FaultKind::DocumentType.into()),
        Event::PI(_) | Event::Comment(_) => (),
        Event::Empty(_) => return Err(FaultKind::NotXml.into()),
        Event::Eof => return std::mem::take(tree).finish().map(Some),
    }
    Ok(None)
}

/// Elements under way, outermost first, each with its namespace.
#[derive(Debug, Default)]
struct Tree {
    open: Vec<(Node, String)>,
    root: Option<Node>,
    elements: usize,
    /// On which line the event begins that is taken.
    line: usize,
}

impl Tree {
    fn open(&mut self, namespace: ResolveResult<'_>, start: &BytesStart<'_>) -> Result<(), Fault> {
        self.elements = self.elements.saturating_add(1);
        let second_root = self.open.is_empty() && self.root.is_some();
        if second_root {
            return Err(FaultKind::NotXml.into());
        }
        if self.elements > ELEMENTS_MAX || self.open.len() >= DEPTH_MAX {
            return Err(FaultKind::TooLong.into());
        }
        let namespace = match namespace {
            ResolveResult::Bound(Namespace(name)) => name.to_owned(),
            ResolveResult::Unbound => String::new(),
            ResolveResult::Unknown(_) => return Err(FaultKind::NotXml.into()),
        };
        let mut node = Node::new(start.local_name().into_inner());
        let above = self.open.last().map_or("", |(_, namespace)| namespace);
        node.namespace = (above != namespace).then(|| namespace.clone());
        node.line = self.line;
        let mut attributes = start.attributes();
        for attribute in attributes.by_ref() {
            let attribute = attribute.map_err(not_xml)?;
            // Bindings, and hints such as `xsi:schemaLocation`, which nothing here follows.
            let foreign = attribute.key.prefix().is_some();
            if foreign || attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(not_xml)?;
            if value.len() > TEXT_BYTES_MAX || node.attributes.len() >= ATTRIBUTES_MAX {
                return Err(FaultKind::TooLong.into());
            }
            node.attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
        }
        self.open.push((node, namespace));
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        let (mut node, _) = self.open.pop().ok_or(FaultKind::NotXml)?;
        if !node.children.is_empty() && node.text.bytes().all(is_blank) {
            node.text = String::new();
        }
        node.text.shrink_to_fit();
        match self.open.last_mut() {
            Some((above, _)) => above.children.push(node),
            None => self.root = Some(node),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Fault> {
        let Some((node, _)) = self.open.last_mut() else {
            let blank = text.bytes().all(is_blank);
            return if blank { Ok(()) } else { Err(FaultKind::NotXml.into()) };
        };
        if node.text.len().saturating_add(text.len()) > TEXT_BYTES_MAX {
            return Err(FaultKind::TooLong.into());
        }
        node.text.push_str(text);
        Ok(())
    }

    fn finish(self) -> Result<Node, Fault> {
        match (self.open.is_empty(), self.root) {
            (true, Some(root)) => Ok(root),
            _ => Err(FaultKind::NotXml.into()),
        }
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<String, Fault> {
    if let Some(char) = reference.resolve_char_ref().map_err(not_xml)? {
        return Ok(char.into());
    }
    let text = resolve_xml_entity(reference.xml10_content().as_ref()).map(str::to_owned);
    text.ok_or_else(|| FaultKind::DocumentType.into())
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn not_xml<E>(_: E) -> Fault {
    FaultKind::NotXml.into()
}
