// A window's rows, in a table to which lines can be added: found by currency, business date and SKU, kept in the order in
// which they came. All of it lies in memory of the caller's, and is made anew for each window.
#ifndef TILLSTREAM_TABLE_H
#define TILLSTREAM_TABLE_H

#include "columns.h"
#include "mix.h"
#include "msgpack.h"
#include "text.h"

enum { RECEIPTS = 5, VERSION, FIGURES };  // of a row; the first five are those of a line
enum { NONE = -1, MOST_CURRENCIES = 26 * 26 * 26 };

typedef struct {
    Span sku, encoded;  // `encoded` is the row as it stood, from its SKU on; without it the row is new
    int64_t figures[FIGURES];  // once it has changed, or is new
    int64_t group_key;
    int32_t next;  // row of the same group
    bool changed;
} Row;

typedef struct {
    int64_t key;  // currency << 32 | business date
    int32_t first, last, many, changed;
    int32_t next;  // group of the same currency
} Group;

typedef struct {
    uint32_t code;
    int32_t first, last, many, changed;
} Currency;

typedef struct {
    Row *rows;
    Group *groups;
    Currency *currencies;
    int32_t *row_index, *group_index;  // open addressing, of `mask + 1` places
    int64_t mask, many_rows, many_groups, many_currencies;
    int32_t last_group;
    uint64_t seed;
} Window;

static inline int64_t places_for(int64_t bound) {
    int64_t places = 16;
    while (places < 2 * bound) places *= 2;
    return places;
}

static inline int64_t scratch_for(int64_t bound) {
    int64_t currencies = bound < MOST_CURRENCIES ? bound : MOST_CURRENCIES;
    return bound * (int64_t)(sizeof(Row) + sizeof(Group)) + currencies * (int64_t)sizeof(Currency) +
        places_for(bound) * 2 * (int64_t)sizeof(int32_t);
}

static inline void lay_out(Window *window, uint8_t *scratch, int64_t bound, uint64_t seed) {
    int64_t places = places_for(bound);
    window->rows = (Row *)scratch;
    window->groups = (Group *)(window->rows + bound);
    window->currencies = (Currency *)(window->groups + bound);
    window->row_index = (int32_t *)(window->currencies + (bound < MOST_CURRENCIES ? bound : MOST_CURRENCIES));
    window->group_index = window->row_index + places;
    window->mask = places - 1;
    window->many_rows = window->many_groups = window->many_currencies = 0;
    window->last_group = NONE;
    window->seed = seed;
    memset(window->row_index, 0xFF, (size_t)places * 2 * sizeof(int32_t));
}

// The currency's place in the list; there are few.
static inline int32_t currency_of(Window *window, uint32_t code) {
    for (int64_t i = 0; i < window->many_currencies; i++)
        if (window->currencies[i].code == code) return (int32_t)i;
    window->currencies[window->many_currencies] = (Currency){code, NONE, NONE, 0, 0};
    return (int32_t)window->many_currencies++;
}

static inline int32_t group_of(Window *window, int64_t key) {
    if (window->last_group != NONE && window->groups[window->last_group].key == key) return window->last_group;
    uint64_t at = mixed((uint64_t)key ^ window->seed, UINT64_C(0x9E3779B97F4A7C15));
    for (;; at++) {
        int32_t *place = &window->group_index[at & (uint64_t)window->mask];
        if (*place == NONE) {
            Currency *currency = &window->currencies[currency_of(window, (uint32_t)(key >> 32))];
            int32_t group = *place = (int32_t)window->many_groups++;
            window->groups[group] = (Group){key, NONE, NONE, 0, 0, NONE};
            if (currency->first == NONE) currency->first = group;
            else window->groups[currency->last].next = group;
            currency->last = group;
            currency->many++;
            return window->last_group = group;
        }
        if (window->groups[*place].key == key) return window->last_group = *place;
    }
}

// A SKU's row in a group, made where there is none: then its version is -1.
static inline Row *row_of(Window *window, int64_t key, Span sku) {
    uint64_t at = hash_of(sku, window->seed ^ (uint64_t)key);
    for (;; at++) {
        int32_t *place = &window->row_index[at & (uint64_t)window->mask];
        if (*place == NONE) {
            Group *group = &window->groups[group_of(window, key)];
            int32_t made = *place = (int32_t)window->many_rows++;
            Row *row = &window->rows[made];
            *row = (Row){.sku = sku, .group_key = key, .next = NONE, .figures[VERSION] = -1};
            if (group->first == NONE) group->first = made;
            else window->rows[group->last].next = made;
            group->last = made;
            group->many++;
            return row;
        }
        Row *row = &window->rows[*place];
        if (row->group_key == key && row->sku.length == sku.length &&
            memcmp(row->sku.at, sku.at, (size_t)sku.length) == 0)
            return row;
    }
}

// Note that a row is to be sent, and have its figures at hand.
static inline void change(Window *window, Row *row) {
    if (row->changed) return;
    row->changed = true;
    Group *group = &window->groups[group_of(window, row->group_key)];
    if (group->changed++ == 0) window->currencies[currency_of(window, (uint32_t)(group->key >> 32))].changed++;
    if (row->encoded.at == 0) return;
    Text text = {row->sku.at + row->sku.length + 1, row->encoded.at + row->encoded.length};
    for (int i = 0; i < FIGURES; i++) get_number(&text, &row->figures[i]);
}

#endif
