// Takes batches of Kafka's format 2 apart; see kernel/records.py. A batch comes from outside: nothing that it says of
// itself is believed where it would lead beyond its end.
#include "columns.h"
#include "text.h"

static bool get_varint(Text *text, int64_t *number) {
    uint64_t bits = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (text->at == text->end) return false;
        uint8_t byte = *text->at++;
        bits |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *number = (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
            return true;
        }
    }
    return false;
}

// Bytes with their length before them, -1 for none.
static bool pass_bytes(Text *text, const uint8_t *base, int64_t *at, int64_t *length) {
    if (!get_varint(text, length) || *length < -1 || *length > text->end - text->at) return false;
    *at = text->at - base;
    if (*length > 0) text->at += *length;
    return true;
}

// Read `many` records, which fill `text`, the records of a batch. Those before `from_offset` are left out. `stamp` is the
// time of all of them, or NOWHERE where each has its own, counted from `first_time`. Returns how many were put into
// `records`, or -1 where the batch is not as the format says.
int64_t read_records(int64_t many, const uint8_t *text, int64_t length, int64_t base_offset, int64_t from_offset,
                     int64_t first_time, int64_t stamp, int64_t *records) {
    Text rest = {text, text + length};
    int64_t found = 0;
    for (int64_t i = 0; i < many; i++) {
        int64_t size, time, offset, headers, unused, *record = records + found * RECORD_WIDTH;
        if (!get_varint(&rest, &size) || size < 1 || size > rest.end - rest.at) return -1;
        Text one = {rest.at + 1, rest.at + size};  // after its attributes
        rest.at += size;
        if (!get_varint(&one, &time) || !get_varint(&one, &offset)) return -1;
        if (!pass_bytes(&one, text, record + KEY_AT, record + KEY_LENGTH)) return -1;
        if (!pass_bytes(&one, text, record + VALUE_AT, record + VALUE_LENGTH)) return -1;
        if (!get_varint(&one, &headers) || headers < 0) return -1;
        while (headers-- > 0)
            for (int half = 0; half < 2; half++) {
                int64_t at;
                if (!pass_bytes(&one, text, &at, &unused)) return -1;
            }
        if (one.at != one.end) return -1;
        if (__builtin_add_overflow(base_offset, offset, record + OFFSET)) return -1;
        if (stamp != NOWHERE) record[TIMESTAMP] = stamp;
        else if (__builtin_add_overflow(first_time, time, record + TIMESTAMP)) return -1;
        found += record[OFFSET] >= from_offset;
    }
    return rest.at == rest.end ? found : -1;
}

// Records whose text has come to stand behind `by` other bytes.
void move_records(int64_t many, int64_t *records, int64_t by) {
    for (int64_t i = 0; i < many; i++) {
        records[i * RECORD_WIDTH + KEY_AT] += by;
        records[i * RECORD_WIDTH + VALUE_AT] += by;
    }
}
