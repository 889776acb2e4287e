// The little JSON that rows are sent as.
#ifndef TILLSTREAM_JSON_H
#define TILLSTREAM_JSON_H

#include "text.h"

static inline uint8_t *put_whole(uint8_t *out, int64_t number) {
    uint8_t digits[20];
    int many = 0;
    uint64_t rest = (uint64_t)number;
    if (number < 0) {
        *out++ = '-';
        rest = 0 - rest;
    }
    do digits[many++] = (uint8_t)('0' + rest % 10);
    while (rest /= 10);
    while (many > 0) *out++ = digits[--many];
    return out;
}

// Only quotes and backslashes need an escape: no id holds a control character.
static inline uint8_t *put_string(uint8_t *out, Span text) {
    *out++ = '"';
    for (int64_t i = 0; i < text.length; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\') *out++ = '\\';
        *out++ = text.at[i];
    }
    *out++ = '"';
    return out;
}

#endif
