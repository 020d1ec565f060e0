--- What policy is told and what it answers: the fields of every argument of
-- update.policy's functions.
--
-- A table by argument of arrays of {name, type, meaning} and, where a field is
-- a table of known fields, `fields`. This is API: the page moult-policy(7) is
-- made from it, and a spec compares it with what the agent really hands over.
-- Sizes are bytes, times seconds. Every field may be nil when it is not known.
--
-- @module update.policy_fields

local policy = require "update.policy"

local function field(name, kind, meaning, fields)
  return { name = name, type = kind, meaning = meaning, fields = fields }
end

local part = {
  field("kind", "string", "\"script\", \"files\", \"hotfix\" or \"core\""),
  field("size", "integer", "bytes of its content"),
  field("block_size", "integer", "bytes of a block"),
  field("index_size", "integer", "bytes of its index"),
  field("data_size", "integer", "bytes of it as stored"),
  field("delta", "boolean", "true: a delta against the running slot"),
  field("source_size", "integer", "bytes of the image that a delta is made against"),
  field("source_sha256", "string", "SHA-256 of the image that a delta is made against, hex"),
  field("source_version", "integer", "version of the core that a delta is made against"),
}

local base = {
  field("script", "string", "range of versions of the script; nil: any"),
  field("core", "string", "range of versions of the core; nil: any"),
  field("files", "string", "range of versions of the files; nil: any"),
}

local hotfix = {
  field("name", "string", "name of the hotfix"),
  field("version", "string", "version of the hotfix"),
  field("files", "boolean", "true: it changes files, too; else nil"),
  field("base", "table", "what it is made for", base),
}

local manifest = {
  field("digest", "string", "SHA-256 of the manifest, hex"),
  field("project", "string", "name of the product"),
  field("product_key", "string", "SHA-256 of the product's key, hex"),
  field("hardware", "array", "the revisions it is for"),
  field("sequence", "integer", "number of the package"),
  field("release", "string", "name of the release; nil of a hotfix"),
  field("hotfix", "table", "the hotfix; nil without one", hotfix),
  field("script_version", "string", "VERSION of its script"),
  field("files_version", "string", "version of its files"),
  field("core_name", "string", "name of its core"),
  field("core_version", "integer", "version of its core"),
  field("requires_core", "string", "name of the core that it needs"),
  field("requires_version", "integer", "lowest version of that core"),
  field("min_moult", "string", "lowest version of Moult"),
  field("issued", "integer", "when it was made, seconds since 1970 UTC"),
  field("not_after", "integer", "last second at which it may be installed, since 1970 UTC"),
  field("deadline", "integer", "seconds within which a start on trial must be confirmed"),
  field("override", "array", ("rules that it skips: \"%s\""):format(table.concat(policy.overridable, "\", \""))),
  field("text", "string", "a note of its maker"),
  field("meta", "table", "notes of its maker; see the offer's"),
  field("parts", "array", "its parts, each a table", part),
}

local core = {
  field("name", "string", "name of the core"),
  field("version", "integer", "version of the core"),
}

local files = { field("version", "string", "version of the files") }

local M = {}

--- What a cloud offers. It is signed and has passed every gate.
M.offer = {
  field("cloud", "string", "name of the cloud that offered it; \"file\" by hand"),
  field("release", "string", "name of the release; nil of a hotfix"),
  field("hotfix", "table", "the hotfix; nil without one", hotfix),
  field("version", "string", "VERSION of its script; nil without a script"),
  field("core", "table", "its core; nil without one", core),
  field("files", "table", "its files; nil without such a part", files),
  field("sequence", "integer", "number of the package; 0 if it is unsigned"),
  field("unsigned", "boolean", "true for an archive from a source of `trust.unsigned`"),
  field("trigger", "string", "of a terminal, who wanted it: \"auto\", \"manual\" or \"sms\""),
  field("size", "integer", "bytes of the package"),
  field("to_fetch", "integer", "bytes that still have to be fetched"),
  field("fallback", "boolean", "true if it is a full package because no delta fits this device"),
  field("meta", "table", "`meta` of the recipe: `security` (true: it fixes a vulnerability), `advisories`, `text` by "
    .. "language, `notes_url`, `sbom`, `support_until`, and fields of your own; nil without any"),
  field("permit", "boolean", "true if a signed permit allows an older version"),
  field("repair", "boolean", "true if it is the release that runs, whose script is damaged"),
  field("manifest", "table", "the verified manifest", manifest),
}

--- What runs now.
M.device = {
  field("project", "string", "name of the product, from the configuration"),
  field("hardware", "string", "revision of the board"),
  field("id", "string", "name of this device"),
  field("release", "string", "the confirmed release"),
  field("version", "string", "VERSION of the script that runs"),
  field("core", "table", "the core that runs; nil without core slots", core),
  field("files", "table", "the files that are in place; nil without any", files),
  field("floor", "table", "highest sequences ever confirmed", {
    field("script", "integer", "that of a script"),
    field("core", "integer", "that of a core"),
    field("files", "integer", "that of files"),
  }),
  field("free", "integer", "bytes free in the state directory"),
  field("memory", "integer", "bytes of memory available"),
  field("battery", "number", "percent, 0 to 100; from the script"),
  field("time", "integer", "seconds since 1970 UTC"),
  field("time_trusted", "boolean", "true if the clock is known to be right: the kernel says that it is "
    .. "synchronised, or a server with a verified certificate sent the same time"),
  field("time_set", "boolean", "false if the clock was never set; then `time` is only a lower bound"),
  field("uptime", "integer", "seconds since the device started"),
  field("metered", "boolean", "true if every byte costs; from the script"),
  field("spent_today", "integer", "bytes fetched since 00:00 UTC"),
}

--- `limits = {...}` of the configuration, as it stands there.
M.limits = {
  field("battery", "number", "lowest percentage to install with"),
  field("window", "table", "when to install, in UTC plus `offset`, because few devices know their time zone and "
    .. "its summer time. If `from` is later than `to`, the window passes midnight; if they are equal, it is all day", {
    field("from", "string", "its begin, as \"HH:MM\""),
    field("to", "string", "its end, as \"HH:MM\""),
    field("offset", "integer", "minutes east of UTC; default: 0"),
  }),
  field("budget", "integer", "bytes a day (UTC) over a metered link"),
  field("data_cap", "integer", "bytes that a full package may need instead of a delta, over a metered link"),
  field("confirm", "string", "\"auto\" or \"script\": who confirms a release; the configuration's `confirm`"),
  field("confirm_after", "integer", "seconds without an error before \"auto\" confirms; the configuration's "
    .. "`confirm_after`"),
}

--- How the release on trial is doing; or the script while a hotfix is tested: then starts is 1, errors 0, and
-- cloud_reached nil.
M.facts = {
  field("uptime", "integer", "seconds since its script started"),
  field("starts", "integer", "how often it was started, including this time"),
  field("confirm_called", "boolean", "confirm() was called: by the script, a program or a person"),
  field("cloud_reached", "boolean", "a cloud answered since it started; nil: no cloud configured"),
  field("errors", "integer", "errors of its tasks since it started"),
}

--- A row of the array that choose() is given.
M.hotfixes = {
  field("name", "string", "name of the hotfix"),
  field("version", "string", "version that is available"),
  field("applied", "string", "version that is applied now; nil: none"),
  field("size", "integer", "bytes of the package"),
  field("cloud", "string", "name of the cloud that offers it"),
  field("security", "boolean", "true if the cloud says that it fixes a vulnerability"),
}

--- What decide() answers.
M.decision = {
  field("action", "string", "\"install\", \"defer\" or \"refuse\""),
  field("reason", "string", "a word for logs and clouds"),
  field("retry_after", "integer", "with \"defer\": seconds until policy is asked again"),
  field("reuse", "boolean", "with \"install\": false fetches every block of a full core, even those that the device "
    .. "has; nil leaves it to the configuration"),
  field("prefer", "string", "with \"install\": \"full\" asks the cloud for the full package if the offer is a "
    .. "delta, and takes the delta if there is none; \"delta\" or nil takes what was offered"),
}

return M
