-- What `moult pack examples/meter/recipe.lua` makes a package of.
return {
  project = "METER", product_key = "k-123", hardware = { "rev-a" }, sequence = 1,
  version = "1.0.0",          -- equals VERSION in app/main.lua
  script = { dir = "app" },   -- the whole tree
}
