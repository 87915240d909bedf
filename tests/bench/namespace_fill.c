/* Fills a namenode's folder with files, through the namespace's own door but without a server:
 *
 *   namespace_fill FOLDER COUNT     /fill/dNNNN/fNNNN, 1000 files per folder, one complete block each */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "namenode/name_folder.h"
#include "namenode/namespace/links.h"
#include "namenode/namespace/tree.h"

#define FILES_PER_FOLDER 1000

static int check(int rc, const struct err *why)
{
    if (rc) {
        fprintf(stderr, "namespace_fill: %s\n", why->text);
        exit(1);
    }
    return 0;
}

static void fill_folder(struct fsdir *dir, const struct fs_user *root, long number, long count)
{
    struct txn t;
    struct path p;
    struct err why = {0};
    char text[64];
    txn_begin(&t, dir, (uint64_t)clock_wall_ns());
    snprintf(text, sizeof text, "/fill/d%04ld", number);
    check(tree_mkdirs(&t, root, text, 0755, true, &why), &why);
    check(txn_commit(&t, &why), &why);
    check(path_resolve(&t, root, text, 0, &p, &why), &why);
    for (long i = 0; i < count; i++) {
        snprintf(text, sizeof text, "f%04ld", i);
        struct inode *n = txn_new_inode(&t, INODE_FILE, 0644, root->name, path_target(&p)->group);
        n->replication = 3;
        n->block_bytes = 128 << 20;
        txn_link(&t, path_target(&p), text, n);
        struct file_block *b = txn_add_block(&t, n);
        txn_set_block(&t, n, b, b->stamp, 1000, BLOCK_COMPLETE);
    }
    check(txn_commit(&t, &why), &why);
    txn_end(&t);
}

int main(int argc, char **argv)
{
    struct config *c = config_new();
    struct name_folder folder;
    struct namenode_ids ids;
    struct fsdir_options options;
    struct store *store = NULL;
    struct journal *journal = NULL;
    struct fsdir *dir = NULL;
    struct err why = {0};
    char path[4200];
    if (argc != 3) {
        fprintf(stderr, "usage: %s FOLDER COUNT\n", argv[0]);
        return 2;
    }
    const struct passwd *me = getpwuid(geteuid());
    struct fs_user root = {.name = me ? me->pw_name : "root", .is_super = true};
    check(config_set(c, "dfs.namenode.name.dir", argv[1], "the command line", &why), &why);
    check(name_folder_open(c, "127.0.0.1:8020", &folder, &ids, &why), &why);
    name_folder_store_path(&folder, path, sizeof path);
    fsdir_options_from_config(&options, c);
    options.superuser = root.name;
    check(store_open(path, &store, &why), &why);
    check(journal_start(store, NULL, &journal, &why), &why);
    check(fsdir_open(store, journal, &options, (uint64_t)clock_wall_ns(), &dir, &why), &why);
    int64_t start_ms = clock_mono_ms();
    long count = strtol(argv[2], NULL, 10);
    for (long i = 0; i * FILES_PER_FOLDER < count; i++) {
        long left = count - i * FILES_PER_FOLDER;
        fill_folder(dir, &root, i, left < FILES_PER_FOLDER ? left : FILES_PER_FOLDER);
    }
    journal_wait(journal, journal_latest(journal));
    check(name_folder_finish(&folder, &ids, &why), &why);
    printf("%ld files in %lld ms\n", count, (long long)(clock_mono_ms() - start_ms));
    fsdir_free(dir);
    journal_stop(journal);
    store_close(store);
    name_folder_close(&folder);
    config_free(c);
    return 0;
}
