/*
 * moult/terminal.h -- the update calls of POS terminals' DM layer, over the agent of `moult run`.
 *
 * A program that was written against the DM layer is compiled with this header and linked with
 * -lmoult. The configuration needs a cloud of kind "terminal". The agent transfers and installs;
 * prover is the release of the package. app and mdma are equal sets of calls, so that two threads
 * can update; each set is used by one thread at a time.
 *
 * The agent is found at $MOULT_CONTROL, else at /var/lib/moult/control. Only root, the agent's user,
 * the script that it runs, and the group to which control_verbs gives "terminal" may call for
 * updates; see moult-control(7).
 *
 * No thread is started: handlers run in the calling thread. States: 0x01 updated and confirmed,
 * 0x02 failed, 0x04 not upgraded. The agent keeps a state that no handler took, also across restarts.
 */
#ifndef MOULT_TERMINAL_H
#define MOULT_TERMINAL_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Ask for an update. All arguments but type are strings that are not empty. type: 0x01 automatic,
 * 0x02 by hand, 0x04 by a short message; others end with state 0x04. Returns 0 if the agent accepted
 * the request, and then only after the state handler got the final state, or if there is no handler,
 * or after ten minutes without an agent; meanwhile the step handler is called once a second. A new
 * release may end the program before that: then its successor gets the state. -1: an argument is
 * wrong, an update is under way, a state handler called this, or no agent accepted the request.
 */
int dm_app_SendUpdateModuleUpdatedMsg_HB(unsigned char *apn, unsigned char *userid, unsigned char *passwd,
                                         unsigned char *ip, unsigned char *port, unsigned char *prover,
                                         unsigned char *downfile, char type);
int dm_mdma_SendUpdateModuleUpdatedMsg_HB(unsigned char *apn, unsigned char *userid, unsigned char *passwd,
                                          unsigned char *ip, unsigned char *port, unsigned char *prover,
                                          unsigned char *downfile, char type);

/* Set the handler of states. A state that was kept is passed to it before this returns, unless a
 * handler calls this. 0, or -1 if Fp is NULL. */
int dm_app_RegisterUpdateStateHandle(void (*Fp)(unsigned char state));
int dm_mdma_RegisterUpdateStateHandle(void (*Fp)(unsigned char state));
int dm_app_UnRegisterUpdateStateHandle(void);
int dm_mdma_UnRegisterUpdateStateHandle(void);

/* Set the handler of progress: the file's name, bytes in all, bytes so far. 0, or -1 if Fp is NULL. */
int dm_app_RegisterDownLoadStepHandle(void (*Fp)(unsigned char *file_name, long int total, long int step));
int dm_mdma_RegisterDownLoadStepHandle(void (*Fp)(unsigned char *file_name, long int total, long int step));
int dm_app_UnRegisterDownLoadStepHandle(void);
int dm_mdma_UnRegisterDownLoadStepHandle(void);

#ifdef __cplusplus
}
#endif
#endif
