// Uploads that broke off: their page, going on with and without script, giving up; a file that is dropped on the form.

import { hash } from "./fleet.mjs";

const PRODUCT = "a1B2c3", BASE = "/p/" + hash(PRODUCT);

export const name = "uploads";

// Send the first bytes of a package, as a browser does whose connection then breaks.
function begin(window, name, bytes, count) {
  return window.page.evaluate(async (name, size, part) => {
    const token = { "X-CSRF-Token": document.querySelector("[name=csrf]").value };
    const begun = await fetch("/api/v1/uploads", { method: "POST", headers: { ...token,
      "Content-Type": "application/json" }, body: JSON.stringify({ name, size }) });
    const { id } = await begun.json();
    await fetch("/api/v1/uploads/" + id, { method: "PUT", headers: { ...token, "Upload-Offset": "0" },
      body: new Uint8Array(part) });
    return id;
  }, name, bytes.length, [...bytes.subarray(0, count)]);
}

// Let a file fall on a form.
async function drop(window, form, name, bytes) {
  return window.page.evaluate((form, name, bytes) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], name));
    const target = document.querySelector(form);
    for (const type of ["dragover", "drop"]) {
      target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
    }
    return target.elements.file.files[0].name;
  }, form, name, [...bytes]);
}

export async function run(t) {
  const { world } = t;
  world.pack("first.upd", PRODUCT, 1, "1.0.0");
  world.pack("second.upd", PRODUCT, 2, "1.0.1");
  await world.serve("--staged");
  const window = await t.window();
  await window.enter(world.user("ann", "admin"));
  const first = world.read("first.upd"), second = world.read("second.upd");
  t.same("first.upd", await drop(window, "form[data-upload]", "first.upd", first), "a dropped file is chosen");
  await window.upload();
  await window.go(`${BASE}/releases`);
  await window.shows("1.0.0");

  const id = await begin(window, "second.upd", second, 1000);
  await window.go("/uploads");
  await window.shows("not whole yet");
  await window.shot("begun");
  t.none(await window.accessible());
  const form = `form[data-upload="${id}"]`;
  await window.page.click("main table details summary");
  await (await window.page.$(form + " [name=file]")).uploadFile(world.path("first.upd"));
  if (first.length !== second.length) {
    await window.page.click(form + " button");
    await window.waitFor("That is another file");
  }
  await (await window.page.$(form + " [name=file]")).uploadFile(world.path("second.upd"));
  const sent = [];
  window.page.on("request", r => { if (r.method() === "PUT") sent.push(r.headers()["upload-offset"]); });
  await window.leads(() => window.page.click(form + " button"));
  t.same("1000", sent[0], "only what was missing is sent");
  await window.shows("taken in");
  await window.go(`${BASE}/releases`);
  await window.shows("1.0.1");

  await begin(window, "given-up.upd", second, 10);
  const plain = await t.window({ script: false });
  await plain.logIn("ann");
  world.pack("third.upd", PRODUCT, 3, "1.0.2");
  const kept = await begin(window, "third.upd", world.read("third.upd"), 10);
  await plain.go("/uploads");
  await plain.page.click("main table details summary");
  await (await plain.page.$(`form[data-upload="${kept}"] [name=file]`)).uploadFile(world.path("third.upd"));
  t.same(200, await plain.leads(() => plain.page.click(`form[data-upload="${kept}"] button`)));
  await plain.shows("given-up.upd");
  t.same(200, await plain.leads(() => plain.page.click("form[action^='/do/uploads/'] button")));
  await plain.go(`${BASE}/releases`);
  await plain.shows("1.0.2");
}
