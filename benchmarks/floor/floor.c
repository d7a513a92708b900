/* A journal → records, kinds, fields, pairs, as columns: the job of kubelog's block reading by hand in C, the floor of the table.

   What it does, as kubelog does it: lines at \n; the prefix of `journalctl -o short` with its time, process, node and unit; klog's
   header with time, thread, file and line; joining of continuation lines by process; the message by a radix trie over leading
   literals, then its holes; every pair of a structured message, its fields by key; UTF-8 is checked. Columns are kept for 4,096
   records and then used again, so that they stay in the core's cache.

   What it leaves out: other envelopes, the year, values (spans only), texts without their escapes, signatures, and a table of the
   whole: its columns are gone when the next records come. The messages are compiled in: templates.h.

   floor [--check] FILE     prints counts as JSON; --check adds the CRC32 of every field. */

#define _GNU_SOURCE
#include <fcntl.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

typedef struct { const char *text; int size; int field; } Step; /* a hole (field >= 0: one of a field) and the literal behind it */
typedef struct { const char *key; int size; } Key;
typedef struct {
  int kind, structured, multiline;
  const char *lead; int lead_size;
  const Step *steps; int n_steps;
  const Key *keys; int n_keys;
} Template;
#include "templates.h"

#define BLOCK 4096
#define MAX_FIELDS 12
#define GAP 32
#define ARENA (8 << 20)
typedef const unsigned char *Text;
enum { TYPED, STRUCTURED, HEADER, PLAIN };

/* Columns, one value a record. They are no statics: those that nobody reads the compiler would leave out, and what fills them.
   Spans count bytes from the body's beginning. */
int64_t col_moment[BLOCK]; uint32_t col_thread[BLOCK], col_line[BLOCK], col_pid[BLOCK];
int16_t col_kind[BLOCK]; uint8_t col_severity[BLOCK], col_verdict[BLOCK], col_file[BLOCK];
int64_t col_stamp[BLOCK]; uint32_t col_number[BLOCK], col_process[BLOCK]; uint64_t col_offset[BLOCK];
Text col_body[BLOCK]; uint32_t col_span_first[BLOCK + 1], col_pair_first[BLOCK + 1];
uint32_t spans[BLOCK * MAX_FIELDS * 2]; uint32_t *pairs; size_t pairs_room;
static unsigned char arena[ARENA]; static size_t arena_size; /* bodies of records of several lines */
static int rows, check;
static uint64_t n_records, n_headers, n_joined, n_pairs, n_lines, n_invalid, moments, verdicts[4];
static uint64_t kind_count[N_KINDS], kind_sum[N_KINDS];

/* ---- bytes ---- */

static uint32_t crc_table[256];
static uint32_t crc32_of(Text p, size_t n) {
  uint32_t c = ~0u;
  while (n--) c = crc_table[(c ^ *p++) & 255] ^ (c >> 8);
  return ~c;
}

static inline uint64_t word_at(const void *p) { uint64_t word; memcpy(&word, p, 8); return word; }

/* memcmp without the call: most texts that are compared are short. */
static inline int same(Text p, const void *text, size_t n) {
  const unsigned char *t = text;
  if (n >= 8) {
    for (size_t i = 0; i + 8 <= n; i += 8) if (word_at(p + i) != word_at(t + i)) return 0;
    return word_at(p + n - 8) == word_at(t + n - 8);
  }
  for (size_t i = 0; i < n; i++) if (p[i] != t[i]) return 0;
  return 1;
}

static Text find_text(Text p, Text e, const char *needle, int size) {
  if (size == 1) return memchr(p, needle[0], e - p);
#ifdef __AVX2__
  /* Places where both the first and the last byte stand, 32 at a time. */
  __m256i first = _mm256_set1_epi8(needle[0]), last = _mm256_set1_epi8(needle[size - 1]);
  for (; e - p >= size + 31; p += 32) {
    __m256i a = _mm256_cmpeq_epi8(_mm256_loadu_si256((const void *)p), first);
    __m256i b = _mm256_cmpeq_epi8(_mm256_loadu_si256((const void *)(p + size - 1)), last);
    for (unsigned mask = _mm256_movemask_epi8(_mm256_and_si256(a, b)); mask; mask &= mask - 1) {
      Text q = p + __builtin_ctz(mask);
      if (same(q, needle, size)) return q;
    }
  }
#endif
  for (; e - p >= size; p++) {
    p = memchr(p, needle[0], e - p - size + 1);
    if (!p || same(p, needle, size)) return p;
  }
  return NULL;
}

/* The quote that closes a text that begins at p (behind its quote), or NULL. */
static Text closing_quote(Text p, Text e) {
  for (Text from = p; (p = memchr(p, '"', e - p)); p++) {
    Text q = p;
    while (q > from && q[-1] == '\\') q--;
    if (((p - q) & 1) == 0) return p;
  }
  return NULL;
}

static int is_utf8(Text p, Text e) {
  while (p < e) {
    uint64_t word;
    while (e - p >= 8 && (memcpy(&word, p, 8), !(word & 0x8080808080808080ull))) p += 8;
    while (p < e && *p < 128) p++;
    if (p == e) return 1;
    unsigned c = *p;
    int more = c >= 0xC2 && c < 0xE0 ? 1 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xF0 && c < 0xF5 ? 3 : 0;
    if (!more || e - p <= more) return 0;
    unsigned d = p[1];
    if ((d & 0xC0) != 0x80 || (c == 0xE0 && d < 0xA0) || (c == 0xED && d > 0x9F)) return 0;
    if ((c == 0xF0 && d < 0x90) || (c == 0xF4 && d > 0x8F)) return 0;
    for (int i = 2; i <= more; i++) if ((p[i] & 0xC0) != 0x80) return 0;
    p += more + 1;
  }
  return 1;
}

/* The end of the line that begins at p; whether it is ASCII is found on the way. */
static Text line_end(Text p, Text e, int *ascii) {
  *ascii = 1;
#ifdef __AVX2__
  __m256i newline = _mm256_set1_epi8('\n'), seen = _mm256_setzero_si256();
  for (; e - p >= 32; p += 32) {
    __m256i bytes = _mm256_loadu_si256((const void *)p);
    unsigned mask = _mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, newline));
    if (mask) {
      int n = __builtin_ctz(mask);
      *ascii = !((unsigned)_mm256_movemask_epi8(seen) | (_mm256_movemask_epi8(bytes) & ((1ull << n) - 1)));
      return p + n;
    }
    seen = _mm256_or_si256(seen, bytes);
  }
  *ascii = !_mm256_movemask_epi8(seen);
#endif
  Text q = memchr(p, '\n', e - p);
  if (!q) q = e;
  for (; p < q; p++) if (*p > 127) *ascii = 0;
  return q;
}

static inline int digit(unsigned char c) { return c >= '0' && c <= '9'; }
static inline int two(Text p) { return (p[0] - '0') * 10 + p[1] - '0'; }

/* ---- the trie of leading literals ---- */

typedef struct { const char *label; int size, template; int16_t child[256]; } Node;
static Node *nodes; static int n_nodes;

static int new_node(const char *label, int size) {
  nodes = realloc(nodes, (n_nodes + 1) * sizeof(Node));
  Node *n = &nodes[n_nodes];
  n->label = label, n->size = size, n->template = -1;
  memset(n->child, -1, sizeof n->child);
  return n_nodes++;
}

static void add_lead(int template) {
  const char *p = TEMPLATES[template].lead; int left = TEMPLATES[template].lead_size, at = 0;
  while (left) {
    int next = nodes[at].child[(unsigned char)*p];
    if (next < 0) {
      int made = new_node(p, left);
      nodes[at].child[(unsigned char)*p] = made, at = made, left = 0;
      break;
    }
    int equal = 0;
    while (equal < nodes[next].size && equal < left && nodes[next].label[equal] == p[equal]) equal++;
    if (equal < nodes[next].size) { /* split */
      int rest = new_node(nodes[next].label + equal, nodes[next].size - equal);
      memcpy(nodes[rest].child, nodes[next].child, sizeof nodes[rest].child);
      nodes[rest].template = nodes[next].template;
      nodes[next].size = equal, nodes[next].template = -1;
      memset(nodes[next].child, -1, sizeof nodes[next].child);
      nodes[next].child[(unsigned char)nodes[rest].label[0]] = rest;
    }
    at = next, p += equal, left -= equal;
  }
  nodes[at].template = template;
}

/* ---- messages ---- */

/* Holes behind a leading literal; the spans go to `out`. Each hole ends at the first place of the literal behind it. */
static int read_steps(const Template *t, Text body, Text p, Text e, uint32_t *out) {
  for (int i = 0; i < t->n_steps; i++) {
    const Step *s = &t->steps[i]; Text q;
    if (i == t->n_steps - 1) q = e - s->size >= p && same(e - s->size, s->text, s->size) ? e - s->size : NULL;
    else q = find_text(p, e, s->text, s->size);
    if (!q) return 0;
    if (s->field >= 0) out[2 * s->field] = p - body, out[2 * s->field + 1] = q - body;
    p = q + s->size;
  }
  return p == e;
}

static Text balanced(Text p, Text e) {
  int depth = 0;
  for (; p < e; p++) {
    if (*p == '{' || *p == '[') { if (++depth > 40) return NULL; }
    else if (*p == '}' || *p == ']') { if (!--depth) return p + 1; }
    else if (*p == '"') { Text q = closing_quote(p + 1, e); if (q) p = q; }
  }
  return NULL;
}

static Text word_end(Text p, Text e) { while (p < e && *p != ' ' && *p != '\t' && *p != '\n') p++; return p; }

static Text value_end(Text p, Text e) {
  if (p >= e) return e;
  if (*p == '"') { Text q = closing_quote(p + 1, e); return q ? q + 1 : e; }
  if (*p == '<' && p + 1 < e && p[1] == '\n') { Text q = find_text(p + 1, e, "\n >", 3); return q ? q + 3 : e; }
  if (*p == '{' || *p == '[' || (*p == '&' && p + 1 < e && (p[1] == '{' || p[1] == '[')) || (e - p > 4 && !memcmp(p, "map[", 4))) {
    Text q = balanced(p, e);
    if (q) return q;
  }
  Text stop = memchr(p, '\n', e - p), q;
  if (stop) e = stop;
  for (q = word_end(p, e); q < e;) { /* further, where what follows is no key */
    Text n = q;
    while (n < e && (*n == ' ' || *n == '\t')) n++;
    Text w = word_end(n, e);
    if (memchr(n, '=', w - n)) return q;
    q = w;
  }
  return e;
}

/* All pairs from p to e; the fields of `t` by key, the last of a name. */
static void read_pairs(const Template *t, Text body, Text p, Text e, uint32_t *out) {
  for (;;) {
    Text k = p;
    while (k < e && (*k == ' ' || *k == '\t')) k++;
    if (k == e || k == p || *k == '\n') return;
    Text eq = memchr(k, '=', e - k);
    if (!eq || eq == k) return;
    Text v = value_end(eq + 1, e);
    if (col_pair_first[rows + 1] * 4 + 4 > pairs_room) pairs = realloc(pairs, (pairs_room *= 2) * sizeof *pairs);
    uint32_t *pair = pairs + col_pair_first[rows + 1]++ * 4;
    pair[0] = k - body, pair[1] = eq - body, pair[2] = eq + 1 - body, pair[3] = v - body;
    if (t) for (int i = 0; i < t->n_keys; i++)
      if (t->keys[i].size == eq - k && same(k, t->keys[i].key, eq - k)) {
        out[2 * i] = eq + 1 - body, out[2 * i + 1] = v - body;
        break;
      }
    p = v;
  }
}

static const Template *find_template(Text p, Text first_end, Text e, uint32_t *out, Text *behind) {
  int found[16], depth = 0, at = 0; Text places[16], q = p;
  for (;;) {
    if (nodes[at].template >= 0 && depth < 16) found[depth] = nodes[at].template, places[depth++] = q;
    if (q == e) break;
    int next = nodes[at].child[*q];
    if (next < 0 || e - q < nodes[next].size || !same(q, nodes[next].label, nodes[next].size)) break;
    at = next, q += nodes[at].size;
  }
  while (depth--) {
    const Template *t = &TEMPLATES[found[depth]];
    if (!t->structured && !read_steps(t, p, places[depth], t->multiline ? e : first_end, out)) continue;
    *behind = places[depth];
    return t;
  }
  return NULL;
}

/* ---- records ---- */

typedef struct {
  char key[128]; int key_size; uint32_t pid; /* "host unit[pid]: " */
  int open, head, unclosed, stacked, severity, file; uint32_t thread, source_line, last_line; int64_t moment;
  Text body, end; int64_t stamp; uint32_t number; uint64_t offset;
  unsigned char *joined; size_t joined_size, joined_room;
} Process;
static Process processes[64]; static int n_processes;

static void flush_block(void) {
  for (int r = 0; r < rows; r++) {
    verdicts[col_verdict[r]]++;
    n_pairs += col_pair_first[r + 1] - col_pair_first[r];
    if (col_severity[r] < 4) n_headers++, moments += col_moment[r];
    if (col_kind[r] < 0) continue;
    kind_count[col_kind[r]]++;
    if (check) for (uint32_t s = col_span_first[r]; s < col_span_first[r + 1]; s += 2)
      kind_sum[col_kind[r]] += crc32_of(col_body[r] + spans[s], spans[s + 1] - spans[s]);
  }
  n_records += rows, rows = 0, arena_size = 0;
}

static void finish(Process *o) {
  if (!o->open) return;
  o->open = 0;
  Text p = o->body, e = o->end, first_end = e;
  if (o->joined_size) {
    if (arena_size + o->joined_size > ARENA) flush_block();
    if (o->joined_size > ARENA) exit(1);
    p = memcpy(arena + arena_size, o->joined, o->joined_size), e = p + o->joined_size;
    arena_size += o->joined_size;
    Text n = memchr(p, '\n', e - p);
    first_end = n ? n : e;
    n_joined++;
  }
  col_moment[rows] = o->moment, col_thread[rows] = o->thread, col_line[rows] = o->source_line, col_pid[rows] = o->pid;
  col_stamp[rows] = o->stamp, col_number[rows] = o->number, col_offset[rows] = o->offset, col_process[rows] = o - processes;
  col_severity[rows] = o->head ? o->severity : 255, col_file[rows] = o->file, col_kind[rows] = -1, col_body[rows] = p;
  col_span_first[rows + 1] = col_span_first[rows], col_pair_first[rows + 1] = col_pair_first[rows];
  int verdict = PLAIN;
  if (o->head) {
    uint32_t *out = spans + col_span_first[rows]; Text behind = NULL;
    const Template *t = find_template(p, first_end, e, out, &behind);
    verdict = p < e && *p == '"' ? STRUCTURED : HEADER;
    if (verdict == STRUCTURED && !t) { Text q = closing_quote(p + 1, e); if (q) behind = q + 1; }
    if (verdict == STRUCTURED && behind) read_pairs(t, p, behind, e, out);
    if (t) {
      col_kind[rows] = t->kind, verdict = TYPED;
      int fields = 0;
      if (t->structured) fields = t->n_keys;
      else for (int i = 0; i < t->n_steps; i++) if (t->steps[i].field >= 0) fields++;
      col_span_first[rows + 1] += 2 * fields;
    }
  }
  col_verdict[rows] = verdict;
  rows++;
  if (rows == BLOCK) flush_block();
  o->joined_size = 0;
}

static void append(Process *o, Text p, size_t n) {
  if (o->joined_size + n + 1 > o->joined_room) o->joined = realloc(o->joined, o->joined_room = 2 * (o->joined_size + n + 1024));
  memcpy(o->joined + o->joined_size, p, n), o->joined_size += n;
}

static int starts(Text p, Text e, const char *text) { size_t n = strlen(text); return (size_t)(e - p) >= n && same(p, text, n); }
static int opens_block(Text p, Text e) { return e - p >= 2 && e[-1] == '<' && e[-2] == '='; }

static int continues(Process *o, Text p, Text e, uint32_t line) {
  if (!o->open || !o->head || line - o->last_line > GAP) return 0;
  if (o->unclosed || o->stacked || (p < e && (*p == ' ' || *p == '\t'))) return 1;
  if (starts(p, e, "goroutine ") || starts(p, e, "Trace[") || starts(p, e, "created by ")) return 1;
  return starts(p, e, " >") || starts(p, e, "]");
}

static const int DAYS_BEFORE[] = {0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335};

/* The source files seen: a place for each. */
static char files[256][64]; static int file_sizes[256], n_files, file_cache[4096];
static int file_code(Text p, int n) {
  uint64_t h = n < 8 ? p[0] : word_at(p) ^ word_at(p + n - 8) * 31; /* names end alike: the whole of each end counts */
  int *slot = &file_cache[(h * 0x9E3779B97F4A7C15ull ^ n) >> 52];
  if (*slot && file_sizes[*slot - 1] == n && same(p, files[*slot - 1], n)) return *slot - 1;
  for (int i = 0; i < n_files; i++) if (file_sizes[i] == n && !memcmp(files[i], p, n)) return *slot = i + 1, i;
  if (n_files == 256 || n > 64) return 255;
  memcpy(files[n_files], p, n), file_sizes[n_files++] = n;
  return *slot = n_files, n_files - 1;
}

/* klog's header at p: fills the process's record; where the message begins, or NULL. */
static Text read_header(Process *o, Text p, Text e) {
  static unsigned char day[14]; static int64_t day_us; /* `MMDD hh:mm:ss.` of the line before */
  if (e - p < 27) return NULL;
  int severity = *p == 'I' ? 0 : *p == 'W' ? 1 : *p == 'E' ? 2 : *p == 'F' ? 3 : -1;
  if (severity < 0) return NULL;
  if (!same(p + 1, day, 14)) {
    static const unsigned char shape[] = "0000 00:00:00.";
    for (int i = 0; i < 14; i++) if (shape[i] == '0' ? !digit(p[1 + i]) : p[1 + i] != shape[i]) return NULL;
    int month = two(p + 1), d = two(p + 3), h = two(p + 6), m = two(p + 9), s = two(p + 12);
    if (month < 1 || month > 12 || d < 1 || d > 31 || h > 23 || m > 59 || s > 59) return NULL;
    day_us = ((int64_t)(DAYS_BEFORE[month - 1] + d - 1) * 86400 + (h * 60 + m) * 60 + s) * 1000000;
    memcpy(day, p + 1, 14);
  }
  int us = 0;
  for (int i = 15; i < 21; i++) { if (!digit(p[i])) return NULL; us = us * 10 + p[i] - '0'; }
  Text q = p + 21;
  while (q < e && *q == ' ') q++;
  uint32_t thread = 0; Text d = q;
  while (d < e && digit(*d)) thread = thread * 10 + *d++ - '0';
  if (d == q || q == p + 21 || d == e || *d != ' ') return NULL;
  Text colon = memchr(d + 1, ':', e - d - 1);
  if (!colon || colon == d + 1) return NULL;
  uint32_t line = 0; Text n = colon + 1;
  while (n < e && digit(*n)) line = line * 10 + *n++ - '0';
  if (n == colon + 1 || n == e || *n != ']') return NULL;
  n++;
  if (n < e && *n++ != ' ') return NULL;
  o->severity = severity, o->moment = day_us + us, o->thread = thread, o->source_line = line;
  o->file = file_code(d + 1, colon - d - 1);
  return n;
}

static int month_of(Text p) {
  static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  for (int i = 0; i < 12; i++) if (same(p, names + 3 * i, 3)) return i;
  return -1;
}

/* The process that a line's prefix names, and the prefix's time; `*text` is what stands behind it. */
static Process *read_prefix(Text p, Text e, Text *text, int64_t *stamp) {
  static int last, before; /* two processes in turn are the usual case */
  static unsigned char moment[16]; static int64_t moment_us; /* `Mon dd hh:mm:ss ` of the line before */
  if (e - p < 20) return NULL;
  if (!same(p, moment, 16)) {
    if (p[3] != ' ' || p[6] != ' ' || p[9] != ':' || p[12] != ':' || p[15] != ' ') return NULL;
    for (int i = 5; i < 15; i++) if (i % 3 && !digit(p[i])) return NULL;
    int month = month_of(p), d = (p[4] == ' ' ? 0 : p[4] - '0') * 10 + p[5] - '0', h = two(p + 7), m = two(p + 10), s = two(p + 13);
    if (month < 0 || d < 1 || d > 31 || h > 23 || m > 59 || s > 59) return NULL;
    moment_us = ((int64_t)(DAYS_BEFORE[month] + d - 1) * 86400 + (h * 60 + m) * 60 + s) * 1000000;
    memcpy(moment, p, 16);
  }
  *stamp = moment_us;
  Text k = p + 16;
  for (int i = 0; i < 2; i++) {
    Process *o = &processes[i ? before : last];
    if (o->key_size && e - k >= o->key_size && same(k, o->key, o->key_size)) {
      if (i) { int was = last; last = before, before = was; }
      *text = k + o->key_size;
      return o;
    }
  }
  Text host = memchr(k, ' ', e - k), open = host ? memchr(host, '[', e - host) : NULL;
  if (!open) return NULL;
  uint32_t pid = 0; Text q = open + 1;
  while (q < e && digit(*q)) pid = pid * 10 + *q++ - '0';
  if (e - q < 3 || memcmp(q, "]: ", 3) || q + 3 - k > 127) return NULL;
  int size = q + 3 - k, i = 0;
  while (i < n_processes && (processes[i].key_size != size || memcmp(processes[i].key, k, size))) i++;
  if (i == 64) return NULL;
  if (i == n_processes) memcpy(processes[i].key, k, size), processes[i].key_size = size, processes[i].pid = pid, n_processes++;
  before = last, last = i;
  *text = q + 3;
  return &processes[i];
}

static void read_line(Text p, Text e, int ascii, uint32_t line, uint64_t offset) {
  Text text; int64_t stamp;
  if (!ascii && !is_utf8(p, e)) n_invalid++;
  Process *o = read_prefix(p, e, &text, &stamp);
  if (!o) { fprintf(stderr, "line %u has no journald prefix\n", line); exit(1); }
  Process now = {0};
  Text body = read_header(&now, text, e);
  if (!body && continues(o, text, e, line)) {
    if (!o->joined_size) append(o, o->body, o->end - o->body);
    append(o, (Text) "\n", 1);
    append(o, text, e - text);
    if (o->unclosed && starts(text, e, " >")) o->unclosed = 0;
    if (opens_block(text, e)) o->unclosed = 1;
    if (starts(text, e, "goroutine ")) o->stacked = 1;
    o->last_line = line;
    return;
  }
  finish(o);
  o->open = 1, o->head = body != NULL, o->body = body ? body : text, o->end = e, o->last_line = line;
  o->unclosed = opens_block(text, e), o->stacked = 0;
  o->stamp = stamp, o->number = line, o->offset = offset;
  o->severity = now.severity, o->moment = now.moment, o->thread = now.thread, o->source_line = now.source_line, o->file = now.file;
}

static long peak_kib(void) { /* of this program alone: what the program that started it held is not in it */
  char line[256]; long kib = 0;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f)) sscanf(line, "VmHWM: %ld", &kib);
  if (f) fclose(f);
  return kib;
}

int main(int argc, char **argv) {
  check = argc > 2 && !strcmp(argv[1], "--check");
  int file = argc > 1 ? open(argv[argc - 1], O_RDONLY) : -1;
  struct stat info;
  if (file < 0 || fstat(file, &info)) { perror("floor"); return 1; }
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    crc_table[i] = c;
  }
  pairs = malloc((pairs_room = BLOCK * 16) * sizeof *pairs);
  new_node("", 0);
  for (int i = 0; i < N_TEMPLATES; i++) add_lead(i);
  Text start = mmap(NULL, info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0), p = start, end = p + info.st_size;
  if (start == MAP_FAILED) { perror("mmap"); return 1; }
  while (p < end) {
    int ascii;
    Text e = line_end(p, end, &ascii);
    read_line(p, e, ascii, ++n_lines, p - start);
    p = e + 1;
  }
  for (int i = 0; i < n_processes; i++) finish(&processes[i]);
  flush_block();
  struct rusage used; getrusage(RUSAGE_SELF, &used);
  long cpu_us = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
  printf("{\"lines\":%lu,\"records\":%lu,\"headers\":%lu,\"joined\":%lu,", n_lines, n_records, n_headers, n_joined);
  printf("\"pairs\":%lu,\"moments\":%lu,\"invalid\":%lu,\"verdicts\":{", n_pairs, moments, n_invalid);
  printf("\"typed\":%lu,\"structured\":%lu,\"header\":%lu,\"plain\":%lu},", verdicts[0], verdicts[1], verdicts[2], verdicts[3]);
  printf("\"peak_kib\":%ld,\"cpu_us\":%ld,\"kinds\":{", peak_kib(), cpu_us);
  for (int i = 0; i < N_KINDS; i++) printf("%s\"%s\":[%lu,%lu]", i ? "," : "", KINDS[i], kind_count[i], kind_sum[i]);
  printf("}}\n");
  return 0;
}
