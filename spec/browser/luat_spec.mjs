// From an empty depot to a finished rollout, with a real device that asks as Luat's do.

import { hash } from "./fleet.mjs";
import { moult } from "./world.mjs";

const PRODUCT = "k-123", BASE = "/p/" + hash(PRODUCT), IMEI = "866714040000001";

export const name = "luat";

async function device(world) {
  world.write("device/config.lua", `return { project = "METER", product_key = "${PRODUCT}", hardware = "rev-a",
    id = "${IMEI}", state = "state", keys = "../keys", confirm_after = 1, backoff = { least = 1, most = 2 },
    cloud = { kind = "luat", url = "http://127.0.0.1:${world.httpPort}/api/site/firmware_upgrade", period = 1 } }`);
  world.moult("provision", "old.upd", "-c", "device/config.lua", "-q");
  await world.start("device", moult, ["run", "-c", "device/config.lua"]);
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
  const release = await window.link("/releases/");
  await device(world);
  await t.until("the device", async () => {
    await window.go(`/search?q=${IMEI}`);
    return (await window.text()).includes(IMEI);
  });
  await window.go(release);
  await window.fill({ devices: IMEI }, release + "/list");
  await window.press(release + "/list");
  await window.shows("Only the devices on its list may get it.");
  await window.fill({ name: IMEI }, release + "/verify");
  await window.press(release + "/verify");
  await window.shot("verifying");
  await window.verified(release, 120000);
  t.same("1.0.1", JSON.parse(world.moult("status", "--json", "-c", "device/config.lua")).release);
  await window.go(`/search?q=${IMEI}`);
  await window.shows("1.0.1");
  await window.shot("updated");
  await window.go(`${BASE}/rollouts/new?release=${release.slice(10)}`);
  await window.press(`/products/${hash(PRODUCT)}/rollouts`);
  await window.go("/rollouts/1");
  await window.shows("1: 1.0.1");
}
