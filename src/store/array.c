/* See array.h. Not for blocks whose size is known from the start: vf__alloc. */
#include "store/array.h"

#define LARGE ((size_t)VF__SIZED(8 << 20, 64, 1 << 30))

void vf__array_drop(const struct vf_context *ctx, struct vf__array *array, size_t size) {
    vf__free(ctx, array->data, array->capacity, size);
    *array = (struct vf__array){0};
}

/* What grows large is made anew once, since only a new block can ask for huge pages. */
enum vf_status vf__array_grow(const struct vf_context *ctx, struct vf__array *array, size_t count, size_t size,
                              struct vf_error *err) {
    if (array->data != NULL && count <= array->capacity) return VF_OK;
    size_t capacity = array->capacity + array->capacity / 2;
    if (capacity < count) capacity = count;
    void *data;
    if (array->data != NULL && array->capacity * size < LARGE && capacity >= LARGE / size) {
        data = vf__alloc(ctx, capacity, size);
        if (data != NULL) {
            memcpy(data, array->data, array->capacity * size);
            vf__array_drop(ctx, array, size);
        }
    } else {
        data = vf__resize(ctx, array->data, array->capacity, capacity, size);
    }
    if (data == NULL) return vf__fail_memory(err, capacity * size);
    *array = (struct vf__array){.data = data, .capacity = capacity};
    return VF_OK;
}
