"""Sign-offs of reconciliations by two officers (specs/reconciliation.md): encodings, and a verifier."""

import codec
import ed25519
import symmetric
from codec import bounded, option, text, u8, u64

VERSION = u8(1)
PREFIX = b"sudare bundle 1\n\x08"
DOMAIN = "sudare/sign-off/v1"
FILES_MAX = 4096


class Refused(ValueError):
    """The sign-off is not what it says."""


# --- encodings ------------------------------------------------------------------------------------------------------


def file_hash(name, data):
    return text(name, 64) + u64(len(data)) + symmetric.sha256(data)


def report(as_of, files):
    return u8(0) + text(as_of, 10) + bounded(files, FILES_MAX)


def accept(identity, difference, reason):
    return u8(1) + text(identity, 32) + text(difference, 41) + text(reason, 200)


def signed(before, officer, at):
    """A Signed over what stands before it."""
    head = officer.id + u64(at)
    return head + codec.sign(officer.seed, DOMAIN, before + head)


def file(subject, maker, checker):
    """The file: a bundle of kind 8; maker and checker are (officer, time), the checker may be None."""
    made = VERSION + subject
    made += signed(made, *maker)
    return PREFIX + made + option(checker and signed(made, *checker))


# --- checking -------------------------------------------------------------------------------------------------------


def verify(data, officers, beside=None):
    """(maker's name, checker's name) of a sign-off by two of `officers`, (name, id); `beside` are the bytes of files that are there."""
    if data[: len(PREFIX)] != PREFIX:
        raise Refused("not a bundle with a sign-off")
    reader = codec.Reader(data[len(PREFIX) :])
    whole = data[len(PREFIX) :]
    taken = lambda: whole[: len(whole) - len(reader._data)]
    reader.version(1)
    subject = _subject(reader)
    parts = []
    for number in range(2):
        if number and not reader.flag():
            raise Refused("only the maker signed")
        # The maker signs what stands before, the checker besides the maker's part, but not the flag.
        before = taken() if not number else taken()[:-1]
        identity, at, signature = reader.take(32), reader.take(8), reader.take(64)
        parts.append((identity, before + identity + at, signature))
    reader.end()
    names = [_name(officers, identity) for identity, _, _ in parts]
    if parts[0][0] == parts[1][0] or names[0] == names[1]:
        raise Refused("maker and checker are one")
    for identity, message, signature in parts:
        try:
            codec.verify(identity, DOMAIN, message, signature)
        except ed25519.Refused as error:
            raise Refused("a signature does not hold") from error
    _check(subject, beside)
    return tuple(names)


def _subject(reader):
    kind = reader.number(1)
    if kind == 0:
        as_of = reader.text(10)
        return as_of, reader.bounded(FILES_MAX, lambda one: (one.text(64), one.number(8), one.take(32)))
    if kind == 1:
        return reader.text(32), reader.text(41), reader.text(200)
    raise codec.Refused("an unknown subject")


def _name(officers, identity):
    for name, known in officers:
        if known == identity:
            return name
    raise Refused("signed by somebody whose card wasn't given")


def _check(subject, beside):
    if len(subject) == 2:
        as_of, files = subject
        names = [name for name, _, _ in files]
        if len(as_of) != 10 or any((one != "-") if at in (4, 7) else one not in "0123456789" for at, one in enumerate(as_of)):
            raise Refused("a report of no day")
        if names != sorted(set(names)) or "report.json" not in names or not all(map(_well_named, names)):
            raise Refused("a list of files that is none")
        if beside is not None:
            found = [one for one in files if one[0] in beside]
            if not found or any((length, sha) != (len(beside[name]), symmetric.sha256(beside[name])) for name, length, sha in found):
                raise Refused("a file that was changed, or none")
        return
    identity, difference, reason = subject
    digits = difference[1:] if difference[:1] == "-" else difference
    if len(identity) != 32 or set(identity) - set("0123456789abcdef") or not digits or set(digits) - set("0123456789") or not reason:
        raise Refused("it accepts nothing")


def _well_named(name):
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_")
    return bool(name) and name[0] != "." and not set(name) - allowed
