#include "scheduler/engine/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define READ_BYTES (256u << 10)

static int copy_content(struct archive *from, struct archive *to)
{
    const void *bytes;
    size_t len;
    la_int64_t offset;
    int rc;
    while ((rc = archive_read_data_block(from, &bytes, &len, &offset)) == ARCHIVE_OK)
        if (archive_write_data_block(to, bytes, len, offset) < ARCHIVE_OK)
            return ARCHIVE_FAILED;
    return rc == ARCHIVE_EOF ? ARCHIVE_OK : rc;
}

static bool leads_out(const char *name)
{
    if (name[0] == '/')
        return true;
    for (const char *part = name; part; part = strchr(part, '/'), part = part ? part + 1 : NULL)
        if (part[0] == '.' && part[1] == '.' && (part[2] == '/' || !part[2]))
            return true;
    return false;
}

static int unpack_entry(struct archive *from, struct archive *to, struct archive_entry *entry, const char *folder,
                        struct err *reterr)
{
    const char *name = archive_entry_pathname(entry), *hard = archive_entry_hardlink(entry);
    mode_t type = archive_entry_filetype(entry);
    if (!name || leads_out(name) || (hard && leads_out(hard)))
        return err_set(reterr, ERR_INVALID_PATH, "entry '%s' leads out of the archive's folder", name ? name : "");
    if (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK && !hard)
        return 0; /* devices, pipes */
    char *target = mem_printf("%s/%s", folder, name), *link = hard ? mem_printf("%s/%s", folder, hard) : NULL;
    archive_entry_set_pathname(entry, target);
    if (link)
        archive_entry_set_hardlink(entry, link);
    int status = archive_write_header(to, entry);
    if (status >= ARCHIVE_WARN)
        status = copy_content(from, to);
    if (status >= ARCHIVE_WARN)
        status = archive_write_finish_entry(to);
    int rc = 0;
    if (status < ARCHIVE_WARN) {
        const char *why = archive_error_string(to);
        why = why ? why : archive_error_string(from);
        rc = err_set(reterr, ERR_IO, "entry '%s': %s", name, why ? why : "cannot be unpacked");
    }
    free(target);
    free(link);
    return rc;
}

int unpack_archive(const char *path, const char *folder_name, struct err *reterr)
{
    AUTO(mem_freep) char *folder = realpath(folder_name, NULL); /* nothing is unpacked through symbolic links */
    if (!folder)
        return err_errno(reterr, errno, "'%s'", folder_name);
    struct archive *from = archive_read_new(), *to = archive_write_disk_new();
    archive_read_support_format_zip(from);
    archive_read_support_format_tar(from);
    archive_read_support_filter_gzip(from); /* not "all": some of those run other programs */
    archive_read_support_filter_bzip2(from);
    archive_read_support_filter_xz(from);
    archive_read_support_filter_zstd(from);
    archive_write_disk_set_options(to, ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                           ARCHIVE_EXTRACT_SECURE_NODOTDOT);
    int rc = 0;
    if (archive_read_open_filename(from, path, READ_BYTES) != ARCHIVE_OK)
        rc = err_set(reterr, ERR_IO, "no archive that is understood (zip, jar, tar): %s", archive_error_string(from));
    while (rc == 0) {
        struct archive_entry *entry;
        int status = archive_read_next_header(from, &entry);
        if (status == ARCHIVE_EOF)
            break;
        if (status < ARCHIVE_WARN)
            rc = err_set(reterr, ERR_IO, "the archive is damaged: %s", archive_error_string(from));
        else
            rc = unpack_entry(from, to, entry, folder, reterr);
    }
    if (rc == 0 && archive_write_close(to) < ARCHIVE_WARN)
        rc = err_set(reterr, ERR_IO, "%s", archive_error_string(to));
    archive_read_free(from);
    archive_write_free(to);
    return rc;
}
