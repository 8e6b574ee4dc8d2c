/* Whether rows read a second time are the rows read first: a 64-bit sum for every 4096 rows, 2 bytes a
   thousand rows. Not a signature: it finds reordered, changed, missing and added rows, not a forger. */
#ifndef VF_STORE_REPLAY_H
#define VF_STORE_REPLAY_H

#include "base/base.h"

#define VF__REPLAY_BLOCK 4096

struct vf__replay {
    struct vf_context ctx;
    uint64_t *sums; /* block b is rows [b * VF__REPLAY_BLOCK, ...) */
    size_t capacity;
    int64_t n_rows; /* learnt */
    int64_t next;   /* row that the running comparison expects; 0 at its start */
    uint64_t sum;   /* of the rows of next's block that were compared already */
};

/* ctx as completed by vf__context. Nothing is allocated yet. */
void vf__replay_init(struct vf__replay *replay, const struct vf_context *ctx);
void vf__replay_release(struct vf__replay *replay);

/* Room for n more rows, so that learning them cannot fail. The only call that allocates. */
enum vf_status vf__replay_reserve(struct vf__replay *replay, int64_t n, struct vf_error *err);

/* The next n rows, within what was reserved: a word a row, any 64 bits that stand for what must come again.
 */
void vf__replay_learn(struct vf__replay *replay, const uint64_t *words, int64_t n);

/* Rows read again, in order: first_row is replay->next. False when a block that ends here differs, or more
   rows come than were learnt; then *bad_row is the first row of that block (of the surplus) and nothing has
   changed. A block is judged at its last row: call vf__replay_finished at the end. */
bool vf__replay_compare(struct vf__replay *replay, const uint64_t *words, int64_t first_row, int64_t n,
                        int64_t *bad_row);

/* The same in two steps, for threads: sums of pieces that lie within one block, to be added up by block, and
   their comparison. sums[i] is of those of the n rows that lie in block first_row / VF__REPLAY_BLOCK + i. */
uint64_t vf__replay_sum(const uint64_t *words, int64_t first_row, int64_t n);
bool vf__replay_compare_sums(struct vf__replay *replay, const uint64_t *sums, int64_t first_row, int64_t n,
                             int64_t *bad_row);

/* Starts another comparison from row 0. */
void vf__replay_rewind(struct vf__replay *replay);

/* All rows that were learnt have been compared. */
bool vf__replay_finished(const struct vf__replay *replay);

/* A place to go back to when a call that has learnt or compared some rows fails after all. */
struct vf__replay_point {
    int64_t n_rows, next;
    uint64_t last, sum;
};
struct vf__replay_point vf__replay_here(const struct vf__replay *replay);
void vf__replay_back(struct vf__replay *replay, const struct vf__replay_point *point);

#endif
