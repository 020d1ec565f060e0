/*
 * moult/terminal.h -- the update calls of POS terminals' DM layer, over the agent of `moult run`.
 *
 * A program that was written against the DM layer is compiled with this header and linked with
 * -lmoult. The configuration has a cloud of kind "terminal"; the agent transfers and installs, and
 * prover is the release of the package. app and mdma are the same for two threads: the calls of one
 * belong to one thread at a time.
 *
 * The agent is found at $MOULT_CONTROL, else at /var/lib/moult/control. Only root, the agent's user,
 * the script that it runs, and the group to which control_verbs gives "terminal" may call for
 * updates; see moult-control(7).
 *
 * No thread is started: handlers run in the thread that calls. States: 0x01 updated and confirmed,
 * 0x02 failed, 0x04 not upgraded. One that no handler took is kept by the agent, over restarts too.
 */
#ifndef MOULT_TERMINAL_H
#define MOULT_TERMINAL_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Call for an update; all but type are texts that are not empty. type: 0x01 automatic, 0x02 by hand,
 * 0x04 by a short message. Returns 0 when the call was taken, and then only after the state handler
 * had the state that it ended with, or when there is none, or after ten minutes without an agent;
 * meanwhile the step handler is called once a second. A new release may end the program before: then
 * its successor is told. -1: an argument is wrong, an update is under way, a state handler called this,
 * or no agent took the call.
 */
int dm_app_SendUpdateModuleUpdatedMsg_HB(unsigned char *apn, unsigned char *userid, unsigned char *passwd,
                                         unsigned char *ip, unsigned char *port, unsigned char *prover,
                                         unsigned char *downfile, char type);
int dm_mdma_SendUpdateModuleUpdatedMsg_HB(unsigned char *apn, unsigned char *userid, unsigned char *passwd,
                                          unsigned char *ip, unsigned char *port, unsigned char *prover,
                                          unsigned char *downfile, char type);

/* Who is told of a state. One that was kept is told at once, before this returns,
 * unless a handler calls this. 0; -1: NULL. */
int dm_app_RegisterUpdateStateHandle(void (*Fp)(unsigned char state));
int dm_mdma_RegisterUpdateStateHandle(void (*Fp)(unsigned char state));
int dm_app_UnRegisterUpdateStateHandle(void);
int dm_mdma_UnRegisterUpdateStateHandle(void);

/* Who is told how far the transfer is: the file's name, and bytes. 0; -1: NULL. */
int dm_app_RegisterDownLoadStepHandle(void (*Fp)(unsigned char *file_name, long int total, long int step));
int dm_mdma_RegisterDownLoadStepHandle(void (*Fp)(unsigned char *file_name, long int total, long int step));
int dm_app_UnRegisterDownLoadStepHandle(void);
int dm_mdma_UnRegisterDownLoadStepHandle(void);

#ifdef __cplusplus
}
#endif
#endif
