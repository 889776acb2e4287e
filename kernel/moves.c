// The moves on a store's shelves that a count which is still to come may precede; see kernel/moves.py.
#include "items.h"

// What moved of an item strictly after a moment.
int64_t total_after(const int64_t *moves, int64_t many, int64_t item, int64_t at) {
    int64_t total = 0;
    for (const int64_t *move = moves, *end = moves + many * MOVE_WIDTH; move < end; move += MOVE_WIDTH)
        if (move[MOVE_ITEM] == item && move[MOVE_AT] > at) total += move[MOVE_QUANTITY];
    return total;
}

// Take out an item's sales by receipts up to `until` from `oldest` on. `taken` is what they moved in all, and of that
// what moved after `counted_at`. Returns how many moves are left.
int64_t take_back(int64_t *moves, int64_t many, int64_t item, int64_t until, int64_t oldest, int64_t counted_at,
                  int64_t *taken) {
    int64_t *out = moves;
    taken[0] = taken[1] = 0;
    for (const int64_t *move = moves, *end = moves + many * MOVE_WIDTH; move < end; move += MOVE_WIDTH) {
        if (move[MOVE_ITEM] == item && move[MOVE_OFFSET] >= 0 && move[MOVE_OFFSET] <= until && move[MOVE_AT] >= oldest) {
            taken[0] += move[MOVE_QUANTITY];
            if (move[MOVE_AT] > counted_at) taken[1] += move[MOVE_QUANTITY];
            continue;
        }
        for (int k = 0; k < MOVE_WIDTH; k++) out[k] = move[k];
        out += MOVE_WIDTH;
    }
    return (out - moves) / MOVE_WIDTH;
}

// Forget what moved before a moment; returns how many are left.
int64_t forget_moves(int64_t *moves, int64_t many, int64_t horizon) {
    int64_t *out = moves;
    for (const int64_t *move = moves, *end = moves + many * MOVE_WIDTH; move < end; move += MOVE_WIDTH) {
        if (move[MOVE_AT] < horizon) continue;
        for (int k = 0; k < MOVE_WIDTH; k++) out[k] = move[k];
        out += MOVE_WIDTH;
    }
    return (out - moves) / MOVE_WIDTH;
}

// How often an item was bought after a moment, and how many units of it.
int64_t bought_after(const int64_t *moves, int64_t many, int64_t item, int64_t at, int64_t *units) {
    int64_t purchases = 0;
    *units = 0;
    for (const int64_t *move = moves, *end = moves + many * MOVE_WIDTH; move < end; move += MOVE_WIDTH) {
        if (move[MOVE_ITEM] != item || move[MOVE_AT] <= at || move[MOVE_UNITS] <= 0) continue;
        purchases++;
        *units += move[MOVE_UNITS];
    }
    return purchases;
}
