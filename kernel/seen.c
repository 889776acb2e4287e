// Which receipts stand in an open window; see kernel/seen.py.
//
// A store's table has two numbers a place, a receipt's hash and the start of its window, and is searched from where the
// hash says (open addressing). A window that closes leaves its receipts where they are: whoever finds one sees by its
// start that it is over, and the next copy leaves it out. So closing costs nothing, and a receipt takes 16 bytes of a
// table that is never less than a third full.
#include "columns.h"
#include "mix.h"
#include "text.h"

enum { HASH, START, PLACE_WIDTH };

// The place of a receipt, or the empty one where it would be.
static int64_t *place_of(int64_t *table, int64_t mask, uint64_t seed, int64_t hash) {
    uint64_t at = mixed((uint64_t)hash ^ seed, UINT64_C(0x9E3779B97F4A7C15));
    for (;; at++) {
        int64_t *place = table + PLACE_WIDTH * (at & (uint64_t)mask);
        if (place[START] == NOWHERE || place[HASH] == hash) return place;
    }
}

// The window's start of each receipt that is known to its store, NOWHERE for the others. `stores` numbers each one's
// table, or is -1; a store that has none yet has a table of null.
void find_seen(int64_t many, const int64_t *hashes, const int64_t *stores, int64_t *const *tables, const int64_t *masks,
               uint64_t seed, int64_t *starts) {
    for (int64_t i = 0; i < many; i++) {
        int64_t store = stores[i];
        starts[i] = store < 0 || tables[store] == 0 ? NOWHERE
                                                    : place_of(tables[store], masks[store], seed, hashes[i])[START];
    }
}

// Note each receipt whose start is not NOWHERE; `used` counts the places of each table. There must be room.
void note_seen(int64_t many, const int64_t *hashes, const int64_t *starts, const int64_t *stores, int64_t *const *tables,
               const int64_t *masks, uint64_t seed, int64_t *used) {
    for (int64_t i = 0; i < many; i++) {
        int64_t store = stores[i];
        if (starts[i] == NOWHERE) continue;
        int64_t *place = place_of(tables[store], masks[store], seed, hashes[i]);
        used[store] += place[START] == NOWHERE;
        place[HASH] = hashes[i];
        place[START] = starts[i];
    }
}

// How many receipts of a table stand in a window that begins at `oldest` or later.
int64_t count_seen(int64_t places, const int64_t *table, int64_t oldest) {
    int64_t many = 0;
    for (int64_t i = 0; i < places; i++) many += table[PLACE_WIDTH * i + START] >= oldest;
    return many;
}

// Copy them to another table, which is empty and has room.
void copy_seen(int64_t places, const int64_t *table, int64_t oldest, int64_t *to, int64_t to_mask, uint64_t seed) {
    for (int64_t i = 0; i < places; i++) {
        const int64_t *place = table + PLACE_WIDTH * i;
        if (place[START] >= oldest) memcpy(place_of(to, to_mask, seed, place[HASH]), place, PLACE_WIDTH * sizeof(int64_t));
    }
}

// Number the stores of a chunk's receipts in the order in which they come, by their keys: `stores` gets each receipt's
// number, -1 where it was not read; `firsts` the place of each store's first receipt, `counts` how many each has. `twins`
// gets the last receipt before each one that has its hash and store, or -1. `index` has 2 * (mask + 1) places, more than
// `many` in either half. Returns how many stores there are.
int64_t number_stores(int64_t many, const int64_t *kinds, const int64_t *hashes, const uint8_t *text,
                      const int64_t *records, uint64_t seed, int64_t mask, int32_t *index, int64_t *stores,
                      int64_t *firsts, int64_t *counts, int64_t *twins) {
    int32_t *by_key = index, *by_hash = index + mask + 1;
    int64_t found = 0;
    memset(index, 0xFF, 2 * (size_t)(mask + 1) * sizeof(int32_t));
#define KEY(i) ((Span){text + records[(i) * RECORD_WIDTH + KEY_AT], records[(i) * RECORD_WIDTH + KEY_LENGTH]})
    for (int64_t i = 0; i < many; i++) {
        stores[i] = twins[i] = -1;
        if (kinds[i] == ASK) continue;
        Span key = KEY(i);
        for (uint64_t at = hash_of(key, seed);; at++) {
            int32_t *place = &by_key[at & (uint64_t)mask];
            if (*place < 0) {
                *place = (int32_t)found;
                firsts[found] = i;
                counts[found++] = 0;
            }
            Span other = KEY(firsts[*place]);
            if (other.length != key.length || memcmp(other.at, key.at, (size_t)key.length) != 0) continue;
            stores[i] = *place;
            counts[*place]++;
            break;
        }
        for (uint64_t at = mixed((uint64_t)hashes[i] ^ seed, (uint64_t)stores[i] | 1);; at++) {
            int32_t *place = &by_hash[at & (uint64_t)mask];
            if (*place >= 0 && (hashes[*place] != hashes[i] || stores[*place] != stores[i])) continue;
            twins[i] = *place;
            *place = (int32_t)i;
            break;
        }
    }
#undef KEY
    return found;
}
