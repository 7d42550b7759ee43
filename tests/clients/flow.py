"""A custodian's master made, read and changed with the client that openapi-python-client generates. Argument: the node's URL."""
import ssl
import sys
import uuid

sys.path.insert(0, ".")
from sudare_client import Client
from sudare_client.api.default import create_custodian, list_custodian, read_custodian, update_custodian
from sudare_client.models import Custodian

tls = ssl.create_default_context(cafile="roots.pem")
tls.load_cert_chain("clerk.crt", "clerk.key")
client = Client(base_url=sys.argv[1], verify_ssl=tls)
key = uuid.uuid4().hex
body = Custodian(name="Made by Python", address="1 Demo Street")
made = create_custodian.sync_detailed(client=client, body=body, idempotency_key=key)
assert made.status_code == 201, made
again = create_custodian.sync_detailed(client=client, body=body, idempotency_key=key)
assert again.parsed.id == made.parsed.id, again
read = read_custodian.sync_detailed(made.parsed.id, client=client)
assert read.parsed.name == "Made by Python", read
etag = read.headers["etag"]
body.name = "Renamed by Python"
changed = update_custodian.sync_detailed(made.parsed.id, client=client, body=body, if_match=etag)
assert changed.parsed.version == 2, changed
stale = update_custodian.sync_detailed(made.parsed.id, client=client, body=body, if_match=etag)
assert stale.status_code == 412, stale
assert any(item.name == "Renamed by Python" for item in list_custodian.sync(client=client).items)
