# What ops.py says, in C. A place outside the text is never read: nothing is found there.

from cpython.array cimport array, clone
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from libc.errno cimport EINTR, errno
from libc.string cimport memcpy

cdef extern from *:
    """
    #ifdef _WIN32
    #include <io.h>
    #define kl_read(file, to, size) _read(file, to, (unsigned)(size))
    #else
    #include <unistd.h>
    #define kl_read read
    #endif
    """
    Py_ssize_t kl_read(int file, void *to, Py_ssize_t size) nogil

cdef extern from *:
    """
    #include <string.h>
    #include <stdint.h>
    #define KL static inline __attribute__((always_inline))
    typedef const uint8_t *kl_text;

    KL uint64_t kl_load8(kl_text p) { uint64_t x; memcpy(&x, p, 8); return x; }
    KL uint32_t kl_load4(kl_text p) { uint32_t x; memcpy(&x, p, 4); return x; }
    /* little endian, zero padded */
    KL uint64_t kl_load(kl_text p, Py_ssize_t n) {
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
      if (n == 8) return kl_load8(p);
    #endif
      uint64_t x = 0;
      for (Py_ssize_t i = 0; i < n; i++) x |= (uint64_t)p[i] << (8 * i);
      return x;
    }
    KL int kl_inside(Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) { return p >= 0 && p <= e && e <= size; }

    KL int kl_equal(kl_text a, kl_text b, Py_ssize_t n) {
      if (n > 32) return !memcmp(a, b, (size_t)n);
      if (n > 16)
        return !((kl_load8(a) ^ kl_load8(b)) | (kl_load8(a + 8) ^ kl_load8(b + 8)) | (kl_load8(a + n - 16) ^ kl_load8(b + n - 16)) |
                 (kl_load8(a + n - 8) ^ kl_load8(b + n - 8)));
      if (n >= 8) return kl_load8(a) == kl_load8(b) && kl_load8(a + n - 8) == kl_load8(b + n - 8);
      if (n >= 4) return kl_load4(a) == kl_load4(b) && kl_load4(a + n - 4) == kl_load4(b + n - 4);
      for (Py_ssize_t i = 0; i < n; i++) if (a[i] != b[i]) return 0;
      return 1;
    }
    KL Py_ssize_t kl_find(kl_text b, Py_ssize_t size, int c, Py_ssize_t p, Py_ssize_t e) {
      if (!kl_inside(size, p, e) || p == e) return e;
      kl_text q = (kl_text)memchr(b + p, c, (size_t)(e - p));
      return q ? q - b : e;
    }
    KL Py_ssize_t kl_seek(kl_text b, Py_ssize_t size, int c, Py_ssize_t p, Py_ssize_t e) {
      if (!kl_inside(size, p, e)) return e;
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
      const uint64_t ones = 0x0101010101010101ull, mask = ones * (uint8_t)c;
      for (; e - p >= 8; p += 8) {
        uint64_t x = kl_load8(b + p) ^ mask, zero = (x - ones) & ~x & (ones << 7);
        if (zero) return p + (__builtin_ctzll(zero) >> 3);
      }
    #endif
      while (p < e && b[p] != (uint8_t)c) p++;
      return p;
    }
    KL int kl_starts(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e, kl_text l, Py_ssize_t lsize, Py_ssize_t at, Py_ssize_t n) {
      return n >= 0 && kl_inside(size, p, e) && n <= e - p && kl_inside(lsize, at, at + n) && kl_equal(b + p, l + at, n);
    }
    static inline Py_ssize_t kl_locate(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e, kl_text l, Py_ssize_t lsize, Py_ssize_t at, Py_ssize_t n) {
      if (n <= 0 || !kl_inside(size, p, e) || !kl_inside(lsize, at, at + n)) return -1;
      for (Py_ssize_t stop = e - n + 1; p < stop; p++) {
        p = kl_find(b, size, l[at], p, stop);
        if (p >= stop) return -1;
        if (kl_equal(b + p, l + at, n)) return p;
      }
      return -1;
    }
    KL int kl_same(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t q, Py_ssize_t n) {
      return n >= 0 && p >= 0 && q >= 0 && n <= size && p <= size - n && q <= size - n && kl_equal(b + p, b + q, n);
    }
    KL Py_ssize_t kl_blanks(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) {
      if (!kl_inside(size, p, e)) return p;
      while (p < e && (b[p] == 32 || b[p] == 9)) p++;
      return p;
    }
    KL Py_ssize_t kl_word(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) {
      if (!kl_inside(size, p, e)) return p;
      while (p < e && b[p] != 32 && b[p] != 9) p++;
      return p;
    }
    KL Py_ssize_t kl_digits(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e, Py_ssize_t most) {
      if (!kl_inside(size, p, e)) return p;
      if (e - p > most) e = p + most;
      while (p < e && b[p] >= 48 && b[p] <= 57) p++;
      return p;
    }
    KL int64_t kl_number(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) {
      int64_t n = 0;
      if (kl_inside(size, p, e)) for (; p < e; p++) n = n * 10 + b[p] - 48;
      return n;
    }
    KL int32_t kl_six(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) {
      if (!kl_inside(size, p, e) || e - p < 6) return -1;
      uint64_t x = kl_load4(b + p) | (uint64_t)b[p + 4] << 32 | (uint64_t)b[p + 5] << 40;
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
      /* Digits are 30 to 39: adding 6 must leave the high half as it is. */
      if (((x & 0xF0F0F0F0F0F0ull) | ((x + 0x060606060606ull) & 0xF0F0F0F0F0F0ull) >> 4) != 0x333333333333ull) return -1;
      x &= 0x0F0F0F0F0F0Full;
      x = (x * 10 + (x >> 8)) & 0x00FF00FF00FFull; /* three numbers of two digits */
      return (int32_t)((x & 0xFF) * 10000 + (x >> 16 & 0xFF) * 100 + (x >> 32 & 0xFF));
    #else
      int32_t n = 0;
      for (int i = 0; i < 6; i++) {
        unsigned d = (unsigned)b[p + i] - 48;
        if (d > 9) return -1;
        n = n * 10 + (int32_t)d;
      }
      return n;
    #endif
    }
    KL int kl_two(kl_text p) {
      unsigned x = (unsigned)p[0] - 48, y = (unsigned)p[1] - 48;
      return x > 9 || y > 9 ? -1 : (int)(10 * x + y);
    }
    KL int32_t kl_clock(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) {
      if (!kl_inside(size, p, e) || e - p < 8 || b[p + 2] != 58 || b[p + 5] != 58) return -1;
      int h = kl_two(b + p), m = kl_two(b + p + 3), s = kl_two(b + p + 6);
      return h < 0 || m < 0 || s < 0 || h > 23 || m > 59 || s > 59 ? -1 : (h * 60 + m) * 60 + s;
    }
    KL Py_ssize_t kl_closing_quote(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) {
      if (!kl_inside(size, p, e)) return e;
      for (Py_ssize_t start = p;; p++) {
        p = kl_find(b, size, 34, p, e);
        if (p >= e) return e;
        Py_ssize_t i = p;
        while (i > start && b[i - 1] == 92) i--;
        if (!((p - i) & 1)) return p;
      }
    }
    KL Py_ssize_t kl_value_end(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) {
      if (!kl_inside(size, p, e)) return e;
      for (Py_ssize_t depth = 0; p < e;) {
        uint8_t c = b[p];
        if (c == 34) {
          p = kl_closing_quote(b, size, p + 1, e);
          if (p == e) return e;
        } else if (c == 91 || c == 123) depth++;
        else if (c == 44 || c == 93 || c == 125) {
          if (!depth) return p;
          if (c != 44) depth--;
        }
        p++;
        if (!depth && (c == 34 || c == 93 || c == 125)) return p;
      }
      return e;
    }
    KL int32_t kl_hex(kl_text b, Py_ssize_t p, Py_ssize_t e) {
      if (e - p < 4) return -1;
      int32_t n = 0;
      for (int i = 0; i < 4; i++) {
        uint8_t c = b[p + i];
        int d = c >= 48 && c <= 57 ? c - 48 : c >= 97 && c <= 102 ? c - 87 : c >= 65 && c <= 70 ? c - 55 : -1;
        if (d < 0) return -1;
        n = n * 16 + d;
      }
      return n;
    }
    /* What is put down is never longer than what says it. */
    static inline Py_ssize_t kl_unescape(uint8_t *t, Py_ssize_t tsize, Py_ssize_t q, kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) {
      if (!kl_inside(size, p, e) || !kl_inside(tsize, q, q + e - p)) return q;
      while (p < e) {
        uint8_t c = b[p++];
        if (c != 92 || p == e) { t[q++] = c; continue; }
        c = b[p++];
        if (c != 117) {
          t[q++] = c == 98 ? 8 : c == 102 ? 12 : c == 110 ? 10 : c == 114 ? 13 : c == 116 ? 9 : c;
          continue;
        }
        int32_t point = kl_hex(b, p, e);
        if (point < 0) { t[q++] = 92; t[q++] = 117; continue; }
        p += 4;
        if (point >= 0xD800 && point < 0xDC00 && p + 1 < e && b[p] == 92 && b[p + 1] == 117) {
          int32_t low = kl_hex(b, p + 2, e);
          if (low >= 0xDC00 && low < 0xE000) { point = 0x10000 + ((point - 0xD800) << 10) + low - 0xDC00; p += 6; }
        }
        if (point >= 0xD800 && point < 0xE000) point = 0xFFFD;
        if (point < 0x80) t[q++] = (uint8_t)point;
        else if (point < 0x800) { t[q++] = (uint8_t)(0xC0 | point >> 6); t[q++] = (uint8_t)(0x80 | (point & 63)); }
        else if (point < 0x10000) {
          t[q++] = (uint8_t)(0xE0 | point >> 12); t[q++] = (uint8_t)(0x80 | (point >> 6 & 63)); t[q++] = (uint8_t)(0x80 | (point & 63));
        } else {
          t[q++] = (uint8_t)(0xF0 | point >> 18); t[q++] = (uint8_t)(0x80 | (point >> 12 & 63));
          t[q++] = (uint8_t)(0x80 | (point >> 6 & 63)); t[q++] = (uint8_t)(0x80 | (point & 63));
        }
      }
      return q;
    }
    /* Which of eight bytes are c: the high bit of each; exact up to the first. */
    KL uint64_t kl_are(uint64_t x, uint8_t c) { x ^= 0x0101010101010101ull * c; return (x - 0x0101010101010101ull) & ~x & 0x8080808080808080ull; }
    KL Py_ssize_t kl_any(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e, uint8_t c, uint8_t d, uint8_t f) {
      if (!kl_inside(size, p, e)) return e;
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
      for (; e - p >= 8; p += 8) {
        uint64_t x = kl_load8(b + p), any = kl_are(x, c) | kl_are(x, d) | kl_are(x, f);
        if (any) return p + (__builtin_ctzll(any) >> 3);
      }
    #endif
      while (p < e && b[p] != c && b[p] != d && b[p] != f) p++;
      return p;
    }
    KL Py_ssize_t kl_run(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e, kl_text stops, Py_ssize_t n_stops) {
      if (!kl_inside(size, p, e) || n_stops != 256) return e;
      while (p < e && !stops[b[p]]) p++;
      return p;
    }
    KL Py_ssize_t kl_text_behind(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) {
      return p == e ? p : kl_inside(size, p, e) && b[p] == 32 ? p + 1 : -1;
    }
    #define KL_MIX 0x9E3779B97F4A7C15ull
    #define KL_MIX_2 0xC2B2AE3D27D4EB4Full
    #define KL_MIX_3 0x165667B19E3779F9ull
    #define KL_MIX_4 0xFF51AFD7ED558CCDull
    /* All bytes count; up to 32 of them without a loop, whose end would be guessed wrong. */
    KL uint64_t kl_digest(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) {
      if (!kl_inside(size, p, e)) return 0;
      Py_ssize_t n = e - p;
      uint64_t h = 0;
      if (n < 8) h = kl_load(b + p, n);
      else if (n <= 16) h = kl_load(b + p, 8) * KL_MIX ^ kl_load(b + e - 8, 8) * KL_MIX_2;
      else if (n <= 32) h = kl_load(b + p, 8) * KL_MIX ^ kl_load(b + p + 8, 8) * KL_MIX_2 ^ kl_load(b + e - 16, 8) * KL_MIX_3 ^ kl_load(b + e - 8, 8) * KL_MIX_4;
      else {
        for (; e - p > 8; p += 8) { h = (h ^ kl_load(b + p, 8)) * KL_MIX; h ^= h >> 32; }
        h = (h ^ kl_load(b + e - 8, 8)) * KL_MIX_2;
      }
      h = (h ^ (uint64_t)n) * KL_MIX;
      h = (h ^ (h >> 32)) * KL_MIX;
      return h ^ (h >> 32);
    }
    KL Py_ssize_t kl_lookup(const int32_t *slots, Py_ssize_t n_slots, const int32_t *spans, Py_ssize_t n_spans, kl_text text, Py_ssize_t tsize, kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) {
      uint64_t mask = (uint64_t)n_slots - 1, i = kl_digest(b, size, p, e) & mask;
      for (; slots[i]; i = (i + 1) & mask) {
        Py_ssize_t s = slots[i] - 1;
        if (s < 0 || 2 * s + 1 >= n_spans) break;
        Py_ssize_t at = spans[2 * s], n = spans[2 * s + 1] - at;
        if (n == e - p && kl_inside(size, p, e) && kl_inside(tsize, at, at + n) && kl_equal(text + at, b + p, n)) return s;
      }
      return -1 - (Py_ssize_t)i;
    }
    /* RFC 3629, as Python reads it: no surrogates, nothing longer than it has to be. */
    static inline int kl_valid_text(kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) {
      if (!kl_inside(size, p, e)) return 0;
      int ascii = 1;
      const Py_ssize_t start = p;
      while (p < e) {
        const uint64_t high = 0x8080808080808080ull;
        while (e - p >= 32 && !((kl_load8(b + p) | kl_load8(b + p + 8) | kl_load8(b + p + 16) | kl_load8(b + p + 24)) & high)) p += 32;
        if (e - p >= 8) {
          if (!(kl_load8(b + p) & high)) { p += 8; continue; }
        } else if (e - start >= 8 && !(kl_load8(b + e - 8) & high)) break; /* some bytes are looked at again */
        if (p == e) break;
        uint8_t c = b[p];
        if (c < 0x80) { p++; continue; }
        ascii = 0;
        int more = c >= 0xC2 && c < 0xE0 ? 1 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xF0 && c < 0xF5 ? 3 : 0;
        if (!more || e - p <= more) return 0;
        uint8_t d = b[p + 1];
        if ((d & 0xC0) != 0x80 || (c == 0xE0 && d < 0xA0) || (c == 0xED && d > 0x9F) || (c == 0xF0 && d < 0x90) || (c == 0xF4 && d > 0x8F)) return 0;
        for (int i = 2; i <= more; i++) if ((b[p + i] & 0xC0) != 0x80) return 0;
        p += more + 1;
      }
      return 1 + ascii;
    }
    KL int kl_put_view(int32_t *views, Py_ssize_t n_views, Py_ssize_t i, kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e, int buffer, Py_ssize_t place) {
      if (!kl_inside(size, p, e) || i < 0 || i > n_views - 4) return -1;
      Py_ssize_t n = e - p;
      views[i] = (int32_t)n;
      if (n > 12) {
        memcpy(views + i + 1, b + p, 4);
        views[i + 2] = buffer, views[i + 3] = (int32_t)place;
      } else if (size - p >= 12) { /* read twelve bytes, keep those that are meant */
        uint64_t lo = kl_load8(b + p), hi = kl_load4(b + p + 8);
        if (n < 8) lo = n ? lo & (~0ull >> (64 - 8 * n)) : 0, hi = 0;
        else hi = n > 8 ? hi & (0xFFFFFFFFull >> (32 - 8 * (n - 8))) : 0;
        memcpy(views + i + 1, &lo, 8), memcpy(views + i + 3, &hi, 4);
      } else {
        memset(views + i + 1, 0, 12), memcpy(views + i + 1, b + p, (size_t)n);
      }
      return 0;
    }
    /* A loop for each size: the compiler makes eight and more values of one step of it. */
    #define KL_MARK(clear) \
      Py_ssize_t missing = 0; \
      if (n < 0 || n > size || (n + 7) / 8 > n_bits) return 0; \
      for (Py_ssize_t i = 0; i < n; i++) missing += x[i] == none; \
      if (!missing) return 0; \
      Py_ssize_t i = 0; \
      for (; n - i >= 8; i += 8) \
        bits[i >> 3] = (uint8_t)((x[i] != none) | (x[i + 1] != none) << 1 | (x[i + 2] != none) << 2 | (x[i + 3] != none) << 3 | \
          (x[i + 4] != none) << 4 | (x[i + 5] != none) << 5 | (x[i + 6] != none) << 6 | (x[i + 7] != none) << 7); \
      if (i < n) bits[i >> 3] = 0; \
      for (; i < n; i++) bits[i >> 3] |= (uint8_t)((x[i] != none) << (i & 7)); \
      if (clear) for (i = 0; i < n; i++) x[i] = x[i] == none ? 0 : x[i]; \
      return missing;
    static inline Py_ssize_t kl_mark_b(int8_t *x, Py_ssize_t size, Py_ssize_t n, int8_t none, uint8_t *bits, Py_ssize_t n_bits) { KL_MARK(1) }
    static inline Py_ssize_t kl_mark_i(int32_t *x, Py_ssize_t size, Py_ssize_t n, int32_t none, uint8_t *bits, Py_ssize_t n_bits) { KL_MARK(1) }
    static inline Py_ssize_t kl_mark_q(int64_t *x, Py_ssize_t size, Py_ssize_t n, int64_t none, uint8_t *bits, Py_ssize_t n_bits) { KL_MARK(0) }
    static inline void kl_put_less(int8_t *to, Py_ssize_t n_to, const int8_t *x, Py_ssize_t size, Py_ssize_t n) {
      if (n <= n_to && n <= size) for (Py_ssize_t i = 0; i < n; i++) to[i] = (int8_t)(x[i] - 1);
    }
    KL Py_ssize_t kl_copy(uint8_t *t, Py_ssize_t tsize, Py_ssize_t q, kl_text b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) {
      if (kl_inside(size, p, e) && kl_inside(tsize, q, q + e - p)) memcpy(t + q, b + p, (size_t)(e - p));
      return q + e - p;
    }
    """
    Py_ssize_t kl_find(const unsigned char *b, Py_ssize_t size, int c, Py_ssize_t p, Py_ssize_t e) noexcept nogil
    Py_ssize_t kl_seek(const unsigned char *b, Py_ssize_t size, int c, Py_ssize_t p, Py_ssize_t e) noexcept nogil
    Py_ssize_t kl_locate(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e, const unsigned char *l, Py_ssize_t lsize, Py_ssize_t at, Py_ssize_t n) noexcept nogil
    bint kl_starts(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e, const unsigned char *l, Py_ssize_t lsize, Py_ssize_t at, Py_ssize_t n) noexcept nogil
    bint kl_same(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t q, Py_ssize_t n) noexcept nogil
    Py_ssize_t kl_blanks(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) noexcept nogil
    Py_ssize_t kl_word(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) noexcept nogil
    Py_ssize_t kl_digits(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e, Py_ssize_t most) noexcept nogil
    long long kl_number(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) noexcept nogil
    int kl_six(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) noexcept nogil
    int kl_clock(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) noexcept nogil
    Py_ssize_t kl_closing_quote(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) noexcept nogil
    Py_ssize_t kl_value_end(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) noexcept nogil
    Py_ssize_t kl_unescape(unsigned char *t, Py_ssize_t tsize, Py_ssize_t q, const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) noexcept nogil
    Py_ssize_t kl_any(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e, unsigned char c, unsigned char d, unsigned char f) noexcept nogil
    Py_ssize_t kl_run(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e, const unsigned char *stops, Py_ssize_t n_stops) noexcept nogil
    Py_ssize_t kl_text_behind(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) noexcept nogil
    Py_ssize_t kl_lookup(const int *slots, Py_ssize_t n_slots, const int *spans, Py_ssize_t n_spans, const unsigned char *text, Py_ssize_t tsize, const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) noexcept nogil
    int kl_valid_text(const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) noexcept nogil
    int kl_put_view(int *views, Py_ssize_t n_views, Py_ssize_t i, const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e, int buffer, Py_ssize_t place) noexcept nogil
    Py_ssize_t kl_mark_b(signed char *x, Py_ssize_t size, Py_ssize_t n, signed char none, unsigned char *bits, Py_ssize_t n_bits) noexcept nogil
    Py_ssize_t kl_mark_i(int *x, Py_ssize_t size, Py_ssize_t n, int none, unsigned char *bits, Py_ssize_t n_bits) noexcept nogil
    Py_ssize_t kl_mark_q(long long *x, Py_ssize_t size, Py_ssize_t n, long long none, unsigned char *bits, Py_ssize_t n_bits) noexcept nogil
    void kl_put_less(signed char *to, Py_ssize_t n_to, const signed char *x, Py_ssize_t size, Py_ssize_t n) noexcept nogil
    Py_ssize_t kl_copy(unsigned char *t, Py_ssize_t tsize, Py_ssize_t q, const unsigned char *b, Py_ssize_t size, Py_ssize_t p, Py_ssize_t e) noexcept nogil

ctypedef const unsigned char *Text

cdef inline array empty(array like, Py_ssize_t size):
    return clone(like, size, False)
cdef inline array cleared(array like, Py_ssize_t size):
    return clone(like, size, True)
cdef inline bytes read_behind(bytes front, int descriptor, Py_ssize_t size):
    cdef Py_ssize_t n, before = len(front), done = before, most = before + size
    cdef bytes found = PyBytes_FromStringAndSize(NULL, most)
    cdef char *to = PyBytes_AS_STRING(found)
    memcpy(to, PyBytes_AS_STRING(front), before)
    while done < most:
        with nogil:
            n = kl_read(descriptor, to + done, most - done)
        if n > 0:
            done += n
        elif n == 0:
            break
        elif errno == EINTR:
            PyErr_CheckSignals()
        elif done > before:
            break
        else:
            PyErr_SetFromErrno(OSError)
    return found if done == most else found[:done]
cdef inline Py_ssize_t find(const unsigned char[::1] b, int c, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_find(<Text> b._data, b.shape[0], c, p, e)
cdef inline Py_ssize_t seek(const unsigned char[::1] b, int c, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_seek(<Text> b._data, b.shape[0], c, p, e)
cdef inline Py_ssize_t locate(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e, const unsigned char[::1] lit, Py_ssize_t at, Py_ssize_t n) noexcept nogil:
    return kl_locate(<Text> b._data, b.shape[0], p, e, <Text> lit._data, lit.shape[0], at, n)
cdef inline bint starts(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e, const unsigned char[::1] lit, Py_ssize_t at, Py_ssize_t n) noexcept nogil:
    return kl_starts(<Text> b._data, b.shape[0], p, e, <Text> lit._data, lit.shape[0], at, n)
cdef inline bint same(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t q, Py_ssize_t n) noexcept nogil:
    return kl_same(<Text> b._data, b.shape[0], p, q, n)
cdef inline Py_ssize_t blanks(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_blanks(<Text> b._data, b.shape[0], p, e)
cdef inline Py_ssize_t word(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_word(<Text> b._data, b.shape[0], p, e)
cdef inline Py_ssize_t digits(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e, Py_ssize_t most) noexcept nogil:
    return kl_digits(<Text> b._data, b.shape[0], p, e, most)
cdef inline long long number(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_number(<Text> b._data, b.shape[0], p, e)
cdef inline int six(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_six(<Text> b._data, b.shape[0], p, e)
cdef inline int clock(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_clock(<Text> b._data, b.shape[0], p, e)
cdef inline Py_ssize_t closing_quote(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_closing_quote(<Text> b._data, b.shape[0], p, e)
cdef inline Py_ssize_t value_end(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_value_end(<Text> b._data, b.shape[0], p, e)
cdef inline Py_ssize_t unescape(unsigned char[::1] target, Py_ssize_t q, const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_unescape(<unsigned char *> target._data, target.shape[0], q, <Text> b._data, b.shape[0], p, e)
cdef inline Py_ssize_t key_end(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_any(<Text> b._data, b.shape[0], p, e, 61, 34, 10)
cdef inline Py_ssize_t plain_end(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_any(<Text> b._data, b.shape[0], p, e, 32, 9, 10)
cdef inline Py_ssize_t run(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e, const unsigned char[::1] stops) noexcept nogil:
    return kl_run(<Text> b._data, b.shape[0], p, e, <Text> stops._data, stops.shape[0])
cdef inline Py_ssize_t text_behind(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_text_behind(<Text> b._data, b.shape[0], p, e)
cdef inline Py_ssize_t first_of(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e, const unsigned char[::1] pool, const int[::1] literals, const int[::1] chosen) except -2 nogil:
    cdef Py_ssize_t i, k
    for i in range(chosen.shape[0]):
        k = 2 * chosen[i]
        if starts(b, p, e, pool, literals[k], literals[k + 1]):
            return literals[k + 1]
    return -1
cdef inline Py_ssize_t lookup(const int[::1] slots, const int[::1] spans, const unsigned char[::1] text, const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_lookup(<const int *> slots._data, slots.shape[0], <const int *> spans._data, spans.shape[0], <Text> text._data, text.shape[0], <Text> b._data, b.shape[0], p, e)
cdef inline int valid_text(const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_valid_text(<Text> b._data, b.shape[0], p, e)
cdef inline int put_view(int[::1] views, Py_ssize_t i, const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e, int buffer, Py_ssize_t place) noexcept nogil:
    return kl_put_view(<int *> views._data, views.shape[0], i, <Text> b._data, b.shape[0], p, e, buffer, place)
cdef inline int put_bit(unsigned char[::1] bits, Py_ssize_t i) except -1 nogil:
    bits[i >> 3] |= <unsigned char> (1 << (i & 7))
    return 0
cdef inline Py_ssize_t mark_b(signed char[::1] column, Py_ssize_t n, int none, unsigned char[::1] bits) noexcept nogil:
    return kl_mark_b(<signed char *> column._data, column.shape[0], n, none, <unsigned char *> bits._data, bits.shape[0])
cdef inline Py_ssize_t mark_i(int[::1] column, Py_ssize_t n, int none, unsigned char[::1] bits) noexcept nogil:
    return kl_mark_i(<int *> column._data, column.shape[0], n, none, <unsigned char *> bits._data, bits.shape[0])
cdef inline Py_ssize_t mark_q(long long[::1] column, Py_ssize_t n, long long none, unsigned char[::1] bits) noexcept nogil:
    return kl_mark_q(<long long *> column._data, column.shape[0], n, none, <unsigned char *> bits._data, bits.shape[0])
cdef inline void put_less(signed char[::1] target, signed char[::1] column, Py_ssize_t n) noexcept nogil:
    kl_put_less(<signed char *> target._data, target.shape[0], <const signed char *> column._data, column.shape[0], n)
cdef inline Py_ssize_t copy(unsigned char[::1] target, Py_ssize_t q, const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e) noexcept nogil:
    return kl_copy(<unsigned char *> target._data, target.shape[0], q, <Text> b._data, b.shape[0], p, e)
