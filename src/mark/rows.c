/* Rows in, runs kept by group: see mark.h. 16 bytes a run for up to two horizons. Not for marking them. */
#include "mark/mark.h"

#include <math.h>

/* Odd, without a pattern: a change of time must not be made up for by one of price. */
#define GROUP_STEP UINT64_C(0x9fb21c651e98df25)
#define TIME_STEP UINT64_C(0xd6e8feb86659fd93)
#define PRICE_STEP UINT64_C(0xa0761d6478bd642f)
#define NO_GROUP (UINT32_MAX - 1) /* neither a group (see keys.h) nor VF__NO_KEY: the first row always begins a run */

struct vf__mark_last vf__mark_first(void) {
    return (struct vf__mark_last){.group = NO_GROUP};
}

static inline void sort_out(struct vf__mark_last *last, uint32_t *group, const int64_t *time,
                            const uint8_t *time_valid, const double *price, const uint8_t *price_valid, bool gaps,
                            size_t n, uint8_t *kind) {
    struct vf__mark_last before = *last;
    for (size_t i = 0; i < n; i++) {
        bool alive = (group[i] != VF__NO_KEY) & (gaps | vf__is_price(price[i]));
        if (time_valid != NULL) alive &= time_valid[i];
        if (price_valid != NULL) alive &= price_valid[i];
        struct vf__mark_last now = {
            .group = alive ? group[i] : VF__NO_KEY, .time = time[i], .price = vf__as_bits(price[i])};
        bool same = (now.group == before.group) & (now.time == before.time) & (now.price == before.price);
        kind[i] = (uint8_t)(alive ? VF__MARK_RUN + same : VF__MARK_DEAD);
        group[i] = now.group;
        before = now;
    }
    *last = before;
}

/* Three calls, so that the loop for columns without nulls or gaps is compiled without them. */
void vf__mark_sort_out(struct vf__mark_last *last, uint32_t *group, const int64_t *time, const uint8_t *time_valid,
                       const double *price, const uint8_t *price_valid, bool gaps, size_t n, uint8_t *kind) {
    if (gaps)
        sort_out(last, group, time, time_valid, price, price_valid, true, n, kind);
    else if (time_valid == NULL && price_valid == NULL)
        sort_out(last, group, time, NULL, price, NULL, false, n, kind);
    else
        sort_out(last, group, time, time_valid, price, price_valid, false, n, kind);
}

void vf__mark_words(const uint32_t *group, const int64_t *time, const double *price, size_t n, uint64_t *words) {
    for (size_t i = 0; i < n; i++) {
        uint64_t alive = group[i] != VF__NO_KEY ? UINT64_MAX : 0;
        words[i] = group[i] * GROUP_STEP + (((uint64_t)time[i] * TIME_STEP + vf__as_bits(price[i]) * PRICE_STEP) & alive);
    }
}

void vf__mark_forget(struct vf__chains *rows, const uint32_t *group, const uint8_t *kind, size_t n) {
    while (n-- > 0)
        if (kind[n] == VF__MARK_RUN) vf__chain_pop(rows, &rows->lanes[group[n]]);
}

enum vf_status vf__mark_keep(struct vf__chains *rows, const uint32_t *group, const int64_t *time, const double *price,
                             const uint8_t *kind, size_t n, struct vf_error *err) {
    for (size_t i = 0; i < n; i++) {
        vf__chains_fetch(rows, group, i, n);
        if (kind[i] != VF__MARK_RUN) continue;
        struct vf__lane *lane = &rows->lanes[group[i]];
        struct vf__cell *cell = vf__chain_push(rows, lane);
        if (VF__UNLIKELY(cell == NULL)) {
            vf__mark_forget(rows, group, kind, i);
            return vf__fail_memory(err, rows->stride * lane->n);
        }
        cell->time = time[i];
        cell->price = price[i];
        lane->unsorted |= time[i] < lane->last; /* of what is taken back it may stay: it costs a look */
        lane->last = time[i];
    }
    return VF_OK;
}

void vf__mark_unread(struct vf__chains *rows, const uint32_t *group, const uint8_t *kind, size_t n) {
    while (n-- > 0)
        if (kind[n] == VF__MARK_RUN) vf__chain_back(rows, &rows->lanes[group[n]]);
}

/* Results of the rows [from, to); how far it came: less than `to` where a group has no row left. One or two horizons are
   told apart at compile time. */
static inline size_t give(struct vf__chains *rows, size_t n_horizons, const uint32_t *group, const uint8_t *kind,
                          size_t from, size_t to, size_t n, const double *before, double *const *values) {
    for (size_t i = from; i < to; i++) {
        vf__chains_fetch_read(rows, group, i, n);
        if (VF__LIKELY(kind[i] == VF__MARK_RUN)) {
            struct vf__lane *lane = &rows->lanes[group[i]];
            if (VF__UNLIKELY(lane->read == lane->n)) return i;
            const double *cell = vf__chain_next(rows, lane);
            for (size_t h = 0; h < n_horizons; h++)
                values[h][i] = cell[h];
        } else { /* of a run: the row before is of the same group, and was given */
            for (size_t h = 0; h < n_horizons; h++)
                values[h][i] = i > from ? values[h][i - 1] : before[h];
        }
    }
    return to;
}

/* NaN and infinities become null; rows that are dead have no value yet. */
static void make_nulls(const uint8_t *kind, size_t n, double *values, uint8_t *validity) {
    for (size_t i = 0; i < n; i += 8) {
        size_t m = n - i < 8 ? n - i : 8;
        unsigned bits = 0;
        for (size_t j = 0; j < m; j++) {
            bool there = (kind[i + j] != VF__MARK_DEAD) & (values[i + j] - values[i + j] == 0);
            values[i + j] = there ? values[i + j] : 0.0;
            bits |= (unsigned)there << j;
        }
        validity[i / 8] = (uint8_t)bits;
    }
}

#define PART VF__SIZED(1024, 8, 1 << 20) /* rows whose values are in the first cache when their nulls are made */

bool vf__mark_give(struct vf__chains *rows, size_t n_horizons, const uint32_t *group, const uint8_t *kind, size_t n,
                   double *before, double *const *values, uint8_t *const *validity) {
    for (size_t from = 0, to; from < n; from = to) {
        to = n - from < PART ? n : from + PART;
        size_t end = n_horizons == 1   ? give(rows, 1, group, kind, from, to, n, before, values)
                     : n_horizons == 2 ? give(rows, 2, group, kind, from, to, n, before, values)
                                       : give(rows, n_horizons, group, kind, from, to, n, before, values);
        if (VF__UNLIKELY(end < to)) {
            vf__mark_unread(rows, group, kind, end);
            return false;
        }
        for (size_t h = 0; h < n_horizons; h++) {
            if (kind[to - 1] != VF__MARK_DEAD) before[h] = values[h][to - 1];
            make_nulls(kind + from, to - from, values[h] + from, validity[h] + from / 8);
        }
    }
    return true;
}
