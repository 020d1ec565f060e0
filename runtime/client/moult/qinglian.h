/*
 * moult/qinglian.h -- the update calls of the Qinglian device SDK, over the agent of `moult run`.
 *
 * A program that was written against the SDK is compiled with this header and linked with -lmoult
 * instead of the SDK. The configuration needs a cloud of kind "qinglian": product, key, server and
 * cipher are taken from there, and what the calls say of them is only checked. The agent has the
 * connection, and it alone installs: firmware and patches are packages of Moult. A patch that policy
 * chooses is taken and tested without iot_patch_req(), and the cloud is told how its test went.
 *
 * iot_start() makes one thread, which runs the callbacks one after the other. The program defines
 * those that it wants; the others may be missing. Calls may be made by every thread, also from
 * callbacks.
 *
 * The agent is found at $MOULT_CONTROL, else at /var/lib/moult/control. Only root, the agent's user,
 * the script that it runs, and the group to which control_verbs gives "qinglian" may use these
 * calls; see moult-control(7).
 */
#ifndef MOULT_QINGLIAN_H
#define MOULT_QINGLIAN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint8_t iot_u8;
typedef int8_t iot_s8;
typedef uint16_t iot_u16;
typedef int32_t iot_s32;
typedef uint32_t iot_u32;

#define ACK_OK 0
#define ACK_ERR (-1)

/* Kind and place of a chunk, from its chunk_stat. */
#define IOT_CHUNK_OTA 0x00
#define IOT_CHUNK_PATCH 0x10
#define IOT_CHUNK_TYPE(stat) ((stat)&0xF0)
#define IOT_CHUNK_IS_LAST(stat) (((stat)&0x0F) == 0x01)

typedef enum { OTA_TYPE_BASIC, OTA_TYPE_BREAKPOINT } OTA_TYPE;
typedef enum { INFO_TYPE_ENCRYPT, INFO_TYPE_SN } INFO_TYPE_T;

typedef enum {
    DEV_STA_CONN_CLOUD = 0,
    DEV_STA_DISCONN_CLOUD = 1,
    DEV_STA_PATCH_SUCCESS = 2,
    DEV_STA_PATCH_FAILED = 3,
    DEV_STA_LICENCE_LIMIT = 11, /* the cloud has no licence left for the device */
    DEV_STA_MAC_BOUND = 12      /* the MAC belongs to another product */
} DEV_STATUS_T;

/* What the SDK connects with. Buffers of at most 4194304 bytes; 0: the default. */
struct iot_context {
    iot_u32 product_id;
    iot_u8 product_key[16];
    const char *mcu_version; /* "01.02" */
    iot_s32 recvbuf_size;
    iot_s32 sendbuf_size;
    const char *server_addr; /* at least 5 characters */
    iot_u16 server_port;
};

/* A patch of the cloud's list. It stays valid until the next list. */
typedef struct patches_list {
    char *name;
    char *version;
    iot_u32 total_len; /* bytes */
} patches_list_t, patchs_list_t;

/* Before iot_start(): the cipher, a text that begins with AES or SSL, or the serial number, 1 to 16
 * letters or digits. 0, or -1; SM4 is refused. */
iot_s32 iot_config_info(INFO_TYPE_T info_type, void *info);

/* Begin to run the callbacks. 0; -1: it was called before, or the context is invalid. */
iot_s32 iot_start(struct iot_context *ctx);

/* 0 for the first valid call, else -1. expect_time: 120 to 3600 s; chunk_size: a power of two. The
 * configuration decides. */
iot_s32 iot_ota_option_set(iot_u32 expect_time, iot_u32 chunk_size, OTA_TYPE type);

/* Ask for a patch of the last list. 0: it is asked for, or was already. -1: not connected, it is not in
 * the list, or something else is under way. */
iot_s32 iot_patch_req(const char *name, const char *version);

/* Tell the cloud how a patch did that the program itself took. Of one that the agent takes, the agent tells:
 * DEV_STA_PATCH_FAILED fails its test, or undoes it. 0; -1: an argument is invalid, or there is no agent. */
iot_s32 iot_patch_end(const char *name, const char *version, DEV_STATUS_T patch_state);

/* Seconds since 1970 by the cloud's clock; 0: not known yet. */
iot_u32 iot_get_onlinetime(void);

/* Callbacks. */

/* The connection to the cloud has changed, or the cloud refused the device. */
void iot_status_cb(DEV_STATUS_T dev_status, iot_u32 timestamp);

/* The cloud offers patches. The SDK spells patchs; a program defines one of the two. */
void iot_patches_list_cb(iot_s32 count, patches_list_t *patches);
void iot_patchs_list_cb(iot_s32 count, patchs_list_t *patchs);

/* The cloud announced firmware; version has five characters and a NUL. */
void iot_ota_info_cb(char *name, char *version, iot_u32 total_len, iot_u16 file_crc);

/* The cloud ordered the upgrade, and it is armed. With restart_when = "now" the agent restarts when
 * this has returned, or after 5 s; else the program restarts the device. */
void iot_ota_upgrade_cb(void);

/* The bytes of a package, in order. The last chunk comes when every digest of the package is right:
 * before that nothing may be made of the others. The cloud sends more when this has returned; a value
 * other than ACK_OK ends the copy and not the update. */
iot_s32 iot_chunk_cb(iot_u8 chunk_stat, iot_u32 chunk_offset, iot_u32 chunk_size, const iot_s8 *chunk);

#ifdef __cplusplus
}
#endif
#endif
