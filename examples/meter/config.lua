-- A device in one directory; paths are relative to this file.
return {
  project = "METER", product_key = "k-123", hardware = "rev-a", id = "866714040000001",
  state = "state", keys = "keys",
  cloud = { kind = "luat", url = "http://127.0.0.1:8080/api/site/firmware_upgrade", period = 14400 },
}
