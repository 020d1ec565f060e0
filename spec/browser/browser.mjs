// Chromium, and what every page has to keep: no request elsewhere, nothing in the console of the browser, nothing that the
// Content-Security-Policy had to stop, no serious finding of axe.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { until } from "./world.mjs";

const require = createRequire(import.meta.url);
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const PASSWORD = "correct horse battery";
export const WIDTHS = [360, 768, 1280];

export async function launch() {
  return puppeteer.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", headless: true,
    args: ["--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
      ...(process.getuid() === 0 ? ["--no-sandbox"] : [])] });
}

// A window with a session of its own.
export class Window {
  static async open(browser, world, shots, options = {}) {
    const self = new Window();
    Object.assign(self, { world, shots, faults: [], expected: options.expected || /^$/,
      whole: options.whole !== false });
    self.context = await browser.createBrowserContext();
    self.page = await self.context.newPage();
    await self.page.setViewport({ width: options.width || 1280, height: options.height || 800 });
    if (options.script === false) await self.page.setJavaScriptEnabled(false);
    self.page.on("request", r => {
      const url = r.url();
      if (!url.startsWith(world.origin + "/") && !url.startsWith("blob:")) self.faults.push(`request to ${url}`);
    });
    self.page.on("console", m => {
      if (["error", "warn"].includes(m.type()) && !self.expected.test(m.text())) {
        self.faults.push(`${m.type()}: ${m.text()} (${self.page.url()})`);
      }
    });
    self.page.on("pageerror", e => self.faults.push(`script: ${e.message}`));
    self.page.on("dialog", d => { self.faults.push(`dialog: ${d.message()}`); d.dismiss(); });
    return self;
  }

  async go(path) {
    const answer = await this.page.goto(path.startsWith("http") ? path : this.world.origin + path,
      { waitUntil: "load" });
    return answer && answer.status();
  }

  text() { return this.page.$eval("main", m => m.innerText); }
  async shows(text) {
    const shown = await this.text();
    if (!shown.includes(text)) throw new Error(`${this.page.url()} does not show "${text}":\n${shown}`);
  }
  // Wait for a text without loading the page again.
  async waitFor(text, timeout = 60000) {
    await this.page.waitForFunction(t => document.querySelector("main").innerText.includes(t), { timeout }, text)
      .catch(async () => { throw new Error(`${this.page.url()} never showed "${text}":\n${await this.text()}`); });
  }

  // Do something that leads to another page.
  async leads(act) {
    const [answer] = await Promise.all([this.page.waitForNavigation({ waitUntil: "load", timeout: 60000 }), act()]);
    return answer && answer.status();
  }

  // The button of a form, by the route of the form.
  button(route) { return this.page.waitForSelector(`form[action="/do${route}"] button[type=submit]:last-of-type`); }

  async press(route) {
    const button = await this.button(route);
    // A form that asks first is shown by its summary.
    await button.evaluate(b => {
      const box = b.closest("details");
      if (box && !box.open) box.querySelector("summary").click();
    });
    return this.leads(() => button.click());
  }

  // Send the file that was chosen in the form for uploads.
  upload() { return this.leads(() => this.page.click("form[data-upload] button")); }

  // The path of the first object of a list: link("/releases/").
  link(below) { return this.page.$eval(`main a[href^='${below}']`, a => a.getAttribute("href")); }

  // Wait until a release is verified.
  verified(release, patience) {
    return until("the verification", async () => {
      await this.go(release);
      return (await this.text()).includes("Verify again");
    }, patience);
  }

  // Fill in fields of the page, or of the form for a route.
  async fill(fields, route) {
    const form = route ? `form[action="/do${route}"] ` : "";
    for (const [name, value] of Object.entries(fields)) {
      const field = await this.page.waitForSelector(`${form}[name="${name}"]`);
      const tag = await field.evaluate(f => {
        const box = f.closest("details");
        if (box) box.open = true;
        return f.tagName;
      });
      if (tag === "SELECT") await this.page.select(`${form}[name="${name}"]`, value);
      else if (await field.evaluate(f => f.type === "file")) await field.uploadFile(value);
      else {
        await field.evaluate(f => { f.value = ""; });
        await field.type(value);
      }
    }
  }

  // By a one-time link.
  async enter(link) {
    await this.go(link);
    await this.fill({ password: PASSWORD });
    await this.press("/session/once");
  }

  async logIn(name) {
    await this.go("/login");
    await this.fill({ name, password: PASSWORD });
    await this.press("/session");
  }

  async shot(name) {
    mkdirSync(this.shots, { recursive: true });
    await this.page.screenshot({ path: join(this.shots, name + ".png"), fullPage: this.whole });
  }

  // axe's findings that are serious or worse.
  async accessible() {
    await this.page.evaluate(axeSource);
    const found = await this.page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    return found.violations.filter(v => ["serious", "critical"].includes(v.impact))
      .map(v => `${this.page.url()}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.html).join(" | ")}`);
  }

  // What a reader of a narrow screen would have to scroll sideways for.
  wide() {
    return this.page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth
      ? [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1
        && !e.closest(".scroll")).slice(0, 3).map(e => e.outerHTML.slice(0, 100)) : []);
  }

  async close() {
    await this.context.close();
    return this.faults;
  }
}
