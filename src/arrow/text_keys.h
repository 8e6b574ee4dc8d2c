/* Text keys of a group-by to dense numbers, at the speed of integers where texts are short or few.
   Not the general way (vf__read_keys): this one remembers the texts it met last, a thread. */
#ifndef VF_ARROW_TEXT_KEYS_H
#define VF_ARROW_TEXT_KEYS_H

#include "arrow/read.h"

#define VF__TEXT_CACHE 64

/* A view of up to 12 bytes is its own 16 bytes: length, text, zeros. */
struct vf__text_entry {
    uint64_t word[2];
    uint32_t id;
};

struct vf__text_keys {
    struct vf__keys keys;
    struct vf__text_entry cache[VF__TEXT_CACHE];
    const struct ArrowArray *dictionary; /* the one that `map` is of */
    uint32_t *map; /* dense number + 2, 1 for null, 0 for not met, by dictionary index */
    size_t map_capacity;
};

void vf__text_keys_init(struct vf__text_keys *text, const struct vf_context *ctx);
void vf__text_keys_release(struct vf__text_keys *text);

/* To be called before the first read of another series: its arrays may stand where others stood. */
void vf__text_keys_forget(struct vf__text_keys *text);

/* Dense numbers of the rows [row, row + n) into values[n]; *valid as in vf__read_i64. */
enum vf_status vf__text_keys_read(struct vf__text_keys *text, struct vf__reader *reader, int64_t row,
                                  int64_t n, int64_t *values, uint8_t *valid_buffer, const uint8_t **valid,
                                  struct vf_error *err);

#endif
