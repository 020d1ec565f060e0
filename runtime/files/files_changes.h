/*
 * files_changes.h -- what an update of files changed, in one line for people.
 */
#ifndef UP_FILES_CHANGES_H
#define UP_FILES_CHANGES_H

#include <stddef.h>

#include "files.h"

/*
 * "files: 2 replaced (bin/meter, etc/conf), 1 added (data)", each name below its
 * root, as many names as there is room for; "" before the switch and after the end
 * of a plan. A byte that is not printable UTF-8 is written \xNN.
 */
void up_files_changes(const struct up_files *f, char *out, size_t len);

#endif
