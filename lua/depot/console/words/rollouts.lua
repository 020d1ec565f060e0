--- The texts of the form of a rollout: {English, Chinese} by name.
--
-- @module depot.console.words.rollouts

return {
  window_hint = { "as 22:00-05:00, in the zone of each device, else of its product; empty: at any time",
    "例如 22:00-05:00，按设备时区，否则按产品时区；留空则不限" },
  none_under_way = { "No rollout is under way.", "没有进行中的发布任务。" },
  more = { "More", "更多设置" },
  members = { "Which devices", "设备范围" },
  members_open = { "also those that come later", "包含之后加入的设备" },
  members_fixed = { "those there are now; it ends when all have a result", "仅限当前设备；全部有结果后结束" },
  advance_time = { "by itself", "自动" },
  advance_hand = { "a person opens each wave", "人工开始每一批" },
  at = { "Start at (UTC)", "开始时间（UTC）" },
  at_hint = { "as 2026-12-01 22:00; empty: now", "例如 2026-12-01 22:00；留空则立即开始" },
  retries = { "A failed device tries again by itself, times", "失败后自动重试次数" },
  priority = { "Priority; a higher one is served first", "优先级，数值大者优先" },
  change = { "Change", "修改" },
  change_hint = { "Release, devices and opened waves stay as they are.", "版本、设备范围和已开始的批次不变。" },
}
