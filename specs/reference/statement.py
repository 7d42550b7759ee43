"""Statements (specs/statements.md): made, and verified from their bytes alone.

As a program it verifies a file: statement.py FILE --recipient R --nonce HEX --asset ID; it prints what the file states as JSON and ends
with 0, or says which rule the file breaks and ends with 1.
"""

import argparse
import json
import pathlib
import sys
from dataclasses import dataclass

import bulletproofs
import codec
import leg
import linear
import packet
import relations
import ristretto as group
import snapshot
import tree
from codec import Reader, bounded, option, text, u8, u32, u64
from packet import MAGIC, Broken
from ristretto import L

HEAD = MAGIC + u8(2)
VERSION = u8(1)
NOTES, REGISTER, HOLDINGS, JOINT = 0, 1, 2, 3
CUSTODIAN, REGISTRAR = 0, 1
NOTES_PROTOCOL, REGISTER_PROTOCOL = "sudare/statement/v1", "sudare/register-statement/v1"
PART_PROTOCOL, JOINT_PROTOCOL = "sudare/joint-part/v1", "sudare/joint-statement/v1"
HOLDINGS_PROTOCOL = "sudare/holdings-statement/v1"
REFUSED = (linear.Refused, bulletproofs.Refused, group.DecodeError, ValueError)
EQUALITY = "Differ"


@dataclass
class Subject:
    """What a statement is about, encoded, and what a verifier reads in it."""

    core: bytes
    checkpoint: bytes
    recipient: str
    nonce: bytes

    def encode(self):
        named = bounded(self.checkpoint, 60000) + text(self.recipient, 140) + self.nonce
        return VERSION + self.core + named


def kind_bytes(kind, numbers):
    width = u32 if kind == "Share" else u64
    return u8(relations.STATEMENTS.index(kind)) + b"".join(width(number) for number in numbers)


def _read_kind(reader):
    tag = reader.number(1)
    if tag >= len(relations.STATEMENTS):
        raise codec.Refused("an unknown kind of statement")
    kind = relations.STATEMENTS[tag]
    count, width = {"Between": (2, 8), "Share": (2, 4)}.get(kind, (1, 8))
    return kind, [reader.number(width) for _ in range(count)]


# --- totals -----------------------------------------------------------------------------------------------------


def prove_totals(on, kind, numbers, left, right, draw):
    """encode(Proof) that `kind` holds of totals ([(value, blinding)], clear); also of totals of which it does not, for forgers."""
    commit = lambda openings: [group.encode(group.commit(v, r)) for v, r in openings]
    value = lambda total: sum(v for v, _ in total[0]) + total[1]
    hidden = lambda total: sum(r for _, r in total[0])
    change, blinding = value(left) - value(right), hidden(left) - hidden(right)
    differences = {
        "AtLeast": lambda: [(change - numbers[0], blinding)],
        "AtMost": lambda: [(numbers[0] - change, -blinding)],
        "Between": lambda: [(change - numbers[0], blinding), (numbers[1] - change, -blinding)],
        "Share": lambda: [(
            numbers[1] * value(left) - numbers[0] * value(right),
            numbers[1] * hidden(left) - numbers[0] * hidden(right),
        )],
        "Differ": lambda: [(change - numbers[0], blinding)],
    }[kind]()  # fmt: skip
    openings, excesses = [], []
    for difference, excess in differences:
        if kind != EQUALITY:
            limbs = [(difference % 2**64, draw.scalar()), (difference >> 64, draw.scalar())]
            openings += limbs
            excess -= limbs[0][1] + 2**64 * limbs[1][1]
        excesses.append(excess % L)
    limbs = commit(openings)
    sides = [(commit(total[0]), total[1]) for total in (left, right)]
    relation = relations.statement(kind, numbers, *sides, limbs)
    sums, _ = relation.prove(on, excesses, draw.bytes32())
    ranged = relations.range_prove(on, openings, draw.bytes32()) if openings else b""
    return bounded(limbs, 4) + sums + bounded(ranged, 1024)


@dataclass
class Totals:
    """Kind, numbers and proof of a statement about two totals."""

    kind: str
    numbers: list
    limbs: list
    sums: bytes
    ranged: bytes

    def check(self, on, left, right):
        """Raises Broken unless it holds of the totals (commitments, clear)."""
        try:
            relation = relations.statement(self.kind, self.numbers, left, right, self.limbs)
        except REFUSED as error:
            raise Broken("STM-3", str(error)) from error
        try:
            relation.verify(on, self.sums)
            if self.limbs:
                relations.range_verify(on, self.limbs, self.ranged)
            elif self.ranged:
                raise linear.Refused("a range proof of nothing")
        except REFUSED as error:
            raise Broken("STM-1", str(error)) from error


def _read_proof(reader):
    limbs = reader.bounded(4, Reader.point)
    sums = packet.read_linear(reader)
    return limbs, sums, b"".join(reader.bounded(1024, lambda one: one.take(1)))


# --- notes ------------------------------------------------------------------------------------------------------


def shown(entry, body, path, tx, number, root, output):
    """encode(Shown); `output` is the TearOff."""
    return u64(entry) + body + bounded(path, 64) + tx + u8(number) + root + output


def side(outputs, clear):
    """encode(Side)."""
    return bounded(outputs, 4096) + u64(clear)


def notes_context(subject, account, left, right):
    return subject.encode() + option(account) + left + right


def notes_file(subject, account, kind, left, right, proof, holder):
    """The file; `kind` as bytes, `left` and `right` encoded sides."""
    content = u8(NOTES) + option(account) + kind + left + right + proof + option(holder)
    return HEAD + subject.encode() + content


class Shown:
    """An output of a final leg."""

    def __init__(self, reader):
        self.entry, self.body = reader.number(8), reader.take(32)
        self.path = reader.bounded(64, lambda one: one.take(32))
        self.tx, self.leg, self.root = reader.take(32), reader.number(1), reader.take(32)
        self.size = reader.number(4)
        self.components = reader.bounded(8, packet._component)

    def read(self, under):
        """(owner, commitment), if the output is in its leg and that in the log."""
        leaf = tree.leaf_hash(u8(1) + self.tx + u8(self.leg) + self.root + self.body)
        if tree.inclusion_root(leaf, self.entry, under.size, self.path) != under.root:
            raise Broken("STM-4", "the leg is not in the log")
        for kind, index, salt, body, place, path in self.components:
            leaf = leg.component_leaf(salt, kind, self.leg, index, body)
            if tree.inclusion_root(leaf, place, self.size, path) != self.root:
                raise Broken("STM-4", "a component is not in the leg")
        outputs = [component for component in self.components if component[0] == leg.OUTPUT]
        if not outputs:
            raise Broken("STM-4", "there is no output")
        self.output = outputs[0][1]
        try:
            return codec.decode(outputs[0][3], _read_output)
        except codec.Refused as error:
            raise Broken("STM-4", str(error)) from error


def _read_output(reader):
    reader.version(1)
    for width in (32, 32, 32, 4, 32, 32, 8, 32):
        reader.take(width)
    owner = reader.point()
    reader.point(), reader.bounded(8, Reader.point), reader.point(), packet.read_linear(reader), reader.take(64)
    commitment = reader.point()
    reader.point(), reader.bounded(8, Reader.point)
    return owner, commitment


class Side:
    def __init__(self, reader):
        start = reader._data
        self.outputs = reader.bounded(4096, Shown)
        self.clear = reader.number(8)
        self.encoded = packet.taken(start, reader)

    def check(self, under):
        """(owners, (commitments, clear))."""
        read = [output.read(under) for output in self.outputs]
        names = [(output.entry, output.output) for output in self.outputs]
        if len(set(names)) != len(names):
            raise Broken("STM-4", "an output stands twice")
        return [owner for owner, _ in read], ([commitment for _, commitment in read], self.clear)


class Notes:
    def __init__(self, reader):
        self.account = reader.option(Reader.point)
        kind, numbers = _read_kind(reader)
        self.left, self.right = Side(reader), Side(reader)
        self.totals = Totals(kind, numbers, *_read_proof(reader))
        self.holder = reader.option(packet.read_linear)

    def check(self, subject, core, under):
        (owners, left), (_, right) = self.left.check(under), self.right.check(under)
        context = notes_context(subject, self.account, self.left.encoded, self.right.encoded)
        on = relations.transcript(NOTES_PROTOCOL, context)
        self.totals.check(on, left, right)
        if (self.account is None) != (self.holder is None):
            raise Broken("STM-4", "an account without proof, or a proof without account")
        if self.account is not None:
            try:
                relation, _ = relations.holder(on, self.account, owners)
                relation.verify(on, self.holder)
            except REFUSED as error:
                raise Broken("HLD-1", str(error)) from error
        return {
            "of": "notes", "account": self.account and self.account.hex(), "kind": self.totals.kind,
            "numbers": self.totals.numbers, "left": len(owners), "left_clear": self.left.clear,
            "right": len(self.right.outputs), "right_clear": self.right.clear,
        }  # fmt: skip


# --- registers --------------------------------------------------------------------------------------------------


def shown_heading(heading, entry, body, path):
    """encode(ShownHeading)."""
    return heading.encode() + u64(entry) + body + bounded(path, 64)


def located(here, account, shared, leaf, number, path):
    """encode(Located)."""
    return u8(here) + account + shared + leaf + u32(number) + bounded(path, 24)


def account_term(found):
    return u8(0) + found


def register_term(here):
    return u8(1) + u8(here)


def supply_term(here):
    return u8(2) + u8(here)


def total(terms, clear):
    """encode(Sum)."""
    return bounded(terms, 4096) + u64(clear)


def totals_context(subject, maker, snapshots, left, right):
    return subject.encode() + u8(maker) + bounded(snapshots, 2) + u8(0) + left + right


def absent_context(subject, maker, snapshots, accounts):
    return subject.encode() + u8(maker) + bounded(snapshots, 2) + u8(1) + bounded(accounts, 4096)


def register_file(subject, maker, snapshots, says, locators):
    """The file; `says` is encode(Says)."""
    content = u8(REGISTER) + u8(maker) + bounded(snapshots, 2) + says + bounded(locators, 8192)
    return HEAD + subject.encode() + content


def totals_says(kind, left, right, proof):
    return u8(0) + kind + left + right + proof


def absent_says(accounts):
    return u8(1) + bounded(accounts, 4096)


def locator_of(maker, account, locators, shared):
    """LOC of an account in a snapshot with these `locators`."""
    key, base = (account, locators) if maker == CUSTODIAN else (locators, account)
    return relations.locator(key, base, shared)


class ShownHeading:
    def __init__(self, reader):
        self.heading = snapshot.read_heading(reader)
        self.entry, self.body = reader.number(8), reader.take(32)
        self.path = reader.bounded(64, lambda one: one.take(32))

    def check(self, core, under):
        if (self.heading.network, self.heading.asset) != (core.network, core.id):
            raise Broken("RST-1", "a snapshot of another asset")
        leaf = tree.leaf_hash(u8(2) + self.heading.hash() + self.body)
        if tree.inclusion_root(leaf, self.entry, under.size, self.path) != under.root:
            raise Broken("RST-1", "the snapshot is not in the log")


class Located:
    def __init__(self, reader):
        self.here, self.account, self.shared = reader.number(1), reader.point(), reader.point()
        self.leaf, self.number = snapshot.read_node(reader), reader.number(4)
        self.path = reader.bounded(24, snapshot.read_node)

    def is_there(self):
        return self.leaf[64:] == snapshot.locator(self.account, self.shared)

    def check(self, snapshots):
        heading = _named(snapshots, self.here).heading
        own = snapshot.locator(self.account, self.shared)
        try:
            ends = snapshot.search_ends_at(self.leaf, own, self.number, self.path, heading.leaves, heading.root)
        except group.DecodeError as error:
            raise Broken("SNP-5", str(error)) from error
        if not ends:
            raise Broken("SNP-5", "the search ends elsewhere")

    def shows(self, snapshots):
        number = snapshots[self.here].heading.number
        return {"account": self.account.hex(), "snapshot": number, "has_leaf": self.is_there()}


class Sum:
    def __init__(self, reader):
        start = reader._data
        self.terms = reader.bounded(4096, _read_term)
        self.clear = reader.number(8)
        self.encoded = packet.taken(start, reader)

    def located(self):
        return [value for tag, value in self.terms if tag == 0]

    def check(self, snapshots):
        """(commitments, clear)."""
        commitments, clear, seen = [], self.clear, set()
        for tag, value in self.terms:
            if tag == 0:
                value.check(snapshots)
                commitments += [value.leaf[32:64]] if value.is_there() else []
                name = tag, value.here, value.account
            else:
                heading = _named(snapshots, value).heading
                commitments += [heading.root[32:64]] if tag == 1 else []
                clear += heading.supply if tag == 2 else 0
                name = tag, value
            if name in seen:
                raise Broken("RST-2", "a term stands twice")
            seen.add(name)
        if clear >= 2**64:
            raise Broken("RST-2", "the numbers in clear are too large")
        return commitments, clear

    def shows(self, snapshots):
        names = {1: "register", 2: "supply"}
        show = lambda tag, value: {names[tag]: snapshots[value].heading.number}
        return [value.shows(snapshots) if tag == 0 else show(tag, value) for tag, value in self.terms]


class Register:
    def __init__(self, reader):
        self.maker = reader.number(1)
        if self.maker > REGISTRAR:
            raise codec.Refused("an unknown maker")
        start = reader._data
        self.snapshots = reader.bounded(2, ShownHeading)
        self.encoded = packet.taken(start, reader)
        tag = reader.number(1)
        if tag > 1:
            raise codec.Refused("says something unknown")
        if tag:
            start = reader._data
            self.absent = reader.bounded(4096, Located)
            self.said = u8(1) + packet.taken(start, reader)
        else:
            self.absent = None
            kind, numbers = _read_kind(reader)
            self.left, self.right = Sum(reader), Sum(reader)
            self.said = u8(0) + self.left.encoded + self.right.encoded
            self.totals = Totals(kind, numbers, *_read_proof(reader))
        self.locators = reader.bounded(8192, packet.read_linear)

    def check(self, subject, core, under):
        numbers = [one.heading.number for one in self.snapshots]
        if not numbers or any(later <= one for one, later in zip(numbers, numbers[1:])):
            raise Broken("RST-1", "no snapshots, or out of order")
        for one in self.snapshots:
            one.check(core, under)
        found = self.absent if self.absent is not None else self.left.located() + self.right.located()
        if len(found) != len(self.locators):
            raise Broken("LOC-1", "not one proof an account")
        on = relations.transcript(REGISTER_PROTOCOL, subject.encode() + u8(self.maker) + self.encoded + self.said)
        if self.absent is not None:
            for one in found:
                one.check(self.snapshots)
                if one.is_there():
                    raise Broken("RST-3", "an account is there")
            if not found:
                raise Broken("RST-3", "nobody is said to be absent")
            self._locate(on, found)
            absent = [one.shows(self.snapshots) for one in found]
            return {"of": "register", "made_by": self.maker, "snapshots": numbers, "absent": absent}
        left, right = self.left.check(self.snapshots), self.right.check(self.snapshots)
        self._locate(on, found)
        self.totals.check(on, left, right)
        return {
            "of": "register", "made_by": self.maker, "snapshots": numbers, "kind": self.totals.kind,
            "numbers": self.totals.numbers, "left": self.left.shows(self.snapshots), "left_clear": left[1],
            "right": self.right.shows(self.snapshots), "right_clear": right[1],
        }  # fmt: skip

    def _locate(self, on, found):
        for one, proof in zip(found, self.locators, strict=True):
            locators = self.snapshots[one.here].heading.locators
            try:
                locator_of(self.maker, one.account, locators, one.shared).verify(on, proof)
            except REFUSED as error:
                raise Broken("LOC-1", str(error)) from error


# --- by two custodians ------------------------------------------------------------------------------------------


def agreed(heading, by):
    """encode(Agreed); `heading` is encode(ShownHeading)."""
    return heading + u64(by)


def part(accounts, locators):
    """encode(Part)."""
    return bounded(accounts, 4096) + bounded(locators, 4096)


def joint_file(subject, agreed, left, right, proof):
    return HEAD + subject.encode() + u8(JOINT) + agreed + left + right + proof


class Agreed:
    def __init__(self, reader):
        start = reader._data
        self.shown, self.by = ShownHeading(reader), reader.number(8)
        self.encoded = packet.taken(start, reader)


class Part:
    """One party's accounts."""

    def __init__(self, reader):
        start = reader._data
        self.accounts = reader.bounded(4096, Located)
        self.named = packet.taken(start, reader)
        self.locators = reader.bounded(4096, packet.read_linear)
        self.encoded = packet.taken(start, reader)

    def commitments(self):
        return [one.leaf[32:64] for one in self.accounts if one.is_there()]

    def check(self, subject, agreed, side):
        if len(self.accounts) != len(self.locators):
            raise Broken("LOC-1", "not one proof an account")
        on = relations.transcript(PART_PROTOCOL, subject.encode() + agreed.encoded + u8(side) + self.named)
        seen = set()
        for one, proof in zip(self.accounts, self.locators, strict=True):
            one.check([agreed.shown])
            if one.account in seen:
                raise Broken("JNT-1", "an account stands twice")
            seen.add(one.account)
            try:
                locator_of(CUSTODIAN, one.account, agreed.shown.heading.locators, one.shared).verify(on, proof)
            except REFUSED as error:
                raise Broken("LOC-1", str(error)) from error
        if not self.commitments():
            raise Broken("JNT-1", "no account is there")


def apart(left, right):
    if {one.account for one in left.accounts} & {one.account for one in right.accounts}:
        raise Broken("JNT-1", "an account stands on both sides")


class Joint:
    def __init__(self, reader):
        self.agreed = Agreed(reader)
        self.left, self.right = Part(reader), Part(reader)
        self.proof = packet.read_linear(reader)

    def check(self, subject, core, under):
        self.agreed.shown.check(core, under)
        self.left.check(subject, self.agreed, 0)
        self.right.check(subject, self.agreed, 1)
        apart(self.left, self.right)
        context = subject.encode() + self.agreed.encoded + self.left.encoded + self.right.encoded
        on = relations.transcript(JOINT_PROTOCOL, context)
        totals = Totals(EQUALITY, [self.agreed.by], [], self.proof, b"")
        totals.check(on, (self.left.commitments(), 0), (self.right.commitments(), 0))
        shows = lambda part: [one.shows([self.agreed.shown]) for one in part.accounts]
        return {
            "of": "joint", "snapshots": [self.agreed.shown.heading.number], "by": self.agreed.by,
            "left": shows(self.left), "right": shows(self.right),
        }  # fmt: skip


def _read_term(reader):
    tag = reader.number(1)
    if tag > 2:
        raise codec.Refused("an unknown term")
    return tag, reader.number(1) if tag else Located(reader)


def _named(snapshots, here):
    if here >= len(snapshots):
        raise Broken("RST-1", "no such snapshot")
    return snapshots[here]


# --- holdings ---------------------------------------------------------------------------------------------------


def held_line(place, node, account, shared, quantity):
    """encode(HeldLine) of a leaf."""
    return u32(place) + node[:64] + account + shared + u64(quantity)


def holdings_context(subject, shown, lines, beside):
    return subject.encode() + shown + bounded(lines, 2**17) + bounded(beside, 2**18)


def holdings_file(subject, shown, lines, beside, proof):
    return HEAD + subject.encode() + u8(HOLDINGS) + shown + bounded(lines, 2**17) + bounded(beside, 2**18) + proof


class Holdings:
    def __init__(self, reader):
        start = reader._data
        self.shown = ShownHeading(reader)
        self.lines = reader.bounded(2**17, _read_line)
        self.beside = reader.bounded(2**18, snapshot.read_node)
        self.encoded = packet.taken(start, reader)
        self.proof = packet.read_linear(reader)

    def check(self, subject, core, under):
        self.shown.check(core, under)
        heading = self.shown.heading
        leaf = lambda word, holding, account, shared: word + holding + snapshot.locator(account, shared)
        leaves = [(place, leaf(*parts)) for place, *parts, _ in self.lines]
        try:
            root = snapshot.root_over(heading.leaves, leaves, self.beside)
        except group.DecodeError as error:
            raise Broken("HDG-2", str(error)) from error
        if root != heading.root:
            raise Broken("HDG-2", "not the snapshot's leaves")
        total = sum(line[-1] for line in self.lines)
        if total > heading.supply:
            raise Broken("HDG-3", "more than there is")
        on = relations.transcript(HOLDINGS_PROTOCOL, subject.encode() + self.encoded)
        held = [(account, shared, holding, quantity) for _, _, holding, account, shared, quantity in self.lines]
        try:
            relation, _ = relations.holdings(on, heading.locators, held, heading.root[32:64], heading.supply)
            relation.verify(on, self.proof)
        except REFUSED as error:
            raise Broken("HDG-1", str(error)) from error
        lines = [{"account": line[3].hex(), "quantity": line[-1]} for line in self.lines]
        return {
            "of": "holdings", "snapshot": heading.number, "supply": heading.supply, "whole": total == heading.supply,
            "lines": lines,
        }  # fmt: skip


CONTENTS = {NOTES: Notes, REGISTER: Register, HOLDINGS: Holdings, JOINT: Joint}


def _read_line(reader):
    place, word = reader.number(4), reader.take(32)
    return place, word, reader.point(), reader.point(), reader.point(), reader.number(8)


# --- files ------------------------------------------------------------------------------------------------------


def verify(file, recipient, nonce, asset):
    """What a statement says to its recipient, who trusts the asset's identity."""
    if file[:17] != HEAD:
        raise Broken("ENC-1", "not a statement")
    reader = Reader(file[17:])
    try:
        reader.version(1)
        start = reader._data
        core = packet._core(reader)
        core_bytes = packet.taken(start, reader)
        text = b"".join(reader.bounded(60000, lambda one: one.take(1)))
        subject = Subject(core_bytes, text, reader.text(140), reader.take(32))
        kind = reader.number(1)
        if kind not in CONTENTS:
            raise codec.Refused("an unknown content")
        content = CONTENTS[kind](reader)
        reader.end()
    except codec.Refused as error:
        raise Broken("ENC-1", str(error)) from error
    if subject.recipient != recipient or subject.nonce != nonce:
        raise Broken("STM-6", "for another recipient or nonce")
    if core.id != asset:
        raise Broken("STM-4", "about another asset")
    try:
        under = packet.checkpoint(text, core)
    except Broken as error:
        raise Broken("STM-4", str(error)) from error
    return {**content.check(subject, core, under), "asset": core.id.hex(), "entries": under.size}


def main():
    parser = argparse.ArgumentParser(description="Verifies a statement.")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--recipient", required=True)
    parser.add_argument("--nonce", required=True, type=bytes.fromhex)
    parser.add_argument("--asset", required=True, type=bytes.fromhex)
    args = parser.parse_args()
    try:
        said = verify(args.file.read_bytes(), args.recipient, args.nonce, args.asset)
    except (Broken, codec.Refused) as error:
        sys.exit(f"error: {error}")
    print(json.dumps(said, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
