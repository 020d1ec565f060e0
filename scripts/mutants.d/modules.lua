--- The modules that keep the promises, and what should notice when a line of
-- one is wrong: the C checks that know it, then a few flows of the crash
-- enumeration, and last those checks that take seconds. What is alive then is
-- shown to more of the program, by wing: that takes minutes.
--
-- @module modules

local M = {}

M.checks = {
  record = { "record", "record_moment", "journal", "boot", "lost", "keys" },
  record_half = { "record", "record_moment", "journal", "boot", "lost" },
  journal = { "journal", "permit", "status", "generation", "phase", "device", "lost" },
  history = { "history", "journal", "calls", "phase", "device" },
  keyset = { "permit", "generation", "keys" },
  keys = { "permit", "generation", "keys" },
  keys_format = { "keys" },
  permit = { "permit", "phase" },
  public_address = { "public_address" },
  record_walk = { "journal" }, config_kept = { "config_kept" },
  hotfix = { "hotfix", "hotfix_settle" }, hotfix_gate = { "hotfix", "hotfix_set" },
  hotfix_ledger = { "hotfix_ledger", "hotfix" },
  hotfix_stage = { "hotfix", "hotfix_set" },
  hotfix_signed = { "hotfix", "hotfix_set" }, hotfix_unsigned = { "hotfix", "hotfix_set" },
  hotfix_move = { "hotfix", "hotfix_set", "hotfix_settle" }, hotfix_settle = { "hotfix", "hotfix_settle" },
  hotfix_set = { "hotfix", "hotfix_set", "hotfix_settle" },
  hotfix_overlap = { "hotfix", "hotfix_set", "hotfix_settle" },
  files_kept = { "hotfix", "files_kept" }, files_reverse = { "files_kept", "hotfix", "hotfix_settle" },
  supervisor_hotfix = { "hotfix" }, supervisor_hotfix_test = { "hotfix" },
  gates = { "permit", "phase", "time", "device", "delta_install" },
  generation = { "archive", "generation", "phase", "device" },
  generation_kept = { "generation", "phase", "device" },
  generation_reader = { "archive", "generation", "phase" },
  unpack = { "archive", "generation" },
  update_ini = { "update_ini" },
  script_archive = { "archive", "generation", "phase" }, tar_reader = { "archive", "files_archive" },
  files_archive = { "files_archive" }, bare_files = { "bare_files" }, files_folder = { "pack", "bare_files" },
  files_part = { "files" },
  files_plan = { "files_plan", "files" }, files_make = { "files" }, files_twin = { "files", "files_fault" },
  files_found = { "files", "files_fault" },
  files_stage = { "files", "files_record", "files_fault" }, files_here = { "files", "files_record", "files_fault" },
  files_tree = { "files", "files_tree", "files_fault" },
  files_ops = { "files", "files_foreign", "files_record", "files_kept", "files_fault" },
  files_forward = { "files", "files_foreign", "files_record", "files_weak", "files_fault" },
  files_back = { "files", "files_foreign", "files_record", "files_weak", "files_fault" },
  files_target = { "files", "files_foreign", "files_record", "files_fault" },
  files_foreign = { "files", "files_foreign", "files_fault" }, files = { "files", "files_record", "files_fault" },
  files_clean = { "settle" }, device_settle = { "settle", "device_tree", "device_tree_fault", "files_root" },
  device_alone = { "settle", "device_tree_fault", "hotfix_settle" },
  device_tree = { "settle", "device_tree", "supervisor_alone", "hotfix_settle", "device_tree_fault" },
  device_tree_facts = { "settle", "device_tree", "device_tree_fault" },
  device_counted = { "settle", "trouble" },
  files_helper = { "files_helper" }, supervisor_files = { "supervisor_files" },
  running_system = { "files_programs" }, files_executable = { "files_programs" }, files_ran = { "files_programs" },
  files_programs = { "files_programs" }, files_alive = { "files_programs" },
  files_weak_dir = { "files_weak", "files_fault" }, files_open = { "files", "files_record", "files_claim" },
  files_suspended = { "files_record", "files_mixed", "files_root" }, files_named = { "files_kept", "files_mixed" },
  files_weak = { "files_weak", "files_fault" }, files_copy = { "files", "files_tree", "files_fault" },
  files_staging = { "files", "files_weak", "files_fault" }, files_try = { "files", "files_weak", "files_fault" },
  files_tidy = { "files", "files_record", "files_fault" }, files_settle = { "files" },
  roots = { "roots" },
  device_script = { "generation", "phase", "supervisor", "device" },
  device_armed = { "generation", "phase", "permit", "device" },
  records = { "record", "status", "phase", "lost", "device" },
  provision = { "permit", "phase", "record", "lost", "device" },
  install = { "install", "time", "phase", "permit", "reuse", "generation", "delta_install", "device" },
  install_finish = { "install", "phase", "permit", "reuse", "generation", "delta_install", "device" },
  trial = { "settle", "device_tree", "phase", "permit", "trouble", "supervisor", "generation", "kept_out", "outage",
    "device" },
  rollback = { "phase", "permit", "settle", "device_tree", "trouble", "supervisor", "generation", "kept_out", "outage",
    "device" },
  device = { "phase", "permit", "status", "trouble", "supervisor", "generation", "kept_out", "time", "reuse", "device",
    "delta_install" },
  device_state = { "phase", "permit", "status", "trouble", "generation", "device" },
  device_boot = { "trouble", "phase", "boot", "supervisor", "device" },
  device_gates = { "permit", "phase", "time", "hotfix", "hotfix_set", "device", "delta_install" },
  device_clean = { "generation", "phase", "trouble", "device" },
  device_traces = { "lost", "phase", "trouble", "device" },
  provision_end = { "permit", "phase", "time", "record", "trouble", "lost", "device" },
  device_start = { "trouble", "phase", "permit", "supervisor", "generation", "status", "device" },
  device_time = { "time", "permit", "device" },
  device_kept = { "reuse", "device", "delta_install" },
  device_kept_out = { "kept_out" },
  device_quarantine = { "outage", "phase" },
  running_image = { "device", "delta_install" },
  transfer = { "reuse", "install", "slot", "device", "delta_install" },
  transfer_state = { "reuse", "device", "delta_install" },
  transfer_open = { "reuse", "slot", "device", "delta_install" },
  transfer_reuse = { "reuse", "delta_install" }, transfer_unfinished = { "install", "reuse" },
  package_copy = { "package_copy" }, source_pushed = { "source_pushed" },
  reuse = { "reuse", "delta_install" },
  blocks = { "block_mac", "reuse", "slot", "device", "delta_install" },
  block_mac = { "block_mac", "reuse", "device" },
  inventory = { "reuse" },
  slot = { "slot", "flash", "device" },
  slot_plain = { "slot", "flash", "device" },
  slot_link = { "slot" },
  slot_medium = { "slot", "flash_image", "device" },
  slot_media = { "slot", "flash", "device" },
  slot_mtd = { "slot", "flash_image" },
  slot_ubi = { "slot", "flash_image" },
  flash = { "flash_image" },
  old_image = { "slot", "reuse", "delta_install" },
  boot = { "boot", "calls", "phase", "device" },
  boot_file = { "boot", "phase", "device" },
  boot_uboot = { "boot", "phase" },
  crc32c = { "record", "boot" },
  index = { "index", "package", "delta_package" },
  index_reader = { "index", "package", "device" },
  package = { "package", "verify" }, package_spool = { "package" },
  package_layout = { "package", "verify" },
  verify = { "verify" },
  manifest = { "manifest", "package" }, manifest_verify = { "package", "verify" },
  manifest_format = { "manifest", "pack", "package" },
  version = { "version" },
  tar = { "tar", "archive", "package" },
  codec = { "archive", "delta_package", "codec", "device" },
  keyring = { "verify", "package", "minisign", "keys" },
  minisign_format = { "minisign" },
  public_key = { "minisign", "keys" },
  signed = { "permit", "keys" },
  ed25519 = { "minisign" },
  printable = { "printable", "history", "manifest", "status", "package" },
  storage = { "storage", "cache", "calls", "archive" },
  system_cache = { "cache", "storage", "calls" },
  system = { "storage", "cache", "calls" },
  program = { "program", "storage", "calls" },
  system_files = { "storage", "cache", "calls" },
  system_names = { "storage", "flash", "calls" }, system_dirs = { "dirs", "calls" },
  system_mounts = { "storage", "flash" },
  supervisor = { "supervisor", "hotfix", "supervisor_files" }, supervisor_say = { "supervisor" },
  supervisor_script = { "supervisor", "hotfix" },
  supervisor_restart = { "supervisor" }, supervisor_alone = { "supervisor_alone", "supervisor", "supervisor_files" },
  supervisor_protocol = { "supervisor", "hotfix" },
  supervisor_trouble = { "supervisor", "trouble" },
  child = { "child", "child_start", "supervisor", "calls" },
  processes_system = { "child", "child_start", "log", "supervisor", "calls" },
  log = { "log" },
  relay = { "relay", "log", "child" },
  orphans = { "orphans", "supervisor" },
  policy = { "policy", "calls" },
  policy_last_good = { "policy" },
  channel = { "channel", "calls" }, listener = { "channel", "calls" }, local_socket = { "channel", "calls" },
  archive_reader = { "hostile_archive", "archive_fault" },
  archive_names = { "hostile_archive", "archive_fault" },
  archive_zip = { "hostile_archive", "archive_fault" },
  archive_extract = { "hostile_archive", "archive_fault" },
  moult = { "client" },
  moult_link = { "client" }, aliyun = { "aliyun" }, moult_base64 = { "moult_base64", "aliyun" },
}

local function flow(name)
  return { "crash", ("--sample '%s'"):format(name) }
end

-- A few flows of the crash enumeration that go through most of it, a few seconds each.
local usual = { flow "second both", flow "uboot both fails" }

-- Of modules that only other flows reach, or none: what lies below the
-- simulated storage, and what starts no transaction.
local flows = {
  boot_file = { flow "both", flow "slot dead" },
  delta = { flow "both by delta" },
  flash = { flow "slot on NAND", flow "both on UBI" },
  factory = { flow "provision" },
  files = { { "files", "'confirmed, writer'" }, { "files", "'rolled back, writer'" },
    { "files", "confirmed" }, { "files", "'rolled back, no links'" },
    { "files", "'rolled back, foreign'" } },
  hotfixes = { { "hotfixes", "--once applied" }, { "hotfixes", "--once failed" },
    { "hotfixes", "--once 'opaque, higher'" }, { "hotfixes", "--once 'files alone'" },
    { "hotfixes", "'files, undone'" }, { "hotfixes", "'files, higher, and back'" },
    { "hotfixes", "'files, dropped by files'" }, { "hotfixes", "'files, stay'" },
    { "hotfixes", "'files, a release on its way'" },
    { "hotfixes", "--once 'files, undone'" }, { "hotfixes", "--once 'files, dropped by files'" } },
  opaque = { { "hotfixes", "--once 'opaque, higher'" }, { "hotfixes", "'opaque, higher'" } },
  settle = { flow "files settled", flow "alone files fail", flow "files crash settled" },
  none = {},
}

local own = {
  trial = usual, provision = flows.factory, provision_end = flows.factory,
  hotfix_unsigned = flows.opaque, files_reverse = flows.hotfixes, hotfix_ledger = flows.hotfixes,
  boot_file = flows.boot_file, device_kept = flows.delta, device_kept_out = flows.none, running_image = flows.delta,
  transfer_reuse = flows.delta, reuse = flows.delta, inventory = flows.delta, old_image = flows.delta,
  slot = flows.flash, slot_mtd = flows.flash, slot_ubi = flows.flash, storage = flows.none,
  system_cache = flows.none, system = flows.none, system_files = flows.none, system_names = flows.none,
  system_dirs = flows.none,
  system_mounts = flows.none, supervisor = flows.none, supervisor_script = flows.none,
  supervisor_restart = flows.none, program = flows.none,
  supervisor_protocol = flows.none, supervisor_trouble = flows.none, child = flows.none, orphans = flows.none,
  policy = flows.none, policy_last_good = flows.none, channel = flows.none, verify = flows.none, printable = flows.none,
  listener = flows.none, local_socket = flows.none,
  version = flows.none, minisign_format = flows.none, manifest_format = flows.none, keys_format = flows.none,
  archive_reader = flows.none, archive_names = flows.none, archive_zip = flows.none, archive_extract = flows.none,
}

-- By a check that knows them: no other flow comes through those.
local by_check = {
  files = flows.files, hotfix = flows.hotfixes, settle = flows.settle,
  files_plan = flows.none,
  files_weak = { { "files", "'rolled back, no links'" } }, files_mixed = flows.none, files_kept = flows.none,
  files_helper = flows.none,
  files_programs = flows.none, files_archive = flows.none, bare_files = flows.none, update_ini = flows.none,
  supervisor_files = flows.none, client = flows.none, aliyun = flows.none, moult_base64 = flows.none,
  child = flows.none, log = flows.none, source_pushed = flows.none, package_copy = flows.none,
}

for name, checks in pairs(M.checks) do own[name] = own[name] or by_check[checks[1]] end
for _, name in ipairs { "supervisor_say", "supervisor_alone", "supervisor_hotfix", "supervisor_hotfix_test",
  "files_folder" } do
  own[name] = flows.none
end

-- Checks that take longer than those flows.
local slow = { calls = true, codec = true, delta_install = true, device = true, files_mixed = true, files_root = true,
  lost = true, minisign = true }

-- Lines that look at memory which may not be there, or open what needs some, of modules that alloc_check
-- comes through. It takes longest, and is asked last.
local function allocates(module, line)
  local reaches = own[module] ~= flows.none or module == "verify" or module:find "_format$"
  return reaches and (line:find "alloc%(" or line:find "allocate%(" or line:find "strn?dup%(" or
    line:find "_new%(" or line:find "_open%(" or line:find "of memory" or line:find "ENOMEM")
end

--- What is asked about a wrong line, in this order.
-- @tparam string module
-- @tparam string line that is wrong
-- @treturn table array of {program, arguments}
function M.programs(module, line)
  local quick, last = {}, {}
  for _, check in ipairs(M.checks[module]) do
    local list = slow[check] and last or quick
    list[#list + 1] = { check .. "_check", "" }
  end
  local result = table.move(quick, 1, #quick, 1, {})
  for _, list in ipairs { own[module] or usual, last } do table.move(list, 1, #list, #result + 1, result) end
  if allocates(module, line) then result[#result + 1] = { "alloc_check", "" } end
  return result
end

-- More of the program: every flow, faults between the cuts, the whole in one process.
local most = {
  hotfixes = { "hotfixes", "--sample" }, hotfix_faults = { "hotfixes", "--sample --faults" },
  cuts = { "crash", "--sample --jobs 1" },
  faults = { "faults", "--states 5000 --jobs 1" },
  whole = { "whole", "--histories 400 --jobs 1" },
  whole_faults = { "whole", "--faults --histories 300 --jobs 1" },
  files_faults = { "files", "--faults 'rolled back, no links'" },
}

local function spec(name)
  return { "moult", ("/usr/bin/busted --ignore-lua --no-keep-going spec/%s_spec.lua"):format(name) }
end

--- Whether a program is asked from the top of the tree.
-- @tparam string arguments of M.programs() and M.late()
-- @treturn boolean
function M.is_spec(arguments)
  return arguments:find("_spec.lua", 1, true) ~= nil
end

-- Of each wing, cheapest first: C checks beyond the module's own, more of the program, specs in the host.
local wings = {
  base = { checks = { "calls", "journal", "status" },
    specs = { "update/version", "native/printable", "system/run", "system/log" } },
  storage = { checks = { "said", "journal", "keys", "generation", "install", "files", "cache", "calls" },
    most = { most.faults, most.cuts, most.whole },
    specs = { "native/storage", "cli/record_check", "system/state", "system/files" } },
  trust = { checks = { "said", "package", "verify", "permit", "calls", "keys" }, most = { most.faults, most.cuts },
    specs = { "cli/key_check", "system/keys", "cli/authoring" } },
  slot = { checks = { "said", "install", "phase", "calls", "delta_install", "device" },
    most = { most.faults, most.cuts, most.whole },
    specs = { "native/flash", "cli/slot_check", "system/uboot", "system/delta_device" } },
  policy = { specs = { "update/policy", "native/policy", "update/ask", "system/sandbox" } },
  archive = { checks = { "bare_files", "pack" }, specs = { "native/archive", "cli/pack_from" } },
  files = { checks = { "files_foreign", "files_fault", "dirs" },
    most = { { "files", "" }, most.files_faults }, specs = { "cli/files", "system/files" } },
  package = { checks = { "said", "pack", "package", "verify", "package_copy", "files", "generation", "delta_package" },
    most = { most.faults, most.cuts, most.whole },
    specs = { "native/package", "cli/files", "cli/authoring", "cli/pack_from", "cli/compressed", "system/files" } },
  device = { checks = { "said", "time", "status", "journal", "permit", "outage", "kept_out", "install", "reuse",
      "trouble", "phase", "generation", "supervisor", "files", "package_copy", "delta_install", "device" },
    most = { most.hotfixes, most.hotfix_faults, most.faults, most.whole, most.whole_faults, most.cuts },
    specs = { "system/time", "system/reuse", "update/control", "system/restart", "system/trial", "system/state" } },
  supervise = { checks = { "calls", "peer", "waits", "child", "log" }, most = { most.whole },
    specs = { "update/control", "native/channel", "native/command", "system/run", "system/restart", "system/rights",
      "system/log", "system/control_flood" } },
  client = { checks = { "client", "terminal", "aliyun" } },
}

--- What a line is shown to that is alive after M.programs().
-- @tparam string module
-- @tparam string path of its source
-- @treturn table as M.programs() gives it
function M.late(module, path)
  local wing, result, asked = wings[path:match "^runtime/(%w+)/"], {}, {}
  for _, check in ipairs(M.checks[module]) do asked[check] = true end
  for _, check in ipairs(wing.checks or {}) do
    if not asked[check] then result[#result + 1] = { check .. "_check", "" } end
  end
  table.move(wing.most or {}, 1, #(wing.most or {}), #result + 1, result)
  for _, name in ipairs(wing.specs or {}) do result[#result + 1] = spec(name) end
  return result
end

return M
