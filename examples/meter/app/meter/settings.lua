--- What is measured, how often, and how much of it is kept.
-- @module meter.settings

return {
  columns = { "load" },     -- readings, in the order of the file: see meter.sensor
  interval = 1,             -- seconds between two readings
  window = 60,              -- readings kept in memory for the summary
  keep_bytes = 64 * 1024,   -- the file is turned over beyond this; one older file is kept
}
