--- The products: what tells one from another, and how it gets its packages.
--
-- `methods` are those of depot.store. A product is known by the hash of its key;
-- each cloud may have a name of its own for it. Luat's key is a secret, so only
-- the hash is kept. The modes stand in <folder>/.products, too (depot.modes).
--
-- @module depot.store.products

local modes = require "depot.modes"

local M = { methods = {} }

--- For depot.store_tables: the tables, and the products of the devices and rollouts that are there already. Only the
-- options of their depot told how they got their packages, so their mode is open until it starts.
M.schema = [[
  CREATE TABLE product (
    hash TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, mode TEXT, enabled INTEGER NOT NULL DEFAULT 1,
    made INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE product_name (
    cloud TEXT NOT NULL, name TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (cloud, name)) WITHOUT ROWID;
  INSERT INTO product (hash, name, made) SELECT hash, hash, 0 FROM device UNION SELECT hash, hash, 0 FROM rollout;
  INSERT OR IGNORE INTO product_name SELECT DISTINCT cloud, product, hash FROM device;
  UPDATE OR IGNORE product SET name = (SELECT name FROM product_name
      WHERE product_name.hash = product.hash AND cloud NOT IN ('luat', 'terminal'))
    WHERE EXISTS (SELECT 1 FROM product_name
      WHERE product_name.hash = product.hash AND cloud NOT IN ('luat', 'terminal'));
]]

--- Since form 15: where the devices are, for the windows of rollouts.
M.zone = "ALTER TABLE product ADD COLUMN zone TEXT;"

--- Since form 18: whether it takes patches that nobody signed, and which ones those are.
M.unsigned = [[
  ALTER TABLE product ADD COLUMN unsigned INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE patch ADD COLUMN unsigned INTEGER;
  ALTER TABLE upload ADD COLUMN product TEXT;
]]

--- Since form 19: who is offered its packages, and which devices a person or a list has admitted.
M.admission = [[
  ALTER TABLE product ADD COLUMN admit TEXT NOT NULL DEFAULT 'open';
  ALTER TABLE device ADD COLUMN admitted INTEGER;
]]

M.statements = {
  products = "SELECT * FROM product ORDER BY name",
  product = "SELECT * FROM product WHERE hash = ?1 OR name = ?1 ORDER BY hash = ?1 DESC LIMIT 1",
  product_names = "SELECT * FROM product_name ORDER BY cloud, name",
  add_product = "INSERT INTO product (hash, name, mode, made) VALUES (?, ?, ?, ?)",
  save_product = "UPDATE product SET name = ?, mode = ?, enabled = ?, zone = ?, unsigned = ?, admit = ? "
    .. "WHERE hash = ?",
  settle_modes = "UPDATE product SET mode = ? WHERE mode IS NULL",
  name_product = "INSERT OR IGNORE INTO product_name VALUES (?, ?, ?)",
  admit_known = "UPDATE device SET admitted = 1 WHERE hash = ? AND admitted IS NULL",
  unadmitted = "SELECT count(*) AS n FROM device WHERE hash = ? AND admitted IS NULL",
  -- Jobs that wait for their product, and devices without a job.
  wake_product = "UPDATE device SET due = ? WHERE hash = ? AND due IS NULL AND (state IS NULL OR state <> 'upgrading')",
}

local Methods = M.methods

--- The products, by name: hash, name, mode (auto, staged or nil: open until a depot starts), enabled (1 or 0), zone
-- (of time, or nil), unsigned (1: it takes patches that nobody signed, or 0), admit (open, or listed:
-- only admitted devices are offered what is not for named ones), made (ms), names ({cloud, name}).
-- @treturn {table,...}|nil nil, message, code
function Methods:products()
  local rows, names, message, code
  rows, message, code = self.statements.products:all()
  if rows then names, message, code = self.statements.product_names:all() end
  if not names then return nil, message, code end
  local by_hash = {}
  for _, row in ipairs(rows) do row.names, by_hash[row.hash] = {}, row end
  for _, name in ipairs(names) do
    local row = by_hash[name.hash]
    if row then table.insert(row.names, { cloud = name.cloud, name = name.name }) end
  end
  return rows
end

--- The product of a hash or a name.
-- @treturn table|false|nil false: there is none; nil, message, code
function Methods:product(text) return self.statements.product:first(text) end

--- Register a product. A name that another one has is completed by the hash.
-- @tparam string hash
-- @tparam string name
-- @tparam string|nil mode nil: open
-- @tparam integer now ms
-- @treturn table|nil the product; nil, message, code
function Methods:add_product(hash, name, mode, now)
  local taken, done, message, code
  taken, message, code = self:product(name)
  if taken == nil then return nil, message, code end
  if taken then name = ("%s-%s"):format(name, hash:sub(1, 8)) end
  done, message, code = self.statements.add_product:run(hash, name, mode, now)
  if not done then return nil, message, code end
  return { hash = hash, name = name, mode = mode, enabled = 1, unsigned = 0, admit = "open", made = now, names = {} }
end

--- Write what has changed of a product.
function Methods:save_product(product)
  return self.statements.save_product:run(product.name, product.mode, product.enabled, product.zone,
    product.unsigned or 0, product.admit or "open", product.hash)
end

--- A cloud has a name for a product; the first product of a name keeps it.
-- @treturn integer|nil how many were added; nil, message, code
function Methods:name_product(cloud, name, hash) return self.statements.name_product:run(cloud, name, hash) end

--- The devices that are known so far are admitted.
function Methods:admit_known(hash) return self.statements.admit_known:run(hash) end

--- How many devices of a product are not admitted.
function Methods:unadmitted(hash)
  local row, message, code = self.statements.unadmitted:first(hash)
  return row and row.n, message, code
end

--- What waits for a product is handled again.
function Methods:wake_product(hash, now) return self.statements.wake_product:run(now, hash) end

--- The mode of a product as depot.modes has it; nil: open.
function M.mode_of(product)
  if product.enabled == 0 then return "off" end
  return product.mode
end

--- The modes of all products: {[hash] = mode}.
-- @treturn table|nil nil, message, code
function Methods:modes()
  local rows, message, code = self.statements.products:all()
  if not rows then return nil, message, code end
  local known = {}
  for _, row in ipairs(rows) do known[row.hash] = M.mode_of(row) end
  return known
end

--- Make the table and the file of depot.modes say the same, within change(). The table counts; a product that only the
-- file knows was in a database that is lost.
-- @tparam string dir
-- @tparam string open the mode of products that have none yet
-- @tparam integer now ms
-- @treturn true|nil nil, message, code
function Methods:settle_products(dir, open, now)
  local done, known, message, code
  done, message, code = self.statements.settle_modes:run(open)
  if done then known, message, code = self:modes() end
  if not known then return nil, message, code end
  for hash, mode in pairs((modes.read(self.natives, dir))) do
    if not known[hash] then
      local product
      product, message, code = self:add_product(hash, hash, mode == "off" and "staged" or mode, now)
      if not product then return nil, message, code end
      product.enabled = mode == "off" and 0 or 1
      done, message, code = self:save_product(product)
      if not done then return nil, message, code end
      known[hash] = mode
    end
  end
  return modes.write(self.natives, dir, known)
end

return M
