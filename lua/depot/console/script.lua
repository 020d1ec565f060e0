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
      { dateStyle: "medium", timeStyle: "medium", timeZone: zone });
  }
}

// Parts, as the server wrote them last.
const news = document.getElementById("news");
const parts = new Map($$("[data-part]").map(p => [p.dataset.part, p.innerHTML]));
const scripted = where => { localTimes(where); $$(".drop", where).forEach(p => { p.hidden = false; }); };
scripted(document);
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
      scripted(part);
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
// A new one, or one that goes on with the same file.
async function begin(form, file, token) {
  const id = form.dataset.upload;
  if (id) {
    if (String(file.size) !== form.dataset.size) return { error: { message: form.dataset.other } };
    return (await fetch("/api/v1/uploads/" + id)).json();
  }
  return (await fetch("/api/v1/uploads", { method: "POST", headers: { ...token, "Content-Type": "application/json" },
    body: JSON.stringify({ name: file.name, size: file.size,
      product: form.elements.product ? form.elements.product.value : undefined }) })).json();
}
async function put(form, file, say) {
  const token = { "X-CSRF-Token": form.elements.csrf.value }, upload = await begin(form, file, token);
  if (upload.error) return upload;
  const url = "/api/v1/uploads/" + upload.id;
  for (let offset = upload.offset, tries = 0; ; tries++) {
    const sent = await send(url, { ...token, "Upload-Offset": offset }, file.slice(offset),
      e => say(offset + e.loaded, file.size));
    if (sent.status || tries === 5) return sent.status ? JSON.parse(sent.responseText) : { error: { message: "?" } };
    await wait(1000 << tries);
    const now = await fetch(url).catch(() => undefined);
    if (now && now.ok) offset = (await now.json()).offset;
  }
}
async function upload(form, file) {
  const bar = form.querySelector("progress"), text = form.querySelector("[role=status]");
  form.querySelector("button").disabled = true;
  bar.hidden = false;
  text.className = "";
  const result = await put(form, file, (sent, size) => {
    bar.value = sent / size;
    text.textContent = sent < size ? `${Math.floor(sent * 100 / size)} %` : form.dataset.checking;
  }).then(done => describe(form, done)).catch(error => ({ error: { message: String(error) } }));
  if (!result.error) {
    location.assign(form.elements.back.value.replace("{hotfix}", result.hotfix));
    return;
  }
  text.textContent = result.error.message;
  text.className = "bad";
  bar.hidden = true;
  form.querySelector("button").disabled = false;
}
document.addEventListener("submit", event => {
  const file = event.target.matches("form[data-upload]") && event.target.elements.file.files[0];
  if (!file) return;
  event.preventDefault();
  upload(event.target, file);
});

// A file that is dropped on a form is chosen there; beside it, it does not take the page's place.
if ($$("form[data-upload]").length > 0) {
  const formOf = event => event.target.closest && event.target.closest("form[data-upload]");
  const mark = form => $$("form[data-upload]").forEach(f => f.classList.toggle("over", f === form));
  document.addEventListener("dragover", event => { event.preventDefault(); mark(formOf(event)); });
  document.addEventListener("dragleave", () => mark());
  document.addEventListener("drop", event => {
    event.preventDefault();
    mark();
    const form = formOf(event);
    if (form && event.dataTransfer.files.length === 1) form.elements.file.files = event.dataTransfer.files;
  });
}
]]
