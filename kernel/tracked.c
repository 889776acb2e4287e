// Which lines of a chunk are of SKUs that their store tracks; see kernel/tracked.py.
#include "columns.h"
#include "tracked.h"

enum { FOUND_RECEIPT, FOUND_LINE, FOUND_SKU, FOUND_WIDTH };

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
