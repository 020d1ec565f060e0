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
  field("kind", "string", "\"script\" or \"core\""),
  field("size", "integer", "bytes of its content"),
  field("block_size", "integer", "bytes of a block"),
  field("index_size", "integer", "bytes of its index"),
  field("data_size", "integer", "bytes of it as stored"),
  field("delta", "boolean", "true: a delta against the running slot"),
  field("source_size", "integer", "bytes of the image that a delta is made against"),
  field("source_sha256", "string", "SHA-256 of the image that a delta is made against, hex"),
  field("source_version", "integer", "version of the core that a delta is made against"),
}

local manifest = {
  field("digest", "string", "SHA-256 of the manifest, hex"),
  field("project", "string", "name of the product"),
  field("product_key", "string", "SHA-256 of the product's key, hex"),
  field("hardware", "array", "the revisions it is for"),
  field("sequence", "integer", "number of the package"),
  field("release", "string", "what it makes of the device"),
  field("script_version", "string", "VERSION of its script"),
  field("core_name", "string", "name of its core"),
  field("core_version", "integer", "version of its core"),
  field("requires_core", "string", "name of the core that it needs"),
  field("requires_version", "integer", "least version of that core"),
  field("min_moult", "string", "least version of Moult"),
  field("issued", "integer", "when it was made, since 1970 in UTC"),
  field("not_after", "integer", "when it ends to be valid, since 1970 in UTC"),
  field("deadline", "integer", "seconds that a trial start may take"),
  field("override", "array", ("rules that it skips: \"%s\""):format(table.concat(policy.overridable, "\", \""))),
  field("text", "string", "what its maker says about it"),
  field("meta", "table", "what its maker says about it, as a table; see the offer's"),
  field("parts", "array", "its parts, each a table", part),
}

local core = {
  field("name", "string", "name of the core"),
  field("version", "integer", "version of the core"),
}

local M = {}

--- What is to be had. It is signed and passed every gate already.
M.offer = {
  field("cloud", "string", "name of the cloud that offered it; \"file\" by hand"),
  field("release", "string", "the release that it makes of the device"),
  field("version", "string", "VERSION of its script; nil without a script"),
  field("core", "table", "its core; nil without one", core),
  field("sequence", "integer", "number of the package"),
  field("size", "integer", "bytes of the package"),
  field("to_fetch", "integer", "bytes that still have to come over the link"),
  field("fallback", "boolean", "true: a full package where a delta was asked for, because none fits this device"),
  field("meta", "table", "what its maker says about it, as a table: `security` (true: it closes a hole), `advisories`, "
    .. "`text` by language, `notes_url`, `sbom`, `support_until`, and what else he put there; nil: nothing"),
  field("permit", "boolean", "true: a signed permit allows an older version"),
  field("manifest", "table", "the verified manifest", manifest),
}

--- What runs now.
M.device = {
  field("project", "string", "name of the product, from the configuration"),
  field("hardware", "string", "revision of the board"),
  field("id", "string", "name of this one device"),
  field("release", "string", "the confirmed release"),
  field("version", "string", "VERSION of the script that runs"),
  field("core", "table", "the core that runs; nil without core slots", core),
  field("floor", "table", "highest sequences ever confirmed", {
    field("script", "integer", "of a script"),
    field("core", "integer", "of a core"),
  }),
  field("free", "integer", "bytes free in the state directory"),
  field("memory", "integer", "bytes of memory available"),
  field("battery", "number", "percent, 0 to 100; told by the script"),
  field("time", "integer", "since 1970 in UTC"),
  field("time_trusted", "boolean", "true when the clock is known to be right: the kernel says that it is synchronised, "
    .. "or a server whose certificate was verified says the same"),
  field("time_set", "boolean", "false when the clock was never set; then `time` is only a time that is past"),
  field("uptime", "integer", "seconds since the device started"),
  field("metered", "boolean", "true: every byte costs; told by the script"),
  field("spent_today", "integer", "bytes fetched since 00:00 UTC"),
}

--- `limits = {...}` of the configuration, as it stands there.
M.limits = {
  field("battery", "number", "least percent to install with"),
  field("window", "table", "when to install. The clock is UTC plus `offset`, because a device seldom knows its zone "
    .. "and never a law about summer time; from > to passes midnight, from == to is all day", {
    field("from", "string", "\"HH:MM\""),
    field("to", "string", "\"HH:MM\""),
    field("offset", "integer", "minutes east of UTC; 0 when absent"),
  }),
  field("budget", "integer", "bytes a day (UTC) over a metered link"),
  field("data_cap", "integer", "most bytes of a full package where a delta was hoped for, over a metered link"),
  field("confirm", "string", "\"auto\" or \"script\": who confirms a release; the configuration's `confirm`"),
  field("confirm_after", "integer", "seconds without an error before \"auto\" confirms; the configuration's "
    .. "`confirm_after`"),
}

--- How the release on trial does.
M.facts = {
  field("uptime", "integer", "seconds since its script started"),
  field("starts", "integer", "how often it was started, this time included"),
  field("confirm_called", "boolean", "the script called update.confirm()"),
  field("cloud_reached", "boolean", "a cloud answered since it started; nil: no cloud configured"),
  field("errors", "integer", "errors of its tasks since it started"),
}

--- A row of the array that choose() is given.
M.hotfixes = {
  field("name", "string", "name of the hotfix"),
  field("version", "string", "version that is to be had"),
  field("applied", "string", "version that is applied now; nil: none"),
}

--- What decide() answers.
M.decision = {
  field("action", "string", "\"install\", \"defer\" or \"refuse\""),
  field("reason", "string", "a word for logs and clouds"),
  field("retry_after", "integer", "with \"defer\": seconds until it is asked again"),
  field("reuse", "boolean", "with \"install\": false fetches every block of a full core, also those that the device "
    .. "has; nil leaves it to the configuration"),
  field("prefer", "string", "with \"install\": \"full\" has the cloud asked for the full package when the offer is "
    .. "a delta, which is taken where there is no other; \"delta\" or nil takes what was offered"),
}

return M
