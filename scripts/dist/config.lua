-- What this device is told about itself: see moult-config(5), `moult doctor`.
return {
  project = "METER",               -- name of the product; packages must name the same
  product_key = "k-123",           -- key of the product
  hardware = "rev-a",              -- revision of the board
  id = "866714040000001",          -- name of this one device

  state = "/var/lib/moult",        -- journal, scripts, spools; it must outlive both slots
  keys = "/etc/moult/keys",        -- trusted public keys, one a file, as `moult keygen` writes NAME.pub

  -- Two slots for the system image; without them only the script is updated.
  -- core = { slots = { a = "/dev/mmcblk0p2", b = "/dev/mmcblk0p3" }, boot = "file" },
  -- restart = { "systemctl", "reboot" },

  cloud = { kind = "luat", url = "http://127.0.0.1:8080/api/site/firmware_upgrade" },

  -- When the default policy may install: see moult-policy(7).
  -- limits = { battery = 30, window = { from = "02:00", to = "04:30", offset = 0 } },
}
