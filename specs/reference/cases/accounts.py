"""Account packets, accepted and refused."""

import codec
import dataclasses

import ed25519
import packet
import ristretto as group
import snapshot
import tree
from cases import world
from cases.common import Draw, point
from cases.world import NETWORK, NOW, RECEIVER, REGISTRAR, SENDER

PURPOSE = "yearly audit"
EMPTY = group.commit(0, 0)


class Accounts:
    """An account in a log of 8: snapshots in entries 1, 3, 5, 6 and 7, received in 2, spent in 4.

    In the snapshot before the last, which no registrar would make, the account has had nothing but the note. In the last, which
    one that lies would, it has a second leaf, in another account's place, that says it never had anything.
    """

    def __init__(self, output, paid, recipient, nonce, leaves):
        self.output, self.recipient, self.nonce = output, recipient, nonce
        draw = Draw("account packets")
        self.keys = {point(key): key for key in (draw.scalar(), draw.scalar())}
        self.account, self.other = self.keys
        self.note = paid.note_id()
        before = [snapshot.received(0, 0, draw.bytes32()), snapshot.spent(0, 1, draw.bytes32())]
        came, went = snapshot.received(2, 0, self.note), snapshot.spent(4, 1, self.note)
        value = group.commit(paid.value, paid.blinding)
        self.snapshots = [
            self._snapshot(draw, number, entry, events, total)
            for number, (entry, events, total) in enumerate((
                (1, before, EMPTY), (3, [*before, came], value), (5, [*before, came, went], EMPTY), (6, [came], value),
            ))
        ]  # fmt: skip
        self.snapshots.append(self._snapshot(draw, 4, 7, [came], value))
        self._lie(*self.snapshots[-1])
        self.leaves = [*leaves, bytes(32), bytes(32)]
        for entry, heading, _, _, body in self.snapshots:
            self.leaves[entry] = tree.leaf_hash(b"\2" + heading.hash() + body)

    def _snapshot(self, draw, number, entry, events, total):
        seed = draw.bytes32()
        rows = [(self.account, snapshot.chain(events), total), (self.other, snapshot.chain([]), EMPTY)]
        made = snapshot.Tree(seed, rows)
        heading = snapshot.Heading(
            NETWORK, world.ASSET, world.terms().hash(), 0, number, NOW + number, 2, 0, 0, made.locators, made.root(),
            draw.bytes32(),
        )  # fmt: skip
        return entry, heading, made, seed, draw.bytes32()

    def _lie(self, entry, heading, made, seed, body):
        other = next(leaf for leaf in made.leaves if leaf.account == self.other)
        nothing = group.encode(group.mul(snapshot.blinding(seed, self.account), group.BLINDING_BASE))
        lie = dataclasses.replace(other, account=self.account, holding=nothing)
        made._build([lie.node() if node == other.node() else node for node in made.levels[0]])
        made.leaves = [lie]
        self.snapshots[-1] = entry, dataclasses.replace(heading, root=made.root()), made, seed, body

    def snapshot(self, number, account=None, heading=None, leaf=None, place=0, blinding=0, entry=0):
        """encode(ShownSnapshot), with some of its parts changed or moved, and what its leaf's proof is of."""
        at, own, made, seed, body = self.snapshots[number]
        found, where, path = made.prove(account or self.account)
        changed = dataclasses.replace(own, **(heading or {}))
        found = dataclasses.replace(found, **(leaf or {}))
        hidden = (snapshot.blinding(seed, account or self.account) + blinding) % group.L
        log_path = tree.inclusion(at, self.leaves)
        shown = packet.shown_snapshot(changed, at + entry, body, log_path, found, where ^ place, path, hidden)
        return _Snapshot(shown, found.account, changed.locators)

    def received(self):
        path = tree.inclusion(2, self.leaves)
        return self.output(path=path)

    def spent(self, entry=4, place=1, note=None):
        return codec.u8(1) + codec.u64(entry) + codec.u8(place) + (note or self.note)

    def file(self, begin, until, held, events, node=RECEIVER, made_for=None, key=None, change=lambda own: own):
        """`made_for` changes parts of the address that the leaves' proofs are made for."""
        name = f"sudare/{NETWORK.hex()}/asset/{world.ASSET.hex()}"
        signer = (name, REGISTRAR.id, lambda text: ed25519.sign(REGISTRAR.seed, text))
        text = tree.checkpoint(NETWORK, "asset", world.ASSET, 8, tree.root(self.leaves), [signer])
        named = {
            "node": node, "recipient": self.recipient, "nonce": self.nonce, "purpose": PURPOSE, "made_at": NOW,
            "core": world.core(), "checkpoint": text,
        }  # fmt: skip
        statements = [(one.account, one.locators) for one in (begin, until) if one is not None]
        address = packet.address(**{**named, **(made_for or {})})
        key = key or self.keys[until.account]
        own = packet.own_leaves(address, begin, until, statements, key, Draw("own leaves"))
        shown = packet.shown_account(begin, until, held, events, change(own))
        return packet.packet(**named, extends=[], shown=shown, kind=1)


class _Snapshot(bytes):
    """encode(ShownSnapshot), which knows what its leaf's proof is of."""

    def __new__(cls, encoded, account, locators):
        made = super().__new__(cls, encoded)
        made.account, made.locators = account, locators
        return made


def shown(of):
    """The vectors; `of` are Accounts."""
    came, went = codec.u8(0) + of.received(), of.spent()
    at = of.snapshot
    accepted = [
        ("a note came", of.file(at(0), at(1), [], [came])),
        ("a note went", of.file(at(1), at(2), [of.received()], [went])),
        ("it came and went", of.file(at(0), at(2), [], [came, went])),
        ("from the asset's first entry", of.file(None, at(3), [], [came])),
    ]
    verify = lambda file: packet.verify(file, of.recipient, of.nonce, world.ASSET, None)
    return {
        "accepted": [{"why": why, "file": file, "shows": verify(file)} for why, file in accepted],
        "refused": [_refused(rule, why, file, verify) for rule, why, file in _cases(of, came, went)],
    }


def _refused(rule, why, file, verify):
    try:
        verify(file)
    except packet.Broken as error:
        assert error.rule == rule, f"{why}: {error}"
    else:
        raise AssertionError(f"accepted: {why}")
    return {"rule": rule, "why": why, "file": file}


def _cases(of, came, went):
    at, both = of.snapshot, [came, went]
    whole = lambda **changes: of.file(at(0), at(2, **changes), [], both)
    yield "PKT-6", "the last event is left out", of.file(at(0), at(2), [], [came])
    yield "PKT-6", "the only event is left out", of.file(at(0), at(1), [], [])
    yield "PKT-6", "an event too many", of.file(at(0), at(1), [], both)
    yield "PKT-6", "the spend in another entry", of.file(at(0), at(2), [], [came, of.spent(entry=3)])
    yield "PKT-6", "the spend at another input", of.file(at(0), at(2), [], [came, of.spent(place=0)])
    yield "PKT-6", "the period begins with another account", of.file(at(0, account=of.other), at(2), [], both)
    yield "PKT-6", "the period ends before it begins", of.file(at(2), at(0), [], both)
    yield "PKT-6", "a period of nothing", of.file(at(1), at(1), [of.received()], [])
    yield "PKT-6", "the past is left out", of.file(None, at(1), [], [came])
    yield "PKT-7", "events in another order", of.file(at(0), at(2), [], [went, came])
    yield "PKT-7", "a note comes twice", of.file(at(0), at(2), [], [came, came, went])
    yield "PKT-7", "a note of nobody is spent", of.file(at(0), at(2), [], [came, of.spent(note=bytes(32))])
    yield "PKT-7", "what was held is left out", of.file(at(1), at(2), [], [went])
    yield "PKT-7", "held before it came", of.file(at(0), at(1), [of.received()], [])
    yield "PKT-7", "held before the asset began", of.file(None, at(2), [of.received()], [went])
    yield "PKT-7", "another blinding at the end", whole(blinding=1)
    yield "PKT-7", "another blinding at the beginning", of.file(at(0, blinding=1), at(2), [], both)
    yield "SNP-1", "a snapshot of another asset", whole(heading={"asset": bytes(32)})
    yield "SNP-1", "a snapshot of another network", whole(heading={"network": bytes(32)})
    yield "LOG-3", "a snapshot with another time", whole(heading={"at": NOW})
    yield "LOG-3", "a snapshot of another entry", whole(entry=1)
    yield "SNP-4", "a leaf with another chain", whole(leaf={"chain": (0, bytes(32))})
    yield "SNP-4", "a leaf with another holding", whole(leaf={"holding": point(5)})
    yield "SNP-4", "a leaf with another locator", whole(leaf={"locator": bytes(32)})
    yield "SNP-4", "another leaf's place", whole(place=1)
    own = lambda **changes: of.file(at(0), at(2), [], both, **changes)
    yield "PKT-9", "a leaf of the account at another's place", of.file(None, at(4), [], [])
    yield "PKT-9", "no proof of the leaves", own(change=lambda own: [])
    yield "PKT-9", "a proof of the last leaf alone", own(change=lambda own: own[1:])
    yield "PKT-9", "the proofs in another order", own(change=lambda own: own[::-1])
    yield "PKT-9", "one proof for both", own(change=lambda own: [own[0], own[1][:32] + own[0][32:]])
    yield "PKT-9", "made with another account's key", own(key=of.keys[of.other])
    yield "PKT-9", "made for another recipient", own(made_for={"recipient": "Another Audit"})
    yield "PKT-9", "made for another nonce", own(made_for={"nonce": "2026-11-24/2"})
    yield "PKT-9", "made by another custodian", own(made_for={"node": SENDER})
    yield "PKT-9", "made for another purpose", own(made_for={"purpose": "weekly audit"})
    yield "PKT-9", "made at another time", own(made_for={"made_at": NOW + 1})
    yield "PKT-5", "shown by another custodian", of.file(at(0), at(2), [], both, node=SENDER)
