/* What the kernel has open in a mount. At an unmount it does not close everything first; what is left is ended then.
 * Any thread may add and remove. */
#ifndef CAIRN_FUSE_PLAIN_OPEN_HANDLES_H
#define CAIRN_FUSE_PLAIN_OPEN_HANDLES_H

#include <pthread.h>

struct mount;

/* First member of what is open. */
struct open_handle {
    struct open_handle *next, **link;                    /* guarded by the list's lock */
    void (*end)(struct mount *m, struct open_handle *h); /* what a close by the kernel does; removes and frees it */
};

struct open_handles {
    pthread_mutex_t lock;
    struct open_handle *first; /* guarded by lock */
};

void open_handles_add(struct open_handles *list, struct open_handle *h,
                      void (*end)(struct mount *m, struct open_handle *h));
void open_handles_remove(struct open_handles *list, struct open_handle *h);
/* Ends all of them. No requests are served any more. */
void open_handles_end(struct open_handles *list, struct mount *m);

#endif
