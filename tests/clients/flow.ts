// A custodian's master made, read and changed with openapi-fetch and the types that openapi-typescript generates. Argument: the
// node's URL.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import { Agent, fetch as undici } from "undici";
import type { paths } from "./schema.js";

const file = (name: string) => readFileSync(name, "utf8");
const dispatcher = new Agent({
  connect: { ca: file("roots.pem"), cert: file("clerk.crt"), key: file("clerk.key"), servername: "localhost" },
});
const api = createClient<paths>({
  baseUrl: process.argv[2],
  fetch: async (request: Request) => {
    const { method, headers, url } = request;
    const body = method === "GET" ? undefined : await request.text();
    const answer = await undici(url, { method, headers: Object.fromEntries(headers), body, dispatcher });
    return answer as unknown as Response;
  },
});
const must = (good: unknown, what: string) => {
  if (!good) throw new Error(what);
};

const made = await api.POST("/v1/custodians", {
  params: { header: { "Idempotency-Key": randomUUID() } },
  body: { name: "Made by TypeScript", address: "1 Demo Street" },
});
must(made.data, "not made");
const path = { id: made.data!.id };
const read = await api.GET("/v1/custodians/{id}", { params: { path } });
must(read.data?.name === "Made by TypeScript", "not read");
const etag = read.response.headers.get("etag")!;
const change = () => api.PUT("/v1/custodians/{id}", {
  params: { path, header: { "If-Match": etag } },
  body: { name: "Renamed by TypeScript", address: "1 Demo Street" },
});
must((await change()).data?.version === 2, "not changed");
const stale = await change();
must(stale.error?.type === "/problems/stale", "a stale change was taken");
