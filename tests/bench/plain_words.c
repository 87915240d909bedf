/* plain_words FILE OUTPUT: counts words as somebody would who writes a program for just that and one machine: the file
 * is mapped, each of two threads counts the words of one half in a hash table of its own, and what both have is added
 * up. */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS    2
#define TEXT_BYTES (1 << 20)

struct entry {
    const char *word; /* NULL: free */
    uint32_t length, hash;
    int64_t count;
};
struct table {
    struct entry *entries;
    size_t size, used;     /* size: a power of two */
    char *text, *text_end; /* the words side by side, so that they stay in the processor's cache */
};
struct half {
    const char *from, *to;
    struct table table;
};

static uint32_t hash_of(const char *word, size_t length)
{
    uint64_t h = length, x;
    for (; length >= 8; length -= 8, word += 8) {
        memcpy(&x, word, 8);
        h = (h ^ x) * 0x9E3779B97F4A7C15u;
        h ^= h >> 32;
    }
    x = 0;
    memcpy(&x, word, length);
    h = (h ^ x) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(h >> 32);
}

static struct entry *find(struct table *t, const char *word, uint32_t length, uint32_t hash)
{
    size_t i = hash & (t->size - 1);
    while (t->entries[i].word && (t->entries[i].hash != hash || t->entries[i].length != length ||
                                  memcmp(t->entries[i].word, word, length) != 0))
        i = (i + 1) & (t->size - 1);
    return &t->entries[i];
}

static void grow(struct table *t)
{
    struct table larger = *t;
    larger.size = t->size ? 2 * t->size : 1 << 16;
    larger.entries = calloc(larger.size, sizeof *larger.entries);
    for (size_t i = 0; i < t->size; i++)
        if (t->entries[i].word)
            *find(&larger, t->entries[i].word, t->entries[i].length, t->entries[i].hash) = t->entries[i];
    free(t->entries);
    *t = larger;
}

static const char *keep(struct table *t, const char *word, size_t length)
{
    if ((size_t)(t->text_end - t->text) < length) {
        size_t room = length > TEXT_BYTES ? length : TEXT_BYTES;
        t->text = malloc(room);
        t->text_end = t->text + room;
    }
    char *kept = memcpy(t->text, word, length);
    t->text += length;
    return kept;
}

static void add(struct table *t, const char *word, uint32_t length, uint32_t hash, int64_t count)
{
    if (2 * t->used >= t->size)
        grow(t);
    struct entry *e = find(t, word, length, hash);
    if (!e->word) {
        *e = (struct entry){keep(t, word, length), length, hash, 0};
        t->used++;
    }
    e->count += count;
}

static void *count_half(void *arg)
{
    struct half *h = arg;
    for (const char *at = h->from; at < h->to;) {
        while (at < h->to && (unsigned char)*at <= ' ')
            at++;
        const char *word = at;
        while (at < h->to && (unsigned char)*at > ' ')
            at++;
        uint32_t length = (uint32_t)(at - word);
        if (length)
            add(&h->table, word, length, hash_of(word, length), 1);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct stat st;
    int fd = argc == 3 ? open(argv[1], O_RDONLY) : -1;
    FILE *out = fd >= 0 ? fopen(argv[2], "w") : NULL;
    if (!out || fstat(fd, &st) < 0 || st.st_size == 0)
        return 2;
    const char *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
        return 1;
    const char *end = text + st.st_size, *middle = memchr(text + st.st_size / 2, '\n', (size_t)(end - text) / 2);
    middle = middle ? middle : end;
    struct half halves[THREADS] = {{text, middle, {0}}, {middle, end, {0}}};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, count_half, &halves[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    const struct table *other = &halves[1].table;
    for (size_t i = 0; i < other->size; i++)
        if (other->entries[i].word)
            add(&halves[0].table, other->entries[i].word, other->entries[i].length, other->entries[i].hash,
                other->entries[i].count);
    for (size_t i = 0; i < halves[0].table.size; i++) {
        const struct entry *e = &halves[0].table.entries[i];
        if (e->word)
            fprintf(out, "%.*s\t%lld\n", (int)e->length, e->word, (long long)e->count);
    }
    return fclose(out) ? 1 : 0;
}
