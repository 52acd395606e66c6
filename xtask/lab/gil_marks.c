/*
 * Marks of one thread: instants with the kernel's own counters at each, taken from C so that there
 * can be one on either side of the GIL. Python loads this with ctypes, as CDLL (the GIL is given up
 * around the call, as around any receive call or C++ parser) and as PyDLL (it is held).
 *
 * One thread at a time has marks: the one that called lab_begin().
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The end of a stretch. Nanoseconds; `did` is a letter of the victim's log. */
struct mark {
    int64_t did;
    int64_t at;
    int64_t utc;
    int64_t cpu;
    int64_t delay;
    int64_t slices;
};

enum { ROOM = 1 << 18 };

/* Readings of one mark lie no further apart than this, in nanoseconds, if that can be had. */
enum { NARROW = 20000, TRIES = 4 };

struct mark lab_marks[ROOM];
long lab_used;
static int schedstat = -1;

static int64_t now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/*
 * The thread has done this until now. CPU time, run delay and clock cannot be read at once: a
 * reading that was interrupted is done again.
 */
static void mark(char did)
{
    if (lab_used >= ROOM)
        return;
    struct mark *next = &lab_marks[lab_used];
    for (int try = 0; try < TRIES; try++) {
        char text[96];
        int64_t begin = now(CLOCK_MONOTONIC);
        ssize_t length = pread(schedstat, text, sizeof text - 1, 0);
        text[length > 0 ? length : 0] = 0;
        char *rest = text;
        strtoll(rest, &rest, 10);
        next->delay = strtoll(rest, &rest, 10);
        next->slices = strtoll(rest, &rest, 10);
        next->utc = now(CLOCK_REALTIME);
        next->cpu = now(CLOCK_THREAD_CPUTIME_ID);
        next->at = now(CLOCK_MONOTONIC);
        if (next->at - begin < NARROW)
            break;
    }
    next->did = did;
    lab_used++;
}

/*
 * The thread has been in the interpreter until now, or on its way out of it or back in. If it was
 * off the CPU in between, then for the GIL (or for a CPU, which the counters show); else it
 * computed.
 */
static void mark_interpreter(void)
{
    mark('w');
    if (lab_used > 1 && lab_marks[lab_used - 1].slices != lab_marks[lab_used - 2].slices)
        lab_marks[lab_used - 1].did = 'l';
}

/* The calling thread is the one from here on; 0, or -1 when its account cannot be read. */
int lab_begin(void)
{
    schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    mark('w');
    return schedstat < 0 || lab_marks[0].slices == 0 ? -1 : 0;
}

/* Back in the interpreter, with the GIL. For PyDLL. */
void lab_entered(void)
{
    mark_interpreter();
}

/* recv(2), marked on both sides. For CDLL. */
ssize_t lab_receive(int descriptor, void *buffer, size_t size)
{
    mark_interpreter();
    ssize_t length = recv(descriptor, buffer, size, 0);
    mark('r');
    return length;
}

/*
 * Short time slices at the best nice value for the calling thread (root only, best effort): woken,
 * it gets its CPU at once whatever else runs there. Kernels before 6.12 leave the slice as it is.
 * For PyDLL.
 */
void lab_prompt(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {.size = sizeof attributes, .policy = 0, .nice = -20, .runtime = 100000};
    syscall(SYS_sched_setattr, 0, &attributes, 0);
}

/*
 * Holds the GIL for so long, as a C call that does not yield would, and returns its beginning and
 * end: in Python, before and after the call, the GIL can be gone already. For PyDLL; any thread.
 */
void lab_hold(int64_t nanoseconds, int64_t span[2])
{
    span[0] = span[1] = now(CLOCK_MONOTONIC);
    while (span[1] - span[0] < nanoseconds)
        span[1] = now(CLOCK_MONOTONIC);
}

/* Uses so much CPU time, as a parser in C++ would. For CDLL. */
void lab_work(int64_t nanoseconds)
{
    mark_interpreter();
    int64_t begin = now(CLOCK_THREAD_CPUTIME_ID);
    while (now(CLOCK_THREAD_CPUTIME_ID) - begin < nanoseconds)
        ;
    mark('w');
}
