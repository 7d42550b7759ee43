"""merlin 1.0 transcripts (the format of the `merlin` crate, version 3) over STROBE-128 and Keccak-f[1600]."""

import copy

import ristretto

_MASK = (1 << 64) - 1


class Transcript:
    """A public transcript: absorbs labelled messages, yields labelled challenges."""

    def __init__(self, label):
        self._strobe = _Strobe128(b"Merlin v1.0")
        self.append_message(b"dom-sep", label)

    def append_message(self, label, message):
        self._strobe.meta_ad(label, more=False)
        self._strobe.meta_ad(len(message).to_bytes(4, "little"), more=True)
        self._strobe.ad(message)

    def append_u64(self, label, value):
        self.append_message(label, value.to_bytes(8, "little"))

    def append_point(self, label, point):
        self.append_message(label, ristretto.encode(point))

    def append_scalar(self, label, scalar):
        self.append_message(label, ristretto.scalar_encode(scalar))

    def challenge_bytes(self, label, length):
        self._strobe.meta_ad(label, more=False)
        self._strobe.meta_ad(length.to_bytes(4, "little"), more=True)
        return self._strobe.prf(length)

    def challenge_scalar(self, label):
        """64 challenge bytes, little endian, modulo the group order."""
        return ristretto.scalar_wide(self.challenge_bytes(label, 64))

    def clone(self):
        return copy.deepcopy(self)


class TranscriptRng:
    """merlin's generator for provers: `build_rng` of a transcript, rekeyed with secrets, finalised with entropy."""

    def __init__(self, transcript):
        self._strobe = copy.deepcopy(transcript._strobe)

    def rekey(self, label, secret):
        self._strobe.meta_ad(label, more=False)
        self._strobe.meta_ad(len(secret).to_bytes(4, "little"), more=True)
        self._strobe.key(secret)

    def finalise(self, entropy):
        if len(entropy) != 32:
            raise ValueError("32 bytes of entropy")
        self._strobe.meta_ad(b"rng", more=False)
        self._strobe.key(entropy)
        return self

    def fill(self, length):
        self._strobe.meta_ad(length.to_bytes(4, "little"), more=False)
        return self._strobe.prf(length)

    def scalar(self):
        """The next 64 bytes modulo the group order."""
        return ristretto.scalar_wide(self.fill(64))


_I, _A, _C, _M = 1, 2, 4, 16
_RATE = 166


class _Strobe128:
    """The operations of STROBE 1.0.2 at the 128-bit level that merlin uses: AD, meta-AD, KEY and PRF."""

    def __init__(self, label):
        self._state = bytearray(200)
        self._state[:18] = bytes([1, _RATE + 2, 1, 0, 1, 96]) + b"STROBEv1.0.2"
        keccak_f1600(self._state)
        self._pos = 0
        self._begin = 0
        self._flags = 0
        self.meta_ad(label, more=False)

    def meta_ad(self, data, more):
        self._start(_M | _A, more)
        self._absorb(data)

    def ad(self, data):
        self._start(_A, more=False)
        self._absorb(data)

    def prf(self, length):
        self._start(_I | _A | _C, more=False)
        out = bytearray()
        for _ in range(length):
            out.append(self._state[self._pos])
            self._state[self._pos] = 0
            self._advance()
        return bytes(out)

    def key(self, data):
        self._start(_A | _C, more=False)
        for byte in data:
            self._state[self._pos] = byte
            self._advance()

    def _start(self, flags, more):
        if more:
            if flags != self._flags:
                raise ValueError("an operation can only be continued with its own flags")
            return
        previous, self._begin, self._flags = self._begin, self._pos + 1, flags
        self._absorb(bytes([previous, flags]))
        if flags & _C and self._pos:
            self._run()

    def _absorb(self, data):
        for byte in data:
            self._state[self._pos] ^= byte
            self._advance()

    def _advance(self):
        self._pos += 1
        if self._pos == _RATE:
            self._run()

    def _run(self):
        self._state[self._pos] ^= self._begin
        self._state[self._pos + 1] ^= 0x04
        self._state[_RATE + 1] ^= 0x80
        keccak_f1600(self._state)
        self._pos = 0
        self._begin = 0


def keccak_f1600(state):
    """The Keccak permutation of 200 bytes, in place."""
    lanes = [int.from_bytes(state[8 * i : 8 * i + 8], "little") for i in range(25)]
    for constant in _ROUND_CONSTANTS:
        parity = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        spread = [parity[x - 1] ^ _rotate(parity[(x + 1) % 5], 1) for x in range(5)]
        moved = [0] * 25
        for x in range(5):
            for y in range(5):
                moved[y + 5 * ((2 * x + 3 * y) % 5)] = _rotate(lanes[x + 5 * y] ^ spread[x], _OFFSETS[x + 5 * y])
        lanes = [
            moved[x + 5 * y] ^ (~moved[(x + 1) % 5 + 5 * y] & moved[(x + 2) % 5 + 5 * y])
            for y in range(5)
            for x in range(5)
        ]
        lanes[0] ^= constant
    state[:] = b"".join(lane.to_bytes(8, "little") for lane in lanes)


def _rotate(lane, count):
    return (lane << count | lane >> (64 - count)) & _MASK


def _rotation_offsets():
    offsets = [0] * 25
    x, y = 1, 0
    for t in range(24):
        offsets[x + 5 * y] = (t + 1) * (t + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return offsets


def _round_constants():
    """FIPS 202 section 3.2.5: bit 2^j - 1 of each constant comes from a linear feedback shift register."""
    register, constants = 1, []
    for _ in range(24):
        constant = 0
        for j in range(7):
            if register & 1:
                constant |= 1 << (2**j - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        constants.append(constant)
    return constants


_OFFSETS = _rotation_offsets()
_ROUND_CONSTANTS = _round_constants()
