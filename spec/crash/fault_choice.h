/*
 * fault_choice.h -- which faults are tried on a flow, and where the power goes
 * after them: a sample, or all.
 */
#ifndef FAULT_CHOICE_H
#define FAULT_CHOICE_H

#include "fault_search.h"

/* How often each call is made when nothing fails. */
void fault_calls(const struct search *s, unsigned calls[SIM_CHANGES + 1]);
/* Until so many states of calls that fail were judged, and some of each other kind. */
void fault_try_some(struct search *s, unsigned long wanted);
/* Every fault, every cut after it, of `only` kind of call, or of a fault that is
 * no call ("lost"); NULL: all. */
void fault_try_all(struct search *s, const char *only);

#endif
