"""Range proofs of the bulletproofs crate's format on a transcript of their own."""

import bulletproofs
import merlin
import ristretto as group
from cases.common import Draw, flip, scalar_hex

LABEL = "range proof vectors"


def range_proofs():
    """Proofs made here for the crate to accept, and changed ones for it to refuse."""
    value_lists = ([0], [2**64 - 1], [1, 2**63], [7, 0, 2**64 - 1, 1_000_000])
    accepted = [_case(values) for values in value_lists]
    # A verifier pads three commitments to four with the identity: the value 0 under the blinding 0.
    accepted.append(_case([5, 6, 7, 0], padding=1))
    # As many as a leg has outputs at most.
    accepted.append(_case([2**64 - 1 - output for output in range(64)]))
    good = accepted[2]
    other = _case([1, 2**63], "another blinding")
    proof = bytes.fromhex(good["proof"])
    head = 32 * 7
    identity_as_a = bytes(32) + proof[32:]
    high_scalar = proof[:128] + group.L.to_bytes(32, "little") + proof[160:]
    refused = [
        _refusal("a value of 65 bits", **_case([2**64])),
        _refusal("a negative value", **_case([group.L - 1])),
        _refusal("commitments in another order", good["commitments"][::-1], good["proof"]),
        _refusal("commitments of another blinding", other["commitments"], good["proof"]),
        _refusal("one commitment left out", good["commitments"][:1], good["proof"]),
        _refusal("A is the identity", good["commitments"], identity_as_a.hex()),
        _refusal("t_x is not canonical", good["commitments"], high_scalar.hex()),
        _refusal("one bit of t_x flipped", good["commitments"], flip(proof, 128).hex()),
        _refusal("one bit of b flipped", good["commitments"], flip(proof, len(proof) - 32).hex()),
        _refusal("a round left out", good["commitments"], (proof[:head] + proof[head + 64 :]).hex()),
        _refusal("cut short by a byte", good["commitments"], proof[:-1].hex()),
        _refusal("empty", good["commitments"], ""),
    ]
    return {"transcript": LABEL, "bits": bulletproofs.BITS, "accepted": accepted, "refused": refused}


def _case(values, seed="blinding", padding=0):
    draw = Draw(f"{seed} {values}").scalar
    blindings = [draw() for _ in values[padding:]] + [0] * padding
    transcript = merlin.Transcript(LABEL.encode())
    proof, commitments = bulletproofs.prove(values, blindings, transcript, draw)
    return {
        "values": [str(value) for value in values],
        "blindings": [scalar_hex(blinding) for blinding in blindings],
        "commitments": [commitment.hex() for commitment in commitments],
        "proof": proof.hex(),
        "next_challenge": transcript.challenge_bytes(b"next", 32).hex(),
    }


def _refusal(reason, commitments, proof, **_):
    transcript = merlin.Transcript(LABEL.encode())
    try:
        bulletproofs.verify(bytes.fromhex(proof), [bytes.fromhex(text) for text in commitments], transcript)
    except bulletproofs.Refused:
        return {"reason": reason, "commitments": commitments, "proof": proof}
    raise AssertionError(f"accepted: {reason}")
