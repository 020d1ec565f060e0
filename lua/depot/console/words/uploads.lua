--- The texts of the page of uploads: {English, Chinese} by name.
--
-- @module depot.console.words.uploads

return {
  uploads = { "Your uploads", "我的上传" },
  uploads_hint = { "An upload that broke off goes on from where it was. Two at once may be open.",
    "中断的上传可以从断点继续。最多同时进行两个。" },
  no_uploads = { "Nothing was uploaded lately.", "最近没有上传。" },
  removed_at = { "Leaves this list", "移出列表时间" },
  go_on_upload = { "Go on", "继续上传" },
  give_up_upload = { "Give up", "放弃" },
  same_file = { "Choose the same file again.", "请重新选择同一文件。" },
  other_file = { "That is another file: its size differs.", "文件大小不同，不是同一文件。" },
  drop_here = { "or drop the file here", "或将文件拖放到此处" },
  u_open = { "not whole yet", "尚未完成" },
  u_checking = { "is being checked", "校验中" },
  u_done = { "taken in", "已入库" },
  u_failed = { "refused", "已拒绝" },
}
