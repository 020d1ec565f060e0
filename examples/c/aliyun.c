/*
 * aliyun.c -- a program that was written against Aliyun's C SDK, over Moult's agent: the calls of the vendor's
 * sample, and a copy of the package in the file that is named second.
 *
 *     cc aliyun.c $(pkg-config --cflags --libs moult) -o aliyun
 *     MOULT_CONTROL=/var/lib/moult/control ./aliyun 1.0.0 copy.upd
 */
#include <inttypes.h>
#include <moult/aliyun.h>
#include <stdio.h>

#define PRODUCT_KEY "a1PK"
#define DEVICE_NAME "dev1"
#define OTA_BUF_LEN 5000

/* The MQTT client that the SDK's program has made before. The agent has the connection here. */
static int client;
static void *pclient = &client;

static int fetch(void *h_ota, FILE *flash)
{
    char buf_ota[OTA_BUF_LEN];
    uint32_t size_downloaded, size_file;
    int len, percent, last_percent = 0;

    do {
        len = IOT_OTA_FetchYield(h_ota, buf_ota, OTA_BUF_LEN, 1);
        if (len > 0 && fwrite(buf_ota, 1, (size_t)len, flash) != (size_t)len)
            return IOT_OTA_ReportProgress(h_ota, IOT_OTAP_BURN_FAILED, "the copy cannot be written");
        IOT_OTA_Ioctl(h_ota, IOT_OTAG_FETCHED_SIZE, &size_downloaded, 4);
        IOT_OTA_Ioctl(h_ota, IOT_OTAG_FILE_SIZE, &size_file, 4);
        percent = (int)(size_downloaded * 100ull / size_file);
        if (percent - last_percent > 0)
            IOT_OTA_ReportProgress(h_ota, (IOT_OTA_Progress_t)percent, NULL);
        last_percent = percent;
        IOT_MQTT_Yield(pclient, 10);
    } while (!IOT_OTA_IsFetchFinish(h_ota));
    printf("%" PRIu32 " of %" PRIu32 " bytes\n", size_downloaded, size_file);
    return 0;
}

int main(int argc, char **argv)
{
    void *h_ota = IOT_OTA_Init(PRODUCT_KEY, DEVICE_NAME, pclient);
    FILE *flash = argc > 2 ? fopen(argv[2], "wb") : NULL;
    uint32_t firmware_valid = 0;
    char version[OTA_VERSION_LEN_MAX], md5[33];

    if (NULL == h_ota || NULL == flash) {
        printf("initialize OTA failed\n");
        return 1;
    }
    if (0 != IOT_OTA_ReportVersion(h_ota, argv[1]))
        printf("report OTA version failed\n");
    printf("waiting\n");
    fflush(stdout);
    while (!IOT_OTA_IsFetching(h_ota))
        IOT_MQTT_Yield(pclient, 100);
    IOT_OTA_Ioctl(h_ota, IOT_OTAG_VERSION, version, sizeof version);
    IOT_OTA_Ioctl(h_ota, IOT_OTAG_MD5SUM, md5, sizeof md5);
    printf("fetching %s, %s\n", version, md5);
    if (fetch(h_ota, flash) != 0 || fclose(flash) != 0)
        return 1;
    IOT_OTA_Ioctl(h_ota, IOT_OTAG_CHECK_FIRMWARE, &firmware_valid, 4);
    printf(0 == firmware_valid ? "The firmware is invalid\n" : "The firmware is valid\n");
    IOT_OTA_Deinit(h_ota);
    return firmware_valid ? 0 : 1;
}
