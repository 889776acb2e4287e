// What a store tracks: SKUs one after the other, each up to its end, and where each stands by its hash (open addressing).
#ifndef TILLSTREAM_TRACKED_H
#define TILLSTREAM_TRACKED_H

#include "mix.h"
#include "text.h"

typedef struct {
    const uint8_t *text;
    const int64_t *ends;
    const int32_t *index;
    int64_t mask;
} Tracked;

static inline Span sku_at(const Tracked *tracked, int64_t at) {
    int64_t begin = at ? tracked->ends[at - 1] : 0;
    return (Span){tracked->text + begin, tracked->ends[at] - begin};
}

// The place of a SKU in an index, or the empty one where it would be.
static inline int64_t place_of(const Tracked *tracked, Span sku, uint64_t seed) {
    for (uint64_t at = hash_of(sku, seed);; at++) {
        int64_t place = (int64_t)(at & (uint64_t)tracked->mask);
        if (tracked->index[place] < 0) return place;
        Span other = sku_at(tracked, tracked->index[place]);
        if (other.length == sku.length && memcmp(other.at, sku.at, (size_t)sku.length) == 0) return place;
    }
}

#endif
