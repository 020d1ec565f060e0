// Every page, in both languages and at three widths, with hostile names: nothing serious for axe, nothing sideways.

import { WIDTHS } from "./browser.mjs";
import { hash, runs, says } from "./fleet.mjs";

const PRODUCT = "a1B2c3", HOSTILE = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>";

export const name = "look";

async function prepare(t) {
  const { world } = t;
  world.pack("packages/METER_1.0.0.upd", PRODUCT, 1, "1.0.0");
  world.pack("packages/METER_1.0.1.upd", PRODUCT, 2, "1.0.1");
  await world.broker();
  await world.serve("--mqtt", `127.0.0.1:${world.brokerPort}`, "--staged");
  for (let i = 0; i < 12; i++) runs(world, PRODUCT, i ? `meter-${i}` : HOSTILE, i % 5 ? "1.0.0" : HOSTILE);
  const window = await t.window();
  await window.enter(world.user("ann", "admin"));
  return window;
}

// A release that a hostile device verified, a rollout in which it failed, a hotfix with a hostile description.
async function fill(t, window, base) {
  const { world } = t;
  await window.go(`${base}/releases`);
  const release = await window.link("/releases/");
  await window.go(release);
  await window.fill({ name: "meter-1" }, release + "/verify");
  await window.press(release + "/verify");
  says(world, PRODUCT, "meter-1", 100);
  runs(world, PRODUCT, "meter-1", "1.0.1");
  await window.verified(release);
  await window.go(`${base}/rollouts/new?release=${release.slice(10)}`);
  await window.fill({ waves: "100" });
  await window.press(`/products/${hash(PRODUCT)}/rollouts`);
  await t.until("a failure", async () => {
    says(world, PRODUCT, "meter-2", -2, HOSTILE);
    await window.go(release + "?state=failed");
    return (await window.text()).includes("-2 the download failed");
  });
  world.hotfix("fix.zip", PRODUCT, 10, "v1");
  world.copy("fix.zip", "\"'><img src=x onerror=alert(1)>.zip");
  await window.go(`${base}/hotfixes`);
  await window.fill({ about: HOSTILE, file: world.path("\"'><img src=x onerror=alert(1)>.zip") });
  await window.upload();
  await window.shows("alert(2)");
  await window.go(`${base}/groups`);
  await window.fill({ name: "lab", names: "meter-1\n" + HOSTILE }, `/products/${hash(PRODUCT)}/groups`);
  await window.press(`/products/${hash(PRODUCT)}/groups`);
  await window.shows("alert(2)");
  await window.go(`${base}/webhooks`);
  await window.fill({ url: "https://hooks.example/\"'><script>alert(3)</script>" });
  await window.press(`/products/${hash(PRODUCT)}/webhooks`);
  await window.shows("shown once");
  world.days();
  await window.go(`${base}/devices`);
  const device = await window.link("/devices/");
  return { now: base, devices: `${base}/devices`, device, releases: `${base}/releases`, release: release + "?state=failed",
    hotfixes: `${base}/hotfixes`, hotfix: "/hotfixes/1", rollouts: `${base}/rollouts`, rollout: "/rollouts/1",
    "rollout-new": `${base}/rollouts/new?release=${release.slice(10)}`, events: `${base}/events`,
    groups: `${base}/groups?filter=${encodeURIComponent(HOSTILE)}`, group: "/groups/1", search: "/search?q=" + encodeURIComponent(HOSTILE.slice(0, 20)), settings: "/settings", uploads: "/uploads", depot: "/depot",
    audit: "/audit", webhooks: `${base}/webhooks`, webhook: "/webhooks/1" };
}

export async function run(t) {
  const window = await prepare(t), pages = await fill(t, window, "/p/" + hash(PRODUCT));
  for (const scheme of ["light", "dark"]) {
    await window.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const width of scheme === "dark" ? [1280] : WIDTHS) {
      await window.page.setViewport({ width, height: 800 });
      for (const lang of ["en", "zh"]) {
        for (const [page, path] of Object.entries(pages)) {
          t.same(200, await window.go(`${path}${path.includes("?") ? "&" : "?"}lang=${lang}`), page);
          t.none(await window.accessible());
          t.none((await window.wide()).map(text => `${page} at ${width}: ${text}`));
          t.ok((await window.page.content()).length < 100 * 1024, `${page} is smaller than 100 KiB`);
          await window.shot(`${page}-${lang}-${width}-${scheme}`);
        }
      }
    }
  }
}
