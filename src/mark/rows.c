/* Rows in, runs kept by group: see mark.h. 16 bytes a run for up to two horizons. Not for marking them. */
#include "mark/mark.h"

#include <math.h>

/* Odd, without a pattern: a change of time must not be made up for by one of price. */
#define GROUP_STEP UINT64_C(0x9fb21c651e98df25)
#define TIME_STEP UINT64_C(0xd6e8feb86659fd93)
#define PRICE_STEP UINT64_C(0xa0761d6478bd642f)
#define NO_GROUP (UINT32_MAX - 1) /* neither a group (see keys.h) nor VF__NO_KEY: the first row always begins a run */
#define AHEAD 12

struct vf__mark_last vf__mark_first(void) {
    return (struct vf__mark_last){.group = NO_GROUP};
}

static inline uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline void sort_out(struct vf__mark_last *last, uint32_t *group, const int64_t *time,
                            const uint8_t *time_valid, const double *price, const uint8_t *price_valid, size_t n,
                            uint8_t *kind) {
    struct vf__mark_last before = *last;
    for (size_t i = 0; i < n; i++) {
        bool alive = (group[i] != VF__NO_KEY) & vf__mark_price(price[i]);
        if (time_valid != NULL) alive &= time_valid[i];
        if (price_valid != NULL) alive &= price_valid[i];
        struct vf__mark_last now = {
            .group = alive ? group[i] : VF__NO_KEY, .time = time[i], .price = bits_of(price[i])};
        bool same = (now.group == before.group) & (now.time == before.time) & (now.price == before.price);
        kind[i] = (uint8_t)(alive ? VF__MARK_RUN + same : VF__MARK_DEAD);
        group[i] = now.group;
        before = now;
    }
    *last = before;
}

/* Two calls, so that the loop for columns without nulls is compiled without them. */
void vf__mark_sort_out(struct vf__mark_last *last, uint32_t *group, const int64_t *time, const uint8_t *time_valid,
                       const double *price, const uint8_t *price_valid, size_t n, uint8_t *kind) {
    if (time_valid == NULL && price_valid == NULL)
        sort_out(last, group, time, NULL, price, NULL, n, kind);
    else
        sort_out(last, group, time, time_valid, price, price_valid, n, kind);
}

void vf__mark_words(const uint32_t *group, const int64_t *time, const double *price, size_t n, uint64_t *words) {
    for (size_t i = 0; i < n; i++) {
        uint64_t alive = group[i] != VF__NO_KEY ? UINT64_MAX : 0;
        words[i] = group[i] * GROUP_STEP + (((uint64_t)time[i] * TIME_STEP + bits_of(price[i]) * PRICE_STEP) & alive);
    }
}

void vf__mark_forget(struct vf__chains *rows, const uint32_t *group, const uint8_t *kind, size_t n) {
    while (n-- > 0)
        if (kind[n] == VF__MARK_RUN) vf__chain_pop(rows, &rows->lanes[group[n]]);
}

enum vf_status vf__mark_keep(struct vf__chains *rows, const uint32_t *group, const int64_t *time, const double *price,
                             const uint8_t *kind, size_t n, struct vf_error *err) {
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n && kind[i + AHEAD] == VF__MARK_RUN) VF__PREFETCH(rows->lanes[group[i + AHEAD]].at);
        if (kind[i] != VF__MARK_RUN) continue;
        struct vf__lane *lane = &rows->lanes[group[i]];
        struct vf__cell *cell = vf__chain_push(rows, lane);
        if (VF__UNLIKELY(cell == NULL)) {
            vf__mark_forget(rows, group, kind, i);
            return vf__fail_memory(err, rows->stride * lane->n);
        }
        cell->time = time[i];
        cell->price = price[i];
        lane->unsorted |= time[i] < lane->last; /* of what is forgotten it may stay: it costs a look, not a result */
        lane->last = time[i];
    }
    return VF_OK;
}

/* One or two horizons, told apart at compile time. Bits of 8 rows are gathered before they are written. */
static inline size_t give(struct vf__chains *rows, size_t n_horizons, const uint32_t *group, const uint8_t *kind,
                          size_t n, double *before, double *const *values, uint8_t *const *validity, size_t at) {
    uint8_t bits[2] = {0, 0};
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n && kind[i + AHEAD] == VF__MARK_RUN) VF__PREFETCH(rows->lanes[group[i + AHEAD]].at);
        if (kind[i] == VF__MARK_RUN) {
            struct vf__lane *lane = &rows->lanes[group[i]];
            if (VF__UNLIKELY(lane->read == lane->n)) return i;
            memcpy(before, vf__chain_next(rows, lane), n_horizons * sizeof *before);
        }
        bool alive = kind[i] != VF__MARK_DEAD, ends = i % 8 == 7 || i + 1 == n;
        for (size_t h = 0; h < n_horizons; h++) {
            bool there = alive & (before[h] == before[h]);
            values[h][at + i] = there ? before[h] : 0.0;
            if (n_horizons <= 2) {
                bits[h] |= (uint8_t)(there << (i % 8));
                if (ends) validity[h][(at + i) / 8] = bits[h], bits[h] = 0;
            } else {
                if (i % 8 == 0) validity[h][(at + i) / 8] = 0;
                validity[h][(at + i) / 8] |= (uint8_t)(there << (i % 8));
            }
        }
    }
    return n;
}

size_t vf__mark_give(struct vf__chains *rows, size_t n_horizons, const uint32_t *group, const uint8_t *kind, size_t n,
                     double *before, double *const *values, uint8_t *const *validity, size_t at) {
    if (n_horizons == 1) return give(rows, 1, group, kind, n, before, values, validity, at);
    if (n_horizons == 2) return give(rows, 2, group, kind, n, before, values, validity, at);
    return give(rows, n_horizons, group, kind, n, before, values, validity, at);
}

void vf__mark_unread(struct vf__chains *rows, const uint32_t *group, const uint8_t *kind, size_t n) {
    while (n-- > 0)
        if (kind[n] == VF__MARK_RUN) vf__chain_back(rows, &rows->lanes[group[n]]);
}
