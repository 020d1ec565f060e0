--- Another updater for comparison: swupdate, if it is installed.
--
-- It writes the same bytes from the same nginx into the same file. As Debian
-- builds it, it verifies a signed description and one SHA-256 over the stream.
-- It does not sync, does not read back, and keeps no state.

local rig = require "rig"

local M = {}

--- Whether it is installed, with the tools that make its update files.
function M.present()
  return os.execute("command -v swupdate cpio openssl zstd >/dev/null 2>&1") == true
end

--- Make www/update.swu of core.img, signed; `zstd`: compressed.
function M.package(bench, zstd)
  rig.run(([[
cd %s && mkdir -p swu && %s swu/core.img && cd swu
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=bench \
  -addext extendedKeyUsage=emailProtection -addext keyUsage=digitalSignature 2>/dev/null
cat > sw-description <<TEXT
software = {
  version = "1.0.0";
  hardware-compatibility: [ "1.0" ];
  images: ({ filename = "core.img"; device = "%s"; type = "raw"; installed-directly = true; %s
             sha256 = "$(sha256sum core.img | cut -d ' ' -f 1)"; });
}
TEXT
openssl cms -sign -in sw-description -out sw-description.sig -signer cert.pem -inkey key.pem -outform DER \
  -nosmimecap -binary
printf '%%s\n' sw-description sw-description.sig core.img | cpio -o -H crc -O ../www/update.swu 2>/dev/null
rm core.img]]):format(rig.quote(bench.dir), zstd and "zstd -q -f core.img -o" or "cp core.img", bench.target,
    zstd and 'compressed = "zstd";' or ""))
end

--- The command that installs it from nginx.
function M.command(bench)
  return ("swupdate -l 0 -H board:1.0 -k %s/swu/cert.pem -d '-u %s -t 5'"):format(rig.quote(bench.dir),
    bench:url("update.swu"))
end

return M
