--- The modules that keep the promises, and what should notice when a line of
-- one is wrong: C checks by name, the quickest first. What none of them
-- notices is shown to the enumerations of M.all.
--
-- @module modules

local M = {}

M.checks = {
  record = { "record", "journal", "boot", "keys", "device" },
  journal = { "journal", "permit", "status", "device", "phase" },
  history = { "history", "device" },
  keyset = { "keys", "permit" },
  keys = { "keys" },
  keys_format = { "keys" },
  permit = { "permit", "phase" },
  gates = { "device", "permit", "phase", "delta_install" },
  generation = { "archive", "device", "phase" },
  install = { "device", "phase", "delta_install", "reuse", "permit" },
  trial = { "phase", "device", "permit", "supervisor" },
  device = { "device", "phase", "permit", "status", "delta_install", "supervisor" },
  device_kept = { "reuse", "delta_install", "device" },
  device_source = { "delta_install", "device" },
  transfer = { "device", "reuse", "delta_install", "slot" },
  transfer_open = { "device", "reuse", "delta_install", "slot" },
  transfer_reuse = { "reuse", "delta_install" },
  blocks = { "device", "reuse", "delta_install", "seal", "slot" },
  seal = { "seal", "device" },
  inventory = { "reuse" },
  slot = { "slot", "device", "flash" },
  slot_mtd = { "slot" },
  slot_ubi = { "slot" },
  old_image = { "delta_install", "reuse" },
  boot = { "boot", "phase", "device" },
  boot_file = { "boot", "phase", "device" },
  boot_uboot = { "boot", "phase" },
  index = { "index", "package" },
  index_reader = { "index", "package", "device" },
  package = { "package", "verify" },
  layout = { "package", "verify" },
  verify = { "verify" },
  manifest = { "manifest", "package" },
  manifest_format = { "manifest", "pack" },
  tar = { "tar", "archive", "package" },
  codec = { "codec", "device" },
  minisign = { "minisign", "package" },
  minisign_format = { "minisign" },
  minisign_public = { "minisign", "keys" },
  signed = { "permit", "keys" },
  ed25519 = { "minisign" },
  storage = { "storage" },
  storage_system = { "storage" },
  storage_files = { "storage" },
  storage_names = { "storage" },
  storage_mounted = { "storage", "flash" },
  supervisor = { "supervisor" },
  supervisor_script = { "supervisor" },
  supervisor_lines = { "supervisor" },
  child = { "child", "child_start", "supervisor" },
  policy = { "policy" },
  policy_good = { "policy" },
  channel = { "channel" },
}

-- Asked last: each takes a while.
M.all = { { "crash", "--sample" }, { "fault_check" } }

return M
