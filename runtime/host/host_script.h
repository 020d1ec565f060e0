/*
 * host_script.h -- the process of a device's script, and that of a hotfix's test.
 */
#ifndef UP_HOST_SCRIPT_H
#define UP_HOST_SCRIPT_H

/*
 * The words behind --script: DIR OVERLAYS STATE SLOT_A SLOT_B JOURNAL_DIR HEARTBEAT MEMORY [USER [GROUP... | -]]
 *
 * Runs DIR/main.lua. Returns the exit code.
 */
int up_host_script(int argc, char **argv);

/* The words behind --test: TREE, and those of --script. Runs TREE/test.lua in TREE. */
int up_host_script_test(int argc, char **argv);

/* Run the script argv[0] without a supervisor or a state. If there is a device's configuration here, it may not
 * write to that device's paths; NULL: there is none. */
int up_host_script_alone(const char *config_path, int argc, char **argv);

#endif
