// Messages as records of Kafka's format 2, one after the other, cut into batches of at most so many bytes.
//
// https://kafka.apache.org/documentation/#record: varints are zigzag; the batch's own header is written by whoever sends
// it. A record has neither headers nor a time of its own.
#ifndef TILLSTREAM_FRAMES_H
#define TILLSTREAM_FRAMES_H

#include "text.h"

// Before a record's key and value: its length, attributes, time, offset, and how long both are.
enum { LONGEST_HEAD = 5 + 1 + 1 + 5 + 5 + 5 };

typedef struct {
    uint8_t *base, *at, *begun;  // of all, of the next record, of its batch
    int64_t many, most;  // records of this batch; bytes of each
    int64_t *batches, done;  // end and count of each that is full
} Frames;

static inline uint8_t *put_varint(uint8_t *out, int64_t number) {
    uint64_t rest = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
    for (; rest > 0x7F; rest >>= 7) *out++ = (uint8_t)(rest | 0x80);
    *out++ = (uint8_t)rest;
    return out;
}

static inline int64_t varint_size(int64_t number) {
    uint8_t unused[10];
    return put_varint(unused, number) - unused;
}

// Where the value of the next record is to be written: its head, which says how long it is, comes to stand before it.
static inline uint8_t *place_for_value(const Frames *frames, Span key) {
    return frames->at + LONGEST_HEAD + key.length;
}

static inline void end_batch(Frames *frames) {
    if (frames->many == 0) return;
    frames->batches[2 * frames->done] = frames->at - frames->base;
    frames->batches[2 * frames->done + 1] = frames->many;
    frames->done++;
    frames->many = 0;
    frames->begun = frames->at;
}

// A record's head and key, in the batch that has room for it; `rest` is how many bytes follow its offset, `length` that
// of its value, -1 for none.
static inline uint8_t *put_head(Frames *frames, Span key, int64_t length, int64_t rest) {
    int64_t whole = rest + 2 + varint_size(frames->many);
    if (frames->at - frames->begun + varint_size(whole) + whole > frames->most) {
        end_batch(frames);
        whole = rest + 2 + varint_size(frames->many);
    }
    uint8_t *out = put_varint(frames->at, whole);
    *out++ = 0;
    *out++ = 0;
    out = put_varint(out, frames->many++);
    out = put_varint(out, key.length);
    memcpy(out, key.at, (size_t)key.length);
    return put_varint(out + key.length, length);
}

static inline void put_tombstone(Frames *frames, Span key) {
    uint8_t *out = put_head(frames, key, -1, varint_size(key.length) + key.length + 2);
    *out++ = 0;
    frames->at = out;
}

// Finish the record whose value was written up to `end`. Returns where the value came to stand.
static inline uint8_t *end_record(Frames *frames, Span key, uint8_t *end) {
    uint8_t *value = place_for_value(frames, key);
    int64_t length = end - value;
    int64_t rest = varint_size(key.length) + key.length + varint_size(length) + length + 1;
    uint8_t *out = put_head(frames, key, length, rest);
    memmove(out, value, (size_t)length);
    value = out;
    out += length;
    *out++ = 0;
    frames->at = out;
    return value;
}

#endif
