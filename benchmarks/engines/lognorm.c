/* A journal → JSON objects by liblognorm: counts by tag; with --check the CRC32 of every field. lognorm [--check] RULES FILE */

#define _GNU_SOURCE
#include <liblognorm.h>
#include <json.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static uint32_t crc_table[256];
static uint32_t crc32_of(const char *p, size_t n) {
  uint32_t c = ~0u;
  while (n--) c = crc_table[(c ^ (unsigned char)*p++) & 255] ^ (c >> 8);
  return ~c;
}

typedef struct { char name[64]; uint64_t count, sum; } Kind;
static Kind kinds[128]; static int n_kinds;

static Kind *kind_of(const char *name) {
  for (int i = 0; i < n_kinds; i++) if (!strcmp(kinds[i].name, name)) return &kinds[i];
  snprintf(kinds[n_kinds].name, sizeof kinds[0].name, "%s", name);
  return &kinds[n_kinds++];
}

int main(int argc, char **argv) {
  int check = argc > 3 && !strcmp(argv[1], "--check");
  if (argc < 3) return 2;
  for (uint32_t i = 0; i < 256; i++) { uint32_t c = i; for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1; crc_table[i] = c; }
  ln_ctx context = ln_initCtx();
  if (!context || ln_loadSamples(context, argv[argc - 2])) { fprintf(stderr, "lognorm: the rules cannot be loaded\n"); return 1; }
  FILE *file = fopen(argv[argc - 1], "r");
  if (!file) { perror("lognorm"); return 1; }
  char *line = NULL; size_t room = 0; ssize_t size;
  while ((size = getline(&line, &room, file)) > 0) {
    if (line[size - 1] == '\n') size--;
    struct json_object *found = NULL, *tags = NULL;
    ln_normalize(context, line, size, &found);
    if (found && json_object_object_get_ex(found, "event.tags", &tags) && json_object_array_length(tags)) {
      Kind *kind = kind_of(json_object_get_string(json_object_array_get_idx(tags, 0)));
      kind->count++;
      if (check) {
        struct json_object_iterator it = json_object_iter_begin(found), end = json_object_iter_end(found);
        for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
          const char *name = json_object_iter_peek_name(&it);
          if (strncmp(name, "f.", 2) && strncmp(name, "q.", 2)) continue;
          struct json_object *value = json_object_iter_peek_value(&it);
          size_t n = json_object_get_string_len(value);
          char *text = malloc(n + 2);
          memcpy(text + 1, json_object_get_string(value), n);
          text[0] = text[n + 1] = '"';
          kind->sum += *name == 'q' ? crc32_of(text, n + 2) : crc32_of(text + 1, n);
          free(text);
        }
      }
    }
    json_object_put(found);
  }
  struct rusage used; getrusage(RUSAGE_SELF, &used);
  long kib = 0; char status[256];
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(status, sizeof status, f)) sscanf(status, "VmHWM: %ld", &kib);
  printf("{\"peak_kib\":%ld,\"cpu_us\":%ld,\"invalid\":0,\"kinds\":{", kib, (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  for (int i = 0; i < n_kinds; i++) printf("%s\"%s\":[%lu,%lu]", i ? "," : "", kinds[i].name, kinds[i].count, kinds[i].sum);
  printf("}}\n");
  return 0;
}
