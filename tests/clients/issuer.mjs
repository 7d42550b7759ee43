// A real issuer of certificate-bound access tokens: `oidc-provider` over TLS with client certificates.
// Arguments: the folder with roots.pem, api.crt and api.key; the audience. Prints its address once it listens.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { Provider } from "oidc-provider";

const [folder, audience] = process.argv.slice(2);
const file = (name) => readFileSync(`${folder}/${name}`);
const key = (type, alg, options) => {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: "jwk" }), alg, use: "sig", kid: randomUUID() };
};
// oidc-provider signs a token with the key of the algorithm that the resource asks for.
const algorithms = { "urn:ps": "PS256", "urn:es": "ES256", "urn:ed": "EdDSA", "urn:rs": "RS256" };
const scopes = ["sudare.desk", "sudare.registrar", "sudare.administrator", "sudare.custodian", "sudare.issuer", "sudare.all"];
const keys = [
  key("rsa", "PS256", { modulusLength: 2048 }),
  key("rsa", "RS256", { modulusLength: 2048 }),
  key("ec", "ES256", { namedCurve: "P-256" }),
  key("ed25519", "EdDSA", {}),
];

const server = createServer({
  cert: file("api.crt"),
  key: file("api.key"),
  ca: file("roots.pem"),
  requestCert: true,
  rejectUnauthorized: false,
});
server.listen(0, "127.0.0.1", () => {
  const issuer = `https://localhost:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: "desk",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: "tls_client_auth",
      tls_client_auth_san_dns: "clerk",
      tls_client_certificate_bound_access_tokens: true,
    }, {
      client_id: "loose",
      client_secret: "not bound to any certificate",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    }],
    clientAuthMethods: ["tls_client_auth", "client_secret_post", "client_secret_basic"],
    enabledJWA: { idTokenSigningAlgValues: Object.values(algorithms) },
    jwks: { keys },
    scopes,
    ttl: { ClientCredentials: 3600 },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        tlsClientAuth: true,
        getCertificate: (ctx) => ctx.socket.getPeerX509Certificate(),
        certificateAuthorized: (ctx) => ctx.socket.authorized,
        certificateSubjectMatches: (ctx, property, expected) =>
          property === "tls_client_auth_san_dns" &&
          ctx.socket.getPeerX509Certificate().subjectAltName === `DNS:${expected}`,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => "urn:es",
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: scopes.join(" "),
          audience: resource in algorithms ? audience : resource,
          accessTokenFormat: "jwt",
          accessTokenTTL: 3600,
          jwt: { sign: { alg: algorithms[resource] ?? "ES256" } },
        }),
      },
    },
  });
  server.on("request", provider.callback());
  console.log(issuer);
});
