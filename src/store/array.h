/* An array that grows. Not for counting what is in it: that is its owner's. */
#ifndef VF_STORE_ARRAY_H
#define VF_STORE_ARRAY_H

#include "base/base.h"

struct vf__array {
    void *data;
    size_t capacity;
};

/* Room for `count` elements of `size` bytes, and for more, so that adding one at a time is cheap. VF_ERROR_MEMORY leaves
   the array as it was. */
enum vf_status vf__array_grow(const struct vf_context *ctx, struct vf__array *array, size_t count, size_t size,
                              struct vf_error *err);
void vf__array_drop(const struct vf_context *ctx, struct vf__array *array, size_t size);

#endif
