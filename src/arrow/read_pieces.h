/* What the files behind read.h share: a column's rows chunk by chunk.
   Not for others: they read through read.h. */
#ifndef VF_ARROW_READ_PIECES_H
#define VF_ARROW_READ_PIECES_H

#include "arrow/read.h"

/* VF_ERROR_ARGUMENT where the column does not have those rows. */
enum vf_status vf__check_range(const struct vf__reader *reader, int64_t row, int64_t n, struct vf_error *err);

/* VF_ERROR_TYPE: what the column is, and what is wanted. */
enum vf_status vf__wrong_type(const struct vf__reader *reader, const char *wanted, struct vf_error *err);

/* The values' validity in one piece; true when it may hold a null. */
bool vf__piece_valid(const struct vf__type *type, const struct vf__piece *p, uint8_t *out);

/* Keys of one piece into index[], with valid[] cleared where the key or what it stands for is null. */
enum vf_status vf__read_indexes(const struct vf__reader *reader, const struct vf__piece *p, int64_t row,
                                int64_t *index, uint8_t *valid, bool *any_null, struct vf_error *err);

/* vf__read_i64, and without `strict` the bits of what does not fit. */
enum vf_status vf__read_integers(struct vf__reader *reader, int64_t row, int64_t n, bool strict,
                                 int64_t *value_buffer, uint8_t *valid_buffer, const int64_t **values,
                                 const uint8_t **valid, struct vf_error *err);

#endif
