/* Horizons as options give them: the checks, and the names of the columns that hold their results.
   Not for looking anything up. */
#ifndef VF_MARK_HORIZONS_H
#define VF_MARK_HORIZONS_H

#include "base/base.h"

/* VF_ERROR_ARGUMENT unless there is a horizon, the method is known and each is given once; `positive`: and > 0. */
enum vf_status vf__horizons_check(const int64_t *horizons_ns, size_t n, enum vf_mark_method method, bool positive,
                                  struct vf_error *err);

/* n names one after another, each ended by '\0': those given, or else the prefix and seconds without trailing zeros,
   as in return_60 and row_-0.5. *bytes of them, which the caller frees. */
enum vf_status vf__horizons_names(const struct vf_context *ctx, const int64_t *horizons_ns, size_t n,
                                  const char *given, const char *prefix, char **names, size_t *bytes,
                                  struct vf_error *err);

#endif
