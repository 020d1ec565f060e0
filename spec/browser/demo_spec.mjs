// scripts/demo --console, watched: a release is verified and rolled out in waves until the rollout pauses itself. The
// pictures of README are made here.

import { join, dirname } from "node:path";
import { readFileSync } from "node:fs";
import { hash } from "./fleet.mjs";
import { moult } from "./world.mjs";

const PRODUCT = "a1DemoPK01", BASE = "/p/" + hash(PRODUCT);

export const name = "demo";

export async function run(t) {
  const { world } = t;
  await world.start("demo", join(dirname(moult), "../scripts/demo"), ["--console"], /stays there until/);
  const link = world.log("demo").match(/http\S+\/once\S+/)[0];
  world.origin = new URL(link).origin;
  const window = await t.window({ width: 1000, height: 640, whole: false });
  await window.enter(link);
  await window.go(`${BASE}/releases`);
  const release = await window.link("/releases/");
  await window.go(release);
  await window.fill({ name: "meter-001" }, release + "/verify");
  await window.press(release + "/verify");
  await window.verified(release);
  await window.go(`${BASE}/rollouts/new?release=${release.slice(10)}`);
  await window.fill({ waves: "10,50,100", soak: "5s", limit: "5" });
  await window.press(`/products/${hash(PRODUCT)}/rollouts`);
  await window.go("/rollouts/1");
  await window.page.waitForSelector("svg[aria-label='Wave 2/3']", { timeout: 120000 });
  await window.shot("rollout");
  await window.go(BASE);
  await window.waitFor("A rollout is paused", 180000);
  await window.shot("now");
  t.ok(readFileSync(join(window.shots, "now.png")).length <= 150 * 1024, "the picture has at most 150 KiB");
}
