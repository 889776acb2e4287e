// Which lines of a chunk are of SKUs that their store tracks; see kernel/tracked.py.
#include "columns.h"
#include "mix.h"
#include "text.h"

// What a store tracks: SKUs one after the other, each up to its end, and where each stands by its hash (open addressing).
typedef struct {
    const uint8_t *text;
    const int64_t *ends;
    const int32_t *index;
    int64_t mask;
} Tracked;

enum { FOUND_RECEIPT, FOUND_LINE, FOUND_SKU, FOUND_WIDTH };

static Span sku_at(const Tracked *tracked, int64_t at) {
    int64_t begin = at ? tracked->ends[at - 1] : 0;
    return (Span){tracked->text + begin, tracked->ends[at] - begin};
}

// The place of a SKU in an index, or the empty one where it would be.
static int64_t place_of(const Tracked *tracked, Span sku, uint64_t seed) {
    for (uint64_t at = hash_of(sku, seed);; at++) {
        int64_t place = (int64_t)(at & (uint64_t)tracked->mask);
        if (tracked->index[place] < 0) return place;
        Span other = sku_at(tracked, tracked->index[place]);
        if (other.length == sku.length && memcmp(other.at, sku.at, (size_t)sku.length) == 0) return place;
    }
}

// Fill the index of SKUs, all of which differ; it has mask + 1 places, more than there are SKUs.
void index_skus(int64_t many, const uint8_t *text, const int64_t *ends, uint64_t seed, int64_t mask, int32_t *index) {
    Tracked tracked = {text, ends, index, mask};
    memset(index, 0xFF, (size_t)(mask + 1) * sizeof(int32_t));
    for (int64_t i = 0; i < many; i++) index[place_of(&tracked, sku_at(&tracked, i), seed)] = (int32_t)i;
}

// Of each receipt that was folded (its start is not NOWHERE), the lines of SKUs that its store tracks: receipt, line, and
// the SKU's number there. `stores` numbers each receipt's store, `tracked` is by that number, null where it tracks
// nothing. `found` has room for each line. Returns how many there are.
int64_t find_tracked(int64_t many, const int64_t *columns, const int64_t *starts, const int64_t *stores,
                     const Tracked *const *tracked, const int64_t *lines, const uint8_t *text, int64_t text_length,
                     const uint8_t *more, uint64_t seed, int64_t *found) {
    int64_t *out = found;
    for (int64_t i = 0; i < many; i++) {
        if (starts[i] == NOWHERE || stores[i] < 0 || tracked[stores[i]] == 0) continue;
        const Tracked *store = tracked[stores[i]];
        int64_t first = columns[FIRST * many + i], kept = columns[KEPT * many + i];
        for (int64_t k = first; k < first + kept; k++) {
            const int64_t *line = lines + k * LINE_WIDTH;
            int64_t at = line[SKU_AT];
            Span sku = {at < text_length ? text + at : more + (at - text_length), line[SKU_LENGTH]};
            int32_t number = store->index[place_of(store, sku, seed)];
            if (number < 0) continue;
            out[FOUND_RECEIPT] = i;
            out[FOUND_LINE] = k;
            out[FOUND_SKU] = number;
            out += FOUND_WIDTH;
        }
    }
    return (out - found) / FOUND_WIDTH;
}
