"""What the fuzzer can't know from the document: check digits, rows and proposals that are there, that each request has its own key."""
import itertools
import json
import os
import re

import schemathesis

KEYS = itertools.count()
ROW = re.compile("[0-9a-f]{32}")
# The ids of rows by their kind, and the hashes of proposals by their ids, as answers name them.
rows: dict[str, set[str]] = {}
hashes: dict[str, str] = {}
REFERENCES = {
    "asset_manager_id": "asset-managers",
    "beneficial_interest_id": "beneficial-interests",
    "beneficiary_agent_id": "beneficiary-agents",
    "custodian_id": "custodians",
    "initial_beneficiary_id": "investors",
    "safekeeping_place_id": "safekeeping-places",
    "settlor_id": "settlors",
    "trust_contract_id": "trust-contracts",
    "trustee_id": "trustees",
}


# What the node's network has: an investor with accounts, assets, a counterparty. Instructions that are right but for these get them.
try:
    with open("known.json", encoding="utf-8") as file:
        KNOWN = json.load(file)
except FileNotFoundError:
    KNOWN = {}
AMOUNTS = ("quantity", "payment_quantity")


def digits(text: str) -> str:
    return "".join(str(int(one, 36)) for one in text)


def isin(start: str) -> str:
    doubled = [int(one) * (2 - at % 2) for at, one in enumerate(reversed(digits(start)))]
    return start + str(-sum(one // 10 + one % 10 for one in doubled) % 10)


def lei(start: str) -> str:
    return f"{start}{98 - int(digits(start + '00')) % 97:02}"


def corporate_number(rest: str) -> str:
    weighted = sum(int(one) * (1 + at % 2) for at, one in enumerate(reversed(rest)))
    return f"{9 - weighted % 9}{rest}"


# By field: what its pattern says, and the text with the digits that only a check can say.
CHECKED = {
    "isin": ("[A-Z]{2}[A-Z0-9]{9}[0-9]", lambda text: isin(text[:11])),
    "lei": ("[A-Z0-9]{18}[0-9]{2}", lambda text: lei(text[:18])),
    "corporate_number": ("[1-9][0-9]{12}", lambda text: corporate_number(text[1:])),
    "size": ("0|[1-9][0-9]{0,19}", lambda text: text[:6].replace("0", "1")),
    "set_quantity": ("[1-9][0-9]{19}", lambda text: text[:19]),
}


@schemathesis.serializer("text/csv", "application/xml")
def file_of_rows(context, value):
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.hook
def before_call(context, case, kwargs):
    """A request that is right but for what it can't know is made right; others stay as they are."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch("[!-~]{1,64}", key):
        case.headers["Idempotency-Key"] = f"{os.getpid()}-{next(KEYS)}"
    asset = (case.path_parameters or {}).get("asset")
    # Of two requests about a register one is about the one that is there.
    if isinstance(asset, str) and re.fullmatch("[A-Za-z0-9]{1,12}", asset) and next(KEYS) % 2:
        case.path_parameters["asset"] = KNOWN.get("asset", asset)
    if not isinstance(case.body, dict):
        return
    for name, (form, right) in CHECKED.items():
        value = case.body.get(name)
        if isinstance(value, str) and re.fullmatch(form, value):
            case.body[name] = right(value)
    if case.path.startswith("/v1/instructions/"):
        instruct(case.body)
    if case.path == "/v1/webhooks" and re.fullmatch("[!-~]{1,500}", str(case.body.get("url"))):
        case.body["url"] = f"https://hooks.example/{next(KEYS)}"
        if re.fullmatch("[!-~]{1,18}", str(case.body.get("after", ""))):
            case.body["after"] = "0"
    for name, kind in REFERENCES.items():
        value = case.body.get(name)
        if isinstance(value, str) and ROW.fullmatch(value) and value not in rows.get(kind, ()):
            del case.body[name]
    if case.path.endswith("/decision") and re.fullmatch("[0-9a-f]{64}", str(case.body.get("hash"))):
        case.body["hash"] = hashes.get(case.path_parameters["id"], case.body["hash"])


def instruct(body):
    """An instruction of its own of what the network knows."""
    fits = lambda name, form: isinstance(body.get(name), str) and re.fullmatch(form, body[name])
    for name, value in KNOWN.items():
        if fits(name, "[!-~]{1,64}"):
            body[name] = value
    for name in ("trade_id", "reference"):
        if fits(name, "[!-~]{1,35}"):
            body[name] = f"T-{os.getpid()}-{next(KEYS)}"
    allotments = body.get("allotments")
    for allotment in allotments if isinstance(allotments, list) else ():
        if isinstance(allotment, dict):
            instruct(allotment)
    for name in AMOUNTS:
        if fits(name, "0|[1-9][0-9]{0,19}"):
            body[name] = body[name][:18].replace("0", "1")
    if fits("trade_date", "[0-9-]{10}") and fits("delivery_date", "[0-9-]{10}"):
        body["trade_date"] = min(body["trade_date"], body["delivery_date"])
    if ("payment_asset" in body) != ("payment_quantity" in body) and "trade_date" in body:
        for name, form in (("payment_asset", "[!-~]{1,12}"), ("payment_quantity", "[0-9]+")):
            if fits(name, form):
                del body[name]


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code != 201:
        return
    answer = json.loads(response.content)
    rows.setdefault(case.path.rsplit("/", 1)[-1], set()).add(answer.get("id"))
    if "hash" in answer:
        hashes[answer["id"]] = answer["hash"]
