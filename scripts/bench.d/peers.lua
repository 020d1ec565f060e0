--- The programs that make deltas: Moult and those that it is compared with.
--
-- Each row has `name`; `tools`, the programs it needs, by their packages where
-- Debian has one; `version`, a command whose output says which it is; and the
-- commands `create` and `apply` as functions of {old, new, patch, out, size},
-- paths quoted and the size of the larger image in bytes; `most`, the size in
-- bytes of an old image above which it is left out. All use their best
-- compression, with the whole old image in reach.

local M = {}

-- The power of two that is not below a size.
local function window_log(size)
  local log = 20
  while 1 << log < size do log = log + 1 end
  return log
end

M.list = {
  {
    name = "bsdiff",
    most = 128 << 20, -- 17 times the size in memory, and far more than an hour
    tools = { bsdiff = "bsdiff", bspatch = "bsdiff" },
    version = "dpkg-query -W bsdiff",
    create = function(p) return ("bsdiff %s %s %s"):format(p.old, p.new, p.patch) end,
    apply = function(p) return ("bspatch %s %s %s"):format(p.old, p.out, p.patch) end,
  },
  {
    name = "xdelta3",
    tools = { xdelta3 = "xdelta3" },
    version = "dpkg-query -W xdelta3",
    create = function(p)
      return ("xdelta3 -e -f -q -9 -S lzma -B %d -s %s %s %s"):format(1 << window_log(p.size), p.old, p.new, p.patch)
    end,
    apply = function(p)
      return ("xdelta3 -d -f -q -B %d -s %s %s %s"):format(1 << window_log(p.size), p.old, p.patch, p.out)
    end,
  },
  {
    name = "zstd",
    tools = { zstd = "zstd" },
    version = "zstd --version",
    create = function(p)
      return ("zstd -q -f --ultra -20 --long=%d --patch-from=%s %s -o %s"):format(window_log(p.size * 2), p.old, p.new,
        p.patch)
    end,
    apply = function(p)
      return ("zstd -q -f -d --long=%d --patch-from=%s %s -o %s"):format(window_log(p.size * 2), p.old, p.patch, p.out)
    end,
  },
  {
    -- rdiff does not compress; small blocks find more.
    name = "rdiff + xz",
    tools = { rdiff = "rdiff", xz = "xz-utils" },
    version = "rdiff --version | head -n 1",
    create = function(p)
      return ("sh -c 'rdiff -b 512 signature %s %s.sig && rdiff delta %s.sig %s | xz -9e > %s; rm -f %s.sig'"):format(
        p.old, p.patch, p.patch, p.new, p.patch, p.patch)
    end,
    apply = function(p) return ("sh -c 'xz -dc %s | rdiff -f patch %s - %s'"):format(p.patch, p.old, p.out) end,
  },
  {
    name = "hdiffz",
    tools = { hdiffz = false, hpatchz = false },
    version = "hdiffz -v | head -n 1",
    create = function(p) return ("hdiffz -f -d -m-6 -SD -c-lzma2-9-64m %s %s %s"):format(p.old, p.new, p.patch) end,
    apply = function(p) return ("hpatchz -f %s %s %s"):format(p.old, p.patch, p.out) end,
  },
  {
    name = "detools",
    tools = { detools = false },
    version = "detools --version",
    create = function(p) return ("detools create_patch -c lzma %s %s %s"):format(p.old, p.new, p.patch) end,
    apply = function(p) return ("detools apply_patch %s %s %s"):format(p.old, p.patch, p.out) end,
  },
}

--- Results of programs that Debian lacks, measured elsewhere with exactly the same
-- images: bytes, by the beginning of the SHA-256 of the old and of the new image.
-- Used if the program is missing here.
M.elsewhere = {
  ["55019c10d21b aa01e614af63"] = { -- libcrypto 3.0.17 -> 3.0.22
    hdiffz = 255506, detools = 250140,
  },
  ["ede0ebab818d b2b9d602a316"] = { -- vmlinux 6.1.170-3 -> 6.1.192-2
    hdiffz = 3224561, detools = 3205719,
  },
}

--- Moult as a row; nil if the program does not have the verb.
-- @tparam string moult path of the program, quoted
function M.moult(moult)
  if os.execute(moult .. " help delta >/dev/null 2>&1") ~= true then return nil end
  return {
    name = "moult",
    tools = {},
    create = function(p) return ("%s delta %s %s -o %s -q"):format(moult, p.old, p.new, p.patch) end,
    apply = function(p) return ("%s delta --apply %s %s -o %s -q"):format(moult, p.old, p.patch, p.out) end,
  }
end

--- What a row lacks on this machine.
-- @treturn string|nil nil: nothing
function M.lacks(row)
  for tool, package in pairs(row.tools) do
    if os.execute(("command -v %s >/dev/null 2>&1"):format(tool)) ~= true then
      return package and ("%s is missing (apt-get install %s)"):format(tool, package) or tool .. " is not on the PATH"
    end
  end
end

return M
