--- moult-control(7): the protocol of the control socket.

local rights = require "update.control.rights"
local roff = require "roff"

local EXAMPLE = [[
-> {"id":1,"verb":"hello","protocol":1}
<- {"id":1,"ok":true,"result":{"protocol":1,"moult":"0.1.0","rights":"owner"}}
-> {"id":2,"verb":"confirm"}
<- {"id":2,"ok":false,"message":"no release is on trial","code":"nothing"}]]

--- What each verb takes and gives; a spec compares the names with those that the agent answers.
local verbs = {
  { "hello", "`protocol`: the number that the program speaks, 1. Gives `protocol`, `moult` (the version) and `rights`. "
    .. "Another number is refused (incompatible), and the program should leave." },
  { "status", "Gives what `moult status --json` prints, at once." },
  { "history", "The last events of the device, an array." },
  { "watch", "Sends events from now on. With `facts` true, the connection is also asked for facts; with "
    .. "`hotfix` true, the script takes hotfixes as it runs." },
  { "check", "Asks the clouds for an update, for half a minute at most, and policy what it would do. Gives `cloud`, "
    .. "`offer`, `decision` and `tree`; changes nothing." },
  { "install", "`source`: a URL or an absolute path; `permit`: the path of one; `default_policy`: true ignores the "
    .. "release's policy; `files_version`: of a bare archive that `trust.unsigned` covers. Answers once the package is "
    .. "armed or has failed." },
  { "apply", "`offer`: an object with `source`, or with `cloud` alone to install what that cloud offers." },
  { "request", "Luat's update.request(): `url`, `period` (ms), `redirect`, `callback`." },
  { "fota", "The single query of Luat's libfota: `url`." },
  { "device", "Gives `id`, `hardware`, `project` and `core` of this device." },
  { "ota", "Aliyun's calls: `call`, with its arguments, as lua/update/aliyun.lua documents them. With `copy` true, a "
    .. "`yield` also gives `data`: at most 32 KiB of verified bytes of the package in base64, from byte `known` of "
    .. "`job` on. By `known` the program says that it has all bytes before it. The update waits for the program, but "
    .. "for ten minutes at most." },
  { "terminal", "The calls of update.terminal: `what` (update, wait, took, state), `twin`, and for an update `call`." },
  { "qinglian", "`what` is `time`, `wait`, `patch_req` or `patch_end`. `time` gives the cloud's time. `wait` gives the "
    .. "next event `after` a number: its `number`, its `kind` (status, info, upgrade, list, chunk) and its fields, or "
    .. "an empty object after a minute. Without `after` it gives the last status of the connection. With `copy` it "
    .. "gives the bytes of packages as chunks, until one is `refused`. The others need `name` and `version` of a "
    .. "patch, `patch_end` also `ok`, and give a `value`: 0, or -1 if they are refused." },
  { "confirm", "Says that the release on trial works. With `force` true, which only the owner may set, it is confirmed "
    .. "at once." },
  { "rollback", "`reason`: a text. Drops the update under way, or goes back from the trial." },
  { "globals", "`project`, `version` and `product_key` of the script that asks. If they differ from those of its "
    .. "package, the trial fails." },
  { "error", "`message`: says that a task of the script failed." },
  { "hotfixes", "The hotfixes on record, an array: `name`, `version`, `state`, `sequence`, `time`, `message`, `dir`. "
    .. "One that nobody signed has `unsigned`, and one that only a handler can take `opaque`, the path of its bytes." },
  { "undo", "`name`: a hotfix, which is undone; with `all_above` true, those that lie on it first." },
  { "hotfix", "`id` of the event and `taken`, whether the script took it, or left it. Has no answer." },
  { "facts", "`id` of the question and `facts`, an object. Has no answer." },
}

local classes = {
  { "owner", "root and the user that runs the agent: every verb." },
  { "script", "the supervised script and what it started, by its process and user: " },
  { "group", "members of `control_group`: " },
}

local function put_rights(page)
  page:section "WHO MAY ASK"
  page:text [[
The socket is `<state>/control` with mode 0600; with `control_group` it belongs to that group and has mode 0660. The
kernel says who connects (SO_PEERCRED), so nobody has to log in. A verb that is not allowed is answered with code
`refused`. `control_verbs` of the configuration gives the group more than what is listed here.]]
  for _, class in ipairs(classes) do
    local list = {}
    for _, row in ipairs(verbs) do
      if class[1] ~= "owner" and not rights.forbids(class[1], { verb = row[1] }) then list[#list + 1] = row[1] end
    end
    page:item(roff.bold(class[1]), class[2] .. table.concat(list, ", ") .. (#list > 0 and "." or ""))
  end
end

return function(head)
  local page = roff.page { name = "moult-control", section = 7, title = "how programs talk to the agent of a device",
    date = head.date, source = head.source }
  page:section "DESCRIPTION"
  page:text [[
The agent of `moult run` answers on a Unix stream socket. Each request and each answer is one JSON object in one
line of at most 65536 bytes that ends with a line feed. A request has a `verb`, and an `id` (a number or a
string) that comes back with its answer; answers come as they are ready, in any order. An answer has `ok` true
and a `result`, or `ok` false, a `message` and a `code`, one of those that `moult doctor CODE` explains. Objects
with `event` are sent to connections that watch. An answer without `id` says why the agent ends the connection.]]
  page:verbatim(EXAMPLE)
  page:text [[
If a program disconnects, what it started goes on. A program should ignore names that it does not know; those on
this page keep their meaning as long as `protocol` is 1.]]
  page:section "VERBS"
  for _, row in ipairs(verbs) do page:item(roff.bold(row[1]), row[2]) end
  page:section "EVENTS"
  page:text [[
`offer`, `progress` (`part`, `done`, `total` in bytes), `state` (`phase`, `release`), `retry` (`seconds`,
`message`, `code`), `done` (it is armed; of a `hotfix`: it passed its test) and `error`.
Connections that watch with `facts` also get `facts` with an `id`; they answer within two seconds by the verb `facts`.
A script that said `hotfix` gets `hotfix` with an `id`, `name`, `version`, `action` (apply, undo) and `dir`, for a bare
.bin `path`, and for undo `below`, the folder of the lower version that leads again, if there is one. It answers by the
verb `hotfix`.]]
  put_rights(page)
  page:section "LIMITS"
  page:text [[
There are 16 connections, two of them kept for programs that the script did not start. Each may have 32 open
requests, and 64 KiB of answers that it has not read; beyond that the agent reads nothing more from it. A
connection that leaves too much unread is closed.]]
  page:see_also { { "moult", 1 }, { "moult", 3 }, { "moult-config", 5 } }
  return page
end
