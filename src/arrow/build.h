/* Makes the Arrow columns that are given to the caller, and moves those that pass through.
   Not for reading. */
#ifndef VF_ARROW_BUILD_H
#define VF_ARROW_BUILD_H

#include "arrow/type.h"

/* A fixed-width column of n rows: schema `format` and `name` (copied), value buffer of n * width bytes (width
   0: a bitmap, zeroed), validity bitmap all ones when `nullable` (else none). The buffers are the caller's to
   fill until vf__column_done; both live in out->array. */
enum vf_status vf__column_new(const struct vf_context *ctx, const char *format, const char *name, int64_t n,
                              uint32_t width, bool nullable, struct vf_column *out, void **values,
                              uint8_t **validity, struct vf_error *err);

/* Counts the nulls, and drops a validity bitmap that has none. */
void vf__column_done(struct vf_column *column);

/* The end of a call that makes one column: done and moved to *out, or released where the status says so. */
enum vf_status vf__column_give(enum vf_status status, struct vf_column *column, struct vf_column *out);

/* Nulls where ok[], 0 or 1, is 0, of the rows [row, row + n). */
void vf__validity_clear(uint8_t *validity, int64_t row, int64_t n, const uint8_t *ok);

/* A column of n texts, large strings (utf8) or large binaries: the layout that any reader of Arrow takes and that no
   length overflows. All null and without text until the caller fills validity, offsets (n + 1) and data (`bytes` of
   them); vf__column_done ends it. */
enum vf_status vf__texts_new(const struct vf_context *ctx, bool utf8, const char *name, size_t n, size_t bytes,
                             struct vf_column *out, uint8_t **validity, int64_t **offsets, uint8_t **data,
                             struct vf_error *err);

/* A schema alone: format, name, nullable. */
enum vf_status vf__schema_new(const struct vf_context *ctx, const char *format, const char *name,
                              struct ArrowSchema *out, struct vf_error *err);
/* A deep copy, dictionary and metadata included: Polars keeps its enum's and categorical's categories there. */
enum vf_status vf__schema_copy(const struct vf_context *ctx, const struct ArrowSchema *schema,
                               struct ArrowSchema *out, struct vf_error *err);

/* An array of n_buffers buffers, all NULL, to be filled by the caller: buffers set with vf__array_buffer
   belong to the array. At its release the array frees its buffers, releases its dictionary, and calls
   release_owner(owner) when it is not NULL. */
enum vf_status vf__array_new(const struct vf_context *ctx, int64_t n_buffers, int64_t length,
                             struct ArrowArray *out, struct vf_error *err);
void *vf__array_buffer(struct ArrowArray *array, int64_t index, size_t bytes,
                       bool zero); /* NULL: no memory */
void vf__array_borrow(struct ArrowArray *array, int64_t index,
                      const void *buffer); /* kept alive by the owner */
void vf__array_own(struct ArrowArray *array, void *owner, void (*release_owner)(void *owner));

#endif
