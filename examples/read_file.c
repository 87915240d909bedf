/* Prints a file of an HDFS cluster:
 *
 *     cc -I/usr/local/include/cairn read_file.c -lhdfs -o read_file && ./read_file hdfs://namenode:8020
 * /data/flights.csv
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <hdfs.h>

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, hdfsGetLastExceptionRootCause());
    return EXIT_FAILURE;
}

static int print_file(hdfsFS fs, const char *path)
{
    static char buffer[1 << 20];
    tSize n;
    hdfsFile file = hdfsOpenFile(fs, path, O_RDONLY, 0, 0, 0);
    if (!file)
        return fail(path);
    while ((n = hdfsRead(fs, file, buffer, sizeof buffer)) > 0)
        fwrite(buffer, 1, (size_t)n, stdout);
    int status = n < 0 ? fail(path) : EXIT_SUCCESS;
    hdfsCloseFile(fs, file);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "Usage: %s hdfs://HOST:PORT PATH   (\"default\" for the configured cluster)\n", argv[0]);
        return EXIT_FAILURE;
    }
    hdfsFS fs = hdfsConnect(argv[1], 0);
    if (!fs)
        return fail(argv[1]);
    int status = print_file(fs, argv[2]);
    hdfsDisconnect(fs);
    return status;
}
