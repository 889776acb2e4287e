// A place in a text that is read byte by byte, never beyond its end.
//
// What is read here is JSON as tills send it. Whoever reads gives up (returns false) at the first thing that is unusual:
// schemas.decode then judges the message by its slower ways, which accept all that is valid and say what is wrong with
// the rest. So nothing here decides what a message means where there could be a doubt.
#ifndef TILLSTREAM_TEXT_H
#define TILLSTREAM_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const uint8_t *at;
    const uint8_t *end;
} Text;

typedef struct {
    const uint8_t *at;
    int64_t length;  // in bytes
} Span;

static inline void skip_blanks(Text *text) {
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\n' || *text->at == '\r' || *text->at == '\t'))
        text->at++;
}

// Pass over one character, blanks before it too.
static inline bool take(Text *text, uint8_t wanted) {
    skip_blanks(text);
    if (text->at == text->end || *text->at != wanted) return false;
    text->at++;
    return true;
}

// Whether this character comes next, blanks aside; it is left where it is.
static inline bool next_is(Text *text, uint8_t wanted) {
    skip_blanks(text);
    return text->at < text->end && *text->at == wanted;
}

static inline bool take_word(Text *text, const char *word, int64_t length) {
    if (text->end - text->at < length || memcmp(text->at, word, (size_t)length) != 0) return false;
    text->at += length;
    return true;
}

#define TAKE_WORD(text, word) take_word(text, word, sizeof(word) - 1)

static inline bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static inline bool same(Span span, const char *word, int64_t length) {
    return span.length == length && memcmp(span.at, word, (size_t)length) == 0;
}

#define SAME(span, word) same(span, word, sizeof(word) - 1)

// One character of more than a byte, by RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF; and none of
// Latin-1's control characters, since no id may hold one.
static inline bool take_wide(Text *text) {
    const uint8_t *at = text->at;
    int64_t left = text->end - at;
#define CONTINUES(n) ((at[n] & 0xC0) == 0x80)
    if (at[0] >= 0xC2 && at[0] <= 0xDF) {
        if (left < 2 || !CONTINUES(1) || (at[0] == 0xC2 && at[1] < 0xA0)) return false;
        text->at += 2;
        return true;
    }
    if (at[0] >= 0xE0 && at[0] <= 0xEF) {
        if (left < 3 || !CONTINUES(1) || !CONTINUES(2)) return false;
        if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] >= 0xA0)) return false;
        text->at += 3;
        return true;
    }
    if (at[0] >= 0xF0 && at[0] <= 0xF4) {
        if (left < 4 || !CONTINUES(1) || !CONTINUES(2) || !CONTINUES(3)) return false;
        if ((at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] >= 0x90)) return false;
        text->at += 4;
        return true;
    }
#undef CONTINUES
    return false;
}

// A string without escapes and control characters; `characters` are those that a person would count.
static inline bool take_string(Text *text, Span *found, int64_t *characters) {
    if (!take(text, '"')) return false;
    found->at = text->at;
    int64_t wide = 0;  // bytes beyond the first of a character
    while (text->at < text->end) {
        uint8_t byte = *text->at;
        if (byte == '"') {
            found->length = text->at - found->at;
            *characters = found->length - wide;
            text->at++;
            return true;
        }
        if (byte < 0x20 || byte == '\\' || byte == 0x7F) return false;
        if (byte < 0x80) {
            text->at++;
            continue;
        }
        const uint8_t *before = text->at;
        if (!take_wide(text)) return false;
        wide += text->at - before - 1;
    }
    return false;
}

#endif
