"""HKDF-SHA-256 (RFC 5869) and ChaCha20-Poly1305 (RFC 8439)."""

import hashlib
import hmac
import struct

TAG_BYTES = 16


class Refused(ValueError):
    """The tag does not fit the ciphertext, the key, the nonce or the associated data."""


def hkdf(salt, key, info, length):
    """Extract, then expand to `length` bytes."""
    extracted = hmac.digest(salt or bytes(32), key, "sha256")
    out = block = b""
    counter = 1
    while len(out) < length:
        block = hmac.digest(extracted, block + info + bytes([counter]), "sha256")
        out += block
        counter += 1
    return out[:length]


def seal(key, nonce, plaintext, associated):
    """Ciphertext and tag."""
    body = _chacha20(key, nonce, 1, plaintext)
    return body + _tag(key, nonce, body, associated)


def open_sealed(key, nonce, sealed, associated):
    """The plaintext; Refused if the tag is wrong."""
    if len(sealed) < TAG_BYTES:
        raise Refused("shorter than a tag")
    body, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(key, nonce, body, associated)):
        raise Refused("the tag does not fit")
    return _chacha20(key, nonce, 1, body)


def _tag(key, nonce, body, associated):
    one_time = _block(key, nonce, 0)[:32]
    r = int.from_bytes(one_time[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    s = int.from_bytes(one_time[16:], "little")
    lengths = struct.pack("<QQ", len(associated), len(body))
    message = _padded(associated) + _padded(body) + lengths
    total = 0
    for i in range(0, len(message), 16):
        total = (total + int.from_bytes(message[i : i + 16] + b"\x01", "little")) * r % (2**130 - 5)
    return ((total + s) % 2**128).to_bytes(16, "little")


def _padded(data):
    return data + bytes(-len(data) % 16)


def _chacha20(key, nonce, counter, data):
    out = bytearray()
    for i in range(0, len(data), 64):
        stream = _block(key, nonce, counter + i // 64)
        chunk = data[i : i + 64]
        out += bytes(a ^ b for a, b in zip(chunk, stream[: len(chunk)], strict=True))
    return bytes(out)


def _block(key, nonce, counter):
    if len(key) != 32 or len(nonce) != 12:
        raise ValueError("a key takes 32 bytes, a nonce 12")
    start = list(struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce))
    state = start.copy()
    for _ in range(10):
        for a, b, c, d in _QUARTERS:
            _quarter(state, a, b, c, d)
    return struct.pack("<16I", *((x + y) & 0xFFFFFFFF for x, y in zip(state, start, strict=True)))


_QUARTERS = [(i, 4 + i, 8 + i, 12 + i) for i in range(4)]
_QUARTERS += [(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4) for i in range(4)]


def _quarter(s, a, b, c, d):
    for x, y, z, count in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xFFFFFFFF
        mixed = s[z] ^ s[x]
        s[z] = (mixed << count | mixed >> (32 - count)) & 0xFFFFFFFF


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()
