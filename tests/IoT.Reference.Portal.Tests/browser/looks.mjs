// Every page in light and dark, on a desktop and a phone: no error, nothing foreign, accessible, not too wide; a picture of each.
import { accessible, fits, open, picture, ready, run } from "./portal.mjs";

const pages = { overview: "/", devices: "/devices", device: "/devices/pi-1", alerts: "/alerts", queries: "/queries", profile: "/profile" };

await run(async browser => {
  for (const [scheme, size] of [["light", "desktop"], ["dark", "desktop"], ["light", "phone"], ["dark", "phone"]]) {
    const { page, context, check } = await open(browser, { scheme, size });
    for (const [name, path] of Object.entries(pages)) {
      if (name !== "overview") {
        await page.goto(path);
        await ready(page, path);
      }
      if (["overview", "device"].includes(name)) await page.waitForSelector(".uplot canvas");
      await page.waitForSelector(".connection.on");
      await page.waitForTimeout(1500);
      await fits(page);
      await accessible(page);
      await picture(page, `${name}-${size}-${scheme}`);
    }
    check();
    await context.close();
  }
  for (const scheme of ["light", "dark"]) {
    const { page, context, check } = await open(browser, { scheme, size: "phone", path: "/", logIn: false });
    await page.waitForSelector("#login");
    await accessible(page);
    await picture(page, `welcome-phone-${scheme}`);
    check();
    await context.close();
  }
});
