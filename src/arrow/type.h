/* What an ArrowSchema says, in one small struct.
   Not for nested types: structs and lists are only taken apart at the edge (api_*.c, python/ext). */
#ifndef VF_ARROW_TYPE_H
#define VF_ARROW_TYPE_H

#include "base/base.h"

enum vf__kind {
    VF__NULL,
    VF__BOOL,
    VF__INT,   /* width 1, 2, 4, 8 */
    VF__UINT,  /* width 1, 2, 4, 8 */
    VF__FLOAT, /* width 4, 8 */
    VF__TEXT,  /* utf8 or binary; `layout` says how it lies in memory */
    VF__DATE,  /* width 4: days; 8: milliseconds */
    VF__TIME,
    VF__TIMESTAMP,
    VF__DURATION,
    VF__DECIMAL /* width 16; only of readers that were opened for it */
};

enum vf__text_layout { VF__OFFSETS32, VF__OFFSETS64, VF__VIEWS };

struct vf__type {
    enum vf__kind kind;
    uint32_t width;              /* bytes a value; 0 for bool and null; of texts: of an offset or a view */
    enum vf__text_layout layout; /* of texts */
    bool utf8;                   /* of texts: utf8 rather than binary */
    int64_t ns;                  /* of times: nanoseconds a unit (days: VF_DAY_NS) */
    bool zoned;                  /* of timestamps */
    int32_t scale;               /* of decimals: digits behind the point */
    bool dictionary;             /* the rest describes the dictionary's values; index_* its keys */
    uint32_t index_width;
    bool index_signed;
    const char *format; /* borrowed from the schema: of the values when a dictionary */
};

/* VF_ERROR_TYPE with the column's name for types the library does not know, VF_ERROR_ARROW for no schema. */
enum vf_status vf__type_parse(const struct ArrowSchema *schema, struct vf__type *type, struct vf_error *err);

/* As vf__type_parse, and decimals of 128 bits. */
enum vf_status vf__type_parse_decimal(const struct ArrowSchema *schema, struct vf__type *type, struct vf_error *err);

bool vf__type_is_integer(const struct vf__type *type); /* int or uint */
bool vf__type_is_number(const struct vf__type *type);  /* and float */
bool vf__type_is_temporal(const struct vf__type *type);

/* A name for messages: "Int64", "Datetime(ns)", "String"; static. */
const char *vf__type_name(const struct vf__type *type);

/* The schema's name, or "" for none. */
const char *vf__schema_name(const struct ArrowSchema *schema);

#endif
