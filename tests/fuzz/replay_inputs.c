/* Runs a fuzzer's function over files, for builds without libFuzzer:
 *
 *   PROGRAM NAME CORPUS FINDS   TAP: the corpus is one case, each kept find is another
 *   PROGRAM FILE                one input, in this process; for a debugger
 *
 * Each input has a process of its own, so that one that kills it does not hide the rest,
 * and ten seconds. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "input.h"

enum { SECONDS = 10 };

static uint8_t *load(const char *path, size_t *out_size)
{
    FILE *const file = fopen(path, "rb");
    size_t room = 4096, size = 0, n = 0;
    uint8_t *bytes = malloc(room);

    while (file != NULL && bytes != NULL &&
           (n = fread(bytes + size, 1, room - size, file)) > 0) {
        size += n;
        if (size == room)
            bytes = realloc(bytes, room *= 2);
    }
    if (file == NULL || bytes == NULL || ferror(file)) {
        perror(path);
        exit(2);
    }
    (void)fclose(file);
    *out_size = size;
    return bytes;
}

static void run(const char *path)
{
    size_t size = 0;
    uint8_t *const bytes = load(path, &size);
    uint8_t *const exact = malloc(size > 0 ? size : 1); /* its end is watched */

    require(exact != NULL);
    memcpy(exact, bytes, size);
    free(bytes);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static bool survives(const char *path)
{
    int status = 0;
    (void)fflush(stdout);
    const pid_t child = fork();

    require(child >= 0);
    if (child == 0) {
        alarm(SECONDS);
        run(path);
        exit(0); /* not _exit(): leaks are looked for */
    }
    require(waitpid(child, &status, 0) == child);
    if (status != 0)
        printf("# %s: wait status %#x\n", path, (unsigned)status);
    return status == 0;
}

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Names in order; 0 when there is no such directory. */
static int list(const char *directory, struct dirent ***out_entries)
{
    const int count = scandir(directory, out_entries, is_file, alphasort);

    return count < 0 ? 0 : count;
}

static void list_free(struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
}

static bool run_all(const char *directory, struct dirent **entries, int count)
{
    char path[4096];
    bool good = count > 0;

    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
        good &= survives(path);
    }
    return good;
}

int main(int argc, char **argv)
{
    struct dirent **corpus = NULL, **finds = NULL;
    int failed = 0;

    if (argc == 2) {
        run(argv[1]);
        return 0;
    }
    if (argc != 4) {
        (void)fprintf(stderr, "usage: %s NAME CORPUS FINDS | FILE\n", argv[0]);
        return 2;
    }
    const int seeds = list(argv[2], &corpus);
    const int kept = list(argv[3], &finds);
    printf("1..%d\n", 1 + kept);
    const bool good = run_all(argv[2], corpus, seeds);
    failed += !good;
    printf("%sok 1 - the corpus of %s breaks nothing\n", good ? "" : "not ", argv[1]);
    for (int i = 0; i < kept; i++) {
        const bool mended = run_all(argv[3], &finds[i], 1);

        failed += !mended;
        printf("%sok %d - %s\n", mended ? "" : "not ", i + 2, finds[i]->d_name);
    }
    printf("#= %s: %d inputs of the corpus, %d kept finds\n", argv[1], seeds, kept);
    list_free(corpus, seeds);
    list_free(finds, kept);
    return failed > 0;
}
