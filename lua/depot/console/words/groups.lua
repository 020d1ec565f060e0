--- The texts of the pages of groups: {English, Chinese} by name. %d is filled in.
--
-- @module depot.console.words.groups

return {
  groups = { "Groups", "分组" },
  group = { "Group", "分组" },
  no_groups = { "No groups yet. Rollouts, filters and lists of devices can ask for one by its name.",
    "还没有分组。发布任务、筛选条件和设备列表都可以按名称使用分组。" },
  group_who = { "Which devices", "成员条件" },
  group_list_of = { "list of names: %d", "列表，共 %d 个名称" },
  group_known = { "Of them known", "其中已知设备" },
  group_members = { "Who is in it", "分组成员" },
  group_empty = { "Nobody is on the list.", "列表为空。" },
  make_group = { "Make a group", "新建分组" },
  group_name_hint = { "letters, digits, \".\", \"_\" and \"-\", up to 32", "字母、数字及“.”“_”“-”，最多 32 个" },
  group_filter_or = { "A group has a filter, or a list of names, which may not have been heard of yet.",
    "分组可以按条件，也可以按名称列表；列表可包含尚未上报的设备。" },
  group_try = { "Try a filter first", "先试用筛选条件" },
  group_of_these = { "Make a group of these", "用此条件新建分组" },
  group_names_hint = { "Leave this empty for a group with a filter.", "使用筛选条件时请留空。" },
  any_cloud = { "any cloud", "任意云" },
  group_cloud_hint = { "Only where one name is used in two clouds.", "仅当同一名称用于两个云时选择。" },
  group_add = { "Put on the list", "加入列表" },
  group_add_hint = { "They are added to those that are there.", "追加到现有成员。" },
  group_take = { "Take off the list", "移出列表" },
  group_take_hint = { "Their devices stay known.", "设备记录保留。" },
  take_off = { "Take off", "移出" },
  drop_group = { "Remove the group", "删除分组" },
  drop_group_hint = { "Its %d known devices stay. Filters that ask for it match nothing then.",
    "其中 %d 台已知设备会保留。使用此分组的筛选条件将不再匹配任何设备。" },
}
