/* Errors: an int (0 or a negative ERR_*) says what kind, a struct err says it to a person.
 *
 * One list knows for each kind the errno (for FUSE and libhdfs callers) and the Java class (for RPC, both ways).
 * Who detects a failure describes it with the object in the text ("block 1073741825: ..."); who decides what to do
 * about it logs it; nobody else does. Outputs are untouched on failure. reterr may always be NULL. */
#ifndef CAIRN_COMMON_ERR_H
#define CAIRN_COMMON_ERR_H

#include <stdarg.h>

#include "common/compiler.h"

#define ERR_CLASS_MAX 112
#define ERR_TEXT_MAX  880

#define ERR_HDFS "org.apache.hadoop.hdfs.protocol."
#define ERR_NN   "org.apache.hadoop.hdfs.server.namenode."
#define ERR_FS   "org.apache.hadoop.fs."
#define ERR_IPC  "org.apache.hadoop.ipc."
#define ERR_DN   "org.apache.hadoop.hdfs.server.datanode."

#define ERR_POSIX_CLASS "org.cairn.PosixException"

/* name, errno, Java class. The first row of a class is the one a received class name turns into. */
#define ERR_LIST(X)                                                                                                    \
    X(IO, EIO, "java.io.IOException")                                                                                  \
    X(NOT_FOUND, ENOENT, "java.io.FileNotFoundException")                                                              \
    X(EXISTS, EEXIST, ERR_FS "FileAlreadyExistsException")                                                             \
    X(PARENT_NOT_DIR, ENOTDIR, ERR_FS "ParentNotDirectoryException")                                                   \
    X(NOT_EMPTY, ENOTEMPTY, ERR_FS "PathIsNotEmptyDirectoryException")                                                 \
    X(NOT_DIR, ENOTDIR, ERR_FS "PathIsNotDirectoryException")                                                          \
    X(IS_DIR, EISDIR, ERR_FS "PathIsDirectoryException")                                                               \
    X(INVALID_PATH, EINVAL, ERR_FS "InvalidPathException")                                                             \
    X(HADOOP_ILLEGAL_ARGUMENT, EINVAL, "org.apache.hadoop.HadoopIllegalArgumentException")                             \
    X(ILLEGAL_ARGUMENT, EINVAL, "java.lang.IllegalArgumentException")                                                  \
    X(ASSERTION, EINVAL, "java.lang.AssertionError")                                                                   \
    X(ACCESS, EACCES, "org.apache.hadoop.security.AccessControlException")                                             \
    X(UNAUTHORIZED, EPERM, "org.apache.hadoop.security.authorize.AuthorizationException")                              \
    X(INVALID_TOKEN, EACCES, "org.apache.hadoop.security.token.SecretManager$InvalidToken")                            \
    X(UNRESOLVED_PATH, ELOOP, ERR_HDFS "UnresolvedPathException")                                                      \
    X(ALREADY_BEING_CREATED, EBUSY, ERR_HDFS "AlreadyBeingCreatedException")                                           \
    X(RECOVERY_IN_PROGRESS, EBUSY, ERR_HDFS "RecoveryInProgressException")                                             \
    X(LEASE_EXPIRED, ESTALE, ERR_NN "LeaseExpiredException")                                                           \
    X(NOT_REPLICATED_YET, EAGAIN, ERR_NN "NotReplicatedYetException")                                                  \
    X(SAFE_MODE, EROFS, ERR_NN "SafeModeException")                                                                    \
    X(RETRY_START_FILE, EAGAIN, ERR_NN "RetryStartFileException")                                                      \
    X(UNSUPPORTED_ACTION, EOPNOTSUPP, ERR_NN "UnsupportedActionException")                                             \
    X(NS_QUOTA, EDQUOT, ERR_HDFS "NSQuotaExceededException")                                                           \
    X(DS_QUOTA, EDQUOT, ERR_HDFS "DSQuotaExceededException")                                                           \
    X(TYPE_QUOTA, EDQUOT, ERR_HDFS "QuotaByStorageTypeExceededException")                                              \
    X(NAME_TOO_LONG, ENAMETOOLONG, ERR_HDFS "FSLimitException$PathComponentTooLongException")                          \
    X(DIR_FULL, ENOSPC, ERR_HDFS "FSLimitException$MaxDirectoryItemsExceededException")                                \
    X(SNAPSHOT, EINVAL, ERR_HDFS "SnapshotException")                                                                  \
    X(SNAPSHOT_ACCESS, EROFS, ERR_HDFS "SnapshotAccessControlException")                                               \
    X(ACL, EINVAL, ERR_HDFS "AclException")                                                                            \
    X(XATTR_NOT_FOUND, ENODATA, ERR_HDFS "XAttrNotFoundException")                                                     \
    X(NO_EC_POLICY, ENODATA, ERR_HDFS "NoECPolicySetException")                                                        \
    X(STANDBY, EAGAIN, ERR_IPC "StandbyException")                                                                     \
    X(RETRIABLE, EAGAIN, ERR_IPC "RetriableException")                                                                 \
    X(NO_SUCH_METHOD, ENOSYS, ERR_IPC "RpcNoSuchMethodException")                                                      \
    X(NO_SUCH_PROTOCOL, EPROTONOSUPPORT, ERR_IPC "RpcNoSuchProtocolException")                                         \
    X(VERSION_MISMATCH, EPROTO, ERR_IPC "RPC$VersionMismatch")                                                         \
    X(RPC_SERVER, EPROTO, ERR_IPC "RpcServerException")                                                                \
    X(UNSUPPORTED, EOPNOTSUPP, "java.lang.UnsupportedOperationException")                                              \
    X(START_AFTER_GONE, ENOENT, ERR_FS "DirectoryListingStartAfterNotFoundException")                                  \
    X(REPLICA_NOT_FOUND, ENOENT, ERR_DN "ReplicaNotFoundException")                                                    \
    X(REPLICA_EXISTS, EEXIST, ERR_DN "ReplicaAlreadyExistsException")                                                  \
    X(INVALID_REQUEST, EINVAL, ERR_FS "InvalidRequestException")                                                       \
    X(UNREGISTERED_NODE, EPERM, ERR_HDFS "UnregisteredNodeException")                                                  \
    X(DISALLOWED_NODE, EPERM, "org.apache.hadoop.hdfs.server.protocol.DisallowedDatanodeException")                    \
    X(BAD_REPORT_LEASE, EPERM, "org.apache.hadoop.hdfs.server.protocol.InvalidBlockReportLeaseException")              \
    X(INCORRECT_VERSION, EPROTO, "org.apache.hadoop.hdfs.server.common.IncorrectVersionException")                     \
    X(SERVICE_FAILED, EOPNOTSUPP, "org.apache.hadoop.ha.ServiceFailedException")                                       \
    X(DISK_BALANCER, EOPNOTSUPP, "org.apache.hadoop.hdfs.server.diskbalancer.DiskBalancerException")                   \
    X(END_OF_FILE, EIO, "java.io.EOFException")                                                                        \
    /* From here on: kinds of our own; on the wire they are plain IOExceptions. */                                     \
    X(REMOTE, EIO, "java.io.IOException") /* a class we do not know; see err.java_class */                             \
    X(NO_MEMORY, ENOMEM, "java.io.IOException")                                                                        \
    X(PROTOCOL, EPROTO, "java.io.IOException") /* the peer sent bytes that make no sense */                            \
    X(TIMEOUT, ETIMEDOUT, "java.io.IOException")                                                                       \
    X(CONNECT, ECONNREFUSED, "java.io.IOException") /* no connection could be made */                                  \
    X(CLOSED, ECONNRESET, "java.io.IOException")    /* the peer went away */                                           \
    X(CHECKSUM, EIO, "java.io.IOException")                                                                            \
    X(NO_SPACE, ENOSPC, "java.io.IOException")                                                                         \
    X(BAD_STATE, EIO, "java.io.IOException")                                                                           \
    X(TOO_LARGE, EFBIG, "java.io.IOException")                                                                         \
    X(CONFIG, EINVAL, "java.io.IOException")                                                                           \
    X(READ_ONLY, EROFS, "java.io.IOException")                                                                         \
    X(PERMISSION, EPERM, "java.io.IOException")                                                                        \
    X(CANCELLED, EINTR, "java.io.IOException")                                                                         \
    X(BUSY, EBUSY, "java.io.IOException")                                                                              \
    /* What only POSIX knows: see err_posix(). */                                                                      \
    X(STALE, ESTALE, "java.io.IOException")                                                                            \
    X(TOO_MANY_LINKS, EMLINK, "java.io.IOException")                                                                   \
    X(OTHER_DEVICE, EXDEV, "java.io.IOException")                                                                      \
    X(DEADLOCK, EDEADLK, "java.io.IOException")                                                                        \
    X(NO_LOCKS, ENOLCK, "java.io.IOException")

enum err_index {
#define ERR_INDEX(name, errnum, java) ERR_INDEX_##name,
    ERR_LIST(ERR_INDEX)
#undef ERR_INDEX
        ERR_INDEX_COUNT
};
enum err_code {
    ERR_OK = 0,
#define ERR_CODE(name, errnum, java) ERR_##name = -(ERR_INDEX_##name + 1),
    ERR_LIST(ERR_CODE)
#undef ERR_CODE
};

struct err {
    int code;                       /* 0 or ERR_* */
    char java_class[ERR_CLASS_MAX]; /* as received in a remote exception; "" = the one of the code */
    char text[ERR_TEXT_MAX];        /* no trailing newline */
};

/* All return the code, so `return err_set(reterr, ERR_X, ...)` reads well. Text past ERR_TEXT_MAX is cut. */
int err_set(struct err *reterr, int code, const char *format, ...) PRINTF_LIKE(3, 4);
int err_vset(struct err *reterr, int code, const char *format, va_list args);
/* Code from errno; ": <strerror>" is appended. */
int err_errno(struct err *reterr, int errnum, const char *format, ...) PRINTF_LIKE(3, 4);
/* What a mount is told and HDFS has no exception for: travels as ERR_POSIX_CLASS with the errno's name in front of the
 * text ("EXDEV: .."), and is the same code again on the other side. */
int err_posix(struct err *reterr, int errnum, const char *format, ...) PRINTF_LIKE(3, 4);
/* A remote exception; unknown class => ERR_REMOTE with the class kept. */
int err_remote(struct err *reterr, const char *java_class, const char *text);
/* Puts "context: " in front of the text; returns reterr's code (or `code` if reterr is NULL). */
int err_prefix(struct err *reterr, int code, const char *format, ...) PRINTF_LIKE(3, 4);

int err_to_errno(int code);                      /* positive errno */
int err_from_errno(int errnum);                  /* negative ERR_* */
const char *err_name(int code);                  /* "NOT_FOUND" */
const char *err_java_class(const struct err *e); /* what goes on the wire */
int err_from_java_class(const char *java_class); /* ERR_REMOTE if unknown */

#endif
