// The page of the depot: a product that admits listed devices only, its zone, patches that nobody signed; and a group.

import { hash, runs } from "./fleet.mjs";

const PRODUCT = "a1B2c3", BASE = "/p/" + hash(PRODUCT), ROUTE = "/products/" + hash(PRODUCT);

export const name = "depot";

// Press the button of a form that sets one thing of the product.
async function set(window, name) {
  const button = await window.page.waitForSelector(
    `form[action="/do${ROUTE}"]:has(input[type=hidden][name="${name}"]) button[type=submit]`);
  return window.leads(() => button.click());
}

async function admission(t, window) {
  const { world } = t;
  await window.go("/depot");
  t.same(200, await set(window, "admit"));
  await window.shows("admitted devices");
  runs(world, PRODUCT, "stranger-1", "1.0.0");
  await window.go(BASE);
  await window.waitFor("Devices that nobody has admitted");
  t.none(await window.accessible());
  await window.shot("admission");
  await window.leads(() => window.page.click(".needs a"));
  await window.shows("stranger-1");
  await window.go(await window.link("/devices/"));
  const device = "/devices/" + Buffer.from(`aliyun\0${PRODUCT}\0stranger-1`).toString("hex");
  const form = await window.page.waitForSelector(`form[action="/do${device}"]:has([name=admitted]) button`);
  t.same(200, await window.leads(() => form.click()));
  await window.go(BASE);
  t.ok(!(await window.text()).includes("Devices that nobody has admitted"), "it is admitted");
  return device;
}

// The zone of the product; and of one device, which has another, and hardware.
async function zones(t, window, device) {
  await window.go("/depot");
  await window.page.click("main table details summary");
  await window.page.type("[name=zone]", "Asia/Shanghai");
  t.same(200, await window.leads(() => window.page.keyboard.press("Enter")));
  await window.shows("Asia/Shanghai");
  await window.shot("depot");
  t.none(await window.accessible());
  await window.go(device);
  await window.fill({ zone: "Nowhere/City" }, device);
  const save = await window.page.waitForSelector(`form[action="/do${device}"]:has([name=zone]) button`);
  t.same(422, await window.leads(() => save.click()));
  await window.go(device);
  await window.fill({ zone: "Europe/Berlin", hardware: "rev-a" }, device);
  const again = await window.page.waitForSelector(`form[action="/do${device}"]:has([name=zone]) button`);
  t.same(200, await window.leads(() => again.click()));
  t.same("Europe/Berlin", await window.page.$eval("[name=zone]", f => f.value));
}

async function unsigned(t, window) {
  const { world } = t;
  world.write("clock_v7.bin", "bytes of a patch");
  await window.go(`${BASE}/hotfixes`);
  await window.fill({ file: world.path("clock_v7.bin") });
  await window.page.click("form[data-upload] button");
  await window.waitFor("signed");
  await window.go("/depot");
  t.same(200, await set(window, "unsigned"));
  await window.go(`${BASE}/hotfixes`);
  await window.fill({ about: "nobody signed it", file: world.path("clock_v7.bin") });
  await window.upload();
  await window.shows("clock v7 (unsigned)");
  await window.shot("unsigned");
}

// From a filter to a group, and to the form of a rollout for it.
async function group(t, window) {
  await window.go(`${BASE}/devices`);
  await window.page.type("[name=filter]", "name:stranger-*");
  await window.leads(() => window.page.keyboard.press("Enter"));
  await window.leads(() => window.page.click("a[href*='/groups?filter=']"));
  await window.fill({ name: "strangers" }, `${ROUTE}/groups`);
  t.same(200, await window.press(`${ROUTE}/groups`));
  await window.shows("name:stranger-*");
  t.none(await window.accessible());
  await window.leads(() => window.page.click("a[href*='/rollouts/new']"));
  t.same("group:\"strangers\"", await window.page.$eval("[name=filter]", f => f.value));
}

export async function run(t) {
  const { world } = t;
  world.pack("packages/METER_1.0.0.upd", PRODUCT, 1, "1.0.0");
  await world.broker();
  await world.serve("--mqtt", `127.0.0.1:${world.brokerPort}`, "--staged");
  const window = await t.window();
  await window.enter(world.user("ann", "admin"));
  const device = await admission(t, window);
  await zones(t, window, device);
  await unsigned(t, window);
  await group(t, window);
}
