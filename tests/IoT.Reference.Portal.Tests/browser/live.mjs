// What happens shows by itself: lines of charts, a new alert in the list, for the screen reader and in the count; counters of queries; settings while they run. Then colours by the switch.
import { open, ready, run } from "./portal.mjs";
import assert from "node:assert/strict";

await run(async browser => {
  const { page, check } = await open(browser, {});
  await page.waitForSelector(".uplot canvas");
  const latest = () => page.evaluate(() => document.querySelector(".chart + p.hidden").textContent);
  await page.waitForFunction(() => document.querySelector(".chart + p.hidden")?.textContent.length > 0);
  const before = await latest();
  await page.waitForFunction(text => document.querySelector(".chart + p.hidden").textContent !== text, before);
  await page.waitForFunction(() => /[1-9]/.test([...document.querySelectorAll(".tile")].find(t => t.textContent.includes("per second")).querySelector(".value").textContent));

  console.log("waiting for an alert");
  await page.getByText("Raised while somebody looks").first().waitFor();
  await page.waitForFunction(() => document.getElementById("urgent").textContent.includes("Raised while somebody looks"));
  await page.getByRole("button", { name: "Acknowledge: pi-2, Raised while somebody looks" }).click();
  await page.locator(".badge", { hasText: "Acknowledged by alice" }).first().waitFor();

  await page.goto("/queries");
  await ready(page, "/queries");
  assert.equal(await page.locator(".plan").first().locator("rect.box").count(), 6);
  const count = () => page.locator(".counters .value").first().textContent();
  const first = await page.locator(".counters .small").first().textContent();
  await page.waitForFunction(text => /[1-9].* a second/.test(document.querySelector(".counters .small").textContent), first);
  assert.ok(await count());
  await page.getByLabel("Threshold").fill("33.5");
  await page.getByRole("form", { name: "Settings of overheating" }).getByRole("button", { name: "Apply" }).click();
  await page.getByText("goes on with the new settings").first().waitFor();

  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  assert.equal(await theme(), "light");
  await page.getByRole("button", { name: "Use dark colours" }).click();
  assert.equal(await theme(), "dark");
  await page.reload();
  assert.equal(await theme(), "dark", "the choice is remembered");
  check();
});
