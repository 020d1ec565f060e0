-- The certificate of an admin server that is changed while it serves.

local admin_process = require "spec.support.admin_process"
local certificates = require "depot.api.certificate"
local files = require "spec.support.files"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local verb = require "spec.support.verb"

describe("the certificate of the admin server", function()
  local folder, w, token = folders.new(), nil, nil

  local function make(name)
    files.output_of(("(cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
      .. "-subj /CN=x "
      .. "-addext subjectAltName=IP:127.0.0.1 -keyout %s.key -out %s.crt) 2>&1"):format(folder.dir, name, name))
  end

  before_each(function()
    local dir = folder.make()
    make "first"
    make "second"
    folder.write("cert", folder.read "first.crt")
    folder.write("key", folder.read "first.key")
    w = admin_process.start(dir, ("--admin-cert %s/cert --admin-key %s/key"):format(dir, dir))
    token = w:token("ann", { [""] = "admin" })
  end)
  after_each(function() w:close() end)

  local function ask(ca)
    return (verb.run("depot", { "api", "/me" }, { server = w.url, ["token-file"] = token,
      ["server-ca"] = folder.path(ca .. ".crt") }))
  end

  local function wait(fragment)
    w:wait(fragment, function() return w:said():find(fragment, 1, true) end)
  end

  it("is another one soon after its files have changed, if they fit", function()
    assert.same({ 0, nil }, { ask "first", ask "second" })
    folder.write("key", folder.read "second.key")
    wait "the one of before stays"
    assert.same({ 0, nil }, { ask "first", ask "second" })
    folder.write("cert", folder.read "second.crt")
    wait "the certificate is a new one"
    assert.same({ nil, 0 }, { ask "first", ask "second" })
    folder.write("cert", "nonsense")
    w:wait("another line", function() return select(2, w:said():gsub("the one of before stays", "")) == 2 end)
    assert.equal(0, ask "second")
  end)

  it("is looked at without waiting after SIGHUP, which ends nothing", function()
    local now = 1000
    local known = certificates.new { files = { cert = folder.path "cert", key = folder.path "key" }, note = print,
      natives = setmetatable({ loop = { now = function() return now end } }, { __index = natives }),
      tls = { cert = folder.read "cert", key = folder.read "key" } }
    folder.write("key", folder.read "second.key")
    folder.write("cert", folder.read "second.crt")
    assert.is_nil(known:changed())
    known:look()
    assert.equal(folder.read "second.crt", known:changed().cert)
    w.command:hang_up()
    wait "the certificate is a new one"
    w.command:hang_up()
    assert.equal(0, ask "second")
    assert.equal("again", select(3, w.command:poll()))
  end)
end)
