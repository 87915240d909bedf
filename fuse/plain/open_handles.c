#include "fuse/plain/open_handles.h"

#include <stddef.h>

void open_handles_add(struct open_handles *list, struct open_handle *h,
                      void (*end)(struct mount *m, struct open_handle *h))
{
    pthread_mutex_lock(&list->lock);
    h->end = end;
    h->next = list->first;
    h->link = &list->first;
    if (h->next)
        h->next->link = &h->next;
    list->first = h;
    pthread_mutex_unlock(&list->lock);
}

void open_handles_remove(struct open_handles *list, struct open_handle *h)
{
    pthread_mutex_lock(&list->lock);
    *h->link = h->next;
    if (h->next)
        h->next->link = h->link;
    pthread_mutex_unlock(&list->lock);
}

void open_handles_end(struct open_handles *list, struct mount *m)
{
    while (list->first)
        list->first->end(m, list->first);
}
