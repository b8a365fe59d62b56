// What an owner does: logs in, finds a device, sends a command and sees it done, shares it until a time, acknowledges an alert, logs out. With the keyboard where it matters.
import { accessible, address, open, ready, run } from "./portal.mjs";
import assert from "node:assert/strict";

await run(async browser => {
  const { page, context, check } = await open(browser, { path: "/devices" });
  await page.getByLabel("Search").fill("pi-1");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  await page.getByRole("link", { name: "pi-1" }).click();
  await ready(page, "/devices/pi-1");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main", "the focus follows to the new page");

  await page.getByRole("button", { name: "Send command" }).first().click();
  const dialog = page.getByRole("dialog");
  await accessible(page);
  await dialog.getByLabel("Why").fill("too warm");
  await dialog.getByRole("button", { name: "Send command" }).click();
  await page.locator(".badge", { hasText: "Acked" }).waitFor();

  await page.getByRole("button", { name: "Lock", exact: true }).click();
  await page.keyboard.press("Escape");
  assert.equal(await page.getByRole("dialog").count(), 0, "Escape takes it back");
  await page.getByRole("button", { name: "Lock", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Lock" }).click();
  await page.getByRole("button", { name: "Unlock" }).waitFor();
  await page.getByRole("button", { name: "Locate" }).click();
  await page.getByText("The device is asked where it is.").first().waitFor();

  await page.getByRole("button", { name: "Share…" }).click();
  await page.getByRole("dialog").getByLabel("With").fill("carol");
  await page.getByRole("dialog").getByLabel("Acknowledge alerts").check();
  await page.getByRole("dialog").getByRole("button", { name: "Share" }).click();
  await page.getByRole("cell", { name: "carol", exact: true }).waitFor();
  await page.getByRole("button", { name: "End the share of pi-1 with carol" }).click();
  await page.getByRole("cell", { name: "carol", exact: true }).waitFor({ state: "detached" });

  await page.getByRole("button", { name: "Change" }).click();
  await page.getByRole("dialog").getByLabel("Desired state").fill("{\"interval\":5}");
  await page.getByRole("dialog").getByRole("button", { name: "Set" }).click();
  await page.getByRole("cell", { name: "5", exact: true }).waitFor();

  await page.getByRole("link", { name: /Alerts/ }).first().click();
  await ready(page, "/alerts");
  const button = page.getByRole("button", { name: /Acknowledge: pi-1/ });
  await button.focus();
  await page.keyboard.press("Enter");
  await page.locator(".badge", { hasText: "Acknowledged by alice" }).first().waitFor();

  // No token anywhere in the browser: what scripts can read, and what is stored.
  const seen = await page.evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }]));
  assert.ok(!/eyJ/.test(seen) && !seen.includes("iot.session"), seen);
  const cookie = (await context.cookies()).find(c => c.name === "iot.session");
  assert.ok(cookie.httpOnly && cookie.sameSite === "Lax" && !/eyJ/.test(cookie.value));

  await page.getByRole("link", { name: "You" }).click();
  await ready(page, "/profile");
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download my data" }).click();
  assert.equal((await saved).suggestedFilename(), "alice-data.json");
  await page.getByRole("button", { name: "Log out" }).click();
  await page.waitForURL(/\/welcome/);
  await page.goto("/devices");
  await page.waitForURL(/\/welcome\?returnUrl=%2Fdevices/);
  check();
  assert.ok(address);
});
