/* Strings and binaries, however they lie; see read.h. Not for what they stand for: an offset is checked here, a text's
   bytes are its reader's. */
#include "arrow/read_pieces.h"

static bool text_at(const struct vf__type *type, const struct ArrowArray *a, int64_t at,
                    struct vf__text *out) {
    if (type->layout == VF__VIEWS) {
        const uint8_t *view = (const uint8_t *)a->buffers[1] + (size_t)at * 16;
        int32_t length, buffer, offset;
        memcpy(&length, view, 4);
        if (length < 0) return false;
        out->length = (size_t)length;
        out->data = view + 4;
        if (length <= 12) return true;
        memcpy(&buffer, view + 8, 4);
        memcpy(&offset, view + 12, 4);
        if (buffer < 0 || (int64_t)buffer >= a->n_buffers - 3 || offset < 0) return false;
        int64_t size;
        memcpy(&size, (const uint8_t *)a->buffers[a->n_buffers - 1] + (size_t)buffer * 8, 8);
        const uint8_t *data = a->buffers[2 + buffer];
        if (data == NULL || (int64_t)offset + length > size) return false;
        out->data = data + offset;
        return true;
    }
    int64_t from, to;
    if (type->layout == VF__OFFSETS64) {
        int64_t offsets[2];
        memcpy(offsets, (const uint8_t *)a->buffers[1] + (size_t)at * 8, sizeof offsets);
        from = offsets[0];
        to = offsets[1];
    } else {
        int32_t offsets[2];
        memcpy(offsets, (const uint8_t *)a->buffers[1] + (size_t)at * 4, sizeof offsets);
        from = offsets[0];
        to = offsets[1];
    }
    if (from < 0 || to < from || (to > from && a->buffers[2] == NULL)) return false;
    out->length = (size_t)(to - from);
    out->data = a->buffers[2] != NULL ? (const uint8_t *)a->buffers[2] + from : (const uint8_t *)"";
    return true;
}

static enum vf_status bad_text(const struct vf__reader *reader, int64_t row, struct vf_error *err) {
    return vf__fail(err, VF_ERROR_ARROW, reader->name, row, "column \"%s\": malformed string offsets",
                    reader->name);
}

enum vf_status vf__read_text(struct vf__reader *reader, int64_t row, int64_t n, struct vf__text *value_buffer,
                             uint8_t *valid_buffer, const uint8_t **valid, struct vf_error *err) {
    const struct vf__type *type = &reader->type;
    if (type->kind != VF__TEXT) return vf__wrong_type(reader, "a string is needed", err);
    enum vf_status status = vf__check_range(reader, row, n, err);
    int64_t index[256];
    bool any = false;
    struct vf__piece p;
    for (int64_t done = 0; status == VF_OK && done < n; done += p.n) {
        uint8_t *ok = valid_buffer + done;
        bool some;
        p = vf__reader_chunk(reader, row + done, n - done);
        if (type->dictionary) {
            if (p.n > 256) p.n = 256;
            status = vf__read_indexes(reader, &p, row + done, index, ok, &some, err);
            if (status != VF_OK) break;
        } else {
            some = vf__piece_valid(type, &p, ok);
        }
        any |= some;
        const struct ArrowArray *a = type->dictionary ? p.array->dictionary : p.array;
        for (int64_t i = 0; i < p.n; i++) {
            struct vf__text *text = value_buffer + done + i;
            *text = (struct vf__text){.data = (const uint8_t *)"", .length = 0};
            if (!ok[i]) continue;
            int64_t at = type->dictionary ? a->offset + index[i] : p.array->offset + p.start + i;
            if (!text_at(type, a, at, text)) return bad_text(reader, row + done + i, err);
        }
    }
    if (status == VF_OK) *valid = any ? valid_buffer : NULL;
    return status;
}
