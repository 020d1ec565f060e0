/*
 * moult/aliyun.h -- the OTA calls of Aliyun's C SDK, over the agent of `moult run`.
 *
 * A program that was written against the SDK is compiled with this header, linked with
 * -lmoult and without the SDK's OTA object. The agent has the connection to the cloud, and it
 * alone installs. IOT_OTA_FetchYield() gives the bytes of the package as they are verified, for
 * programs that keep a copy, and the update goes on at the pace of the program; one that takes
 * nothing for ten minutes gets no more, and the agent goes on alone. What is armed is started
 * after IOT_OTA_Deinit(), after the program's end, or when restart_after of the configuration
 * is over.
 *
 * The agent is found at $MOULT_CONTROL, else at /var/lib/moult/control. Only root, the agent's
 * user, the script that it runs, and the group to which control_verbs gives "ota" may drive
 * updates; see moult-control(7).
 *
 * There is one handle at a time, used by one thread at a time. Return values are the SDK's: a NULL
 * handle gives the negative code itself, other failures -1 with the code in
 * IOT_OTA_GetLastError(). Sizes are in bytes.
 */
#ifndef MOULT_ALIYUN_H
#define MOULT_ALIYUN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OTA_VERSION_LEN_MAX 33 /* bytes of a version, with its NUL */

typedef enum {
    IOT_OTAE_OSC_FAILED = -7,
    IOT_OTAE_NOMEM = -6,
    IOT_OTAE_FETCH_FAILED = -5,
    IOT_OTAE_STR_TOO_LONG = -4,
    IOT_OTAE_INVALID_STATE = -3,
    IOT_OTAE_INVALID_PARAM = -2,
    IOT_OTAE_GENERAL = -1,
    IOT_OTAE_NONE = 0
} IOT_OTA_Err_t;

/* Percent, or why the update is abandoned. */
typedef enum {
    IOT_OTAP_BURN_FAILED = -4,
    IOT_OTAP_CHECK_FALIED = -3, /* as the SDK has it */
    IOT_OTAP_FETCH_FAILED = -2,
    IOT_OTAP_GENERAL_FAILED = -1,
    IOT_OTAP_FETCH_PERCENTAGE_MIN = 0,
    IOT_OTAP_FETCH_PERCENTAGE_MAX = 100
} IOT_OTA_Progress_t;

/* Requests of IOT_OTA_Ioctl(). The agent has no remote configuration (COTA). */
typedef enum {
    IOT_OTAG_COTA_CONFIG_ID,
    IOT_OTAG_COTA_CONFIG_SIZE,
    IOT_OTAG_COTA_SIGN,
    IOT_OTAG_COTA_SIGN_METHOD,
    IOT_OTAG_COTA_URL,
    IOT_OTAG_COTA_GETTYPE,
    IOT_OTAG_OTA_TYPE,
    IOT_OTAG_FETCHED_SIZE,
    IOT_OTAG_FILE_SIZE,
    IOT_OTAG_MD5SUM,
    IOT_OTAG_VERSION,
    IOT_OTAG_CHECK_FIRMWARE,
    IOT_OTAG_CHECK_CONFIG,
    IOT_OTAG_RESET_FETCHED_SIZE
} IOT_OTA_CmdType_t;

/* Let this program drive the updates of the Aliyun cloud of the configuration. product_key and
 * device_name are those of the configuration, or NULL; ch_signal is not used. NULL: there is
 * already a handle, the agent cannot be asked, or it has no such cloud. */
void *IOT_OTA_Init(const char *product_key, const char *device_name, void *ch_signal);

/* Return control of updates to the agent, which starts what is armed. */
int IOT_OTA_Deinit(void *handle);

/* Check the program's idea of its version, at most 32 bytes: -1 if another release runs. The agent
 * itself reports what is confirmed. */
int IOT_OTA_ReportVersion(void *handle, const char *version);

/* Report the program's progress to the cloud; msg may be NULL. Only the agent reports 100. A value
 * below 0 abandons the update, and the cloud is told. */
int IOT_OTA_ReportProgress(void *handle, IOT_OTA_Progress_t progress, const char *msg);

/* Whether a package is offered or being fetched. */
int IOT_OTA_IsFetching(void *handle);

/* Whether fetching is over: the program has every byte and the package is armed, or it failed. */
int IOT_OTA_IsFetchFinish(void *handle);

/* The next bytes of the package, at most buf_len: their number, 0 if none came within timeout_s
 * seconds, -1 if fetching failed, IOT_OTAE_INVALID_STATE (returned) if there is nothing to fetch.
 * If the agent does not answer, it waits a second longer. After a failure IOT_OTA_IsFetching() tells
 * whether fetching starts again, from the first byte. */
int IOT_OTA_FetchYield(void *handle, char *buf, uint32_t buf_len, uint32_t timeout_s);

/*
 * FETCHED_SIZE, FILE_SIZE: a uint32_t, buf_len 4. MD5SUM, VERSION: text, truncated to fit with its
 * NUL. CHECK_FIRMWARE: a uint32_t that is 1 if the signature of every byte was verified and the
 * package is armed for the next start; only after fetching is over. IOT_OTAE_INVALID_STATE
 * (returned) if there was nothing to fetch yet.
 */
int IOT_OTA_Ioctl(void *handle, IOT_OTA_CmdType_t type, void *buf, size_t buf_len);

/* The code of the last failure. */
int IOT_OTA_GetLastError(void *handle);

/* Sleep for timeout_ms, in any thread; the handle is not used. Returns 0. */
int IOT_MQTT_Yield(void *handle, int timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
