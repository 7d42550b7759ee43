// Opens pages in a real browser that reaches nothing but the node, and says what it finds as JSON. Run beside the node's api.crt.
// Arguments: the node's `https://localhost:PORT`, paths of pages.
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const [base, ...paths] = process.argv.slice(2);
const certificate = new X509Certificate(readFileSync("api.crt"));
const key = createHash("sha256").update(certificate.publicKey.export({ type: "spki", format: "der" })).digest("base64");
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
    `--ignore-certificate-errors-spki-list=${key}`,
  ],
});
const report = {};
for (const path of paths) {
  const page = await browser.newPage({ viewport: { width: 800, height: 1000 } });
  const [asked, complaints] = [[], []];
  page.on("request", (request) => asked.push(request.url()));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("requestfailed", (request) => complaints.push(`${request.url()}: ${request.failure().errorText}`));
  const answer = await page.goto(base + path, { waitUntil: "load" });
  const seen = await page.evaluate(() => ({
    title: document.title,
    styled: getComputedStyle(document.body).fontFamily,
    scripts: document.scripts.length,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    headings: [...document.querySelectorAll("h2[id]")].filter((one) => one.checkVisibility() && one.offsetHeight > 0)
      .map((one) => one.id),
    dangling: [...document.querySelectorAll("a[href^='#']")].map((one) => one.getAttribute("href").slice(1))
      .filter((id) => !document.getElementById(id)),
    links: [...document.querySelectorAll("a:not([href^='#'])")].map((one) => one.href),
  }));
  report[path] = { status: answer.status(), asked, complaints, ...seen };
  await page.close();
}
await browser.close();
console.log(JSON.stringify(report));
