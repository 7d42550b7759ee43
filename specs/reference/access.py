"""Grants, access logs and entries that are handed on (specs/access.md): encodings, and a verifier of `LoggedEntry`."""

from dataclasses import dataclass

import codec
import ed25519
import symmetric
import tree
from codec import bounded, option, text, u8, u32, u64

VERSION = u8(1)
OFFICERS_MAX, ACCOUNTS_MAX, ROWS_MAX = 16, 256, 200
MADE, CHANGED, READ, LISTED, PAST, REQUESTS, NAMED, ERASED = range(8)
TRANSFER, ACCOUNT, STATEMENT = u8(0), u8(1), u8(2)


# --- encodings ------------------------------------------------------------------------------------------------------


@dataclass
class Desk:
    network: bytes
    reader: bytes
    number: int
    needed: int
    officers: list

    def encode(self):
        officers = bounded([officer.encode() for officer in self.officers], OFFICERS_MAX)
        return VERSION + self.network + self.reader + u32(self.number) + u8(self.needed) + officers

    def signed(self, by):
        """encode(SignedDesk), signed by officers of the desk before."""
        return self.encode() + signatures(by, "sudare/access-desk/v1", self.encode())


def scope(asset, fields, accounts, epochs, times):
    first, last = epochs
    return asset + u8(fields) + bounded(accounts, ACCOUNTS_MAX) + u32(first) + u32(last) + u64(times[0]) + u64(times[1])


@dataclass
class Grant:
    network: bytes
    reader: bytes
    scope: bytes
    purpose: str
    legal_basis: str
    case: str
    issued_at: int
    expires_at: int
    nonce: bytes

    def encode(self):
        why = text(self.purpose, 140) + text(self.legal_basis, 140) + text(self.case, 64)
        when = u64(self.issued_at) + u64(self.expires_at)
        return VERSION + self.network + self.reader + self.scope + why + when + self.nonce

    def id(self):
        return codec.digest("sudare/grant/v1", self.encode())

    def signed(self, by):
        """encode(SignedGrant)."""
        return self.encode() + signatures(by, "sudare/grant/v1", self.encode())


def signatures(officers, domain, message):
    """Each officer's id and signature."""
    signed = [officer.id + codec.sign(officer.signing, domain, message) for officer in officers]
    return bounded(signed, OFFICERS_MAX)


def revocation(grant, officer):
    return grant + officer.id + codec.sign(officer.signing, "sudare/grant-end/v1", grant)


def disclosure(asset, account, what, recipient, purpose, file):
    return asset + account + what + text(recipient, 140) + text(purpose, 140) + symmetric.sha256(file)


def desk_set(signed):
    return u8(0) + signed


def granted(signed):
    return u8(1) + signed


def revoked(signed):
    return u8(2) + signed


def used(grant, what):
    return u8(3) + grant + what


def disclosed(what):
    return u8(4) + what


def handled(what):
    return u8(5) + what


def handling(client, institution, what, reason, rows):
    """Somebody is about to handle personal data: `rows` are ids."""
    hashes = [row_hash(one) for one in rows]
    return text(client, 128) + text(institution, 64) + u8(what) + text(reason, 64) + bounded(hashes, ROWS_MAX)


def row_hash(row):
    return codec.digest("sudare/row/v1", row.encode())


def read(of):
    return u8(0) + of


def opening(entry, request):
    return u8(1) + u64(entry) + request


def handed_out(file, recipient):
    return u8(2) + symmetric.sha256(file) + text(recipient, 140)


def entry(at, event):
    return VERSION + u64(at) + event


def logged(grant, own, index, checkpoint, path):
    """encode(LoggedEntry)."""
    return VERSION + option(grant) + own + u64(index) + bounded(checkpoint, 60000) + bounded(path, 64)


def file(entry_shown):
    """A bundle of kind 4."""
    return b"sudare bundle 1\n\4" + entry_shown


# --- checking -------------------------------------------------------------------------------------------------------


class Refused(ValueError):
    """The entry is not what it says."""


def verify(data, desk=None, node=None):
    """The event of a bundle that holds an entry: under a desk, or of another node whose id is `node`; else Refused."""
    if data[:17] != b"sudare bundle 1\n\4":
        raise Refused("not a bundle with an entry of an access log")
    reader = _Reader(data[17:])
    reader.version(1)
    grant = reader.option(_grant)
    start = reader.left()
    event = _entry(reader)
    own = start[: len(start) - len(reader.left())]
    index = reader.number(8)
    signed = b"".join(reader.bounded(60000, lambda one: one.take(1)))
    path = reader.bounded(64, lambda one: one.take(32))
    reader.end()
    size, root = _checkpoint(signed, desk.reader if desk else node, desk and desk.network)
    if tree.inclusion_root(tree.leaf_hash(own), index, size, path) != root:
        raise Refused("the entry is not in the log")
    kind, of_grant = event
    if (kind == 3) != (grant is not None):
        raise Refused("a use comes with its grant, and nothing else does")
    if desk is None:
        if kind not in (4, 5):
            raise Refused("neither a disclosure nor what was done with personal data")
        return kind
    if kind == 3:
        _check_grant(desk, grant, of_grant)
    return kind


def _check_grant(desk, grant, expected):
    body, network, reader, signed = grant
    if codec.digest("sudare/grant/v1", body) != expected:
        raise Refused("another grant")
    if (network, reader) != (desk.network, desk.reader):
        raise Refused("a grant for another node")
    known, seen = {officer.id for officer in desk.officers}, set()
    for officer, signature in signed:
        if officer not in known or officer in seen:
            raise Refused("signed by somebody else, or twice")
        _signed(officer, "sudare/grant/v1", body, signature)
        seen.add(officer)
    if len(seen) < desk.needed:
        raise Refused("signed by too few")


def _signed(node, domain, message, signature):
    try:
        codec.verify(node, domain, message, signature)
    except ed25519.Refused as error:
        raise Refused("a signature does not verify") from error


def _checkpoint(signed, node, network):
    """(size, root) of a text that `node` signed as its access log's, with no line by anybody but nodes."""
    try:
        named = signed.split(b"/")[1].decode() if network is None else network.hex()
        return tree.judged_whole(signed, f"sudare/{named}/access/{node.hex()}", node)
    except (tree.Unsigned, IndexError, ValueError) as error:
        raise Refused(str(error)) from error


class _Reader(codec.Reader):
    def left(self):
        return self._data


def _entry(reader):
    """(kind, grant id of a use)."""
    reader.version(1)
    reader.number(8)
    kind = reader.number(1)
    if kind == 0:
        reader.version(1)
        reader.take(64 + 4 + 1)
        reader.bounded(OFFICERS_MAX, lambda one: (one.text(32), one.take(32)))
        _signatures(reader)
    elif kind == 1:
        _grant(reader)
    elif kind == 2:
        reader.take(32 + 32 + 64)
    elif kind == 3:
        grant = reader.take(32)
        use = reader.number(1)
        if use == 0:
            _scope(reader)
        elif use == 1:
            reader.take(8 + 32)
        elif use == 2:
            reader.take(32)
            reader.text(140)
        else:
            raise codec.Refused("an unknown use")
        return kind, grant
    elif kind == 4:
        reader.take(32)
        reader.point()
        if reader.number(1) > 2:
            raise codec.Refused("an unknown disclosure")
        reader.text(140)
        reader.text(140)
        reader.take(32)
    elif kind == 5:
        reader.text(128)
        reader.text(64)
        if reader.number(1) > 7:
            raise codec.Refused("unknown what is done with personal data")
        reader.text(64)
        reader.bounded(ROWS_MAX, lambda one: one.take(32))
    else:
        raise codec.Refused("an unknown event")
    return kind, None


def _grant(reader):
    """(encoding, network, reader, signatures)."""
    start = reader.left()
    reader.version(1)
    network, node = reader.take(32), reader.take(32)
    _scope(reader)
    reader.text(140), reader.text(140), reader.text(64)
    reader.take(8 + 8 + 32)
    body = start[: len(start) - len(reader.left())]
    return body, network, node, _signatures(reader)


def _scope(reader):
    reader.take(32)
    if not 0 < reader.number(1) < 16:
        raise codec.Refused("unknown or empty fields")
    reader.bounded(ACCOUNTS_MAX, lambda one: one.point())
    reader.take(4 + 4 + 8 + 8)


def _signatures(reader):
    return reader.bounded(OFFICERS_MAX, lambda one: (one.take(32), one.take(64)))
