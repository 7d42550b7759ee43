"""Legs, their proofs and components (specs/leg.md)."""

from dataclasses import dataclass

import codec
import policy
import relations
import ristretto as group
import sections
import symmetric
import tree
from codec import bounded, option, text, u8, u32, u64
from ristretto import BASE, BLINDING_BASE

VERSION = u8(1)
ISSUE, TRANSFER, REDEEM = 0, 1, 2
HEADER, INPUT, OUTPUT, SECTION, PROOFS = range(5)


@dataclass
class Header:
    network: bytes
    asset: bytes
    terms: bytes
    epoch: int
    purpose: int
    mint: int
    burn: int
    nonce: bytes

    def encode(self):
        return b"".join((
            VERSION, self.network, self.asset, self.terms, u32(self.epoch), u8(self.purpose), u64(self.mint),
            u64(self.burn), self.nonce,
        ))  # fmt: skip


@dataclass
class Spent:
    """A note to spend, with its opening, and the fresh scalars d and u' of the input."""

    slot: object
    value: int
    blinding: int
    d: int
    fresh: int

    def commitment(self):
        return group.encode(group.commit(self.value, self.blinding))

    def note_id(self):
        return _note_id(self.slot, self.commitment())


@dataclass
class Paid:
    """An output to make: the receiver's signed slot, the amount, the blinding r."""

    slot: object
    value: int
    blinding: int

    def commitment(self):
        return group.encode(group.commit(self.value, self.blinding))

    def note_id(self):
        return _note_id(self.slot, self.commitment())

    def opening(self):
        return u64(self.value) + codec.scalar_bytes(self.blinding)


@dataclass
class TradeInfo:
    trade_id: str
    delivery_date: str
    kind: str
    cancels: str | None
    note: str

    def encode(self):
        cancels = option(None if self.cancels is None else text(self.cancels, 35))
        head = text(self.trade_id, 35) + text(self.delivery_date, 10) + text(self.kind, 16)
        return head + cancels + text(self.note, 140)


@dataclass
class Leg:
    header: Header
    inputs: list
    outputs: list
    sections: list
    proofs: list  # spend or None, amount or None, wrap, balance, range

    def encode(self):
        lists = bounded(self.inputs, 32) + bounded(self.outputs, 64)
        lists += bounded([section.encode() for section in self.sections], 67)
        return self.header.encode() + lists + self.encoded_proofs()

    def encoded_proofs(self):
        spend, amount, wrap, balance, range_proof = self.proofs
        return option(spend) + option(amount) + wrap + balance + bounded(range_proof, 1056)

    def items(self):
        """(kind, index, body) of every component, in order."""
        items = [(HEADER, 0, self.header.encode())]
        items += [(INPUT, i, body) for i, body in enumerate(self.inputs)]
        items += [(OUTPUT, i, body) for i, body in enumerate(self.outputs)]
        items += [(SECTION, i, section.encode()) for i, section in enumerate(self.sections)]
        return items + [(PROOFS, 0, self.encoded_proofs())]

    def leaves(self, salt, number):
        """The component leaves of the leg in place `number` of its transaction."""
        return [
            component_leaf(component_salt(salt, kind, index), kind, number, index, body)
            for kind, index, body in self.items()
        ]

    def root(self, salt, number):
        return tree.root(self.leaves(salt, number))


def component_salt(salt, kind, index):
    return codec.child(salt, "component", u8(kind) + u8(index))


def component_leaf(salt, kind, leg, index, body):
    return symmetric.sha256(b"\0", salt, u8(1), u8(kind), u8(leg), u8(index), u64(len(body)), body)


def tear_off(leg, salt, number, wanted):
    """encode(TearOff) of the components whose (kind, index) are `wanted`, in that order."""
    items, leaves = leg.items(), leg.leaves(salt, number)
    places = {(kind, index): place for place, (kind, index, _) in enumerate(items)}
    components = []
    for kind, index in wanted:
        place = places[kind, index]
        path = bounded(tree.inclusion(place, leaves), 64)
        head = u8(kind) + u8(index) + component_salt(salt, kind, index)
        components.append(head + bounded(items[place][2], 32768) + u32(place) + path)
    return u32(len(items)) + bounded(components, 8)


def build(header, epoch, spent, paid, contents, draw, entropy):
    """The proved leg. `draw()` gives scalars for the sections, `entropy()` 32 bytes for each proof.

    `contents(links)` are (kind, content, readers) of the sections, in order; `links` is what the links section holds.
    """
    context = header.encode()
    parties = [key.point for key in epoch.with_field(policy.PARTIES)]
    amounts = [key.point for key in epoch.with_field(policy.AMOUNTS)]
    spend_items = [_spend_item(note, parties) for note in spent]
    amount_items = [_amount_item(output, amounts) for output in paid]
    blinded = [_blinded(note) for note in spent]
    inputs = [
        tag + commitment + ephemeral + bounded(identities, 8)
        for (tag, ephemeral, identities), commitment in zip(spend_items, blinded, strict=True)
    ]
    outputs = [
        output.slot.encode() + c + r + bounded(e, 8) for output, (c, r, e) in zip(paid, amount_items, strict=True)
    ]
    proved_links = _links(context, inputs, outputs, spent, entropy) if spent else None
    sealed, wraps, secrets = [], [], []
    for kind, content, readers in contents(proved_links):
        m, w = draw(), draw()
        section = sections.seal(kind, context, content, readers, m, w)
        sealed.append(section)
        wraps.append((section.ephemeral, section.wraps, readers))
        secrets.append(w)

    on = relations.transcript("sudare/leg/v1", context)
    on.append_message(b"inputs", bounded(inputs, 32))
    on.append_message(b"outputs", bounded(outputs, 64))
    on.append_message(b"sections", bounded([section.encode() for section in sealed], 67))
    spend = amount = None
    range_proof = b""
    if spent:
        witness = [x for note in spent for x in (note.slot.secrets.a, note.slot.secrets.t, note.fresh)]
        spend, _ = relations.spend(spend_items, parties).prove(on, witness, entropy())
    if paid:
        witness = [x for output in paid for x in (output.value, output.blinding)]
        amount, _ = relations.amount(amount_items, amounts).prove(on, witness, entropy())
    wrap, _ = relations.wrap(wraps, strict=False).prove(on, secrets, entropy())
    commitments = [output.commitment() for output in paid]
    excess = sum(note.blinding + note.d for note in spent) - sum(output.blinding for output in paid)
    balance, _ = relations.balance(blinded, commitments, header.mint, header.burn).prove(on, [excess], entropy())
    if paid:
        openings = [(output.value, output.blinding) for output in paid]
        range_proof = relations.range_prove(on, openings, entropy())
    return Leg(header, inputs, outputs, sealed, [spend, amount, wrap, balance, range_proof])


def _links(context, inputs, outputs, spent, entropy):
    """encode(Links): the notes spent, and the proof that they are."""
    on = relations.transcript("sudare/leg-links/v1", context)
    on.append_message(b"inputs", bounded(inputs, 32))
    on.append_message(b"outputs", bounded(outputs, 64))
    items = [
        (group.encode(note.slot.secrets.owner()), note.commitment(), body[:32], body[32:64])
        for note, body in zip(spent, inputs, strict=True)
    ]
    relation, rho = relations.links(on, items)
    witness = relations.links_witness(rho, [(note.slot.secrets.s, note.d) for note in spent])
    proof, _ = relation.prove(on, witness, entropy())
    return bounded([note.note_id() for note in spent], 32) + proof


def contents(epoch, paid, reference, trade, links):
    """(kind, content, readers) of every section of the leg, in order; `links` is encode(Links) or None."""
    readers = lambda wanted: [key.point for key in epoch.with_field(wanted)]
    memo_keys = [output.slot.memo_key for output in paid]
    for i, output in enumerate(paid):
        yield sections.opening(i), output.opening(), readers(policy.AMOUNTS) + [memo_keys[i]]
    yield sections.PARTIES, text(reference, 64), readers(policy.PARTIES)
    yield sections.TRADE, trade.encode(), readers(policy.TRADE) + memo_keys
    if links is not None:
        yield sections.LINKS, links, readers(policy.LINKS)


def _spend_item(note, keys):
    """(T, U', [F'_j])."""
    account = note.slot.secrets.account()
    identities = [group.encode(group.add(account, group.mul(note.fresh, group.decode(key)))) for key in keys]
    return group.encode(note.slot.secrets.tag()), group.encode(group.mul(note.fresh, BASE)), identities


def _amount_item(output, keys):
    """(C, R, [E_j])."""
    value = group.mul(output.value, BASE)
    amounts = [group.encode(group.add(value, group.mul(output.blinding, group.decode(key)))) for key in keys]
    return output.commitment(), group.encode(group.mul(output.blinding, BASE)), amounts


def _blinded(note):
    """C' = C + d*B~."""
    return group.encode(group.add(group.decode(note.commitment()), group.mul(note.d, BLINDING_BASE)))


def _note_id(slot, commitment):
    return codec.digest("sudare/note/v1", slot.context.asset + slot.owner + commitment)
