/* Values of any type as numbers that tell them apart: of keys, and of a replay check; see read.h. Not for keys of several
   columns: keyed.h. */
#include "arrow/read_pieces.h"

#define BLOCK VF__SIZED(512, 8, 8192)

bool vf__reader_is_text(const struct vf__reader *reader) {
    return reader->type.kind == VF__TEXT;
}

static enum vf_status text_keys(struct vf__reader *reader, int64_t row, int64_t n, struct vf__keys *keys,
                                uint32_t *ids, struct vf_error *err) {
    struct vf__text text[BLOCK];
    uint8_t buffer[BLOCK];
    struct vf__text last = {.data = NULL, .length = SIZE_MAX};
    uint32_t last_id = VF__NO_KEY;
    for (int64_t done = 0; done < n; done += BLOCK) {
        int64_t k = n - done < BLOCK ? n - done : BLOCK;
        const uint8_t *valid;
        enum vf_status status = vf__read_text(reader, row + done, k, text, buffer, &valid, err);
        for (int64_t i = 0; status == VF_OK && i < k; i++) {
            ids[done + i] = VF__NO_KEY;
            if (valid != NULL && !valid[i]) continue;
            if (text[i].length != last.length || memcmp(text[i].data, last.data, last.length) != 0) {
                status = vf__keys_add_bytes(keys, text[i].data, text[i].length, &last_id, err);
                last = text[i];
            }
            ids[done + i] = last_id;
        }
        if (status != VF_OK) return status;
        last.length = SIZE_MAX; /* `last` may point into the block's own views */
    }
    return VF_OK;
}

enum vf_status vf__read_keys(struct vf__reader *reader, int64_t row, int64_t n, struct vf__keys *keys,
                             uint32_t *ids, struct vf_error *err) {
    if (reader->type.kind == VF__FLOAT)
        return vf__wrong_type(
            reader, "a key must be an integer, boolean, string or temporal type; bin or cast it first", err);
    if (vf__reader_is_text(reader)) return text_keys(reader, row, n, keys, ids, err);
    int64_t buffer[BLOCK];
    uint8_t valid_buffer[BLOCK];
    int64_t last = 0;
    uint32_t last_id = VF__NO_KEY;
    for (int64_t done = 0; done < n; done += BLOCK) {
        int64_t k = n - done < BLOCK ? n - done : BLOCK;
        const int64_t *values;
        const uint8_t *valid;
        enum vf_status status =
            vf__read_i64(reader, row + done, k, buffer, valid_buffer, &values, &valid, err);
        for (int64_t i = 0; status == VF_OK && i < k; i++) {
            ids[done + i] = VF__NO_KEY;
            if (valid != NULL && !valid[i]) continue;
            if (values[i] != last || last_id == VF__NO_KEY) {
                last = values[i];
                last_id = vf__keys_find(keys, (uint64_t)last);
                if (VF__UNLIKELY(last_id == VF__NO_KEY))
                    status = vf__keys_add(keys, (uint64_t)last, &last_id, err);
            }
            ids[done + i] = last_id;
        }
        if (status != VF_OK) return status;
    }
    return VF_OK;
}

#define NULL_WORD UINT64_C(0x6e756c6c6e756c6c)

static enum vf_status words_block(struct vf__reader *reader, int64_t row, int64_t n, uint64_t *words,
                                  const uint8_t **valid, uint8_t *valid_buffer, struct vf_error *err) {
    enum vf_status status;
    if (reader->type.kind == VF__TEXT) {
        struct vf__text text[BLOCK];
        status = vf__read_text(reader, row, n, text, valid_buffer, valid, err);
        for (int64_t i = 0; status == VF_OK && i < n; i++)
            words[i] = vf__hash_bytes(text[i].data, text[i].length);
    } else if (reader->type.kind == VF__FLOAT) {
        double buffer[BLOCK];
        const double *values;
        status = vf__read_f64(reader, row, n, buffer, valid_buffer, &values, valid, err);
        if (status == VF_OK) memcpy(words, values, (size_t)n * sizeof *words);
    } else {
        int64_t buffer[BLOCK];
        const int64_t *values;
        status = vf__read_integers(reader, row, n, false, buffer, valid_buffer, &values, valid, err);
        if (status == VF_OK) memcpy(words, values, (size_t)n * sizeof *words);
    }
    return status;
}

enum vf_status vf__read_words(struct vf__reader *reader, int64_t row, int64_t n, uint64_t *words,
                              struct vf_error *err) {
    uint8_t valid_buffer[BLOCK];
    for (int64_t done = 0; done < n; done += BLOCK) {
        int64_t k = n - done < BLOCK ? n - done : BLOCK;
        const uint8_t *valid;
        enum vf_status status = words_block(reader, row + done, k, words + done, &valid, valid_buffer, err);
        if (status != VF_OK) return status;
        for (int64_t i = 0; valid != NULL && i < k; i++)
            if (!valid[i]) words[done + i] = NULL_WORD;
    }
    return VF_OK;
}
