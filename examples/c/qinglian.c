/*
 * A program as the vendor's text on patches of the Qinglian cloud has it, over libmoult:
 *
 *     cc qinglian.c $(pkg-config --cflags --libs moult) -o qinglian
 *     ./qinglian 1001 01.00 iot.example 8990
 *
 * The text's errors are put right: a chunk is written once, the file is opened and closed for a patch
 * only, and a patch has ended after its last chunk. What the agent takes by itself, it tests and
 * reports by itself; iot_patch_end() with DEV_STA_PATCH_FAILED fails that test.
 */
#include <moult/qinglian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *fp;

void iot_status_cb(DEV_STATUS_T dev_status, iot_u32 timestamp)
{
    printf("status %d, %s\n", (int)dev_status, timestamp > 1483200000 ? "the time is known" : "no time");
}

void iot_patches_list_cb(iot_s32 count, patches_list_t *patches)
{
    printf("patches count:%d\n", (int)count);
    for (iot_s32 i = 0; i < count; i++) {
        printf("name:%s | version:%s | total_len:%u\n", patches[i].name, patches[i].version,
               (unsigned)patches[i].total_len);
        printf("asked for: %d\n", (int)iot_patch_req(patches[i].name, patches[i].version));
    }
}

void iot_ota_info_cb(char *name, char *version, iot_u32 total_len, iot_u16 file_crc)
{
    printf("firmware %s %s, %u bytes, crc %04x\n", name, version, (unsigned)total_len, (unsigned)file_crc);
}

void iot_ota_upgrade_cb(void)
{
    printf("reboot right now\n");
}

iot_s32 iot_chunk_cb(iot_u8 chunk_stat, iot_u32 chunk_offset, iot_u32 chunk_size, const iot_s8 *chunk)
{
    const char *path = IOT_CHUNK_TYPE(chunk_stat) == IOT_CHUNK_OTA ? "firmware.copy" : "patch.copy";

    printf("get %s chunk, offset = %u, size = %u\n",
           IOT_CHUNK_TYPE(chunk_stat) == IOT_CHUNK_OTA ? "OTA" : "PATCH", (unsigned)chunk_offset,
           (unsigned)chunk_size);
    if (chunk_offset == 0)
        fp = fopen(path, "wb");
    if (!fp || fwrite(chunk, chunk_size, 1, fp) != 1)
        return ACK_ERR;
    if (IOT_CHUNK_IS_LAST(chunk_stat)) {
        fclose(fp);
        fp = NULL;
        printf("get chunks over, wait to upgrade...\n");
    }
    return ACK_OK;
}

int main(int argc, char **argv)
{
    static char aes[] = "AES";
    struct iot_context ctx = {0, {0}, NULL, 2048, 2048, NULL, 0};

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 5) {
        fprintf(stderr, "usage: qinglian PRODUCT VERSION HOST PORT\n");
        return 2;
    }
    ctx.product_id = (iot_u32)strtoul(argv[1], NULL, 10);
    ctx.mcu_version = argv[2];
    ctx.server_addr = argv[3];
    ctx.server_port = (iot_u16)strtoul(argv[4], NULL, 10);
    iot_config_info(INFO_TYPE_ENCRYPT, aes);
    iot_ota_option_set(120, 1024, OTA_TYPE_BASIC);
    if (iot_start(&ctx) != 0) {
        fprintf(stderr, "the context is invalid\n");
        return 1;
    }
    for (;;)
        pause();
}
