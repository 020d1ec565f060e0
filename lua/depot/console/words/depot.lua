--- The texts of the page of the depot itself: {English, Chinese} by name.
--
-- @module depot.console.words.depot

return {
  the_depot = { "Products, backups and keys", "产品、备份与密钥" },
  mode = { "Mode", "模式" },
  switched_on = { "Switched on", "已启用" },
  switch_on = { "Switch on", "启用" },
  switch_off = { "Switch off", "停用" },
  unsigned_patches = { "Unsigned patches", "未签名补丁" },
  allow = { "Allow", "允许" },
  forbid = { "Forbid", "禁止" },
  rollouts_for = { "Rollouts are for", "发布对象" },
  admit_open = { "every device", "所有设备" },
  admit_listed = { "admitted devices", "已准入的设备" },
  admit_some = { "Admitted ones only", "仅限已准入的设备" },
  admit = { "Admit it", "准入此设备" },
  admit_all = { "Every device", "所有设备" },
  add_product = { "Add a product", "新建产品" },
  product_key = { "Key of the product", "产品密钥" },
  product_key_hint = { "Empty: one is made, and shown once.", "留空则自动生成，只显示一次。" },
  key_made = { "The key of the product, shown once:", "产品密钥（只显示一次）：" },
  kept = { "How long it is kept", "保存期限" },
  events_days = { "Days for events", "事件保存天数" },
  audit_days = { "Days for the audit", "审计保存天数" },
  backup = { "Backup", "备份" },
  backup_hint = { "A copy of the database in the depot's folder; as secret as the database.",
    "在仓库目录中保存数据库副本，须与数据库同样保密。" },
  backup_now = { "Back up now", "立即备份" },
  backup_made = { "The backup is in the depot's folder, as", "备份已保存在仓库目录：" },
  trusted_keys = { "Keys that packages are checked with", "校验升级包的公钥" },
}
