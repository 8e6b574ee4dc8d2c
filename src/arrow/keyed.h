/* Rows to dense group numbers, by any number of key columns, over batches whose columns must mean the same.
   Not for what a group holds: callers keep that in arrays indexed by the number. */
#ifndef VF_ARROW_KEYED_H
#define VF_ARROW_KEYED_H

#include "arrow/read.h"

/* What two columns must share for their values to compare: seconds and durations do, dates and texts do not. */
enum vf__meaning {
    VF__MEANS_NOTHING = 0, /* a column of nulls: it meets any */
    VF__MEANS_NUMBER,
    VF__MEANS_BOOLEAN,
    VF__MEANS_TEXT,
    VF__MEANS_DAYS,
    VF__MEANS_NAIVE,
    VF__MEANS_ZONED,
    VF__MEANS_CLOCK,
    VF__MEANS_LENGTH
};

enum vf__meaning vf__meaning_of(const struct vf__type *type);
/* Of a time column: numbers and durations are both lengths of time, and a date is a point in time. */
enum vf__meaning vf__time_meaning(const struct vf__type *type);
/* VF_ERROR_TYPE where a time's meaning is not the one of batches before; NOTHING meets any. */
enum vf_status vf__time_agrees(enum vf__meaning before, const struct vf__reader *time, struct vf_error *err);

struct vf__keyed_column {
    enum vf__meaning meaning; /* NOTHING until a column is not all null */
    int64_t ns;               /* of temporal types: keys are compared in their own unit */
    struct vf__keys values;   /* numbers of its values */
    struct vf__keys pairs;    /* numbers of (group by the columns before, number of the value) */
};

struct vf__keyed {
    struct vf_context ctx;
    struct vf__keyed_column *keys;
    size_t n_keys;
    bool settled; /* a batch was taken: the number of keys is fixed */
};

/* ctx as completed by vf__context. */
void vf__keyed_init(struct vf__keyed *groups, const struct vf_context *ctx);
void vf__keyed_release(struct vf__keyed *groups);

/* Whether these columns can be keys, and meet those of the batches before: VF_ERROR_TYPE or VF_ERROR_ARGUMENT. */
enum vf_status vf__keyed_check(const struct vf__keyed *groups, const struct vf__reader *readers,
                               size_t n_keys, struct vf_error *err);
/* Tables for checked columns; before the first vf__keyed_read of a batch. */
enum vf_status vf__keyed_prepare(struct vf__keyed *groups, const struct vf__reader *readers, size_t n_keys,
                                 struct vf_error *err);
/* Group numbers of the rows [row, row + n), n of any size; VF__NO_KEY where a key is null. New ones are added. */
enum vf_status vf__keyed_read(struct vf__keyed *groups, struct vf__reader *readers, int64_t row, int64_t n,
                              uint32_t *group, struct vf_error *err);
/* The batch was taken: its columns say what keys mean from now on. */
void vf__keyed_settle(struct vf__keyed *groups, const struct vf__reader *readers);

/* A batch's columns, read together: the keys, then those of its other columns that there are. */
struct vf__keyed_batch {
    struct vf__reader *readers;
    size_t n_keys, n_readers;
    int64_t n_rows;
    struct vf__reader *others[4]; /* as they were asked for; NULL: not there */
};

/* A column beside the keys: there or NULL, and whether it may be of decimals. */
struct vf__keyed_other {
    const struct vf_series *series;
    bool decimals;
};

/* Opens the columns and checks that they have the same length and that the keys are such; what else they must be is the
   caller's to check. VF_ERROR_ARGUMENT, VF_ERROR_TYPE, VF_ERROR_MEMORY, or what opening a column gives; nothing is held
   then. n_others <= 4, and one column at least. */
enum vf_status vf__keyed_batch_open(const struct vf__keyed *groups, const struct vf_series *keys,
                                    size_t n_keys, const struct vf__keyed_other *others, size_t n_others,
                                    struct vf__keyed_batch *out, struct vf_error *err);
void vf__keyed_batch_close(const struct vf__keyed *groups, struct vf__keyed_batch *batch);

/* No key is new any more: unknown ones read as VF__NO_KEY, and vf__keyed_read may run in several threads at once, each
   with readers of its own. */
void vf__keyed_freeze(struct vf__keyed *groups);

/* The two steps of vf__keyed_read, for callers with a quicker first one for some columns: numbers of the values of key
   column k; and, for k > 0, group[i] becomes the number of the pair (group[i], ids[i]). */
enum vf_status vf__keyed_values(struct vf__keyed *groups, size_t k, struct vf__reader *reader, int64_t row,
                                int64_t n, uint32_t *ids, struct vf_error *err);
enum vf_status vf__keyed_combine(struct vf__keyed *groups, size_t k, const uint32_t *ids, int64_t n,
                                 uint32_t *group, struct vf_error *err);

size_t vf__keyed_count(const struct vf__keyed *groups);

/* A word a row that stands for its keys in a replay check. n <= VF__KEYED_BLOCK. */
#define VF__KEYED_BLOCK VF__SIZED(1024, 8, 8192)
enum vf_status vf__keyed_words(struct vf__reader *readers, size_t n_keys, int64_t row, int64_t n,
                               uint64_t *words, struct vf_error *err);

#endif
