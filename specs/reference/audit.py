"""Audits: what a regulator's replay showed, signed by its node (specs/audit.md): encodings, and a verifier."""

import codec
import ed25519
import symmetric
import tree
from codec import bounded, option, text, u8, u32, u64

VERSION = u8(1)
FILES_MAX, KEYS_MAX, READS_MAX = 32, 4096, 1024
PREFIX = b"sudare bundle 1\n\6"
DOMAIN = "sudare/audit/v1"


# --- encodings ------------------------------------------------------------------------------------------------------


def u128(value):
    return value.to_bytes(16, "little")


def key_read(point, epoch, fields):
    return point + u32(epoch) + u8(fields)


def read_under(grant, entry):
    return grant + u64(entry)


def file_hash(name, data):
    return text(name, 64) + u64(len(data)) + symmetric.sha256(data)


def figures(entries, legs, minted, burned, supply, tags, notes, coverage, live, sums, holders, false_memos, exceptions):
    """`coverage`: of how many legs amounts, parties, trade, links and spends were read."""
    numbers = u64(entries) + u64(legs) + u128(minted) + u128(burned) + u64(supply) + u64(tags) + u64(notes)
    numbers += b"".join(u64(one) for one in coverage)
    maybe = lambda one: option(None if one is None else u64(one))
    return numbers + maybe(live) + u8(sums) + maybe(holders) + u64(false_memos) + u64(exceptions)


def audit(at, reader, log, checkpoint, keys, scope, reads, found, program, files):
    """encode(Audit); `log` is (network, asset, registrar), `scope` bytes or None."""
    lists = bounded(keys, KEYS_MAX) + option(scope) + bounded(reads, READS_MAX)
    head = VERSION + u64(at) + reader + b"".join(log) + bounded(checkpoint, 60000)
    return head + lists + found + text(program, 64) + bounded(files, FILES_MAX)


def signed(body, node):
    """The file: a bundle of kind 6."""
    return PREFIX + body + codec.sign(node.seed, DOMAIN, body)


# --- checking -------------------------------------------------------------------------------------------------------


class Refused(ValueError):
    """The audit is not what it says."""


def verify(data, reader_id, files=None):
    """The statement of an audit by this node; `files` are the bytes of those beside it, by name, if they are to be compared."""
    if data[: len(PREFIX)] != PREFIX:
        raise Refused("not a bundle with an audit")
    reader = _Reader(data[len(PREFIX) :])
    start = reader.left()
    reader.version(1)
    reader.number(8)
    node = reader.take(32)
    network, asset, registrar = reader.take(32), reader.take(32), reader.take(32)
    checkpoint = b"".join(reader.bounded(60000, lambda one: one.take(1)))
    keys = reader.bounded(KEYS_MAX, _key)
    reader.option(_scope)
    reads = reader.bounded(READS_MAX, lambda one: (one.take(32), one.number(8)))
    found = _figures(reader)
    reader.text(64)
    listed = reader.bounded(FILES_MAX, lambda one: (one.text(64), one.number(8), one.take(32)))
    body = start[: len(start) - len(reader.left())]
    signature = reader.take(64)
    reader.end()
    if node != reader_id:
        raise Refused("by another node")
    try:
        codec.verify(node, DOMAIN, body, signature)
    except ed25519.Refused as error:
        raise Refused("the node did not sign it") from error
    _lists(keys, reads, [name for name, _, _ in listed])
    try:
        size, _ = tree.judged_whole(checkpoint, f"sudare/{network.hex()}/asset/{asset.hex()}", registrar)
    except (tree.Unsigned, IndexError, ValueError) as error:
        raise Refused("not the registrar's checkpoint") from error
    _consistent(size, *found)
    if files is not None:
        _compare(listed, files)
    _, legs, minted, burned, supply, *_ = found
    return (
        f"legs 0..{legs} of {legs}, none missing, none unreadable, "
        f"supply = minted - burned = {minted} - {burned} = {supply}"
    )


def _lists(keys, reads, names):
    rising = lambda values: all(one < other for one, other in zip(values, values[1:]))
    if not rising([point for point, _, _ in keys]) or not rising([entry for _, entry in reads]):
        raise Refused("keys or reads out of order")
    may = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
    encoded = [name.encode() for name in names]
    if not rising(encoded) or any(not name or name[0] == "." or set(name) - may for name in names):
        raise Refused("files out of order or ill named")


def _consistent(size, entries, legs, minted, burned, supply, _tags, notes, coverage, live, sums, holders, lies, exceptions):
    amounts, parties, _trade, _links, spends = coverage
    if size != entries:
        raise Refused("the checkpoint is of another size")
    if minted - burned != supply:
        raise Refused("supply is not minted less burned")
    if legs >= entries or any(one > legs for one in coverage):
        raise Refused("more legs than entries, or more read than there are")
    if (live is not None) != (spends == legs) or sums != (live is not None and amounts == legs):
        raise Refused("the register does not follow from what was read")
    if (holders is not None) != (sums and parties == legs) or (live is not None and live > notes):
        raise Refused("the register does not follow from what was read")
    if lies > exceptions:
        raise Refused("fewer exceptions than false memos")


def _compare(listed, files):
    for name, length, sha256 in listed:
        if name not in files:
            raise Refused(f"{name} is missing")
        if (len(files[name]), symmetric.sha256(files[name])) != (length, sha256):
            raise Refused(f"{name} is another file")


class _Reader(codec.Reader):
    def left(self):
        return self._data


def _key(reader):
    point, epoch, fields = reader.point(), reader.number(4), reader.number(1)
    if not 0 < fields < 16:
        raise codec.Refused("unknown or empty fields")
    return point, epoch, fields


def _scope(reader):
    reader.take(32)
    if not 0 < reader.number(1) < 16:
        raise codec.Refused("unknown or empty fields")
    reader.bounded(256, lambda one: one.point())
    reader.take(4 + 4 + 8 + 8)


def _figures(reader):
    entries, legs = reader.number(8), reader.number(8)
    minted, burned, supply = reader.number(16), reader.number(16), reader.number(8)
    tags, notes = reader.number(8), reader.number(8)
    coverage = [reader.number(8) for _ in range(5)]
    live, sums = reader.option(lambda one: one.number(8)), reader.flag()
    holders = reader.option(lambda one: one.number(8))
    return entries, legs, minted, burned, supply, tags, notes, coverage, live, sums, holders, reader.number(8), reader.number(8)
