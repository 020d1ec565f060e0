// People: by keyboard alone, without script, two at once, a viewer, a session that ends in mid-form; a rollout that
// pauses itself, and a device that falls back.

import { PASSWORD } from "./browser.mjs";
import { hash, listen, runs, says } from "./fleet.mjs";

const PRODUCT = "a1B2c3", BASE = "/p/" + hash(PRODUCT);

export const name = "hands";

// Press Tab until the focus is where it should be.
async function tabTo(window, what) {
  for (let i = 0; i < 80; i++) {
    await window.page.keyboard.press("Tab");
    if (await window.page.evaluate(w => document.activeElement.matches(w), what)) return;
  }
  throw new Error(`the keyboard does not reach ${what}`);
}

async function byKeyboard(t, link) {
  const window = await t.window();
  await window.go(link);
  await tabTo(window, "[name=password]");
  await window.page.keyboard.type(PASSWORD);
  await window.leads(() => window.page.keyboard.press("Enter"));
  await window.page.keyboard.press("Tab");
  t.ok(await window.page.evaluate(() => document.activeElement.matches(".skip")), "the first stop skips to the content");
  await tabTo(window, "a[href$='/devices']");
  await window.leads(() => window.page.keyboard.press("Enter"));
  await tabTo(window, "[name=filter]");
  await window.page.keyboard.type("name:meter-3");
  await window.leads(() => window.page.keyboard.press("Enter"));
  await tabTo(window, "td a");
  await window.leads(() => window.page.keyboard.press("Enter"));
  await tabTo(window, "[name=note]");
  await window.page.keyboard.type("on the roof");
  await tabTo(window, "form[action^='/do/devices/'] button");
  await window.leads(() => window.page.keyboard.press("Enter"));
  await window.shows("Done.");
  await tabTo(window, "form[action^='/do/undo/'] button");
  await window.leads(() => window.page.keyboard.press("Enter"));
  t.same("", await window.page.$eval("[name=note]", f => f.value), "the note is taken back");
  return window;
}

async function withoutScript(t, link) {
  const { world } = t, window = await t.window({ script: false });
  await window.enter(link);
  world.pack("new.upd", PRODUCT, 2, "1.0.1");
  await window.go(`${BASE}/releases`);
  await window.fill({ file: world.path("new.upd") });
  t.same(200, await window.upload());
  await window.shows("1.0.1");
  const release = await window.link("/releases/");
  await window.go(release);
  await window.shows("Verify it on a device first.");
  await window.fill({ name: "meter-1" }, release + "/verify");
  t.same(200, await window.press(release + "/verify"));
  await window.shows("waits for the device to ask");
  says(world, PRODUCT, "meter-1", 100);
  runs(world, PRODUCT, "meter-1", "1.0.1");
  await window.verified(release);
  return release;
}

// Two failures are the limit, and it pauses itself; later the device that verified it falls back.
async function failing(t, ann, bob, release) {
  const { world } = t;
  await ann.go(`${BASE}/rollouts/new?release=${release.slice(10)}`);
  await ann.fill({ waves: "100", limit: "2" });
  await ann.shot("rollout-form");
  t.same(200, await ann.press(`/products/${hash(PRODUCT)}/rollouts`));
  await bob.go(BASE);
  await bob.waitFor("running");
  await ann.go(BASE);
  const devices = ["meter-2", "meter-3", "meter-4"];
  await t.until("the offers", () => devices.every(d => world.log("offers").includes(`/${d} `)));
  for (const device of devices) says(world, PRODUCT, device, -3, "bad checksum");
  await ann.waitFor("A rollout is paused"); // without loading the page again
  await bob.waitFor("A rollout is paused");
  await ann.shows("Devices failed");
  await ann.shot("paused");
  runs(world, PRODUCT, "meter-1", "1.0.0"); // later than it verified
  await ann.waitFor("Devices fell back");
  await ann.shot("fell-back");
}

// Both see the paused rollout; one resumes it, the other's button then says what happened.
async function twoAtOnce(t, ann, bob) {
  for (const window of [ann, bob]) await window.go("/rollouts/1");
  t.same(200, await ann.press("/rollouts/1/resume"));
  await bob.waitFor("running");
  const device = "/devices/" + Buffer.from(`aliyun\0${PRODUCT}\0meter-5`).toString("hex");
  for (const window of [ann, bob]) await window.go(device);
  await ann.fill({ note: "first" }, device);
  t.same(200, await ann.press(device));
  await bob.fill({ note: "second" }, device);
  t.same(412, await bob.press(device));
  await bob.shows("last by ann");
}

async function endsMeanwhile(t, window) {
  const device = "/devices/" + Buffer.from(`aliyun\0${PRODUCT}\0meter-6`).toString("hex");
  await window.go(device);
  await window.fill({ note: "typed before the session ended" }, device);
  const cookies = await window.context.cookies();
  await window.context.deleteCookie(...cookies.filter(c => c.name === "moult"));
  t.same(403, await window.press(device));
  await window.shows("Your session ended meanwhile");
  await window.fill({ name: "ann", password: PASSWORD });
  await window.press("/session");
  await window.shows("typed before the session ended");
  t.same(200, await window.press(device));
  t.same("typed before the session ended", await window.page.$eval("[name=note]", f => f.value));
}

async function viewer(t, link) {
  const window = await t.window();
  await window.enter(link);
  for (const path of [BASE, `${BASE}/releases`, `${BASE}/hotfixes`, `${BASE}/devices`, "/rollouts/1"]) {
    t.same(200, await window.go(path));
    t.same(1, (await window.page.$$("form[method=post]")).length, `${path} offers only to log out`);
  }
  t.same(403, await window.page.evaluate(async base => (await fetch(base, { method: "POST", body: new URLSearchParams({
    csrf: document.querySelector("[name=csrf]").value }) })).status, "/do/rollouts/1/cancel"));
}

export async function run(t) {
  const { world } = t;
  world.pack("packages/METER_1.0.0.upd", PRODUCT, 1, "1.0.0");
  await world.broker();
  await world.serve("--mqtt", `127.0.0.1:${world.brokerPort}`, "--staged");
  await listen(world, PRODUCT);
  for (let i = 1; i <= 10; i++) runs(world, PRODUCT, `meter-${i}`, "1.0.0");
  const ann = await byKeyboard(t, world.user("ann", "admin"));
  const release = await withoutScript(t, world.user("carl", "operator"));
  const bob = await t.window();
  await bob.enter(world.user("bob", "operator"));
  await failing(t, ann, bob, release);
  await twoAtOnce(t, ann, bob);
  await endsMeanwhile(t, ann);
  await viewer(t, world.user("vera", "viewer"));
}
