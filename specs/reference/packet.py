"""Disclosure packets (specs/packet.md): made, and verified from their bytes alone.

As a program it verifies a file: packet.py FILE --recipient R --nonce N (--asset ID | --checkpoint FILE); it prints what the file
shows as JSON and ends with 0, or says which rule the file breaks and ends with 1.
"""

import argparse
import base64
import json
import pathlib
import sys
from dataclasses import dataclass

import codec
import ed25519
import leg
import linear
import relations
import ristretto as group
import sections
import slot
import snapshot
import symmetric
import transaction
import tree
from codec import Reader, bounded, option, text, u8, u32, u64

MAGIC = b"sudare bundle 1\n"
VERSION = u8(1)
ACCOUNT_PROTOCOL = "sudare/account-packet/v1"


class Broken(Exception):
    """The file breaks a rule."""

    def __init__(self, rule, why):
        super().__init__(f"[{rule}] {why}")
        self.rule = rule


# --- making -----------------------------------------------------------------------------------------------------


def shown_output(commit, index, receipt, entry, body, path, components, opening, trade):
    """encode(ShownOutput)."""
    head = commit.encode() + u8(index) + receipt + u64(entry) + body + bounded(path, 64)
    return head + components + opening + option(trade)


def shown_snapshot(heading, entry, body, path, leaf, number, leaf_path, blinding):
    """encode(ShownSnapshot)."""
    place = u64(entry) + body + bounded(path, 64)
    proof = leaf.encode() + u32(number) + bounded(leaf_path, 24)
    return heading.encode() + place + proof + codec.scalar_bytes(blinding)


def shown_account(begin, until, held, events, own):
    """encode(ShownAccount) of encoded parts; `begin` is None if the period begins with the asset."""
    return option(begin) + until + bounded(held, 16384) + bounded(events, 16384) + bounded(own, 2)


def own_leaves(address, begin, until, statements, key, draw):
    """[encode(OwnLeaf)] of (account, locators X) of each snapshot, made with the account's `key`."""
    on, own = relations.transcript(ACCOUNT_PROTOCOL, address + option(begin) + until), []
    for account, locators in statements:
        shared = group.encode(group.mul(key, group.decode(locators)))
        proof, _ = relations.locator(account, locators, shared).prove(on, [key], draw.bytes32())
        own.append(shared + proof)
    return own


def address(node, recipient, nonce, purpose, made_at, core, checkpoint):
    """A packet's body up to its checkpoint."""
    named = text(recipient, 140) + text(nonce, 64) + text(purpose, 140)
    return VERSION + node.id + named + u64(made_at) + core.encode() + bounded(checkpoint, 60000)


def packet(node, recipient, nonce, purpose, made_at, core, checkpoint, extends, shown, kind=0):
    """The file of a packet that `node`, with seed and id, signs."""
    head = address(node, recipient, nonce, purpose, made_at, core, checkpoint)
    body = head + bounded(extends, 64) + u8(kind) + shown
    return MAGIC + u8(0) + body + codec.sign(node.seed, "sudare/packet/v1", body)


def fork(core, one, other):
    """The file of two checkpoints."""
    return MAGIC + u8(1) + core.encode() + bounded(one, 60000) + bounded(other, 60000)


# --- reading ----------------------------------------------------------------------------------------------------


@dataclass
class Checkpoint:
    size: int
    root: bytes


def verify(file, recipient, nonce, asset=None, held=None):
    """What a packet shows to its recipient, who trusts the checkpoint `held` or, without one, the asset's identity."""
    if file[:17] != MAGIC + u8(0):
        raise Broken("ENC-1", "not a packet")
    body, signature = file[17:-64], file[-64:]
    custodian, core, shown = _read(body, recipient, nonce, signature, asset, held)
    return {"custodian": custodian.hex(), **shown(core)}


def _read(body, recipient, nonce, signature, asset, held):
    try:
        reader = Reader(body)
        reader.version(1)
        custodian = reader.take(32)
        names = reader.text(140), reader.text(64), reader.text(140)
        reader.number(8)
        core = _core(reader)
        text = b"".join(reader.bounded(60000, lambda one: one.take(1)))
        head = taken(body, reader)
        extends = reader.bounded(64, lambda one: one.take(32))
        kind = reader.number(1)
        if kind > 1:
            raise codec.Refused("an unknown content")
        content = Account(reader) if kind else Output(reader)
        reader.end()
    except codec.Refused as error:
        raise Broken("ENC-1", str(error)) from error
    _signed(custodian, "sudare/packet/v1", body, signature, "PKT-1")
    if names[0] != recipient:
        raise Broken("PKT-1", "for another recipient")
    if names[1] != nonce:
        raise Broken("PKT-1", "for another nonce")
    under = _anchored(core, text, extends, asset, held)
    return custodian, core, lambda core: content.read(core, under, custodian, head)


@dataclass
class Core:
    """The parts of an AssetCore that a verifier needs."""

    id: bytes
    network: bytes
    code: str
    registrar: bytes
    notary: bytes


def _core(reader):
    before = reader._data
    reader.version(1)
    network, code = reader.take(32), reader.text(12)
    reader.text(64), reader.text(16), reader.number(1)
    registrar, notary = reader.take(32), reader.take(32)
    reader.number(8), reader.take(32)
    encoded = before[: len(before) - len(reader._data)]
    return Core(codec.digest("sudare/asset/v1", encoded), network, code, registrar, notary)


def _anchored(core, text, extends, asset, held):
    if asset is not None and asset != core.id:
        raise Broken("PKT-2", "another asset")
    trusted = None if held is None else checkpoint(held, core)
    shown = checkpoint(text, core)
    if trusted is None or trusted == shown:
        return shown
    if shown.size < trusted.size:
        raise Broken("PKT-2", "an older checkpoint")
    if shown.size == trusted.size:
        raise Broken("LOG-5", "two roots of one size")
    if not tree.is_consistent(trusted.size, trusted.root, shown.size, shown.root, extends):
        raise Broken("PKT-2", "nothing joins the checkpoints")
    return shown


def checkpoint(text, core):
    """The checkpoint of the asset's log in a signed text, if the registrar signed it."""
    try:
        body, _, signatures = text.decode().partition("\n\n")
        origin, size, root = body.split("\n")
        found = Checkpoint(int(size), base64.b64decode(root, validate=True))
    except ValueError as error:
        raise Broken("PKT-2", "not a checkpoint") from error
    name = f"sudare/{core.network.hex()}/asset/{core.id.hex()}"
    body = body.encode() + b"\n"
    signers = [(name, core.registrar, lambda _: bytes(64))]
    again = tree.checkpoint(core.network, "asset", core.id, found.size, found.root, signers)
    if again.partition(b"\n\n")[0] + b"\n" != body or origin != name:
        raise Broken("PKT-2", "another log, or another spelling")
    for line in signatures.splitlines():
        dash, signer, encoded = line.split(" ")
        data = base64.b64decode(encoded, validate=True)
        if signer == name and data[:4] == tree.key_id(name, core.registrar):
            try:
                ed25519.verify(core.registrar, body, data[4:])
            except ed25519.Refused as error:
                raise Broken("PKT-2", "a wrong signature") from error
            return found
    raise Broken("PKT-2", "not signed by the registrar")


class Output:
    """A ShownOutput."""

    def __init__(self, reader):
        self.commit = _commit(reader)
        self.index = reader.number(1)
        self.receipt = reader.take(32 + 73 + 8 + 64)
        self.entry, self.body = reader.number(8), reader.take(32)
        self.path = reader.bounded(64, lambda one: one.take(32))
        self.size = reader.number(4)
        self.components = reader.bounded(8, _component)
        self.opening = reader.take(32)
        self.trade = reader.option(lambda one: one.take(32))
        codec.decode(self.receipt[32:33], lambda one: one.version(1))

    def read(self, core, under, custodian, _address=None):
        time = self._final(core, under)
        header = self._one(leg.HEADER)
        if header[1][1:33] != core.network or header[1][33:65] != core.id:
            raise Broken("PKT-3", "a leg of another asset")
        number, output = self._one(leg.OUTPUT)
        owner, commitment, receiver = _output(output, core)
        self.commitment = commitment
        content = self._unseal(sections.opening(number), self.opening, header[1])
        if len(content) != 40:
            raise Broken("PKT-4", "the memo is not an opening")
        value, blinding = int.from_bytes(content[:8], "little"), content[8:]
        try:
            opened = group.add(
                group.mul(value, group.BASE), group.mul(group.scalar_decode(blinding), group.BLINDING_BASE)
            )
        except group.DecodeError as error:
            raise Broken("PKT-4", "the memo is not an opening") from error
        if group.encode(opened) != commitment:
            raise Broken("PKT-4", "the memo lies")
        trade = None
        if self.trade is not None:
            trade = _trade(self._unseal(sections.TRADE, self.trade, header[1]))
        if receiver != custodian:
            raise Broken("PKT-5", "another custodian's output")
        return {
            "asset": core.id.hex(), "entry": self.entry, "transaction": self.receipt[:32].hex(), "leg": self.index,
            "output": number, "time": time, "note": slot.note_id(core.id, owner, commitment).hex(), "quantity": value,
            "trade": trade, "entries": under.size,
        }  # fmt: skip

    def _final(self, core, under):
        """Checks that the leg is final and in the log; gives the notary's time."""
        tx = self.commit.transaction
        identity, time = _recorded(self.commit, self.receipt)
        if self.index >= len(tx.legs):
            raise Broken("PKT-3", "no such leg")
        registrar, root = tx.legs[self.index]
        if (tx.network, tx.notary, registrar) != (core.network, core.notary, core.registrar):
            raise Broken("PKT-3", "a leg of another network, notary or registrar")
        for kind, index, salt, body, place, path in self.components:
            leaf = leg.component_leaf(salt, kind, self.index, index, body)
            if tree.inclusion_root(leaf, place, self.size, path) != root:
                raise Broken("LEG-4", "a component is not in the leg")
        leaf = tree.leaf_hash(u8(1) + identity + u8(self.index) + root + self.body)
        if tree.inclusion_root(leaf, self.entry, under.size, self.path) != under.root:
            raise Broken("LOG-3", "the entry is not in the log")
        return time

    def _one(self, kind):
        for component in self.components:
            if component[0] == kind:
                return component[1], component[3]
        raise Broken("LEG-4", "a component is missing")

    def _unseal(self, kind, key, context):
        for component in self.components:
            body = component[3]
            if component[0] == leg.SECTION and body[: len(kind)] == kind:
                section = codec.decode(body, lambda reader: _section(reader, kind))
                if sections.key_hash(key) != section.key_hash:
                    raise Broken("PKT-4", "the key is of another section")
                try:
                    associated = kind + section.ephemeral + context
                    return symmetric.open_sealed(key, sections.NONCE, section.body, associated)
                except symmetric.Refused as error:
                    raise Broken("PKT-4", "the section does not open") from error
        raise Broken("LEG-4", "a section is missing")


class Snapshot:
    """A ShownSnapshot."""

    def __init__(self, reader):
        self.heading = snapshot.read_heading(reader)
        self.entry, self.body = reader.number(8), reader.take(32)
        self.path = reader.bounded(64, lambda one: one.take(32))
        reader.version(1)
        salt, account = reader.take(32), reader.point()
        chain = reader.number(8), reader.take(32)
        self.leaf = snapshot.Leaf(salt, account, chain, reader.point(), reader.take(32))
        self.number = reader.number(4)
        self.leaf_path = reader.bounded(24, snapshot.read_node)
        self.blinding = reader.scalar()

    def check(self, core, under):
        heading = self.heading
        if (heading.network, heading.asset) != (core.network, core.id):
            raise Broken("SNP-1", "a snapshot of another asset")
        leaf = tree.leaf_hash(u8(2) + heading.hash() + self.body)
        if tree.inclusion_root(leaf, self.entry, under.size, self.path) != under.root:
            raise Broken("LOG-3", "the snapshot is not in the log")
        try:
            found = snapshot.search_ends_at(
                self.leaf.node(), self.leaf.locator, self.number, self.leaf_path, heading.leaves, heading.root
            )
        except group.DecodeError as error:
            raise Broken("SNP-4", "a sum is not a point") from error
        if not found:
            raise Broken("SNP-4", "the leaf is not in the snapshot")

    def commits_to(self, live):
        total = group.mul(self.blinding, group.BLINDING_BASE)
        for _, commitment in live.values():
            total = group.add(total, group.decode(commitment))
        return group.encode(total) == self.leaf.holding


class Account:
    """A ShownAccount."""

    def __init__(self, reader):
        start = reader._data
        self.begin = reader.option(Snapshot)
        self.until = Snapshot(reader)
        self.encoded = taken(start, reader)
        self.held = reader.bounded(16384, Output)
        self.events = reader.bounded(16384, _event)
        self.own = reader.bounded(2, lambda one: (one.point(), read_linear(one)))

    def _locate(self, address):
        snapshots = [*([self.begin] if self.begin else []), self.until]
        if len(self.own) != len(snapshots):
            raise Broken("PKT-9", "not one proof a snapshot")
        on = relations.transcript(ACCOUNT_PROTOCOL, address + self.encoded)
        for one, (shared, proof) in zip(snapshots, self.own, strict=True):
            if one.leaf.locator != snapshot.locator(one.leaf.account, shared):
                raise Broken("PKT-9", "the leaf has another locator than the account")
            try:
                relations.locator(one.leaf.account, one.heading.locators, shared).verify(on, proof)
            except (linear.Refused, group.DecodeError) as error:
                raise Broken("PKT-9", str(error)) from error

    def read(self, core, under, custodian, address):
        self.until.check(core, under)
        chain, first = (0, bytes(32)), 0
        if self.begin is not None:
            self.begin.check(core, under)
            if self.begin.leaf.account != self.until.leaf.account:
                raise Broken("PKT-6", "two accounts")
            chain, first = self.begin.leaf.chain, self.begin.entry
        if first >= self.until.entry:
            raise Broken("PKT-6", "the period ends before it begins")
        self._locate(address)
        live, events = {}, []
        for output in self.held:
            _hold(live, output, output.read(core, under, custodian))
        if live if self.begin is None else not self.begin.commits_to(live):
            raise Broken("PKT-7", "not what the first snapshot commits to")
        opening = _sum(live)
        for event in self.events:
            if isinstance(event, Output):
                seen = event.read(core, under, custodian)
                _hold(live, event, seen)
                note = bytes.fromhex(seen["note"])
                chain = snapshot.chain([snapshot.received(seen["entry"], seen["output"], note)], chain)
                events.append({"received": seen})
            else:
                entry, place, note = event
                if note not in live:
                    raise Broken("PKT-7", "a note is spent that the account does not hold")
                quantity, _ = live.pop(note)
                chain = snapshot.chain([snapshot.spent(entry, place, note)], chain)
                events.append({"spent": {"entry": entry, "note": note.hex(), "quantity": quantity}})
        if chain != self.until.leaf.chain:
            raise Broken("PKT-6", "the events do not lead to the chain")
        if not self.until.commits_to(live):
            raise Broken("PKT-7", "not what the last snapshot commits to")
        return {
            "asset": core.id.hex(), "account": self.until.leaf.account.hex(),
            "from": None if self.begin is None else self.begin.heading.number, "until": self.until.heading.number,
            "opening": opening, "events": events, "closing": _sum(live), "entries": under.size,
        }  # fmt: skip


def taken(start, reader):
    """What the reader has taken since."""
    return start[: len(start) - len(reader._data)]


def read_linear(reader):
    """A LinearProof."""
    points = reader.bounded(linear.MAX_ITEMS, Reader.point)
    scalars = reader.bounded(linear.MAX_ITEMS, Reader.scalar)
    return linear.encode(points, [group.scalar_encode(z) for z in scalars])


def _event(reader):
    kind = reader.number(1)
    if kind > 1:
        raise codec.Refused("an unknown event")
    return (reader.number(8), reader.number(1), reader.take(32)) if kind else Output(reader)


def _hold(live, output, seen):
    note = bytes.fromhex(seen["note"])
    if note in live:
        raise Broken("PKT-7", "a note twice")
    live[note] = seen["quantity"], output.commitment


def _sum(live):
    return sum(quantity for quantity, _ in live.values())


def _commit(reader):
    reader.version(1)
    network, notary = reader.take(32), reader.take(32)
    start, end, salt = reader.number(8), reader.number(8), reader.take(32)
    legs = reader.bounded(4, lambda one: (one.take(32), one.take(32)))
    tags = reader.bounded(256, lambda one: one.take(32))
    made = transaction.Transaction(network, notary, start, end, salt, legs, tags)
    return transaction.Commit(made, reader.take(32), reader.bounded(4, lambda one: one.take(64)))


def _recorded(commit, receipt):
    """(transaction's id, notary's time) of a commit that has every approval and is the receipt's."""
    tx = commit.transaction
    try:
        identity, m, tags_root = tx.id(), commit.m(), tx.tags_root()
    except ValueError as error:
        raise Broken("FIN-1", str(error)) from error
    steps = tx.start % 1000 == 0 and tx.end % 1000 == 0
    if not tx.legs or tx.start >= tx.end or not steps or len(commit.approvals) != len(tx.legs):
        raise Broken("FIN-1", "not well formed, or an approval is missing")
    for i, approval in enumerate(commit.approvals):
        _signed(tx.legs[i][0], "sudare/approval/v1", tx.approval_message(i), approval, "FIN-1")
    time = int.from_bytes(receipt[97:105], "little")
    if receipt[:32] != identity or receipt[33:65] != m or receipt[65:97] != tags_root:
        raise Broken("FIN-2", "a receipt of something else")
    if not tx.start <= time < tx.end:
        raise Broken("FIN-2", "recorded outside the window")
    _signed(tx.notary, "sudare/receipt/v1", tx.network + receipt[:-64], receipt[-64:], "FIN-2")
    return identity, time


def _component(reader):
    kind, index, salt = reader.number(1), reader.number(1), reader.take(32)
    if kind > leg.PROOFS:
        raise codec.Refused("an unknown kind of component")
    length = reader.number(2)
    if length > 32768:
        raise codec.Refused("the component is too long")
    body, place = reader.take(length), reader.number(4)
    return kind, index, salt, body, place, reader.bounded(64, lambda one: one.take(32))


def _output(body, core):
    """(O, C, receiver) of an encoded output whose slot is signed."""
    reader = Reader(body)
    reader.version(1)
    network, asset = reader.take(32), reader.take(32)
    reader.take(32), reader.number(4)
    receiver = reader.take(32)
    reader.take(32), reader.number(8), reader.take(32)
    owner = reader.point()
    reader.point(), reader.bounded(8, Reader.point), reader.point()
    reader.bounded(512, Reader.point), reader.bounded(512, Reader.scalar)
    signed = body[: len(body) - len(reader._data)]
    _signed(receiver, "sudare/slot-signature/v1", signed, reader.take(64), "PKT-5")
    commitment = reader.point()
    reader.point(), reader.bounded(8, Reader.point)
    reader.end()
    if asset != core.id:
        raise Broken("PKT-3", "a slot of another asset")
    return owner, commitment, receiver


def _section(reader, kind):
    reader.take(len(kind))
    ephemeral, wraps = reader.point(), reader.bounded(72, Reader.point)
    key_hash, length = reader.take(32), reader.number(2)
    return sections.Section(kind, ephemeral, wraps, key_hash, reader.take(length))


def _trade(content):
    read = lambda one: {
        "trade_id": one.text(35), "delivery_date": one.text(10), "kind": one.text(16),
        "cancels": one.option(lambda inner: inner.text(35)), "note": one.text(140),
    }  # fmt: skip
    try:
        return codec.decode(content, read)
    except codec.Refused as error:
        raise Broken("PKT-4", "the trade section does not decode") from error


def receipt(commit, recorded):
    """The file of a receipt with its commit."""
    return MAGIC + u8(3) + VERSION + commit.encode() + recorded


def verify_receipt(file, notary):
    """(transaction's id, notary's time) of a receipt's file, if `notary` recorded it."""
    if file[:17] != MAGIC + u8(3):
        raise Broken("ENC-1", "not a receipt")
    reader = Reader(file[17:])
    try:
        reader.version(1)
        commit, recorded = _commit(reader), reader.take(32 + 73 + 8 + 64)
        codec.decode(recorded[32:33], lambda one: one.version(1))
        reader.end()
    except codec.Refused as error:
        raise Broken("ENC-1", str(error)) from error
    identity, time = _recorded(commit, recorded)
    if commit.transaction.notary != notary:
        raise Broken("FIN-2", "another notary's")
    return identity, time


def verify_fork(file):
    """(registrar, size) that two checkpoints convict."""
    reader = Reader(file[17:])
    core = _core(reader)
    texts = [b"".join(reader.bounded(60000, lambda one: one.take(1))) for _ in range(2)]
    reader.end()
    one, other = (checkpoint(text, core) for text in texts)
    try:
        for text in texts:
            tree.judged_whole(text, f"sudare/{core.network.hex()}/asset/{core.id.hex()}", core.registrar)
    except tree.Unsigned as error:
        raise Broken("LOG-5", str(error)) from error
    if one.size != other.size or one.root == other.root:
        raise Broken("LOG-5", "the checkpoints do not contradict each other")
    return core.registrar, one.size


def _signed(node, domain, message, signature, rule):
    try:
        codec.verify(node, domain, message, signature)
    except ed25519.Refused as error:
        raise Broken(rule, "a signature does not verify") from error


def main():
    parser = argparse.ArgumentParser(description="Verifies a disclosure packet.")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--recipient", required=True)
    parser.add_argument("--nonce", required=True)
    parser.add_argument("--asset", type=bytes.fromhex)
    parser.add_argument("--checkpoint", type=pathlib.Path)
    args = parser.parse_args()
    if args.asset is None and args.checkpoint is None:
        parser.error("--asset or --checkpoint")
    held = args.checkpoint and args.checkpoint.read_bytes()
    try:
        shown = verify(args.file.read_bytes(), args.recipient, args.nonce, args.asset, held)
    except (Broken, codec.Refused) as error:
        sys.exit(f"error: {error}")
    print(json.dumps(shown, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
