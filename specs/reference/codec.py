"""Canonical bytes, hash, derivation and node signatures (specs/encoding.md)."""

import unicodedata

import ed25519
import ristretto as group
import symmetric

# --- writing ----------------------------------------------------------------------------------------------------


def u8(value):
    return value.to_bytes(1, "little")


def u16(value):
    return value.to_bytes(2, "little")


def u32(value):
    return value.to_bytes(4, "little")


def u64(value):
    return value.to_bytes(8, "little")


def u128(value):
    return value.to_bytes(16, "little")


def vec(items):
    """`Vec<T>` of items that are bytes already; `vec` of a byte string is a byte slice."""
    return u32(len(items)) + (items if isinstance(items, bytes) else b"".join(items))


def bounded(items, maximum):
    """`Bounded<T, MAX>`; `bounded` of a byte string is a bounded byte list."""
    if len(items) > maximum:
        raise ValueError("too many items")
    count = u32 if maximum > 0xFFFF else u16
    return count(len(items)) + (items if isinstance(items, bytes) else b"".join(items))


def text(value, maximum):
    data = value.encode()
    if len(data) > maximum or _has_control(value):
        raise ValueError("not a text of this type")
    return u16(len(data)) + data


def option(item):
    """`Option<T>` of bytes or None."""
    return b"\0" if item is None else b"\1" + item


def scalar_bytes(value):
    return group.scalar_encode(value)


# --- reading ----------------------------------------------------------------------------------------------------


class Refused(ValueError):
    """The bytes are not the canonical encoding of a value of the type."""


class Reader:
    """Takes canonical values off the front of a byte string."""

    def __init__(self, data):
        self._data = data

    def take(self, count):
        if len(self._data) < count:
            raise Refused("bytes are missing")
        head, self._data = self._data[:count], self._data[count:]
        return head

    def number(self, width):
        return int.from_bytes(self.take(width), "little")

    def flag(self):
        value = self.number(1)
        if value > 1:
            raise Refused("neither 0 nor 1")
        return value == 1

    def option(self, read):
        return read(self) if self.flag() else None

    def bounded(self, maximum, read):
        count = self.number(4 if maximum > 0xFFFF else 2)
        if count > maximum:
            raise Refused("too many items")
        return [read(self) for _ in range(count)]

    def text(self, maximum):
        length = self.number(2)
        if length > maximum:
            raise Refused("the text is too long")
        try:
            value = self.take(length).decode()
        except UnicodeDecodeError as error:
            raise Refused("not UTF-8") from error
        if _has_control(value):
            raise Refused("a control character")
        return value

    def version(self, expected):
        if self.number(1) != expected:
            raise Refused("unknown version")

    def point(self):
        data = self.take(32)
        if data == bytes(32):
            raise Refused("the identity")
        return data

    def scalar(self):
        try:
            return group.scalar_decode(self.take(32))
        except group.DecodeError as error:
            raise Refused(str(error)) from error

    def end(self):
        if self._data:
            raise Refused("bytes are left over")


def decode(data, read):
    """The value that `read` takes; Refused unless it is all of `data`."""
    reader = Reader(data)
    value = read(reader)
    reader.end()
    return value


def _has_control(value):
    return any(unicodedata.category(character) == "Cc" for character in value)


# --- hash and derivation ----------------------------------------------------------------------------------------


def digest(domain, *parts):
    """H(domain, parts..)."""
    name = domain.encode()
    return symmetric.sha256(u8(len(name)), name, *(u64(len(part)) + part for part in parts))


def fill(seed, purpose, context, length):
    name = purpose.encode()
    return symmetric.hkdf(b"sudare/derive/v1", seed, u8(len(name)) + name + context, length)


def scalar(seed, purpose, context):
    return group.scalar_wide(fill(seed, purpose, context, 64))


def child(seed, purpose, context):
    return fill(seed, purpose, context, 32)


# --- node signatures --------------------------------------------------------------------------------------------


def sign(seed, domain, message):
    return ed25519.sign(seed, with_domain(domain, message))


def verify(node, domain, message, signature):
    """Raises ed25519.Refused unless the signature is `node`'s on the message."""
    ed25519.verify(node, with_domain(domain, message), signature)


def with_domain(domain, message):
    name = domain.encode()
    if not 0 < len(name) < 32:
        raise ValueError("a domain has 1 to 31 bytes")
    return u8(len(name)) + name + message
