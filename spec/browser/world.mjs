// A depot with its console, packages, users and devices, in a temporary directory and on 127.0.0.1.

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, openSync, closeSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const moult = join(process.env.MOULT_BUILD || join(root, "build"), "moult");
const PATIENCE = 60000; // ms, after which something is broken, not slow

const sleep = ms => new Promise(done => setTimeout(done, ms));

// Wait until done() gives something; it may fail meanwhile.
export async function until(what, done, patience = PATIENCE) {
  const end = Date.now() + patience;
  let last;
  while (Date.now() < end) {
    try {
      const found = await done();
      if (found) return found;
    } catch (e) { last = e; }
    await sleep(100);
  }
  throw new Error(`not in time: ${what}${last ? ` (${last.message})` : ""}`);
}

export function freePort() {
  return new Promise(done => {
    const probe = createServer();
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

export class World {
  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), "moult-browser."));
    this.running = new Map();
    this.moult("keygen", "release");
    this.make("packages/keys", "keys");
    this.copy("release.pub", "keys/release.pub");
    this.copy("release.pub", "packages/keys/release.pub");
  }

  path(name) { return join(this.dir, name); }
  make(...names) { for (const name of names) mkdirSync(this.path(name), { recursive: true }); }
  read(name) { return readFileSync(this.path(name)); }
  write(name, text, mode) {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text, { mode });
  }
  copy(from, to) { this.write(to, this.read(from)); }

  // Run the program; its standard output.
  moult(...words) {
    return execFileSync(moult, words, { cwd: this.dir, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  log(name) { return readFileSync(this.path(name + ".log"), "utf8"); }

  // Start a program, and wait until its log has a pattern.
  async start(name, program, words, pattern) {
    const log = openSync(this.path(name + ".log"), "a");
    const child = spawn(program, words, { cwd: this.dir, stdio: ["ignore", log, log] });
    closeSync(log);
    this.running.set(name, child);
    return pattern && until(`${name}: ${pattern}`, () => {
      if (child.exitCode !== null) throw new Error(`${name} ended:\n${this.log(name)}`);
      return this.log(name).match(pattern);
    });
  }

  async stop(name) {
    const child = this.running.get(name);
    if (!child) return;
    this.running.delete(name);
    const ended = new Promise(done => child.once("exit", done));
    if (child.exitCode === null && child.signalCode === null) {
      child.kill();
      await ended;
    }
  }

  // A release of a product.
  pack(file, product, sequence, version, body = "sys.taskInit(function() while true do sys.wait(1000) end end)") {
    this.write("app/main.lua", `PROJECT, VERSION, PRODUCT_KEY = "METER", "${version}", "${product}"
local sys = require "sys"
${body}
sys.run()
`);
    this.write("recipe.lua", `return { project = "METER", product_key = "${product}", hardware = { "rev-a" },
  sequence = ${sequence}, version = "${version}", script = { dir = "app" } }`);
    this.moult("pack", "recipe.lua", "-o", file, "-k", "release.key", "-q");
    return this.path(file);
  }

  // A hotfix that says its version in place of the clock.
  hotfix(file, product, sequence, version, base = "1.0.0") {
    this.write("fix/fix/lua/clock.lua", `return function() return "${version}" end\n`);
    this.write("fix/recipe.lua", `return { project = "METER", product_key = "${product}", sequence = ${sequence},
  hotfix = { dir = "fix", name = "patch_test", version = "${version}", base = { script = "${base}" } } }`);
    this.moult("pack", "fix/recipe.lua", "-o", file, "-k", "release.key", "-q");
  }

  // Start mosquitto.
  async broker() {
    this.brokerPort = await freePort();
    this.write("mosquitto.conf", `listener ${this.brokerPort} 127.0.0.1
allow_anonymous true
user root
max_queued_messages 100000
`);
    await this.start("broker", "/usr/sbin/mosquitto", ["-c", "mosquitto.conf"], /mosquitto version .* running/);
  }

  // Start the depot with its console.
  async serve(...options) {
    this.httpPort = this.httpPort || await freePort();
    this.adminPort = this.adminPort || await freePort();
    await this.start("depot", moult, ["depot", "packages", "--keys", "release.pub", "--listen",
      `127.0.0.1:${this.httpPort}`, "--admin", `127.0.0.1:${this.adminPort}`, ...options], /listening on/);
    this.origin = `http://127.0.0.1:${this.adminPort}`;
    await until("the console", async () => (await fetch(this.origin + "/healthz")).ok);
  }

  // The depot has served for thirty days.
  days() { this.moult(join(root, "spec/browser/days.lua"), "packages"); }

  // A user; the link by which he sets a password.
  user(name, role, ...more) {
    return this.moult("depot", "user", "add", "packages", name, "--role", role, ...more).match(/http\S+/)[0];
  }

  async close() {
    for (const name of [...this.running.keys()].reverse()) await this.stop(name);
    rmSync(this.dir, { recursive: true, force: true });
  }
}
