local multipart = require "depot.console.multipart"

local TYPE = "multipart/form-data; boundary=----x1"

local function field(name, value)
  return ('------x1\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'):format(name, value)
end

local function file(name, value)
  return ('------x1\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n'
    .. "Content-Type: application/octet-stream\r\n\r\n%s"):format(name, value)
end

local TAIL = "\r\n------x1--\r\n"

describe("console.multipart", function()
  it("knows a form with files", function()
    assert.equal("----x1", multipart.boundary(TYPE))
    assert.equal("a b", multipart.boundary 'multipart/form-data; boundary="a b"')
    for _, other in ipairs { "", "text/plain", "multipart/form-data", "multipart/mixed; boundary=x",
      "multipart/form-data; boundary=" .. ("x"):rep(71) } do
      assert.is_nil(multipart.boundary(other), other)
    end
  end)

  it("finds the fields, and where the file begins", function()
    local bytes = field("csrf", "abc") .. field("back", "/p\r\nq") .. file("a.upd", "DATA") .. TAIL
    local fields, found = multipart.head(bytes, "----x1")
    assert.same({ csrf = "abc", back = "/p\r\nq" }, fields)
    assert.same({ "file", "a.upd", "DATA" .. TAIL }, { found.field, found.name, bytes:sub(found.from) })
    assert.same({ csrf = "abc", back = "/p\r\nq", file = "DATA" }, multipart.read(bytes, "----x1"))
  end)

  it("adds what a file has to a field of its name", function()
    local bytes = field("file", "1\r\n2") .. file("list.txt", "3\n4\n") .. TAIL
    assert.same({ file = "1\r\n2\n3\n4\n" }, multipart.read(bytes, "----x1"))
    assert.same({ file = "1" }, multipart.read(field("file", "1") .. file("", "") .. TAIL, "----x1"))
    assert.same({ a = "1" }, multipart.read(field("a", "1") .. "------x1--\r\n", "----x1"))
  end)

  it("survives a form that is cut off at any byte", function()
    local bytes = field("csrf", "abc") .. file("a.upd", "DATA") .. TAIL
    for i = 0, #bytes - 1 do
      local fields, message = multipart.read(bytes:sub(1, i), "----x1")
      assert.is_nil(fields, i)
      assert.is_string(message)
    end
  end)

  it("refuses too many fields", function()
    local bytes = field("a", "b"):rep(201) .. TAIL
    assert.same({ n = 2, nil, "the form has too many fields" }, table.pack(multipart.read(bytes, "----x1")))
  end)
end)
