/* First and last values: each with its place, so that threads, chunks and merges may come in any order.
   Not for extremes of values; see states.c. */
#include "agg/loops.h"

/* A null date of a stored state: before every date, and not rows of the object itself. */
#define NULL_DATE (VF__NO_PART + 1)

static int compare(const struct vf__at *a, const struct vf__at *b) {
    if (a->part != b->part) return a->part < b->part ? -1 : 1;
    if (a->row != b->row) return a->row < b->row ? -1 : 1;
    if (a->has != b->has) return a->has < b->has ? -1 : 1; /* the same place twice: still one answer */
    return a->word < b->word ? -1 : a->word > b->word;
}

static inline void take(struct vf__at *state, const struct vf__at *at, bool last) {
    if ((state->has & VF__AT_ROW) == 0 || (compare(at, state) > 0) == last) *state = *at;
}

static inline int64_t word_of(const struct vf__state_block *b, bool real, size_t i) {
    int64_t word;
    if (!real) return b->ints[i];
    memcpy(&word, &b->floats[i], sizeof word);
    return word;
}

static inline struct vf__at value_at(const struct vf__run *r, const struct vf__state_block *b, bool real,
                                     size_t i) {
    bool valid = vf__row_valid(r->valid, i);
    return (struct vf__at){.word = valid ? word_of(b, real, i) : 0,
                           .has = VF__AT_ROW | (valid ? VF__AT_VALUE : 0)};
}

/* Rows of the object itself; more[0], where it is there, says which count. */
static inline bool own_rows(struct vf__run r, const struct vf__state_block *b, bool real, bool last) {
    const int64_t *which = b->more[0].ints;
    for (size_t i = 0; i < r.n; i++) {
        if (which != NULL && (which[i] == 0 || !vf__row_valid(b->more[0].valid, i))) continue;
        struct vf__at *state = vf__state_at(&r, i);
        int64_t row = b->first_row + (int64_t)i;
        if ((state->has & VF__AT_ROW) != 0 && (row > state->row) != last)
            continue; /* its part is VF__NO_PART */
        *state = value_at(&r, b, real, i);
        state->part = VF__NO_PART;
        state->row = row;
    }
    return true;
}

/* Stored states: more[0] is the date, more[1] the row. */
static inline bool stored(struct vf__run r, const struct vf__state_block *b, bool real, bool last) {
    for (size_t i = 0; i < r.n; i++) {
        if (!vf__row_valid(b->more[1].valid, i)) continue;
        struct vf__at at = value_at(&r, b, real, i);
        at.part = vf__row_valid(b->more[0].valid, i) ? b->more[0].ints[i] : NULL_DATE;
        at.row = b->more[1].ints[i];
        take(vf__state_at(&r, i), &at, last);
    }
    return true;
}

#define PLACE(name, loop, real, last)                                                                        \
    static bool name(struct vf__run r, const struct vf__state_block *b, struct vf__spills *spills) {         \
        (void)spills;                                                                                        \
        return loop(r, b, real, last);                                                                       \
    }

PLACE(first_int_update, own_rows, false, false)
PLACE(first_float_update, own_rows, true, false)
PLACE(last_int_update, own_rows, false, true)
PLACE(last_float_update, own_rows, true, true)
PLACE(merged_first_int_update, stored, false, false)
PLACE(merged_first_float_update, stored, true, false)
PLACE(merged_last_int_update, stored, false, true)
PLACE(merged_last_float_update, stored, true, true)

static bool merge(struct vf__at *to, const struct vf__at *from, const struct vf__merging *how, bool last) {
    struct vf__at at = *from;
    if ((at.has & VF__AT_ROW) == 0) return true;
    if (at.part == VF__NO_PART) at.row += how->rows_before;
    take(to, &at, last);
    return true;
}

static bool first_merge(void *to, const void *from, const struct vf__merging *how) {
    return merge(to, from, how, false);
}

static bool last_merge(void *to, const void *from, const struct vf__merging *how) {
    return merge(to, from, how, true);
}

/* ---- the kinds ---- */

const struct vf__state_kind vf__first_int_kind = {
    sizeof(struct vf__at), VF__START_ZERO, first_int_update, first_merge, VF__READS_INTS, {VF__READS_INTS}};
const struct vf__state_kind vf__first_float_kind = {
    sizeof(struct vf__at), VF__START_ZERO, first_float_update, first_merge, VF__READS_FLOATS,
    {VF__READS_INTS}};
const struct vf__state_kind vf__last_int_kind = {
    sizeof(struct vf__at), VF__START_ZERO, last_int_update, last_merge, VF__READS_INTS, {VF__READS_INTS}};
const struct vf__state_kind vf__last_float_kind = {
    sizeof(struct vf__at), VF__START_ZERO, last_float_update, last_merge, VF__READS_FLOATS, {VF__READS_INTS}};
const struct vf__state_kind vf__merged_first_int_kind = {
    sizeof(struct vf__at), VF__START_ZERO, merged_first_int_update, first_merge, VF__READS_INTS,
    {VF__READS_INTS, VF__READS_INTS}};
const struct vf__state_kind vf__merged_first_float_kind = {
    sizeof(struct vf__at), VF__START_ZERO, merged_first_float_update, first_merge, VF__READS_FLOATS,
    {VF__READS_INTS, VF__READS_INTS}};
const struct vf__state_kind vf__merged_last_int_kind = {
    sizeof(struct vf__at), VF__START_ZERO, merged_last_int_update, last_merge, VF__READS_INTS,
    {VF__READS_INTS, VF__READS_INTS}};
const struct vf__state_kind vf__merged_last_float_kind = {
    sizeof(struct vf__at), VF__START_ZERO, merged_last_float_update, last_merge, VF__READS_FLOATS,
    {VF__READS_INTS, VF__READS_INTS}};
