// A hotfix from the dialog to its release and end, with a real device of the Qinglian cloud.

import { hash } from "./fleet.mjs";
import { freePort, moult } from "./world.mjs";

const PRODUCT = "1001", BASE = "/p/" + hash(PRODUCT), MAC = "00:0c:29:4b:5b:1f", KEY = "0123456789ABCDEF";
const SCRIPT = "sys.taskInit(function() while true do print(\"clock \" .. require(\"clock\")()) sys.wait(1000) end end)";

export const name = "qinglian";

async function device(world, port) {
  world.write("device/secret", KEY + "\n", 0o600);
  for (const slot of ["a", "b"]) world.write(`device/slot-${slot}.img`, Buffer.alloc(6 << 20));
  world.write("device/config.lua", `return { project = "METER", product_key = "${PRODUCT}", hardware = "rev-a",
    id = "${MAC}", state = "state", keys = "../keys", confirm_after = 1, hotfix_time = 15,
    cloud = { kind = "qinglian", product = "${PRODUCT}", device = "${MAC}", secret_file = "secret", host = "127.0.0.1",
      port = ${port}, iv = "${"5a".repeat(16)}" } }`);
  world.write("app/clock.lua", "return function() return \"old\" end\n");
  world.pack("first.upd", PRODUCT, 1, "01.00", SCRIPT);
  world.moult("provision", "first.upd", "-c", "device/config.lua", "-q");
  await world.start("device", moult, ["run", "-c", "device/config.lua"], /clock old/);
}

export async function run(t) {
  const { world } = t, port = await freePort();
  await world.broker();
  world.write("qinglian.json", JSON.stringify({ listen: `127.0.0.1:${port}`, broker: `127.0.0.1:${world.brokerPort}`,
    products: { [PRODUCT]: KEY } }));
  await world.serve("--mqtt", `127.0.0.1:${world.brokerPort}`, "--settle", "1", "--qinglian", "qinglian.json");
  const window = await t.window();
  await window.enter(world.user("ann", "admin"));
  await device(world, port);
  await t.until("the device", async () => {
    await window.go("/search?q=" + MAC.replaceAll(":", "").toUpperCase());
    return (await window.text()).includes(MAC);
  });
  world.hotfix("fix.zip", PRODUCT, 2, "v00000001", "01.00");
  await window.go(`${BASE}/hotfixes?lang=zh`);
  await window.fill({ about: "热补丁测试文件", file: world.path("fix.zip") });
  await window.upload();
  await window.shows("热补丁测试文件");
  await window.fill({ device: MAC, timeout: "120" }, "/hotfixes/1/verify");
  await window.press("/hotfixes/1/verify");
  await window.shot("verifying");
  await window.waitFor("✓ 升级完成", 120000); // the stages as they happen
  await window.shot("verified");
  await t.until("the hotfix on the device", () => world.log("device").includes("clock v00000001"));
  await window.go("/hotfixes/1");
  await window.shows("再次验证");
  await window.fill({ devices: "00:0c:29:4b:5b:20" }, "/hotfixes/1/trial");
  await window.press("/hotfixes/1/trial");
  await window.press("/hotfixes/1/release");
  await window.shows("已发布");
  await window.go(`${BASE}/hotfixes`);
  await window.shows("00:0c:29:4b:5b:20");
  await window.shot("table");
  await window.go("/hotfixes/1");
  await window.press("/hotfixes/1");
  await window.shows("已删除");
}
