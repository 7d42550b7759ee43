"""Transactions, commits, spend signatures, receipts, absences, Merkle trees and checkpoints."""

import copy

import ed25519
import transaction
import tree
from cases import world
from cases.common import Draw, Node, flip, hexed, negative, scalar_hex
from cases.world import CASH_REGISTRAR, NETWORK, NOTARY, NOW, REGISTRAR
from codec import sign, u64
from transaction import Commit, approve, sign_tag


def transactions():
    tx, commit, tags = world.settled()
    made, spent, _ = world.build(world.TRANSFER)
    m = commit.m()
    spends = []
    for number, (tag, a, t, salt) in enumerate(tags):
        entropy = Draw(f"spend {number}").bytes32()
        signature, trace = sign_tag(tag, m, a, t, entropy)
        spends.append({
            "tag": tag, "salt": salt, "tag_hash": transaction.tag_hash(salt, tag),
            "a": scalar_hex(a), "t": scalar_hex(t), "entropy": entropy, "c": scalar_hex(trace["c"]),
            "signature": signature,
        })  # fmt: skip
    entry = transaction.notary_entry(m, tx.tags_root(), NOW)
    receipt = transaction.receipt(NOTARY.seed, NETWORK, tx.id(), entry, 7)
    absence = transaction.absence(NOTARY.seed, NETWORK, tx.id(), 9, tx.end)
    own = spends[: len(spent)]
    final = transaction.final_leg(
        made, world.LEG_SALT, 0, commit, receipt, *([spend[name] for spend in own] for name in ("salt", "signature"))
    )
    accepted = {
        "network": NETWORK, "notary": NOTARY.id, "window": tx.window(), "salt": tx.salt,
        "legs": [{"registrar": registrar, "root": root} for registrar, root in tx.legs], "tags": tx.tags,
        "transaction": tx.encode(), "legs_root": tx.legs_root(), "tags_root": tx.tags_root(), "tx_id": tx.id(),
        "approval_messages": [tx.approval_message(i) for i in range(2)], "approvals": commit.approvals,
        "commit_salt": commit.salt, "approvals_root": commit.approvals_root(), "commit": commit.encode(), "m": m,
        "spends": spends, "entry": entry, "entry_leaf": tree.leaf_hash(entry), "receipt": receipt, "absence": absence,
        "signed_terms": world.terms().signed(REGISTRAR.seed),
        "terms_entry": _entry(b"\0" + world.terms().signed(REGISTRAR.seed), 3),
        "leg_entry": _entry(b"\1" + final, tx.id(), 0, tx.legs[0][1]),
    }  # fmt: skip
    label = lambda name, cases: [{"rule": rule, "why": why, name: data} for rule, why, data in cases]
    return hexed({
        "accepted": accepted,
        "no_id": label("transaction", _without_id(tx)),
        "bad_commits": label("commit", _bad_commits(tx, commit)),
        "bad_receipts": label("receipt", _bad_receipts(tx, m)),
        "bad_absences": label("absence", _bad_absences(tx)),
        "bad_spends": _bad_spends(tags[0], m),
        "other_ids": [_other_id(tx, *change) for change in _changes(tx)],
    })  # fmt: skip


def _entry(entry, *parts):
    leaf = (transaction.terms_leaf if len(parts) == 1 else transaction.leg_leaf)(*parts, entry)
    return {"entry": entry, "body": transaction.entry_body(entry), "leaf": leaf, "leaf_hash": tree.leaf_hash(leaf)}


def _with(value, **changes):
    changed = copy.copy(value)
    for name, part in changes.items():
        setattr(changed, name, part)
    return changed


def _without_id(tx):
    yield "TX-1", "no legs", _with(tx, legs=[]).encode()
    yield "TX-1", "no tags", _with(tx, tags=[]).encode()
    yield "TX-1", "tags in another order", _with(tx, tags=tx.tags[::-1]).encode()
    yield "TX-1", "a tag twice", _with(tx, tags=sorted(tx.tags + tx.tags[:1])).encode()
    yield "TX-1", "an empty window", _with(tx, end=tx.start).encode()
    yield "TX-1", "a window that ends before it begins", _with(tx, start=tx.end, end=tx.start).encode()
    yield "TX-1", "a start between two steps", _with(tx, start=tx.start + 1).encode()
    yield "TX-1", "an end between two steps", _with(tx, end=tx.end + 999).encode()


def _changes(tx):
    yield "another network", {"network": bytes(32)}
    yield "another notary", {"notary": REGISTRAR.id}
    yield "another start", {"start": tx.start - 1000}
    yield "another end", {"end": tx.end + 1000}
    yield "another salt", {"salt": bytes(32)}
    yield "one leg", {"legs": tx.legs[:1]}
    yield "the legs in another order", {"legs": tx.legs[::-1]}
    yield "one tag", {"tags": tx.tags[:1]}


def _other_id(tx, why, changes):
    changed = _with(tx, **changes)
    return {"rule": "TX-3", "why": why, "transaction": changed.encode(), "tx_id": changed.id()}


def _bad_commits(tx, commit):
    first, second = commit.approvals
    build = lambda approvals: Commit(tx, commit.salt, approvals).encode()
    message = tx.approval_message(0)
    yield "FIN-1", "an approval is missing", build([first])
    yield "FIN-1", "an approval too many", build([first, second, second])
    yield "FIN-1", "the approvals in another order", build([second, first])
    yield "FIN-1", "an approval of another node", build([approve(Node("stranger").seed, tx, 0), second])
    yield "FIN-1", "an approval of another index", build([approve(REGISTRAR.seed, tx, 1), second])
    other = _with(tx, salt=bytes(32))
    yield "FIN-1", "an approval of another transaction", build([approve(REGISTRAR.seed, other, 0), second])
    other = sign(REGISTRAR.seed, "sudare/receipt/v1", message)
    yield "TX-2", "an approval under another domain", build([other, second])
    yield "ENC-7", "an approval without a domain", build([ed25519.sign(REGISTRAR.seed, message), second])


def _bad_receipts(tx, m):
    entry = lambda commit=m, root=tx.tags_root(), time=NOW: transaction.notary_entry(commit, root, time)
    signed = lambda of, node=NOTARY, id=tx.id(), network=NETWORK: transaction.receipt(node.seed, network, id, of, 7)
    good = signed(entry())
    yield "FIN-2", "signed by another node", signed(entry(), REGISTRAR)
    yield "FIN-2", "of another network", signed(entry(), network=bytes(32))
    yield "FIN-2", "of another commit", signed(entry(commit=bytes(32)))
    yield "FIN-2", "of other tags", signed(entry(root=bytes(32)))
    yield "FIN-2", "of another transaction", signed(entry(), id=bytes(32))
    yield "FIN-2", "recorded before the window", signed(entry(time=tx.start - 1))
    yield "FIN-2", "recorded at the window's end", signed(entry(time=tx.end))
    yield "FIN-2", "another index than was signed", good[:-72] + u64(8) + good[-64:]
    yield "FIN-2", "another time than was signed", good[:-80] + u64(NOW + 1) + good[-72:]


def _bad_absences(tx):
    good = transaction.absence(NOTARY.seed, NETWORK, tx.id(), 9, tx.end)
    signed = lambda id=tx.id(), time=tx.end, node=NOTARY, network=NETWORK: transaction.absence(
        node.seed, network, id, 9, time
    )
    yield "FIN-5", "before the window's end", signed(time=tx.end - 1)
    yield "FIN-5", "of another transaction", signed(id=bytes(32))
    yield "FIN-5", "signed by another node", signed(node=CASH_REGISTRAR)
    yield "FIN-5", "of another network", signed(network=bytes(32))
    yield "FIN-5", "another size than was signed", good[:32] + u64(10) + good[40:]


def _bad_spends(opening, m):
    tag, a, t, _ = opening
    good, _ = sign_tag(tag, m, a, t, bytes(32))
    other, _ = sign_tag(tag, bytes(32), a, t, bytes(32))
    wrong, _ = sign_tag(tag, m, a + 1, t, bytes(32))
    cases = (
        ("TAG-1", "of another commit", other),
        ("TAG-1", "with another account key", wrong),
        ("TRN-2", "a bit of a response flipped", flip(good, len(good) - 32)),
        ("ENC-3", "the negative commitment", good[:2] + negative(good[2:34]) + good[34:]),
    )
    return [{"rule": rule, "why": why, "tag": tag, "m": m, "signature": signature} for rule, why, signature in cases]


# --- trees ------------------------------------------------------------------------------------------------------

SIZES = (0, 1, 2, 3, 4, 5, 7, 8, 13)


def logs():
    """Roots and paths of the first n leaves, leaf i being the bytes "leaf i"."""
    leaves = [tree.leaf_hash(f"leaf {i}".encode()) for i in range(max(SIZES))]
    roots = [{"size": size, "root": tree.root(leaves[:size])} for size in SIZES]
    inclusion = [
        {"size": size, "index": index, "path": tree.inclusion(index, leaves[:size])}
        for size in SIZES
        for index in range(size)
    ]
    consistency = [
        {"old": old, "size": size, "path": tree.consistency(old, leaves[:size])}
        for size in SIZES
        for old in SIZES
        if 0 < old <= size
    ]
    return hexed({
        "leaves": leaves, "roots": roots, "inclusion": inclusion, "consistency": consistency,
        "checkpoints": _checkpoints(leaves),
    })  # fmt: skip


def _checkpoints(leaves):
    witness = Node("witness")
    signer = lambda name, node: (name, node.id, lambda text: ed25519.sign(node.seed, text))
    named = lambda kind, identity: f"sudare/{NETWORK.hex()}/{kind}/{identity.hex()}"
    watched = named("node", witness.id)
    accepted, texts = [], {}
    for kind, identity, node, size, witnesses in (
        ("asset", world.ASSET, REGISTRAR, 13, []),
        ("notary", NOTARY.id, NOTARY, 0, []),
        ("notary", NOTARY.id, NOTARY, 8, [signer(watched, witness)]),
        ("access", REGISTRAR.id, REGISTRAR, 5, []),
    ):
        own = signer(named(kind, identity), node)
        text = tree.checkpoint(NETWORK, kind, identity, size, tree.root(leaves[:size]), [own, *witnesses])
        texts[kind, size] = text
        accepted.append({
            "network": NETWORK, "kind": kind, "id": identity, "node": node.id, "size": size,
            "root": tree.root(leaves[:size]), "witness": witness.id if witnesses else None, "text": text.decode(),
        })  # fmt: skip
    good = texts["asset", 13].decode()
    body, _ = good.split("\n\n")
    log, size, root = body.split("\n")
    resigned = lambda changed: _resigned(changed, named("asset", world.ASSET))
    refused = [
        ("LOG-2", "a size with a leading zero", resigned(f"{log}\n013\n{root}\n")),
        ("LOG-2", "a size with a sign", resigned(f"{log}\n+13\n{root}\n")),
        ("LOG-2", "a root without padding", resigned(f"{log}\n{size}\n{root.rstrip('=')}\n")),
        ("LOG-2", "a root with other unused bits", resigned(f"{log}\n{size}\n{_unused_bit(root)}\n")),
        ("LOG-2", "an extension line", resigned(f"{log}\n{size}\n{root}\nextension\n")),
        ("LOG-2", "hex digits in upper case", resigned(f"{log[:-64]}{log[-64:].upper()}\n{size}\n{root}\n")),
        ("LOG-2", "carriage returns", good.replace("\n", "\r\n")),
        ("LOG-2", "no newline at the end", good[:-1]),
        ("LOG-2", "another dash", good.replace("—", "-")),
        ("LOG-2", "another size than was signed", good.replace(f"\n{size}\n", "\n12\n")),
        ("LOG-2", "no signature", body + "\n\n"),
        ("LOG-2", "the checkpoint of another log", texts["notary", 8].decode()),
        ("LOG-2", "signed by another node", _resigned(body + "\n", named("asset", world.ASSET), Node("stranger"))),
    ]
    return {
        "accepted": accepted,
        "refused": [{"rule": rule, "why": why, "text": text} for rule, why, text in refused],
        "refused_as": {"network": NETWORK, "kind": "asset", "id": world.ASSET, "node": REGISTRAR.id},
    }


def _resigned(body, name, node=REGISTRAR):
    return tree.signed_text(body.encode(), [(name, node.id, lambda text: ed25519.sign(node.seed, text))]).decode()


def _unused_bit(root):
    """Base64 of 32 bytes ends with a digit of which two bits are unused, and `=`."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return root[:-2] + digits[digits.index(root[-2]) + 1] + "="
