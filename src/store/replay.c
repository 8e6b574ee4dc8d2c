/* See replay.h. A row's word is mixed with its row number and added to its block's sum modulo 2^64, so that
   the cut into calls does not matter. Not for deciding what a row's word is. */
#include "store/replay.h"

/* Odd, and with no pattern: row numbers next to each other must not look alike to the mixer. */
#define ROW_STEP UINT64_C(0x9e3779b97f4a7c15)

static size_t blocks_of(int64_t n_rows) {
    return (size_t)((uint64_t)n_rows / VF__REPLAY_BLOCK) + (n_rows % VF__REPLAY_BLOCK != 0);
}

void vf__replay_init(struct vf__replay *replay, const struct vf_context *ctx) {
    *replay = (struct vf__replay){.ctx = *ctx};
}

void vf__replay_release(struct vf__replay *replay) {
    vf__free(&replay->ctx, replay->sums, replay->capacity, sizeof *replay->sums);
    struct vf_context ctx = replay->ctx;
    vf__replay_init(replay, &ctx);
}

enum vf_status vf__replay_reserve(struct vf__replay *replay, int64_t n, struct vf_error *err) {
    int64_t n_rows;
    if (n < 0 || !vf__add_i64(replay->n_rows, n, &n_rows))
        return vf__fail(err, VF_ERROR_OVERFLOW, NULL, -1, "more rows than int64 can count");
    size_t need = blocks_of(n_rows);
    if (need <= replay->capacity) return VF_OK;
    size_t capacity = need + need / 2 + 16;
    uint64_t *sums = vf__resize(&replay->ctx, replay->sums, replay->capacity, capacity, sizeof *sums);
    if (sums == NULL) return vf__fail_memory(err, capacity * sizeof *sums);
    replay->sums = sums;
    replay->capacity = capacity;
    return VF_OK;
}

/* Two sums side by side: the mixer's multiplications then overlap. */
uint64_t vf__replay_sum(const uint64_t *words, int64_t first_row, int64_t n) {
    uint64_t even = 0, odd = 0, step = (uint64_t)first_row * ROW_STEP;
    int64_t i = 0;
    for (; i + 1 < n; i += 2) {
        even += vf__mix(words[i] + step);
        odd += vf__mix(words[i + 1] + step + ROW_STEP);
        step += 2 * ROW_STEP;
    }
    if (i < n) even += vf__mix(words[i] + step);
    return even + odd;
}

static int64_t rest_of_block(int64_t row, int64_t n) {
    int64_t room = VF__REPLAY_BLOCK - row % VF__REPLAY_BLOCK;
    return n < room ? n : room;
}

void vf__replay_learn(struct vf__replay *replay, const uint64_t *words, int64_t n) {
    while (n > 0) {
        int64_t take = rest_of_block(replay->n_rows, n);
        uint64_t *sum = &replay->sums[replay->n_rows / VF__REPLAY_BLOCK];
        if (replay->n_rows % VF__REPLAY_BLOCK == 0) *sum = 0;
        *sum += vf__replay_sum(words, replay->n_rows, take);
        replay->n_rows += take;
        words += take;
        n -= take;
    }
}

/* One piece of a block, `sum` its rows' sum, on top of where the comparison is. False at a block's end that
 * differs. */
static bool judge(const struct vf__replay *replay, struct vf__replay_point *at, uint64_t sum, int64_t n) {
    at->sum += sum;
    at->next += n;
    bool whole = at->next % VF__REPLAY_BLOCK == 0;
    if (!whole && at->next != replay->n_rows) return true; /* the block goes on */
    if (at->sum != replay->sums[(at->next - 1) / VF__REPLAY_BLOCK]) return false;
    if (whole) at->sum = 0;
    return true;
}

/* words or sums; the other is NULL. */
static bool compare(struct vf__replay *replay, const uint64_t *words, const uint64_t *sums, int64_t first_row,
                    int64_t n, int64_t *bad_row) {
    struct vf__replay_point at = {.next = replay->next, .sum = replay->sum};
    *bad_row = at.next;
    if (first_row != at.next) return false;
    *bad_row = replay->n_rows;
    if (n > replay->n_rows - at.next) return false;
    for (int64_t done = 0, take; done < n; done += take) {
        take = rest_of_block(first_row + done, n - done);
        *bad_row = (first_row + done) / VF__REPLAY_BLOCK * VF__REPLAY_BLOCK;
        uint64_t sum = words != NULL ? vf__replay_sum(words + done, first_row + done, take) : *sums++;
        if (!judge(replay, &at, sum, take)) return false;
    }
    replay->next = at.next;
    replay->sum = at.sum;
    return true;
}

bool vf__replay_compare(struct vf__replay *replay, const uint64_t *words, int64_t first_row, int64_t n,
                        int64_t *bad_row) {
    return compare(replay, words, NULL, first_row, n, bad_row);
}

bool vf__replay_compare_sums(struct vf__replay *replay, const uint64_t *sums, int64_t first_row, int64_t n,
                             int64_t *bad_row) {
    return compare(replay, NULL, sums, first_row, n, bad_row);
}

void vf__replay_rewind(struct vf__replay *replay) {
    replay->next = 0;
    replay->sum = 0;
}

bool vf__replay_finished(const struct vf__replay *replay) {
    return replay->next == replay->n_rows;
}

struct vf__replay_point vf__replay_here(const struct vf__replay *replay) {
    struct vf__replay_point point = {.n_rows = replay->n_rows, .next = replay->next, .sum = replay->sum};
    if (replay->n_rows % VF__REPLAY_BLOCK != 0) point.last = replay->sums[replay->n_rows / VF__REPLAY_BLOCK];
    return point;
}

void vf__replay_back(struct vf__replay *replay, const struct vf__replay_point *point) {
    replay->n_rows = point->n_rows;
    replay->next = point->next;
    replay->sum = point->sum;
    if (point->n_rows % VF__REPLAY_BLOCK != 0) replay->sums[point->n_rows / VF__REPLAY_BLOCK] = point->last;
}
