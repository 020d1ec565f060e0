/*
 * flash_check.c -- raw flash, UBI volumes, mounts and what lies on what as the
 * kernel shows them, with the kernel played here.
 *
 * By the linker's --wrap, paths below /sys, /proc and /dev lead into a scratch
 * directory. A file below its dev/ is a node when it says which: "c 90:4". What
 * a driver answers to ioctl() is set by the check.
 */
#include "storage_medium.h"
#include "system_flash.h"
#include "system_mounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <mtd/mtd-user.h>
#include <mtd/ubi-user.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "storage.h"

static struct scratch *place;
static const char *root = "";

/* The driver. */
static struct {
    struct mtd_info_user info;
    struct loop_info64 loop;
    unsigned long request; /* the last one */
    uint64_t offset, length, disk_size;
    int sector;
    int answer; /* -1: fails with `error` */
    int error;
} driver;

static const char *moved(const char *path, char out[512])
{
    bool ours = strncmp(path, "/sys/", 5) == 0 || strncmp(path, "/proc/self/", 11) == 0 ||
                strncmp(path, "/dev/", 5) == 0;

    if (!root[0] || !ours)
        return path;
    snprintf(out, 512, "%s%s", root, path);
    return out;
}

static int as_node(int fd, struct stat *st)
{
    unsigned major_number, minor_number;
    char text[32] = "", kind;

    if (S_ISREG(st->st_mode) && pread(fd, text, sizeof text - 1, 0) > 0 &&
        sscanf(text, "%c %u:%u", &kind, &major_number, &minor_number) == 3) {
        st->st_mode = (st->st_mode & 07777u) | (kind == 'c' ? S_IFCHR : S_IFBLK);
        st->st_rdev = makedev(major_number, minor_number);
    }
    return 0;
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
ssize_t __real_readlink(const char *path, char *out, size_t size);
ssize_t __wrap_readlink(const char *path, char *out, size_t size);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_stat(const char *path, struct stat *st);
int __wrap_stat(const char *path, struct stat *st);
int __real_fstat(int fd, struct stat *st);
/* Of the file systems; 0: the real one's. */
static dev_t file_system_number;

int __wrap_fstat(int fd, struct stat *st);
int __real_lstat(const char *path, struct stat *st);
int __wrap_lstat(const char *path, struct stat *st);
int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __wrap_ioctl(int fd, unsigned long request, ...);

FILE *__wrap_fopen(const char *path, const char *mode)
{
    char to[512];

    return __real_fopen(moved(path, to), mode);
}

DIR *__wrap_opendir(const char *path)
{
    char to[512];

    return __real_opendir(moved(path, to));
}

ssize_t __wrap_readlink(const char *path, char *out, size_t size)
{
    char to[512];

    return __real_readlink(moved(path, to), out, size);
}

int __wrap_access(const char *path, int mode)
{
    char to[512];

    return __real_access(moved(path, to), mode);
}

int __wrap_open(const char *path, int flags, ...)
{
    char to[512];

    return __real_open(moved(path, to), flags, 0600);
}

int __wrap_fstat(int fd, struct stat *st)
{
    return __real_fstat(fd, st) < 0 ? -1 : as_node(fd, st);
}

int __wrap_stat(const char *path, struct stat *st)
{
    char to[512];
    int fd, rc = __real_stat(moved(path, to), st);

    if (rc == 0 && file_system_number)
        st->st_dev = file_system_number;
    if (rc < 0 || !S_ISREG(st->st_mode))
        return rc;
    fd = __real_open(moved(path, to), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    rc = as_node(fd, st);
    close(fd);
    return rc;
}

int __wrap_lstat(const char *path, struct stat *st)
{
    char to[512];
    int rc = __real_lstat(moved(path, to), st);

    return rc == 0 && S_ISREG(st->st_mode) ? __wrap_stat(path, st) : rc;
}

/* Loop devices are asked by their nodes. */
static bool is_node(int fd)
{
    char link[64], path[512] = "";

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return __real_readlink(link, path, sizeof path - 1) > 0 && strstr(path, "/dev/loop");
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    void *argument;

    va_start(args, request);
    argument = va_arg(args, void *);
    va_end(args);
    driver.request = request;
    if (driver.answer < 0) {
        errno = driver.error;
        return -1;
    }
    if (request == MEMGETINFO) {
        memcpy(argument, &driver.info, sizeof driver.info);
    } else if (request == LOOP_GET_STATUS64) {
        assert_true(is_node(fd));
        memcpy(argument, &driver.loop, sizeof driver.loop);
    } else if (request == BLKSSZGET) {
        memcpy(argument, &driver.sector, sizeof driver.sector);
    } else if (request == BLKGETSIZE64) {
        memcpy(argument, &driver.disk_size, sizeof driver.disk_size);
    } else if (request == MEMERASE64) {
        driver.offset = ((struct erase_info_user64 *)argument)->start;
        driver.length = ((struct erase_info_user64 *)argument)->length;
    } else {
        memcpy(&driver.offset, argument, sizeof driver.offset);
    }
    return driver.answer;
}

static void put(const char *path, const char *text)
{
    char full[512];
    FILE *f;

    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    f = __real_fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void put_link(const char *path, const char *target)
{
    char full[512];

    snprintf(full, sizeof full, "%s%s", root, path);
    assert_int_equal(symlink(target, full), 0);
}

static void take(const char *path)
{
    char full[512];

    snprintf(full, sizeof full, "%s%s", root, path);
    assert_int_equal(unlink(full), 0);
}

static int begin(void **state)
{
    if (scratch_set_up(state) < 0)
        return -1;
    place = *state;
    root = place->dir;
    memset(&driver, 0, sizeof driver);
    put("/proc/self/mountinfo", "21 1 8:9 / / rw - ext4 /dev/other rw\n");
    put("/sys/block/none", "");
    put("/dev/mtd2", "c 90:4");
    put("/dev/mtd2ro", "c 90:5");
    put("/sys/dev/char/90:4/size", "6442450944\n");
    put("/sys/dev/char/90:4/name", "core a\n");
    put("/dev/ubi0_1", "c 245:2");
    put("/sys/devices/virtual/ubi/ubi0/ubi0_1/reserved_ebs", "100\n");
    put("/sys/devices/virtual/ubi/ubi0/ubi0_1/usable_eb_size", "126976\n");
    put("/sys/devices/virtual/ubi/ubi0/ubi0_1/name", "rootfs\n");
    put_link("/sys/devices/virtual/ubi/ubi0/ubi0_1/subsystem", "../../../../../class/ubi");
    put_link("/sys/dev/char/245:2", "../../devices/virtual/ubi/ubi0/ubi0_1");
    put("/dev/sda3", "b 8:3");
    put("/sys/dev/block/8:3/holders/none", "");
    return 0;
}

static int end(void **state)
{
    root = "";
    return scratch_tear_down(state);
}

static int info_of(const char *path, struct up_flash *out)
{
    struct up_storage *s = up_storage_system();
    int file = s->ops->open(s, path, UP_READ, 0), rc;

    assert_true(file >= 0);
    rc = s->ops->flash_info(s, file, out);
    s->ops->close(s, file);
    return rc;
}

static void flash_is_told_by_its_driver(void **state)
{
    static const struct {
        int type;
        enum up_flash_kind kind;
    } cases[] = {
        {MTD_NANDFLASH, UP_FLASH_NAND}, {MTD_MLCNANDFLASH, UP_FLASH_NAND}, {MTD_NORFLASH, UP_FLASH_NOR},
        {MTD_DATAFLASH, UP_FLASH_NOR},  {MTD_RAM, UP_FLASH_NOR},           {MTD_ROM, UP_FLASH_NONE},
        {MTD_ABSENT, UP_FLASH_NONE},    {MTD_UBIVOLUME, UP_FLASH_NONE},
    };
    struct up_flash f;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver.info = (struct mtd_info_user){.type = (uint8_t)cases[i].type,
                                             .flags = MTD_WRITEABLE,
                                             .size = 1 << 20,
                                             .erasesize = 131072,
                                             .writesize = 2048};
        assert_int_equal(info_of("/dev/mtd2", &f), 0);
        assert_int_equal(f.kind, cases[i].kind);
        if (f.kind == UP_FLASH_NONE)
            continue;
        assert_true(f.size == 6442450944u && f.erase_size == 131072 && f.write_size == 2048 && f.writable);
    }
    driver.info.type = MTD_NORFLASH;
    assert_int_equal(info_of("/dev/mtd2ro", &f), 0); /* has no size in this sysfs, and may not be written */
    assert_true(f.size == 1 << 20 && !f.writable);
    put("/sys/dev/char/90:4/size", "what?\n");
    driver.info.flags = 0;
    assert_int_equal(info_of("/dev/mtd2", &f), 0);
    assert_true(f.size == 1 << 20 && !f.writable);
    put("/sys/dev/char/90:4/size", "");
    assert_int_equal(info_of("/dev/mtd2", &f), 0);
    assert_int_equal(f.size, 1 << 20);
    driver.answer = -1;
    driver.error = EIO;
    assert_int_equal(info_of("/dev/mtd2", &f), -1);
}

static void a_ubi_volume_is_told_by_sysfs(void **state)
{
    static const struct {
        const char *file, *text;
        enum up_flash_kind kind;
    } cases[] = {
        {"usable_eb_size", "0", UP_FLASH_NONE},
        {"usable_eb_size", "184467440737095517", UP_FLASH_NONE}, /* 100 of them have no size */
        {"usable_eb_size", "", UP_FLASH_NONE},
        {"usable_eb_size", "126976", UP_FLASH_UBI},
        {"reserved_ebs", "99999999999999999999999", UP_FLASH_NONE},
        {"reserved_ebs", "1", UP_FLASH_UBI},
    };
    struct up_flash f;

    (void)state;
    assert_int_equal(info_of("/dev/ubi0_1", &f), 0);
    assert_true(f.kind == UP_FLASH_UBI && f.size == 12697600 && f.erase_size == 126976 && f.writable);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[128];

        snprintf(path, sizeof path, "/sys/devices/virtual/ubi/ubi0/ubi0_1/%s", cases[i].file);
        put(path, cases[i].text);
        assert_int_equal(info_of("/dev/ubi0_1", &f), 0);
        assert_int_equal(f.kind, cases[i].kind);
    }
    take("/sys/devices/virtual/ubi/ubi0/ubi0_1/subsystem");
    put_link("/sys/devices/virtual/ubi/ubi0/ubi0_1/subsystem", "../../class/tty");
    assert_int_equal(info_of("/dev/ubi0_1", &f), 0);
    assert_int_equal(f.kind, UP_FLASH_NONE);
    take("/sys/devices/virtual/ubi/ubi0/ubi0_1/subsystem");
    put_link("/sys/devices/virtual/ubi/ubi0/ubi0_1/subsystem", "ubi");
    assert_int_equal(info_of("/dev/ubi0_1", &f), 0);
    assert_int_equal(f.kind, UP_FLASH_NONE);
    put("/dev/null", "c 1:3"); /* of no subsystem at all */
    assert_int_equal(info_of("/dev/null", &f), 0);
    assert_int_equal(f.kind, UP_FLASH_NONE);
    assert_int_equal(info_of("/dev/sda3", &f), 0);
    assert_int_equal(f.kind, UP_FLASH_NONE);
    assert_int_equal(up_system_flash_info(NULL, -1, &f), -1);
}

static void a_block_device_has_the_size_that_its_driver_tells(void **state)
{
    struct up_storage *s = up_storage_system();
    struct up_stat st;

    (void)state;
    driver.disk_size = (uint64_t)5 << 30;
    assert_int_equal(s->ops->stat(s, "/dev/sda3", &st), 0);
    assert_int_equal(st.kind, UP_NODE_BLOCK);
    assert_true(st.size == (uint64_t)5 << 30);
    driver.answer = -1;
    driver.error = ENOMEDIUM;
    assert_int_equal(s->ops->stat(s, "/dev/sda3", &st), -1);
    assert_int_equal(errno, ENOMEDIUM);
}

static void each_call_is_the_ioctl_for_it(void **state)
{
    const uint64_t far = (uint64_t)5 << 30;

    (void)state;
    driver.answer = 1;
    assert_int_equal(up_system_flash_bad(NULL, 0, far), 1);
    assert_true(driver.request == MEMGETBADBLOCK && driver.offset == far);
    driver.answer = 0;
    assert_int_equal(up_system_flash_erase(NULL, 0, far, 131072), 0);
    assert_true(driver.request == MEMERASE64 && driver.offset == far && driver.length == 131072);
    assert_int_equal(up_system_flash_mark_bad(NULL, 0, far), 0);
    assert_true(driver.request == MEMSETBADBLOCK && driver.offset == far);
    assert_int_equal(up_system_flash_update(NULL, 0, far), 0);
    assert_true(driver.request == UBI_IOCVOLUP && driver.offset == far);
    driver.answer = -1;
    driver.error = EIO;
    assert_int_equal(up_system_flash_bad(NULL, 0, 0), -1);
    assert_int_equal(errno, EIO);
}

/* The lines of mountinfo by which flash is mounted; jffs2 and ubifs have no device. */
static void flash_is_mounted_by_its_names(void **state)
{
    static const struct {
        const char *slot, *source;
        int mounted;
    } cases[] = {
        {"/dev/mtd2", "mtd2", 1},           {"/dev/mtd2", "mtd:core\\040a", 1},
        {"/dev/mtd2", "/dev/mtdblock2", 1}, {"/dev/mtd2", "/dev/mtd2", 1},
        {"/dev/mtd2", "mtd22", 0},          {"/dev/mtd2", "mtd:core", 0},
        {"/dev/mtd2", "mtd:core\\x40a", 0}, /* what is no \ooo stays as it is */
        {"/dev/mtd2", "mtd:core\\/40a", 0}, {"/dev/mtd2", "mtd:core\\440a", 0},
        {"/dev/mtd2", "mtd:core\\0/0a", 0}, {"/dev/mtd2", "mtd:core\\080a", 0},
        {"/dev/mtd2", "mtd:core\\04/a", 0}, {"/dev/mtd2", "mtd:core\\048a", 0},
        {"/dev/mtd2", "mtd:core\\04", 0},   {"/dev/mtd2ro", "mtd2", 1},
        {"/dev/ubi0_1", "ubi0_1", 1},       {"/dev/ubi0_1", "ubi0:rootfs", 1},
        {"/dev/ubi0_1", "/dev/ubi0_1", 1},  {"/dev/ubi0_1", "/dev/ubiblock0_1", 1},
        {"/dev/ubi0_1", "ubi0_10", 0},      {"/dev/ubi0_1", "ubi1:rootfs", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int writable = 0; writable < 2; writable++) {
            char line[256];
            int expected;

            snprintf(line, sizeof line, "odd line\n22 1 0:30 / /m rw shared:1 - ubifs %s %s\n",
                     cases[i].source, writable ? "rw,sync" : "ro");
            put("/proc/self/mountinfo", line);
            expected = writable ? UP_MOUNTED_WRITABLE : UP_MOUNTED;
            if (!cases[i].mounted)
                expected = UP_NOT_MOUNTED;
            assert_int_equal(up_system_mounts(cases[i].slot), expected);
        }
    }
    put("/proc/self/mountinfo", "22 1 0:30 / /m rw - ubifs\n");
    assert_int_equal(up_system_mounts("/dev/mtd2"), 0);
    put("/dev/null", "c 1:3");
    assert_int_equal(up_system_mounts("/dev/null"), 0);
}

/* As a block device, by a volume on it, or by what lies above that. */
static void flash_is_in_use_by_what_is_above_it(void **state)
{
    (void)state;
    assert_int_equal(up_system_mounts("/dev/mtd2"), 0); /* no UBI in this kernel */
    put("/sys/class/ubi/ubi0/mtd_num", "3\n");
    put("/sys/class/ubi/ubi0_1/name", "rootfs\n");
    assert_int_equal(up_system_mounts("/dev/mtd2"), 0);
    put("/sys/class/ubi/ubi1/mtd_num", "2\n");
    assert_int_equal(up_system_mounts("/dev/mtd2"), UP_MOUNTED_WRITABLE);
    assert_int_equal(up_system_mounts("/dev/ubi0_1"), 0);
    put("/dev/ubiblock0_1", "b 253:7");
    assert_int_equal(up_system_mounts("/dev/ubi0_1"), 0);
    put("/proc/self/mountinfo", "22 1 253:7 / /m ro - squashfs /dev/root ro\n");
    assert_int_equal(up_system_mounts("/dev/ubi0_1"), 1);
    take("/sys/dev/char/245:2"); /* a volume without a place in sysfs is none */
    assert_int_equal(up_system_mounts("/dev/ubi0_1"), 0);
}

static void a_device_is_in_use_by_what_is_above_it(void **state)
{
    (void)state;
    assert_int_equal(up_system_mounts("/dev/sda3"), 0);
    put("/proc/self/mountinfo",
        "22 1 8:3 / /m rw - ext4 /dev/root ro\n23 1 8:3 / /n ro - ext4 /dev/root ro,x\n");
    assert_int_equal(up_system_mounts("/dev/sda3"), UP_MOUNTED);
    put("/proc/self/mountinfo",
        "22 1 8:3 / /m ro - ext4 /dev/root ro\n23 1 8:3 / /n ro - ext4 /dev/root rw\n");
    assert_int_equal(up_system_mounts("/dev/sda3"), UP_MOUNTED_WRITABLE);
    put("/proc/self/mountinfo", "22 1 0:30 / /m rw - btrfs /dev/sda3 rw\n");
    assert_int_equal(up_system_mounts("/dev/sda3"), UP_MOUNTED_WRITABLE);
    put("/proc/self/mountinfo", "22 1 254:1 / /m rw - ext4 /dev/mapper/x rw\n");
    assert_int_equal(up_system_mounts("/dev/sda3"), 0);
    put("/sys/dev/block/8:3/holders/.hidden/dev", "254:1\n");
    put("/sys/dev/block/8:3/holders/dm-0/dev", "what?\n");
    assert_int_equal(up_system_mounts("/dev/sda3"), 0);
    put("/sys/dev/block/8:3/holders/dm-0/dev", "254:1\n");
    assert_int_equal(up_system_mounts("/dev/sda3"), UP_MOUNTED_WRITABLE);
    put("/dev/sda", "b 8:0");
    put("/sys/dev/block/8:0/sda3/dev", "8:3\n");
    assert_int_equal(up_system_mounts("/dev/sda"), 0); /* is no partition of it */
    put("/sys/dev/block/8:0/sda3/partition", "3\n");
    assert_int_equal(up_system_mounts("/dev/sda"), UP_MOUNTED_WRITABLE);
}

/* Devices above one another without end are a lie of sysfs, and not written to. */
static void a_ring_of_devices_counts_as_mounted(void **state)
{
    (void)state;
    put("/sys/dev/block/8:3/holders/dm-0/dev", "8:3\n");
    assert_int_equal(up_system_mounts("/dev/sda3"), UP_MOUNTED_WRITABLE);
}

/* The medium at a path in short: "b8:3 b8:0", a file with its inode. */
static const char *medium_of(const char *path)
{
    static const char letters[] = "fbmuo";
    static char text[512];
    struct up_medium m;
    size_t len = 0;

    text[0] = '\0';
    if (up_storage_medium(path, &m) < 0)
        return strerror(errno);
    for (unsigned i = 0; i < m.count; i++) {
        const struct up_medium_part *p = &m.on[i];
        char part[64];

        if (p->kind == UP_ON_BLOCK || p->kind == UP_ON_OTHER)
            snprintf(part, sizeof part, "%c%u:%u", letters[p->kind], major((dev_t)p->number),
                     minor((dev_t)p->number));
        else if (p->kind == UP_ON_UBI)
            snprintf(part, sizeof part, "u%u_%u", (unsigned)p->number, (unsigned)p->second);
        else if (p->kind == UP_ON_MTD)
            snprintf(part, sizeof part, "m%u", (unsigned)p->number);
        else
            snprintf(part, sizeof part, "f");
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? " " : "", part);
    }
    if (m.identity[0])
        snprintf(text + len, sizeof text - len, " %s", m.identity);
    return text;
}

static void a_partition_lies_on_its_disk(void **state)
{
    (void)state;
    put("/sys/devices/block/sda/dev", "8:0\n");
    put("/sys/devices/block/sda/uevent", "MAJOR=8\nDEVNAME=sda\n");
    put("/sys/devices/block/sda/sda5/dev", "8:5\n");
    put("/sys/devices/block/sda/sda5/partition", "5\n");
    put("/sys/devices/block/sda/sda5/uevent", "PARTUUIDS=x\nPARTUUID=\nPARTNAME=root a\n");
    put_link("/sys/dev/block/8:5", "../../devices/block/sda/sda5");
    put_link("/sys/dev/block/8:0", "../../devices/block/sda");
    put("/dev/sda5", "b 8:5");
    assert_string_equal(medium_of("/dev/sda5"), "b8:5 b8:0");
    put("/sys/devices/block/sda/sda5/uevent", "PARTUUID=5e3da1c2-05\n");
    assert_string_equal(medium_of("/dev/sda5"), "b8:5 b8:0 PARTUUID=5e3da1c2-05");
    put("/dev/sda", "b 8:0");
    assert_string_equal(medium_of("/dev/sda"), "b8:0");
    /* What device mapper makes of it, and what is mounted of that. */
    put("/dev/dm-0", "b 254:0");
    put("/sys/dev/block/254:0/dm/name", "verity-a\n");
    put("/sys/dev/block/254:0/slaves/.x/dev", "8:9\n");
    put("/sys/dev/block/254:0/slaves/sda5/dev", "8:5\n");
    assert_string_equal(medium_of("/dev/dm-0"), "b254:0 b8:5 b8:0 DM=verity-a");
    assert_string_equal(medium_of("/dev/none"), "No such file or directory");
    put("/dev/null", "c 1:3");
    assert_string_equal(medium_of("/dev/null"), "o1:3");
}

static void put_disk(const void *table, size_t size)
{
    char full[512];
    FILE *f;

    snprintf(full, sizeof full, "%s/dev/sdb", root);
    f = __real_fopen(full, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(table, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void fill_gpt(uint8_t *header, uint8_t *entries)
{
    static const uint8_t guid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

    memcpy(header, "EFI PART", 8);
    header[72] = 2;
    header[80] = 4;
    header[84] = 128;
    entries[128] = 0xaf; /* a type */
    memcpy(entries + 128 + 16, guid, sizeof guid);
}

/* On kernels that do not say it themselves. */
static void a_partition_table_names_its_partitions(void **state)
{
    static const char gpt[] = "b8:18 b8:16 PARTUUID=04030201-0605-0807-090a-0b0c0d0e0f10";
    static const char none[] = "b8:18 b8:16";
    uint8_t disk[16384] = {0};

    (void)state;
    driver.sector = 512;
    driver.disk_size = sizeof disk;
    put("/sys/devices/block/sdb/dev", "8:16\n");
    put("/sys/devices/block/sdb/uevent", "DEVNAME=sdb\n");
    put("/sys/devices/block/sdb/sdb2/dev", "8:18\n");
    put("/sys/devices/block/sdb/sdb2/partition", "2\n");
    put_link("/sys/dev/block/8:18", "../../devices/block/sdb/sdb2");
    put("/dev/sdb2", "b 8:18");
    assert_string_equal(medium_of("/dev/sdb2"), none); /* no node of the disk */
    put_disk(disk, 100);
    assert_string_equal(medium_of("/dev/sdb2"), none);
    put_disk(disk, sizeof disk);
    assert_string_equal(medium_of("/dev/sdb2"), none);
    disk[510] = 0x55;
    disk[511] = 0xaa;
    put_disk(disk, sizeof disk);
    assert_string_equal(medium_of("/dev/sdb2"), none); /* no signature: nothing tells it from others */
    memcpy(disk + 440, "\xc2\xa1\x3d\x5e", 4);
    put_disk(disk, sizeof disk);
    assert_string_equal(medium_of("/dev/sdb2"), "b8:18 b8:16 PARTUUID=5e3da1c2-02");
    disk[450] = 0xee;
    put_disk(disk, sizeof disk);
    assert_string_equal(medium_of("/dev/sdb2"), none);
    fill_gpt(disk + 512, disk + 1024);
    put_disk(disk, sizeof disk);
    assert_string_equal(medium_of("/dev/sdb2"), gpt);
    memset(disk + 512, 0, 92); /* only the copy at the end */
    put_disk(disk, sizeof disk);
    assert_string_equal(medium_of("/dev/sdb2"), none);
    fill_gpt(disk + sizeof disk - 512, disk + 1024);
    put_disk(disk, sizeof disk);
    assert_string_equal(medium_of("/dev/sdb2"), gpt);
    disk[sizeof disk - 512 + 80] = 1; /* fewer entries */
    put_disk(disk, sizeof disk);
    assert_string_equal(medium_of("/dev/sdb2"), none);
    memset(disk, 0, sizeof disk);
    fill_gpt(disk + 4096, disk + 8192);
    driver.sector = 4096;
    put_disk(disk, sizeof disk);
    assert_string_equal(medium_of("/dev/sdb2"), gpt);
}

static void flash_lies_on_flash(void **state)
{
    (void)state;
    put("/sys/class/mtd/mtd2/name", "core a\n");
    assert_string_equal(medium_of("/dev/mtd2"), "m2 MTD=core a");
    assert_string_equal(medium_of("/dev/mtd2ro"), "m2 MTD=core a");
    put("/sys/class/ubi/ubi0/mtd_num", "2\n");
    put("/sys/class/ubi/ubi0_1/name", "rootfs\n");
    assert_string_equal(medium_of("/dev/ubi0_1"), "u0_1 m2 UBI=rootfs");
    put("/dev/mtdblock2", "b 31:2");
    put_link("/sys/dev/block/31:2", "../../devices/soc/mtd/mtd0/mtd2/mtdblock2");
    assert_string_equal(medium_of("/dev/mtdblock2"), "b31:2 m0 m2");
    put("/dev/ubiblock0_1", "b 253:7");
    put_link("/sys/dev/block/253:7", "../../devices/virtual/block/ubiblock0_1");
    assert_string_equal(medium_of("/dev/ubiblock0_1"), "b253:7 u0_1 m2 UBI=rootfs");
}

/* A directory is on what its file system is on. */
static void a_file_system_lies_on_its_device(void **state)
{
    static const struct {
        const char *source, *expected;
    } cases[] = {
        {"/dev/sda3", "f b8:3"}, {"ubi0:rootfs", "f u0_1 m2"},
        {"ubi0_1", "f u0_1 m2"}, {"mtd:core\\040a", "f m2"},
        {"mtd2", "f m2"},        {"/dev/mtdblock2", "f m2"},
        {"mtd2x", "f"},          {"ubi1:rootfs", "f"},
        {"overlay", "f"},
    };

    (void)state;
    put("/sys/class/mtd/mtd2/name", "core a\n");
    put("/sys/class/ubi/ubi0/mtd_num", "2\n");
    put("/sys/class/ubi/ubi0_1/name", "rootfs\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[256];

        snprintf(line, sizeof line, "odd line\n22 1 0:77 / /m rw shared:1 - fs %s rw\n", cases[i].source);
        put("/proc/self/mountinfo", line);
        file_system_number = makedev(0, 77);
        assert_string_equal(medium_of(root), cases[i].expected);
    }
    file_system_number = makedev(31, 2);
    assert_string_equal(medium_of(root), "f m2");
    file_system_number = makedev(8, 3);
    assert_string_equal(medium_of(root), "f b8:3");
    file_system_number = 0;
}

/* More above one another than anybody builds cannot be told. */
static void a_tower_of_devices_is_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        char path[64], device[16];

        snprintf(path, sizeof path, "/sys/dev/block/254:%d/slaves/next/dev", i);
        snprintf(device, sizeof device, "254:%d\n", i + 1);
        put(path, device);
    }
    put("/dev/dm-0", "b 254:0");
    assert_string_equal(medium_of("/dev/dm-0"), strerror(ELOOP));
    put("/sys/dev/block/254:3/slaves/next/dev", "254:0\n"); /* a ring is none */
    assert_string_equal(medium_of("/dev/dm-0"), "b254:0 b254:1 b254:2 b254:3");
}

static void a_loop_device_holds_what_it_reads(void **state)
{
    char file[128], line[160];
    struct stat st;

    (void)state;
    put("/image", "of a slot");
    snprintf(file, sizeof file, "%s/image", root);
    put("/proc/self/mountinfo", "22 1 7:1 / /m ro - ext4 /dev/loop1 ro\n");
    assert_int_equal(up_system_mounts(file), 0);
    put("/sys/block/loop0/size", "0");
    snprintf(line, sizeof line, "%s\n", file);
    put("/sys/block/loop1/loop/backing_file", line);
    assert_int_equal(up_system_mounts(file), 0); /* its number is not known */
    put("/sys/block/loop1/dev", "7:1\n");
    assert_int_equal(up_system_mounts(file), 1);
    /* A path of another namespace: the device itself is asked. */
    put("/sys/block/loop1/loop/backing_file", "/elsewhere\n");
    assert_int_equal(up_system_mounts(file), 0);
    put("/dev/loop1", "b 7:1");
    assert_int_equal(up_system_mounts(file), 0);
    assert_int_equal(__real_stat(file, &st), 0);
    driver.loop.lo_device = st.st_dev;
    driver.loop.lo_inode = st.st_ino;
    assert_int_equal(up_system_mounts(file), 1);
    driver.loop.lo_inode++;
    assert_int_equal(up_system_mounts(file), 0);
    driver.loop.lo_rdevice = makedev(8, 3);
    assert_int_equal(up_system_mounts("/dev/sda3"), 1);
    driver.answer = -1;
    driver.error = ENXIO;
    assert_int_equal(up_system_mounts("/dev/sda3"), 0);
}

static void assert_shows(const char *path, uint64_t from, uint64_t to)
{
    struct up_medium m;

    assert_int_equal(up_storage_medium(path, &m), 0);
    assert_int_equal(m.from, from);
    assert_int_equal(m.to, to);
}

static void a_loop_device_shows_a_part_of_its_file(void **state)
{
    char line[160];

    (void)state;
    put("/image", "of two slots");
    put("/dev/loop1", "b 7:1");
    assert_shows("/dev/loop1", 0, 0); /* of nothing */
    snprintf(line, sizeof line, "%s/image\n", root);
    put("/sys/dev/block/7:1/loop/backing_file", line);
    assert_shows("/dev/loop1", 0, UINT64_MAX);
    put("/sys/dev/block/7:1/loop/offset", "4096\n");
    put("/sys/dev/block/7:1/loop/sizelimit", "0\n");
    assert_shows("/dev/loop1", 4096, UINT64_MAX);
    put("/sys/dev/block/7:1/loop/sizelimit", "8192\n");
    assert_shows("/dev/loop1", 4096, 12288);
    put("/sys/dev/block/7:1/loop/sizelimit", "18446744073709551615\n");
    assert_shows("/dev/loop1", 4096, UINT64_MAX);
    put("/dev/dm-0", "b 254:0");
    put("/sys/dev/block/254:0/slaves/loop1/dev", "7:1\n");
    assert_shows("/dev/dm-0", 0, 0); /* only itself */
}

/* Lines and files of the kernel that are not as we know them. */
static void odd_lines_are_taken_for_the_worse(void **state)
{
    char file[128], line[160];

    (void)state;
    put("/proc/self/mountinfo", "22 1 8:3 / /m ro - \n");
    assert_int_equal(up_system_mounts("/dev/sda3"), UP_MOUNTED_WRITABLE);
    put("/proc/self/mountinfo", "22 1 8:3 / /m ro - ext4\n");
    assert_int_equal(up_system_mounts("/dev/sda3"), UP_MOUNTED_WRITABLE);
    put("/dev/sda", "b 8:0");
    put("/dev/null", "c 1:3");
    put("/proc/self/mountinfo",
        "no numbers - ext4 sda3 ro\n22 1 0:30 / /m rw - btrfs /dev/null rw\n"
        "23 1 0:31 / /n rw - btrfs /dev/sda rw\n24 1 0:32 / /o rw - btrfs /dev/gone rw\n");
    assert_int_equal(up_system_mounts("/dev/sda3"), 0);
    /* A loop device whose file says nothing, or reads another than this one. */
    put("/image", "of a slot");
    put("/other", "of nothing");
    put("/dev/loop1", "b 7:1");
    put("/proc/self/mountinfo", "22 1 7:1 / /m ro - ext4 /dev/loop1 ro\n");
    put("/sys/block/loop1/dev", "");
    snprintf(file, sizeof file, "%s/image", root);
    snprintf(line, sizeof line, "%s/other\n", root);
    put("/sys/block/loop1/loop/backing_file", line);
    assert_int_equal(up_system_mounts(file), 0);
    snprintf(line, sizeof line, "%s\n", file);
    put("/sys/block/loop1/loop/backing_file", line);
    assert_int_equal(up_system_mounts(file), 0);
    put("/sys/block/loop1/dev", "7:1\n");
    assert_int_equal(up_system_mounts(file), UP_MOUNTED);
}

/* A device of which sysfs cannot be read is not said to be free. */
static void what_sysfs_does_not_show_is_an_error(void **state)
{
    char dir[512];

    (void)state;
    put("/dev/sdb", "b 8:16");
    assert_int_equal(up_system_mounts("/dev/sdb"), 0);
    put("/sys/dev/block/8:16", "no directory");
    assert_int_equal(up_system_mounts("/dev/sdb"), -1);
    take("/sys/block/none");
    snprintf(dir, sizeof dir, "%s/sys/block", root);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(up_system_mounts("/dev/sda3"), 0); /* a kernel without loop devices */
    put("/sys/block", "no directory");
    assert_int_equal(up_system_mounts("/dev/sda3"), -1);
}

static void what_cannot_be_told_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(up_system_mounts("/dev/none"), -1);
    assert_int_equal(up_system_mounts("/dev"), 0);
    take("/proc/self/mountinfo");
    assert_int_equal(up_system_mounts("/dev/sda3"), -1);
    assert_int_equal(up_system_mounts("/dev/mtd2"), -1);
    put("/sys/class/ubi", "no directory");
    assert_int_equal(up_system_mounts("/dev/mtd2"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(flash_is_told_by_its_driver, begin, end),
        cmocka_unit_test_setup_teardown(a_ubi_volume_is_told_by_sysfs, begin, end),
        cmocka_unit_test_setup_teardown(a_block_device_has_the_size_that_its_driver_tells, begin, end),
        cmocka_unit_test_setup_teardown(each_call_is_the_ioctl_for_it, begin, end),
        cmocka_unit_test_setup_teardown(flash_is_mounted_by_its_names, begin, end),
        cmocka_unit_test_setup_teardown(flash_is_in_use_by_what_is_above_it, begin, end),
        cmocka_unit_test_setup_teardown(a_device_is_in_use_by_what_is_above_it, begin, end),
        cmocka_unit_test_setup_teardown(a_ring_of_devices_counts_as_mounted, begin, end),
        cmocka_unit_test_setup_teardown(a_partition_lies_on_its_disk, begin, end),
        cmocka_unit_test_setup_teardown(a_partition_table_names_its_partitions, begin, end),
        cmocka_unit_test_setup_teardown(flash_lies_on_flash, begin, end),
        cmocka_unit_test_setup_teardown(a_file_system_lies_on_its_device, begin, end),
        cmocka_unit_test_setup_teardown(a_tower_of_devices_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_loop_device_holds_what_it_reads, begin, end),
        cmocka_unit_test_setup_teardown(a_loop_device_shows_a_part_of_its_file, begin, end),
        cmocka_unit_test_setup_teardown(odd_lines_are_taken_for_the_worse, begin, end),
        cmocka_unit_test_setup_teardown(what_sysfs_does_not_show_is_an_error, begin, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_told_is_an_error, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
