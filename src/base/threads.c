/* One parallel-for over pthreads, started and joined within the call.
   Not a pool: a call lasts milliseconds and the start of a thread microseconds. */
#include "base/base.h"

#include <pthread.h>
#include <stdatomic.h>

#define MAX_THREADS 256

struct job {
    void (*task)(void *arg, size_t index);
    void *arg;
    size_t n_tasks;
    atomic_size_t next;
};

static void *work(void *argument) {
    struct job *job = argument;
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed);
        if (i >= job->n_tasks) return NULL;
        job->task(job->arg, i);
    }
}

void vf__parallel(const struct vf_context *ctx, size_t n_tasks, void (*task)(void *arg, size_t index),
                  void *arg) {
    struct job job = {.task = task, .arg = arg, .n_tasks = n_tasks};
    atomic_init(&job.next, 0);
    size_t n = ctx->n_threads < n_tasks ? ctx->n_threads : n_tasks;
    if (n > MAX_THREADS) n = MAX_THREADS;
    pthread_t threads[MAX_THREADS];
    size_t started = 0;
    while (started + 1 < n && pthread_create(&threads[started], NULL, work, &job) == 0)
        started++;
    (void)work(&job);
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
}
