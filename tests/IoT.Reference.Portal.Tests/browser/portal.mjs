// What the scenarios share: a Chromium, a page that counts its errors and foreign requests, log-in, accessibility, pictures.
import { chromium } from "playwright-core";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import assert from "node:assert/strict";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const address = process.env.PORTAL;
const pictures = process.env.PICTURES;
const sizes = { desktop: { width: 1360, height: 900 }, phone: { width: 390, height: 844 } };

export async function run(scenario) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  try {
    await scenario(browser);
    console.log("passed");
  } finally {
    await browser.close();
  }
}

/** A page of its own; at the end `check()` says that nothing went wrong in it and nothing left for another host. */
export async function open(browser, { scheme = "light", size = "desktop", path = "/", logIn = true, ...more } = {}) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: sizes[size], baseURL: address, reducedMotion: "reduce", ...more });
  const page = await context.newPage(), wrong = [];
  page.setDefaultTimeout(20_000);
  page.on("pageerror", e => wrong.push(`error: ${e.message}`));
  page.on("console", m => m.type() === "error" && !/status of 4\d\d|ERR_ABORTED|ERR_INCOMPLETE_CHUNKED/.test(m.text()) && wrong.push(`console: ${m.text()}`));
  page.on("request", r => { const u = new URL(r.url()); if (/^http/.test(u.protocol) && u.hostname !== "127.0.0.1") wrong.push(`foreign: ${r.url()}`); });
  if (logIn) {
    await page.goto("/login?returnUrl=" + encodeURIComponent(path));
    await ready(page, path);
  } else {
    await page.goto(path);
  }
  return { page, context, check: () => assert.deepEqual(wrong, []) };
}

export const ready = (page, path) => page.waitForSelector(`main[data-ready="${path}"]`);

/** No finding of axe-core among the rules of WCAG 2.2 A and AA. */
export async function accessible(page) {
  // By the debugger's way, which the page's own policy does not hold off.
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const { result } = await session.send("Runtime.evaluate", {
    expression: `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
      .then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.nodes.map(n => n.target.join(" ") + " " + (n.failureSummary ?? "")).slice(0, 4).join(" | "))))`,
    awaitPromise: true, returnByValue: true,
  });
  assert.deepEqual(JSON.parse(result.value), [], `on ${page.url()}`);
}

export async function picture(page, name) {
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, name + ".png"), fullPage: true });
}

/** Nothing is wider than the screen. */
export async function fits(page) {
  const [inner, width] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
  assert.ok(width <= inner, `${page.url()} is ${width} wide on a screen of ${inner}`);
}
