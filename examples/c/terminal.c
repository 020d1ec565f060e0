/*
 * A terminal's application as its vendor's text has it, over libmoult:
 *
 *     cc terminal.c $(pkg-config --cflags --libs moult) -o terminal
 *     ./terminal 10.1.2.3 8083 080507 /fw/UPDATE_080507.upd
 *
 * The device's configuration has a cloud of kind "terminal". Run it as root, or start it by the
 * device's script.
 */
#include <moult/terminal.h>
#include <stdio.h>

/* The vendor's texts are unsigned char, its literals are not. */
#pragma GCC diagnostic ignored "-Wpointer-sign"

void DownLoadStepRegister(unsigned char *downfile, long int total, long int step);

static void net_proc_update_termin_result(unsigned char ucResult);

void DownLoadStepRegister(unsigned char *downfile, long int total, long int step)
{
    printf("%s: %ld of %ld bytes\n", (const char *)downfile, step, total);
}

static void net_proc_update_termin_result(unsigned char ucResult)
{
    const char *what = "not upgraded";

    if (ucResult == 0x01)
        what = "updated";
    else if (ucResult == 0x02)
        what = "failed";
    printf("state %d: %s\n", ucResult, what);
}

int main(int argc, char **argv)
{
    unsigned char *szApn = "cmnet", *szServerIP, *szServerPort, *szProgVer, *szProgUrl;
    int taken;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 5) {
        fprintf(stderr, "usage: terminal IP PORT VERSION PATH\n");
        return 2;
    }
    szServerIP = argv[1];
    szServerPort = argv[2];
    szProgVer = argv[3];
    szProgUrl = argv[4];
    dm_app_RegisterDownLoadStepHandle(DownLoadStepRegister);
    dm_app_RegisterUpdateStateHandle(net_proc_update_termin_result);
    taken = dm_app_SendUpdateModuleUpdatedMsg_HB(szApn, "user", "1234", szServerIP, szServerPort, szProgVer,
                                                 szProgUrl, 0x01);
    dm_app_UnRegisterUpdateStateHandle();
    printf("the call is %s\n", taken == 0 ? "taken" : "refused");
    return taken == 0 ? 0 : 1;
}
