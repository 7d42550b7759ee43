// Requests signed (RFC 9421, RFC 9530) with http-message-signatures, made by others, over Node's own cryptography.
// `keys`: makes a key of each algorithm in this folder, and prints their public halves. Otherwise the node's URL: signs, sends, and
// checks what the node kept.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID, verify } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createSigner, createVerifier, httpbis } from "http-message-signatures";
import { Agent, fetch } from "undici";

const ALGORITHMS = { ed25519: ["ed25519"], "ecdsa-p256-sha256": ["ec", { namedCurve: "P-256" }] };
const spki = (key) => createPublicKey(key).export({ type: "spki", format: "der" }).toString("base64");
const private_ = (name) => createPrivateKey(readFileSync(`${name}.pem`));
const must = (good, what) => {
  if (!good) throw new Error(what);
};

if (process.argv[2] === "keys") {
  const made = {};
  for (const [name, kind] of Object.entries(ALGORITHMS)) {
    const { privateKey } = generateKeyPairSync(...kind);
    writeFileSync(`${name}.pem`, privateKey.export({ type: "pkcs8", format: "pem" }));
    made[name] = spki(privateKey);
  }
  console.log(JSON.stringify(made));
  process.exit();
}

const base = process.argv[2];
const file = (name) => readFileSync(name, "utf8");
const dispatcher = new Agent({
  connect: { ca: file("roots.pem"), cert: file("desk.crt"), key: file("desk.key"), servername: "localhost" },
});
const send = async ({ method, url, headers, body }) => {
  const answer = await fetch(url, { method, headers, body, dispatcher });
  return { status: answer.status, body: await answer.json() };
};
const digest = (body) => `sha-256=:${createHash("sha256").update(body).digest("base64")}:`;
const draft = (path, value) => {
  const body = JSON.stringify(value);
  const headers = { "content-type": "application/json", "idempotency-key": randomUUID(), "content-digest": digest(body) };
  return { method: "POST", url: `${base}${path}`, headers, body };
};
const fields = ["@method", "@target-uri", "@authority", "@path", "content-digest", "idempotency-key", "content-type"];
const params = ["created", "keyid", "alg", "nonce", "expires"];
const signed = (algorithm, request, more = {}) => {
  const key = createSigner(private_(algorithm), algorithm, algorithm);
  const paramValues = { nonce: randomUUID() };
  return httpbis.signMessage({ key, fields, params, paramValues, name: "ours", ...more }, request);
};
const party = { name: "Made by others' signatures", address: "1 Demo Street" };

for (const algorithm of Object.keys(ALGORITHMS)) {
  const request = await signed(algorithm, draft("/v1/custodians", party));
  const made = await send(request);
  must(made.status === 201, `${algorithm} isn't taken: ${JSON.stringify(made)}`);
  // A target with a query, without a body.
  const read = { method: "GET", url: `${base}/v1/custodians/${made.body.id}/signatures?limit=5`, headers: {} };
  const kept = await send(await signed(algorithm, read, { fields: ["@method", "@target-uri", "@query"] }));
  must(kept.status === 200 && kept.body.items.length === 1, `no evidence: ${JSON.stringify(kept)}`);
  const [evidence] = kept.body.items;
  must(evidence.key_id === algorithm && evidence.algorithm === algorithm, "another key");
  must(evidence.public_key === spki(private_(algorithm)), "another public key");
  must(Buffer.from(evidence.body, "base64").toString() === request.body, "another body");
  // The node has built the base that the library builds, and kept the signature that the library made.
  const key = createPublicKey({ key: Buffer.from(evidence.public_key, "base64"), format: "der", type: "spki" });
  const signature = Buffer.from(evidence.signature, "base64");
  const bases = [];
  const verifier = { id: algorithm, algs: [algorithm], verify: (data, other) => {
    bases.push(data.toString());
    return signature.equals(other) && createVerifier(key, algorithm)(data, other);
  } };
  must(await httpbis.verifyMessage({ keyLookup: async () => verifier }, request), "the library refuses it");
  must(bases[0] === evidence.base, `another base:\n${bases[0]}\n${evidence.base}`);
  const hash = algorithm === "ed25519" ? null : "sha256";
  must(verify(hash, Buffer.from(evidence.base), { key, dsaEncoding: "ieee-p1363" }, signature), "not verified");

  const refused = async (request, status, type, what) => {
    const answer = await send(request);
    must(answer.status === status && answer.body.type === type, `${what}: ${JSON.stringify(answer)}`);
  };
  const again = () => draft("/v1/custodians", party);
  await refused(again(), 401, "/problems/signature-required", "unsigned");
  const other = await signed(algorithm, again());
  other.body = other.body.replace("1 Demo", "2 Demo");
  await refused(other, 400, "/problems/digest-mismatch", "another body");
  other.headers["content-digest"] = digest(other.body);
  await refused(other, 401, "/problems/signature-refused", "another digest");
  const moved = await signed(algorithm, again());
  moved.url = `${base}/v1/safekeeping-places`;
  await refused(moved, 401, "/problems/signature-refused", "another target");
  const old = { paramValues: { created: new Date(Date.now() - 600_000), nonce: "x" } };
  await refused(await signed(algorithm, again(), old), 401, "/problems/signature-refused", "too old");
  const bare = { fields: ["@method", "@target-uri", "idempotency-key"] };
  await refused(await signed(algorithm, again(), bare), 401, "/problems/signature-refused", "no body covered");
}
await dispatcher.close();
