/* One group's look-ups: two lists in time order, each walked once whatever the horizon. Not for bringing the
   lists about, and not for threads: groups.c does both.

   Time-ordered rows have time-ordered targets t + h, so the observation found only moves on. It moves by
   counting how many of the next four are early enough, without a branch a step: a trading day's steps are 0,
   1, 2 at random, and mispredicting them cost more than everything else here. Two horizons go side by side
   for the same reason: each waits for its own loads only. */
#include "mark/mark.h"

#include <math.h>

/* Where one horizon is: `k` observations are early enough; `same` is the last of those that share observation
   k's time. */
struct place {
    int64_t horizon;
    size_t n; /* rows with an answer: the others' targets are past the last observation or the end */
    size_t k, same;
};

struct list {
    const struct vf__cell *cells;
    size_t n;
};

/* Rows whose time is at most `time`. */
static size_t count_until(struct list list, int64_t time) {
    size_t low = 0, high = list.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list.cells[middle].time <= time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Since t + h <= limit is asked as t <= limit - h, a target that is looked up cannot overflow. */
static struct place place_new(const struct vf__mark_rule *rule, int64_t horizon, struct list observations,
                              struct list rows) {
    struct place place = {.horizon = horizon};
    if (observations.n == 0) return place;
    int64_t limit = observations.cells[observations.n - 1].time, latest;
    if (limit > rule->end) limit = rule->end;
    if (vf__sub_i64(limit, horizon, &latest)) place.n = count_until(rows, latest);
    return place;
}

/* The first k >= the given one where observation k is later than `time`, or the end. */
static inline size_t advance(struct list list, size_t k, int64_t time) {
    while (k + 4 <= list.n) {
        const struct vf__cell *next = list.cells + k;
        size_t step = (size_t)(next[0].time <= time) + (size_t)(next[1].time <= time) +
                      (size_t)(next[2].time <= time) + (size_t)(next[3].time <= time);
        k += step;
        if (VF__LIKELY(step < 4)) return k;
    }
    while (k < list.n && list.cells[k].time <= time)
        k++;
    return k;
}

/* The last observation that has the time of observation k: it wins. Moves on only, as k does. */
static inline size_t last_of_time(struct list list, struct place *place) {
    if (place->same < place->k) place->same = place->k;
    while (place->same + 1 < list.n && list.cells[place->same + 1].time == list.cells[place->k].time)
        place->same++;
    return place->same;
}

/* b - a for a <= b, which may be past int64. */
static inline uint64_t distance(int64_t a, int64_t b) {
    return (uint64_t)b - (uint64_t)a;
}

/* The observation for `target`, which is not past the last one; false when there is none. */
static inline bool look(enum vf_mark_method method, struct list list, struct place *place, int64_t target,
                        size_t *found) {
    if (method == VF_MARK_FORWARD) {
        place->k = advance(list, place->k, target - 1); /* target > INT64_MIN: a horizon was added */
        *found = last_of_time(list, place);
        return true;
    }
    place->k = advance(list, place->k, target);
    *found = place->k - 1;
    if (method == VF_MARK_BACKWARD) return place->k > 0;
    if (place->k > 0) {
        int64_t before = list.cells[place->k - 1].time;
        if (before == target) return true;
        if (distance(before, target) <= distance(target, list.cells[place->k].time)) return true;
    }
    *found = last_of_time(list, place);
    return true;
}

static inline double mark(const struct vf__mark_rule *rule, enum vf_mark_method method, struct list list,
                          struct place *place, size_t i, struct vf__cell row) {
    size_t found;
    if (i >= place->n) return NAN;
    int64_t target = row.time + place->horizon;
    if (!look(method, list, place, target, &found)) return NAN;
    const struct vf__cell *match = &list.cells[found];
    if (rule->tolerance >= 0) {
        uint64_t off = match->time <= target ? distance(match->time, target) : distance(target, match->time);
        if (off > (uint64_t)rule->tolerance) return NAN;
    }
    return match->price / row.price - 1;
}

/* Row i is read before out[i] is written, and what is looked up lies at i or later: so `out` may be `rows`.
 */
static inline void merge(const struct vf__mark_rule *rule, enum vf_mark_method method,
                         struct list observations, struct list rows, struct place *a, struct place *b,
                         struct vf__cell *out) {
    size_t n = a->n > b->n ? a->n : b->n;
    for (size_t i = 0; i < n; i++) {
        struct vf__cell row = rows.cells[i];
        double first = mark(rule, method, observations, a, i, row);
        double second = mark(rule, method, observations, b, i, row);
        out[i].first = first;
        out[i].second = second;
    }
    for (size_t i = n; i < rows.n; i++) {
        out[i].first = NAN;
        out[i].second = NAN;
    }
}

void vf__mark_merge(const struct vf__mark_rule *rule, const int64_t *horizons, size_t n,
                    const struct vf__cell *observations, size_t n_observations, const struct vf__cell *rows,
                    size_t n_rows, struct vf__cell *out) {
    struct list seen = {.cells = observations, .n = n_observations}, marked = {.cells = rows, .n = n_rows};
    struct place a = place_new(rule, horizons[0], seen, marked), b = {0};
    if (n > 1) b = place_new(rule, horizons[1], seen, marked);
    /* one call a method, so that each loop is compiled for its own */
    switch (rule->method) {
    case VF_MARK_BACKWARD:
        merge(rule, VF_MARK_BACKWARD, seen, marked, &a, &b, out);
        return;
    case VF_MARK_FORWARD:
        merge(rule, VF_MARK_FORWARD, seen, marked, &a, &b, out);
        return;
    case VF_MARK_NEAREST:
        merge(rule, VF_MARK_NEAREST, seen, marked, &a, &b, out);
        return;
    }
}
