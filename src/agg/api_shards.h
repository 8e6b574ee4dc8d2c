/* What an aggregation is, for the files of api/ that update it and that give what it holds.
   Not a kernel: groups and states are in agg/. */
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
   to it by fold(). */
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

/* Every state in shard 0. VF_ERROR_STATE where that cannot be: nothing was seen yet, or an update broke off. */
enum vf_status vf__agg_gather(struct vf_agg *agg, struct vf_error *err);

/* Columns of shard 0's groups: key k, and leaf l's value under a name. */
enum vf_status vf__agg_give_key(const struct vf_agg *agg, size_t k, struct vf_column *out,
                                struct vf_error *err);
enum vf_status vf__agg_give_leaf(const struct vf_agg *agg, size_t l, const char *name, struct vf_column *out,
                                 struct vf_error *err);

#endif
