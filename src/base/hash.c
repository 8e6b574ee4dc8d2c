/* A hash of byte strings for the key tables. Not a checksum, and not meant to be stored. */
#include "base/base.h"

uint64_t vf__hash_bytes(const void *data, size_t length) {
    const unsigned char *p = data;
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)length;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = vf__mix(h ^ word);
        p += 8;
        length -= 8;
    }
    if (length > 0) {
        uint64_t word = 0;
        memcpy(&word, p, length);
        h = vf__mix(h ^ word);
    }
    return h;
}
