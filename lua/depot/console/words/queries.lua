--- The texts of what queries were answered: {English, Chinese} by name; q_N for the vendor's number N.
--
-- @module depot.console.words.queries

return {
  queries = { "What its queries were answered", "设备请求与应答" },
  queries_hint = { "Answers that are alike and follow each other are one line. The reason is as in the depot's log.",
    "连续相同的应答合并为一行。原因与仓库日志一致。" },
  asked_for = { "Asked for", "请求的固件" },
  answered = { "Answer", "应答" },
  q_0 = { "a package", "已下发升级包" },
  q_3 = { "no usable IMEI, MAC or uid", "缺少有效的 IMEI、MAC 或 uid" },
  q_25 = { "The key is of no product here. Is it right in the device's program?", "产品密钥不存在。请检查设备程序中的密钥。" },
  q_26 = { "No package is for this firmware name or version.", "没有适用于此固件名称或版本的升级包。" },
  q_27 = { "nothing for it now", "目前没有可用升级" },
  q_43 = { "ask again soon", "请稍后再请求" },
}
