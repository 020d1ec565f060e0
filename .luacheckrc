std = "lua54"
max_line_length = 120
exclude_files = { "build*/" }

-- Pure modules see no operating system at all: facts are handed in.
local pure = {
  "lua/depot/api/errors.lua", "lua/depot/api/fields.lua", "lua/depot/api/limits.lua", "lua/depot/api/may.lua",
  "lua/depot/api/router.lua", "lua/depot/console/chart.lua",
  "lua/depot/console/form.lua", "lua/depot/console/frame.lua",
  "lua/depot/console/html.lua", "lua/depot/console/inputs.lua",
  "lua/depot/console/multipart.lua", "lua/depot/console/script.lua",
  "lua/depot/console/static.lua", "lua/depot/console/style.lua", "lua/depot/console/words.lua",
  "lua/depot/console/words/acts.lua", "lua/depot/console/words/chart.lua", "lua/depot/console/words/depot.lua",
  "lua/depot/console/words/groups.lua", "lua/depot/console/words/pages.lua", "lua/depot/console/words/queries.lua",
  "lua/depot/console/words/rollouts.lua", "lua/depot/console/words/states.lua",
  "lua/depot/console/words/uploads.lua", "lua/depot/console/words/webhooks.lua",
  "lua/depot/choice.lua",
  "lua/depot/dialects.lua",
  "lua/depot/filter.lua",
  "lua/depot/grants.lua",
  "lua/depot/job_reports.lua",
  "lua/depot/jobs.lua",
  "lua/depot/links.lua", "lua/depot/listing.lua",
  "lua/depot/luat.lua",
  "lua/depot/luat_fitting.lua",
  "lua/depot/needs.lua", "lua/depot/outbox.lua",
  "lua/depot/products.lua",
  "lua/depot/proxy.lua",
  "lua/depot/qinglian_config.lua", "lua/depot/qinglian_patch.lua", "lua/depot/ranges.lua",
  "lua/depot/rollout/life.lua", "lua/depot/rollout/place.lua", "lua/depot/rollout/plan.lua",
  "lua/depot/rollout/window.lua",
  "lua/depot/site.lua",
  "lua/depot/terminal.lua",
  "lua/update/cloud/aliyun.lua",
  "lua/update/cloud/base64.lua",
  "lua/update/cloud/luat.lua",
  "lua/update/cloud/luat_session.lua",
  "lua/update/cloud/message_fields.lua",
  "lua/update/cloud/check.lua",
  "lua/update/cloud/http_place.lua",
  "lua/update/cloud/mqtt_reports.lua",
  "lua/update/cloud/mqtt_session.lua",
  "lua/update/cloud/mqtt_transfer.lua",
  "lua/update/cloud/qinglian.lua", "lua/update/cloud/qinglian_cipher.lua", "lua/update/cloud/qinglian_firmware.lua",
  "lua/update/cloud/qinglian_frame.lua", "lua/update/cloud/qinglian_packets.lua",
  "lua/update/cloud/qinglian_patches.lua", "lua/update/cloud/qinglian_session.lua",
  "lua/update/cloud/registry.lua",
  "lua/update/cloud/resume_record.lua",
  "lua/update/cloud/tencent.lua", "lua/update/cloud/terminal.lua", "lua/update/cloud/terminal_session.lua",
  "lua/update/cloud/unsigned.lua",
  "lua/update/cloud/mit_ini.lua",
  "lua/update/config/byte_order.lua",
  "lua/update/config/cloud_fields.lua",
  "lua/update/config/cloud_rules.lua",
  "lua/update/config/free_form.lua",
  "lua/update/config/nearest.lua",
  "lua/update/engine/full_package.lua",
  "lua/update/engine/offer.lua",
  "lua/update/engine/patience.lua",
  "lua/update/engine/place.lua",
  "lua/update/engine/plausible.lua",
  "lua/update/policy.lua",
  "lua/update/script/luat_absent.lua",
  "lua/update/script/luat_device.lua",
  "lua/update/script/luat_fota.lua",
  "lua/update/script/luat_log.lua",
  "lua/update/script/luat_mail.lua",
  "lua/update/version.lua",
}
local no_system = {
  "os", "io", "package", "debug", "dofile", "loadfile", "load", "collectgarbage", "print",
}
for _, file in ipairs(pure) do
  files[file] = { not_globals = no_system }
end

files["spec/**/*.lua"] = { std = "+busted" }
files["**/*_spec.lua"] = { std = "+busted" }

-- What a device script says of itself, and Luat's own names.
files["examples/**/main.lua"] = { globals = { "PROJECT", "VERSION", "PRODUCT_KEY" } }
files["examples/*.lua"] = { globals = { "PROJECT", "VERSION", "PRODUCT_KEY" } }

-- A policy file may be edited on a device; it returns its table and sets nothing.
files["examples/policy/maintenance.lua"] = { not_globals = no_system }
