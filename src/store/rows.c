/* See rows.h. Merge sort rather than radix: a day's rows come almost in order, and then a merge is one
   compare. Not for sorting values. */
#include "store/rows.h"

#define SMALL VF__SIZED(24, 1, 4096)

static void insertion_sort(const int64_t *key, uint32_t *rows, size_t n) {
    for (size_t i = 1; i < n; i++) {
        uint32_t row = rows[i];
        size_t j = i;
        for (; j > 0 && key[rows[j - 1]] > key[row]; j--)
            rows[j] = rows[j - 1];
        rows[j] = row;
    }
}

/* First position in rows[0 .. n) whose key is greater than `bound`; looks near the end first. */
static size_t first_above(const int64_t *key, const uint32_t *rows, size_t n, int64_t bound) {
    size_t step = 1, low = 0, high = n;
    while (high > 0 && key[rows[high - 1]] > bound) {
        size_t back = step < high ? step : high;
        if (key[rows[high - back]] <= bound) {
            low = high - back;
            break;
        }
        high -= back;
        step *= 2;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (key[rows[middle]] > bound)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* First position in rows[0 .. n) whose key is at least `bound`; looks near the start first. */
static size_t first_at_least(const int64_t *key, const uint32_t *rows, size_t n, int64_t bound) {
    size_t step = 1, low = 0, high = 0;
    while (high < n && key[rows[high]] < bound) {
        low = high + 1;
        high = step < n - high ? high + step : n;
        step *= 2;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (key[rows[middle]] < bound)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void vf__rows_sort(const int64_t *key, uint32_t *rows, uint32_t *scratch, size_t n) {
    if (n <= SMALL) {
        insertion_sort(key, rows, n);
        return;
    }
    size_t half = n / 2;
    vf__rows_sort(key, rows, scratch, half);
    vf__rows_sort(key, rows + half, scratch, n - half);
    int64_t last = key[rows[half - 1]], next = key[rows[half]];
    if (last <= next) return;
    /* only the rows that overlap are merged: a late print costs its lateness, not the day */
    size_t from = first_above(key, rows, half, next);
    size_t to = half + first_at_least(key, rows + half, n - half, last);
    size_t left = half - from;
    memcpy(scratch, rows + from, left * sizeof *rows);
    size_t a = 0, b = half, out = from;
    while (a < left && b < to)
        rows[out++] = key[scratch[a]] <= key[rows[b]] ? scratch[a++] : rows[b++];
    memcpy(rows + out, scratch + a, (left - a) * sizeof *rows);
}
