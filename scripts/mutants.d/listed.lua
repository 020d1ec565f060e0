--- Wrong lines that nothing can notice, or that nothing has to, each with the
-- reason: "MODULE:FUNCTION: LINE => WRONG LINE" as `scripts/mutants` prints it.
local listed = {}

local function list(where, from, to, reason)
  listed[("%s: %s => %s"):format(where, from, to)] = reason
end

list("processes_system:be_child", 'unsetenv("WATCHDOG_USEC");', 'after unsetenv("WATCHDOG_PID");',
  "two names that do not meet")

list("running_system:leave_ours", "for (int i = 1; i < NSIG; i++)", "for (int i = 1; i <= NSIG; i++)",
  "there is no signal of that number, and the system says so")
list("files_ran:take", "if (left < ONE)", "if (left < (ONE + 1))", "a folder has a byte at least, which is asked next")
list("hotfix_set:check_room", "return need < room ? 0", "return need <= room ? 0", "a byte more or less is a choice")
list("hotfix_set:up_hotfix_set_open", "memset(&set->ledger, 0, sizeof set->ledger);", ";",
  "a ledger that is lost was not read into it")
list("system_names:kind_of_entry", "if (entry->d_type != DT_UNKNOWN)", "if (entry->d_type == DT_UNKNOWN)",
  "both ways tell the same kind; file systems that do not tell it at once are rare")
list("reuse:up_reuse_step", "done += r->block_size;", ";", "how much is looked at in a call is a choice")
list("index_reader:up_index_reader_feed", "while (len > 0) {", "while (len >= 0) {",
  "of nothing no piece is whole, and that returns")
list("slot_mtd:load",
  "if (to == 0 || s->storage->ops->pread(s->storage, s->file, buf, to, base) == (long long)to)",
  "if (!(to == 0 || s->storage->ops->pread(s->storage, s->file, buf, to, base) == (long long)to))",
  "page by page reads the same, more slowly")
list("boot_file:last_good", "for (int i = 0; i < s->count && !s->good[s->running]; i++)",
  "for (int i = 0; i < s->count || !s->good[s->running]; i++)",
  "of two slots only the other one is left, and one of them is good")
list("system:sys_random", "if (n > 0)", "if (n >= 0)", "the system never gives nothing")
list("inventory:up_inventory_front", "while (n < v->count && up_inventory_has(v, n))",
  "while (n <= v->count && up_inventory_has(v, n))", "no bit is set behind the last")
list("transfer_reuse:up_transfer_copy", "up_reuse_forget(t->reuse, block->digest);", ";",
  "what does not match is fetched each time")
list("package_layout:fill_header", "if (from >= to)", "if (from > to)", "copies nothing")
list("codec:lzma_options", "options->dict_size = UP_BLOCK_MIN;", ";",
  "a larger dictionary decodes the same, with more memory")
list("keys:clean_revoked", "if (scan.changed > 0 && storage->ops->sync_dir(storage, dir) < 0)",
  "if (scan.changed >= 0 && storage->ops->sync_dir(storage, dir) < 0)", "synced once more, with nothing to do")
list("unpack:end_archive", "if (u->storage->ops->sync_dir(u->storage, u->dir) < 0)", "if (false)",
  "a tree that lost its names is found before it starts, and made again")
list("storage:parent_of", "while (len > 1 && path[len - 1] == '/')", "while (len >= 1 && path[len - 1] == '/')",
  "of the root alone, which nobody writes")

list("processes_system:s_adopt", "if (getsockopt(link, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM) {",
  "if ((getsockopt(link, SOL_SOCKET, SO_TYPE, &type, &len) < 0 && false) || type != SOCK_STREAM) {",
  "what is no socket has no type either; that it is not set then is for valgrind")
list("printable:length_of", "if (first < 0x80)", "if (first <= 0x80)",
  "0x80 alone is no character, and U+0080 is not shown")
list("system_mounts:device_mounted", "if (depth > MAX_STACK)", "if (depth >= MAX_STACK)",
  "how many devices lie on one another before it is taken for a ring is a choice")
list("generation_kept:collect_marked", "while (at < m->count && m->number[at] > n)",
  "while (at < m->count && m->number[at] >= n)", "no number is there twice")
list("codec:lzma_options", "while (options->dict_size < len && options->dict_size < UP_BLOCK_MAX)",
  "while (options->dict_size < len && options->dict_size <= UP_BLOCK_MAX)", "no block is larger than that")
list("codec:lzma_options", "while (options->dict_size < len && options->dict_size < UP_BLOCK_MAX)",
  "while (options->dict_size < len || options->dict_size < UP_BLOCK_MAX)",
  "a larger dictionary decodes the same, with more memory")
for from, to in pairs {
  ['snprintf(s->fix.name, sizeof s->fix.name, "hotfix %s", id);'] = ";",
  ["s->fix.lua = true;"] = ";",
  ["s->fix.opaque = false;"] = ";",
  ["h = up_hotfix_ledger(s->device, &ledger, &ignored) < 0 ? NULL : up_hotfix_ledger_find_id(&ledger, id);"] =
    "h = (up_hotfix_ledger(s->device, &ledger, &ignored) < 0 && false) ? NULL : up_hotfix_ledger_find_id(&ledger, id);",
} do
  list("supervisor_hotfix:name_it", from, to, "of a ledger that was written, or read, just now")
end
list("supervisor_hotfix_test:look_after_tester", "return false;", "return true;",
  "where it matters that a test has ended, one was started")
list("supervisor_script:swept", "return true;", "return false;", "it is so at the next look")
list("processes_system:s_wait",
  "if (count > WATCHES) { /* nobody has so many; all are looked at when this returns */",
  "if (count > (WATCHES + 1)) { /* nobody has so many; all are looked at when this returns */", "nobody has so many")
list("tar_reader:take_header", "if (r->size - r->at < up_tar_padded(r->entry.size))",
  "if (r->size - r->at <= up_tar_padded(r->entry.size))",
  "an archive that ends there is refused for its missing end mark")
list("transfer_unfinished:up_transfer_resume",
  "if (len > DIGEST && len - DIGEST <= block->stored && memcmp(text, block->stored_digest, DIGEST) == 0) {",
  "if (len > (DIGEST + 1) && len - DIGEST <= block->stored && memcmp(text, block->stored_digest, DIGEST) == 0) {",
  "one byte is fetched once more")
for _, where in ipairs { "score_of", "is_child" } do
  list("orphans:" .. where, "return false;", "return true;", "of a process that ends at this very moment")
end
for _, wrong in ipairs { "false", "(fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 && false)" } do
  list("relay:add", "if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0) {", ("if (%s) {"):format(wrong),
    "of a pipe that was just made")
end
list("device_kept:up_device_keep_reuse", "begin_with(d);", ";", "a transfer has asked for what was kept before")
for _, where in ipairs { "system_cache:up_system_cache_pread", "system_files:up_system_file_pread" } do
  list(where, "while (done < len) {", "while (done <= len) {", "of nothing nothing is read, and that ends it")
end
list("policy_last_good:head_of", [[snprintf(head, HEAD + 1, MAGIC "%s\n", hex);]],
  [[snprintf(head, HEAD, MAGIC "%s\n", hex);]], "who reads it makes it in the same way")
list("log:open_sink", "if (fstat(descriptor, &st) < 0)", "if ((fstat(descriptor, &st) < 0 && false))",
  "of a descriptor that is closed; nothing is written to it either way")
list("policy:finish", "p->answer[p->received] = '\\0';", ";", "the room was zero when it was made")
list("transfer_open:allocate", "for (unsigned i = 0; i < t->manifest->part_count; i++)",
  "for (unsigned i = 0; i <= t->manifest->part_count; i++)", "looks one too far; for the sanitizers")
list("processes_system:s_wait", "if (poll(fds, 1 + count + pipes, (int)(till - now)) <= 0)",
  "if (poll(fds, 1 + count + pipes, (int)(till - now)) < 0)", "the time is over then, and that ends it, too")
list("package_layout:up_package_layout_of", "memset(layout, 0, sizeof *layout);", ";",
  "nobody looks behind the last part")
list("supervisor:up_supervisor_step",
  "if (!s->device || s->leave != UP_LEAVE_NOT || up_supervisor_now(s) >= s->ready_by)",
  "if (!s->device || s->leave != UP_LEAVE_NOT || up_supervisor_now(s) > s->ready_by)", "a millisecond later")
list("transfer_unfinished:up_transfer_keep",
  "up_blocks_get(t->part[t->at_part].blocks, t->at_block, &block, &ignored) < 0)",
  "(up_blocks_get(t->part[t->at_part].blocks, t->at_block, &block, &ignored) < 0 && false))",
  "what is kept then fits no block, and nothing is taken from it")
list("transfer_open:get_macs", "if (p->adopt || t->hotfix)", "if (!(p->adopt || t->hotfix))",
  "without MACs all is decoded to be compared, which is slower alone")
for _, wrong in ipairs { "> LONG_BUFFER", ">= (LONG_BUFFER + 1)" } do
  list("crc32c:up_crc32c", "if (len >= LONG_BUFFER || has_table()) {", ("if (len %s || has_table()) {"):format(wrong),
     "both ways give the same")
end
list("public_key:up_public_key_load",
  [[wide = size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);]],
  [[wide = size > 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);]],
  "a mark without a text, which is refused with fewer words")
list("transfer_unfinished:up_transfer_resume", "t->resumed = true;", ";",
  "the file is looked at for each block, and fits the one alone")
list("storage:remove_node", "r->error = errno;", ";",
  "a directory that could not be listed is not empty, and stays for that")
for _, wrong in ipairs { "false", "(s->ops->list(s, r->path, remove_entry, r) < 0 && false)" } do
  list("storage:remove_node", "if (s->ops->list(s, r->path, remove_entry, r) < 0)", ("if (%s)"):format(wrong),
    "a directory that could not be listed is not empty, and stays for that")
end
list("transfer_reuse:up_transfer_copy", "t->want_end = 0;", ";", "the source is read without having been told")
list("device:check_config", "if (config->journal_dir && strlen(config->journal_dir) > UP_PATH_SIZE / 2)",
  "if (config->journal_dir && strlen(config->journal_dir) >= UP_PATH_SIZE / 2)", "how long it may be is a choice")
list("history:encode", "memset(out, 0, UP_HISTORY_RECORD);", ";", "what lies between the fields is told to nobody")
list("ed25519:below", "return a[i] < b[i];", "return a[i] <= b[i];", "they differ there")
list("transfer:want", "bool last = t->at_part + 1 == t->manifest->part_count;",
  "bool last = t->at_part + 1 != t->manifest->part_count;", "a source is told of a few bytes more or less")
list("transfer_unfinished:up_transfer_resume",
  "if (len > DIGEST && len - DIGEST <= block->stored && memcmp(text, block->stored_digest, DIGEST) == 0) {",
  "if (len >= DIGEST && len - DIGEST <= block->stored && memcmp(text, block->stored_digest, DIGEST) == 0) {",
  "nothing of a block is nothing")
list("relay:up_relay_watch", "for (size_t i = 0; i < r->count; i++)", "for (size_t i = 0; i <= r->count; i++)",
  "writes one too far; for the sanitizers")
list("program:up_program_start", "posix_spawn_file_actions_destroy(&files);", ";",
  "memory of the C library; for the sanitizers")
list("program:up_program_start", "posix_spawnattr_destroy(&attributes);", ";", "there it frees nothing")
list("program:describe", "sigfillset(&all);", ";", "whatever the stack holds then; for valgrind")
for _, wrong in ipairs { "false", "(fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 && false)" } do
  list("system_names:kind_of_entry",
    "return fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? UP_NODE_OTHER",
    ("return %s ? UP_NODE_OTHER"):format(wrong),
    "of file systems that do not tell the kind, an entry that goes at this very moment")
end
list("version:compare_numbers", "while (a->at < a->end && *a->at == '0')",
  "while (a->at <= a->end && *a->at == '0')", "what ends a number is no digit")
list("transfer_reuse:applies",
  "!up_device_provisioning(t->device) && up_inventory_front(p->in_place) < p->count;",
  "!up_device_provisioning(t->device) && up_inventory_front(p->in_place) <= p->count;",
  "nothing is wanted then, and that ends it")
list("provision_end:up_device_commit_provision", "d->boot_state = boot;", ";",
  "the factory ends with that; the next start reads it")
list("keyring:up_keyring_open", 'if ((len > 4 && strcmp(path + len - 4, ".pub") == 0) ||',
  'if ((len >= 4 && strcmp(path + len - 4, ".pub") == 0) ||', "of a path that is .pub and no more")
list("device:check_config", "if (strlen(config->state) > UP_PATH_SIZE / 2)",
  "if (strlen(config->state) >= UP_PATH_SIZE / 2)", "how long it may be is a choice")
list("reuse:collect", "for (uint32_t i = 0; i < r->count; i++)", "for (uint32_t i = 0; i <= r->count; i++)",
  "a key of no block, which nothing has; one too far is for the sanitizers")
list("generation:find_earlier", "if (up_storage_remove_tree(s, m->unfinished, err) < 0)",
  "if ((up_storage_remove_tree(s, m->unfinished, err) < 0 && false))",
  "the rename onto it fails then, too")
list("install_finish:forget_hints", "if (d->state.tx.hint > 0)", "if (d->state.tx.hint >= 0)",
  "that nothing is known is written once more")

list("system_dirs:same_mount", "return false;", "return true;",
  "of a directory that is open, which the system always tells of")

list("inventory:find_from_front",
  "end = from = front == v->count ? up_blocks_content(blocks) : front * block_size;",
  "end = from = front != v->count ? up_blocks_content(blocks) : front * block_size;",
  "of the block at the front more is written anew, and what follows the front does not match either way")

list("transfer_reuse:begin", "t->looking_at = UP_REUSE_RUNNING;", ";",
  "the first of them, and the room was zero when it was made")

list("generation_kept:up_generation_exchange", "if (s->ops->rename(s, dir, old) < 0 && errno != ENOENT)",
  "if ((s->ops->rename(s, dir, old) < 0 && false) && errno != ENOENT)",
  "the rename onto it fails then, too")

list("reuse:stride", "return blocks > first ? (uint32_t)(blocks / first) : 1;",
  "return blocks >= first ? (uint32_t)(blocks / first) : 1;", "of as many it is 1 either way")
list("transfer_unfinished:up_transfer_forget", "t->in_spool = false;", ";", "a file that is gone is removed once more")

for _, wrong in ipairs { "i <= UP_OVERRIDE_MAX", "i < (UP_OVERRIDE_MAX + 1)" } do
  list("manifest_format:put_override", "for (unsigned i = 0; i < m->override_count && i < UP_OVERRIDE_MAX; i++)",
    ("for (unsigned i = 0; i < m->override_count && %s; i++)"):format(wrong),
    "so many are refused by the reader; one too far is for the sanitizers")
end

list("moult_link:address_of", "if (strlen(path) < sizeof out->sun_path) {",
  "if (strlen(path) <= sizeof out->sun_path) {",
  "the kernel takes a path without its end; one byte too far is for the sanitizers")

list("files_twin:up_files_twin_read", "for (int i = 0; i < 2; i++) {", "for (int i = 0; i <= 2; i++) {",
  "there is no third one")

list("inventory:find_from_front", "first = (uint32_t)(from / block_size);", ";",
  "pages that were written once more and read wrong are found by the read-back before anything is armed")

list("package_layout:fill_header", "if (up_tar_put(header, &entry, NULL) < 0)",
  "if ((up_tar_put(header, &entry, NULL) < 0 && false))", "of what cannot be")
list("package_layout:up_package_layout_fill", "for (unsigned i = 0; i < m->part_count; i++) {",
  "for (unsigned i = 0; i <= m->part_count; i++) {", "no header lies before byte 0")

-- The bytes behind a record.
for _, step in ipairs { "word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;",
  "word = (word ^ word >> 27) * 0x94d049bb133111ebu;" } do
  list("record_half:fill", step, ";", "mixed once less they are no smaller for a file system that compresses")
end

-- Where an entry is changed by its address, which nothing traps.
local ENTRIES = "for (int i = 0; i < UP_QUARANTINE_MAX; i++)"
for _, name in ipairs { "up_device_close_verdicts", "up_device_judge" } do
  for _, wrong in ipairs { "i <= UP_QUARANTINE_MAX", "i < (UP_QUARANTINE_MAX + 1)" } do
    list("device_quarantine:" .. name, ENTRIES, (ENTRIES:gsub("i < UP_QUARANTINE_MAX", wrong)),
      "what follows the last entry is none of a release; one too far is for the sanitizers")
  end
end
for _, wrong in ipairs { ">= RETRY_MOST_MS", "> (RETRY_MOST_MS + 1)" } do
  list("supervisor_restart:run_command", "if (s->restart_delay > RETRY_MOST_MS)",
    ("if (s->restart_delay %s)"):format(wrong), "a minute that is doubled comes to neither")
end

list("keyset:up_keyset_mark", "return up_storage_write_file(storage, path, text, sizeof text - 1, 0644, err);",
  "return up_storage_write_file(storage, path, text, sizeof text, 0644, err);",
  "what the mark says is for people; that it is there is what counts")
list("keyring:ring_add", "for (size_t i = 0; i < ring->count; i++)", "for (size_t i = 0; i <= ring->count; i++)",
  "the entry behind the last is blank, and no key is; one too far is for the sanitizers")
list("transfer:want", "if (end > from)", "if (end >= from)", "no source does anything for a wish of no bytes")

list("policy:start", "rc = errno;", ";", "ends that were not made cannot be given to a process, and none is started")

list("storage:try_file", "if (s->ops->sync(s, file) < 0)", "if ((s->ops->sync(s, file) < 0 && false))",
  "what a sync did not get out reads back differently")
list("keys_format:take_revoke", "for (unsigned i = 0; i < k->add_count; i++)",
  "for (unsigned i = 0; i <= k->add_count; i++)", "one entry too far is blank, or for the sanitizers")
list("files_part:read_content", "if (offset >= size)", "if (offset > size)", "of nothing nothing is read")
list("tar:up_tar_get", "if (up_tar_put(again, entry, NULL) < 0 || memcmp(again, in, UP_TAR_BLOCK) != 0)",
  "if ((up_tar_put(again, entry, NULL) < 0 && false) || memcmp(again, in, UP_TAR_BLOCK) != 0)",
  "what was not put is not the same either")
list("reuse:up_reuse_step", "r->step = stride((size + r->block_size - 1) / r->block_size);",
  "r->step = stride((size + r->block_size) / r->block_size);", "how far the looks are apart is a choice")
list("files_open:up_files_open", 'if (up_files_stage_init(&f->record, s, f->folder, "stage", err) < 0 ||',
  'if ((up_files_stage_init(&f->record, s, f->folder, "stage", err) < 0 && false) ||',
  "a state with so long a path is refused as it is opened")
list("script_archive:is_kept", "for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {",
  "for (size_t i = 0; i <= sizeof kept / sizeof *kept; i++) {", "looks one too far; for the sanitizers")
list("system_names:up_system_name_list_open", "errno = failure;", ";", "a closedir() that succeeds leaves errno alone")
list("archive_zip:find_end", "for (uint64_t back = END; back <= most; back++) {",
  "for (uint64_t back = END; back < most; back++) {", "libarchive takes none that are so")
list("record_walk:up_record_walk_u64", "if (w->in && !w->bad)", "if (w->in || !w->bad)",
  "otherwise the bytes are still those of the field")
list("archive_reader:check_size", "if (a->bytes > RATIO_FROM && a->bytes / a->limits.ratio > came)",
  "if (a->bytes > RATIO_FROM && a->bytes / a->limits.ratio >= came)", "the bound itself is a choice")
list("files_clean:each", "c->strays->first[0] = '\\0';", ";", "a path that is too long is shown cut, not left out")
list("package_spool:up_package_spool_begin", "if (s->storage->ops->unlink(s->storage, path) < 0 && errno != ENOENT)",
  "if ((s->storage->ops->unlink(s->storage, path) < 0 && false) && errno != ENOENT)", "what stays is not made anew")
list("package_spool:check_index", "if (n > 0)", "if (n >= 0)", "nothing is fed")
for _, wrong in ipairs { "> (DEPTH + 1)", ">= DEPTH" } do
  list("files_copy:copy_dir", "if (c.depth > DEPTH)", ("if (c.depth %s)"):format(wrong),
    "how deep is too deep is a choice")
end
list("transfer:decode_old", "for (int try = 0; try < 2; try++) {", "for (int try = 0; try <= 2; try++) {",
  "what reads wrong twice, past the cache, may be read once more")
for _, wrong in ipairs { "p->ready = p->ready && rc == 0;", ";" } do
  list("transfer:make_ready", "p->ready = p->ready || rc == 0;", wrong,
    "what is prepared is prepared again, which does nothing")
end
list("slot_plain:plain_sync", "st.size > s->size && s->storage->ops->truncate(s->storage, s->file, s->size) < 0)",
  "st.size >= s->size && s->storage->ops->truncate(s->storage, s->file, s->size) < 0)", "of the right size it stays")
list("running_image:wants_digest",
  "if (!core || !core->delta || !(up_device_parts(d, m) & 1u << UP_CORE) || !running->present ||",
  "if (!core || !core->delta || !(up_device_parts(d, m) & 1u << UP_CORE) && !running->present ||",
  "a digest that nobody asks for costs time alone")
list("hotfix_settle:up_hotfix_inspect", "h = n < ledger.count ? &ledger.entry[n] : NULL;",
  "h = n <= ledger.count ? &ledger.entry[n] : NULL;", "one more is asked for only while there is one")
list("minisign_format:up_minisign_read_key", [[if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)]],
  [[if (size > 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)]], "a mark without a text is no key either way")

local COPIES = " || up_files_copy_dir(p, t->op->name, p->dir, part, err) < 0 ||"
list("files_forward:keep_copy", "if (up_files_tree_remove(p, part, err) < 0" .. COPIES,
  "if ((up_files_tree_remove(p, part, err) < 0 && false)" .. COPIES, "no directory is made where something stayed")

for _, where in ipairs { "connect_until", "wait_for_answer" } do
  list("moult:" .. where, "if (moult_link_now() >= till)", "if (moult_link_now() > till)", "a millisecond later")
end
list("minisign_format:up_minisign_next_line",
  [[const char *stop = t->at < t->end ? memchr(t->at, '\n', (size_t)(t->end - t->at)) : NULL;]],
  [[const char *stop = t->at <= t->end ? memchr(t->at, '\n', (size_t)(t->end - t->at)) : NULL;]],
  "in nothing there is no end of a line")
list("running_system:leave_ours",
  "return null >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 && dup2(null, 2) >= 0 && setsid() >= 0 &&",
  "return null >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 && dup2(null, 2) > 0 && setsid() >= 0 &&",
  "what succeeds gives 2")
for _, wrong in ipairs { "false", "(fcntl(link, F_SETFL, flags | O_NONBLOCK) < 0 && false)" } do
  list("processes_system:s_adopt", "if (flags < 0 || fcntl(link, F_SETFL, flags | O_NONBLOCK) < 0)",
    ("if (flags < 0 || %s)"):format(wrong), "of a socket that has just told its flags")
end

list("hotfix:up_hotfix_undo",
  "for (struct up_hotfix *o = h + 1; o < &ledger.entry[ledger.count]; o++) {",
  "for (struct up_hotfix *o = h + 1; o <= &ledger.entry[ledger.count]; o++) {",
  "an entry behind the last has no name and no files; one too far is for the sanitizers")

-- Of what a list has, and of one more, which is zero.
list("hotfix_set:find_under_way", "for (uint32_t i = 0; i < set->ledger.count; i++)",
  "for (uint32_t i = 0; i <= set->ledger.count; i++)", "one that is zero ends nothing; too far is for the sanitizers")
list("manifest:check_belongings", "for (unsigned i = 0; i < m->part_count; i++)",
  "for (unsigned i = 0; i <= m->part_count; i++)", "a part that is zero is a script, and nothing has to name that")
list("files_archive:up_files_archive_end", "for (size_t i = 0; i < a->ini.count; i++) {",
  "for (size_t i = 0; i <= a->ini.count; i++) {", "one that is zero puts nothing; one too far is for the sanitizers")
list("files_archive:up_files_archive_find", "for (size_t i = 0; i < a->members; i++)",
  "for (size_t i = 0; i <= a->members; i++)", "one that is zero has no name; one too far is for the sanitizers")
list("files_archive:take_file", "if (a->members > 0 && strcmp(member[-1].name, entry->name) >= 0)",
  "if (a->members >= 0 && strcmp(member[-1].name, entry->name) >= 0)", "looks before the first; for the sanitizers")
list("files_named:is_named", "for (size_t i = 0; i < ini->count; i++) {",
  "for (size_t i = 0; i <= ini->count; i++) {", "one that is zero is no operation; one too far is for the sanitizers")
list("files_named:up_files_named_path", "return false;", "return true;", "what is cut short is named by no line")
list("update_ini:take_lines", "if (size > 0 && at[size - 1] == '\\r')", "if (size >= 0 && at[size - 1] == '\\r')",
  "before an empty line lies the end of another; before the first, for the sanitizers")
list("tar_reader:up_tar_reader_begin", "memset(r, 0, sizeof *r);", ";", "whoever has one has zeroed it")
for _, wrong in ipairs { "false", "(up_files_stage_write(&f->record, &next, err) < 0 && false)" } do
  list("files:look_again", "if (up_files_stage_write(&f->record, &next, err) < 0)", ("if (%s)"):format(wrong),
    "all of it is in place, and is looked at once more")
end

list("device_settle:try_start", "if (d->state.phase == UP_ARMED && up_device_begin_trial(d, err) < 0)",
  "if (d->state.phase == UP_ARMED && (up_device_begin_trial(d, err) < 0 && false))",
  "what has no trial is not counted either, and goes back for that")
list("generation_kept:copy_bytes", "if (n > 0 && s->ops->pwrite(s, to, chunk, (size_t)n, at) < 0)",
  "if (n >= 0 && s->ops->pwrite(s, to, chunk, (size_t)n, at) < 0)", "at its end nothing is written")
list("transfer:decode_old", "for (int try = 0; try < 2; try++) {", "for (int try = 0; try <= 2; try++) {",
  "what was read past the cache reads the same once more")
list("transfer:decode_old", "if (try)", "if (!(try))", "past the cache at once, which is slower alone")
list("device_gates:find_room", "if (facts->files_root && room > facts->files_free)",
  "if (facts->files_root && room >= facts->files_free)", "of two roots with the same room either may be named")
list("package_copy:copy_read", "if (c->ready && c->is_block && offset >= c->begin && offset < end_of(c)) {",
  "if (c->ready && c->is_block && offset >= c->begin && offset <= end_of(c)) {", "a package ends with no block")

list("running_system:r_run", "errno = rc;", ";", "what starts no program has left the same there")
list("moult:take_lines", "for (int i = 0; i < LINES_A_TURN || moult_link_has_line(&m->link); i++) {",
  "for (int i = 0; i <= LINES_A_TURN || moult_link_has_line(&m->link); i++) {", "how many in a turn is a choice")
list("reuse:stride", "uint64_t first = blocks / SHARE_FIRST > LEAST_FIRST ? blocks / SHARE_FIRST : LEAST_FIRST;",
  "uint64_t first = blocks / SHARE_FIRST >= LEAST_FIRST ? blocks / SHARE_FIRST : LEAST_FIRST;",
  "of two that are equal it is either way the same")
list("transfer_open:find_blocks", "if (end > p->count || p->adopt)", "if (end >= p->count || p->adopt)",
  "of two that are equal it is either way the same")
list("files_folder:compare", "for (size_t i = 0; i < ini->count; i++) {", "for (size_t i = 0; i <= ini->count; i++) {",
  "one that is zero puts nothing; one too far is for the sanitizers")
list("hotfix_set:up_hotfix_set_close_over", "for (uint32_t i = 0; i < set->ledger.count; i++)",
  "for (uint32_t i = 0; i <= set->ledger.count; i++)",
  "no files are kept of one that is not in the ledger; one too far is for the sanitizers")
list("system_files:up_system_file_stat", "if (fstat(file, &st) < 0)", "if ((fstat(file, &st) < 0 && false))",
  "of a file that is open")
list("device_counted:up_device_forget_count", "forget(d, COUNTED);", 'after forget(d, COUNTED ".new");',
  "neither is synced, so a cut keeps whichever it likes in either order")

for _, wrong in ipairs { "at - end < WANT_GAP", "at - end <= (WANT_GAP + 1)" } do
  list("transfer:want",
    "for (i = t->at_block; i < p->count && at - end <= WANT_GAP && end - from < WANT_BYTES; i++) {",
    ("for (i = t->at_block; i < p->count && %s && end - from < WANT_BYTES; i++) {"):format(wrong),
    "how large a gap is small is a choice")
end
list("package:step_signature", "if (p->source->ops->want && p->layout.head_size > FIRST_WANT)",
  "if (p->source->ops->want && p->layout.head_size >= FIRST_WANT)", "so many are wanted already")
list("tar:up_tar_get", "if (entry->directory && len > 0)", "if (entry->directory && len >= 0)",
  "a directory without a name is refused either way")
list("hotfix_ledger:up_hotfix_ledger_highest", "for (uint32_t i = 0; i < ledger->count; i++)",
  "for (uint32_t i = 0; i <= ledger->count; i++)",
  "one that is zero is not the highest; one too far is for the sanitizers")
list("system_cache:up_system_cache_use", "if (flags >= 0 && flags & O_DIRECT)", "if (flags > 0 && flags & O_DIRECT)",
  "0 has no O_DIRECT either")
list("codec:lzma_options", "while (options->dict_size < len && options->dict_size < UP_BLOCK_MAX)",
  "while (options->dict_size <= len && options->dict_size < UP_BLOCK_MAX)",
  "a larger dictionary decodes the same, with more memory")
list("files_programs:up_files_program_are_tried",
  "if (op->kind != UP_FILES_PUT || !was->there || was->st.kind != UP_NODE_FILE || !(was->st.mode & 0111))",
  "if (op->kind != UP_FILES_PUT || !was->there || was->st.kind != UP_NODE_FILE && !(was->st.mode & 0111))",
  "no process runs what is no file, or what nobody may execute")
list("slot:open_node", "path = n->name;", ";", "whoever opens a link follows it, too")
list("files_alive:up_files_alive_look", "for (uint32_t n = 0; n < a->count && n < f->plan.program_count; n++)",
  "for (uint32_t n = 0; n <= a->count && n < f->plan.program_count; n++)",
  "a plan has no more programs than when it was first looked at")
list("files_ran:up_files_ran_encode", "for (uint32_t n = 0; n < as->group_count; n++)",
  "for (uint32_t n = 0; n <= as->group_count; n++)",
  "the folder is written over it; one too far is for the sanitizers")
list("system_mounts:in_mountinfo", "while (!settled(found) && getline(&line, &size, f) >= 0) {",
  "while (!settled(found) && getline(&line, &size, f) > 0) {", "a line has a byte at least")
list("files_make:upto_mount", "if (len >= sizeof name)", "if (len > sizeof name)", "a plan has no name of that length")
list("processes_system:s_adopt",
  "if (getsockopt(link, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM) {",
  "if (false || type != SOCK_STREAM) {",
  "what is no socket has no type either; that it is not set then is for valgrind")
list("archive_reader:seek", "if (offset < -from || offset > (int64_t)a->size - from) {",
  "if (offset < -from && offset > (int64_t)a->size - from) {", "nothing can be read there")
list("reuse:up_reuse_forget", "if (at)", "if (!(at))",
  "what does not match is fetched each time; only what was found is forgotten")
list("listener:listen_at", "if (listen(l->fd, BACKLOG) < 0)", "if ((listen(l->fd, BACKLOG) < 0 && false))",
  "of a socket that has just got its name")
list("slot_link:up_slot_link_follow", "if (links > 0)", "if (links >= 0)",
  "the shorter name of what no link leads to is of the same node")
list("record_half:up_record_half_replace", "if (len > start)", "if (len >= start)", "of nothing nothing is filled")
list("record:newest", "return h[1].sequence > h[0].sequence;", "return h[1].sequence >= h[0].sequence;",
  "no number is written twice")
list("child:up_child_hear", "count_waits(c);", ";", "what was waited since the last look excuses as much after it")
list("files_suspended:up_files_drop_suspended", "f->below = none;", ";", "whoever ends a plan closes it after that")
list("supervisor_protocol:confirm", "up_supervisor_refresh(s);", ";",
  "while something is on trial nobody else writes the journal")

return listed
