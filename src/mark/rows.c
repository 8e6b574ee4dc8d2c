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

/* Runs among the first n of a group's rows. */
static uint32_t count_runs(const uint32_t *rows, uint32_t n, const uint8_t *kind) {
    uint32_t runs = 0;
    for (uint32_t i = 0; i < n; i++)
        runs += kind[rows[i]] == VF__MARK_RUN;
    return runs;
}

/* The runs of the groups [from, k) and of group k's first n rows, each by `back`. */
static void undo(struct vf__chains *chains, const struct vf__grouping *grouping, size_t from, size_t k, uint32_t n,
                 const uint8_t *kind, void (*back)(struct vf__chains *, struct vf__lane *)) {
    for (size_t j = from; j <= k && j < grouping->n_groups; j++) {
        uint32_t start = (uint32_t)vf__grouping_start(grouping, j), rows = j < k ? grouping->ends[j] - start : n;
        for (uint32_t runs = count_runs(grouping->rows + start, rows, kind); runs > 0; runs--)
            back(chains, &chains->lanes[grouping->groups[j]]);
    }
}

static void pop(struct vf__chains *chains, struct vf__lane *lane) {
    vf__chain_pop(chains, lane);
}

static void unread_one(struct vf__chains *chains, struct vf__lane *lane) {
    vf__chain_back(chains, lane);
}

/* A group's lane, and then its next cell, some groups before they are needed. Groups from n on are another thread's. */
static inline void fetch_ahead(const struct vf__chains *chains, const struct vf__grouping *grouping, size_t k,
                               size_t n) {
    if (k + 12 < n) VF__PREFETCH(&chains->lanes[grouping->groups[k + 12]]);
    if (k + 6 >= n) return;
    const uint8_t *at = chains->lanes[grouping->groups[k + 6]].at;
    VF__PREFETCH(at);
    VF__PREFETCH((const void *)((uintptr_t)at + 64)); /* a group met for the first time has no cell: 64 past NULL */
}

enum vf_status vf__mark_keep(struct vf__chains *chains, const struct vf__grouping *grouping, const int64_t *time,
                             const double *price, const uint8_t *kind, struct vf_error *err) {
    for (size_t k = 0, from = 0; k < grouping->n_groups; from = grouping->ends[k++]) {
        fetch_ahead(chains, grouping, k, grouping->n_groups);
        struct vf__lane *lane = &chains->lanes[grouping->groups[k]];
        for (size_t i = from; i < grouping->ends[k]; i++) {
            uint32_t row = grouping->rows[i];
            if (kind[row] != VF__MARK_RUN) continue;
            struct vf__cell *cell = vf__chain_push(chains, lane);
            if (VF__UNLIKELY(cell == NULL)) {
                undo(chains, grouping, 0, k, (uint32_t)(i - from), kind, pop);
                return vf__fail_memory(err, chains->stride * lane->n);
            }
            cell->time = time[row];
            cell->price = price[row];
            lane->unsorted |= time[row] < lane->last; /* of what is taken back it may stay: it costs a look */
            lane->last = time[row];
        }
    }
    return VF_OK;
}

struct giving {
    struct vf__chains *chains;
    const struct vf__grouping *grouping;
    const uint8_t *kind;
    const double *before;
    double *const *values;
    size_t n_horizons, at;
    size_t from[VF__GROUPING_SHARES + 1];
    bool given[VF__GROUPING_SHARES];
};

/* One thread's share of the groups. One or two horizons, told apart at compile time. */
static inline bool give(const struct giving *g, size_t first, size_t end, size_t n_horizons) {
    struct vf__chains *chains = g->chains;
    const struct vf__grouping *grouping = g->grouping;
    const uint8_t *kind = g->kind;
    double *const *values = g->values;
    size_t at = g->at;
    for (size_t k = first, from = vf__grouping_start(grouping, first); k < end; from = grouping->ends[k++]) {
        fetch_ahead(chains, grouping, k, end);
        struct vf__lane *lane = &chains->lanes[grouping->groups[k]];
        for (size_t i = from; i < grouping->ends[k]; i++) {
            size_t row = grouping->rows[i];
            if (VF__LIKELY(kind[row] == VF__MARK_RUN)) {
                if (VF__UNLIKELY(lane->read == lane->n)) {
                    undo(chains, grouping, first, k, (uint32_t)(i - from), kind, unread_one);
                    return false;
                }
                const double *cell = vf__chain_next(chains, lane);
                for (size_t h = 0; h < n_horizons; h++)
                    values[h][at + row] = cell[h];
            } else { /* the row before is of the same group, and was given */
                for (size_t h = 0; h < n_horizons; h++)
                    values[h][at + row] = row > 0 ? values[h][at + row - 1] : g->before[h];
            }
        }
    }
    return true;
}

static void give_share(void *arg, size_t i) {
    struct giving *g = arg;
    size_t first = g->from[i], end = g->from[i + 1];
    g->given[i] = g->n_horizons == 1   ? give(g, first, end, 1)
                  : g->n_horizons == 2 ? give(g, first, end, 2)
                                       : give(g, first, end, g->n_horizons);
}

/* All of the groups, or none of them. */
static bool give_groups(struct giving *g) {
    size_t n = vf__grouping_cut(g->grouping, g->chains->ctx.n_threads, g->from);
    bool all = true;
    vf__parallel(&g->chains->ctx, n, give_share, g);
    for (size_t i = 0; i < n; i++)
        all &= g->given[i];
    for (size_t i = 0; !all && i < n; i++)
        if (g->given[i] && g->from[i] < g->from[i + 1])
            undo(g->chains, g->grouping, g->from[i], g->from[i + 1], 0, g->kind, unread_one);
    return all;
}

/* NaN becomes null; rows that are dead have no value yet. */
static void make_nulls(const uint8_t *kind, size_t n, double *values, uint8_t *validity) {
    for (size_t i = 0; i < n; i += 8) {
        size_t m = n - i < 8 ? n - i : 8;
        unsigned bits = 0;
        for (size_t j = 0; j < m; j++) {
            bool there = (kind[i + j] != VF__MARK_DEAD) & (values[i + j] == values[i + j]);
            values[i + j] = there ? values[i + j] : 0.0;
            bits |= (unsigned)there << j;
        }
        validity[i / 8] = (uint8_t)bits;
    }
}

bool vf__mark_give(struct vf__chains *chains, size_t n_horizons, const struct vf__grouping *grouping,
                   const uint8_t *kind, size_t n, double *before, double *const *values, uint8_t *const *validity,
                   size_t at) {
    struct giving giving = {.chains = chains,
                            .grouping = grouping,
                            .kind = kind,
                            .before = before,
                            .values = values,
                            .n_horizons = n_horizons,
                            .at = at};
    if (!give_groups(&giving)) return false;
    for (size_t h = 0; h < n_horizons && n > 0; h++) {
        if (kind[n - 1] != VF__MARK_DEAD) before[h] = values[h][at + n - 1];
        make_nulls(kind, n, values[h] + at, validity[h] + at / 8);
    }
    return true;
}

void vf__mark_unread(struct vf__chains *rows, const uint32_t *group, const uint8_t *kind, size_t n) {
    while (n-- > 0)
        if (kind[n] == VF__MARK_RUN) vf__chain_back(rows, &rows->lanes[group[n]]);
}
