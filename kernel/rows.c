// Adds receipts to store-windows; see kernel/sums.py, which is the only caller.
//
// A window is kept as the changelog keeps it: MessagePack of the largest offset folded into it, how many receipts it has,
// their hashes with their offsets, and its rows: currency -> business date -> SKU -> seven figures, in the order in which
// they came. So a state needs no encoding to be written and no decoding to be restored, and a window costs what its bytes
// take. Adding to one means reading its rows into a table, adding, and writing all anew, which a flush had to do in any
// case; what is written is the record that goes to Kafka, and so are the messages with the rows that changed.
// Nothing here outlives a call, and all memory is the caller's.
#include "columns.h"
#include "frames.h"
#include "json.h"
#include "msgpack.h"
#include "table.h"
#include "text.h"

enum { MALFORMED = -1, TOO_LARGE = -2 };
enum { SHORTEST_ROW = 10, VALUE_WIDTH = 4 };

// A receipt of a window: its place among the columns, and 1, -1 for a reversal, 0 where the window holds it already.
enum { PLACE, SIGN, ITEM_WIDTH };

// What is to be done, and where it goes. Texts stand one after the other, each up to its end.
typedef struct {
    int64_t windows;
    const uint8_t *values, *keys;  // of each window: its value so far (none for a new one), and its record's key
    const int64_t *value_ends, *key_ends, *starts, *stores;
    const int64_t *items, *item_ends;  // of each window, in the order of the log
    const uint8_t *ids, *heads;  // of each store: the key of its messages, and what they begin with
    const int64_t *id_ends, *head_ends;
    int64_t many;  // receipts that were read
    const int64_t *columns, *records_read, *lines;
    const uint8_t *text, *more;
    int64_t text_length;
    uint64_t seed;
    int64_t most_rows, most_bytes;  // of a message, of a batch
    uint8_t *scratch;
    uint8_t *records, *messages;  // of the changelog, of rows
    int64_t *record_batches, *message_batches;  // end and count of each
    int64_t many_record_batches, many_message_batches;
    int64_t *values_found;  // of each window: where its value begins and ends among the records, and its receipts
} Sums;

static Span part_of(const uint8_t *texts, const int64_t *ends, int64_t at) {
    int64_t begin = at ? ends[at - 1] : 0;
    return (Span){texts + begin, ends[at] - begin};
}

static int64_t first_item(const Sums *sums, int64_t w) { return w ? sums->item_ends[w - 1] : 0; }

static int64_t offset_of(const Sums *sums, const int64_t *item) {
    return sums->records_read[item[PLACE] * RECORD_WIDTH + OFFSET];
}

static int64_t column(const Sums *sums, int name, const int64_t *item) {
    return sums->columns[name * sums->many + item[PLACE]];
}

// The most rows that a window can come to have.
static int64_t bound_of(const Sums *sums, int64_t w) {
    int64_t bound = part_of(sums->values, sums->value_ends, w).length / SHORTEST_ROW;
    for (int64_t i = first_item(sums, w); i < sums->item_ends[w]; i++)
        bound += column(sums, KEPT, sums->items + i * ITEM_WIDTH);
    return bound;
}

// How many bytes of scratch `sum_windows` takes.
int64_t scratch_bytes(const Sums *sums) {
    int64_t most = 0;
    for (int64_t w = 0; w < sums->windows; w++) {
        int64_t bound = bound_of(sums, w);
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
static bool take_all_rows(Window *window, Text text) {
    int64_t currencies, days, date;
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

// What stands before a window's rows. `entries` are its receipts' hashes and offsets.
typedef struct {
    int64_t applied, receipts, many;
    Span entries;
} Head;

// A window's value as it stands, its rows into the table; false where that is not what was written here.
static bool take_value(Window *window, Span value, Head *head) {
    Text text = {value.at, value.at + value.length};
    *head = (Head){.applied = -1};
    if (value.length == 0) return true;
    if (*text.at++ != (0x90 | VALUE_WIDTH)) return false;
    if (!get_number(&text, &head->applied) || !get_number(&text, &head->receipts) || !get_map(&text, &head->many))
        return false;
    head->entries.at = text.at;
    for (int64_t i = 0; i < head->many; i++)
        if (!pass_unsigned(&text) || !pass_unsigned(&text)) return false;
    head->entries.length = text.at - head->entries.at;
    return take_all_rows(window, text);
}

// Add one receipt's lines; with a SIGN of 0 the rows hold them already, and are only to be sent again.
static bool add_item(Window *window, const Sums *sums, const int64_t *item) {
    int64_t first = column(sums, FIRST, item), kept = column(sums, KEPT, item), group = column(sums, GROUP, item);
    int64_t offset = offset_of(sums, item);
    for (int64_t i = 0; i < kept; i++) {
        const int64_t *line = sums->lines + (first + i) * LINE_WIDTH;
        int64_t at = line[SKU_AT];
        Span sku = {
            at < sums->text_length ? sums->text + at : sums->more + (at - sums->text_length), line[SKU_LENGTH]};
        Row *row = row_of(window, group, sku);
        change(window, row);
        if (item[SIGN] == 0) continue;
        for (int k = UNITS; k <= TAX; k++)
            if (__builtin_add_overflow(row->figures[k], line[k], &row->figures[k])) return false;
        if (row->figures[VERSION] != offset) {
            row->figures[RECEIPTS] += item[SIGN];
            row->figures[VERSION] = offset;
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

static uint8_t *put_all_rows(const Window *window, uint8_t *out) {
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

// A window's value, after what was added to it. `head` is what it was before, and is brought up to date.
static uint8_t *put_value(const Window *window, const Sums *sums, int64_t w, Head *head, uint8_t *out) {
    int64_t added = 0;
    for (int64_t i = first_item(sums, w); i < sums->item_ends[w]; i++) {
        const int64_t *item = sums->items + i * ITEM_WIDTH;
        if (item[SIGN] == 0) continue;
        head->applied = offset_of(sums, item);
        head->receipts += item[SIGN];
        added++;
    }
    *out++ = 0x90 | VALUE_WIDTH;
    out = put_number(out, head->applied);
    out = put_number(out, head->receipts);
    out = put_map(out, head->many + added);
    memcpy(out, head->entries.at ? head->entries.at : out, (size_t)head->entries.length);
    out += head->entries.length;
    for (int64_t i = first_item(sums, w); i < sums->item_ends[w]; i++) {
        const int64_t *item = sums->items + i * ITEM_WIDTH;
        if (item[SIGN] == 0) continue;
        out = put_unsigned(out, (uint64_t)column(sums, IDENTITY, item));
        out = put_number(out, offset_of(sums, item));
    }
    return put_all_rows(window, out);
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

static uint8_t *put_words(uint8_t *out, const char *words, int64_t length) {
    memcpy(out, words, (size_t)length);
    return out + length;
}

#define PUT_WORDS(out, words) put_words(out, words, sizeof(words) - 1)

// A message as schemas.window.WindowMessage has it, up to its rows.
static uint8_t *begin_message(const Frames *frames, const Sums *sums, int64_t w, const Head *head) {
    Span begin = part_of(sums->heads, sums->head_ends, sums->stores[w]);
    uint8_t *out = place_for_value(frames, part_of(sums->ids, sums->id_ends, sums->stores[w]));
    memcpy(out, begin.at, (size_t)begin.length);
    out = put_whole(out + begin.length, sums->starts[w]);
    out = PUT_WORDS(out, ",\"receipts\":");
    out = put_whole(out, head->receipts);
    out = PUT_WORDS(out, ",\"version\":");
    out = put_whole(out, head->applied);
    return PUT_WORDS(out, ",\"rows\":");
}

static void end_message(Frames *frames, const Sums *sums, int64_t w, uint8_t *out) {
    *out++ = '}';
    end_record(frames, part_of(sums->ids, sums->id_ends, sums->stores[w]), out);
}

static uint8_t *put_name(uint8_t *out, Span name, uint8_t then) {
    out = put_string(out, name);
    *out++ = ':';
    *out++ = then;
    return out;
}

// Of a group, so many rows that changed, from one on; which one comes next is left in `row`.
static uint8_t *put_group(uint8_t *out, const Window *window, const Group *group, int32_t *row, int64_t many) {
    uint8_t word[10];
    out = put_name(out, date_text(group->key, word), '{');
    for (bool comma = false; many > 0; *row = window->rows[*row].next) {
        if (!window->rows[*row].changed) continue;
        if (comma) *out++ = ',';
        out = put_row(out, &window->rows[*row]);
        comma = true;
        many--;
    }
    *out++ = '}';
    return out;
}

// One message with all rows that changed.
static void put_together(Frames *frames, const Window *window, const Sums *sums, int64_t w, const Head *head) {
    uint8_t word[10], *out = begin_message(frames, sums, w, head);
    uint8_t before = '{';
    for (int64_t c = 0; c < window->many_currencies; c++) {
        const Currency *currency = &window->currencies[c];
        if (currency->changed == 0) continue;
        *out++ = before;
        out = put_name(out, code_text((int64_t)currency->code << 32, word), '{');
        bool comma = false;
        for (int32_t g = currency->first; g != NONE; g = window->groups[g].next) {
            const Group *group = &window->groups[g];
            if (group->changed == 0) continue;
            if (comma) *out++ = ',';
            int32_t row = group->first;
            out = put_group(out, window, group, &row, group->changed);
            comma = true;
        }
        *out++ = '}';
        before = ',';
    }
    *out++ = '}';
    end_message(frames, sums, w, out);
}

// Messages of one group each, with at most so many rows.
static void put_apart(Frames *frames, const Window *window, const Sums *sums, int64_t w, const Head *head) {
    uint8_t word[10];
    for (int64_t g = 0; g < window->many_groups; g++) {
        const Group *group = &window->groups[g];
        int32_t row = group->first;
        for (int64_t left = group->changed, now; left > 0; left -= now) {
            now = left > sums->most_rows ? sums->most_rows : left;
            uint8_t *out = begin_message(frames, sums, w, head);
            *out++ = '{';
            out = put_name(out, code_text(group->key, word), '{');
            out = put_group(out, window, group, &row, now);
            *out++ = '}';
            *out++ = '}';
            end_message(frames, sums, w, out);
        }
    }
}

// Add the items to the windows: writes each one's record, in the order of the windows, and messages with the rows that
// changed. Returns 0, MALFORMED or TOO_LARGE.
int64_t sum_windows(Sums *sums) {
    Frames records = {sums->records, sums->records, sums->records, 0, sums->most_bytes, sums->record_batches, 0};
    Frames messages = {sums->messages, sums->messages, sums->messages, 0, sums->most_bytes, sums->message_batches, 0};
    for (int64_t w = 0; w < sums->windows; w++) {
        Window window;
        Head head;
        lay_out(&window, sums->scratch, bound_of(sums, w), sums->seed);
        if (!take_value(&window, part_of(sums->values, sums->value_ends, w), &head)) return MALFORMED;
        for (int64_t i = first_item(sums, w); i < sums->item_ends[w]; i++)
            if (!add_item(&window, sums, sums->items + i * ITEM_WIDTH)) return TOO_LARGE;
        Span key = part_of(sums->keys, sums->key_ends, w);
        uint8_t *begun = place_for_value(&records, key);
        uint8_t *end = put_value(&window, sums, w, &head, begun);
        uint8_t *value = end_record(&records, key, end);
        int64_t *found = sums->values_found + 3 * w;
        found[0] = value - sums->records;
        found[1] = value + (end - begun) - sums->records;
        found[2] = head.receipts;
        int64_t changed = 0;
        for (int64_t g = 0; g < window.many_groups; g++) changed += window.groups[g].changed;
        if (changed > sums->most_rows) put_apart(&messages, &window, sums, w, &head);
        else put_together(&messages, &window, sums, w, &head);
    }
    end_batch(&records);
    end_batch(&messages);
    sums->many_record_batches = records.done;
    sums->many_message_batches = messages.done;
    return 0;
}
