// Pages in Chromium, each in a browser of its own.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { HtmlValidate, StaticConfigLoader } from "html-validate";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** Opens `address` and lets `look(page)` at it; fails if the page asks for anything else or complains. `init` is run in the
 *  page before its own scripts. */
export const opened = async (address, { init = () => {}, ...options }, look) => {
  const profile = mkdtempSync(join(tmpdir(), "glyphnet-profile-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium", headless: true, args: FLAGS, viewport: { width: 1280, height: 900 }, ...options,
  });
  try {
    const page = context.pages()[0] ?? (await context.newPage());
    const [said, asked] = [[], []];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(error.message));
    const outside = (url) => !url.startsWith("data:") && !url.startsWith("blob:");
    context.on("request", (request) => { if (outside(request.url())) asked.push(request.url()); });
    await page.addInitScript(init);
    await page.goto(address);
    await look(page);
    assert.deepEqual(said, [], "the page complains");
    assert.deepEqual(asked, [address], "the page asks for more than itself");
  } finally {
    await context.close();
    rmSync(profile, { recursive: true });
  }
};

/** Fails at what people with a screen reader, a keyboard or weak eyes would stumble over. */
export const accessible = async (page) => {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
  assert.deepEqual(found, []);
};

/** Fails at HTML that is not valid. */
export const valid = async (text) => {
  const loader = new StaticConfigLoader({ extends: ["html-validate:standard", "html-validate:document"] });
  const { results } = await new HtmlValidate(loader).validateString(text);
  const messages = results.flatMap(({ messages }) => messages.map(({ line, ruleId, message }) => `${line}: ${ruleId}: ${message}`));
  assert.deepEqual(messages.slice(0, 5), []);
};
