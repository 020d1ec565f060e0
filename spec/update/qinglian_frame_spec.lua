local frame = require "update.cloud.qinglian_frame"

local function hex(text) return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
local function bytes(text)
  return (text:gsub("%X", ""):gsub("%x%x", function(x) return string.char(tonumber(x, 16)) end))
end

local MAC = "00:0c:29:4b:5b:1f"
local REQUEST = "00001234 c591 77373726 b5bfcd7324bb811a7f77ed09869f493166 a935"
local ANSWER = "00001234 c591 77373739 6ae784f72b49eb49eaef728d3833 8bbf"
local SSL = "000041c6 372e 11dfd7a6 b5bfcd7324bb811a7f77ed09869f493166 e946"

describe("the frames of Qinglian's dispatcher", function()
  it("have the CRC of Modbus", function()
    assert.equal(0x4B37, frame.crc16 "123456789")
    assert.equal(0x4B37, frame.crc16("456789", frame.crc16 "123"))
  end)

  it("are the vendor's, byte for byte, both ways", function()
    assert.equal(hex(bytes(REQUEST)), hex(frame.dispatch(MAC, frame.MAGIC.aes, 0x1234)))
    assert.equal(hex(bytes(ANSWER)), hex(frame.dispatch("127.0.0.1:1883", frame.MAGIC.aes, 0x1234)))
    assert.equal(hex(bytes(SSL)), hex(frame.dispatch(MAC, frame.MAGIC.ssl, 0x41c6)))
    assert.same({ MAC, 0xF1EC }, { frame.read_dispatch(bytes(REQUEST)) })
    assert.same({ "127.0.0.1:1883", 0xF1EC }, { frame.read_dispatch(bytes(ANSWER)) })
    assert.same({ MAC, 0xF1EB }, { frame.read_dispatch(bytes(SSL)) })
  end)

  it("are read back with any salt, even one that makes the key negative", function()
    for _, salt in ipairs { 0, 1, 0x7FFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xDEADBEEF } do
      assert.equal("10.0.0.1:8883", (frame.read_dispatch(frame.dispatch("10.0.0.1:8883", frame.MAGIC.ssl, salt))))
    end
  end)

  it("are refused when one is cut, longer, or has a byte changed", function()
    local whole = bytes(REQUEST)
    for n = 0, #whole - 1 do assert.is_nil((frame.read_dispatch(whole:sub(1, n)))) end
    assert.is_nil((frame.read_dispatch(whole .. "\0")))
    assert.is_nil((frame.read_dispatch(("x"):rep(200))))
    for at = 1, #whole do
      local wrong = whole:sub(1, at - 1) .. string.char(whole:byte(at) ~ 0x10) .. whole:sub(at + 1)
      assert.is_nil((frame.read_dispatch(wrong)))
    end
  end)

  it("name an address that can be one", function()
    assert.same({ "127.0.0.1", 1883 }, { frame.address "127.0.0.1:1883" })
    for _, text in ipairs { "", "127.0.0.1", "127.0.0.1:", "0.0.0.0:1883", "127.0.0.1:0", "127.0.0.1:65536",
      "127.0.0.256:1", "0127.0.0.1:1", "a.b:1",
      "1111.111.111.111:1", "127.0.0.1:1883 ", "127.0.0.1:99999999999999999999" } do
      local host, message, code = frame.address(text)
      assert.is_nil(host)
      assert.match("address of a broker", message)
      assert.equal("corrupt", code)
    end
  end)
end)

describe("the packets of Qinglian's broker", function()
  local worked = {
    { "a list request", "00000051 0010 0201 01 00 0a11 00000003",
      { opcode = 0x0a11, sequence = 3, response = false, kind = "json", errno = 0,
        body = '{"req":{"token":"tok"},"data":{"upgradetype":0,"chunksize":1024}}' } },
    { "a last piece", "00000018 0010 0201 03 00 0a13 0000138a",
      { opcode = 0x0a13, sequence = 5002, response = false, kind = "binary", errno = 0,
        body = bytes "01 00000400 616263" } },
    { "an acknowledgement", "0000004a 0010 0201 81 00 0a13 0000138a",
      { opcode = 0x0a13, sequence = 5002, response = true, kind = "json", errno = 0,
        body = '{"res":{"errcode":0,"token":"tok"},"data":{"offset":1024}}' } },
  }
  for _, row in ipairs(worked) do
    local name, head, packet = table.unpack(row)
    it("are the vendor's, byte for byte: " .. name, function()
      assert.equal(hex(bytes(head) .. packet.body), hex(frame.packet(packet)))
      assert.same(packet, frame.read_packet(bytes(head) .. packet.body))
    end)
  end

  it("hold pieces of firmware and of patches", function()
    local chunk = { owner = 1, last = true, offset = 1024, data = "abc" }
    assert.equal("010100000400616263", hex(frame.chunk(chunk)))
    assert.same(chunk, frame.read_chunk(frame.chunk(chunk)))
    assert.equal("0100000400616263", hex(frame.patch_chunk(chunk)))
  end)

  local refused = {
    { "no header", "0000000f", "packet of" },
    { "another length", "00000011 0010 0201 01 00 0a11 00000003", "says 17" },
    { "another header", "00000010 0011 0201 01 00 0a11 00000003", "17 of header" },
    { "another protocol", "00000010 0010 0202 01 00 0a11 00000003", "protocol 0x0202" },
    { "another type", "00000010 0010 0201 02 00 0a11 00000003", "type 2" },
  }
  for _, row in ipairs(refused) do
    it("are refused with " .. row[1], function()
      local packet, message, code = frame.read_packet(bytes(row[2]))
      assert.is_nil(packet)
      assert.match(row[3], message, 1, true)
      assert.equal("corrupt", code)
    end)
  end

  it("are refused when cut at any byte, or too large", function()
    local whole = frame.packet { opcode = 0x0a03, sequence = 1, kind = "binary",
      body = frame.chunk { owner = 1, last = false, offset = 0, data = "abc" } }
    for n = 0, #whole - 1 do assert.is_nil((frame.read_packet(whole:sub(1, n)))) end
    assert.is_nil((frame.read_packet(whole .. "x")))
    assert.is_nil((frame.read_packet(("x"):rep(frame.PACKET_MOST + 1))))
    assert.is_nil((frame.read_chunk(bytes "01 00 00000400")))
    assert.is_nil((frame.read_chunk(bytes "01 02 00000400 61")))
  end)

  it("never raise on hostile input", function()
    math.randomseed(20190605)
    for _ = 1, 5000 do
      local n, out = math.random(0, 80), {}
      for i = 1, n do out[i] = string.char(math.random(0, 255)) end
      local text = table.concat(out)
      if n >= 16 and math.random() < 0.5 then text = (">I4I2I2"):pack(n, 16, 0x0201) .. text:sub(9) end
      local packet = frame.read_packet(text)
      if packet then frame.read_chunk(packet.body) end
      local said = frame.read_dispatch(text)
      if said then frame.address(said) end
    end
  end)
end)
