--- The tables of depot.store, and the steps that upgrade those of earlier versions.
--
-- @module depot.store.schema

local accounts = require "depot.accounts"
local audit = require "depot.audit"
local daily = require "depot.store.daily"
local disabled = require "depot.disabled"
local events = require "depot.store.events"
local groups = require "depot.store.groups"
local products = require "depot.store.products"
local records = require "depot.rollout.records"
local releases = require "depot.releases"
local secrets = require "depot.store.secrets"
local standings = require "depot.store.standings"
local tags = require "depot.tags"
local tasks = require "depot.store.tasks"
local undo = require "depot.store.undo"
local uploads = require "depot.store.uploads"
local webhooks = require "depot.store.webhooks"

local M = {}

--- Columns of a device's row, in order.
M.columns = {
  "cloud", "product", "device", "hash", "release", "other", "module", "package", "target", "kind", "state", "step",
  "code", "text", "finished", "tries", "renewing", "renewals", "due", "heard", "changed", "offers",
  "ends", "dead", "not_listening", "rollout", "wave", "failures", "again", "reason", "core", "hardware",
  "source", "admitted", "zone",
}

-- Patches for devices of the Qinglian cloud, and how far each device is with one (depot.patch_store).
local PATCHES = [[
  CREATE TABLE patch (
    id INTEGER PRIMARY KEY, hash TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, about TEXT,
    stage TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, crc INTEGER NOT NULL, made INTEGER NOT NULL,
    UNIQUE (hash, version));
  CREATE TABLE patch_device (
    patch INTEGER NOT NULL, device TEXT NOT NULL, trial INTEGER, wait INTEGER, state TEXT, percent INTEGER,
    text TEXT, fetched INTEGER, changed INTEGER,
    PRIMARY KEY (patch, device)) WITHOUT ROWID;
]]

-- Which devices a rollout is for, if they are fixed; and how many of its jobs are in which state. Triggers keep the
-- tally in the transaction that changes the job, whoever makes it.
local ROLLOUTS = releases.schema .. [[
  CREATE TABLE rollout_member (
    rollout INTEGER NOT NULL, cloud TEXT NOT NULL, device TEXT NOT NULL,
    PRIMARY KEY (rollout, cloud, device)) WITHOUT ROWID;
  CREATE TABLE tally (
    rollout INTEGER NOT NULL, wave INTEGER NOT NULL, state TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (rollout, wave, state)) WITHOUT ROWID;
  CREATE INDEX device_rollout ON device (rollout, state, ends) WHERE rollout IS NOT NULL;
  CREATE TRIGGER tally_leave AFTER UPDATE OF rollout, wave, state ON device
    WHEN OLD.rollout IS NOT NULL
      AND (OLD.rollout IS NOT NEW.rollout OR OLD.wave IS NOT NEW.wave OR OLD.state IS NOT NEW.state) BEGIN
    UPDATE tally SET n = n - 1 WHERE rollout = OLD.rollout AND wave = OLD.wave AND state = OLD.state; END;
  CREATE TRIGGER tally_enter AFTER UPDATE OF rollout, wave, state ON device
    WHEN NEW.rollout IS NOT NULL
      AND (OLD.rollout IS NOT NEW.rollout OR OLD.wave IS NOT NEW.wave OR OLD.state IS NOT NEW.state) BEGIN
    INSERT INTO tally VALUES (NEW.rollout, NEW.wave, NEW.state, 1)
      ON CONFLICT (rollout, wave, state) DO UPDATE SET n = n + 1; END;
  CREATE TRIGGER tally_new AFTER INSERT ON device WHEN NEW.rollout IS NOT NULL BEGIN
    INSERT INTO tally VALUES (NEW.rollout, NEW.wave, NEW.state, 1)
      ON CONFLICT (rollout, wave, state) DO UPDATE SET n = n + 1; END;
  CREATE TRIGGER tally_gone AFTER DELETE ON device WHEN OLD.rollout IS NOT NULL BEGIN
    UPDATE tally SET n = n - 1 WHERE rollout = OLD.rollout AND wave = OLD.wave AND state = OLD.state; END;
  PRAGMA user_version = 6;
]]

--- A new database.
M.whole = [[
  CREATE TABLE device (
    cloud TEXT NOT NULL, product TEXT NOT NULL, device TEXT NOT NULL, hash TEXT NOT NULL,
    release TEXT, other TEXT, module TEXT,
    package TEXT, target TEXT, kind TEXT, state TEXT, step INTEGER, code INTEGER, text TEXT,
    finished INTEGER, tries INTEGER, renewing INTEGER, renewals INTEGER,
    due INTEGER, heard INTEGER, changed INTEGER, offers INTEGER, ends INTEGER, dead INTEGER,
    not_listening INTEGER, rollout INTEGER, wave INTEGER, failures INTEGER, again INTEGER, reason TEXT, source TEXT,
    PRIMARY KEY (cloud, product, device)) WITHOUT ROWID;
  CREATE INDEX device_due ON device (due) WHERE due IS NOT NULL;
  CREATE INDEX device_open ON device (changed) WHERE state = 'upgrading';
  CREATE TABLE rollout (
    id INTEGER PRIMARY KEY, package TEXT NOT NULL, target TEXT NOT NULL, hash TEXT NOT NULL,
    cloud TEXT, product TEXT, source TEXT, made INTEGER NOT NULL, filter TEXT,
    kind TEXT NOT NULL DEFAULT 'batch', state TEXT NOT NULL DEFAULT 'running', before TEXT,
    reason TEXT, priority INTEGER NOT NULL DEFAULT 0, plan TEXT,
    wave INTEGER NOT NULL DEFAULT 1, wave_at INTEGER, soak_at INTEGER, starts_at INTEGER, limits_from INTEGER,
    verdicts INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0, ended INTEGER);
  CREATE TABLE verified (
    package TEXT PRIMARY KEY, target TEXT NOT NULL, cloud TEXT, product TEXT, device TEXT, time INTEGER NOT NULL);
  CREATE TABLE file (name TEXT PRIMARY KEY, tag TEXT NOT NULL, md5 TEXT NOT NULL);
  CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
]] .. PATCHES .. ROLLOUTS .. tags.schema .. audit.schema .. accounts.schema .. events.schema
  .. groups.schema .. tags.index .. groups.index .. uploads.schema .. products.schema .. products.zone
  .. standings.schema .. secrets.schema .. releases.notes
  .. products.unsigned .. products.admission .. records.zones .. records.judged .. disabled.schema
  .. undo.schema .. tasks.schema .. daily.schema .. webhooks.schema .. "PRAGMA user_version = 25;"


--- The step from each earlier version to the next.
M.later = {
  [1] = "ALTER TABLE device ADD COLUMN offers INTEGER; PRAGMA user_version = 2;",
  [2] = "ALTER TABLE device ADD COLUMN ends INTEGER; ALTER TABLE device ADD COLUMN dead INTEGER; "
    .. "ALTER TABLE device ADD COLUMN deaf INTEGER; PRAGMA user_version = 3;",
  [3] = "ALTER TABLE rollout ADD COLUMN filter TEXT; PRAGMA user_version = 4;",
  [4] = PATCHES .. "PRAGMA user_version = 5;",
  -- A batch of earlier versions becomes a rollout that is running: one wave, without a plan.
  [5] = [[
    ALTER TABLE device ADD COLUMN rollout INTEGER; ALTER TABLE device ADD COLUMN wave INTEGER;
    ALTER TABLE device ADD COLUMN failures INTEGER; ALTER TABLE device ADD COLUMN again INTEGER;
    ALTER TABLE rollout ADD COLUMN kind TEXT NOT NULL DEFAULT 'batch';
    ALTER TABLE rollout ADD COLUMN state TEXT NOT NULL DEFAULT 'running';
    ALTER TABLE rollout ADD COLUMN before TEXT; ALTER TABLE rollout ADD COLUMN reason TEXT;
    ALTER TABLE rollout ADD COLUMN priority INTEGER NOT NULL DEFAULT 0; ALTER TABLE rollout ADD COLUMN plan TEXT;
    ALTER TABLE rollout ADD COLUMN wave INTEGER NOT NULL DEFAULT 1; ALTER TABLE rollout ADD COLUMN wave_at INTEGER;
    ALTER TABLE rollout ADD COLUMN soak_at INTEGER; ALTER TABLE rollout ADD COLUMN starts_at INTEGER;
    ALTER TABLE rollout ADD COLUMN limits_from INTEGER;
    ALTER TABLE rollout ADD COLUMN verdicts INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE rollout ADD COLUMN failed INTEGER NOT NULL DEFAULT 0; ALTER TABLE rollout ADD COLUMN ended INTEGER;
  ]] .. ROLLOUTS,
  [6] = "ALTER TABLE device ADD COLUMN reason TEXT; PRAGMA user_version = 7;",
  [7] = tags.schema .. "PRAGMA user_version = 8;",
  [8] = audit.schema .. accounts.schema .. "PRAGMA user_version = 9;",
  [9] = events.schema .. "PRAGMA user_version = 10;",
  [10] = groups.schema .. "PRAGMA user_version = 11;",
  [11] = tags.index .. groups.old_index .. "PRAGMA user_version = 12;",
  [12] = uploads.schema .. "PRAGMA user_version = 13;",
  [13] = products.schema .. "PRAGMA user_version = 14;",
  [14] = "ALTER TABLE device RENAME COLUMN deaf TO not_listening; ALTER TABLE device ADD COLUMN source TEXT; "
    .. products.zone .. standings.schema .. "PRAGMA user_version = 15;",
  [15] = secrets.schema .. "PRAGMA user_version = 16;",
  [16] = releases.notes .. "PRAGMA user_version = 17;",
  [17] = products.unsigned .. "PRAGMA user_version = 18;",
  [18] = products.admission .. "PRAGMA user_version = 19;",
  [19] = records.zones .. "PRAGMA user_version = 20;",
  [20] = records.judged .. "PRAGMA user_version = 21;",
  [21] = disabled.schema .. "PRAGMA user_version = 22;",
  [22] = undo.schema .. tasks.schema .. "PRAGMA user_version = 23;",
  [23] = daily.schema .. "PRAGMA user_version = 24;",
  [24] = webhooks.schema .. "PRAGMA user_version = 25;",
}

return M
