#include "datanode/serve/passed_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/net.h"

/* Sealed against the future only: a file that is sealed against all writing cannot be mapped shared, even to read. */
static int make_file(const uint8_t *bytes, size_t len, int *ret_fd, struct err *reterr)
{
    AUTO(net_closep) int fd = memfd_create("cairn-replica", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_errno(reterr, errno, "memfd_create");
    int rc = file_pwrite_full(fd, bytes, len, 0, reterr);
    if (rc == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        rc = err_errno(reterr, errno, "F_ADD_SEALS");
    if (rc < 0)
        return rc;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int passed_files_open(const struct replica_reader *r, struct passed_files *ret, struct err *reterr)
{
    *ret = (struct passed_files){.data_fd = r->data_fd, .meta_fd = r->meta_fd};
    if (!r->shares_file)
        return 0;
    *ret = (struct passed_files){-1, -1, true};
    size_t data_bytes = (size_t)r->end_bytes;
    size_t meta_len = (size_t)meta_bytes(&r->meta, r->end_bytes) + META_TRAILER_BYTES;
    AUTO(mem_freep) uint8_t *bytes = mem_alloc(data_bytes + meta_len);
    int rc = replica_read_data(r, bytes, data_bytes, 0, reterr);
    if (rc == 0)
        rc = replica_read_meta(r, bytes + data_bytes, meta_len, 0, reterr);
    if (rc == 0)
        rc = make_file(bytes, data_bytes, &ret->data_fd, reterr);
    if (rc == 0)
        rc = make_file(bytes + data_bytes, meta_len, &ret->meta_fd, reterr);
    if (rc < 0)
        passed_files_close(ret);
    return rc;
}

void passed_files_close(struct passed_files *f)
{
    if (!f->made)
        return;
    net_closep(&f->data_fd);
    net_closep(&f->meta_fd);
}
