"""Disclosure packets, accepted and refused, and two checkpoints that convict a registrar."""

import codec
import ed25519
import leg
import packet
import ristretto as group
import sections
import transaction
import tree
from cases import accounts, world
from cases.common import Draw, Node, flip, hexed
from cases.world import LEG_SALT, NETWORK, NOTARY, NOW, RECEIVER, REGISTRAR, SENDER

RECIPIENT, NONCE, PURPOSE = "Example Audit", "2026-11-24/1", "yearly audit"


def packets():
    shown = _Shown()
    good = shown.file()
    fork = packet.fork(world.core(), shown.checkpoint(6), shown.checkpoint(6, bytes(32)))
    assert packet.verify_fork(fork) == (REGISTRAR.id, 6)
    accepted = [
        _accepted("under the asset's identity", good, None),
        _accepted("under the same checkpoint", good, shown.checkpoint(6)),
        _accepted("under a shorter checkpoint", shown.file(since=3), shown.checkpoint(3)),
        _accepted("without the trade", shown.file(trade=None, wanted=shown.wanted[:3]), None),
    ]
    of = accounts.Accounts(shown.output, shown.paid, RECIPIENT, NONCE, shown.leaves)
    refused = [_refused(rule, why, file, held) for rule, why, file, held in _cases(shown, good)]
    return hexed({
        "asset": world.ASSET, "registrar": REGISTRAR.id, "recipient": RECIPIENT, "nonce": NONCE,
        "accepted": accepted, "refused": refused, "accounts": accounts.shown(of),
        "fork": {"file": fork, "size": 6}, "receipt": _receipts(shown),
    })  # fmt: skip


def _receipts(shown):
    """A receipt's file, and files that are none."""
    file = packet.receipt(shown.commit, shown.receipt)
    identity, time = packet.verify_receipt(file, NOTARY.id)
    first, second = shown.commit.approvals
    other = lambda approvals: transaction.Commit(shown.tx, shown.commit.salt, approvals)
    cases = [
        ("ENC-1", "cut short", file[:-1]),
        ("ENC-1", "a byte too many", file + b"\0"),
        ("ENC-1", "another version", file[:17] + b"\2" + file[18:]),
        ("FIN-1", "an approval is missing", packet.receipt(other([first]), shown.receipt)),
        ("FIN-1", "the approvals in another order", packet.receipt(other([second, first]), shown.receipt)),
        ("FIN-2", "another place in the notary's log than was signed", flip(file, len(file) - 72)),
    ]
    for rule, why, data in cases:
        try:
            packet.verify_receipt(data, NOTARY.id)
        except packet.Broken as error:
            assert error.rule == rule, f"{why}: {error}"
        else:
            raise AssertionError(f"accepted: {why}")
    return {
        "notary": NOTARY.id, "file": file, "transaction": identity, "time": time,
        "refused": [{"rule": rule, "why": why, "file": data} for rule, why, data in cases],
    }  # fmt: skip


def _accepted(why, file, held):
    asset = world.ASSET if held is None else None
    return {
        "why": why, "file": file, "checkpoint": held and held.decode(),
        "shows": packet.verify(file, RECIPIENT, NONCE, asset, held),
    }  # fmt: skip


def _refused(rule, why, file, held):
    asset = world.ASSET if held is None else None
    try:
        packet.verify(file, RECIPIENT, NONCE, asset, held)
    except packet.Broken as error:
        assert error.rule == rule, f"{why}: {error}"
    else:
        raise AssertionError(f"accepted: {why}")
    return {"rule": rule, "why": why, "file": file, "checkpoint": held and held.decode()}


class _Shown:
    """The first output of the transfer, in entry 2 of a log of 6."""

    wanted = [(leg.HEADER, 0), (leg.OUTPUT, 0), (leg.SECTION, 0), (leg.SECTION, 3)]

    def __init__(self):
        self.made, _, paid = world.build(world.TRANSFER)
        self.tx, self.commit, _ = world.settled()
        entry = transaction.notary_entry(self.commit.m(), self.tx.tags_root(), NOW)
        self.receipt = transaction.receipt(NOTARY.seed, NETWORK, self.tx.id(), entry, 7)
        self.body = Draw("packet entry").bytes32()
        self.paid, self.memo = paid[0], paid[0].slot.secrets.memo
        leaf = b"\1" + self.tx.id() + codec.u8(0) + self.tx.legs[0][1] + self.body
        filler = [tree.leaf_hash(f"entry {i}".encode()) for i in range(6)]
        self.leaves = filler[:2] + [tree.leaf_hash(leaf)] + filler[3:]
        self.opening, self.trade = self._key(sections.opening(0), 3), self._key(sections.TRADE, 1)

    def _key(self, kind, place):
        section = next(section for section in self.made.sections if section.kind == kind)
        wrap, ephemeral = group.decode(section.wraps[place]), group.decode(section.ephemeral)
        message = group.encode(group.sub(wrap, group.mul(self.memo, ephemeral)))
        key = sections.content_key(kind, self.made.header.encode(), message)
        assert sections.key_hash(key) == section.key_hash
        return key

    def checkpoint(self, size, root=None, node=REGISTRAR):
        name = f"sudare/{NETWORK.hex()}/asset/{world.ASSET.hex()}"
        signer = (name, node.id, lambda text: ed25519.sign(node.seed, text))
        root = root or tree.root(self.leaves[:size])
        return tree.checkpoint(NETWORK, "asset", world.ASSET, size, root, [signer])

    def output(self, **changes):
        parts = {
            "commit": self.commit, "index": 0, "receipt": self.receipt, "entry": 2, "body": self.body,
            "path": tree.inclusion(2, self.leaves), "wanted": self.wanted, "number": 0, "opening": self.opening,
            "trade": self.trade, **changes,
        }  # fmt: skip
        components = leg.tear_off(self.made, LEG_SALT, parts.pop("number"), parts.pop("wanted"))
        return packet.shown_output(components=components, **parts)

    def file(self, node=RECEIVER, recipient=RECIPIENT, nonce=NONCE, core=None, checkpoint=None, since=None, **changes):
        extends = tree.consistency(since, self.leaves) if since else []
        text = checkpoint or self.checkpoint(6)
        shown = self.output(**changes)
        return packet.packet(
            node, recipient, nonce, PURPOSE, NOW, core or world.core(), text, extends, shown
        )


def _cases(shown, good):
    yield "ENC-1", "cut short", good[: len(good) // 2], None
    yield "ENC-1", "a byte too many before the signature", good[:-64] + b"\0" + good[-64:], None
    yield "ENC-1", "another magic", flip(good, 14), None
    yield "PKT-1", "a changed purpose", good.replace(b"yearly", b"weekly"), None
    yield "PKT-1", "another signature", flip(good, len(good) - 20), None
    yield "PKT-1", "for another recipient", shown.file(recipient="Another Audit"), None
    yield "PKT-1", "for another nonce", shown.file(nonce="2026-11-24/2"), None
    yield "PKT-2", "another asset", shown.file(core=world.core("cash")), None
    yield "PKT-2", "a checkpoint of another signer", shown.file(checkpoint=shown.checkpoint(6, node=NOTARY)), None
    yield "PKT-2", "an older checkpoint than the recipient's", _shorter(shown), shown.checkpoint(6)
    yield "PKT-2", "nothing joins the checkpoints", good, shown.checkpoint(3)
    yield "LOG-5", "two roots of one size", good, shown.checkpoint(6, bytes(32))
    first, second = shown.commit.approvals
    commit = lambda approvals: transaction.Commit(shown.tx, shown.commit.salt, approvals)
    yield "FIN-1", "an approval is missing", shown.file(commit=commit([first])), None
    yield "FIN-1", "the approvals in another order", shown.file(commit=commit([second, first])), None
    entry = transaction.notary_entry(shown.commit.m(), shown.tx.tags_root(), shown.tx.end)
    late = transaction.receipt(NOTARY.seed, NETWORK, shown.tx.id(), entry, 7)
    yield "FIN-2", "recorded after the window", shown.file(receipt=late), None
    yield "FIN-2", "another receipt than was signed", shown.file(receipt=flip(shown.receipt, 110)), None
    yield "PKT-3", "another registrar's leg", shown.file(index=1), None
    yield "LEG-4", "components of another leg", shown.file(number=1), None
    yield "LEG-4", "the opening is missing", shown.file(wanted=[shown.wanted[0], shown.wanted[1]]), None
    yield "LOG-3", "another place in the log", shown.file(entry=3), None
    yield "LOG-3", "another entry", shown.file(body=bytes(32)), None
    yield "PKT-4", "the trade's key for the opening", shown.file(opening=shown.trade), None
    yield "PKT-4", "a key of nothing", shown.file(trade=bytes(32)), None
    yield "PKT-5", "shown by another custodian", shown.file(node=SENDER), None
    yield "PKT-5", "shown by a stranger", shown.file(node=Node("stranger")), None


def _shorter(shown):
    path = tree.inclusion(2, shown.leaves[:4])
    return shown.file(checkpoint=shown.checkpoint(4), path=path)
