"""Threshold keys: groups, moving them, openings by partials (specs/threshold.md)."""

from dataclasses import dataclass, field

import codec
import ed25519
import linear
import relations
import ristretto as group
import symmetric
from codec import bounded, option, text, u8, u32, vec
from ristretto import BASE, L

VERSION = u8(1)
NONCE = bytes(12)
OFFICERS_MAX, EPOCHS_MAX, POINTS_MAX = 16, 64, 256
COMMIT, DEAL, CONFIRM = u8(0), u8(1), u8(2)


def weight(index, indices):
    """The weight of `index` in the interpolation at zero over `indices`."""
    above = below = 1
    for other in indices:
        if other != index:
            above, below = above * other % L, below * (other - index) % L
    return above * pow(below, -1, L) % L


def evaluate(coefficients, x):
    return sum(a * pow(x, power, L) for power, a in enumerate(coefficients)) % L


def public_value(commitments, x):
    """f(x)*B from the encoded commitments to f."""
    return group.total([group.mul(pow(x, power, L), group.decode(c)) for power, c in enumerate(commitments)])


def times_base(scalar):
    return group.encode(group.mul(scalar, BASE))


@dataclass
class Officer:
    """An officer with its secret, and with its state in the ceremony at hand."""

    name: str
    seed: bytes
    state: bytes = b""
    shares: list = field(default_factory=list)

    @property
    def signing(self):
        return codec.child(self.seed, "officer signature", b"")

    @property
    def id(self):
        return ed25519.public_key(self.signing)

    def encode(self):
        return text(self.name, 32) + self.id


@dataclass
class Group:
    ceremony: bytes
    generation: int
    subject: bytes
    threshold: int
    officers: list
    keys: list

    def encode(self):
        keys = [bounded(commitments, OFFICERS_MAX) for commitments in self.keys]
        officers = bounded([officer.encode() for officer in self.officers], OFFICERS_MAX)
        head = VERSION + self.ceremony + u32(self.generation) + self.subject + u8(self.threshold)
        return head + officers + bounded(keys, EPOCHS_MAX)

    def id(self):
        return codec.digest("sudare/group/v1", self.encode())

    def signature(self, officer):
        return codec.sign(officer.signing, "sudare/group-signature/v1", self.id())

    def signed(self):
        return self.encode() + bounded([self.signature(officer) for officer in self.officers], OFFICERS_MAX)

    def shares(self, index, values):
        """encode(Shares)."""
        return VERSION + self.id() + u8(index) + bounded([codec.scalar_bytes(s) for s in values], EPOCHS_MAX)


@dataclass
class Move:
    """A ceremony that moves a group's keys. `dealers` are indices of the old group's officers."""

    nonce: bytes
    old: Group
    dealers: list
    threshold: int
    officers: list

    def plan(self):
        kind = u8(2) + self.old.signed() + bounded(bytes(self.dealers), OFFICERS_MAX)
        officers = bounded([officer.encode() for officer in self.officers], OFFICERS_MAX)
        return VERSION + self.nonce + kind + u8(self.threshold) + officers

    def id(self):
        return codec.digest("sudare/ceremony/v1", self.plan())

    def dealing(self):
        """(index, officer) of those who deal."""
        return [(index, self.old.officers[index - 1]) for index in self.dealers]

    def everybody(self):
        all_of_them = [officer for _, officer in self.dealing()]
        return all_of_them + [one for one in self.officers if one.id not in [other.id for other in all_of_them]]

    def coefficients(self, dealer, epoch):
        seed = codec.child(dealer.state, "ceremony polynomial", self.id() + u8(epoch))
        others = [codec.scalar(seed, "coefficient", u8(power)) for power in range(1, self.threshold)]
        return [dealer.shares[epoch]] + others

    def sealing(self, officer):
        return codec.scalar(officer.state, "ceremony sealing key", self.id())

    def commitments(self, dealer, epoch):
        return [times_base(a) for a in self.coefficients(dealer, epoch)]

    def commit(self, officer):
        receives = any(one.id == officer.id for one in self.officers)
        polynomials = []
        if any(one.id == officer.id for _, one in self.dealing()):
            for epoch in range(len(self.old.keys)):
                polynomials.append(bounded(self.commitments(officer, epoch), OFFICERS_MAX) + option(None))
        sealing = option(times_base(self.sealing(officer)) if receives else None)
        return sealing + bounded(polynomials, EPOCHS_MAX)

    def accepted(self):
        said = sorted((officer.id, self.commit(officer)) for officer in self.everybody())
        return codec.digest("sudare/ceremony-accepted/v1", self.id(), vec([sender + body for sender, body in said]))

    def deal(self, dealer, receiver):
        index = self.officers.index(receiver) + 1
        context = self.id() + dealer.id + receiver.id + self.accepted()
        values = [evaluate(self.coefficients(dealer, epoch), index) for epoch in range(len(self.old.keys))]
        plain = bounded([codec.scalar_bytes(value) for value in values], EPOCHS_MAX)
        r = codec.scalar(dealer.state, "ceremony seal", context)
        ephemeral, sealing = times_base(r), times_base(self.sealing(receiver))
        shared = group.encode(group.mul(r, group.decode(sealing)))
        key = codec.child(shared, "ceremony sub-shares", ephemeral + sealing + context)
        body = symmetric.seal(key, NONCE, plain, context)
        return self.accepted() + ephemeral + bounded(body, 2066)

    def confirm(self, receiver):
        return self.group().signature(receiver) + bounded([], EPOCHS_MAX)

    def message(self, sender, to, step, body):
        """encode(Message)."""
        signed = VERSION + self.id() + sender.id + option(None if to is None else to.id) + step + body
        return signed + codec.sign(sender.signing, "sudare/ceremony-message/v1", signed)

    def group(self):
        keys = []
        for epoch in range(len(self.old.keys)):
            sums = [group.IDENTITY] * self.threshold
            for index, dealer in self.dealing():
                w = weight(index, self.dealers)
                points = [group.decode(c) for c in self.commitments(dealer, epoch)]
                sums = [group.add(a, group.mul(w, b)) for a, b in zip(sums, points, strict=True)]
            keys.append([group.encode(point) for point in sums])
        return Group(self.id(), self.old.generation + 1, self.old.subject, self.threshold, self.officers, keys)

    def new_shares(self, receiver):
        index, shares = self.officers.index(receiver) + 1, []
        for epoch in range(len(self.old.keys)):
            dealt = [
                weight(dealer_index, self.dealers) * evaluate(self.coefficients(dealer, epoch), index)
                for dealer_index, dealer in self.dealing()
            ]
            shares.append(sum(dealt) % L)
        return shares


@dataclass
class Request:
    of: Group
    epoch: int
    leg: bytes
    points: list

    def encode(self):
        points = bounded(sorted(set(self.points)), POINTS_MAX)
        return self.of.id() + u8(self.epoch) + self.leg + points

    def hash(self):
        return codec.digest("sudare/opening-request/v1", self.encode())

    def relation(self, index, values):
        points = sorted(set(self.points))
        share = public_value(self.of.keys[self.epoch], index)
        merged = [([(0, group.decode(e))], group.decode(d)) for e, d in zip(points, values, strict=True)]
        statement = u8(index) + group.encode(share) + vec(points) + vec(values)
        return relations.Relation("sudare/proof/partial/v1", statement, 1, [([(0, BASE)], share)], merged)

    def transcript(self):
        return relations.transcript("sudare/partial/v1", self.encode())

    def answer(self, index, share, entropy):
        """(encode(Partial), its values)."""
        values = [group.encode(group.mul(share, group.decode(e))) for e in sorted(set(self.points))]
        return self.partial(index, values, share, entropy), values

    def partial(self, index, values, share, entropy):
        """A partial that says `values`, with a proof by `share`, true or not."""
        proof, _ = self.relation(index, values).prove(self.transcript(), [share], entropy)
        return VERSION + self.hash() + u8(index) + bounded(values, POINTS_MAX) + proof

    def check(self, partial, index, values):
        """Raises linear.Refused unless the partial's proof holds."""
        head = VERSION + self.hash() + u8(index) + bounded(values, POINTS_MAX)
        if partial[: len(head)] != head:
            raise linear.Refused("of another request, officer or values")
        self.relation(index, values).verify(self.transcript(), partial[len(head) :])


def combine(partials):
    """k*E_m for every point, from {index: values}."""
    indices = list(partials)
    opened = []
    for place in range(len(next(iter(partials.values())))):
        terms = [group.mul(weight(i, indices), group.decode(partials[i][place])) for i in indices]
        opened.append(group.encode(group.total(terms)))
    return opened
