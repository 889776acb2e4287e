// Adds receipts' lines to the rows of store-windows; see kernel/sums.py, which is the only caller.
//
// The rows of a window are kept as the changelog keeps them: MessagePack, currency -> business date -> SKU -> seven
// figures, in the order in which they came. So a state needs no encoding to be written and no decoding to be restored,
// and a window costs what its rows take. Adding to one means reading its rows into a table, adding, and writing them anew,
// which a flush had to do in any case. Nothing here outlives a call, and all memory is the caller's.
#include "json.h"
#include "line.h"
#include "msgpack.h"
#include "table.h"
#include "text.h"

enum { FIRST, KEPT, GROUP, OFFSET, SIGN, ITEM_WIDTH };  // of an item
enum { MALFORMED = -1, TOO_LARGE = -2 };
enum { SHORTEST_ROW = 10 };

// The most rows that a window can come to have.
static int64_t bound_of(int64_t w, const int64_t *old_ends, const int64_t *items, const int64_t *item_ends) {
    int64_t bound = (old_ends[w] - (w ? old_ends[w - 1] : 0)) / SHORTEST_ROW;
    for (int64_t i = w ? item_ends[w - 1] : 0; i < item_ends[w]; i++) bound += items[i * ITEM_WIDTH + KEPT];
    return bound;
}

// How many bytes of scratch `sum_rows` takes, of whose parameters these are.
int64_t scratch_bytes(int64_t windows, const int64_t *old_ends, const int64_t *items, const int64_t *item_ends) {
    int64_t most = 0;
    for (int64_t w = 0; w < windows; w++) {
        int64_t bound = bound_of(w, old_ends, items, item_ends);
        if (bound > most) most = bound;
    }
    return scratch_for(most);
}

static bool date_number(Span text, int64_t *date) {
    if (text.length != 10) return false;
    *date = 0;
    for (int i = 0; i < 10; i++)
        if (i != 4 && i != 7) *date = *date * 10 + (text.at[i] - '0');
    return true;
}

static bool take_rows(Window *window, Text *text, int64_t key) {
    int64_t many, passed;
    if (!get_map(text, &many)) return false;
    while (many-- > 0) {
        Span sku;
        const uint8_t *begun = text->at;
        if (!get_text(text, &sku) || text->at == text->end || *text->at++ != (0x90 | FIGURES)) return false;
        for (int i = 0; i < FIGURES; i++)
            if (!get_number(text, &passed)) return false;
        row_of(window, key, sku)->encoded = (Span){begun, text->at - begun};
    }
    return true;
}

// The rows of a window as they stand; false where that is not what was written here.
static bool take_window(Window *window, Text text) {
    int64_t currencies, days, date;
    if (text.at == text.end) return true;
    if (!get_map(&text, &currencies)) return false;
    while (currencies-- > 0) {
        Span code, day;
        if (!get_text(&text, &code) || code.length != 3 || !get_map(&text, &days)) return false;
        int64_t key = (int64_t)(code.at[0] << 16 | code.at[1] << 8 | code.at[2]) << 32;
        while (days-- > 0)
            if (!get_text(&text, &day) || !date_number(day, &date) || !take_rows(window, &text, key | date)) return false;
    }
    return text.at == text.end;
}

// Add one receipt's lines; with a SIGN of 0 the rows hold them already, and are only to be sent again.
static bool add_item(Window *window, const int64_t *item, const int64_t *lines, const uint8_t *text, int64_t text_length,
                     const uint8_t *more) {
    for (int64_t i = 0; i < item[KEPT]; i++) {
        const int64_t *line = lines + (item[FIRST] + i) * LINE_WIDTH;
        int64_t at = line[SKU_AT];
        Span sku = {at < text_length ? text + at : more + (at - text_length), line[SKU_LENGTH]};
        Row *row = row_of(window, item[GROUP], sku);
        change(window, row);
        if (item[SIGN] == 0) continue;
        for (int k = UNITS; k <= TAX; k++)
            if (__builtin_add_overflow(row->figures[k], line[k], &row->figures[k])) return false;
        if (row->figures[VERSION] != item[OFFSET]) {
            row->figures[RECEIPTS] += item[SIGN];
            row->figures[VERSION] = item[OFFSET];
        }
    }
    return true;
}

// `USD` and `2026-11-23` of a group's key.
static Span code_text(int64_t key, uint8_t *into) {
    for (int i = 0; i < 3; i++) into[i] = (uint8_t)(key >> (48 - 8 * i));
    return (Span){into, 3};
}

static Span date_text(int64_t key, uint8_t *into) {
    uint32_t date = (uint32_t)key;
    for (int i = 9; i >= 0; i--) {
        if (i == 4 || i == 7) {
            into[i] = '-';
            continue;
        }
        into[i] = (uint8_t)('0' + date % 10);
        date /= 10;
    }
    return (Span){into, 10};
}

static uint8_t *put_window(const Window *window, uint8_t *out) {
    uint8_t word[10];
    out = put_map(out, window->many_currencies);
    for (int64_t c = 0; c < window->many_currencies; c++) {
        const Currency *currency = &window->currencies[c];
        out = put_text(out, code_text((int64_t)currency->code << 32, word));
        out = put_map(out, currency->many);
        for (int32_t g = currency->first; g != NONE; g = window->groups[g].next) {
            out = put_text(out, date_text(window->groups[g].key, word));
            out = put_map(out, window->groups[g].many);
            for (int32_t r = window->groups[g].first; r != NONE; r = window->rows[r].next) {
                const Row *row = &window->rows[r];
                if (!row->changed) {
                    memcpy(out, row->encoded.at, (size_t)row->encoded.length);
                    out += row->encoded.length;
                    continue;
                }
                out = put_text(out, row->sku);
                *out++ = 0x90 | FIGURES;
                for (int i = 0; i < FIGURES; i++) out = put_number(out, row->figures[i]);
            }
        }
    }
    return out;
}

static uint8_t *put_row(uint8_t *out, const Row *row) {
    out = put_string(out, row->sku);
    *out++ = ':';
    for (int i = 0; i < FIGURES; i++) {
        *out++ = i ? ',' : '[';
        out = put_whole(out, row->figures[i]);
    }
    *out++ = ']';
    return out;
}

// JSON of the rows that changed, in one part, or where there are more than `most`, in parts of one group each and at
// most so many rows.
static uint8_t *put_changes(const Window *window, uint8_t *out, int64_t most, const uint8_t *base, int64_t *ends,
                            int64_t *parts) {
    uint8_t word[10];
    int64_t all = 0;
    for (int64_t g = 0; g < window->many_groups; g++) all += window->groups[g].changed;
    bool apart = all > most;
    if (!apart) *out++ = '{';
    bool comma = false;
    for (int64_t c = 0; c < window->many_currencies; c++) {
        const Currency *currency = &window->currencies[c];
        if (currency->changed == 0) continue;
        if (!apart) {
            if (comma) *out++ = ',';
            out = put_string(out, code_text((int64_t)currency->code << 32, word));
            *out++ = ':';
            *out++ = '{';
        }
        bool day_comma = false;
        for (int32_t g = currency->first; g != NONE; g = window->groups[g].next) {
            const Group *group = &window->groups[g];
            int64_t left = group->changed;
            int32_t r = group->first;
            while (left > 0) {
                int64_t now = apart && left > most ? most : left;
                left -= now;
                if (apart) {
                    *out++ = '{';
                    out = put_string(out, code_text(group->key, word));
                    *out++ = ':';
                    *out++ = '{';
                } else if (day_comma) {
                    *out++ = ',';
                }
                out = put_string(out, date_text(group->key, word));
                *out++ = ':';
                *out++ = '{';
                for (bool row_comma = false; now > 0; r = window->rows[r].next) {
                    if (!window->rows[r].changed) continue;
                    if (row_comma) *out++ = ',';
                    out = put_row(out, &window->rows[r]);
                    row_comma = true;
                    now--;
                }
                *out++ = '}';
                day_comma = true;
                if (apart) {
                    *out++ = '}';
                    *out++ = '}';
                    ends[(*parts)++] = out - base;
                }
            }
        }
        if (!apart) *out++ = '}';
        comma = true;
    }
    if (!apart) {
        *out++ = '}';
        ends[(*parts)++] = out - base;
    }
    return out;
}

// Add items to windows. `old` holds each window's rows one after the other, up to their ends in `old_ends`; `items` the
// receipts of each window likewise, in the order of the log. Writes each window's rows to `rows`, their ends to
// `row_ends`; JSON of what changed to `json`, in parts of at most `most` rows, the ends of parts to `part_ends` and the
// number of parts up to and with each window to `part_counts`. Returns 0, MALFORMED or TOO_LARGE.
int64_t sum_rows(int64_t windows, const uint8_t *old, const int64_t *old_ends, const int64_t *items,
                 const int64_t *item_ends, const int64_t *lines, const uint8_t *text, int64_t text_length,
                 const uint8_t *more, uint64_t seed, int64_t most, uint8_t *scratch, uint8_t *rows, int64_t *row_ends,
                 uint8_t *json, int64_t *part_ends, int64_t *part_counts) {
    uint8_t *rows_out = rows, *json_out = json;
    int64_t parts = 0;
    for (int64_t w = 0; w < windows; w++) {
        Text before = {old + (w ? old_ends[w - 1] : 0), old + old_ends[w]};
        Window window;
        lay_out(&window, scratch, bound_of(w, old_ends, items, item_ends), seed);
        if (!take_window(&window, before)) return MALFORMED;
        for (int64_t i = w ? item_ends[w - 1] : 0; i < item_ends[w]; i++)
            if (!add_item(&window, items + i * ITEM_WIDTH, lines, text, text_length, more)) return TOO_LARGE;
        rows_out = put_window(&window, rows_out);
        row_ends[w] = rows_out - rows;
        json_out = put_changes(&window, json_out, most, json, part_ends, &parts);
        part_counts[w] = parts;
    }
    return 0;
}
