"""The generic sigma proof of linear relations among group elements.

A relation has variables 0..n and rows. A row is (terms, target): terms is a list of (variable, base), and the row
states  sum of x[variable] * base = target. "Own" rows have a commitment each; "merged" rows share one, combined with
powers of a challenge rho. The prover's entropy is given, so that a vector can be made again.
"""

import merlin
import ristretto as group
from codec import bounded
from ristretto import DecodeError, L

MAX_ITEMS = 512


class Refused(ValueError):
    """The proof is malformed or does not hold."""


def prove(transcript, domain, statement, own, merged, witness, entropy):
    """(proof bytes, trace). `trace` holds the nonces, the challenges (`rho` is None without merged rows), Y and z."""
    rho, rows = _open(transcript, domain, statement, own, merged)
    nonces = _nonces(transcript, witness, entropy)
    commitments = []
    for terms, _ in rows:
        y = group.msm([(nonces[v], base) for v, base in terms])
        commitments.append(group.encode(y))
        transcript.append_message(b"Y", commitments[-1])
    c = transcript.challenge_scalar(b"c")
    responses = [group.scalar_encode(k + c * x) for k, x in zip(nonces, witness, strict=True)]
    for z in responses:
        transcript.append_message(b"z", z)
    trace = {"nonces": nonces, "rho": rho, "c": c, "commitments": commitments, "responses": responses}
    return encode(commitments, responses), trace


def verify(transcript, domain, statement, own, merged, variables, proof):
    """Raises Refused unless `proof` shows knowledge of `variables` scalars that satisfy every row."""
    try:
        commitments, responses = decode(proof)
    except DecodeError as error:
        raise Refused(str(error)) from error
    rho, rows = _open(transcript, domain, statement, own, merged)
    if len(commitments) != len(rows) or len(responses) != variables:
        raise Refused("the proof has the wrong number of commitments or responses")
    for y in commitments:
        transcript.append_point(b"Y", y)
    c = transcript.challenge_scalar(b"c")
    for z in responses:
        transcript.append_scalar(b"z", z)
    for number, ((terms, target), y) in enumerate(zip(rows, commitments, strict=True)):
        pairs = [(responses[v], base) for v, base in terms] + [(-1, y), (-c, target)]
        if not group.is_identity(group.msm(pairs)):
            raise Refused(f"row {number} does not hold")
    return {"rho": rho, "c": c}


def holds(own, merged, witness):
    """The relation itself, without a proof: whether `witness` satisfies every row."""
    return all(
        group.equal(group.msm([(witness[v], base) for v, base in terms]), target)
        for terms, target in own + merged
    )


def encode(commitments, responses):
    return bounded(commitments, MAX_ITEMS) + bounded(responses, MAX_ITEMS)


def decode(proof):
    """(points, scalars); DecodeError unless every byte is canonical and none is left over."""
    commitments, responses = split(proof)
    points = [group.decode(word) for word in commitments]
    if any(group.is_identity(point) for point in points):
        raise DecodeError("the identity is no commitment")
    return points, [group.scalar_decode(word) for word in responses]


def split(proof):
    """(commitments, responses) as 32 bytes each."""
    commitments, rest = _take(proof)
    responses, rest = _take(rest)
    if rest:
        raise DecodeError("bytes are left over")
    return commitments, responses


def _take(data):
    count = int.from_bytes(data[:2], "little")
    end = 2 + 32 * count
    if len(data) < max(2, end):
        raise DecodeError("the proof ends early")
    if count > MAX_ITEMS:
        raise DecodeError("the proof has too many items")
    return [data[i : i + 32] for i in range(2, end, 32)], data[end:]


def _nonces(transcript, witness, entropy):
    generator = merlin.TranscriptRng(transcript)
    for x in witness:
        generator.rekey(b"x", group.scalar_encode(x))
    generator.finalise(entropy)
    return [generator.scalar() for _ in witness]


def _open(transcript, domain, statement, own, merged):
    transcript.append_message(b"relation", domain)
    transcript.append_message(b"statement", statement)
    rows = list(own)
    if not merged:
        return None, rows
    rho = transcript.challenge_scalar(b"rho")
    terms, target, weight = [], group.IDENTITY, 1
    for row_terms, row_target in merged:
        terms += [(v, group.mul(weight, base)) for v, base in row_terms]
        target = group.add(target, group.mul(weight, row_target))
        weight = weight * rho % L
    return rho, rows + [(terms, target)]
