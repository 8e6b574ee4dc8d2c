/* Sums of what plugin calls met, a table of fixed size: nothing here can fail. See tally.h. */
#include "tally.h"

#include <pthread.h>
#include <string.h>

struct tally {
    int64_t number; /* 0: free */
    size_t n;
    int64_t turns[TALLY_TURNS];
    int64_t sums[TALLY_TURNS][TALLY_COUNTS];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tally tallies[TALLIES];
static int64_t last, turn;

static struct tally *tally_of(int64_t number) {
    for (size_t i = 0; i < TALLIES; i++)
        if (tallies[i].number == number) return &tallies[i];
    return NULL;
}

int64_t tally_open(void) {
    (void)pthread_mutex_lock(&lock);
    struct tally *tally = tally_of(0);
    int64_t number = tally != NULL ? ++last : 0;
    if (tally != NULL) {
        tally->number = number;
        tally->n = 0;
    }
    (void)pthread_mutex_unlock(&lock);
    return number;
}

void tally_turn(void) {
    (void)pthread_mutex_lock(&lock);
    turn++;
    (void)pthread_mutex_unlock(&lock);
}

/* The sums of this turn; NULL past the last one that there is room for. */
static int64_t *sums_now(struct tally *tally) {
    size_t i = 0;
    while (i < tally->n && tally->turns[i] != turn)
        i++;
    if (i == TALLY_TURNS) return NULL;
    if (i == tally->n) {
        tally->n++;
        tally->turns[i] = turn;
        memset(tally->sums[i], 0, sizeof tally->sums[i]);
    }
    return tally->sums[i];
}

void tally_add(int64_t number, const struct vf_clock_report *report, int64_t nulls) {
    const int64_t met[TALLY_COUNTS] = {report->n_rows, report->n_null, report->n_unreadable, report->n_outside,
                                       report->n_other_date, nulls};
    if (number <= 0) return;
    (void)pthread_mutex_lock(&lock);
    struct tally *tally = tally_of(number);
    int64_t *sums = tally != NULL ? sums_now(tally) : NULL;
    for (size_t i = 0; sums != NULL && i < TALLY_COUNTS; i++)
        sums[i] += met[i];
    (void)pthread_mutex_unlock(&lock);
}

size_t tally_take(int64_t number, int64_t sums[TALLY_TURNS][TALLY_COUNTS]) {
    size_t n = 0;
    (void)pthread_mutex_lock(&lock);
    struct tally *tally = number > 0 ? tally_of(number) : NULL;
    if (tally != NULL) {
        n = tally->n;
        memcpy(sums, tally->sums, n * sizeof *sums);
        tally->n = 0;
    }
    (void)pthread_mutex_unlock(&lock);
    return n;
}

void tally_close(int64_t number) {
    (void)pthread_mutex_lock(&lock);
    struct tally *tally = number > 0 ? tally_of(number) : NULL;
    if (tally != NULL) tally->number = 0;
    (void)pthread_mutex_unlock(&lock);
}
