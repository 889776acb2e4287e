// Frames keys without values as records of a batch; see kernel/tombstones.py.
#include "frames.h"

// Write a tombstone of each key, which stand one after the other, each up to its end. `batches` gets the end and count of
// each batch of at most `most` bytes. Returns how many batches there are.
int64_t frame_tombstones(int64_t many, const uint8_t *keys, const int64_t *ends, int64_t most, uint8_t *out,
                         int64_t *batches) {
    Frames frames = {out, out, out, 0, most, batches, 0};
    for (int64_t i = 0; i < many; i++) {
        int64_t begin = i ? ends[i - 1] : 0;
        put_tombstone(&frames, (Span){keys + begin, ends[i] - begin});
    }
    end_batch(&frames);
    return frames.done;
}
