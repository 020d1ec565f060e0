-- Run by the host: days.lua DIR gives the depot of a folder counts of devices on thirty days before, for pictures.

local natives = require "update.natives"
local store = require "depot.store"

local kept = assert(store.open(natives, arg[1], 10000))
assert(kept:change())
for _, seen in ipairs(assert(kept:products_seen())) do
  local put = assert(kept:prepare "INSERT OR REPLACE INTO daily VALUES (?, ?, ?, ?)")
  for back = 30, 1, -1 do
    local day, new = os.date("!%Y-%m-%d", os.time() - back * 86400), math.max(0, 10 - back // 2)
    for release, n in pairs { ["0.9.9"] = back // 4, ["1.0.0"] = 12 - new, ["<i>1.0.1"] = new } do
      if n > 0 and back ~= 12 then assert(put:run(seen.hash, day, release, n)) end
    end
  end
end
assert(kept:commit())
kept:close()
