-- A C application beside the real program, over libmoult: examples/c, built as its head says.

local c_program = require "spec.support.c_program"
local world = require "spec.support.world"

describe("a C program with libmoult", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end
  if not c_program.compile then return pending("this build has no libmoult") end

  local w

  before_each(function()
    w = world.new()
    c_program.compile(w, "follow")
  end)
  after_each(function() w:close() end)

  local function follow() c_program.start(w, "follow", "state/control") end

  local function wait_line(text)
    w:wait(text, function() return (w:read "follow.log" or ""):find(text, 1, true) end)
  end

  it("tells facts that policy decides by", function()
    w:device { config = "limits = { battery = 90 },", period = 3600 }
    w:run()
    follow()
    wait_line "connected"
    w:publish()
    local _, out = w:moult "check --json"
    local verdict = assert(require("update.native.json").decode(out))
    assert.same({ "defer", "battery" }, { verdict.decision.action, verdict.decision.reason })
  end)

  it("follows an update, confirms it, and comes back when the agent does", function()
    w:device { config = 'confirm = "script",' }
    w:run()
    follow()
    wait_line "runs 1.0.0, idle"
    w:publish()
    wait_line "well, so 1.0.1 may stay"
    w:wait_status { phase = "idle", release = "1.0.1" }
    w:stop("device", "KILL")
    wait_line "lost"
    w:write("follow.log", "")
    w:run()
    wait_line "runs 1.0.1, idle"
  end)

  -- Calls with a time, more of them than sockets and queues hold, while nobody answers; then one that is answered.
  local STUCK = [[
#include <moult.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void)
{
    struct moult *m = moult_open("state/control"), *more[200];
    struct moult_status st;
    char *facts = malloc(60000);
    int late = 0, code;

    if (!m || !facts || moult_status(m, &st, 10000) != 0)
        return 1;
    memset(facts, ' ', 59999);
    memcpy(facts, "{\"a\":1", 6);
    facts[59998] = '}', facts[59999] = 0;
    puts("begins"), fflush(stdout);
    while (access("stopped", F_OK) != 0)
        usleep(10000);
    for (int i = 0; i < 40; i++)
        late += moult_facts(m, facts) == 0, late += moult_status(m, &st, 10) == MOULT_TIMEOUT, moult_dispatch(m, 0);
    for (int i = 0; i < 200; i++) {
        more[i] = moult_open("state/control");
        code = moult_status(more[i], &st, 10);
        late += code == MOULT_TIMEOUT || code == MOULT_BUSY;
    }
    printf("%d ended without an answer\n", late > 200), fflush(stdout);
    for (int i = 0; i < 200; i++)
        moult_close(more[i]);
    while (access("goes-on", F_OK) != 0)
        usleep(10000);
    while ((code = moult_status(m, &st, 1000)) != 0)
        printf("%d %s\n", code, moult_message(m)), fflush(stdout), usleep(100000);
    printf("runs %s\n", st.release);
    moult_close(m);
    free(facts);
    return 0;
}
]]

  it("is not held up by an agent that stands still", function()
    w:device { config = "", period = 3600 }
    w:run()
    w:write("stuck.c", STUCK)
    c_program.compile(w, "stuck", "stuck.c")
    c_program.start(w, "stuck", "")
    w:wait("its first answer", function() return (w:read "stuck.log" or ""):find "begins" end)
    local pids = w:read("device.log"):match "agent started %(process (%d+)%)" .. " " .. w.running.device
    w:shell("kill -STOP " .. pids)
    w:write("stopped", "")
    w:wait("an end of its calls", function() return (w:read "stuck.log"):find "1 ended without an answer" end, 60)
    w:shell("kill -CONT " .. pids)
    w:write("goes-on", "")
    w:wait("an answer", function() return (w:read "stuck.log"):find "runs 1.0.0" end)
  end)

  -- The lines of the vendors' texts, within what they leave to the reader.
  local PRINTED = {
    terminal = [[
#include <moult/terminal.h>
static unsigned char szApn[] = "cmnet", szServerIP[] = "10.1.2.3", szServerPort[] = "8083", szProgVer[] = "080507",
    szProgUrl[] = "/UPDATE_080507.tar.gz";
void DownLoadStepRegister( unsigned char *downfile, long int total, long int step );
static void net_proc_update_termin_result(unsigned char ucResult);
int dm_app_SendUpdateModuleUpdatedMsg_HB( unsigned char *apn, unsigned char *userid,\
 unsigned char *passwd, unsigned char *ip, unsigned char *port, unsigned char *prover, unsigned char *downfile,\
 char type);
int dm_app_RegisterUpdateStateHandle( void(*Fp)(unsigned char state) );
int dm_app_UnRegisterUpdateStateHandle( void );
int dm_app_RegisterDownLoadStepHandle( void(*Fp)( unsigned char *file_name, long int total, long int step ) );
int dm_app_UnRegisterDownLoadStepHandle( void );
void DownLoadStepRegister(unsigned char *downfile, long int total, long int step)
{
    (void)downfile, (void)total, (void)step;
}
static void net_proc_update_termin_result(unsigned char ucResult) { (void)ucResult; }
int main(void)
{
    dm_app_RegisterDownLoadStepHandle(DownLoadStepRegister);
    dm_app_RegisterUpdateStateHandle(net_proc_update_termin_result);
    dm_app_SendUpdateModuleUpdatedMsg_HB(szApn, "user", "1234",
    szServerIP, szServerPort, szProgVer, szProgUrl, 0x01);
    dm_app_UnRegisterUpdateStateHandle();
    return 0;
}
]],
    aliyun = [[
#include <moult/aliyun.h>
#include <stdio.h>
#define PRODUCT_KEY "a1PK"
#define DEVICE_NAME "dev1"
#define OTA_BUF_LEN 5000
void *IOT_OTA_Init(const char *product_key, const char *device_name, void *ch_signal);
int IOT_OTA_ReportVersion(void *handle, const char *version);
int IOT_OTA_IsFetching(void *handle);
int IOT_OTA_FetchYield(void *handle, char *buf, uint32_t buf_len, uint32_t timeout_s);
int IOT_OTA_IsFetchFinish(void *handle);
int IOT_OTA_Ioctl(void *handle, IOT_OTA_CmdType_t type, void *buf, size_t buf_len);
int IOT_OTA_Deinit(void *handle);
int main(void)
{
    void *h_ota, *pclient = NULL;
    int rc = 0, percent = 1, last_percent = 0;
    h_ota = IOT_OTA_Init(PRODUCT_KEY, DEVICE_NAME, pclient);
    if (NULL == h_ota) {
      rc = -1;
      printf("initialize OTA failed\n");
    }
    if (IOT_OTA_IsFetching(h_ota)) {
      unsigned char buf_ota[OTA_BUF_LEN];
      uint32_t len, size_downloaded, size_file;
      do {
        len = IOT_OTA_FetchYield(h_ota, buf_ota, OTA_BUF_LEN, 1);
        if (len > 0) {
        }
      } while (!IOT_OTA_IsFetchFinish(h_ota));
      IOT_OTA_Ioctl(h_ota, IOT_OTAG_FETCHED_SIZE, &size_downloaded, 4);
      IOT_OTA_Ioctl(h_ota, IOT_OTAG_FILE_SIZE, &size_file, 4);
    }
    if (percent - last_percent > 0) {
      IOT_OTA_ReportProgress(h_ota, percent, NULL);
    }
    IOT_MQTT_Yield(pclient, 100);
    int32_t firmware_valid;
    IOT_OTA_Ioctl(h_ota, IOT_OTAG_CHECK_FIRMWARE, &firmware_valid, 4);
    if (0 == firmware_valid) {
      printf("The firmware is invalid\n");
    } else {
      printf("The firmware is valid\n");
    }
    if (0 != IOT_OTA_ReportVersion(h_ota, "version2.0")) {
      rc = -1;
      printf("report OTA version failed\n");
    }
    IOT_OTA_Deinit(h_ota);
    return rc;
}
]] }

  it("may be what the vendors' texts print, prototypes included", function()
    for name, text in pairs(PRINTED) do
      w:write(name .. ".c", text)
      -- Their literals are char, and their length is unsigned.
      assert(w:shell(("cc -Wall -Werror -Wno-pointer-sign -Wno-maybe-uninitialized %s -c %s.c -o %s.o"):format(
        c_program.include, name, name)), name)
    end
  end)

  it("may be C++, and of an old C", function()
    for language, compiler in pairs { cpp = "c++", c = "cc -std=c99" } do
      w:write("plus." .. language, "#include <moult.h>\n#include <moult/aliyun.h>\n#include <moult/terminal.h>\n" ..
        "int main(void) { struct moult *m = moult_open(\"x\"); moult_close(m); return IOT_OTA_IsFetching(NULL); }\n")
      if os.execute(("command -v %s >/dev/null"):format(compiler:match "^%S+")) then
        assert(w:shell(("%s -Wall -Wextra -Werror -pedantic %s -c plus.%s -o plus.o"):format(compiler,
          c_program.include, language)))
      end
    end
  end)
end)
