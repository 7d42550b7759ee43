"""Sign-offs of reconciliations, accepted and refused."""

import codec
import sign_off
from cases.common import Draw, Node, flip, hexed
from cases.world import NOW

MAKER, CHECKER, NAMESAKE, STRANGER = (Node(f"officer {name}") for name in ("aoki", "baba", "aoki too", "nobody"))
OFFICERS = [("aoki", MAKER.id), ("baba", CHECKER.id), ("aoki", NAMESAKE.id)]
FILES = {"breaks.csv": b"id,kind\n", "report.json": b"{}\n", "report.pdf": b"%PDF-1.7", "register-custodian_a-0001.xml": b"<Document/>"}
DAY = "2031-05-02"


def sign_offs():
    broken = Draw("sign-offs").bytes32().hex()[:32]
    listed = lambda files: [sign_off.file_hash(name, data) for name, data in files]
    report = lambda as_of=DAY, files=sorted(FILES.items()): sign_off.report(as_of, listed(files))
    accept = lambda identity=broken, difference="-18446744073709551615", reason="端数, agreed by telephone": (
        sign_off.accept(identity, difference, reason)
    )
    make = lambda subject, maker=(MAKER, NOW), checker=(CHECKER, NOW + 9): sign_off.file(subject, maker, checker)
    accepted = [
        ("a report", make(report())),
        ("a report that is one file", make(report(files=[("report.json", b"")]))),
        ("checked by a clock that is slow", make(report(), checker=(CHECKER, 0))),
        ("a difference", make(accept())),
        ("the longest reason", make(accept(difference="1", reason="端" * 66))),
    ]
    for why, file in accepted:
        assert sign_off.verify(file, OFFICERS) == ("aoki", "baba"), why
    good = accepted[0][1]
    sign_off.verify(good, OFFICERS, FILES)
    refused = [
        ("by the maker alone", make(report(), checker=None)),
        ("maker and checker with one key", make(report(), checker=(MAKER, NOW))),
        ("maker and checker with one name", make(report(), checker=(NAMESAKE, NOW))),
        ("made by a stranger", make(report(), maker=(STRANGER, NOW))),
        ("checked by a stranger", make(report(), checker=(STRANGER, NOW))),
        ("maker and checker the other way round", _swapped(report())),
        ("the checker signed the report and not what the maker signed", _apart(report())),
        ("cut short", good[:-1]),
        ("a byte too many", good + b"\0"),
        ("another version", good[:17] + b"\2" + good[18:]),
        ("an unknown subject", good[:18] + b"\2" + good[19:]),
        ("of no day", make(report(as_of="2031/05/02"))),
        ("files out of order", make(report(files=sorted(FILES.items(), reverse=True)))),
        ("a file twice", make(report(files=[("report.json", b"1"), ("report.json", b"2")]))),
        ("without report.json", make(report(files=[("report.pdf", b"1")]))),
        ("no file", make(report(files=[]))),
        ("a file elsewhere", make(report(files=[("../a", b""), ("report.json", b"")]))),
        ("a hidden file", make(report(files=[(".a", b""), ("report.json", b"")]))),
        ("a break that is no id", make(accept(identity="Planted Person"))),
        ("an id with a capital", make(accept(identity="A" + broken[1:]))),
        ("a difference that is no number", make(accept(difference="all"))),
        ("a difference that is a sign", make(accept(difference="-"))),
        ("no reason", make(accept(reason=""))),
    ] + [(f"byte {place} changed", flip(good, place)) for place in range(18, len(good), 11)]
    for why, file in refused:
        try:
            sign_off.verify(file, OFFICERS)
        except (sign_off.Refused, codec.Refused):
            continue
        raise AssertionError(f"accepted: {why}")
    for name in FILES:
        changed = {**FILES, name: FILES[name][:-1]}
        try:
            sign_off.verify(good, OFFICERS, changed)
        except sign_off.Refused:
            continue
        raise AssertionError(f"accepted: {name} changed")
    return hexed({
        "officers": [{"name": name, "id": identity} for name, identity in OFFICERS],
        "maker": "aoki", "checker": "baba", "as_of": DAY, "break": broken,
        "files": [{"name": name, "data": data} for name, data in sorted(FILES.items())],
        "accepted": [{"why": why, "file": file} for why, file in accepted],
        "refused": [{"why": why, "file": file} for why, file in refused],
    })  # fmt: skip


def _swapped(subject):
    before = sign_off.VERSION + subject
    made = sign_off.signed(before, MAKER, NOW)
    checked = sign_off.signed(before + made, CHECKER, NOW)
    return sign_off.PREFIX + before + checked + codec.option(made)


def _apart(subject):
    before = sign_off.VERSION + subject
    made, checked = (sign_off.signed(before, officer, NOW) for officer in (MAKER, CHECKER))
    return sign_off.PREFIX + before + made + codec.option(checked)
