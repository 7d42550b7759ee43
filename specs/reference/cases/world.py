"""A network with one security, its terms, two investors and their notes, from which the other vectors are made."""

import functools

import leg
import policy
import relations
import ristretto as group
import slot
import transaction
from cases.common import Draw, Node

NETWORK = Draw("network").bytes32()
REGISTRAR, NOTARY, SENDER, RECEIVER, CASH_REGISTRAR = (
    Node(name) for name in ("registrar", "notary", "sender", "receiver", "cash registrar")
)
OPENED_AT = 1_700_000_000_000
NOW = OPENED_AT + 60_000
HOLDERS = ("registrar", "authority", "auditor", "sender", "receiver")
MASTER = {name: Draw(f"master seed {name}").bytes32() for name in HOLDERS}
TRADE = leg.TradeInfo("TRADE-1", "2026-11-24", "transfer", None, "備考")
CANCELLATION = leg.TradeInfo("TRADE-2", "2026-11-25", "redeem", "TRADE-1", "")
ISSUE, TRANSFER, REDEEM = leg.ISSUE, leg.TRANSFER, leg.REDEEM


def core(name="security", registrar=REGISTRAR):
    return policy.Core(
        NETWORK, "TOKEN1", f"Reference {name}", "口", 2, registrar.id, NOTARY.id, 600_000,
        Draw(f"core {name}").bytes32(),
    )  # fmt: skip


@functools.lru_cache(maxsize=None)
def epoch(number=0):
    """Three keys, of which every field has others."""
    holders = (
        ("registrar", policy.ALL),
        ("authority", policy.AMOUNTS | policy.PARTIES),
        ("auditor", policy.AMOUNTS | policy.LINKS),
    )
    keys = [
        policy.derive_key(MASTER[label], core(), number, fields, label, Draw(f"possession {label} {number}").bytes32())
        for label, fields in holders
    ]
    return policy.Epoch(number, OPENED_AT + number * 1_000_000_000, keys)


def terms():
    return policy.Terms(core(), 3, 900_000, [epoch(0), epoch(1)])


ASSET = core().asset()


@functools.lru_cache(maxsize=None)
def make_slot(custodian, investor, name):
    """A slot of an investor; `custodian` is "sender" or "receiver"."""
    node = {"sender": SENDER, "receiver": RECEIVER}[custodian]
    nonce = Draw(f"slot {name}").bytes32()
    seed = slot.investor_seed(MASTER[custodian], investor)
    context = slot.Context(
        NETWORK, ASSET, terms().hash(), 0, node.id, nonce, NOW + 3_600_000, Draw(f"proposal {name}").bytes32()
    )  # fmt: skip
    secrets = slot.Secrets.derive(seed, ASSET, nonce)
    return slot.make(context, secrets, epoch(), node.seed, Draw(f"slot proof {name}").bytes32())


def header(purpose, mint=0, burn=0):
    nonce = Draw(f"leg {purpose}").bytes32()
    return leg.Header(NETWORK, ASSET, terms().hash(), 0, purpose, mint, burn, nonce)


@functools.lru_cache(maxsize=None)
def notes():
    """Two live notes of the sender, 700 and 2^40 units, to be spent."""
    draw = Draw("notes")
    return [
        leg.Spent(make_slot("sender", "INVESTOR-S", f"note {i}"), value, draw.scalar(), draw.scalar(), draw.scalar())
        for i, value in enumerate((700, 2**40))
    ]


@functools.lru_cache(maxsize=None)
def build(purpose):
    """(leg, notes spent, outputs) of an issue, a transfer or a redemption."""
    draw = Draw(f"build {purpose}")
    paid = lambda custodian, investor, value: leg.Paid(
        make_slot(custodian, investor, f"{purpose} {investor}"), value, draw.scalar()
    )
    if purpose == ISSUE:
        spent, outputs = [], [paid("receiver", "INVESTOR-R", 2**64 - 1)]
        made = header(ISSUE, mint=2**64 - 1)
    elif purpose == TRANSFER:
        spent = notes()
        outputs = [paid("receiver", "INVESTOR-R", 2**40 + 1), paid("sender", "INVESTOR-S", 699)]
        made = header(TRANSFER)
    else:
        spent, outputs = notes()[:1], []
        made = header(REDEEM, burn=700)
    trade = CANCELLATION if purpose == REDEEM else TRADE
    contents = lambda links: leg.contents(epoch(), outputs, f"reference {purpose}", trade, links)
    return leg.build(made, epoch(), spent, outputs, contents, draw.scalar, draw.bytes32), spent, outputs


LEG_SALT = Draw("leg salt").bytes32()


@functools.lru_cache(maxsize=None)
def settled():
    """(transaction, commit, tags) of the transfer with a payment leg that is known by its root alone.

    `tags` are (T, a, t, salt) in order of the leg's inputs, then one more for padding the other part.
    """
    made, spent, _ = build(TRANSFER)
    draw = Draw("transaction")
    tags = [(note.slot.secrets.tag(), note.slot.secrets.a, note.slot.secrets.t, draw.bytes32()) for note in spent]
    padding = slot.Secrets(*(draw.scalar() for _ in range(5)))
    tags.append((padding.tag(), padding.a, padding.t, draw.bytes32()))
    encoded = [(group.encode(tag), a, t, salt) for tag, a, t, salt in tags]
    hashes = sorted(transaction.tag_hash(salt, tag) for tag, _, _, salt in encoded)
    legs = [(REGISTRAR.id, made.root(LEG_SALT, 0)), (CASH_REGISTRAR.id, draw.bytes32())]
    tx = transaction.Transaction(NETWORK, NOTARY.id, NOW - 1000, NOW + 299_000, draw.bytes32(), legs, hashes)
    approvals = [transaction.approve(node.seed, tx, i) for i, node in enumerate((REGISTRAR, CASH_REGISTRAR))]
    return tx, transaction.Commit(tx, draw.bytes32(), approvals), encoded


def account_possession(investor, node):
    """(account, purpose, possession) that the receiver's custodian registers."""
    secret = slot.account_secret(slot.investor_seed(MASTER["receiver"], investor), ASSET)
    account = group.encode(group.mul(secret, group.BASE))
    purpose = slot.account_purpose(NETWORK, ASSET, node.id, investor)
    on = relations.transcript("sudare/possession/v1", relations.NO_CONTEXT)
    proof, _ = relations.possession(account, purpose).prove(on, [secret], Draw("account possession").bytes32())
    return account, purpose, proof

