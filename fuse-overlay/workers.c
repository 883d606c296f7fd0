/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for how many threads serve requests at a time. A worker reads a request, serves it and
 * reads on, or parks when enough others read. Who finds requests waiting again and again, without ever
 * having to sleep, calls for help; and a guard, which looks every few milliseconds while there is
 * work, does so for those who are stuck in a slow one, and keeps processors awake while there is much of it.
 */
#include "fuse-overlay/workers.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/thread.h"
#include "fuse-overlay/wakeful.h"

#define AT_ONCE_NS  3000 /* a read that takes less has not slept */
#define BUSY_STREAK 16   /* so many in a row, … */
#define BUSY_OTHERS 4	/* … and so often from somebody else: more to do than one can */
#define CALM_COUNT  256  /* so many requests without that: there is less */
#define TICK_NS	    2000000
#define STUCK_TICKS 3 /* on a machine that is busy elsewhere a tick is no sign of anything */
#define IDLE_TICKS  50

struct workers {
	struct fuse_session *fuse;
	int fd;
	unsigned int max;
	bool may_keep_awake;
	unsigned int processors; /* more than these can only be stuck, not at work */
	_Atomic unsigned int reading; /* waiting for a request */
	_Atomic unsigned int wanted;  /* that many may */
	_Atomic uint64_t served;
	_Atomic bool guard_sleeps;
	_Atomic bool is_over;
	_Atomic int result;
	sem_t over;
	pthread_mutex_t lock; /* what follows */
	pthread_cond_t call;  /* to who is parked */
	pthread_cond_t alarm; /* to the guard */
	unsigned int parked;
	unsigned int calls; /* that nobody has answered yet */
	unsigned int count;
	pthread_t *threads;
};

/*
 * How it goes for one worker. A single client on another processor often has its next request
 * ready in time, and is served best by one thread; so it counts who asks, too.
 */
struct pace {
	unsigned int busy;
	unsigned int others;
	unsigned int calm;
	uint32_t last_pid;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void end(struct workers *workers, int result)
{
	pthread_mutex_lock(&workers->lock);
	if (!atomic_exchange(&workers->is_over, true))
		workers->result = result;
	pthread_cond_broadcast(&workers->call);
	pthread_cond_broadcast(&workers->alarm);
	pthread_mutex_unlock(&workers->lock);
	sem_post(&workers->over);
}

static void *worker_main(void *arg);

/*
 * One more at work, if fewer than @limit are: who is parked, else a new thread. That there is none is
 * a matter of speed alone, once there is one. Returns how many there are.
 */
static unsigned int call_help(struct workers *workers, unsigned int limit)
{
	struct err err = ERR_INIT;
	unsigned int count;

	pthread_mutex_lock(&workers->lock);
	if (workers->count - workers->parked + workers->calls >= limit) {
		/* enough */
	} else if (workers->parked > workers->calls) {
		workers->calls++;
		pthread_cond_signal(&workers->call);
	} else if (workers->count < workers->max && !workers->is_over &&
		   thread_start(&workers->threads[workers->count], worker_main, workers, &err) ==
			   0) {
		workers->count++;
	}
	count = workers->count;
	pthread_mutex_unlock(&workers->lock);
	return count;
}

static void park(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->parked++;
	while (workers->calls == 0 && !workers->is_over)
		pthread_cond_wait(&workers->call, &workers->lock);
	workers->parked--;
	if (workers->calls > 0)
		workers->calls--;
	pthread_mutex_unlock(&workers->lock);
}

/* ---- how many are wanted ------------------------------------------------------------ */

static void more(struct workers *workers)
{
	unsigned int wanted = atomic_load(&workers->wanted);

	if (wanted < workers->processors && wanted < workers->max)
		atomic_compare_exchange_strong(&workers->wanted, &wanted, wanted + 1);
	call_help(workers, atomic_load(&workers->wanted));
}

static void fewer(struct workers *workers)
{
	unsigned int wanted = atomic_load(&workers->wanted);

	if (wanted > 1)
		atomic_compare_exchange_strong(&workers->wanted, &wanted, wanted - 1);
}

static void judge(struct workers *workers, struct pace *pace, uint64_t slept_ns, uint32_t pid)
{
	if (slept_ns >= AT_ONCE_NS)
		pace->busy = pace->others = 0;
	else
		pace->busy++;
	/* what nobody waits for has no sender */
	if (pid != 0) {
		pace->others += pid != pace->last_pid;
		pace->last_pid = pid;
	}
	if (pace->busy >= BUSY_STREAK && pace->others >= BUSY_OTHERS) {
		pace->busy = pace->others = pace->calm = 0;
		if (atomic_load(&workers->reading) == 0)
			more(workers);
	} else if (++pace->calm >= CALM_COUNT) {
		pace->calm = 0;
		fewer(workers);
	}
}

static void alarm_guard(struct workers *workers)
{
	if (!atomic_load_explicit(&workers->guard_sleeps, memory_order_relaxed))
		return;
	pthread_mutex_lock(&workers->lock);
	workers->guard_sleeps = false;
	pthread_cond_signal(&workers->alarm);
	pthread_mutex_unlock(&workers->lock);
}

/* ---- a worker --------------------------------------------------------------------------- */

/* The only place where a thread can be cancelled: it holds nothing. */
static int receive(struct workers *workers, struct fuse_buf *buf, struct pace *pace)
{
	uint64_t begin = now_ns();
	int r;

	atomic_fetch_add(&workers->reading, 1);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	r = fuse_session_receive_buf(workers->fuse, buf);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	atomic_fetch_sub(&workers->reading, 1);
	if (r > 0)
		judge(workers, pace, now_ns() - begin,
		      ((const struct fuse_in_header *)buf->mem)->pid);
	return r;
}

static void free_buf(void *arg)
{
	free(((struct fuse_buf *)arg)->mem);
}

static void serve(struct workers *workers, struct fuse_buf *buf)
{
	struct pace pace = { 0 };
	int r = 0;

	while (!fuse_session_exited(workers->fuse) && !workers->is_over) {
		r = receive(workers, buf, &pace);
		if (r == -EINTR)
			continue;
		if (r <= 0)
			break;
		alarm_guard(workers);
		fuse_session_process_buf(workers->fuse, buf);
		atomic_fetch_add_explicit(&workers->served, 1, memory_order_relaxed);
		if (atomic_load(&workers->reading) >= atomic_load(&workers->wanted))
			park(workers);
	}
	end(workers, r < 0 ? r : 0);
}

static void *worker_main(void *arg)
{
	struct fuse_buf buf = { .mem = NULL };

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cleanup_push(free_buf, &buf);
	serve(arg, &buf);
	pthread_cleanup_pop(1);
	return NULL;
}

/* ---- the guard ----------------------------------------------------------------------------- */

static bool is_waiting(const struct workers *workers)
{
	struct pollfd poll_fd = { .fd = workers->fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLIN);
}

static void sleep_until_alarm(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->guard_sleeps = true;
	while (workers->guard_sleeps && !workers->is_over)
		pthread_cond_wait(&workers->alarm, &workers->lock);
	pthread_mutex_unlock(&workers->lock);
}

static void open_wakeful(const struct workers *workers, struct wakeful *out)
{
	if (workers->may_keep_awake)
		wakeful_open(out, "");
	else
		*out = (struct wakeful){ .fd = -1 };
}

static void *guard_main(void *arg)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };
	struct workers *workers = arg;
	struct wakeful wakeful;
	uint64_t last = 0;
	unsigned int idle = 0, stuck = 0;

	open_wakeful(workers, &wakeful);
	while (!workers->is_over) {
		uint64_t served = atomic_load(&workers->served);
		bool is_stuck = served == last && atomic_load(&workers->reading) == 0;

		wakeful_tick(&wakeful, (unsigned int)(served - last));
		stuck = is_stuck ? stuck + 1 : 0;
		if (stuck >= STUCK_TICKS && is_waiting(workers))
			call_help(workers, workers->max);
		idle = served == last && !is_stuck ? idle + 1 : 0;
		last = served;
		if (idle > IDLE_TICKS) {
			sleep_until_alarm(workers);
			idle = 0;
		}
		clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);
	}
	wakeful_close(&wakeful);
	return NULL;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void wait_until_over(struct workers *workers)
{
	unsigned int count;

	while (!workers->is_over && !fuse_session_exited(workers->fuse))
		sem_wait(&workers->over); /* a signal interrupts it */
	end(workers, 0);
	pthread_mutex_lock(&workers->lock);
	count = workers->count;
	for (unsigned int i = 0; i < count; i++)
		pthread_cancel(workers->threads[i]);
	pthread_mutex_unlock(&workers->lock);
	/* no more are started when it is over */
	for (unsigned int i = 0; i < count; i++)
		pthread_join(workers->threads[i], NULL);
}

int workers_run(struct fuse_session *fuse, int fd, unsigned int max, bool may_keep_awake)
{
	struct workers workers = { .fuse = fuse,
				   .fd = fd,
				   .max = max,
				   .may_keep_awake = may_keep_awake,
				   .processors = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN),
				   .wanted = 1,
				   .lock = PTHREAD_MUTEX_INITIALIZER,
				   .call = PTHREAD_COND_INITIALIZER,
				   .alarm = PTHREAD_COND_INITIALIZER };
	struct err err = ERR_INIT;
	pthread_t guard;

	workers.threads = mem_array(max, sizeof(*workers.threads));
	sem_init(&workers.over, 0, 0);
	if (call_help(&workers, 1) == 0 || thread_start(&guard, guard_main, &workers, &err) < 0)
		end(&workers, -EAGAIN);
	wait_until_over(&workers);
	if (!err.text[0])
		pthread_join(guard, NULL);
	sem_destroy(&workers.over);
	free(workers.threads);
	return workers.result;
}
