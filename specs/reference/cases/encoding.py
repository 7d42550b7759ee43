"""Canonical bytes, hashes, derivation and node signatures (specs/encoding.md), transcripts (specs/transcript.md)."""

import hashlib

import codec
import ed25519
import relations
import ristretto as group
from cases.common import Draw, Node, negative, scalar_hex
from codec import bounded, option, text, u8, u16, u32, u64

ORDER = group.L.to_bytes(32, "little")
READERS = {
    "u8": lambda r: r.number(1),
    "u16": lambda r: r.number(2),
    "u32": lambda r: r.number(4),
    "u64": lambda r: r.number(8),
    "bool": lambda r: r.flag(),
    "Option<u32>": lambda r: r.option(lambda r: r.number(4)),
    "(u16, u8)": lambda r: (r.number(2), r.number(1)),
    "Bounded<u16, 3>": lambda r: r.bounded(3, lambda r: r.number(2)),
    "Text<8>": lambda r: r.text(8),
    "Version<1>": lambda r: r.version(1),
    "Encoded": lambda r: r.point(),
    "scalar": lambda r: r.scalar(),
}


def encodings():
    """Values of each type, and bytes that are no value."""
    accepted = [
        _accepted("u8", 255, u8(255)),
        _accepted("u16", 258, u16(258)),
        _accepted("u32", 67305985, u32(67305985)),
        _accepted("u64", str(2**64 - 2), u64(2**64 - 2)),
        _accepted("bool", True, u8(1)),
        _accepted("Option<u32>", None, option(None)),
        _accepted("Option<u32>", 7, option(u32(7))),
        _accepted("(u16, u8)", [1, 2], u16(1) + u8(2)),
        _accepted("Bounded<u16, 3>", [], bounded([], 3)),
        _accepted("Bounded<u16, 3>", [1, 2, 65535], bounded([u16(x) for x in (1, 2, 65535)], 3)),
        _accepted("Text<8>", "", text("", 8)),
        _accepted("Text<8>", "円 é", text("円 é", 8)),
        _accepted("Text<8>", "12345678", text("12345678", 8)),
        _accepted("Version<1>", None, u8(1)),
        _accepted("Encoded", group.BASE_BYTES.hex(), group.BASE_BYTES),
        _accepted("scalar", scalar_hex(0), bytes(32)),
        _accepted("scalar", scalar_hex(group.L - 1), codec.scalar_bytes(group.L - 1)),
    ]
    refused = [
        _refused("u32", "ENC-1", "a byte is missing", u32(1)[:3]),
        _refused("u32", "ENC-1", "a byte is left over", u32(1) + b"\0"),
        _refused("u8", "ENC-1", "empty", b""),
        _refused("bool", "ENC-1", "2 is no flag", u8(2)),
        _refused("Option<u32>", "ENC-1", "2 is no variant", u8(2) + u32(7)),
        _refused("Option<u32>", "ENC-1", "nothing, followed by a value", u8(0) + u32(7)),
        _refused("Bounded<u16, 3>", "ENC-2", "one item too many", u16(4) + bytes(8)),
        _refused("Bounded<u16, 3>", "ENC-2", "a count without items", u16(65535)),
        _refused("Bounded<u16, 3>", "ENC-1", "an item is missing", u16(2) + u16(1)),
        _refused("Text<8>", "ENC-2", "one byte too long", u16(9) + b"123456789"),
        _refused("Text<8>", "ENC-1", "not UTF-8", u16(2) + b"\xc3\x28"),
        _refused("Text<8>", "ENC-1", "an overlong form", u16(2) + b"\xc0\xaf"),
        _refused("Text<8>", "ENC-1", "a line break", u16(3) + b"a\nb"),
        _refused("Text<8>", "ENC-1", "U+0085, a control character", u16(2) + "\x85".encode()),
        _refused("Version<1>", "ENC-1", "version 0", u8(0)),
        _refused("Version<1>", "ENC-1", "version 2", u8(2)),
        _refused("Encoded", "ENC-3", "the identity", bytes(32)),
        _refused("Encoded", "ENC-1", "31 bytes", group.BASE_BYTES[:31]),
        _refused("scalar", "ENC-4", "the order of the group", ORDER),
        _refused("scalar", "ENC-4", "all bits set", b"\xff" * 32),
    ]
    # These are bytes of the type `Encoded`, but no points: they are refused when the point is used.
    no_points = [
        {"why": why, "bytes": data.hex()}
        for why, data in (
            ("the negative of the base point's field element", negative(group.BASE_BYTES)),
            ("the order of the field", group.P.to_bytes(32, "little")),
            ("the highest bit set", group.BASE_BYTES[:31] + bytes([group.BASE_BYTES[31] | 0x80])),
            ("all bits set", b"\xff" * 32),
            ("a field element without a point", _no_point()),
        )
    ]
    return {"generators": _generators(), "accepted": accepted, "refused": refused, "no_points": no_points}


def _accepted(kind, value, data):
    codec.decode(data, READERS[kind])
    return {"type": kind, "value": value, "bytes": data.hex()}


def _refused(kind, rule, why, data):
    try:
        codec.decode(data, READERS[kind])
    except codec.Refused:
        return {"type": kind, "rule": rule, "why": why, "bytes": data.hex()}
    raise AssertionError(f"accepted: {kind}, {why}")


def _no_point():
    for number in range(2, 1000, 2):
        try:
            group.decode(number.to_bytes(32, "little"))
        except group.DecodeError:
            return number.to_bytes(32, "little")
    raise AssertionError("every number is a point")


def _generators():
    points = {"B": group.BASE, "B~": group.BLINDING_BASE, "G": relations.TAG_BASE}
    return {name: group.encode(generator).hex() for name, generator in points.items()}


def hashes():
    """H, fill, scalar and child."""
    lists = [("a", []), ("a", [b""]), ("sudare/note/v1", [b"ab", b"c"]), ("sudare/note/v1", [b"a", b"bc"])]
    lists.append(("sudare/tx/v1", [bytes(range(256)), b"", b"\0"]))
    hashed = [
        {"domain": domain, "parts": [part.hex() for part in parts], "hash": codec.digest(domain, *parts).hex()}
        for domain, parts in lists
    ]
    seed = bytes(range(32))
    derived = []
    uses = (("account key", b""), ("slot tag", bytes(64)), ("slot tag", bytes(63)), ("component", b"\1\2"))
    for purpose, context in uses:
        derived.append({
            "seed": seed.hex(), "purpose": purpose, "context": context.hex(),
            "fill_100": codec.fill(seed, purpose, context, 100).hex(),
            "scalar": scalar_hex(codec.scalar(seed, purpose, context)),
            "child": codec.child(seed, purpose, context).hex(),
        })  # fmt: skip
    return {"hash": hashed, "derive": derived}


def signatures():
    """Signatures of nodes with a domain."""
    node, other = Node("signer"), Node("other")
    domain, message = "sudare/approval/v1", b"what is signed"
    good = codec.sign(node.seed, domain, message)
    accepted = [
        {"seed": node.seed.hex(), "node": node.id.hex(), "domain": name, "message": data.hex(),
         "signature": codec.sign(node.seed, name, data).hex()}
        for name, data in ((domain, message), (domain, b""), ("sudare/slot-signature/v1", bytes(1000)))
    ]  # fmt: skip
    small = _small_order_points()
    response = int.from_bytes(good[32:], "little")
    high = good[:32] + (response + group.L).to_bytes(32, "little")
    moved = "sudare/approval/v", b"1" + message
    bare = ed25519.sign(node.seed, message)
    cases = [
        ("another domain", node.id, "sudare/receipt/v1", message, good),
        ("a byte moved from the domain to the message", node.id, *moved, good),
        ("signed without a domain", node.id, domain, message, bare),
        ("another message", node.id, domain, message + b"!", good),
        ("another node", other.id, domain, message, good),
        ("S not reduced", node.id, domain, message, high),
        ("another R", node.id, domain, message, other.id + good[32:]),
        ("a cofactor part in R", node.id, domain, message, _with_torsion(node.seed, domain, message, small[-1])),
    ]
    for order, encoded in zip((1, 2, 4, 8), small, strict=True):
        cases.append((f"a key and R of order {order}", encoded, domain, *_small_order_signature(encoded, domain)))
    refused = []
    for why, key, name, data, signature in cases:
        try:
            codec.verify(key, name, data, signature)
        except ed25519.Refused:
            case = {"why": why, "node": key, "domain": name.encode(), "message": data, "signature": signature}
            refused.append({part: value if part == "why" else value.hex() for part, value in case.items()})
            refused[-1]["domain"] = name
            continue
        raise AssertionError(f"accepted: {why}")
    return {"accepted": accepted, "refused": refused}


def _small_order_points():
    """Encodings of points of order 1, 2, 4 and 8."""
    torsion = ed25519.torsion_generator()
    return [ed25519.encode_point(ed25519.multiply(8 // order, torsion)) for order in (1, 2, 4, 8)]


def _small_order_signature(key, domain):
    """(message, signature) that holds without a check of orders: 0*B = R + h*A."""
    torsion = ed25519.decode_point(key)
    for number in range(1000):
        message = u32(number)
        signed = codec.with_domain(domain, message)
        # R = -h*A depends on h, which depends on R: try each R until one fits itself.
        for multiple in range(8):
            commitment = ed25519.encode_point(ed25519.multiply(multiple, torsion))
            h = int.from_bytes(hashlib.sha512(commitment + key + signed).digest(), "little") % group.L
            if ed25519.encode_point(group.neg(ed25519.multiply(h, torsion))) == commitment:
                return message, commitment + bytes(32)
    raise AssertionError("no message fits")


def _with_torsion(seed, domain, message, torsion):
    """A signature whose R has a part of small order: it holds after multiplication by the cofactor."""
    nonce = Draw("torsion").scalar()
    commitment = group.add(ed25519.multiply(nonce, ed25519.BASE_POINT), ed25519.decode_point(torsion))
    encoded = ed25519.encode_point(commitment)
    signed = codec.with_domain(domain, message)
    h = int.from_bytes(hashlib.sha512(encoded + ed25519.public_key(seed) + signed).digest(), "little")
    return encoded + group.scalar_encode(nonce + h * ed25519.secret_scalar(seed))


def transcripts():
    """What is absorbed, and the challenge of the probe that follows."""
    messages = [("relation", b"a"), ("Y", bytes(300)), ("empty", b""), ("relation", b"a")]
    cases = []
    for protocol, context in (("sudare/leg/v1", b"context"), ("sudare/spend/v1", b""), ("sudare/slot/v1", bytes(500))):
        for count in (0, len(messages)):
            on = relations.transcript(protocol, context)
            for label, message in messages[:count]:
                on.append_message(label.encode(), message)
            proof, trace = relations.PROBE.prove(on, [1], bytes(32))
            cases.append({
                "protocol": protocol, "context": context.hex(),
                "absorb": [[label, message.hex()] for label, message in messages[:count]],
                "nonce": scalar_hex(trace["nonces"][0]), "c": scalar_hex(trace["c"]), "probe": proof.hex(),
            })  # fmt: skip
    return {"cases": cases}
