--- The sentences for code words: states, stages, reasons, and what a person can do.
--
-- Pure: {[key] = {English, Chinese}}. %s and %d are filled in.
--
-- @module depot.console.words.states

return {
  -- States of a job, with what to do.
  s_pending = { "waits for its turn", "等待升级" },
  s_upgrading = { "upgrades", "升级中" },
  s_succeeded = { "succeeded", "升级成功" },
  s_failed = { "failed", "升级失败" },
  s_reverted = { "fell back to the version before", "已回退到旧版本" },
  s_superseded = { "runs or gets something newer", "已被更新的版本取代" },
  s_cancelled = { "cancelled", "已取消" },
  s_given = { "was given a package", "已下发升级包" },
  ["s_first heard"] = { "first heard", "首次上报" },
  s_runs = { "runs another release", "版本变化" },
  s_offered = { "was offered a release", "已推送升级" },
  s_rollout = { "rollout", "发布任务" },
  s_act = { "act of a person", "人工操作" },
  s_connection = { "connection", "连接" },
  s_none = { "no job", "无任务" },
  -- Stages of a release.
  g_uploaded = { "uploaded", "已上传" },
  g_verified = { "verified", "已验证" },
  g_released = { "released", "已发布" },
  g_withdrawn = { "withdrawn", "已撤回" },
  -- States of a rollout.
  r_draft = { "draft", "草稿" },
  r_scheduled = { "scheduled", "已计划" },
  r_running = { "running", "进行中" },
  r_soaking = { "soaking: the next wave waits", "观察期：等待下一批" },
  r_waiting = { "waits for a person", "等待人工确认" },
  r_paused = { "paused", "已暂停" },
  r_cancelled = { "cancelled", "已取消" },
  r_finished = { "finished", "已完成" },
  -- Reasons.
  w_came_back = { "It downloaded three times and still reports the old version. Look at its log.",
    "已完整下载三次，但仍上报旧版本。请查看设备日志。" },
  w_never_began = { "Ten offers, and it never began. Is it connected?", "已推送十次但从未开始。设备是否在线？" },
  w_expired = { "Four links ended before the download did. Its connection is slow.", "四个链接均在下载完成前过期，网络较慢。" },
  w_silent = { "Nothing heard for a day.", "一天没有任何上报。" },
  w_late = { "It reported the release after its job had ended.", "任务结束后才上报目标版本。" },
  w_person = { "by a person", "人工操作" },
  w_limit = { "Too many failures. Look at the failed devices, then resume or cancel.",
    "失败过多。请检查失败的设备，然后继续或取消。" },
  w_restored = { "The database was restored or copied. Resume if no other depot serves.",
    "数据库已恢复或复制。若没有其他仓库在服务，请继续。" },
  w_withdrawn = { "Its release was withdrawn.", "版本已撤回。" },
  w_superseded = { "A newer rollout covers its devices.", "已有更新的发布任务覆盖这些设备。" },
  -- What needs a person.
  n_paused = { "A rollout is paused", "发布任务已暂停" },
  n_failed = { "Devices failed", "升级失败的设备" },
  n_reverted = { "Devices fell back", "已回退的设备" },
  n_deaf = { "Nobody listens at these devices", "设备未订阅升级主题" },
  a_paused = { "Look at the failures, then resume or cancel.", "检查失败原因，然后继续或取消。" },
  a_failed = { "See why, then try again.", "查看原因，然后重试。" },
  a_reverted = { "Look at their log before anything else is rolled out.", "继续发布前请先查看设备日志。" },
  a_deaf = { "Their program has to subscribe to the topic of offers.", "设备程序需要订阅升级推送主题。" },
  b_newer = { "they run it, or something newer", "已运行此版本或更新版本" },
  b_unordered = { "it is not known whether they run something older", "无法判断当前版本新旧" },
}
