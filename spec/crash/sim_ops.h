/*
 * sim_ops.h -- what the operations of the simulated storage share.
 *
 * Each is checked first as the system would; only then it counts, is applied to
 * what is live and logged as not durable. The power goes after that.
 *
 * Only for spec/crash/sim*.c.
 */
#ifndef SIM_OPS_H
#define SIM_OPS_H

#include "sim_log.h"

struct sim *op_sim(struct up_storage *s);
/* Set errno and return -1. */
int op_fail(int error);
/* Every call begins here: -1 when there is no power, or for the fault that was asked for. */
int op_begin(struct sim *sim, enum sim_op op);
/* A durable effect is about to happen: count it. */
int op_step(struct sim *sim, enum sim_op op, const char *path);
/* It happened, and the power may go. */
int op_done(struct sim *sim);

struct handle *op_handle(struct sim *sim, int file); /* NULL with EBADF */
struct inode *op_inode(const struct sim *sim, unsigned ino);
/* Walk to something that is there. */
int op_find(struct sim *sim, const char *path, bool follow, struct place *at);
/* Put a new node where a walk found nothing; returns its number. */
unsigned op_create(struct sim *sim, const struct place *at, struct inode *made);

/* What follows op_begin() and a walk; `path` is what the step is called. */
int op_open(struct sim *sim, const struct place *at, const char *path, unsigned flags, unsigned mode);
int op_new_handle(struct sim *sim, unsigned ino, const char *path, bool writes);
int op_fill_stat(const struct sim *sim, unsigned ino, struct up_stat *out);
int op_list(struct sim *sim, unsigned ino, up_list_fn *fn, void *user);
uint64_t op_space(const struct sim *sim);
int op_rename(struct sim *sim, const struct place *a, const struct place *b, const char *to);
int op_link(struct sim *sim, const struct place *a, const struct place *b, const char *to);
int op_remove(struct sim *sim, enum sim_op op, const struct place *at, const char *path);

int sim_boot_get(struct up_storage *s, const char *config, struct up_boot_variable *variables, size_t count);
int sim_boot_set(struct up_storage *s, const char *config, const struct up_boot_variable *variables,
                 size_t count);
int sim_sync(struct up_storage *s, int file);
int sim_sync_dir(struct up_storage *s, const char *path);
int sim_drop_cache(struct up_storage *s, int file, uint64_t offset, uint64_t len);
int sim_flash_info(struct up_storage *s, int file, struct up_flash *out);
int sim_flash_bad(struct up_storage *s, int file, uint64_t offset);
int sim_flash_erase(struct up_storage *s, int file, uint64_t offset, uint32_t erase_size);
int sim_flash_mark_bad(struct up_storage *s, int file, uint64_t offset);
int sim_flash_update(struct up_storage *s, int file, uint64_t size);
int sim_rename(struct up_storage *s, const char *from, const char *to);
int sim_link(struct up_storage *s, const char *from, const char *to);
int sim_unlink(struct up_storage *s, const char *path);
int sim_mkdir(struct up_storage *s, const char *path, unsigned mode);
int sim_rmdir(struct up_storage *s, const char *path);
int sim_symlink(struct up_storage *s, const char *target, const char *path);
int sim_readlink(struct up_storage *s, const char *path, char *buf, size_t len);
int sim_chmod(struct up_storage *s, const char *path, unsigned mode);
int sim_open_dir(struct up_storage *s, int dir, const char *path, bool one_mount);
int sim_open_at(struct up_storage *s, int dir, const char *name, unsigned flags, unsigned mode);
int sim_stat_at(struct up_storage *s, int dir, const char *name, struct up_stat *out);
int sim_list_at(struct up_storage *s, int dir, up_list_fn *fn, void *user);
int sim_rename_at(struct up_storage *s, int dir, const char *from, const char *to);
int sim_link_at(struct up_storage *s, int dir, const char *from, const char *to);
int sim_unlink_at(struct up_storage *s, int dir, const char *name);
int sim_rmdir_at(struct up_storage *s, int dir, const char *name);
int sim_mkdir_at(struct up_storage *s, int dir, const char *name, unsigned mode);
int sim_copy_link_at(struct up_storage *s, int dir, const char *name, int to);
int sim_space_at(struct up_storage *s, int dir, struct up_space *out);
int sim_set_attributes(struct up_storage *s, int file, uint32_t owner, uint32_t group, unsigned mode);
int sim_copy_attributes(struct up_storage *s, int file, int from);

#endif
