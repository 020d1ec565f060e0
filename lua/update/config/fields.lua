--- The fields of a configuration: what update.config checks and `moult doctor` lists.
--
-- An array of {name, type, default, meaning} with, by type: `required`, `max`
-- (bytes of a string), `min` and `max` (of an integer), `choices` (of a word),
-- `fields` and `none` (of a table: false is taken, too).
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
  field("b", "path", "slot b: a file, a block device, raw flash (/dev/mtdN), a UBI volume (/dev/ubiN_M), or a link. "
    .. "Both slots are needed: a core is never changed in place, not by a delta either", { required = true }),
}

local core = {
  field("slots", "table", "where the two images are", { required = true, fields = slots }),
  field("boot", "word", "boot driver. With \"file\" each start of `moult run` is one boot; with \"uboot\" the U-Boot "
    .. "environment says which slot starts", { choices = { "file", "uboot" }, default = "file" }),
  field("fw_env", "path", "with `boot = \"uboot\"`: the file that says where the environment is, as for fw_setenv; "
    .. "default: /etc/fw_env.config"),
  field("cmdline", "path", "with `boot = \"uboot\"`: the kernel command line, whose moult.slot= names the running "
    .. "slot; default: /proc/cmdline"),
}

local script = {
  field("user", "string", "user that the script runs as, if `moult run` is started by root; it cannot read keys, "
    .. "secrets and the rest of the state", { max = 32 }),
  field("groups", "names", "groups of that user; default: all that the system gives it", { max = 32 }),
}

local root = {
  field("path", "path", "the directory", { required = true }),
  field("weak", "boolean", "its file system has no hard links, as FAT: until the verdict old and new content of what "
    .. "an update puts and deletes is kept in the state, too, which takes room, and after a power cut what differs is "
    .. "written anew. What such a file system itself loses besides is not covered",
    { default = false }),
}

local files = {
  field("roots", "roots", "directories below which packages may put and delete files, each a path or a table; nothing "
    .. "outside them is ever touched. None is in another one, and neither the state, the keys, the configuration, the "
    .. "slots, the boot files nor this program with its libraries is in one",
    { required = true, max = 8, fields = root }),
  field("stop", "command", "command that stops a program that an update replaces; `{name}` is its base name and "
    .. "`{path}` its absolute path. Default: SIGTERM to the processes that run this file, SIGKILL after 10 s. "
    .. "Required under a service manager"),
  field("start", "command", "command that starts it again; default: it is started in a session of its own. Required "
    .. "under a service manager"),
  field("trim", "boolean", "remove blanks around the `/` in the paths of an `update.ini`", { default = false }),
  field("run_mixed", "boolean", "run the script although the files are neither the old nor the new ones, because they "
    .. "can be brought to neither", { default = false }),
}

local trust = {
  field("unsigned", "prefixes", "prefixes of addresses that end in a slash (\"http://10.1.2.3:8080/fw/\"), or of "
    .. "directories (\"file:///media/usb/\"). A terminal may fetch bare archives of files from there, and `moult "
    .. "install` take them and bare hotfixes, although they are not signed. \"cloud:NAME\" stands for the bare "
    .. "hotfixes that this Qinglian cloud pushes. Whoever controls that server, the network on the way or that "
    .. "directory decides what is put in place below the roots. A bare hotfix is a .zip with lua/, files/ and "
    .. "test.lua, or a .bin, which a handler of the script takes. Lua in it is refused unless its entry says so: "
    .. "`{ from = \"cloud:qinglian\", lua = true }`", { max = 16 }),
}

local backoff = {
  field("least", "integer", "first pause in seconds", { min = 1, max = 86400, default = 10 }),
  field("most", "integer", "longest pause in seconds", { min = 1, max = 604800, default = 3600 }),
}

return {
  field("project", "string", "name of the product; packages must have the same", { required = true, max = 64 }),
  field("product_key", "string", "key of the product; packages have its SHA-256", { required = true, max = 128 }),
  field("hardware", "string", "revision of the board; a package lists its revisions", { required = true, max = 32 }),
  field("id", "string", "name of this device, for instance its IMEI", { required = true, max = 64 }),
  field("state", "path", "directory of journal, scripts and downloads; it must be outside both slots",
    { required = true }),
  field("keys", "path", "directory of trusted public keys; default: keys in the state directory"),
  field("journal_dir", "path", "directory of the second file of the journal, on another medium, so that the device "
    .. "survives the loss of either. It is made if its parent exists; default: the state directory"),
  field("trust", "table", "sources that are trusted without a signature; default: none", { fields = trust }),
  field("core", "table", "the two slots of the system image; without it only the script is updated", { fields = core }),
  field("files", "table", "where the files of packages go, and how programs among them are stopped and started; "
    .. "without it packages with files are refused", { fields = files }),
  field("restart", "restart", "command that restarts the device (array of words), or \"exit\": `moult run` exits "
    .. "with 4. Default: `moult run` starts over; with core.boot = \"uboot\" it is { \"reboot\" }"),
  field("restart_when", "word", "when to start a release that the agent fetched by itself: \"now\", or \"asked\": "
    .. "when the script calls sys.restart, or at the next start of the device",
    { choices = { "now", "asked" }, default = "now" }),
  field("restart_after", "integer", "seconds that a script may take to start the release that it asked for; then the "
    .. "agent starts it (with `restart_when = \"now\"`)", { min = 1, max = 31536000, default = 86400 }),
  field("dialects", "dialects", "files with dialects of your own, a Lua module each. They run in the agent, but "
    .. "cannot reach the system; lua/README.md of the source says how to write one", { max = 8 }),
  field("cloud", "cloud", "the cloud to ask for updates", { fields = registry.fields }),
  field("clouds", "array", "several clouds; the first valid offer wins", { fields = registry.fields }),
  field("policy", "path", "file of the owner's policy, which is asked before the release's own"),
  field("policy_days", "integer", "days on which a release may keep out packages that passed every gate: its policy "
    .. "does not install what the default would, or its script drops it. After that the default policy is used "
    .. "instead, and the script can drop nothing, until something is installed. The owner's policy is never "
    .. "ignored",
    { min = 1, max = 3650, default = 7 }),
  field("limits", "limits", "numbers, strings and tables that are handed to policy. moult-policy(7) lists those of the "
    .. "default policy; other names are for a policy of your own", { default = {} }),
  field("user", "string", "user that policy runs as, if `moult run` is started by root",
    { max = 32, default = "nobody" }),
  field("confirm", "word", "who confirms a trial: \"auto\", the agent, or \"script\", only update.confirm()",
    { choices = { "auto", "script" }, default = "auto" }),
  field("confirm_after", "integer", "with \"auto\": seconds without an error before a trial is confirmed",
    { min = 1, max = 86400, default = 60 }),
  field("deadline", "integer", "seconds within which a start on trial must be confirmed; a manifest may say otherwise",
    { min = 1, max = 604800, default = 600 }),
  field("hotfix_time", "integer", "seconds that a hotfix has, from its start to the end of its test",
    { min = 1, max = 3600, default = 45 }),
  field("heartbeat", "integer", "seconds without a sign of life after which a process is killed; time spent waiting "
    .. "for the medium does not count",
    { min = 1, max = 3600, default = 60 }),
  field("script_memory", "integer", "bytes of Lua memory that the script may use",
    { min = 1048576, max = 1 << 40, default = 67108864 }),
  field("script", "table", "rights of the script; default: those of `moult run`. With false the device has no script: "
    .. "it takes files and cores alone. Then a start on trial is a start of `moult run`, and a trial is confirmed by "
    .. "`moult confirm` or confirm() of libmoult, or when no program that was started with the new files ended for "
    .. "`confirm_after` seconds", { fields = script, none = true }),
  field("control_group", "string", "group whose members may ask the agent for status, watch, facts, check and confirm; "
    .. "see moult-control(7)",
    { max = 32 }),
  field("control_verbs", "names", "what the members of control_group may ask for besides: \"install\" (from a URL), "
    .. "\"rollback\", and the calls of vendors' programs, \"ota\" (Aliyun) and \"terminal\"",
    { max = 4, choices = { "install", "rollback", "ota", "terminal" } }),
  field("reserve", "integer", "bytes that are reserved in the state directory, so that an update has space when "
    .. "something else fills it; 0: none", { min = 0, max = 1 << 30, default = 1048576 }),
  field("reuse", "boolean", "look for the blocks of a full core in both slots, and fetch only those that are "
    .. "missing", { default = true }),
  field("backoff", "table", "pauses between retries after a failure; they double, with jitter",
    { default = {}, fields = backoff }),
  field("proxy", "url", "proxy for every cloud and download; environment variables are ignored"),
  field("ca_file", "path", "certificates to trust for https; default: the system's"),
}
