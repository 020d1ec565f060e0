// Devices of Aliyun's cloud that say what a spec wants.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";

export const hash = key => createHash("sha256").update(key).digest("hex");

function publish(world, topic, params) {
  execFileSync("mosquitto_pub", ["-h", "127.0.0.1", "-p", String(world.brokerPort), "-q", "1", "-t", topic,
    "-m", JSON.stringify({ id: 1, params })]);
}

// Somebody listens at all devices of a product; the log has their offers.
export async function listen(world, product) {
  await world.start("offers", "mosquitto_sub", ["-h", "127.0.0.1", "-p", String(world.brokerPort), "-v", "-t",
    `/ota/device/upgrade/${product}/+`]);
}

export function runs(world, product, device, version) {
  publish(world, `/ota/device/inform/${product}/${device}`, { version });
}

export function says(world, product, device, step, desc = "") {
  publish(world, `/ota/device/progress/${product}/${device}`, { step: String(step), desc });
}
