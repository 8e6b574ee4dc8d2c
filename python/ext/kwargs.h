/* Reads the keyword arguments of a plugin call: one flat dict that Python pickled (protocol 5).
   Not an unpickler: it knows the few opcodes that such a dict needs and refuses every other, so it runs no
   code. */
#ifndef VF_EXT_KWARGS_H
#define VF_EXT_KWARGS_H

#include "vizflow/vizflow.h"

enum kwarg_kind { KWARG_NONE, KWARG_BOOL, KWARG_INT, KWARG_FLOAT, KWARG_TEXT, KWARG_LIST };

#define KWARGS_MAX 16
#define KWARGS_LIST_MAX 256

struct kwarg {
    const uint8_t *key;
    size_t key_length;
    enum kwarg_kind kind;
    int64_t integer; /* of bool and int */
    double number;   /* of float */
    const uint8_t *text;
    size_t text_length;
    size_t list_start, list_length; /* of lists of ints */
};

struct kwargs {
    struct kwarg items[KWARGS_MAX];
    size_t n;
    int64_t list[KWARGS_LIST_MAX];
    size_t list_length;
};

/* Texts point into data. */
enum vf_status kwargs_read(const uint8_t *data, size_t length, struct kwargs *out, struct vf_error *err);

/* Whether a name is there, and not None. */
bool kwargs_has(const struct kwargs *kwargs, const char *name);

/* Values by name; a missing one, or one of another kind, fails. */
enum vf_status kwargs_int(const struct kwargs *kwargs, const char *name, int64_t *out, struct vf_error *err);
enum vf_status kwargs_float(const struct kwargs *kwargs, const char *name, double *out, struct vf_error *err);
enum vf_status kwargs_text(const struct kwargs *kwargs, const char *name, char *out, size_t size,
                           struct vf_error *err);
/* The text where it lies in the data: not ended by a NUL. */
enum vf_status kwargs_view(const struct kwargs *kwargs, const char *name, const char **out, size_t *length,
                           struct vf_error *err);
enum vf_status kwargs_list(const struct kwargs *kwargs, const char *name, const int64_t **out, size_t *n,
                           struct vf_error *err);

#define OFFSETS_MAX 640

/* A time zone as the face writes it: pairs of numbers, "from offset ", in seconds; an offset of a day or more says that
   it is not known. Gives how many were read, at most OFFSETS_MAX. */
size_t offsets_read(const char *text, size_t length, struct vf_offset *out);

#endif
