/*
 * The players' coroutines: a stack each, kept for the next one in the same part.
 */
#include "stage.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK ((size_t)1 << 20)

static ucontext_t scheduler;

static void begin(void)
{
    struct player *p = stage.current;

    p->run(p);
    links_drop(p);
    p->alive = false;
    if (!p->ended) {
        p->ended = true;
        if (p->who == PERSON || p->who == APPLICATION)
            p->pid = 0;
    }
    swapcontext(p->context, p->back);
}

static void *map_stack(void)
{
    void *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (stack == MAP_FAILED)
        abort();
    mprotect(stack, 4096, PROT_NONE);
    return stack;
}

void player_start(struct player *p, void (*run)(struct player *))
{
    ucontext_t *context;

    if (p->alive)
        abort();
    if (!p->stack)
        p->stack = map_stack();
    if (!p->context)
        p->context = calloc(1, sizeof(ucontext_t));
    context = p->context;
    if (!context || getcontext(context) < 0)
        abort();
    context->uc_stack.ss_sp = p->stack;
    context->uc_stack.ss_size = STACK;
    context->uc_link = NULL;
    makecontext(context, begin, 0);
    p->run = run;
    p->pid = ++stage.last_pid;
    p->alive = true;
    p->dead = p->ended = p->waits = false;
    p->status = p->signal = 0;
    p->frozen = 0;
    p->watches = NULL;
    p->watch_count = 0;
    p->started = stage.now;
    p->beaten = 0;
    p->wake = stage.now;
}

void player_run(struct player *p)
{
    struct player *before = stage.current;

    p->back = before ? before->context : &scheduler;
    stage.current = p;
    swapcontext(p->back, p->context);
    stage.current = before;
}

void player_wait(uint64_t wake, bool waits)
{
    struct player *p = stage.current;

    if (p->dead)
        return;
    p->wake = wake;
    p->waits = waits;
    swapcontext(p->context, p->back);
}

bool player_sleep(uint64_t ms)
{
    player_wait(stage.now + ms, false);
    return !stage.current->dead;
}

void player_kill(struct player *p, int status)
{
    static const char *const names[] = {"supervisor", "agent",  "script",     "helper",
                                        "tester",     "person", "application"};

    if (!p->alive || p->dead)
        return;
    trace("%s ends, status %d", names[p->who], status);
    p->dead = p->ended = true;
    p->status = status;
    if (p->who == SUPERVISOR) { /* its children do not outlive it */
        player_kill(&stage.player[AGENT], SIGKILL);
        player_kill(&stage.player[SCRIPT], SIGKILL);
        player_kill(&stage.player[HELPER], SIGKILL);
        player_kill(&stage.player[TESTER], SIGKILL);
        stage.player[AGENT].pid = stage.player[SCRIPT].pid = 0;
        stage.player[HELPER].pid = stage.player[TESTER].pid = 0;
    }
    if (p->who == PERSON || p->who == APPLICATION)
        p->pid = 0;
    if (p != stage.current)
        player_run(p);
}
