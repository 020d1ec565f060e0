--- The options and the help of `moult depot product`.
--
-- @module cli.depot_product

local M = {}

--- Options that only products take.
M.options = {
  { name = "mode", value = "MODE", choices = { "auto", "staged" },
    help = "with product: how its devices get packages" },
  { name = "enabled", value = "WHICH", help = "with product set: no: its devices get nothing for now",
    choices = { "yes", "no" } },
  { name = "admit", value = "WHOM", choices = { "open", "listed" },
    help = "with product set: listed: rollouts offer to admitted devices only" },
  { name = "unsigned", value = "WHICH", help = "with product set: yes: it takes patches that nobody signed",
    choices = { "yes", "no" } },
}

--- For the help of the verb.
M.text = [[
  depot product list|add|set DIR [NAME]
      show the products; register one by its key, --product (without it one is made
      and shown once), and the --cloud that names it so; set its --mode, --enabled,
      the time --zone of its rollouts' windows, whether it takes --unsigned patches,
      and whom rollouts --admit

A product gets its packages in one of two ways: `auto` offers every device the newest one, `staged` gives what jobs and
rollouts grant, wants a signed link for /NAME and lists nothing at /. New products are staged with --staged or --admin,
else automatic; later the mode is the product's own, whatever the options say. A product is registered by this command,
by a package in DIR, and in an automatic depot by its first device. Devices of other products are answered "nothing". So
are, in a staged product, those beyond a hundred new ones a minute that no list names; `device add` registers devices.
With `--admit listed` a device that reports by itself is offered nothing by rollouts that are for everybody, until a
list names it, or `device set --admitted yes`. Devices that are known when that is set are admitted.]]

return M
