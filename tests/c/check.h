/* The few lines every C test needs: checks that count and go on, columns from plain arrays, an allocator that
   fails on order. One test file is one program; main calls CHECK_MAIN(...). */
#ifndef VF_TESTS_CHECK_H
#define VF_TESTS_CHECK_H

#include "vizflow/vizflow.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long check__n, check__failed;

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        check__n++;                                                                                          \
        if (!(condition)) {                                                                                  \
            check__failed++;                                                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                  \
        }                                                                                                    \
    } while (0)

#define CHECK_I64(got, want)                                                                                 \
    do {                                                                                                     \
        int64_t check__got = (int64_t)(got), check__want = (int64_t)(want);                                  \
        check__n++;                                                                                          \
        if (check__got != check__want) {                                                                     \
            check__failed++;                                                                                 \
            fprintf(stderr, "%s:%d: %s is %" PRId64 ", not %" PRId64 "\n", __FILE__, __LINE__, #got,         \
                    check__got, check__want);                                                                \
        }                                                                                                    \
    } while (0)

/* EXACT: the same bits (all NaN alike). */
#define CHECK_F64(got, want)                                                                                 \
    do {                                                                                                     \
        double check__got = (got), check__want = (want);                                                     \
        check__n++;                                                                                          \
        if (!(check__got == check__want || (isnan(check__got) && isnan(check__want)))) {                     \
            check__failed++;                                                                                 \
            fprintf(stderr, "%s:%d: %s is %.17g, not %.17g\n", __FILE__, __LINE__, #got, check__got,         \
                    check__want);                                                                            \
        }                                                                                                    \
    } while (0)

/* The call's status, with the message printed when it is another. */
#define CHECK_STATUS(call, want)                                                                             \
    do {                                                                                                     \
        enum vf_status check__status = (call);                                                               \
        check__n++;                                                                                          \
        if (check__status != (want)) {                                                                       \
            check__failed++;                                                                                 \
            fprintf(stderr, "%s:%d: %s: %s, not %s: %s\n", __FILE__, __LINE__, #call,                        \
                    vf_status_name(check__status), vf_status_name(want), check_error.message);               \
        }                                                                                                    \
    } while (0)
#define CHECK_OK(call) CHECK_STATUS(call, VF_OK)

static struct vf_error check_error; /* pass &check_error as err */

#ifdef CHECK_ENTRIES
static inline void check_entry_report(void);
#else
#define check_entry_report() ((void)0)
#endif

static inline int check_report(const char *name) {
    check_entry_report();
    printf("%s: %ld checks, %ld failed\n", name, check__n, check__failed);
    return check__failed == 0 ? 0 : 1;
}

/* ---- columns from plain arrays; nothing is owned, nothing to release --------------------------------------
 */

struct check_column {
    struct ArrowSchema schema;
    struct ArrowArray array;
    const void *buffers[3];
    const struct ArrowArray *chunk;
    struct vf_series series;
};

/* validity: an Arrow bitmap or NULL. buffers[1] are the values; text columns bring offsets and data. The
   column must not move afterwards. */
static inline const struct vf_series *check_series(struct check_column *c, const char *format,
                                                   const char *name, int64_t n, const uint8_t *validity,
                                                   const void *values, const void *data) {
    memset(c, 0, sizeof *c);
    c->schema.format = format;
    c->schema.name = name;
    c->schema.flags = ARROW_FLAG_NULLABLE;
    c->buffers[0] = validity;
    c->buffers[1] = values;
    c->buffers[2] = data;
    c->array.length = n;
    c->array.null_count = validity != NULL ? -1 : 0;
    c->array.n_buffers = data != NULL ? 3 : 2;
    c->array.buffers = c->buffers;
    c->chunk = &c->array;
    c->series.schema = &c->schema;
    c->series.chunks = &c->chunk;
    c->series.n_chunks = 1;
    return &c->series;
}

/* Rubbish in what a call is to fill (struct vf_column, counts, pointers): that it was zero must never help. */
#define CHECK_POISON(outputs) memset(&(outputs), 0xa5, sizeof(outputs))

static inline bool check_is_rubbish(const void *output, size_t size) {
    const uint8_t *bytes = output;
    size_t i = 0;
    while (i < size && bytes[i] == 0xa5)
        i++;
    return i == size;
}

/* Ends a poisoned column that a call was to give: it gave one, or left the rubbish that was there. */
static inline void check_release(struct vf_column *column) {
    if (check_is_rubbish(column, sizeof *column)) return;
    CHECK(column->schema.release != NULL && column->array.release != NULL);
    vf_column_release(column);
    memset(column, 0xa5, sizeof *column);
}

static inline bool check_valid(const struct vf_column *c, int64_t i) {
    const uint8_t *bits = c->array.buffers[0];
    return bits == NULL || ((bits[i >> 3] >> (i & 7)) & 1);
}
static inline int64_t check_i64(const struct vf_column *c, int64_t i) {
    return ((const int64_t *)c->array.buffers[1])[i];
}
static inline double check_f64(const struct vf_column *c, int64_t i) {
    return ((const double *)c->array.buffers[1])[i];
}
static inline uint32_t check_u32(const struct vf_column *c, int64_t i) {
    return ((const uint32_t *)c->array.buffers[1])[i];
}
static inline bool check_bool(const struct vf_column *c, int64_t i) {
    return (((const uint8_t *)c->array.buffers[1])[i >> 3] >> (i & 7)) & 1;
}

/* ---- an allocator that counts, and fails the n-th call (once, or from then on) ---- */

struct check_faults {
    atomic_long calls;
    long fail_at; /* 0: never; changed while no other thread allocates */
    bool for_ever;
    atomic_long live;   /* blocks not yet released */
    atomic_long failed; /* calls that were refused */
};

/* tools/check_faults.py compiles the fault programs with a header of its own, which notes whose memory is refused. */
#ifdef CHECK_ENTRIES
static inline void check_entry_note(bool fails, bool for_ever);
#else
#define check_entry_note(fails, for_ever) ((void)0)
#endif

static inline bool check__fails(struct check_faults *f) {
    long call = atomic_fetch_add(&f->calls, 1) + 1;
    bool fails = f->fail_at != 0 && (call == f->fail_at || (f->for_ever && call > f->fail_at));
    if (fails) atomic_fetch_add(&f->failed, 1);
    check_entry_note(fails, f->for_ever);
    return fails;
}
/* Each block remembers its size: release and resize must be told the truth, since allocators may rely on it. */
union check__header {
    size_t size;
    max_align_t align;
};
/* A wrong size ends the program: checks are counted, and counting is not for several threads at once. */
static inline void check__size(size_t told, const union check__header *block) {
    if (told == block->size) return;
    fprintf(stderr, "the allocator was told %zu bytes of a block of %zu\n", told, block->size);
    abort();
}

static inline void *check__allocate(void *state, size_t size) {
    struct check_faults *f = state;
    if (check__fails(f)) return NULL;
    union check__header *block = malloc(sizeof *block + size);
    if (block == NULL) return NULL;
    block->size = size;
    f->live++;
    return block + 1;
}
static inline void *check__resize(void *state, void *data, size_t old_size, size_t new_size) {
    union check__header *block = (union check__header *)data - 1;
    check__size(old_size, block);
    if (check__fails(state)) return NULL;
    block = realloc(block, sizeof *block + new_size);
    if (block == NULL) return NULL;
    block->size = new_size;
    return block + 1;
}
static inline void check__release(void *state, void *data, size_t size) {
    struct check_faults *f = state;
    union check__header *block = (union check__header *)data - 1;
    check__size(size, block);
    f->live--;
    free(block);
}

/* Single-threaded unless the caller says otherwise. */
static inline struct vf_context check_context(struct check_faults *f) {
    return (struct vf_context){.allocator = {.allocate = check__allocate,
                                             .resize = check__resize,
                                             .release = check__release,
                                             .state = f},
                               .n_threads = 1};
}

/* Runs scenario(ctx) with the 1st, 2nd, ... allocation failing until it gets through, once each and from then
   on. scenario returns the status it met, releases everything it made, and must meet VF_ERROR_MEMORY or
   VF_OK. */
static inline void check_all_faults(enum vf_status (*scenario)(const struct vf_context *ctx)) {
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        for (long at = 1; at < 100000; at++) {
            struct check_faults faults = {.fail_at = at, .for_ever = for_ever != 0};
            struct vf_context ctx = check_context(&faults);
            enum vf_status status = scenario(&ctx);
            CHECK_I64(faults.live, 0);
            if (faults.calls < at) {
                CHECK(status == VF_OK);
                break;
            }
            CHECK(status == VF_ERROR_MEMORY || (status == VF_OK && !for_ever));
        }
    }
}

#endif
