--- Wrong lines that once went unnoticed, or that slips made by hand are like.
-- They are tried on demand: `main.lua BUILD --known`. A line that is not there any more is
-- an error, so that the list follows the code.
--
-- Each: {module, line, what it becomes}; {module, line, what it becomes, n} is
-- the n-th such line of the file.
return {
  -- What was decoded is compared, whatever was stored.
  { "transfer", "if (!up_transfer_matches(t, t->decoded, block->length, block->digest))", "if (false)" },
  { "transfer", "if (rc == 0 && up_transfer_matches(t, t->decoded, block->length, block->digest))", "if (rc == 0)" },
  { "transfer", "if (t->second_try)", "if (true)" },
  { "transfer", "if (try)", "if (false)" },
  -- The old image is read past the cache once more.
  { "transfer", "for (int try = 0; try < 2; try++) {", "for (int try = 0; try < 1; try++) {" },
  -- Gates, before a transaction and before arming.
  { "install", "if (up_device_gates(d, m, &report, err) < 0)", "if (false)" },
  { "install_finish", "if (up_device_stage_ends(d, err) < 0 || up_device_gates(d, m, &report, err) < 0)",
    "if (up_device_stage_ends(d, err) < 0)" },
  -- The spool is read back, from the medium.
  { "install_finish", "if (match == 0)", "if (match == 0 && part->kind == UP_CORE)" },
  { "install_finish", "if (match == 0)", "if (match == 0 && part->kind == UP_SCRIPT)" },
  { "install_finish", "how = up_slot_drop_cache(f->target, err);", "how = 0;" },
  { "install_finish", "if (up_slot_sync(f->target, err) < 0)", "if (false)" },
  { "transfer_open", "if (!same_boot && up_slot_drop_cache(p->target, err) < 0)", "if (false)" },
  { "system_cache", "if (drop(fd) < 0)", "if (false)", 1 },
  { "system_cache", "if (drop(fd) < 0)", "if (false)", 2 },
  -- Seals vouch for what was written, not for what is there, and for one transaction.
  { "blocks", "return up_block_mac_fits(macs, i, b->content, block.length);", "return 1;" },
  { "block_mac", "return memcmp(code, s->code[i], CODE) == 0;", "return true;" },
  { "install_finish", "up_device_forget_kept(d);", ";", 1 },
  { "install_finish", "if (d->state.tx.hint > 0)", "if (false)" },
  { "device_kept", "if (d->kept.transaction != d->state.tx.id)", "if (false)" },
  { "device_kept", "d->kept.macs[kind] = NULL;", ";" },
  -- The source of a delta that was overwritten is not known any more.
  { "install", "if (d->source.slot == d->state.tx.target)", "if (false)" },
  { "install", "d->source.size = 0;", ";" },
  { "running_image", "return known->size == size && known->slot == d->boot_state.running ? known->digest : NULL;",
    "return known->size == size ? known->digest : NULL;" },
  -- Failures are counted, restarts grow rarer.
  { "rollback", "next.tx.failures++;", ";" },
  { "supervisor_restart", "s->restart_delay = s->restart_delay ? s->restart_delay * 2 : RETRY_MS;",
    "s->restart_delay = RETRY_MS;" },
  { "supervisor_restart", "s->restart_delay = RETRY_MOST_MS;", ";" },
  -- The 65th key, and one byte too long.
  { "keyring", "if (ring->count == UP_KEYRING_MAX)", "if (ring->count == UP_KEYRING_MAX + 1)" },
  { "keys", "if (count_keys(storage, dir) + k->add_count > UP_KEYRING_MAX)",
    "if (count_keys(storage, dir) + k->add_count > UP_KEYRING_MAX + 1)" },
  { "storage", "if (size > limit) {", "if (size > limit + 1) {" },
  { "permit", "if (len > UP_PERMIT_MAX)", "if (len > (UP_PERMIT_MAX + 1))" },
  { "keys_format", "if (len > UP_KEYS_MAX)", "if (len > (UP_KEYS_MAX + 1))" },
  -- A file or device of somebody else's.
  { "system_files", "return O_RDWR | O_CREAT | O_EXCL;", "return O_RDWR | O_CREAT;" },
  { "system_files", "return O_RDWR | (flags & UP_EXCLUSIVE ? O_EXCL : 0);", "return O_RDWR;" },
  { "slot", "s->storage->ops->open(s->storage, path, s->use == UP_SLOT_READ ? UP_READ : s->medium->open, 0600);",
    "s->storage->ops->open(s->storage, path, s->use == UP_SLOT_READ ? UP_READ : UP_UPDATE, 0600);" },
  { "system_files", "errno = ENOSPC;", ";" },
  -- Blank flash.
  { "slot_mtd", "m->blank[m->good[block]] = false;", ";" },
  { "slot_mtd", "if (reads_blank(s, block))", "if (!reads_blank(s, block))" },
  { "slot_mtd", "if (part[i] != 0xff)", "if (false)" },
  { "slot_mtd", "if (m->failures > 0 && last > at && last < m->count && !reads_blank(s, last) &&",
    "if (false && !reads_blank(s, last) &&" },
  { "slot_mtd", "m->clear_to = blocks_of(s);", ";" },
  -- A read that fails is tried again.
  { "record_half", "for (int try = 0; try < TRIES; try++)", "for (int try = 0; try < 1; try++)" },
  { "record_half", "for (int try = 0; try < TRIES; try++) {", "for (int try = 0; try < 1; try++) {" },
  -- Boot variables.
  { "boot", "if (snprintf(b->path, sizeof b->path, \"%s/boot\", place.state) >= (int)sizeof b->path) {",
    "if (snprintf(b->path, sizeof b->path, \"%s/boot\", place.state) > (int)sizeof b->path) {" },
  { "boot_file", "if (len != RECORD_SIZE || in[0] < 1 || in[0] > UP_SLOTS || in[7] >= UP_SLOTS)",
    "if (len != RECORD_SIZE || in[0] < 1 || in[0] > UP_SLOTS || in[7] > UP_SLOTS)" },
  { "boot_file", "for (int i = 0; i < UP_SLOTS; i++) {", "for (int i = 0; i < (UP_SLOTS + 1); i++) {", 1 },
}
