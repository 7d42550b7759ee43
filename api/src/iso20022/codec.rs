//! From an element to a value and back: records, choices and codes, each declared once for both directions.

use super::xml::Node;
use super::{Fault, FaultKind};

/// What an element holds.
pub(super) trait Content: Sized {
    /// The value of an element.
    fn read(node: &Node) -> Result<Self, Fault>;
    /// Puts the value into an empty element.
    fn write(&self, node: &mut Node);
}

/// A field of a record: one value, at most one, or any number, below a path such as `Pty1/Id`.
pub(super) trait Field: Sized {
    fn get(node: &Node, path: &[&str]) -> Result<Self, Fault>;
    fn put(&self, node: &mut Node, path: &[&str]);
}

impl<T: Content> Field for T {
    fn get(node: &Node, path: &[&str]) -> Result<Self, Fault> {
        let found = Option::<T>::get(node, path)?;
        found.ok_or_else(|| Fault::at(FaultKind::Missing, path))
    }

    fn put(&self, node: &mut Node, path: &[&str]) {
        let Some((last, above)) = path.split_last() else { return };
        let mut inner = Some(node);
        for name in above {
            inner = inner.and_then(|node| node.last_named(name));
        }
        let mut made = Node::new(last);
        self.write(&mut made);
        if let Some(node) = inner {
            node.children.push(made);
        }
    }
}

impl<T: Content> Field for Option<T> {
    fn get(node: &Node, path: &[&str]) -> Result<Self, Fault> {
        let mut found = Vec::<T>::get(node, path)?;
        let value = found.pop();
        if found.is_empty() { Ok(value) } else { Err(Fault::at(FaultKind::Repeated, path)) }
    }

    fn put(&self, node: &mut Node, path: &[&str]) {
        if let Some(value) = self {
            value.put(node, path);
        }
    }
}

impl<T: Content> Field for Vec<T> {
    fn get(node: &Node, path: &[&str]) -> Result<Self, Fault> {
        let Some((name, below)) = path.split_first() else { return Ok(Self::new()) };
        if below.is_empty() {
            let read = |child: &Node| {
                child.used.set(true);
                T::read(child).map_err(|fault| fault.within(name).on_line(child.line))
            };
            return node.named(name).map(read).collect();
        }
        let mut parents = node.named(name);
        let (first, second) = (parents.next(), parents.next());
        if second.is_some() {
            return Err(Fault::at(FaultKind::Repeated, &[name]));
        }
        let Some(first) = first else { return Ok(Self::new()) };
        first.used.set(true);
        only_elements(first).map_err(|fault| fault.within(name).on_line(first.line))?;
        Self::get(first, below).map_err(|fault| fault.within(name).on_line(first.line))
    }

    fn put(&self, node: &mut Node, path: &[&str]) {
        for value in self {
            value.put(node, path);
        }
    }
}

/// A value that is an element's text.
pub(super) trait Simple: Sized {
    /// The value, or what is wrong with the text.
    fn from_text(text: &str) -> Result<Self, FaultKind>;
    /// The text.
    fn to_text(&self) -> String;
}

impl<T: Simple> Content for T {
    fn read(node: &Node) -> Result<Self, Fault> {
        no_attributes(node)?;
        if let Some(child) = node.children.first() {
            return Err(Fault::at(FaultKind::Unexpected, &[&child.name]));
        }
        Ok(Self::from_text(&node.text)?)
    }

    fn write(&self, node: &mut Node) {
        node.text = self.to_text();
    }
}

/// A struct that is an element with others below it, its fields in the order of the standard's schema.
macro_rules! record {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty = $($path:literal)/+,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub struct $name {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl $crate::iso20022::codec::Content for $name {
            fn read(node: &$crate::iso20022::xml::Node) -> Result<Self, $crate::iso20022::Fault> {
                $crate::iso20022::codec::only_elements(node)?;
                Ok(Self {
                    $($field: <$type as $crate::iso20022::codec::Field>::get(node, &[$($path),+])?,)*
                })
            }

            fn write(&self, node: &mut $crate::iso20022::xml::Node) {
                $(<$type as $crate::iso20022::codec::Field>::put(&self.$field, node, &[$($path),+]);)*
            }
        }
    };
}

/// An enum of which exactly one stands below the element.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident($type:ty) = $($path:literal)/+,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub enum $name {
            $($(#[$doc])* $variant($type),)*
        }

        impl $crate::iso20022::codec::Content for $name {
            fn read(node: &$crate::iso20022::xml::Node) -> Result<Self, $crate::iso20022::Fault> {
                $crate::iso20022::codec::only_elements(node)?;
                let mut found = Vec::new();
                $(found.extend(
                    <Option<$type> as $crate::iso20022::codec::Field>::get(node, &[$($path),+])?.map(Self::$variant),
                );)*
                let value = found.pop();
                match (value, found.is_empty(), node.children.first()) {
                    (Some(value), true, _) => Ok(value),
                    (Some(_), false, _) => Err($crate::iso20022::FaultKind::Ambiguous.into()),
                    (None, _, Some(child)) => Err($crate::iso20022::Fault::at(
                        $crate::iso20022::FaultKind::NotHandled, &[&child.name],
                    )),
                    (None, _, None) => Err($crate::iso20022::FaultKind::Missing.into()),
                }
            }

            fn write(&self, node: &mut $crate::iso20022::xml::Node) {
                match self {
                    $(Self::$variant(value) =>
                        <$type as $crate::iso20022::codec::Field>::put(value, node, &[$($path),+]),)*
                }
            }
        }
    };
}

/// An enum of the standard's codes, as far as they are handled here.
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The standard's code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }
        }

        impl $crate::iso20022::codec::Simple for $name {
            fn from_text(text: &str) -> Result<Self, $crate::iso20022::FaultKind> {
                let found = Self::ALL.iter().find(|one| one.code() == text);
                found.copied().ok_or($crate::iso20022::FaultKind::Code)
            }

            fn to_text(&self) -> String {
                self.code().to_owned()
            }
        }
    };
}

pub(super) use {choice, codes, record};

/// Refuses an element that should hold elements alone, but has text or attributes.
pub(super) fn only_elements(node: &Node) -> Result<(), Fault> {
    no_attributes(node)?;
    if node.text.trim().is_empty() { Ok(()) } else { Err(FaultKind::Unexpected.into()) }
}

fn no_attributes(node: &Node) -> Result<(), Fault> {
    let attribute = node.attributes.first();
    attribute.map_or(Ok(()), |(name, _)| Err(Fault::at(FaultKind::Unexpected, &[name])))
}
