--- The texts of the picture of releases: {English, Chinese} by name. %s and %d are filled in.
--
-- @module depot.console.words.chart

return {
  over_time = { "Releases over time", "版本变化趋势" },
  day = { "Day (UTC)", "日期（UTC）" },
  other_releases = { "others, or not known", "其他或未知" },
  chart_of = { "How many devices ran which release, from %s to %s. The table has the numbers.",
    "%s 至 %s 各版本的设备数，具体数字见表格。" },
  chart_most = { "at most %d devices", "最多 %d 台设备" },
  as_table = { "As a table: the days with a change", "表格：有变化的日期" },
}
