// From an empty depot to a finished rollout, with real devices that ask as Luat's do; and a release with which one falls
// back, which is of Aliyun's cloud, since Luat's has no word for it.

import { hash } from "./fleet.mjs";
import { moult } from "./world.mjs";

const PRODUCT = "k-123", BASE = "/p/" + hash(PRODUCT), FIRST = "866714040000001", SECOND = "866714040000002",
  THIRD = "meter-3";

export const name = "luat";

async function device(world, name, cloud) {
  world.write(`${name}/config.lua`, `return { project = "METER", product_key = "${PRODUCT}", hardware = "rev-a",
    id = "${name}", state = "state", keys = "../keys", confirm_after = 1, backoff = { least = 1, most = 2 },
    cloud = { ${cloud} } }`);
  world.moult("provision", "old.upd", "-c", `${name}/config.lua`, "-q");
  await world.start(name, moult, ["run", "-c", `${name}/config.lua`]);
}

const luat = world =>
  `kind = "luat", url = "http://127.0.0.1:${world.httpPort}/api/site/firmware_upgrade", period = 1`;

function aliyun(world) {
  world.write(`${THIRD}/secret`, "aliyun-secret-01\n", 0o600);
  return `kind = "aliyun", product = "${PRODUCT}", device = "${THIRD}", secret_file = "secret", host = "127.0.0.1",
      port = ${world.brokerPort}`;
}

const release = (world, imei) => JSON.parse(world.moult("status", "--json", "-c", `${imei}/config.lua`)).release;

// The page of a device, by the search.
async function find(window, imei) {
  await window.go(`/search?q=${imei}`);
  await window.go(await window.link("/devices/"));
}

// One that has the release is enough for the others to get it.
async function verified(t, window, path) {
  await window.go(path);
  await window.fill({ name: FIRST }, path + "/verify");
  await window.press(path + "/verify");
  await window.shot("verifying");
  await window.verified(path, 120000);
}

// The second device gets it by a rollout of two waves, which ends by itself.
async function rolledOut(t, window, path) {
  await window.go(`${BASE}/rollouts/new?release=${path.slice(10)}`);
  await window.fill({ waves: "50,100", soak: "1s", members: "fixed", devices: SECOND });
  t.same(200, await window.press(`/products/${hash(PRODUCT)}/rollouts`), await window.text());
  await t.until("the end of the rollout", async () => {
    await window.go("/rollouts/1");
    return (await window.text()).includes("finished");
  }, 120000);
  await window.shot("finished");
  t.same("1.0.1", release(t.world, SECOND));
  await find(window, SECOND);
  await window.shows("succeeded");
  await window.shows("What its queries were answered");
  await window.shows("27 nothing for it now");
  await window.shot("updated");
}

// A release whose program does not run: the device is back at the one before, and the console says so.
async function fallsBack(t, window) {
  t.world.pack("bad.upd", PRODUCT, 3, "1.0.2", "error(\"this program does not run\")");
  await window.go(`${BASE}/releases`);
  await window.fill({ file: t.world.path("bad.upd") });
  await window.upload();
  const path = await window.link("/releases/");
  await device(t.world, THIRD, aliyun(t.world));
  await t.until("the device", () => find(window, THIRD).then(() => true));
  await window.go(path);
  await window.fill({ name: THIRD }, path + "/verify");
  await window.press(path + "/verify");
  await t.until("the failure", async () => {
    await window.go(BASE);
    return (await window.text()).includes("Devices failed");
  }, 180000);
  await window.shot("failed");
  t.same("1.0.0", release(t.world, THIRD));
  await find(window, THIRD);
  await window.shot("fell-back");
  await window.shows("failed");
}

export async function run(t) {
  const { world } = t;
  world.pack("old.upd", PRODUCT, 1, "1.0.0");
  world.pack("new.upd", PRODUCT, 2, "1.0.1");
  await world.broker();
  await world.serve("--mqtt", `127.0.0.1:${world.brokerPort}`, "--staged");
  const window = await t.window();
  await window.enter(world.user("ann", "admin"));
  await window.shows("To the first update in three steps");
  await window.shot("empty");
  for (const file of ["old.upd", "new.upd"]) {
    await window.go(file === "old.upd" ? "/" : `${BASE}/releases`);
    await window.fill({ file: world.path(file) });
    await window.upload();
  }
  await window.shows("1.0.1");
  const path = await window.link("/releases/");
  for (const imei of [FIRST, SECOND]) await device(world, imei, luat(world));
  for (const imei of [FIRST, SECOND]) await t.until("the devices", () => find(window, imei).then(() => true));
  await window.go(path);
  await window.fill({ devices: `${FIRST}\n${SECOND}` }, path + "/list");
  await window.press(path + "/list");
  await window.shows("Only the devices on its list may get it.");
  await verified(t, window, path);
  t.same("1.0.1", release(world, FIRST));
  t.same("1.0.0", release(world, SECOND));
  await rolledOut(t, window, path);
  await fallsBack(t, window);
}
