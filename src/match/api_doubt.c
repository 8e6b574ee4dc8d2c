/* What rows carry as a side that is not listed, and whether it looks like one. Not for which side a row is on: api_sides.c. */
#include "match/api_fifo.h"

#include <stdio.h>

/* ---- what looks like a side ----------------------------------------------------------------------------------------- */

/* Without spaces and strokes, in small letters. */
static const char *const words[] = {
    "b",    "buy",  "buyer",  "bid", "bot",   "bought", "long",  "cover",  "buytocover",         "buytoopen", "buytoclose",
    "s",    "sell", "seller", "ask", "offer", "sold",   "sld",   "short",  "ss",                 "sellshort", "shortsell",
    "1",    "2",    "5",      "-1",  "+1",    "1.0",    "2.0",   "-1.0",   "sellshortexempt",    "selltoopen", "selltoclose",
    "true", "false", "\xe4\xb9\xb0", "\xe5\x8d\x96", "\xe4\xb9\xb0\xe5\x85\xa5", "\xe5\x8d\x96\xe5\x87\xba",
    "\xe8\xb2\xb7", "\xe5\xa3\xb2", "\xeb\xa7\xa4\xec\x88\x98", "\xeb\xa7\xa4\xeb\x8f\x84"};

#define WORD 24

/* False: too long to be one. */
static bool make_plain(const uint8_t *text, size_t length, char out[WORD]) {
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        bool stroke = text[i] == ' ' || text[i] == '_' || (text[i] == '-' && n > 0);
        if (stroke) continue;
        if (n + 1 >= WORD || text[i] == '\0') return false;
        out[n++] = (char)vf__small(text[i]);
    }
    out[n] = '\0';
    return n > 0;
}

static bool is_word(const struct vf__sides *sides, const uint8_t *text, size_t length) {
    char plain[WORD], listed[WORD];
    if (!make_plain(text, length, plain)) return false;
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
        if (strcmp(words[k], plain) == 0) return true;
    for (size_t k = 0; k < sides->n; k++) {
        const struct vf__side_pattern *p = &sides->patterns[k];
        if (p->text != NULL && make_plain(p->text, p->length, listed) && strcmp(listed, plain) == 0) return true;
    }
    return false;
}

/* FIX has 1, 2, 5 and 6 (sell, sell short), others +1 and -1: 1 buys in both. Elsewhere a number may mean anything. */
static bool is_number(const struct vf__sides *sides, double x) {
    bool one_buys = false;
    for (size_t k = 0; k < sides->n; k++)
        one_buys |= sides->patterns[k].text == NULL && sides->patterns[k].integer == 1 &&
                    sides->patterns[k].code == VF__SIDE_ENTRY;
    return one_buys && (x == -1 || x == 2 || x == 5 || x == 6);
}

/* ---- what was seen ---------------------------------------------------------------------------------------------------- */

/* Its place among those; VF__SEEN where there is no room for it. */
static size_t place_of(struct vf__side_values *values, const char *text, size_t length) {
    if (length > VF__SEEN_BYTES)
        for (length = VF__SEEN_BYTES; length > 0 && ((uint8_t)text[length] & 0xc0) == 0x80;)
            length--; /* never cut a character of UTF-8 */
    for (size_t k = 0; k < values->n; k++)
        if (values->length[k] == length && memcmp(values->text[k], text, length) == 0) return k;
    if (values->n == VF__SEEN) return VF__SEEN;
    values->length[values->n] = (uint8_t)length;
    if (length > 0) memcpy(values->text[values->n], text, length);
    return values->n++;
}

/* Whether there is anything to keep of a value. */
static bool is_told(const struct vf__side_seen *seen, bool alike) {
    return alike || (seen->carried != (VF__SIDE_ENTRY | VF__SIDE_EXIT) && seen->others.n < VF__SEEN);
}

static void note(struct vf__side_seen *seen, const char *text, size_t length, bool alike) {
    if (!is_told(seen, alike)) return;
    if (seen->carried != (VF__SIDE_ENTRY | VF__SIDE_EXIT)) (void)place_of(&seen->others, text, length);
    if (!alike) return;
    size_t k = place_of(&seen->alike, text, length);
    seen->n_alike++;
    if (k < VF__SEEN) seen->rows[k]++;
}

static void note_text(struct vf__sides *sides, const struct vf__text *text) {
    char quoted[VF__SEEN_BYTES + 8];
    size_t length = text->length < VF__SEEN_BYTES + 4 ? text->length : VF__SEEN_BYTES + 4;
    bool alike = is_word(sides, text->data, text->length);
    if (!is_told(&sides->seen, alike)) return;
    quoted[0] = '"';
    memcpy(quoted + 1, text->data, length);
    quoted[length + 1] = '"';
    note(&sides->seen, quoted, length + 2, alike);
}

static void note_number(struct vf__sides *sides, double x, int64_t integer, bool is_float) {
    char text[40];
    bool alike = is_number(sides, is_float ? x : (double)integer);
    if (!is_told(&sides->seen, alike)) return;
    int length = is_float ? snprintf(text, sizeof text, "%s", x == x ? vf__number(x).text : "NaN")
                          : snprintf(text, sizeof text, "%lld", (long long)integer);
    note(&sides->seen, text, (size_t)length, alike);
}

/* The string views of rows [row, row + n), where they are ones and lie in one chunk, and which rows are null. */
struct views {
    const uint8_t *data, *bits;
    int64_t first; /* bit */
};

static struct views views_of(struct vf__reader *reader, int64_t row, int64_t n) {
    struct vf__piece p;
    const uint8_t *data = vf__reader_views(reader, row, n, &p);
    if (data == NULL) return (struct views){0};
    return (struct views){.data = data,
                          .bits = p.array->null_count != 0 ? p.array->buffers[0] : NULL,
                          .first = p.array->offset + p.start};
}

static bool is_nothing(const struct vf__side_seen *seen, const uint8_t *view) {
    for (size_t k = 0; k < seen->n_nothing; k++)
        if (memcmp(seen->nothing[k], view, 16) == 0) return true;
    return false;
}

/* One of a column of views that is not listed. */
static void note_view(struct vf__sides *sides, struct vf__reader *reader, int64_t row, const uint8_t *view) {
    struct vf__side_seen *seen = &sides->seen;
    uint8_t valid_buffer;
    const uint8_t *valid;
    struct vf__text text;
    uint32_t length;
    int64_t before = seen->n_alike;
    if (is_nothing(seen, view)) return;
    if (vf__read_text(reader, row, 1, &text, &valid_buffer, &valid, NULL) != VF_OK) return; /* told when it was read */
    note_text(sides, &text);
    memcpy(&length, view, sizeof length);
    if (length <= 12 && seen->n_alike == before && seen->n_nothing < sizeof seen->nothing / sizeof seen->nothing[0])
        memcpy(seen->nothing[seen->n_nothing++], view, 16);
}

/* Those of n rows that are not listed, of a column of views in one chunk; eight at a time where all are. */
static void note_views(struct vf__sides *sides, struct vf__reader *reader, int64_t row, int64_t n,
                       const struct views *views, const uint8_t *codes) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    for (int64_t i = 0; i < n; i++) {
        uint64_t eight = 0;
        if (i + 8 <= n) memcpy(&eight, codes + i, sizeof eight);
        if (((eight - ones) & ~eight & ones << 7) == 0) {
            i += 7;
            continue;
        }
        if (codes[i] != VF__SIDE_NONE) continue;
        if (vf__valid(views->bits, views->first + i))
            note_view(sides, reader, row + i, views->data + 16 * i);
        else
            note(&sides->seen, "null", 4, false);
    }
}

/* A text that is not listed, after the last one that looked like no side; what is the last one now. */
static const struct vf__text *note_other(struct vf__sides *sides, const struct vf__text *text,
                                         const struct vf__text *last) {
    int64_t before = sides->seen.n_alike;
    if (last != NULL && last->length == text->length &&
        (text->length == 0 || memcmp(last->data, text->data, text->length) == 0))
        return last;
    note_text(sides, text);
    return sides->seen.n_alike == before ? text : last;
}

void vf__sides_note(struct vf__sides *sides, struct vf__reader *reader, int64_t row, int64_t n,
                    struct vf__side_room *room, const uint8_t *codes) {
    uint8_t carried = 0, none = 0;
    for (int64_t i = 0; i < n; i++) {
        carried |= codes[i];
        none |= codes[i] == VF__SIDE_NONE;
    }
    sides->seen.carried |= carried;
    if (none == 0) return;
    struct views views = views_of(reader, row, n);
    if (views.data != NULL) {
        note_views(sides, reader, row, n, &views, codes);
        return;
    }
    const int64_t *values = NULL;
    const double *numbers = NULL;
    const uint8_t *valid;
    const struct vf__text *last = NULL;
    bool text = reader->type.kind == VF__TEXT, is_float = reader->type.kind == VF__FLOAT;
    enum vf_status status =
        text       ? vf__read_text(reader, row, n, room->text, room->valid, &valid, NULL)
        : is_float ? vf__read_f64(reader, row, n, room->numbers, room->valid, &numbers, &valid, NULL)
                   : vf__read_i64(reader, row, n, room->values, room->valid, &values, &valid, NULL);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        if (codes[i] != VF__SIDE_NONE) continue;
        if (valid != NULL && !valid[i])
            note(&sides->seen, "null", 4, false);
        else if (text)
            last = note_other(sides, &room->text[i], last);
        else
            note_number(sides, is_float ? numbers[i] : 0, is_float ? 0 : values[i], is_float);
    }
}

/* Whether a value that was seen begins with the letter of one that is listed for this side, in any case. */
static bool begins_alike(const struct vf__sides *sides, uint8_t side) {
    for (size_t i = 0; i < sides->n; i++) {
        const struct vf__side_pattern *p = &sides->patterns[i];
        if (p->code != side || p->text == NULL || p->length == 0) continue;
        for (size_t k = 0; k < sides->seen.others.n; k++) { /* texts are in quotes */
            const char *text = sides->seen.others.text[k];
            if (text[0] == '"' && vf__small((uint8_t)text[1]) == vf__small(p->text[0])) return true;
        }
    }
    return false;
}

/* ---- sentences -------------------------------------------------------------------------------------------------------- */

static void append(char *out, size_t size, const char *text, size_t length) {
    size_t have = strlen(out);
    if (length >= size - have) length = size - have - 1;
    memcpy(out + have, text, length);
    out[have + length] = '\0';
}

static void append_text(char *out, size_t size, const char *text) {
    append(out, size, text, strlen(text));
}

static void append_listed(const struct vf__sides *sides, char *out, size_t size) {
    append_text(out, size, "listed:");
    for (size_t k = 0; k < sides->n && k < 8; k++) {
        char text[64];
        vf__side_describe(&sides->patterns[k], text, sizeof text);
        append_text(out, size, k > 0 ? ", " : " ");
        append_text(out, size, sides->patterns[k].code == VF__SIDE_ENTRY ? "entry " : "exit ");
        append_text(out, size, text);
    }
}

void vf__sides_describe(const struct vf__sides *sides, char *out, size_t size) {
    const struct vf__side_values *others = &sides->seen.others;
    out[0] = '\0';
    append_listed(sides, out, size);
    append_text(out, size, sides->seen.carried == 0 ? "; found:" : "; also found:");
    for (size_t k = 0; k < others->n; k++) {
        append_text(out, size, k > 0 ? ", " : " ");
        append(out, size, others->text[k], others->length[k]);
    }
    if (others->n == VF__SEEN) append_text(out, size, ", ...");
}

static void append_alike(const struct vf__sides *sides, char *out, size_t size) {
    const struct vf__side_seen *seen = &sides->seen;
    for (size_t k = 0; k < seen->alike.n; k++) {
        char rows[40];
        (void)snprintf(rows, sizeof rows, " (%lld row%s)", (long long)seen->rows[k], seen->rows[k] == 1 ? "" : "s");
        append_text(out, size, k > 0 ? ", " : " ");
        append(out, size, seen->alike.text[k], seen->alike.length[k]);
        append_text(out, size, rows);
    }
    if (seen->alike.n == VF__SEEN) append_text(out, size, ", ...");
}

void vf__sides_doubt(const struct vf__sides *sides, const char *column, char *out, size_t size) {
    static const char *const names[] = {[VF__SIDE_ENTRY] = "entry", [VF__SIDE_EXIT] = "exit"};
    out[0] = '\0';
    for (uint8_t side = VF__SIDE_ENTRY; side <= VF__SIDE_EXIT && out[0] == '\0'; side++) {
        if ((sides->seen.carried & side) != 0 || !begins_alike(sides, side)) continue;
        (void)snprintf(out, size, "no row of column \"%.60s\" carries a listed %s side; ", column, names[side]);
        size_t used = strlen(out);
        vf__sides_describe(sides, out + used, size - used);
        if (sides->seen.n_alike == 0) return;
        append_text(out, size, "; not listed, and like a side:");
        append_alike(sides, out, size);
        return;
    }
    if (sides->seen.n_alike == 0) return;
    (void)snprintf(out, size, "column \"%.60s\": %lld row%s a side that is not listed, and pass%s as no trade:", column,
                   (long long)sides->seen.n_alike, sides->seen.n_alike == 1 ? " has" : "s have",
                   sides->seen.n_alike == 1 ? "es" : "");
    append_alike(sides, out, size);
    append_text(out, size, "; ");
    append_listed(sides, out, size);
    append_text(out, size, "; list them too, or filter such rows out");
}
