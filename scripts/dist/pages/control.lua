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
  { "status", "The device as `moult status --json` shows it. Answered at once." },
  { "history", "What happened, an array of events." },
  { "watch", "Events from now on. With `facts` true, the connection is also asked for facts." },
  { "check", "Asks the clouds and policy what they would do, up to half a minute. Gives `cloud`, `offer`, `decision`, "
    .. "`tree`; changes nothing." },
  { "install", "`source`: a URL or an absolute path; `permit`; `default_policy`. Answers when it is armed or failed." },
  { "apply", "`offer`: an object with `source`, or with `cloud` alone: what that cloud offers is installed." },
  { "request", "What Luat's update.request() asks: `url`, `period` (ms), `redirect`, `callback`." },
  { "fota", "One query of the cloud that Luat's libfota makes: `url`." },
  { "device", "`id`, `hardware`, `project` and `core` of this device." },
  { "ota", "Aliyun's calls: `call` with what belongs to it, as lua/update/aliyun.lua documents them. With `copy` true, "
    .. "a `yield` gives `data`, in base64 up to 32 KiB of the package, from byte `known` of `job` on, once they are "
    .. "verified. Whoever asks has all bytes before `known`; the update waits for them, but no longer than ten "
    .. "minutes." },
  { "terminal", "The calls of update.terminal: `what` (update, wait, took, state), `twin`, and for an update `call`." },
  { "confirm", "The release on trial is good. `force` true, which only the owner may: it is confirmed now." },
  { "rollback", "`reason`. Ends what is under way, or goes back from what is on trial." },
  { "globals", "`project`, `version`, `product_key` of the script that asks; others than its package's fail a trial." },
  { "error", "`message`: a task of the script failed." },
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
The socket is `<state>/control`, mode 0600; with `control_group` it is that group's, mode 0660. The kernel says
who connects (SO_PEERCRED); nobody has to log in. `control_verbs` of the configuration gives the group more verbs. A verb that is not allowed is answered with code `refused`.]]
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
and a `result`, or `ok` false, a `message` and a `code`, one of those that `moult doctor CODE` explains. An
object with `event` is told to those that watch. An answer without `id` says why the agent ends the connection.]]
  page:verbatim(EXAMPLE)
  page:text [[
A program that goes takes nothing with it: what it started goes on. Names that are not known here should be
ignored; what is here keeps its meaning as long as `protocol` is 1.]]
  page:section "VERBS"
  for _, row in ipairs(verbs) do page:item(roff.bold(row[1]), row[2]) end
  page:section "EVENTS"
  page:text [[
`offer`, `progress` (`part`, `done`, `total` in bytes), `state` (`phase`, `release`), `retry` (`seconds`,
`message`, `code`), `done` (it is armed), `error`; and to connections that tell facts `facts` with an `id`, to
be answered within two seconds by the verb `facts`.]]
  put_rights(page)
  page:section "LIMITS"
  page:text [[
16 connections, two of them kept for programs that the script did not start. For each 32 open requests, and 64
KiB of answers that it has not read; then nothing more is read from it. A connection that leaves too much unread
is ended.]]
  page:see_also { { "moult", 1 }, { "moult", 3 }, { "moult-config", 5 } }
  return page
end
