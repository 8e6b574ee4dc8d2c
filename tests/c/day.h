/* A small day of trades sent through every public entry point that computes, with a digest of all that comes out: the
   same bits are wanted of every build, cut, number of threads and history of refused memory.
   Not for whether the bits are right: tests/c/unit has oracles; this says whether they are the same. */
#ifndef VF_TESTS_DAY_H
#define VF_TESTS_DAY_H

#include "check.h"

#include <unistd.h>

enum { DAY_MOST = 6000, DAY_SLOTS = 192 };

/* ---- how a part is run, and what it gave ---- */

struct day_run {
    const struct vf_context *ctx;
    struct check_faults *faults; /* NULL: memory is never refused */
    int n, cut;                  /* rows of the day; rows of a call */
    uint64_t slots[DAY_SLOTS];   /* a running digest of each column that is given */
    size_t slot;                 /* where the next list of columns begins */
    long retried;                /* calls that were refused memory and made again */
};

/* Memory is back from here on: what was refused must work now. */
static inline bool day_memory_is_back(struct day_run *r) {
    if (r->faults == NULL) return false;
    r->faults->fail_at = 0;
    r->retried++;
    return true;
}

/* A call that changes nothing when it is refused: made again, it works. */
#define DAY_TRY(call)                                                                                        \
    do {                                                                                                     \
        status = (call);                                                                                     \
        if (status == VF_ERROR_MEMORY && day_memory_is_back(r)) {                                            \
            CHECK(check_error.code == VF_ERROR_MEMORY && check_error.message[0] != '\0');                    \
            CHECK_STATUS(status = (call), VF_OK);                                                            \
        }                                                                                                    \
        if (status != VF_OK) goto done;                                                                      \
    } while (0)

/* A call after which the object may be of no more use than to be closed: then it says so. */
#define DAY_TRY_OR_END(call)                                                                                 \
    do {                                                                                                     \
        status = (call);                                                                                     \
        if (status == VF_ERROR_MEMORY && day_memory_is_back(r)) {                                            \
            CHECK(check_error.code == VF_ERROR_MEMORY && check_error.message[0] != '\0');                    \
            status = (call);                                                                                 \
            CHECK(status == VF_OK || status == VF_ERROR_STATE);                                              \
        }                                                                                                    \
        if (status != VF_OK) goto done;                                                                      \
    } while (0)

static inline uint64_t day_mix(uint64_t h, uint64_t word) {
    h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ (h >> 29);
}

static inline uint64_t day_bytes(uint64_t h, const void *data, size_t n) {
    for (size_t i = 0; i < n; i++)
        h = day_mix(h, ((const uint8_t *)data)[i] + 1u);
    return h;
}

static inline uint64_t day_value(const struct vf_column *c, int64_t i) {
    const char *f = c->schema.format;
    const void *const *buffers = c->array.buffers;
    if (c->schema.dictionary != NULL) f = "I"; /* keys of 32 bits, all that is used here */
    switch (f[0]) {
    case 'b':
        return check_bool(c, i);
    case 'c':
    case 'C':
        return ((const uint8_t *)buffers[1])[i];
    case 's':
    case 'S':
        return ((const uint16_t *)buffers[1])[i];
    case 'i':
    case 'I':
        return ((const uint32_t *)buffers[1])[i];
    case 'g': {
        double x = check_f64(c, i);
        uint64_t bits;
        memcpy(&bits, &x, 8);
        return isnan(x) ? 1 : bits;
    }
    case 'l':
    case 'L':
        return ((const uint64_t *)buffers[1])[i];
    case 't': /* dates and seconds of the day are 32 bits */
        return f[1] == 'd' && f[2] == 'D' ? ((const uint32_t *)buffers[1])[i] : ((const uint64_t *)buffers[1])[i];
    case 'u': {
        const int32_t *offsets = buffers[1];
        return day_bytes(7, (const char *)buffers[2] + offsets[i], (size_t)(offsets[i + 1] - offsets[i]));
    }
    case 'U':
    case 'Z': {
        const int64_t *offsets = buffers[1];
        return day_bytes(7, (const char *)buffers[2] + offsets[i], (size_t)(offsets[i + 1] - offsets[i]));
    }
    case 'v': { /* only short texts, which stand in the view */
        const uint8_t *view = (const uint8_t *)buffers[1] + 16 * i;
        uint32_t length;
        memcpy(&length, view, 4);
        CHECK(length <= 12);
        return day_bytes(7, view + 4, length);
    }
    default:
        CHECK(f == NULL);
        return 0;
    }
}

/* Adds the rows of a list of columns to the digests from `slot` on, and releases them. */
static inline void day_keep_at(struct day_run *r, size_t slot, struct vf_column *columns, size_t n) {
    for (size_t k = 0; k < n; k++) {
        struct vf_column *c = &columns[k];
        uint64_t *h = &r->slots[slot + k];
        CHECK(slot + k < DAY_SLOTS && c->array.release != NULL && c->array.offset == 0);
        if (*h == 0) *h = day_bytes(1, c->schema.format, strlen(c->schema.format));
        int64_t nulls = 0;
        for (int64_t i = 0; i < c->array.length; i++) {
            bool there = check_valid(c, i);
            nulls += !there;
            *h = there ? day_mix(*h, day_value(c, i)) : day_mix(*h, 0x5eed);
        }
        CHECK(c->array.null_count == nulls || c->array.null_count == -1);
        vf_column_release(c);
    }
}
static inline void day_keep(struct day_run *r, struct vf_column *columns, size_t n) {
    day_keep_at(r, r->slot, columns, n);
    r->slot += n;
}
static inline void day_keep_word(struct day_run *r, uint64_t word) {
    CHECK(r->slot < DAY_SLOTS);
    r->slots[r->slot++] = day_mix(3, word);
}

static inline uint64_t day_digest(const struct day_run *r) {
    uint64_t h = 11;
    for (size_t i = 0; i < r->slot; i++)
        h = day_mix(h, r->slots[i]);
    return h;
}

/* ---- the day ---- */

static struct {
    int64_t time[DAY_MOST], number[DAY_MOST], qty[DAY_MOST], digits[DAY_MOST], order[DAY_MOST], one[DAY_MOST],
        held[DAY_MOST];
    double price[DAY_MOST], x[DAY_MOST], y[DAY_MOST], lo[DAY_MOST];
    int32_t date[DAY_MOST], side_at[DAY_MOST + 1], clock_at[DAY_MOST + 1], name_at[DAY_MOST + 1];
    uint32_t counts[DAY_MOST];
    uint8_t symbol[DAY_MOST * 16], some[DAY_MOST / 8 + 1], mask[DAY_MOST / 8 + 1];
    char side[DAY_MOST * 6], clock[DAY_MOST * 12], name[DAY_MOST * 12];
} day;

static inline uint64_t day_random(uint64_t *state) { /* splitmix64 */
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline void day_make(uint64_t seed) {
    static const char *const sides[] = {"Buy", "Sell", "Buy", "Sell", "", "Cancel"};
    memset(&day, 0, sizeof day);
    for (int i = 0; i < DAY_MOST; i++) {
        uint64_t w = day_random(&seed), v = day_random(&seed);
        int symbol = (int)(w % 97) * (int)((w >> 8) % 97) / 97; /* some are large, some small */
        int second = 34200 + i * 2 - (int)((w >> 20) % 16 / 15 * 40); /* some late */
        day.time[i] = second * INT64_C(1000000000) + (int64_t)(w >> 30 & 3);
        day.number[i] = symbol;
        day.qty[i] = (int64_t)(v % 900);
        day.price[i] = 10 + symbol + (double)(v >> 10 & 1023) * 0.01;
        if ((v & 0xff00000000) == 0) day.price[i] = NAN;
        day.x[i] = (i % 5 == 0 ? 1e300 : i % 5 == 1 ? 1e-300 : 1.0) * ((double)(int64_t)v * 0x1p-63);
        day.y[i] = (double)(int64_t)(w ^ v) * 0x1p-40;
        day.lo[i] = day.y[i] * 0x1p-60;
        day.one[i] = 1;
        day.order[i] = i;
        day.held[i] = second; /* as time goes, so it does */
        day.date[i] = 19724 + i % 7 / 3; /* 2024-01-02 to -04 */
        day.counts[i] = (uint32_t)(v >> 40 & 3);
        int at = second - 34200 < 7200 ? second : second + 5400; /* not within the break */
        day.digits[i] = at / 3600 * 10000 + at / 60 % 60 * 100 + at % 60;
        char text[16];
        uint32_t length = (uint32_t)snprintf(text, sizeof text, "S%03d", symbol);
        memcpy(day.symbol + 16 * i, &length, 4);
        memcpy(day.symbol + 16 * i + 4, text, length);
        length = (uint32_t)snprintf(text, sizeof text, "%.*s", (int)(w >> 50) % 9, "abcdefgh");
        memcpy(day.name + day.name_at[i], text, length);
        day.name_at[i + 1] = day.name_at[i] + (int32_t)length;
        const char *side = sides[(w >> 40) % 256 == 0 ? 5 : (w >> 40) % 4];
        memcpy(day.side + day.side_at[i], side, strlen(side));
        day.side_at[i + 1] = day.side_at[i] + (int32_t)strlen(side);
        (void)snprintf(text, sizeof text, "%02d:%02d:%02d", at / 3600 % 24, at / 60 % 60, at % 60);
        memcpy(day.clock + 8 * i, text, 8);
        day.clock_at[i + 1] = 8 * (i + 1);
        if (w >> 60 != 0) day.some[i / 8] |= (uint8_t)(1u << i % 8);
        if (v >> 63) day.mask[i / 8] |= (uint8_t)(1u << i % 8);
    }
}

/* Rows [first, first + n) of each column. */
struct day_rows {
    struct check_column symbol, number, time, side, qty, price, x, y, lo, date, digits, clock, name, mask, order, one,
        held;
    struct vf_series keys[3];
};

static inline void day_rows(struct day_rows *c, int64_t first, int64_t n) {
    struct check_column *all[] = {&c->symbol, &c->number, &c->time,   &c->side,  &c->qty,  &c->price,
                                  &c->x,      &c->y,      &c->lo,     &c->date,  &c->digits, &c->clock,
                                  &c->name,   &c->mask,   &c->order,  &c->one,  &c->held};
    (void)check_series(&c->symbol, "vu", "symbol", n, NULL, day.symbol, day.counts /* no buffers of text */);
    (void)check_series(&c->number, "l", "number", n, NULL, day.number, NULL);
    (void)check_series(&c->time, "tDn", "time", n, NULL, day.time, NULL);
    (void)check_series(&c->side, "u", "side", n, NULL, day.side_at, day.side);
    (void)check_series(&c->qty, "l", "qty", n, NULL, day.qty, NULL);
    (void)check_series(&c->price, "g", "price", n, day.some, day.price, NULL);
    (void)check_series(&c->x, "g", "x", n, day.some, day.x, NULL);
    (void)check_series(&c->y, "g", "y", n, NULL, day.y, NULL);
    (void)check_series(&c->lo, "g", "lo", n, NULL, day.lo, NULL);
    (void)check_series(&c->date, "tdD", "date", n, NULL, day.date, NULL);
    (void)check_series(&c->digits, "l", "digits", n, day.some, day.digits, NULL);
    (void)check_series(&c->clock, "u", "clock", n, day.some, day.clock_at, day.clock);
    (void)check_series(&c->name, "u", "name", n, day.some, day.name_at, day.name);
    (void)check_series(&c->mask, "b", "mask", n, NULL, day.mask, NULL);
    (void)check_series(&c->order, "l", "order", n, NULL, day.order, NULL);
    (void)check_series(&c->one, "l", "one", n, NULL, day.one, NULL);
    (void)check_series(&c->held, "l", "held", n, NULL, day.held, NULL);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        all[i]->array.offset = first;
    c->keys[0] = c->date.series;
    c->keys[1] = c->symbol.series;
    c->keys[2] = c->name.series;
}

static inline int day_part(const struct day_run *r, int first) {
    return r->n - first < r->cut ? r->n - first : r->cut;
}

/* ---- columns ---- */

static const struct vf_session day_sessions[] = {{INT64_C(34200000000000), INT64_C(41400000000000)},
                                                 {INT64_C(46800000000000), INT64_C(54000000000000)}};
static const struct vf_side day_sides[] = {{.text = "Buy", .length = 3, .entry = true},
                                           {.text = "Sell", .length = 4, .entry = false}};

static enum vf_status day_columns(struct day_run *r) {
    static const double cuts[] = {-0.5, 0, 0.25, 12};
    static const struct vf_side sides[] = {{.text = "Buy", .length = 3, .entry = true},
                                           {.text = "Sell", .length = 4},
                                           {.text = "Cancel", .length = 6},
                                           {.text = "", .length = 0}};
    struct vf_clock_options o = {
        .sessions = day_sessions, .n_sessions = 2, .outside = VF_OUTSIDE_CLIP, .layout = VF_LAYOUT_HHMMSS};
    struct vf_column out = {{0}, {0}};
    enum vf_status status = VF_OK;
    size_t first_slot = r->slot;
    for (int first = 0; first < r->n; first += r->cut) {
        struct day_rows c;
        struct vf_clock_report report;
        day_rows(&c, first, day_part(r, first));
        struct vf_series moments[] = {c.y.series, c.lo.series, c.order.series, c.number.series};
        size_t slot = first_slot;
        DAY_TRY(vf_clock_elapsed(r->ctx, &c.digits.series, &o, &out, &report, &check_error));
        CHECK_I64(report.n_rows, c.digits.array.length);
        day_keep_at(r, slot++, &out, 1);
        DAY_TRY(vf_clock_elapsed(r->ctx, &c.clock.series, &o, &out, NULL, &check_error));
        day_keep_at(r, slot++, &out, 1);
        DAY_TRY(vf_bin_index(r->ctx, &c.price.series, 0.05, true, &out, &check_error));
        day_keep_at(r, slot++, &out, 1);
        DAY_TRY(vf_cast_float(r->ctx, &c.qty.series, &out, &check_error));
        day_keep_at(r, slot++, &out, 1);
        struct check_column whole;
        double doubles[DAY_MOST];
        for (int64_t i = 0; i < c.qty.array.length; i++)
            doubles[i] = (double)day.qty[first + i] + 1e-9;
        (void)check_series(&whole, "g", "whole", c.qty.array.length, NULL, doubles, NULL);
        DAY_TRY(vf_cast_integer(r->ctx, &whole.series, "s", 1e-6, &out, &check_error));
        day_keep_at(r, slot++, &out, 1);
        DAY_TRY(vf_mid(r->ctx, &c.price.series, &c.qty.series, &out, &check_error));
        day_keep_at(r, slot++, &out, 1);
        DAY_TRY(vf_price_return(r->ctx, &c.price.series, &c.y.series, &out, &check_error));
        day_keep_at(r, slot++, &out, 1);
        DAY_TRY(vf_side_sign(r->ctx, &c.side.series, sides, 4, true, &out, &check_error));
        day_keep_at(r, slot++, &out, 1);
        DAY_TRY(vf_cut_index(r->ctx, &c.x.series, cuts, 4, true, -1, 20, VF_CUT_CLIP, &out, &check_error));
        day_keep_at(r, slot++, &out, 1);
        DAY_TRY(vf_moment_value(r->ctx, VF_MOMENT_MEAN, 0, moments, 4, &out, &check_error));
        day_keep_at(r, slot++, &out, 1);
        const struct check_column *expanded[] = {&c.symbol, &c.name, &c.price, &c.mask, &c.date};
        for (size_t k = 0; k < 5; k++) {
            DAY_TRY(vf_column_expand(r->ctx, &expanded[k]->series, day.counts + first, c.qty.array.length, NULL, NULL,
                                     &out, &check_error));
            day_keep_at(r, slot++, &out, 1);
        }
    }
    r->slot = first_slot + 15;
done:
    return status;
}

/* ---- calendars ---- */

static const char day_home[] =
    "calendar cn\nfirst 2024-01-01\nlast 2024-12-31\nclosed\n2024 0101 0212-0216\nadhoc\n2024 0105\n"
    "hours 2024-01-01 0930-1130 1300-1500\nhours 2024-06-03 0930-1500\nspecial 0930-1130\n"
    "2024 0103 0201-0229\nspecial 1000-1500\n2024 0301\n";

/* What asks for no memory works while there is none. */
static void day_ask(struct day_run *r, const struct vf_calendar *calendar) {
    struct vf_calendar_info info;
    const struct vf_session *sessions;
    const int32_t *days;
    size_t n;
    bool traded;
    int32_t at;
    int64_t index, elapsed = 0;
    struct check_column digits;
    vf_calendar_describe(calendar, &info);
    day_keep_word(r, (uint64_t)info.n_days);
    CHECK(vf_calendar_is_trading_day(calendar, 19725, &traded, NULL) == VF_OK && traded);
    CHECK(vf_calendar_next(calendar, 19725, &at, NULL) == VF_OK);
    day_keep_word(r, (uint64_t)at);
    CHECK(vf_calendar_prev(calendar, 19725, &at, NULL) == VF_OK);
    day_keep_word(r, (uint64_t)at);
    CHECK(vf_calendar_index(calendar, 19800, &index, NULL) == VF_OK);
    day_keep_word(r, (uint64_t)index);
    CHECK(vf_calendar_range(calendar, 19725, 19800, &days, &n, NULL) == VF_OK);
    day_keep_word(r, day_bytes(1, days, n * sizeof *days));
    CHECK(vf_calendar_sessions(calendar, 19725, &sessions, &n, NULL) == VF_OK);
    day_keep_word(r, day_bytes(n, sessions, n * sizeof *sessions));
    for (size_t i = 0; i < vf_calendar_variants(calendar); i++) {
        vf_calendar_variant(calendar, i, &sessions, &n);
        day_keep_word(r, day_bytes(n, sessions, n * sizeof *sessions));
    }
    CHECK(vf_sessions_check(day_sessions, 2, NULL) == VF_OK);
    CHECK_I64(vf_sessions_length_ns(day_sessions, 2), INT64_C(14400000000000));
    CHECK(vf_sessions_elapsed_ns(day_sessions, 2, 0, INT64_C(46800000000000), &elapsed));
    CHECK_I64(elapsed, INT64_C(7200000000000));
    (void)check_series(&digits, "l", "digits", 0, NULL, NULL, NULL);
    CHECK(strcmp(vf_clock_elapsed_format(&digits.schema, VF_LAYOUT_HHMMSS), "l") == 0);
    CHECK(strcmp(vf_status_name(VF_ERROR_RANGE), "ERROR_RANGE") == 0 && vf_status_text(VF_OK)[0] != '\0');
    CHECK(strcmp(vf_version(), VF_VERSION) == 0);
}

static enum vf_status day_calendars(struct day_run *r) {
    struct vf_calendar *home = NULL, *abroad = NULL;
    struct vf_clock_options o = {.outside = VF_OUTSIDE_NULL, .layout = VF_LAYOUT_HHMMSS};
    struct vf_column out[4] = {{{0}, {0}}};
    struct day_rows c;
    enum vf_status status;
    day_rows(&c, 0, r->n);
    struct check_column days, stamps;
    int64_t seconds[DAY_MOST];
    for (int i = 0; i < r->n; i++)
        seconds[i] = INT64_C(86400) * (19724 + i % 300) + i;
    (void)check_series(&stamps, "tss:", "stamp", r->n, day.some, seconds, NULL);
    int64_t numbers[] = {20240102, 20240229, 20231231};
    (void)check_series(&days, "l", "date", 3, NULL, numbers, NULL);
    DAY_TRY(vf_calendar_open(r->ctx, day_home, sizeof day_home - 1, &home, &check_error));
    DAY_TRY(vf_calendar_open_days(r->ctx, &c.date.series, &abroad, &check_error));
    DAY_TRY(vf_calendar_columns(r->ctx, home, out, &check_error));
    day_keep(r, out, 4);
    DAY_TRY(vf_calendar_columns(r->ctx, abroad, out, &check_error));
    day_keep(r, out, 4);
    DAY_TRY(vf_date_parse(r->ctx, &days.series, out, &check_error));
    day_keep(r, out, 1);
    DAY_TRY(vf_clock_elapsed_on(r->ctx, home, &c.digits.series, &c.date.series, &o, out, NULL, &check_error));
    day_keep(r, out, 1);
    DAY_TRY(vf_clock_end_on(r->ctx, home, &c.date.series, NULL, 0, out, &check_error));
    day_keep(r, out, 1);
    DAY_TRY(vf_clock_left_on(r->ctx, home, &c.qty.series, &c.date.series, NULL, 0, out, &check_error));
    day_keep(r, out, 1);
    DAY_TRY(vf_clock_trading_day(r->ctx, home, &stamps.series, out, &check_error));
    day_keep(r, out, 1);
    day_ask(r, home);
done:
    vf_calendar_close(home);
    vf_calendar_close(abroad);
    return status;
}

/* ---- match ---- */

static enum vf_status day_fifo_as(struct day_run *r, enum vf_fifo_rows rows, enum vf_excess excess) {
    const unsigned all = (1u << VF_FIFO_N_COLUMNS) - 1;
    struct vf_fifo_options o = {
        .sides = day_sides, .n_sides = 2, .rows = rows, .on_excess = excess, .columns = all};
    struct vf_fifo *fifo = NULL;
    struct vf_column out[VF_FIFO_N_COLUMNS] = {{{0}, {0}}};
    struct day_rows c;
    enum vf_status status;
    uint32_t counts[DAY_MOST];
    DAY_TRY(vf_fifo_open(r->ctx, &o, &fifo, &check_error));
    day_rows(&c, 3, r->n / 20);
    DAY_TRY(vf_fifo_inventory(fifo, &c.symbol.series, 1, &c.qty.series, &c.price.series, &check_error));
    for (int first = 0; first < r->n; first += r->cut) {
        day_rows(&c, first, day_part(r, first));
        struct vf_fifo_batch batch = {&c.symbol.series, 1, &c.time.series, &c.held.series,
                                      &c.side.series,   &c.qty.series,  &c.price.series};
        DAY_TRY(vf_fifo_update(fifo, &batch, &check_error));
    }
    DAY_TRY(vf_fifo_match(fifo, &check_error));
    CHECK_I64(vf_fifo_rows_in(fifo), r->n);
    day_keep_word(r, (uint64_t)vf_fifo_rows_out(fifo));
    for (int again = 0; again < 2; again++) {
        if (again) vf_fifo_rewind(fifo);
        for (int first = 0; first < r->n; first += r->cut) {
            int n = day_part(r, first);
            day_rows(&c, first, n);
            struct vf_fifo_batch batch = {&c.symbol.series, 1, &c.time.series, &c.held.series,
                                          &c.side.series,   &c.qty.series,  &c.price.series};
            DAY_TRY(vf_fifo_emit(fifo, &batch, first, n, all, counts, out, &check_error));
            for (int i = 0; i < n; i++)
                r->slots[r->slot] = day_mix(r->slots[r->slot], counts[i]);
            day_keep_at(r, r->slot + 1, out, VF_FIFO_N_COLUMNS);
        }
        CHECK(vf_fifo_replayed(fifo, &check_error) == VF_OK);
    }
    r->slot += VF_FIFO_N_COLUMNS + 1;
done:
    vf_fifo_close(fifo);
    return status;
}

static enum vf_status day_fifo(struct day_run *r) {
    enum vf_status status = day_fifo_as(r, VF_FIFO_BOTH, VF_EXCESS_UNCLOSED);
    if (status == VF_OK) status = day_fifo_as(r, VF_FIFO_EXITS, VF_EXCESS_OPEN_SHORT);
    if (status == VF_OK) status = day_fifo_as(r, VF_FIFO_LOTS, VF_EXCESS_OPEN_SHORT);
    return status;
}

/* ---- prices at other times ---- */

static enum vf_status day_mark_as(struct day_run *r, bool quotes, enum vf_mark_method method) {
    static const int64_t horizons[] = {INT64_C(60000000000), INT64_C(1000000000), INT64_C(600000000000)};
    struct vf_mark_options o = {.horizons_ns = horizons,
                                .n_horizons = 3,
                                .method = method,
                                .tolerance_ns = INT64_C(300000000000),
                                .end_ns = INT64_C(50000000000000),
                                .quotes = quotes};
    struct vf_mark *mark = NULL;
    struct vf_column out[3] = {{{0}, {0}}};
    struct day_rows c;
    enum vf_status status;
    DAY_TRY(vf_mark_open(r->ctx, &o, &mark, &check_error));
    for (int first = 0; first < r->n; first += r->cut) {
        day_rows(&c, first, day_part(r, first));
        struct vf_mark_batch batch = {c.keys, 2, &c.time.series, &c.price.series};
        if (quotes) DAY_TRY(vf_mark_observe(mark, &batch, &check_error));
        DAY_TRY(vf_mark_update(mark, &batch, &check_error));
    }
    DAY_TRY(vf_mark_finish(mark, &check_error));
    CHECK_I64(vf_mark_rows(mark), r->n);
    for (int again = 0; again < 2; again++) {
        if (again) vf_mark_rewind(mark);
        for (int first = 0; first < r->n; first += r->cut) {
            int n = day_part(r, first);
            day_rows(&c, first, n);
            struct vf_mark_batch batch = {c.keys, 2, &c.time.series, &c.price.series};
            DAY_TRY(vf_mark_emit(mark, &batch, first, n, out, &check_error));
            day_keep_at(r, r->slot, out, 3);
        }
        CHECK(vf_mark_replayed(mark, &check_error) == VF_OK);
    }
    r->slot += 3;
done:
    vf_mark_close(mark);
    return status;
}

static enum vf_status day_mark(struct day_run *r) {
    enum vf_status status = day_mark_as(r, false, VF_MARK_BACKWARD);
    if (status == VF_OK) status = day_mark_as(r, true, VF_MARK_NEAREST);
    if (status == VF_OK) status = day_mark_as(r, true, VF_MARK_FORWARD);
    return status;
}

static enum vf_status day_asof(struct day_run *r) {
    static const int64_t horizons[] = {0, INT64_C(-60000000000), INT64_C(600000000000)};
    struct vf_asof_options o = {
        .horizons_ns = horizons, .n_horizons = 3, .tolerance_ns = -1, .end_ns = INT64_MAX, .past_last = true};
    struct vf_asof *asof = NULL;
    struct vf_column out[3] = {{{0}, {0}}};
    struct day_rows c;
    enum vf_status status;
    DAY_TRY(vf_asof_open(r->ctx, &o, &asof, &check_error));
    for (int first = 0; first < r->n; first += r->cut) {
        day_rows(&c, first, day_part(r, first));
        struct vf_asof_batch batch = {c.keys, 3, &c.time.series};
        DAY_TRY(vf_asof_observe(asof, &batch, &check_error));
    }
    CHECK_I64(vf_asof_rows(asof), r->n);
    DAY_TRY(vf_asof_finish(asof, &check_error));
    for (int first = 0; first < r->n; first += r->cut) {
        day_rows(&c, first, day_part(r, first));
        struct vf_asof_batch batch = {c.keys, 3, &c.time.series};
        DAY_TRY(vf_asof_find(asof, &batch, out, &check_error));
        day_keep_at(r, r->slot, out, 3);
    }
    r->slot += 3;
done:
    vf_asof_close(asof);
    return status;
}

static enum vf_status day_daily(struct day_run *r) {
    struct vf_daily_options o = {.end_ns = INT64_C(46000000000000), .returns = true};
    struct vf_daily *daily = NULL;
    struct vf_column out[VF_DAILY_COLUMNS] = {{{0}, {0}}}, fresh = {{0}, {0}};
    struct day_rows c;
    enum vf_status status;
    DAY_TRY(vf_daily_open(r->ctx, &o, &daily, &check_error));
    for (int first = 0; first < r->n; first += r->cut) {
        day_rows(&c, first, day_part(r, first));
        struct vf_daily_batch batch = {c.keys, 2, &c.time.series, &c.order.series, &c.price.series, &c.qty.series};
        DAY_TRY_OR_END(vf_daily_update(daily, &batch, &fresh, &check_error));
        for (int64_t i = 0; i < fresh.array.length; i++)
            r->slots[r->slot] = day_mix(r->slots[r->slot], (uint64_t)first + check_u32(&fresh, i));
        vf_column_release(&fresh);
    }
    r->slot++;
    DAY_TRY(vf_daily_finish(daily, out, &check_error));
    CHECK_I64(vf_daily_groups(daily), out[0].array.length);
    day_keep(r, out, VF_DAILY_COLUMNS);
    for (int first = 0; first < r->n; first += r->cut) {
        day_rows(&c, first, day_part(r, first));
        struct vf_daily_batch batch = {c.keys, 2, &c.time.series, &c.order.series, &c.price.series, NULL};
        DAY_TRY(vf_daily_return(daily, &batch, first, out, &check_error));
        day_keep_at(r, r->slot, out, 1);
    }
    r->slot++;
    CHECK(vf_daily_replayed(daily, &check_error) == VF_OK);
done:
    vf_daily_close(daily);
    return status;
}

static enum vf_status day_order(struct day_run *r) {
    struct vf_order *order = NULL;
    struct vf_order_report report;
    struct day_rows c;
    enum vf_status status;
    DAY_TRY(vf_order_open(r->ctx, &order, &check_error));
    for (int first = 0; first < r->n; first += r->cut) {
        day_rows(&c, first, day_part(r, first));
        DAY_TRY_OR_END(vf_order_update(order, &c.symbol.series, &c.time.series, &check_error));
    }
    vf_order_report(order, &report);
    day_keep_word(r, day_bytes(1, &report, sizeof report)); /* int64 throughout: no padding */
done:
    vf_order_close(order);
    return status;
}

static enum vf_status day_quantiles(struct day_run *r) {
    struct vf_quantiles *q = NULL;
    struct vf_quantiles_summary summary;
    struct day_rows c;
    double cuts[9];
    enum vf_status status;
    for (int method = 0; method < 2; method++) {
        bool more = true;
        DAY_TRY(vf_quantiles_open(r->ctx, 10, (enum vf_quantile_method)method, &q, &check_error));
        while (more) {
            for (int first = 0; first < r->n; first += r->cut) {
                day_rows(&c, first, day_part(r, first));
                DAY_TRY_OR_END(vf_quantiles_update(q, &c.x.series, &check_error));
            }
            DAY_TRY_OR_END(vf_quantiles_pass(q, &more, &check_error));
        }
        CHECK(vf_quantiles_cuts(q, cuts, &summary, &check_error) == VF_OK);
        day_keep_word(r, day_bytes(1, cuts, sizeof cuts));
        day_keep_word(r, (uint64_t)summary.n);
        vf_quantiles_close(q);
        q = NULL;
    }
done:
    vf_quantiles_close(q);
    return status;
}

/* ---- grouped states ---- */

static enum vf_status day_agg_of(struct day_run *r, size_t n_keys) {
    static const struct vf_agg_leaf leaves[] = {
        {VF_AGG_LEN, 0, "n", {0, 0}},     {VF_AGG_COUNT, 0, "c", {0, 0}},   {VF_AGG_NULL_COUNT, 0, "z", {0, 0}},
        {VF_AGG_SUM, 0, "s", {0, 0}},     {VF_AGG_SUM, 2, "i", {0, 0}},     {VF_AGG_MIN, 0, "lo", {0, 0}},
        {VF_AGG_MAX, 2, "hi", {0, 0}},    {VF_AGG_PRODUCT, 1, "p", {0, 0}}, {VF_AGG_FIRST, 0, "f", {4, 0}},
        {VF_AGG_LAST, 1, "l", {0, 0}},    {VF_AGG_SQUARES, 1, "q", {0, 0}}, {VF_AGG_DOT, 1, "d", {3, 0}},
        {VF_AGG_MEAN, 0, "m", {0, 0}}};
    enum { N = 13, OUT = 3 + 32 };
    struct vf_agg *agg = NULL, *other = NULL, *states = NULL;
    struct vf_column out[OUT] = {{{0}, {0}}};
    struct day_rows c;
    enum vf_status status;
    DAY_TRY(vf_agg_open(r->ctx, leaves, N, n_keys, 4, &agg, &check_error));
    DAY_TRY(vf_agg_open(r->ctx, leaves, N, n_keys, 4, &other, &check_error));
    DAY_TRY(vf_agg_open(r->ctx, leaves, N - 1, n_keys, 4, &states, &check_error));
    for (int first = 0; first < r->n; first += r->cut) {
        int n = day_part(r, first);
        day_rows(&c, first, n);
        struct vf_series values[] = {c.x.series, c.y.series, c.qty.series, c.mask.series};
        /* the second third goes by way of a merge */
        struct vf_agg *into = first >= r->n / 3 && first < r->n / 3 * 2 ? other : agg;
        if (r->cut < r->n) into = agg; /* whose rows came first differs by cut: groups' order is theirs */
        DAY_TRY_OR_END(vf_agg_update(into, c.keys, values, n, &check_error));
        DAY_TRY_OR_END(vf_agg_update(states, c.keys, values, n, &check_error));
    }
    if (vf_agg_groups(other) == 0) {
        day_rows(&c, 0, 0);
        struct vf_series values[] = {c.x.series, c.y.series, c.qty.series, c.mask.series};
        DAY_TRY_OR_END(vf_agg_update(other, c.keys, values, 0, &check_error));
    }
    DAY_TRY_OR_END(vf_agg_merge(other, agg, &check_error));
    CHECK_I64(vf_agg_groups(other), vf_agg_groups(agg));
    DAY_TRY(vf_agg_finish(agg, out, &check_error));
    size_t slot = r->slot;
    day_keep(r, out, n_keys + N);
    DAY_TRY(vf_agg_finish(other, out, &check_error));
    r->slot = slot + n_keys + N;
    day_keep(r, out, n_keys + N);
    for (size_t k = 0; k < n_keys + N; k++) /* merged into nothing: the same */
        CHECK(r->slots[slot + k] == r->slots[slot + n_keys + N + k]);
    DAY_TRY(vf_agg_states(states, out, &check_error));
    size_t n_states = vf_agg_state_columns(states);
    CHECK(n_states <= OUT);
    day_keep(r, out, n_states);
done:
    vf_agg_close(agg);
    vf_agg_close(other);
    vf_agg_close(states);
    return status;
}

static enum vf_status day_agg(struct day_run *r) {
    enum vf_status status = day_agg_of(r, 3);
    if (status == VF_OK) status = day_agg_of(r, 0);
    return status;
}

/* ---- cubes ---- */

enum { DAY_AXES = 3, DAY_STATES = 7, DAY_VALUES = 11, DAY_PARTS = 40 };

static const struct vf_cube_state day_states[DAY_STATES] = {
    {VF_CUBE_ADD_INT, "n"},     {VF_CUBE_ADD_FLOAT, "x"},      {VF_CUBE_MIN, "least"},  {VF_CUBE_MAX, "most"},
    {VF_CUBE_FIRST, "first"},   {VF_CUBE_PRODUCT_INT, "times"}, {VF_CUBE_PRODUCT_FLOAT, "product"}};

struct day_parts {
    size_t n;
    struct vf_column columns[DAY_PARTS];
    const struct ArrowArray *chunks[DAY_PARTS];
    struct vf_series series[DAY_PARTS];
};
static void day_parts_release(void *parts) {
    struct day_parts *p = parts;
    for (size_t i = 0; i < p->n; i++)
        vf_column_release(&p->columns[i]);
    p->n = 0;
}

static void day_cells(struct day_rows *c, struct vf_series keys[DAY_AXES], struct vf_series values[DAY_VALUES],
                      int first, int n) {
    day_rows(c, first, n);
    (void)check_series(&c->lo, "g", "low", n, NULL, day.lo, NULL);
    c->lo.array.offset = first;
    keys[0] = c->date.series;
    keys[1] = c->number.series;
    keys[2] = c->name.series;
    const struct vf_series all[DAY_VALUES] = {c->one.series, c->y.series,   c->lo.series,  c->x.series,
                                              c->x.series,   c->price.series, c->order.series, c->one.series,
                                              c->y.series,   c->lo.series,  c->one.series};
    memcpy(values, all, sizeof all);
}

static enum vf_status day_ask_cube(struct day_run *r, const struct vf_cube *cube) {
    static const uint32_t some[] = {0, 2, 3, 5}, kept[] = {1, 0}, all[] = {0, 1, 2};
    const struct vf_cube_pick picks[DAY_AXES] = {{NULL, 0}, {some, 4}, {some, 3}};
    const struct vf_cube_query asked[] = {
        {0}, {.picks = picks, .kept = kept, .n_kept = 2}, {.kept = all, .n_kept = DAY_AXES}};
    struct vf_column out[DAY_AXES + 16] = {{{0}, {0}}};
    enum vf_status status;
    for (size_t q = 0; q < 3; q++) {
        DAY_TRY(vf_cube_query(cube, &asked[q], out, &check_error));
        day_keep(r, out, asked[q].n_kept + 10);
    }
done:
    return status;
}

static enum vf_status day_cube_as(struct day_run *r, enum vf_cube_layout layout) {
    struct vf_cube *cube = NULL, *copy = NULL;
    struct vf_series keys[DAY_AXES], values[DAY_VALUES];
    struct day_parts parts = {.n = 0};
    struct vf_column axis = {{0}, {0}};
    struct vf_cube_size size;
    struct vf_cube_shape shape;
    struct day_rows c;
    enum vf_status status;
    int n_rows = r->n < 2000 ? r->n : 2000; /* a dense cube is the product of its axes */
    DAY_TRY(vf_cube_open(r->ctx, DAY_AXES, day_states, DAY_STATES, &cube, &check_error));
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            DAY_TRY(vf_cube_size(cube, &size, &check_error));
            day_keep_word(r, size.dense_cells);
            DAY_TRY(vf_cube_build(cube, layout, 0, &check_error));
        }
        for (int first = 0; first < n_rows; first += r->cut) {
            int n = n_rows - first < r->cut ? n_rows - first : r->cut;
            day_cells(&c, keys, values, first, n);
            if (pass == 0)
                DAY_TRY_OR_END(vf_cube_learn(cube, keys, values, n, &check_error));
            else
                DAY_TRY_OR_END(vf_cube_add(cube, keys, values, n, &check_error));
        }
    }
    DAY_TRY_OR_END(vf_cube_finish(cube, &check_error));
    CHECK(vf_cube_shape(cube, &shape, &check_error) == VF_OK && shape.layout == layout);
    for (size_t a = 0; a < DAY_AXES; a++) {
        DAY_TRY(vf_cube_axis(cube, a, &axis, &check_error));
        day_keep(r, &axis, 1);
    }
    status = day_ask_cube(r, cube);
    if (status != VF_OK) goto done;
    CHECK(vf_cube_n_parts(cube) <= DAY_PARTS);
    for (size_t i = 0; i < vf_cube_n_parts(cube); i++) {
        DAY_TRY(vf_cube_part(cube, i, &parts.columns[i], &check_error));
        parts.chunks[i] = &parts.columns[i].array;
        parts.series[i] = (struct vf_series){&parts.columns[i].schema, &parts.chunks[i], 1};
        parts.n = i + 1;
    }
    DAY_TRY(vf_cube_attach(r->ctx, day_states, DAY_STATES, parts.series, parts.n, &parts, day_parts_release, &copy,
                           &check_error));
    vf_cube_close(cube); /* the parts keep its memory */
    cube = NULL;
    status = day_ask_cube(r, copy);
done:
    if (copy == NULL) day_parts_release(&parts);
    vf_cube_close(copy);
    vf_cube_close(cube);
    return status;
}

static enum vf_status day_cube_dense(struct day_run *r) {
    return day_cube_as(r, VF_CUBE_DENSE);
}
static enum vf_status day_cube_sparse(struct day_run *r) {
    return day_cube_as(r, VF_CUBE_SPARSE);
}

/* ---- files ---- */

static enum vf_status day_file(struct day_run *r) {
    char path[64], text[64] = "";
    struct vf_file *file = NULL;
    enum vf_status status;
    (void)snprintf(path, sizeof path, "vf_day_%ld.txt", (long)getpid());
    DAY_TRY(vf_file_open(r->ctx, path, &file, &check_error));
    CHECK(vf_file_leftover(path) == VF_LEFTOVER_NONE);
    CHECK(vf_file_write(file, "what a day is worth", 19, &check_error) == VF_OK);
    CHECK(vf_file_commit(file, &check_error) == VF_OK);
    FILE *again = fopen(path, "rb");
    CHECK(again != NULL && fread(text, 1, sizeof text - 1, again) == 19);
    if (again != NULL) (void)fclose(again);
    day_keep_word(r, day_bytes(1, text, 19));
done:
    vf_file_close(file);
    (void)unlink(path);
    return status;
}

/* ---- all of it ---- */

struct day_part {
    const char *name;
    enum vf_status (*run)(struct day_run *r);
    bool threads; /* more than one may work on it */
};

static const struct day_part day_parts[] = {{"columns", day_columns, true},
                                            {"calendars", day_calendars, false},
                                            {"fifo", day_fifo, true},
                                            {"mark", day_mark, true},
                                            {"asof", day_asof, true},
                                            {"daily", day_daily, true},
                                            {"order", day_order, false},
                                            {"quantiles", day_quantiles, false},
                                            {"agg", day_agg, true},
                                            {"cube, dense", day_cube_dense, true},
                                            {"cube, sparse", day_cube_sparse, true},
                                            {"file", day_file, false}};
enum { DAY_N_PARTS = sizeof day_parts / sizeof day_parts[0] };

#endif
