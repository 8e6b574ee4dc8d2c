/* Polars' C ABI of expression plugins, version 0.1: series in and out, errors, and the two symbols of a function.
   Not for Python: nothing here touches the interpreter, so Polars may call it from any thread.
   ABI: crates/polars-ffi/src/version_0.rs and crates/polars-plan/src/dsl/.../plugin.rs of Polars. */
#ifndef VF_EXT_POLARS_ABI_H
#define VF_EXT_POLARS_ABI_H

#include "kwargs.h"

struct SeriesExport {
    struct ArrowSchema *field;
    struct ArrowArray **arrays;
    size_t len;
    void (*release)(struct SeriesExport *);
    void *private_data;
};

#define EXPORT __attribute__((visibility("default")))

/* What a function computes; the column is its caller's. */
typedef enum vf_status compute(const struct vf_series *in, size_t n, const struct kwargs *kwargs,
                               struct vf_column *out, struct vf_error *err);

/* One call of it, as Polars makes them: the columns, the pickled arguments, and the series that is given. */
void call_plugin(compute *function, size_t n_wanted, struct SeriesExport *in, size_t n, const uint8_t *data,
                 size_t length, struct SeriesExport *out);

/* For Polars to ask after: the face turns "message [vizflow:STATUS:row:count:column]" back into its own exception. */
void keep_error(const struct vf_error *err);

/* Single-threaded: Polars already runs a call a morsel. */
struct vf_context one_thread(void);

/* The field of what a function gives: the first column's name, and this type. */
void give_field(const struct ArrowSchema *in, size_t n, const char *format, struct ArrowSchema *out);

#define PLUGIN(function, n_inputs)                                                                           \
    EXPORT void _polars_plugin_##function(struct SeriesExport *in, size_t n, const uint8_t *kwargs,          \
                                          size_t length, struct SeriesExport *out, void *context);           \
    EXPORT void _polars_plugin_##function(struct SeriesExport *in, size_t n, const uint8_t *kwargs,          \
                                          size_t length, struct SeriesExport *out, void *context) {          \
        (void)context;                                                                                       \
        call_plugin(function, n_inputs, in, n, kwargs, length, out);                                         \
    }                                                                                                        \
    EXPORT void _polars_plugin_field_##function(const struct ArrowSchema *in, size_t n,                      \
                                                struct ArrowSchema *out, const uint8_t *kwargs,              \
                                                size_t length)

#define PLUGIN_FIELD(function)                                                                               \
    EXPORT void _polars_plugin_field_##function(const struct ArrowSchema *in, size_t n,                      \
                                                struct ArrowSchema *out, const uint8_t *kwargs,              \
                                                size_t length)

#endif
