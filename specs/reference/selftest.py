"""Checks the reference against published vectors and against itself. Exit code 1 on any failure."""

import hashlib
import json
import pathlib
import sys
import time

import bulletproofs
import ed25519
import linear
import merlin
import ristretto as group
import symmetric

KNOWN = json.loads((pathlib.Path(__file__).parent / "known_answers.json").read_text())


def main():
    failures = 0
    for name, check in sorted(globals().items()):
        if not name.startswith("check_"):
            continue
        start = time.monotonic()
        try:
            check()
            outcome = "ok"
        except Exception as error:  # a self-test reports every check, whatever way one fails
            failures += 1
            outcome = f"FAILED: {type(error).__name__}: {error}"
        print(f"{name.removeprefix('check_')}: {outcome} ({time.monotonic() - start:.1f} s)")
    sys.exit(1 if failures else 0)


# --- group ------------------------------------------------------------------------------------------------------


def check_the_roots_that_are_written_out():
    expect(pow(group.SQRT_AD_MINUS_ONE, 2, group.P) == (-group.D - 1) % group.P, "sqrt(a*d - 1)")
    expect(pow(group.INVSQRT_A_MINUS_D, 2, group.P) * (-1 - group.D) % group.P == 1, "1/sqrt(a - d)")


def check_multiples_of_the_base():
    for count, text in enumerate(KNOWN["ristretto255"]["multiples_of_the_base"]):
        data = bytes.fromhex(text)
        point = group.mul(count, group.BASE)
        expect(group.encode(point) == data, f"encoding of {count} * B")
        expect(group.equal(group.decode(data), point), f"decoding of {count} * B")
        expect(group.encode(group.total([group.BASE] * count)) == data, f"{count} additions of B")


def check_bad_encodings_are_refused():
    for text in KNOWN["ristretto255"]["bad_encodings"]:
        expect_raises(group.DecodeError, lambda: group.decode(bytes.fromhex(text)), text)


def check_one_way_map():
    for case in KNOWN["ristretto255"]["one_way_map"]:
        point = group.from_uniform_bytes(bytes.fromhex(case["input"]))
        expect(group.encode(point).hex() == case["point"], case["input"])


def check_group_laws():
    draw = counter_scalars(b"group laws")
    for _ in range(5):
        a, b = draw(), draw()
        p, q = group.mul(a, group.BASE), group.mul(b, group.BASE)
        expect(group.equal(group.add(p, q), group.mul(a + b, group.BASE)), "addition")
        expect(group.equal(group.double(p), group.add(p, p)), "doubling")
        expect(group.is_identity(group.sub(p, p)), "subtraction")
        expect(group.is_identity(group.mul(group.L, p)), "order")
        expect(group.equal(group.decode(group.encode(p)), p), "round trip")
    pairs = [(draw(), group.mul(draw(), group.BASE)) for _ in range(40)]
    slow = group.total(group.mul(scalar, point) for scalar, point in pairs)
    expect(group.equal(group.msm(pairs), slow), "multiscalar multiplication")


def check_scalars_of_the_order_and_above_are_refused():
    expect(group.scalar_decode(group.scalar_encode(group.L - 1)) == group.L - 1, "l - 1")
    for value in (group.L, group.L + 1, 2**255, 2**256 - 1):
        expect_raises(group.DecodeError, lambda: group.scalar_decode(value.to_bytes(32, "little")), str(value))


# --- transcripts ------------------------------------------------------------------------------------------------


def check_keccak_by_sha3():
    """SHA3-256 of a short message is one permutation, and the standard library knows the answer."""
    state = bytearray(200)
    message = b"abc"
    state[:3] = message
    state[3] ^= 0x06
    state[135] ^= 0x80
    merlin.keccak_f1600(state)
    expect(bytes(state[:32]) == hashlib.sha3_256(message).digest(), "SHA3-256 of abc")


def check_merlin_known_challenge():
    transcript = merlin.Transcript(b"test protocol")
    transcript.append_message(b"some label", b"some data")
    expect(transcript.challenge_bytes(b"challenge", 32).hex() == KNOWN["merlin"]["challenge"], "challenge")


def check_a_clone_is_independent():
    transcript = merlin.Transcript(b"t")
    other = transcript.clone()
    other.append_message(b"a", bytes(1000))
    expect(transcript.challenge_bytes(b"c", 32) != other.challenge_bytes(b"c", 32), "clone")


# --- range proofs -----------------------------------------------------------------------------------------------


def check_proofs_of_the_crate_are_accepted():
    known = KNOWN["bulletproofs"]
    commitments = [bytes.fromhex(text) for text in known["commitments"]]
    for case in known["proofs"]:
        transcript = merlin.Transcript(known["transcript"].encode())
        proof = bytes.fromhex(case["proof"])
        bulletproofs.verify(proof, commitments[: case["values"]], transcript, case["bits"])


def check_own_range_proofs_are_accepted_and_changed_ones_are_not():
    draw = counter_scalars(b"range proof")
    for values in ([0], [2**64 - 1, 12345]):
        blindings = [draw() for _ in values]
        proof, commitments = bulletproofs.prove(values, blindings, merlin.Transcript(b"t"), draw)
        rounds = 6 + len(values).bit_length() - 1
        expect(len(proof) == 32 * (9 + 2 * rounds), "length")
        bulletproofs.verify(proof, commitments, merlin.Transcript(b"t"))
        refused(lambda: bulletproofs.verify(proof, commitments, merlin.Transcript(b"u")), "other transcript")
        other = [group.encode(group.mul(draw(), group.BASE))] + commitments[1:]
        refused(lambda: bulletproofs.verify(proof, other, merlin.Transcript(b"t")), "other commitment")
        for position in range(0, len(proof), 32):
            changed = bytearray(proof)
            changed[position] ^= 2
            refused(lambda: bulletproofs.verify(bytes(changed), commitments, merlin.Transcript(b"t")), position)
        for wrong in (proof[:-1], proof[:-32], proof[:-64], proof + bytes(32), b""):
            refused(lambda: bulletproofs.verify(wrong, commitments, merlin.Transcript(b"t")), "length")


def check_a_value_of_65_bits_is_refused():
    draw = counter_scalars(b"too large")
    for value in (2**64, group.L - 1):
        proof, commitments = bulletproofs.prove([value], [draw()], merlin.Transcript(b"t"), draw)
        refused(lambda: bulletproofs.verify(proof, commitments, merlin.Transcript(b"t")), value)


# --- linear relations -------------------------------------------------------------------------------------------


def check_linear_relations():
    draw = counter_scalars(b"linear")
    g, k = group.mul(draw(), group.BASE), group.mul(draw(), group.BASE)
    x = [draw(), draw()]
    own = [([(0, group.BASE)], group.mul(x[0], group.BASE)), ([(0, k), (1, g)], group.msm([(x[0], k), (x[1], g)]))]
    merged = [([(v, k)], group.mul(x[v], k)) for v in (0, 1)]
    for rows in ((own, []), (own, merged), ([], merged)):
        one_relation(*rows, x, draw)


def one_relation(own, merged, x, draw):
    entropy = hashlib.sha256(str(draw()).encode()).digest()
    expect(linear.holds(own, merged, x), "relation")
    proof, trace = linear.prove(merlin.Transcript(b"t"), b"D", b"S", own, merged, x, entropy)
    verify = lambda data, domain=b"D": linear.verify(
        merlin.Transcript(b"t"), domain, b"S", own, merged, len(x), data
    )
    expect(verify(proof)["c"] == trace["c"], "challenge")
    refused(lambda: verify(proof, b"E"), "other domain")
    for position in range(len(proof)):
        changed = bytearray(proof)
        changed[position] ^= 1
        refused(lambda: verify(bytes(changed)), position)
    refused(lambda: verify(proof[:-1]), "short")
    refused(lambda: verify(proof + b"\0"), "long")
    wrong = [x[0] + 1] + x[1:]
    expect(not linear.holds(own, merged, wrong), "relation with a wrong witness")
    proof, _ = linear.prove(merlin.Transcript(b"t"), b"D", b"S", own, merged, wrong, entropy)
    refused(lambda: verify(proof), "wrong witness")


# --- symmetric ciphers and signatures ---------------------------------------------------------------------------


def check_hkdf_known_answer():
    known = KNOWN["hkdf"]
    salt, key, info = (bytes.fromhex(known[name]) for name in ("salt", "key", "info"))
    expect(symmetric.hkdf(salt, key, info, known["length"]).hex() == known["output"], "RFC 5869 case 1")


def check_aead_known_answer():
    known = {name: bytes.fromhex(text) for name, text in KNOWN["aead"].items() if name not in ("source", "plaintext")}
    plaintext = KNOWN["aead"]["plaintext"].encode()
    sealed = symmetric.seal(known["key"], known["nonce"], plaintext, known["associated"])
    expect(sealed == known["sealed"], "RFC 8439 section 2.8.2")
    opened = symmetric.open_sealed(known["key"], known["nonce"], sealed, known["associated"])
    expect(opened == plaintext, "opening")
    wrong = lambda: symmetric.open_sealed(known["key"], known["nonce"], sealed, b"")
    expect_raises(symmetric.Refused, wrong, "other associated data")


def check_ed25519_known_answers():
    for case in KNOWN["ed25519"]["cases"]:
        seed, key, message, signature = (bytes.fromhex(case[n]) for n in ("seed", "key", "message", "signature"))
        expect(ed25519.public_key(seed) == key, "public key")
        expect(ed25519.sign(seed, message) == signature, "signature")
        ed25519.verify(key, message, signature)
        expect_raises(ed25519.Refused, lambda: ed25519.verify(key, message + b"x", signature), "other message")


# --- helpers ----------------------------------------------------------------------------------------------------


def counter_scalars(seed):
    """A callable that yields scalars determined by `seed`."""
    count = 0

    def draw():
        nonlocal count
        count += 1
        return group.scalar_wide(hashlib.sha512(seed + count.to_bytes(8, "little")).digest())

    return draw


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def expect_raises(kind, action, what):
    try:
        action()
    except kind:
        return
    raise AssertionError(f"not refused: {what}")


def refused(action, what):
    expect_raises((bulletproofs.Refused, linear.Refused), action, what)


if __name__ == "__main__":
    main()
