/* Two days aggregated apart, as two processes would, and merged from what each would store: trades, volume and VWAP by
   symbol over both. Uses the public header only; not for how states get into a file, which any Arrow writer does. */
#include <vizflow/vizflow.h>

#include <inttypes.h>
#include <stdio.h>

/* What a day's states are: a column of symbols, then trades, volume, and the turnover's two: a float sum is kept as
   hi + lo, twice a double's precision, so that merging loses nothing. */
enum { SYMBOL, TRADES, VOLUME, TURNOVER_HI, TURNOVER_LO, STATES };

struct day {
    int64_t n;
    const int32_t *symbol_offsets; /* text i is bytes offsets[i] to offsets[i + 1] */
    const char *symbols;
    const int64_t *quantity;
    const double *turnover;
};

static const struct day monday = {5, (const int32_t[]){0, 6, 12, 18, 24, 30},
                                  "600519000001600519000001600519", (const int64_t[]){100, 300, 200, 100, 50},
                                  (const double[]){168010.0, 3126.3, 336040.2, 1042.5, 84011.5}};
static const struct day tuesday = {4, (const int32_t[]){0, 6, 12, 18, 24}, "000001600519300750000001",
                                   (const int64_t[]){500, 100, 80, 200},
                                   (const double[]){5215.0, 168120.1, 14880.8, 2087.4}};

/* One day's rows become one row of states a symbol. The caller releases the columns. */
static enum vf_status states_of(const struct day *day, struct vf_column states[STATES],
                                struct vf_error *error) {
    const void *text[] = {NULL, day->symbol_offsets, day->symbols};
    const void *quantity[] = {NULL, day->quantity}, *turnover[] = {NULL, day->turnover};
    const struct ArrowSchema schemas[] = {{.format = "u", .name = "symbol"},
                                          {.format = "l", .name = "quantity"},
                                          {.format = "g", .name = "turnover"}};
    const struct ArrowArray arrays[] = {{.length = day->n, .n_buffers = 3, .buffers = text},
                                        {.length = day->n, .n_buffers = 2, .buffers = quantity},
                                        {.length = day->n, .n_buffers = 2, .buffers = turnover}};
    const struct ArrowArray *chunks[] = {&arrays[0], &arrays[1], &arrays[2]};
    struct vf_series columns[3];
    for (int i = 0; i < 3; i++)
        columns[i] = (struct vf_series){.schema = &schemas[i], .chunks = &chunks[i], .n_chunks = 1};

    /* `value` says which of the value columns: 0 is quantity, 1 is turnover. */
    const struct vf_agg_leaf leaves[] = {{.op = VF_AGG_LEN, .name = "trades"},
                                         {.op = VF_AGG_SUM, .value = 0, .name = "volume"},
                                         {.op = VF_AGG_SUM, .value = 1, .name = "turnover"}};
    struct vf_agg *agg = NULL;
    enum vf_status status = vf_agg_open(NULL, leaves, 3, 1, 2, &agg, error);
    if (status == VF_OK) status = vf_agg_update(agg, &columns[0], &columns[1], day->n, error);
    if (status == VF_OK) status = vf_agg_states(agg, states, error);
    vf_agg_close(agg);
    return status;
}

/* Takes a day's states into the aggregation over days. */
static enum vf_status add(struct vf_agg *total, const struct vf_column states[STATES],
                          struct vf_error *error) {
    const struct ArrowArray *chunks[STATES];
    struct vf_series columns[STATES];
    for (int i = 0; i < STATES; i++) {
        chunks[i] = &states[i].array;
        columns[i] = (struct vf_series){.schema = &states[i].schema, .chunks = &chunks[i], .n_chunks = 1};
    }
    return vf_agg_update(total, &columns[SYMBOL], &columns[TRADES], states[SYMBOL].array.length, error);
}

static void print(const struct vf_column out[4]) {
    const int64_t *at = out[0].array.buffers[1]; /* texts come as large strings: 64-bit offsets */
    const char *symbols = out[0].array.buffers[2];
    const int64_t *trades = out[1].array.buffers[1], *volume = out[2].array.buffers[1];
    const double *turnover = out[3].array.buffers[1];
    printf("symbol  trades  volume       vwap\n");
    for (int64_t i = 0; i < out[0].array.length; i++)
        printf("%.*s %7" PRId64 " %7" PRId64 " %10.4f\n", (int)(at[i + 1] - at[i]), symbols + at[i],
               trades[i], volume[i], turnover[i] / (double)volume[i]);
}

int main(void) {
    /* Counts and integer sums merge by SUM, a float sum by ADD_PAIR, whose `more` is where lo stands, counted from 1. */
    const struct vf_agg_leaf leaves[] = {
        {.op = VF_AGG_SUM, .value = TRADES - 1, .name = "trades"},
        {.op = VF_AGG_SUM, .value = VOLUME - 1, .name = "volume"},
        {.op = VF_AGG_ADD_PAIR, .value = TURNOVER_HI - 1, .name = "turnover", .more = {TURNOVER_LO - 1 + 1}}};
    const struct day *days[] = {&monday, &tuesday};
    struct vf_column states[STATES] = {{{0}, {0}}}, out[4] = {{{0}, {0}}};
    struct vf_error error;
    struct vf_agg *total = NULL;
    enum vf_status status = vf_agg_open(NULL, leaves, 3, 1, STATES - 1, &total, &error);
    for (int d = 0; d < 2 && status == VF_OK; d++) {
        status = states_of(days[d], states, &error);
        if (status == VF_OK) status = add(total, states, &error);
        for (int i = 0; i < STATES; i++)
            vf_column_release(&states[i]);
    }
    if (status == VF_OK) status = vf_agg_finish(total, out, &error);
    if (status == VF_OK)
        print(out);
    else
        fprintf(stderr, "%s: %s\n", vf_status_name(status), error.message);
    for (int i = 0; i < 4; i++)
        vf_column_release(&out[i]);
    vf_agg_close(total);
    return status == VF_OK ? 0 : 1;
}
