// MessagePack as msgspec writes it: each number and each length in its shortest form.
#ifndef TILLSTREAM_MSGPACK_H
#define TILLSTREAM_MSGPACK_H

#include "text.h"

static inline uint8_t *put_big_endian(uint8_t *out, uint64_t number, int bytes) {
    while (bytes-- > 0) *out++ = (uint8_t)(number >> (8 * bytes));
    return out;
}

static inline uint8_t *put_number(uint8_t *out, int64_t number) {
    uint64_t bits = (uint64_t)number;
    if (number >= -32 && number <= 127) return put_big_endian(out, bits, 1);
    if (number >= 0) {
        int size = bits <= UINT8_MAX ? 0 : bits <= UINT16_MAX ? 1 : bits <= UINT32_MAX ? 2 : 3;
        *out++ = (uint8_t)(0xCC + size);
        return put_big_endian(out, bits, 1 << size);
    }
    int size = number >= INT8_MIN ? 0 : number >= INT16_MIN ? 1 : number >= INT32_MIN ? 2 : 3;
    *out++ = (uint8_t)(0xD0 + size);
    return put_big_endian(out, bits, 1 << size);
}

static inline uint8_t *put_unsigned(uint8_t *out, uint64_t number) {
    if (number <= INT64_MAX) return put_number(out, (int64_t)number);
    *out++ = 0xCF;
    return put_big_endian(out, number, 8);
}

static inline uint8_t *put_map(uint8_t *out, int64_t length) {
    if (length < 16) {
        *out++ = (uint8_t)(0x80 | length);
        return out;
    }
    *out++ = length <= UINT16_MAX ? 0xDE : 0xDF;
    return put_big_endian(out, (uint64_t)length, length <= UINT16_MAX ? 2 : 4);
}

static inline uint8_t *put_text(uint8_t *out, Span text) {
    if (text.length < 32) {
        *out++ = (uint8_t)(0xA0 | text.length);
    } else {
        int size = text.length <= UINT8_MAX ? 0 : 1;  // no id is longer
        *out++ = (uint8_t)(0xD9 + size);
        out = put_big_endian(out, (uint64_t)text.length, 1 << size);
    }
    memcpy(out, text.at, (size_t)text.length);
    return out + text.length;
}

static inline bool get_big_endian(Text *text, int bytes, uint64_t *number) {
    if (text->end - text->at < bytes) return false;
    *number = 0;
    while (bytes-- > 0) *number = *number << 8 | *text->at++;
    return true;
}

static inline bool get_number(Text *text, int64_t *number) {
    uint64_t bits;
    if (text->at == text->end) return false;
    uint8_t head = *text->at++;
    if (head <= 0x7F || head >= 0xE0) {
        *number = (int8_t)head;
        return true;
    }
    if (head < 0xCC || head > 0xD3) return false;
    int bytes = 1 << ((head - 0xCC) & 3);
    if (!get_big_endian(text, bytes, &bits)) return false;
    if (head <= 0xCF) {
        *number = (int64_t)bits;
        return bits <= INT64_MAX;
    }
    int unused = 64 - 8 * bytes;
    *number = (int64_t)(bits << unused) >> unused;
    return true;
}

// Pass over a number that is not negative.
static inline bool pass_unsigned(Text *text) {
    if (text->at == text->end) return false;
    uint8_t head = *text->at++;
    if (head <= 0x7F) return true;
    if (head < 0xCC || head > 0xCF || text->end - text->at < 1 << (head - 0xCC)) return false;
    text->at += 1 << (head - 0xCC);
    return true;
}

static inline bool get_map(Text *text, int64_t *length) {
    uint64_t bits;
    if (text->at == text->end) return false;
    uint8_t head = *text->at++;
    if ((head & 0xF0) == 0x80) {
        *length = head & 0x0F;
        return true;
    }
    if ((head != 0xDE && head != 0xDF) || !get_big_endian(text, head == 0xDE ? 2 : 4, &bits)) return false;
    *length = (int64_t)bits;
    return true;
}

static inline bool get_text(Text *text, Span *found) {
    uint64_t bits;
    if (text->at == text->end) return false;
    uint8_t head = *text->at++;
    if ((head & 0xE0) == 0xA0) {
        bits = head & 0x1F;
    } else if ((head != 0xD9 && head != 0xDA) || !get_big_endian(text, head == 0xD9 ? 1 : 2, &bits)) {
        return false;
    }
    if ((uint64_t)(text->end - text->at) < bits) return false;
    *found = (Span){text->at, (int64_t)bits};
    text->at += bits;
    return true;
}

#endif
