#include "records.h"

#include <string.h>

#include "boot.h"
#include "config.h"
#include "error.h"
#include "hotfix_ledger.h"
#include "journal.h"
#include "keyset.h"

static int inspect_journal(struct up_record_view file[2], struct up_storage *storage,
                           const struct up_config *config, struct up_error *err)
{
    struct up_journal *journal = NULL;
    int rc = up_journal_open(&journal, storage, config->state, err);

    if (rc == 0)
        rc = up_journal_second(journal, config->journal_dir, err);
    if (rc == 0)
        rc = up_journal_inspect(journal, file, err);
    up_journal_close(journal);
    return rc;
}

static int inspect_boot(struct up_record_view file[2], struct up_storage *storage,
                        const struct up_config *config, struct up_error *err)
{
    struct up_boot *boot;
    int rc = up_boot_open(&boot, storage, up_config_boot(config), err);

    if (rc < 0)
        return rc;
    rc = up_boot_inspect(boot, file, err);
    up_boot_close(boot);
    return rc;
}

static bool is_absent(const struct up_record_view file[2])
{
    return strcmp(file[0].state, "absent") == 0 && strcmp(file[1].state, "absent") == 0;
}

int up_records_inspect(struct up_records_view out[UP_RECORDS], struct up_storage *storage,
                       const struct up_config *config, struct up_error *err)
{
    int count = 0;

    if (inspect_journal(out[count].file, storage, config, err) < 0)
        return err->code;
    out[count++].name = "journal";
    if (config->boot == UP_BOOT_FILE) {
        if (inspect_boot(out[count].file, storage, config, err) < 0)
            return err->code;
        out[count++].name = "boot";
    }
    if (up_keyset_inspect(out[count].file, storage, config->keys, err) < 0)
        return err->code;
    /* Most devices never get a list of keys; if its record is lost, the check of the keys says so. */
    if (!is_absent(out[count].file))
        out[count++].name = "keys";
    if (up_hotfix_ledger_inspect(storage, config->state, out[count].file, err) < 0)
        return err->code;
    if (!is_absent(out[count].file))
        out[count++].name = "hotfixes";
    return count;
}
