// Runs the specs of the console in a browser: node run.mjs [NAME...]
//
// Screenshots go to the folder of MOULT_SHOTS. Prints a line for each spec; exits 1 if one fails.

import { deepStrictEqual, ok } from "node:assert";
import { join } from "node:path";
import { Window, launch } from "./browser.mjs";
import { World, until } from "./world.mjs";

const NAMES = ["look", "hands", "depot", "uploads", "luat", "qinglian"];
const shots = process.env.MOULT_SHOTS || "shots";

async function one(browser, name) {
  const spec = await import(`./${name}_spec.mjs`);
  const world = new World(), windows = [], faults = [];
  // What Chromium says itself of an answer that is no success, which specs ask for.
  const expected = /^Failed to load resource: the server responded with a status of (401|403|412|422)/;
  const t = { world, until, window: async options => {
    const window = await Window.open(browser, world, join(shots, name), { expected, ...options });
    windows.push(window);
    return window;
  }, same: (wanted, got, what) => deepStrictEqual(got, wanted, what && `${what}: ${got}, not ${wanted}`),
  ok, none: list => deepStrictEqual(list, [], list.join("\n")) };
  try {
    await spec.run(t);
  } catch (e) {
    faults.push(e.stack);
    for (const [i, window] of windows.entries()) await window.shot(`failed-${i}`).catch(() => {});
  }
  for (const window of windows) faults.push(...await window.close());
  await world.close();
  if (faults.length > 0) throw new Error(faults.join("\n"));
}

const browser = await launch();
let failed = 0;
for (const name of process.argv.length > 2 ? process.argv.slice(2) : NAMES) {
  try {
    await one(browser, name);
    console.log(`browser: ${name} ok`);
  } catch (e) {
    failed = 1;
    console.log(`browser: ${name} FAILED\n${e.stack}`);
  }
}
await browser.close();
process.exit(failed);
