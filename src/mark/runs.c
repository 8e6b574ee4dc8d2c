/* Rows in, runs kept: see mark.h. 20 bytes a run and a bit a row, so that a day's rows after FIFO expansion
   need little more than the day's trades. Not for marking them. */
#include "base/keys.h"
#include "mark/mark.h"

#define FIRST_CAPACITY ((size_t)4096)
#define ROWS_PER_LINE VF__ROWS_PER_LINE
#define WORDS_PER_LINE (VF__ROWS_PER_LINE / 64)
#define NO_TIME INT64_MIN
/* Odd, without a pattern: a change of time must not be made up for by one of price. */
#define TIME_STEP UINT64_C(0xd6e8feb86659fd93)
#define PRICE_STEP UINT64_C(0xa0761d6478bd642f)
#define NO_GROUP                                                                                             \
    (UINT32_MAX - 1) /* neither a group (see keys.h) nor VF__NO_KEY: the first row always begins a run */

void vf__runs_init(struct vf__runs *runs, const struct vf_context *ctx, bool observations) {
    *runs = (struct vf__runs){
        .ctx = *ctx,
        .observations = observations,
        .last = {.sorted = true, .group = NO_GROUP, .time = INT64_MIN},
    };
}

static void block_release(const struct vf_context *ctx, struct vf__run_block *block) {
    vf__free(ctx, block->group, block->capacity, sizeof *block->group);
    vf__free(ctx, block->time, block->capacity, sizeof *block->time);
    vf__free(ctx, block->price, block->capacity, sizeof *block->price);
    *block = (struct vf__run_block){0};
}

void vf__runs_release_blocks(struct vf__runs *runs) {
    for (size_t b = 0; b < runs->n_blocks; b++)
        block_release(&runs->ctx, &runs->blocks[b]);
    runs->n_blocks = 0;
}

void vf__runs_release(struct vf__runs *runs) {
    struct vf_context ctx = runs->ctx;
    vf__runs_release_blocks(runs);
    vf__free(&ctx, runs->blocks, runs->room, sizeof *runs->blocks);
    vf__free(&ctx, runs->starts, runs->words, sizeof *runs->starts);
    vf__free(&ctx, runs->ranks, runs->lines, sizeof *runs->ranks);
    vf__runs_init(runs, &ctx, runs->observations);
}

/* ---- room ---------------------------------------------------------------------------------------------- */

static enum vf_status block_new(const struct vf_context *ctx, size_t runs, struct vf__run_block *out,
                                struct vf_error *err) {
    size_t capacity = runs + VF__RUN_PAD;
    struct vf__run_block block = {.capacity = capacity};
    block.group = vf__alloc(ctx, capacity, sizeof *block.group);
    block.time = vf__alloc(ctx, capacity, sizeof *block.time);
    block.price = vf__alloc(ctx, capacity, sizeof *block.price);
    if (block.group == NULL || block.time == NULL || block.price == NULL) {
        block_release(ctx, &block);
        return vf__fail_memory(err, capacity * 20);
    }
    *out = block;
    return VF_OK;
}

/* Only the first block starts small, and it alone is ever copied. */
static enum vf_status grow_first(struct vf__runs *runs, size_t need, struct vf_error *err) {
    struct vf__run_block *old = &runs->blocks[0], block;
    size_t had = old->capacity - VF__RUN_PAD, capacity = had;
    while (capacity < need && capacity < VF__RUN_BLOCK)
        capacity *= 2;
    if (capacity == had) return VF_OK;
    enum vf_status status = block_new(&runs->ctx, capacity, &block, err);
    if (status != VF_OK) return status;
    size_t n = runs->last.n < had ? runs->last.n : had;
    memcpy(block.group, old->group, n * sizeof *block.group);
    memcpy(block.time, old->time, n * sizeof *block.time);
    memcpy(block.price, old->price, n * sizeof *block.price);
    block_release(&runs->ctx, old);
    *old = block;
    return VF_OK;
}

static enum vf_status room_for_runs(struct vf__runs *runs, size_t n, struct vf_error *err) {
    if (n > VF__MAX_RUNS - runs->last.n)
        return vf__fail(err, VF_ERROR_OVERFLOW, NULL, -1, "more than %zu distinct (key, time, price) rows",
                        VF__MAX_RUNS);
    size_t need = runs->last.n + n, blocks = (need + VF__RUN_BLOCK - 1) >> VF__RUN_BITS;
    if (blocks > runs->room) {
        size_t room = runs->room == 0 ? 8 : runs->room * 2;
        struct vf__run_block *grown =
            vf__resize(&runs->ctx, runs->blocks, runs->room, room, sizeof *runs->blocks);
        if (grown == NULL) return vf__fail_memory(err, room * sizeof *grown);
        runs->blocks = grown;
        runs->room = room;
    }
    enum vf_status status = VF_OK;
    if (runs->n_blocks > 0) status = grow_first(runs, need, err);
    while (status == VF_OK && runs->n_blocks < blocks) {
        size_t capacity = runs->n_blocks == 0 ? FIRST_CAPACITY : VF__RUN_BLOCK;
        status = block_new(&runs->ctx, capacity, &runs->blocks[runs->n_blocks], err);
        if (status == VF_OK) runs->n_blocks++;
    }
    return status;
}

static enum vf_status room_for_rows(struct vf__runs *runs, size_t n, struct vf_error *err) {
    size_t lines = ((size_t)runs->last.n_rows + n) / ROWS_PER_LINE + 1;
    if (lines <= runs->lines) return VF_OK;
    lines += lines / 2;
    size_t words = lines * WORDS_PER_LINE;
    if (runs->words < words) {
        uint64_t *starts = vf__resize(&runs->ctx, runs->starts, runs->words, words, sizeof *starts);
        if (starts == NULL) return vf__fail_memory(err, words * sizeof *starts);
        runs->starts = starts;
        runs->words = words;
    }
    uint32_t *ranks = vf__resize(&runs->ctx, runs->ranks, runs->lines, lines, sizeof *ranks);
    if (ranks == NULL) return vf__fail_memory(err, lines * sizeof *ranks);
    runs->ranks = ranks;
    runs->lines = lines;
    return VF_OK;
}

/* ---- learning ------------------------------------------------------------------------------------------ */

struct found {
    uint32_t group[VF__MARK_BATCH + 1];
    int64_t time[VF__MARK_BATCH + 1];
    double price[VF__MARK_BATCH + 1];
    size_t n;
};

static uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Rows [from, to) of the batch, at most 64: their new runs into `found` (written always, kept when new: no
   branch to mispredict), and a bit a row for those that begin one. A dead row takes the time before, so that
   a frame in time order stays in order. */
static inline uint64_t find_runs(struct vf__runs_state *last, bool observations, struct found *found,
                                 size_t from, size_t to, const uint32_t *group, const int64_t *time,
                                 const uint8_t *time_valid, const double *price, const uint8_t *price_valid) {
    uint32_t last_group = last->group;
    int64_t last_time = last->time;
    uint64_t last_price = last->price, word = 0;
    size_t n = found->n;
    bool sorted = last->sorted;
    for (size_t i = from; i < to; i++) {
        bool alive = (group[i] != VF__NO_KEY) & vf__mark_price(price[i]);
        if (time_valid != NULL) alive &= time_valid[i];
        if (price_valid != NULL) alive &= price_valid[i];
        uint32_t g = alive ? group[i] : VF__NO_KEY;
        int64_t t = alive ? time[i] : last_time;
        uint64_t p = alive ? bits_of(price[i]) : 0;
        bool starts = (g != last_group) | (t != last_time) | (p != last_price);
        if (observations) starts &= alive;
        sorted &= t >= last_time;
        found->group[n] = g;
        found->time[n] = t;
        memcpy(&found->price[n], &p, sizeof p);
        n += starts;
        word |= (uint64_t)starts << (i - from);
        last_group = g;
        last_time = t;
        last_price = p;
    }
    last->group = last_group;
    last->time = last_time;
    last->price = last_price;
    last->sorted = sorted;
    found->n = n;
    return word;
}

static void append(struct vf__runs *runs, const struct found *found) {
    for (size_t done = 0; done < found->n;) {
        struct vf__run_block *block = &runs->blocks[runs->last.n >> VF__RUN_BITS];
        size_t at = runs->last.n & (VF__RUN_BLOCK - 1), n = found->n - done;
        if (n > VF__RUN_BLOCK - at) n = VF__RUN_BLOCK - at;
        memcpy(block->group + at, found->group + done, n * sizeof *block->group);
        memcpy(block->time + at, found->time + done, n * sizeof *block->time);
        memcpy(block->price + at, found->price + done, n * sizeof *block->price);
        runs->last.n += n;
        done += n;
    }
}

enum vf_status vf__runs_learn(struct vf__runs *runs, const uint32_t *group, const int64_t *time,
                              const uint8_t *time_valid, const double *price, const uint8_t *price_valid,
                              size_t n, struct vf_error *err) {
    struct found found;
    found.n = 0;
    enum vf_status status = room_for_runs(runs, n, err);
    if (status == VF_OK && !runs->observations) status = room_for_rows(runs, n, err);
    if (status != VF_OK) return status;
    for (size_t i = 0; i < n;) {
        size_t row = (size_t)runs->last.n_rows, bit = row % 64;
        size_t take = n - i < 64 - bit ? n - i : 64 - bit, before = runs->last.n + found.n;
        uint64_t bits;
        if (time_valid == NULL && price_valid == NULL)
            bits = find_runs(&runs->last, runs->observations, &found, i, i + take, group, time, NULL, price,
                             NULL);
        else
            bits = find_runs(&runs->last, runs->observations, &found, i, i + take, group, time, time_valid,
                             price, price_valid);
        i += take;
        if (runs->observations) continue;
        if (row % ROWS_PER_LINE == 0) runs->ranks[row / ROWS_PER_LINE] = (uint32_t)before;
        if (bit == 0) runs->starts[row / 64] = 0;
        runs->starts[row / 64] |= bits << bit;
        runs->last.n_rows += (int64_t)take;
    }
    append(runs, &found);
    return VF_OK;
}

void vf__runs_back(struct vf__runs *runs, const struct vf__runs_state *state) {
    runs->last = *state;
    size_t bit = (size_t)state->n_rows % 64;
    if (bit != 0) runs->starts[state->n_rows / 64] &= (UINT64_C(1) << bit) - 1;
}

/* Only what results depend on counts: every invalid price is alike, and so is every missing time. */
void vf__mark_words(const int64_t *time, const uint8_t *time_valid, const double *price,
                    const uint8_t *price_valid, size_t n, uint64_t *words) {
    for (size_t i = 0; time_valid == NULL && i < n; i++)
        words[i] += (uint64_t)time[i] * TIME_STEP;
    for (size_t i = 0; time_valid != NULL && i < n; i++)
        words[i] += (uint64_t)(time_valid[i] ? time[i] : NO_TIME) * TIME_STEP;
    for (size_t i = 0; price_valid == NULL && i < n; i++)
        words[i] += (vf__mark_price(price[i]) ? bits_of(price[i]) : 0) * PRICE_STEP;
    for (size_t i = 0; price_valid != NULL && i < n; i++)
        words[i] += ((price_valid[i] & vf__mark_price(price[i])) != 0 ? bits_of(price[i]) : 0) * PRICE_STEP;
}
