/* Decodes the pickled keyword arguments; see kwargs.h: a stack machine of a dozen opcodes over a bounded stack.
   Not for what the arguments mean. Opcodes: https://github.com/python/cpython/blob/main/Lib/pickletools.py */
#include "kwargs.h"

#include "base/base.h"

enum { STACK_MAX = 2 * KWARGS_MAX + KWARGS_LIST_MAX + 8, MEMO_MAX = 4 * KWARGS_MAX + KWARGS_LIST_MAX };

enum what { W_MARK, W_DICT, W_LIST, W_VALUE };

struct slot {
    enum what what;
    struct kwarg value; /* W_VALUE, W_LIST: list_start and list_length */
};

struct machine {
    const uint8_t *at, *end;
    struct slot stack[STACK_MAX];
    size_t depth;
    struct slot memo[MEMO_MAX];
    size_t n_memo;
    struct kwargs *out;
};

static bool push(struct machine *m, struct slot slot) {
    if (m->depth == STACK_MAX) return false;
    m->stack[m->depth++] = slot;
    return true;
}

static bool push_int(struct machine *m, int64_t value) {
    return push(m, (struct slot){.what = W_VALUE, .value = {.kind = KWARG_INT, .integer = value}});
}

static bool read_le(struct machine *m, size_t bytes, uint64_t *out) {
    if ((size_t)(m->end - m->at) < bytes) return false;
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)m->at[i] << (8 * i);
    m->at += bytes;
    *out = value;
    return true;
}

static bool push_text(struct machine *m, size_t length_bytes) {
    uint64_t length;
    if (!read_le(m, length_bytes, &length) || length > (uint64_t)(m->end - m->at)) return false;
    struct slot slot = {.what = W_VALUE,
                        .value = {.kind = KWARG_TEXT, .text = m->at, .text_length = (size_t)length}};
    m->at += length;
    return push(m, slot);
}

static bool push_float(struct machine *m) {
    if (m->end - m->at < 8) return false;
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | *m->at++; /* pickle's floats are big-endian */
    struct slot slot = {.what = W_VALUE, .value = {.kind = KWARG_FLOAT}};
    memcpy(&slot.value.number, &bits, 8);
    return push(m, slot);
}

static bool push_long(struct machine *m) {
    uint64_t length, value;
    if (!read_le(m, 1, &length) || length > 8 || !read_le(m, (size_t)length, &value)) return false;
    if (length > 0 && length < 8 && (value >> (8 * length - 1)) != 0) value |= UINT64_MAX << (8 * length);
    int64_t integer;
    memcpy(&integer, &value, 8);
    return push_int(m, integer);
}

static bool add_item(struct machine *m, const struct slot *key, const struct slot *value) {
    struct kwargs *out = m->out;
    if (key->what != W_VALUE || key->value.kind != KWARG_TEXT || out->n == KWARGS_MAX) return false;
    if (value->what != W_VALUE && value->what != W_LIST) return false;
    out->items[out->n] = value->value;
    out->items[out->n].key = key->value.text;
    out->items[out->n].key_length = key->value.text_length;
    out->n++;
    return true;
}

static bool append(struct machine *m, struct slot *list, const struct slot *value) {
    struct kwargs *out = m->out;
    if (list->what != W_LIST || value->what != W_VALUE || value->value.kind != KWARG_INT) return false;
    if (out->list_length == KWARGS_LIST_MAX ||
        list->value.list_start + list->value.list_length != out->list_length)
        return false;
    out->list[out->list_length++] = value->value.integer;
    list->value.list_length++;
    return true;
}

/* Position above the topmost mark; 0 when there is none. */
static size_t above_mark(const struct machine *m) {
    for (size_t i = m->depth; i > 0; i--)
        if (m->stack[i - 1].what == W_MARK) return i;
    return 0;
}

static bool set_items(struct machine *m, size_t from, size_t target) {
    if (target >= m->depth || m->stack[target].what != W_DICT || (m->depth - from) % 2 != 0) return false;
    for (size_t i = from; i < m->depth; i += 2)
        if (!add_item(m, &m->stack[i], &m->stack[i + 1])) return false;
    m->depth = target + 1;
    return true;
}

static bool append_items(struct machine *m, size_t from, size_t target) {
    if (target >= m->depth) return false;
    for (size_t i = from; i < m->depth; i++)
        if (!append(m, &m->stack[target], &m->stack[i])) return false;
    m->depth = target + 1;
    return true;
}

static bool memoize(struct machine *m) {
    if (m->depth == 0 || m->n_memo == MEMO_MAX) return false;
    m->memo[m->n_memo++] = m->stack[m->depth - 1];
    return true;
}

static bool recall(struct machine *m, size_t bytes) {
    uint64_t index;
    return read_le(m, bytes, &index) && index < m->n_memo && m->memo[index].what == W_VALUE &&
           push(m, m->memo[index]);
}

/* One opcode. False: not of the subset, or malformed. */
static bool step(struct machine *m, uint8_t opcode) {
    uint64_t word;
    size_t mark;
    switch (opcode) {
    case 0x80:
        return read_le(m, 1, &word) && word >= 2 && word <= 5; /* PROTO */
    case 0x95:
        return read_le(m, 8, &word); /* FRAME */
    case 0x94:
        return memoize(m); /* MEMOIZE */
    case 'h':
        return recall(m, 1); /* BINGET */
    case 'j':
        return recall(m, 4); /* LONG_BINGET */
    case '}':
        return push(m, (struct slot){.what = W_DICT}); /* EMPTY_DICT */
    case ']':                                          /* EMPTY_LIST */
        return push(m, (struct slot){.what = W_LIST,
                                     .value = {.kind = KWARG_LIST, .list_start = m->out->list_length}});
    case '(':
        return push(m, (struct slot){.what = W_MARK});
    case 'N':
        return push(m, (struct slot){.what = W_VALUE, .value = {.kind = KWARG_NONE}});
    case 0x88:
        return push(m, (struct slot){.what = W_VALUE, .value = {.kind = KWARG_BOOL, .integer = 1}});
    case 0x89:
        return push(m, (struct slot){.what = W_VALUE, .value = {.kind = KWARG_BOOL}});
    case 'K':
        return read_le(m, 1, &word) && push_int(m, (int64_t)word);
    case 'M':
        return read_le(m, 2, &word) && push_int(m, (int64_t)word);
    case 'J':
        return read_le(m, 4, &word) && push_int(m, (int64_t)(int32_t)(uint32_t)word);
    case 0x8a:
        return push_long(m); /* LONG1 */
    case 'G':
        return push_float(m); /* BINFLOAT */
    case 0x8c:
        return push_text(m, 1); /* SHORT_BINUNICODE */
    case 'X':
        return push_text(m, 4); /* BINUNICODE */
    case 's':
        return m->depth >= 3 && set_items(m, m->depth - 2, m->depth - 3); /* SETITEM */
    case 'a':
        return m->depth >= 2 && append_items(m, m->depth - 1, m->depth - 2); /* APPEND */
    case 'u':
        mark = above_mark(m);
        return mark >= 2 && set_items(m, mark, mark - 2);
    case 'e':
        mark = above_mark(m);
        return mark >= 2 && append_items(m, mark, mark - 2);
    default:
        return false;
    }
}

enum vf_status kwargs_read(const uint8_t *data, size_t length, struct kwargs *out, struct vf_error *err) {
    out->n = 0;
    out->list_length = 0;
    if (length == 0) return VF_OK;
    struct machine m = {.at = data, .end = data + length, .out = out};
    while (m.at < m.end) {
        uint8_t opcode = *m.at++;
        if (opcode == '.') {
            if (m.depth == 1 && m.stack[0].what == W_DICT) return VF_OK;
            break;
        }
        if (!step(&m, opcode)) break;
    }
    out->n = 0;
    out->list_length = 0;
    return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                    "the plugin's keyword arguments are not a flat dict of numbers, "
                    "strings and lists of integers");
}

static const struct kwarg *find(const struct kwargs *kwargs, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < kwargs->n; i++)
        if (kwargs->items[i].key_length == length && memcmp(kwargs->items[i].key, name, length) == 0)
            return &kwargs->items[i];
    return NULL;
}

bool kwargs_has(const struct kwargs *kwargs, const char *name) {
    const struct kwarg *item = find(kwargs, name);
    return item != NULL && item->kind != KWARG_NONE;
}

static enum vf_status missing(const char *name, struct vf_error *err) {
    return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                    "plugin keyword argument '%s' is missing or of another type", name);
}

enum vf_status kwargs_int(const struct kwargs *kwargs, const char *name, int64_t *out, struct vf_error *err) {
    const struct kwarg *item = find(kwargs, name);
    if (item == NULL || (item->kind != KWARG_INT && item->kind != KWARG_BOOL)) return missing(name, err);
    *out = item->integer;
    return VF_OK;
}

enum vf_status kwargs_float(const struct kwargs *kwargs, const char *name, double *out,
                            struct vf_error *err) {
    const struct kwarg *item = find(kwargs, name);
    if (item == NULL || (item->kind != KWARG_FLOAT && item->kind != KWARG_INT)) return missing(name, err);
    *out = item->kind == KWARG_FLOAT ? item->number : (double)item->integer;
    return VF_OK;
}

enum vf_status kwargs_text(const struct kwargs *kwargs, const char *name, char *out, size_t size,
                           struct vf_error *err) {
    const struct kwarg *item = find(kwargs, name);
    if (item == NULL || item->kind != KWARG_TEXT || item->text_length >= size) return missing(name, err);
    if (memchr(item->text, '\0', item->text_length) != NULL) return missing(name, err);
    memcpy(out, item->text, item->text_length);
    out[item->text_length] = '\0';
    return VF_OK;
}

enum vf_status kwargs_view(const struct kwargs *kwargs, const char *name, const char **out, size_t *length,
                           struct vf_error *err) {
    const struct kwarg *item = find(kwargs, name);
    if (item == NULL || item->kind != KWARG_TEXT) return missing(name, err);
    *out = (const char *)item->text;
    *length = item->text_length;
    return VF_OK;
}

enum vf_status kwargs_list(const struct kwargs *kwargs, const char *name, const int64_t **out, size_t *n,
                           struct vf_error *err) {
    const struct kwarg *item = find(kwargs, name);
    if (item == NULL || item->kind != KWARG_LIST) return missing(name, err);
    *out = kwargs->list + item->list_start;
    *n = item->list_length;
    return VF_OK;
}

/* A decimal number and the space behind it; false at the end, and at what is none. */
static bool number(const char **at, const char *end, int64_t *out) {
    bool negative = *at < end && **at == '-';
    const char *c = *at + negative;
    int64_t value = 0;
    for (; c < end && *c >= '0' && *c <= '9' && value < INT64_C(100000000000); c++)
        value = value * 10 + (*c - '0');
    if (c == *at + negative || c == end || *c != ' ') return false;
    *at = c + 1;
    *out = negative ? -value : value;
    return true;
}

size_t offsets_read(const char *text, size_t length, struct vf_offset *out) {
    const int64_t second = 1000000000;
    const char *at = text, *end = text + length;
    size_t n = 0;
    for (int64_t from, offset; n < OFFSETS_MAX && number(&at, end, &from) && number(&at, end, &offset); n++) {
        if (from > INT64_MAX / second || from < INT64_MIN / second) break;
        bool known = offset > -86400 && offset < 86400;
        out[n] = (struct vf_offset){from * second, known ? offset * second : VF_OFFSET_UNKNOWN};
    }
    return n;
}
