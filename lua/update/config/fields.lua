--- The fields of a configuration: what update.config checks and `moult doctor` lists.
--
-- An array of {name, type, default, meaning} with, by type: `required`, `max`
-- (bytes of a string), `min` and `max` (of an integer), `choices` (of a word),
-- `fields` (of a table).
--
-- @module update.config.fields

local registry = require "update.cloud.registry"

local function field(name, kind, meaning, options)
  local row = options or {}
  row.name, row.type, row.meaning = name, kind, meaning
  return row
end

local slots = {
  field("a", "path", "slot a: a file, a block device, raw flash (/dev/mtdN), a UBI volume (/dev/ubiN_M), or a link",
    { required = true }),
  field("b", "path", "slot b: a file, a block device, raw flash (/dev/mtdN), a UBI volume (/dev/ubiN_M), or a link; a "
    .. "core is never changed in place, not by a delta either, so it takes two", { required = true }),
}

local core = {
  field("slots", "table", "where the two images lie", { required = true, fields = slots }),
  field("boot", "word", "boot driver; with \"file\" each start of `moult run` is one boot, with \"uboot\" the U-Boot "
    .. "environment says which slot starts", { choices = { "file", "uboot" }, default = "file" }),
  field("fw_env", "path", "with boot = \"uboot\": where the environment lies, as fw_setenv is told; default: "
    .. "/etc/fw_env.config"),
  field("cmdline", "path", "with boot = \"uboot\": the kernel command line, whose moult.slot= names the running slot; "
    .. "default: /proc/cmdline"),
}

local script = {
  field("user", "string", "user that the script runs as, when `moult run` is root; keys, secrets and the rest of the "
    .. "state are not his to read", { max = 32 }),
  field("groups", "names", "groups that he has then; default: all that the system gives him", { max = 32 }),
}

local backoff = {
  field("least", "integer", "first pause in seconds", { min = 1, max = 86400, default = 10 }),
  field("most", "integer", "longest pause in seconds", { min = 1, max = 604800, default = 3600 }),
}

return {
  field("project", "string", "name of the product; a package must name the same", { required = true, max = 64 }),
  field("product_key", "string", "key of the product; a package carries its SHA-256", { required = true, max = 128 }),
  field("hardware", "string", "revision of the board; a package lists those it is for", { required = true, max = 32 }),
  field("id", "string", "name of this one device, its IMEI for instance", { required = true, max = 64 }),
  field("state", "path", "directory of journal, scripts and spools; outside both slots", { required = true }),
  field("keys", "path", "directory of trusted public keys; default: keys in the state directory"),
  field("journal_dir", "path", "directory of the second file of the journal, on another medium, so that the device "
    .. "survives the loss of either; made when its parent is there; default: the state directory"),
  field("core", "table", "the two slots of the system image; absent: only the script is updated", { fields = core }),
  field("restart", "restart", "command that restarts the device (array of words), or \"exit\": leave with code 4; "
    .. "absent: `moult run` starts over, and with core.boot = \"uboot\" it is { \"reboot\" }"),
  field("restart_when", "word", "when to go over to what was fetched without being asked for: \"now\", or when it is "
    .. "\"asked\" for by the script (sys.restart) or at the next start of the device",
    { choices = { "now", "asked" }, default = "now" }),
  field("restart_after", "integer", "seconds that a script may take to go over to what its own request fetched; then "
    .. "that is done without it (with restart_when = \"now\")", { min = 1, max = 31536000, default = 86400 }),
  field("dialects", "dialects", "files of clouds of your own kinds, a Lua module each; they run with the rights of the "
    .. "agent and see none of the system; lua/README.md of the source tells how to write one", { max = 8 }),
  field("cloud", "cloud", "where to ask for updates", { fields = registry.fields }),
  field("clouds", "array", "several of cloud; the first valid offer wins", { fields = registry.fields }),
  field("policy", "path", "the owner's policy, asked before the release's own"),
  field("policy_days", "integer", "days on which a release keeps packages out that passed every gate: its policy does "
    .. "not let in what the default would install, or its script drops it. Then the default answers in that policy's "
    .. "place, and the script drops nothing more, until something is installed. The owner's policy is never overruled",
    { min = 1, max = 3650, default = 7 }),
  field("limits", "limits", "numbers, strings and tables handed to policy as they are. Those that the default policy "
    .. "knows stand in moult-policy(7); other names are for a policy of your own", { default = {} }),
  field("user", "string", "user that policy runs as when we are root", { max = 32, default = "nobody" }),
  field("confirm", "word", "\"script\": only update.confirm() confirms a trial",
    { choices = { "auto", "script" }, default = "auto" }),
  field("confirm_after", "integer", "seconds without an error after which \"auto\" confirms",
    { min = 1, max = 86400, default = 60 }),
  field("deadline", "integer", "seconds a trial start may take to be confirmed; a manifest may say otherwise",
    { min = 1, max = 604800, default = 600 }),
  field("heartbeat", "integer", "seconds of silence after which a process is killed; waiting for the medium is none",
    { min = 1, max = 3600, default = 60 }),
  field("script_memory", "integer", "bytes of Lua memory that the script may use",
    { min = 1048576, max = 1 << 40, default = 67108864 }),
  field("script", "table", "rights of the script; absent: those of `moult run`", { fields = script }),
  field("control_group", "string", "group whose members may ask the agent for status, watch, facts, check and confirm",
    { max = 32 }),
  field("reserve", "integer", "bytes that are kept in the state directory, to be given to an update that finds too "
    .. "little space; 0: none", { min = 0, max = 1 << 30, default = 1048576 }),
  field("reuse", "boolean", "of a full core, look for its blocks in the slot that runs and in the target, and fetch "
    .. "only what is missing", { default = true }),
  field("backoff", "table", "pauses between tries after a failure; they double and carry jitter",
    { default = {}, fields = backoff }),
  field("proxy", "url", "proxy for every cloud and download; the environment's is never used"),
  field("ca_file", "path", "certificates to trust for https; default: the system's"),
}
