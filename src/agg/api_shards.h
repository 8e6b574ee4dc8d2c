/* What an aggregation is, for the files that update it and that give what it holds: api_*.c.
   Not a kernel: groups.h and states.h are. */
#ifndef VF_AGG_API_SHARDS_H
#define VF_AGG_API_SHARDS_H

#include "agg/groups.h"
#include "agg/ops.h"
#include "arrow/text_keys.h"

#define VF__MOST_SHARDS ((size_t)256)

/* A column's type as the first update had it; type.format is owned. */
struct column_type {
    struct vf__type type;
    char *format, *name;
};

/* Buffers of one block. */
struct scratch {
    struct vf__reader *readers; /* keys, then values: each thread moves its own through the columns */
    struct vf__group_key *keys;
    int64_t *key_values; /* n_keys blocks */
    uint8_t *key_valid;
    int64_t *ints; /* of the value column, like the next two */
    double *floats;
    uint8_t *valid;
    struct {
        int64_t *ints; /* the same memory as floats: a further column is read one way */
        double *floats;
        uint8_t *valid;
    } more[2];
    uint32_t *ids; /* a block, and VF__STATES_AHEAD more of a group that is there */
};

/* One thread's groups and states. Shard 0 knows every group, in order of first row; the others' states are moved
   to it by vf__agg_gather. */
struct shard {
    bool open;
    struct vf__groups groups;
    struct vf__states states;
    struct vf__text_keys *texts; /* n_keys */
    uint32_t *global;            /* the group's number in shard 0 */
    size_t n_global, global_capacity;
    struct scratch scratch;
    enum vf_status status;
    struct vf_error error;
};

struct vf_agg {
    struct vf_context ctx;
    size_t n_leaves, n_keys, n_values;
    struct vf__leaf *leaves;
    char **names;              /* of leaves */
    bool typed;                /* the first update has been seen */
    bool broken;               /* an update or merge failed half-way */
    bool in_order;             /* a leaf depends on the order of rows: no threads */
    bool spread;               /* other shards hold something that shard 0 has not got yet */
    struct column_type *types; /* keys, then values */
    struct vf__reader *readers;
    unsigned *reads; /* of each value column: enum vf__reads as bits */
    struct vf__layout layout;
    struct shard *shards;
    size_t n_shards;
    int64_t n_rows;
};

/* Keys and values. */
static inline size_t vf__agg_columns(const struct vf_agg *agg) {
    return agg->n_keys + agg->n_values;
}

/* ---- a thread's rows ---- */

/* Of a shard in either state: one that is open already stays so, one that is not needs no closing. */
void vf__shard_close(struct vf_agg *agg, struct shard *shard);
enum vf_status vf__shard_open(struct vf_agg *agg, struct shard *shard, struct vf_error *err);

/* Of vf__parallel's argument: rows for so many shards. */
struct vf__shard_rows {
    struct vf_agg *agg;
    int64_t n_rows;
    size_t n_shards;
};

/* The task of shard `index`: its share of the rows. What went wrong is in the shard. */
void vf__shard_run(void *arg, size_t index);

/* The batch's columns, read from their start. */
void vf__shard_take_readers(struct vf_agg *agg, struct shard *shard);

/* The groups of a block's rows, new ones included, to scratch.ids. */
enum vf_status vf__shard_find(struct vf_agg *agg, struct shard *shard, int64_t row, int64_t n,
                              struct vf_error *err);

/* ---- all of them ---- */

/* The numbers in shard 0 of groups [first, end) of `from`; those it has not got are added in that order. */
enum vf_status vf__agg_map_groups(struct vf_agg *agg, const struct shard *from, size_t first, size_t end,
                                  uint32_t *numbers, struct vf_error *err);

/* Tells shard 0 of the groups that a shard met first. In order of the shards, which took the rows in order: so
   groups are numbered by first row, whatever the threads. */
enum vf_status vf__agg_register_groups(struct vf_agg *agg, struct shard *shard, struct vf_error *err);

/* VF_ERROR_STATE after an update or a merge that broke off. */
enum vf_status vf__agg_check_usable(const struct vf_agg *agg, struct vf_error *err);

/* Every state in shard 0. VF_ERROR_STATE where that cannot be: nothing was seen yet, or an update broke off. */
enum vf_status vf__agg_gather(struct vf_agg *agg, struct vf_error *err);

/* Columns of shard 0's groups: key k, and leaf l's value under a name. */
enum vf_status vf__agg_give_key(const struct vf_agg *agg, size_t k, struct vf_column *out,
                                struct vf_error *err);
enum vf_status vf__agg_give_leaf(const struct vf_agg *agg, size_t l, const char *name, struct vf_column *out,
                                 struct vf_error *err);

#endif
