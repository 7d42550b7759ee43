"""Reads and writes ISO 20022 messages with the package python-iso20022.

A line of input is a JSON object, and so is the line that answers it. `{"xml": ...}` is a message to read: the answer has `faults`,
what is wrong with it by the schema, and `xml`, the message as the package writes it. `{"make": id, "seed": n}` asks for a message
with random content: all that the schema demands, and a few of the other elements. `{"xml": ..., "of": original, "unread": paths}`
besides says as a fault if the message isn't the original without the elements at these paths.
"""

import dataclasses
import datetime
import decimal
import enum
import importlib
import json
import random
import re
import sys
import typing
import warnings
import xml.etree.ElementTree as tree

from xsdata.formats.dataclass.models.generics import AnyElement
from xsdata.models.datatype import XmlDate, XmlDateTime, XmlTime

# A code that isn't in the schema, which the package only warns of.
warnings.simplefilter("error")
warnings.filterwarnings("ignore", category=DeprecationWarning)
PREFIX = "urn:iso:std:iso:20022:tech:xsd:"


def message_class(identifier):
    name = identifier.replace(".", "_")
    module = importlib.import_module(f"python_iso20022.{name[:4]}.{name}.models")
    return getattr(module, identifier.replace(".", "").capitalize())


def inner(hint):
    """The type of an element, whether it may be missing or repeated."""
    while arguments := [one for one in typing.get_args(hint) if one is not type(None)]:
        hint = arguments[0]
    return hint


HINTS = {}


def elements(cls):
    """Fields with their types. In a choice exactly one has a value."""
    if cls not in HINTS:
        hints = typing.get_type_hints(cls)
        HINTS[cls] = [(field, inner(hints[field.name])) for field in dataclasses.fields(cls)]
    return HINTS[cls]


def is_choice(cls):
    return re.sub(r"S[a-z]{3}\d+$", "", cls.__name__).endswith("Choice")


# What is wrong with a message.


def faults(value, path=""):
    if is_choice(type(value)) and sum(bool(present(getattr(value, field.name))) for field, _ in elements(type(value))) != 1:
        yield f"{path}: not one of a choice"
    for field, kind in elements(type(value)):
        meta, content = field.metadata, getattr(value, field.name)
        here = f"{path}/{meta.get('name', field.name)}"
        found = present(content)
        least = meta.get("min_occurs", 1 if meta.get("required") else 0)
        if not least <= len(found) <= meta.get("max_occurs", 10**9 if isinstance(content, list) else 1):
            yield f"{here}: {len(found)} times"
        for one in found:
            if meta.get("type") == "Wildcard":
                continue
            if not isinstance(one, kind):
                yield f"{here}: {one!r} is no {kind.__name__}"
            elif dataclasses.is_dataclass(one):
                yield from faults(one, here)
            else:
                yield from (f"{here}: {one!r} {what}" for what in text_faults(one, meta))


def present(content):
    return content if isinstance(content, list) else [] if content is None else [content]


def text_faults(one, meta):
    if isinstance(one, str):
        if not meta.get("min_length", 0) <= len(one) <= meta.get("max_length", 10**9):
            yield "has another length"
        if "pattern" in meta and not re.fullmatch(meta["pattern"], one):
            yield "has another form"
    if isinstance(one, decimal.Decimal):
        _, digits, exponent = one.as_tuple()
        fraction = max(0, -exponent)
        if max(len(digits) + max(0, exponent), fraction) > meta.get("total_digits", 99):
            yield "has too many digits"
        if fraction > meta.get("fraction_digits", 99):
            yield "has too long a fraction"
        if one < meta.get("min_inclusive", one):
            yield "is too small"


# Messages with random content.

CAPITALS, DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
MIXED = CAPITALS + DIGITS
TEXTS = ["架空あけぼの商会 第1号", "a < b & c > \"d\"", "ref/1.2-3", "ｶﾅ", "𠮷野家"]


def isin(rng):
    body = "ZZ" + "".join(rng.choices(MIXED, k=9))
    return next(body + check for check in DIGITS if luhn(body + check))


def luhn(text):
    digits = [int(digit) for char in text for digit in str(int(char, 36))]
    twice = [sum(divmod(digit * 2, 10)) for digit in digits[-2::-2]]
    return (sum(digits[::-2]) + sum(twice)) % 10 == 0


def lei(rng):
    body = "".join(rng.choices(MIXED, k=18))
    return f"{body}{98 - int(''.join(str(int(char, 36)) for char in body + '00')) % 97:02}"


def text(rng, meta):
    pattern = meta.get("pattern")
    if pattern is None:
        return rng.choice(TEXTS)[: meta.get("max_length", 35)].strip() or "x"
    if pattern.startswith("[A-Z]{2,2}[A-Z0-9]{9,9}"):
        return isin(rng)
    if pattern.startswith("[A-Z0-9]{18,18}"):
        return lei(rng)
    made = ""
    for chars, least, most in re.findall(r"\[([^]]+)\]\{(\d+)(?:,(\d+))?\}", pattern):
        pool = {"a-z": CAPITALS.lower(), "A-Z": CAPITALS, "0-9": DIGITS, "A-Z0-9": MIXED, "a-zA-Z0-9": MIXED + CAPITALS.lower()}
        made += "".join(rng.choices(pool[chars], k=rng.randint(int(least), int(most or least))))
        made += "." if "\\." in pattern and len(made) < 15 else ""
    assert re.fullmatch(pattern, made), (pattern, made)
    return made


def number(rng, meta):
    fraction = rng.randint(0, meta["fraction_digits"])
    digits = rng.randint(max(1, fraction), meta["total_digits"])
    whole = str(rng.randrange(10 ** max(0, digits - fraction)))
    behind = "".join(rng.choices(DIGITS, k=fraction - 1)) + "1" if fraction else ""
    return decimal.Decimal(f"{whole}.{behind}" if behind else whole)


def instant(rng):
    return datetime.datetime(2026, rng.randint(1, 12), rng.randint(1, 28), rng.randrange(24), rng.randrange(60), rng.randrange(60))


def single(kind, meta, rng):
    if dataclasses.is_dataclass(kind):
        return make(kind, rng)
    if issubclass(kind, enum.Enum):
        return rng.choice(list(kind))
    if kind is bool:
        return rng.random() < 0.5
    if kind is decimal.Decimal:
        return number(rng, meta)
    if kind is XmlDate:
        return XmlDate.from_date(instant(rng).date())
    if kind is XmlTime:
        return XmlTime.from_time(instant(rng).time())
    if kind is XmlDateTime:
        zone = rng.choice([None, datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=9))])
        return XmlDateTime.from_datetime(instant(rng).replace(tzinfo=zone))
    return text(rng, meta)


def make(cls, rng):
    value, fields = cls(), elements(cls)
    chosen = rng.choice(fields)[0].name if is_choice(cls) else None
    for field, kind in fields:
        meta = field.metadata
        wanted = meta.get("min_occurs", 1 if meta.get("required") or meta.get("type") not in ("Element", "Wildcard") else 0)
        if chosen is not None:
            wanted = int(field.name == chosen)
        elif not wanted:
            wanted = int(rng.random() < 0.15)
        if not wanted:
            continue
        if meta.get("type") == "Wildcard":
            setattr(value, field.name, AnyElement(qname="{urn:example}Other", text="x"))
        elif field.default_factory is not dataclasses.MISSING:
            setattr(value, field.name, [single(kind, meta, rng) for _ in range(rng.randint(wanted, wanted + 1))])
        else:
            setattr(value, field.name, single(kind, meta, rng))
    return value


def written(message):
    """The package calls the root element as its class, where the schema says `Document`."""
    name = type(message).__name__
    return re.sub(rf"(<|</)(ns0:)?{name}\b", r"\1\2Document", message.to_iso20022_xml())


def content(element, without, path=""):
    """What an element says: its name, attributes, text, and the elements below."""
    below = []
    for child in element:
        here = f"{path}/{child.tag.rpartition('}')[2]}"
        if here not in without:
            below.append(content(child, without, here))
    text = "" if len(element) else element.text or ""
    if element.tag.endswith("}PgNb"):
        text = text.lstrip("0") or "0"
    return element.tag, sorted(element.attrib.items()), text, below


def difference(one, other):
    """Where two contents differ first."""
    if one[:3] != other[:3] or len(one[3]) != len(other[3]):
        return f"{one[:3]} {[below[0] for below in one[3]]}, {other[:3]} {[below[0] for below in other[3]]}"
    return next((difference(*pair) for pair in zip(one[3], other[3]) if pair[0] != pair[1]), "")


for line in sys.stdin:
    request = json.loads(line)
    if "make" in request:
        made = make(message_class(request["make"]), random.Random(request["seed"]))
        answer = {"faults": list(faults(made)), "xml": written(made)}
    else:
        root = tree.fromstring(request["xml"])
        identifier = root.tag.removeprefix("{" + PREFIX).removesuffix("}Document")
        read = message_class(identifier).from_iso20022_xml(request["xml"])
        answer = {"faults": list(faults(read)), "xml": written(read)}
        if "of" in request:
            original = content(tree.fromstring(request["of"]), set(request["unread"]))
            if content(root, set()) != original:
                answer["faults"].append(f"it isn't what was read: {difference(original, content(root, set()))}")
    print(json.dumps(answer))
