"""A statement by two custodians (specs/statements/joint.md): the files that they send each other, made and checked."""

from dataclasses import dataclass

import codec
import linear
import merlin
import packet
import relations
import ristretto as group
import statement
from codec import Reader, u8
from packet import Broken
from ristretto import BASE, BLINDING_BASE, L
from statement import REFUSED

VERSION = u8(1)
ANSWER_PROTOCOL, NONCE_PROTOCOL = "sudare/joint-answer/v1", "sudare/joint-nonce/v1"
LEFT, RIGHT = 0, 1


@dataclass
class Party:
    """One custodian: its encoded accounts, the statements of their places with its keys, and the opening of its total."""

    accounts: list
    locators: list
    keys: list
    value: int
    blinding: int

    def part(self, subject, agreed, side, draw):
        """encode(Part)."""
        named = codec.bounded(self.accounts, 4096)
        on = relations.transcript(statement.PART_PROTOCOL, subject.encode() + agreed + u8(side) + named)
        proofs = [
            relation.prove(on, [key], draw.bytes32())[0]
            for relation, key in zip(self.locators, self.keys, strict=True)
        ]
        return statement.part(self.accounts, proofs)


def nonce(context, blinding, entropy):
    """k, from transcript, blinding and entropy."""
    generator = merlin.TranscriptRng(relations.transcript(NONCE_PROTOCOL, context))
    generator.rekey(b"x", group.scalar_encode(blinding))
    generator.finalise(entropy)
    return generator.scalar()


def hidden(k):
    """k*B~."""
    return group.encode(group.mul(k, BLINDING_BASE))


def committed(point):
    return codec.digest("sudare/joint-nonce/v1", point)


def offer(subject, agreed, party, draw):
    """(encode(Offer), k_1)."""
    left = party.part(subject, agreed, LEFT, draw)
    k = nonce(subject.encode() + agreed + left, party.blinding, draw.bytes32())
    return VERSION + subject.encode() + agreed + left + committed(hidden(k)), k


def answer(offered, by, left_total, party, draw, mask=None, value=None):
    """(encode(Answer), k_2); `left_total` is L. A liar gives another `mask` or `value`."""
    subject, agreed, _ = parts(offered)
    right = party.part(subject, agreed.encoded, RIGHT, draw)
    value = party.value + by if value is None else value
    own = group.commit(party.value + by, party.blinding)
    z = draw.scalar() if mask is None else mask
    masked = [
        group.encode(group.mul(z, BLINDING_BASE)), group.encode(group.mul(z, own)),
        group.encode(group.sub(group.mul(z, left_total), group.mul(z * value % L, BASE))),
    ]  # fmt: skip
    k = nonce(offered + right, party.blinding, draw.bytes32())
    on = relations.transcript(ANSWER_PROTOCOL, offered + right + hidden(k))
    relation = relations.equality(group.encode(left_total), group.encode(own), masked)
    proof, _ = relation.prove(on, [z, z * value % L, z * party.blinding % L], draw.bytes32())
    name = codec.digest("sudare/joint-offer/v1", offered)
    return VERSION + name + right + b"".join(masked) + proof + hidden(k), k


def parts(offered):
    """(subject, agreed, left) of an offer."""
    reader = Reader(offered)
    reader.version(1)
    subject, _ = _subject(reader)
    read = subject, statement.Agreed(reader), statement.Part(reader)
    reader.take(32)
    reader.end()
    return read


def _subject(reader):
    reader.version(1)
    start = reader._data
    core = packet._core(reader)
    encoded = packet.taken(start, reader)
    text = b"".join(reader.bounded(60000, lambda one: one.take(1)))
    return statement.Subject(encoded, text, reader.text(140), reader.take(32)), core


def check_offer(offered, asset):
    """Raises Broken unless the offer holds."""
    try:
        reader = Reader(offered)
        reader.version(1)
        subject, core = _subject(reader)
        agreed, left = statement.Agreed(reader), statement.Part(reader)
        reader.take(32)
        reader.end()
    except codec.Refused as error:
        raise Broken("ENC-1", str(error)) from error
    if core.id != asset:
        raise Broken("STM-4", "of another asset")
    agreed.shown.check(core, packet.checkpoint(subject.checkpoint, core))
    left.check(subject, agreed, LEFT)


def close(offered, answered, blinding, k):
    """encode(Closing) by who offered; Broken if the answer does not hold, None if the totals are not as offered."""
    subject, agreed, left = parts(offered)
    try:
        reader = Reader(answered)
        reader.version(1)
        name, right = reader.take(32), statement.Part(reader)
        masked, proof = [reader.point() for _ in range(3)], packet.read_linear(reader)
        other = reader.point()
        reader.end()
    except codec.Refused as error:
        raise Broken("ENC-1", str(error)) from error
    if name != codec.digest("sudare/joint-offer/v1", offered):
        raise Broken("JNT-1", "of another offer")
    right.check(subject, agreed, RIGHT)
    statement.apart(left, right)
    total = lambda part: group.total([group.decode(point) for point in part.commitments()])
    own, theirs = total(left), group.add(total(right), group.mul(agreed.by, BASE))
    on = relations.transcript(ANSWER_PROTOCOL, offered + right.encoded + other)
    try:
        relations.equality(group.encode(own), group.encode(theirs), masked).verify(on, proof)
    except REFUSED as error:
        raise Broken("EQL-1", str(error)) from error
    if group.encode(group.mul(blinding, group.decode(masked[0]))) != masked[2]:
        return None
    c, _ = challenge(subject, agreed, left, right, hidden(k), other)
    response = group.scalar_encode((k + c * blinding) % L)
    return VERSION + codec.digest("sudare/joint-answer/v1", answered) + hidden(k) + response


def challenge(subject, agreed, left, right, one, other):
    """(c, K) of STM on the statement's transcript, after both nonces."""
    context = subject.encode() + agreed.encoded + left.encoded + right.encoded
    on = relations.transcript(statement.JOINT_PROTOCOL, context)
    sides = (left.commitments(), 0), (right.commitments(), 0)
    relation = relations.statement(statement.EQUALITY, [agreed.by], *sides, [])
    _, _ = linear._open(on, relation.name.encode(), relation.statement, relation.own, relation.merged)
    both = group.encode(group.add(group.decode(one), group.decode(other)))
    on.append_message(b"Y", both)
    return on.challenge_scalar(b"c"), both


def finish(offered, answered, closing, blinding, k):
    """The statement's file, by who answered."""
    subject, agreed, left = parts(offered)
    reader = Reader(answered[33:])
    right = statement.Part(reader)
    reader = Reader(closing)
    reader.version(1)
    name, one, response = reader.take(32), reader.point(), reader.scalar()
    reader.end()
    if name != codec.digest("sudare/joint-answer/v1", answered):
        raise Broken("JNT-1", "of another answer")
    if committed(one) != offered[-32:]:
        raise Broken("JNT-3", "another nonce than was offered")
    c, both = challenge(subject, agreed, left, right, one, hidden(k))
    share = (response + k - c * blinding) % L
    proof = linear.encode([both], [group.scalar_encode(share)])
    return statement.joint_file(subject, agreed.encoded, left.encoded, right.encoded, proof)
