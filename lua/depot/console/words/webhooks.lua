--- The texts of the pages of webhooks: {English, Chinese} by name.
--
-- @module depot.console.words.webhooks

return {
  webhooks = { "Webhooks", "Webhook" },
  webhook = { "Webhook", "Webhook" },
  webhooks_hint = { "A webhook sends the events of this product to an address, signed.",
    "Webhook 将此产品的事件签名后发送到指定地址。" },
  no_webhooks = { "No webhooks yet.", "还没有 Webhook。" },
  hook_url = { "Address", "地址" },
  hook_url_hint = { "https://, public, and without user and password; what follows a \"?\" is not shown later.",
    "须为公网 https:// 地址，不含用户名和密码；“?”之后的内容以后不再显示。" },
  hook_url_same = { "Empty: as it is.", "留空则不变。" },
  hook_events_hint = { "None chosen: failures, devices that fell back, and rollouts.", "不选则发送：升级失败、回退和发布任务。" },
  hook_events_same = { "None chosen: as they are.", "不选则不变。" },
  hook_delivered = { "Last delivery", "最近送达" },
  hook_again = { "Next try", "下次重试" },
  hook_on = { "on", "已启用" },
  hook_off = { "off", "已停用" },
  hook_failing = { "on, but it fails since", "已启用，但持续失败，开始于" },
  hook_gave_up = { "off, since it failed for a day:", "连续失败一天，已自动停用：" },
  hook_mend = { "Mend its receiver, then switch it on: it begins with the next event. What it missed stays under "
    .. "Events.",
    "请先修复接收端，再启用；从下一个事件开始发送。遗漏的内容可在“事件”中查看。" },
  hook_restored = { "off, since the database was restored or copied.", "数据库已恢复或复制，因此已停用。" },
  hook_other = { "Switch it on if no other depot sends to it: it begins with the next event.",
    "若没有其他仓库向此地址发送，请启用；从下一个事件开始发送。" },
  leave_off = { "Leave it off", "保持停用" },
  add_webhook = { "Add a webhook", "添加 Webhook" },
  change_webhook = { "Change it", "修改" },
  remove_webhook = { "Remove the webhook", "删除 Webhook" },
  remove_webhook_hint = { "Nothing more is sent there, and its secret is removed, too.", "不再向此地址发送，签名密钥一并删除。" },
  secret_made = { "The secret that signs its messages, shown once. Its receiver checks Moult-Signature with it:",
    "消息的签名密钥（只显示一次），接收端用它校验 Moult-Signature：" },
}
