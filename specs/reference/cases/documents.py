"""Sections, terms and policy, notes, accounts and slots."""

import codec
import policy
import relations
import ristretto as group
import sections
import slot
import symmetric
from cases import world
from cases.common import Draw, Node, flip, hexed, point, scalar_hex
from ristretto import BASE, BLINDING_BASE


def sealed_sections():
    """Sections of each kind with fixed m and w, opened by each reader, and some that no reader may open."""
    context = world.header(world.TRANSFER).encode()
    accepted = [
        _sealed(context, sections.opening(0), codec.u64(2**64 - 1) + codec.scalar_bytes(group.L - 1), 3),
        _sealed(context, sections.opening(15), codec.u64(0) + bytes(32), 1),
        _sealed(context, sections.PARTIES, codec.text("sender's reference", 64), 2),
        _sealed(context, sections.TRADE, world.TRADE.encode(), 72),
        _sealed(context, sections.LINKS, codec.vec([bytes([i]) * 32 for i in range(32)]), 2),
        _sealed(b"", sections.LINKS, b"", 1),
    ]
    good = accepted[0]
    section, secret = good["parts"], good["secrets"][0]
    other = _sealed(context, sections.opening(0), b"another content", 3)["parts"]
    part = lambda **changes: sections.Section(**{**vars(section), **changes})
    wrong_key = part(key_hash=flip(section.key_hash, 0))
    unreadable = [
        ("SEC-3", "another key hash", wrong_key, context, 0, secret),
        ("SEC-3", "the hash of another key", part(key_hash=other.key_hash), context, 0, secret),
        ("SEC-3", "a bit of the body flipped", part(body=flip(section.body, 0)), context, 0, secret),
        ("SEC-3", "a bit of the tag flipped", part(body=flip(section.body, len(section.body) - 1)), context, 0, secret),
        ("SEC-3", "the body cut", part(body=section.body[:15]), context, 0, secret),
        ("SEC-3", "an empty body", part(body=b""), context, 0, secret),
        ("SEC-3", "the section of another leg", section, flip(context, len(context) - 1), 0, secret),
        ("SEC-3", "the section of another output", part(kind=sections.opening(1)), context, 0, secret),
        ("SEC-3", "another kind", part(kind=sections.PARTIES), context, 0, secret),
        ("SEC-3", "another ephemeral", part(ephemeral=other.ephemeral), context, 0, secret),
        ("SEC-3", "another wrap", part(wraps=other.wraps), context, 0, secret),
        ("SEC-3", "another reader's place", section, context, 1, secret),
        ("SEC-3", "a place beyond the readers", section, context, 3, secret),
        ("SEC-3", "another secret", section, context, 0, secret + 1),
        ("ENC-3", "a wrap that is no point", part(wraps=[b"\xff" * 32] + section.wraps[1:]), context, 0, secret),
        ("ENC-3", "an ephemeral that is no point", part(ephemeral=b"\xff" * 32), context, 0, secret),
    ]
    refused = []
    for rule, why, changed, of, place, key in unreadable:
        try:
            sections.unseal(changed, of, place, key)
        except (symmetric.Refused, group.DecodeError):
            refused.append({
                "rule": rule, "why": why, "section": changed.encode(), "context": of, "place": place,
                "secret": scalar_hex(key),
            })  # fmt: skip
            continue
        raise AssertionError(f"opened: {why}")
    malformed = [
        ("ENC-2", "more than 72 wraps", section.kind + section.ephemeral + codec.bounded([group.BASE_BYTES] * 73, 73)),
        ("ENC-3", "the identity as ephemeral", section.kind + bytes(32) + section.encode()[34:]),
        ("ENC-1", "an unknown kind", b"\5" + section.encode()[2:]),
        ("ENC-1", "a byte left over", section.encode() + b"\0"),
    ]
    for case in accepted:
        del case["parts"]
        case["secrets"] = [scalar_hex(key) for key in case["secrets"]]
    refusals = [{"rule": rule, "why": why, "section": data} for rule, why, data in malformed]
    return hexed({"accepted": accepted, "unreadable": refused, "malformed": refusals})


def _sealed(context, kind, content, readers):
    draw = Draw(f"section {kind.hex()} {content.hex()} {readers}")
    secrets = [draw.scalar() for _ in range(readers)]
    keys, m, w = [point(secret) for secret in secrets], draw.scalar(), draw.scalar()
    section = sections.seal(kind, context, content, keys, m, w)
    for place, secret in enumerate(secrets):
        if sections.unseal(section, context, place, secret) != content:
            raise AssertionError("a reader reads another content")
    return {
        "kind": kind, "context": context, "content": content, "secrets": secrets, "readers": keys,
        "m": scalar_hex(m), "w": scalar_hex(w), "content_point": point(m),
        "section_key": sections.content_key(kind, context, point(m)), "ephemeral": section.ephemeral,
        "wraps": section.wraps, "key_hash": section.key_hash, "body": section.body, "section": section.encode(),
        "parts": section,
    }  # fmt: skip


# --- policy -----------------------------------------------------------------------------------------------------


def policies():
    """Terms that are valid, and signed terms that break one rule each."""
    terms = world.terms()
    keys = [
        {
            "seed": world.MASTER[key.label], "epoch": epoch.number, "fields": key.fields, "label": key.label,
            "purpose": key.purpose, "secret": scalar_hex(key.secret), "point": key.point, "possession": key.possession,
            "entropy": Draw(f"possession {key.label} {epoch.number}").bytes32(),
        }
        for epoch in terms.epochs
        for key in epoch.keys
    ]  # fmt: skip
    order = {
        name: [key.label for key in world.epoch().with_field(bit)]
        for name, bit in (("amounts", 1), ("parties", 2), ("trade", 4), ("links", 8))
    }
    signed = terms.signed(world.REGISTRAR.seed)
    valid = {
        "network": world.NETWORK, "core": terms.core.encode(), "asset": terms.core.asset(), "keys": keys,
        "terms": terms.encode(), "terms_hash": terms.hash(), "signed_terms": signed, "labels_by_field": order,
        "in_force": [
            {"now": str(now), "epoch": number}
            for now, number in (
                (world.OPENED_AT - 1, None), (world.OPENED_AT, 0), (world.OPENED_AT + 10**9 - 1, 0),
                (world.OPENED_AT + 10**9, 1),
            )
        ],
    }  # fmt: skip
    refused = [{"rule": rule, "why": why, "signed_terms": data} for rule, why, data in _bad_terms(signed)]
    malformed = [
        {"rule": rule, "why": why, "signed_terms": data}
        for rule, why, data in (
            ("ENC-1", "fields of no bit", _with_fields(0)),
            ("ENC-1", "an unknown field", _with_fields(16)),
            ("ENC-1", "a byte left over", signed + b"\0"),
            ("ENC-1", "version 2", b"\2" + signed[1:]),
        )
    ]
    return hexed({"valid": valid, "retired": _retired(), "refused": refused, "malformed": malformed})


def _retired():
    """The next version, in which the authority retired its keys and has another beside them in the second epoch."""
    first, second = world.epoch(0), world.epoch(1)
    epochs = []
    for epoch, mark in ((first, policy.ENDED), (second, policy.COMPROMISED)):
        entropy = Draw(f"retired {epoch.number}").bytes32()
        keys = list(epoch.keys)
        keys[1] = policy.retire(keys[1], world.core(), epoch.number, mark, entropy)
        epochs.append(policy.Epoch(epoch.number, epoch.opens_at, keys))
    seed, entropy = Draw("fresh seed").bytes32(), Draw("fresh possession").bytes32()
    epochs[1].keys.append(policy.derive_key(seed, world.core(), 1, policy.AMOUNTS, "authority-2", entropy))
    terms = policy.Terms(world.core(), 4, 900_000, epochs)
    order = {
        name: [key.label for key in epochs[1].with_field(bit)]
        for name, bit in (("amounts", 1), ("parties", 2), ("trade", 4), ("links", 8))
    }
    return {"signed_terms": terms.signed(world.REGISTRAR.seed), "labels_by_field": order}


def _with_fields(fields):
    keys = world.epoch().keys
    changed = policy.Key(keys[1].label, fields, keys[1].secret, keys[1].purpose, keys[1].possession, {})
    return _signed([policy.Epoch(0, world.OPENED_AT, [keys[0], changed])])


def _signed(epochs, node=world.REGISTRAR):
    return policy.Terms(world.core(), 3, 900_000, epochs).signed(node.seed)


def _bad_terms(signed):
    first, second = world.epoch(0), world.epoch(1)
    registrar, authority, auditor = first.keys
    epoch = lambda keys, number=0, opens_at=world.OPENED_AT: policy.Epoch(number, opens_at, keys)
    yield "POL-1", "signed by another node", _signed([first, second], Node("stranger"))
    yield "POL-1", "a bit of the signature flipped", flip(signed, len(signed) - 64)
    yield "POL-1", "another version number than was signed", flip(signed, len(world.core().encode()))
    foreign = world.core()
    foreign.network = Draw("another network").bytes32()
    keys = [policy.derive_key(world.MASTER["registrar"], foreign, 0, policy.ALL, "registrar", bytes(32))]
    yield "POL-1", "of another network", policy.Terms(foreign, 0, 0, [epoch(keys)]).signed(world.REGISTRAR.seed)
    yield "POL-2", "no epochs", _signed([])
    yield "POL-2", "an epoch without keys", _signed([epoch([])])
    yield "POL-2", "the first key has not all fields", _signed([epoch([authority, registrar])])
    yield "POL-3", "a key twice in an epoch", _signed([epoch([registrar, authority, authority])])
    again = _key(authority.secret, "again", policy.AMOUNTS)
    yield "POL-3", "a point under two labels", _signed([epoch([registrar, authority, again])])
    proof = _possession(registrar.secret, 1, policy.ALL)
    repeated = policy.Key("registrar", policy.ALL, registrar.secret, b"", proof, {})
    yield "POL-3", "a point in two epochs", _signed([first, policy.Epoch(1, second.opens_at, [repeated])])
    yield "POL-4", "a possession of another epoch", _signed([epoch(second.keys)])
    wider = policy.Key(auditor.label, policy.ALL, auditor.secret, b"", auditor.possession, {})
    yield "POL-4", "wider fields than were possessed", _signed([epoch([registrar, wider])])
    renamed = policy.Key("police", auditor.fields, auditor.secret, b"", auditor.possession, {})
    yield "POL-4", "another label than was possessed", _signed([epoch([registrar, renamed])])
    gone = policy.Key("!" + auditor.label, auditor.fields, auditor.secret, b"", auditor.possession, {})
    yield "POL-4", "a key that its holder did not retire", _signed([epoch([registrar, gone])])
    yield "POL-2", "the registrar's key retired", _signed([epoch([_key(registrar.secret, "-registrar", policy.ALL)])])
    yield "POL-4", "a rogue key, -B~", _signed([epoch([registrar, _rogue()])])
    yield "epochs", "numbers with a gap", _signed([first, policy.Epoch(2, second.opens_at, world.epoch(2).keys)])
    yield "epochs", "numbers from 1", _signed([policy.Epoch(1, second.opens_at, second.keys)])
    yield "epochs", "opening at the same time", _signed([first, policy.Epoch(1, first.opens_at, second.keys)])


def _key(secret, label, fields):
    return policy.Key(label, fields, secret, b"", _possession(secret, 0, fields, label), {})


def _possession(secret, number, fields, label="registrar"):
    purpose = policy.key_purpose(world.core(), number, fields, label)
    on = relations.transcript("sudare/possession/v1", relations.NO_CONTEXT)
    return relations.possession(point(secret), purpose).prove(on, [secret], bytes(32))[0]


def _rogue():
    """The key -B~ with a proof for another secret, which is all that its maker can have."""

    class Rogue(policy.Key):
        point = group.encode(group.neg(BLINDING_BASE))

    return Rogue("rogue", policy.AMOUNTS, 1, b"", _possession(1, 0, policy.AMOUNTS, "rogue"), {})


# --- notes and slots --------------------------------------------------------------------------------------------


def notes():
    """Note ids, and what an investor's seed derives."""
    _, _, outputs = world.build(world.TRANSFER)
    ids = [
        {"asset": world.ASSET, "owner": output.slot.owner, "commitment": output.commitment(),
         "note_id": output.note_id(), "value": str(output.value), "blinding": scalar_hex(output.blinding)}
        for output in outputs
    ]  # fmt: skip
    master, investor, nonce = world.MASTER["receiver"], "INVESTOR-R", bytes(range(32))
    seed = slot.investor_seed(master, investor)
    secrets = slot.Secrets.derive(seed, world.ASSET, nonce)
    derived = {
        "master": master, "investor": investor, "seed": seed, "asset": world.ASSET, "nonce": nonce,
        **{name: scalar_hex(value) for name, value in vars(secrets).items()},
        "account": group.encode(secrets.account()), "tag": group.encode(secrets.tag()),
        "owner": group.encode(secrets.owner()),
    }  # fmt: skip
    account, purpose, proof = world.account_possession(investor, world.RECEIVER)
    registered = {
        "network": world.NETWORK, "asset": world.ASSET, "custodian": world.RECEIVER.id, "investor": investor,
        "account": account, "purpose": purpose, "possession": proof, "stranger": world.SENDER.id,
    }  # fmt: skip
    return hexed({"ids": ids, "derived": derived, "account": registered})


def slots():
    """A slot with all that made it, and slots that must be refused under the same terms."""
    made = world.make_slot("receiver", "INVESTOR-R", "vector")
    keys = [key.point for key in world.epoch().with_field(policy.PARTIES)]
    account = group.encode(made.secrets.account())
    codec.verify(world.RECEIVER.id, "sudare/slot-signature/v1", made.slot_bytes(), made.signature)
    context = made.context
    written = {
        "context": {
            "network": context.network, "asset": context.asset, "terms": context.terms, "epoch": context.epoch,
            "receiver": context.receiver, "nonce": context.nonce, "expires_at": str(context.expires_at),
            "proposal": context.proposal,
        },
        "seed": slot.investor_seed(world.MASTER["receiver"], "INVESTOR-R"), "node_seed": world.RECEIVER.seed,
        "entropy": Draw("slot proof vector").bytes32(), "keys": keys,
        "registrar_secret": scalar_hex(world.epoch().keys[0].secret), "account": account,
        "secrets": {name: scalar_hex(value) for name, value in vars(made.secrets).items()},
        "context_bytes": context.encode(), "owner": made.owner, "ephemeral": made.ephemeral,
        "identities": made.identities, "memo_key": made.memo_key, "statement": made.statement,
        "rho": scalar_hex(made.trace["rho"]), "c": scalar_hex(made.trace["c"]), "proof": made.proof,
        "signature": made.signature, "signed_slot": made.encode(), "hash": made.hash(),
    }  # fmt: skip
    refused = [{"rule": rule, "why": why, "signed_slot": data} for rule, why, data in _bad_slots(made, keys)]
    return hexed({"signed_terms": world.terms().signed(world.REGISTRAR.seed), "slot": written, "refused": refused})


def _bad_slots(made, keys):
    signed = lambda data, node=world.RECEIVER: data + codec.sign(node.seed, "sudare/slot-signature/v1", data)
    body = made.slot_bytes()
    yield "SLOT-1", "signed by another node", signed(body, world.SENDER)
    yield "SLOT-1", "a bit of the signature flipped", body + flip(made.signature, 0)
    yield "SLOT-1", "signed under another domain", body + codec.sign(world.RECEIVER.seed, "sudare/terms/v1", body)
    yield "SLOT-1", "of other terms", signed(body.replace(made.context.terms, bytes(32)))
    yield "SLOT-1", "of another asset", signed(body.replace(made.context.asset, bytes(32)))
    yield "SLOT-1", "of another network", signed(body.replace(made.context.network, bytes(32)))
    other = Draw("another memo key").scalar()
    yield "TRN-1", "another memo key than was proved", signed(body.replace(made.memo_key, point(other)))
    yield "TRN-1", "another nonce than was proved", signed(body.replace(made.context.nonce, bytes(32)))
    one = group.encode(group.add(group.decode(made.identities[1]), BASE))
    yield "OWN-1", "one key reads another account", signed(body.replace(made.identities[1], one))
    listed = codec.bounded(made.identities, 8)
    yield "POL-6", "a key without ciphertext", signed(body.replace(listed, codec.bounded(made.identities[:1], 8)))
    more = codec.bounded(made.identities + [keys[0]], 8)
    yield "POL-6", "a ciphertext more than keys", signed(body.replace(listed, more))
