/* Reads Arrow format strings; see type.h. Not for building them. */
#include "arrow/type.h"

#include <stdio.h>

const char *vf__schema_name(const struct ArrowSchema *schema) {
    return schema != NULL && schema->name != NULL ? schema->name : "";
}

static int64_t unit_ns(char unit) {
    switch (unit) {
    case 's':
        return INT64_C(1000000000);
    case 'm':
        return INT64_C(1000000);
    case 'u':
        return INT64_C(1000);
    case 'n':
        return 1;
    default:
        return 0;
    }
}

static bool parse_number(const char *f, struct vf__type *type) {
    static const struct {
        char letter;
        enum vf__kind kind;
        uint32_t width;
    } table[] = {{'n', VF__NULL, 0}, {'b', VF__BOOL, 0}, {'c', VF__INT, 1},   {'C', VF__UINT, 1},
                 {'s', VF__INT, 2},  {'S', VF__UINT, 2}, {'i', VF__INT, 4},   {'I', VF__UINT, 4},
                 {'l', VF__INT, 8},  {'L', VF__UINT, 8}, {'f', VF__FLOAT, 4}, {'g', VF__FLOAT, 8}};
    if (f[0] == '\0' || f[1] != '\0') return false;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].letter != f[0]) continue;
        type->kind = table[i].kind;
        type->width = table[i].width;
        return true;
    }
    return false;
}

static bool parse_text(const char *f, struct vf__type *type) {
    bool view = f[0] == 'v';
    char letter = view ? f[1] : f[0];
    if (letter == '\0' || f[view ? 2 : 1] != '\0') return false;
    if (letter != 'u' && letter != 'z' && (view || (letter != 'U' && letter != 'Z'))) return false;
    type->kind = VF__TEXT;
    type->utf8 = letter == 'u' || letter == 'U';
    type->layout = view ? VF__VIEWS : letter == 'U' || letter == 'Z' ? VF__OFFSETS64 : VF__OFFSETS32;
    type->width = view ? 16 : type->layout == VF__OFFSETS64 ? 8 : 4;
    return true;
}

static bool parse_temporal(const char *f, struct vf__type *type) {
    if (f[0] != 't' || f[1] == '\0' || f[2] == '\0') return false;
    type->width = 8;
    type->ns = unit_ns(f[2]);
    switch (f[1]) {
    case 'd':
        type->kind = VF__DATE;
        if (f[3] != '\0' || (f[2] != 'D' && f[2] != 'm')) return false;
        if (f[2] == 'D') type->width = 4, type->ns = VF_DAY_NS;
        return true;
    case 't':
        type->kind = VF__TIME;
        if (f[2] == 's' || f[2] == 'm') type->width = 4;
        return type->ns != 0 && f[3] == '\0';
    case 's':
        type->kind = VF__TIMESTAMP;
        type->zoned = f[3] == ':' && f[4] != '\0';
        return type->ns != 0 && f[3] == ':';
    case 'D':
        type->kind = VF__DURATION;
        return type->ns != 0 && f[3] == '\0';
    default:
        return false;
    }
}

/* "d:precision,scale", or that and ",bits": 128, or 0 with another width. */
static int64_t parse_decimal(const char *f, struct vf__type *type) {
    int precision, scale, bits = 128;
    if (sscanf(f, "d:%4d,%4d,%4d", &precision, &scale, &bits) < 2) return 0;
    if (bits != 128 || precision < 1 || precision > 38 || scale < -38 || scale > 38) return bits;
    type->kind = VF__DECIMAL;
    type->width = 16;
    type->scale = scale;
    return bits;
}

enum vf_status vf__type_parse_decimal(const struct ArrowSchema *schema, struct vf__type *type, struct vf_error *err) {
    if (schema == NULL || schema->format == NULL || schema->dictionary != NULL || schema->format[0] != 'd')
        return vf__type_parse(schema, type, err);
    *type = (struct vf__type){.format = schema->format};
    int64_t bits = parse_decimal(schema->format, type);
    if (type->kind == VF__DECIMAL) return VF_OK;
    return vf__fail(err, VF_ERROR_TYPE, vf__schema_name(schema), -1,
                    "column \"%s\" has Arrow type '%s'; decimals of 128 bits are read, not of %lld: cast it first",
                    vf__schema_name(schema), schema->format, (long long)bits);
}

enum vf_status vf__type_parse(const struct ArrowSchema *schema, struct vf__type *type, struct vf_error *err) {
    *type = (struct vf__type){0};
    if (schema == NULL || schema->format == NULL)
        return vf__fail(err, VF_ERROR_ARROW, vf__schema_name(schema), -1,
                        "a column came without an Arrow schema");
    const char *f = schema->format;
    struct vf__type index = {0};
    if (schema->dictionary != NULL) {
        if (!parse_number(f, &index) || !vf__type_is_integer(&index))
            return vf__fail(err, VF_ERROR_ARROW, vf__schema_name(schema), -1, "dictionary index type '%s'",
                            f);
        if (schema->dictionary->format == NULL)
            return vf__fail(err, VF_ERROR_ARROW, vf__schema_name(schema), -1,
                            "a dictionary without a format");
        if (schema->dictionary->dictionary != NULL)
            return vf__fail(err, VF_ERROR_ARROW, vf__schema_name(schema), -1, "dictionary of dictionaries");
        f = schema->dictionary->format;
        type->dictionary = true;
        type->index_width = index.width;
        type->index_signed = index.kind == VF__INT;
    }
    type->format = f;
    if (f[0] != '\0' && (parse_number(f, type) || parse_text(f, type) || parse_temporal(f, type)))
        return VF_OK;
    return vf__fail(err, VF_ERROR_TYPE, vf__schema_name(schema), -1,
                    "column \"%s\" has Arrow type '%s', which VizFlow does not read; cast it first",
                    vf__schema_name(schema), f);
}

bool vf__type_is_integer(const struct vf__type *type) {
    return type->kind == VF__INT || type->kind == VF__UINT;
}

bool vf__type_is_number(const struct vf__type *type) {
    return vf__type_is_integer(type) || type->kind == VF__FLOAT;
}

bool vf__type_is_temporal(const struct vf__type *type) {
    return type->kind == VF__DATE || type->kind == VF__TIME || type->kind == VF__TIMESTAMP ||
           type->kind == VF__DURATION;
}

const char *vf__type_name(const struct vf__type *type) {
    static const char *const ints[] = {"Int8", "Int16", "Int32", "Int64"};
    static const char *const uints[] = {"UInt8", "UInt16", "UInt32", "UInt64"};
    int log2 = type->width == 8 ? 3 : type->width == 4 ? 2 : type->width == 2 ? 1 : 0;
    switch (type->kind) {
    case VF__NULL:
        return "Null";
    case VF__BOOL:
        return "Boolean";
    case VF__INT:
        return ints[log2];
    case VF__UINT:
        return uints[log2];
    case VF__FLOAT:
        return type->width == 4 ? "Float32" : "Float64";
    case VF__TEXT:
        return type->utf8 ? "String" : "Binary";
    case VF__DATE:
        return "Date";
    case VF__TIME:
        return "Time";
    case VF__TIMESTAMP:
        return type->zoned ? "Datetime with time zone" : "Datetime";
    case VF__DURATION:
        return "Duration";
    case VF__DECIMAL:
        return "Decimal";
    }
    return "?";
}
