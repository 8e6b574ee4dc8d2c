/* See polars_abi.h. Not for what is computed. */
#include "polars_abi.h"
#include "memory.h"

#include "arrow/build.h"
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- errors: text per thread, as the ABI asks ---- */

static _Thread_local char last_error[768];

EXPORT const char *_polars_plugin_get_last_error_message(void);
EXPORT const char *_polars_plugin_get_last_error_message(void) {
    return last_error;
}

EXPORT uint32_t _polars_plugin_get_version(void);
EXPORT uint32_t _polars_plugin_get_version(void) {
    return (0u << 16) | 1u;
}

void keep_error(const struct vf_error *err) {
    (void)snprintf(last_error, sizeof last_error, "%s [vizflow:%s:%lld:%lld:%s]", err->message,
                   vf_status_name(err->code), (long long)err->row, (long long)err->count, err->column);
}

/* ---- series in and out ---- */

static struct vf_series view(const struct SeriesExport *in) {
    return (struct vf_series){
        .schema = in->field, .chunks = (const struct ArrowArray *const *)in->arrays, .n_chunks = in->len};
}

static void release_inputs(struct SeriesExport *in, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < in[i].len; c++)
            if (in[i].arrays[c]->release != NULL) in[i].arrays[c]->release(in[i].arrays[c]);
        if (in[i].release != NULL) in[i].release(&in[i]);
    }
}

struct exported {
    struct vf_column column;
    struct ArrowArray *chunk;
};

/* Polars has bit-copied the array by now and owns its contents; the schema is still ours. */
static void release_export(struct SeriesExport *out) {
    struct exported *own = out->private_data;
    if (own == NULL) return;
    if (own->column.schema.release != NULL) own->column.schema.release(&own->column.schema);
    free(own);
    out->private_data = NULL;
    out->release = NULL;
}

static enum vf_status give(struct vf_column *column, struct SeriesExport *out, struct vf_error *err) {
    struct exported *own = malloc(sizeof *own);
    if (own == NULL) return vf__fail_memory(err, sizeof *own);
    own->column = *column;
    own->chunk = &own->column.array;
    *out = (struct SeriesExport){.field = &own->column.schema,
                                 .arrays = &own->chunk,
                                 .len = 1,
                                 .release = release_export,
                                 .private_data = own};
    return VF_OK;
}

#define INPUTS_MAX 12

void call_plugin(compute *function, size_t n_wanted, struct SeriesExport *in, size_t n, const uint8_t *data,
                 size_t length, struct SeriesExport *out) {
    struct vf_error err = {0};
    struct kwargs kwargs;
    struct vf_series series[INPUTS_MAX];
    struct vf_column column = {0};
    enum vf_status status = kwargs_read(data, length, &kwargs, &err);
    if (status == VF_OK && n != n_wanted)
        status = vf__fail(&err, VF_ERROR_ARGUMENT, NULL, -1, "%zu columns were given, %zu are needed", n,
                          n_wanted);
    if (status == VF_OK) {
        for (size_t i = 0; i < n; i++)
            series[i] = view(&in[i]);
        status = function(series, n, &kwargs, &column, &err);
    }
    if (status == VF_OK) {
        status = give(&column, out, &err);
        if (status != VF_OK) vf_column_release(&column);
    }
    if (status != VF_OK) keep_error(&err);
    release_inputs(in, n);
}

struct vf_context one_thread(void) {
    return extension_context(1);
}

void give_field(const struct ArrowSchema *in, size_t n, const char *format, struct ArrowSchema *out) {
    struct vf_error err = {0};
    struct vf_context ctx = one_thread();
    if (vf__schema_new(&ctx, format, n > 0 && in[0].name != NULL ? in[0].name : "", out, &err) != VF_OK)
        keep_error(&err);
}
