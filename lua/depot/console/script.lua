--- The script of the console. Nothing needs it.
--
-- Pure. It shows times in the zone of the reader, renews the parts of a page that have changed, and sends packages with
-- their progress, going on after a break. A part in which somebody works is left alone: a line says then that it has
-- changed.
--
-- @module depot.console.script

return [[
"use strict";
const $$ = (what, where = document) => [...where.querySelectorAll(what)];
const zone = document.body.dataset.zone;
function localTimes(where) {
  for (const t of $$("time[datetime]", where)) {
    t.title = t.textContent;
    t.textContent = new Date(t.dateTime).toLocaleString(document.documentElement.lang,
      { dateStyle: "short", timeStyle: "short", timeZone: zone });
  }
}

// Parts, as the server wrote them last.
const news = document.getElementById("news");
const parts = new Map($$("[data-part]").map(p => [p.dataset.part, p.innerHTML]));
localTimes(document);
const busy = part => part.contains(document.activeElement) || $$("details[open]", part).length > 0;
let due, renewing;
async function renew() {
  due = undefined;
  if (renewing || document.hidden) return;
  if (parts.size === 0) { news.hidden = false; return; }
  renewing = true;
  try {
    const answer = await fetch(location.href);
    if (answer.redirected || !answer.ok) { news.hidden = false; return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    let left = false;
    for (const part of $$("[data-part]")) {
      const name = part.dataset.part, fresh = page.querySelector(`[data-part="${CSS.escape(name)}"]`);
      if (!fresh || fresh.innerHTML === parts.get(name)) continue;
      if (busy(part)) { left = true; continue; }
      parts.set(name, fresh.innerHTML);
      part.replaceChildren(...fresh.childNodes);
      localTimes(part);
    }
    news.hidden = !left;
  } catch (e) {
    // The server cannot be reached for now.
  } finally { renewing = false; }
}
function later() { due = due || setTimeout(renew, 1500); }

// One stream for all windows, where the browser has locks; none while hidden.
const live = document.body.hasAttribute("data-live");
const channel = new BroadcastChannel("moult");
channel.onmessage = later;
let source, leave;
function open() {
  source = new EventSource("/api/v1/events/live");
  source.onmessage = () => { later(); channel.postMessage(1); };
}
function watch() {
  if (!live || source || leave || document.hidden) return;
  if (!navigator.locks) { open(); return; }
  const stop = new AbortController();
  leave = () => stop.abort();
  navigator.locks.request("moult", { signal: stop.signal }, () => new Promise(done => {
    open();
    leave = done;
  })).catch(() => {});
}
function unwatch() {
  if (source) source.close();
  if (leave) leave();
  source = leave = undefined;
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) unwatch(); else { watch(); if (live) later(); }
});
watch();
setInterval(() => { if ($$("[data-poll]").length > 0) renew(); }, 2000);

// A package, with its progress.
const wait = ms => new Promise(done => setTimeout(done, ms));
function send(url, headers, bytes, progress) {
  return new Promise(done => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    for (const name in headers) request.setRequestHeader(name, headers[name]);
    request.upload.onprogress = progress;
    request.onloadend = () => done(request);
    request.send(bytes);
  });
}
async function describe(form, upload) {
  const text = form.elements.about && form.elements.about.value;
  if (!text || !upload.hotfix) return upload;
  const url = "/api/v1/hotfixes/" + upload.hotfix;
  const answer = await fetch(url, { method: "PATCH", headers: { "X-CSRF-Token": form.elements.csrf.value,
    "Content-Type": "application/json", "If-Match": (await fetch(url)).headers.get("ETag") },
    body: JSON.stringify({ about: text }) });
  return answer.ok ? upload : answer.json();
}
async function put(form, file, say) {
  const token = { "X-CSRF-Token": form.elements.csrf.value };
  const begun = await fetch("/api/v1/uploads", { method: "POST", headers: { ...token,
    "Content-Type": "application/json" }, body: JSON.stringify({ name: file.name, size: file.size,
      product: form.elements.product ? form.elements.product.value : undefined }) });
  const upload = await begun.json();
  if (!begun.ok) return upload;
  const url = "/api/v1/uploads/" + upload.id;
  for (let offset = 0, tries = 0; ; tries++) {
    const sent = await send(url, { ...token, "Upload-Offset": offset }, file.slice(offset),
      e => say(offset + e.loaded, file.size));
    if (sent.status || tries === 5) return sent.status ? JSON.parse(sent.responseText) : { error: { message: "?" } };
    await wait(1000 << tries);
    const now = await fetch(url).catch(() => undefined);
    if (now && now.ok) offset = (await now.json()).offset;
  }
}
for (const form of $$("form[data-upload]")) {
  const bar = form.querySelector("progress"), text = form.querySelector("[role=status]");
  form.addEventListener("submit", async event => {
    const file = form.elements.file.files[0];
    if (!file) return;
    event.preventDefault();
    form.querySelector("button").disabled = true;
    bar.hidden = false;
    const result = await put(form, file, (sent, size) => {
      bar.value = sent / size;
      text.textContent = sent < size ? `${Math.floor(sent * 100 / size)} %` : form.dataset.checking;
    }).then(upload => describe(form, upload)).catch(error => ({ error: { message: String(error) } }));
    if (!result.error) {
      location.assign(form.elements.back.value.replace("{hotfix}", result.hotfix));
      return;
    }
    text.textContent = result.error.message;
    text.className = "bad";
    bar.hidden = true;
    form.querySelector("button").disabled = false;
  });
}
]]
